"""The config script as a file: may it be trusted, and what names does it leave behind?

Owns reading and running the script. Knows no setting. A script runs with the rights of whoever
starts the daemon, so nothing in it is run before the file and its directory have been checked.
"""

from __future__ import annotations

import ast
import os
import pwd
import stat
import traceback
from dataclasses import dataclass
from types import ModuleType

from inosync.config.unread import unread
from inosync.errors import ConfigError
from inosync.text import printable

#: A config script is shorter. The bound keeps a wrong path from filling the memory.
LONGEST = 1 << 20

_OVERRIDE = "or start with --insecure-config"


@dataclass(frozen=True)
class Script:
    """A script that has been run: its absolute path, its names, and what to warn of.

    ``unread`` are names that it sets, and that nothing in it reads.
    """

    file: str
    names: dict[str, object]
    warnings: tuple[str, ...]
    unread: frozenset[str]


def run(path: str, *, insecure: bool) -> Script:
    """Run the Python script at `path` once and return what it defines.

    The script is refused when the file or its directory (also the one a symbolic link lies in) can
    be written by its group or by others, or belongs to someone else than root or the user that
    runs this; `insecure` turns that into warnings. In a directory with the sticky bit, such as
    /tmp, others cannot replace the file, so there only the directory's owner counts. What was
    checked is what is run: the text is read from the descriptor that was looked at.

    ``sys.path`` is untouched and no bytecode is written. Raise ConfigError, naming file and line,
    if the script cannot be read or does not run to its end.
    """
    file = os.path.abspath(path)
    shown = printable(file)
    try:
        data, warnings = _read(file)
    except OSError as error:
        raise ConfigError([f"{shown}: cannot be read: {error.strerror}"]) from None
    except ValueError as error:  # a path with a NUL, or what the file is
        raise ConfigError([f"{shown}: {error}"]) from None
    warnings = [f"{shown}: {warning}" for warning in warnings]
    if warnings and not insecure:
        raise ConfigError(warnings)
    names, idle = _execute(file, _decode(shown, data))
    return Script(file, names, tuple(warnings), idle)


def _read(file: str) -> tuple[bytes, list[str]]:
    """Return the content of `file` and why it should not be trusted."""
    real_directory, name = os.path.split(os.path.realpath(file))
    directory = os.open(real_directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # O_NONBLOCK: opening a FIFO would wait for a writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(name or ".", flags, dir_fd=directory)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("is no regular file; give the path of a config script")
            if status.st_size > LONGEST:
                raise ValueError(f"is longer than {LONGEST} bytes; that is no config script")
            reasons = distrust(status, file)
            reasons += distrust(os.fstat(directory), real_directory)
            if os.path.dirname(file) != real_directory:
                reasons += distrust(os.stat(os.path.dirname(file)), os.path.dirname(file))
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                return opened.read(LONGEST), reasons
        finally:
            os.close(descriptor)
    finally:
        os.close(directory)


def distrust(status: os.stat_result, path: str) -> list[str]:
    """Return why what `status` describes could be changed by others than root and ourselves."""
    mode = stat.S_IMODE(status.st_mode)
    is_directory = stat.S_ISDIR(status.st_mode)
    what = f"its directory {printable(path)}" if is_directory else "the file"
    reasons: list[str] = []
    if status.st_uid not in (0, os.geteuid()):
        reasons.append(
            f"{what} belongs to {_user_name(status.st_uid)}, who could change what is run; "
            f"chown it to root or to the user that runs inosync, {_OVERRIDE}"
        )
    sticky = is_directory and bool(mode & stat.S_ISVTX)
    writers = [("g", "its group", stat.S_IWGRP), ("o", "others", stat.S_IWOTH)]
    found = [(letter, who) for letter, who, bit in writers if mode & bit and not sticky]
    if found:
        letters = "".join(letter for letter, _ in found)
        who = " and ".join(who for _, who in found)
        reasons.append(
            f"{what} can be written by {who} (mode {mode:04o}); "
            f"chmod {letters}-w {printable(path)}, {_OVERRIDE}"
        )
    return reasons


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _decode(shown: str, data: bytes) -> str:
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise ConfigError([f"{shown}:{line}: holds a NUL byte; a config is a text file"])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError([f"{shown}:{line}: is not UTF-8; save the file as UTF-8"]) from None


def _execute(file: str, text: str) -> tuple[dict[str, object], frozenset[str]]:
    """Return the names that the script defines, and those of them that it never reads."""
    module = ModuleType("__config__")
    module.__file__ = file
    try:
        tree = ast.parse(text, file)
        _refuse_annotations(file, tree)
        # dont_inherit: the script shall not get the __future__ imports of this file.
        code = compile(tree, file, "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - this is what a config script is for
    except ConfigError:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit and ^C included: none may pass
        raise ConfigError([_explain(file, error)]) from None
    names = {name: value for name, value in vars(module).items() if isinstance(name, str)}
    return names, unread(tree)


def _refuse_annotations(file: str, tree: ast.Module) -> None:
    """Raise ConfigError where ``name: value`` was written for ``name = value``: it sets nothing."""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and node.value is None:
            name, value = ast.unparse(node.target), ast.unparse(node.annotation)
            text = f"{file}:{node.lineno}: {name}: {value} sets nothing; write {name} = {value}"
            raise ConfigError([printable(text)])


def _explain(file: str, error: BaseException) -> str:
    """Return "FILE:LINE: Kind: message" for an exception that left the script."""
    kind = type(error).__name__
    line: int | None = None
    if isinstance(error, SyntaxError) and error.filename == file:
        line, what = error.lineno, str(error.msg)
    else:
        for frame, number in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename == file:
                line = number
        what = _message(error)
    where = f"{file}:{line}" if line else file
    return printable(f"{where}: {kind}: {what}" if what else f"{where}: {kind}")


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "a config only sets variables, it must not exit"
    try:
        return str(error)[:200]
    except Exception:  # noqa: BLE001 - a script's exception may do anything when asked
        return ""
