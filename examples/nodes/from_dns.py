# Mirrors to every address that a name has in DNS: A and AAAA records. No such name, or no answer,
# is an error, and keeps the list as it was.

import socket

NAME = "mirrors.example.org"

wpath = "/var/www/"
found = {each[4][0] for each in socket.getaddrinfo(NAME, 873, type=socket.SOCK_STREAM)}
rnodes = [
    f"rsync://[{address}]/www/" if ":" in address else f"rsync://{address}/www/"
    for address in sorted(found)
]

rrefresh = 60
rscope = "changes"
edelay = 1
