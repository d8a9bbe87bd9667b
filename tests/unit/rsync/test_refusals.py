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
    assert (found.passes, found.busy) == (True, True)
    assert found.cure == "put -no-lock before the directory in authorized_keys on h"


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("Password: @ERROR: auth failed on module m", '"extra": "--password-file=/path"'),
        ("Password: \n@ERROR: auth failed on module m", '"extra": "--password-file=/path"'),
        ("@ERROR: auth failed on module m", "what --password-file names, and the user before"),
        ("ERROR: password file must not be other-accessible", "of mode 0600 that belongs"),
        ("rsync: could not open password file /x: No such file or directory (2)", "mode 0600"),
    ],
)
def test_a_password_that_is_missing_or_wrong(said: str, cure: str) -> None:
    assert cure in getattr(refusal(DAEMON, [said]), "cure", "")
    assert refusal(SSH, [said]) is None


REFUSED = "10:error:0A000086:SSL routines:tls_post:certificate verify failed:../ssl/x.c:1889:"


@pytest.mark.parametrize(
    ("said", "meaning", "cure", "passes"),
    [
        # of dash and of bash
        ("h: 1: exec: openssl: not found", "openssl is not installed", "install", False),
        ("h: line 1: exec: openssl: not found", "openssl is not installed", "install", False),
        (
            "40:error:8000006F:system library:BIO_connect:Connection refused:../x.c:117:calling",
            "nothing answers at port 99 (Connection refused)",
            "check that h is up",
            True,
        ),
        (
            "40:error:80000065:system library:BIO_connect:Network is unreachable:../x.c:117:",
            "nothing answers at port 99 (Network is unreachable)",
            "check that h is up",
            True,
        ),
        (
            "40:error:10080002:BIO routines:BIO_lookup_ex:system lib:../x.c:746:Name unknown",
            "h is not found (Name unknown)",
            "DNS",
            True,
        ),
        (
            "40:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../x.c:350:",
            "at port 99 does not speak TLS",
            "usually 874",
            False,
        ),
        (f"verify error:num=62:hostname mismatch\n{REFUSED}", "another name", '{"name"', False),
        (f"verify error:num=64:IP address mismatch\n{REFUSED}", "another name", '{"name"', False),
        (f"verify error:num=10:expired\n{REFUSED}", "has expired", "renew it there", True),
        (f"verify error:num=9:not yet\n{REFUSED}", "is not valid yet", "clocks", False),
        (f"verify error:num=20:no issuer\n{REFUSED}", "nobody who is trusted", '{"ca":', False),
        (f"verify error:num=18:self-signed\n{REFUSED}", "nobody who is trusted", '{"ca":', False),
        (f"verify error:num=23:revoked\n{REFUSED}", "is not good: revoked", "mend it", False),
        (
            "40:error:0A00045C:SSL routines:x:tlsv13 alert certificate required:x.c:1:"
            "SSL alert number 116",
            "h does not let in",
            '{"cert": "/path"',
            False,
        ),
        (
            "40:error:80000002:system library:BIO_new_file:No such file:x.c:67:calling "
            "fopen(/ca.pem, r)",
            "/ca.pem, which rtls names",
            "in PEM",
            False,
        ),
        (
            "Could not open file or uri for loading client certificate private key from /k.pem",
            "/k.pem, which rtls names",
            "in PEM",
            False,
        ),
        (
            "Could not find client certificate private key from /k.pem: No such file or directory",
            "/k.pem, which rtls names",
            "in PEM",
            False,
        ),
        ("@ERROR: auth failed on module m", "another password", "--password-file", False),
        ("Password: @ERROR: auth failed on module m", "wants a password", "-file=/path", False),
    ],
)
def test_what_openssl_says(said: str, meaning: str, cure: str, *, passes: bool) -> None:
    found = refusal(parse_destination("rsyncs://h:99/m"), said.splitlines())
    assert found is not None
    assert meaning in found.meaning
    assert cure in found.cure
    assert (found.passes, found.busy) == (passes, False)
    if "auth failed" not in said:
        assert refusal(DAEMON, said.splitlines()) is None


def test_a_certificate_that_need_not_prove_anything_is_no_trouble() -> None:
    said = ["verify error:num=20:unable to get issuer", "@ERROR: auth failed on module m"]
    found = refusal(parse_destination("rsyncs://h/m"), said)
    assert "another password" in getattr(found, "meaning", "")


def test_anything_else_is_no_refusal() -> None:
    assert refusal(SSH, ["rsync: connection unexpectedly closed"]) is None
    assert refusal(parse_destination("/m"), ["SSH_ORIGINAL_COMMAND does not run rsync"]) is None
    assert refusal(DAEMON, []) is None


def test_whether_the_key_starts_nothing_but_rsync() -> None:
    assert only_rsync(["x", "/usr/bin/rrsync error: SSH_ORIGINAL_COMMAND does not run rsync"])
    assert only_rsync(["/usr/bin/rrsync: SSH_ORIGINAL_COMMAND='sh -c x' is not rsync"])
    assert not only_rsync(["sh: not found"])
