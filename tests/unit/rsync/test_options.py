"""What the rsync options of a node mean for a run."""

from __future__ import annotations

import math

import pytest

from inosync.rsync.options import (
    backs_up,
    compares_contents,
    deletes_excluded,
    follows_links,
    half_written,
    hindrance,
    keeps_in_place,
    keeps_partials,
    leads_out,
    most_deletions,
    options,
    prevented,
    reaching,
    rule_files,
    spoken,
    suffix,
    timed,
    values,
    whole_files,
    with_rules,
    withholding,
    writes_through,
)


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ((), ()),
        (("-aqz",), ("-az",)),
        (("-qh", "-v"), ()),
        (("-avP", "--progress", "--verbose"), ("-aP",)),
        (("-qe", "ssh -q"), ("-e", "ssh -q")),
        (("-qessh",), ("-essh",)),
        (("--info", "none", "--info=stats0", "-i"), ("-i",)),
        (("--stderr=all", "--msgs2stderr", "--no-msgs2stderr", "--human-readable", "--quiet"), ()),
        (("--exclude", "-q", "--debug=del"), ("--exclude", "-q", "--debug=del")),
    ],
)
def test_what_only_changes_how_rsync_speaks(words: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert spoken(words) == left


def test_the_options_of_a_list_of_words() -> None:
    assert options(("-aHe", "-x", "--rsh=ssh", "-z")) == {"-a", "-H", "-e", "--rsh", "-z"}


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ((), ""),
        (("-aH",), ""),
        (("-aP",), "-P"),
        (("--partial",), "--partial"),
        (("-P", "--partial-dir=.rsync-partial"), ""),
        (("--inplace", "--partial-dir=x"), "--inplace"),
        (("--append-verify",), "--append-verify"),
    ],
)
def test_options_that_show_half_a_file(words: tuple[str, ...], option: str) -> None:
    assert half_written(words) == option


@pytest.mark.parametrize(
    ("extra", "option"),
    [
        ([], ""),
        (["-aHAX", "--numeric-ids", "--delete-after", "-e", "ssh -x", "--chmod=F644"], ""),
        (["-aHx"], "-x"),
        (["--one-file-system"], "--one-file-system"),
        (["-aL"], "-L"),
        (["-m"], "-m"),
        (["--exclude=*.tmp"], "--exclude"),
        (["--include", "a"], "--include"),
        (["-C"], "-C"),
        (["-FF"], "-F"),
        (["--no-implied-dirs"], "--no-implied-dirs"),
        (["--no-dirs"], "--no-dirs"),
    ],
)
def test_options_that_a_list_does_not_go_with(extra: list[str], option: str) -> None:
    assert hindrance(extra).partition(":")[0] == option


@pytest.mark.parametrize(
    ("extra", "answer"),
    [
        ((), False),
        (("-a", "-z", "--delete-after"), False),
        (("-aH",), True),
        (("--inplace",), True),
        (("--backup-dir=/x",), True),
        (("--no-protect-args",), True),
    ],
)
def test_options_that_keep_renames_from_being_more_than_changes(
    extra: tuple[str, ...], answer: bool
) -> None:
    assert prevented(extra) is answer


def test_whole_files() -> None:
    assert whole_files(("-avW",))
    assert whole_files(("--whole-file",))
    assert not whole_files(("-az", "--no-whole-file"))


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ((), False),
        (("-aP",), False),
        (("--partial",), False),
        (("--partial-dir=.mine",), True),
        (("--inplace",), True),
        (("--append-verify",), True),
    ],
)
def test_options_that_say_where_an_interrupted_file_stays(
    words: tuple[str, ...], kept: bool
) -> None:
    assert keeps_partials(words) is kept


def test_what_is_sent_and_deleted_beside_the_rules() -> None:
    assert deletes_excluded(("-a", "--delete-excluded"))
    assert not deletes_excluded(("--exclude", "--delete-excluded"))
    assert follows_links(("-aL",))
    assert not follows_links(("-aK", "--links"))
    assert withholding(("-auz", "--max-size=5", "-x")) == ["--max-size", "-u", "-x"]
    assert withholding(("-a", "--delete-excluded")) == []


@pytest.mark.parametrize(
    ("words", "most"),
    [((), math.inf), (("--max-delete=3",), 3), (("--max-delete", "-1"), 0)],
)
def test_how_much_may_be_deleted(words: tuple[str, ...], most: float) -> None:
    assert most_deletions(words) == most


def test_rules_come_again_behind_what_may_forget_them() -> None:
    words = ("--exclude-from", "/list", "-f", "- x", "--filter=merge /more", "-a")
    again = ["--exclude-from", "/list", "R", "-f", "- x", "--filter=merge /more", "R", "-a"]
    assert with_rules(words, ["R"]) == again


def test_the_files_of_rules() -> None:
    words = ("--exclude-from", "/a", "-f", "merge,- /b", "--filter=: .c", "--include-from=/d", "-a")
    assert list(rule_files(words)) == [("/a", ""), ("/b", "merge,- /b"), ("/d", "")]


def test_for_whom_it_matters_when_a_run_starts() -> None:
    assert timed(("-a", "--stop-after=5"))
    assert not timed(("-a", "--timeout=5", "--bwlimit=9"))


def test_who_takes_no_file_for_equal_by_size_and_date() -> None:
    assert compares_contents(("-zc",))
    assert compares_contents(("--checksum",))
    assert not compares_contents(("-z", "--checksum-choice=md5"))
    assert not compares_contents(("-c", "--no-checksum"))


def test_the_values_of_options() -> None:
    words = ("-aT", "/t", "--backup-dir", "/b", "--backup-dir=c", "-T/u", "--temp-dir=", "-v")
    assert list(values(words, ("-T", "--temp-dir"))) == ["/t", "/u"]
    assert list(values(words, ("--backup-dir",))) == ["/b", "c"]


def test_what_is_written_where_a_link_leads_to() -> None:
    assert leads_out(("-aK",)) == "-K"
    assert leads_out(("--keep-dirlinks",)) == "--keep-dirlinks"
    assert leads_out(("-aLk",)) == ""


def test_what_is_written_under_other_names_too() -> None:
    assert writes_through(("-aH", "--inplace")) == "--inplace"
    assert writes_through(("--append-verify", "--hard-links")) == "--append-verify"
    assert writes_through(("-a", "--inplace")) == writes_through(("-aH",)) == ""


def test_old_versions_beside_their_files() -> None:
    assert keeps_in_place(("-ab", "--suffix=~"))
    assert keeps_in_place(("--backup",))
    assert not keeps_in_place(("-b", "--backup-dir=x"))
    assert not keeps_in_place(("-b", "-L"))
    assert not keeps_in_place(())
    assert (suffix(("-b",)), suffix(("-b", "--suffix", ".1", "--suffix=.2"))) == ("~", ".2")


def test_where_old_versions_are_kept() -> None:
    assert [backs_up(words) for words in ((), ("-ab",), ("--backup-dir=x",))] == [
        "",
        "-b",
        "--backup-dir",
    ]


def test_how_a_node_is_reached() -> None:
    words = (
        "-aH4e",
        "ssh -p 1",
        "--delete-excluded",
        "--rsync-path=/r",
        "-C",
        "--password-file=/p",
    )
    reach = ["-4", "-e", "ssh -p 1", "--rsync-path", "/r", "--password-file", "/p"]
    assert list(reaching(words)) == reach
    assert list(reaching(words, attributes=True)) == ["-4", "-H", "-a", *reach[1:]]
