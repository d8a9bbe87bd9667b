"""Who owns what arrives on a node."""

from __future__ import annotations

import pytest

from inosync.rsync.extra import parse_extra
from inosync.rsync.owners import asking_for_owners


@pytest.mark.parametrize(
    ("extra", "asking"),
    [
        ("", ""),
        ("-ltr -g", ""),
        ("-aH", "-a"),
        ("-ogD", "-o"),
        ("--owner", "--owner"),
        ("--chown=www:www", "--chown"),
        ("--chown=:www", ""),
        ("--usermap=1:2", "--usermap"),
        ("-a --chown=:www", "-a"),
        ("-a --no-owner", ""),
        ("-a -M--fake-super", ""),
        ("-a --remote-option=--fake-super", ""),
        ("-a --fake-super", ""),
        ("-a -M --partial", "-a"),
        ("-a --rsync-path='sudo rsync'", ""),
    ],
)
def test_the_option_that_only_root_could_follow(extra: str, asking: str) -> None:
    assert asking_for_owners(parse_extra(extra)) == asking
