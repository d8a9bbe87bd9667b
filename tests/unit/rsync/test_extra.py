"""The user's rsync options: read as rsync's own parser reads them, dangerous ones refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inosync.rsync.extra import parse_extra
from inosync.rsync.option_table import TABLE
from inosync.rsync.options import options

REFUSED = {name: row.refused for name, row in TABLE.items() if row.refused}
TAKES_VALUE = {name for name, row in TABLE.items() if row.value}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", ()),
        ("  ", ()),
        ([], ()),
        ("-aH", ("-aH",)),
        ("--rsh=ssh -a", ("--rsh=ssh", "-a")),
        ("-e 'ssh -p 22' --chmod=D755", ("-e", "ssh -p 22", "--chmod=D755")),
        (["-e", "ssh -p 22"], ("-e", "ssh -p 22")),
        (("--rsh", "ssh -n"), ("--rsh", "ssh -n")),
        ("--exclude --dry-run", ("--exclude", "--dry-run")),
        ("-aen", ("-aen",)),
        ("-M--fake-super", ("-M--fake-super",)),
        (
            "-f '- *.tmp' -T /tmp -B 700 -@ 1",
            ("-f", "- *.tmp", "-T", "/tmp", "-B", "700", "-@", "1"),
        ),
        ("--no-owner --delete-excluded", ("--no-owner", "--delete-excluded")),
        ("--new-option-of-rsync-4=x", ("--new-option-of-rsync-4=x",)),
        ("--backup-dir /srv/old", ("--backup-dir", "/srv/old")),
        (["--exclude=line\nbreak"], ("--exclude=line\nbreak",)),
        (["--exclude=!x", "--filter=- !"], ("--exclude=!x", "--filter=- !")),
        ("--filter=._x --filter=P_*", ("--filter=._x", "--filter=P_*")),
        ("--no-new -F --filter=-C", ("--no-new", "-F", "--filter=-C")),
    ],
)
def test_what_is_accepted(value: object, words: tuple[str, ...]) -> None:
    assert parse_extra(value) == words


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("--rsh='ssh", "close the quote"),
        ("-a \\", "cannot be split into words"),
        (5, "must be a string or a list of strings"),
        (["-a", 5], "must be a string or a list of strings"),
        ({"-a"}, "must be a string or a list of strings"),
        ("/var/www", "'/var/www', which is no option"),
        ("rsync://user:secret@host/x", "holds a word, which is no option"),
        ("-a /var/www", "'/var/www', which is no option"),
        ("--rsh=ssh ssh", "'ssh', which is no option"),
        ("-essh ssh", "'ssh', which is no option"),
        ("--new-option value", "'value', which is no option"),
        ("-a -", "'-', which is no option"),
        ("-a --", "'--', which is no option"),
        ([""], "'', which is no option"),
        (["-a", " -n"], "' -n', which is no option"),
        (["--exclude=\0"], "NUL"),
        (["--exclude=\ud800"], "no command line can hold"),
        ("--rsh", "ends in '--rsh', which needs a value"),
        ("-ae", "ends in '-ae', which needs a value"),
        ("-n", "holds -n, which is refused: nothing would be sent"),
        ("-aHn", "holds -n, which is refused"),
        ("-e ssh -n", "holds -n, which is refused"),
        ("--dry-run", "run inosync -p"),
        ("--dry-run=yes", "holds --dry-run, which is refused"),
        ("-R", "put /./ where the part to keep begins"),
        ("-a --daemon", "another role"),
        ("--files-from=/x", "decided by inosync"),
        ("--remove-source-files", "never written to"),
        ("--ignore-errors", "would empty its mirrors"),
        ("--filter=!", "holds --filter=!, which is refused: it would forget rexcludes"),
        ("-f clear", "holds -f clear, which is refused: it would forget rexcludes"),
        ("-af '! x'", "it would forget rexcludes"),
        ("--exclude !", "it would forget rexcludes"),
        ("--include=!", "it would forget rexcludes"),
        (["--filter= !"], "rsync knows no such rule"),
        (["--filter=_!"], "rsync knows no such rule"),
        (["--filter=merge,! /f"], "rsync refuses its modifier '!'"),
        (["--filter=foo"], "rsync knows no such rule"),
        (["--filter=P "], "it has no pattern"),
        (["--filter=. -"], "standard input is inosync's own"),
        ("--exclude-from=-", "standard input is inosync's own"),
        ("--include-from -", "standard input is inosync's own"),
        ("--old-args", "which is refused: names would be taken apart"),
        ("--filter=P *", "it has no pattern; if that is one option, quote it: '--filter=P *'"),
        ("-a --chmod=u+x x -z", "if that is one option, quote it: '--chmod=u+x x'"),
        ("--rsh=ssh -p 3", "if that is one option, quote it: '--rsh=ssh -p 3'"),
        ("--no-delete", 'to delete nothing there write rdelete = "never"'),
        ("--no-delete-after", 'to delete nothing there write rdelete = "never"'),
        ("--no-stats", "there is no opposite of --stats; remove it"),
        ("--recurs", "it takes no abbreviations; write --recursive"),
        ("--delete-ex", "write --delete-excluded"),
        ("--rs=ssh", "write --rsh or --rsync-path"),
    ],
)
def test_what_is_refused(value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        parse_extra(value)


@pytest.mark.parametrize("option", REFUSED)
def test_every_refused_option_is_refused_with_a_reason(option: str) -> None:
    with pytest.raises(ValueError, match=re.escape(REFUSED[option])):
        parse_extra([option])


def test_an_option_without_its_value_and_behind_it_nothing() -> None:
    for words in (["-a", "--rsh"], ["-ae"]):
        with pytest.raises(ValueError, match="which needs a value"):
            parse_extra(words)


def test_nobody_is_told_to_write_what_cannot_be_typed() -> None:
    with pytest.raises(ValueError, match="which is no option") as caught:
        parse_extra("=\x1f")
    assert str(caught.value).isprintable()


@example(["-f", "\n"])
@example(["--no-del\n"])
@example(["--filter=!\n"])
@given(st.one_of(st.text(alphabet="-anePR ='\"\\x\0\ud800"), st.lists(st.text(max_size=8))))
def test_any_value_is_accepted_or_refused_in_words(value: object) -> None:
    try:
        words = parse_extra(value)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert not options(words) & REFUSED.keys()


@pytest.mark.parametrize("option", sorted(TAKES_VALUE))
def test_a_value_is_never_taken_for_an_option(option: str) -> None:
    value = "- --dry-run" if option in ("-f", "--filter") else "--dry-run"
    try:
        assert parse_extra([option, value]) == (option, value)
    except ValueError as error:
        assert option in REFUSED, error  # noqa: PT017 - both outcomes are right
