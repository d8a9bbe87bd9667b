"""The frozen values of a config."""

from __future__ import annotations

import dataclasses

import pytest
from support.configs import make_pair, make_source

from inosync.config.model import pairs_on
from inosync.errors import ConfigError


@pytest.mark.parametrize(
    ("source", "destination", "path", "lands"),
    [
        ({}, "/m", "a/", "/m/a/"),
        ({}, "/m/", "", "/m/"),
        ({}, "h:", "a", "h:a"),
        ({}, "h:", "a@b:c", "h:a@b:c"),
        ({}, "h:d:", "a", "h:d:/a"),
        ({}, "/m:", "a", "/m:/a"),
        ({}, "h:m", "a", "h:m/a"),
        ({}, "ssh://u@h:22", "a", "ssh://u@h:22/~/a"),
        ({}, "ssh://u@h:22/m", "a", "ssh://u@h:22/m/a"),
        ({"prefix": "www"}, "h:/srv/", "a", "h:/srv/www/a"),
        ({"prefix": "www"}, "h:/srv", "", "h:/srv/www"),
        ({"prefix": "bar/baz", "relative": True}, "h::m/x", "q", "h::m/x/bar/baz/q"),
    ],
)
def test_landing(source: dict[str, object], destination: str, path: str, lands: str) -> None:
    there = make_pair(make_source(**source), destination).landing(path)
    assert there.shown == lands


@pytest.mark.parametrize(
    ("source", "destination", "here"),
    [
        ({}, "/m/", "/m"),
        ({}, "/a/../m", "/m"),
        ({"prefix": "www"}, "/m", "/m/www"),
        ({}, "h:/m", ""),
        ({}, "h::m", ""),
    ],
)
def test_where_it_lies_on_this_machine(
    source: dict[str, object], destination: str, here: str
) -> None:
    assert make_pair(make_source(**source), destination).here == here


def test_a_source_has_its_excludes_compiled_once() -> None:
    source = make_source("/srv/www", argument="/srv/www", prefix="www", excludes=("/www/a",))
    assert source.filters is source.filters
    assert not source.filters.admits(b"a", directory=False)
    other = dataclasses.replace(source, excludes=("b",))
    assert other.filters.admits(b"a", directory=False)
    assert other != source
    assert {source} == {dataclasses.replace(source)}


def test_what_a_mirror_keeps_is_hidden_whatever_the_excludes_say() -> None:
    source = make_source(excludes=("+ *", "!"), prefix="www")
    assert not source.filters.admits_path(b"a/.inosync-kept/2026-11-28", directory=True)
    assert source.filters.plain
    assert source.filters.hiding(directories=False) is None  # costs nothing for files
    assert not make_source().filters.may_hide_in(b"")  # it is no reason for another time


def test_the_mirrors_on_a_node() -> None:
    pairs = [make_pair(None, "a:/m"), make_pair(None, "b:/m")]
    assert pairs_on(pairs, "") == pairs
    assert pairs_on(pairs, "b:/m") == pairs[1:]
    with pytest.raises(ConfigError, match="there is no node c; known are a:/m, b:/m"):
        pairs_on(pairs, "c")
