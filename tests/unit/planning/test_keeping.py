"""The command lines that look after what nodes keep."""

from __future__ import annotations

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.planning.keeping import counting, listing, pruning, restoring
from inosync.rsync.program import Program
from inosync.rsync.versions import Version

PROGRAM = Program((3, 2, 7))


def test_only_days_that_are_named_are_removed() -> None:
    pair = make_pair(None, "h::m/x/", rkeep=1.0, extra=("--delete-excluded", "-f", "- *", "-4"))
    over = ["1970-01-02", "1970-01-01"]
    words = pruning(pair, make_config([pair]), PROGRAM, days=over, empty="/e")
    assert words[1:4] == ["-rR", "--existing", "--delete"]
    assert words[-2:] == ["/e/./.inosync-kept/", "h::m/x/"]
    rules = [word for word in words if word.startswith(("--include", "--exclude", "-f"))]
    days = "--include=/.inosync-kept/1970-01-0[12]/***"
    assert rules == ["--include=/.inosync-kept/", days, "--exclude=*"]
    assert "-4" in words
    assert "--delete-excluded" not in words


def test_days_are_listed_and_then_what_is_kept_of_one() -> None:
    pair = make_pair(None, "h:", extra=("-aX", "-e", "ssh -v"))
    config = make_config([pair])
    words = listing(pair, config, PROGRAM)
    assert words[1:4] == ["--list-only", "--no-human-readable", "--8-bit-output"]
    assert words[-4:] == ["-e", "ssh -v", "--", "h:.inosync-kept/"]
    assert "-r" not in words
    words = listing(pair, config, PROGRAM, day="2026-11-28")
    assert words[-3:] == ["-r", "--", "h:.inosync-kept/2026-11-28/"]
    words = listing(pair, config, PROGRAM, day="2026-11-28", path=b"a/[b]\\c")
    assert words[words.index("-r") + 1 : -2] == [
        "--include=/*/",
        "--include=/*/a/",
        "--include=/*/a/\\[b]\\\\c",
        "--include=/*/a/\\[b]\\\\c/**",
        "--exclude=*",
    ]


def test_what_is_kept_is_counted_and_read_no_deeper_than_that_takes() -> None:
    pair = make_pair(None, "h:", rkeep=1.0)
    words = counting(pair, make_config([pair]), PROGRAM, sized=True)
    assert words[1:4] == ["-r", "--list-only", "--no-human-readable"]
    assert words[-2:] == ["--", "h:.inosync-kept/"]
    assert not any(word.startswith(("--include", "--exclude")) for word in words)
    words = counting(pair, make_config([pair]), PROGRAM, sized=False)
    rules = ["--include=/*/", "--include=/*/*/", "--include=/*/*/*", "--exclude=*"]
    assert words[-6:-2] == rules


@pytest.mark.parametrize(
    ("node", "there", "start"),
    [
        ("/m", "/m/.inosync-kept/", b""),
        ("h:", "h:.inosync-kept/", b""),
        ("h::mod", "h::mod/", b".inosync-kept/"),
        ("h::mod/sub/", "h::mod/", b"sub/.inosync-kept/"),
        ("rsync://h:1/mod/a/b", "rsync://h:1/mod/", b"a/b/.inosync-kept/"),
    ],
)
def test_what_is_kept_is_named_with_the_run_that_put_it_away(
    node: str, there: str, start: bytes
) -> None:
    pair = make_pair(make_source(prefix="www"), node, extra=("-aX", "--delete"))
    found = [
        Version(b"www/a/b", 0.0, "D/T", "-", 1, 0.0),
        Version(b"www/c", 1.0, "D/U", "l", 1, 0.0),
    ]
    known = (pair, make_config([pair]), PROGRAM, found)
    run = restoring(*known, below=b"www", to="/srv/www", keep="D/V")
    assert run.argv[-3:] == ("--", there, "/srv/www/")
    assert {"-a", "-X", "--ignore-times", "--backup", "--backup-dir=.inosync-kept/D/V"} < set(
        run.argv
    )
    assert "--delete" not in run.argv
    assert run.names == start + b"D/T/www/./a/b\0" + start + b"D/U/www/./c\0"
    assert restoring(*known, below=b"", to="/x", keep="D/V").names.startswith(
        start + b"D/T/./www/a/b"
    )
