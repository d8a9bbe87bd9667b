"""Trees of files: build them, take a snapshot, say how two of them differ. All paths are bytes."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

AnyPath = str | bytes | os.PathLike[str]

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}

#: Names that have broken mirrors before. Each is one component: no slash, no NUL.
HOSTILE_NAMES: tuple[bytes, ...] = (
    b"new\nline",
    b"carriage\rreturn",
    b"tab\tand bell\a",
    b"single'quote",
    b'double"quote',
    b"back\\slash",
    b"back`tick`",
    b"$(touch owned)",
    b"$HOME",
    b";semi&colon|pipe>",
    b"%percent %s %n",
    b"star*",
    b"question?",
    b"set[abc]",
    b"**",
    b"*",
    b"-leading-dash",
    b"--delete",
    b"-e sh",
    b" leading space",
    b"trailing space ",
    b" ",
    b"~",
    b"~root",
    b"host:path",
    b"module::path",
    b"rsync:",
    b"+ plus",
    b"- minus",
    b"!",
    b"#hash",
    b";",
    b".hidden",
    b"...",
    b"dot.",
    b"{a,b}",
    b"invalid-\xff\xfe-utf8",
    b"\xc3",
    "\N{LATIN SMALL LETTER U WITH DIAERESIS}mlaut".encode(),
    b"u\xcc\x88mlaut",  # the same to a reader, another name to the kernel
    "\N{SMILING FACE WITH SMILING EYES}".encode(),
    b"n" * 255,
    b"\xe2\x82\xac" * 85,  # 255 bytes, 85 characters
)


class Entry(NamedTuple):
    """One path, as lstat(2) and its content tell it. `size` and `digest` are those of files."""

    kind: str
    mode: int
    mtime_ns: int
    size: int = 0
    digest: str = ""
    target: bytes = b""


def snapshot(root: AnyPath) -> dict[bytes, Entry]:
    """Return every path at and below `root`, relative to it; the root itself is ``b"."``.

    A path that vanishes while we look is left out. Raise FileNotFoundError when the root is gone.
    """
    top = os.fsencode(root)
    entries = {b".": _look(top)}
    folders = [b""]
    while folders:
        folder = folders.pop()
        try:
            names = os.listdir(os.path.join(top, folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            path = os.path.join(folder, name)
            try:
                entry = _look(os.path.join(top, path))
            except FileNotFoundError:
                continue
            entries[path] = entry
            if entry.kind == "directory":
                folders.append(path)
    return entries


def _look(path: bytes) -> Entry:
    status = os.lstat(path)
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    common = (kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns)
    if kind == "file":
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Entry(*common, size=status.st_size, digest=digest)
    if kind == "symlink":
        return Entry(*common, target=os.readlink(path))
    return Entry(*common)


def difference(
    expected: dict[bytes, Entry], actual: dict[bytes, Entry], *, ignore_times: bool = False
) -> list[str]:
    """Return one readable line for each path that differs; an empty list means equal."""
    lines = []
    for path in sorted(expected.keys() | actual.keys()):
        name = repr(os.fsdecode(path))
        if path not in actual:
            lines.append(f"{name}: missing ({expected[path].kind})")
        elif path not in expected:
            lines.append(f"{name}: should not be there ({actual[path].kind})")
        else:
            fields = [
                f"{field} {_readable(field, wanted)} expected, {_readable(field, got)} found"
                for field, wanted, got in zip(
                    Entry._fields, expected[path], actual[path], strict=True
                )
                if wanted != got and not (ignore_times and field == "mtime_ns")
            ]
            if fields:
                lines.append(f"{name}: " + "; ".join(fields))
    return lines


def _readable(field: str, value: object) -> str:
    if field == "mode" and isinstance(value, int):
        return f"{value:04o}"
    return str(value)[:16] if field == "digest" else repr(value)


def compare(source: AnyPath, mirror: AnyPath, *, ignore_times: bool = False) -> list[str]:
    """Return how two directories differ, as `difference` does."""
    return difference(snapshot(source), snapshot(mirror), ignore_times=ignore_times)


def write(root: AnyPath, path: str | bytes, content: bytes | str = b"") -> Path:
    """Write a file below `root`, make the directories above it, and return its path."""
    file = Path(os.fsdecode(root), os.fsdecode(path))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def grow(
    root: AnyPath, seed: int, *, entries: int = 60, names: Sequence[bytes] = HOSTILE_NAMES
) -> None:
    """Make a random tree below `root` (made when missing): the same one for the same seed.

    It has directories in directories, empty ones too, files from 0 to some 100 kB, old and new
    times, several modes, and symbolic links that lead to a neighbour or to nothing.
    """
    top = os.fsencode(root)
    os.makedirs(top, exist_ok=True)
    dice = random.Random(seed)
    for _ in range(entries):
        _add_one(dice, top, names)


def churn(
    root: AnyPath, seed: int, *, steps: int = 100, names: Sequence[bytes] = HOSTILE_NAMES
) -> None:
    """Change the tree at random, the way people and programs do: `steps` times.

    Writes, appends, truncates, chmods, touches, renames (also over others, also directories),
    replaces by rename, deletes, makes trees, swaps a file for a directory or a link.
    """
    top = os.fsencode(root)
    dice = random.Random(seed)
    writing = [_add_one, _add_one, _rewrite, _append, _truncate, _chmod, _touch]
    actions = [*writing, _rename, _rename, _replace, _remove, _remove, _change_kind]
    for _ in range(steps):
        try:
            dice.choice(actions)(dice, top, names)
        except OSError:
            # Moved into itself, name too long, a directory over a file: as a person would be told.
            continue


def _folders(top: bytes) -> list[bytes]:
    return sorted(folder for folder, _, _ in os.walk(top))


def _paths(top: bytes) -> list[bytes]:
    return sorted(
        os.path.join(folder, name)
        for folder, folders, files in os.walk(top)
        for name in (*folders, *files)
    )


def _any_path(dice: random.Random, top: bytes) -> bytes:
    paths = _paths(top)
    if not paths:
        raise FileNotFoundError(top)
    return dice.choice(paths)


def _any_file(dice: random.Random, top: bytes) -> bytes:
    files = [path for path in _paths(top) if os.path.isfile(path) and not os.path.islink(path)]
    if not files:
        raise FileNotFoundError(top)
    return dice.choice(files)


def _new_name(dice: random.Random, names: Sequence[bytes]) -> bytes:
    return dice.choice(names) if dice.random() < 0.5 else b"n%d" % dice.randrange(1000)


def _add_one(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    path = os.path.join(dice.choice(_folders(top)), _new_name(dice, names))
    if os.path.lexists(path) or len(path) > 3000:
        return
    kind = dice.random()
    if kind < 0.25:
        os.mkdir(path)
        return
    if kind < 0.35:
        os.symlink(dice.choice((b"nowhere", b"../up", _new_name(dice, names))), path)
        return
    with open(path, "wb") as file:
        file.write(dice.randbytes(dice.choice((0, 1, 10, 1000, 100_000))))
    os.chmod(path, dice.choice((0o644, 0o600, 0o755, 0o640)))
    if dice.random() < 0.5:
        os.utime(path, ns=(0, dice.randrange(10**18, 17 * 10**17)))


def _rewrite(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    path = _any_file(dice, top)
    with open(path, "r+b") as file:
        file.write(dice.randbytes(os.path.getsize(path)))  # the same size: the hard case


def _append(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    with open(_any_file(dice, top), "ab") as file:
        file.write(b"one more line\n")


def _truncate(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    path = _any_file(dice, top)
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 2)


def _chmod(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    os.chmod(_any_file(dice, top), dice.choice((0o644, 0o600, 0o755, 0o444)))


def _touch(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    os.utime(_any_file(dice, top), ns=(0, dice.randrange(10**18, 17 * 10**17)))


def _rename(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    os.rename(
        _any_path(dice, top), os.path.join(dice.choice(_folders(top)), _new_name(dice, names))
    )


def _replace(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    path = _any_file(dice, top)
    temporary = os.path.join(os.path.dirname(path), b".save.tmp")
    with open(temporary, "wb") as file:
        file.write(dice.randbytes(dice.randrange(5000)))
    os.rename(temporary, path)


def _remove(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    remove(_any_path(dice, top))


def _change_kind(dice: random.Random, top: bytes, names: Sequence[bytes]) -> None:
    path = _any_path(dice, top)
    was_directory = os.path.isdir(path) and not os.path.islink(path)
    remove(path)
    if dice.random() < 0.3:
        os.symlink(b"..", path)
    elif was_directory:
        write(top, os.path.relpath(path, top), b"a directory once")
    else:
        write(top, os.path.join(os.path.relpath(path, top), b"inside"), b"a file once")


def remove(path: AnyPath) -> None:
    """Remove one path, with everything below it; a symbolic link is not followed."""
    name = os.fsencode(path)
    if os.path.isdir(name) and not os.path.islink(name):
        for inner in os.listdir(name):
            remove(os.path.join(name, inner))
        os.rmdir(name)
    else:
        os.unlink(name)
