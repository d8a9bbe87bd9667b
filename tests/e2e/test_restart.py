"""A start finds what has changed while nobody looked, without a pass; in doubt there is one."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.daemon import Daemon, run_inosync, settings
from support.places import wait_equal
from support.trees import write
from support.waiting import until

from inosync.engine.memory import decode, encode
from inosync.planning.order import LAG
from inosync.service.keeper import MARGIN


def wait(daemon: Daemon) -> None:
    asked = run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
    assert asked.returncode == 0, asked.stderr


def passes(daemon: Daemon) -> int:
    return daemon.log().count(" -ltrp --delete ")


def test_what_changed_meanwhile_is_sent_and_nothing_else(tmp_path: Path, source: Path) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for number in range(30):
        write(source, f"d{number % 3}/{number}", "x")
    rsync = tmp_path / "rsync"
    rsync.symlink_to(shutil.which("rsync") or "rsync")
    chosen = settings(source, str(mirror), rscope="changes", init="changed", edelay=0.1)
    chosen["rsync"] = str(rsync)
    daemon = Daemon(tmp_path, chosen, arguments=["-v"])

    with daemon:
        daemon.start()
        wait(daemon)
        assert passes(daemon) == 1
        write(source, "d1/1", "while it runs")
        wait(daemon)
        # What changed within the margin before the stop would be looked at again.
        made_at = (source / "d0").stat().st_ctime
        until(lambda: time.time() > made_at + MARGIN + 0.1, what="the margin to be over")
        daemon.stop()
        (state,) = (tmp_path / "state").iterdir()
        assert state.stat().st_mode & 0o777 == 0o600
        (known,) = json.loads(state.read_text())["mirrors"].values()
        assert known["ended"]

        # What changed while it was down, and nothing else: the stray file stays.
        write(mirror, "d0/stray", "x")
        write(source, "d1/4", "while it is down")
        (source / "d2/2").unlink()
        (source / "d1").rename(source / "d2/moved")
        daemon.start()
        wait(daemon)
        assert passes(daemon) == 1
        assert (mirror / "d0/stray").exists()
        (mirror / "d0/stray").unlink()
        shutil.copystat(source / "d0", mirror / "d0")
        wait_equal(source, mirror)

        # Nothing has changed: nothing is run.
        daemon.stop()
        runs = daemon.log().count("executing: ")
        daemon.start()
        wait(daemon)
        # What changed in the last moment, and a look whether rsync took it wrongly for equal.
        assert daemon.log().count("executing: ") <= runs + 2
        assert passes(daemon) == 1

        # Killed in the middle of a change.
        write(source, "d0/3", "and it is killed")
        daemon.kill()
        # Its run may have been killed, too.
        write(mirror, "d0/.3.Ab12Cd", "half of it")
        write(source, "d0/6", "killed")
        daemon.start()
        wait(daemon)
        wait_equal(source, mirror)
        assert passes(daemon) == 1

        # With init = True a pass follows.
        daemon.stop()
        write(mirror, "d0/stray", "x")
        daemon.configure({**chosen, "init": True})
        write(source, "d0/9", "before the pass")
        daemon.start()
        wait_equal(source, mirror)
        assert passes(daemon) == 2

        # Doubt: another rule, a source that was copied back, a broken file.
        daemon.stop()
        daemon.configure({**chosen, "rexcludes": ["*.tmp"]})
        daemon.start()
        wait(daemon)
        assert passes(daemon) == 3
        assert "full pass: rules, destination or options have changed" in daemon.log()
        daemon.stop()
        source.rename(tmp_path / "old")
        shutil.copytree(tmp_path / "old", source)
        daemon.start()
        wait(daemon)
        assert passes(daemon) == 4
        assert "full pass: the source is another directory than it was" in daemon.log()
        daemon.stop()
        state.write_bytes(b'{"version": 99}')
        daemon.start()
        wait(daemon)
        assert passes(daemon) == 5
        assert "was written by a newer inosync: full pass" in daemon.log()
        daemon.stop()

        # The machine went down, and the pass that this needs is not made before the next stop.
        content = json.loads(state.read_text())
        for each in content["mirrors"].values():
            each.update(boot="another", ended=False)
        state.write_text(json.dumps(content))
        daemon.configure({**chosen, "rexcludes": ["*.tmp"]})
        rsync.rename(tmp_path / "aside")
        rsync.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && exec {tmp_path}/aside "$@"\nexit 12\n'
        )
        rsync.chmod(0o755)
        daemon.start()
        daemon.wait_for_log("full pass: the machine went down while inosync ran")
        daemon.stop()
        known = json.loads(state.read_text())["mirrors"].values()
        # What is known is that all of a pass is left, or that it had begun.
        assert all("rest" in each or each["begun"] for each in known if each["ended"])
        (tmp_path / "aside").rename(rsync)
        write(mirror, "d0/stray", "x")
        daemon.start()
        wait(daemon)
        wait_equal(source, mirror)
        daemon.stop()


def test_what_kept_size_and_date_and_waited_when_it_ended_is_sent(
    tmp_path: Path, source: Path
) -> None:
    """A pass follows: in one scope always, in the other since the rules have changed.

    And in both where files have a lane of their own, or where the source is another directory.
    """
    mirrors = [tmp_path / scope for scope in ("tree", "changes")]
    for mirror in mirrors:
        mirror.mkdir()
    write(source, "live", "old")
    chosen = settings(source, edelay=30, rfull=0)
    chosen["rnodes"] = [{"node": str(each), "rscope": each.name} for each in mirrors]
    daemon = Daemon(tmp_path, chosen, arguments=["-v"])

    with daemon:
        daemon.start()
        wait(daemon)
        daemon.stop()
        daemon.start()
        wait(daemon)
        write(tmp_path, "new", "new")
        shutil.copystat(source / "live", tmp_path / "new")
        (tmp_path / "new").rename(source / "live")
        daemon.stop()
        daemon.configure({**chosen, "rexcludes": ["*.tmp"]})
        daemon.start()
        wait(daemon)
        assert [(mirror / "live").read_text() for mirror in mirrors] == ["new", "new"]

        shutil.copytree(source, tmp_path / "other")
        write(tmp_path, "other/live", "oth")
        shutil.copystat(source / "live", tmp_path / "other/live")
        other_since = time.time()
        daemon.configure({**chosen, "rbigsize": 2})
        daemon.hup()
        wait(daemon)
        for content in ("one", "two"):  # the second when it is no news that there is a lane
            daemon.kill()
            write(tmp_path, "new", content)
            shutil.copystat(source / "live", tmp_path / "new")
            (tmp_path / "new").rename(source / "live")
            daemon.start()
            wait(daemon)
            assert [(mirror / "live").read_text() for mirror in mirrors] == [content] * 2
        until(lambda: time.time() > other_since + MARGIN, what="the margin to be over")
        daemon.stop()
        source.rename(tmp_path / "old")
        (tmp_path / "other").rename(source)  # nothing in it has changed since
        daemon.start()
        wait(daemon)
        assert [(mirror / "live").read_text() for mirror in mirrors] == ["oth", "oth"]


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_a_snapshot_that_is_brought_back_is_compared_by_content(
    tmp_path: Path, source: Path, scope: str
) -> None:
    """A copy stands in for it, and what is remembered names its number: no ctime can be set."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in ("d/1", "d/2"):
        write(source, name, "then")
        os.utime(source / name, (1, 1))
    daemon = Daemon(tmp_path, settings(source, str(mirror), rscope=scope, edelay=0.1))
    with daemon:
        daemon.start()
        wait(daemon)
        old = tmp_path / "old"
        shutil.copytree(source, old, copy_function=shutil.copy2)
        write(source, "d/1", "now.")
        os.utime(source / "d/1", (1, 1))
        wait(daemon)
        made_at = (source / "d/1").stat().st_ctime
        until(lambda: time.time() > made_at + MARGIN + 0.1, what="the margin to be over")
        daemon.stop()
        (state,) = (tmp_path / "state").iterdir()
        inode = f'"inode": {source.stat().st_ino}'
        source.rename(tmp_path / "away")
        old.rename(source)
        known = state.read_text()
        assert inode in known
        state.write_text(known.replace(inode, f'"inode": {source.stat().st_ino}'))
        daemon.start()
        wait(daemon)
        assert (mirror / "d/1").read_text() == "then"
        assert daemon.stop() == 0


def test_what_changed_while_the_clock_showed_less_than_before_is_sent(
    tmp_path: Path, source: Path
) -> None:
    """It was set back while nobody looked, and has gone on for longer since."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    write(source, "f", "then")
    chosen = settings(source, str(mirror), rscope="changes", init="changed", edelay=0.1)
    daemon = Daemon(tmp_path, chosen)
    with daemon:
        daemon.start()
        wait(daemon)
        daemon.stop()
        (state,) = (tmp_path / "state").iterdir()
        known, problem = decode(state.read_bytes())
        assert not problem
        ((name, one),) = known.items()
        step = int((MARGIN + 1) * 1e9)
        assert one.ahead is not None
        later = replace(one, moment=one.moment + step, ahead=one.ahead + step)
        state.write_bytes(encode({name: later}))
        write(source, "f", "now.")
        assert (source / "f").stat().st_ctime_ns < later.moment
        until(lambda: time.time_ns() > later.moment, what="the clock to show more again")
        daemon.start()
        wait(daemon)
        assert (mirror / "f").read_text() == "now."
        assert "full pass: the clock was set back" in daemon.log()


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_what_was_replaced_while_it_was_excluded_is_sent_when_it_is_admitted_again(
    tmp_path: Path, source: Path, scope: str
) -> None:
    """It has kept size and date, and all else was on the mirror later than that."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    write(source, "a", "one")
    chosen = settings(source, str(mirror), rscope=scope, edelay=0.1)
    daemon = Daemon(tmp_path, chosen)

    def take(**more: object) -> None:
        loaded = daemon.log().count("config loaded again")
        daemon.configure({**chosen, **more})
        daemon.hup()
        daemon.wait_for_log("config loaded again", times=loaded + 1)
        wait(daemon)

    with daemon:
        daemon.start()
        wait(daemon)
        for hiding, content in (({"rexcludes": ["/a"]}, "two"), ({"extra": "--exclude=/a"}, "six")):
            take(**hiding)
            write(tmp_path, "new", content)
            shutil.copystat(source / "a", tmp_path / "new")
            (tmp_path / "new").rename(source / "a")
            replaced_at = (source / "a").stat().st_ctime
            until(lambda at=replaced_at: time.time() > at + LAG, what="another second")
            for turn in "12":
                write(source, "b", content + turn)
                wait(daemon)
            if content == "two":
                take()
            else:
                daemon.stop()
                daemon.configure(chosen)
                daemon.start()
                wait(daemon)
            assert (mirror / "a").read_text() == content


def test_a_state_directory_that_cannot_be_made_is_one_warning(tmp_path: Path, source: Path) -> None:
    mirror = tmp_path / "mirror"
    write(source, "f", "x")
    (tmp_path / "state").write_text("in the way")
    daemon = Daemon(tmp_path, settings(source, str(mirror), rscope="changes", edelay=0.1))
    with daemon:
        daemon.start()
        wait_equal(source, mirror)
        daemon.wait_for_log("cannot be written: ")
        write(source, "f", "y")
        wait_equal(source, mirror)
        daemon.stop()
        assert daemon.log().count("cannot be written: ") == 1
    os.unlink(tmp_path / "state")
