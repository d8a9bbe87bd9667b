"""What ``--wait`` promises: mirrors are equal by content, whatever kept its size and its date."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import random
import shutil
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import processes
from support.daemon import Daemon
from support.places import place_on
from support.profile import DEEP
from support.trees import compare, remove

from inosync.commands.client import ask

#: Each round is a row of operations, then --wait, then a look at six mirrors; each seed a daemon.
ROUNDS, SEEDS = (50, range(40)) if DEEP else (12, range(1))
#: How often it is killed, and how long after its start at the latest.
KILLS, LATEST = 40 if DEEP else 2, 1.5

#: Few names and dates, and one size: what is done often meets what was there. One date is still to
#: come when it is set, and one may become that of a file that the kernel has dated.
NAMES = (b"a", b"b", b"c", b"new\nline", b"\\#012")
#: How an archive is unpacked: modes and owners as they are there. Python 3.11.2 asks no such thing.
AS_IT_IS: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}

DATES = (10**18, 10**18 + 1, 2 * 10**18)
#: How many files there may be.
MOST = 100
CONTENTS = (b"one....", b"two....", b"three..")
_LIBC = ctypes.CDLL(None, use_errno=True)
_EXCHANGE = 2


class Source:
    """A source, and what can be done to it without a new size or date. `beside` is not watched."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.hear: Callable[[], object] = lambda: None  # returns when events so far were read
        self.root = os.fsencode(folder / "source")
        self.beside = os.fsencode(folder / "beside")
        self.dice = random.Random(seed)
        self.done: list[object] = []
        for top in (self.root, self.beside):
            os.mkdir(top)
        for name in NAMES[:3]:
            os.mkdir(os.path.join(self.root, name))
            self.fill(os.path.join(self.root, name, b"a"))

    # ---- what there is --------------------------------------------------------------------

    def files(self) -> list[bytes]:
        return sorted(os.path.join(at, n) for at, _, names in os.walk(self.root) for n in names)

    def folders(self) -> list[bytes]:
        return sorted(at for at, _, _ in os.walk(self.root))

    def file(self) -> bytes:
        """A file that is there, or a new one."""
        return self.dice.choice([*self.files(), self.place()])

    def folder(self) -> bytes:
        """A directory of the source that is not its top."""
        return self.dice.choice([path for path in self.folders() if path != self.root])

    def place(self) -> bytes:
        """A path for a file."""
        while True:
            path = os.path.join(self.dice.choice(self.folders()), self.dice.choice(NAMES))
            if not os.path.isdir(path):
                return path

    def fill(self, path: bytes) -> bytes:
        """Write a file in place, and put its date back."""
        with open(path, "wb") as file:
            file.write(self.dice.choice(CONTENTS))
        date = self.dice.choice(DATES)
        os.utime(path, ns=(date, date))
        return path

    def elsewhere(self) -> bytes:
        """A path outside of the source."""
        return os.path.join(self.beside, b"%d" % self.dice.randrange(10**12))

    def tree(self, top: bytes) -> bytes:
        """A directory with the usual names in it."""
        os.mkdir(top)
        for name in self.dice.sample(NAMES, 3):
            self.fill(os.path.join(top, name))
        os.utime(top, ns=(DATES[0], DATES[0]))
        return top

    # ---- what is done ---------------------------------------------------------------------

    def write(self) -> None:
        self.fill(self.file())

    def write_and_keep_open(self) -> None:
        """The date is put back while the file is open; it is closed when that was heard."""
        path = self.file()
        with open(path, "r+b" if os.path.exists(path) else "wb") as file:
            file.write(self.dice.choice(CONTENTS))
            file.flush()
            os.utime(file.fileno(), ns=(DATES[0], DATES[0]))
            self.hear()

    def put(self) -> None:
        """What is ready comes from elsewhere under the name of what is there: mv new live."""
        os.replace(self.fill(self.elsewhere()), self.file())

    def put_from_here(self) -> None:
        new = self.fill(self.place())
        os.replace(new, self.file())

    def swap(self) -> None:
        one, other = self.file(), self.file()
        between = self.elsewhere() if self.dice.random() < 0.5 else one + b"~"
        os.replace(one, between)
        os.replace(other, one)
        os.replace(between, other)

    def exchange(self) -> None:
        """Two files or directories change places at once."""
        choose = self.dice.choice((self.file, self.folder))
        one, other = choose(), choose()
        _LIBC.renameat2(-100, one, -100, other, _EXCHANGE)

    def swap_folders(self) -> None:
        one, other = self.folder(), self.folder()
        between = self.elsewhere() if self.dice.random() < 0.5 else one + b"~"
        os.rename(one, between)
        try:
            os.rename(other, one)
        except OSError:
            os.rename(between, one)
        else:
            os.rename(between, other)

    def rename_folder(self) -> None:
        path = self.folder()
        os.rename(path, os.path.join(os.path.dirname(path), self.dice.choice(NAMES)))

    def replace_folder(self) -> None:
        """A directory gives way to another with the same names and dates."""
        path, new = self.folder(), self.tree(self.elsewhere())
        if self.dice.random() < 0.5:
            remove(path)
        else:
            os.rename(path, self.elsewhere())
        os.rename(new, path)

    def change_elsewhere(self) -> None:
        """A directory is taken out, changed where nobody looks, and brought back."""
        path, out = self.folder(), self.elsewhere()
        os.rename(path, out)
        for name in os.listdir(out):
            if os.path.isfile(os.path.join(out, name)):
                self.fill(os.path.join(out, name))
        os.rename(out, path)

    def unpack(self) -> None:
        """An archive is unpacked over what is there."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name in self.dice.sample(NAMES, 3):
                member = tarfile.TarInfo(os.fsdecode(name))
                content = self.dice.choice(CONTENTS)
                member.size, member.mtime = len(content), DATES[0] // 10**9
                tar.addfile(member, io.BytesIO(content))
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            tar.extractall(os.fsdecode(self.dice.choice(self.folders())), **AS_IT_IS)

    def copy(self) -> None:
        shutil.copy2(self.file(), self.file())

    def copy_folder(self) -> None:
        path, other = self.folder(), self.folder()
        if not (other + b"/").startswith(path + b"/"):
            shutil.copytree(path, other, dirs_exist_ok=True)

    def delete(self) -> None:
        os.unlink(self.dice.choice(self.files()))

    def delete_and_make(self) -> None:
        path = self.dice.choice(self.files())
        os.unlink(path)
        self.fill(path)

    def chmod(self) -> None:
        os.chmod(self.file(), self.dice.choice((0o600, 0o644)))

    def make_folder(self) -> None:
        self.tree(self.place())

    # ---- a round --------------------------------------------------------------------------

    def act(self) -> None:
        """Do something; what cannot be done is left."""
        action = self.dice.choice(ACTIONS)
        self.done.append(action)
        with contextlib.suppress(OSError, IndexError):  # not there, or in the way
            getattr(self, action)()
        if len(self.files()) > MOST:
            remove(self.folder())
        while not self.files() or len(self.folders()) < 3:
            with contextlib.suppress(OSError):
                self.tree(self.place())

    def contents(self, top: Path) -> dict[bytes, bytes | None]:
        """What is in the files of a tree, by their paths; None are directories."""
        found: dict[bytes, bytes | None] = {}
        start = os.fsencode(top)
        for at, folders, names in os.walk(start):
            found |= {os.path.relpath(os.path.join(at, name), start): None for name in folders}
            for name in names:
                path = os.path.join(at, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, start)] = file.read()
        return found


ACTIONS = (
    *("write", "write", "write_and_keep_open", "put", "put", "put_from_here", "swap", "swap"),
    *("exchange", "exchange", "swap_folders", "swap_folders", "rename_folder", "rename_folder"),
    *("replace_folder", "replace_folder", "change_elsewhere", "unpack", "unpack", "copy"),
    *("copy_folder", "delete", "delete_and_make", "chmod", "make_folder"),
)


def kill_runs(daemon: Daemon) -> None:
    """Let the runs that are at work fail."""
    runs = [pid for pid in processes.children(daemon.pid) if "rsync" in processes.command(pid)[:1]]
    with contextlib.suppress(OSError):
        processes.kill(runs)


@pytest.mark.timeout(600 if DEEP else 120)
@pytest.mark.parametrize("seed", SEEDS)
def test_after_wait_no_content_differs(
    request: pytest.FixtureRequest, inosync: Callable[..., Daemon], tmp_path: Path, seed: int
) -> None:
    source = Source(tmp_path, seed)
    places = [place_on(request, transport) for transport in ("local", "daemon", "ssh")]
    mirrors: list[Path] = []
    nodes = []
    for place in places:
        for scope in ("tree", "changes"):
            nodes.append({"node": f"{place.node}{scope}/", "rscope": scope})
            mirrors.append(place.root / scope)
            mirrors[-1].mkdir()
    socket = str(tmp_path / "run" / "socket")
    (tmp_path / "run").mkdir()
    daemon = inosync(
        {
            "wpath": f"{os.fsdecode(source.root)}/",
            "rnodes": nodes,
            "edelay": 0.0 if seed % 2 else "auto",
            "rretry": (0.05, 0.1),
            "rlate": 0.3,
            "socket": socket,
            "pidfile": f"{socket}.pid",
        },
        environment=places[-1].environment,
    )
    source.hear = lambda: ask([(socket, None)], "status")
    for number in range(ROUNDS):
        source.done.clear()
        fails = source.dice.random() < 0.15
        for _ in range(source.dice.randint(1, 10)):
            source.act()
            if source.dice.random() < 0.3:
                source.hear()
            if fails and source.dice.random() < 0.3:
                kill_runs(daemon)
        answer = ask([(socket, None)], "wait", timeout=100, seconds=90, node="")
        assert answer["synced"], (number, answer, source.done, daemon.log()[-3000:])
        wanted = source.contents(Path(os.fsdecode(source.root)))
        for mirror in mirrors:
            found = source.contents(mirror)
            differ = {p for p in {*wanted, *found} if wanted.get(p, b"") != found.get(p, b"")}
            assert not differ, (number, mirror, differ, source.done, daemon.log()[-6000:])


@pytest.mark.timeout(600 if DEEP else 120)
@pytest.mark.parametrize("seed", SEEDS[:1])
def test_after_a_kill_and_another_start_no_content_differs(
    request: pytest.FixtureRequest, inosync: Callable[..., Daemon], tmp_path: Path, seed: int
) -> None:
    """Killed at any moment of a first pass, or of what follows a start; its runs stay behind."""
    source = Source(tmp_path, seed)
    for number in range(40):
        for name in NAMES:
            folder = os.path.join(source.root, b"more", b"%d" % number)
            os.makedirs(folder, exist_ok=True)
            source.fill(os.path.join(folder, name))
    root = Path(os.fsdecode(source.root))
    mirrors, nodes = [], []
    for place in [place_on(request, transport) for transport in ("local", "daemon")]:
        for scope in ("tree", "changes"):
            nodes.append({"node": f"{place.node}{scope}/", "rscope": scope})
            mirrors.append(place.root / scope)
            mirrors[-1].mkdir()
    socket = str(tmp_path / "socket")
    own = {"edelay": 0.0, "rretry": (0.05, 0.1), "rlate": 0.3}
    own |= {"socket": socket, "pidfile": f"{socket}.pid"}
    daemon = inosync({"wpath": f"{root}/", "rnodes": nodes} | own)
    for number in range(KILLS):
        source.done.clear()
        daemon.kill()
        if source.dice.random() < 0.5:  # nothing is remembered, and nothing is there
            shutil.rmtree(daemon.folder / "state", ignore_errors=True)
            for mirror in mirrors:
                while mirror.exists():  # runs that were left behind may still be at work there
                    shutil.rmtree(mirror, ignore_errors=True)
                mirror.mkdir()
        after = source.dice.uniform(0, LATEST)
        until = time.monotonic() + after
        daemon.start(ready=False)
        while (left := until - time.monotonic()) > 0:
            source.act()
            time.sleep(min(left, source.dice.uniform(0, 0.3)))
        daemon.kill()
        for _ in range(source.dice.randint(0, 5)):
            source.act()
        daemon.start()
        answer = ask([(socket, None)], "wait", timeout=100, seconds=90, node="")
        assert answer["synced"], (number, answer, source.done, daemon.log()[-3000:])
        for mirror in mirrors:
            differ = compare(root, mirror)
            assert not differ, (number, after, mirror, differ, source.done, daemon.log()[-6000:])
