"""Which path of the source rsync means by a name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inosync.rsync.ends import Ends


@pytest.mark.parametrize(
    ("ends", "name"),
    [
        (Ends(b"/s", b"", b"/m"), b"/m/d/f"),
        (Ends(b"/s", b"", b"/"), b"/d/f"),
        (Ends(b"/s", b"w", b"/m/"), b"/m/w/d/f"),
        (Ends(b"/s", b"", b"back/up"), b"/home/u/back/up/d/f"),
        (Ends(b"/s", b"", b"~/up/"), b"/home/u/up/d/f"),
        (Ends(b"/s", b"", b"mod", module=True), b"/d/f"),
        (Ends(b"/s", b"", b"mod/in/", module=True), b"/in/d/f"),
    ],
)
def test_the_receiver_names_what_is_below_the_mirror(ends: Ends, name: bytes) -> None:
    assert ends.of_receiver(name) == b"d/f"


@pytest.mark.parametrize(
    ("ends", "name"),
    [
        (Ends(b"/s", b"", b""), b"/home/u/d/f"),
        (Ends(b"/s", b"", b"up"), b"/up/d/up/f"),
        (Ends(b"/s", b"", b"up"), b"/elsewhere/f"),
        (Ends(b"/s", b"w", b"/m/"), b"/m/f"),
        (Ends(b"/s", b"", b"/m"), b"/mm/f"),
    ],
)
def test_where_it_may_lie_nothing_is_guessed(ends: Ends, name: bytes) -> None:
    assert ends.of_receiver(name) is None


def test_the_mirror_itself() -> None:
    assert Ends(b"/s", b"", b"/m/").of_receiver(b"/m") == b""
    assert Ends(b"/s", b"", b"/m/").of_receiver(b"/m/.") == b""
    assert Ends(b"/s", b"", b"/m/").of_receiver(b"/m/./d") == b"d"


def test_a_file_is_written_under_another_name_at_first() -> None:
    ends = Ends(b"/s", b"w", b"/m/")
    assert ends.of_temporary(b"/m/w/d/.f.GxiP99") == b"d/f"
    assert ends.of_temporary(b"/m/d/.f.GxiP99") is None
    assert ends.of_temporary(b"/m/w/d/f") is None
    assert ends.of_temporary(b"/elsewhere/.f.GxiP99") is None
    assert ends.of_temporary(b"/m/w/.%b.GxiP99" % (b"n" * 241)) is None
    # With --temp-dir it lies in a directory that may be part of the mirror.
    assert replace(ends, elsewhere=True).of_temporary(b"/m/w/d/.f.GxiP99") is None


def test_the_sender_and_the_transfer() -> None:
    ends = Ends(b"/s", b"w", b"/m/")
    assert ends.of_sender(rb"/s/n\#012") == b"n\n"
    assert ends.of_sender(b"/t/n") is None
    assert ends.of_transfer(rb"w/n\#012") == b"n\n"
    assert ends.of_transfer(b"other/n") is None


@pytest.mark.parametrize(
    ("ends", "name", "path"),
    [
        (Ends(b"/s", b"", b"/m", suffix=b"~"), b"d/c~", b"d/c"),
        (Ends(b"/s", b"s", b"/m", suffix=b"~"), b"s/c~", b"c"),
        (Ends(b"/s", b"s", b"/m", aside=b"b/"), b"b/s/c", b"c"),
        (Ends(b"/s", b"s", b"/m", aside=b"b/"), b"s/c", None),
        (Ends(b"/s", b"", b"/m", suffix=b"~"), b"d/c", None),
        (Ends(b"/s", b"", b"/m"), b"d/c", None),
    ],
)
def test_old_versions(ends: Ends, name: bytes, path: bytes | None) -> None:
    assert ends.of_old(name) == path
