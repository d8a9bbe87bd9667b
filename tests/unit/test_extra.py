"""The user's rsync options: read as rsync's own parser reads them, dangerous ones refused."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inosync.extra import (
    REFUSED,
    SHORT_TAKES_VALUE,
    TAKES_VALUE,
    half_written,
    options,
    parse_extra,
    spoken,
)


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


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ((), ()),
        (("-aqz",), ("-az",)),
        (("-qh", "-v"), ("-v",)),
        (("-qe", "ssh -q"), ("-e", "ssh -q")),
        (("-qessh",), ("-essh",)),
        (("--info", "none", "--info=stats0", "-i"), ("-i",)),
        (("--stderr=all", "--msgs2stderr", "--no-msgs2stderr", "--human-readable", "--quiet"), ()),
        (("--exclude", "-q", "--debug=del"), ("--exclude", "-q", "--debug=del")),
    ],
)
def test_what_only_changes_how_rsync_speaks(words: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert spoken(words) == left


@pytest.mark.parametrize("option", [*TAKES_VALUE, *(f"-{letter}" for letter in SHORT_TAKES_VALUE)])
def test_a_value_is_never_taken_for_an_option(option: str) -> None:
    try:
        assert parse_extra([option, "--dry-run"]) == (option, "--dry-run")
    except ValueError as error:
        assert option in REFUSED, error  # noqa: PT017 - both outcomes are right


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


@pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync to compare with")
def test_the_options_with_a_value_are_those_of_rsync() -> None:
    shown = subprocess.run(["rsync", "--help"], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^ *(--[a-z0-9-]+)(=?)[^\s,]*(?:, -(.))?", shown, re.MULTILINE)
    assert len(lines) > 100
    assert {name for name, equals, _ in lines if equals} <= TAKES_VALUE
    assert not {name for name, equals, _ in lines if not equals} & TAKES_VALUE
    short = {letter for _, equals, letter in lines if equals and letter}
    assert {"e", "f"} <= short <= set(SHORT_TAKES_VALUE)


@given(st.one_of(st.text(alphabet="-anePR ='\"\\x\0\ud800"), st.lists(st.text(max_size=8))))
def test_any_value_is_accepted_or_refused_in_words(value: object) -> None:
    try:
        words = parse_extra(value)
    except ValueError as error:
        assert "\n" not in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert not options(words) & REFUSED.keys()
