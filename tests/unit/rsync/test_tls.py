"""How rsync reaches an rsync daemon behind TLS."""

from __future__ import annotations

import shlex

import pytest

from inosync.rsync.destination import parse_destination
from inosync.rsync.tls import Tls, tls_words


def client(url: str, **tls: object) -> list[str]:
    """Return the words of openssl, taken apart as rsync and then the shell do it."""
    option, shell = tls_words(parse_destination(url), Tls(**tls))  # type: ignore[arg-type]
    assert option == "-e"
    start, script, end = shell[:7], shell[7:-1], shell[-1]
    assert (start, end) == ("sh -c '", "'")
    assert "'" not in script.replace("''", "")
    execute, *words = shlex.split(script.replace("''", "'"))
    assert (execute, words[:2]) == ("exec", ["openssl", "s_client"])
    return words


@pytest.mark.parametrize(
    ("url", "connect", "asked", "proved"),
    [
        ("rsyncs://h/m", "h:874", ["-servername", "h"], ["-verify_hostname", "h"]),
        ("rsyncs://u@h:99/m", "h:99", ["-servername", "h"], ["-verify_hostname", "h"]),
        ("rsyncs://10.0.0.1/m", "10.0.0.1:874", ["-noservername"], ["-verify_ip", "10.0.0.1"]),
        ("rsyncs://[::1]:99/m", "[::1]:99", ["-noservername"], ["-verify_ip", "::1"]),
    ],
)
def test_the_certificate_is_of_whom_the_url_names(
    url: str, connect: str, asked: list[str], proved: list[str]
) -> None:
    words = client(url)
    assert words[words.index("-connect") + 1] == connect
    verified = ["-verify", "4", "-verify_return_error", *proved]
    assert words[-len(asked) - len(verified) :] == asked + verified


def test_what_else_is_to_be_proved() -> None:
    words = client("rsyncs://10.0.0.1/m", ca="/it's a.pem", name="h", cert="/c", key="/k")
    assert words[6:] == [
        *("-servername", "h", "-verify", "4", "-verify_return_error", "-verify_hostname", "h"),
        *("-CAfile", "/it's a.pem", "-cert", "/c", "-key", "/k"),
    ]


def test_nothing_is_proved_only_where_that_is_said() -> None:
    assert not {"-verify", "-verify_hostname"} & set(client("rsyncs://h/m", verify=False))
