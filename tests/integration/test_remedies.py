"""What is seen to end on this machine: room on a disk that was full."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from support.configs import make_config, make_pair
from support.engines import NOW, starts, steady
from support.mounting import disk, mounts_below, needs_mounts

from inosync.changes.changes import Change, Changes, Kind
from inosync.engine.actions import Outcome
from inosync.engine.engine import Engine
from inosync.engine.mirror import State
from inosync.rsync.causes import Cause
from inosync.rsync.complaints import Account, Complaint
from inosync.service.loop import Loop
from inosync.service.remedies import PACE, Remedies


@needs_mounts
def test_room_that_comes_while_another_run_is_at_work_is_not_forgotten(tmp_path: Path) -> None:
    with mounts_below(tmp_path), closing(Loop()) as loop:
        full = disk(tmp_path / "full")
        (full / "rest").write_bytes(bytes(2**20))
        pair = make_pair(None, f"{full}/", rscope="changes", rretry=(60.0, 60.0))
        engine = Engine(make_config([pair], edelay=0.0, emaxdelay=0.0), steady)
        source, (mirror,) = engine.config.sources[0], engine.mirrors
        engine.watched(source, NOW, reason="")
        remedies = Remedies(engine, loop)

        def change(path: bytes) -> None:
            engine.changed(source, Changes.of([Change(path, Kind.ENTRY)]), NOW)
            assert starts(engine.due(NOW)) == [mirror]

        change(b"big")
        complaint = Complaint(b"big", Cause.ROOM, "write failed")
        engine.exited(mirror, Outcome(11, account=Account((complaint,), understood=True)), NOW)
        remedies.due(NOW)
        change(b"small")
        os.unlink(full / "rest")
        remedies.due(NOW + PACE)
        engine.exited(mirror, Outcome(0, listed=True), NOW + PACE)
        assert mirror.state is State.BACKOFF
        assert starts(engine.due(NOW + PACE)) == []
        remedies.due(NOW + 2 * PACE)
        assert remedies.deadline() == 0.0
        assert starts(engine.due(NOW + 2 * PACE)) == [mirror]
