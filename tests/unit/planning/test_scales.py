"""How much there is below a directory."""

from __future__ import annotations

import stat
from typing import NamedTuple

from support.views import Seen

from inosync.planning.scales import GRAIN, Scales
from inosync.planning.slices import Amount
from inosync.rsync.filters import compile_filters

LISTINGS = {
    b"": [(b"z", True), (b"d", True), (b"f", False)],
    b"d": [(b"e", True), (b"g", False), (b"h", False), (b"out", True)],
    b"d/e": [(b"i", False)],
}


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int = stat.S_IFREG
    st_size: int = 3 * GRAIN


def scales(known: dict[bytes, Amount], *, sizes: bool = False) -> Scales:
    view = Seen({b"f": Status()}.get, lambda path: LISTINGS.get(path, []))
    return Scales(view, compile_filters(("/d/out",)), sizes=sizes, known=known)


def test_each_directory_and_file_weighs_one() -> None:
    assert scales({}).weigh(b"", 8) == Amount(8, 4, 4)
    assert scales({}).weigh(b"", 7) is None


def test_what_is_in_a_file_weighs_where_sizes_count() -> None:
    assert scales({}, sizes=True).weight(b"f") == 4
    assert scales({}, sizes=True).weight(b"gone") == 1
    assert scales({}, sizes=True).weigh(b"", 11) == Amount(11, 4, 4)


def test_what_was_weighed_in_vain_is_known_until_it_is_forgotten() -> None:
    known: dict[bytes, Amount] = {}
    assert scales(known).weigh(b"", 7) is None
    assert known == {b"d": Amount(5, 2, 3)}
    scales(known).forget(b"d")
    assert known == {}
