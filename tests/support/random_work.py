"""Random work on a source, and two mirrors of it: one made with our help, one that knows passes."""

from __future__ import annotations

import ctypes
import os
import random
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from inosync.changes.changes import Change, Inode, Kind
from inosync.config.model import Source
from inosync.planning.file_list import Plan, list_options, plan, top
from inosync.planning.order import Prepared, RunKind
from inosync.planning.scan import Question, Scan
from inosync.planning.warm import reserve
from inosync.rsync.filters import compile_filters, rsync_options
from inosync.rsync.program import Program
from support.configs import make_config, make_pair
from support.servers import RsyncDaemon, Server, SshServer
from support.trees import HOSTILE_NAMES, Entry, difference, remove, snapshot

RSYNC = shutil.which("rsync") or ""

_LIBC = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_EXCHANGE = 2

#: The source is .../virtual/www. What the names in the transfer begin with, for each way to say so.
KINDS = {"slash": "", "name": "www", "relative": "virtual/www"}
#: Exclude lists; {} is what anchored patterns begin with.
RULES: tuple[tuple[str, ...], ...] = (
    (),
    (),
    ("skip",),
    (".*", "skip"),
    ("skip/", "*.tmp"),
    ("/{}a/b", "c/d", "skip"),
    ("+ /{}a", "/{}*/"),
    ("+ */", "+ *a", "+ [b-d]", "*"),
    ("+ a/skip", "/{}skip/***", "skip", "b/**/c"),
)
EXTRAS: tuple[tuple[str, ...], ...] = (
    (),
    (),
    ("--delete-after",),
    ("--delete-delay", "-c"),
    ("--delete-before",),
)
NAMES = (b"a", b"b", b"c", b"d", b"skip", b"x.tmp")
PRIVATE = (b"own", b"own.tmp")  # no source has these
#: What is done, the more often the more often it is named.
ACTIONS = (
    *("make", "make", "rewrite", "append", "chmod", "touch", "mkdir", "mkdirs", "delete"),
    *("delete_tree", "rename", "rename_tree", "rename_tree", "rename_over", "rename_name"),
    *("rename_name", "replace", "bring_in", "take_out", "symlink", "symlink_to_folder"),
    *("become_link", "become_link", "become_directory", "become_file", "exchange", "swap", "link"),
)

Step = tuple[str, int, int]  # an action, and two numbers by which it chooses paths


@dataclass(frozen=True)
class Batch:
    """What is done before the events are read, before the run is planned, and before it starts."""

    work: list[Step]
    late: list[Step]
    race: list[Step]
    busy: bool  # no run yet: these changes wait for the next


@dataclass(frozen=True)
class Case:
    """A source, and what happens to it."""

    kind: str
    rules: tuple[str, ...]
    extra: tuple[str, ...]
    names: tuple[bytes, ...]
    before: list[Step]
    batches: list[Batch]


def invent(seed: int) -> Case:
    """Return the same case for the same seed."""
    dice = random.Random(seed)

    def steps(least: int, most: int) -> list[Step]:
        return [
            (dice.choice(ACTIONS), dice.randrange(500), dice.randrange(500))
            for _ in range(dice.randint(least, most))
        ]

    def rarely(most: int) -> list[Step]:
        return steps(1, most) if dice.random() < 0.25 else []

    rules = dice.choice(RULES)
    # With -H, where something excluded is in the way of one name of a file, rsync 3.5.0 does not
    # send the others either; when it recurses it may even hang, or abort.
    extra = dice.choice(EXTRAS if rules else (*EXTRAS, ("-aH",)))
    return Case(
        kind=dice.choice(sorted(KINDS)),
        rules=rules,
        extra=extra,
        names=NAMES + tuple(dice.sample(HOSTILE_NAMES, 3)),
        before=steps(10, 40),
        batches=[
            Batch(steps(1, 12), rarely(3), rarely(3), busy=dice.random() < 0.2)
            for _ in range(dice.randint(1, 5))
        ],
    )


class World:
    """A source, its mirror, and a reference: another mirror, that only knows full passes.

    ``silent`` are directories whose times changed by something excluded in them, which raises no
    change. ``linked`` are the inodes of files that had several names once. ``written`` maps a name
    by which one was changed since the last plan to it, and ``unnoticed`` are those of which that
    name was gone before anybody looked. ``planted`` is what the mirrors have of their own,
    excluded, relative to their top.
    """

    def __init__(self, folder: Path, case: Case, server: Server | None = None) -> None:
        prefix = KINDS[case.kind]
        folder = folder.resolve()
        path = folder / "virtual" / "www"
        arguments = {"slash": f"{path}/", "name": str(path), "relative": f"{folder}/./virtual/www"}
        excludes = tuple(rule.format(prefix + "/" if prefix else "") for rule in case.rules)
        self.source = Source(
            str(path), arguments[case.kind], prefix, case.kind == "relative", excludes
        )
        self.filters = compile_filters(excludes, prefix=os.fsencode(prefix))
        self.extra = case.extra
        self.names = case.names
        self.root = os.fsencode(path)
        self.outside = os.fsencode(folder / "outside")
        self.mirrors = folder
        self.place_of: Callable[[str], str] = lambda name: f"{folder}/{name}"
        self.environment = {"LC_ALL": "C"}
        self.remote = server is not None
        if isinstance(server, RsyncDaemon):
            self.mirrors, self.place_of = server.root, server.url
        elif isinstance(server, SshServer):
            self.place_of = lambda name: f"testhost:{folder}/{name}"
            self.environment["RSYNC_RSH"] = f"ssh -F {server.config}"
        path.mkdir(parents=True)
        os.mkdir(self.outside)
        (self.mirrors / "mirror").mkdir()
        self.silent: set[bytes] = set()
        self.linked: set[int] = set()
        self.written: dict[bytes, int] = {}
        self.unnoticed: set[int] = set()
        self.planted: set[bytes] = set()
        self.owed: set[Change] = set()
        self.whole: set[Inode] = set()  # files of which all names are owed
        self.racing = False
        self.count = 0
        self.lists = 0

    # ---- runs -----------------------------------------------------------------------------

    def full_pass(self, mirror: str, *, contents: bool = False) -> int:
        """Make `mirror` equal to the source, without our help; of all files, or their `contents`.

        Without these, one that kept size and date is passed over.
        """
        words = [*(["-R"] if self.source.relative else []), *(["--checksum"] if contents else [])]
        return self._rsync(["-ltrp", "--delete", *words], self.source.argument, mirror)

    def planned(self) -> Plan:
        return plan(self.owed, filters=self.filters, view=self, named=self.whole)

    def carried(self) -> None:
        """A run has carried all that is owed."""
        self.owed.clear()
        self.whole.clear()

    def seek(self, planned: Plan) -> None:
        """What a plan could not know is owed now, too, found by a walk."""
        scan = Scan([Question(inodes=planned.linked)], filters=self.filters, view=self)
        list(scan.steps())
        (answer,) = scan.answers()
        assert answer.changes is not None  # so few are never too many
        self.owed |= set(answer.changes)
        self.whole |= answer.named

    def run(self, planned: Plan) -> int:
        """Carry a plan to the mirror; return the exit status."""
        assert not planned.full
        if not planned.entries:
            return 0
        names = b"".join(entry + b"\0" for entry in planned.entries)
        start, self.lists = top(self.source), self.lists + 1
        if self.lists % 2:
            start, names = "/", self.told(planned)
        return self._rsync(list_options(), start, "mirror", names)

    def told(self, planned: Plan) -> bytes:
        """Return what a run is told that stood ready for this: it must come to the same."""
        pair = make_pair(self.source, "/mirror", rscope="changes")
        ready = reserve(pair, make_config([pair]), Program((3, 2, 7)))
        assert ready is not None
        argv = next(iter(ready.stands_for))
        return ready.told(Prepared(RunKind.LISTED, argv, planned.entries))

    def _rsync(self, words: list[str], source: str, mirror: str, names: bytes = b"") -> int:
        argv = [RSYNC, *words, "--protect-args", "--modify-window=-1"]
        argv += [*rsync_options(self.source.excludes), *self.extra]
        argv += ["--", source, self.place_of(mirror + "/")]
        done = subprocess.run(
            argv, input=names, env=self.environment, capture_output=True, timeout=60, check=False
        )
        print(argv, names, done)
        # What must fail: where something excluded is in the way, and where a race was lost.
        expected = b"cannot delete non-empty|could not make way|link_stat|rsync error: some"
        unexpected = [line for line in done.stderr.splitlines() if not re.search(expected, line)]
        if self.racing:
            aborted = b"ABORTING due to invalid path from sender" in done.stderr
            assert done.returncode in (0, 23, 24) or (aborted and done.returncode == 2)
        else:
            assert done.returncode in (0, 23)
            assert done.returncode == 0 or not any(unexpected)
        return done.returncode

    def look(self, path: bytes) -> os.stat_result | None:
        try:
            return os.lstat(os.path.join(self.root, path))
        except OSError:
            return None

    def listing(self, path: bytes) -> Iterator[tuple[bytes, bool]]:
        with suppress(OSError), os.scandir(os.path.join(self.root, path)) as entries:
            for entry in entries:
                yield entry.name, entry.is_dir(follow_symlinks=False)

    def entries(self, path: bytes) -> Iterator[list[tuple[bytes, os.stat_result]]]:
        with suppress(OSError), os.scandir(os.path.join(self.root, path)) as entries:
            for entry in entries:
                yield [(entry.name, entry.stat(follow_symlinks=False))]

    # ---- work -----------------------------------------------------------------------------

    def work(self, steps: Iterable[Step]) -> None:
        """Do what can be done of it."""
        for action, one, other in steps:
            with suppress(OSError, shutil.Error):
                getattr(self, action)(one, other)

    def choose(self, number: int, want: Callable[[int], bool] = lambda _: True) -> bytes:
        """Return a path whose st_mode is wanted, perhaps that of the source itself."""
        paths = [self.root]
        for folder, folders, files in os.walk(self.root):
            paths += [os.path.join(folder, name) for name in (*folders, *files)]
        found = sorted(path for path in paths if want(os.lstat(path).st_mode))
        if not found:
            raise FileNotFoundError
        return found[number % len(found)]

    def folder(self, number: int) -> bytes:
        return self.choose(number, stat.S_ISDIR)

    def file(self, number: int) -> bytes:
        return self.choose(number, stat.S_ISREG)

    def below(self, number: int, want: Callable[[int], bool] = lambda _: True) -> bytes:
        """Return any path but that of the source itself."""
        path = self.choose(number, want)
        if path == self.root:
            path = self.choose(number + 1, want)
        if path == self.root:
            raise FileNotFoundError
        return path

    def place(self, number: int) -> bytes:
        """Return where something may be put, or may be already."""
        folder = self.folder(number // len(self.names))
        return os.path.join(folder, self.names[number % len(self.names)])

    def touched(self, path: bytes, *, directory: bool) -> None:
        """Take note that a name appears or vanishes."""
        relative = os.path.relpath(path, self.root)
        inside = not relative.startswith(b"../")
        if inside and not self.filters.admits(relative, directory=directory):
            self.silent.add(os.path.dirname(relative))

    def move(self, path: bytes, target: bytes) -> None:
        directory = stat.S_ISDIR(os.lstat(path).st_mode)
        os.rename(path, target)
        self.touched(path, directory=directory)
        self.touched(target, directory=directory)

    def drop(self, path: bytes) -> None:
        self.touched(path, directory=stat.S_ISDIR(os.lstat(path).st_mode))
        remove(path)

    def put(self, path: bytes) -> None:
        """Make a file, of a size that no other has: what has the same size and time is skipped."""
        self.count += 1
        path = self.writing(path)
        self.touched(path, directory=False)
        with open(path, "wb") as file:
            file.write(b"x" * self.count)

    def writing(self, path: bytes) -> bytes:
        """Return what a path leads to; take note that it is changed, if it has other names."""
        path = os.path.realpath(path)
        if not (path + b"/").startswith((self.root + b"/", self.outside + b"/")):
            raise PermissionError  # a link leads out of all that is ours
        if os.path.isfile(path) and os.stat(path).st_nlink > 1:
            self.written[path] = os.stat(path).st_ino
        return path

    def make(self, one: int, other: int) -> None:
        self.put(self.place(one))

    def rewrite(self, one: int, other: int) -> None:
        path = self.writing(self.file(one))
        self.count += 1
        with open(path, "r+b") as file:
            file.write((b"%d " % self.count * 50)[: os.path.getsize(path)])

    def append(self, one: int, other: int) -> None:
        self.count += 1
        with open(self.writing(self.file(one)), "ab") as file:
            file.write(b"y" * (500 + 3 * self.count))

    def chmod(self, one: int, other: int) -> None:
        path = self.choose(one, lambda mode: not stat.S_ISLNK(mode))
        modes = (0o755, 0o700, 0o2775, 0o1777) if os.path.isdir(path) else (0o644, 0o600, 0o4711)
        os.chmod(self.writing(path), modes[other % len(modes)])

    def touch(self, one: int, other: int) -> None:
        self.count += 1
        then = (10**9 + 10**4 * self.count) * 10**9 + 123_456_789
        path = self.choose(one)
        if not os.path.islink(path):
            self.writing(path)
        os.utime(path, ns=(0, then), follow_symlinks=False)

    def mkdir(self, one: int, other: int) -> None:
        path = self.place(one)
        os.mkdir(path)
        self.touched(path, directory=True)

    def mkdirs(self, one: int, other: int) -> None:
        path = self.place(one)
        for depth in range(2 + other % 4):
            if os.path.islink(path) or not os.path.isdir(path):
                os.mkdir(path)
                self.touched(path, directory=True)
            if (other >> depth) & 1:
                self.put(os.path.join(path, b"file"))
            path = os.path.join(path, self.names[(one + other + depth) % len(self.names)])

    def delete(self, one: int, other: int) -> None:
        self.drop(self.below(one))

    def delete_tree(self, one: int, other: int) -> None:
        self.drop(self.below(one, stat.S_ISDIR))

    def rename(self, one: int, other: int) -> None:
        self.move(self.below(one), self.place(other))

    def rename_tree(self, one: int, other: int) -> None:
        self.move(self.below(one, stat.S_ISDIR), self.place(other))

    def rename_over(self, one: int, other: int) -> None:
        target = self.below(other)
        self.touched(target, directory=stat.S_ISDIR(os.lstat(target).st_mode))
        self.move(self.below(one), target)

    def rename_name(self, one: int, other: int) -> None:
        """Within one directory: in and out of being excluded."""
        path = self.below(one)
        self.move(path, os.path.join(os.path.dirname(path), self.names[other % len(self.names)]))

    def replace(self, one: int, other: int) -> None:
        """Save as editors do."""
        path = self.file(one)
        temporary = os.path.join(os.path.dirname(path), b".save")
        self.put(temporary)
        self.move(temporary, path)

    def bring_in(self, one: int, other: int) -> None:
        found = sorted(os.listdir(self.outside))
        if not found:
            self.count += 1
            found = [b"new%d" % self.count]
            os.makedirs(os.path.join(self.outside, found[0], *self.names[one % 3 : one % 3 + 3]))
            self.put(os.path.join(self.outside, found[0], self.names[other % 4]))
        self.move(os.path.join(self.outside, found[other % len(found)]), self.place(one))

    def take_out(self, one: int, other: int) -> None:
        self.count += 1
        self.move(self.below(one), os.path.join(self.outside, b"out%d" % self.count))

    def symlink(self, one: int, other: int) -> None:
        targets = (b"nowhere", b"..", b".", self.names[other % len(self.names)], b"../a")
        path = self.place(one)
        os.symlink(targets[other % len(targets)], path)
        self.touched(path, directory=False)

    def symlink_to_folder(self, one: int, other: int) -> None:
        path = self.place(one)
        os.symlink(os.path.relpath(self.folder(other), os.path.dirname(path)), path)
        self.touched(path, directory=False)

    def link(self, one: int, other: int) -> None:
        path, target = self.file(one), self.place(other)
        os.link(path, target)
        self.linked.add(os.lstat(path).st_ino)
        self.touched(target, directory=False)

    def become_link(self, one: int, other: int) -> None:
        """A directory moves away, and a symbolic link to it, or to another, takes its place."""
        path, target = self.below(one, stat.S_ISDIR), self.place(other)
        self.move(path, target)
        goal = target if other % 2 else self.folder(other)
        os.symlink(os.path.relpath(goal, os.path.dirname(path)), path)
        self.touched(path, directory=False)

    def become_directory(self, one: int, other: int) -> None:
        path = self.below(one, lambda mode: not stat.S_ISDIR(mode))
        self.drop(path)
        os.mkdir(path)
        self.touched(path, directory=True)
        self.put(os.path.join(path, self.names[other % len(self.names)]))

    def become_file(self, one: int, other: int) -> None:
        path = self.below(one)
        self.drop(path)
        self.put(path)

    def exchange(self, one: int, other: int) -> None:
        path, target = self.below(one), self.below(other)
        directories = [stat.S_ISDIR(os.lstat(each).st_mode) for each in (path, target)]
        if _LIBC.renameat2(_AT_FDCWD, path, _AT_FDCWD, target, _EXCHANGE) == 0:
            for each in (path, target):
                for directory in directories:
                    self.touched(each, directory=directory)

    def swap(self, one: int, other: int) -> None:
        path, target = self.below(one, stat.S_ISDIR), self.below(other, stat.S_ISDIR)
        between = os.path.join(self.root, b"between")
        self.move(path, between)
        self.move(target, path)
        self.move(between, target)

    def notice(self) -> None:
        """Take note of the files of which no plan can know that they were written."""
        for path, inode in list(self.written.items()):
            relative = os.path.relpath(path, self.root)
            status = self.look(relative)
            there = status is not None and status.st_ino == inode and stat.S_ISREG(status.st_mode)
            if not there or not self.named(relative) or self.racing:
                self.unnoticed.add(inode)
        self.written.clear()

    def named(self, path: bytes) -> bool:
        """Return whether a change is about a file: not when it also vanished in the meantime."""
        return self.filters.admits_path(path, directory=False) and any(
            path.startswith(change.path + b"/") if change.kind is Kind.TREE else path == change.path
            for change in self.owed
            if change.kind is not Kind.LEVEL
        )

    # ---- what must be so ------------------------------------------------------------------

    def landing(self, path: bytes) -> bytes:
        """Return where a path of the source lands on a mirror; ``b"."`` is the top of both."""
        return os.path.normpath(os.path.join(self.filters.prefix or b".", path))

    def plant(self) -> None:
        """Put excluded files and directories on the mirror; make the reference a copy of it."""
        mirror = os.fsencode(self.mirrors / "mirror")
        for path, entry in self.visible().items():
            if entry.kind != "directory":
                continue
            for number, name in enumerate((*self.names, *PRIVATE)):
                own = os.path.normpath(os.path.join(path, name))
                directory = number % 2 == 0 and name not in PRIVATE
                # What is only excluded as one of both may be replaced by the other.
                kinds = (False,) if name in PRIVATE else (False, True)
                if not any(self.filters.admits(self.origin(own), directory=it) for it in kinds):
                    self.planted.add(own)
                    if directory:
                        os.mkdir(os.path.join(mirror, own))
                        own = os.path.join(own, b"precious")
                    with open(os.path.join(mirror, own), "wb") as file:
                        file.write(b"the node's own")
            os.utime(os.path.join(mirror, path), ns=(0, entry.mtime_ns))
        shutil.copytree(os.fsdecode(mirror), self.mirrors / "reference", symlinks=True)

    def origin(self, landing: bytes) -> bytes:
        """Return the path in the source of what lands there."""
        path = os.path.relpath(landing, self.filters.prefix or b".")
        return b"" if path == b"." else path

    def visible(self) -> dict[bytes, Entry]:
        """Return what a full pass sends, by where it lands."""
        entries = snapshot(self.root)
        entries[b""] = entries.pop(b".")
        found = {}
        for path, entry in entries.items():
            if self.filters.admits_path(path, directory=entry.kind == "directory"):
                found[self.landing(path)] = entry
        return found

    def own(self, path: bytes) -> bool:
        """Return whether a path of a mirror is the node's own, or has something like it inside."""
        return any(
            path == own or path.startswith(own + b"/") or own.startswith(path + b"/")
            for own in self.planted
        )

    def wrong(self) -> list[str]:
        """Return how the mirror differs from what is in the source."""
        wanted, found = self.visible(), snapshot(self.mirrors / "mirror")
        for path, entry in list(found.items()):
            above = path == b"." or self.landing(b"").startswith(path + b"/")
            if path not in wanted:
                if above or self.own(path):
                    del found[path]
            elif entry.kind == "directory" != wanted[path].kind and self.own(path):
                del found[path], wanted[path]  # what is in it is in the way
        return difference(self.blurred(wanted), self.blurred(found))

    def unlike(self) -> list[str]:
        """Return how the mirror differs from the reference."""
        mirror, reference = snapshot(self.mirrors / "mirror"), snapshot(self.mirrors / "reference")
        return difference(self.blurred(reference), self.blurred(mirror))

    def blurred(self, entries: dict[bytes, Entry]) -> dict[bytes, Entry]:
        """Return a snapshot without what may differ."""
        visible = self.visible()
        silent = {self.landing(path) for path in self.silent}
        blurred = dict(entries)
        for path, entry in entries.items():
            status = self.look(self.origin(path))
            if entry.kind == "directory":
                if path not in visible or visible[path].kind != "directory":
                    blurred[path] = Entry("directory", 0, 0)  # only there for what is in it
                elif path in silent:
                    blurred[path] = entry._replace(mtime_ns=0)
            elif status is not None and status.st_ino in self.linked:
                blurred[path] = Entry(entry.kind, 0, 0)
        return blurred
