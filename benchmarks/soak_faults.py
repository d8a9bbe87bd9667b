"""What can go wrong while the daemon works: one function for each kind of fault.

A fault is given the world and a dice of its own and does its damage; what has to be mended is
handed to the world for later. It returns whether it could do anything: there may be no run to kill.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from soak_source import KEEP
from support import processes
from support.servers import RsyncDaemon, Server, SshServer
from support.trees import remove, write

from inosync.engine.memory import decode, encode

if TYPE_CHECKING:
    from soak_world import Node, World

_BROKEN = ("wpath = \n", "wpath = '/nonexistent'\nrnode = ['x:/y']\n", "raise SystemExit\n")
_EXCLUDES = (["*.skip", "n1*"], ["/bursts/"], ["+ n2*", "n*"], ["bursts/", "- *old*"])


# ---- nodes ----------------------------------------------------------------------------------


def node_stopped(world: World, dice: random.Random) -> bool:
    """A server is killed with all it serves; it comes back later."""
    node = _well_node(world, dice, RsyncDaemon, SshServer)
    if node is None or node.server is None:
        return False
    node.server.stop()
    node.broken = True
    world.later(dice.choice((1, 3, 8, 15)), lambda: _started(node))
    return True


def _started(node: Node) -> None:
    assert node.server is not None
    node.server.start()
    node.broken = False


def node_frozen(world: World, dice: random.Random) -> bool:
    """A server and all it serves stop to answer, without a word; they go on later."""
    node = _well_node(world, dice, RsyncDaemon, SshServer)
    if node is None or node.server is None:
        return False
    pid = _pid(node.server)
    frozen = [pid]
    processes.kill(frozen, signal.SIGSTOP)
    frozen += processes.descendants(pid)
    processes.kill(frozen, signal.SIGSTOP)
    node.broken = True
    # The longest is longer than rtimeout: those runs are given up.
    world.later(dice.choice((2, 5, 10, 60)), lambda: _thawed(node, frozen))
    return True


def _thawed(node: Node, frozen: list[int]) -> None:
    processes.kill(reversed(frozen), signal.SIGCONT)
    node.broken = False


def _pid(server: Server) -> int:
    assert server._process is not None
    return server._process.pid


def local_node_gone(world: World, dice: random.Random) -> bool:
    """Where a local mirror should be, nothing can be written: a disk that is not mounted, say."""
    node = _well_node(world, dice)
    if node is None:
        return False
    above = node.root.parent
    away = above.with_name(above.name + " away")
    above.rename(away)
    while not above.is_file():
        with contextlib.suppress(IsADirectoryError):
            above.write_bytes(b"")
            break
        shutil.rmtree(above, ignore_errors=True)  # the daemon was quicker, and fills it again
    node.broken = True

    def back() -> None:
        above.unlink()
        while away.exists():
            with contextlib.suppress(OSError):
                away.rename(above)
                break
            shutil.rmtree(above, ignore_errors=True)  # the daemon was quicker here, too
        node.broken = False

    world.later(dice.choice((1, 4, 10)), back)
    return True


def changed_by_hand(world: World, dice: random.Random) -> bool:
    """Somebody works on a mirror: what any later pass repairs."""
    # With scope "changes" it would be repaired by the next full pass, perhaps tomorrow.
    nodes = [node for node in world.nodes if node.scope == "tree" and not node.broken]
    mirrors = [node.mirror(source) for node in nodes for source in world.sources]
    if not mirrors:
        return False
    top = os.fsencode(dice.choice(mirrors))
    for _ in range(dice.randint(1, 5)):
        paths = sorted(
            os.path.join(folder, name)
            for folder, folders, files in os.walk(top)
            for name in (*folders, *files)
            if name != os.fsencode(KEEP)
        )
        if not paths:
            break
        path = dice.choice(paths)
        action = dice.choice((_strayed, _appended, _chmodded, remove, _changed_kind))
        with contextlib.suppress(OSError):  # runs are at work on the same files
            action(path)
    for source in world.sources:
        write(source.root, "tick", dice.randbytes(8))  # no event tells, but the next pass repairs
    return True


def _strayed(path: bytes) -> None:
    write(os.path.dirname(path), b"a stray/file", b"x")


def _appended(path: bytes) -> None:
    if os.path.isfile(path) and not os.path.islink(path):
        with open(path, "ab") as file:
            file.write(b"by hand")


def _chmodded(path: bytes) -> None:
    if not os.path.islink(path):
        os.chmod(path, 0o700)


def _changed_kind(path: bytes) -> None:
    remove(path)
    write(path, b"a directory here", b"x")


def _well_node(world: World, dice: random.Random, *kinds: type[Server]) -> Node | None:
    """Return a node that works, with a server of one of these kinds; without kinds, a local one."""
    nodes = [
        node
        for node in world.nodes
        if not node.broken and (isinstance(node.server, kinds) if kinds else node.server is None)
    ]
    return dice.choice(nodes) if nodes else None


# ---- runs and the daemon --------------------------------------------------------------------


def run_killed(world: World, dice: random.Random) -> bool:
    """kill -9 of an rsync that runs: the daemon's child, or what that has started itself."""
    for _ in range(100):
        running = world.running()
        if running:
            victim = dice.choice(running)
            family = [victim, *processes.descendants(victim)]
            processes.kill([dice.choice(family)])
            return True
        time.sleep(0.02)
    return False


def daemon_killed(world: World, dice: random.Random) -> bool:
    """kill -9 of the daemon. Its runs live on; changes go on while nobody watches."""
    if dice.random() < 0.5:
        world.source(dice).do("unpack", dice)
    world.end(kill=True)
    for _ in range(dice.randint(0, 3)):
        world.source(dice).do("churn", dice)
    world.begin()
    return True


def daemon_stopped(world: World, dice: random.Random) -> bool:
    """TERM, and a new start."""
    if dice.random() < 0.5:
        world.source(dice).do("unpack", dice)
    world.end()
    for _ in range(dice.randint(0, 3)):
        world.source(dice).do("churn", dice)
    world.begin()
    return True


def clock_set(world: World, dice: random.Random) -> bool:
    """The clock is set on or back, by more or less than it goes on until the next start.

    What the daemon remembers is moved instead, so that it lies as far from all that happens now.
    """
    back = dice.choice((2, 5, 60, 3600, -2, -60, -3600)) * 10**9
    if dice.random() < 0.5:
        world.source(dice).do("unpack", dice)
    world.end(kill=dice.random() < 0.3)
    for path in (world.daemon.folder / "state").iterdir():
        known, _ = decode(path.read_bytes())
        for name, one in known.items():
            ahead = None if one.ahead is None else one.ahead + back
            moment, highest = max(0, one.moment + back), max(0, one.highest + back)
            known[name] = replace(one, moment=moment, highest=highest, ahead=ahead)
        path.write_bytes(encode(known))
    for _ in range(dice.randint(1, 3)):
        world.source(dice).do(dice.choice(("churn", "swap", "move in", "rename folder")), dice)
    time.sleep(dice.choice((0, 0, 1, 3)))
    world.begin()
    return True


def queue_overflow(world: World, dice: random.Random) -> bool:
    """The daemon gets no processor while more happens than the kernel's queue holds."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000 or "held" in world.status().text:  # nobody watches what is held
        return False
    if world.watch == "fanotify":  # whose events of one file are one
        return False
    source = world.source(dice)
    before = world.logged("queue overflowed")
    world.daemon.signal(signal.SIGSTOP)
    try:
        source.flood(limit + 500)
        # No event tells of these.
        for operation in ("churn", "swap", "move in", "rename folder", "unpack", "move out"):
            source.do(operation, dice)
    finally:
        world.daemon.signal(signal.SIGCONT)
    world.wait_for_log("queue overflowed", before)
    return True


# ---- the config -----------------------------------------------------------------------------


def hup_same(world: World, dice: random.Random) -> bool:
    """HUP with nothing changed, in the midst of everything; sometimes several."""
    for _ in range(dice.choice((1, 1, 5))):
        world.daemon.hup()
    return True


def hup_without_node(world: World, dice: random.Random) -> bool:
    """A node leaves the config; it comes back later, or at once."""
    listed = [node for node in world.nodes if node.listed]
    if len(listed) < 2:
        return False
    node = dice.choice(listed)
    node.listed = False
    world.reload()

    def back() -> None:
        node.listed = True
        world.reload()

    delay = dice.choice((0, 1, 6))
    if delay:
        world.later(delay, back)
    else:
        back()
    return True


def hup_other_excludes(world: World, dice: random.Random) -> bool:
    """Other rules for a while; what they hid is owed when they are gone."""
    world.excludes = list(dice.choice(_EXCLUDES))
    world.reload()

    def back() -> None:
        world.excludes = []
        world.reload()

    world.later(dice.choice((1, 3, 6)), back)
    return True


def hup_broken_config(world: World, dice: random.Random) -> bool:
    """HUP with a config that is wrong: the old one stays in force."""
    message = "the config is wrong, the old one stays in force"
    before = world.logged(message)
    world.daemon.configure(dice.choice(_BROKEN))
    world.daemon.hup()
    world.wait_for_log(message, before)
    world.configure()
    return True


def usr2(world: World, dice: random.Random) -> bool:
    """Somebody wants a full pass."""
    world.daemon.signal(signal.SIGUSR2)
    return True


# ---- sources --------------------------------------------------------------------------------


def source_away(world: World, dice: random.Random) -> bool:
    """A source is renamed, changed where it is, and renamed back."""
    source = world.source(dice)
    away = source.root.with_name("away")
    world.status()  # counts begin anew when it comes back
    source.root.rename(away)
    pause = dice.choice((0.0, 0.3, 1.0, 6.0))
    write(away, f"written away {pause}", dice.randbytes(20))
    time.sleep(pause)
    world.check_kept()
    away.rename(source.root)
    return True


FAULTS: dict[str, Callable[[World, random.Random], bool]] = {
    "node stopped": node_stopped,
    "node frozen": node_frozen,
    "local node gone": local_node_gone,
    "mirror changed by hand": changed_by_hand,
    "rsync killed": run_killed,
    "daemon killed": daemon_killed,
    "daemon stopped": daemon_stopped,
    "clock set while it is down": clock_set,
    "queue overflow": queue_overflow,
    "HUP, same config": hup_same,
    "HUP, node removed": hup_without_node,
    "HUP, other excludes": hup_other_excludes,
    "HUP, broken config": hup_broken_config,
    "USR2": usr2,
    "source renamed away": source_away,
}

#: Those that end a life of the daemon.
RESTARTS = frozenset({"daemon killed", "daemon stopped", "clock set while it is down"})
