"""What a source path means to rsync."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from inosync.config.model import Source
from inosync.config.sources import read_argument, read_source


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with foo/bar/baz and some links in it; it is no link itself."""
    root = Path(os.path.realpath(tmp_path))
    (root / "foo" / "bar" / "baz").mkdir(parents=True)
    (root / "foo" / "file").touch()
    (root / "link").symlink_to("foo/bar")
    return root


@pytest.mark.parametrize(
    ("text", "path", "argument", "prefix"),
    [
        ("{t}/foo/bar/", "foo/bar", "foo/bar/", ""),
        ("{t}/foo/bar", "foo/bar", "foo/bar", "bar"),
        ("{t}//foo///bar", "foo/bar", "foo/bar", "bar"),
        ("//{t}/foo", "foo", "foo", "foo"),
        ("{t}/foo/bar/.", "foo/bar", "foo/bar/", ""),
        ("{t}/foo/bar/baz/..", "foo/bar", "foo/bar/", ""),
        ("{t}/foo/bar/baz/../", "foo/bar", "foo/bar/", ""),
        ("{t}/foo/../foo/bar", "foo/bar", "foo/bar", "bar"),
        ("{t}/link/", "link", "link/", ""),
        # The parent of what a link points to, not the parent of the link.
        ("{t}/link/..", "foo", "foo/", ""),
        ("{t}/link/../bar", "foo/bar", "foo/bar", "bar"),
        (".", "foo", "foo/", ""),
        ("..", "", "/", ""),
        ("bar", "foo/bar", "foo/bar", "bar"),
        ("./bar/", "foo/bar", "foo/bar/", ""),
        ("bar/baz", "foo/bar/baz", "foo/bar/baz", "baz"),
    ],
)
def test_how_a_path_is_read(tree: Path, text: str, path: str, argument: str, prefix: str) -> None:
    source = read_source(text.format(t=tree), f"{tree}/foo")
    expected = f"{tree}/{argument}" if path else f"{tree}/"
    assert source == Source(f"{tree}/{path}".rstrip("/"), expected, prefix, relative=False)


#: pylsyncd's rule: what is written, what is watched, and where in DEST it goes.
VIRTUAL_ROOTS = [
    # normpath says ".": the current directory is the virtual root
    (".", "foo", ""),
    ("./", "foo", ""),
    ("././", "foo", ""),
    ("bar/..", "foo", ""),
    ("bar/./..", "foo", ""),
    # /./ in it: what stands before the first one is the virtual root
    ("{t}/foo/./", "foo", ""),
    ("{t}/foo/./bar", "foo/bar", "bar"),
    ("{t}/foo/./bar/baz", "foo/bar/baz", "bar/baz"),
    ("{t}/foo/./bar/baz/", "foo/bar/baz", "bar/baz"),
    ("{t}/foo/./bar/./baz", "foo/bar/baz", "bar/baz"),
    ("{t}/link/./baz", "link/baz", "baz"),
    ("bar/./baz", "foo/bar/baz", "baz"),
    # neither: the whole path is kept, a slash at the end or none
    ("{t}/foo/bar", "foo/bar", "{t}/foo/bar"),
    ("{t}/foo/bar/", "foo/bar", "{t}/foo/bar"),
    ("{t}/foo/bar/.", "foo/bar", "{t}/foo/bar"),
    ("{t}/foo/bar/baz/..", "foo/bar", "{t}/foo/bar"),
    ("{t}//foo//bar", "foo/bar", "{t}/foo/bar"),
    ("bar", "foo/bar", "{t}/foo/bar"),
    ("./bar", "foo/bar", "{t}/foo/bar"),
    ("..", "", "{t}"),
]


@pytest.mark.parametrize(("text", "path", "kept"), VIRTUAL_ROOTS)
def test_the_virtual_root_of_a_command_line(tree: Path, text: str, path: str, kept: str) -> None:
    source = read_argument(text.format(t=tree), f"{tree}/foo")
    assert source.path == f"{tree}/{path}".rstrip("/")
    assert source.prefix == kept.format(t=tree).lstrip("/")
    # What rsync is given says the same, in its own words.
    head, _, tail = source.argument.partition("/./" if source.relative else "//")
    assert tail == source.prefix
    assert os.path.realpath(f"{head}/{tail}") == os.path.realpath(source.path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "there is no current directory"),
        ("~/www", "is not expanded"),
        ("/", "is the root directory"),
        ("/.", "is the root directory"),
        ("/./", "is the root directory"),
        ("{t}/nowhere", "does not exist"),
        ("{t}/link", "has a symbolic link on its way"),
        ("{t}/link/baz", "has a symbolic link on its way"),
        ("{t}/foo/./../link", '".." behind the "/./"'),
        ("host:/x", "is not on this machine"),
    ],
)
def test_what_no_command_line_can_mirror(tree: Path, text: str, what: str) -> None:
    with pytest.raises(ValueError, match=re.escape(what)):
        read_argument(text.format(t=tree), f"{tree}/foo" if text else "")


@pytest.mark.parametrize(
    ("text", "path", "argument", "prefix"),
    [
        ("{t}/foo/./bar/baz", "foo/bar/baz", "foo/./bar/baz", "bar/baz"),
        ("{t}/foo/./bar/baz/", "foo/bar/baz", "foo/./bar/baz", "bar/baz"),
        ("{t}/foo/./bar/./baz/.", "foo/bar/baz", "foo/./bar/baz", "bar/baz"),
        ("{t}/foo/././/bar", "foo/bar", "foo/./bar", "bar"),
        ("{t}/foo/./", "foo", "foo/./", ""),
        ("{t}/link/./baz", "link/baz", "link/./baz", "baz"),
        ("{t}/link/.././bar", "foo/bar", "foo/./bar", "bar"),
        ("./bar/./baz", "foo/bar/baz", "foo/bar/./baz", "baz"),
        ("bar/./baz", "foo/bar/baz", "foo/bar/./baz", "baz"),
    ],
)
def test_a_virtual_root(tree: Path, text: str, path: str, argument: str, prefix: str) -> None:
    source = read_source(text.format(t=tree), f"{tree}/foo")
    assert source == Source(f"{tree}/{path}", f"{tree}/{argument}", prefix, relative=True)


def test_a_local_directory_with_a_colon(tree: Path) -> None:
    (tree / "a:b").mkdir()
    assert read_source("a:b", f"{tree}").argument == f"{tree}/a:b"


def test_the_root_as_virtual_root(tree: Path) -> None:
    source = read_source(f"/.{tree}/foo", "")
    assert source == Source(f"{tree}/foo", f"/.{tree}/foo", f"{tree}/foo"[1:], relative=True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("~/www", "not expanded; write the absolute path"),
        ("{t}/nothing", "does not exist; create it"),
        ("{t}/foo/../nothing", "does not exist (that is {t}/nothing); create it"),
        ("host:/www", "is not on this machine; write the path of a directory here"),
        ("rsync://u:secret@host/www", "is not on this machine"),
        ("{t}/foo/file", "is no directory; create it, or write the path of a directory"),
        ("{t}/foo/./nothing", "does not exist; create it"),
        ("{t}/foo/./../bar", 'has ".." behind the "/./"'),
        ("{t}/./link/baz", 'has a symbolic link behind the "/./" ({t}/link)'),
        (
            "{t}/link",
            "is a symbolic link, and without a slash at its end rsync would copy the link",
        ),
        ("relative", "is relative, and there is no current directory"),
        ("/", "is the root directory, which holds /proc"),
        ("/./", "is the root directory, which holds /proc"),
        ("{t}/" + "x" * 300, "does not exist"),
    ],
)
def test_what_cannot_be_mirrored(tree: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint.format(t=tree))):
        read_source(text.format(t=tree), "" if text == "relative" else f"{tree}")


def test_a_source_that_only_the_unit_does_not_see(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOCATION_ID", "x")
    with pytest.raises(ValueError, match="PrivateTmp=no"):
        read_source("/tmp/nothing/of/this", "/")
    with pytest.raises(ValueError, match=r"or write the path of a directory$"):
        read_source("/nothing/of/this", "/")


@pytest.mark.skipif(not shutil.which("rsync"), reason="there is no rsync to ask")
@pytest.mark.parametrize(
    "text",
    [
        "{t}/foo/",
        "{t}/foo",
        "{t}/foo/.",
        "{t}/foo/bar/..",
        "{t}/foo/./bar/baz",
        "{t}/foo/./",
        "{t}/foo/./bar/./baz/",
        "{t}/link/",
        "{t}/link/./baz/.",
        "/.{t}/foo",
    ],
)
def test_rsync_begins_names_with_the_prefix(tree: Path, text: str) -> None:
    (tree / "foo" / "bar" / "baz" / "deep").touch()
    text = text.format(t=tree)
    source = read_source(text, "")
    deep = next(Path(source.path).rglob("deep")).relative_to(source.path)

    def names(argument: str, *, relative: bool) -> list[str]:
        argv = ["rsync", "-rn", "--out-format=%n", argument, f"{tree}/none/"]
        argv[1:1] = ["-R"] if relative else []
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()

    ours = names(source.argument, relative=source.relative)
    assert os.path.join(source.prefix, deep) in ours
    # What a person wrote means the same to rsync.
    assert names(text, relative="/./" in text) == ours
