"""The table of settings, and what is made from it for people."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inosync.config.model import Config, Node, SourceSettings
from inosync.config.settings import SECTIONS, SETTINGS, Setting

ROOT = Path(__file__).resolve().parents[3]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_settings = _load(ROOT / "scripts/make_settings.py")

each = pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)


@pytest.mark.parametrize("path", [make_settings.EXAMPLE, make_settings.PAGE])
def test_what_is_made_from_the_table_is_up_to_date(path: str) -> None:
    made = make_settings.made(path)
    assert (ROOT / path).read_text() == made, (
        f"{path} is not what inosync/config/settings.py says; run: python scripts/make_settings.py"
    )


@each
def test_every_setting_is_explained(row: Setting) -> None:
    assert row.help, f"{row.name} has no help: say in its row what it means"
    assert row.help == " ".join(row.help.split())
    assert not row.help.endswith((".", ";", ":", ","))
    assert all(section.title for section in SECTIONS)


@each
def test_the_unit_is_the_one_of_which_the_check_speaks(row: Setting) -> None:
    try:
        row.parse(object())
    except ValueError as error:
        said = re.findall(
            r"(?:number of|dict of|, in) (seconds|days|bytes|KB/s|MB|files)\b", str(error)
        )
        assert said == [row.unit] * bool(row.unit)
    else:
        assert row.name == "rpath"


def test_the_nodes_know_which_settings_they_can_have() -> None:
    rnodes = next(row for row in SETTINGS if row.name == "rnodes")
    named = set(re.findall(r"``(\w+)``", rnodes.help))
    assert named == {row.name for row in SETTINGS if row.per_node}


def test_the_settings_that_a_help_speaks_of_are_there() -> None:
    names = {name for row in SETTINGS for name in row.names}
    texts = [row.help for row in SETTINGS] + [section.about for section in SECTIONS]
    words = {word for text in texts for word in re.findall(r"``([a-z_]+)``", text)}
    assert words <= names


def test_the_page_has_every_setting_with_its_default() -> None:
    terms = dict(re.findall(r"^``(\w+)``(?: \((.*)\))?$", page(), re.MULTILINE))
    assert list(terms) == [row.name for row in SETTINGS]
    assert terms["wpath"] == "required, or ``wpaths``"
    assert terms["emaxdelay"] == "seconds; default: ``edelay``; also by source"
    assert terms["rkeep"] == "days; default: ``0``; also by source; also per node"
    assert terms["rretry"] == "seconds; default: ``(1, 300)``; also per node"
    assert terms["umask"] == "default: ``0o022``"
    assert terms["logfile"] == "default: not set"


def test_the_page_is_what_docutils_accepts() -> None:
    core = pytest.importorskip("docutils.core", reason="docutils is missing")
    strict = {"report_level": 2, "halt_level": 2}
    document = core.publish_doctree(page(), settings_overrides=strict)
    assert len(list(document.findall(lambda node: node.tagname == "term"))) == len(SETTINGS)


def page() -> str:
    return (ROOT / make_settings.PAGE).read_text()


ROWS = {setting.name: setting for setting in SETTINGS}


def fields(kind: type[Config | Node | SourceSettings]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def test_every_setting_has_a_field_and_every_field_a_setting() -> None:
    # These become the sources, the nodes and the pairs.
    consumed = {"wpath", "wpaths", "rpath", "rpaths", "rnodes", "rexcludes"}
    per_node = {row.name for row in SETTINGS if row.per_node}
    per_source = {row.name for row in SETTINGS if row.per_source} - consumed - per_node
    own = {"file", "sources", "settings", "pairs", "warnings"}
    lonely = fields(Config) ^ (own | (set(ROWS) - consumed - per_node - per_source))
    assert lonely == set(), "a row needs a field of its name in Config, a field of Config a row"
    lonely = fields(Node) ^ ({"name"} | per_node)
    assert lonely == set(), "a per_node row needs a field of its name in Node, and a field a row"
    lonely = fields(SourceSettings) ^ per_source
    assert lonely == set(), "a per_source row that is not per_node needs one in SourceSettings"


def test_no_two_settings_share_a_name() -> None:
    names = [name for row in SETTINGS for name in row.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", [row for row in SETTINGS if row.default is not None])
def test_every_default_is_accepted(row: Any) -> None:
    row.parse(row.default)
    assert ast.literal_eval(repr(row.default)) == row.default
