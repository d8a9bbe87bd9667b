"""What guards a mirror: random mounts, renames, reloads and syncs, real daemon, mounts and rsync.

Nothing that was mirrored, and not deleted in the source by ordinary means, ever vanishes from a
mirror or changes there. A model says after each step what each mirror may hold.
"""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from support.daemon import Daemon
from support.mounting import disk, hide, mount, mounts_below, needs_mounts, show, stir
from support.trees import compare
from support.waiting import until

from inosync.commands import client
from inosync.engine.ailing import LOST

RSYNC = shutil.which("rsync") or ""
pytestmark = [
    needs_mounts,
    pytest.mark.skipif(not RSYNC, reason="rsync is not installed"),
]

#: Each takes some seconds, of which most is waiting.
SEEDS: Sequence[int] = range(200)
if settings.default.max_examples <= 100:
    # 19 and 71 fail where a --sync is lost that comes while a source is about to be watched, 124
    # where a reload forgets that an empty source was accepted.
    SEEDS = (0, 3, 5, 19, 71, 124)

#: File systems inside the source; the second may lie in the first.
LAYOUTS = (
    ("part", "disk [2]"),
    ("disk [2]", "deep/er"),
    ("part", "part/inner"),
    ("de*p/e\\r",),
)
EXTRAS: tuple[tuple[str, ...], ...] = (
    (),
    ("--delete-excluded",),
    ("--delete-excluded",),
    ("-h",),
    ("-q",),
    ("--info=none",),
    ("--info=stats0",),
    ("--delete-after",),
    ("--delete-delay",),
    ("--backup", "--backup-dir={outside}"),
    ("--filter=- *.o",),
    ("--protocol=30",),
    ("--stderr=all",),
)
#: Of these only one may be given.
WHEN_TO_DELETE = frozenset(("--delete-after", "--delete-delay"))
#: What a reload changes, and changes back. None of it changes what is mirrored.
HARMLESS: tuple[dict[str, object], ...] = (
    {"eopen": 0},
    {"rexcludes": ["never-there"]},
    {"rtimeout": 299},
    {"rbigsize": 10_000},
    {"rsettle": {"*.never": 1}},
    {"rfull": 4000},
)
STEPS = (
    *("unmount",) * 5,
    *("mount",) * 3,
    *("drop_point",) * 3,
    *("away",) * 2,
    *("above",) * 2,
    *("back",) * 5,
    *("link",) * 2,
    *("nothing_instead", "nothing_instead", "fill"),
    *("unmount_own",) * 3,
    *("mount_another", "without_a_node"),
    *("reload",) * 5,
    *("sync",) * 2,
    *("sync_one",) * 3,
    *("change",) * 5,
    *("delete_many",) * 2,
)
#: What takes something away. In the middle of a run, nobody can know that in time.
TAKES_AWAY = frozenset(
    (
        *("unmount", "away", "above", "link", "nothing_instead", "unmount_own", "mount_another"),
        "delete_many",
    )
)
#: What can also happen while the daemon is paused.
PAUSABLE = frozenset(("unmount", "mount", "drop_point", "back", "reload", "change", "unmount_own"))

BIG = 4000
LIMIT = 5
NODES = ("A", "B")

Files = dict[str, bytes]


class Step(NamedTuple):
    """What happens, two numbers that say to what and how, and what goes with it."""

    what: str
    one: int
    other: int
    burst: bool = False  # the next step follows at once
    paused: bool = False


@dataclass(frozen=True)
class Case:
    """A config, a source, and what happens to it."""

    scope: str
    slash: bool  # wpath ends in one
    own: bool  # the source has a file system of its own
    below: bool  # something lies below its mount point, and below those inside
    empty: bool  # at the start the source is empty, and its mirrors are not
    parts: tuple[str, ...]
    extra: tuple[str, ...]
    big: bool
    settle: bool
    limit: bool
    steps: tuple[Step, ...]


def invent(seed: int) -> Case:
    """Return the same case for the same seed."""
    dice = random.Random(seed)

    def step() -> Step:
        what = dice.choice(STEPS)
        paused = what in PAUSABLE and dice.random() < 0.15
        return Step(what, dice.randrange(500), dice.randrange(500), dice.random() < 0.25, paused)

    extra = [word for words in dice.sample(EXTRAS, dice.randint(0, 2)) for word in words]
    if set(extra) >= WHEN_TO_DELETE:
        extra.remove("--delete-after")
    own = dice.random() < 0.4
    return Case(
        scope=dice.choice(("tree", "changes")),
        slash=dice.random() < 0.6,
        own=own,
        below=dice.random() < 0.6,
        empty=not own and dice.random() < 0.15,
        parts=dice.choice(LAYOUTS),
        extra=tuple(extra),
        big=dice.random() < 0.3,
        settle=dice.random() < 0.3,
        limit=dice.random() < 0.35,
        steps=tuple(step() for _ in range(24)),
    )


class NotNowError(Exception):
    """The step cannot be taken as things are."""


class DamageError(Exception):
    """A mirror has what it must not, or lacks what it must have."""


@dataclass
class Mirror:
    """What the model knows of one mirror.

    `allowed` says which contents may be at a path, None that it may be missing. Below what is not
    `known` to be mounted, a mirror follows the source; below what is known to be and is not, it is
    left alone. When a person has `accepted` what is in the place of the source, it is mirrored.
    `unsure`: it may be held, or not. `limited`: held, for it would delete too many files.
    """

    node: str
    root: Path
    known: frozenset[str] = frozenset()
    allowed: dict[str, set[bytes | None]] = field(default_factory=dict)
    accepted: bool = False
    unsure: bool = False
    limited: bool = False


def files_in(root: Path) -> Files:
    """Return the files and links below a directory, each with what it holds."""
    if root.is_symlink():
        return {"": b"-> " + os.fsencode(os.readlink(root))}
    found: Files = {}
    for folder, folders, names in os.walk(root):
        for name in (*names, *folders):
            path = Path(folder, name)
            if name.startswith("."):  # rsync's own
                continue
            try:
                if path.is_symlink():
                    found[str(path.relative_to(root))] = b"-> " + os.fsencode(os.readlink(path))
                elif path.is_file():
                    found[str(path.relative_to(root))] = path.read_bytes()
            except FileNotFoundError:
                continue
    return found


def inside(path: str, places: Sequence[str] | frozenset[str]) -> bool:
    """Return whether `path` is one of these or below it."""
    return any(path == place or path.startswith(place + "/") for place in places)


class World:
    """A source that things happen to, its two mirrors, the daemon, and the model."""

    def __init__(self, folder: Path, case: Case) -> None:
        self.folder, self.case = folder, case
        self.above = folder / "above"
        self.source = self.above / "source"
        self.kept = folder / "kept"  # where the source is while something else is in its place
        self.elsewhere = folder / "elsewhere"
        self.state = "here"
        self.count = 0
        self.mounted: set[str] = set()
        self.changed_settings: dict[str, object] = {}
        self.settled = True
        self.mirrors = [
            Mirror(name, folder / name if case.slash else folder / name / "source")
            for name in NODES
        ]
        self.build()
        self.daemon = Daemon(folder / "daemon", self.config())

    # ---- the start ------------------------------------------------------------------------

    def build(self) -> None:
        self.source.mkdir(parents=True)
        self.fill_folder(self.elsewhere, ("a", "secret"))
        for mirror in self.mirrors:
            mirror.root.mkdir(parents=True)
        if self.case.own:
            if self.case.below:
                self.write(self.source / "NOTE")
            show(disk(self.folder / "disks/own"), self.source)
        for folder in ("", "sub", "sub/two"):
            self.fill_folder(self.source / folder, ("a", "b [x]", "c.iso"))
        self.write(self.source / "sub/big", BIG + 1000)
        (self.source / "sub/link").symlink_to("a")
        for number, part in enumerate(self.case.parts):
            self.fill_folder(disk(self.folder / f"disks/{number}"), ("a", "b [x]", "in/c"))
            self.write(self.folder / f"disks/{number}/big", BIG + 2000)
            (self.source / part).mkdir(parents=True)
            if self.case.below:
                self.write(self.source / part / "below")
            self.show_part(part, self.source)
        if self.case.empty:
            for mirror in self.mirrors:
                shutil.copytree(self.source, mirror.root, symlinks=True, dirs_exist_ok=True)
                mirror.allowed = {path: {text} for path, text in files_in(mirror.root).items()}
            self.source.rename(self.kept)
            self.source.mkdir()
            self.state = "nothing"

    def config(self) -> dict[str, object]:
        case = self.case
        outside = str(self.folder / "backups")
        chosen: dict[str, object] = {
            "wpath": f"{self.source}/" if case.slash else str(self.source),
            "rnodes": [f"{self.folder / name}/" for name in NODES],
            "socket": str(self.folder / "socket"),
            "extra": [word.format(outside=outside) for word in case.extra],
            "rscope": case.scope,
            "edelay": 0.05,
            "rretry": (0.1, 0.5),
            "rbigdelay": 0,
        }
        chosen |= {"rbigsize": BIG} if case.big else {}
        chosen |= {"rsettle": {"*.iso": 1}} if case.settle else {}
        chosen |= {"rmaxdelete": LIMIT} if case.limit else {}
        return chosen | self.changed_settings

    def write(self, path: Path, size: int = 0) -> None:
        """Write what no file has held before; with --protocol=30 only its size may tell."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.count += 1
        line = b"%d %b" % (self.count, os.fsencode(path.name))
        path.write_bytes(line + b"." * (self.count + size))

    def fill_folder(self, folder: Path, names: Sequence[str]) -> None:
        for name in names:
            self.write(folder / name)

    # ---- what is where --------------------------------------------------------------------

    def home(self) -> Path:
        """Return where the source's own directory is now, with what is mounted in it."""
        if self.state in ("here", "above"):
            return self.source if self.state == "here" else self.folder / "moved/source"
        if self.case.own:
            raise NotNowError
        return self.kept

    def hidden(self) -> bool:
        """Return whether nothing that can be mirrored is at the path of the source."""
        return self.state in ("away", "above") or (self.state == "link" and not self.case.slash)

    def disk_of(self, part: str) -> Path:
        return self.folder / f"disks/{self.case.parts.index(part)}"

    def show_part(self, part: str, home: Path) -> None:
        show(self.disk_of(part), home / part)
        self.mounted.add(part)

    def in_place(self) -> frozenset[str]:
        """Return what is mounted below the path of the source."""
        return frozenset(self.mounted if self.state == "here" else ())

    def open(self, mirror: Mirror) -> bool:
        """Return whether the mirror follows what is at the path of the source."""
        return self.state in ("here", "full") or mirror.accepted

    def lost(self, mirror: Mirror) -> frozenset[str]:
        return mirror.known - self.in_place()

    # ---- the model ------------------------------------------------------------------------

    def allow(self) -> None:
        """Let the mirrors that are not held become what the source is now."""
        for mirror in self.mirrors:
            if not self.open(mirror):
                continue
            shown = files_in(self.source.resolve())
            lost = self.lost(mirror)
            paths = [p for p in {*shown, *mirror.allowed} if not inside(p, lost)]
            certain = [p for p in paths if None not in mirror.allowed.get(p, {None})]
            missing = {path for path in certain if path not in shown}
            mirror.limited &= len(missing) > LIMIT
            if mirror.limited:  # the lane that deletes nothing goes on
                paths = [path for path in paths if path not in missing]
            for path in paths:
                allowed = mirror.allowed.setdefault(path, {None})
                if shown.get(path) not in allowed:
                    allowed |= {shown.get(path), b""}  # empty: not written yet

    def confirm(self, mirror: Mirror) -> None:
        """The mirror says that it has all: it is what the source shows, and what is left alone."""
        shown = files_in(self.source.resolve())
        lost = self.lost(mirror)
        kept = {p: allowed for p, allowed in mirror.allowed.items() if inside(p, lost)}
        mirror.allowed = kept | {p: {t} for p, t in shown.items() if not inside(p, lost)}
        mirror.known |= self.in_place()
        mirror.unsure = False

    def damage(self, mirror: Mirror) -> list[str]:
        found = files_in(mirror.root)
        complaints = []
        for path in sorted({*found, *mirror.allowed}):
            allowed = mirror.allowed.get(path, {None})
            if found.get(path) not in allowed:
                what = found.get(path, b"missing")[:30]
                wanted = sorted((text or b"missing")[:30] for text in allowed)
                complaints.append(f"{mirror.node}: {path!r}: is {what!r}, may be {wanted}")
        return complaints

    def look(self) -> None:
        """Raise DamageError when a mirror is not as it may be."""
        complaints = [line for mirror in self.mirrors for line in self.damage(mirror)]
        if complaints:
            raise DamageError("\n".join(complaints[:8]))

    # ---- the daemon -----------------------------------------------------------------------

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        answer = client.ask([(str(self.folder / "socket"), None)], command, **arguments)
        if not answer["ok"]:
            raise DamageError(f"{command}: {answer['error']}")
        return answer

    def status(self) -> dict[str, Any]:
        now: dict[str, Any] = self.ask("status")["status"]
        return now

    def states(self, mirror: Mirror) -> set[str]:
        """Return the states of all lanes to the node of `mirror`."""
        name = f"{self.folder / mirror.node}/"
        return {shown["state"] for shown in self.status()["mirrors"] if shown["node"] == name}

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
        """Wait for a condition, and look at the mirrors all the while."""

        def met() -> bool:
            self.look()
            return condition()

        until(met, seconds=seconds, what=what, state=self.ailing)

    def ailing(self) -> str:
        now = self.status()
        lines = [f"{it['path']}: {it['state']} {it['reason']}" for it in now["sources"]]
        lines += [
            f"{it['node']} {it['lane']}: {it['state']} {it['reason']} lag {it['lag']}"
            for it in now["mirrors"]
        ]
        return "\n".join(lines)

    def rests(self) -> bool:
        states = {shown["state"] for shown in self.status()["mirrors"]}
        return not states & {"running", "stopping"}

    def settle(self, *, long: bool = False) -> None:
        """Give the daemon what it needs to act, wait until it has, and look at the mirrors.

        When `long`, so long that it looks again at a source that it holds.
        """
        self.settled = True
        following = [mirror for mirror in self.mirrors if self.open(mirror)]
        if self.state == "above":
            self.write(self.home() / "marker")  # nothing else tells of it
        elif len(following) == len(self.mirrors):
            self.write(self.source / "marker")
        self.allow()
        stir(self.folder / "stirred")
        if not following:
            self.settle_held()
        for mirror in following:
            self.settle_one(mirror)
        if long and not following:
            self.ask("wait", seconds=2.5, node="")
        self.until(self.rests, "all runs to end")

    def settle_held(self) -> None:
        for _ in range(4):
            self.ask("wait", seconds=0.0, node="")
            self.look()
        if not any(mirror.unsure for mirror in self.mirrors):
            self.until(self.held, "the source to be held")

    def held(self) -> bool:
        return all(source["state"] == "held" for source in self.status()["sources"])

    def settle_one(self, mirror: Mirror) -> None:
        if mirror.unsure:
            self.ask("wait", seconds=1.0, node="")
            self.look()
            if not (self.equal(mirror) and self.in_sync(mirror)):
                return
        else:
            self.until(lambda: self.done(mirror), f"{mirror.node} to be in sync")
        if "held" not in self.states(mirror):
            self.confirm(mirror)
            self.look()

    def done(self, mirror: Mirror) -> bool:
        """Return whether the mirror has all, or is held for what it would delete."""
        if self.case.limit and "held" in self.states(mirror):
            return True
        if mirror.limited:
            return False
        if all(self.open(each) for each in self.mirrors):
            return self.in_sync(mirror)
        return self.equal(mirror) and self.rests()

    def in_sync(self, mirror: Mirror | None = None) -> bool:
        node = f"{self.folder / mirror.node}/" if mirror is not None else ""
        answer = self.ask("wait", seconds=0.05, node=node)
        # What is left alone is told, and is all that may be.
        others = [line for line in answer["ailing"] if LOST not in line]
        return not answer["lagging"] and not others

    def equal(self, mirror: Mirror) -> bool:
        """Return whether the mirror has what the source shows, but for what is left alone."""
        lost = self.lost(mirror)
        shown, found = files_in(self.source.resolve()), files_in(mirror.root)
        paths = {path for path in {*shown, *found} if not inside(path, lost)}
        return all(shown.get(path) == found.get(path) for path in paths)

    # ---- steps: the source as a whole -----------------------------------------------------

    def become(self, state: str) -> None:
        """Something else is at the path of the source: what was accepted there counts no more."""
        for mirror in self.mirrors:
            if mirror.accepted:
                # Now the file system of what it accepted may be the one that it waits for.
                mirror.unsure = self.case.own or mirror.unsure
                mirror.accepted = False
        self.state = state

    def unmount_own(self, one: int, other: int) -> None:
        if not self.case.own or self.state != "here":
            raise NotNowError
        hide(self.source, lazy=bool(other % 2))
        self.mounted.clear()
        self.become("gone")

    def mount_another(self, one: int, other: int) -> None:
        if self.state != "gone":
            raise NotNowError
        mount("-t", "tmpfs", "inosync-test", self.source)
        self.write(self.source / "of another")
        self.become("other")

    def away(self, one: int, other: int) -> None:
        if self.case.own or self.state != "here":
            raise NotNowError
        self.source.rename(self.kept)
        self.become("away")

    def above_away(self, one: int, other: int) -> None:
        if self.state != "here":
            raise NotNowError
        self.above.rename(self.folder / "moved")
        self.become("above")

    def link(self, one: int, other: int) -> None:
        if self.state == "here" and self.case.own:
            self.unmount_own(one, other)
        elif self.state == "here":
            self.away(one, other)
        if self.state not in ("away", "gone"):
            raise NotNowError
        if self.state == "gone":
            self.source.rename(self.kept)
        self.source.symlink_to(self.elsewhere)
        self.become("link")

    def nothing_instead(self, one: int, other: int) -> None:
        if self.state == "here":
            self.away(one, other)
        if self.state != "away":
            raise NotNowError
        self.source.mkdir()
        self.become("nothing")

    def fill(self, one: int, other: int) -> None:
        if self.state != "nothing":
            raise NotNowError
        self.write(self.source / "fresh")
        self.become("full")

    def back(self, one: int, other: int) -> None:
        if self.state == "above":
            (self.folder / "moved").rename(self.above)
        elif self.state == "other":
            hide(self.source)
        elif self.state == "link":
            self.source.unlink()
        elif self.state in ("nothing", "full"):
            self.count += 1
            self.source.rename(self.folder / f"trash{self.count}")
        elif self.state == "here":
            raise NotNowError
        if self.state in ("link", "away", "nothing", "full"):
            self.kept.rename(self.source)
        if self.case.own and self.state != "above":
            show(self.folder / "disks/own", self.source)
        self.become("here")

    # ---- steps: what is mounted in it -----------------------------------------------------

    def unmount(self, one: int, other: int) -> None:
        home, parts = self.home(), sorted(self.mounted)
        if not parts:
            raise NotNowError
        part = parts[one % len(parts)]
        hide(home / part, lazy=bool(other % 2))
        self.mounted -= {each for each in parts if inside(each, (part,))}

    def missing(self) -> list[str]:
        """Return what could be mounted."""
        outer = [part for part in self.case.parts if part not in self.mounted]
        return [part for part in outer if not inside(os.path.dirname(part), outer)]

    def mount(self, one: int, other: int) -> None:
        home, parts = self.home(), self.missing()
        if not parts:
            raise NotNowError
        part = parts[one % len(parts)]
        for above in (*reversed(Path(part).parents), Path(part)):
            if (home / above).is_symlink() or (home / above).is_file():
                (home / above).unlink()
        (home / part).mkdir(parents=True, exist_ok=True)
        self.show_part(part, home)

    def drop_point(self, one: int, other: int) -> None:
        """Where something was mounted is no directory any more."""
        home, parts = self.home(), self.missing()
        if not parts:
            raise NotNowError
        part = parts[one % len(parts)]
        place = home / part
        top = part.split("/", maxsplit=1)[0]
        if other % 5 == 4 and not any(inside(each, (top,)) for each in self.mounted):
            place = home / top
            other = 0  # for a file, rsync could not make way on the mirrors
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.is_dir():
            shutil.rmtree(place)
        if other % 3 == 1:
            self.write(place)
        elif other % 3 == 2:
            place.symlink_to(self.elsewhere)

    # ---- steps: ordinary changes ----------------------------------------------------------

    def change(self, one: int, other: int) -> None:
        home = self.home() if self.state != "full" else self.source
        points = {*self.case.parts, *(os.path.dirname(part) for part in self.case.parts)}
        folders = sorted(folder for folder, _, _ in os.walk(home))
        free = [each for each in folders[1:] if os.path.relpath(each, home) not in points]
        folder = Path(folders[one % len(folders)])
        files = sorted(it for it in folder.iterdir() if it.is_file() and not it.is_symlink())
        kinds = ["make", "make_folder"]
        kinds += ["rewrite", "delete", "rename", "big"] if files else []
        kinds += ["delete_tree", "rename_tree"] if free else []
        kind = kinds[other % len(kinds)]
        self.count += 1
        if kind == "make":
            self.write(folder / f"new{self.count}")
        elif kind == "make_folder":
            self.fill_folder(folder / f"folder{self.count}", ("a", "c.iso"))
        elif kind in ("rewrite", "big"):
            self.write(files[other % len(files)], BIG + 100 if kind == "big" else 0)
        elif kind == "delete":
            files[other % len(files)].unlink()
        elif kind == "rename":
            files[other % len(files)].rename(folder / f"renamed{self.count}")
        elif kind == "delete_tree":
            shutil.rmtree(free[one % len(free)])
        else:
            old = Path(free[one % len(free)])
            old.rename(old.parent / f"renamed{self.count}")

    def delete_many(self, one: int, other: int) -> None:
        """More at once than may be deleted; a big file may take their place."""
        ready = all(not (mirror.unsure or mirror.limited) for mirror in self.mirrors)
        if not (self.case.limit and self.state == "here" and ready):
            raise NotNowError
        if any(self.states(mirror) != {"idle"} for mirror in self.mirrors):
            raise NotNowError
        many = self.source / f"many{self.count}"
        self.fill_folder(many, [f"{number}" for number in range(LIMIT + 3)])
        self.settle()
        if any(self.states(mirror) != {"idle"} for mirror in self.mirrors):
            raise NotNowError
        self.ask("pause")
        shutil.rmtree(many)
        if one % 2:
            self.write(many, BIG + 500)
        self.ask("wait", seconds=0.0, node="")
        for mirror in self.mirrors:
            mirror.limited = True
        self.ask("resume")

    # ---- steps: what people ask for -------------------------------------------------------

    def reload(self, one: int, other: int) -> None:
        for name, value in HARMLESS[one % len(HARMLESS)].items():
            if name in self.changed_settings:
                del self.changed_settings[name]
            else:
                self.changed_settings[name] = value
        self.configure(by_signal=bool(other % 2))

    def configure(self, *, by_signal: bool, **more: object) -> None:
        """Have the config read again; without a source that can be, it is refused as a whole."""
        self.daemon.configure(self.config() | more)
        if by_signal:
            self.tell(signal.SIGHUP, ("reload: config loaded again", "the old one stays in force"))
            return
        problems = self.ask("reload")["problems"]
        if problems and not self.hidden():
            raise DamageError(problems)

    def tell(self, number: int, answers: Sequence[str]) -> None:
        """Send a signal, and wait until one of these is logged once more."""

        def logged() -> int:
            log = self.daemon.log()
            return sum(log.count(answer) for answer in answers)

        before = logged()
        self.daemon.signal(number)
        self.until(lambda: logged() > before, answers[0])

    def without_a_node(self, one: int, other: int) -> None:
        """A node leaves the config and comes back: what is left alone there stays so."""
        if any(mirror.accepted or mirror.unsure for mirror in self.mirrors):
            raise NotNowError
        nodes = [f"{self.folder / NODES[one % 2]}/"]
        self.configure(by_signal=False, rnodes=nodes)
        for _ in range(10):
            self.ask("wait", seconds=0.05, node="")
            self.look()
        self.configure(by_signal=bool(other % 2))

    def sync(self, one: int, other: int) -> None:
        self.release(self.mirrors, signalled=bool(one % 2))

    def sync_one(self, one: int, other: int) -> None:
        self.release([self.mirrors[one % len(self.mirrors)]], signalled=False)

    def release(self, mirrors: Sequence[Mirror], *, signalled: bool) -> None:
        """A person says that the source is right as it is."""
        hidden = self.hidden()
        if hidden and any(mirror.known - self.mounted for mirror in self.mirrors):
            raise NotNowError  # whether what is missing in there is accepted, nobody said
        for mirror in mirrors:
            mirror.limited = False
            if not hidden:
                mirror.known = self.in_place()
                mirror.unsure = False
                mirror.accepted = self.state not in ("here", "full")
        self.allow()
        if signalled:
            self.tell(signal.SIGUSR2, ("asked for a full pass",))
        else:
            node = f"{self.folder / mirrors[0].node}/" if len(mirrors) == 1 else ""
            self.ask("sync", node=node)

    # ---- all of it ------------------------------------------------------------------------

    def take(self, step: Step) -> bool:
        """Take a step; return whether that was possible."""
        if step.what in TAKES_AWAY and not self.settled:
            self.settle()
        perform: Callable[[int, int], None] = getattr(
            self, "above_away" if step.what == "above" else step.what
        )
        if step.paused:
            self.ask("pause")
        try:
            perform(step.one, step.other)
        except NotNowError:
            return False
        finally:
            if step.paused:
                self.ask("wait", seconds=0.0, node="")
                self.ask("resume")
        self.settled = False
        self.allow()
        self.look()
        return True

    def restore(self) -> None:
        """Put everything in its place again, and say so."""
        if self.state != "here":
            self.back(0, 0)
            self.allow()
        while self.missing():
            self.mount(0, 0)
            self.allow()  # what is below the next one is seen until that is mounted
        self.release(self.mirrors, signalled=False)
        if self.case.limit:
            # What nobody had been asked before, the first --sync did not allow.
            for mirror in self.mirrors:
                self.until(lambda m=mirror: self.done(m), "the limit to be seen")
            self.release(self.mirrors, signalled=False)
        self.until(self.in_sync, "the mirrors to be in sync")
        for mirror in self.mirrors:
            seconds = "--protocol=30" in self.case.extra  # knows no fractions of them
            if complaints := compare(self.source, mirror.root, ignore_times=seconds):
                raise DamageError("\n".join([f"{mirror.node}:", *complaints]))

    def live(self) -> Iterator[str]:
        """Go through all that happens; give what was done."""
        self.allow()
        self.daemon.start()
        self.settle()
        for step in self.case.steps:
            if not self.take(step):
                continue
            yield f"{step}: now {self.state}, mounted {sorted(self.mounted)}"
            if not step.burst:
                self.settle(long=step.other % 6 == 0)
        self.settle()
        yield "everything is put in its place"
        self.restore()


def live(folder: Path, case: Case) -> None:
    """Mirror a source through all that happens to it."""
    with mounts_below(folder):
        world = World(folder, case)
        done: list[str] = []
        with world.daemon:
            try:
                for line in world.live():
                    done.append(line)
            except (DamageError, AssertionError) as error:
                log = [line for line in world.daemon.log().splitlines() if "executing" not in line]
                given = dataclasses.replace(case, steps=())
                told = "\n  ".join(["", *done])
                shown = "\n".join(log[-12:]).replace(str(folder), "")
                raise AssertionError(f"{given}\ndone:{told}\n{error}\nlog:\n{shown}") from None


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_vanishes_that_was_not_deleted(tmp_path: Path, seed: int) -> None:
    live(tmp_path, invent(seed))
