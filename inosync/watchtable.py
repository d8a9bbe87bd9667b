"""Which watched directory lies in which other, and under what name, by watch descriptor (wd).

Owns that table, in few bytes for each directory. Knows nothing of inotify or a file system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

#: A directory is a slot in a block: 8 bytes for the parent's wd, 8 for the name, and no object of
#: its own. The kernel gives out each wd once, in rising order (idr_alloc_cyclic() in
#: fs/notify/inotify/inotify_user.c), so blocks are full at first and thin out in years; then a
#: small one wastes little.
_BITS = 4
_SIZE = 1 << _BITS
_SLOT = _SIZE - 1

_Block = list[int | bytes | None]  # the parents of a block, then the names
_Masks = dict[bytes, int]  # of names in a directory
_EMPTY: _Block = [0] * _SIZE + [None] * _SIZE


class WatchTable:
    """The watched directories. The parent of the root is 0, and of what was cut off from it."""

    def __init__(self, root: int) -> None:
        self.root = root
        self._blocks: dict[int, _Block] = {}
        self._count = 0
        self.put(root, 0, b"")

    def __len__(self) -> int:
        return self._count

    def __contains__(self, wd: int) -> bool:
        block = self._blocks.get(wd >> _BITS)
        return block is not None and block[_SIZE + (wd & _SLOT)] is not None

    def __iter__(self) -> Iterator[int]:
        for number, block in self._blocks.items():
            for slot in range(_SIZE):
                if block[_SIZE + slot] is not None:
                    yield number << _BITS | slot

    def put(self, wd: int, parent: int, name: bytes) -> None:
        """Take note that the directory of `wd` is called `name` and lies in that of `parent`."""
        block = self._blocks.get(wd >> _BITS)
        if block is None:
            block = self._blocks[wd >> _BITS] = [0] * _SIZE + [None] * _SIZE
        slot = wd & _SLOT
        self._count += block[_SIZE + slot] is None
        block[slot] = parent
        block[_SIZE + slot] = name

    def drop(self, wd: int) -> None:
        """Forget a directory, if it is known; what lies in it is cut off."""
        if wd not in self:
            return
        block = self._blocks[wd >> _BITS]
        block[wd & _SLOT] = 0
        block[_SIZE + (wd & _SLOT)] = None
        self._count -= 1
        if not any(name is not None for name in block[_SIZE:]):
            del self._blocks[wd >> _BITS]

    def cut_off(self, wd: int) -> None:
        """Take note that a directory lies in no other, as far as is known."""
        self.put(wd, 0, self.name(wd))

    def parent(self, wd: int) -> int:
        """Return the wd of the directory in which that of `wd` lies; 0 when there is none."""
        block = self._blocks.get(wd >> _BITS)
        return block[wd & _SLOT] if block is not None else 0  # type: ignore[return-value]

    def name(self, wd: int) -> bytes:
        """Return the name of a known directory, ``b""`` for the root."""
        return self._blocks[wd >> _BITS][_SIZE + (wd & _SLOT)]  # type: ignore[return-value]

    def path(self, wd: int) -> bytes | None:
        """Return the path relative to the root, ``b""`` for the root; None when cut off from it."""
        parts = []
        while wd != self.root:
            block = self._blocks.get(wd >> _BITS)
            name = block[_SIZE + (wd & _SLOT)] if block is not None else None
            if block is None or name is None:
                return None
            parts.append(name)
            wd = block[wd & _SLOT]  # type: ignore[assignment]
        parts.reverse()
        return b"/".join(parts)  # type: ignore[arg-type]

    def by_path(self, noted: Mapping[int, _Masks]) -> dict[bytes, _Masks]:
        """Return what was noted by the wds of directories by their paths, without what is cut off.

        It takes little time when many of them lie in one directory.
        """
        found: dict[bytes, _Masks] = {}
        # By the wd of a directory, what goes before a name in it; never by 0, which has no path.
        leads: dict[object, bytes] = {}
        for wd, masks in noted.items():
            block, slot = self._blocks.get(wd >> _BITS, _EMPTY), wd & _SLOT
            parent = block[slot]
            lead = leads.get(parent)
            if lead is not None:
                path: bytes | None = lead + block[_SIZE + slot]  # type: ignore[operator]
            elif path := self.path(wd):
                leads[parent] = path[: path.rfind(b"/") + 1]
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


def _merge(masks: _Masks, others: _Masks) -> None:
    for name, mask in others.items():
        masks[name] = masks.get(name, 0) | mask
