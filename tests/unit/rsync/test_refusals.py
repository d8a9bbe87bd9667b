"""What a node says when it lets no run in."""

from __future__ import annotations

import pytest

from inosync.rsync.destination import parse_destination
from inosync.rsync.refusals import only_rsync, refusal

SSH, DAEMON = parse_destination("u@h:/m"), parse_destination("u@h::m/x")


@pytest.mark.parametrize(
    ("said", "meaning", "cure"),
    [
        ("option -s has been disabled on this server.", "refuses -s", "3.2.4 or later here"),
        ("option -K has been disabled on this server.", "refuses -K", "from extra -K, or what"),
        (
            "option --delete-during has been disabled on this server.",
            "refuses --delete-during",
            "remove -no-del in authorized_keys on h",
        ),
        ("invalid rsync-command syntax or options", "does not know an option", "rrsync on h"),
        ("sending to read-only server is not allowed", "only lets read", "-wo in the place"),
        ("SSH_ORIGINAL_COMMAND does not run rsync", "nothing but rsync", "--rsync-path"),
        ("--server option is not the first arg", "nothing but rsync", "--rsync-path"),
        ("Restricted directory does not exist!", "does not exist", "create it, or name another"),
        ("unsafe arg: /x ['/j/x', '/x']", "no path lead out", "below the directory"),
        ("do not use .. in --link-dest (anchor", "no path have '..'", '"restricted": True'),
        ("receiver option path does not exist: t", "misses a directory", "create it below"),
    ],
)
def test_each_sentence_of_rrsync_has_its_cure(said: str, meaning: str, cure: str) -> None:
    found = refusal(SSH, ["hello", f"/usr/bin/rrsync error: {said}", "rsync error: 12"])
    assert found is not None
    assert meaning in found.meaning
    assert cure in found.cure
    assert not found.passes
    assert "{" not in found.meaning + found.cure


def test_a_directory_that_is_missing_when_rrsync_wants_its_lock() -> None:
    said = ["  File x, line 9, in lock_or_die", "    os.open(d)", "FileNotFoundError: [Errno 2] d"]
    assert "does not exist" in getattr(refusal(SSH, said), "meaning", "")


def test_who_is_kept_out_by_another_run_tries_again() -> None:
    busy = "/usr/bin/rrsync error: Another instance of rrsync is already accessing this directory."
    found = refusal(SSH, [busy])
    assert found is not None
    assert found.passes
    assert found.cure == "put -no-lock before the directory in authorized_keys on h"


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("@ERROR: auth failed on module m", '"extra": "--password-file=/path"'),
        ("ERROR: password file must not be other-accessible", "of mode 0600 that belongs"),
        ("rsync: could not open password file /x: No such file or directory (2)", "mode 0600"),
    ],
)
def test_a_password_that_is_missing_or_wrong(said: str, cure: str) -> None:
    assert cure in getattr(refusal(DAEMON, [said]), "cure", "")
    assert refusal(SSH, [said]) is None


def test_anything_else_is_no_refusal() -> None:
    assert refusal(SSH, ["rsync: connection unexpectedly closed"]) is None
    assert refusal(parse_destination("/m"), ["SSH_ORIGINAL_COMMAND does not run rsync"]) is None
    assert refusal(DAEMON, []) is None


def test_whether_the_key_starts_nothing_but_rsync() -> None:
    assert only_rsync(["x", "/usr/bin/rrsync error: SSH_ORIGINAL_COMMAND does not run rsync"])
    assert only_rsync(["/usr/bin/rrsync: SSH_ORIGINAL_COMMAND='sh -c x' is not rsync"])
    assert not only_rsync(["sh: not found"])
