"""From an order to argv, with numbers: each kind of run."""

from __future__ import annotations

import dataclasses
import stat
from typing import NamedTuple

import pytest
from support.configs import make_config, make_pair, make_source
from support.views import Seen

from inosync.changes.batch import Batch, full_pass
from inosync.changes.changes import Change, Changes, Kind, Move
from inosync.changes.doubts import LOST, NO_DOUBTS, Doubts
from inosync.config.model import Source
from inosync.planning.order import Moment, Order, Prepared, RunKind, Sight
from inosync.planning.prepare import Worth, prepare
from inosync.planning.slices import Course, Slice, course_of
from inosync.planning.steps import Clear, Pave, Relink, Renew
from inosync.rsync.filters import compile_filters
from inosync.rsync.program import Program

NOW = 10_000.0
PROGRAM = Program((3, 2, 7))
LEVEL = Change(b"a", Kind.LEVEL)


class Status(NamedTuple):
    """What lstat tells."""

    st_mode: int
    st_size: int = 500
    st_nlink: int = 1
    st_ctime: float = 0.0
    st_dev: int = 1
    st_ino: int = 7


TREE = {
    b"a": Status(stat.S_IFDIR),
    b"a/f": Status(stat.S_IFREG),
    b"a/two": Status(stat.S_IFREG, st_nlink=2),
    b"b": Status(stat.S_IFDIR),
    b"b/new": Status(stat.S_IFDIR),
    b"b/new/g": Status(stat.S_IFREG),
    b"big": Status(stat.S_IFREG, st_size=5000),
}


def sight(tree=TREE, **more) -> Sight:
    def listing(path: bytes):
        return [
            (found.rpartition(b"/")[2], stat.S_ISDIR(status.st_mode))
            for found, status in tree.items()
            if found.rpartition(b"/")[0] == path
        ]

    return Sight(Seen(tree.get, listing), more.pop("filters", compile_filters(())), **more)


def batch(*changes: Change, moves: tuple[Move, ...] = ()) -> Batch:
    return Batch(NOW, len(changes), changes=Changes.of(changes), moves=moves)


NODE = ("extra", "rscope", "rtimeout", "rkeep", "rdelete", "rmaxchange")


def ask(
    what: Batch, kind: RunKind = RunKind.PASS, *, seen: Sight | None = None, **more
) -> Prepared:
    node = {key: more.pop(key) for key in NODE if key in more}
    settings = {key: more.pop(key) for key in ("rbigsize", "logfile", "rmaxdelete") if key in more}
    program = more.pop("program", PROGRAM)
    pair = make_pair(make_source(), "/mirror", **({"rscope": "changes"} | node))
    order = Order(pair, kind, what, **more)
    return prepare(order, seen or sight(), make_config([pair], **settings), program, Worth(1, 1))


BASE = ("--protect-args", "--stats", "--no-human-readable", "--modify-window=-1")
KEPT = "--filter=-sr .inosync-kept"
ENDS = ("--", "/srv/www/", "/mirror")
TOLD = ("--8-bit-output", "--out-format=%i %n")
LIST = ("-ltp", "--dirs", "--delete", "--ignore-missing-args", "--include=/./", "--from0")
LIST += ("--files-from=-",)


def test_a_whole_pass() -> None:
    what = ask(full_pass("start-up", NOW))
    assert what.kind is RunKind.PASS
    assert what.names is None
    assert not what.listed
    assert what.argv == ("/usr/bin/rsync", "-ltrp", "--delete", *BASE, "--timeout=300", KEPT, *ENDS)


def test_each_run_of_a_node_that_keeps_has_a_folder_of_its_own() -> None:
    seen = sight(now=Moment(86_400.25, 5.0))
    what = ask(batch(Change(b"a/f", Kind.ENTRY)), rkeep=2.0, seen=seen)
    assert "--backup-dir=.inosync-kept/1970-01-02/000000.250000Z" in what.argv
    assert "--backup" not in ask(batch(Change(b"a/f", Kind.ENTRY)), seen=seen).argv


def test_a_list() -> None:
    what = ask(batch(Change(b"a/f", Kind.ENTRY)))
    assert (what.kind, what.names, what.listed) == (RunKind.LISTED, (b"./a/f",), True)
    assert what.argv == ("/usr/bin/rsync", *LIST, *BASE, KEPT, *TOLD, *ENDS)
    assert (what.steps, what.hid, what.linked, what.widened) == ((), False, {}, "")


def cut_off(course: Course, source: Source | None = None, **more) -> Prepared:
    pair = make_pair(source, "/mirror", rscope="changes")
    parts = {"course": course, "budget": more.pop("budget", 3), "piece": more.pop("piece", None)}
    order = Order(pair, RunKind.SLICE, full_pass("start-up", NOW, lost=True), **parts)
    return prepare(order, more.pop("seen", sight()), make_config([pair]), PROGRAM)


def test_a_pass_in_slices() -> None:
    first = cut_off(Course())
    assert (first.kind, first.names, first.widened) == (RunKind.SLICE, (b"./",), "")
    assert first.argv == ("/usr/bin/rsync", *LIST, *BASE, KEPT, *ENDS)
    assert first.listed
    assert first.course is not None
    second = cut_off(first.course)
    assert (second.kind, second.names) == (RunKind.SLICE, None)
    words = ("--timeout=300", "--relative", "--ignore-missing-args", KEPT, "--", "/srv/www/./b")
    assert second.argv == ("/usr/bin/rsync", "-ltrp", "--delete", *BASE, *words, "/mirror")
    assert second.piece is not None
    assert second.piece.trees == (b"b",)


def test_slices_that_are_made_at_once_share_the_speed_and_no_connection() -> None:
    course = course_of(
        [("tree", b"a"), ("tree", b"b")], sizes=False, weight=9, directories=1, files=0
    )
    pair = make_pair(None, "host:/mirror", rscope="changes", rspeed=500, rstreams=2)
    order = Order(pair, RunKind.SLICE, full_pass("start-up", NOW, lost=True), course=course)
    order = dataclasses.replace(order, budget=3, streams=2)
    program = Program((3, 2, 7), control="/run/x")
    what = prepare(order, sight(), make_config([pair]), program)
    (other,) = what.beside
    assert [piece.trees for piece in what.pieces] == [(b"a",), (b"b",)]
    assert (what.course is not None and what.course.over, other.course) == (True, None)
    assert (what.doubts, other.doubts) == (LOST, NO_DOUBTS)
    assert "--bwlimit=250" in what.argv
    assert "--bwlimit=250" in other.argv
    assert any("ControlPath=/run/x/%C" in word for word in what.argv)
    assert any(word.endswith("ControlPath=none") for word in other.argv)
    alone = prepare(dataclasses.replace(order, streams=1), sight(), make_config([pair]), program)
    assert alone.beside == ()
    assert "--bwlimit=500" in alone.argv


def test_a_slice_that_is_made_again() -> None:
    again = cut_off(Course(todo=None), piece=Slice((b"b",)))
    assert (again.piece, again.course) == (Slice((b"b",)), Course(todo=None))
    assert "/srv/www/./b" in again.argv
    assert again.doubts == LOST
    rest = cut_off(cut_off(Course()).course or Course())
    assert (rest.doubts, again.listed) == (NO_DOUBTS, True)


@pytest.mark.parametrize(
    ("argument", "prefix", "expected"),
    [("/srv/www", "www", "/srv/./www/b"), ("/srv/./www/", "www", "/srv/./www/b")],
)
def test_where_a_slice_lands(argument: str, prefix: str, expected: str) -> None:
    relative = "/./" in argument
    source = make_source(argument=argument, prefix=prefix, relative=relative)
    first = cut_off(Course(), source)
    assert first.course is not None
    assert expected in cut_off(first.course, source).argv


def test_a_tree_that_is_none_any_more_is_left_out() -> None:
    first = cut_off(Course())
    assert first.course is not None
    link = sight({**TREE, b"b": Status(stat.S_IFLNK), b"a": Status(stat.S_IFREG)})
    what = cut_off(first.course, seen=sight({}))
    assert (what.kind, what.names) == (RunKind.SLICE, ())
    views = Seen(link.view.look, sight().view.listing)
    what = cut_off(first.course, seen=dataclasses.replace(sight(), view=views))
    assert what.names == ()


def test_what_cannot_be_sliced_is_a_pass() -> None:
    for rules in ((": .rules",), ("/*", ".*", "/srv")):
        hidden = sight(filters=compile_filters(rules, prefix=b"srv"))
        assert cut_off(Course(), seen=hidden).kind is RunKind.PASS


@pytest.mark.parametrize("budget", [1, 3])
def test_what_is_too_deep_to_be_named_is_a_pass(budget: int) -> None:
    deep = b"/".join([b"x" * 250] * 17)
    paths = {deep[:end]: Status(stat.S_IFDIR) for end in range(250, 4300, 251)}
    what, course = cut_off(Course(), seen=sight(paths), budget=budget), Course()
    while what.kind is RunKind.SLICE and not course.over:
        assert what.course is not None
        course = what.course
        what = cut_off(course, seen=sight(paths), budget=budget)
    assert (what.kind, what.widened) == (RunKind.PASS, "a path is too long to be named")


def test_in_scope_tree_it_is_a_pass() -> None:
    assert ask(batch(LEVEL), rscope="tree").kind is RunKind.PASS


def test_what_no_list_can_name_is_a_pass_and_says_why() -> None:
    hidden = sight(filters=compile_filters((": .rules",)))
    what = ask(batch(LEVEL), seen=hidden)
    assert (what.kind, what.names) == (RunKind.PASS, None)
    assert "merge files" in what.widened


def test_nothing_is_left_to_carry() -> None:
    what = ask(batch(Change(b"a/f", Kind.ENTRY)), big=True, rbigsize=1000)
    assert what.names == ()
    assert what.listed


def test_a_file_with_several_names_is_told() -> None:
    two = batch(Change(b"a/two", Kind.ENTRY))
    assert ask(two).linked == {(1, 7): frozenset([b"a/two"])}
    assert ask(two, RunKind.REHEARSAL).linked == {}  # the run that follows tells it
    assert ask(dataclasses.replace(two, whole=frozenset([(1, 7)]))).linked == {}


def test_a_pass_may_take_the_other_names_of_a_file_for_equal() -> None:
    two = batch(Change(b"a/two", Kind.ENTRY))
    what = ask(two, rscope="tree")
    assert (what.kind, what.linked) == (RunKind.PASS, {(1, 7): frozenset([b"a/two"])})
    assert ask(two, RunKind.REHEARSAL, rscope="tree").linked == {}
    assert ask(dataclasses.replace(two, whole=frozenset([(1, 7)])), rscope="tree").linked == {}
    assert ask(two, rscope="tree", extra=("-c",)).linked == {}


def test_a_rehearsal_names_the_same_and_keeps_nothing_back() -> None:
    what = ask(batch(LEVEL), RunKind.REHEARSAL, steps=None, stale=frozenset([b"a"]))
    assert (what.kind, what.names, what.steps, what.hid) == (
        RunKind.REHEARSAL,
        (b"./a/",),
        None,
        False,
    )
    assert "--dry-run" in what.argv
    assert not any(word.startswith("--filter=H") for word in what.argv)


def test_a_comparison() -> None:
    what = ask(full_pass("rverify", NOW), RunKind.COMPARISON, rtimeout=30)
    assert what.kind is RunKind.COMPARISON
    assert {"--checksum", "--dry-run", "--timeout=300"} <= set(what.argv)


def test_a_pass_that_compares_contents_has_more_time() -> None:
    what = ask(full_pass("repair", NOW, contents=True), rtimeout=30)
    assert what.kind is RunKind.PASS
    assert {"--checksum", "--timeout=300"} <= set(what.argv)
    assert "--dry-run" not in what.argv


def test_the_lane_for_big_files() -> None:
    changes = batch(Change(b"big", Kind.ENTRY), Change(b"a/f", Kind.ENTRY))
    what = ask(changes, big=True, rbigsize=1000)
    assert what.names == (b"./big",)
    assert {"--min-size=1001", "--force"} <= set(what.argv)
    assert "--delete" not in what.argv
    beside = ask(changes, lenient=True, rbigsize=1000)
    assert beside.names == (b"./a/f", b"./big")
    assert "--max-size=1000" in beside.argv


def test_what_waits_and_what_is_gone_is_spared() -> None:
    what = ask(
        full_pass("x", NOW),
        seen=sight(spare=frozenset([b"disk"])),
        left_out=frozenset([b"a/f", b"a", b"lost"]),
    )
    rules = [word for word in what.argv if word.startswith("--filter")]
    assert rules == [KEPT, "--filter=-sr /a/f", "--filter=-sr /disk"]


def test_what_must_go_is_hidden_and_its_level_named() -> None:
    what = ask(batch(), stale=frozenset([b"a/f"]))
    assert what.hid
    assert what.names == (b"./a/",)
    assert "--filter=H /a/f" in what.argv
    assert not ask(batch(LEVEL), stale=frozenset([b"a/gone"])).hid


MOVED = batch(Change(b"b/new", Kind.TREE), moves=(Move(b"a/old", b"b/new"),))


def test_the_steps_of_a_rename_come_one_after_the_other() -> None:
    first = ask(MOVED, steps=None)
    assert first.kind is RunKind.STEP
    assert first.names == (b"./b/new",)
    assert not first.listed
    assert isinstance(first.steps[0], Pave)  # type: ignore[index]
    relink = first.steps[1]  # type: ignore[index]
    assert relink == Relink(b"a/old", b"b/new", (), (), frozenset([b"a/old"]))
    second = ask(MOVED, steps=(relink,))
    assert (second.kind, second.names, second.gone) == (RunKind.STEP, None, {b"a/old"})
    assert second.argv[:3] == ("/usr/bin/rsync", "-ltrp", "--link-dest=../../a/old")
    assert second.argv[-2:] == ("/srv/www/b/new/", "/mirror/b/new/")
    last = ask(MOVED, steps=(), stale=second.gone)
    assert (last.kind, last.names) == (RunKind.LISTED, (b"./a/", b"./b/new/"))


def test_a_step_that_does_not_hold_any_more_ends_them_all() -> None:
    relink = Relink(b"a/f", b"b/new", (), (), frozenset([b"a/f"]))
    what = ask(MOVED, steps=(relink, Pave((b"./b",))))
    assert (what.kind, what.steps, what.gone) == (RunKind.LISTED, (), frozenset())


@pytest.mark.parametrize(
    "more",
    [
        {"alone": False},
        {"owed": None},
        {"extra": ("-aH",)},
        {"program": Program((3, 1, 2))},
        {"seen": sight(sees_all=False)},
        {"seen": sight(spare=frozenset([b"disk"]))},
    ],
)
def test_what_speaks_against_steps(more: dict[str, object]) -> None:
    assert ask(MOVED, steps=None, **more).steps == ()  # type: ignore[arg-type]


def test_what_could_not_be_deleted_is_renewed_after_a_failure() -> None:
    stale = frozenset([b"a/f", b"b", b"gone"])
    what = ask(batch(LEVEL), steps=None, stale=stale, retried=True)
    assert what.steps == (Renew(frozenset([b"a/f", b"b"]), (b"./a/f", b"./b/", b"./b/new/")),)
    assert "--ignore-times" in what.argv
    assert ask(batch(LEVEL), steps=None, stale=stale).steps == ()
    excluded = sight(filters=compile_filters(("a", "b")))
    gone = ask(batch(LEVEL), steps=None, stale=frozenset([b"lost"]), retried=True, seen=excluded)
    assert gone.steps == ()


def test_what_old_versions_bar_makes_way_for_itself_first() -> None:
    more = {"steps": None, "barred": frozenset([b"a/f", b"b", b"gone"])}
    what = ask(batch(Change(b"a/f", Kind.ENTRY)), extra=("-b",), **more)  # type: ignore[arg-type]
    assert what.kind is RunKind.STEP
    assert what.steps == (Clear(b"a/f", (b"./a/f",)),)
    assert "--backup-dir=a/f~" in what.argv
    for extra in ((), ("-b", "--backup-dir=/old"), ("-b", "-L")):
        what = ask(batch(LEVEL), extra=extra, **more)  # type: ignore[arg-type]
        assert what.steps == (), extra


def test_nothing_depends_on_what_was_prepared_before() -> None:
    order = Order(make_pair(make_source(), "/mirror"), RunKind.PASS, full_pass("x", NOW))
    again = [prepare(order, sight(), make_config(), PROGRAM) for _ in range(2)]
    assert again[0] == again[1]
    assert dataclasses.replace(order, limit=5) != order


def test_what_cannot_be_read_is_left_alone_as_long_as_it_is_there() -> None:
    what = ask(full_pass("x", NOW), blind=frozenset([b"b", b"gone"]), left_out=frozenset([b"a/f"]))
    rules = [word for word in what.argv if word.startswith("--filter")]
    assert rules == [KEPT, "--filter=-sr /a/f", "--filter=-sr /b"]
    assert what.left == {b"a/f", b"b"}
    compared = ask(full_pass("rverify", NOW), RunKind.COMPARISON, blind=frozenset([b"b"]))
    assert "--filter=-sr /b" in compared.argv


def test_a_pipe_is_hidden_so_that_the_file_before_it_goes() -> None:
    tree = {**TREE, b"a/pipe": Status(stat.S_IFIFO)}
    odd = frozenset([b"a/pipe", b"a/f", b"gone"])
    what = ask(batch(LEVEL), seen=sight(tree), odd=odd)
    assert "--filter=H /a/pipe" in what.argv
    assert "--filter=H /a/f" not in what.argv
    assert (what.names, what.hid) == ((b"./a/",), False)
    rehearsal = ask(batch(LEVEL), RunKind.REHEARSAL, seen=sight(tree), odd=odd)
    assert "--filter=H /a/pipe" not in rehearsal.argv


ENTRY = Change(b"a/f", Kind.ENTRY)
IN_DOUBT = Doubts(frozenset({b"a/f", b"big", b"gone"}))


def test_a_run_is_asked_what_it_sends_where_content_may_be_another() -> None:
    new = Change(b"b/new", Kind.TREE)
    for scope in ("changes", "tree"):
        what = ask(batch(ENTRY, new, Change(b"big", Kind.ATTRIBUTES)), rscope=scope)
        assert what.candidates == {b"a/f", b"b/new/g"}
        assert what.tells
        assert what.argv[-5:-3] == TOLD
        quiet = ask(batch(LEVEL, Change(b"big", Kind.ATTRIBUTES)), rscope=scope)
        assert (quiet.candidates, quiet.tells, "--out-format=%i %n" in quiet.argv) == (
            set(),
            False,
            False,
        )
    # What is in doubt from before goes when it is sent.
    before = dataclasses.replace(batch(ENTRY), doubts=IN_DOUBT | LOST)
    what = ask(before)
    assert (what.candidates, what.doubts) == (IN_DOUBT.files, LOST)


def test_who_compares_contents_anyway_is_not_asked() -> None:
    thorough = full_pass("repair", NOW, contents=True, lost=True)
    assert (ask(thorough).tells, ask(thorough).doubts) == (False, Doubts())
    what = ask(dataclasses.replace(batch(ENTRY), doubts=LOST), extra=("-c",))
    assert (what.tells, what.candidates, what.doubts) == (False, set(), LOST)


def test_steps_say_what_they_link_and_there_are_none_in_doubt() -> None:
    moved = batch(Change(b"b", Kind.TREE), moves=(Move(b"was", b"b"),))
    step = ask(moved, steps=(Relink(b"was", b"b", (), (), frozenset({b"was"})),))
    assert step.tells
    assert step.argv[-6:-3] == ("-ii", *TOLD)
    assert ask(moved, steps=None).steps
    assert ask(dataclasses.replace(moved, doubts=IN_DOUBT), steps=None).steps == ()


def doubtful(doubts: Doubts = IN_DOUBT) -> Batch:
    return Batch(NOW, 0, changes=Changes(), doubts=doubts)


COMPARE = tuple(word for word in LIST if word != "--delete")


def test_what_is_in_doubt_is_compared_by_content() -> None:
    what = ask(doubtful(), RunKind.CONTENTS, extra=("--delete-after", "-z"))
    assert (what.kind, what.names, what.doubts) == (
        RunKind.CONTENTS,
        (b"./a/f", b"./big"),
        Doubts(),
    )
    assert what.argv == ("/usr/bin/rsync", *COMPARE, *BASE, KEPT, "-z", "--checksum", *ENDS)
    assert ask(doubtful(Doubts()), RunKind.CONTENTS).names == ()


def test_only_contents_in_doubt_are_nothing_to_carry() -> None:
    for scope in ("tree", "changes"):
        what = ask(doubtful(), rscope=scope)
        assert (what.kind, what.names) == (RunKind.LISTED, ())
        assert what.candidates == IN_DOUBT.files


def test_each_lane_compares_its_own_and_nothing_that_must_be_left() -> None:
    def names(**more) -> tuple[bytes, ...] | None:
        return ask(doubtful(), RunKind.CONTENTS, **more).names

    assert names(rbigsize=1000) == (b"./a/f",)
    assert names(rbigsize=1000, big=True) == (b"./big",)
    assert names(stale=frozenset({b"a"})) == names(left_out=frozenset({b"a/f"})) == (b"./big",)
    assert names(seen=sight(spare=frozenset({b"a"}))) == (b"./big",)
    assert names(seen=sight(filters=compile_filters(("big",)))) == (b"./a/f",)


@pytest.mark.parametrize("by", ["rules in files", "options", "a long path"])
def test_what_cannot_be_listed_is_named_by_rules(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    doubts, more = IN_DOUBT, {}
    if by == "rules in files":
        more["seen"] = sight(filters=compile_filters((": .rules",)))
    elif by == "options":
        more |= {"extra": ("--exclude=x",), "rscope": "tree"}
    else:
        long = b"/".join([b"d" * 200] * 21)
        tree = TREE | {long: Status(stat.S_IFREG)}
        while long := long.rpartition(b"/")[0]:
            tree[long] = Status(stat.S_IFDIR)
        more["seen"] = sight(tree)
        doubts = Doubts(frozenset({b"a/f", b"big", *tree}))
    monkeypatch.setattr("inosync.planning.prepare.FEW", 1)
    what = ask(doubtful(doubts), RunKind.CONTENTS, **more)
    assert (what.names, what.listed) == (None, False)
    assert what.argv[1] == "-ltrp"
    assert "--delete" not in what.argv
    only = ("--checksum", "--include=/a/", "--include=/a/f", "--exclude=*")
    assert what.argv[-7:-3] == only
    assert b"big" in what.doubts.files


def test_lost_names_are_found_by_what_changed_since() -> None:
    lost = dataclasses.replace(doubtful(), doubts=LOST)
    assert ask(lost, RunKind.CONTENTS).names == ()
    now = Moment(100.0, 1.0)
    seen = dataclasses.replace(sight(TREE | {b"": Status(stat.S_IFDIR)}), now=now)
    since = Moment(50.0, -49.0)
    assert ask(lost, RunKind.CONTENTS, equal_at=since, seen=seen).names == ()
    early = Moment(0.0, -99.0)
    assert ask(lost, RunKind.CONTENTS, equal_at=early, seen=seen).names


def test_a_pass_of_little_is_one_run() -> None:
    what = cut_off(Course(), budget=100)
    assert (what.kind, what.names, what.widened, what.piece) == (RunKind.PASS, None, "", None)


ITEMIZED = (*TOLD, "--dry-run", "--info=del", f"--max-delete={2**31 - 1}")


@pytest.mark.parametrize(
    ("changes", "most", "settings", "kind"),
    [
        ([b"a/f"], 1, {}, RunKind.LISTED),
        ([b"a/f", b"big"], 1, {}, RunKind.REHEARSAL),
        ([b"a/f", b"big"], 0, {}, RunKind.REHEARSAL),
        ([b"a/f", b"big"], 2, {}, RunKind.LISTED),
        ([b"a/f"], None, {"limit": 3}, RunKind.REHEARSAL),
        ([b"a/f"], 9, {"limit": 3}, RunKind.REHEARSAL),
        ([b"a/f"], 9, {"rscope": "tree"}, RunKind.REHEARSAL),
        # What vanished is a level of its directory, and all that is in that is looked at.
        ([b"a/gone"], 2, {}, RunKind.REHEARSAL),
        ([b"a/gone"], 3, {}, RunKind.LISTED),
        ([], 9, {"stale": frozenset({b"a/f"})}, RunKind.LISTED),
        ([], 1, {"stale": frozenset({b"a/f"})}, RunKind.REHEARSAL),
        ([b"/".join([b"d" * 200] * 21)], 9, {}, RunKind.REHEARSAL),
    ],
)
def test_a_run_that_is_at_few_files_is_not_rehearsed(
    changes: list[bytes], most: int | None, settings: dict, kind: RunKind
) -> None:
    long = b"/".join([b"d" * 200] * 21)
    tree = TREE | {long: Status(stat.S_IFREG)}
    while long := long.rpartition(b"/")[0]:
        tree[long] = Status(stat.S_IFDIR)
    named = batch(*(Change(path, Kind.ENTRY) for path in changes))
    what = ask(named, RunKind.REHEARSAL, most=most, seen=sight(tree), **settings)
    assert what.kind is kind
    assert ("--dry-run" in what.argv) is (kind is RunKind.REHEARSAL)


def test_what_need_not_be_rehearsed_is_looked_at_no_more_than_once() -> None:
    looked: list[bytes] = []

    def look(path: bytes) -> Status | None:
        looked.append(path)
        return TREE.get(path)

    counted: list[int] = []
    named = batch(*(Change(path, Kind.ENTRY) for path in (b"a/f", b"b/new/g", b"big")))
    for kind in (RunKind.PASS, RunKind.REHEARSAL):
        looked.clear()
        assert ask(named, kind, most=9, seen=Sight(Seen(look), compile_filters(()))).names
        counted.append(len(looked))
    assert counted[0] == counted[1] > 0


def test_what_comes_whole_is_rehearsed() -> None:
    for carries in (batch(Change(b"b", Kind.TREE)), full_pass("start-up", NOW)):
        what = ask(carries, RunKind.REHEARSAL, most=99)
        assert what.kind is RunKind.REHEARSAL
        assert what.argv[-8:-3] == ITEMIZED


def test_a_comparison_that_may_overwrite_too_much_is_rehearsed() -> None:
    assert ask(doubtful(), RunKind.CONTENTS, most=2).kind is RunKind.CONTENTS
    what = ask(doubtful(), RunKind.CONTENTS, most=1)
    assert (what.kind, what.names) == (RunKind.REHEARSAL, (b"./a/f", b"./big"))
    assert what.argv[-9:-3] == ("--checksum", *ITEMIZED)
    assert "--delete" not in what.argv


PASS, LISTED = full_pass("rfull", NOW), batch(LEVEL)
GONE = dataclasses.replace(LISTED, gone=frozenset({b"a/x", b"a/f", b"b/old/", b"b/old/[y]"}))
RULES = ("--filter=R /a/x", "--filter=R /b/old/", r"--filter=R /b/old/\[y]", "--filter=P *")


@pytest.mark.parametrize(
    ("rdelete", "what", "scope", "deletes"),
    [
        ("all", PASS, "changes", True),
        ("all", LISTED, "changes", True),
        ("all", GONE, "changes", True),
        ("start", PASS, "changes", True),
        ("start", PASS, "tree", True),
        ("start", LISTED, "changes", False),
        ("start", LISTED, "tree", False),
        ("start", LISTED.nameless(), "changes", False),  # too much to be named is no pass
        ("seen", PASS, "changes", False),
        ("seen", LISTED, "changes", False),
        ("seen", LISTED, "tree", False),
        ("never", PASS, "changes", False),
        ("never", GONE, "changes", False),
        ("never", GONE, "tree", False),
    ],
)
def test_what_deletes(rdelete: str, what: Batch, scope: str, deletes: bool) -> None:
    argv = ask(what, rdelete=rdelete, rscope=scope).argv
    assert ("--delete" in argv) is deletes
    rehearsal = ask(what, RunKind.REHEARSAL, rdelete=rdelete, rscope=scope, limit=5).argv
    assert ("--delete" in rehearsal) is deletes
    assert not set(RULES) & {*argv, *rehearsal}
    extra = ("--delete-after", "-z")
    argv = ask(what, rdelete=rdelete, rscope=scope, extra=extra, limit=5).argv
    assert ("--delete-after" in argv, "--max-delete=5" in argv) == (deletes, deletes)
    assert "-z" in argv


@pytest.mark.parametrize("scope", ["tree", "changes"])
def test_what_has_vanished_is_deleted_and_nothing_else(scope: str) -> None:
    what = ask(GONE, rdelete="seen", rscope=scope)
    head = LIST if scope == "changes" else ("-ltrp", "--delete")
    assert what.argv[1 : len(head) + 1] == head
    at = what.argv.index(KEPT)
    assert what.argv[at + 1 : at + 1 + len(RULES)] == RULES
    assert what.names == ((b"./a/", b"./b/") if scope == "changes" else None)
    assert what.remaining == frozenset()
    assert RULES[0] in ask(GONE, RunKind.REHEARSAL, rdelete="seen", rscope=scope).argv
    # What differs is found out by deleting all, which is not done.
    whole = ask(GONE, RunKind.COMPARISON, rdelete="seen", rscope=scope).argv
    assert "--delete" in whole
    assert not set(RULES) & set(whole)


def test_only_one_that_has_vanished_makes_a_run() -> None:
    gone = Batch(NOW, 0, changes=Changes(), gone=frozenset({b"b/x"}))
    assert ask(gone, rdelete="seen").names == (b"./b/",)
    assert ask(dataclasses.replace(gone, gone=frozenset())).names == ()


def test_rules_come_before_those_that_would_let_others_files_go() -> None:
    source = make_source(prefix="www", argument="/srv/www", excludes=("+ *.html", "*"))
    pair = make_pair(source, "/mirror", rscope="changes", rdelete="seen")
    order = Order(pair, RunKind.PASS, dataclasses.replace(LISTED, gone=frozenset({b"x.html"})))
    seen = sight(filters=source.filters)
    argv = prepare(order, seen, make_config([pair]), PROGRAM).argv
    rules = [word for word in argv if word.startswith(("--filter", "--include", "--exclude"))]
    assert rules[1:] == [
        "--filter=R /www/x.html", "--filter=P *", "--exclude=+ *.html", "--exclude=*"
    ]  # fmt: skip


def test_a_pipe_in_the_place_of_what_has_vanished_is_not_seen() -> None:
    tree = TREE | {b"a/x": Status(stat.S_IFIFO)}
    what = ask(GONE, rdelete="seen", seen=sight(tree), odd=frozenset({b"a/x"}))
    assert what.argv.index("--filter=H /a/x") < what.argv.index("--filter=R /a/x")
    odd = batch(Change(b"a/x", Kind.ENTRY))
    assert "--filter=H /a/x" in ask(odd, seen=sight(tree), odd=frozenset({b"a/x"})).argv
    argv = ask(odd, rdelete="never", seen=sight(tree), odd=frozenset({b"a/x"})).argv
    assert "--filter=H /a/x" not in argv


def test_what_is_too_much_for_one_run_is_for_the_next() -> None:
    many = Batch(NOW, 0, changes=Changes(), gone=frozenset(b"a/%05d" % n for n in range(5_000)))
    first = ask(many, rdelete="seen")
    assert sum(word.startswith("--filter=R ") for word in first.argv) == 2_000
    assert len(first.remaining) == 3_000
    second = ask(dataclasses.replace(many, gone=first.remaining), rdelete="seen")
    assert "--filter=R /a/02000" in second.argv
    # A rehearsal has to come to what is too much.
    rehearsal = ask(many, RunKind.REHEARSAL, rdelete="seen", rmaxdelete=4_000)
    assert len(rehearsal.remaining) == 5_000 - 4_001


@pytest.mark.parametrize("rdelete", ["seen", "start", "never"])
def test_no_step_is_made_where_the_old_place_may_stay(rdelete: str) -> None:
    tree = TREE | {b"moved": Status(stat.S_IFDIR), b"moved/f": Status(stat.S_IFREG, 1 << 30)}
    moved = batch(Change(b"moved", Kind.TREE), moves=(Move(b"was", b"moved"),))
    assert ask(moved, seen=sight(tree), steps=None).kind is RunKind.STEP
    assert ask(moved, seen=sight(tree), steps=None, rdelete=rdelete).kind is RunKind.LISTED
    barred = {"extra": ("-b",), "barred": frozenset({b"a/f"}), "steps": None}
    entry = batch(Change(b"a/f", Kind.ENTRY))
    assert ask(entry, **barred).kind is RunKind.STEP
    assert ask(entry, **barred, rdelete=rdelete).kind is RunKind.LISTED


def test_slices_delete_where_passes_do() -> None:
    for rdelete, deletes in (("all", True), ("start", True), ("seen", False), ("never", False)):
        pair = make_pair(None, "/mirror", rscope="changes", rdelete=rdelete)
        for todo in (Course(), cut_off(Course()).course):
            more = {"course": todo, "budget": 3}
            order = Order(pair, RunKind.SLICE, full_pass("start-up", NOW), **more)
            argv = prepare(order, sight(), make_config([pair]), PROGRAM).argv
            assert ("--delete" in argv) is deletes


def test_the_lane_for_big_files_deletes_nothing() -> None:
    entry = dataclasses.replace(batch(Change(b"big", Kind.ENTRY)), gone=frozenset({b"x"}))
    argv = ask(entry, rdelete="seen", big=True, rbigsize=1000).argv
    assert "--delete" not in argv
    assert not [word for word in argv if word.startswith("--filter=R")]
