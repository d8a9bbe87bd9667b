"""What is asked of a node, and what its answers mean."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from support.configs import make_pair, make_source

from inosync.commands.probe import (
    CLOCK,
    OK,
    PROBLEM,
    WARNING,
    Finding,
    answers,
    directory,
    key,
    limits,
    local_mirror,
    names_us,
    owners,
    rsync_and_clock,
    script,
)

NOW = 1_700_000_000.0
WELL = {"there": "yes", "writable": "yes", "place": "/srv/www", "room": "1000"}


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


# ---- the script -----------------------------------------------------------------------------


def test_only_our_own_remote_shell_runs_it() -> None:
    assert script(make_pair(None, "/local"), "", environment_shell=False) == []
    assert script(make_pair(None, "h::m/x"), "", environment_shell=False) == []
    assert script(make_pair(), "", environment_shell=True) == []
    other = make_pair(None, "h:/m", extra=("-e", "ssh -i key"))
    assert script(other, "", environment_shell=False) == []


def test_it_goes_to_user_host_and_port() -> None:
    pair = make_pair(None, "ssh://me@host:2222/m")
    words = script(pair, "/run/x", environment_shell=False)
    assert words[0] == "ssh"
    assert words[-5:-1] == ["-p", "2222", "--", "me@host"]
    assert "ControlPath=/run/x/%C" in words
    assert script(make_pair(), "", environment_shell=False)[-2] == "a"


@pytest.mark.parametrize("name", ["plain", "a b", "it's", "$(touch pwned)", "-n", "new\nline"])
def test_it_reads_a_directory_whatever_its_name(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    directory.mkdir()
    pair = make_pair(make_source(str(tmp_path)), f"h:{directory}")
    command = script(pair, "", environment_shell=False)[-1]

    def run() -> dict[str, str]:
        done = subprocess.run(
            ["/bin/sh", "-c", f"echo Welcome!; {command}"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            check=True,
        )
        return answers(done.stdout.splitlines(keepends=True))

    told = run()
    assert told["there"] == "yes"
    assert told["writable"] == "yes"
    assert told["place"] == str(directory).partition("\n")[0]
    assert int(told["room"]) > 0
    status = tmp_path.stat()
    assert told["source"] == f"{status.st_dev}:{status.st_ino}"
    assert "rsync" in told["version"]
    assert abs(int(told["time"])) > NOW
    assert list(tmp_path.iterdir()) == [directory], "a trace was left"
    directory.rmdir()
    assert run()["there"] == "no"
    directory.write_text("x")
    assert run()["there"] == "file"
    assert shlex.split(command)[:2] == ["sh", "-c"]


@pytest.mark.parametrize(
    ("extra", "user", "begins"),
    [
        (("-aH",), "1000 web", "-a asks for owners, which only root gives: all belongs to web"),
        (("-o",), "5 ", "-o asks for owners, which only root gives: all belongs to 5"),
        (("-aH",), "0 root", ""),
        (("-aH",), "", ""),
        ((), "1000 web", ""),
    ],
)
def test_owners_that_only_root_gives(extra: tuple[str, ...], user: str, begins: str) -> None:
    found = owners(make_pair(None, "h:/m", extra=extra), {"user": user} if user else {})
    said = f"{begins} there; let root write there, or add --no-owner (docs/ownership.rst)"
    assert found == ([Finding(WARNING, said)] if begins else [])


def test_a_directory_whose_parent_is_missing(tmp_path: Path) -> None:
    pair = make_pair(None, f"h:{tmp_path}/no/such")
    command = script(pair, "", environment_shell=False)[-1]
    done = subprocess.run(["/bin/sh", "-c", command], stdout=subprocess.PIPE, check=True)
    assert answers(done.stdout.splitlines())["there"] == "lost"


@pytest.mark.parametrize(
    ("told", "extra", "said"),
    [
        ({}, (), []),
        ({"there": "no"}, (), []),
        ({"there": "file"}, (), ["a:/srv/www is no directory there; move the file away"]),
        ({"there": "lost"}, (), ["the parent directory does not exist there"]),
        ({"there": "lost", "writable": "no"}, ("--mkpath",), []),
        ({"writable": "no"}, (), ["the directory cannot be written to by the user there"]),
        ({"there": "no", "writable": "no"}, (), ["the parent directory cannot be written to"]),
        ({"room": "0"}, (), ["no room is left"]),
    ],
)
def test_the_directory(told: dict[str, str], extra: tuple[str, ...], said: list[str]) -> None:
    found = directory(make_pair(extra=extra), WELL | told)
    assert levels(found) == [PROBLEM] * len(said)
    assert all(finding.text.startswith(text) for finding, text in zip(found, said, strict=True))


@pytest.mark.parametrize(
    ("version", "time", "extra", "found"),
    [
        ("rsync  version 3.2.7  protocol version 31", str(int(NOW)), (), []),
        ("", "", (), [PROBLEM]),
        ("", "", ("--rsync-path=/opt/rsync",), []),
        ("rsync  version 3.0.9  protocol", "x", (), [PROBLEM]),
        ("rsync  version 3.2.7", str(int(NOW) + CLOCK + 1), (), [WARNING]),
        ("rsync  version 3.2.7", str(int(NOW) - CLOCK - 1), (), [WARNING]),
    ],
)
def test_rsync_and_the_clock(
    version: str, time: str, extra: tuple[str, ...], found: list[str]
) -> None:
    told = {"version": version, "time": time}
    assert levels(rsync_and_clock(make_pair(extra=extra), told, NOW, exact=False)) == found


def test_the_quick_check_needs_an_rsync_that_knows_it() -> None:
    told = {"version": "rsync  version 3.1.2  protocol version 31"}
    assert rsync_and_clock(make_pair(), told, NOW, exact=False) == []
    (found,) = rsync_and_clock(make_pair(), told, NOW, exact=True)
    assert found.text == "its rsync is 3.1.2; install 3.1.3 or later there"


ONLY_RSYNC = b"/usr/bin/rrsync error: SSH_ORIGINAL_COMMAND does not run rsync\n"


def test_a_key_is_restricted_as_the_config_says() -> None:
    free, jailed = make_pair(None, "h:m"), make_pair(None, "h:/", restricted=True)
    assert key(free, WELL, b"") == []
    assert key(jailed, {}, ONLY_RSYNC) == []
    assert key(make_pair(None, "h:/m"), {}, ONLY_RSYNC) == []  # it works in any case
    (found,) = key(free, {}, ONLY_RSYNC)
    assert found.level == WARNING
    assert '"restricted": True' in found.text
    (found,) = key(jailed, WELL, b"")
    assert found.level == PROBLEM


def test_whether_it_is_this_machine() -> None:
    pair = make_pair(None, "h:www")
    told = WELL | {"boot": "b", "source": "1:2"}
    found = local_mirror(pair, told, boot="b", source="1:2")
    assert found is not None
    assert found.path == "/srv/www"
    assert local_mirror(pair, told, boot="c", source="1:2") is None
    assert local_mirror(pair, told, boot="b", source="1:3") is None
    assert local_mirror(pair, told | {"place": ""}, boot="b", source="1:2") is None
    yet = local_mirror(pair, told | {"there": "no", "place": "/srv"}, boot="b", source="1:2")
    assert yet is not None
    assert yet.path == "/srv/www"


@pytest.mark.parametrize(
    ("host", "us"),
    [
        ("localhost", True),
        ("127.0.0.2", True),
        ("::1", True),
        ("WEB", True),
        ("web.example.org", True),
        ("mail", False),
    ],
)
def test_names_of_this_machine(host: str, us: bool) -> None:
    assert names_us(host, "web.example.org") is us


# ---- inotify --------------------------------------------------------------------------------

ROOM = {"max_user_watches": 100_000, "max_user_instances": 128, "max_queued_events": 16384}


@pytest.mark.parametrize(
    ("directories", "values", "found"),
    [
        (1000, ROOM, []),
        (1000, {}, []),
        (90_000, ROOM, [WARNING]),
        (200_000, ROOM, [PROBLEM]),
        (1000, ROOM | {"max_user_instances": 0}, [PROBLEM]),
        (1000, ROOM | {"max_queued_events": 100}, [WARNING]),
        (10, ROOM | {"max_queued_events": 100}, []),
    ],
)
def test_inotify(directories: int, values: dict[str, int], found: list[str]) -> None:
    told = limits(directories, [make_source()], values)
    assert levels(told) == found
    assert all("sysctl fs.inotify." in finding.text for finding in told)
    assert OK not in levels(told)
