"""What a line of rsync's says, in its own words."""

from __future__ import annotations

import pytest

from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Complaint
from inosync.rsync.ends import Ends
from inosync.rsync.sentences import complaint_of, says_nothing, tells_of_a_race

HERE = Ends(b"/s", b"", b"/m/")


def read(line: bytes) -> Complaint:
    assert not says_nothing(line)
    assert not tells_of_a_race(line)
    complaint = complaint_of(line, HERE)
    assert complaint is not None, line
    return complaint


@pytest.mark.parametrize(
    ("line", "path", "cause", "whole", "blind"),
    [
        ('[sender] opendir "/s/d" failed: X (13)', b"d", Cause.UNREADABLE, True, True),
        ('[sender] readlink_stat("/s/r/u") failed: X (13)', b"r/u", Cause.UNREADABLE, True, True),
        ('[sender] link_stat "/s/l" failed: X (13)', b"l", Cause.UNREADABLE, True, True),
        ('[sender] change_dir "/s/c" failed: X (13)', b"c", Cause.UNREADABLE, True, True),
        ('[sender] readdir("/s/i"): X (5)', b"i", Cause.DAMAGED, True, True),
        ('[sender] send_files failed to open "/s/f": X (13)', b"f", Cause.UNREADABLE, False, False),
        ('[sender] read errors mapping "/s/f": X (5)', b"f", Cause.DAMAGED, False, False),
        ('[receiver] mkstemp "/m/b/.s.GxiP99" failed: X (13)', b"b/s", Cause.FORBIDDEN, 0, 0),
        ('mkstemp "/m/.s.GxiP99" failed: X (28)', b"s", Cause.ROOM, 0, 0),
        ('[receiver] write failed on "/m/big": X (28)', b"big", Cause.ROOM, 0, 0),
        ('[receiver] close failed on "/m/big": X (122)', b"big", Cause.ROOM, 0, 0),
        ('[generator] failed to set times on "/m/.": X (1)', b"", Cause.TIMES, 0, 0),
        ('[generator] failed to set times on "/m/.": X (30)', b"", Cause.READ_ONLY, 0, 0),
        ('[receiver] mkstemp "/m/b/.s.GxiP99" failed: X (30)', b"b/s", Cause.READ_ONLY, 0, 0),
        ('[generator] failed to set permissions on "/m/T": X (1)', b"T", Cause.MODES, 0, 0),
        ('[generator] failed to modify permissions on "/m": X (30)', b"", Cause.READ_ONLY, 0, 0),
        ('[receiver] chown "/m/x" failed: X (1)', b"x", Cause.OWNER, 0, 0),
        ('[generator] symlink "/m/l" -> "a" failed: X (36)', b"l", Cause.TOO_LONG, 0, 0),
        ('[generator] mknod "/m/l" failed: X (95)', b"l", Cause.OTHER, 0, 0),
        ('[receiver] keep_backup failed: "/m/k" -> "k~": X (36)', b"k", Cause.TOO_LONG, 0, 0),
        ('[generator] recv_generator: mkdir "/m/N" failed: X (13)', b"N", Cause.FORBIDDEN, 1, 0),
        ("[generator] delete_file: unlink(d/s/x) failed: X (1)", b"d/s/x", Cause.FORBIDDEN, 0, 0),
        ("[generator] delete_file: rmdir(d) failed: X (13)", b"d", Cause.FORBIDDEN, 0, 0),
        ('[receiver] rename "/m/.i.8ENB2S" -> "i": X (1)', b"i", Cause.FORBIDDEN, 0, 0),
        ('[sender] send_files failed to open "/s/q"q": X (13)', b'q"q', Cause.UNREADABLE, 0, 0),
        (r'[sender] opendir "/s/n\#012\#134#1" failed: X (13)', b"n\n\\#1", Cause.UNREADABLE, 1, 1),
    ],
)
def test_a_sentence_names_a_path_and_a_cause(
    line: str, path: bytes, cause: Cause, whole: int, blind: int
) -> None:
    it = read(f"rsync: {line}".encode())
    assert (it.path, it.cause, it.whole, it.blind) == (path, cause, bool(whole), bool(blind))
    assert it.text == f"rsync: {line}"


@pytest.mark.parametrize("kind", ["regular file", "directory", "symlink", "special file"])
def test_what_cannot_make_way(kind: str) -> None:
    line = f"could not make way for new {kind}: a/A"
    whole = kind == "directory"
    assert read(line.encode()) == Complaint(b"a/A", Cause.IN_THE_WAY, line, whole)


def test_of_a_path_that_is_too_long_the_directory_is_named() -> None:
    deep = b"/".join([b"d" * 200] * 21)
    it = read(b"filename overflows max-path len by 130: %b/f" % deep)
    assert deep.startswith(it.path + b"/")
    assert 3_200 < len(it.path) <= 3_500
    assert (it.cause, it.blind) == (Cause.TOO_LONG, True)
    assert read(b"skipping overly long name: a/f").path == b"a"


@pytest.mark.parametrize(
    "line",
    [
        b'rsync: [sender] something new "/s/x": Bad (1)',
        b'rsync: [sender] opendir "/elsewhere/d" failed: X (13)',
        b'rsync: [receiver] mkstemp "/m/%b" failed: X (13)' % (b"." + b"n" * 245 + b".abcdef"),
        b'rsync: [sender] opendir "/s" failed: X (13)',
        b'rsync: [sender] opendir "/s/." failed: X (13)',
        b"skipping overly long name: f",
        b'rsync: [receiver] mkstemp "/m/plain" failed: X (13)',
        b"a word of the remote shell",
        b'ERROR: daemon refused to receive file "x"',
    ],
)
def test_what_is_not_known_is_no_complaint(line: bytes) -> None:
    assert not says_nothing(line)
    assert not tells_of_a_race(line)
    assert complaint_of(line, HERE) is None


def test_a_path_that_is_too_long_may_be_above_the_source() -> None:
    line = b"skipping overly long name: other/f"
    assert complaint_of(line, Ends(b"/s", b"w", b"/m")) is None


@pytest.mark.parametrize(
    "line",
    [
        b"ControlSocket /run/x/y already exists, disabling multiplexing\r",
        b"mux_client_request_session: session request failed: Session open refused by peer\r",
        b"Connecting to ::1",
        b"Can't use SSL_get_servername",
        b"depth=0 CN = localhost",
        b"verify error:num=20:unable to get local issuer certificate",
        b"Warning: Permanently added 'h' (ED25519) to the list of known hosts.\r",
        b"",
        b"*** Skipping any contents from this failed directory ***",
        b"rsync warning: some files vanished (code 24) at main.c(1) [sender=3.2.7]",
        b"rsync: connection unexpectedly closed (9 bytes) [sender]",
    ],
)
def test_lines_that_say_nothing_of_their_own(line: bytes) -> None:
    assert says_nothing(line)


@pytest.mark.parametrize(
    "line",
    [
        b'file has vanished: "/s/x"',
        b'directory has vanished: "/s/x"',
        b'rsync: [sender] link_stat "/s/x" failed: Not a directory (20)',
        b'rsync: [sender] opendir "/s/x" failed: Too many levels of symbolic links (40)',
        b'rsync: [receiver] stat "/m/d/.x.abcdef" failed: No such file or directory (2)',
        b'rsync: [receiver] rename "/m/d/.x.abcdef" -> "d/x": No such file or directory (2)',
    ],
)
def test_a_lost_race_is_no_complaint(line: bytes) -> None:
    assert tells_of_a_race(line)


def test_a_directory_that_is_not_on_the_node_is_no_race() -> None:
    there = b'rsync: [receiver] mkstemp "/m/N/.x.abcdef" failed: No such file or directory (2)'
    assert read(there).path == b"N/x"
