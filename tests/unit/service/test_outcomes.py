"""How rsync names the paths of a mirror."""

from __future__ import annotations

import pytest
from support.configs import make_pair

from inosync.service.outcomes import ends_of


@pytest.mark.parametrize(
    ("extra", "elsewhere"),
    [((), False), (("-a",), False), (("-T", ".tmp"), True), (("--temp-dir=.tmp",), True)],
)
def test_temporary_files_lie_elsewhere_where_a_node_says_so(
    extra: tuple[str, ...], elsewhere: bool
) -> None:
    assert ends_of(make_pair(None, "/m", extra=extra)).elsewhere is elsewhere
