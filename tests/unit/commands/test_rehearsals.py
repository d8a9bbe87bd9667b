"""What dry runs say of a node."""

from __future__ import annotations

import pytest
from support.configs import make_pair, make_source

from inosync.commands.probe import PROBLEM, WARNING
from inosync.commands.rehearsals import (
    imprecise,
    missing,
    parent,
    refused,
    rehearsal,
    rules,
    taken,
)

ONLY_RSYNC = b"/usr/bin/rrsync error: SSH_ORIGINAL_COMMAND does not run rsync\n"
TIME = b"<f..t...... %s\n"


def test_who_was_kept_out_is_asked_again() -> None:
    busy = b"/usr/bin/rrsync error: Another instance of rrsync is already accessing this directory."
    found = taken(make_pair(), busy)
    assert found is not None
    assert found.level == WARNING
    assert "put -no-lock" in found.text
    assert taken(make_pair(), ONLY_RSYNC) is None
    assert taken(make_pair(), b"") is None


def test_a_rehearsal_tells_what_it_would_send() -> None:
    words = rehearsal(["rsync", "-n", "--", "/s/", "h:/m"], "--more")
    assert words[-3:] == ["--", "/s/", "h:/m"]
    assert words[:2] == ["rsync", "-n"]
    assert "--out-format=%i %n" in words
    assert words[-4] == "--more"


@pytest.mark.parametrize("status", [0, 24])
def test_it_went_well(status: int) -> None:
    assert refused(make_pair(), status, b"", 20) is None


@pytest.mark.parametrize(
    ("status", "errors", "said"),
    [
        (None, b"", "no answer within 20 s"),
        (1, b"ERROR: module is read only\nrsync error: syntax", "the module is read only; set"),
        (255, b"\nssh: no route\n", "exit 255: ssh failed (ssh: no route); try 'ssh a true'"),
        (255, b"Welcome!\nssh: no\nrsync: closed\n", "exit 255: ssh failed (ssh: no)"),
        (255, b"rsync: closed\n", "exit 255: ssh failed (rsync: closed)"),
        (12, ONLY_RSYNC, "exit 12: rrsync starts nothing but rsync (/usr/bin/rrsync error: SSH_"),
        (10, b"", "exit 10: error in socket I/O; check that a is up"),
    ],
)
def test_it_was_refused(status: int | None, errors: bytes, said: str) -> None:
    found = refused(make_pair(), status, errors, 20)
    assert found is not None
    assert found.level == PROBLEM
    assert found.text.startswith(said)


@pytest.mark.parametrize(
    ("status", "errors", "said"),
    [
        (1, b"invalid modifier 'z' at position 1 in filter rule: : r", "rexcludes[1] = ': r': inv"),
        (1, b"Unknown filter rule: `. /r'", "rexcludes[2] = '. /r': Unknown filter rule"),
        (1, b"Unknown filter rule: <rule from /r line 1>", "rexcludes[2] = '. /r': Unknown filter"),
        (1, b"Unknown filter rule: `zz'", "rexcludes[1] = ': r' or rexcludes[2] = '. /r': Unknown"),
        (
            11,
            b"x\nrsync: [client] failed to open exclude file /r: No (2)\nx",
            "rexcludes[2] = '. /r'",
        ),
        (1, b"rsync: --x: unknown option", "syntax or usage error (rsync: --x"),
        (11, b"rsync: [client] failed to open exclude file /mine: No (2)", "error in file I/O"),
        (23, b"Unknown filter rule: `. /r'", "some files could not be transferred"),
    ],
)
def test_the_rule_that_rsync_refuses_is_named(status: int, errors: bytes, said: str) -> None:
    source = make_source(excludes=("a", ": r", ". /r"))
    pair = make_pair(source=source, extra=("--exclude-from=/mine",))
    found = refused(pair, status, errors + b"\n", 20)
    assert found is not None
    assert found.text.startswith(f"exit {status}: {said}")


def test_rules_in_files_are_read_as_a_pass_reads_them() -> None:
    assert rules(make_pair(source=make_source(excludes=("a",))), "rsync") == []
    pair = make_pair(source=make_source("/srv/www", excludes=("a", ". /r")))
    words = ["--list-only", "--dirs", "--exclude=a", "--filter=. /r", "--", "/srv/www/"]
    assert rules(pair, "/bin/rsync") == ["/bin/rsync", *words]


def test_a_destination_that_is_yet_to_be_made() -> None:
    assert missing([b"x\n", b"created directory a/b\n"])
    assert not missing([b">f+++++++++ created directory\n"])


@pytest.mark.parametrize(
    ("destination", "above"),
    [
        ("h::m", None),
        ("h::m/x/", None),
        ("h::m/x/y/", "h::m/x"),
        ("rsync://h:8730/m/x/y/z", "rsync://h:8730/m/x/y"),
        ("h:/m/x/y", None),
    ],
)
def test_the_parent_in_a_module(destination: str, above: str | None) -> None:
    found = parent(make_pair(None, destination))
    assert (found.text if found else None) == above
    assert parent(make_pair(None, destination, extra=("--mkpath",))) is None


def test_the_parent_in_a_module_behind_tls_is_behind_it_as_well() -> None:
    found = parent(make_pair(None, "rsyncs://h:99/m/a/b/c/"))
    assert found is not None
    assert found.shown == "rsyncs://h:99/m/a/b"
    assert (found.path, found.port) == ("m/a/b", 99)


@pytest.mark.parametrize(
    ("before", "after", "names", "verdict"),
    [
        ([TIME % b"a", TIME % b"b"], [], 2, True),
        ([TIME % b"a", b"<f+++++++++ b\n"], [b"<f+++++++++ b\n"], 2, True),
        # one was rewritten lately, one is equal with its fraction
        ([TIME % b"a"], [], 2, False),
        # these are old: seconds differ as well
        ([TIME % b"a", TIME % b"b"], [TIME % b"a", TIME % b"b"], 2, False),
        ([b".d..t...... sub/\n"], [], 0, False),
        ([], [], 0, False),
        ([], [], 3, False),
    ],
)
def test_fractions_of_seconds(
    before: list[bytes], after: list[bytes], names: int, verdict: bool
) -> None:
    assert imprecise(before, after, names) is verdict
