"""The exit statuses: in one place, and told as they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inosync.commands import arguments
from inosync.errors import (
    AlreadyRunningError,
    ConfigError,
    Exit,
    InosyncError,
    NotRunningError,
    WatchError,
)

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_of_the_commands_tells_each_exit_status() -> None:
    page = (ROOT / "docs/commands.rst").read_text()
    section = page.split("\nExit status\n===========\n")[1].split("\n===")[0]
    told = dict(re.findall(r"^(\d+)\n    (.*)", section, re.MULTILINE))
    assert {int(number) for number in told} == set(Exit)
    for status in (Exit.ALREADY_RUNNING, Exit.NOT_RUNNING, Exit.NOT_IN_SYNC):
        assert status.name.lower().replace("_", " ") in told[str(status.value)]


def test_so_does_the_help() -> None:
    told = arguments.parser().format_help().rpartition("Exit:")[2]
    assert {int(number) for number in re.findall(r"\b\d\b", told)} == set(Exit)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError(["a", "b"]), Exit.USAGE),
        (AlreadyRunningError("x"), Exit.ALREADY_RUNNING),
        (NotRunningError("x"), Exit.NOT_RUNNING),
        (WatchError("x"), Exit.FAILED),
    ],
)
def test_an_error_ends_the_program_with_its_status(error: InosyncError, status: Exit) -> None:
    assert error.exit_status is status
    assert str(error)
