"""What lsyncd's tables of rsync and ssh say, with the values that people give them."""

from __future__ import annotations

from typing import Any

import pytest

from inosync.lsyncd.options import Options, options


def said(over_ssh: bool = True, **values: Any) -> Options:
    return options({"rsync": {"perms": True}, **values}, over_ssh=over_ssh)


def extra(**values: Any) -> list[str]:
    found: list[str] = said(**values).own.get("extra", [])
    return found


@pytest.mark.parametrize("word", ["true", "yes", "1", "false"])
def test_a_string_says_yes_to_an_option(word: str) -> None:
    result = said(rsync={"archive": word})
    assert result.own["extra"] == ["--archive"]
    assert [note for note in result.notes if "a string, so to lsyncd it is true" in note] == (
        ['rsync.archive = "false": a string, so to lsyncd it is true'] if word == "false" else []
    )
    assert extra(rsync={"archive": word, "group": False}) == ["--archive", "--no-group"]


@pytest.mark.parametrize(
    ("rsync", "own"),
    [
        ({"timeout": "60"}, {"rtimeout": 60}),
        ({"timeout": 60.0}, {"rtimeout": 60}),
        ({"bwlimit": "200"}, {"rspeed": 200}),
        ({"bwlimit": "1.5m"}, {"extra": ["--bwlimit=1.5m"]}),
        ({"bwlimit": True}, {}),
        ({"timeout": -1}, {}),
        ({"timeout": "soon"}, {}),
        ({"dry_run": False}, {}),
        ({"binary": "rsync"}, {}),
        ({1: "--compress"}, {}),
        ({"chmod": {"a": 1}}, {}),
        ({"_extra": {}}, {}),
    ],
)
def test_values_of_every_sort(rsync: dict[Any, Any], own: dict[str, Any]) -> None:
    result = said(rsync={"perms": True, **rsync})
    assert result.own == own
    silent = rsync in ({"dry_run": False}, {"_extra": {}})
    assert bool(result.notes) == (not own and not silent)


def test_a_port_belongs_into_the_destination_unless_the_shell_is_named() -> None:
    assert (said(ssh={"port": 2222}).port, extra(ssh={"port": 2222})) == (2222, [])
    assert (said(ssh={"port": "2222"}).port, said(ssh={"port": 22}).port) == (2222, 0)
    named = said(ssh={"port": 2222, "identityFile": "/a b"})
    assert (named.port, named.own["extra"]) == (0, ["--rsh=ssh -i '/a b' -p 2222"])
    rsh = {"perms": True, "rsh": "ssh -c 'a b'"}
    assert extra(ssh={"port": 3}, rsync=rsh) == ["--rsh=ssh -c 'a b' -p 3"]
    # The last one counts: the port's, to lsyncd as well.
    other = said(ssh={"port": 3}, rsync={"perms": True, "_extra": {1: "-e", 2: "ssh -4"}})
    assert (other.port, other.own["extra"]) == (0, ["-e", "ssh -4", "--rsh=ssh -p 3"])
    for wrong in ("x", 0, 70_000, 22.5, True):
        result = said(ssh={"port": wrong})
        assert (result.port, result.own) == (0, {})
        assert [note for note in result.notes if "is no port; left out" in note]


def test_options_of_ssh_as_a_list() -> None:
    assert extra(ssh={"options": {1: "-4"}, "_extra": {1: "-T"}}) == ["--rsh=ssh -4 -T"]


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"ssh": {"xy": 1}}, "ssh.xy: left out"),
        ({"ssh": {"port": 3}, "over_ssh": False}, "ssh: left out; the target is not reached over"),
        ({"ssh": "x"}, 'ssh = "x": is no table; left out'),
        ({"rsync": True}, "rsync = true: is no table; left out"),
        ({"delete": {}}, "delete = {...}: is not known; nothing is deleted"),
        ({"delete": "x"}, 'delete = "x": is not known; nothing is deleted'),
        ({"rsync": {"copy_links": True}}, "because of --copy-links: what is behind a symbolic"),
    ],
)
def test_nothing_is_dropped_without_a_word(values: dict[str, Any], note: str) -> None:
    result = said(**values)
    assert [line for line in result.notes if note in line]
    assert ("rscope" in result.settings) == ("rscope" not in note and "copy" not in note)


def test_what_is_to_be_deleted() -> None:
    for given, rdelete in (
        (True, None),
        ("true", None),
        ("running", "seen"),
        ("startup", "start"),
        (False, "never"),
        ("false", "never"),
        (1, "never"),
    ):
        result = said(delete=given)
        assert result.own.get("rdelete") == rdelete, given
        assert result.settings["rscope"] == "changes"
    assert said().own == {}


def test_what_deletes_more_is_left_out() -> None:
    more = {"_extra": {1: "--force", 2: "--delete-after"}}
    result = said(delete="running", rsync=more)
    assert result.own == {"extra": ["--delete-after"], "rdelete": "seen"}
    assert "--force: left out, for delete" in result.notes
    assert "--force" in said(rsync=more).own["extra"]


def test_what_has_vanished_cannot_always_be_told() -> None:
    result = said(delete="running", rsync={"copy_links": True})
    assert result.own == {"extra": ["--copy-links"], "rdelete": "never"}
    assert [note for note in result.notes if 'delete = "running": nothing is deleted, bec' in note]
