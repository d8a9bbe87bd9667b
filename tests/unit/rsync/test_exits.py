"""What an exit status of rsync means."""

from __future__ import annotations

import pytest
from support.configs import make_pair

from inosync.rsync.exits import (
    LIMITED,
    Judgement,
    Verdict,
    cut_short,
    exit_status,
    goes_on,
    judge,
)


def test_a_limit_that_kept_a_directory_from_giving_way_holds_the_mirror() -> None:
    stopped = b"could not make way\nDeletions stopped due to --max-delete limit (90 skipped)\n"
    assert exit_status(23, stopped) == LIMITED
    assert exit_status(23, b"could not make way\n") == 23
    assert exit_status(12, stopped) == 12
    # What rules were to hide or to delete was not.
    dropped = b"discarding over-long filter: /aaa\n"
    assert [exit_status(code, dropped) for code in (0, 24, 12)] == [23, 23, 12]
    assert exit_status(0, b"") == 0


OK, RETRY, SLOW, HOLD = Verdict.OK, Verdict.RETRY, Verdict.SLOW, Verdict.HOLD


@pytest.mark.parametrize(
    ("verdict", "codes"),
    [
        (OK, [0, 24]),
        (RETRY, [2, 5, 10, 11, 12, 14, 19, 20, 21, 22, 23, 30, 35, 255, -9, -11, -15]),
        (SLOW, [1, 3, 4, 6, 13, 126, 127, 99, 200]),
        (HOLD, [25]),
    ],
)
def test_the_judgement_of_every_exit_status(verdict: Verdict, codes: list[int]) -> None:
    destination = make_pair(None, "h:/p").destination
    for code in codes:
        judgement = judge(code, destination)
        assert judgement.verdict is verdict, code
        assert judgement.meaning
        assert bool(judgement.cure) is (verdict is not OK), code
        assert "{" not in judgement.cure


def test_a_cure_names_the_host_and_a_local_one_this_host() -> None:
    assert judge(127, make_pair(None, "web7:/p").destination).cure == "install rsync on web7"
    assert judge(127, make_pair(None, "/p").destination).cure == "install rsync on this host"
    assert "'ssh web7 rsync --version'" in judge(12, make_pair(None, "web7:/p").destination).cure
    assert "rsync is installed on web7" in judge(12, make_pair(None, "web7::m").destination).cure


def test_a_refusal_is_judged_by_what_was_said() -> None:
    destination = make_pair(None, "web7:/p").destination
    judgement = judge(12, destination, ["option -K has been disabled on this server."])
    assert (judgement.verdict, judgement.meaning) == (SLOW, "rrsync refuses -K")
    busy = ["Another instance of rrsync is already accessing this directory."]
    assert judge(12, destination, busy).verdict is RETRY
    assert judge(24, destination, busy).verdict is OK


def test_two_processes_that_make_the_same_folder_need_nobody() -> None:
    destination = make_pair(None, "web7:/p").destination
    assert judge(11, destination) == Judgement(
        RETRY, "rsync gave up without a word", "nothing, unless it repeats"
    )
    full = judge(11, destination, ["rsync: write failed: No space left on device (28)"])
    assert (full.verdict, full.meaning) == (RETRY, "error in file I/O")


def test_a_judgement_names_the_signal() -> None:
    assert judge(-9, make_pair().destination) == Judgement(
        RETRY, "killed by signal 9", "nothing, unless it repeats"
    )


def test_a_race_is_not_told_as_another_protocol() -> None:
    destination = make_pair().destination
    raced = judge(2, destination, ["ABORTING due to invalid path from sender: d/f"])
    assert raced.meaning == "a directory became something else while it was sent"
    other = judge(2, destination, ["protocol version mismatch -- is your shell clean?"])
    assert (other.verdict, other.meaning) == (Verdict.RETRY, "protocol incompatibility")


def test_what_may_have_left_temporary_files() -> None:
    assert [code for code in (0, 1, 23, 24, 25, 126, 127) if cut_short(code)] == []
    assert all(cut_short(code) for code in (-9, 10, 11, 12, 16, 20, 30, 137, 255))


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ("a:/m", "ssh: connect to host a port 22: Connection refused"),
        ("a:/m", "ssh: Could not resolve hostname a: Name or service not known"),
        ("a:/m", "me@a: Permission denied (publickey)."),
        ("a:/m", "Host key verification failed."),
        ("a:/m", "kex_exchange_identification: Connection closed by remote host"),
        ("a:/m", "Connection timed out during banner exchange"),
        ("a:/m", "Another instance of rrsync is already accessing this directory."),
        ("a::m", "rsync: [sender] failed to connect to a (127.0.0.1): Connection refused (111)"),
        ("a::m", "rsync: getaddrinfo: a 873: Name or service not known"),
        ("rsyncs://a/m", "BIO_connect:Connection refused"),
    ],
)
def test_who_was_not_let_in_has_nothing_on_its_way(node: str, said: str) -> None:
    destination = make_pair(None, node).destination
    assert not goes_on(255, destination, ["rsync error: (code 255)", said])
    assert goes_on(255, destination, ["rsync error: (code 255)"])


def test_what_ssh_says_itself_is_one_kind_of_failure_and_is_tried_as_it_was() -> None:
    refused = ["ssh: connect to host a port 2222: Connection refused"]
    to = make_pair(None, "ssh://bob@a:2222/m").destination
    one, other = judge(12, to, refused), judge(255, to, refused)
    assert one == other
    assert one.meaning == "ssh failed"
    assert "'ssh -p 2222 bob@a true'" in one.cure
    assert "'ssh bob@a rsync --version'" in judge(12, make_pair(None, "bob@a:/m").destination).cure
    assert judge(12, make_pair(None, "a::m").destination, refused).meaning != one.meaning


@pytest.mark.parametrize(
    "said",
    [
        "client_loop: send disconnect: Broken pipe",
        "Connection to a closed by remote host.",
        "Timeout, server a not responding.",
        "rsync: [sender] read error: Connection reset by peer (104)",
        'rsync: [receiver] mkstemp "/m/.f" failed: Permission denied (13)',
    ],
)
def test_who_was_let_in_may_have(said: str) -> None:
    assert goes_on(12, make_pair(None, "a:/m").destination, [said])


def test_what_has_ended_there_first_has_nothing_on_its_way() -> None:
    full = ['rsync: [receiver] write failed on "f": No space left on device (28)']
    assert not goes_on(11, make_pair(None, "a:/m").destination, full)
    assert not goes_on(23, make_pair(None, "a:/m").destination, [])  # it brought all in order
