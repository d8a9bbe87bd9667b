"""What a release promises: one version everywhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from inosync import __version__

PROJECT = Path(__file__).resolve().parents[2]


def newest() -> tuple[str, str]:
    """Return the version and the date of the newest changes."""
    found = re.search(r"^(\S+) \((.+)\)\n-+$", (PROJECT / "CHANGES.rst").read_text(), re.M)
    assert found is not None
    return found[1], found[2]


def test_the_newest_changes_are_of_this_version() -> None:
    version, date = newest()
    assert version == __version__
    assert re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", date)


def test_a_tag_is_of_this_version_and_has_its_date() -> None:
    described = subprocess.run(
        ["git", "-C", PROJECT, "tag", "--points-at", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    if described.returncode or not described.stdout.strip():
        pytest.skip("this is no tagged release")
    assert described.stdout.split() == [f"v{__version__}"]
    assert newest()[1] != "unreleased"
