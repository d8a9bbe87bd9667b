"""What is still to be looked up in a tree of watches, by the watch descriptor (wd) of a directory.

Pure notes: which names in which directory, and which of these have to wait until the path of their
directory leads to it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

#: In a task: the directory itself is to be listed, and all its subdirectories to be looked up.
ITSELF = b""


@dataclass(slots=True)
class Task:
    """Names to look up in one directory.

    ``fresh``: the directory is new itself, so what is found in it needs no report of its own.
    ``deep``: what is known already is listed anew.
    """

    names: set[bytes]
    fresh: bool = False
    deep: bool = False


@dataclass(slots=True)
class Agenda:
    """The tasks by wd; and those ``later``, of directories whose path leads elsewhere."""

    tasks: dict[int, Task] = field(default_factory=dict)
    later: dict[int, Task] = field(default_factory=dict)

    def plan(self, wd: int, *names: bytes, fresh: bool = False, deep: bool = False) -> None:
        """Note that these names in the directory of `wd` are to be looked up."""
        _merge(self.tasks, wd, Task(set(names), fresh, deep))

    def put_back(self, wd: int, task: Task) -> None:
        """Take what is left of a task again."""
        _merge(self.tasks, wd, task)

    def postpone(self, wd: int, task: Task) -> None:
        """Keep a task until the path of its directory is right again."""
        # By the time it is found, the report of what it was part of may have been made.
        task.fresh = False
        _merge(self.later, wd, task)

    def resume(self) -> None:
        """Paths may be right again: look up also what was kept for later."""
        later, self.later = self.later, {}
        for wd, task in later.items():
            _merge(self.tasks, wd, task)


def _merge(tasks: dict[int, Task], wd: int, task: Task) -> None:
    """Add a task to those there are. A fresh directory stays so: its report is yet to come."""
    known = tasks.setdefault(wd, task)
    if known is not task:
        known.names |= task.names
        known.deep |= task.deep
