"""Configs of lsyncd of any shape: what is printed for them loads, or says why it cannot be."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inosync.config.load import load
from inosync.errors import ConfigError
from inosync.lsyncd.lua import convert

pytest.importorskip("lupa", reason="lupa, which runs lsyncd's configs, is not installed")

#: What stands in the place of any value.
ANY = st.sampled_from(
    (True, False, "true", "false", "", 0, 1, -1, 5, "5", 0.5, 1e99, "x", "a b", {}, [], ["x"])
)
WORDS = st.sampled_from(
    [
        *("-a", "-avz", "--compress", "--exclude", "*.o", "--exclude=*", "-e", "ssh -4", "-n", "'"),
        *("--rsh=ssh -4", "--filter=P x", "--relative", "--info=progress2", "--", "", "oops"),
        *("--delete", "--bwlimit=5", "--timeout=9", "--backup", "--backup-dir=old", "--inplace"),
        "--partial",
    ]
)
OPTIONS = """
    acls archive backup binary bwlimit checksum chmod chown compress copy_links dry_run existing
    group hard_links inplace links omit_dir_times one_file_system owner partial perms protect_args
    prune_empty_dirs quiet recursive rsh suffix times timeout update verbose whole_file xattrs oops
""".split()  # noqa: SIM905 - a page of quotes is no help
RSYNC = st.dictionaries(st.sampled_from(OPTIONS), ANY, max_size=4)
PATTERNS = (
    *(
        "*.o",
        "/cache",
        "P x",
        "P_x",
        "-x",
        "+ y",
        "- z",
        "",
        "# no",
        "a\nb",
        "*/",
        "[",
        "***",
        "! ",
    ),
    *("!", "/", "//", "dir/**", "merge x", ". x", ".x", "é", '"', "\\", "{}", "%s", " "),
)
SYNC = st.dictionaries(st.sampled_from(OPTIONS), ANY, max_size=4)
PATTERNS = ("*.o", "/cache", "P x", "P_x", "-x", "+ y", "- z", "", "# no", "a\nb", "*/", "[", "***")
PATTERNS += (
    "! ",
    "!",
    "/",
    "//",
    "dir/**",
    "merge x",
    ". x",
    ".x",
    "é",
    '"',
    "\\",
    "{}",
    "%s",
    " ",
)
SYNC = st.fixed_dictionaries(
    {"source": st.sampled_from(("a", "b/", "a/c", "."))},
    optional={
        "delay": ANY,
        "delete": ANY | st.sampled_from(("startup", "running")),
        "init": ANY,
        "subdirs": ANY,
        "maxDelays": ANY,
        "maxProcesses": ANY,
        "batchSizeLimit": ANY,
        "exitcodes": ANY,
        "xargs": ANY,
        "oops": ANY,
        "exclude": st.lists(st.sampled_from(PATTERNS), max_size=4) | st.sampled_from(PATTERNS),
        "filter": st.lists(
            st.sampled_from(("+ *.c", "-/a", "- ", "-", "P x", "", "- *")), max_size=3
        ),
        "rsyncOpts": WORDS | st.lists(WORDS, max_size=3) | ANY,
        "rsync": RSYNC
        | st.builds(lambda one, extra: {**one, "_extra": extra}, RSYNC, st.lists(WORDS, max_size=4))
        | ANY,
        "ssh": ANY
        | st.fixed_dictionaries(
            {},
            optional={
                "port": st.sampled_from((22, 2222, "2222", 0, "x", True)),
                "binary": st.sampled_from(("ssh", "/usr/bin/ssh", "rsh")),
                "identityFile": st.sampled_from(("/k", "/k k")),
                "options": ANY | st.just({"User": "root"}),
                "_extra": ANY | st.lists(WORDS, max_size=2),
                "oops": ANY,
            },
        ),
    },
)
#: Where it goes; {n} is another number for each sync, so that no two mirrors are one.
TARGETS = (
    ("default.rsync", {"target": "h:/m/{n}"}),
    ("default.rsync", {"target": "u@h:m/{n}/"}),
    ("default.rsync", {"target": "h::mod/{n}"}),
    ("default.rsync", {"target": "rsync://u@h:8730/mod/{n}"}),
    ("default.rsync", {"target": "/nowhere/{n}"}),
    ("default.direct", {"target": "/nowhere/{n}"}),
    ("default.rsync", {"host": "h", "targetdir": "/m/{n}"}),
    ("default.rsyncssh", {"host": "h", "targetdir": "/m/{n}"}),
    ("default.rsyncssh", {"host": "u@h", "targetdir": "m/{n}"}),
)
SYNCS = st.lists(st.tuples(st.sampled_from(TARGETS), SYNC), min_size=1, max_size=3)
SETTINGS = st.dictionaries(
    st.sampled_from(("logfile", "inotifyMode", "maxProcesses", "insist", "nodaemon", "oops")),
    ANY | st.sampled_from(("CloseWrite", "Modify", "CloseWrite or Modify")),
    max_size=3,
)


def lua(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {lua(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(lua, value)) + "}"
    return json.dumps(value, ensure_ascii=False)


@given(SETTINGS, SYNCS)
@example({"maxProcesses": 1}, [(TARGETS[7], {"source": "a", "batchSizeLimit": 5})])
@example({}, [(TARGETS[8], {"source": "a", "ssh": {"port": 2222, "identityFile": "/k"}})])
@example({}, [(TARGETS[0], {"source": "a", "rsync": {"archive": "true"}, "delete": False})])
@example({}, [(TARGETS[0], {"source": "a", "rsyncOpts": ["--exclude", "--info=x"]})])
def test_what_is_printed_loads(
    settings: dict[str, Any], syncs: list[tuple[tuple[str, dict[str, str]], dict[str, Any]]]
) -> None:
    text = f"settings {lua(settings)}\n"
    for number, ((kind, where), values) in enumerate(syncs):
        place = {key: word.format(n=number) for key, word in where.items()}
        text += f"sync {{{kind}, {lua({**values, **place})[1:-1]}}}\n"
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a/c", "b"):
            Path(folder, name).mkdir(parents=True)
        printed = convert(text, "lsyncd.conf.lua", folder)
        parts = re.split(r"^# ---- file: .+$", printed, flags=re.MULTILINE)
        for part in parts[1:] or parts:
            file = Path(folder, "default.py")
            file.write_text(part)
            file.chmod(0o644)
            try:
                load(str(file))
            except ConfigError as error:
                raise AssertionError(f"{error}\n\n{text}\n\n{part}") from None
