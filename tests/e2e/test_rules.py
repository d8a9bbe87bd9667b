"""Rules of rsync in rexcludes, and files of rules, with a running daemon and in both scopes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from support.daemon import QUICK, run_inosync
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


def test_check_names_the_rule_that_rsync_refuses(source: Path, tmp_path: Path) -> None:
    rules, config = tmp_path / "rules", tmp_path / "c.py"
    write(source, "file", "x")
    text = f'wpath = "{source}/"\nrnodes = ["{tmp_path}/mirror/"]\n'
    config.write_text(f'{text}rexcludes = ["a", ". {rules}"]\n')

    def check() -> subprocess.CompletedProcess[str]:
        return run_inosync("-c", config, "--insecure-config", "--check", cwd=tmp_path)

    rules.write_text("- a\nzz x\n")
    said = check()
    assert said.returncode == 2
    assert f"exit 1: rexcludes[1] = '. {rules}': Unknown filter rule: " in said.stdout
    rules.write_text("- a\n. /nowhere\n")
    said = check()
    assert "reads the file '/nowhere', which cannot be read: No such file" in said.stdout
    write(source, ".rules", "e x\n")
    config.write_text(f'{text}rexcludes = ["a", ": .rules"]\n')
    assert "exit 1: rexcludes[1] = ': .rules': Unknown filter rule" in check().stdout
    config.write_text(f'{text}rexcludes = ["a", ". {rules}"]\n')
    rules.write_text("- a\n")
    assert check().returncode == 0
    rules.unlink()
    said = check()
    assert "rexcludes[1] = " in said.stdout
    assert "create the file, or remove the rule" in said.stdout
