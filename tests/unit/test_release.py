"""What a release promises: one version everywhere."""

from __future__ import annotations

import importlib.util
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


def test_the_debian_package_is_of_this_version() -> None:
    changelog = (PROJECT / "packaging/debian/changelog").read_text()
    assert changelog.startswith(f"inosync ({__version__}) ")


def test_links_lead_somewhere_from_pypi() -> None:
    """README.rst has links from file to file; each file is there, and becomes an address."""
    specification = importlib.util.spec_from_file_location("pypi", PROJECT / "packaging/pypi.py")
    assert specification is not None
    assert specification.loader is not None
    pypi = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(pypi)
    text = (PROJECT / "README.rst").read_text()
    made = pypi.absolute(text, "https://example.org/inosync", "v1")
    assert re.findall(r"<(?![a-z]+:)[^>]+>`_", made) == []
    start = "https://example.org/inosync/blob/v1/"
    files = re.findall(rf"^\.\. _.+: {start}(\S+)$", made, re.MULTILINE)
    assert "docs/install.rst" in files
    assert [each for each in files if not (PROJECT / each.partition("#")[0]).exists()] == []
    picture = pypi.absolute(".. image:: docs/page-light.png\n", "https://example.org/inosync", "v1")
    assert picture.split() == [
        "..",
        "image::",
        "https://example.org/inosync/raw/v1/docs/page-light.png",
    ]


def test_every_test_of_a_package_is_run() -> None:
    """The programs in tests/packages are named in ./tests/run, and pytest gets the folder."""
    said = (PROJECT / "tests/run").read_text()
    folder = PROJECT / "tests/packages"
    programs = [path.name for path in folder.iterdir() if path.is_file() and not path.suffix]
    assert [name for name in programs if f"    ./tests/packages/{name}\n" not in said] == []
    assert re.search(r"-m pytest .* tests/packages ", said)
