"""What people bring along works: docs/moving-here.rst, row by row.

Command lines and configs are those of the old READMEs, as they stand there where the syntax is
ours. What other tests show already is not shown again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import PROJECT, Daemon, inosync_command, inosync_environment, run_inosync
from support.places import Place, wait_equal
from support.trees import compare, snapshot, write
from support.waiting import until, until_empty
from support.world import World

from inosync.config.settings import SETTINGS
from inosync.rsync.filters import compile_filters

CLASSIC = PROJECT / "tests/data/classic"
GUIDE = PROJECT / "docs/moving-here.rst"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Other hosts, and a /var with /var/www in it."""
    result = World(tmp_path / "world")
    write(result.var, "www/index.html", "x")
    write(result.var, "www/localhost/private", "x")
    write(result.var, "www/deep/er/movie.bin", "x")
    yield result
    result.stop()


def config(world: World, text: str) -> Path:
    """Write a config where it is trusted."""
    world.folder.chmod(0o755)
    path = world.folder / "default.py"
    path.write_text(text)
    path.chmod(0o644)
    return path


# hollow/inosync


def test_the_config_of_0_2_2(world: World) -> None:
    world.start(["-c", config(world, (CLASSIC / "hollow.conf").read_text())])
    shutil.copytree(world.var / "www", world.folder / "expected", symlinks=True)
    shutil.rmtree(world.folder / "expected/localhost")
    for name in "abc":
        until(
            lambda name=name: (world.host(f"{name}.mirror.com") / "var/www/index.html").exists(),
            what=f"the mirror on {name}",
            state=world.log,
        )
        mirror = world.host(f"{name}.mirror.com") / "var/www"
        until(
            lambda mirror=mirror: not compare(world.folder / "expected", mirror, ignore_times=True),
            what="an equal mirror without what is excluded",
            state=world.log,
        )


def test_the_config_of_0_2_3(world: World) -> None:
    write(world.var, "mail/file", "x")
    text = """
        wpaths = ["/var/www/", "/var/mail"]
        rpaths = ["/var/cluster/www/", "/var/cluster/"]
        rnodes = ["user1@a.mirror.com:", "user2@b.mirror.com:"]
        extra = "--owner --group"
        edelay = 1
    """
    world.start(["-c", config(world, textwrap.dedent(text))])
    for name in ("a.mirror.com", "b.mirror.com"):
        wait_equal(world.var / "www", world.host(name) / "var/cluster/www")
        wait_equal(world.var / "mail", world.host(name) / "var/cluster/mail")


def test_pretending_logs_the_classic_command(world: World) -> None:
    world.start(["-p", "-c", config(world, (CLASSIC / "hollow.conf").read_text())])
    world.wait_for_log("c.mirror.com:/var/www/")
    (line,) = [
        line
        for line in world.log().splitlines()
        if "would execute" in line and "c.mirror.com" in line
    ]
    words = line.split()
    assert "-ltrp --delete" in line
    assert "--exclude=/localhost" in words
    assert words[-2:] == ["/var/www/", "c.mirror.com:/var/www/"]
    assert not world.host("c.mirror.com").exists()


def test_where_the_config_is_looked_for(world: World) -> None:
    etc = world.folder / "etc"
    for name in ("passwd", "group", "nsswitch.conf"):
        (etc / "inosync").mkdir(parents=True, exist_ok=True)
        shutil.copy(f"/etc/{name}", etc)
    script = 'mount --bind "$0" /etc && exec "$@"'
    command = [*world.unshare, "sh", "-c", script, etc, *inosync_command("--explain", world.var)]

    def lands() -> str:
        ran = subprocess.run(
            command, env=inosync_environment(), capture_output=True, text=True, check=False
        )
        return ran.stdout + ran.stderr

    assert "no config: write /etc/inosync.py or /etc/inosync/default.py" in lands()
    for name in ("inosync/default.py", "inosync.py"):  # the second one wins
        (etc / name).write_text(f'wpath = "{world.var}/"\nrnodes = ["host:/from/{name}"]\n')
        (etc / name).chmod(0o644)
        (etc / name).parent.chmod(0o755)
        assert f"host:/from/{name}" in lands()


def test_excludes_from_a_file_and_one_file_alone(
    inosync: Callable[..., Daemon], source: Path, local: Place, tmp_path: Path
) -> None:
    block = (PROJECT / "docs/rsync.rst").read_text().partition("    from pathlib import Path\n")
    lines = textwrap.dedent(block[1] + block[2].partition("SIGHUP")[0])
    alone = 'rexcludes = ["+ /file", "*"]'
    guide = " ".join(GUIDE.read_text().split())
    assert f"``{alone}``" in guide
    excludes = tmp_path / "excludes"
    excludes.write_bytes(b"\xef\xbb\xbf# all *\r\n\r\n*.bin\r\n;*\n/first\n\xff\n")
    text = f'wpath = "{source}/"\nrnodes = ["{local.root}/"]\nedelay = 0.1\n'
    from_file = f"{text}{lines}".replace("/etc/excludes", str(excludes))
    for name in ("movie.bin", "file", "other"):
        write(source, name, "x")
    daemon = inosync(from_file)
    until(lambda: set(snapshot(local.root)) == {b".", b"file", b"other"}, what="two files")
    excludes.write_text("*.bin\n")
    daemon.hup()
    until((local.root / "first").exists, what="what is excluded no longer", state=daemon.log)
    assert not (local.root / "movie.bin").exists()
    daemon.stop()
    for path in local.root.iterdir():
        path.unlink()
    inosync(text + alone, name="alone")
    until(lambda: set(snapshot(local.root)) == {b".", b"file"}, what="one file")


# inorun


def test_a_program_for_each_event_is_refused(world: World) -> None:
    text = 'wpath = "/etc"\nrnodes = ["a:/x"]\nemask = {"IN_CREATE": "/bin/true"}\n'
    ended = run_inosync("-c", config(world, text), cwd=world.folder)
    assert ended.returncode == 2
    assert "names a program per event, as inorun did" in ended.stderr


# setop/inosync


def test_the_config_of_setop(world: World) -> None:
    text = textwrap.dedent((CLASSIC / "setop.conf").read_text())
    world.start(["-c", config(world, text)])
    for name in ("a.mirror.com", "b.mirror.com", "c.mirror.com"):
        mirror = world.host(name) / "var/www/www"  # without a slash, as for rsync
        until((mirror / "index.html").exists, what=f"the mirror on {name}", state=world.log)
        until((mirror / "deep/er").exists, what="all of it")
        assert not (mirror / "deep/er/movie.bin").exists()


def test_setops_way_narrow_at_once_and_nothing_at_start(
    inosync: Callable[..., Daemon], source: Path, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    write(mirror, "elsewhere/stale", "x")
    write(source, "it's 100% of it/6/x", "x")
    (source / "elsewhere").mkdir()
    daemon = inosync(
        {
            "wpath": f"{source}/",
            "rpath": f"{mirror}/",
            "rnodes": [""],
            "rexcludes": ["*/6/*", "*.bin"],
            "rscope": "changes",
            "edelay": 0,
            "init": False,
        }
    )
    assert not (mirror / "first").exists()
    write(source, "it's 100% of it/new file", "x")
    write(source, "movie.bin", "x")
    until((mirror / "it's 100% of it/new file").exists, what="the change", state=daemon.log)
    # Neither a pass at start nor one for the change: what did not change was not looked at.
    assert (mirror / "elsewhere/stale").exists()
    assert not (mirror / "first").exists()
    (source / "it's 100% of it").rename(source / "moved")
    until((mirror / "moved/new file").exists, what="the moved directory", state=daemon.log)
    until(lambda: not (mirror / "it's 100% of it").exists(), what="the old name gone")
    assert not (mirror / "moved/6/x").exists()
    assert not (mirror / "movie.bin").exists()


# pylsyncd: its README's command lines, {t} in place of /tmp

ROWS = [
    # what stands behind "pylsyncd", the current directory, what is watched, where it has to be
    ("{t}/src/./ {t}/dst/", "{t}", "{t}/src", ["{t}/dst"]),
    ("{t}/foo/./bar/baz {t}/destination", "{t}", "{t}/foo/bar/baz", ["{t}/destination/bar/baz"]),
    ("{t}/src/./ {t}/destination", "{t}", "{t}/src", ["{t}/destination"]),
    (
        ". srv2.example.com: srv3.example.net: srv4.example.org:",
        "/var/www",
        "{var}/www",
        ["{srv2.example.com}/home", "{srv3.example.net}/home", "{srv4.example.org}/home"],
    ),
    (
        "/var/www www-data@srv2.example.com:",
        "{t}",
        "{var}/www",
        ["{srv2.example.com}/home/var/www"],
    ),
    (
        "/var/www/ www-data@srv2.example.com:/",
        "{t}",
        "{var}/www",
        ["{srv2.example.com}/var/www"],
    ),
    (
        "/var/www/./ www-data@srv2.example.com:/var/cluster/www",
        "{t}",
        "{var}/www",
        ["{srv2.example.com}/var/cluster/www"],
    ),
    ("/var/./www host:/var/x", "{t}", "{var}/www", ["{host}/var/x/www"]),
    ("www {t}/dst", "/var", "{var}/www", ["{t}/dst/var/www"]),
    ("./ {t}/dst", "/var/www", "{var}/www", ["{t}/dst"]),
    ("{t}/src {t}/dst", "{t}", "{t}/src", ["{t}/dst{t}/src"]),
]


@pytest.mark.parametrize(("line", "cwd", "source", "mirrors"), ROWS, ids=[row[0] for row in ROWS])
def test_where_a_command_line_puts_it(
    world: World, tmp_path: Path, line: str, cwd: str, source: str, mirrors: list[str]
) -> None:
    write(tmp_path, "src/sub/file", "x")
    write(tmp_path, "foo/bar/baz/file", "x")
    write(tmp_path, "foo/bar/beside", "x")
    write(world.var, "cluster", "x").unlink()
    for name in ("srv2.example.com", "host"):
        (world.host(name) / "var/cluster").mkdir(parents=True)

    def place(text: str) -> Path:
        text = text.replace("{t}", str(tmp_path)).replace("{var}", str(world.var))
        return Path(re.sub(r"\{([\w.]+)\}", lambda found: str(world.host(found[1])), text))

    arguments = [word.replace("{t}", str(tmp_path)) for word in line.split()]
    world.start(arguments, cwd=place(cwd))
    for mirror in mirrors:
        until(place(mirror).is_dir, what=f"{mirror}", state=world.log)
        wait_equal(place(source), place(mirror))
    assert not list(tmp_path.glob("destination/**/beside"))
    # Without a virtual root, it is said where it goes.
    assert ("has no /./ in it" in world.log()) == ("/./" not in line and line[0] != ".")


@pytest.mark.skipif(
    os.geteuid() != 0, reason="in a user's namespace an rsync daemon cannot set its groups"
)
def test_a_command_line_with_a_module(world: World, tmp_path: Path) -> None:
    (tmp_path / "webdata").mkdir()
    ids = "uid = 0\ngid = 0\n"
    settings = tmp_path / "rsyncd.conf"
    settings.write_text(
        f"use chroot = no\nlog file = {tmp_path}/rsyncd.log\n{ids}"
        f"[webdata]\npath = {tmp_path}/webdata\nread only = no\n"
    )
    program = {"RSYNC_CONNECT_PROG": f"rsync --daemon --config={settings}"}
    world.start(["/var/www/./", "srv2.example.com::webdata"], environment=program)
    wait_equal(world.var / "www", tmp_path / "webdata")


def test_a_command_line_that_pretends(world: World) -> None:
    world.start(["-p", "/var/www", "www-data@srv2.example.com:"])
    world.wait_for_log("would execute")
    assert re.search(r" --relative .* /\./var/www www-data@srv2\.example\.com:$", world.log(), re.M)
    assert not world.host("srv2.example.com").exists()


def test_hard_links_and_owners_come_with_extra(
    inosync: Callable[..., Daemon], source: Path, local: Place
) -> None:
    os.link(source / "first", source / "second")
    inosync({"wpath": f"{source}/", "rnodes": [local.node], "extra": "-ogDH", "edelay": 0.1})
    wait_equal(source, local.root)
    one, two = (local.root / "first").stat(), (local.root / "second").stat()
    assert one.st_ino == two.st_ino
    if os.geteuid() == 0:  # nobody else can give files away
        os.chown(source / "first", 12345, 12346)
        owner = (12345, 12346)
        until(
            lambda: ((found := (local.root / "first").stat()).st_uid, found.st_gid) == owner,
            what="the new owner",
        )


# clsync and lsyncd


def blocks(title: str) -> list[str]:
    """Return the literal blocks of a section of the guide."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", section(title))
    return [textwrap.dedent(block) for block in found]


def test_the_translated_configs_of_clsync(
    inosync: Callable[..., Daemon], source: Path, local: Place
) -> None:
    simple, instant, slow, few = (
        text.replace('"/tmp/todir', f'"{local.root}')
        .replace('"backup:/home/user', f'"{local.root}')
        .replace('"mirror:/home/user', f'"{local.root}')
        .replace('"/tmp/fromdir', f'"{source}')
        .replace('"/home/user', f'"{source}')
        for text in blocks("clsync")
    )
    assert "edelay = 30" in simple
    assert "edelay = 600" in slow
    for number, text in enumerate((simple, slow)):
        daemon = inosync(text + instant, name=f"daemon-{number}")
        wait_equal(source, local.root)
        write(source, f"new/{number}", "x")
        wait_equal(source, local.root)
        assert daemon.stop() == 0
    for path in (".ssh/authorized_keys", ".ssh/id_rsa", "mail/in/box", "huge/tree"):
        write(source, path, "x")
    daemon = inosync(few + instant, name="few")
    until((local.root / "mail/in/box").exists, what="few files", state=daemon.log)
    write(source, "mail/in/new", "x")
    until((local.root / "mail/in/new").exists, what="a change", state=daemon.log)
    assert (local.root / ".ssh/authorized_keys").exists()
    assert not (local.root / ".ssh/id_rsa").exists()
    assert not (local.root / "huge").exists()


def test_what_is_deleted_can_be_kept(
    inosync: Callable[..., Daemon], source: Path, local: Place, tmp_path: Path
) -> None:
    assert '``extra = "--backup --backup-dir=..."``' in GUIDE.read_text()
    kept = tmp_path / "kept"
    extra = f"--backup --backup-dir={kept}"
    inosync({"wpath": f"{source}/", "rnodes": [local.node], "extra": extra, "edelay": 0.1})
    wait_equal(source, local.root)
    (source / "first").unlink()
    until((kept / "first").exists, what="what was deleted")
    wait_equal(source, local.root)


RULES = [
    # what the guide says is the same, what is mirrored, and what is not
    (['"/cache/"'], ["a/cache/x"], ["cache/x"]),
    (['"*.tmp"'], ["a/b.tmpx"], ["x.tmp", "a/b.tmp"]),
    (['".git"'], ["a/.gitignore"], [".git/x", "a/.git/x"]),
    (['"+ /a/", "+ /a/b/***", "*"'], ["a/b/c/d"], ["a/x", "x", "x/a"]),
    (
        ['rexcludes = ["+ /*/", "+ /*/.ssh/", "+ /*/.ssh/authorized_keys", "*"]'],
        ["me/.ssh/authorized_keys"],
        ["me/.ssh/id_rsa", "me/file", "file", "me/sub/.ssh/authorized_keys"],
    ),
    (
        [
            'rexcludes = ["+ /passwd", "+ /group", "+ /shadow", "+ /ssh/",',
            '"+ /ssh/sshd_config", "*"]',
        ],
        ["passwd", "group", "shadow", "ssh/sshd_config"],
        ["hosts", "ssh/ssh_host_rsa_key", "x/passwd"],
    ),
]


@pytest.mark.parametrize(("rules", "sent", "kept"), RULES, ids=[row[0][0] for row in RULES])
def test_the_translated_rules_of_clsync(rules: list[str], sent: list[str], kept: list[str]) -> None:
    assert all(f"``{rule}``" in GUIDE.read_text() for rule in rules)
    filters = compile_filters(tuple(re.findall('"([^"]+)"', " ".join(rules))))

    def mirrored(path: str) -> bool:
        parents = [str(parent) for parent in reversed(Path(path).parents)][1:]
        above = all(filters.admits_path(parent.encode(), directory=True) for parent in parents)
        return above and filters.admits_path(path.encode(), directory=False)

    assert [path for path in sent if not mirrored(path)] == []
    assert [path for path in kept if mirrored(path)] == []


def test_a_sync_of_lsyncd_that_deletes_nothing(
    inosync: Callable[..., Daemon], source: Path, local: Place, tmp_path: Path
) -> None:
    pytest.importorskip("lupa", reason="lupa, which runs lsyncd's configs, is not installed")
    file = tmp_path / "lsyncd.conf.lua"
    file.write_text(
        f'sync{{default.rsync, source="{source}", target="{local.root}", delete=false, delay=0,'
        ' exclude={"*.tmp", "cache/"}, rsync={archive=true}}'
    )
    printed = run_inosync("--from-lsyncd", file, cwd=tmp_path)
    assert printed.returncode == 0, printed.stderr
    write(local.root, "stale", "x")
    write(source, "cache/x", "x")
    daemon = inosync(printed.stdout)
    until((local.root / "first").exists, what="the first pass", state=daemon.log)
    write(source, "new", "x")
    write(source, "no.tmp", "x")
    (source / "first").unlink()
    until((local.root / "new").exists, what="a change", state=daemon.log)
    assert set(snapshot(local.root)) == {b".", b"stale", b"first", b"new"}


def test_a_sync_of_lsyncd_that_deletes(
    inosync: Callable[..., Daemon], source: Path, local: Place, tmp_path: Path
) -> None:
    pytest.importorskip("lupa", reason="lupa, which runs lsyncd's configs, is not installed")
    file = tmp_path / "lsyncd.conf.lua"
    file.write_text(f'sync{{default.direct, source="{source}", target="{local.root}", delay=0}}')
    write(local.root, "stale", "x")
    inosync(run_inosync("--from-lsyncd", file, cwd=tmp_path).stdout)
    wait_equal(source, local.root)
    write(source, "a/b/c", "x")
    wait_equal(source, local.root)
    (source / "a").rename(source / "d")
    wait_equal(source, local.root)


@pytest.mark.skipif(not shutil.which("lsyncd"), reason="lsyncd is not installed")
def test_it_does_what_lsyncd_does(
    inosync: Callable[..., Daemon], source: Path, tmp_path: Path
) -> None:
    """The same config, carried out by lsyncd and, converted, by inosync."""
    pytest.importorskip("lupa", reason="lupa, which runs lsyncd's configs, is not installed")
    for path in ("cache/x", "a/cache/x", "a/keep.txt", "a/b.tmp", "root.tmp", "only/in/root"):
        write(source, path, "x")
    text = """
        settings { logfile = "{t}/lsyncd.log", nodaemon = true, insist = true }
        local rules = { "/cache/", "*.tmp", "in/root" }
        sync {
            default.rsync, source = "{t}/source", target = target, delay = 0, exclude = rules,
            rsync = { archive = true, hard_links = true },
        }
    """
    files = {}
    for name in ("lsyncd", "inosync"):
        (tmp_path / f"mirror of {name}").mkdir()
        write(tmp_path, f"mirror of {name}/stale", "x")
        files[name] = tmp_path / f"{name}.lua"
        target = f'target = "{tmp_path}/mirror of {name}"\n'
        files[name].write_text(target + text.replace("{t}", str(tmp_path)))
    with open(tmp_path / "output", "wb") as output:
        lsyncd = subprocess.Popen(["lsyncd", files["lsyncd"]], stdout=output, stderr=output)
    try:
        inosync(run_inosync("--from-lsyncd", files["inosync"], cwd=tmp_path).stdout)
        theirs, ours = tmp_path / "mirror of lsyncd", tmp_path / "mirror of inosync"

        def equal() -> None:  # but for the times of directories, in which lsyncd is late
            until_empty(lambda: compare(theirs, ours, ignore_times=True), what="equal mirrors")

        def settle(path: str) -> None:
            until((theirs / path).exists, what=f"{path} by lsyncd")
            equal()

        settle("a/keep.txt")
        assert not (ours / "stale").exists()
        assert not (ours / "cache").exists()
        assert (ours / "a/cache/x").exists()
        write(source, "a/new.tmp", "x")
        write(source, "new/cache/x", "x")
        (source / "a/keep.txt").unlink()
        write(source, "z", "x")
        settle("z")
        until(lambda: not (theirs / "a/keep.txt").exists(), what="the deletion by lsyncd")
        equal()
    finally:
        lsyncd.kill()
        lsyncd.wait()


# The guide itself


def test_the_guide_names_settings_that_exist() -> None:
    ours = {name for setting in SETTINGS for name in setting.names}
    theirs = {"delete", "action", "subdirs", "archive"}
    code = re.findall("``([^`]+)``", GUIDE.read_text())
    named = {found[1] for text in code if (found := re.match(r"([a-z]+) = (?!\{)", text))}
    assert named >= {"edelay", "rscope", "extra", "eopen"}
    assert named - ours - theirs == set()


#: What the neighbours' manuals list.
THEIRS = {
    "hollow/inosync 0.2 to 0.2.3": "-c -d -p -v --version -h wpath wpaths rpath rpaths rnodes"
    " rexcludes excludes rspeed emask edelay rsync logfile extra",
    "inorun": "emask initevent edelay",
    "setop/inosync 0.1.0": "-c -v wpath rpath rnodes rexcludes extra rspeed rsync logfile edelay"
    " emask",
    "pylsyncd 0.1": "-i -n --dry-run -d -v -q -s 1000 ionice SIGHUP -HpltogD",
    "lsyncd": "default.rsync default.rsyncssh default.direct -rsync -rsyncssh -direct source"
    " target host targetdir delay maxDelays maxProcesses init insist exclude excludeFrom filter"
    " filterFrom delete inotifyMode rsync ssh batchSizeLimit crontab onepass tunnel logfile -log"
    " logident logfacility subdirs xargs -sshopts"
    " statusFile statusInterval -onepass lpostcmd.lua pidfile nodaemon HUP TERM 23 143 onCreate"
    " action",
}


def section(title: str) -> str:
    """Return the text of a section of the guide."""
    _, _, text = GUIDE.read_text().partition(f"\n{title}\n====")
    assert text, title
    return re.split(r"\n[^\n]+\n={3,}\n\n", text)[0]


@pytest.mark.parametrize("title", THEIRS)
def test_the_guide_names_what_they_have(title: str) -> None:
    text = section(title)
    missing = [
        word
        for word in THEIRS[title].split()
        if not re.search(rf"(?<![\w-]){re.escape(word)}(?!\w)", text)
    ]
    assert missing == []


@pytest.mark.skipif(not shutil.which("clsync"), reason="clsync is not installed")
def test_the_guide_names_every_option_of_clsync() -> None:
    shown = subprocess.run(["clsync", "--help"], capture_output=True, text=True, check=False)
    options = re.findall(r"^\S+\s+(--[\w-]+)", shown.stdout + shown.stderr, re.MULTILINE)
    assert len(options) > 50
    text = section("clsync")
    # Their short forms are there; the last one has another name in its manual.
    others = {"--verbose", "--debug", "--quiet", "--help", "--version", "--exit-on-sync-skipping"}
    assert {option for option in options if option not in text} <= others
