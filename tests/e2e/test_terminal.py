"""What commands print: to whom, how much of it, and nothing that a terminal obeys."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pty
import re
import signal
import socket
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import processes
from support.daemon import config_text, inosync_command, inosync_environment, run_inosync, settings
from support.fakersync import FakeRsync
from support.places import Place
from support.scene import crowd_snapshot, mirror, scene_snapshot

from inosync.commands import client
from inosync.errors import NotRunningError

#: What turns a terminal's title, colours and cursor to somebody else's liking.
EVIL = "\x1b]0;evil\x07\x9b31m\r\x1b[2J"


@contextlib.contextmanager
def answering(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """Have somebody `answer` each connection to a socket, until that fails or is over."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.recv(65536)
                        answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def saying(answer: object) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(json.dumps(answer).encode() + b"\n")


def configured(tmp_path: Path, source: Path, **more: object) -> Path:
    path = tmp_path / "etc/inosync.py"
    path.parent.mkdir(mode=0o755)
    config = settings(source, f"{tmp_path}/m/", socket=f"{tmp_path}/door") | more
    path.write_text(config_text(config))
    path.chmod(0o644)
    return path


def unread(
    *arguments: str | os.PathLike[str], cwd: Path, **environment: str
) -> subprocess.Popen[str]:
    """Start a command whose reader has left before it says anything."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.Popen(
            inosync_command(*arguments),
            cwd=cwd,
            env=inosync_environment({"PYTHONUNBUFFERED": ""} | environment),
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(writing)


def test_a_reader_that_has_left_ends_a_command_and_no_work(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    """As it ends `cat`: by a signal, and without a word."""
    lsyncd = tmp_path / "lsyncd.conf"
    lsyncd.write_text(f'sync {{ default.rsync, source = "{source}", target = "/x" }}\n')
    daemon = inosync(settings(source, local.node))
    commands = ["--status", "--status --json", "--sync", "--pause", "--resume", "--reload"]
    commands += ["--check", "--verify", "--help", "--version", f"--explain {source}/first"]
    commands += [f"--from-lsyncd {lsyncd}"]
    config = ["-c", daemon.config_file]
    running = {each: unread(*config, *each.split(), cwd=tmp_path) for each in commands}
    ended = {each: (run.communicate()[1], run.returncode) for each, run in running.items()}
    if "lupa" in ended[commands[-1]][0]:
        del ended[commands[-1]]  # it is not installed
    assert ended == dict.fromkeys(ended, ("", -signal.SIGPIPE))
    assert daemon.stop() == 0
    (source / "new").write_text("x")
    once = unread(*config, "--once", cwd=tmp_path)
    assert (once.communicate()[1], once.returncode) == ("", 0)
    assert (local.root / "new").exists()
    for closed, status, words in ((">&-", 0, ""), (">/dev/full", 1, "No space left on device")):
        command = ["sh", "-c", f'exec "$@" {closed}', "sh", *inosync_command(*config, "--check")]
        run = subprocess.run(
            command, capture_output=True, text=True, env=inosync_environment(), check=False
        )
        assert (run.returncode, words in run.stderr) == (status, True), run.stderr
        assert "Traceback" not in run.stderr


def test_what_such_a_command_has_started_ends_with_it(
    source: Path, local: Place, tmp_path: Path, fakersync: FakeRsync
) -> None:
    slow = f"{tmp_path}/slow/"
    config = configured(tmp_path, source, rnodes=[local.node, slow], rsync=str(fakersync.path))
    fakersync.to(slow, hold=True)
    verify = unread("-c", config, "--verify", cwd=tmp_path, INOSYNC_TEST_RUN=slow)
    assert (verify.communicate()[1], verify.returncode) == ("", -signal.SIGPIPE)
    processes.wait_gone(processes.marked(f"INOSYNC_TEST_RUN={slow}"))


def screen(config: Path, columns: int, lines: int, **environment: str) -> list[str]:
    """Return what --top shows on such a terminal, line by line, without its colours."""
    primary, secondary = pty.openpty()
    termios.tcsetwinsize(primary, (lines, columns))
    misled = {"TERM": "xterm", "COLUMNS": "200", "LINES": "70"} | environment
    with subprocess.Popen(
        inosync_command("-c", config, "--top"),
        stdin=secondary,
        stdout=secondary,
        env=inosync_environment(misled),
    ) as process:
        os.close(secondary)
        shown = b""
        while shown.count(b"\x1b[H\x1b[2J") < 2:
            shown += os.read(primary, 65536)
        os.write(primary, b"q")
        with contextlib.suppress(OSError):
            while os.read(primary, 65536):
                pass
        assert process.wait(20) == 0
    os.close(primary)
    picture = shown.split(b"\x1b[H\x1b[2J")[1].decode()
    return re.sub(r"\x1b\[[\d;]*m", "", picture).split("\r\n")


@pytest.mark.parametrize("colours", [{}, {"NO_COLOR": "1"}], ids=["rich", "plain"])
def test_top_shows_no_more_than_the_screen_holds(
    tmp_path: Path, source: Path, colours: dict[str, str]
) -> None:
    config = configured(tmp_path, source)
    now = scene_snapshot()
    now["mirrors"] = [
        mirror("/srv/www", f"node{each}:/{'漢字' * 40}", each % 2) for each in range(41)
    ]
    now["mirrors"][0]["reason"] = EVIL + "x" * 200
    with answering(tmp_path / "door", saying({"version": 1, "ok": True, "status": now})):
        small, large = screen(config, 60, 12, **colours), screen(config, 100, 50, **colours)
        tall = screen(config, 100, 200, **colours)
    for shown, columns, lines in ((small, 60, 12), (large, 100, 50), (tall, 100, 200)):
        # Each ideogram takes two columns.
        widths = [len(line) + len(re.findall("[漢字]", line)) for line in shown]
        assert sum(max(1, math.ceil(width / columns)) for width in widths) < lines
        assert shown[0].startswith("41 of 41 mirrors in sync")
        assert all(line.isprintable() for line in shown)
    assert re.fullmatch(r"1-\d of \d+ lines: arrows, .*; q", small[-1])
    assert any("node40" in line for line in tall)
    # What ails is seen at once.
    assert any(line.startswith("idle  node0") for line in small)
    assert any(r"\x1b]0;evil\x07" in line for line in tall)


@contextlib.contextmanager
def terminal(config: Path, command: str, columns: int, lines: int) -> Iterator[int]:
    """Run a command on such a terminal, and provide that."""
    primary, secondary = pty.openpty()
    termios.tcsetwinsize(primary, (lines, columns))
    with subprocess.Popen(
        inosync_command("-c", config, command),
        stdin=secondary,
        stdout=secondary,
        env=inosync_environment({"TERM": "xterm"}),
    ) as process:
        os.close(secondary)
        yield primary
        with contextlib.suppress(OSError):
            while os.read(primary, 65536):
                pass
        process.wait(20)
    os.close(primary)


def drawn(primary: int, expected: str) -> list[str]:
    """Return the first whole picture from now on in which this is."""
    seen, found, until = b"", "", time.monotonic() + 20
    while not (expected in found and found.endswith("; q")):
        assert time.monotonic() < until, seen.decode()
        seen += os.read(primary, 65536)
        found = re.sub(r"\x1b\[[\d;]*m", "", seen.decode(errors="replace"))
        found = found.rpartition("\x1b[H\x1b[2J")[2]
    return found.split("\r\n")


def test_many_mirrors_on_a_small_terminal(tmp_path: Path, source: Path) -> None:
    """What ails is seen first; keys lead to all else, and the summary stays."""
    config, now = configured(tmp_path, source), crowd_snapshot()
    with answering(tmp_path / "door", saying({"version": 1, "ok": True, "status": now})):
        with terminal(config, "--top", 80, 24) as primary:
            first = drawn(primary, "1-20 of 72 lines")
            assert first[3].startswith("backoff  mod4, mod11 (all 3 sources)")
            assert any("films/intro.mov cannot be read" in line for line in first)
            for keys, expected in (
                (b"j", "2-21 of"),
                (b"\x1b[B", "3-22 of"),
                (b"\x1b[6~", "22-41 of"),
                (b"k\x1b[A", "20-39 of"),
                (b"\x1b[F", "53-72 of"),
                (b"\x1b[5~", "34-53 of"),
            ):
                os.write(primary, keys)
                shown = drawn(primary, f"\n{expected}")
                assert (shown[:2], len(shown)) == (first[:2], 23)
            termios.tcsetwinsize(primary, (12, 60))
            small = drawn(primary, " of 75 lines")
            assert len(small) == 11
            assert max(map(len, small)) <= 60
            os.write(primary, b"q")
        with terminal(config, "--status", 80, 24) as primary:
            said = b""
            with contextlib.suppress(OSError):
                while part := os.read(primary, 65536):
                    said += part
    shown = re.sub(r"\x1b\[[\d;]*m", "", said.decode()).split("\r\n")
    assert max(map(len, shown)) <= 80
    assert shown[0] == "51 of 60 mirrors in sync but for 1 path, the longest behind for 4 h"
    assert sum("    mod" in line for line in shown) == 54


@pytest.mark.parametrize(
    ("command", "answer", "expected"),
    [
        ("--status", {"ok": True, "status": {"synced": EVIL}}, "no daemon of this version"),
        ("--status", {"ok": True}, "no daemon of this version"),
        ("--status", [EVIL], "is no inosync"),
        ("--status", {"ok": EVIL}, "is no inosync"),
        ("--sync", {"ok": False, "error": f"it is {EVIL}"}, r"it is \x1b]0;evil"),
        ("--sync", {"ok": True, "mirrors": EVIL, "paused": False}, "is no daemon of this version"),
        (
            "--wait",
            {"ok": True, "synced": False, "lagging": [EVIL], "ailing": [EVIL], "seconds": 1.0},
            r"\x1b]0;evil",
        ),
        ("--reload", {"ok": True, "problems": [EVIL]}, r"\x1b]0;evil"),
    ],
)
def test_an_answer_is_printed_as_text_whoever_gives_it(
    tmp_path: Path, source: Path, command: str, answer: object, expected: str
) -> None:
    with answering(tmp_path / "door", saying(answer)):
        asked = run_inosync("-c", configured(tmp_path, source), command, cwd=tmp_path)
    said = asked.stdout + asked.stderr
    assert expected in said
    assert "Traceback" not in said
    assert all(line.isprintable() for line in said.split("\n"))


def test_an_answer_without_an_end_is_not_read_to_it(tmp_path: Path) -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    def trickle(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with (
        answering(tmp_path / "flood", flood),
        pytest.raises(NotRunningError, match="has no end"),
    ):
        client.ask([(f"{tmp_path}/flood", None)], "status", longest=2**20)
    began = time.monotonic()
    with answering(tmp_path / "trickle", trickle), pytest.raises(TimeoutError):
        client.ask([(f"{tmp_path}/trickle", None)], "status", timeout=0.5)
    assert time.monotonic() - began < 10
