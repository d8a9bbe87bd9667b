# A relay: it is sent /var/www by another host (feeding.py) and feeds the nodes near to it. See
# docs/scale.rst.

wpath = "/var/www/"
rnodes = [f"mirror@node{number}.east.example.org:/srv/www/" for number in range(1, 21)]

edelay = 1
rscope = "changes"
rparallel = 20

# While it is being filled for the first time, a relay has little, and must not delete the rest.
rmaxdelete = 1000
