"""Whatever is done to a source: what was there when a mirror was in sync can be brought back."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.configs import make_config, make_pair, make_source
from support.servers import program

from inosync.planning.command import Run, command
from inosync.planning.keeping import listing, restoring
from inosync.planning.order import RunKind
from inosync.rsync.kept import folder
from inosync.rsync.program import Program
from inosync.rsync.versions import chosen, days, versions

NAMES = ("a", "b", "a/x", "a/y", "b/x", "a/x/in\nside")
OPERATIONS = ("write", "delete", "link", "rename", "chmod")
BEGIN = 1_795_867_200.0
#: Seconds from one moment at which the mirror is in sync to the next: over days.
STEP = 40_000.0

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
    ran = subprocess.run(argv, input=data, capture_output=True, env={"TZ": "UTC"}, check=False)
    missing = b"No such file or directory" in ran.stderr  # nothing is kept yet
    assert ran.returncode == 0 or missing, (argv, ran.stderr)
    return ran.stdout.splitlines(keepends=True)


@settings(max_examples=max(settings().max_examples // 5, 20), deadline=None)
@given(st.lists(changes, min_size=2, max_size=5))
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
                perform(source, *change, now)
            mirrored = Run(pair, RunKind.PASS, keep=folder(now + 1))
            run(command(mirrored, config, rsync))
            states.append((now + 2, contents(source)))
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
            if picked:
                run(bringing.argv, bringing.names)
            there = contents(to)
            assert {path: there.get(path) for path in was} == was
