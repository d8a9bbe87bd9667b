"""What a run could not carry, as values."""

from __future__ import annotations

from inosync.rsync.causes import Cause
from inosync.rsync.complaints import SILENT, Account, Complaint


def test_an_account_knows_whether_anything_had_no_room() -> None:
    full, closed = (
        Complaint(b"f", Cause.ROOM, "said"),
        Complaint(b"g", Cause.FORBIDDEN, "said"),
    )
    assert Account((closed, full)).room
    assert not Account((closed,)).room
    assert not SILENT.room
