"""A file is put in the place of another, at once for all who read it."""

from __future__ import annotations

import contextlib
import os

from inosync.config.load import scratch


def replace(path: str, data: bytes, mode: int = 0o644) -> None:
    """Put a file with `data` in place of `path`, with this mode as far as umask(2) lets it.

    Whoever reads sees the old or the new one, never a part. Not synced to the disk: after a loss
    of power it is written anew. Raise OSError.
    """
    temporary = scratch(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # of a daemon that was killed while it wrote
    # O_EXCL: in a directory that others write to, nobody's link is followed.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
