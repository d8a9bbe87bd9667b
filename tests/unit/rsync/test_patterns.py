"""One pattern at a time. Each verdict was read off rsync itself."""

from __future__ import annotations

import time

import pytest
from support.excludes import hidden

from inosync.rsync.filters import compile_filters


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
        ("-\tfoo", "-\tfoo", "foo"),
        ("+foo", "+foo", "foo"),
        ("- !", "!", "a"),
        ("!foo", "!foo", "foo"),
        # looks like a merge rule, but is a name
        ("._*", "._a", "a"),
        ("._merge file", "._merge file", "file"),
        ("merge", "merge", "a"),
        (":", ":", "a"),
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
