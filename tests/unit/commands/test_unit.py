"""What systemd says of a unit, and what follows for a config."""

from __future__ import annotations

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.commands.unit import findings, name, question, user

#: As systemctl(1) shows examples/inosync.service.
STRICT = """\
ExecStart={ path=/usr/local/bin/inosync ; argv[]=/usr/local/bin/inosync -c /etc/inosync.py ; pid=0 }
ReadWritePaths=-/srv -/mnt -/media
PrivateTmp=yes
ProtectHome=read-only
ProtectSystem=strict
RuntimeDirectory=inosync/inosync.service
LogsDirectory=inosync
LoadState=loaded
ActiveState=inactive
UnitFileState=enabled
"""


def texts(node: str, answer: str = STRICT, *, path: str = "/srv/www", **more: str) -> list[str]:
    """Return what is found for a config with one mirror."""
    pair = make_pair(make_source(path), node)
    config = make_config([pair], file="/etc/inosync.py", **more)
    return [finding.text for finding in findings("inosync.service", answer, config)]


def test_the_unit_of_a_config() -> None:
    assert name("/etc/inosync.py") == "inosync.service"
    assert name("/etc/inosync/web.py") == "inosync@web.service"
    assert name("/srv/inosync.py") == ""
    assert question("inosync.service")[-1] == "inosync.service"


@pytest.mark.parametrize("node", ["/srv/mirror/", "/mnt/", "host:/backup/", "host::backup/"])
def test_what_the_unit_lets(node: str) -> None:
    assert texts(node, logfile="/var/log/inosync/rsync.log") == []


@pytest.mark.parametrize("node", ["/backup/m/", "/srvs/", "/home/a/m/", "/"])
def test_where_it_may_not_write(node: str) -> None:
    (text,) = texts(node)
    path = node.rstrip("/") or "/"
    assert text == (
        f"{path}: inosync.service may not write there: ReadWritePaths={path} "
        "(systemctl edit inosync.service)"
    )


def test_as_whom_it_runs() -> None:
    config = make_config(file="/etc/inosync.py")
    assert user(f"{STRICT}User=\n", config) == ""
    assert user(f"{STRICT}User=inosync\n", config) == "inosync"
    assert user(f"{STRICT}User=inosync\n", make_config(file="/etc/other.py")) == ""
    assert user("", config) == ""


def test_a_tmp_of_its_own() -> None:
    (text,) = texts("/srv/m/", path="/tmp/a")
    assert text.startswith("/tmp/a: inosync.service has a /tmp of its own: PrivateTmp=no")
    assert len(texts("/var/tmp/m/")) == 1
    assert texts("/srv/m/", STRICT.replace("PrivateTmp=yes", "PrivateTmp=no"), path="/tmp/a") == []


def test_files_that_the_daemon_writes() -> None:
    (text,) = texts("/srv/m/", metricsfile="/var/lib/x/inosync.prom")
    assert "ReadWritePaths=/var/lib/x" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("LoadState=loaded", "LoadState=not-found"),
        ("UnitFileState=enabled", "UnitFileState=disabled"),
        ("-c /etc/inosync.py", "-c /etc/other.py"),
        ("ProtectSystem=strict", "ProtectSystem=full"),
    ],
)
def test_one_that_is_not_used_or_lets_it(old: str, new: str) -> None:
    assert texts("/backup/", STRICT.replace(old, new)) == []


def test_homes_alone() -> None:
    answer = STRICT.replace("ProtectSystem=strict", "ProtectSystem=no")
    assert len(texts("/home/a/", answer)) == 1
    assert texts("/home/a/", answer.replace("ProtectHome=read-only", "ProtectHome=no")) == []
    assert len(texts("/usr/m/", STRICT.replace("=strict", "=yes"))) == 1
