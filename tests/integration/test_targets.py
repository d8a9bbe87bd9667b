"""What lies at the targets on this machine, as it is known without another look at the mounts."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from support.configs import make_config, make_pair, make_source

from inosync.engine.engine import Engine
from inosync.service.loop import Loop
from inosync.service.targets import Targets
from inosync.watch.target import at_home, target


def test_the_file_system_of_a_target_that_is_what_it_was_is_not_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "mirror"
    place.mkdir()
    pair = make_pair(make_source(str(tmp_path / "source")), str(place), rscope="changes")
    engine = Engine(make_config([pair]), lambda: 0.0)
    with closing(Loop()) as loop:
        targets = Targets(engine, loop)
        found = targets.lying(str(place))
        assert found == at_home(str(place), target(str(place)))
        assert targets.lying(str(place)) is not found  # nobody knows of it yet
        assert targets.fits(engine.mirrors[0], full=True)
        assert targets.lying(str(place)) is targets.lying(str(place))
        assert targets.lying(str(place)) == found
        place.rename(tmp_path / "old")
        place.mkdir()
        assert targets.lying(str(place)) not in (found, targets.lying(str(tmp_path / "old")))
