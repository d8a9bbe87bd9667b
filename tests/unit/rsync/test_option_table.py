"""The table of rsync's options, against rsync itself and against its own promises."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from inosync.rsync.option_table import LONG, ROWS, TABLE, Row

TAKES_VALUE = {name for name, row in TABLE.items() if row.value}


def test_an_option_is_in_one_row() -> None:
    names = [name for row in ROWS for name in row.names.split()]
    assert len(names) == len(set(names)) == len(TABLE)
    assert all(re.fullmatch("-[^-]|--[a-zA-Z0-9-]+", name) for name in names)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.names.partition(" ")[0])
def test_a_row_says_something(row: Row) -> None:
    assert row != Row(row.names)


def test_what_does_not_go_with_a_list_does_not_go_with_steps() -> None:
    # A step for renames is a list, too.
    assert all(row.no_steps for row in ROWS if row.no_list or row.in_place)


@pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync to compare with")
def test_the_options_with_a_value_are_those_of_rsync() -> None:
    shown = subprocess.run(["rsync", "--help"], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^ *(--[a-z0-9-]+)(=?)[^\s,]*(?:, -(.))?", shown, re.MULTILINE)
    assert len(lines) > 100
    assert {name for name, equals, _ in lines if equals} <= TAKES_VALUE
    assert not {name for name, equals, _ in lines if not equals} & TAKES_VALUE
    # "--daemon" is told of elsewhere, "--no-OPTION" and "--drop-" are no names.
    assert {name for name, _, _ in lines if not name.endswith("-")} <= LONG
    short = {f"-{letter}" for _, equals, letter in lines if equals and letter}
    assert {"-e", "-f"} <= short <= TAKES_VALUE


@pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync to compare with")
def test_rsync_takes_each_option_beside_those_that_every_run_has(tmp_path: Path) -> None:
    """One that makes every run fail is refused in a config; what needs a value is left out."""
    version = subprocess.run(["rsync", "--version"], capture_output=True, text=True, check=True)
    if "version 3.5." not in version.stdout:
        pytest.skip("the table is that of rsync 3.5")
    (tmp_path / "source").mkdir()
    ours = ["-ltrp", "--delete", "--protect-args", "--stats", "--no-human-readable"]
    for option in sorted(LONG - TAKES_VALUE - {"--info", "--debug", "--stderr"}):
        if option in TABLE and TABLE[option].refused:
            continue
        argv = ["rsync", *ours, option, "-n", "--", f"{tmp_path}/source/", f"{tmp_path}/mirror/"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or "does not support" in done.stderr, (option, done.stderr)
