"""What is said of what cannot be carried, and of what stays."""

from __future__ import annotations

from inosync.rsync.causes import Cause, cure, staying
from inosync.rsync.filters import compile_filters


def test_cures_name_who_and_where() -> None:
    for cause in Cause:
        text = cure(cause, user="games", host="h", where="h:/m")
        assert "{" not in text
    assert "games" in cure(Cause.UNREADABLE, user="games", host="h", where="")
    assert "the user of inosync" in cure(Cause.UNREADABLE, user="", host="h", where="")


def test_why_a_directory_stays() -> None:
    rules = compile_filters(["- *.tmp", "cache/"])
    assert "-p PATTERN" in staying(b"d", b"", rules)
    assert "d/x.tmp is in it, which the rule - *.tmp protects" in staying(b"d", b"d/x.tmp", rules)
    assert "written as '-p *.tmp'" in staying(b"d", b"d/x.tmp", rules)
    assert "'-p cache/'" in staying(b"d", b"d/cache/x", rules)
    assert staying(b"d", b"d/other", rules).endswith("which runs leave alone")
