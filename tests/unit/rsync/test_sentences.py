"""What rsync says that it could not carry, in its own words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inosync.rsync.causes import Cause
from inosync.rsync.sentences import SILENT, Account, Complaint, Places, account

HERE = Places(b"/s", b"", b"/m/")
END = (
    b"rsync error: some files/attrs were not transferred (see previous errors) (code 23) "
    b"at main.c(1394) [sender=3.5.0]\n"
)


def told(errors: bytes, places: Places = HERE) -> Account:
    return account([], errors + END, places)


def only(errors: bytes, places: Places = HERE) -> Complaint:
    it = told(errors, places)
    assert it.understood, errors
    (complaint,) = it.complaints
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
    it = only(f"rsync: {line}\n".encode())
    assert (it.path, it.cause, it.whole, it.blind) == (path, cause, bool(whole), bool(blind))
    assert it.text == f"rsync: {line}"


@pytest.mark.parametrize("kind", ["regular file", "directory", "symlink", "special file"])
def test_what_cannot_make_way(kind: str) -> None:
    errors = f"could not make way for new {kind}: a/A\n".encode()
    whole = kind == "directory"
    assert only(errors) == Complaint(b"a/A", Cause.IN_THE_WAY, errors.decode().strip(), whole)


def test_of_a_path_that_is_too_long_the_directory_is_named() -> None:
    deep = b"/".join([b"d" * 200] * 21)
    it = only(b"filename overflows max-path len by 130: %b/f\n" % deep)
    assert deep.startswith(it.path + b"/")
    assert 3_200 < len(it.path) <= 3_500
    assert (it.cause, it.blind) == (Cause.TOO_LONG, True)
    assert only(b"skipping overly long name: a/f\n").path == b"a"


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
def test_what_is_not_known_is_not_understood(line: bytes) -> None:
    assert not told(line + b"\n").understood


def test_that_ssh_shares_no_connection_is_no_complaint() -> None:
    for line in (
        b"ControlSocket /run/x/y already exists, disabling multiplexing\r\n",
        b"mux_client_request_session: session request failed: Session open refused by peer\r\n",
        b"Connecting to ::1\n",
        b"Can't use SSL_get_servername\n",
        b"depth=0 CN = localhost\n",
        b"verify error:num=20:unable to get local issuer certificate\n",
    ):
        assert told(line) == SILENT


def test_a_cut_account_is_not_understood() -> None:
    assert account([], b"", HERE) == SILENT
    assert not account([], b"", HERE, cut=True).understood


def test_lines_that_say_nothing_of_their_own() -> None:
    errors = (
        b"Warning: Permanently added 'h' (ED25519) to the list of known hosts.\r\n\n"
        b"*** Skipping any contents from this failed directory ***\n"
        b"rsync warning: some files vanished (code 24) at main.c(1) [sender=3.2.7]\n"
    )
    assert told(errors) == SILENT


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
    assert told(line + b"\n") == Account(raced=True)
    there = b'rsync: [receiver] mkstemp "/m/N/.x.abcdef" failed: No such file or directory (2)\n'
    assert only(there).path == b"N/x"


def test_two_complaints_of_one_path_are_one() -> None:
    errors = (
        b'rsync: [sender] send_files failed to open "/s/d": Permission denied (13)\n'
        b'rsync: [sender] opendir "/s/d" failed: Permission denied (13)\n'
    )
    it = only(errors)
    assert (it.cause, it.whole, it.blind) == (Cause.UNREADABLE, True, True)


@pytest.mark.parametrize(
    ("places", "name"),
    [
        (Places(b"/s", b"", b"/m"), b"/m/d/f"),
        (Places(b"/s", b"", b"/"), b"/d/f"),
        (Places(b"/s", b"w", b"/m/"), b"/m/w/d/f"),
        (Places(b"/s", b"", b"back/up"), b"/home/u/back/up/d/f"),
        (Places(b"/s", b"", b"~/up/"), b"/home/u/up/d/f"),
    ],
)
def test_where_the_mirror_lies(places: Places, name: bytes) -> None:
    line = b'rsync: [receiver] write failed on "%b": X (28)\n' % name
    assert only(line, places).path == b"d/f"


@pytest.mark.parametrize(
    ("places", "name"),
    [
        (Places(b"/s", b"", b""), b"/home/u/d/f"),
        (Places(b"/s", b"", b"up"), b"/up/d/up/f"),
        (Places(b"/s", b"", b"up"), b"/elsewhere/f"),
        (Places(b"/s", b"w", b"/m/"), b"/m/f"),
    ],
)
def test_where_it_may_lie_nothing_is_guessed(places: Places, name: bytes) -> None:
    assert not told(b"skipping overly long name: other/f\n", Places(b"/s", b"w", b"/m")).understood
    assert not told(b'rsync: [receiver] write failed on "%b": X (28)\n' % name, places).understood


@pytest.mark.parametrize(("target", "name"), [(b"mod", b"/d/f"), (b"mod/in/", b"/in/d/f")])
def test_a_module(target: bytes, name: bytes) -> None:
    line = b'rsync: [receiver] write failed on "%b" (in mod): X (28)\n' % name
    assert only(line, Places(b"/s", b"", target, module=True)).path == b"d/f"


def test_standard_output() -> None:
    lines = [
        b"sending incremental file list\n",
        b"cannot delete non-empty directory: D/E\n",
        b"      1,234 100% 1MB/s 0:00:00\rcannot delete non-empty directory: D\n",
        b"cannot delete non-empty directory: D/E\n",
        b'skipping non-regular file "pipe"\n',
        b">f+++++++++ cannot delete non-empty directory: no\n",
        b"IO error encountered -- skipping file deletion\n",
    ]
    assert account(lines, b"", HERE) == Account(kept=(b"D/E",), odd=(b"pipe",), undeleted=True)
    assert not account(lines, b"", HERE).room
    assert told(b'rsync: [receiver] write failed on "/m/f": X (28)\n').room


def test_a_backup_whose_name_is_too_long_is_complained_of_once() -> None:
    name = b"n" * 255
    lines = (
        b'rsync: [generator] unlink "/m/%b~": File name too long (36)' % name,
        b'rsync: [generator] keep_backup failed: "/m/%b" -> "%b~": File name too long (36)'
        % (name, name),
        b"rsync: [generator] delete_file: make_backup(%b) failed: File name too long (36)" % name,
    )
    assert only(b"\n".join((*lines, b""))).path == name
    assert not told(lines[0].replace(b"(36)", b"(13)") + b"\n").understood


GONE = b"rsync error: error in file IO (code 11) at rsync.c(900) [receiver=3.5.0]\n"
OLD = Places(b"/s", b"", b"/m/", suffix=b"~")
KEPT = b"cannot delete non-empty directory: d/c~\n"


def ended(errors: bytes, places: Places = OLD, lines: tuple[bytes, ...] = ()) -> Account:
    return account(lines, errors + GONE, places, ended=True)


@pytest.mark.parametrize(
    ("line", "places", "path"),
    [
        (b"could not make way for backup directory: d/c~", OLD, b"d/c"),
        (b"could not make way for backup directory: s/c~", replace(OLD, prefix=b"s"), b"c"),
        (
            b"could not make way for backup symlink: b/s/c",
            Places(b"/s", b"s", b"/m", aside=b"b/"),
            b"c",
        ),
        (b'rsync: [receiver] keep_backup failed: "/m/c" -> "c~": X (1)', OLD, b"c"),
        (b'rsync: [receiver] write failed on "/m/c": File too large (27)', OLD, b"c"),
    ],
)
def test_at_some_paths_a_run_ends(line: bytes, places: Places, path: bytes) -> None:
    told = ended(line + b"\nrsync: connection unexpectedly closed (9 bytes) [sender]\n", places)
    assert (told.understood, told.ended) == (True, True)
    assert [(each.path, each.final) for each in told.complaints] == [(path, True)]


def test_what_an_rsync_daemon_does_not_say_is_told_by_what_it_could_not_delete() -> None:
    (complaint,) = ended(b"", lines=(KEPT, b"cannot delete non-empty directory: e\n")).complaints
    assert (complaint.path, complaint.cause) == (b"d/c", Cause.OLD_IN_THE_WAY)
    assert complaint.final
    assert ended(b"", HERE, (KEPT,)).complaints == ()
    assert ended(b"", OLD, (b"cannot delete non-empty directory: ~\n",)).complaints == ()
    assert account((KEPT,), b"", OLD).complaints == ()
    assert ended(b"", Places(b"/s", b"", b"/m/", aside=b"b/"), (KEPT,)).complaints == ()


def test_the_run_goes_not_on_without_what_no_rule_can_leave_out() -> None:
    for line in (b'"/m/c": X (28)', b'"/m/%s": X (27)' % (b"n/" * 1_800), b'"/m/.": X (27)'):
        told = ended(b"rsync: [receiver] write failed on " + line + b"\n")
        assert not any(each.final for each in told.complaints)
    assert not ended(b"could not make way for backup directory: c\n").understood
