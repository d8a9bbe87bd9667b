"""The command lines of steps."""

from __future__ import annotations

import pytest
from support.commands import argv
from support.configs import make_config, make_pair, make_source

from inosync.planning.steps import Clear, Fuzzy, Pave, Relink, Renew


@pytest.mark.parametrize(
    ("source", "destination", "ends"),
    [
        (make_source(), "/mirror", ["/srv/www/b/new/", "/mirror/b/new/"]),
        (make_source(), "h:", ["/srv/www/b/new/", "h:b/new/"]),
        (make_source(), "h::m/x/", ["/srv/www/b/new/", "h::m/x/b/new/"]),
        (
            make_source("/a/x/y", argument="/a/./x/y", prefix="x/y", relative=True),
            "/mirror/",
            ["/a/x/y/b/new/", "/mirror/x/y/b/new/"],
        ),
    ],
)
def test_a_renamed_directory_is_linked_anew(source, destination: str, ends: list[str]) -> None:
    relink = Relink(b"a/old", b"b/new", (b"f*", b"s/g"), ("*.tmp",), frozenset({b"a/old"}))
    words = argv(destination, source=source, step=relink, extra=("-z",), spare=[b"lost"])
    assert words[1:3] == ["-ltrp", "--link-dest=../../a/old"]
    assert not {"--delete", "--relative"} & set(words)
    rules = ["--exclude=/f\\*", "--exclude=/s/g", "--exclude=*.tmp", "-z", "--"]
    assert words[-7:] == [*rules, *ends]


@pytest.mark.parametrize(
    ("old", "new", "link", "ends"),
    [
        (b"a/x", b"b", "--link-dest=../a/x", ["/srv/www/b/", "/mirror/b/"]),
        (b"", b"b/c", "--link-dest=../../", ["/srv/www/b/c/", "/mirror/b/c/"]),
        (b"a", b"", "--link-dest=a", ["/srv/www/", "/mirror"]),
    ],
)
def test_renamed_files_are_linked_anew(old: bytes, new: bytes, link: str, ends: list[str]) -> None:
    relink = Relink(old, new, (), (), frozenset(), (b"./f",))
    words = argv("/mirror", source=make_source(excludes=("x",)), step=relink, extra=("-z",))
    assert words[1] == "-ltp"
    assert {"--files-from=-", "--from0", "--ignore-existing", link} < set(words)
    assert not {"--delete", "--exclude=x", "-r", "--relative"} & set(words)
    assert words[-4:] == ["-z", "--", *ends]


def test_the_top_of_a_home_directory_is_not_that_of_the_node() -> None:
    relink = Relink(b"a", b"", (), (), frozenset(), (b"./f",))
    assert argv("h:", step=relink)[-1] == "h:"


def test_renamed_files_are_made_of_what_is_beside_them() -> None:
    words = argv(source=make_source(excludes=("x",)), step=Fuzzy((b"./a",)), listed=True)
    assert {"--fuzzy", "--no-whole-file", "--ignore-existing", "--exclude=x"} < set(words)
    assert "--delete" not in words


def test_what_is_renewed_is_sent_whatever_is_there() -> None:
    config = make_config([make_pair()], rbigsize=100)
    words = argv(step=Renew(frozenset({b"a"}), (b"./a",)), listed=True, config=config)
    assert "--ignore-times" in words
    assert not {"--delete", "--max-size=100"} & set(words)
    assert "--max-size=100" in argv(step=Pave((b"./a",)), listed=True, config=config)
    assert "--delete" in argv(step=Pave((b"./a",)), listed=True)  # what is in the way


@pytest.mark.parametrize(
    ("to", "more", "place"),
    [
        ("/m", {}, "d/t~"),
        ("/m", {"extra": ("-b", "--suffix=.old")}, "d/t.old"),
        ("h::mod/m", {}, "d/t~"),
        ("h:m", {}, "d/t~"),
        ("h:/srv/m", {}, "/srv/m/d/t~"),
        ("h:m", {"restricted": True}, "/m/d/t~"),
        ("h:/", {"restricted": True}, "/d/t~"),
    ],
)
def test_old_versions_go_beside_the_directory_that_they_were_in(
    to: str, more: dict[str, object], place: str
) -> None:
    words = argv(to, step=Clear(b"d/t", (b"./d/t",)), listed=True, **({"extra": ("-b",)} | more))
    assert words[-5:-3] == [f"--backup-dir={place}", "--suffix="]
    assert "--force" in words
    assert "--delete" not in words
    below = make_source(argument="/srv/./www", prefix="www")
    words = argv("/m", source=below, step=Clear(b"t", (b"./www/t",)), listed=True)
    assert "--backup-dir=www/t~" in words


@pytest.mark.parametrize(
    ("there", "restricted", "link"),
    [
        ("h:/srv/m/", False, "--link-dest=/srv/m/a/old"),
        ("h:/", True, "--link-dest=/a/old"),
        ("h:m", True, "--link-dest=/m/a/old"),
        ("h:", True, "--link-dest=/a/old"),
        ("h:m", False, "--link-dest=../../a/old"),
        ("/m", True, "--link-dest=../../a/old"),
        ("h::m/x", True, "--link-dest=../../a/old"),
    ],
)
def test_where_a_node_has_the_old_place(there: str, restricted: bool, link: str) -> None:
    relink = Relink(b"a/old", b"b/new", (), (), frozenset())
    assert link in argv(there, step=relink, restricted=restricted)
