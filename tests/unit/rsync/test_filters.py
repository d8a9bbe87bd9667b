"""The exclude language, feature by feature. What rsync does with the same lists is checked in
tests/property; each verdict here was read off the program."""

from __future__ import annotations

import dataclasses

import pytest
from support.excludes import hidden, is_hidden

from inosync.errors import ConfigError
from inosync.rsync.filters import Filters, Rule, compile_filters, rsync_options


def test_the_first_rule_that_matches_decides_and_none_admits() -> None:
    filters = compile_filters(["+ keep.o", "*.o", "+ *.c", "- /x*", "+ x"])
    names = (b"keep.o", b"a.o", b"x.c", b"xy", b"x", b"d/x", b"other")
    verdicts = {name: filters.admits(name, directory=False) for name in names}
    assert verdicts == {name: not is_hidden(filters, name.decode(), False) for name in names}
    assert verdicts == {
        b"keep.o": True,
        b"a.o": False,
        b"x.c": True,
        b"xy": False,
        b"x": False,
        b"d/x": True,
        b"other": True,
    }


def test_names_that_are_included_are_not_hidden() -> None:
    filters = compile_filters(["+ keep.o", "*.o"])
    assert not is_hidden(filters, "d/keep.o", False)
    assert is_hidden(filters, "d/a.o", False)
    assert compile_filters(["+ keep.o"]).hiding(directories=False) is None
    assert compile_filters(["cache/"]).hiding(directories=False) is None


def test_only_what_is_included() -> None:
    filters = compile_filters(["+ */", "+ *.c", "*"])
    assert filters.admits_path(b"a/b/x.c", directory=False)
    assert filters.admits_path(b"a/b", directory=True)
    assert not filters.admits_path(b"a/b", directory=False)
    assert not filters.admits_path(b"a/b/x.h", directory=False)


def test_an_excluded_directory_hides_what_is_below() -> None:
    filters = compile_filters(["/a/b/", "+ *"])
    assert filters.admits(b"a/b/c", directory=False)
    assert not filters.admits_path(b"a/b/c", directory=False)
    assert not filters.admits_path(b"a/b/c/d", directory=True)
    assert filters.admits_path(b"a/b", directory=False)
    assert filters.admits_path(b"a/c/b", directory=True)
    assert filters.admits_path(b"b", directory=True)


class TestPrefix:
    def test_anchors_are_in_the_transfer_not_in_the_source(self) -> None:
        assert hidden("/www/a", "a,b/a,www/a", prefix=b"www") == ["a"]
        assert hidden("/a", "a,b/a", prefix=b"www") == []
        assert hidden("www/a", "a,b/a,www/a", prefix=b"www") == ["a", "www/a"]
        assert hidden("/bar/**/a", "a,b/a", prefix=b"bar/baz") == ["a", "b/a"]
        assert hidden("a", "a,b/a", prefix=b"www") == ["a", "b/a"]

    def test_the_source_itself_may_be_hidden_by_its_name(self) -> None:
        for pattern in ("www", "/www/", "w*", "**/www", "/***"):
            filters = compile_filters([pattern], prefix=b"www")
            assert not filters.admits(b"", directory=True), pattern
            assert not filters.admits_path(b"", directory=True), pattern
            assert not filters.admits_path(b"a", directory=False), pattern
        assert compile_filters(["a"], prefix=b"www").admits_path(b"", directory=True)

    def test_without_one_the_source_is_never_hidden(self) -> None:
        for pattern in ("*", "**", "/", ".", "***"):
            filters = compile_filters([pattern])
            assert filters.admits(b"", directory=True)
            assert filters.admits_path(b"", directory=True)
            assert filters.rule_for(b"", directory=True) is None

    def test_rsync_looks_up_the_named_directory_not_its_parents(self) -> None:
        def admits(pattern: str) -> bool:
            return compile_filters([pattern], prefix=b"a/b").admits_path(b"x", directory=False)

        assert admits("/a")
        assert admits("a")
        assert admits("/b")
        assert not admits("/a/b")
        assert not admits("b/")
        assert not admits("a/*")


class TestRuleFor:
    def test_it_is_the_one_that_decides(self) -> None:
        filters = compile_filters(["+ a.o", "*.o", "/d/"], prefix=b"")
        included = filters.rule_for(b"x/a.o", directory=False)
        excluded = filters.rule_for(b"b.o", directory=False)
        assert included is not None
        assert (included.text, included.include) == ("+ a.o", True)
        assert excluded is not None
        assert (excluded.text, excluded.include) == ("*.o", False)
        assert filters.rule_for(b"d", directory=False) is None
        assert filters.rule_for(b"d", directory=True) == filters.rules[2]

    def test_it_knows_the_prefix(self) -> None:
        filters = compile_filters(["[", "/www"], prefix=b"www")
        assert filters.rule_for(b"", directory=True) == filters.rules[1]
        assert filters.rule_for(b"www", directory=True) is None

    def test_it_agrees_with_the_verdict(self) -> None:
        filters = compile_filters(["+ *.c", "a/b", "*/", "+ *"])
        for path in (b"a.c", b"a/b", b"b", b"c/d"):
            for directory in (True, False):
                rule = filters.rule_for(path, directory=directory)
                assert isinstance(rule, Rule)
                assert filters.admits(path, directory=directory) is rule.include


class TestList:
    def test_an_empty_one_admits_all(self) -> None:
        for filters in (Filters(), compile_filters([]), compile_filters(["", "+ a"])):
            assert filters.admits(b"a", directory=False)
            assert filters.admits_path(b"a/b", directory=True)
            assert filters.admits_path(b"", directory=True)

    def test_an_exclamation_mark_forgets_all_before_it(self) -> None:
        filters = compile_filters(["a", ": .rules", "b", "!", "c"])
        assert [rule.text for rule in filters.rules] == ["c"]
        assert filters.left_to_rsync == ()
        assert filters.admits(b"a", directory=False)
        assert not filters.admits(b"c", directory=False)

    def test_it_cannot_be_changed(self) -> None:
        filters = compile_filters(["a"])
        with pytest.raises(dataclasses.FrozenInstanceError):
            filters.rules = ()  # type: ignore[misc]

    def test_equal_lists_are_equal(self) -> None:
        assert compile_filters(["a", "+ b/**"]) == compile_filters(["a", "+ b/**"])
        assert compile_filters(["a"]) != compile_filters(["+ a"])
        assert compile_filters(["a"]) != compile_filters(["a"], prefix=b"www")

    def test_every_entry_that_rsync_would_refuse_is_named(self) -> None:
        with pytest.raises(ConfigError) as caught:
            compile_filters(["a", "+ ", "- ", "b\0c", "\ud800", "x" * 4096, "- " + "x" * 4095])
        assert len(caught.value.problems) == 5
        assert "'+ '" in caught.value.problems[0]
        assert "'- '" in caught.value.problems[1]
        assert "NUL" in caught.value.problems[2]
        assert "ud800" in caught.value.problems[3]
        assert "4096 bytes" in caught.value.problems[4]
        assert len(str(caught.value)) < 600


class TestMergeRules:
    @pytest.mark.parametrize(
        "entry",
        [
            *[": .rules", ":C", ":sC", ":Cs", ":n- .rules", ":,n- .rules", ":C file", ":e a b"],
            *["dir-merge .rules", "dir-merge,n- .rules", "dir-merge,C", "dir-merge,- file"],
            *[".- file", ".+ /etc/file", ".,s- file", "merge,- file", "merge,+n file"],
        ],
    )
    def test_what_comes_after_one_is_left_to_rsync(self, entry: str) -> None:
        filters = compile_filters(["+ a", "b", entry, "c", "+ d"])
        assert [rule.text for rule in filters.rules] == ["+ a", "b"]
        assert filters.left_to_rsync == (entry, "c", "+ d")
        assert not filters.admits(b"b", directory=False)
        assert filters.admits(b"c", directory=False)
        assert rsync_options([entry]) == [f"--filter={entry}"]

    @pytest.mark.parametrize(
        "entry", [". /etc/file", "merge /etc/file", ".C", ".C file", "merge,C", ".,s a-b", ". a\nb"]
    )
    def test_a_file_with_any_rules_may_forget_what_comes_before(self, entry: str) -> None:
        filters = compile_filters([": .rules", "a", "!", "+ b", "c", entry, "d"])
        assert filters.rules == ()
        assert filters.left_to_rsync == ("+ b", "c", entry, "d")
        assert filters.admits(b"c", directory=False)
        assert rsync_options([entry]) == [f"--filter={entry}"]

    def test_a_second_one(self) -> None:
        filters = compile_filters(["a", ":C", "b", ". file", "c"])
        assert filters.rules == ()
        assert filters.left_to_rsync == ("a", ":C", "b", ". file", "c")


def test_options_hand_over_the_same_list_in_order() -> None:
    entries = ["*.o", "", "+ a b", "- c", ": .rules", "-x", "!y", "$(z)", "merge f", "é"]
    assert rsync_options(entries) == [
        *["--exclude=*.o", "--exclude=+ a b", "--exclude=- c", "--filter=: .rules"],
        *["--exclude=-x", "--exclude=!y", "--exclude=$(z)", "--filter=merge f", "--exclude=é"],
    ]


def test_what_is_forgotten_is_not_handed_over() -> None:
    assert rsync_options(["a", ": .rules", "!", "b"]) == ["--exclude=b"]
    assert rsync_options(["a", "!", "b"], first=["X"]) == ["X", "--exclude=b"]


def test_rules_of_our_own_outlive_a_merge_file_that_forgets() -> None:
    entries = [": .rules", ". file", "a"]
    words = ["X", "--filter=: .rules", "--filter=. file", "X", "--exclude=a"]
    assert rsync_options(entries, first=["X"]) == words


@pytest.mark.parametrize(
    ("path", "directory", "decided", "rule", "admitted"),
    [
        (b"a", False, b"a", None, True),
        (b"a.o", False, b"a.o", "*.o", False),
        (b"d/e/f", False, b"d/e", "/d/e/", False),
        (b"d/e", True, b"d/e", "/d/e/", False),
        (b"d/e", False, b"d/e", None, True),
        (b"d/keep.o", False, b"d/keep.o", "+ keep.o", True),
        (b"", True, b"", None, True),
    ],
)
def test_what_decides(
    path: bytes, directory: bool, decided: bytes, rule: str | None, admitted: bool
) -> None:
    filters = compile_filters(["/d/e/", "+ keep.o", "*.o"])
    found = filters.decision(path, directory=directory)
    assert (found[0], found[1].text if found[1] else None, found[2]) == (decided, rule, admitted)
    assert found[2] == filters.admits_path(path, directory=directory)


def test_the_source_itself_may_be_hidden() -> None:
    filters = compile_filters(["/www"], prefix=b"www")
    path, rule, admitted = filters.decision(b"a/b", directory=False)
    assert (path, rule.text if rule else None, admitted) == (b"", "/www", False)


@pytest.mark.parametrize(
    ("patterns", "there", "elsewhere"),
    [
        (["*.tmp"], [b"", b"a/b"], []),
        (["+ *.tmp"], [], [b"", b"a"]),
        (["/kept"], [b""], [b"a", b"a/b"]),
        (["/kept/"], [b""], [b"kept"]),
        (["/a/x*"], [b"a"], [b"", b"b", b"a/b", b"b/a"]),
        (["/*/x"], [b"a", b"b"], [b"", b"a/b"]),
        (["a/x"], [b"a", b"b/a"], [b"", b"b", b"a/b"]),
        (["b/a/x"], [b"b/a", b"c/b/a"], [b"a", b"b"]),
        (["/a[/x"], [], [b"a"]),  # a class without an end matches nothing
        (["/a/**"], [b"", b"a/b"], []),  # unsure
        (["-! /a/x"], [b"", b"b"], []),
        (["dir-merge,- .rules"], [b"", b"b"], []),
    ],
)
def test_where_something_may_be_hidden(
    patterns: list[str], there: list[bytes], elsewhere: list[bytes]
) -> None:
    filters = compile_filters(patterns)
    assert all(filters.may_hide_in(path) for path in there)
    assert not any(filters.may_hide_in(path) for path in elsewhere)
    below = compile_filters(["/www/a/x", "/www/y"], prefix=b"www")
    assert [below.may_hide_in(path) for path in (b"", b"a", b"b")] == [True, True, False]
    assert not compile_filters(["/www"], prefix=b"www").may_hide_in(b"")
