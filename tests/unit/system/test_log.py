"""What messages carry to syslog, to the journal and to whoever reads JSON."""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from inosync.engine.actions import About, Event
from inosync.system import journal, log

LOGGER = logging.getLogger("inosync")
FIELDS = About("/srv/www", "n", "backoff", 255, Event.FAILURE).fields()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("", "inosync"),
        ("/etc/inosync.py", "inosync"),
        ("/etc/inosync/default.py", "inosync"),
        ("/etc/inosync/web.py", "inosync-web"),
        ("/home/a/inosync-home.conf", "inosync-home"),
    ],
)
def test_daemons_are_told_apart_by_their_configs(file: str, name: str) -> None:
    assert log.ident(file) == name


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_each_line_has_its_second(capfd: pytest.CaptureFixture[str]) -> None:
    log.to_stderr("inosync", verbose=True)
    for created in (10_000.0, 10_000.9, 10_001.2, 10_000.9):
        record = logging.makeLogRecord({"created": created, "msg": "ready", "levelno": 20})
        logging.getLogger().handle(record)
    lines = capfd.readouterr().err.splitlines()
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d inosync: ready", x) for x in lines)
    assert lines[0] == lines[1] == lines[3] != lines[2]


def test_json_is_a_line_for_each_message(capsys: pytest.CaptureFixture[str]) -> None:
    log.to_stderr("inosync-web", verbose=False, as_json=True)
    LOGGER.warning("%s", "n: \udcff\nfails", extra={"fields": FIELDS})
    LOGGER.debug("not told")
    LOGGER.info("ready")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", first.pop("time"))
    assert first == {
        "level": "warning",
        "daemon": "inosync-web",
        "message": "n: \udcff\nfails",
        "source": "/srv/www",
        "node": "n",
        "state": "backoff",
        "exit": 255,
        "event": "failure",
    }
    assert (second["level"], second["message"]) == ("info", "ready")


def test_the_journal_gets_fields_or_says_that_it_does_not(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    assert not journal.send({"MESSAGE": "nobody listens"}, path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        assert journal.send({"MESSAGE": "two\nlines", "PRIORITY": 6, "N": "\udcff"}, path)
        sent = b"MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\nPRIORITY=6\nN=\xff\n"
        assert listener.recv(4096) == sent
        assert not journal.send({"MESSAGE": "x" * 2**24}, path)


def test_each_event_has_an_id_of_its_own() -> None:
    assert journal.IDS.keys() == {event.value for event in Event}
    assert len(set(journal.IDS.values())) == len(Event)
    page = (Path(__file__).resolve().parents[3] / "docs/logging.rst").read_text()
    told = re.findall(r"^``([0-9a-f]{32})`` +(\w+)", page, re.MULTILINE)
    assert {event: number for number, event in told} == journal.IDS
