"""What rsync says of a run, and what is read in it."""

from __future__ import annotations

import pytest

from inosync.rsync.output import (
    Progress,
    Transferred,
    beside,
    deletions,
    evidence,
    overwrote,
    progress,
    rehearsed,
    transferred,
)


def test_old_nodes_do_not_say_how_much_a_rehearsal_would_delete() -> None:
    told = b"deleting a\ndeleting b\n\nNumber of deleted files: 3 (reg: 3)\n"
    assert rehearsed(told).deleted == 3
    assert rehearsed(told[: told.index(b"Number")]).deleted == 2


def test_what_a_rehearsal_would_have_deleted() -> None:
    output = b"deleting d/a\ndeleting b\x1b\nother\ndeleting c\ndeleting e\n\nNumber of"
    assert deletions(output) == ("d/a", "b\\x1b", "c")
    assert deletions(b"") == ()
    # Asked for itemized lines, rsync says it otherwise.
    assert deletions(b"*deleting   d/\n.d..t...... ./\n*deleting   b\n") == ("d/", "b")


def test_statistics() -> None:
    output = b"""\
Number of files: 3 (reg: 2, dir: 1)
Number of created files: 2 (reg: 2)
Number of deleted files: 7
Number of regular files transferred: 2
Total file size: 300 bytes
Total transferred file size: 1234567 bytes
"""
    assert transferred(output) == Transferred(files=2, size=1234567, deleted=7)
    assert transferred(b"Number of files transferred: 2\n") == Transferred(files=2)
    assert transferred(b"") == Transferred()
    # With -v names of files come before, and one may be called so.
    named = b"Number of deleted files: 0\nNumber of created files: 99 (reg: 99)\n"
    assert rehearsed(named + output).deleted == 7
    assert overwrote(named + output.replace(b"d: 2", b"d: 3"))


@pytest.mark.parametrize(
    ("created", "sent", "known"),
    [
        ("Number of created files: 4 (reg: 2, dir: 1, link: 1)", 2, False),
        ("Number of created files: 4 (reg: 2, dir: 1, link: 1)", 3, True),
        ("Number of created files: 1 (link: 1)", 0, False),
        ("Number of created files: 1 (link: 1)", 1, True),
        ("Number of created files: 0", 1, True),
        ("", 1, True),  # said by rsync 3.1 and later
        ("", 0, False),
    ],
)
def test_whether_files_were_overwritten(created: str, sent: int, known: bool) -> None:
    output = f"{created}\nNumber of regular files transferred: {sent}\n".encode()
    assert overwrote(output) == known


def test_the_evidence_is_the_last_lines_and_safe_to_log() -> None:
    errors = b"".join(b"line %d\n" % number for number in range(40)) + b"\n\x1b[31mred \xff\r\n"
    lines = evidence(errors)
    assert len(lines) == 25
    assert lines[0] == "line 16"
    assert lines[-1] == "\\x1b[31mred \\udcff"


def test_that_a_connection_is_not_shared_is_no_evidence() -> None:
    chatter = b"ControlSocket /run/x/y already exists, disabling multiplexing\r\n"
    chatter += b"mux_client_request_session: session request failed: Session open refused by peer\n"
    assert evidence(chatter + b"Permission denied (publickey).\n") == (
        "Permission denied (publickey).",
    )


TOLD = (
    b"\nname\n     32,768   0%    0.00kB/s    0:00:00  \r"
    b"     999850  99% 1005.53kB/s    0:00:07 (xfr#19997, to-chk=3/20001)\n"
)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (b"", None),
        (b"sending incremental file list\n", None),
        (TOLD, Progress(19997, 999850, 99, 7)),
        (b"          500   5%   10.00kB/s    1:02:03\r", Progress(0, 500, 5, 3723)),
    ],
)
def test_progress(output: bytes, told: Progress | None) -> None:
    assert progress(output) == told


def test_what_runs_moved_adds_up() -> None:
    assert Transferred(1, 2, 3) + Transferred(10, 20, 30) == Transferred(11, 22, 33)


def test_progress_of_runs_that_are_made_at_once() -> None:
    assert beside([]) is None
    one, other = Progress(3, 100, 40, 7), Progress(1, 20, 90, 9)
    assert beside([one]) == one
    assert beside([one, other]) == Progress(4, 120, 40, 9)
