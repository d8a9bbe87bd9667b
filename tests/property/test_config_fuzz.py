"""Whatever a config holds, it is loaded or refused in words, and soon."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inosync.config.load import from_arguments, load
from inosync.config.model import Config
from inosync.config.settings import SETTINGS
from inosync.errors import ConfigError
from inosync.rsync.destination import Transport

#: A load that takes longer hangs: the slowest here take some milliseconds.
SOON = 30.0

NAMES = [name for setting in SETTINGS for name in setting.names]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory to be in, with some directories to watch, a link and a file."""
    root = tmp_path_factory.mktemp("ground").resolve()
    for name in ("www/sub", "etc", "odd name"):
        (root / name).mkdir(parents=True)
    (root / "link").symlink_to("www")
    (root / "file").touch()
    before = os.getcwd()
    os.chdir(root)
    yield root
    os.chdir(before)


WORDS = """
    www www/ www/sub etc ./etc/ link link/ file . .. / ./ /./ www/./sub /tmp ~ ~/x nothing
    a: a:/ a:/x a:x u@a:/x a:~/x a:~b/x a:: a::m a::m/ a::m/x rsync://a rsync://a/m rsync://a/m/x
    ssh://a ssh://a:22/x ssh://a:0 [::1]:/x ::1:/x http://a
    -n -aH --rsh=ssh -e --delete-excluded --inplace /usr/bin/rsync /bin/sh /var/x.log root daemon
    022 0 IN_CREATE IN_DELETE IN_OPEN IN_ALL *.bak + - ! /sub [a **
    node rspeed extra rtimeout rretry rscope
"""
words = st.sampled_from(WORDS.split())
secrets = st.sampled_from(["rsync://u:secret@a/m", "u:secret@a:/x", "ssh://u:secret@a"])
texts = st.one_of(words, st.builds("{}{}".format, words, words), st.text(max_size=10))
texts |= st.text(alphabet="a/.:@~\0\n\ud800\udcff\u202e", max_size=8)
#: Where people put passwords, if only by mistake.
paths = texts | secrets
numbers = st.one_of(st.integers(-3, 400), st.integers(), st.floats(), st.booleans())
scalars = st.one_of(texts, numbers, st.none(), st.binary(max_size=4))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(scalars, inner, max_size=3),
        st.frozensets(scalars, max_size=3),
    ),
    max_leaves=8,
)
#: Values of about the right sort, so that the later checks are reached as well.
lists = st.lists(texts, max_size=4)


def by_source(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value for all sources, or a dict by source."""
    return one | st.dictionaries(paths | texts | st.just("*"), one, max_size=3)


plausible: dict[str, st.SearchStrategy[Any]] = {
    "wpath": paths,
    "wpaths": lists,
    "rpath": texts,
    "rpaths": lists,
    "rnodes": by_source(
        st.lists(
            paths
            | st.fixed_dictionaries({"node": paths}, optional={"rspeed": numbers, "extra": paths}),
            max_size=4,
        )
    ),
    "rexcludes": by_source(lists),
    "edelay": by_source(numbers),
    "rsettle": by_source(st.dictionaries(texts, numbers, max_size=2)),
    "rscope": by_source(st.sampled_from(["tree", "changes"])),
    "extra": paths | lists,
    "emask": lists,
    "rretry": st.tuples(numbers, numbers),
}
names = st.one_of(st.sampled_from(NAMES), st.text("rnodeswpathx_", max_size=8))


@st.composite
def settings(draw: st.DrawFn) -> dict[str, Any]:
    """Some variables of a script: likely ones, and whatever comes."""
    result: dict[str, Any] = {"wpath": draw(words), "rnodes": [draw(words)]}
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=4, unique=True)):
        result[name] = draw(plausible.get(name, scalars))
    for name in draw(st.lists(names, max_size=3)):
        result[name] = draw(values)
    if "wpaths" in result and draw(st.booleans()):
        del result["wpath"]
    return result


def check(config: Config | ConfigError, file: str) -> None:
    """Check what holds of every config and of every refusal."""
    if isinstance(config, ConfigError):
        assert config.problems
        for problem in config.problems:
            assert problem.isprintable()
            assert problem.startswith(file)
            assert "secret" not in problem
            assert len(problem) < 1000
        return
    assert config.sources
    assert config.nodes
    assert {pair.source for pair in config.pairs} == set(config.sources)
    assert all(0 <= own.edelay <= own.emaxdelay for own in config.settings)
    for source in config.sources:
        assert os.path.isdir(source.path)
        assert source.path.startswith("/")
        assert source.path != "/"
        assert os.path.samefile(source.argument, source.path)
    for pair in config.pairs:
        assert pair.source in config.sources
        assert pair.node.name in {node.name for node in config.nodes}
        assert not pair.destination.text.startswith("-")
        if pair.destination.transport is Transport.LOCAL:
            assert pair.destination.path.startswith("/")
    for warning in config.warnings:
        assert warning.isprintable()
        assert "secret" not in warning


def load_soon(path: Path) -> Config | ConfigError:
    path.chmod(0o644)
    start = time.monotonic()
    try:
        return load(str(path))
    except ConfigError as error:
        return error
    finally:
        assert time.monotonic() - start < SOON


@given(settings())
@example({"wpath": "www/", "rnodes": ["a:/x"]})
def test_any_values(ground: Path, names: dict[str, Any]) -> None:
    path = ground / "values.py"
    lines = [f"globals()[{name!r}] = {value!r}\n" for name, value in names.items()]
    path.write_text("inf = float('inf')\nnan = float('nan')\n" + "".join(lines))
    check(load_soon(path), f"{path}:")


#: Nothing here can run for long, fill the memory or touch a file.
TOKENS = """
    x y 0 1 10 0.5 None True [] () {} [ ] ( ) { } , : = == + - # ; \\ ' \" def f(): class C: return
    lambda: for in if assert 'a:/x' 'www/' 'etc' '' f'{x}' __name__ __file__ exit() é
"""
phrases = ["x = f()", "raise x", "raise SystemExit", "import os", "import nothing", "del wpath"]
layout = ["\n", "\n", "\n    ", "\t", "\r", '"""', "wpath = 'www/'\n", "rnodes = ['a:/x']\n"]
tokens = st.sampled_from(
    [*NAMES, *(f"{name} = " for name in NAMES), *TOKENS.split(), *phrases, *layout]
)


@given(st.lists(tokens, max_size=20).map(" ".join) | st.text(max_size=40).filter(str.isprintable))
@example("wpath = 'www/'\nrnodes = ['a:/x']\n")
def test_any_script(ground: Path, text: str) -> None:
    path = ground / "script.py"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    check(load_soon(path), f"{path}:")


@given(st.binary(max_size=40))
def test_any_bytes(ground: Path, data: bytes) -> None:
    path = ground / "bytes.py"
    path.write_bytes(b"#" + data if data.isascii() else data)
    check(load_soon(path), f"{path}:")


@given(paths, st.lists(paths, max_size=3))
def test_any_arguments(ground: Path, source: str, destinations: list[str]) -> None:
    try:
        result: Config | ConfigError = from_arguments(source, destinations)
    except ConfigError as error:
        result = error
    check(result, "")


def test_many_sources_and_nodes_are_no_problem(ground: Path, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / str(number)).mkdir()
    path = tmp_path / "many.py"
    path.write_text(
        f"wpaths = ['{tmp_path}/%d/' % i for i in range(300)]\n"
        "rpaths = ['/mirror/%d/' % i for i in range(300)]\n"
        "rnodes = ['host%d:' % i for i in range(30)]\n"
        "rexcludes = ['*.%d' % i for i in range(50)]\n"
        "globals().update(('helper%d' % i, i) for i in range(2000))\n"
    )
    config = load_soon(path)
    assert isinstance(config, Config), config
    assert len(config.pairs) == 9000
    check(config, "")
