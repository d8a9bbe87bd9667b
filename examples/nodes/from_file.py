# Mirrors to the hosts that a file lists, one a line, as some other program keeps it. A line more is
# a node more within a minute, without a reload.

from pathlib import Path

LIST = Path("/etc/inosync-nodes")

wpath = "/var/www/"
rnodes = [f"mirror@{host}:/srv/www/" for host in LIST.read_text().split()]

rrefresh = 60
rscope = "changes"
edelay = 1
