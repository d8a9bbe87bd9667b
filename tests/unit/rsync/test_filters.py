"""The exclude language, feature by feature. What rsync does with the same lists is checked in
tests/property; each verdict here was read off the program."""

from __future__ import annotations

import dataclasses
import time

import pytest

from inosync.errors import ConfigError
from inosync.rsync.filters import Filters, Rule, compile_filters, rsync_options


def hidden(pattern: str, paths: str, *, directory: bool = False, prefix: bytes = b"") -> list[str]:
    """Return which of `paths`, separated by commas, a single exclude rule hides."""
    filters = compile_filters([pattern], prefix=prefix)
    found = [
        path
        for path in paths.split(",")
        if not filters.admits(path.encode("latin-1"), directory=directory)
    ]
    assert found == [path for path in paths.split(",") if _hidden(filters, path, directory)]
    return found


def _hidden(filters: Filters, path: str, directory: bool) -> bool:
    """Return whether a path is hidden, asked as for one of many names in its directory."""
    hiding = filters.hiding(directories=directory)
    above, _, name = path.encode("latin-1").rpartition(b"/")
    if not path:
        return not filters.admits(b"", directory=directory)
    return hiding is not None and bool(hiding(above)(name))


@pytest.mark.parametrize(
    ("pattern", "hides", "admits"),
    [
        # names: matched against the last component
        ("foo", "foo,a/foo", "foo/a,xfoo,foox,a/foo/b"),
        ("*.o", ".o,a.o,d/a.o,x\n.o", "a.o/b,a.oo"),
        ("a*b*c", "abc,aXbXc,abbcbc", "ab,abcd,a/bc"),
        ("?", "a,/x,\n,\xff", "ab,a/bc"),
        ("", "", "a,b/c"),
        # slashes: anchored, or the tail of a path
        ("/foo", "foo", "a/foo,foo/b"),
        ("/a/*/c", "a/b/c", "a/c,a/b/d/c,x/a/b/c"),
        ("a/b", "a/b,x/a/b", "xa/b,a/b/c,a/x/b,b"),
        ("a/*.o", "a/x.o,y/a/x.o", "a/b/x.o,x.o"),
        ("/", "", "a,a/b"),
        ("//a", "", "a,b/a"),
        ("a//b", "", "a/b"),
        # ** crosses slashes
        ("**", "a,a/b", ""),
        ("***", "a,a/b", ""),
        ("**/foo", "foo,a/foo,a/b/foo", "xfoo,foo/a"),
        ("**foo", "foo,xfoo,a/xfoo", "foo/a"),
        ("/**foo", "foo,xfoo,a/b/foo", "foo/a"),
        ("/a/**/c", "a/b/c,a/b/d/c", "a/c,x/a/b/c"),
        ("a/**/c", "a/b/c,x/a/b/d/c", "a/c,xa/b/c"),
        ("a**c", "ac,abc,a/b/c,x/a/c,a/xc", "xa/c"),
        ("a**", "a,ab,a/b,x/a/b", "ba,b/c"),
        ("/a/**", "a/b,a/b/c", "a,x/a/b"),
        ("a/***", "a/b,x/a/b/c", "a,b/xa/b"),
        ("/*/**x", "a/x,a/b/x", "x,a/y"),
        ("**a*b/c**d", "ab/cd,x/aab/c/d/d", "ac/b/cd,ab/d"),
        ("****a", "a,b/a", "ab"),
        ("/**x", "\nx,a\nb/x", "x\n"),
        # the first fit of each part, not the last
        ("*a*b*", "aba,ab,aabbaa", "ba"),
        ("/**a**b**", "a/b/a,ab,b/ab/a", "b/a"),
        ("*a*b**c", "abac,aba/bc", "a/bc,bac"),
        # classes
        ("[a-c]x", "ax,bx,cx", "dx,x,aax"),
        ("[!a-c]x", "dx,-x,\xffx", "ax,bx"),
        ("[^a]", "b,^,!", "a,bc"),
        ("[]a]", "],a", "b"),
        ("[!]a]", "b", "],a"),
        ("[a-]", "a,-", "b"),
        ("[-a]", "a,-", "b"),
        ("[c-a]", "c", "a,b"),
        ("[a-c-e]", "a,b,c,-,e", "d"),
        ("[\\]]", "]", "\\,a"),
        ("[\\a-\\c]", "a,b,c", "d,\\"),
        ("[a\\-c]", "a,-,c", "b"),
        ("[[]", "[", "a"),
        ("[[:alpha:]]", "a,Z", "1,_,\xe9"),
        ("[![:alpha:]_]", "1,\xe9", "a,_"),
        ("[[:digit:][:upper:]]", "1,A", "a"),
        ("[[:alpha:]-z]", "a,-,z", "1"),
        ("[[:alnum:]]", "a,1", "_"),
        ("[[:blank:]]", " ,\t", "\n"),
        ("[[:cntrl:]]", "\n,\x7f,\x01", "a"),
        ("[[:graph:]]", "a,1,_", " ,\n"),
        ("[[:lower:]]", "a", "A"),
        ("[[:print:]]", "a, ,_", "\n,\xe9"),
        ("[[:punct:]]", "_,!", "a, "),
        ("[[:space:]]", " ,\n,\x0b", "a"),
        ("[[:xdigit:]]", "a,F,9", "g"),
        ("[[:]", "[,:", "a"),
        ("[[:a]", "[,:,a", "b"),
        # classes that match nothing
        ("[[:bogus:]a]", "", "a"),
        ("[[::]a]", "", "a"),
        ("[a", "", "a,[a"),
        ("[", "", "[,a"),
        ("[!", "", "a,!"),
        ("[a\\", "", "a"),
        ("[a-\\", "", "a"),
        ("[a-", "", "a"),
        ("[[:alpha:", "", "a"),
        # a slash in a class counts as one of the pattern, and matches none
        ("x[a/]", "", "xa,d/xa,x/"),
        ("a[/]b", "", "a/b"),
        ("/x[a/]", "xa", "xb,d/xa"),
        ("**[/]", "", "a,a/b"),
        ("**[!b]x", "ax,b/ax", "bx,b/x,x"),
        # backslashes: escapes in a pattern with wildcards, bytes in any other
        ("a\\b", "a\\b", "ab"),
        ("a\\\\b", "a\\\\b", "a\\b"),
        ("a\\b*", "ab,abc", "a\\b"),
        ("a\\\\b*", "a\\b", "ab"),
        ("\\*", "*", "a"),
        ("\\**", "*,*a", "a"),
        ("\\[x\\]", "[x]", "x"),
        ("\\?*", "?,?a", "a"),
        ("*\\", "", "a\\,\\"),
        ("a\\", "a\\", "a"),
        # what means something to a regular expression means nothing here
        ("a.b", "a.b", "axb"),
        ("(a|b)+$*", "(a|b)+$", "a"),
        ("{a", "{a", "a"),
        # prefixes
        ("- foo", "foo", "- foo"),
        ("-  foo", " foo", "foo"),
        ("- - a", "- a", "a"),
        ("-foo", "-foo", "foo"),
        (" - foo", " - foo", "foo"),
        ("-\tfoo", "-\tfoo", "foo"),
        ("+foo", "+foo", "foo"),
        ("- !", "!", "a"),
        ("!foo", "!foo", "foo"),
        ("! ", "! ", "!"),
        ("include foo", "include foo", "foo"),
        # looks like a merge rule, but is a name
        ("._*", "._a", "a"),
        (".press kit", ".press kit", "kit"),
        ("._merge file", "._merge file", "file"),
        ("merge_file", "merge_file", "file"),
        ("merge", "merge", "a"),
        ("merge ", "merge ", "a"),
        (":", ":", "a"),
        (": ", ": ", "a"),
        (".", ".", "a"),
    ],
)
def test_pattern(pattern: str, hides: str, admits: str) -> None:
    assert hidden(pattern, hides) == (hides.split(",") if hides else [])
    assert hidden(pattern, admits) == []


@pytest.mark.parametrize(
    ("pattern", "hides", "admits"),
    [
        ("foo/", "foo,a/foo", "xfoo,foo/a"),
        ("/a/", "a", "b/a"),
        ("a/b/", "a/b,x/a/b", "b"),
        ("*/", "a,a/b", ""),
        ("a*/", "a,x/ab", "b"),
        ("[!a]/", "b", "a"),
        ("a**/", "a,a/b", "b"),
        ("foo//", "", "foo,a/foo"),
        ("//", "", "a"),
    ],
)
def test_a_trailing_slash_is_for_directories_only(pattern: str, hides: str, admits: str) -> None:
    assert hidden(pattern, hides, directory=True) == (hides.split(",") if hides else [])
    assert hidden(pattern, admits, directory=True) == []
    assert hidden(pattern, f"{hides},{admits}", directory=False) == []


@pytest.mark.parametrize(
    ("pattern", "hides", "admits"),
    [
        ("a/***", "a,x/a,a/b", "b,ba"),
        ("/a/***", "a,a/b/c", "x/a"),
        ("**/a/***", "a,x/a,a/b", "b"),
        ("/***", "a,a/b", ""),
        ("a\\/***", "a,a/b", "b"),
        ("a***", "a,ab,a/b", "b"),
        ("a/**", "a/b", "a"),
        ("a/***/", "a,a/b", "b"),
        ("\\***", "*,*a,*/a", "a"),
    ],
)
def test_three_stars_are_the_directory_and_its_content(
    pattern: str, hides: str, admits: str
) -> None:
    assert hidden(pattern, hides, directory=True) == hides.split(",")
    assert hidden(pattern, admits, directory=True) == []
    assert hidden(pattern, "a", directory=False) == (["a"] if pattern in ("/***", "a***") else [])


def test_the_first_rule_that_matches_decides_and_none_admits() -> None:
    filters = compile_filters(["+ keep.o", "*.o", "+ *.c", "- /x*", "+ x"])
    names = (b"keep.o", b"a.o", b"x.c", b"xy", b"x", b"d/x", b"other")
    verdicts = {name: filters.admits(name, directory=False) for name in names}
    assert verdicts == {name: not _hidden(filters, name.decode(), False) for name in names}
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
    assert not _hidden(filters, "d/keep.o", False)
    assert _hidden(filters, "d/a.o", False)
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


def test_names_that_are_not_utf8() -> None:
    filters = compile_filters(["caf\udce9", "/é", "[\udcf0-\udcff]x"])
    assert not filters.admits(b"caf\xe9", directory=False)
    assert not filters.admits("é".encode(), directory=False)
    assert not filters.admits(b"d/\xf7x", directory=False)
    assert filters.admits("café".encode(), directory=False)
    assert filters.admits(b"\xe9", directory=False)


def test_a_name_is_matched_to_its_very_end() -> None:
    assert hidden("a", "a\n,a") == ["a"]
    assert hidden("/a", "a\n,a") == ["a"]
    assert hidden("*a", "b\na,a\n") == ["b\na"]


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
    "pattern",
    [
        *["*a*a*a*a*a*a*a*b", "**a**a**a**a**a**a**b", "a*a*a*a*a*a**a*a*a*a*a*b", "*a*a*a*a*b/x"],
        *["**a*b**a*b**c*/*a*b/**c*d", "/**/*a*a*a*/*a*a*a*b", "*[!b]*[!b]*[!b]*[!b]*[!b]*b"],
        *[
            "*?*?*?*?*?*?*?*?b",
            "**?**?**?**?**?**?**b",
            "a*" * 500 + "b",
            "**" + "a*" * 500 + "b**c",
        ],
    ],
)
def test_no_pattern_makes_a_long_name_expensive(pattern: str) -> None:
    filters = compile_filters([pattern])
    long_name, long_path = b"a" * 255, b"/".join([b"a" * 255] * 15)
    begin = time.perf_counter()
    for path in (long_name, long_path, b"a/" * 2000 + b"a", b"ac" * 127 + b"/ac"):
        assert filters.admits(path, directory=False)
    assert time.perf_counter() - begin < 1.0  # plain backtracking needs minutes


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
