"""A config of ours, written out: what ``inosync --from-lsyncd`` prints.

Owns its spelling. Pure: does not know where the settings are from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inosync.lsyncd.jobs import Job, Rules, Target
from inosync.text import printable


def write(jobs: Sequence[Job], settings: Mapping[str, Any], name: str, notes: list[str]) -> str:
    """Return the config of these jobs and of what is one for all, and notes above it.

    `name` is the file that it all comes from.
    """
    lines = [f"# from lsyncd's {printable(name)}"]
    lines += [f"# {printable(note)}" for note in [*notes, *_notes(jobs)]]
    lines += _places(jobs)
    lines += _rules(jobs)
    for key in dict.fromkeys(key for job in jobs for key in job.settings):
        lines.append(f"{key} = {_by_source(jobs, key)}")
    lines += [f"{key} = {_python(value)}" for key, value in _shared(jobs).items()]
    lines += [f"{key} = {_python(value)}" for key, value in settings.items()]
    return "\n".join(lines) + "\n"


def _notes(jobs: Sequence[Job]) -> list[str]:
    """Return each note once; one of some sources alone begins with their names."""
    about: dict[str, list[str]] = {}
    for job in jobs:
        for note in dict.fromkeys(job.notes):
            about.setdefault(note, []).append(job.source)
    return [
        note if len(sources) == len(jobs) else f"{', '.join(sources)}: {note}"
        for note, sources in about.items()
    ]


def _by_source(jobs: Sequence[Job], key: str) -> str:
    """Return a setting: one value where all sources have the same, else a dict."""
    values = {job.source: job.settings[key] for job in jobs if key in job.settings}
    first, *others = values.values()
    one = len(values) == len(jobs) and all(value == first for value in others)
    return _python(first if one else values)


def _places(jobs: Sequence[Job]) -> list[str]:
    """Return the lines of what is watched and where it goes."""
    lines, shared = [], _shared(jobs)
    files = [each.files for job in jobs for each in job.targets if each.files != Rules()]
    for number, rules in enumerate(dict.fromkeys(files), 1):
        lines += [f"_rules_{number} = []", *_from_files(f"_rules_{number}", rules)]
    names = {rules: f"_rules_{number}" for number, rules in enumerate(dict.fromkeys(files), 1)}

    def node(text: str, target: Target) -> str:
        return _node(text, target, shared, names.get(target.files, ""))

    if len(jobs) == 1:
        lines.append(f"wpath = {_python(jobs[0].source)}")
    else:
        lines.append(_list("wpaths", [job.source for job in jobs], _python))
    if len(jobs) > 1 and (paths := _one_path_each(jobs)):
        lines.append(_list("rpaths", paths, _python))
        nodes = [node(target.node, target) for target in jobs[0].targets]
        return [*lines, _list("rnodes", nodes, str)]
    whole = {job.source: [node(t.node + t.path, t) for t in job.targets] for job in jobs}
    if len(jobs) == 1:
        return [*lines, _list("rnodes", whole[jobs[0].source], str)]
    lines.append("rnodes = {")
    for source, nodes in whole.items():
        lines += [f"    {line}" for line in _list(_python(source), nodes, str, ":").split("\n")]
        lines[-1] += ","
    return [*lines, "}"]


def _one_path_each(jobs: Sequence[Job]) -> list[str]:
    """Return the path of each source, if all go to the same nodes and each to one path there."""
    paths = [{target.path for target in job.targets} for job in jobs]
    nodes = [[(each.node, each.own, each.files) for each in job.targets] for job in jobs]
    alike = all(each == nodes[0] for each in nodes) and all(len(each) == 1 for each in paths)
    return [path for each in paths for path in each] if alike else []


def _shared(jobs: Sequence[Job]) -> dict[str, Any]:
    """Return the settings of nodes that are the same for all of them."""
    targets = [target for job in jobs for target in job.targets]
    first = targets[0].own
    if any(target.files != Rules() for target in targets):
        first = {key: value for key, value in first.items() if key != "extra"}
    return {
        key: value
        for key, value in first.items()
        if all(target.own.get(key) == value for target in targets)
    }


def _rules(jobs: Sequence[Job]) -> list[str]:
    first = jobs[0].rules
    if all(job.rules == first for job in jobs):
        if first == Rules():
            return []
        return [_list("rexcludes", [*first.patterns], _python), *_from_files("rexcludes", first)]
    lines = ["rexcludes = {"]
    lines += [f"    {_python(job.source)}: {_python([*job.rules.patterns])}," for job in jobs]
    lines += ["}"]
    for job in jobs:
        lines += _from_files(f"rexcludes[{_python(job.source)}]", job.rules)
    return lines


#: The end of a comprehension over the lines of a file, without blank ones and comments.
_NO_COMMENT = "for _line in _lines if _line and _line[0] not in '#;'"


def _from_files(name: str, rules: Rules) -> list[str]:
    """Return the lines that add to a list what is in the files of rules."""
    lines = []
    for file in rules.filter_files:
        lines += [
            *_reading(file),
            f"{name} += [_line[0] + ' ' + _line[1:].lstrip() {_NO_COMMENT}]",
        ]
    for file in rules.exclude_files:
        # lsyncd takes no includes from these, and a "-" before each pattern if there is one.
        lines += [
            *_reading(file),
            f"_lines = [_line {_NO_COMMENT} and _line[0] != '+']",
            f"{name} += ['- ' + _line.removeprefix('-').lstrip() for _line in _lines]",
        ]
    return lines


def _reading(file: str) -> list[str]:
    """Return the lines that read a file of rules, as bytes are, without blanks before each."""
    return [
        f'with open({_python(file)}, encoding="utf-8-sig", errors="surrogateescape") as _file:',
        '    _lines = [_line.rstrip("\\n").lstrip() for _line in _file]',
    ]


def _node(text: str, target: Target, shared: Mapping[str, Any], rules: str) -> str:
    """Return an entry of rnodes; `rules` is a list of the script that its options go on with."""
    own = {key: _python(value) for key, value in target.own.items() if key not in shared}
    if rules:
        words = "".join(f"{_python(word)}, " for word in target.own.get("extra", ()))
        own["extra"] = f'[{words}*("--filter=" + _rule for _rule in {rules})]'
    if not own:
        return _python(text)
    entries = {"node": _python(text), **own}
    return "{" + ", ".join(f"{_python(key)}: {value}" for key, value in entries.items()) + "}"


def _list(name: str, values: list[Any], write: Callable[[Any], str], sign: str = " =") -> str:
    if len(values) < 2:
        return f"{name}{sign} [{''.join(write(value) for value in values)}]"
    return "\n".join([f"{name}{sign} [", *(f"    {write(value)}," for value in values), "]"])


def _python(value: Any) -> str:
    """Return a value as Python writes it, with double quotes."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(_python, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_python(key)}: {_python(v)}" for key, v in value.items()) + "}"
    return repr(value)
