"""What is remembered of a mirror, asked for while the daemon runs."""

from __future__ import annotations

import itertools
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.changes.batch import Batch
from inosync.changes.changes import Changes
from inosync.changes.doubts import LOST, Doubts
from inosync.changes.inotify_bits import DEFAULT_EMASK
from inosync.engine.actions import Outcome, Seek, Start
from inosync.engine.engine import Engine
from inosync.engine.memory import Known, decode, encode
from inosync.engine.mirror import Mirror
from inosync.engine.records import Late
from inosync.planning.order import Prepared, RunKind
from inosync.planning.scan import Question
from inosync.planning.slices import Slice, course_of
from inosync.service.keeper import MARGIN, Keeper
from inosync.service.loop import Loop
from inosync.service.notes import Notes
from inosync.service.recollection import Recollection
from inosync.service.scans import SO_FAR, Scans
from inosync.service.sources import Sources
from inosync.service.targets import Targets
from inosync.system.state import StateFile


class Scene:
    """A mirror of a real source, whose runs do nothing and end well, and who remembers it."""

    def __init__(
        self, folder: Path, *, keeps: bool = False, doubtful: bool = False, **settings: object
    ) -> None:
        source = make_source(str(folder))
        pair = make_pair(source, "a:/m", rscope="changes")
        self.config = make_config([pair], edelay=0.0, emaxdelay=0.0, **settings)
        self.engine = Engine(self.config, lambda: 0.0)
        self.loop = Loop()
        self.sources = Sources(self.engine, self.config, self.loop)
        targets = Targets(self.engine, self.loop)
        state = StateFile(str(folder.parent / "state"))
        self.notes = Notes(self.engine, state, targets, self.loop, doubtful)
        self.keeper = Keeper(self.engine, self.sources, self.loop, self.notes)
        self.recollection = Recollection(self.engine, self.sources, self.loop, self.notes)
        if keeps:  # there was one before
            self.notes.open()
        self.sources.recall = self.recollection.recall
        self.sources.open()
        while not self.engine.sources[source.path].watched:
            self.sources.due(self.loop.clock())
        (self.mirror,) = self.engine.mirrors

    def run(self) -> None:
        """Let the mirror get what it owes."""
        now = self.loop.clock()
        assert any(isinstance(action, Start) for action in self.engine.due(now))
        self.keeper.due(now)
        self.engine.exited(self.mirror, Outcome(0), now)
        self.keeper.due(now)

    def begin(self, *trees: bytes) -> None:
        """Let the next run begin: of a pass, the slice of the first of these, which are left."""
        assert any(isinstance(action, Start) for action in self.engine.due(self.loop.clock()))
        if trees:
            left = [("tree", path) for path in trees[1:]]
            course = course_of(left, sizes=True, weight=1, directories=1, files=0)
            what = Prepared(RunKind.SLICE, (), piece=Slice(trees[:1]), course=course)
            self.engine.prepared(self.mirror, what, self.loop.clock())
        self.keeper.due(self.loop.clock())

    def end(self) -> None:
        """Let it end well."""
        self.engine.exited(self.mirror, Outcome(0, listed=True), self.loop.clock())

    def run_while_the_clock_is_set(self, step: float) -> Known:
        """Let a change arrive, and the clock be set by so many seconds; return what is known."""
        self.loop.wall = time.time
        self.change()
        self.begin()
        self.loop.wall = lambda: time.time() + step
        self.end()
        self.keeper.due(self.loop.clock())
        (known,) = self.notes.known.values()
        return known

    def configure(self, *nodes: str) -> None:
        """Take a config with these nodes."""
        source = self.config.sources[0]
        pairs = [make_pair(source, node, rscope="changes") for node in nodes]
        config = make_config(pairs, edelay=0.0, emaxdelay=0.0)
        self.engine.configure(config, self.loop.clock())
        self.sources.configure(config)
        self.recollection.acquaint()

    def close(self) -> None:
        """Watch nothing any more."""
        self.sources.close()
        self.loop.close()

    def change(self) -> None:
        """Change something."""
        self.engine.changed(self.config.sources[0], Changes(entries={b"f": None}), 0.0)


def asked(scene: Scene) -> Question | None:
    mirror: Mirror = scene.mirror
    return scene.recollection.instead(mirror)


def test_a_mirror_that_had_everything_is_asked_for_once_for_each_run(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "f").write_text("x")
    with closing(Scene(source)) as scene:
        once_for_each_run(scene)


def once_for_each_run(scene: Scene) -> None:
    assert asked(scene) is None  # nothing is known of it
    before = time.time()
    scene.run()
    question = asked(scene)
    assert question is not None
    assert question.since is not None
    assert before - MARGIN - 1 < question.since / 1e9 < time.time() - MARGIN
    # What floods in meanwhile does not keep it from its next run.
    assert asked(scene) is None
    scene.change()
    scene.run()
    assert asked(scene) is not None
    scene.change()
    scene.run()
    scene.change()
    scene.engine.due(scene.loop.clock())
    scene.mirror.aside = scene.mirror.flight  # something else waits for its next try
    assert asked(scene) is None


def test_a_source_that_is_looked_through_is_not_known(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "f").write_text("x")
    with closing(Scene(source, rpoll=60.0)) as scene:
        scene.run()
        assert asked(scene) is None


def test_what_came_beside_a_pass_and_has_arrived_is_not_looked_for_again(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("a", "b", "c"):
        (source / name).mkdir(parents=True)
    with closing(Scene(source)) as scene:
        began = time.time()
        scene.begin(b"a", b"b", b"c")
        scene.change()
        scene.end()
        scene.loop.wall, scene.loop.clock = lambda: began + 100, lambda: time.monotonic() + 100
        scene.begin()  # what has changed
        scene.end()
        scene.begin(b"b", b"c")
        scene.keeper.close()
        known, problem = decode(Path(scene.notes.file.path).read_bytes())
    assert not problem
    (one,) = known.values()
    assert one.rest is not None
    assert one.rest.parts(10) == (("tree", b"b"), ("tree", b"c"))
    assert one.moment / 1e9 > began + 90


def noted(scene: Scene) -> Known:
    known, problem = decode(Path(scene.notes.file.path).read_bytes())
    assert not problem
    (one,) = known.values()
    return one


def test_what_a_first_pass_may_have_carried_is_noted_before_it_ends(tmp_path: Path) -> None:
    """Killed in it, what has changed since then is compared by content by the next one."""
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.keeper.due(scene.loop.clock())
        first = noted(scene)
        assert first.begun
        scene.engine.due(scene.loop.clock())
        assert asked(scene) is None
    with closing(Scene(source, keeps=True)) as scene:  # it was killed
        assert scene.mirror.equal_at is not None
        assert abs(scene.mirror.equal_at.wall - first.moment / 1e9) < 0.001
        scene.keeper.due(scene.loop.clock())
        assert (noted(scene).begun, noted(scene).moment) == (True, first.moment)
        scene.run()
        scene.keeper.close()
        assert not noted(scene).begun


def test_it_is_known_since_when_a_pass_may_take_files_for_equal(tmp_path: Path) -> None:
    """Also where nothing is asked, as files may wait for their lane or to be at rest."""
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    before = time.time()
    for settings in ({}, {"rsettle": (("*", 0.1),)}):
        with closing(Scene(source, keeps=bool(settings), **settings)) as scene:
            scene.run()
            scene.keeper.close()
            if not settings:
                continue
            assert scene.mirror.equal_at is not None
            assert before - MARGIN - 1 < scene.mirror.equal_at.wall < time.time()
            first = noted(scene).moment
            scene.engine.unsettled(scene.config.sources[0], [(b"f", 0.0, False)], 0.0)
            scene.keeper.close()  # not all that has happened is on the node
            assert noted(scene).moment == first
    source.rename(tmp_path / "away")
    (source / "a").mkdir(parents=True)
    for _ in range(2):  # the second after it was killed
        with closing(Scene(source, keeps=True)) as scene:
            scene.keeper.due(scene.loop.clock())
            assert scene.mirror.equal_at is not None
            assert scene.mirror.equal_at.wall == 0.0  # what came may have been made long ago


def test_a_node_that_was_away_is_compared_for_what_changed_since_it_left(tmp_path: Path) -> None:
    """And owes a full pass, also when that is cut short."""
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        scene.keeper.close()
        first = noted(scene).moment
        scene.configure("b:/m")
        scene.keeper.close()
        scene.configure("b:/m", "a:/m")
        back = scene.engine.mirrors[1]
        assert back is not scene.mirror
        assert back.equal_at is not None
        assert abs(back.equal_at.wall - first / 1e9) < 0.001
        assert back.passing is not None
        assert back.passing.batch.doubts == LOST
        scene.keeper.close()
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.sought is None
        assert scene.mirror.passing is not None


def test_a_node_that_came_back_while_nobody_ran_is_compared_as_well(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        scene.keeper.close()
        first = noted(scene).moment
        scene.configure("b:/m")
        scene.keeper.close()
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.equal_at is not None
        assert abs(scene.mirror.equal_at.wall - first / 1e9) < 0.001
        assert scene.mirror.sought is None  # nobody knows what became of it


def test_where_another_host_may_have_been_active_only_the_moment_counts(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        scene.keeper.close()
        first = noted(scene).moment
    with closing(Scene(source, keeps=True, doubtful=True)) as scene:
        assert scene.mirror.equal_at is not None
        assert abs(scene.mirror.equal_at.wall - first / 1e9) < 0.001
        assert (scene.mirror.sought, scene.mirror.passing is not None) == (None, True)


def test_the_rest_of_a_pass_that_would_compare_is_for_a_walk_since_then(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("a", "b", "c"):
        (source / name).mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        scene.keeper.close()
        first = noted(scene).moment
    other = DEFAULT_EMASK | 0x800  # IN_MOVE_SELF: made by other settings
    with closing(Scene(source, keeps=True, emask=other)) as scene:
        scene.begin(b"a", b"b", b"c")
        scene.change()
        scene.end()
        began = time.time()
        scene.loop.wall, scene.loop.clock = lambda: began + 100, lambda: time.monotonic() + 100
        scene.begin()  # what has changed
        scene.end()
        scene.begin(b"b", b"c")
        scene.keeper.close()
        assert noted(scene).rest is not None
        assert noted(scene).moment == first


def test_a_moment_that_is_noted_is_not_later_than_the_clock_that_was_set_since(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        for step in (-50, 50):  # back, and on
            before = time.time()
            known = scene.run_while_the_clock_is_set(step)
            assert before + min(step, 0) - MARGIN - 1 < known.moment / 1e9
            assert known.moment / 1e9 < time.time() + min(step, 0) - MARGIN


def test_the_clock_that_the_rest_of_a_pass_is_noted_by_is_that_of_this_start(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    for name in ("a", "b"):
        (source / name).mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        scene.keeper.close()
    state = tmp_path / "state"
    known = {scene.mirror.name: replace(noted(scene), boot="another")}
    state.write_bytes(encode(known))
    with closing(Scene(source, keeps=True)) as scene:
        scene.loop.ahead = lambda: 7
        scene.engine.release("wanted", scene.loop.clock())
        scene.begin(b"a", b"b")
        scene.keeper.close()
        assert noted(scene).rest is not None
        assert (noted(scene).boot, noted(scene).ahead) == (scene.notes.boot, 7)


def test_since_when_something_may_be_hidden_is_noted_by_the_clock_that_was_set_since(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        hidden = scene.mirror.hidden_at = scene.loop.moment()
        for step in (-50, 50):  # back, and on: the earlier reading holds
            known = scene.run_while_the_clock_is_set(step)
            assert known.hidden is not None
            assert abs(known.hidden / 1e9 - hidden.wall - min(step, 0)) < 1


def test_while_something_may_arrive_late_nothing_is_noted(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        (first,) = scene.notes.known.values()
        now = scene.loop.clock()
        scene.mirror.late = Late(Batch(now, 0, changes=Changes()), now + 60, now, 0)
        scene.change()
        scene.run()
        assert list(scene.notes.known.values()) == [first]
        assert scene.mirror.late is not None
        scene.mirror.late = None
        scene.keeper.due(scene.loop.clock())
        assert scene.notes.known[scene.mirror.name].moment > first.moment


@pytest.mark.parametrize(("late", "ended"), [(False, True), (True, True), (False, False)])
def test_what_may_be_late_outlasts_the_daemon(tmp_path: Path, late: bool, ended: bool) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source, keeps=True)) as scene:
        scene.run()
        scene.notes.write()
        now = scene.loop.clock()
        if late:
            scene.mirror.late = Late(Batch(now, 0, changes=Changes()), now + 60, now, 0)
        if ended:
            scene.keeper.close()
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.sought is not None
        assert scene.mirror.sought.cut == (late or not ended)


def test_of_hosts_that_take_turns_none_believes_its_notes(tmp_path: Path) -> None:
    """Also where the next start, or a reload, does without ``wactive``."""
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source, wactive="/there")) as scene:
        scene.run()
        scene.keeper.close()
        assert noted(scene).begun
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.passing is not None


def test_nothing_is_noted_while_a_path_that_ailed_is_in_doubt(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source)) as scene:
        scene.run()
        before = scene.notes.known[scene.mirror.name].moment
        scene.change()
        scene.begin()
        doubts = Doubts(files=frozenset((b"p",)))
        scene.mirror.offer(Batch(0.0, 0, changes=Changes(), doubts=doubts))
        scene.end()
        scene.keeper.due(scene.loop.clock())
        assert scene.notes.known[scene.mirror.name].moment == before
        scene.begin()
        scene.end()
        scene.keeper.due(scene.loop.clock())
        assert scene.notes.known[scene.mirror.name].moment > before


def test_a_daemon_that_is_killed_has_not_ended_for_mirrors_of_which_it_noted_nothing(
    tmp_path: Path,
) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source, keeps=True)) as scene:
        scene.run()
        scene.keeper.close()
    with closing(Scene(source, keeps=True)) as scene:
        scene.notes.write()  # since another mirror has arrived
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.sought is not None
        assert scene.mirror.sought.cut


def test_what_may_be_late_of_a_mirror_that_left_outlasts_the_daemon(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source, keeps=True)) as scene:
        scene.run()
        scene.configure("b:/m")
        scene.keeper.close()
        (known,) = (known for name, known in scene.notes.known.items() if name.endswith("a:/m"))
        assert not known.ended
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.late is not None


def test_where_a_pass_was_cut_short_it_is_made_again(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.late is None  # the first daemon that ever was
        scene.keeper.due(scene.loop.clock())
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.late is not None
        assert scene.mirror.late.batch.reason
    known = scene.notes.known[scene.mirror.name]
    scene.notes.known[scene.mirror.name] = replace(known, boot="another")
    scene.notes.write()
    with closing(Scene(source, keeps=True)) as scene:
        assert scene.mirror.late is None  # the machine was started since


def test_what_a_long_walk_finds_goes_on_its_way_before_it_ends(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for number in range(40):
        (source / f"{number}").mkdir(parents=True)
    with closing(Scene(source, keeps=True)) as scene:
        scene.run()
        scene.keeper.close()
    for number in range(40):
        (source / f"{number}/new").touch()
    with closing(Scene(source, keeps=True)) as scene:
        ticks = itertools.count()
        scene.loop.clock = lambda: next(ticks) * SO_FAR / 10  # as if each name took long
        scans = Scans(scene.engine, scene.sources, scene.loop)
        for action in scene.engine.due(0.0):
            if isinstance(action, Seek):
                scans.ask(action)
        early = 0
        while scene.mirror.sought is not None and scans.deadline() is not None:
            scans.due(0.0)
            if scene.mirror.pending is not None and scans.deadline() is not None:
                early = len(scene.mirror.pending.changes or ())
        assert scene.mirror.pending is not None
        assert scene.mirror.pending.changes is not None
        # What is in directories with the files comes later than they.
        assert 40 <= early < len(scene.mirror.pending.changes) == 81
