"""Scope "changes": what is written by one name of a file with several arrives under all of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from support.daemon import Daemon, run_inosync
from support.places import Place, wait_equal
from support.trees import write


def test_every_name_of_a_file_has_arrived_when_wait_says_so(
    inosync: Callable[..., Daemon], source: Path, local: Place, tmp_path: Path
) -> None:
    write(source, "x", "1\n")
    (source / "deep/er").mkdir(parents=True)
    os.link(source / "x", source / "deep/er/y")
    os.link(source / "x", tmp_path / "outside")  # a name that no walk finds
    kept = tmp_path / "kept"
    kept.mkdir()
    daemon = inosync(
        {
            "edelay": 0.1,
            "wpath": f"{source}/",
            "rnodes": [local.node, {"node": str(kept), "extra": "-H"}],
            "rscope": "changes",
            "rfull": 0,
        }
    )
    wait_equal(source, local.root)
    wait_equal(source, kept)
    names = ["x", "deep/er/y", "deep/z"]
    for number, name in enumerate(["x", "x", "deep/er/y", "deep/z", "x"]):
        if number == 3:
            os.link(source / "x", source / names[2])
        with (source / name).open("a") as file:
            file.write(f"{number}\n")
        asked = run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
        assert asked.returncode == 0, asked.stderr
        there = [each for each in names if (source / each).exists()]
        text = (source / "x").read_text()
        for root in (local.root, kept):
            assert [(root / each).read_text() for each in there] == [text] * len(there), name
    assert len({(kept / each).stat().st_ino for each in names}) == 1
    # Two that were files of their own become one, which then keeps size and date.
    for name in ("p", "q"):
        write(source, name, "old\n")
        os.utime(source / name, (10**9, 10**9))
    wait_equal(source, kept)
    os.link(source / "p", source / "q~")
    (source / "q~").rename(source / "q")
    (source / "p").write_text("new\n")
    os.utime(source / "p", (10**9, 10**9))
    asked = run_inosync("-c", daemon.config_file, "--wait", "20", cwd=daemon.folder)
    assert asked.returncode == 0, asked.stderr
    for root in (local.root, kept):
        assert [(root / name).read_text() for name in ("p", "q")] == ["new\n"] * 2
    assert "full pass" not in daemon.log().partition("in sync (first pass")[2]
