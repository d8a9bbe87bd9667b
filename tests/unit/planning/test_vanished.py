"""What a run may delete of what has vanished, with numbers."""

from __future__ import annotations

import random
import stat
from typing import NamedTuple

from support.configs import make_source
from support.views import Seen

from inosync.planning.vanished import MOST_BYTES, vanished


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int


DIRECTORY, FILE, LINK, PIPE = map(Status, (stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK, stat.S_IFIFO))


def ask(gone: set[bytes], tree: dict[bytes, Status], *rules: str, **more: int):
    filters = make_source(excludes=rules).filters
    return vanished(gone, Seen({b"": DIRECTORY, **tree}.get), filters, **more)


def test_what_is_not_there_goes_and_what_is_there_again_stays() -> None:
    found = ask({b"a", b"b", b"d/", b"d/x", b"e/", b"e/x"}, {b"a": FILE, b"e": DIRECTORY})
    assert found.paths == (b"b", b"d/", b"d/x", b"e/x")
    assert found.homes == {b"", b"d", b"e"}
    assert (found.hide, found.rest) == (frozenset(), frozenset())


def test_what_a_mirror_may_keep_stays_there() -> None:
    gone = {b"a.keep", b"logs/", b"logs/x", b"logs/x/", b"b", b"d/", b"d/a.keep", b"d/b"}
    assert ask(gone, {}, "P /logs", "P *.keep").paths == (b"b", b"d/", b"d/b")
    assert ask(gone, {}, "P logs/", "R *.keep", "P *.keep").rest == frozenset()
    assert b"a.keep" in ask(gone, {}, "R *.keep", "P *.keep").paths


def test_what_another_thing_has_taken_the_place_of() -> None:
    # A file makes way for a directory by itself, not the other way round.
    tree = {b"was file": DIRECTORY, b"was directory": FILE, b"link": LINK, b"link/x": FILE}
    found = ask({b"was file", b"was directory/", b"was directory/x", b"link/", b"link/x"}, tree)
    assert found.paths == (b"link/", b"link/x", b"was directory/", b"was directory/x")
    assert found.hide == frozenset()


def test_what_no_run_sends_is_hidden() -> None:
    found = ask({b"a", b"d/"}, {b"a": PIPE, b"d": PIPE})
    assert found.paths == (b"a", b"d/")
    assert found.hide == {b"a", b"d"}


def test_a_directory_is_entered_by_each_run_and_goes_with_the_last() -> None:
    gone = {b"d/", b"d/e/", *(b"d/e/%d" % number for number in range(5))}
    first = ask(gone, {}, most=4)
    assert first.paths == (b"d/", b"d/e/", b"d/e/0", b"d/e/1")
    assert first.rest == {b"d/", b"d/e/", b"d/e/2", b"d/e/3", b"d/e/4"}
    second = ask(set(first.rest), {}, most=4)
    assert second.paths == (b"d/", b"d/e/", b"d/e/2", b"d/e/3")
    third = ask(set(second.rest), {}, most=4)
    assert third.paths == (b"d/", b"d/e/", b"d/e/4")
    assert not third.rest


def test_names_are_counted_in_bytes_too() -> None:
    long = {b"%d" % number + b"x" * 250 for number in range(1_500)}
    found = ask(long, {})
    assert sum(map(len, found.paths)) <= MOST_BYTES
    assert len(found.paths) + len(found.rest) == 1_500


def test_whatever_is_taken_first_all_of_it_goes_in_the_end() -> None:
    for seed in range(200):
        chance = random.Random(seed)
        names = [b"/".join(chance.choices((b"a", b"a!", b"b"), k=chance.randint(1, 4)))]
        gone: set[bytes] = set()
        for _ in range(30):
            name = b"/".join(chance.choices((b"a", b"a!", b"b"), k=chance.randint(1, 4)))
            gone |= {name + b"/"} if chance.random() < 0.5 else {name}
            slash = name.find(b"/")
            while slash != -1:
                gone.add(name[: slash + 1])
                slash = name.find(b"/", slash + 1)
            names.append(name)
        left, reached = frozenset(gone), set[bytes]()
        while left:
            found = ask(set(left), {}, most=6)
            reached |= set(found.paths)
            for path in found.paths:
                home = path.rstrip(b"/").rpartition(b"/")[0]
                assert not home or home + b"/" in found.paths
            assert found.rest < left
            left = found.rest
        assert reached == gone
