"""Settings that are one for all sources, or a dict by source."""

from __future__ import annotations

import pytest
from support.scripts import Script

from inosync.config.faults import shown
from inosync.config.model import Config
from inosync.config.settings import SETTINGS

TWO = "wpaths = [www, etc]\nrnodes = ['h:']\nrpaths = ['/w', '/e']\n"

#: Two values of each setting that may be a dict by source, as a config writes them.
VALUES = {
    "edelay": ("1", "2.5"),
    "emaxdelay": ("20", "30"),
    "eopen": ("0", "5"),
    "init": ("False", '"changed"'),
    "rmaxdelete": ("7", "8"),
    "rdelete": ('"seen"', '"never"'),
    "rkeep": ("3", "4"),
    "rkeepmax": ("30", "40"),
    "rmaxchange": ("3", "4"),
    "wmarker": ('".a"', '".b"'),
    "rscope": ('"changes"', '"tree"'),
    "rbigsize": ("1000", "2000"),
    "rsettle": ('{"a": 1}', '{"b": 2}'),
}


def told(config: Config, name: str) -> list[object]:
    """Return what is said of each source, also where it is said of nodes."""
    result = []
    for source in config.sources:
        nodes = [pair.node for pair in config.pairs if pair.source is source]
        held = vars(nodes[0]) | vars(config.of(source))
        result.append(held[name])
    return result


def test_every_row_that_may_be_by_source_is_tried_here() -> None:
    rows = {row.name for row in SETTINGS if row.per_source}
    assert rows == {*VALUES, "rnodes", "rexcludes"}


@pytest.mark.parametrize("name", VALUES)
def test_each_source_has_its_own(script: Script, name: str) -> None:
    one, other = VALUES[name]
    (first, _), (second, _) = (
        told(script.load(f"{name} = {value}", base=TWO), name) for value in (one, other)
    )
    assert first != second
    default = told(script.load(base=TWO), name)[0]
    for written, expected in (
        (f"{{www: {one}, etc: {other}}}", [first, second]),
        (f"{{etc[:-1]: {one}, '*': {other}}}", [second, first]),
        (f"{{'*': {one}}}", [first, first]),
        (f"{{www: {one}}}", [first, default]),
        (f"{{www: {one}, etc: None, '*': {other}}}", [first, second]),
        ("{}", [default, default]),
    ):
        assert told(script.load(f"{name} = {written}", base=TWO), name) == expected, written


@pytest.mark.parametrize("name", VALUES)
def test_a_source_that_is_not_watched_is_refused(script: Script, name: str) -> None:
    value, _ = VALUES[name]
    (problem,) = script.problems(f"{name} = {{www[:-1] + 'x': {value}}}", base=TWO)
    assert problem == (
        f"{name}['{script.www}x']: is for no watched directory; did you mean {script.www}/?"
    )


def test_a_value_that_is_refused_is_named_with_its_source(script: Script) -> None:
    text = "edelay = {www: -1, '*': 'x'}\nrsettle = {etc: {'a': 'b'}}\nrkeep = {5: 1}\n"
    text += "rsettle = {'*.iso': 60, etc: {'a': 'b'}}\nwmarker = {www: '/x', www[:-1]: 'y'}"
    assert script.problems(text, base=TWO) == [
        f"edelay['{script.www}/'] = -1: must be a number of seconds from 0 to one year (31622400)",
        "edelay['*'] = 'x': must be a number of seconds, such as 10 or 0.5",
        "rkeep[5] = 1: must be a string",
        f"wmarker['{script.www}/'] = '/x': must be a path inside the source, such as \".mounted\"",
        "rsettle['*.iso'] = 60: must be a dict of seconds by pattern, such as {\"*.iso\": 60}",
        f"rsettle['{script.etc}/']['a'] = 'b': must be a number of seconds, such as 10 or 0.5",
    ]
    problem = script.problem("wmarker = {www: 'x', www[:-1]: 'y'}", base=TWO)
    assert problem == (
        f"wmarker['{script.www}']: is the second for one directory; keep one of them"
    )


def test_a_long_path_is_named_whole(script: Script) -> None:
    long = f"{script.www}/{'x' * 99}"
    (problem,) = script.problems(f"edelay = {{'{long}': -1}}", base=TWO)
    assert problem.startswith(f"edelay['{long}'] = -1: ")


def test_no_password_is_told(script: Script) -> None:
    base = "wpath = 'rsync://u:secret@a/m'\nrnodes = ['a:/x']\n"
    problems = script.problems("edelay = {'rsync://v:secret@a/m': 1, 'www': 2}", base=base)
    assert len(problems) == 3
    assert "secret" not in "\n".join(problems)


def test_settings_that_are_one_for_all(script: Script) -> None:
    assert script.problem("rfull = {www: 5}", base=TWO).endswith(
        ": must be a number of seconds, such as 10 or 0.5"
    )
    # A dict of patterns is one value.
    config = script.load("rsettle = {'*': 5}", base=TWO)
    assert told(config, "rsettle") == [(("*", 5.0),)] * 2


def test_the_longest_wait_is_judged_for_each_source(script: Script) -> None:
    config = script.load("edelay = {www: 3, '*': 5}", base=TWO)
    assert told(config, "emaxdelay") == [3, 5]
    config = script.load("edelay = {www: 3}\nemaxdelay = {etc: 30}", base=TWO)
    assert told(config, "emaxdelay") == [3, 30]
    where = f"edelay['{script.www}/']"
    for text, place in (
        ("emaxdelay = 20", "emaxdelay"),
        ("emaxdelay = {www: 20}", f"emaxdelay['{script.www}/']"),
        ("emaxdelay = {'*': 20}", "emaxdelay['*']"),
    ):
        problem = script.problem(f"edelay = {{www: 30}}\n{text}", base=TWO)
        assert problem == f"{place} = 20.0: must not be below {where}, which is 30 seconds"


def test_big_files_of_one_source_need_room_and_the_word_on_sizes(script: Script) -> None:
    where = f"rbigsize['{script.etc}/']"
    text = "rbigsize = {etc: 5}\n"
    problem = script.problem(f"{text}rparallel = 1", base=TWO)
    assert problem.startswith(f"rparallel = 1: leaves no room beside a big file ({where})")
    (problem,) = script.problems(f"{text}extra = '--max-size=5'", base=TWO)
    assert problem.startswith("rnodes[0] = 'h:': has --max-size in extra, and rbigsize decides")
    script.load("extra = '--max-size=5'", base=TWO)


def test_each_source_has_nodes_of_its_own(script: Script) -> None:
    base = "wpaths = [www, etc]\n"
    text = "rnodes = {www: ['a:/w', {'node': 'b:/w', 'rkeep': 9}], etc: ['a:/e']}\nrkeep = {etc: 2}"
    config = script.load(text, base=base)
    found = [(p.source.path, p.destination.text, p.node.rkeep) for p in config.pairs]
    www, etc = str(script.www), str(script.etc)
    assert found == [(www, "a:/w", 0), (www, "b:/w", 9), (etc, "a:/e", 2)]
    assert [node.name for node in config.nodes] == ["a:/w", "b:/w", "a:/e"]
    # One host, and a path for each source; and some for all others.
    text = "rnodes = {etc: ['h:', 'i:'], '*': ['h:']}\nrpaths = ['/w', '/e']\n"
    text += "rscope = {etc: 'changes'}"
    config = script.load(text, base=base)
    found = [(p.source.path, p.destination.text, p.node.rscope) for p in config.pairs]
    assert found == [(www, "h:/w", "tree"), (etc, "h:/e", "changes"), (etc, "i:/e", "changes")]
    assert [node.name for node in config.nodes] == ["h:", "i:"]
    # And none that is shared: nodes are as many as they were.
    assert len(script.load("rkeep = {etc: 5}", base=TWO).nodes) == 1


def test_the_value_of_a_node_wins(script: Script) -> None:
    base = "wpaths = [www, etc]\nrpaths = ['/w', '/e']\n"
    base += "rnodes = ['a:', {'node': 'b:', 'rscope': 'tree', 'rkeep': 1}]\n"
    text = "rscope = {www: 'changes'}\nrkeep = {'*': 5}"
    config = script.load(text, base=base)
    found = {p.destination.text: (p.node.rscope, p.node.rkeep) for p in config.pairs}
    assert found == {
        "a:/w": ("changes", 5),
        "b:/w": ("tree", 1),
        "a:/e": ("tree", 5),
        "b:/e": ("tree", 1),
    }


def test_problems_with_nodes_by_source(script: Script) -> None:
    base = "wpaths = [www, etc]\n"
    www, etc = f"{script.www}/", f"{script.etc}/"
    for text, problem in (
        ("rnodes = {www: ['a:/w']}", f"rnodes: has none for {shown(etc)}; write some, or some "),
        ("rnodes = {www: []}", f"rnodes['{www}'] = []: is empty; write "),
        ("rnodes = {www: 'a:/w'}", f"rnodes['{www}'] = 'a:/w': must be a list, not a string"),
        ("rnodes = {'*': ['a:/w', 5]}", "rnodes['*'][1] = 5: must be a string"),
        ("rnodes = {www: ['a:/w'] * 2, '*': ['a:/x']}", f"rnodes['{www}'][1] = 'a:/w': is listed"),
        # Across jobs: two in one place, one in another, one in what another job reads.
        ("rnodes = {www: ['a:/x'], etc: ['A:/x/']}", "so that each would delete the other's files"),
        ("rnodes = {www: ['a:/x'], etc: ['a:/x/y']}", "inside the mirror of"),
        ("rnodes = {www: ['/m'], etc: [www + 'in']}", f"inside the source {script.www}, and a "),
        ("rnodes = {www: ['/m'], etc: [www[:-4]]}", "lies in there, rsync would delete it"),
    ):
        assert any(problem in each for each in script.problems(text, base=base)), text


def test_all_problems_are_told_together(script: Script) -> None:
    problems = script.problems("rnodes = {'/x': ['a:/x', 5]}\nemaxdelay = 1", base="")
    assert [problem.partition(":")[0] for problem in problems] == [
        "rnodes['/x'][1] = 5",
        "emaxdelay = 1.0",
        "wpath",
    ]


def test_rules_that_need_passes_are_told_once_and_of_their_source(script: Script) -> None:
    config = script.load("rscope = {etc: 'changes'}\nextra = '-L'", base=TWO)
    assert told(config, "rscope") == ["tree", "tree"]
    (warning,) = config.warnings
    assert f"rscope['{script.etc}/'] = 'changes': is \"tree\" for h:, because of -L" in warning
