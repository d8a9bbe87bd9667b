"""The commands that need no daemon: --check, --explain, --once, --verify, against real servers."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.daemon import (
    config_text,
    inosync_command,
    inosync_environment,
    run_inosync,
)
from support.fakersync import FakeRsync
from support.places import Place
from support.servers import RsyncDaemon, SshServer, free_port
from support.trees import compare, snapshot, write
from support.waiting import until

OLD = 1_600_000_000  # long ago, with fractions of seconds added below


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command with a config: ``ask(settings, "--check")``."""
    folder = tmp_path / "config"
    folder.mkdir(mode=0o755)

    def run(
        settings: dict[str, object], *arguments: str, **more: object
    ) -> subprocess.CompletedProcess[str]:
        file = folder / "inosync.conf"
        file.write_text(config_text(settings))
        file.chmod(0o644)
        return run_inosync("-c", file, *arguments, cwd=folder, **more)

    return run


def settings(source: Path, *nodes: str, **more: object) -> dict[str, object]:
    return {"wpath": f"{source}/", "rnodes": list(nodes)} | more


def fill(source: Path) -> None:
    for name in ("content", "times", "permissions", "missing", "sub/deep", "ä\n"):
        write(source, name, f"{name} here\n")
    os.symlink("one", source / "link")


def age(root: Path) -> None:
    """Give all files times of long ago, so that the same content and time can be made again."""
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, ns=(OLD * 10**9 + 123_456_789,) * 2, follow_symlinks=False)
    os.utime(root, ns=(OLD * 10**9 + 123_456_789,) * 2)


def spoil(mirror: Path) -> None:
    """Make every kind of drift."""
    times = (mirror / "content").stat()
    (mirror / "content").write_text("content hare\n")  # the same size
    os.utime(mirror / "content", ns=(times.st_atime_ns, times.st_mtime_ns))
    os.utime(mirror / "times", (1, 1))
    (mirror / "permissions").chmod(0o600)
    (mirror / "missing").unlink()
    (mirror / "link").unlink()
    os.symlink("two", mirror / "link")
    write(mirror, "sub/extra", "x")


def lines_with(text: str, *words: str) -> list[str]:
    return [line for line in text.splitlines() if all(word in line for word in words)]


# ---- --once and --verify ------------------------------------------------------------------


def test_once_then_verify_then_repair(ask: Callable, source: Path, place: Place) -> None:
    fill(source)
    age(source)
    # A daemon would have the next run stand ready (rwarm).
    conf = settings(source, place.node, rexcludes=["/kept"], rscope="changes", rwarm=60)
    first = ask(conf, "--once", environment=place.environment)
    assert (first.returncode, first.stderr) == (0, "")
    assert lines_with(first.stdout, "equal: 7 files sent")
    assert not compare(source, place.root)
    equal = ask(conf, "--verify", environment=place.environment)
    assert equal.returncode == 0, equal.stdout + equal.stderr
    assert equal.stdout.endswith(": equal\n")
    assert len(equal.stdout.splitlines()) == 1

    spoil(place.root)
    write(place.root, "kept", "x")  # excluded, so none of our business
    before = snapshot(place.root)
    drift = ask(conf, "--verify", environment=place.environment)
    assert drift.returncode == 5
    assert snapshot(place.root) == before, "something was changed"
    for line in (
        "content: content",
        "times: times",
        "permissions: permissions",
        "missing: missing",
        "link: link target",
        "sub/extra: extra on the mirror",
        "sub: times",
    ):
        assert lines_with(drift.stdout, f": {line}"), drift.stdout
    assert drift.stdout.endswith("paths differ\n")
    assert not lines_with(drift.stdout, "ä")

    mended = ask(conf, "--verify", "--repair", environment=place.environment)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert lines_with(mended.stdout, "mended: content: content")
    assert lines_with(mended.stdout, "mended: sub/extra: extra on the mirror")
    assert ask(conf, "--verify", environment=place.environment).returncode == 0
    (place.root / "kept").unlink()
    os.utime(place.root, ns=(source.stat().st_mtime_ns,) * 2)
    assert not compare(source, place.root)


def test_what_changes_while_it_is_compared_is_no_drift(
    ask: Callable, source: Path, local: Place, fakersync: FakeRsync, tmp_path: Path
) -> None:
    fill(source)
    age(source)
    conf = settings(source, local.node)
    assert ask(conf, "--once").returncode == 0
    (local.root / "times").write_text("drift\n")
    # A program in between: the source changes after the comparison has begun.
    between = tmp_path / "rsync"
    between.write_text(
        f"#!/bin/sh\ncase $* in *--dry-run*) echo new > '{source}/sub/new';"
        f" rm -f '{source}/sub/deep';; esac\nexec /usr/bin/rsync \"$@\"\n"
    )
    between.chmod(0o755)
    drift = ask(conf | {"rsync": str(between)}, "--verify")
    assert drift.returncode == 5
    assert lines_with(drift.stdout, ": times: content")
    assert drift.stdout.endswith("1 path differs; changed just now and not counted: 3\n")


def test_a_mirror_that_cannot_be_compared(
    ask: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    gone = f"rsync://127.0.0.1:{free_port()}/m/"
    conf = settings(source, local.node, gone)
    assert ask(conf, "--once", "--node", local.node).returncode == 0
    result = ask(conf, "--verify")
    assert result.returncode == 1
    assert lines_with(result.stdout, local.node, ": equal")
    assert lines_with(result.stdout, gone, "COULD NOT BE COMPARED: exit 10")
    assert ask(conf, "--verify", "--node", local.node).returncode == 0
    unknown = ask(conf, "--verify", "--node", "nobody")
    assert unknown.returncode == 2
    assert "there is no node nobody; known are" in unknown.stderr


def test_once_says_what_all_runs_of_a_mirror_have_sent(
    ask: Callable, source: Path, local: Place
) -> None:
    """With ``rkeep`` the first run of a day that overwrites a file is made twice."""
    conf = settings(source, local.node, rkeep=9)
    assert ask(conf, "--once").returncode == 0
    changed = next(path for path in source.rglob("*") if path.is_file())
    changed.write_text("something else")
    result = ask(conf, "--once")
    assert lines_with(result.stdout, local.node, ": equal: 1 file sent (14 bytes)")


def test_once_says_which_mirror_is_not_equal(
    ask: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    gone = f"rsync://127.0.0.1:{free_port()}/m/"
    result = ask(settings(source, local.node, gone), "--once")
    assert result.returncode == 1
    assert lines_with(result.stdout, local.node, ": equal: 1 file sent")
    assert lines_with(result.stdout, gone, "NOT EQUAL: exit 10")
    assert lines_with(result.stdout, "Connection refused")
    assert not compare(source, local.root)


@pytest.mark.parametrize("dot", ["", "./"])
def test_a_source_with_nothing_to_send_does_not_become_its_destination(
    ask: Callable, source: Path, tmp_path: Path, dot: str
) -> None:
    conf = settings(source, f"{tmp_path}/not there", rexcludes=[f"/{source.name}/*"])
    conf["wpath"] = f"{source.parent}/{dot}{source.name}"
    assert ask(conf, "--once").returncode == 0
    assert [path.name for path in (tmp_path / "not there").iterdir()] == [source.name]


@pytest.mark.parametrize("code", [23, 24])
def test_once_is_not_content_with_a_part(
    ask: Callable, source: Path, local: Place, fakersync: FakeRsync, code: int
) -> None:
    fakersync.exits(code)
    result = ask(settings(source, local.node, rsync=str(fakersync.path)), "--once")
    assert result.returncode == 1
    assert lines_with(result.stdout, f"NOT EQUAL: exit {code}")


@pytest.mark.parametrize("command", [("--once",), ("--verify", "--repair")])
def test_what_guards_the_daemon_guards_these(
    ask: Callable, source: Path, local: Place, command: tuple[str, ...]
) -> None:
    write(local.root, "kept", "x")
    write(local.root, "also", "x")
    conf = settings(source, local.node)
    limited = ask(conf | {"rmaxdelete": 1}, *command)
    assert limited.returncode == 1
    assert "would delete 2 files (rmaxdelete is 1)" in limited.stdout
    marked = ask(conf | {"wmarker": ".mounted"}, *command)
    assert marked.returncode == 1
    assert "has no .mounted" in marked.stdout
    (source / "first").unlink()
    empty = ask(conf, *command)
    assert empty.returncode == 1
    assert "NOT EQUAL: the source is empty" in empty.stdout
    assert sorted(os.listdir(local.root)) == ["also", "kept"]
    assert ask(conf | {"allow_empty": True}, *command).returncode == 0
    assert os.listdir(local.root) == []


def test_they_know_of_a_running_daemon(
    inosync: Callable, ask: Callable, source: Path, local: Place
) -> None:
    age(source)
    daemon = inosync(settings(source, local.node, edelay=0.1))
    until((local.root / "first").exists, what="the first pass")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_inosync("-c", daemon.config_file, *arguments, cwd=daemon.folder)

    refused = run("--once")
    assert refused.returncode == 3
    assert "already running" in refused.stderr
    assert "--sync" in refused.stderr
    daemon.wait_for_log("in sync")
    (local.root / "first").chmod(0o600)
    os.utime(source / "first", ns=(OLD, OLD))  # what the daemon is about to carry is no drift
    assert run("--verify").returncode in (0, 5)
    assert run("--check").returncode == 0
    assert run("--explain", str(source / "first")).returncode == 0


def test_a_running_daemon_mends_what_verify_finds(
    inosync: Callable, source: Path, local: Place, tmp_path: Path
) -> None:
    age(source)
    other = tmp_path / "other"
    daemon = inosync(
        settings(source, local.node, f"{other}/", rmaxdelete=1, edelay=0.1, emaxdelay=0.1)
    )
    daemon.wait_for_log("in sync (first pass", times=2)
    repair = ("-c", daemon.config_file, "--verify", "--repair")
    equal = run_inosync(*repair, cwd=daemon.folder)
    assert (equal.returncode, "mended" in equal.stdout) == (0, False)
    status = (source / "first").stat()
    until(lambda: time.time() - status.st_ctime > 2.5, what="a change that was long ago")
    for root in (local.root, other):
        (root / "first").write_bytes(b"?" * status.st_size)
        os.utime(root / "first", ns=(status.st_mtime_ns, status.st_mtime_ns))
    mended = run_inosync(*repair, "--node", local.node, cwd=daemon.folder)
    assert mended.returncode == 0
    assert f"{local.node}: first: content" in mended.stdout
    assert mended.stdout.endswith("the daemon mends it by 1 full pass by contents\nmended\n")
    assert (local.root / "first").read_bytes() == (source / "first").read_bytes()
    assert (other / "first").read_bytes() != (source / "first").read_bytes()
    # It is no --sync: what is held back stays so.
    for name in ("a", "b"):
        write(other, name, "x")
    held = run_inosync(*repair, "--node", f"{other}/", cwd=daemon.folder)
    assert held.returncode == 5
    assert "rmaxdelete" in held.stderr
    assert (other / "a").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_once_can_be_stopped(
    number: signal.Signals,
    ask: Callable,
    source: Path,
    local: Place,
    fakersync: FakeRsync,
    tmp_path: Path,
) -> None:
    fakersync.always(hold=True)
    folder = tmp_path / "config"
    file = folder / "c.conf"
    file.write_text(config_text(settings(source, local.node, rsync=str(fakersync.path))))
    process = subprocess.Popen(
        inosync_command("-c", file, "--once"),
        cwd=folder,
        env=inosync_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    fakersync.wait_for_calls(1)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "NOT EQUAL: stopped before its pass was over" in output


@pytest.mark.parametrize("form", ["{0}/", "{0}", "{1}/./{2}/"])
def test_paths_count_from_the_source_whatever_its_form(
    ask: Callable, source: Path, local: Place, form: str
) -> None:
    write(source, "sub/deep", "x")
    age(source)
    wpath = form.format(source, source.parent.parent, source.relative_to(source.parent.parent))
    conf = {"wpath": wpath, "rnodes": [local.node]}
    assert ask(conf, "--once").returncode == 0
    explained = ask(conf, "--explain", str(source / "sub" / "deep")).stdout.splitlines()
    landed = Path(explained[-1].removeprefix("  lands at "))
    assert landed.read_text() == "x", "it is where --explain said"
    landed.write_text("drift")
    result = ask(conf, "--verify")
    assert result.returncode == 5
    assert lines_with(result.stdout, ": sub/deep: content")


@pytest.mark.parametrize("allowed", ["", "md5"])
def test_the_checksum_of_local_runs_is_rsyncs_own_choice(
    ask: Callable, source: Path, local: Place, allowed: str
) -> None:
    environment = {"RSYNC_CHECKSUM_LIST": allowed} if allowed else {}
    result = ask(settings(source, local.node), "--once", "-v", environment=environment)
    assert result.returncode == 0, result.stderr
    # rsync ends with 4 when it is told to take one that is not among those in the environment.
    listed = rsync_lists_checksums()
    assert ("--checksum-choice=" in result.stderr) == (listed and not allowed)


def rsync_lists_checksums() -> bool:
    """Return whether this rsync says which checksums it has; those before 3.2.0 do not."""
    told = subprocess.run(["rsync", "--version"], capture_output=True, text=True, check=True)
    return "Checksum list:" in told.stdout


def test_once_shows_on_a_terminal_how_far_it_is(
    source: Path, local: Place, fakersync: FakeRsync, tmp_path: Path
) -> None:
    fakersync.always(hold=True)
    folder = tmp_path / "config"
    folder.mkdir(mode=0o755)
    file = folder / "c.conf"
    file.write_text(config_text(settings(source, local.node, rsync=str(fakersync.path))))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        inosync_command("-c", file, "--once"),
        cwd=folder,
        env=inosync_environment({"COLUMNS": "200"}),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    while f"0 of 1 mirror done; {local.node}: comparing".encode() not in shown:
        shown += os.read(ours, 4096)  # ends with an error when the program does
    fakersync.release()
    output, _ = process.communicate(timeout=20)
    os.close(ours)
    assert process.returncode == 0
    assert "equal: 0 files sent" in output


# ---- --check --------------------------------------------------------------------------------


def test_all_is_well(ask: Callable, source: Path, place: Place) -> None:
    write(source, "sub/x", "x")
    before = snapshot(place.root)
    result = ask(settings(source, place.node), "--check", environment=place.environment)
    assert result.returncode == 0, result.stdout
    assert lines_with(result.stdout, "ok ", "2 directories to watch")
    assert lines_with(result.stdout, "ok ", "reachable")
    assert result.stdout.splitlines()[-1].startswith("0 problems, ")
    assert snapshot(place.root) == before


def test_a_wrong_config(ask: Callable, source: Path) -> None:
    result = ask({"wpath": f"{source}/", "rnode": []}, "--check")
    assert result.returncode == 2
    assert lines_with(result.stdout, "problem", "rnodes: is missing")


def test_nodes_of_all_kinds_that_would_not_work(
    ask: Callable, source: Path, tmp_path: Path, rsync_daemon: RsyncDaemon
) -> None:
    write(source, "fraction", "x")
    (tmp_path / "file").write_text("x")
    config = rsync_daemon.folder / "rsyncd.conf"
    secrets = tmp_path / "secrets"
    secrets.write_text("me:secret\n")
    secrets.chmod(0o600)
    (tmp_path / "wrong").write_text("guess\n")
    (tmp_path / "wrong").chmod(0o600)
    config.write_text(
        f"{config.read_text()}[closed]\npath = {tmp_path}\nread only = yes\n"
        f"[secret]\npath = {tmp_path}\nauth users = me\nsecrets file = {secrets}\n"
    )
    url = f"rsync://127.0.0.1:{rsync_daemon.port}"
    nodes = {
        f"{tmp_path}/no/such/": "the parent directory does not exist",
        f"{tmp_path}/file/": "is no directory there",
        f"{url}/closed/": "the module is read only; set 'read only = no'",
        f"{url}/nowhere/": "exit 5",
        f"{url}/secret/a/": "a password (Password: @ERROR: auth failed on module secret); give the",
        f"{url}/mirror/no/such/": "the parent directory does not exist there; create it",
        f"rsync://127.0.0.1:{free_port()}/m/": "exit 10",
        # 255 of ssh, or rsync's own 12 when it noticed first that nobody listens.
        "no.such.host.invalid:/m/": "(ssh: ",
    }
    guess = {"node": f"{url}/secret/b/", "extra": f"--password-file={tmp_path}/wrong"}
    result = ask(settings(source, *nodes, guess), "--check")  # type: ignore[arg-type]
    assert result.returncode == 2
    nodes[f"{url}/secret/b/"] = "another user (@ERROR: auth failed on module secret); compare what"
    for node, text in nodes.items():
        assert lines_with(result.stdout, "problem", f"-> {node}: ", text), result.stdout
    assert result.stdout.splitlines()[-1].startswith("9 problems, ")


def test_links_that_an_rsync_daemon_alters_are_named(
    ask: Callable, source: Path, rsync_daemon: RsyncDaemon, tmp_path: Path
) -> None:
    config = rsync_daemon.folder / "rsyncd.conf"
    text = config.read_text()
    for module, munges in (("munging", "yes"), ("stripping", "no")):
        (tmp_path / module).mkdir()
        text += f"[{module}]\npath = {tmp_path / module}\nread only = no\n"
        text += f"munge symlinks = {munges}\n"
    config.write_text(text)
    (source / "in -> side").symlink_to("first")
    (source / "new\nline").symlink_to("/etc/passwd")
    (source / "excluded").symlink_to("/etc")
    url = f"rsync://127.0.0.1:{rsync_daemon.port}"
    told = settings(source, f"{url}/munging/", f"{url}/stripping/", rexcludes=["/excluded"])
    assert ask(told, "--once").returncode == 0
    disarmed = (
        "-> {url}/munging/: ",
        "2 links are disarmed there, such as",
        "'munge symlinks = no'",
    )
    stripped = (
        "-> {url}/stripping/: ",
        "1 link is made to lead elsewhere there, such as new\\nline (etc/passwd for /etc/passwd)",
        "'use chroot = yes'",
    )
    for command, level in (("--check", "warning"), ("--verify", "note: ")):
        result = ask(told, command)
        assert result.returncode == 0, result.stdout
        for words in (disarmed, stripped):
            assert lines_with(result.stdout, level, *(word.format(url=url) for word in words))


def test_a_node_that_never_answers_is_given_up(
    ask: Callable, source: Path, fakersync: FakeRsync, local: Place
) -> None:
    fakersync.always(hold=True)
    result = ask(settings(source, local.node, rsync=str(fakersync.path), rtimeout=1), "--check")
    assert result.returncode == 2
    assert lines_with(result.stdout, "problem", "no answer within 1 s")


@pytest.mark.skipif("INOSYNC_RRSYNC" in os.environ, reason="rrsync lets no script look there")
def test_what_ssh_tells_of_a_node(
    ask: Callable, source: Path, ssh_server: SshServer, tmp_path: Path
) -> None:
    (source / "sub").mkdir()
    nodes = {
        ssh_server.url(tmp_path / "no" / "such"): "the parent directory does not exist",
        ssh_server.url(source / "sub" / "m"): "is this machine, and puts the mirror at",
        ssh_server.url(source / "first"): "is no directory there",
    }
    result = ask(settings(source, *nodes), "--check", environment=ssh_server.environment())
    assert result.returncode == 2
    for node, text in nodes.items():
        assert lines_with(result.stdout, "problem", f"-> {node}: ", text), result.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_it_looks_as_the_daemons_user(ask: Callable, open_path: Path, tmp_path: Path) -> None:
    source, mirror = open_path / "source", open_path / "mirror"
    for folder in (source, mirror):
        folder.mkdir()
    write(source, "secret", "x")
    (source / "secret").chmod(0o600)
    result = ask(settings(source, f"{mirror}/", user="nobody"), "--check")
    assert result.returncode == 2
    assert lines_with(result.stdout, "problem", "1 path cannot be read by nobody, such as secret")
    assert lines_with(result.stdout, "problem", "the directory cannot be written to by the user")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is led astray")
def test_an_rsync_that_loses_races_is_named_where_others_may_write(
    ask: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    """--once logs as the daemon does."""
    for top in (source, local.root):
        (top / "of nobody").mkdir(parents=True)
        os.chown(top / "of nobody", 65534, 65534)
    conf = settings(source, local.node, rsync=str(fakersync.path))
    for version, count in (("3.3.9", 2), ("3.4.0", 0)):
        fakersync.always(version=version, delegate=True)
        for command in (["--check"], ["--once", "-v"]):
            result = ask(conf, *command)
            said = (result.stdout + result.stderr).splitlines()
            warned = [line for line in said if "nobody may write there, and" in line]
            assert len(warned) == count
            assert all("install rsync 3.4.0 or later, or set user" in line for line in warned)
            assert [str(source / "of nobody") in line for line in warned] == [True, False][:count]


def test_times_that_are_rounded(ask: Callable, source: Path, local: Place, tmp_path: Path) -> None:
    write(source, "one", "1")
    write(source, "two", "2")
    conf = settings(source, local.node)
    assert ask(conf, "--once").returncode == 0
    for path in local.root.iterdir():  # as FAT does
        os.utime(path, (int(path.stat().st_atime), int(path.stat().st_mtime)))
    result = ask(conf, "--check")
    assert result.returncode == 2
    assert lines_with(result.stdout, "problem", 'extra = "--modify-window=0"')
    told = settings(source, {"node": local.node, "extra": "--modify-window=0"})  # type: ignore[arg-type]
    assert ask(told, "--check").returncode == 0


def test_a_source_that_would_be_held_and_times_to_come(
    ask: Callable, source: Path, local: Place, tmp_path: Path, fakersync: FakeRsync
) -> None:
    fakersync.always(version="3.1.0")
    empty = tmp_path / "empty"
    empty.mkdir()
    os.utime(source / "first", (4e9, 4e9))
    conf = {
        "wpaths": [f"{source}/", f"{empty}/"],
        "rpaths": [f"{local.root}/1", f"{local.root}/2"],
        "rnodes": [""],
        "rsync": str(fakersync.path),
    }
    result = ask(conf, "--check")
    assert result.returncode == 2
    assert lines_with(result.stdout, "problem", f"{empty}: is empty: it would be held")
    assert lines_with(result.stdout, "warning", "times in the future: first")
    assert lines_with(result.stdout, "warning", "rsync 3.1.0 compares whole seconds")
    assert result.stdout.endswith("1 problem, 2 warnings\n")


# ---- --explain ------------------------------------------------------------------------------


def test_explain(ask: Callable, source: Path, local: Place) -> None:
    write(source, "cache/x", "x")
    conf = settings(source, local.node, "host:/www", excludes=["*.bak", "/cache/"])
    hidden = ask(conf, "--explain", str(source / "cache" / "x"))
    assert hidden.returncode == 0
    assert f"excludes[1] = '/cache/' hides {source}/cache and all below it" in hidden.stdout
    sent = ask(conf, "--explain", str(source / "first"))
    assert sent.stdout.splitlines()[0].endswith("included: no rule matches it")
    assert f"  lands at {local.root}/first" in sent.stdout.splitlines()
    assert "  lands at host:/www/first" in sent.stdout.splitlines()
    outside = ask(conf, "--explain", "/etc/passwd")
    assert outside.returncode == 2
    assert "lies in no source" in outside.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--once", "--verify"), ("--repair",), ("--check", "-d"), ("--check", "--node", "x")],
)
def test_what_does_not_go_together(ask: Callable, source: Path, arguments: tuple[str]) -> None:
    assert ask(settings(source, "/m/"), *arguments).returncode == 2


# ---- rverify --------------------------------------------------------------------------------


def test_the_daemon_finds_drift_and_tells_it_once(
    inosync: Callable, source: Path, local: Place
) -> None:
    fill(source)
    age(source)
    daemon = inosync(settings(source, local.node, edelay=0.1, rverify=0.3))
    daemon.wait_for_log("in sync (first pass")
    kept = (local.root / "content").stat()
    (local.root / "content").write_text("content hare\n")
    os.utime(local.root / "content", ns=(kept.st_atime_ns, kept.st_mtime_ns))
    daemon.wait_for_log("1 path differs from the source: content: content")
    seen = run_inosync("-c", daemon.config_file, "--status", cwd=daemon.folder)
    assert all(each in seen.stdout for each in ("drift", "1 path", "content: content"))
    assert (local.root / "content").read_text() == "content hare\n", "it was only to report"

    # A change is not delayed by comparisons, and afterwards all is equal once more.
    write(source, "content", "content new!\n")
    until(lambda: (local.root / "content").read_text() == "content new!\n", what="the change")
    daemon.wait_for_log("equal to the source again")
    assert daemon.log().count("differs from the source") == 1


def test_a_comparison_gives_way_to_a_change(
    inosync: Callable, source: Path, local: Place, fakersync: FakeRsync
) -> None:
    fakersync.always(delegate=True)
    daemon = inosync(
        settings(source, local.node, edelay=0.1, rverify=0.5, rsync=str(fakersync.path))
    )
    daemon.wait_for_log("in sync (first pass")
    fakersync.always(hold=True)
    until(lambda: "--checksum" in fakersync.calls()[-1].argv, what="a comparison")
    fakersync.always(delegate=True)
    write(source, "urgent", "x")
    until((local.root / "urgent").exists, what="the change")
    assert daemon.stop() == 0
    assert daemon.leftovers() == []
