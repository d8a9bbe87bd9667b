"""What ``--wait`` waits for, with numbers."""

from __future__ import annotations

from support.configs import make_config, make_pair
from support.engines import NOW, ONE, changing, starts

from inosync.engine.actions import Outcome
from inosync.engine.engine import Engine
from inosync.engine.mirror import Mirror
from inosync.service.waits import Wait


class Daemon:
    """One that has read all there was."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def caught_up(self, node: str = "") -> bool:
        return True

    def lost(self, mirror: Mirror) -> frozenset[bytes]:
        return frozenset()


def test_a_mirror_that_a_reload_puts_in_the_place_of_one_is_waited_for() -> None:
    engine = changing(edelay=0.0, rfull=0.0)
    engine.changed(engine.config.sources[0], ONE, NOW)
    (mirror,) = starts(engine.due(NOW))
    wait = Wait(Daemon(engine), "", NOW, NOW + 60, False, lambda: NOW)
    assert wait.answer(NOW) is None
    engine.configure(make_config([make_pair(None, "other:/m")], edelay=0.0), NOW)
    engine.exited(mirror, Outcome(0, listed=True), NOW)
    assert wait.answer(NOW) is None
    (other,) = starts(engine.due(NOW))
    engine.exited(other, Outcome(0), NOW)
    answer = wait.answer(NOW)
    assert answer is not None
    assert answer["synced"]
