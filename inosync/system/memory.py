"""The memory of this process: what the C library keeps of what was freed. Its only door."""

from __future__ import annotations

import ctypes

_LIBC = ctypes.CDLL(None)


def give_back() -> None:
    """Let the kernel have all whole pages that nobody uses (malloc_trim(3)), where that exists.

    By itself the C library gives back only what lies above the last thing in use.
    """
    trim = getattr(_LIBC, "malloc_trim", None)  # musl has none, and keeps little
    if trim is not None:
        trim(0)
