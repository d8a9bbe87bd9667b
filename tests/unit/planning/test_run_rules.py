"""The rules in the command line of a run."""

from __future__ import annotations

import pytest
from support.commands import KEPT, argv
from support.configs import make_config, make_source

LANE = make_config(rbigsize=1000)


def test_what_must_be_deleted_is_hidden_before_all_rules() -> None:
    source = make_source(argument="/srv/www", prefix="www", excludes=("+ *",))
    words = argv(source=source, hide=[b"a/o?d"], spare=[b"lost"])
    assert words[-6:-3] == ["--filter=H /www/a/o\\?d", "--filter=-sr /www/lost", "--exclude=+ *"]


def test_what_rsync_has_for_itself_is_protected_before_all_rules() -> None:
    source = make_source(argument="/srv/www", prefix="www", excludes=("+ *",))
    words = argv("/m", source=source, extra=("--backup-dir=/m/old/b*k",), spare=[b"lost"])
    rules = [word for word in words if word.startswith(("--filter", "--exclude"))]
    protected = ["--filter=P /old", "--filter=P /old/b\\*k"]
    assert rules == [KEPT, *protected, "--filter=-sr /www/lost", "--exclude=+ *"]


@pytest.mark.parametrize(
    ("prefix", "path", "pattern"),
    [
        ("", b"disk", "/disk"),
        ("www", b"a/disk", "/www/a/disk"),
        ("", b"a[1]", "/a\\[1]"),
        ("", b"a*?\\b", "/a\\*\\?\\\\b"),
        ("", b"a\\b", "/a\\b"),
    ],
)
def test_what_is_to_be_spared_is_excluded_before_all_else(
    prefix: str, path: bytes, pattern: str
) -> None:
    words = argv(source=make_source(prefix=prefix, excludes=("+ *",)), spare=[path])
    at = words.index(f"--filter=-sr {pattern}")
    assert words[at + 1] == "--exclude=+ *"


def test_a_lenient_run_spares_the_files_that_the_lane_is_at() -> None:
    words = argv(config=LANE, lenient=True, source=make_source(excludes=("*.tmp",)))
    at = words.index("--exclude=*.tmp")
    assert words[at - 2] == "--filter=-rp .*." + "[0-9A-Za-z]" * 6
    assert words[at - 1] == "--filter=-srp .inosync-partial/"


def test_files_that_are_to_be_left_alone() -> None:
    words = argv(source=make_source(prefix="www"), spare=[b"disk"], leave=[b"b", b"a[1]"])
    at = words.index("--filter=-sr /www/a\\[1]")
    assert words[at + 1 : at + 3] == ["--filter=-sr /www/b", "--filter=-sr /www/disk"]
