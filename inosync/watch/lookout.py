"""The lookout over one source: lets it be looked at, as long as its guard vouches for it.

Owns the watcher of a source, and says what of that may be heard: what the rules admit. Knows
neither mirrors nor rsync.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from inosync.changes.changes import Changes
from inosync.changes.inotify_bits import DEFAULT_EMASK, IN_CLOSE_WRITE, IN_MODIFY
from inosync.config.model import Config, Source
from inosync.errors import WatchError
from inosync.watch.blind import blind, interval
from inosync.watch.census import Census
from inosync.watch.files import Files
from inosync.watch.guard import Guard, Memory
from inosync.watch.marked import MarkedSource
from inosync.watch.poll import Poll
from inosync.watch.sift import sift
from inosync.watch.watcher import Seen, Watcher

#: What watches a source: each directory, or each file system.
AnyWatcher = Watcher | MarkedSource

#: Directories that are watched before the queue is read again: a few milliseconds' worth.
SLICE = 512
#: And so many lots of names that are looked at meanwhile, where a source is polled.
_LOTS = 128


def _asked(source: Source, config: Config) -> tuple[object, ...]:
    """Return what a config says that a source has to be watched and looked through by."""
    own = config.of(source)
    watched_for = (own.watch, config.emask, bool(own.eopen))
    more = (own.wmarker, config.allow_empty, own.rbigsize, own.rsettle, config.rpoll)
    return (*watched_for, *more, _counts(source, config))


def _counts(source: Source, config: Config) -> bool:
    """Return whether somebody has to know the names in a source."""
    pairs = (pair for pair in config.pairs if pair.source == source)
    return any(pair.node.rdelete == "seen" for pair in pairs)


class Lookout:
    """Watches one source.

    ``watcher`` is None while the source cannot be watched; where it should be one by file systems
    and is not, ``fallback`` says why. ``walked`` says that every directory has
    been watched once. With ``root_only`` no directory below the source is watched: that is enough
    to vouch for it. ``blind`` are the file systems in it that change without an event. With a
    ``poll``, which looks for such changes, it has also been looked through when it is walked; and
    with a ``census``, which tells what vanishes, all names in it are known then.
    """

    def __init__(
        self,
        source: Source,
        config: Config,
        *,
        root_only: bool = False,
        memory: Memory | None = None,
    ) -> None:
        self.source = source
        self.guard = Guard(source, config, memory=memory)
        self.files = Files(source)
        self.filters = source.filters
        self.watcher: AnyWatcher | None = None
        self.fallback = ""  # why it is not watched by its file systems, as it should be
        self.walked = False
        self.blind: tuple[str, ...] = ()
        self.poll: Poll | None = None
        self.census: Census | None = None
        self._counts = _counts(source, config) and not root_only
        self._first_look: Iterator[None] | None = None
        self._rpoll = config.rpoll
        self.unannounced = False  # no event tells when it can be watched
        self._root_only = root_only
        self._emask = config.emask
        # What is not at rest shows by being written to, and truncate(2) by nothing else.
        own, closed = config.of(source), config.emask & IN_CLOSE_WRITE
        self._how = own.watch
        listens = own.eopen or own.rsettle or closed
        self._mask = config.emask | (IN_MODIFY if listens else 0)
        self._only_closed = bool(closed) and not own.eopen
        self._asked = _asked(source, config)

    def fits(self, source: Source, config: Config) -> bool:
        """Return whether this one does for `source` under another `config`, too."""
        return self.source == source and self._asked == _asked(source, config)

    def open(self, *, accept: Collection[str] = ()) -> str:
        """Start to watch the source; return "" or why that is not possible.

        What comes back on another file system, or as a symbolic link, is not taken for the old
        source by any mirror but those on nodes for which a person looked at it and said `accept`.
        """
        before = self.guard.forget(accept)
        reason = self._open()
        if reason:
            self.guard.remember(before)
        else:
            self.guard.accept_empty(accept)
        return reason

    def _open(self) -> str:
        self.unannounced = False
        try:
            if objection := self.guard.objection():
                return objection
            self.watcher = self._watch()
        except FileNotFoundError:
            return "is gone"  # as the watcher calls it
        except OSError as error:
            self.unannounced = True
            return f"cannot be reached: {error.strerror}"
        except WatchError as error:
            self.unannounced = True
            return f"cannot be watched: {error}"
        self.walked = False
        self.census = Census(self.files, self.filters, self._emask) if self._counts else None
        self.look_anew()
        self._first_look = self.poll.steps() if self.poll is not None else None
        return ""

    def _watch(self) -> AnyWatcher:
        """Return what watches the source: as the config has it, or else by inotify."""
        self.fallback = ""
        if self._how == "fanotify":
            try:
                return MarkedSource(self.source.path, filters=self.filters, emask=self._mask)
            except WatchError as error:
                self.fallback = str(error)
        return Watcher(self.source.path, filters=self.filters, emask=self._mask)

    def look_anew(self) -> None:
        """Other file systems are in the source: begin anew to look for what no event tells.

        All that is on them would look as if it had just been made.
        """
        self.blind = blind(self.source.path)
        wanted = not self._root_only and bool(interval(self._rpoll, self.blind))
        self.poll = Poll(self.files, self.filters) if wanted else None

    def close(self) -> None:
        """Give up all watches."""
        if self.watcher is not None:
            self.watcher.close()
            self.watcher = self.census = None

    # ---- how things are -------------------------------------------------------------------

    @property
    def standing(self) -> bool:
        """Whether the source is watched."""
        return self.watcher is not None

    @property
    def marked(self) -> bool:
        """Whether it is watched by its file systems, and no directory by itself."""
        return isinstance(self.watcher, MarkedSource)

    @property
    def directories(self) -> int:
        """How many directories are watched."""
        return self.watcher.watched if self.watcher is not None else 0

    @property
    def short(self) -> bool:
        """Whether some directories cannot be watched."""
        return self.watcher is not None and bool(self.watcher.unwatched)

    @property
    def walking(self) -> bool:
        """Whether there are directories that are still to be watched."""
        if self.watcher is None:
            return False
        unfinished = self.watcher.unfinished or (self.census is not None and self.census.pending)
        return not self.walked or (unfinished and not self._root_only)

    @property
    def unread(self) -> bool:
        """Whether :meth:`read` has something to say that no descriptor announces."""
        return self.watcher is not None and (self.watcher.unread or bool(self.census))

    @property
    def all_known(self) -> bool:
        """Whether all that was read is told, and every directory in it is watched."""
        watcher = self.watcher
        return watcher is not None and not watcher.unfinished and not watcher.unread

    @property
    def sees_all(self) -> bool:
        """Whether nothing happens in the source, as it is now, without an event."""
        seen = self.watcher is not None and not self.watcher.unwatched and self.poll is None
        return seen and not ~self._emask & DEFAULT_EMASK

    def waiting(self) -> bool:
        """Return whether the kernel has something to say."""
        return self.watcher is not None and self.watcher.waiting()

    def queued(self) -> int:
        """Return how much waits to be read, as ``taken`` counts it."""
        return self.watcher.queued() if self.watcher is not None else 0

    @property
    def taken(self) -> int:
        """How much was read since it is watched: bytes of inotify, events of fanotify."""
        return self.watcher.taken if self.watcher is not None else 0

    @property
    def events(self) -> int:
        """How many events were read since it is watched."""
        return self.watcher.events if self.watcher is not None else 0

    def fault(self) -> str:
        """Return "" while the source is the one that is watched, else what is wrong, in words."""
        if self.watcher is None:
            return "is not watched"
        return self.watcher.root_state() or self.guard.incomplete()

    # ---- to look --------------------------------------------------------------------------

    def fileno(self) -> int:
        """Return the descriptor that is readable when the kernel has something to say."""
        return self._watching().fileno()

    def walk(self) -> bool:
        """Watch a slice of the directories that are not watched yet; return whether more are."""
        if self.watcher is None or not self.walking:
            return False
        done = self._root_only or self.watcher.walk(SLICE)
        if done and self.census is not None:
            done = self.census.advance(SLICE)
        if done and self._first_look is not None:
            # What changes behind it is found by the next one, and what changed before is sent.
            done = sum(1 for _ in islice(self._first_look, _LOTS)) < _LOTS
        if done:
            self._first_look = None
        self.walked |= done
        return not done

    def read(self) -> tuple[Changes, Seen]:
        """Return the changes that the kernel has reported and the rules admit."""
        seen = self._watching().read()
        changes = sift(seen.files, seen.directories, self._emask, self.filters)
        if self.census is not None:
            if seen.resync:
                self.census.recount()
            self.census.hear(seen.files, seen.directories)
        if self._only_closed and changes.written:
            # A file that nobody has open will not be closed: truncate(2) needs no descriptor.
            done = (path for path in changes.written if not self.files.being_written(path))
            changes.entries.update(dict.fromkeys(done))
        return changes, seen

    def reconcile(self) -> None:
        """Look through the whole source anew, without a gap in watching; then :meth:`walk`."""
        self._watching().reconcile()

    def stir(self) -> None:
        """Something happened on the way to the source: look up what was put off; then walk."""
        if isinstance(self.watcher, Watcher):
            self.watcher.stir()

    def retry_unwatched(self) -> None:
        """Try the directories again that could not be watched; then :meth:`walk`."""
        if self.watcher is not None:
            self.watcher.retry_unwatched()

    def mounts_changed(self) -> bool:
        """Return whether something is mounted in it of which no event is told yet."""
        return isinstance(self.watcher, MarkedSource) and self.watcher.mounts_changed()

    def _watching(self) -> AnyWatcher:
        if self.watcher is None:
            raise AssertionError(f"{self.source.path}: not watched")
        return self.watcher
