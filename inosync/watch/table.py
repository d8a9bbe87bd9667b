"""Which watched directory lies in which other, and under what name, by watch descriptor (wd).

Owns that table, in few bytes for each directory. Knows nothing of inotify or a file system.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

#: A directory is a slot in a block, which is one bytes object: in 4 bytes each the parent's wd of
#: all slots, then the names, with a slash between two. The kernel gives out each wd once, in rising
#: order (idr_alloc_cyclic() in fs/notify/inotify/inotify_user.c), so blocks are full at first and
#: thin out in years; then a small one wastes little.
_BITS = 5
_SIZE = 1 << _BITS
_SLOT = _SIZE - 1
_PARENTS = struct.Struct(f"{_SIZE}i")
_PARENT = struct.Struct("i")

_NOBODY = b"\0"  # in place of a name: that slot is free; no name has a NUL
_FREE = bytes(_PARENTS.size) + b"/".join([_NOBODY] * _SIZE)
_Masks = dict[bytes, int]  # of names in a directory


class WatchTable:
    """The watched directories. The parent of the root is 0, and of what was cut off from it."""

    def __init__(self, root: int) -> None:
        self.root = root
        self._blocks: dict[int, bytes] = {}
        self._count = 0
        # The block that was changed last is spread out: most often, it is the next one as well.
        self._spread = root >> _BITS
        self._parents = [0] * _SIZE
        self._names = [_NOBODY] * _SIZE
        self.put(root, 0, b"")

    def __len__(self) -> int:
        return self._count

    def __contains__(self, wd: int) -> bool:
        # A new one mostly lies in a block that nobody has yet.
        number = wd >> _BITS
        return (number == self._spread or number in self._blocks) and self.name(wd) != _NOBODY

    def __iter__(self) -> Iterator[int]:
        for number in (*self._blocks, self._spread):
            for slot, name in enumerate(self._block(number)[1]):
                if name != _NOBODY:
                    yield number << _BITS | slot

    def _block(self, number: int) -> tuple[Sequence[int], Sequence[bytes]]:
        """Return the parents and the names of all slots."""
        if number == self._spread:
            return self._parents, self._names
        block = self._blocks.get(number, _FREE)
        return _PARENTS.unpack_from(block), block[_PARENTS.size :].split(b"/")

    def _spread_out(self, number: int) -> None:
        """Make a block the one that can be changed."""
        if any(name != _NOBODY for name in self._names):
            packed = _PARENTS.pack(*self._parents) + b"/".join(self._names)
            self._blocks[self._spread] = packed
        parents, names = self._block(number)
        self._blocks.pop(number, None)
        self._spread = number
        self._parents = list(parents)
        self._names = list(names)

    def put(self, wd: int, parent: int, name: bytes) -> None:
        """Take note that the directory of `wd` is called `name` and lies in that of `parent`."""
        if wd >> _BITS != self._spread:
            self._spread_out(wd >> _BITS)
        slot = wd & _SLOT
        self._count += self._names[slot] == _NOBODY
        self._parents[slot] = parent
        self._names[slot] = name

    def drop(self, wd: int) -> None:
        """Forget a directory, if it is known; what lies in it is cut off."""
        if wd not in self:
            return
        self.put(wd, 0, _NOBODY)
        self._count -= 1

    def cut_off(self, wd: int) -> None:
        """Take note that a directory lies in no other, as far as is known."""
        self.put(wd, 0, self.name(wd))

    def parent(self, wd: int) -> int:
        """Return the wd of the directory in which that of `wd` lies; 0 when there is none."""
        number = wd >> _BITS
        if number == self._spread:
            return self._parents[wd & _SLOT]
        block = self._blocks.get(number, _FREE)
        parent: int = _PARENT.unpack_from(block, (wd & _SLOT) * _PARENT.size)[0]
        return parent

    def name(self, wd: int) -> bytes:
        """Return the name of a directory: ``b""`` for the root, a NUL when it is not known."""
        number, slot = wd >> _BITS, wd & _SLOT
        if number == self._spread:
            return self._names[slot]
        block = self._blocks.get(number, _FREE)
        return block[_PARENTS.size :].split(b"/", slot + 1)[slot]

    def path(self, wd: int) -> bytes | None:
        """Return the path relative to the root, ``b""`` for the root; None when cut off from it."""
        parts = []
        while wd != self.root:
            name = self.name(wd)
            if name == _NOBODY:
                return None
            parts.append(name)
            wd = self.parent(wd)
        parts.reverse()
        return b"/".join(parts)

    def by_path(self, noted: Mapping[int, _Masks]) -> dict[bytes, _Masks]:
        """Return what was noted by the wds of directories by their paths, without what is cut off.

        It takes little time when many of them lie in one directory.
        """
        found: dict[bytes, _Masks] = {}
        # By the wd of a directory, what goes before a name in it; never by 0, which has no path.
        leads: dict[int, bytes] = {}
        blocks: dict[int, tuple[Sequence[int], Sequence[bytes]]] = {}
        for wd, masks in noted.items():
            number, slot = wd >> _BITS, wd & _SLOT
            if number not in blocks:
                blocks[number] = self._block(number)
            parents, names = blocks[number]
            lead = leads.get(parents[slot])
            if lead is not None:
                path: bytes | None = lead + names[slot]
            elif path := self.path(wd):
                leads[parents[slot]] = path[: path.rfind(b"/") + 1]
            if path is None:
                continue
            if path not in found:
                found[path] = masks
            else:
                # Which of the two has left is not known yet.
                _merge(found[path], masks)
        return found

    def within(self, wd: int, other: int) -> bool:
        """Return whether the directory of `wd` is that of `other` or lies below it."""
        while wd and wd != other:
            wd = self.parent(wd)
        return wd != 0

    def strays(self) -> list[int]:
        """Return what is not below the root any more."""
        below = {self.root: True}  # of the directories in which others lie
        found = []
        for wd in self:
            parent = self.parent(wd)
            if parent not in below:
                below[parent] = self.within(parent, self.root)
            if not below[parent] and wd != self.root:
                found.append(wd)
        return found


def _merge(masks: _Masks, others: _Masks) -> None:
    for name, mask in others.items():
        masks[name] = masks.get(name, 0) | mask
