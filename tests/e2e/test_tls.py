"""Nodes behind TLS: a real stunnel before a real rsync daemon."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import config_text, run_inosync, settings
from support.places import wait_equal
from support.servers import RsyncDaemon, free_port
from support.tls import PASSWORD, Authority, TlsDaemon
from support.trees import write


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def behind_tls(tmp_path: Path, authority: Authority) -> Iterator[Callable[..., TlsDaemon]]:
    """Start a daemon with a certificate for these names; more as for TlsDaemon."""
    started = []

    def start(name: str, *alternatives: str, days: int = 2, **more: object) -> TlsDaemon:
        certificate = authority.sign(name, *alternatives, days=days)
        started.append(TlsDaemon(tmp_path / f"tls-{name}", certificate, **more))  # type: ignore[arg-type]
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_a_daemon_mirrors_through_tls(
    inosync: Callable, source: Path, behind_tls: Callable, authority: Authority, tmp_path: Path
) -> None:
    """With a password, a certificate of its own, an address of version 6; all kinds of runs."""
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    certificate, key = authority.sign("us")
    write(source, "dir/file", "first")
    first = behind_tls("first", "DNS:localhost", clients=authority)
    second = behind_tls("second", "IP:::1", address="::1")
    proof = {"ca": str(authority.certificate), "cert": str(certificate), "key": str(key)}
    nodes = [
        {
            "node": first.url("mirror@localhost", "closed/"),
            "rtls": proof,
            "extra": f"--password-file={password}",
            "rwarm": 60,
        },
        {"node": second.url("[::1]", "open/"), "rtls": {"ca": proof["ca"]}, "rkeep": 1},
    ]
    daemon = inosync(settings(source, *nodes, rscope="changes"))
    daemon.wait_for_log("in sync (first pass", times=2)
    wait_equal(source, first.root)

    (source / "dir").rename(source / "other")
    write(source, "other/file", "second")
    wait_equal(source, first.root)
    kept = second.root / ".inosync-kept"
    told = run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
    assert told.returncode == 0, told.stdout + daemon.log()
    assert kept.is_dir()
    told = run_inosync("-c", daemon.config_file, "--kept", cwd=daemon.folder)
    assert (told.returncode, "file" in told.stdout) == (0, True), told.stdout + told.stderr

    # What was cut off is tried again.
    first.stop()
    write(source, "third", "third")
    daemon.wait_for_log(f"nothing answers at port {first.port} (Connection refused)")
    first.start()
    wait_equal(source, first.root)
    assert PASSWORD not in daemon.log()


def test_check_names_each_trouble(
    source: Path,
    behind_tls: Callable,
    authority: Authority,
    rsync_daemon: RsyncDaemon,
    tmp_path: Path,
) -> None:
    write(source, "file", "x")
    closed = free_port()
    good = behind_tls("good", "DNS:localhost")
    choosy = behind_tls("choosy", "DNS:localhost", clients=authority)
    other = Authority(tmp_path / "other")
    stranger = other.sign("us")
    proof = {"ca": str(authority.certificate)}
    late = behind_tls("late", "DNS:localhost", days=0)

    def node(url: str, **rtls: object) -> dict[str, object]:
        return {"node": url, "rtls": {**proof, **rtls}}

    wanted = {
        "reachable": node(good.url("localhost", "open/a")),
        "reachable; ": node(good.url("127.0.0.1", "open/b"), name="localhost"),
        "is for another name": node(good.url("127.0.0.1", "open/c")),
        "nobody who is trusted here": {"node": good.url("localhost", "open/d")},
        "nobody who is trusted": node(good.url("localhost", "open/e"), ca=str(other.certificate)),
        "has expired": node(late.url("localhost", "open/f")),
        "does not let in who": node(choosy.url("localhost", "open/g")),
        "proves nothing, or this": node(
            choosy.url("localhost", "open/h"), cert=str(stranger[0]), key=str(stranger[1])
        ),
        f"nothing answers at port {closed}": node(f"rsyncs://localhost:{closed}/open/i"),
        "does not speak TLS": node(f"rsyncs://localhost:{rsync_daemon.port}/mirror/j"),
        "nowhere.invalid is not found": node("rsyncs://nowhere.invalid/open/k"),
        "/no/ca.pem, which rtls names": node(good.url("localhost", "open/l"), ca="/no/ca.pem"),
        "/no/key.pem, which rtls names": node(
            good.url("localhost", "open/m"), cert=str(stranger[0]), key="/no/key.pem"
        ),
        "wants a password": node(good.url("localhost", "closed/n")),
        "Unknown module": node(good.url("localhost", "nothing/o")),
        "parent directory does not exist": node(good.url("localhost", "open/p/q/r")),
    }
    unverified = {"node": good.url("127.0.0.1", "open/z"), "rtls": {"verify": False}}
    config = tmp_path / "tls.py"
    config.write_text(config_text(settings(source, *wanted.values(), unverified)))
    told = run_inosync("-c", config, "--check", cwd=tmp_path).stdout
    for what, each in wanted.items():
        url = re.escape(str(each["node"]))
        assert re.search(rf"-> {url}: .*{re.escape(what)}", told), f"{what}\n{told}"
    assert f"-> {unverified['node']}: reachable" in told
    assert told.count("is not verified") == 1
    assert not list(good.root.iterdir())

    # Without openssl nothing starts, and is said so.
    bare = tmp_path / "bin"
    bare.mkdir()
    rsync = shutil.which("rsync")
    assert rsync is not None
    (bare / "rsync").symlink_to(rsync)
    told = run_inosync(
        "-c", config, "--check", cwd=tmp_path, environment={"PATH": str(bare)}
    ).stdout
    assert f"{good.url('localhost', 'open/a')}: needs openssl, which is not installed" in told
    assert os.path.exists(rsync)
