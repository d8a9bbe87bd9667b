"""The tree of watches: one watch on each directory of a source, wherever renames take it.

Owns which directory has which watch descriptor (wd), what it is called and in which directory it
lies. Knows nothing of buffers, of what an event means to a mirror, or of who asks. Its door to
inotify(7) are three functions, `add`, `remove` and `waiting`.

What keeps it exact, however late the events are read:

- A watch belongs to an inode; a path leads to whatever lies there just now. So a directory is
  entered by its path once (chdir(2)), and asked whether it is the right one: to watch "." returns
  the wd that the inode has. From then on names are looked up from there. Whoever calls gets the
  working directory back.
- "X lies in P and is called N" is believed only when N, looked up in P itself, led to X *after* X
  had its watch. Whatever takes X away later raises IN_MOVE_SELF or IN_IGNORED on X, and whatever
  arrives in P raises IN_CREATE or IN_MOVED_TO on P. What took it away just before had said so on P
  already (fsnotify_move() tells the parents first), so an empty queue is proof; where there are
  events, N is watched once more, which returns the same wd if it still is X.
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
from collections.abc import Callable, Iterator

from inosync.rsync.filters import Filters
from inosync.watch.agenda import ITSELF, Agenda, Task
from inosync.watch.findings import Findings
from inosync.watch.ground import Ground, elsewhere, subdirectories
from inosync.watch.table import WatchTable
from inosync.watch.unwatched import ELSEWHERE, UNMOUNTED, Unwatched, reason

#: No directory is called so, and no event says it: looked up, they would lead upwards or nowhere.
_NO_NAMES = frozenset((b"", b".", b".."))


class WatchTree:
    """The watches of one source. OSError when its root cannot be watched.

    ``add(path, mask)`` is inotify_add_watch(2) and returns the wd, or the errno negated;
    ``remove(wd)`` is inotify_rm_watch(2), for which an unknown wd is no error; ``waiting()`` is
    whether events wait to be read. ``prefix`` is the root's path. Everything else is done in
    :meth:`advance`; the other methods only take notes.
    """

    def __init__(
        self,
        prefix: bytes,
        *,
        filters: Filters,
        mask: int,
        add: Callable[[bytes, int], int],
        remove: Callable[[int], object],
        waiting: Callable[[], bool],
    ) -> None:
        self._filters = filters
        # Rules that look at whole paths may judge everything below a renamed directory anew.
        self._judges_paths = any(not rule.by_name for rule in filters.rules)
        self._ground = Ground(prefix, mask, add)
        self._remove = remove
        self._waiting = waiting
        self.unwatched = Unwatched()
        self._agenda = Agenda()
        self.findings = Findings()
        self._doubted: set[int] = set()  # perhaps no longer where they were
        self._unproved: set[int] | None = None  # while all is listed anew: not found yet
        self._once_more = False  # list all anew after that
        self._met: list[tuple[int, bytes]] = []  # in the directory that is entered; not sure yet
        self._unmounted: list[tuple[int, bytes]] = []
        self._unlocked: set[int] = set()  # perhaps more can be reached below these
        self._stirred = False  # something happened that may put a path right
        self._placed = False  # a path was put right
        self._left = False  # some directories are cut off from the root
        self.root, self.identity = self._ground.root, self._ground.identity
        self.table = WatchTable(self.root)
        self._agenda.plan(self.root, ITSELF, fresh=True)

    # ---- what is known ----------------------------------------------------------------------

    def reasons(self) -> Iterator[tuple[bytes, str]]:
        """Yield each directory that should be watched and is not, and why."""
        for parent, names in self.unwatched:
            directory = self.table.path(parent)
            if directory is not None:
                for name, code in names.items():
                    yield _join(directory, name), reason(code)

    def root_error(self) -> int:
        """Return 0 when the root's path leads to the directory that is watched, else an errno."""
        with elsewhere():
            return self._enter(self.root)

    # ---- what events and others say -----------------------------------------------------------

    def appeared(self, wd: int, name: bytes) -> None:
        """A directory was created in, or moved to, the directory of `wd`."""
        if wd in self.table and name not in _NO_NAMES and b"/" not in name:
            self._stirred = True
            self._agenda.plan(wd, name)

    def vanished(self, wd: int, name: bytes) -> None:
        """A directory was deleted, or moved away, from the directory of `wd`."""
        self.unwatched.watchable(wd, name)

    def moved(self, wd: int) -> None:
        """The directory of `wd` was renamed."""
        if wd not in self.table or wd == self.root:
            return
        self._stirred = True
        self._doubted.add(wd)
        if parent := self.table.parent(wd):
            self._agenda.plan(parent, self.table.name(wd))

    def permitted(self, wd: int, name: bytes) -> None:
        """The permissions of a directory changed: `name`, or that of `wd` when there is none."""
        if not self.unwatched or wd not in self.table:
            return
        if not name:
            self._unlocked.add(wd)
        elif name in self.unwatched.names(wd):
            self._agenda.plan(wd, name)

    def unmounted(self, wd: int) -> None:
        """The file system that the directory of `wd` was on is gone."""
        if wd in self.table and (parent := self.table.parent(wd)):
            self._unmounted.append((parent, self.table.name(wd)))

    def ignored(self, wd: int) -> None:
        """The kernel dropped this watch: the directory was deleted or unmounted."""
        self.table.drop(wd)
        self.unwatched.forget(wd)
        self._doubted.discard(wd)
        if self._unproved is not None:
            self._unproved.discard(wd)

    def reconcile(self) -> None:
        """Events were lost: compare the whole tree with the watches, and keep what is right.

        It runs to its end before it starts again: one that started over with each overflow would
        never come to the deeper directories of a busy tree.
        """
        if self._unproved is not None:
            self._once_more = True
            return
        self._unproved = set(self.table) - {self.root}
        self._agenda.plan(self.root, ITSELF, deep=True)

    def stir(self) -> None:
        """Something happened above the root: paths that led elsewhere may be right again."""
        self._stirred = True

    def retry_unwatched(self) -> None:
        """Try the directories again that could not be watched."""
        self.unwatched.try_again()
        for parent, names in self.unwatched:
            self._agenda.plan(parent, *names, deep=ITSELF in names)

    @property
    def pending(self) -> bool:
        """Whether :meth:`advance` has work that no event will announce."""
        later = self._stirred and bool(self._agenda.later)
        return bool(self._agenda.tasks) or self._once_more or later

    @property
    def untold(self) -> bool:
        """Whether reports or problems wait to be taken."""
        return bool(self.findings.reports) or self.unwatched.untold

    # ---- the work -----------------------------------------------------------------------------

    def advance(self, limit: int) -> bool:
        """Look up about `limit` directories at most; return True when nothing is left to do."""
        agenda = self._agenda
        if self._stirred:
            self._stirred = False
            agenda.resume()
        if not agenda.tasks and not self._settle():
            return True  # as nearly always
        with elsewhere():
            while agenda.tasks or self._settle():
                if limit <= 0:
                    return False
                # The newest first: what events name comes before what is left of a long walk.
                wd, task = agenda.tasks.popitem()
                limit -= self._run(wd, task, limit)
                self.findings.looked_up(len(agenda.tasks))
        return True

    def _retry_unlocked(self) -> None:
        """Try again what is below directories whose permissions or paths have changed."""
        for parent, names in self.unwatched:
            if any(self.table.within(parent, wd) for wd in self._unlocked):
                # Where watches are the matter, only time or a person can help.
                others = [name for name, code in names.items() if code != errno.ENOSPC]
                self._agenda.plan(parent, *others, deep=ITSELF in others)
        self._unlocked.clear()

    def _settle(self) -> bool:
        """All is looked up: decide what has left. Return whether that made new tasks."""
        if self._placed:
            self._placed = False
            self._agenda.resume()
        if self._unlocked:
            self._retry_unlocked()
        if self._agenda.tasks:
            return True
        for wd in self._doubted | (self._unproved or set()):
            self._cut_off(wd)
        self._doubted.clear()
        self._unproved = None
        if self._left:
            self._drop_cut_off()
        for parent, name in self._unmounted:
            if parent in self.table:
                self._failed(parent, name, UNMOUNTED)
        self._unmounted.clear()
        self.findings.settled()
        if self._once_more:
            self._once_more = False
            self.reconcile()
        return bool(self._agenda.tasks)

    def _run(self, wd: int, task: Task, limit: int) -> int:
        """Do at most `limit` of a task; return how much was done."""
        if wd not in self.table:
            return 1
        code = self._enter(wd)
        if code:
            self._not_entered(wd, task, code)
            return 1
        filtered = bool(self._filters.rules)
        path = self.table.path(wd)
        below = path + b"/" if path else b""
        done = 0
        while task.names and done < limit:
            done += 1
            name = task.names.pop()
            if name == ITSELF:
                self._list(wd, task)
            elif not filtered or self._filters.admits(below + name, directory=True):
                self._look(wd, name, task)
            elif task.deep:
                self._leave_out(wd, name)
        if self._met:
            if self._waiting():
                self._make_sure()
            self._met.clear()
        if task.names:
            self._agenda.put_back(wd, task)
        return done

    def _enter(self, wd: int) -> int:
        """Make this very directory the working directory; return 0, or an errno.

        That is ESTALE when its path leads to another directory.
        """
        path = self.table.path(wd)
        if path is None:
            return errno.ESTALE
        found = self._ground.enter(path)
        if found == wd:
            return 0
        self._forget(found)
        return -found if found < 0 else errno.ESTALE

    def _forget(self, wd: int) -> None:
        """Give back a watch that was made by asking for the wd of a directory without one."""
        if wd >= 0 and wd not in self.table:
            self._remove(wd)

    def _not_entered(self, wd: int, task: Task, code: int) -> None:
        if code not in ELSEWHERE:
            self._failed(wd, ITSELF, code)  # whatever the names lead to: all of it, then
        else:
            self._agenda.postpone(wd, task)

    def _list(self, wd: int, task: Task) -> None:
        """Add all subdirectories of the one that is entered to its task."""
        try:
            names = subdirectories()
        except OSError as error:
            self._failed(wd, ITSELF, error.errno or errno.EIO)
            return
        for name in self.unwatched.names(wd) - names:
            self.unwatched.watchable(wd, name)
        task.names |= names

    def _look(self, parent: int, name: bytes, task: Task) -> None:
        """Find out which directory `name` is, in the parent that is entered."""
        wd = self._ground.watch(name)
        if wd < 0:
            self._failed(parent, name, -wd)
        elif wd in self.table:
            self._place(wd, parent, name, deep=task.deep)
        else:
            self._meet(wd, parent, name, fresh=task.fresh)

    def _meet(self, wd: int, parent: int, name: bytes, *, fresh: bool) -> None:
        """The directory of `wd` has its first watch, and perhaps is still there: _make_sure."""
        try:
            leaf = self._ground.has_subdirectories(name) is False
        except OSError as error:
            self._remove(wd)
            self._failed(parent, name, error.errno or errno.EIO)
            return
        if self.unwatched:
            self.unwatched.watchable(parent, name)
        self.table.put(wd, parent, name)
        self._met.append((wd, name))
        if not fresh:
            self.findings.met(wd, len(self._agenda.tasks))
        if not leaf:
            self._agenda.tasks[wd] = Task({ITSELF}, fresh=True)

    def _make_sure(self) -> None:
        """Forget what is not where it was met: it may have left before its watch was made."""
        for wd, name in self._met:
            found = self._ground.watch(name)
            if found != wd:
                self.ignored(wd)
                self._remove(wd)
                self._forget(found)

    def _place(self, wd: int, parent: int, name: bytes, *, deep: bool) -> None:
        """A known directory was found in `parent` as `name`."""
        table = self.table
        moved = table.parent(wd) != parent or table.name(wd) != name
        if moved and table.within(parent, wd):
            # So the parent's place is out of date: an event will tell.
            self._not_entered(parent, Task({name}, deep=deep), errno.ESTALE)
            return
        self.unwatched.watchable(parent, name)
        doubted = wd in self._doubted
        self._doubted.discard(wd)
        if self._unproved is not None and wd in self._unproved:
            self._unproved.remove(wd)
            deep = True
        if moved:
            before = table.path(wd)
            table.put(wd, parent, name)
            self.findings.replaced(wd, before, table.path(wd))
            self._placed = True
            deep |= self._judges_paths
            if self.unwatched:
                self._unlocked.add(wd)
        if deep or doubted:
            self._list_known(wd, name, deep=deep)

    def _list_known(self, wd: int, name: bytes, *, deep: bool) -> None:
        """List a directory that had its watch before, but for one that is a leaf.

        At the first look another directory may have lain in its place just as the links were
        counted. That takes two renames, and the second one leads here.
        """
        inner = None
        with contextlib.suppress(OSError):
            inner = self._ground.has_subdirectories(name)
        if inner or (deep and inner is None):
            self._agenda.plan(wd, ITSELF, deep=deep)
        elif inner is False:
            self.unwatched.forget(wd)

    def _leave_out(self, parent: int, name: bytes) -> None:
        """Drop the watches on an excluded directory, which a rename may have made one."""
        self.unwatched.watchable(parent, name)
        wd = self._ground.watch(name)
        self._forget(wd)
        if wd in self.table and wd != self.root:
            self._cut_off(wd)

    def _cut_off(self, wd: int) -> None:
        self.table.cut_off(wd)
        self._left = True

    def _drop_cut_off(self) -> None:
        """Remove the watches of everything that is not below the root any more."""
        self._left = False
        for wd in self.table.strays():
            self.ignored(wd)
            self._remove(wd)

    def _failed(self, parent: int, name: bytes, code: int) -> None:
        path = self._ground.prefix + _join(self.table.path(parent) or b"", name)
        self.unwatched.failed(parent, name, code, path)


def _join(directory: bytes, name: bytes) -> bytes:
    return b"%b/%b" % (directory, name) if directory and name else directory or name
