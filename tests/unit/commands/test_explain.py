"""Which rule decides about a path, and where it lands."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.commands.explain import explain
from inosync.config.load import load
from inosync.config.model import Config
from inosync.errors import ConfigError


@pytest.fixture
def www(tmp_path: Path) -> Path:
    root = tmp_path / "www"
    (root / "cache" / "deep").mkdir(parents=True)
    (root / "index").write_text("x")
    return root


def config(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "c.py"
    file.write_text(text)
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    return load(str(file))


def rules(www: Path, *patterns: str, extra: str = "") -> Config:
    return config(
        www.parent,
        f"wpath={str(www)!r}+'/'\nrnodes=['h:/m']\nrexcludes={list(patterns)!r}\nextra={extra!r}\n",
    )


def test_what_no_rule_matches_is_included(www: Path) -> None:
    assert explain(rules(www, "*.bak"), str(www / "index")) == [
        f"{www}/index: included: no rule matches it",
        f"  source: {www}",
        f"  watched: yes, by its directory {www}",
        "  lands at h:/m/index",
    ]


@pytest.mark.parametrize(
    ("patterns", "path", "said"),
    [
        (["x", "/cache/"], "cache", "excluded by rexcludes[1] = '/cache/'"),
        (["x", "/cache/"], "cache/deep", "excluded: rexcludes[1] = '/cache/' hides {www}/cache "),
        (["+ index", "*"], "index", "included by rexcludes[0] = '+ index'"),
        (["*", "!", "y", "*"], "index", "excluded by rexcludes[3] = '*'"),
        (["+ *"], ".inosync-kept/", "not mirrored: .inosync-kept is where mirrors keep what is"),
        (["/new/"], "new", "included: no rule"),
        (["/new/"], "new/", "excluded by rexcludes[0]"),
        ([], ".", "included: no rule"),
    ],
)
def test_the_rule_that_decides(www: Path, patterns: list[str], path: str, said: str) -> None:
    first = explain(rules(www, *patterns), f"{www}/{path}")[0]
    assert first.partition(": ")[2].startswith(said.format(www=www))


def test_each_source_has_rules_of_its_own(www: Path) -> None:
    other = www.parent / "other"
    other.mkdir()
    conf = config(
        www.parent,
        f"wpaths=[{str(www)!r},{str(other)!r}]\nrpaths=['/1','/2']\nrnodes=['h:']\n"
        f"excludes={{{str(www)!r}: ['a','b']}}\n",
    )
    first = explain(conf, str(www / "b"))[0]
    assert first.endswith(f"excluded by excludes['{www}'][1] = 'b'")
    told = explain(conf, str(other / "b"))
    assert "included" in told[0]
    assert told[-1] == "  lands at h:/2/other/b"


def test_excluded_paths_on_the_node(www: Path) -> None:
    told = explain(rules(www, "/cache"), str(www / "cache"))
    assert "  watched: no: what is excluded starts no run" in told
    assert told[-1] == "  not sent, and left alone there: h:/m/cache"
    told = explain(rules(www, "/cache", extra="--delete-excluded"), str(www / "cache"))
    assert told[-1].startswith("  not sent, and deleted there")


def test_rules_that_only_rsync_applies_are_named(www: Path) -> None:
    told = explain(rules(www, ": .rules"), str(www / "index"))
    assert "  rsync alone applies rexcludes ': .rules', which may decide otherwise" in told
    told = explain(rules(www, extra="--exclude=index"), str(www / "index"))
    assert told[-1] == "    unless --exclude in extra keeps it back"


def test_a_plain_rule_beside_files_of_rules(www: Path) -> None:
    conf = rules(www, ": .rules", "index", "+ cache", "-C")
    assert explain(conf, str(www / "index"))[0] == (
        f"{www}/index: excluded by rexcludes[1] = 'index', "
        "unless a file of rules that comes first says otherwise"
    )
    assert "included by rexcludes[2] = '+ cache', unless" in explain(conf, str(www / "cache"))[0]
    told = explain(conf, str(www / "other"))[0]
    assert told.endswith("unless a file of rules says otherwise: no rule of the config matches it")


def test_rules_for_one_end(www: Path) -> None:
    conf = rules(www, "H index", "P /cache", "-! *e")
    told = explain(conf, str(www / "index"))
    assert told[0].endswith("excluded by rexcludes[0] = 'H index'")
    assert told[-1] == "  not sent, and left alone there: h:/m/index"  # by the last rule
    told = explain(rules(www, "H index"), str(www / "index"))
    assert told[-1].startswith("  not sent, and deleted there (the rule hides it, and nothing")
    assert "included: no rule" in explain(rules(www, "P /cache"), str(www / "cache"))[0]
    told = explain(rules(www, "H cache", "cache"), str(www / "cache" / "deep"))
    assert told[-1].startswith("  not sent, and left alone there")


def test_links_are_mirrored_as_links(www: Path) -> None:
    os.symlink("cache", www / "link")
    (www / "cache" / "x").write_text("x")
    told = explain(rules(www), str(www / "link" / "x"))
    # Reached by another way, it is a file of the source all the same.
    assert told[0] == f"{www}/link/x: not mirrored: {www}/link is a symbolic link"
    assert told[-1] == "  not sent: h:/m/link/x"
    assert "  watched: no" in told
    assert "no rule" in explain(rules(www), str(www / "link"))[0]
    told = explain(rules(www, extra="-L"), str(www / "link" / "x"))
    assert told[-1] == "  lands at h:/m/link/x"


def test_a_source_reached_by_another_way(www: Path) -> None:
    os.symlink(www, www.parent / "alias")
    told = explain(rules(www), str(www.parent / "alias" / "index"))
    assert told[-1] == "  lands at h:/m/index"


def test_what_rsync_skips(www: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(www)  # a socket's path must be short
    os.mkfifo(www / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
    told = explain(rules(www), str(www / "fifo"))
    assert told[-1] == "  not sent, since it is a FIFO (extra = '--specials' sends it): h:/m/fifo"
    assert "is a socket" in explain(rules(www), str(www / "socket"))[-1]
    assert "lands at" in explain(rules(www, extra="-a"), str(www / "fifo"))[-1]


def test_what_does_not_exist_is_judged_by_its_name(www: Path) -> None:
    told = explain(rules(www), str(www / "none"))
    assert told[1] == "  it does not exist: judged as a file of this name"
    told = explain(rules(www), str(www / "none") + "/")
    assert told[1] == "  it does not exist: judged as a directory of this name"
    assert "  watched: yes" in told


def test_a_path_outside(www: Path) -> None:
    for path in ("/etc/passwd", str(www) + "x", str(www.parent)):
        with pytest.raises(ConfigError, match=r"lies in no source; give a path below"):
            explain(rules(www), path)


def test_only_nodes_of_its_source_are_named(www: Path) -> None:
    conf = rules(www)
    other = make_config([*conf.pairs, make_pair(make_source("/elsewhere"), "x:/y")])
    told = explain(other, str(www / "index"))
    assert [text for text in told if " at " in text] == ["  lands at h:/m/index"]


def test_a_path_in_a_source_that_lies_in_another_is_explained_for_both(www: Path) -> None:
    sources = make_source(str(www)), make_source(f"{www}/cache", excludes=("*.o",))
    config = make_config([make_pair(each, f"h:/{number}") for number, each in enumerate(sources)])
    said = explain(config, f"{www}/cache/x.o")
    assert [line for line in said if "  source: " in line or "  lands at " in line] == [
        f"  source: {www}/cache",
        f"  source: {www}",
        "  lands at h:/0/cache/x.o",
    ]
