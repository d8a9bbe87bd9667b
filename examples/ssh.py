# Mirrors two directories to other machines over ssh.
#
# The user who runs inosync needs a key without a passphrase on each of them, and
# their host keys in ~/.ssh/known_hosts: nobody is there to answer a question.
# docs/rrsync.rst restricts what the key can do on the mirrors.

wpaths = [
    "/var/www/",
    "/etc/nginx/",
]

# where each of them goes, in the same order
rpaths = [
    "/var/www/",
    "/srv/backup/nginx/",
]

rexcludes = {
    "/var/www/": ["/localhost", "/cache/"],
    "/etc/nginx/": ["*.bak"],
}

rnodes = [
    "ssh://mirror@a.mirror.com",
    "ssh://mirror@b.mirror.com:2222",
    # far away: compressed, slower to be given up, slower to be tried again
    {
        "node": "mirror@c.mirror.com:",
        "rspeed": 500,
        "extra": "--compress",
        "rtimeout": 900,
        "rretry": (10, 1800),
    },
]

# gather changes until nothing happened for 2 seconds, but for no longer than 30
edelay = 2
emaxdelay = 30
