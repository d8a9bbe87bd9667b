"""A daemon is found, and found only once, wherever it runs and as whom."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.host import GROUP, ORDINARY, SERVICE, Host
from support.namespaces import need
from support.waiting import until

from inosync.system import beacon
from inosync.system.runtime import own_name

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def host(open_path: Path) -> Iterator[Host]:
    need("unshare", "--mount")
    result = Host(open_path)
    yield result
    result.stop()


def test_one_of_a_service_user(host: Host) -> None:
    """As systemd runs it with User=: RUNTIME_DIRECTORY is known to the unit alone."""
    daemon = host.daemon(SERVICE, RUNTIME_DIRECTORY="/run/inosync/inosync.service")
    for user in (0, SERVICE):
        assert host.ask(user, "--status")[0] == 0
        status, said = host.ask(user, "--once")
        assert status == 3
        assert f"already running as process {daemon.pid}" in said
    status, said = host.ask(ORDINARY, "--once")
    assert (status, "of nobody" in said) == (3, True)
    status, said = host.ask(ORDINARY, "--status")
    assert (status, "use sudo" in said) == (1, True)
    assert f"the daemon at /run/inosync/inosync.service/{own_name(str(host.config))}.sock" in said
    names = {path.name for path in host.unit.iterdir()}
    assert len(names) == 2
    assert all("etc-inosync.py-" in name for name in names)

    # Its files are removed, and asked for.
    shutil.rmtree(host.unit)
    host.unit.mkdir()
    os.chown(host.unit, SERVICE, SERVICE)
    assert host.ask(SERVICE, "--once")[0] == 3
    until(lambda: {path.name for path in host.unit.iterdir()} == names, what="the files")
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in host.unit.iterdir())
    assert host.ask(0, "--status")[0] == 0
    assert host.ask(0, "--once")[0] == 3
    daemon.terminate()
    daemon.wait(20)
    assert list(host.unit.iterdir()) == []
    assert host.ask(0, "--status")[0] == 4


def test_one_of_root_and_a_group_that_may_look(host: Host) -> None:
    os.chown(host.config, 0, GROUP)
    with socket.socket(socket.AF_UNIX) as impostor:  # with the setting `user` it could be there
        connections = host.unit.with_name("ssh-connections")
        connections.mkdir()
        os.chown(connections, SERVICE, SERVICE)
        with contextlib.chdir(connections):  # of a whole path unix(7) takes 107 bytes
            impostor.bind(f"{own_name(str(host.config))}.sock")
        impostor.listen()
        assert "no daemon answers" in host.ask(0, "--status")[1]
    host.daemon(0)
    assert host.ask(SERVICE, "--once")[0] == 3
    assert host.ask(ORDINARY, "--status", groups=[GROUP])[0] == 0
    status, said = host.ask(ORDINARY, "--sync", groups=[GROUP])
    assert (status, "alone may do that" in said) == (2, True)
    status, said = host.ask(ORDINARY, "--status")
    assert (status, "chgrp" in said) == (1, True)

    # A config that is wrong now, and files that are gone with their directory.
    host.config.write_text("wpath = ")
    shutil.rmtree(host.unit.parent)
    assert host.ask(0, "--status")[0] == 0


#: Knocks at an address twice, and prints what is said and the seconds between both answers.
KNOCKING = """
import os, socket, sys, time
os.setgroups([]), os.setgid(12345), os.setuid(12345)
answers = []
for _ in range(2):
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(20)
        door.connect("\\0" + sys.argv[1])
        answers.append((door.recv(1000).decode(), time.monotonic()))
(said, first), (_, second) = answers
print(second - first, said)
"""


def test_one_of_a_unit_whose_directory_is_gone(host: Host) -> None:
    """With it goes what tells as whom it runs; what an ordinary user runs counts as little."""
    daemon = host.daemon(SERVICE, RUNTIME_DIRECTORY="/run/inosync/inosync.service")
    shutil.rmtree(host.unit.parent)
    groups = host.config.with_name("cgroup")
    host.mounts[groups] = f"/proc/{daemon.pid}/cgroup"
    for group, status in (
        ("/user.slice/user-1.slice/user@1.service/app.slice/inosync.service", 4),
        ("/machine.slice/box/user.slice/user-1.slice/user@1.service/inosync.service", 4),
        ("/system.slice/cron.service", 4),
        ("/system.slice/system-inosync.slice/inosync@web.service", 0),
    ):
        groups.write_text(f"0::{group}\n")
        assert host.ask(0, "--status")[0] == status
    said = f"already running as process {daemon.pid} of nobody"
    status, told = host.ask(0, "--once")
    assert (status, said in told) == (3, True)


def test_a_group_that_a_service_user_is_not_in(host: Host) -> None:
    os.chown(host.config, 0, GROUP)
    unit = {"RUNTIME_DIRECTORY": "/run/inosync/inosync.service"}
    daemon = host.daemon(SERVICE, **unit)
    assert host.ask(ORDINARY, "--status", groups=[GROUP])[0] == 1
    daemon.terminate()
    said, _ = daemon.communicate(timeout=20)
    assert f"its group {GROUP} may not ask for --status, since nobody is not in it" in said
    assert f"SupplementaryGroups={GROUP}" in said
    host.daemon(SERVICE, groups=[GROUP], **unit)
    assert host.ask(ORDINARY, "--status", groups=[GROUP])[0] == 0


def test_who_knocks_at_the_beacon_does_not_keep_the_daemon_from_work(host: Host) -> None:
    host.daemon(0)
    door = beacon.address(own_name(str(host.config)), 0)[1:]
    told = subprocess.check_output(["/usr/bin/python3", "-c", KNOCKING, door], text=True)
    seconds, said = told.split(maxsplit=1)
    assert float(seconds) > 0.8
    assert "root and root alone may ask this daemon" in said
    assert host.ask(0, "--status")[0] == 0


def test_one_of_an_ordinary_user(host: Host) -> None:
    host.daemon(ORDINARY)  # as cron and su have it
    assert len(list(host.session.glob("inosync/*"))) == 2
    assert host.ask(ORDINARY, "--status", XDG_RUNTIME_DIR=f"/run/user/{ORDINARY}")[0] == 0
    # The config is root's: whoever else runs it is not in root's way.
    assert host.ask(0, "--once")[0] == 0
    os.chown(host.config, ORDINARY, ORDINARY)
    assert host.ask(0, "--status")[0] == 0


def test_a_user_without_a_name_is_told_what_he_may_not(host: Host) -> None:
    """As in a container, and with a number for User=."""
    secret = host.source / "secret"
    secret.mkdir(mode=0o700)
    status, said = host.ask(ORDINARY, "--check")
    assert (status, f"cannot be read by {ORDINARY}, such as secret" in said) == (2, True), said
    with host.config.open("a") as config:
        config.write('metricsfile = "/etc/inosync.prom"\n')
    host.source.chmod(0o700)
    status, said = host.ask(ORDINARY, "--once")
    assert (status, said.count(f" by {ORDINARY}; give it ")) == (2, 2), said


def test_one_without_a_session(host: Host) -> None:
    session = host.session.rename(host.session.with_name("later"))
    try:
        host.daemon(ORDINARY)
        session.rename(host.session)
        there = {"XDG_RUNTIME_DIR": f"/run/user/{ORDINARY}"}
        assert host.ask(ORDINARY, "--status", **there)[0] == 0
        assert host.ask(ORDINARY, "--once", **there)[0] == 3
    finally:
        host.stop()
        shutil.rmtree(f"/tmp/inosync-{ORDINARY}", ignore_errors=True)
