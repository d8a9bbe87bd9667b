"""Nodes whose key may do nothing but rsync into one directory: rrsync as a forced command."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import config_text, run_inosync, settings
from support.fakersync import FakeRsync
from support.places import wait_equal
from support.servers import SshServer
from support.trees import HOSTILE_NAMES, churn, grow, write
from support.waiting import until

RRSYNC = shutil.which("rrsync")
pytestmark = pytest.mark.skipif(RRSYNC is None, reason="rrsync comes with rsync 3.2.4 and later")


@pytest.fixture
def jail(tmp_path: Path, ssh_server: SshServer) -> Path:
    """The directory that the key is restricted to, which is to be the mirror."""
    jail = tmp_path / "jail"
    jail.mkdir()
    restrict(ssh_server, f"-wo -no-lock {jail}")
    return jail


def restrict(server: SshServer, arguments: str) -> None:
    server.restrict(f'restrict,command="{RRSYNC} {arguments}"')


def test_all_that_a_daemon_does_is_done_behind_rrsync(
    inosync: Callable, source: Path, jail: Path, ssh_server: SshServer, fakersync: FakeRsync
) -> None:
    fakersync.always(delegate=True)
    grow(source, seed=1)
    for name in HOSTILE_NAMES:
        write(source, b"hostile/" + name + b"/" + name, name)
    for number in range(30):
        write(source, f"old/deep/{number}", os.urandom(40_000))
    node = {"node": ssh_server.url("/"), "restricted": True, "rscope": "changes"}
    daemon = inosync(
        {
            "wpath": f"{source}/",
            "rnodes": [node],
            "edelay": 0.2,
            "rretry": (0.1, 0.5),
            "rbigsize": 500_000,
            "rbigdelay": 0.1,
            "rsync": str(fakersync.path),
        },
        environment=ssh_server.environment(),
    )
    ask = ("-c", daemon.config_file)

    def settled() -> None:
        done = run_inosync(*ask, "--wait", "30", cwd=daemon.folder)
        assert done.returncode == 0, done.stdout + daemon.log()
        wait_equal(source, jail)

    daemon.wait_for_log("in sync (first pass", times=2)
    settled()
    # A directory gets another name, and nothing of it is sent again.
    before = len(fakersync.calls())
    (source / "old").rename(source / "it's here; $x")
    settled()
    until(lambda: all(call.code is not None for call in fakersync.calls()), what="the runs to end")
    calls = fakersync.calls()[before:]
    assert any(word.startswith("--link-dest=/") for call in calls for word in call.argv)
    assert sum(call.literal for call in calls) == 0
    # The same with names that a shell, or rrsync, would take apart.
    place = source / "it's here; $x"
    for name in ("new\nline", "no\N{NO-BREAK SPACE}break", "f*", "-e ssh", 'back\\"slash'):
        place = place.rename(source / name)
        settled()
    # Size and second stay, content does not; then both times, too.
    for number in range(3):
        (source / "first").write_text(f"version {number:04}\n")
        settled()
    status = (source / "first").stat()
    (source / "first").write_text("version five\n")
    os.utime(source / "first", ns=(status.st_atime_ns, status.st_mtime_ns))
    (source / "giant").write_bytes(os.urandom(2_000_000))
    churn(source, 1, steps=100)
    settled()
    verified = run_inosync(
        *ask, "--verify", cwd=daemon.folder, environment=ssh_server.environment()
    )
    assert verified.returncode == 0, verified.stdout
    checked = run_inosync(*ask, "--check", cwd=daemon.folder, environment=ssh_server.environment())
    assert "0 problems" in checked.stdout, checked.stdout
    assert "; next try in" not in daemon.log()


def test_no_run_waits_where_it_would_shut_out_others(
    inosync: Callable, source: Path, jail: Path, ssh_server: SshServer
) -> None:
    restrict(ssh_server, f"-wo {jail}")
    node = {"node": ssh_server.url("/"), "restricted": True, "rscope": "changes"}
    environment = ssh_server.environment()
    daemon = inosync(settings(source, node), environment=environment)
    ask = ("-c", daemon.config_file)
    wait_equal(source, jail)

    def verified() -> bool:
        return (
            run_inosync(*ask, "--verify", cwd=daemon.folder, environment=environment).returncode
            == 0
        )

    for number in range(3):
        until(verified, what="others to be let in", state=daemon.log)
        write(source, f"{number}", "x")
        wait_equal(source, jail)
    assert daemon.log().count("the next run stands ready") == 1


def test_each_refusal_of_rrsync_is_known_with_its_cure(
    source: Path, tmp_path: Path, jail: Path, ssh_server: SshServer
) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    file = folder / "inosync.conf"
    home = ssh_server.url("/")

    def ask(nodes: list[object], command: str = "--check") -> list[str]:
        file.write_text(config_text({"wpath": f"{source}/", "rnodes": nodes}))
        done = run_inosync("-c", file, command, cwd=folder, environment=ssh_server.environment())
        return done.stdout.splitlines()

    def node(path: str, extra: str = "") -> dict[str, object]:
        return {"node": f"{home}{path}", "restricted": True, "extra": extra}

    told = ask(
        [
            node("a/", "--protect-args"),
            node("b/", "-K"),
            node("c/", "--rsync-path=/opt/rsync"),
            node("d/", "--modify-window=-1"),
            node("../e/"),
            f"{home}~/f/",
        ]
    )
    for path, text in (
        ("/a/", "exit 12: rrsync refuses -s"),
        ("/a/", "; remove --protect-args from extra"),
        ("/b/", "; remove from extra -K"),
        ("/c/", "; remove --rsync-path from extra"),
        ("/d/", "rrsync does not know an option of the run"),
        ("/../e/", "rrsync lets no path have '..'"),
        ("/f/", 'what is renamed is sent again; give this node "restricted": True'),
    ):
        assert any(f"{path}: " in line and text in line for line in told), path + "\n".join(told)
    assert any(line.startswith("ok ") and "/f/: reachable" in line for line in told)

    restrict(ssh_server, f"-ro {jail}")
    assert any("write -wo in the place of -ro" in line for line in ask([node("")]))
    restrict(ssh_server, f"-wo -no-del {jail}")
    assert any("remove -no-del in authorized_keys" in line for line in ask([node("")], "--once"))
    for lock in ("", "-no-lock"):
        restrict(ssh_server, f"-wo {lock} {tmp_path}/missing")
        told = ask([node("")])
        assert any("that the key is restricted to does not exist" in line for line in told), told
    restrict(ssh_server, f"-wo {jail}")
    held = os.open(jail, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    told = ask([node("")])
    os.close(held)
    (line,) = [line for line in told if line.startswith("warning")]
    assert "lets one run in at a time" in line
    assert "put -no-lock before the directory in authorized_keys" in line
    ssh_server.restrict("restrict")
    assert any("restricted is said of it, and the key may" in line for line in ask([node("x/")]))
    assert list(jail.iterdir()) == []


def test_the_page_has_the_line_for_the_key() -> None:
    page = Path(__file__).parents[2] / "docs/rrsync.rst"
    (line,) = re.findall(r'^ +restrict,command="(.*?)" ssh-ed25519', page.read_text(), re.M)
    assert line.split() == ["/usr/bin/rrsync", "-wo", "-no-lock", "/srv/mirror"]
    assert RRSYNC is not None
    known = subprocess.run([RRSYNC, "-help"], capture_output=True, text=True, check=True).stdout
    assert all(word in known for word in line.split() if word.startswith("-"))
