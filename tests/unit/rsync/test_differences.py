"""What rsync's itemized lines say; these were read off rsync 3.5.0."""

from __future__ import annotations

import pytest

from inosync.rsync.differences import (
    SAMPLE,
    Difference,
    below,
    carried,
    differences,
    line,
    overwritten,
    summary,
)


@pytest.mark.parametrize(
    ("text", "path", "what"),
    [
        (b">f+++++++++ new\n", b"new", "missing"),
        (b"<f+++++++++ sub/new", b"sub/new", "missing"),
        (b"cd+++++++++ ./\n", b"./", "missing"),
        (b"*deleting   xd/y\n", b"xd/y", "extra on the mirror"),
        (b"*deleting   xd/\n", b"xd/", "extra on the mirror"),
        (b">fc........ same\n", b"same", "content"),
        (b"<fcst...... size\n", b"size", "content, times"),
        (b">f.st...... size\n", b"size", "content, times"),
        (b".f..t...... t\n", b"t", "times"),
        (b".f...p..... p\n", b"p", "permissions"),
        (b".f....og.ax o\n", b"o", "owner, group, ACL, extended attributes"),
        (b".f......u.. u\n", b"u", "access times"),
        (b".f......n.. n\n", b"n", "creation times"),
        (b".f......b.. b\n", b"b", "access and creation times"),
        (b"  32,768 0% 0.00kB/s 0:00:00 \r.d..t...... sub/\n", b"sub/", "times"),
        (b"cLc.T...... l\n", b"l", "link target"),
        (b"cDc.t...... d\n", b"d", "device, times"),
        (b"hf          other name\n", b"other name", "hard link"),
        (b"hf..t...... n\n", b"n", "times"),
        (b">f+++++++++ a\\#012b\\#134#012\n", b"a\nb\\#012", "missing"),
        (b">f+++++++++ \xc3\xa4\xff \n", b"\xc3\xa4\xff ", "missing"),
    ],
)
def test_a_line(text: bytes, path: bytes, what: str) -> None:
    assert list(differences([text])) == [Difference(path, what)]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"created directory m2\n",
        b'skipping non-regular file "fifo"\n',
        b"deleting x\n",
        b"Number of files: 3\n",
        b".L...T..... times that rsync was not asked to keep\n",
    ],
)
def test_other_lines_are_passed_over(text: bytes) -> None:
    assert list(differences([text])) == []


def test_a_summary_counts_all_and_keeps_a_few() -> None:
    found = [Difference(b"%d" % number, "times") for number in range(SAMPLE + 3)]
    drift = summary(found)
    assert drift.count == SAMPLE + 3
    assert drift.sample == tuple(found[:SAMPLE])


@pytest.mark.parametrize(
    ("prefix", "path", "relative", "shown"),
    [
        (b"", b"a/b", b"a/b", "a/b: x"),
        (b"", b"sub/", b"sub", "sub: x"),
        (b"", b"./", b"", ".: x"),
        (b"www", b"www/a", b"a", "a: x"),
        (b"www", b"www/", b"", ".: x"),
        (b"bar/baz", b"bar/baz/q", b"q", "q: x"),
        (b"bar/baz", b"bar/", None, "/bar/: x"),
        (b"bar/baz", b"bar/bazzz", None, "/bar/bazzz: x"),
    ],
)
def test_paths_count_from_the_source(
    prefix: bytes, path: bytes, relative: bytes | None, shown: str
) -> None:
    assert below(prefix, path) == relative
    assert line(prefix, Difference(path, "x")) == shown


def test_which_files_got_the_content_of_the_source() -> None:
    lines = [
        b">f+++++++++ a/new\n",
        b"<f.st...... sent\n",
        b"hf          linked\n",
        b"cf+++++++++ copied\n",
        b".f...p..... only its mode\n",
        b"cd+++++++++ folder/\n",
        b"cL+++++++++ link\n",
        b"*deleting   gone\n",
        b"Number of files: 7\n",
        b"\r      1 100%    0.00kB/s    0:00:00\r>f+++++++++ behind progress\n",
        b">f+++++++++ new\\#012line and \\#134#012\n",
    ]
    expected = [b"a/new", b"sent", b"behind progress", b"new\nline and \\#012"]
    assert list(carried(lines)) == expected
    assert set(carried(lines, made=True)) == {*expected, b"linked", b"copied"}


def test_a_directory_that_stays_is_no_difference() -> None:
    lines = (
        b"cannot delete non-empty directory: a/b\\#012\n",
        b"*deleting   a/b\\#012/\n",
        b"cannot delete non-empty directory: a\n",
        b"*deleting   a/\n",
        b"*deleting   a/c\n",
    )
    assert list(differences(lines)) == [Difference(b"a/c", "extra on the mirror")]


def test_what_a_rehearsal_would_overwrite() -> None:
    told = [
        b">f+++++++++ new\n",
        b"  32,768 0% 0.00kB/s 0:00:00 \r<f.st...... a\\#012b\n",
        b">f..t...... b\n",
        b"<f......... size and time are equal, and it is sent all the same\n",
        b"hf.st...... c\n",
        b"hf          linked\n",
        b".f..t...... times\n",
        b"cLc.t...... link\n",
        b"*deleting   gone\n",
        b"Number of files: 3\n",
    ]
    found = [each.path for each in overwritten(told)]
    assert found == [b"a\nb", b"b", told[3][12:-1], b"c"]
