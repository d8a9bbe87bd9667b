# One config for both hosts of a pair that fails over: /etc/inosync.py on each. See
# docs/failover.rst.

import socket

HOSTS = {"alpha": "192.0.2.1", "beta": "192.0.2.2"}

wpath = "/srv/data/"
rnodes = [
    f"rsync://{address}/data/" for name, address in HOSTS.items() if name != socket.gethostname()
]

# Which of them is the active one, keepalived or pacemaker says: they have the file made.
wactive = "/run/failover/active"

# What the other one had not sent when it failed is kept there for two weeks when it comes back.
rkeep = 14

rscope = "changes"
edelay = 1
# One that is gone, or does not take anything yet, is tried again at least this often.
rretry = (1, 5)
rtimeout = 30
