"""``rdelete``: what is deleted on a mirror, and what others have put there and stays."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.daemon import Daemon, run_inosync, settings
from support.places import Place
from support.trees import compare, write

THEIRS = {
    "theirs": "t",
    "d/theirs": "in one that vanishes",
    "d/sub/theirs": "deeper",
    "their own/deep/file": "o",
    "stays/theirs": "s",
}


def ask(daemon: Daemon, *arguments: str, code: int = 0) -> str:
    asked = run_inosync("-c", daemon.config_file, *arguments, cwd=daemon.folder)
    assert asked.returncode == code, (asked.stdout, asked.stderr, daemon.log())
    return asked.stdout


def names(root: Path) -> set[str]:
    """Return what is in a mirror, but for what a node keeps."""
    found = {str(path.relative_to(root)) for path in root.rglob("*")}
    return {name for name in found if not name.startswith(".inosync-kept")}


def intrude(*mirrors: Path) -> None:
    for mirror in mirrors:
        for name, text in THEIRS.items():
            write(mirror, name, text)


def test_what_is_deleted_and_what_stays(
    inosync: Callable[..., Daemon], source: Path, tmp_path: Path
) -> None:
    for name in ("d/a", "d/sub/b", "stays/c", "e/f", "file", "flip/x", "renamed/y", "big"):
        write(source, name, "x" * (5_000 if name == "big" else 3))
    nodes: dict[str, dict[str, Any]] = {
        "changes": {"rdelete": "seen", "rscope": "changes", "rkeep": 1},
        "tree": {"rdelete": "seen", "rscope": "tree"},
        "start": {"rdelete": "start", "rscope": "changes"},
        "never": {"rdelete": "never", "rscope": "changes"},
    }
    mirrors = {name: tmp_path / f"m {name}" for name in nodes}
    entries = [{"node": f"{mirrors[name]}/"} | own for name, own in nodes.items()]
    more = {"rbigsize": 1_000, "rbigdelay": 0.1, "rmaxdelete": 500, "init": "changed"}
    daemon = inosync(settings(source, *entries, **more))
    ask(daemon, "--wait", "20")
    whole = names(source)
    assert all(names(mirror) == whole for mirror in mirrors.values())
    intrude(*mirrors.values())

    # What is seen to vanish goes: deleted, moved away with all in it, renamed, another thing now.
    (source / "file").unlink()
    (source / "big").unlink()
    (source / "d").rename(tmp_path / "out")
    shutil.rmtree(source / "e")
    (source / "renamed").rename(source / "other name")
    shutil.rmtree(source / "flip")
    write(source, "flip", "a file now")
    ask(daemon, "--wait", "20", code=5)  # what is never deleted is in the way of a file
    kept = {"d", "d/sub", "their own", "their own/deep"} | THEIRS.keys()
    for name in ("changes", "tree"):
        mirror = mirrors[name]
        assert names(mirror) == names(source) | kept, name
        assert {path: (mirror / path).read_text() for path in THEIRS} == THEIRS
        assert (mirror / "flip").read_text() == "a file now"
    assert list((mirrors["changes"] / ".inosync-kept").glob("*/*/d/sub/b"))
    for name in ("start", "never"):
        assert names(mirrors[name]) >= whole | THEIRS.keys()
    status = json.loads(ask(daemon, "--status", "--json", code=5))
    told = {mirror["node"]: mirror for mirror in status["mirrors"] if not mirror.get("lane")}
    ill = {name for name in nodes if told[f"{mirrors[name]}/"]["ailing"]}
    assert ill == {"start", "never"}

    # Others' things are no difference, and are not mended.
    node = f"{mirrors['changes']}/"
    text = ask(daemon, "--verify", "--node", node)
    count = len(kept)
    assert f"note: {count} paths on the mirror alone: " in text
    assert 'may stay (rdelete is "seen")' in text
    assert text.endswith(": equal\n")
    (mirrors["changes"] / "stays/c").write_text("bad")
    ask(daemon, "--verify", "--node", node, code=5)
    ask(daemon, "--verify", "--repair", "--node", node)
    assert names(mirrors["changes"]) == names(source) | kept

    # Nobody saw what vanishes while the daemon is down; a pass deletes where that is wanted.
    assert daemon.stop() == 0
    (source / "stays/c").unlink()
    daemon.start()
    ask(daemon, "--sync")
    daemon.wait_for_log("full pass done (asked for", times=4)
    assert names(mirrors["start"]) == names(source)
    assert all((mirrors[name] / "stays/c").exists() for name in ("changes", "tree", "never"))
    write(source, "last", "x")
    ask(daemon, "--wait", "20", code=5)
    assert "stays/c" in names(mirrors["changes"])
    assert {path: (mirrors["tree"] / path).read_text() for path in THEIRS} == THEIRS


def test_deletions_do_not_go_through_a_link_that_is_no_more(
    inosync: Callable, source: Path, local: Place
) -> None:
    write(source, "release/www/page", "x")
    (source / "current").symlink_to("release")
    daemon = inosync(settings(source, local.node, rscope="changes", extra=["--delete-before"]))
    ask(daemon, "--wait", "20")
    (source / "current").unlink()
    (source / "current/www").mkdir(parents=True)
    ask(daemon, "--wait", "20")
    assert compare(source, local.root) == []
