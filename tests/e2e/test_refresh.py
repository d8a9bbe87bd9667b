"""The list of nodes is asked for again (``rrefresh``)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from support.daemon import Daemon
from support.waiting import until

from inosync.config.load import load
from inosync.config.model import Config
from inosync.service.refresh import Invocation, Refresh

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "nodes"

CONFIG = """
import time
wpath = {source!r}
answer = open({answer!r}).read()
print("noise")
rnodes = answer.split()
edelay = 0.1
rrefresh = 0.3
"""


def put(file: Path, text: str) -> None:
    """Change a file at once."""
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


def test_nodes_come_and_go_with_the_list(source: Path, tmp_path: Path) -> None:
    """New ones are filled; gone ones are dropped; no answer changes nothing, and is told once."""
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    for each in (one, two, three):
        each.mkdir()
    file = tmp_path / "nodes"
    put(file, f"{one}\n{two}\n")
    config = CONFIG.format(source=f"{source}/", answer=str(file))
    with Daemon(tmp_path / "daemon", config) as daemon:
        daemon.start()
        until((two / "first").exists, what="the first nodes", state=daemon.log)

        put(file, f"{one}\n{three}\n")
        until((three / "first").exists, what="the new node", state=daemon.log)
        daemon.wait_for_log(f"rrefresh: 1 node new: {three}")
        daemon.wait_for_log(f"rrefresh: 1 node gone: {two}")

        put(file, "")
        daemon.wait_for_log("the list of nodes stays as it is")
        file.unlink()
        daemon.wait_for_log("No such file or directory")
        (source / "meanwhile").touch()
        until((three / "meanwhile").exists, what="the old list", state=daemon.log)
        assert not (two / "meanwhile").exists()

        put(file, f"{three}\n{one}\n")
        daemon.wait_for_log("the list of nodes is read again")
        assert len(re.findall("stays as it is", daemon.log())) == 2
        assert len(re.findall("rrefresh: 1 node", daemon.log())) == 2
        assert daemon.stop() == 0


def script_of(source: Path, folder: Path) -> tuple[Path, str, Config]:
    """Write a script that is asked again each second; return it, its text and its config."""
    file = folder / "config.py"
    text = f"wpath = {str(source)!r}\nrnodes = [{str(folder / 'mirror')!r}]\nrrefresh = 1\n"
    file.write_text(text)
    file.chmod(0o644)
    folder.chmod(0o755)
    return file, text, load(str(file))


def test_a_script_that_hangs_is_ended_and_the_list_stays(
    source: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It delays nobody: it is a child."""
    file, text, config = script_of(source, tmp_path)
    file.write_text(f"import time\ntime.sleep(600)\n{text}")
    script = Invocation("/", os.environ, limit=2.0)
    refresh = Refresh(script, lambda: config, lambda fresh, now: pytest.fail("taken"))
    refresh.due(10_000.0)
    assert refresh.deadline() == 10_001.0
    refresh.due(10_001.0)
    assert refresh.deadline() == 10_003.0
    refresh.reap(10_002.0)
    refresh.due(10_003.0)
    assert refresh.deadline() is None

    def told() -> bool:
        refresh.reap(10_003.0)
        return "stays as it is: the script took longer than 2 s" in caplog.text

    until(told, what="the end of the script")
    assert refresh.deadline() == 10_002.0


def test_an_answer_that_is_older_than_a_reload_is_not_wanted(source: Path, tmp_path: Path) -> None:
    file, text, config = script_of(source, tmp_path)
    file.write_text(text.replace("mirror", "other"))
    refresh = Refresh(
        Invocation("/", os.environ), lambda: config, lambda fresh, now: pytest.fail("taken")
    )
    refresh.due(10_000.0)
    for asked in (10_001.0, 10_002.0):  # two answers that are equal count
        refresh.due(asked)
        refresh.forget()

        def told(at: float = asked) -> bool:
            refresh.reap(at)
            return refresh._child is None

        until(told, what="the end of the script")


@pytest.mark.parametrize(
    ("name", "before", "after", "nodes"),
    [
        ("from_file.py", "/etc/inosync-nodes", "{list}", ["mirror@a:/srv/www/"]),
        ("from_dns.py", "mirrors.example.org", "127.0.0.1", ["rsync://127.0.0.1/www/"]),
    ],
)
def test_the_examples(name: str, before: str, after: str, nodes: list[str], tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    listed = tmp_path / "list"
    listed.write_text("a\n")
    (tmp_path / "www").mkdir()
    text = (EXAMPLES / name).read_text()
    assert before in text
    text = text.replace(before, after.format(list=listed))
    file = tmp_path / name
    file.write_text(text.replace("/var/www/", f"{tmp_path}/www/"))
    file.chmod(0o644)
    config = load(str(file))
    assert ([node.name for node in config.nodes], config.rrefresh) == (nodes, 60.0)
