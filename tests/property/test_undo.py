"""Whatever is done to a source: what was there when a mirror was in sync can be brought back."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.configs import make_config, make_pair, make_source
from support.profile import DEEP
from support.random_work import RSYNC, Case
from support.servers import program

from inosync.commands.restore import room
from inosync.planning.command import command
from inosync.planning.keeping import listing, restoring
from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.rsync.exits import FILE_IO
from inosync.rsync.kept import folder
from inosync.rsync.program import Program
from inosync.rsync.versions import chosen, days, versions

sys.path.insert(0, str(Path(__file__).parent))

from test_moves import ACTIONS, FILE_ACTIONS, Renamed, invent, living

NAMES = ("a", "b", "a/x", "a/y", "b/x", "a/x/in\nside")
OPERATIONS = ("write", "delete", "link", "rename", "chmod")
BEGIN = 1_795_867_200.0
#: Seconds from one moment at which the mirror is in sync to the next: over days.
STEP = 40_000.0

#: Each lives through some twenty runs. The second fails where a time is compared by its second, the
#: last is never in sync where nobody looks for other names of a file.
SEEDS = range(settings.default.max_examples // 10) if DEEP else (0, 1, 4, 279)

changes = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    min_size=1,
    max_size=4,
)


def perform(root: Path, operation: str, name: str, other: str, now: float) -> None:
    """Do one thing to the tree; what is in the way goes."""
    path, target = root / name, root / other
    if operation == "chmod":
        if path.is_file() and not path.is_symlink():
            path.chmod(0o640)
        return
    if operation == "rename" and (name.startswith(other) or other.startswith(name)):
        return
    if operation == "rename" and not os.path.lexists(path):
        return
    place = target if operation == "rename" else path
    for way in reversed([place, *place.parents]):
        inside = way.is_relative_to(root) and way != root
        if inside and (way == place or way.is_symlink() or way.is_file()):
            if way.is_dir() and not way.is_symlink():
                shutil.rmtree(way)
            else:
                way.unlink(missing_ok=True)
    if operation == "delete":
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if operation == "rename":
        if os.path.lexists(path):
            path.rename(target)
        return
    if operation == "link":
        place.symlink_to(f"to {now}")
    else:
        place.write_text(f"{name} at {now}")
    os.utime(place, (now, now), follow_symlinks=False)


def contents(root: Path) -> dict[str, str]:
    """Return the files and links of a tree."""
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def run(argv: tuple[str, ...] | list[str], data: bytes = b"") -> list[bytes]:
    for _ in range(3):  # as a mirror does when it ends without a word: see rsync/exits.py
        ran = subprocess.run(argv, input=data, capture_output=True, env={"TZ": "UTC"}, check=False)
        if ran.returncode != FILE_IO:
            break
    missing = b"No such file or directory" in ran.stderr  # nothing is kept yet
    assert ran.returncode == 0 or missing, (argv, ran.stderr)
    return ran.stdout.splitlines(keepends=True)


@settings(max_examples=settings.default.max_examples // (5 if DEEP else 10), deadline=None)
@given(st.lists(changes, min_size=2, max_size=5))
@example(
    [[("write", "a", "a"), ("write", "b", "b")], [("rename", "a", "b")], [("write", "b", "b")]]
)
def test_what_was_there_can_be_brought_back(rounds: list[list[tuple[str, str, str]]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        source, mirror = top / "source", top / "mirror"
        source.mkdir()
        pair = make_pair(make_source(str(source)), f"{mirror}/", rkeep=9.0)
        config, rsync = make_config([pair], rsync=program("rsync")), Program((3, 4, 0))
        states: list[tuple[float, dict[str, str]]] = []
        for number, batch in enumerate(rounds):
            now = BEGIN + number * STEP
            for change in batch:
                # Each at a time of its own: of one size and time, a pass sees no other content.
                now += 1
                perform(source, *change, now)
            for _ in range(2):  # as a mirror does on a new day: see rsync/exits.py
                now += 1
                run(command(Run(pair, RunKind.PASS, keep=folder(now)), config, rsync))
            states.append((now + 1, contents(source)))
        found = [
            version
            for day in days(run(listing(pair, config, rsync)))
            for version in versions(day, run(listing(pair, config, rsync, day=day)))
        ]
        for when, was in states:
            picked, _ = chosen(found, when, lambda _: True)
            to = top / f"at {when}"
            shutil.copytree(source, to, symlinks=True)
            known = (pair, config, rsync, picked)
            bringing = restoring(*known, below=b"", to=str(to), keep="DAY/TIME")
            with room(str(to), "DAY/TIME"):
                if picked:
                    run(bringing.argv, bringing.names)
            there = contents(to)
            assert {path: there.get(path) for path in was} == was


class Kept(Renamed):
    """A world whose mirror keeps what runs overwrite and delete."""

    def __init__(self, folder: Path, case: Case, scope: str) -> None:
        super().__init__(folder, case, scope, None)
        pair = self.mirror.pair
        self.mirror.pair = replace(pair, node=replace(pair.node, rkeep=9.0))

    def states(self, case: Case) -> list[tuple[float, dict[bytes, object]]]:
        """Return when the mirror was in sync, and what was in the source then; live meanwhile."""
        found = []
        for batch in case.batches:
            self.happen(batch)
            if self.engine.behind_since(self.mirror) is None:
                found.append((self.now + 0.5, tree(self.root)))
            self.now += STEP  # over days
        # What the mirror has still, it keeps no version of.
        self.engine.resync(self.source, "the end", self.now)
        self.carry()
        return found

    def restored(self, when: float, to: Path) -> dict[bytes, object]:
        """Return what comes of the source as it is now, when it is brought back as it was."""
        pair, config, rsync = self.mirror.pair, self.runs.config, self.runs.program
        found = [
            version
            for day in days(run(listing(pair, config, rsync)))
            for version in versions(day, run(listing(pair, config, rsync, day=day)))
        ]
        picked, _ = chosen(found, when, lambda _: True)
        shutil.copytree(self.root, os.fsencode(to), symlinks=True)
        prefix = os.fsencode(pair.source.prefix)
        bringing = restoring(pair, config, rsync, picked, below=prefix, to=str(to), keep="DAY/TIME")
        with room(str(to), "DAY/TIME"):
            if picked:
                run(bringing.argv, bringing.names)
        return tree(os.fsencode(to))


def tree(root: bytes) -> dict[bytes, object]:
    """Return the files and links of a tree: times and contents."""
    found: dict[bytes, object] = {}
    for parent, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(parent, name)
            status = os.lstat(path)
            if stat.S_ISLNK(status.st_mode):
                found[os.path.relpath(path, root)] = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, root)] = (status.st_mtime_ns, file.read())
    return found


@pytest.mark.skipif(not (RSYNC and shutil.which("strace")), reason="needs rsync and strace")
def test_a_link_that_changes_beside_a_file_is_not_left_as_it_was(tmp_path: Path) -> None:
    """Both processes of rsync make the new day's folder; the later one leaves out its link.

    So that they meet, each directory takes its time, and the generator has much to pass over.
    """
    slow = tmp_path / "slow"
    slow.write_text(
        "#!/bin/sh\nexec strace -f -qq -o /dev/null -e trace=mkdir,mkdirat"
        f' -e inject=mkdir,mkdirat:delay_enter=300000 {RSYNC} "$@"\n'
    )
    slow.chmod(0o755)
    case = replace(invent(1), rules=(), extra=(), before=[], batches=[])
    world = Kept(tmp_path, case, "tree")
    world.runs.config = replace(world.runs.config, rsync=str(slow))
    root, mirror = (Path(os.fsdecode(each)) for each in (world.root, world.mirror_root))
    with living(world, case):
        (root / "in").mkdir()
        for number in range(500):
            (root / "in" / f"{number}").touch()
        for text in ("before", "after"):
            (root / "file").write_text(text)
            (root / "in" / "link").unlink(missing_ok=True)
            (root / "in" / "link").symlink_to(text)
            world.read()
            world.carry()
            world.now += STEP
        assert world.engine.behind_since(world.mirror) is None
        assert os.readlink(mirror / "in" / "link") == (mirror / "file").read_text() == "after"


@pytest.mark.skipif(not RSYNC, reason="rsync is not installed")
@pytest.mark.parametrize("seed", SEEDS)
def test_so_it_is_with_the_runs_of_a_daemon_and_what_is_renamed(tmp_path: Path, seed: int) -> None:
    """Lists and passes, the steps for what is renamed, races, and what is compared by content."""
    actions = FILE_ACTIONS if seed % 3 == 0 else ACTIONS
    case = replace(invent(seed, actions), rules=())
    world = Kept(tmp_path, case, "tree" if seed % 2 else "changes")
    with living(world, case):
        states = world.states(case)
    assert states
    for number, (when, was) in enumerate(states):
        there = world.restored(when, tmp_path / f"at-{number}")
        wrong = {path: (there.get(path), it) for path, it in was.items() if there.get(path) != it}
        assert not wrong, (number, when)
