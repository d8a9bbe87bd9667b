"""The command lines that look after what nodes keep."""

from __future__ import annotations

from support.configs import make_config, make_pair

from inosync.planning.keeping import pruning
from inosync.rsync.program import Program

PROGRAM = Program((3, 2, 7))


def test_only_days_that_are_over_are_removed() -> None:
    pair = make_pair(None, "h::m/x/", rkeep=1.0, extra=("--delete-excluded", "-f", "- *", "-4"))
    words = pruning(pair, make_config([pair]), PROGRAM, wall=3 * 86_400 + 5.0, empty="/e")
    assert words[1:4] == ["-rR", "--existing", "--delete"]
    assert words[-2:] == ["/e/./.inosync-kept/", "h::m/x/"]
    rules = [word for word in words if word.startswith(("--include", "--exclude", "-f"))]
    assert rules[:2] == ["--include=/.inosync-kept/", "--include=/.inosync-kept/1970-01-02/***"]
    assert not any("1970-01-03" in word for word in words)
    assert rules[-1] == "--exclude=*"
    assert "-4" in words
    assert "--delete-excluded" not in words
