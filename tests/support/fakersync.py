"""The Python side of tests/fakersync: give it orders, read what it recorded."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any, NamedTuple

from support.waiting import PATIENCE, until

PROGRAM = Path(__file__).resolve().parents[1] / "fakersync"


class Call(NamedTuple):
    """One start of the program. Bytes that are not UTF-8 are surrogates, as `os.fsdecode` does."""

    argv: tuple[str, ...]
    stdin: bytes
    pid: int
    group: int
    cwd: str
    environment: dict[str, str]
    started: float
    ended: float | None
    code: int | None
    said: str

    @property
    def destination(self) -> str:
        """The last argument."""
        return self.argv[-1]

    @property
    def literal(self) -> int:
        """How many bytes of files the run sent, by rsync's own statistics; 0: it told of none.

        What the other end put together from what it had is no literal data (rsync(1), --stats).
        """
        return sum(map(int, re.findall(r"^Literal data: (\d+) bytes$", self.said, re.MULTILINE)))


class FakeRsync:
    """A folder with an executable `rsync` in it. Its path is a config's ``rsync`` setting."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.path = folder / "rsync"
        command = shlex.join([sys.executable, "-I", "-S", str(PROGRAM)])
        self.path.write_text(
            f'#!/bin/sh\nFAKERSYNC_DIR={shlex.quote(str(folder))} exec {command} "$@"\n'
        )
        self.path.chmod(0o755)

    def always(self, **order: Any) -> None:
        """Do so in every run from now on. See tests/fakersync for the orders."""
        self._write("always", order)

    def to(self, destination: str, **order: Any) -> None:
        """Do so in every run whose last argument is `destination`; goes before `always`."""
        path = self.folder / "destinations"
        orders = json.loads(path.read_text()) if path.exists() else {}
        self._write("destinations", orders | {destination: order})

    def exits(self, *codes: int) -> None:
        """Let the next runs exit with these codes, one each; after 0 a run does as ordered."""
        self._write("codes", list(codes))

    def release(self) -> None:
        """Let all runs that hold, and all later ones, go on."""
        (self.folder / "released").touch()

    def hold_again(self) -> None:
        """Take `release` back: the next runs with the order `hold` wait again."""
        (self.folder / "released").unlink(missing_ok=True)

    def _write(self, name: str, content: object) -> None:
        temporary = self.folder / f".{name}"
        temporary.write_text(json.dumps(content))
        temporary.replace(self.folder / name)

    def calls(self) -> list[Call]:
        """Return all runs until now, the oldest first; asking for the version is none."""
        records: dict[str, dict[str, Any]] = {}
        path = self.folder / "calls"
        for line in path.read_text().splitlines() if path.exists() else ():
            record = json.loads(line)
            records.setdefault(record.pop("run"), {"ended": None, "code": None, "said": ""}).update(
                record
            )
        return [
            Call(
                **record
                | {
                    "argv": tuple(record["argv"]),
                    "stdin": record["stdin"].encode(errors="surrogateescape"),
                }
            )
            for record in records.values()
        ]

    def wait_for_calls(self, count: int, *, seconds: float = PATIENCE) -> list[Call]:
        """Wait until at least so many runs have started, and return all of them."""
        until(
            lambda: len(self.calls()) >= count,
            seconds=seconds,
            what=f"{count} runs of rsync",
            state=lambda: "\n".join(map(str, self.calls())),
        )
        return self.calls()
