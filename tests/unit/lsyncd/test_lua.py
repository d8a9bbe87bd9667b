"""lsyncd's configs become ours: what is printed loads, and says the same."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.daemon import run_inosync

from inosync.config.load import load
from inosync.config.model import Config
from inosync.errors import ConfigError
from inosync.lsyncd.lua import convert, read

lupa = pytest.importorskip("lupa", reason="lupa, which runs lsyncd's configs, is not installed")

#: Where Debian has the examples of lsyncd itself.
INSTALLED = Path("/usr/share/doc/lsyncd/examples")


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], Config]:
    """Convert a config in which {t} is a directory with all that it watches; load the result."""

    def convert_and_load(text: str) -> Config:
        for source in re.findall(r"\{t\}/src[/\w]*", text):
            (tmp_path / source.removeprefix("{t}/")).mkdir(parents=True, exist_ok=True)
        printed = convert(text.replace("{t}", str(tmp_path)), "lsyncd.conf.lua", str(tmp_path))
        file = tmp_path / "default.py"
        file.write_text(printed)
        file.chmod(0o644)
        return load(str(file))

    return convert_and_load


def mirrors(config: Config, base: Path) -> list[tuple[str, str]]:
    """Return what goes where, without the directory that all lies in."""
    return [
        (pair.source.argument.removeprefix(f"{base}/"), pair.destination.text)
        for pair in config.pairs
    ]


# Shapes that are seen most

ARCHIVE = """
settings {
    logfile = "/var/log/lsyncd/lsyncd.log",
    statusFile = "/var/log/lsyncd/lsyncd.status",
    nodaemon = false
}
sync {
    default.rsync,
    source = "{t}/src/",
    target = "root@mirror.example.org:/opt/www/",
    rsync = { archive = true, compress = true, verbose = true, _extra = {"--delete"} }
}
"""
MODULE = """
settings { inotifyMode = "CloseWrite", maxProcesses = 8 }
sync {
    default.rsync,
    source = "{t}/src", target = "backup@192.0.2.41::store", delete = true, exclude = {".*"},
    delay = 1,
    rsync = {
        binary = "/usr/bin/rsync", archive = true,
        password_file = "/etc/rsync.passwd", _extra = {"--bwlimit=200"}
    }
}
"""
SSH_PORT = """
settings { insist = true, statusInterval = 20 }
sync {
    default.rsyncssh, source = "{t}/src", host = "root@192.0.2.40", targetdir = "/home",
    rsync = { archive = true, compress = false, whole_file = false }, ssh = { port = 2222 }
}
"""
SSH_KEY = """
sync {
    default.rsyncssh, source = "{t}/src/", host = "me@far", targetdir = "/data/",
    exclude = { '*.bak', '*.tmp', '._*' }, ssh = { identityFile = "/etc/lsyncd/id_rsa", port = 22 }
}
"""
REMOTE_SHELL = """
settings { nodaemon = true }
sync{
  default.rsync, source = "{t}/src", target = "{t}/mirror", delete = false, maxProcesses = 2,
  rsync = { rsh = "/usr/bin/ssh -p 22 -o StrictHostKeyChecking=no" }
}
"""
LOOP = """
settings { maxDelays = 1, maxProcesses = 5 }
targets = { '192.0.2.2:/srv/html/', '192.0.2.3:/srv/html/' }
for _, target in ipairs(targets) do
    sync { default.rsync, exclude = {'runtime/*', '.git'}, source = "{t}/src", target = target }
end
"""
TABLE = """
local where = { { '{t}/src/foo/', { 'one', 'two' } }, { '{t}/src/bar/', {'one', 'two'} } }
for _, pair in ipairs(where) do
    local path, servers = table.unpack(pair)
    for _, server in ipairs(servers) do
        local target = server .. ':' .. path:sub(#'{t}/')
        sync { default.rsync, source = path, target = target, delay = 1 }
    end
end
"""
SEVERAL = """
sync { default.rsync, source = "{t}/src/a", target = "/mnt/a" }
sync { default.rsync, source = "{t}/src/b", target = "/mnt/b" }
sync { default.rsyncssh, source = "{t}/src/c", host = "far", targetdir = "c", init = false }
"""
EXCLUDE_FROM = """
sync {
    default.rsyncssh, source = "{t}/src", host = "far", targetdir = "/x", delay = 0,
    maxDelays = 0, excludeFrom = "{t}/exclude.lst", rsync = { _extra = {"--omit-dir-times"} }
}
"""
DIRECT = """
sync { default.direct, source = "{t}/src/", target = "{t}/to/" }
"""
FILTER = """
sync {
    default.rsync, source = "{t}/src", target = "/to", delay = 3,
    filter = { '+ /.zshrc', '+ /.vim/***', '- /**', }, exclude = "*.swp"
}
"""
OLD = """
settings = { logfile = "/var/log/lsyncd.log", insist = true, nodaemon = false }
sync{ default.rsyncssh, source="{t}/src/www", host="b.example.org", targetdir="/var/www",
      rsyncOps={"-ausOS", "--temp-dir=/tmp"}, delay=3 }
sync{ default.rsyncssh, source="{t}/src/nginx", host="b.example.org", targetdir="/etc/nginx",
      rsyncOps={"-ausOS", "--temp-dir=/tmp"}, delay=3 }
"""


def test_archive(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(ARCHIVE)
    assert mirrors(config, tmp_path) == [("src/", "root@mirror.example.org:/opt/www/")]
    assert config.nodes[0].extra == ("--delete", "--archive", "--compress")
    assert config.nodes[0].rscope == "changes"
    assert (config.settings[0].edelay, config.settings[0].init) == (15, True)


def test_a_module_of_an_rsync_daemon(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(MODULE)
    assert mirrors(config, tmp_path) == [("src/", "backup@192.0.2.41::store/")]
    assert (config.sources[0].excludes, config.settings[0].edelay, config.rparallel) == (
        (".*",),
        1,
        8,
    )
    passwords = "--password-file=/etc/rsync.passwd"
    assert config.nodes[0].extra == ("--bwlimit=200", "--archive", passwords)


def test_an_ssh_port(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(SSH_PORT)
    assert mirrors(config, tmp_path) == [("src/", "root@192.0.2.40:/home/")]
    assert config.pairs[0].destination.port == 2222
    assert config.nodes[0].extra == ("--archive",)


def test_an_ssh_key(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(SSH_KEY)
    assert mirrors(config, tmp_path) == [("src/", "me@far:/data/")]
    assert config.nodes[0].extra == ("--rsh=ssh -i /etc/lsyncd/id_rsa -p 22",)
    assert config.sources[0].excludes == ("*.bak", "*.tmp", "._*")


def test_a_remote_shell_and_no_deletions(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(REMOTE_SHELL)
    assert mirrors(config, tmp_path) == [("src/", f"{tmp_path}/mirror/")]
    shell = "--rsh=/usr/bin/ssh -p 22 -o StrictHostKeyChecking=no"
    assert (config.nodes[0].extra, config.nodes[0].rdelete) == ((shell,), "never")


def test_a_loop_over_targets(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(LOOP)
    assert mirrors(config, tmp_path) == [
        ("src/", "192.0.2.2:/srv/html/"),
        ("src/", "192.0.2.3:/srv/html/"),
    ]
    assert [source.excludes for source in config.sources] == [("runtime/*", ".git")]


def test_a_loop_over_sources_and_servers(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(TABLE)
    assert sorted(mirrors(config, tmp_path)) == [
        ("src/bar/", "one:/src/bar/"),
        ("src/bar/", "two:/src/bar/"),
        ("src/foo/", "one:/src/foo/"),
        ("src/foo/", "two:/src/foo/"),
    ]


def test_several_syncs(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(SEVERAL)
    assert mirrors(config, tmp_path) == [
        ("src/a/", "/mnt/a/"),
        ("src/b/", "/mnt/b/"),
        ("src/c/", "far:c/"),
    ]
    assert [own.init for own in config.settings] == [True, True, False]


def test_excludes_from_a_file(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    lines = [
        b"\xef\xbb\xbf# comment",
        b"",
        b"*.log",
        b"+ keep.txt",
        b"-cache",
        b"  - /tmp ",
        b"P a",
    ]
    (tmp_path / "exclude.lst").write_bytes(b"\r\n".join(lines) + b"\n\xff\n")
    config = loaded(EXCLUDE_FROM)
    patterns = ("*.log", "cache", "/tmp ", "P a", "\udcff")
    assert config.sources[0].excludes == tuple(f"- {pattern}" for pattern in patterns)
    assert (config.settings[0].edelay, config.nodes[0].extra) == (0, ("--omit-dir-times",))


def test_filters_in_order(loaded: Callable[[str], Config]) -> None:
    config = loaded(FILTER)
    assert config.sources[0].excludes == ("+ /.zshrc", "+ /.vim/***", "- /**", "*.swp")


def test_rules_as_lsyncd_spells_them(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("# comment\n-/cache\n  + /keep\n-*.o\n")
    text = FILTER.replace("'- /**'", "'-/a', '  - /tmp', '+*.c', 'P own'")
    more = 'filterFrom = "{t}/rules", exclude = { "P X", "-x", "+ y" }'
    config = loaded(text.replace('exclude = "*.swp"', more))
    assert config.sources[0].excludes == (
        *("+ /.zshrc", "+ /.vim/***", "- /a", "- /tmp", "+ *.c", "- P X", "-x", "+ y"),
        *("- /cache", "+ /keep", "- *.o"),
    )


def test_a_config_of_lsyncd_2_0(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(OLD)
    assert mirrors(config, tmp_path) == [
        ("src/www/", "b.example.org:/var/www/"),
        ("src/nginx/", "b.example.org:/etc/nginx/"),
    ]
    assert config.nodes[0].extra == ("-ausOS", "--temp-dir=/tmp")


def test_direct(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(DIRECT)
    assert mirrors(config, tmp_path) == [("src/", f"{tmp_path}/to/")]
    assert config.settings[0].edelay == 1


# Corners


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("settings = {maxProcesses = 3}", {"rparallel": 3}),
        ('settings.inotifyMode = "CloseWrite or Modify"', {"eopen": 1}),
        ('settings {inotifyMode = "Modify"}', {"eopen": 1}),
        ('settings {inotifyMode = "CloseWrite"}', {"eopen": 60}),
        ("settings.maxProcesses = 2 local x = settings.maxProcesses + 1", {"rparallel": 2}),
    ],
)
def test_settings(loaded: Callable[[str], Config], text: str, expected: dict[str, object]) -> None:
    config = loaded(text + '\nsync{default.rsync, source="{t}/src", target="host:x"}')
    held = vars(config) | vars(config.settings[0])
    assert {name: held[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bwlimit = 2000", ("rspeed", 2000)),
        ("timeout = 60", ("rtimeout", 60)),
        ("copy_links = true", ("extra", ("--copy-links",))),
        ("copy_links = true", ("rscope", "tree")),
        ("links = false, protect_args = false, times = true", ("extra", ("--no-links",))),
        ("archive = true, group = false", ("extra", ("--archive", "--no-group"))),
        # To lsyncd, false is "not given".
        ("group = false, whole_file = false", ("extra", ())),
        ('rsh = "/usr/bin/ssh"', ("extra", ())),
        ('rsh = "ssh -p 3"', ("extra", ("--rsh=ssh -p 3",))),
        ('_extra = {"--info=progress2"}', ("extra", ())),
        ('_extra = {"-e", "ssh -p 3", "--exclude", "x"}', None),
        ('_extra = "--hard-links"', ("extra", ("--hard-links",))),
        ('_extra = {"--relative", "-H", "oops"}', ("extra", ("-H",))),
        ('chown = "www:www"', ("extra", ("--chown=www:www",))),
        ("dry_run = true", ("extra", ())),
    ],
)
def test_options_of_rsync(
    loaded: Callable[[str], Config], text: str, expected: tuple[str, object] | None
) -> None:
    text = f'sync{{default.rsync, source="{{t}}/src", target="host:x", rsync={{ {text} }}}}'
    config = loaded(text)
    name, value = expected or ("extra", ("-e", "ssh -p 3", "--exclude", "x"))
    assert getattr(config.nodes[0], name) == value


#: The options that lsyncd's rsync table has; a word where they need more than "true".
OPTIONS = (
    "acls append append_verify archive backup backup_dir=/b binary=/usr/bin/rsync bwlimit=1"
    " checksum chmod=u+x chown=a:b compress copy_dirlinks copy_links cvs_exclude dry_run"
    " executability existing group groupmap=*:x hard_links ignore_times inplace ipv4 ipv6"
    " keep_dirlinks links omit_dir_times omit_link_times one_file_system owner"
    " password_file=/p perms protect_args prune_empty_dirs quiet rsh=rsh rsync_path=/r"
    " sparse suffix=x temp_dir=/t timeout=5 times update usermap=*:x verbose whole_file"
    " xattrs"
)


@pytest.mark.parametrize("option", OPTIONS.split())
def test_every_option_of_rsync_is_taken(loaded: Callable[[str], Config], option: str) -> None:
    name, _, word = option.partition("=")
    value = word if word.isdigit() else f'"{word}"' if word else "true"
    text = f'sync{{default.rsync, source="{{t}}/src", target="host:x", rsync={{{name}={value}}}}}'
    (node,) = loaded(text).nodes
    flag = "--" + name.replace("_", "-")
    known = {"binary", "bwlimit", "dry_run", "links", "perms", "protect_args", "quiet", "timeout"}
    expected = () if name in known | {"times", "verbose"} else (f"{flag}={word}" if word else flag,)
    assert node.extra == expected


def test_numbers_that_do_not_go_together(loaded: Callable[[str], Config]) -> None:
    config = loaded(
        'settings {maxProcesses = "1"}\n'
        'sync{default.rsync, source="{t}/src", target="host:x", batchSizeLimit=5, delay="3"}'
    )
    assert (config.rparallel, config.settings[0].rbigsize, config.settings[0].edelay) == (2, 5, 3)


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("delay = -1", "delay = -1: is no number of seconds; left out"),
        ("exitcodes = {[23] = 'ok'}", "exitcodes = {...}: what follows each exit status of rsync"),
        ("xargs = {binary = '/x'}", "xargs = {...}: deletions and renames go through rsync"),
        ("delete = 1", "# delete = 1: is not known; nothing is deleted"),
    ],
)
def test_what_is_left_out_is_said(text: str, comment: str) -> None:
    text = f'sync{{default.rsync, source="a", target="h:x", {text}}}'
    assert comment in convert(text, "conf", "/")
    assert 'settings.inotifyMode = "x"' in convert(f'settings.inotifyMode="x"\n{text}', "c", "/")


def test_a_port_of_ssh(loaded: Callable[[str], Config]) -> None:
    where = 'sync{default.rsyncssh, source="{t}/src", host="h", targetdir='
    config = loaded(where + '"/x", ssh = {port = 2222}}')
    assert (config.pairs[0].destination.text, config.pairs[0].destination.port) == ("h:/x/", 2222)
    config = loaded(where + '"x", ssh = {port = 2222}}')
    assert (config.pairs[0].destination.text, config.pairs[0].destination.port) == ("h:x/", 2222)
    config = loaded(where + '"/x", ssh = {port = 2222, options = {User = "root"}}}')
    assert (config.pairs[0].destination.text, config.pairs[0].destination.port) == ("h:/x/", 0)
    assert config.nodes[0].extra == ("--rsh=ssh -oUser=root -p 2222",)
    config = loaded(
        'sync{default.rsync, source="{t}/src", target="h:/x", rsync = {binary = "/bin/sh"}}'
    )
    assert config.rsync == "/bin/sh"


def test_top_level_alone(loaded: Callable[[str], Config]) -> None:
    config = loaded('sync{default.rsync, source="{t}/src", target="h:/x", subdirs=false}')
    assert config.sources[0].excludes == ("*/",)


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ('target = "rsync://localhost:1873/test"', "rsync://localhost:1873/test/"),
        ('target = "host::module/a"', "host::module/a/"),
        ('target = "trg"', "{t}/trg/"),
        ('target = "./a:b"', "{t}/a:b/"),
        ('target = "host:"', "host:/"),
        ('host = "h", targetdir = "x"', "h:x/"),
    ],
)
def test_targets(
    loaded: Callable[[str], Config], tmp_path: Path, text: str, destination: str
) -> None:
    text = f'sync{{default.rsync, source="{{t}}/src", {text}}}'
    if destination == "host:/":
        # lsyncd adds the slash, and the mirror is the root directory: that is not carried on.
        with pytest.raises(ConfigError, match="would make the root directory there a mirror"):
            loaded(text)
        return
    config = loaded(text)
    ((_, found),) = mirrors(config, tmp_path)
    assert found == destination.replace("{t}", str(tmp_path))


def test_options_of_ssh(loaded: Callable[[str], Config]) -> None:
    config = loaded(
        'sync{default.rsyncssh, source="{t}/src", host="far", targetdir="/x", ssh = {'
        ' options = {User = "me", Compression = "no"}, _extra = {"-T", "-c", "aes256-ctr"}}}'
    )
    shell = "--rsh=ssh -oCompression=no -oUser=me -T -c aes256-ctr"
    assert config.nodes[0].extra == (shell,)


def test_a_base_of_ones_own(loaded: Callable[[str], Config], tmp_path: Path) -> None:
    config = loaded(
        "base = {default.rsync, delay = 3, rsync = {archive = true},"
        " checkgauge = {default.rsync.checkgauge, host = true},"
        " action = function(inlet) return default.rsync.action(inlet) end}\n"
        'sync{base, source="{t}/src", target="h:/x", rsync = {compress = true}}:addExclude("x")'
    )
    assert config.settings[0].edelay == 3
    assert config.nodes[0].extra == ("--archive", "--compress")


@dataclass(frozen=True)
class Shape:
    """A config of several syncs, and what the one config says that is made of it.

    ``mirrors`` are source, destination, excludes, delay and scope of each, and ``extra`` beside
    that: the options of those that have any.
    """

    text: str
    mirrors: tuple[tuple[str, str, tuple[str, ...], float, str], ...]
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)
    said: str = ""


def sync(source: str, target: str, more: str = "") -> str:
    return f'sync{{default.rsync, source="{{t}}/src/{source}", target="{target}", {more}}}\n'


NAMES = "changes"

SHAPES = {
    "delays of their own": Shape(
        sync("a", "h:/a", "delay=1") + sync("b", "h:/b", "delay=5"),
        (("a", "h:/a/", (), 1, NAMES), ("b", "h:/b/", (), 5, NAMES)),
    ),
    "excludes of their own": Shape(
        sync("a", "h:/a", 'exclude="*.x"') + sync("b", "h:/b", 'exclude={"*.y", "/z"}'),
        (("a", "h:/a/", ("*.x",), 15, NAMES), ("b", "h:/b/", ("*.y", "/z"), 15, NAMES)),
    ),
    "excludes from files": Shape(
        sync("a", "h:/a", 'excludeFrom="{t}/x"') + sync("b", "h:/b", 'filterFrom="{t}/y"'),
        (("a", "h:/a/", ("- *.x",), 15, NAMES), ("b", "h:/b/", ("+ y", "- *"), 15, NAMES)),
    ),
    "the same file for all": Shape(
        sync("a", "h:/a", 'excludeFrom="{t}/x"') + sync("b", "g:/b", 'excludeFrom="{t}/x"'),
        (("a", "h:/a/", ("- *.x",), 15, NAMES), ("b", "g:/b/", ("- *.x",), 15, NAMES)),
    ),
    "targets of their own": Shape(
        sync("a", "h:/a") + sync("b", "g::b") + sync("c", "/mnt/c") + sync("c", "rsync://r/m"),
        (
            ("a", "h:/a/", (), 15, NAMES),
            ("b", "g::b/", (), 15, NAMES),
            ("c", "/mnt/c/", (), 15, NAMES),
            ("c", "rsync://r/m/", (), 15, NAMES),
        ),
    ),
    "two places of each host": Shape(
        sync("a", "h:/one") + sync("a", "h:/two") + sync("b", "h:/three"),
        (
            ("a", "h:/one/", (), 15, NAMES),
            ("a", "h:/two/", (), 15, NAMES),
            ("b", "h:/three/", (), 15, NAMES),
        ),
    ),
    "options of their own": Shape(
        sync("a", "h:/a", "rsync={compress=true, bwlimit=3}")
        + sync("b", "h:/b", "rsync={copy_links=true}")
        + sync("b", "g:/b"),
        (
            ("a", "h:/a/", (), 15, NAMES),
            ("b", "h:/b/", (), 15, "tree"),
            ("b", "g:/b/", (), 15, NAMES),
        ),
        extra={"h:/a/": ("--compress",), "h:/b/": ("--copy-links",)},
    ),
    "one source, other excludes for each target": Shape(
        sync("a", "h:/a", 'exclude={"*.x", "*.y"}') + sync("a", "g:/a", 'exclude={"*.x", "/z"}'),
        (("a", "h:/a/", ("*.x",), 15, "tree"), ("a", "g:/a/", ("*.x",), 15, "tree")),
        extra={"h:/a/": ("--exclude=*.y",), "g:/a/": ("--exclude=/z",)},
        said="h:/a/: its own excludes are among its options; with these each run",
    ),
    "one source, other excludes for a target that deletes what vanishes": Shape(
        sync("a", "h:/a") + sync("a", "g:/a", 'delete="running", filter={"+ *.c"}'),
        (("a", "h:/a/", (), 15, NAMES), ("a", "g:/a/", (), 15, "tree")),
        extra={"g:/a/": ("--exclude=+ *.c",)},
        said='g:/a/: delete = "running": nothing is deleted, because of these',
    ),
    "one source, a file of excludes for one target": Shape(
        sync("a", "h:/a", 'exclude="*.z", excludeFrom="{t}/x", rsync={compress=true}')
        + sync("a", "g:/a", "rsync={compress=true}"),
        (("a", "h:/a/", (), 15, "tree"), ("a", "g:/a/", (), 15, NAMES)),
        extra={
            "h:/a/": ("--compress", "--exclude=*.z", "--filter=- *.x"),
            "g:/a/": ("--compress",),
        },
    ),
    "one source, another delay and start for each target": Shape(
        sync("a", "h:/a", "delay=7, init=false") + sync("a", "g:/a", "delay=3"),
        (("a", "h:/a/", (), 3, NAMES), ("a", "g:/a/", (), 3, NAMES)),
        said="edelay = 3: the syncs of this source differ",
    ),
    "one twice": Shape(
        sync("a", "h:/a") * 2 + sync("a", "h:/a", "delay=2"),
        (("a", "h:/a/", (), 15, NAMES),),
        said="a second sync to h:/a/, which differs, is left out",
    ),
    "one in another": Shape(
        sync("a", "h:/a") + sync("a/in", "g:/in", "delay=1"),
        (("a", "h:/a/", (), 15, NAMES), ("a/in", "g:/in/", (), 1, NAMES)),
    ),
    "limits": Shape(
        "settings{maxProcesses=1}\n"
        + sync("a", "h:/a", 'batchSizeLimit=5, rsync={binary="/bin/sh"}')
        + sync("b", "h:/b", 'rsync={binary="/bin/cat"}'),
        (("a", "h:/a/", (), 15, NAMES), ("b", "h:/b/", (), 15, NAMES)),
        said='rsync = "/bin/cat": one for all, the first',
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=[*SHAPES])
def test_several_syncs_are_one_config(
    loaded: Callable[[str], Config], tmp_path: Path, shape: Shape
) -> None:
    (tmp_path / "x").write_text("*.x\n")
    (tmp_path / "y").write_text("+y\n- *\n")
    config = loaded(shape.text)
    found = [
        (
            pair.source.path.removeprefix(f"{tmp_path}/src/"),
            pair.destination.text,
            pair.source.excludes,
            config.of(pair.source).edelay,
            pair.node.rscope,
        )
        for pair in config.pairs
    ]
    assert sorted(found) == sorted(shape.mirrors)
    assert config.warnings == ()
    extra = {pair.destination.text: pair.node.extra for pair in config.pairs if pair.node.extra}
    assert extra == shape.extra
    assert shape.said in convert(shape.text.replace("{t}", str(tmp_path)), "conf", "/")


def test_what_is_one_for_all_sources(loaded: Callable[[str], Config]) -> None:
    config = loaded(SHAPES["limits"].text)
    assert (config.rparallel, config.rsync) == (2, "/bin/sh")
    assert [own.rbigsize for own in config.settings] == [5, 0]
    printed = convert(sync("a", "h:/a", "maxProcesses=2") + sync("b", "h:/b"), "conf", "/")
    assert "\n# {t}/src/a/: maxProcesses = 2: " in printed.replace("/{t}", "{t}")


def test_what_has_no_equivalent_is_in_comments() -> None:
    printed = convert(
        'settings {logfile = "/l", statusFile = "/s", insist = true, oops = 1}\n'
        'sync{default.rsync, source="a", target="b:/c", maxProcesses=4, crontab={"0 0 * * * *"},\n'
        ' tunnel = tunnel{command={"ssh"}}, delete="startup", batchSizeLimit=5, onepass=true,\n'
        " collect=print, onMove=true, oops=1}\n"
        'sync{source="d", target="e", onCreate="cp ^source ^target"}\n',
        "conf",
        "/cwd",
    )
    comments = [line for line in printed.splitlines() if line.startswith("#")]
    for word in (
        *("logfile", "statusFile", "insist", "oops", "maxProcesses", "crontab", "tunnel"),
        *("batchSizeLimit", "onepass = true: inosync --once"),
        *("collect: left out; hooks", "onMove: left out; hooks", "oops: a value of lsyncd's own"),
        "sync number 2 is left out",
    ):
        assert [line for line in comments if word in line], word
    assert 'wpath = "/cwd/a/"' in printed
    assert "rbigsize = 5" in printed
    assert 'rdelete = "start"' in printed


@pytest.mark.parametrize("source", [".", "./", "{t}/.", "{t}/src/.."])
def test_a_source_is_no_virtual_root(
    loaded: Callable[[str], Config], tmp_path: Path, source: str
) -> None:
    config = loaded(f'sync{{default.rsync, source="{source}", target="h:/x"}} -- {{t}}/src')
    assert config.sources[0].argument == f"{tmp_path}/"
    assert not config.sources[0].relative


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "conf: holds no sync{} with default.rsync, default.rsyncssh or default.direct"),
        ('sync{source="a", action=print}', "it builds upon none of lsyncd's defaults"),
        ('sync{default.rsync, source="a"}', "it names no target"),
        ('sync{default.rsync, target="a"}', "it names no source"),
        ('sync{default.rsyncssh, source="a", host="h"}', "it names no host and targetdir"),
        ("sync{", "conf:1: unexpected symbol near <eof>"),
        ('\nrequire("socket")', "conf:2: require is not available here; write its result"),
        ('\n\nlocal home = os.getenv("HOME")', "conf:3: os.getenv is not available here"),
        ('io.open("/etc/passwd")', "conf:1: io.open is not available here"),
        ("while true do end", "conf: does not come to an end"),
        ('local s = ("x"):rep(1 << 30)', "conf: needs too much memory"),
        ('error("no")', "conf:1: no"),
        ("t = {} t.t = t sync(t)", "holds tables in tables without end"),
    ],
)
def test_what_cannot_be_converted(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert(text, "conf", "/cwd")
    (line,) = caught.value.problems
    assert problem in line
    assert "\n" not in line


def test_without_lupa(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lupa", None)
    with pytest.raises(ConfigError, match=r"needs the Python package lupa; install it.*pip"):
        convert("", "conf", "/")


def test_the_command(tmp_path: Path) -> None:
    file = tmp_path / "lsyncd.conf.lua"
    file.write_text('sync{default.rsync, source="a", target="b:/c"}')
    printed = run_inosync("--from-lsyncd", file, cwd=tmp_path)
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout == convert(read(str(file)), str(file), str(tmp_path))
    missing = run_inosync("--from-lsyncd", "none", cwd=tmp_path)
    assert missing.returncode == 2
    assert missing.stderr == "inosync: none: cannot be read: No such file or directory\n"


# lsyncd's own examples: which of them mirror with rsync

WITH_RSYNC = {"lrsync.lua", "lrsyncssh.lua", "lpostcmd.lua"}


@pytest.mark.skipif(not INSTALLED.is_dir(), reason="lsyncd is not installed")
def test_the_examples_of_lsyncd(tmp_path: Path) -> None:
    found = set()
    for path in sorted(INSTALLED.iterdir()):
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        text = text.replace("/path/to/src", str(tmp_path / "src"))
        (tmp_path / "src").mkdir(exist_ok=True)
        try:
            printed = convert(text, path.name, str(tmp_path))
        except ConfigError:  # what they are made of: their own actions, or Lua's libraries
            continue
        file = tmp_path / "default.py"
        file.write_text(printed)
        file.chmod(0o644)
        assert load(str(file)).pairs
        found.add(path.name)
    assert found == WITH_RSYNC
