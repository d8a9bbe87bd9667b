"""What a run complained of in all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inosync.rsync.accounts import account, told_apart
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import SILENT, Account
from inosync.rsync.ends import Ends

HERE = Ends(b"/s", b"", b"/m/")
END = (
    b"rsync error: some files/attrs were not transferred (see previous errors) (code 23) "
    b"at main.c(1394) [sender=3.5.0]\n"
)


def told(errors: bytes, ends: Ends = HERE) -> Account:
    return account([], errors + END, ends)


def test_a_cut_account_is_not_understood() -> None:
    assert account([], b"", HERE) == SILENT
    assert not account([], b"", HERE, cut=True).understood


def test_what_is_not_known_is_not_understood() -> None:
    line = b'rsync: [sender] opendir "/s/d" failed: X (13)\n'
    told_so = told(line + b"a word of the remote shell\n")
    assert [each.path for each in told_so.complaints] == [b"d"]
    assert not told_so.understood
    assert told(line).understood


def test_a_lost_race_is_no_complaint() -> None:
    assert told(b'file has vanished: "/s/x"\n\n') == Account(raced=True)


def test_two_complaints_of_one_path_are_one() -> None:
    errors = (
        b'rsync: [sender] send_files failed to open "/s/d": Permission denied (13)\n'
        b'rsync: [sender] opendir "/s/d" failed: Permission denied (13)\n'
    )
    (it,) = told(errors).complaints
    assert (it.cause, it.whole, it.blind) == (Cause.UNREADABLE, True, True)


@pytest.mark.parametrize(
    ("there", "paths"),
    [
        ({b"d/s"}, [b"d/s"]),
        ({b"d/.s"}, [b"d/.s"]),
        ({b"d/s", b"d/.s"}, [b"d/s", b"d/.s"]),
        (set(), [b"d/s", b"d/.s"]),
    ],
)
def test_of_two_paths_with_one_temporary_name_those_that_are_there_ail(
    there: set[bytes], paths: list[bytes]
) -> None:
    said = told(
        b'rsync: [receiver] mkstemp "/m/d/.s.GxiP99" failed: X (13)\n'
        b'rsync: [sender] send_files failed to open "/s/other": X (13)\n'
    )
    found = told_apart(said, there.__contains__)
    assert [each.path for each in found.complaints] == [*paths, b"other"]
    assert all(not each.other for each in found.complaints)


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


def test_a_backup_whose_name_is_too_long_is_complained_of_once() -> None:
    name = b"n" * 255
    lines = (
        b'rsync: [generator] unlink "/m/%b~": File name too long (36)' % name,
        b'rsync: [generator] keep_backup failed: "/m/%b" -> "%b~": File name too long (36)'
        % (name, name),
        b"rsync: [generator] delete_file: make_backup(%b) failed: File name too long (36)" % name,
    )
    assert [each.path for each in told(b"\n".join((*lines, b""))).complaints] == [name]
    assert not told(lines[0].replace(b"(36)", b"(13)") + b"\n").understood


GONE = b"rsync error: error in file IO (code 11) at rsync.c(900) [receiver=3.5.0]\n"
OLD = Ends(b"/s", b"", b"/m/", suffix=b"~")
KEPT = b"cannot delete non-empty directory: d/c~\n"


def ended(errors: bytes, ends: Ends = OLD, lines: tuple[bytes, ...] = ()) -> Account:
    return account(lines, errors + GONE, ends, ended=True)


@pytest.mark.parametrize(
    ("line", "ends", "path"),
    [
        (b"could not make way for backup directory: d/c~", OLD, b"d/c"),
        (b"could not make way for backup directory: s/c~", replace(OLD, prefix=b"s"), b"c"),
        (
            b"could not make way for backup symlink: b/s/c",
            Ends(b"/s", b"s", b"/m", aside=b"b/"),
            b"c",
        ),
        (b'rsync: [receiver] keep_backup failed: "/m/c" -> "c~": X (1)', OLD, b"c"),
        (b'rsync: [receiver] write failed on "/m/c": File too large (27)', OLD, b"c"),
    ],
)
def test_at_some_paths_a_run_ends(line: bytes, ends: Ends, path: bytes) -> None:
    told = ended(line + b"\nrsync: connection unexpectedly closed (9 bytes) [sender]\n", ends)
    assert (told.understood, told.ended) == (True, True)
    assert [(each.path, each.final) for each in told.complaints] == [(path, True)]


def test_what_an_rsync_daemon_does_not_say_is_told_by_what_it_could_not_delete() -> None:
    (complaint,) = ended(b"", lines=(KEPT, b"cannot delete non-empty directory: e\n")).complaints
    assert (complaint.path, complaint.cause) == (b"d/c", Cause.OLD_IN_THE_WAY)
    assert complaint.final
    assert ended(b"", HERE, (KEPT,)).complaints == ()
    assert ended(b"", OLD, (b"cannot delete non-empty directory: ~\n",)).complaints == ()
    assert account((KEPT,), b"", OLD).complaints == ()
    assert ended(b"", Ends(b"/s", b"", b"/m/", aside=b"b/"), (KEPT,)).complaints == ()


def test_the_run_goes_not_on_without_what_no_rule_can_leave_out() -> None:
    for line in (b'"/m/c": X (28)', b'"/m/%s": X (27)' % (b"n/" * 1_800), b'"/m/.": X (27)'):
        told = ended(b"rsync: [receiver] write failed on " + line + b"\n")
        assert not any(each.final for each in told.complaints)
    assert not ended(b"could not make way for backup directory: c\n").understood
