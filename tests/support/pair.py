"""Two hosts that fail over, and a client: network and mount namespaces on one bridge.

What the hosts run is what examples/failover/ has: keepalived or pacemaker, inosync and an rsync
daemon; and a server that writes what the client sends into a file before it says so.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from support import processes
from support.daemon import PROJECT, inosync_environment
from support.waiting import until

EXAMPLE = PROJECT / "examples" / "failover"
ADDRESSES = {"alpha": "192.0.2.1", "beta": "192.0.2.2"}
SHARED = "192.0.2.10"

#: The host: what it has of its own, and then whatever runs there.
_BOOT = """
set -e
hostname {name}
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /srv
mkdir /srv/data /run/inosync
chmod 700 /run/inosync
mount --bind {folder}/data /srv/data
mount --bind {folder}/etc /etc/keepalived
ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip addr add {address}/24 dev eth0
ip link set eth0 up
export PATH={folder}/bin:$PATH
systemctl restart rsync.service
{python} {server} >>{folder}/server.log 2>&1 &
{python} -m inosync -c /etc/keepalived/inosync.py -v >>{folder}/inosync.log 2>&1 &
{manager}
wait
"""

#: What moves the address, and says which host is the active one.
_MANAGERS = {
    "keepalived": """
keepalived --dont-fork --log-console --log-detail >>{folder}/keepalived.log 2>&1 &
""",
    "pacemaker": """
mkdir /run/folder
mount --bind {folder} /run/folder
for own in /var/lib/pacemaker /var/lib/corosync /var/log /dev/shm /etc/corosync; do
    mount -t tmpfs tmpfs $own
done
mkdir -p {folder}  # it may be in memory itself
mount --bind /run/folder {folder}
mkdir -p /var/log/corosync /var/log/pacemaker /run/crm /run/resource-agents
(cd /var/lib/pacemaker && mkdir cib pengine cores blackbox)
chown -R hacluster:haclient /var/lib/pacemaker /var/log/pacemaker /run/crm
cp -a /usr/lib/ocf/resource.d /run/ocf
mkdir /run/ocf/inosync
cp /etc/keepalived/active /run/ocf/inosync/
mount --bind /run/ocf /usr/lib/ocf/resource.d
cat >/etc/corosync/corosync.conf <<END
totem {{
 version: 2
 cluster_name: pair
 transport: udpu
 token: 1000
}}
nodelist {{
 node {{
  ring0_addr: 192.0.2.1
  name: alpha
  nodeid: 1
 }}
 node {{
  ring0_addr: 192.0.2.2
  name: beta
  nodeid: 2
 }}
}}
quorum {{
 provider: corosync_votequorum
 two_node: 1
 wait_for_all: 0
}}
END
corosync -f >>{folder}/corosync.log 2>&1 &
until corosync-quorumtool -s >/dev/null 2>&1; do sleep 0.1; done
pacemakerd -f >>{folder}/pacemaker.log 2>&1 &
(
    until crm_mon -1 2>/dev/null | grep -q "Online:.*{name}"; do sleep 0.2; done
    crm_attribute --name stonith-enabled --update false
    crm_attribute --name no-quorum-policy --update ignore
    [ {name} = beta ] || cibadmin --query --xpath "//group[@id='data']" ||
        /etc/keepalived/pacemaker.sh
    echo online
) >{folder}/resources.log 2>&1 &
""",
}

#: Stands in for systemd, with the one unit that there is; ends its transfers, too.
_SYSTEMCTL = """\
#!/bin/sh
if [ -e /run/rsyncd.group ]; then kill -9 -- -"$(cat /run/rsyncd.group)"; rm -f /run/rsyncd.pid; fi
setsid sh -c 'echo $$ >/run/rsyncd.group; exec rsync --daemon --no-detach \\
    --config=/etc/keepalived/rsyncd.conf' >>{folder}/rsyncd.log 2>&1 </dev/null &
"""

_INOSYNC = """\
#!/bin/sh
exec {python} -m inosync -c /etc/keepalived/inosync.py "$@" >>{folder}/asked.log 2>&1
"""

_SERVER = textwrap.dedent("""\
    import os, socket
    listening = socket.create_server(("", 7000))
    while True:
        connection, _ = listening.accept()
        with connection:
            try:
                number = connection.recv(64).decode()
                if not number:
                    continue
                with open(f"/srv/data/{number}", "x") as file:
                    file.write(number)
                connection.send(os.uname().nodename.encode())
            except OSError as error:
                print(error, flush=True)
""")

_CLIENT = textwrap.dedent("""\
    import socket, sys, time
    number = int(sys.argv[2])
    while True:
        number += 1
        try:
            with socket.create_connection((sys.argv[1], 7000), timeout=0.3) as connection:
                connection.send(b"%06d" % number)
                host = connection.recv(64).decode()
            if host:
                print("%06d" % number, host, time.monotonic(), flush=True)
        except OSError:
            pass
        time.sleep(0.02)
""")


class Host:
    """One of the two. It boots with empty /run; its data outlive it."""

    def __init__(self, folder: Path, name: str, switch: Switch, manager: str) -> None:
        self.name = name
        self.folder = folder / name
        self.data = self.folder / "data"
        self.active = self.folder / "active"
        self._switch = switch
        self._process: subprocess.Popen[bytes] | None = None
        names = {"folder": self.folder, "python": sys.executable}
        etc, tools = self.folder / "etc", self.folder / "bin"
        for each in (etc, tools, self.data):
            each.mkdir(parents=True, exist_ok=True)
            each.chmod(0o755)
        for each in EXAMPLE.iterdir():
            shutil.copy(each, etc)
        for tool, text in (("systemctl", _SYSTEMCTL), ("inosync", _INOSYNC)):
            (tools / tool).write_text(text.format(**names))
            (tools / tool).chmod(0o755)
        server = self.folder / "server.py"
        server.write_text(_SERVER)
        more = {"name": name, "address": ADDRESSES[name], "server": server}
        starting = _MANAGERS[manager].format(**names, name=name)
        self._boot = _BOOT.format(**names, **more, manager=starting)

    def boot(self) -> None:
        """Start the host and plug it in."""
        command = ["unshare", "-n", "-m", "-u", "-p", "-f", "--kill-child", "--mount-proc"]
        state = {"STATE_DIRECTORY": "/run/state", "RUNTIME_DIRECTORY": "/run/inosync"}
        self._process = subprocess.Popen(
            [*command, "sh", "-c", self._boot],
            env=inosync_environment(state),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(lambda: bool(processes.children(self._pid)), what="a host's first process")
        self._switch.plug(self.name, processes.children(self._pid)[0])

    @property
    def running(self) -> bool:
        """Whether it was booted, and not killed since."""
        return self._process is not None

    @property
    def _pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Let all of it vanish at once."""
        if self._process is not None:
            everything = [self._pid, *processes.descendants(self._pid)]
            self._process.kill()
            self._process.wait()
            processes.kill(everything)
            processes.wait_gone(everything)
            self._process = None

    def freeze(self) -> None:
        """Let nothing of it run."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for pid in processes.descendants(self._pid):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def unplug(self) -> None:
        """Pull its plug, which it notices."""
        self._switch.set(self.name, "down")

    def cut(self) -> None:
        """Let nothing through to it or from it, which it cannot notice."""
        self._switch.set(self.name, "nomaster")

    def join(self) -> None:
        """Let it be on the network again."""
        self._switch.set(self.name, "master", "br0", "up")

    def log(self) -> str:
        """Return what inosync has logged there."""
        file = self.folder / "inosync.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def is_active(self) -> bool:
        """Return whether inosync has begun there, and has not gone on standby since."""
        log = self.log()
        return log.rfind("ready after") > max(log.rfind("on standby"), log.rfind("going on"))

    def is_online(self) -> bool:
        """Return whether it may take over; pacemaker thinks about that for a while."""
        file = self.folder / "resources.log"
        return not file.exists() or file.read_text().endswith("online\n")

    def files(self) -> set[str]:
        """Return the names of the files in its data."""
        return {each.name for each in self.data.iterdir() if each.name.isdigit()}

    def kept(self) -> set[str]:
        """Return the names of the files in its kept folder."""
        return {path.name for path in self.data.glob(".inosync-kept/**/*") if path.name.isdigit()}

    def story(self) -> str:
        """Return all logs, for a test that has failed."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {self.name} {log.name}\n{log.read_text()[-4000:]}" for log in logs)


class Switch:
    """The bridge between them, in a namespace of its own, and the client there."""

    def __init__(self, folder: Path) -> None:
        self.log_file = folder / "client.log"
        self._holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        self._client: subprocess.Popen[bytes] | None = None
        self._begun = 0
        until(self._apart, what="a namespace of the switch's own")
        self._run("ip", "link", "add", "br0", "type", "bridge")
        self._run("ip", "addr", "add", "192.0.2.100/24", "dev", "br0")
        self._run("ip", "link", "set", "br0", "up")

    def _apart(self) -> bool:
        ours, its = (os.readlink(f"/proc/{who}/ns/net") for who in ("self", self._holder.pid))
        return ours != its

    def _run(self, *command: str) -> None:
        subprocess.run(["nsenter", "-t", str(self._holder.pid), "-n", *command], check=True)

    def plug(self, name: str, pid: int) -> None:
        """Lay a cable to the host that this process is in."""
        ends = ("peer", "name", "eth0", "netns", str(pid))
        self._run("ip", "link", "add", name, "type", "veth", *ends)
        self._run("ip", "link", "set", name, "master", "br0", "up")

    def set(self, name: str, *how: str) -> None:
        """Set the plug of a host up or down, or take it from the others."""
        self._run("ip", "link", "set", name, *how)

    def begin(self) -> None:
        """Let the client write one file after another."""
        script = ["nsenter", "-t", str(self._holder.pid), "-n", sys.executable, "-c", _CLIENT]
        with open(self.log_file, "ab") as log:
            first = str(self._begun * 100_000)
            self._client = subprocess.Popen([*script, SHARED, first], stdout=log)
        self._begun += 1

    def end(self) -> None:
        """End the client."""
        if self._client is not None:
            self._client.kill()
            self._client.wait()
            self._client = None

    def close(self) -> None:
        """End everything."""
        self.end()
        self._holder.kill()
        self._holder.wait()

    def acknowledged(self) -> list[tuple[str, str, float]]:
        """Return the files that the client was told are written, by which host, and when."""
        lines = self.log_file.read_text().splitlines() if self.log_file.exists() else []
        found = [line.split() for line in lines]
        return [(row[0], row[1], float(row[2])) for row in found if len(row) == 3]
