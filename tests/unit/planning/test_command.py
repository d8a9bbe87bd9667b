"""rsync's command line."""

from __future__ import annotations

import pytest
from support.commands import KEPT, NEW, argv
from support.configs import make_config, make_pair, make_source

from inosync.config.model import Source
from inosync.planning.command import command
from inosync.planning.file_list import list_options
from inosync.planning.order import RunKind
from inosync.planning.run import Run
from inosync.planning.steps import Relink, Renew
from inosync.rsync import differences as drift
from inosync.rsync.program import Program

BASE = ["/usr/bin/rsync", "-ltrp", "--delete", "--protect-args", "--stats", "--no-human-readable"]
LANE = make_config(rbigsize=1000)


def test_a_local_mirror() -> None:
    ends = [KEPT, "--", "/srv/www/", "/mirror"]
    assert argv() == [*BASE, "--modify-window=-1", "--timeout=300", *ends]


@pytest.mark.parametrize(
    ("kind", "more", "keeps"),
    [
        (RunKind.PASS, {}, True),
        (RunKind.LISTED, {"listed": True}, True),
        (RunKind.LISTED, {"listed": True, "big": True}, True),
        (RunKind.CONTENTS, {"listed": True}, True),
        (RunKind.STEP, {"listed": True, "step": Renew(frozenset({b"a"}), (b"./a",))}, True),
        (RunKind.REHEARSAL, {}, False),
        (RunKind.COMPARISON, {}, False),
    ],
)
def test_what_a_run_puts_away_is_kept(kind: RunKind, more: dict, *, keeps: bool) -> None:
    pair = make_pair(None, "h:/m", rkeep=3.0)
    run = Run(pair, kind, keep="DAY/TIME", **more)
    words = command(run, make_config([pair], rbigsize=1000), Program(NEW))
    kept = ["--backup", "--backup-dir=/m/.inosync-kept/DAY/TIME"]
    assert [word for word in words if word.startswith("--backup")] == kept * keeps
    assert KEPT in words


def test_what_a_renamed_directory_takes_the_place_of_is_kept_at_the_top_of_the_mirror() -> None:
    source = make_source("/a/x/y", argument="/a/./x/y", prefix="x/y", relative=True)
    relink = Relink(b"old", b"b/new", (), (), frozenset({b"old"}))
    words = argv("/m", source=source, step=relink, keep="D/T")
    assert "--backup-dir=../../../../.inosync-kept/D/T/x/y/b/new" in words
    words = argv("h::mod/m/", source=source, step=relink, keep="D/T")
    assert "--backup-dir=/m/.inosync-kept/D/T/x/y/b/new" in words
    assert KEPT in words


@pytest.mark.parametrize(("extra", "behind"), [((), []), (("-L",), ["--include=/current/***"])])
def test_what_is_behind_a_link_is_compared_where_links_are_followed(
    extra: tuple[str, ...], behind: list[str]
) -> None:
    pair = make_pair(None, "/mirror", extra=extra)
    run = Run(pair, RunKind.CONTENTS, only=(b"current",))
    words = command(run, make_config([pair]), Program(NEW))
    at = words.index("--include=/current")
    assert words[at:-3] == ["--include=/current", *behind, "--exclude=*"]


def test_an_old_rsync_is_not_given_what_it_does_not_know() -> None:
    assert "--modify-window=-1" not in argv(version=(3, 1, 2))


@pytest.mark.parametrize(
    ("source", "top", "there"),
    [
        (make_source(), "/srv/www/", "/mirror"),
        (make_source(argument="/srv/www", prefix="www"), "/srv/", "/mirror/"),
        (make_source("/a/b", argument="/a/./b", prefix="b", relative=True), "/a/", "/mirror/"),
    ],
)
def test_a_run_that_names_what_it_carries(source: Source, top: str, there: str) -> None:
    words = argv(source=source, listed=True)
    assert words[1:7] == [*list_options()][:6]
    assert "--files-from=-" in words
    assert "-ltrp" not in words
    assert "--relative" not in words
    assert words[-2:] == [top, there]
    assert argv(source=source)[-2:] == [source.argument, there]


def test_a_rehearsal_changes_nothing_and_tells_what_it_would_delete() -> None:
    words = argv(config=make_config(logfile="/var/log/r.log"), rehearse=True, limit=5)
    assert words[-6:-3] == ["--dry-run", "--info=del", "--max-delete=2147483647"]
    assert not any(word.startswith("--log-file") for word in words)


def test_deletions_may_be_limited() -> None:
    assert argv(limit=5)[-4] == "--max-delete=5"
    assert not any(word.startswith("--max-delete") for word in argv())


@pytest.mark.parametrize(
    ("own", "limits"),
    [
        ("--max-delete=3", ["--max-delete=3"]),
        ("--max-delete=-1", ["--max-delete=-1"]),
        ("--max-delete=9", ["--max-delete=9", "--max-delete=5"]),
        ("--max-delete=many", ["--max-delete=many", "--max-delete=5"]),
        ("--max-size=1", ["--max-delete=5"]),
    ],
)
def test_the_smaller_limit_counts(own: str, limits: list[str]) -> None:
    words = argv(limit=5, extra=(own,))
    assert [word for word in words if word.startswith("--max-delete")] == limits


def test_what_must_not_be_deleted_is_told_again_behind_what_may_forget_it() -> None:
    rule = "--filter=-sr /disk"
    words = argv(
        extra=("--exclude-from", "/list", "-f", ". /more", "--filter=- *.o"), spare=[b"disk"]
    )
    assert words[words.index("--exclude-from") :][:9] == [
        *("--exclude-from", "/list", KEPT, rule, "-f", ". /more", KEPT, rule),
        "--filter=- *.o",
    ]


def test_what_keeps_a_run_from_speaking_is_left_out() -> None:
    words = argv(extra=("-aqh", "--info=none", "-q", "--stderr", "all", "-hB700", "-vz"))
    assert words[-6:-3] == ["-a", "-B700", "-z"]
    assert "-v" not in argv(extra=("-v", "--progress"))


def test_only_a_run_over_the_whole_source_deletes_ahead_of_what_it_sends() -> None:
    extra = ("--backup", "--suffix", "--delete-before", "--delete-before")
    relink = Relink(b"old", b"new", (), (), frozenset({b"old"}))
    for part in ({"listed": True}, {"trees": (b"d",)}, {"step": relink}):
        words = argv(extra=extra, **part)
        assert "--delete-during" in words
        assert words.count("--delete-before") == 1  # which is a suffix
    assert argv(extra=extra).count("--delete-before") == 2


def test_the_ordinary_run_carries_what_is_not_big() -> None:
    words = argv(config=LANE, extra=("-aH",))
    assert words[-5:-3] == ["-aH", "--max-size=1000"]
    assert [word for word in words if word.startswith("--filter")] == [KEPT]


@pytest.mark.parametrize("listed", [False, True])
def test_the_lane_carries_big_files_and_nothing_else(*, listed: bool) -> None:
    words = argv(config=LANE, big=True, listed=listed, extra=("-aH", "--delete-after", "--del"))
    assert not any(word.startswith(("--del", "--max-size")) for word in words)
    assert words[words.index("-aH") : -3] == [
        "-aH",
        "--min-size=1001",
        "--no-links",
        "--no-devices",
        "--no-specials",
        "--info=nonreg0",
        "--partial-dir=.inosync-partial",
        "--force",
    ]


@pytest.mark.parametrize("rdelete", ["seen", "start", "never"])
def test_the_lane_makes_no_way_where_not_all_may_be_deleted(rdelete: str) -> None:
    pair = make_pair(None, "/mirror", rdelete=rdelete, extra=("--delay-updates",))
    run = Run(pair, RunKind.LISTED, listed=True, big=True)
    words = command(run, make_config([pair], rbigsize=1000), Program(NEW))
    assert "--force" not in words
    assert "--delay-updates" in words
    # But a pass, where the next one is to make way.
    run = Run(pair, RunKind.PASS, big=True, demanded=True)
    words = command(run, make_config([pair], rbigsize=1000), Program(NEW))
    assert ("--force" in words) == (rdelete == "start")


@pytest.mark.parametrize("option", ["--inplace", "--append", "--partial-dir=.mine"])
def test_what_keeps_an_interrupted_file_itself(option: str) -> None:
    words = argv(config=LANE, big=True, extra=(option,))
    assert "--partial-dir=.inosync-partial" not in words
    assert option in words


def test_excludes_keep_their_order_and_extra_comes_behind_them() -> None:
    source = make_source(excludes=("+ /keep", "*.tmp", "/keep"))
    words = argv(source=source, extra=("-aH", "--exclude=last"))
    at = words.index("--exclude=+ /keep")
    assert words[at:-3] == [
        "--exclude=+ /keep",
        "--exclude=*.tmp",
        "--exclude=/keep",
        "-aH",
        "--exclude=last",
    ]


def test_nothing_that_follows_is_taken_for_an_option() -> None:
    assert argv()[-3] == "--"


def test_a_virtual_root_is_kept_on_the_node() -> None:
    source = make_source("/a/b", argument="/a/./b", prefix="b", relative=True)
    words = argv(source=source)
    assert "--relative" in words
    assert words[-2] == "/a/./b"


def test_rsyncs_own_log() -> None:
    assert "--log-file=/var/log/r.log" in argv(config=make_config(logfile="/var/log/r.log"))


@pytest.mark.parametrize("extra", [("--modify-window=0",), ("-@0",), ("-@", "1")])
@pytest.mark.parametrize("there", ["/m", "h:/m", "h::m"])
def test_which_times_are_equal_is_the_users_to_say(extra: tuple[str, ...], there: str) -> None:
    words = argv(there, extra=extra)
    assert not any(word.endswith("--modify-window=-1") for word in words)


def test_a_comparison_looks_at_contents_and_tells() -> None:
    words = argv(compare=True, rehearse=True)
    assert [word for word in words if word in drift.OPTIONS] == list(drift.OPTIONS)
    assert "--dry-run" in words
    assert "--checksum" not in argv(rehearse=True)
