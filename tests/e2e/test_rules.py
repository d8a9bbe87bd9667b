"""Rules of rsync in rexcludes, and files of rules, with a running daemon and in both scopes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.daemon import QUICK
from support.trees import write
from support.waiting import until


def test_what_rules_keep_hide_and_forget(inosync: Callable, source: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("*.tmp\n")
    mirrors = {scope: tmp_path / scope for scope in ("tree", "changes")}
    for mirror in mirrors.values():
        for name in ("own/file", "d/own.log", "stale", "d/old.o", "d/x/cache/c"):
            write(mirror, name, "x")
    for name in ("first", "d/new.o", "d/file", "d/x/file"):
        write(source, name, "x")
    nodes = [
        {"node": f"{mirrors['tree']}/", "extra": f"--exclude-from={rules}"},
        {"node": f"{mirrors['changes']}/", "rscope": "changes"},
    ]
    patterns = ["P /own", "protect own.log", "H *.o", "-p cache/"]
    daemon = inosync(
        {**QUICK, "wpath": f"{source}/", "rnodes": nodes, "rexcludes": patterns, "rscope": "tree"}
    )

    def names(mirror: Path) -> set[str]:
        return {str(path.relative_to(mirror)) for path in mirror.rglob("*") if path.is_file()}

    def until_all(*wanted: str) -> None:
        for mirror in mirrors.values():
            until(lambda m=mirror: names(m) == set(wanted), what=wanted, state=daemon.log)

    kept = ("own/file", "d/own.log", "d/x/cache/c")
    until_all("first", "d/file", "d/x/file", *kept)
    (source / "first").unlink()
    write(source, "d/more.o", "x")
    write(source, "d/second", "x")
    until_all("d/file", "d/second", "d/x/file", *kept)
    # What is perishable goes with its directory; what is protected does not.
    for path in ("d/x/file", "d/x", "d/file", "d/second"):
        (source / path).rmdir() if (source / path).is_dir() else (source / path).unlink()
    until_all(*kept[:2])
    # A file of rules that would forget the rest is not given to rsync.
    rules.write_text("!\n+ *\n")
    write(source, "third", "x")
    until((mirrors["changes"] / "third").exists, what="the other mirror", state=daemon.log)
    daemon.wait_for_log("line 1 is '!', which forgets all rules before it")
    assert names(mirrors["tree"]) == set(kept[:2])
    rules.write_text("*.tmp\n")
    until_all("third", *kept[:2])
