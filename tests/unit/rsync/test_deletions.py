"""Which options do not go with what is to be deleted."""

from __future__ import annotations

from inosync.rsync.deletions import deleting, untold


def test_what_deletes_more() -> None:
    assert deleting(("-a", "--delete-after", "--max-delete=5")) == ""
    assert deleting(("-a", "--force")) == "--force"
    assert deleting(("--delete-excluded",)) == "--delete-excluded"


def test_what_keeps_the_vanished_from_being_told() -> None:
    assert untold(("-aH", "--delete-after")) == ""
    assert untold(("--iconv=utf-8,latin1",)) == "--iconv: names are others there"
    assert untold(("-L",)).startswith("-L: what is behind a symbolic link")
