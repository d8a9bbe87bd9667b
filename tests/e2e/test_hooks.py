"""Hooks: programs of the user's that are told what happens and are never in the way."""

from __future__ import annotations

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from support import processes
from support.fakersync import FakeRsync
from support.places import Place
from support.trees import write
from support.waiting import until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "hooks"
QUICK = {"edelay": 0.05, "rretry": (0.1, 0.5)}


class Recorder:
    """A folder, and programs that leave there what they get."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    def program(self, name: str, script: str) -> list[str]:
        """Return the command of a shell script. It finds itself in the folder."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\ncd {shlex.quote(str(self.folder))}\n{script}\n")
        path.chmod(0o755)
        return [str(path)]

    def keeping(self, name: str = "reports", *, then: str = "") -> list[str]:
        """Return the command of a program that keeps its reports, for `reports`."""
        return self.program(f"keep-{name}", f"cat >>{name}\n{then}")

    def reports(self, name: str = "reports") -> list[dict[str, Any]]:
        """Return what `keeping` kept."""
        path = self.folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def wait(self, event: str, *, times: int = 1, name: str = "reports") -> dict[str, Any]:
        """Wait for so many reports of an event, and return the last."""
        until(
            lambda: sum(report["event"] == event for report in self.reports(name)) >= times,
            what=f"{times} reports of {event}",
            state=lambda: self.reports(name),
        )
        return [report for report in self.reports(name) if report["event"] == event][-1]


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "hooks")


def settings(source: Path, *nodes: str, **more: object) -> dict[str, object]:
    return QUICK | {"wpath": f"{source}/", "rnodes": list(nodes)} | more


def test_each_event_reaches_its_program(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync, recorder: Recorder
) -> None:
    fakersync.always(delegate=True)
    fakersync.exits(12)
    keep = recorder.keeping(then="pwd >cwd; env >environment")
    names = ("on_change", "on_success", "on_failure", "on_recover")
    daemon = inosync(
        settings(source, local.node, rsync=str(fakersync.path), **dict.fromkeys(names, keep))
    )
    assert recorder.wait("on_change")["full"] == "start-up"
    failure = recorder.wait("on_failure")
    assert (failure["exit"], failure["destination"]) == (12, local.node)
    assert recorder.wait("on_recover")["meaning"] == failure["meaning"]
    assert recorder.wait("on_success")["files"] == 1
    name = b"new\nline \xff"
    Path(os.fsdecode(os.fsencode(source) + b"/" + name)).write_text("12345")
    success = recorder.wait("on_success", times=2)
    assert [os.fsencode(path) for path in success["paths"]] == [name]
    assert (success["files"], success["bytes"], success["complete"]) == (1, 5, True)
    assert recorder.wait("on_change", times=2)["paths"] == success["paths"]
    until((recorder.folder / "environment").exists, what="the environment")
    # What a hook starts for good must not be ended by the next start of inosync.
    assert "INOSYNC_LOCK" not in (recorder.folder / "environment").read_text()
    assert "(hook" not in daemon.log()


def test_a_hanging_hook_is_ended_while_mirrors_go_on(
    inosync: Callable, source: Path, local: Place, recorder: Recorder
) -> None:
    hang = recorder.program("hang", "echo $$ >>started\nsleep 1000 &\nexec sleep 1000")
    daemon = inosync(
        settings(source, local.node, on_change=hang, on_success=hang, hooktimeout=1, init=False)
    )
    write(source, "a", "1")
    started = recorder.folder / "started"
    until(lambda: len(started.read_text().split()) >= 2, what="both hooks")
    hanging = [int(pid) for pid in started.read_text().split()[:2]]
    write(source, "b", "2")
    until((local.root / "b").exists, what="the next change on the mirror")
    assert all(map(processes.alive, hanging))
    daemon.wait_for_log("took longer than 1 s (hooktimeout): ended; no mirror is affected", times=2)
    processes.wait_gone(hanging)
    assert daemon.stop() == 0
    until(lambda: not daemon.leftovers(), what="the end of all it started")


def test_a_failing_hook_is_told_once(
    inosync: Callable, source: Path, local: Place, recorder: Recorder
) -> None:
    script = "cat >>reports\ntest ! -e broken || { echo no cache >&2; exit 3; }"
    (recorder.folder / "broken").touch()
    command = recorder.program("fail", script)
    daemon = inosync(settings(source, local.node, on_success=command), arguments=())
    for number in range(1, 4):
        recorder.wait("on_success", times=number)
        write(source, "f", str(number))
    recorder.wait("on_success", times=4)
    warning = f"on_success hook of {source} -> {local.node}: exit 3; no mirror is affected"
    daemon.wait_for_log(warning)
    (recorder.folder / "broken").unlink()
    write(source, "f", "well")
    daemon.wait_for_log(f"on_success hook of {source} -> {local.node}: well again")
    assert daemon.log().count(warning) == daemon.log().count("no cache") == 1
    Path(command[0]).unlink()
    write(source, "f", "gone")
    daemon.wait_for_log(f"{command[0]} cannot be run: No such file or directory")
    until(lambda: (local.root / "f").read_text() == "gone", what="the change on the mirror")


def test_a_thousand_changes_are_few_hooks_one_at_a_time(
    inosync: Callable, source: Path, local: Place, recorder: Recorder
) -> None:
    script = "mkdir busy || echo overlap >>overlaps\ncat >>reports\nsleep 0.05\nrmdir busy"
    inosync(
        settings(
            source,
            local.node,
            edelay=0,
            init=False,
            on_change=recorder.program("slow", script),
        )
    )
    names = {f"file {number}" for number in range(1000)}
    for name in names:
        (source / name).touch()
    until(
        lambda: {path for report in recorder.reports() for path in report["paths"]} >= names,
        what="all names",
        state=lambda: len(recorder.reports()),
    )
    reports = recorder.reports()
    assert len(reports) < 100
    assert all(report["complete"] for report in reports)
    assert not (recorder.folder / "overlaps").exists()


def test_stopping_leaves_no_hook_behind(
    inosync: Callable, source: Path, local: Place, recorder: Recorder
) -> None:
    deaf = recorder.program("deaf", "trap '' TERM\ntouch started\nsleep 1000 & wait; wait")
    daemon = inosync(settings(source, local.node, on_success=deaf))
    until((recorder.folder / "started").exists, what="the hook")
    write(source, "f", "1")
    until((local.root / "f").exists, what="the change on the mirror")
    daemon.wait_for_log("1 file, 1 byte")
    assert daemon.leftovers()
    daemon.signal(signal.SIGTERM)
    daemon.wait_for_log("not run, since they waited for others: 1 hook")
    assert daemon.stop(seconds=4) == 0  # the second signal does not wait for the grace's end
    until(lambda: not daemon.leftovers(), what="the end of all it started")


def test_stopping_lets_a_hook_end_itself(
    inosync: Callable, source: Path, local: Place, recorder: Recorder
) -> None:
    script = "trap 'sleep 0.3; touch tidy; exit' TERM\ntouch started\nsleep 1000 & wait"
    daemon = inosync(settings(source, local.node, on_change=recorder.program("slow", script)))
    until((recorder.folder / "started").exists, what="the hook")
    assert daemon.stop() == 0
    assert (recorder.folder / "tidy").exists()
    until(lambda: not daemon.leftovers(), what="the end of all it started")


def test_what_a_hook_leaves_running_is_not_ended_by_the_next_start(
    inosync: Callable, source: Path, local: Place, recorder: Recorder
) -> None:
    script = "sleep 1000 </dev/null >/dev/null 2>&1 &\necho $! >pid.new; mv pid.new pid"
    daemon = inosync(settings(source, local.node, on_success=recorder.program("leave", script)))
    pid = int(until((recorder.folder / "pid").read_text, what="the background process"))
    daemon.kill()
    daemon.start()
    assert processes.alive(pid)


def test_a_reload_keeps_a_hook_at_work(
    inosync: Callable, source: Path, local: Place, recorder: Recorder
) -> None:
    script = "touch started\nuntil test -e go; do sleep 0.02; done\ncat >>old"
    slow = recorder.program("slow", script)
    old = settings(source, local.node, init=False, on_change=slow)
    daemon = inosync(old)
    write(source, "a", "1")
    until((recorder.folder / "started").exists, what="the hook")
    write(source, "b", "2")
    until((local.root / "b").exists, what="the next change on the mirror")
    daemon.configure(old | {"on_change": recorder.keeping("new")})
    daemon.hup()
    daemon.wait_for_log("reload: config loaded again")
    assert recorder.reports("old") == recorder.reports("new") == []
    (recorder.folder / "go").touch()
    assert recorder.wait("on_change", name="new")["paths"] == ["b"]
    assert recorder.reports("old")[0]["paths"] == ["a"]


def test_pretended_hooks_are_logged(
    inosync: Callable, source: Path, local: Place, recorder: Recorder
) -> None:
    keep = [*recorder.keeping(), "an argument"]
    daemon = inosync(settings(source, local.node, on_change=keep), arguments=("-p",))
    command = f"| {keep[0]} 'an argument'"
    daemon.wait_for_log(command)
    (line,) = [line for line in daemon.log().splitlines() if command in line]
    assert 'would execute: printf \'%s\\n\' \'{"schema": 1, "event": "on_change"' in line
    assert recorder.reports() == []


# The examples


@pytest.fixture
def programs(tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the front of PATH; the examples run on the interpreter of the tests."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def example(name: str, *arguments: str) -> list[str]:
    """Return the command that runs an example."""
    path = EXAMPLES / name
    assert path.stat().st_mode & stat.S_IXUSR
    assert path.read_text().startswith("#!/usr/bin/python3\n")
    return [sys.executable, str(path), *arguments]


@pytest.fixture
def cache() -> Iterator[tuple[str, list[str]]]:
    """An HTTP server that takes PURGE: its address, and what was purged. It misses /missing."""
    purged: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PURGE(self) -> None:
            purged.append(self.path)
            self.send_response(404 if "missing" in self.path else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_PURGE()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", purged
        server.shutdown()
        thread.join()


def test_the_example_that_purges_a_cdn(
    inosync: Callable, source: Path, local: Place, cache: tuple[str, list[str]]
) -> None:
    site, purged = cache
    daemon = inosync(settings(source, local.node, on_success=example("purge-cdn", site)))
    until(lambda: purged == ["/*"], what="everything purged at start", state=lambda: purged)
    write(source, "a b?", "1")
    until(lambda: "/a%20b%3F" in purged, what="the file purged", state=lambda: purged)
    write(source, "missing", "1")
    write(source, "directory/x", "1")
    until(lambda: "/directory/*" in purged, what="the directory purged", state=lambda: purged)
    until(lambda: "/missing" in purged, what="the other file purged", state=lambda: purged)
    assert "no mirror is affected" not in daemon.log()


def test_the_examples_that_beat(
    inosync: Callable,
    source: Path,
    local: Place,
    cache: tuple[str, list[str]],
    programs: Path,
    recorder: Recorder,
) -> None:
    """Run again and again while all is in sync; examples/hooks has what Healthchecks gets."""
    site, heard = cache
    beat = example("beat-healthchecks", f"{site}/ping")
    daemon = inosync(settings(source, local.node, on_beat=beat, beat=1))
    until(lambda: len(heard) >= 2, what="two beats", state=daemon.log)
    assert set(heard) == {"/ping"}
    daemon.stop()
    Path(recorder.program("zabbix_sender", "cat >zabbix; echo $* >>zabbix")[0]).rename(
        programs / "zabbix_sender"
    )
    subprocess.run(example("beat-zabbix", "www"), input=b'{"lag": 1.5}', check=True)
    sent = (recorder.folder / "zabbix").read_text().splitlines()
    assert sent == ["www inosync.lag 1.5", "-c /etc/zabbix/zabbix_agentd.conf -i -"]


def test_the_example_that_mails(
    inosync: Callable,
    source: Path,
    local: Place,
    fakersync: FakeRsync,
    programs: Path,
    recorder: Recorder,
) -> None:
    Path(recorder.program("sendmail", "cat >mail.$$; mv mail.$$ done.$$; echo $*")[0]).rename(
        programs / "sendmail"
    )
    fakersync.always(delegate=True, error="out of paper\n")
    fakersync.exits(0, 12)
    mail = example("mail-on-failure", "root@example.org")
    daemon = inosync(
        settings(source, local.node, rsync=str(fakersync.path), on_failure=mail, on_recover=mail)
    )
    until((local.root / "first").exists, what="the first pass")
    write(source, "f", "1")

    def mails() -> list[str]:
        return sorted(path.read_text() for path in recorder.folder.glob("done.*"))

    until(lambda: len(mails()) == 2, what="two mails", state=lambda: (mails(), daemon.log()))
    daemon.wait_for_log("  -i -- root@example.org", times=2)
    texts = "".join(mails()).replace("\n ", " ")  # long subjects are folded
    assert "error in the rsync protocol stream" in texts
    assert "rsync's exit status: 12" in texts
    assert "is well again" in texts


@pytest.mark.parametrize(
    ("destination", "wanted"),
    [
        ("/etc/nginx/", ["nginx -t -q", "nginx -s reload"]),
        ("root@web1:/etc/nginx/", ["ssh root@web1 nginx -t -q && nginx -s reload"]),
        ("ssh://root@web1:22/etc/", ["ssh ssh://root@web1:22 nginx -t -q && nginx -s reload"]),
        ("ssh://[::1]:22/etc/", ["ssh ssh://[::1]:22 nginx -t -q && nginx -s reload"]),
    ],
)
def test_the_example_that_reloads_nginx_knows_where(
    programs: Path, recorder: Recorder, destination: str, wanted: list[str]
) -> None:
    for name, arguments in (("nginx", "$*"), ("ssh", "${5} ${6}")):
        Path(recorder.program(name, f"echo {name} {arguments} >>calls")[0]).rename(programs / name)
    for files in (0, 1):
        report = {"files": files, "deleted": 0, "destination": destination}
        subprocess.run(example("reload-nginx"), input=json.dumps(report).encode(), check=True)
        calls = recorder.folder / "calls"
        assert (calls.read_text().splitlines() if calls.exists() else []) == wanted * files


@pytest.mark.parametrize("destination", ["web1::etc/nginx/", "rsync://web1/etc/", "-o:/etc/"])
def test_the_example_that_reloads_nginx_says_where_it_cannot(destination: str) -> None:
    report = {"files": 1, "deleted": 0, "destination": destination}
    run = subprocess.run(
        example("reload-nginx"),
        input=json.dumps(report),
        text=True,
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (1, f"{destination}: cannot be reached by ssh\n")


def test_the_example_that_reloads_nginx(
    inosync: Callable, source: Path, local: Place, programs: Path, recorder: Recorder
) -> None:
    script = "echo $* >>calls\ntest ! -e wrong || { echo unknown directive >&2; exit 1; }"
    Path(recorder.program("nginx", script)[0]).rename(programs / "nginx")
    daemon = inosync(settings(source, local.node, on_success=example("reload-nginx")))
    calls = recorder.folder / "calls"
    until(lambda: calls.read_text() == "-t -q\n-s reload\n", what="the reload")
    (recorder.folder / "wrong").touch()
    write(source, "site.conf", "x")
    daemon.wait_for_log("unknown directive")
    assert calls.read_text() == "-t -q\n-s reload\n-t -q\n"
