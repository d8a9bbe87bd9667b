"""Files that wait until they are at rest, with numbers."""

from __future__ import annotations

import stat
from typing import NamedTuple

import pytest
from support.views import Seen

from inosync.planning.resting_files import (
    Fresh,
    Settling,
    compile_rules,
    fresh,
    fresh_below,
    no_files,
    wait_of,
)
from inosync.rsync.filters import compile_filters

NOW = 10_000.0
RULES = compile_rules((("a*", 0.0), ("*.iso", 10.0), ("/in/**", 5.0)), prefix="")


class Status(NamedTuple):
    st_mode: int
    st_size: int
    st_ctime: float


@pytest.mark.parametrize(
    ("path", "seconds"),
    [(b"x.iso", 10), (b"d/x.iso", 10), (b"in/x", 5), (b"in/d/x.iso", 10), (b"a.iso", 0), (b"x", 0)],
)
def test_the_first_pattern_that_matches_decides(path: bytes, seconds: float) -> None:
    assert wait_of(RULES, path) == seconds


def test_patterns_are_those_of_the_source() -> None:
    rules = compile_rules((("/www/x", 1.0),), prefix="www")
    assert wait_of(rules, b"x") == 1
    assert wait_of(rules, b"www/x") == 0


def test_each_change_starts_the_wait_anew_up_to_ten_times() -> None:
    settling = Settling(RULES)
    assert settling.deadline is None
    for second in range(0, 99, 3):
        assert settling.touch(b"x.iso", NOW + second)
        assert settling.due(NOW + second) == []
        assert settling.deadline is not None
        assert NOW + second < settling.deadline <= NOW + second + 10
    assert settling.due(NOW + 100) == [(b"x.iso", NOW, False)]
    assert len(settling) == 0
    assert settling.deadline is None
    assert settling.due(NOW + 200) == []


def test_files_wait_each_for_itself() -> None:
    settling = Settling(RULES)
    settling.touch(b"x.iso", NOW)
    settling.touch(b"in/y", NOW + 1)
    assert not settling.touch(b"z", NOW)
    assert settling.paths == {b"x.iso", b"in/y"}
    assert settling.deadline == NOW + 6
    assert settling.due(NOW + 6) == [(b"in/y", NOW + 1, False)]
    assert settling.deadline == NOW + 10
    assert [settling.count(NOW), settling.count(NOW - 1)] == [1, 0]


def test_a_file_without_rules_does_not_wait() -> None:
    assert not Settling().touch(b"x.iso", NOW)


def test_the_last_look_tells_whether_it_is_big() -> None:
    settling = Settling(RULES)
    settling.touch(b"x.iso", NOW)
    settling.touch(b"x.iso", NOW, age=3, big=True)
    assert settling.due(NOW + 10) == [(b"x.iso", NOW - 3, True)]


def test_beyond_a_number_the_one_that_waited_longest_goes() -> None:
    settling = Settling(RULES, most=2 * 105)
    for number in range(4):
        settling.touch(b"%d.iso" % number, NOW)
    assert settling.deadline == NOW
    assert [path for path, _, _ in settling.due(NOW)] == [b"0.iso", b"1.iso"]
    assert settling.deadline == NOW + 10


def test_under_other_rules() -> None:
    settling = Settling(RULES)
    settling.touch(b"x.iso", NOW)
    settling.touch(b"in/y", NOW + 1)
    other = settling.under(compile_rules((("*.iso", 20.0),), prefix=""))
    assert other.due(NOW + 2) == [(b"in/y", NOW + 1, False)]
    assert other.deadline == NOW + 20


def test_directories_that_match_are_no_files() -> None:
    there = {
        b"d.iso": Status(stat.S_IFDIR, 0, NOW),
        b"d": Status(stat.S_IFDIR, 0, NOW),
        b"x.iso": Status(stat.S_IFREG, 0, NOW),
    }
    view = Seen(there.get)
    assert no_files([*there, b"gone.iso"], rules=RULES, view=view) == {b"d.iso"}
    assert no_files(there, rules=(), view=view) == frozenset()


def test_what_has_changed_a_little_while_ago() -> None:
    wall = 1e9
    files = {
        b"old.iso": Status(stat.S_IFREG, 5, wall - 10),
        b"young.iso": Status(stat.S_IFREG, 500, wall - 9),
        b"future.iso": Status(stat.S_IFREG, 5, wall + 9),
        b"young": Status(stat.S_IFREG, 5, wall),
    }
    paths = [*files, b"gone.iso"]
    assert list(fresh(paths, rules=RULES, view=Seen(files.get), wall=wall, size=100)) == [
        Fresh(b"young.iso", 9.0, big=True),
        Fresh(b"future.iso", 0.0, big=False),
    ]
    assert not any(
        file.big for file in fresh(paths, rules=RULES, view=Seen(files.get), wall=wall, size=0)
    )


def test_what_is_young_in_new_directories() -> None:
    files = {b"d/e/a.iso": Status(stat.S_IFREG, 5, 1e9), b"d/b.tmp": Status(stat.S_IFREG, 5, 1e9)}

    def listing(path: bytes) -> list[tuple[bytes, bool]]:
        return {b"d": [(b"e", True), (b"b.tmp", False)], b"d/e": [(b"a.iso", False)]}.get(path, [])

    def young(*patterns: tuple[str, float]) -> list[bytes]:
        found = fresh_below(
            [b"d", b"d/e"],
            rules=compile_rules(patterns, prefix=""),
            filters=compile_filters(()),
            view=Seen(files.get, listing),
            wall=1e9,
            size=0,
        )
        return [path for path, _, _ in found]

    assert young(("*.iso", 10.0)) == [b"d/e/a.iso"]
    assert young() == []
