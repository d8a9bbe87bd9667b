"""What messages carry to syslog, to the journal and to whoever reads JSON."""

from __future__ import annotations

import pytest

from inosync.system import log


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("", "inosync"),
        ("/etc/inosync.py", "inosync"),
        ("/etc/inosync/default.py", "inosync"),
        ("/etc/inosync/web.py", "inosync-web"),
        ("/home/a/inosync-home.conf", "inosync-home"),
    ],
)
def test_daemons_are_told_apart_by_their_configs(file: str, name: str) -> None:
    assert log.ident(file) == name
