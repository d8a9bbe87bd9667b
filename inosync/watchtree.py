"""The tree of watches: one watch on each directory of a source, wherever renames take it.

Owns which directory has which watch descriptor (wd), what it is called and in which directory it
lies. Knows nothing of buffers, of what an event means to a mirror, or of who asks. Its door to
inotify(7) are two functions, `add` and `remove`.

What keeps it exact, however late the events are read:

- A watch belongs to an inode; a path leads to whatever lies there just now. So a directory is
  opened by its path once, and asked whether it is the right one: to watch what is open (by
  /proc/self/fd) returns the wd that the inode has. From then on only the descriptor is used.
- "X lies in P and is called N" is believed only when N, looked up through P's own descriptor, led
  to X *after* X had its watch. Whatever takes X away later raises IN_MOVE_SELF or IN_IGNORED on X,
  and whatever arrives in P raises IN_CREATE or IN_MOVED_TO on P.
- So no event is taken for a fact. It names what is to be looked up: a name in a directory, or a
  directory's own place. What cannot be looked up, because the path leads elsewhere until more
  events are read, is kept for later. What is not in its place, and was found in no other, has left,
  and its watches are removed. If that was wrong, it is found again, as something new.
- What is found new is reported once more when everything below it is watched. Until then it could
  change unseen.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from inosync.events import Move
from inosync.filters import Filters
from inosync.text import printable

_ONLYDIR = 0x0100_0000
# Without it, the kernel empties the mask of a watch that exists before it sets the same again
# (inotify_update_existing_watch() in fs/notify/inotify/inotify_user.c), and what happens in between
# on another processor is reported to nobody.
_MASK_ADD = 0x2000_0000

_ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK

#: Not an errno: the file system that was mounted here is gone.
_UNMOUNTED = 0
#: The name leads nowhere, or to something that is no directory, or (ours) to another directory.
_ELSEWHERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE})

_REASONS = {
    errno.EACCES: "permission denied: let the daemon's user read and enter it, or exclude it",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n, or LimitNOFILE= of the unit)",
    errno.ENAMETOOLONG: "its path is longer than the 4096 bytes that programs can name",
    _UNMOUNTED: "the file system that was mounted there was unmounted",
}

#: File systems that keep the link count of directories; others show 1, or 2 for each.
_COUNTING = frozenset({b"ext2", b"ext3", b"ext4", b"xfs", b"tmpfs"})

#: In a task: the directory itself is to be listed, and all its subdirectories to be looked up.
_ITSELF = b""


class Node:
    """A watched directory. ``parent`` is None for the root, and for what is not in the tree."""

    __slots__ = ("name", "parent", "wd")

    def __init__(self, parent: Node | None, name: bytes, wd: int) -> None:
        self.parent = parent
        self.name = name
        self.wd = wd


@dataclass(slots=True)
class _Task:
    """Names to look up in one directory.

    ``fresh``: the directory is new itself, so what is found in it needs no report of its own.
    ``deep``: what is known already is listed anew.
    """

    names: set[bytes]
    fresh: bool = False
    deep: bool = False


class WatchTree:
    """The watches of one source. OSError when its root cannot be watched.

    ``add(path, mask)`` is inotify_add_watch(2) and returns the wd, or the errno negated;
    ``remove(wd)`` is inotify_rm_watch(2), for which an unknown wd is no error. ``prefix`` is the
    root's path. Everything else is done in :meth:`advance`; the other methods only take notes.
    """

    def __init__(
        self,
        prefix: bytes,
        *,
        filters: Filters,
        mask: int,
        add: Callable[[bytes, int], int],
        remove: Callable[[int], object],
    ) -> None:
        # With a slash at its end, a path that is a symlink is followed: the root may be one.
        self._prefix = prefix.rstrip(b"/") + b"/"
        self._filters = filters
        # Rules that look at whole paths may judge everything below a renamed directory anew.
        self._judges_paths = any(not rule.by_name for rule in filters.rules)
        self._mask = mask | _ONLYDIR | _MASK_ADD
        self._add = add
        self._remove = remove
        self.nodes: dict[int, Node] = {}
        self.unwatched: dict[Node, dict[bytes, int]] = {}  # why: an errno
        self._tasks: dict[Node, _Task] = {}
        self._later: dict[Node, _Task] = {}  # of directories whose path leads elsewhere
        self._doubted: set[Node] = set()  # perhaps no longer where they were
        self._unproved: set[Node] | None = None  # while all is listed anew: not found yet
        self._once_more = False  # list all anew after that
        self._new: list[Node] = []  # to be reported when all below is watched
        self._reports: list[Node] = []
        self._moves: list[Move] = []
        self._problems: list[str] = []
        self._limit_told = False  # once, not for each directory beyond it
        self._unmounted: list[tuple[Node, bytes]] = []
        self._unlocked: set[Node] = set()  # perhaps more can be reached below these
        self._stirred = False  # something happened that may put a path right
        self._placed = False  # a path was put right
        self._left = False  # some nodes are cut off from the root
        self.root, self.identity = self._watch_root()
        # The device on which st_nlink tells that a directory has no subdirectories.
        self._counts_links = self.identity[0] if _counts_links(self.identity[0]) else None
        self._plan(self.root, _ITSELF, fresh=True)

    def _watch_root(self) -> tuple[Node, tuple[int, int]]:
        descriptor = os.open(self._prefix, _ENTER)
        try:
            wd = self._add(b"/proc/self/fd/%d" % descriptor, self._mask)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if wd < 0:
            raise OSError(-wd, os.strerror(-wd))
        root = self.nodes[wd] = Node(None, b"", wd)
        return root, (status.st_dev, status.st_ino)

    # ---- what is known ----------------------------------------------------------------------

    def path(self, node: Node) -> bytes | None:
        """Return the path relative to the root, ``b""`` for the root; None when cut off from it."""
        parts = []
        while node.parent is not None:
            parts.append(node.name)
            node = node.parent
        if node is not self.root:
            return None
        parts.reverse()
        return b"/".join(parts)

    def reasons(self) -> Iterator[tuple[bytes, str]]:
        """Yield each directory that should be watched and is not, and why."""
        for parent, names in self.unwatched.items():
            directory = self.path(parent)
            if directory is not None:
                for name, code in names.items():
                    yield _join(directory, name), reason(code)

    def root_error(self) -> int:
        """Return 0 when the root's path leads to the directory that is watched, else an errno."""
        descriptor = self._open(self.root)
        if descriptor < 0:
            return -descriptor
        os.close(descriptor)
        return 0

    # ---- what events and others say -----------------------------------------------------------

    def appeared(self, wd: int, name: bytes) -> None:
        """A directory was created in, or moved to, the directory of `wd`."""
        node = self.nodes.get(wd)
        if node is not None:
            self._stirred = True
            self._plan(node, name)

    def vanished(self, wd: int, name: bytes) -> None:
        """A directory was deleted, or moved away, from the directory of `wd`."""
        node = self.nodes.get(wd)
        if node in self.unwatched:
            self._watchable(node, name)

    def moved(self, wd: int) -> None:
        """The directory of `wd` was renamed."""
        node = self.nodes.get(wd)
        if node is None or node is self.root:
            return
        self._stirred = True
        self._doubted.add(node)
        if node.parent is not None:
            self._plan(node.parent, node.name)

    def permitted(self, wd: int, name: bytes) -> None:
        """The permissions of a directory changed: `name`, or that of `wd` when there is none."""
        node = self.nodes.get(wd)
        if node is None or not self.unwatched:
            return
        if not name:
            self._unlocked.add(node)
        elif name in self.unwatched.get(node, ()):
            self._plan(node, name)

    def unmounted(self, wd: int) -> None:
        """The file system that the directory of `wd` was on is gone."""
        node = self.nodes.get(wd)
        if node is not None and node.parent is not None:
            self._unmounted.append((node.parent, node.name))

    def ignored(self, wd: int) -> None:
        """The kernel dropped this watch: the directory was deleted or unmounted."""
        node = self.nodes.pop(wd, None)
        if node is None:
            return
        node.parent = None
        self.unwatched.pop(node, None)
        self._doubted.discard(node)
        if self._unproved is not None:
            self._unproved.discard(node)

    def reconcile(self) -> None:
        """Events were lost: compare the whole tree with the watches, and keep what is right.

        It runs to its end before it starts again: one that started over with each overflow would
        never come to the deeper directories of a busy tree.
        """
        if self._unproved is not None:
            self._once_more = True
            return
        self._unproved = set(self.nodes.values()) - {self.root}
        self._plan(self.root, _ITSELF, deep=True)

    def retry_unwatched(self) -> None:
        """Try the directories again that could not be watched."""
        self._limit_told = False
        for parent, names in self.unwatched.items():
            self._plan(parent, *names, deep=_ITSELF in names)

    def take_reports(self) -> list[Node]:
        """Return, once, the directories below which anything may have changed."""
        reports, self._reports = self._reports, []
        return reports

    def take_moves(self) -> list[Move]:
        """Return, once, the directories that were found under another path than they had.

        Both paths as they were known then. An event pairs the two by a cookie (inotify(7)), but of
        a directory that is moved into one without a watch yet only the first half is reported.
        """
        moves, self._moves = self._moves, []
        return moves

    def take_problems(self) -> list[str]:
        """Return, once, a line for each directory that turned out not to be watchable."""
        problems, self._problems = self._problems, []
        return problems

    @property
    def pending(self) -> bool:
        """Whether :meth:`advance` has work that no event will announce."""
        return bool(self._tasks) or self._once_more

    @property
    def untold(self) -> bool:
        """Whether reports or problems wait to be taken."""
        return bool(self._reports or self._problems)

    # ---- the work -----------------------------------------------------------------------------

    def advance(self, limit: int) -> bool:
        """Look up about `limit` directories at most; return True when nothing is left to do."""
        if self._stirred:
            self._stirred = False
            self._retry_later()
        while self._tasks or self._settle():
            if limit <= 0:
                return False
            # The newest first: what events name comes before what is left of a long walk.
            node, task = self._tasks.popitem()
            limit -= self._run(node, task, limit)
        return True

    def _plan(self, node: Node, *names: bytes, fresh: bool = False, deep: bool = False) -> None:
        _merge(self._tasks, node, _Task(set(names), fresh, deep))

    def _retry_later(self) -> None:
        later, self._later = self._later, {}
        for node, task in later.items():
            _merge(self._tasks, node, task)

    def _retry_unlocked(self) -> None:
        """Try again what is below directories whose permissions or paths have changed."""
        for parent, names in self.unwatched.items():
            node: Node | None = parent
            while node is not None and node not in self._unlocked:
                node = node.parent
            if node is not None:
                # Where watches are the matter, only time or a person can help.
                others = [name for name, code in names.items() if code != errno.ENOSPC]
                self._plan(parent, *others, deep=_ITSELF in others)
        self._unlocked.clear()

    def _settle(self) -> bool:
        """All is looked up: decide what has left. Return whether that made new tasks."""
        if self._placed:
            self._placed = False
            self._retry_later()
        if self._unlocked:
            self._retry_unlocked()
        if self._tasks:
            return True
        for node in self._doubted | (self._unproved or set()):
            self._cut_off(node)
        self._doubted.clear()
        self._unproved = None
        if self._left:
            self._drop_cut_off()
        for parent, name in self._unmounted:
            if self.nodes.get(parent.wd) is parent:
                self._failed(parent, name, _UNMOUNTED)
        self._unmounted.clear()
        self._reports += self._new
        self._new.clear()
        if self._once_more:
            self._once_more = False
            self.reconcile()
        return bool(self._tasks)

    def _run(self, node: Node, task: _Task, limit: int) -> int:
        """Do at most `limit` of a task; return how much was done."""
        if self.nodes.get(node.wd) is not node:
            return 1
        descriptor = self._open(node)
        if descriptor < 0:
            self._not_entered(node, task, -descriptor)
            return 1
        filtered = bool(self._filters.rules)
        path = self.path(node)
        below = path + b"/" if path else b""
        done = 0
        try:
            while task.names and done < limit:
                done += 1
                name = task.names.pop()
                if name == _ITSELF:
                    self._list_known(node, descriptor, task)
                elif not filtered or self._filters.admits(below + name, directory=True):
                    self._look(node, descriptor, name, task)
                elif task.deep:
                    self._leave_out(node, descriptor, name)
        finally:
            os.close(descriptor)
        if task.names:
            _merge(self._tasks, node, task)
        return done

    def _open(self, node: Node) -> int:
        """Return a descriptor of this very directory, or an errno negated.

        That is ESTALE when its path leads to another directory.
        """
        path = self.path(node)
        if path is None:
            return -errno.ESTALE
        try:
            # By its dot: one that may be listed but not searched is as good as closed.
            descriptor = os.open(self._prefix + path + b"/.", _ENTER)
        except OSError as error:
            return -(error.errno or errno.EIO)
        if self._is(descriptor, node.wd):
            return descriptor
        os.close(descriptor)
        return -errno.ESTALE

    def _is(self, descriptor: int, wd: int) -> bool:
        """Return whether `wd` is the watch of the directory that is open."""
        found = self._add(b"/proc/self/fd/%d" % descriptor, self._mask)
        if found != wd:
            self._forget(found)
        return found == wd

    def _forget(self, wd: int) -> None:
        """Give back a watch that was made by asking for the wd of a directory without one."""
        if wd >= 0 and wd not in self.nodes:
            self._remove(wd)

    def _not_entered(self, node: Node, task: _Task, code: int) -> None:
        if code not in _ELSEWHERE:
            self._failed(node, _ITSELF, code)  # whatever the names lead to: all of it, then
        else:
            # By the time it is found, the report of what it was part of may have been made.
            task.fresh = False
            _merge(self._later, node, task)

    def _list_known(self, node: Node, descriptor: int, task: _Task) -> None:
        try:
            names = _subdirectories(descriptor)
        except OSError as error:
            self._failed(node, _ITSELF, error.errno or errno.EIO)
            return
        for name in self.unwatched.get(node, {}).keys() - names:
            self._watchable(node, name)
        task.names |= names

    def _look(self, parent: Node, descriptor: int, name: bytes, task: _Task) -> None:
        """Find out which directory `name` is, in the parent that is open."""
        try:
            inner = os.open(name, _ENTER, dir_fd=descriptor)
        except OSError as error:
            self._failed(parent, name, error.errno or errno.EIO)
            return
        try:
            wd = self._add(b"/proc/self/fd/%d" % inner, self._mask)
            node = self.nodes.get(wd)
            if wd < 0:
                self._failed(parent, name, -wd)
            elif node is None:
                self._meet(parent, descriptor, name, inner, wd, fresh=task.fresh)
            else:
                self._place(node, parent, name, deep=task.deep)
        finally:
            os.close(inner)

    def _meet(
        self, parent: Node, descriptor: int, name: bytes, inner: int, wd: int, *, fresh: bool
    ) -> None:
        """The directory that is open as `inner` has its first watch, and perhaps is still there."""
        try:
            status = os.fstat(inner)
            # It may have left before the watch was made, without a word.
            there = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if not os.path.samestat(there, status):
                self._remove(wd)
                return
            # Each subdirectory has a link, "..", to it; where they are counted, at least.
            leaf = status.st_nlink == 2 and status.st_dev == self._counts_links
            names = None if leaf else _subdirectories(inner)
        except OSError as error:
            self._remove(wd)
            self._failed(parent, name, error.errno or errno.EIO)
            return
        if self.unwatched:
            self._watchable(parent, name)
        node = self.nodes[wd] = Node(parent, name, wd)
        if not fresh:
            self._new.append(node)
        if names:
            self._tasks[node] = _Task(names, fresh=True)

    def _place(self, node: Node, parent: Node, name: bytes, *, deep: bool) -> None:
        """A known directory was found in `parent` as `name`."""
        above: Node | None = parent
        while above is not None:
            if above is node:  # so the parent's place is out of date: an event will tell
                self._not_entered(parent, _Task({name}, deep=deep), errno.ESTALE)
                return
            above = above.parent
        self._watchable(parent, name)
        self._doubted.discard(node)
        if self._unproved is not None and node in self._unproved:
            self._unproved.remove(node)
            deep = True
        if node.parent is not parent or node.name != name:
            before = self.path(node)
            node.parent, node.name = parent, name
            after = self.path(node)
            if before and after and before != after:
                self._moves.append(Move(before, after))
            self._placed = True
            self._new.append(node)
            deep |= self._judges_paths
            if self.unwatched:
                self._unlocked.add(node)
        if deep:
            self._plan(node, _ITSELF, deep=True)

    def _leave_out(self, parent: Node, descriptor: int, name: bytes) -> None:
        """Drop the watches on an excluded directory, which a rename may have made one."""
        self._watchable(parent, name)
        with contextlib.suppress(OSError):
            inner = os.open(name, _ENTER, dir_fd=descriptor)
            wd = self._add(b"/proc/self/fd/%d" % inner, self._mask)
            os.close(inner)
            self._forget(wd)
            node = self.nodes.get(wd)
            if node is not None and node is not self.root:
                self._cut_off(node)

    def _cut_off(self, node: Node) -> None:
        node.parent = None
        self._left = True

    def _drop_cut_off(self) -> None:
        """Remove the watches of everything that is not below the root any more."""
        self._left = False
        for node in [node for node in self.nodes.values() if self._top(node) is not self.root]:
            self.ignored(node.wd)
            self._remove(node.wd)

    def _top(self, node: Node) -> Node:
        while node.parent is not None:
            node = node.parent
        return node

    # ---- what cannot be watched -----------------------------------------------------------------

    def _watchable(self, parent: Node, name: bytes) -> None:
        names = self.unwatched.get(parent)
        if names is not None and names.pop(name, None) is not None and not names:
            del self.unwatched[parent]

    def _failed(self, parent: Node, name: bytes, code: int) -> None:
        """Take note that a directory cannot be watched, unless there is none by that name."""
        if code in _ELSEWHERE:
            self._watchable(parent, name)
            return
        names = self.unwatched.setdefault(parent, {})
        if names.get(name) != code and not (code == errno.ENOSPC and self._limit_told):
            path = self._prefix + _join(self.path(parent) or b"", name)
            self._problems.append(f"cannot watch {printable(path)}: {reason(code)}")
        self._limit_told |= code == errno.ENOSPC
        names[name] = code


def _merge(tasks: dict[Node, _Task], node: Node, task: _Task) -> None:
    """Add a task to those there are. A fresh directory stays so: its report is yet to come."""
    known = tasks.setdefault(node, task)
    if known is not task:
        known.names |= task.names
        known.deep |= task.deep


def _join(directory: bytes, name: bytes) -> bytes:
    return b"%b/%b" % (directory, name) if directory and name else directory or name


def reason(code: int) -> str:
    """Return in words why a directory cannot be watched, and what to do, for an errno."""
    if code == errno.ENOSPC:
        limits = sysctl("fs.inotify.max_user_watches", "user.max_inotify_watches")
        return f"no inotify watch is left: raise {limits}"
    return _REASONS.get(code) or os.strerror(code)


def sysctl(*names: str) -> str:
    """Return names and values of sysctls, for a message."""
    told = []
    for name in names:
        with (
            contextlib.suppress(OSError),
            open(f"/proc/sys/{name.replace('.', '/')}", encoding="ascii") as file,
        ):
            told.append(f"{name} (now {file.read().strip()})")
    return " and ".join(told or names)


def _counts_links(device: int) -> bool:
    """Return whether a directory without subdirectories always has two links on this device."""
    number = b"%d:%d" % (os.major(device), os.minor(device))
    try:
        with open("/proc/self/mountinfo", "rb") as file:  # proc(5)
            mounts = [line.split(b" - ") for line in file]
    except OSError:
        return False
    return any(m[0].split()[2] == number and m[-1].split()[0] in _COUNTING for m in mounts)


def _subdirectories(descriptor: int) -> set[bytes]:
    with os.scandir(descriptor) as entries:
        return {os.fsencode(e.name) for e in entries if e.is_dir(follow_symlinks=False)}
