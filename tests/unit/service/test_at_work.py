"""What is seen of a run that is at work."""

from __future__ import annotations

import pytest

from inosync.service.at_work import unheard


@pytest.mark.parametrize(
    ("first", "read", "seconds", "expected"),
    [
        (900, 900, 150.0, True),
        (900, 900, 149.0, False),
        (900, 901, 150.0, False),
        (0, 0, 150.0, False),  # nobody may see what it reads
    ],
)
def test_a_run_of_whose_node_nothing_is_heard_is_given_up(
    first: int, read: int, seconds: float, expected: bool
) -> None:
    assert unheard(first, read, seconds, 300) is expected
