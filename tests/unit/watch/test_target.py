"""Whether a target is what it was, from values alone."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from inosync.watch.target import News, Target, fault, news, same
from inosync.watch.way import Step

DISK, ROOT = (b"ext4", b"/dev/sdb1"), (b"ext4", b"/dev/sda1")
KNOWN = Target(b"/backup/www", 8, 100, DISK)
GONE = Target(b"/backup/www", 0, 0, DISK)
LINK = Step(b"/backup", "/backup", 5, b"/mnt/1", os.geteuid())


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (KNOWN, News.SAME),
        (replace(KNOWN, device=9), News.SAME),  # the numbers of some file systems do not last
        (GONE, News.GONE),
        (replace(KNOWN, inode=101), News.ANOTHER),
        (replace(KNOWN, place=b"/mnt/2/www", home=ROOT), News.ANOTHER),
    ],
)
def test_what_has_become_of_it(now: Target, expected: News) -> None:
    assert fault(KNOWN, now) == ""
    assert news(KNOWN, now) is expected


@pytest.mark.parametrize("inode", [0, 2, 100])
def test_nothing_goes_to_another_file_system(inode: int) -> None:
    """Not to a bare mount point, nor to what lies below it."""
    assert "another file system" in fault(KNOWN, replace(KNOWN, inode=inode, home=ROOT))


def test_a_link_leads_to_another_one_only_when_its_owner_counts() -> None:
    before = replace(KNOWN, place=b"/mnt/1/www", links=(LINK,))
    link = LINK._replace(target=b"/mnt/2")
    now = replace(KNOWN, place=b"/mnt/2/www", home=ROOT, links=(link,))
    assert fault(before, now) == ""
    stranger = replace(now, links=(link._replace(owner=54321),))
    assert "user 54321 has switched /backup to /mnt/2" in fault(before, stranger)
    assert fault(replace(before, links=(*before.links, link)), stranger) == ""  # it was so before


def test_what_is_the_same_is_not_looked_at_closely() -> None:
    assert same(KNOWN, replace(KNOWN, home=()))
    assert not same(KNOWN, replace(KNOWN, device=9))
    assert not same(KNOWN, replace(KNOWN, identity=7))
    assert not same(GONE, GONE)
