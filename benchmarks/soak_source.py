"""A source that never rests: every kind of change that people and programs make, drawn by dice.

What is done depends on nothing but the dice and what was done before, so equal dice make equal
trees. Knows no daemon and no mirror.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from pathlib import Path

from support.trees import HOSTILE_NAMES, churn, grow, remove, write

#: A file that is never touched: a mirror without it was emptied by mistake.
KEEP = "keep"

#: How large the part may become that is changed at random: entries, and bytes of a path.
MOST_ENTRIES = 400
LONGEST_PATH = 1500

_FLOOD_FOLDERS = 10
_MODES = (0o755, 0o700, 0o750, 0o775)


class RestlessSource:
    """One source directory, and a place beside it for what is moved in and out."""

    def __init__(self, root: Path, beside: Path, seed: int) -> None:
        self.root = root
        self.beside = beside
        beside.mkdir(parents=True)
        # The random part is one level down: the links in it lead at most one level up, and must
        # not lead out of the mirror (see support.servers.RsyncDaemon).
        grow(root / "tree", seed)
        write(root, KEEP, "never touched\n")
        for folder in ("bursts", "moved", *(f"flood/{n}" for n in range(_FLOOD_FOLDERS))):
            (root / folder).mkdir(parents=True)
        self._log = open(root / "never closed.log", "ab", buffering=0)  # noqa: SIM115 - on purpose
        self._count = 0

    def close(self) -> None:
        """Let go of the file that is written and never closed."""
        self._log.close()

    def do(self, operation: str, dice: random.Random) -> None:
        """Do one of OPERATIONS; what the file system refuses is left undone, as by a person."""
        self._count += 1
        with contextlib.suppress(OSError):
            OPERATIONS[operation](self, dice)

    def flood(self, events: int) -> None:
        """Cause at least so many events in directories that have been there from the beginning."""
        content = b"%d\n" % self._count
        for number in range(events // 2 + 1):
            # Two events each, opened for writing and written and closed, and never twice the same
            # one in a row, which the kernel would merge.
            folder = self.root / "flood" / str(number % _FLOOD_FOLDERS)
            (folder / str(number % 200)).write_bytes(content)

    # ---- operations -----------------------------------------------------------------------

    def _churn(self, dice: random.Random) -> None:
        churn(self.root / "tree", dice.randrange(2**32), steps=dice.choice((1, 2, 5, 20, 40)))
        self._prune()

    def _prune(self) -> None:
        """Keep the tree small, and its paths short enough for every program to name them."""
        top = os.fsencode(self.root / "tree")
        while True:
            sizes: dict[bytes, int] = {}
            longest = 0
            for folder, folders, files in os.walk(top):
                for name in (*folders, *files):
                    path = os.path.relpath(os.path.join(folder, name), top)
                    longest = max(longest, len(path))
                    first = path.partition(b"/")[0]
                    sizes[first] = sizes.get(first, 0) + 1
            if sum(sizes.values()) <= MOST_ENTRIES and longest <= LONGEST_PATH:
                return
            largest = max(sorted(sizes), key=lambda name: sizes[name])
            remove(os.path.join(top, largest))

    def _unpack(self, dice: random.Random) -> None:
        """As tar does: directories, files, then modes and times of both."""
        where = self.root / "bursts" / f"{self._count}"
        for number in range(dice.randint(30, 300)):
            file = write(where, f"{number % 7}/{number % 5}/{number}", dice.randbytes(50))
            file.chmod(0o644)
            os.utime(file, ns=(0, dice.randrange(10**18, 17 * 10**17)))
        for folder in sorted(where.rglob("*/"), reverse=True):
            folder.chmod(0o755)
            os.utime(folder, ns=(0, dice.randrange(10**18, 17 * 10**17)))
        self._keep_few("bursts", 4)

    def _discard(self, dice: random.Random) -> None:
        remove(_one_of(self.root / "bursts", dice))

    def _move_in(self, dice: random.Random) -> None:
        packed = self.beside / f"{self._count}"
        grow(packed, dice.randrange(2**32), entries=30)
        there = self.root / "moved" / os.fsdecode(dice.choice(HOSTILE_NAMES))
        if os.path.lexists(there):
            remove(there)
        packed.rename(there)
        write(there, "written at once", dice.randbytes(10))
        self._keep_few("moved", 6)

    def _move_out(self, dice: random.Random) -> None:
        out = self.beside / f"out {self._count}"
        _one_of(self.root / "moved", dice).rename(out)
        write(out, "nobody's business", b"x")
        if dice.random() < 0.5:
            out.rename(self.root / "moved" / f"back {self._count}")
        else:
            remove(out)

    def _rename_folder(self, dice: random.Random) -> None:
        where = self.root / dice.choice(("bursts", "moved"))
        there = where / f"renamed {self._count}"
        _one_of(where, dice).rename(there)
        write(there, f"new/{self._count}", b"under the new name")

    def _swap(self, dice: random.Random) -> None:
        """Two directories take each other's name."""
        where = self.root / dice.choice(("bursts", "moved"))
        one, other = _one_of(where, dice), _one_of(where, dice)
        if one != other:
            aside = self.beside / f"{self._count}"
            one.rename(aside)
            other.rename(one)
            aside.rename(other)
            write(one, "swapped", dice.randbytes(10))

    def _write_log(self, dice: random.Random) -> None:
        self._log.write(dice.randbytes(dice.randrange(1, 200)))

    def _deliver(self, dice: random.Random) -> None:
        """As a mail server does: written elsewhere, given its name as a second one, then moved."""
        letter = write(self.root, f"bursts/letters/tmp/{self._count}", dice.randbytes(80))
        new = self.root / "bursts" / "letters" / "new"
        new.mkdir(exist_ok=True)
        os.link(letter, new / f"{self._count}")
        letter.unlink()

    def _truncate(self, dice: random.Random) -> None:
        """By its path: it is never closed, for it was never opened."""
        files = [path for path in sorted(self.root.glob("bursts/*/1/1/*")) if path.is_file()]
        if files:
            os.truncate(dice.choice(files), dice.randrange(100))

    def _change_one(self, dice: random.Random) -> None:
        """One single change: when that is lost, nothing else makes up for it."""
        churn(self.root / "tree", dice.randrange(2**32), steps=1)

    def _chmod_folder(self, dice: random.Random) -> None:
        folder = _one_of(self.root / dice.choice(("bursts", "moved", "flood")), dice)
        if folder.is_dir() and not folder.is_symlink():
            folder.chmod(dice.choice(_MODES))

    def _write_slowly(self, dice: random.Random) -> None:
        """A file grows in many small writes and is made shorter before it is closed."""
        with open(self.root / "bursts" / f"slow {dice.randrange(5)}", "ab", buffering=0) as file:
            for _ in range(dice.randint(1, 50)):
                file.write(dice.randbytes(500))
            file.truncate(dice.randrange(1000))

    def _keep_few(self, folder: str, most: int) -> None:
        names = sorted(os.listdir(os.fsencode(self.root / folder)))
        for name in names[: max(0, len(names) - most)]:
            remove(os.path.join(os.fsencode(self.root / folder), name))


def _one_of(folder: Path, dice: random.Random) -> Path:
    names = sorted(os.listdir(folder))
    if not names:
        raise FileNotFoundError(folder)
    return folder / dice.choice(names)


OPERATIONS: dict[str, Callable[[RestlessSource, random.Random], None]] = {
    "churn": RestlessSource._churn,
    "unpack": RestlessSource._unpack,
    "discard": RestlessSource._discard,
    "move in": RestlessSource._move_in,
    "move out": RestlessSource._move_out,
    "rename folder": RestlessSource._rename_folder,
    "swap": RestlessSource._swap,
    "write log": RestlessSource._write_log,
    "deliver": RestlessSource._deliver,
    "truncate": RestlessSource._truncate,
    "change one": RestlessSource._change_one,
    "chmod folder": RestlessSource._chmod_folder,
    "write slowly": RestlessSource._write_slowly,
}

#: How often each is drawn.
WEIGHTS = {"churn": 12, "unpack": 2, "discard": 2}
