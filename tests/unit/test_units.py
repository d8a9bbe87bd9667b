"""The systemd units say what the daemon does."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.daemon import run_inosync

from inosync.errors import Exit
from inosync.system import log

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HARDENED = ("inosync.service", "inosync@.service")
USERS = "inosync-user.service"


def read(name: str) -> dict[str, dict[str, list[str]]]:
    """Return sections, settings and all values of each setting of a unit file."""
    sections: dict[str, dict[str, list[str]]] = {}
    for line in (EXAMPLES / name).read_text().splitlines():
        if section := re.fullmatch(r"\[(\w+)\]", line):
            settings = sections.setdefault(section[1], {})
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, f"no setting: {line!r}"
            settings.setdefault(key, []).append(value)
    return sections


@pytest.fixture(params=HARDENED)
def unit(request: pytest.FixtureRequest) -> dict[str, dict[str, list[str]]]:
    """Each unit of the whole machine in turn."""
    return read(request.param)


@pytest.mark.parametrize("name", [*HARDENED, USERS])
def test_the_service_tells_systemd_how_it_is(name: str) -> None:
    unit = read(name)
    service = unit["Service"]
    assert service["Type"] == ["notify"]
    assert int(service["WatchdogSec"][0]) >= 10
    # Unlike a signal it fails when the config is refused.
    assert service["ExecReload"] == [f"{service['ExecStart'][0]} --reload"]
    assert service["Restart"] == ["on-failure"]
    wrong = {str(int(status)) for status in (Exit.USAGE, Exit.ALREADY_RUNNING)}
    assert set(service["RestartPreventExitStatus"][0].split()) == wrong
    assert "man:inosync(8)" in unit["Unit"]["Documentation"][0].split()
    assert int(service["RestartSec"][0]) >= 10  # a config that stays wrong fills no log
    target = "default.target" if name == USERS else "multi-user.target"
    assert unit["Install"]["WantedBy"] == [target]


@pytest.mark.parametrize("name", [*HARDENED, USERS])
def test_the_command_line_is_one_that_inosync_has(name: str, tmp_path: Path) -> None:
    (line,) = read(name)["Service"]["ExecStart"]
    program, *arguments = shlex.split(line)
    assert program == ("%h/.local/bin/inosync" if name == USERS else "/usr/local/bin/inosync")
    options = [argument for argument in arguments if argument.startswith("-")]
    offered = run_inosync("--help", cwd=tmp_path)
    assert offered.returncode == 0, offered.stderr
    assert options
    for option in options:
        assert re.search(rf"^  {option}\b", offered.stdout, re.M), option
    # Under systemd the daemon stays in the foreground.
    assert "-d" not in options


def test_both_units_differ_in_the_config_alone() -> None:
    plain, instance = read("inosync.service"), read("inosync@.service")
    assert plain["Service"].pop("ExecStart") == ["/usr/local/bin/inosync -c /etc/inosync.py"]
    assert instance["Service"].pop("ExecStart") == ["/usr/local/bin/inosync -c /etc/inosync/%i.py"]
    (ident,) = instance["Service"].pop("SyslogIdentifier")
    assert ident.replace("%i", "web") == log.ident("/etc/inosync/web.py")
    for unit in (plain, instance):
        assert unit["Service"].pop("ExecReload")
    assert plain["Service"] == instance["Service"]
    assert plain["Install"] == instance["Install"]


def test_the_one_of_a_user_asks_for_nothing_that_a_user_has_not() -> None:
    """A user's systemd starts no service with these settings, and has no network target."""
    unit = read(USERS)
    assert unit["Service"].keys() <= read(HARDENED[0])["Service"].keys()
    sandbox = r"Protect|Private|Capabilit|Restrict|ReadWrite|SystemCall|User|Group|Runtime|Logs"
    assert not [key for key in unit["Service"] if re.match(sandbox, key)]
    assert not unit["Unit"].keys() & {"After", "Wants", "Requires"}


def test_the_sandbox_leaves_what_mirroring_needs(unit: dict[str, dict[str, list[str]]]) -> None:
    service = unit["Service"]
    powers = set(" ".join(service["CapabilityBoundingSet"]).split())
    assert {"CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN"} <= powers
    assert not powers & {"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE"}
    assert service["ProtectSystem"] == ["strict"]
    assert "-/srv" in service["ReadWritePaths"][0].split()
    assert set(service["RestrictAddressFamilies"][0].split()) == {
        "AF_UNIX",
        "AF_INET",
        "AF_INET6",
        "AF_NETLINK",
    }
    # Would break: setgid directories on a local mirror; reading fs.inotify.max_user_watches.
    assert not service.keys() & {"RestrictSUIDSGID", "ProcSubset", "PrivateNetwork"}


def test_each_unit_has_a_directory_of_its_own(unit: dict[str, dict[str, list[str]]]) -> None:
    """systemd gives the last part to User=, and /run/inosync stays root's: system/runtime.py."""
    assert unit["Service"]["RuntimeDirectory"] == ["inosync/%n"]
    assert unit["Service"]["LogsDirectoryMode"] == ["0750"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name", HARDENED)
def test_systemd_understands_it(name: str, tmp_path: Path) -> None:
    unit = tmp_path / name.replace("@.", "@web.")
    text = (EXAMPLES / name).read_text()
    unit.write_text(text.replace("/usr/local/bin/inosync", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if unit.name in line] == []


@pytest.mark.skipif(not shutil.which("logrotate"), reason="logrotate is not installed")
def test_logrotate_understands_its_file(tmp_path: Path) -> None:
    text = (EXAMPLES / "inosync.logrotate").read_text()
    (tmp_path / "conf").write_text(text.replace("/var/log/inosync", f"{tmp_path}/log"))
    (tmp_path / "conf").chmod(0o644)
    (tmp_path / "log").mkdir(mode=0o750)
    (tmp_path / "log/rsync.log").write_text("x")
    command = ["logrotate", "--force", "--state", tmp_path / "state", tmp_path / "conf"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in (tmp_path / "log").iterdir()] == ["rsync.log.1"]


def test_it_runs_without_memory_that_is_writable_and_executable(
    unit: dict[str, dict[str, list[str]]],
) -> None:
    """MemoryDenyWriteExecute=yes, set as prctl(2) does: pyinotify works through ctypes."""
    assert unit["Service"]["MemoryDenyWriteExecute"] == ["yes"]
    program = (
        "import pyinotify, daemon; manager = pyinotify.WatchManager();"
        "print(manager.add_watch('/', pyinotify.IN_CREATE)['/'] > 0)"
    )
    deny = (
        "import ctypes, os, sys; "
        f"ctypes.CDLL(None).prctl({PR_SET_MDWE}, 1, 0, 0, 0); "
        "os.execv(sys.executable, [sys.executable, '-W', 'ignore', '-c', sys.argv[1]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", deny, program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


#: <linux/prctl.h>; kernels before 6.3 refuse it, and the program then runs unrestricted.
PR_SET_MDWE = 65
