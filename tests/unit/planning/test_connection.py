"""How the command line of a run gets it to its node."""

from __future__ import annotations

import pytest
from support.commands import argv

from inosync.planning.steps import Relink
from inosync.rsync.tls import Tls


def test_both_ends_of_a_local_run_need_not_find_out_on_which_checksum_they_agree() -> None:
    word = "--checksum-choice=xxh128"
    words = argv(checksum="xxh128", extra=("--checksum-choice=md5",))
    assert words.index(word) < words.index("--checksum-choice=md5")  # the last one counts
    for there in ("host:/mirror", "host::module/", "rsync://host/module/"):
        assert word not in argv(there, checksum="xxh128")


def test_speed_and_timeout_are_the_nodes() -> None:
    words = argv(rspeed=500, rtimeout=0)
    assert "--bwlimit=500" in words
    assert not any(word.startswith("--timeout") for word in words)


@pytest.mark.parametrize("destination", ["h::module/path", "rsync://h:8730/module/path"])
def test_an_rsync_daemon(destination: str) -> None:
    words = argv(destination)
    assert "--sockopts=TCP_NODELAY" in words
    assert "--contimeout=30" in words
    assert "-e" not in words


def test_an_rsync_daemon_behind_tls() -> None:
    words = argv("rsyncs://h:8730/module/path", rtls=Tls(ca="/ca"))
    assert words[words.index("-e") + 1].startswith("sh -c 'exec openssl s_client ")
    assert "-connect h:8730 " in words[words.index("-e") + 1]
    assert "-CAfile /ca" in words[words.index("-e") + 1]
    assert "--no-motd" in words
    # Those are for a connection that rsync makes itself; it refuses the second one otherwise.
    assert not {"--sockopts=TCP_NODELAY", "--contimeout=30"} & set(words)
    assert words[-1] == "rsync://h:8730/module/path"


def test_an_rsync_daemon_is_told_of_no_timeout_in_a_short_run() -> None:
    told = "--remote-option=--timeout=0"
    assert told in argv("h::module/path", listed=True)
    assert "--timeout=300" in argv("h::module/path", listed=True)
    # A whole pass may have long silences; with the timeout, the daemon fills them.
    assert told not in argv("h::module/path")
    assert told not in argv("h:/path", listed=True)
    assert told not in argv("h::module/path", listed=True, rtimeout=0)


def test_a_short_run_to_a_local_node_has_no_timeout_of_its_own() -> None:
    assert "--timeout=300" not in argv("/mirror", listed=True)
    assert "--timeout=300" in argv("/mirror")
    assert "--timeout=300" in argv("/mirror", listed=True, big=True)
    assert "--timeout=300" in argv("h:/p", listed=True)


def test_over_ssh_a_run_has_nothing_that_rrsync_refuses() -> None:
    words = argv("h:/p")
    assert not {"--protect-args", "--modify-window=-1"} & set(words)
    unprotected = ["--no-old-args", "--no-protect-args"]
    assert [word for word in words if word in unprotected] == unprotected
    assert "--remote-option=--modify-window=-1" in words
    assert "--protect-args" in argv("h::m/p")
    old = argv("h:/p", version=(3, 2, 3))
    assert "--protect-args" in old
    assert not set(unprotected) & set(old)


@pytest.mark.parametrize("torn", ["a\nb", "a\rb", "a\N{NO-BREAK SPACE}b"])
def test_names_that_would_be_taken_apart_are_protected(torn: str) -> None:
    relink = Relink(torn.encode(), b"new", (), (), frozenset())
    assert "--protect-args" in argv("h:/p", step=relink)
    assert "--protect-args" in argv(f"h:/{torn}")
    assert "--protect-args" not in argv("h:/p", step=Relink(b"a \t'b", b"c d", (), (), frozenset()))


def test_ssh_shares_its_connections() -> None:
    words = argv("ssh://u@h:2222/p", control="/run/inosync/ssh-x")
    shell = words[words.index("-e") + 1]
    assert shell.startswith("ssh -o BatchMode=yes -o ConnectTimeout=30")
    assert "-o ControlMaster=auto" in shell
    assert "-o ControlPath=/run/inosync/ssh-x/%C" in shell
    assert shell.endswith("-p 2222")
    assert words[-1] == "u@h:/p"


def test_ssh_without_a_directory_for_sockets_shares_nothing() -> None:
    words = argv("h:/p")
    assert "Control" not in words[words.index("-e") + 1]


def test_a_percent_sign_in_the_sockets_directory_is_not_sshs() -> None:
    words = argv("h:/p", control="/run/50%")
    assert "-o ControlPath=/run/50%%/%C" in words[words.index("-e") + 1]


def test_the_users_remote_shell_is_left_alone() -> None:
    assert "-e" not in argv("h:/p", extra=("--rsh=ssh -p 99",))
    assert "-e" not in argv("h:/p", environment_shell=True)
