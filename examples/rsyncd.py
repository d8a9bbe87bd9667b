# Mirrors a web site to rsync daemons.
#
# On each mirror, /etc/rsyncd.conf needs a module that can be written to:
#
#   [www]
#       path = /var/www
#       read only = false
#       uid = www-data
#       gid = www-data
#       auth users = mirror
#       secrets file = /etc/rsyncd.secrets
#
# The password is read from a file that only the user who runs inosync can read:
# a destination never holds one.

wpath = "/var/www/"

rexcludes = [
    "/localhost",
    "*.swp",
    "*~",
]

rnodes = [
    "rsync://mirror@a.mirror.com/www/",
    "rsync://mirror@b.mirror.com:8730/www/",
    # a thin line: no more than 200 KB/s
    {"node": "mirror@c.mirror.com::www/", "rspeed": 200},
]

# keep owner, group and hard links, too
extra = ["-aH", "--password-file=/etc/inosync.secret"]

edelay = 1
