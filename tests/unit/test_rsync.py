"""rsync's command line and exit status."""

from __future__ import annotations

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.config import Source
from inosync.plan import list_options
from inosync.rsync import (
    Judgement,
    Transferred,
    Verdict,
    chooses_shell,
    command,
    deletions,
    evidence,
    judge,
    parse_version,
    transferred,
)

NEW = (3, 2, 7)
BASE = ["/usr/bin/rsync", "-ltrp", "--delete", "--protect-args", "--stats", "--no-human-readable"]


def argv(destination: str = "/mirror", *, source=None, config=None, **options) -> list[str]:
    node = {
        key: options.pop(key) for key in list(options) if key in ("rspeed", "rtimeout", "extra")
    }
    pair = make_pair(source, destination, **node)
    return command(pair, config or make_config([pair]), version=NEW, **options)


def test_a_local_mirror() -> None:
    assert argv() == [*BASE, "--modify-window=-1", "--timeout=300", "--", "/srv/www/", "/mirror"]


def test_an_old_rsync_is_not_given_what_it_does_not_know() -> None:
    pair = make_pair(None, "/mirror")
    words = command(pair, make_config([pair]), version=(3, 1, 2))
    assert "--modify-window=-1" not in words


def test_speed_and_timeout_are_the_nodes() -> None:
    words = argv(rspeed=500, rtimeout=0)
    assert "--bwlimit=500" in words
    assert not any(word.startswith("--timeout") for word in words)


@pytest.mark.parametrize(
    ("source", "top"),
    [
        (make_source(), "/srv/www/"),
        (make_source(argument="/srv/www", prefix="www"), "/srv/"),
        (make_source("/a/b", argument="/a/./b", prefix="b", relative=True), "/a/"),
    ],
)
def test_a_run_that_names_what_it_carries(source: Source, top: str) -> None:
    words = argv(source=source, listed=True)
    assert words[1:7] == [*list_options()][:6]
    assert "--files-from=-" in words
    assert "-ltrp" not in words
    assert "--relative" not in words
    assert words[-2:] == [top, "/mirror"]


def test_a_rehearsal_changes_nothing_and_tells_what_it_would_delete() -> None:
    words = argv(config=make_config(logfile="/var/log/r.log"), rehearse=True, limit=5)
    assert words[-5:-3] == ["--dry-run", "--info=del"]
    assert not any(word.startswith(("--log-file", "--max-delete")) for word in words)


def test_deletions_may_be_limited() -> None:
    assert argv(limit=5)[-4] == "--max-delete=5"
    assert not any(word.startswith("--max-delete") for word in argv())


@pytest.mark.parametrize(
    ("prefix", "path", "pattern"),
    [
        ("", b"disk", "/disk/"),
        ("www", b"a/disk", "/www/a/disk/"),
        ("", b"a[1]", "/a\\[1]/"),
        ("", b"a*?\\b", "/a\\*\\?\\\\b/"),
        ("", b"a\\b", "/a\\b/"),
    ],
)
def test_what_is_to_be_spared_is_excluded_before_all_else(
    prefix: str, path: bytes, pattern: str
) -> None:
    words = argv(source=make_source(prefix=prefix, excludes=("+ *",)), spare=[path])
    at = words.index(f"--exclude={pattern}")
    assert words[at + 1] == "--exclude=+ *"


def test_what_a_rehearsal_would_have_deleted() -> None:
    output = b"deleting d/a\ndeleting b\x1b\nother\ndeleting c\ndeleting e\n\nNumber of"
    assert deletions(output) == ("d/a", "b\\x1b", "c")
    assert deletions(b"") == ()


def test_excludes_keep_their_order_and_extra_comes_behind_them() -> None:
    source = make_source(excludes=("+ /keep", "*.tmp", "/keep"))
    words = argv(source=source, extra=("-aH", "--exclude=last"))
    at = words.index("--exclude=+ /keep")
    assert words[at:-3] == [
        "--exclude=+ /keep",
        "--exclude=*.tmp",
        "--exclude=/keep",
        "-aH",
        "--exclude=last",
    ]


def test_nothing_that_follows_is_taken_for_an_option() -> None:
    assert argv()[-3] == "--"


def test_a_virtual_root_is_kept_on_the_node() -> None:
    source = make_source("/a/b", argument="/a/./b", prefix="b", relative=True)
    words = argv(source=source)
    assert "--relative" in words
    assert words[-2] == "/a/./b"


def test_rsyncs_own_log() -> None:
    assert "--log-file=/var/log/r.log" in argv(config=make_config(logfile="/var/log/r.log"))


@pytest.mark.parametrize("destination", ["h::module/path", "rsync://h:8730/module/path"])
def test_an_rsync_daemon(destination: str) -> None:
    words = argv(destination)
    assert "--sockopts=TCP_NODELAY" in words
    assert "--contimeout=30" in words
    assert "-e" not in words


def test_ssh_shares_its_connections() -> None:
    words = argv("ssh://u@h:2222/p", control="/run/inosync/ssh-x")
    shell = words[words.index("-e") + 1]
    assert shell.startswith("ssh -o BatchMode=yes -o ConnectTimeout=30")
    assert "-o ControlMaster=auto" in shell
    assert "-o ControlPath=/run/inosync/ssh-x/%C" in shell
    assert shell.endswith("-p 2222")
    assert words[-1] == "u@h:/p"


def test_ssh_without_a_directory_for_sockets_shares_nothing() -> None:
    words = argv("h:/p")
    assert "Control" not in words[words.index("-e") + 1]


def test_a_percent_sign_in_the_sockets_directory_is_not_sshs() -> None:
    words = argv("h:/p", control="/run/50%")
    assert "-o ControlPath=/run/50%%/%C" in words[words.index("-e") + 1]


def test_the_users_remote_shell_is_left_alone() -> None:
    assert "-e" not in argv("h:/p", extra=("--rsh=ssh -p 99",))
    assert "-e" not in argv("h:/p", environment_shell=True)


@pytest.mark.parametrize(
    ("extra", "chosen"),
    [
        ((), False),
        (("-aH",), False),
        (("--rsh=ssh",), True),
        (("--rsh", "ssh"), True),
        (("-e", "ssh"), True),
        (("-ave", "ssh"), True),
        (("-essh",), True),
        (("--delete-excluded",), False),
        (("--exclude=x",), False),
    ],
)
def test_who_chooses_the_remote_shell(extra: tuple[str, ...], chosen: bool) -> None:
    assert chooses_shell(extra) is chosen


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("rsync  version 3.2.7  protocol version 31\n...", (3, 2, 7)),
        ("rsync  version v3.4.1pre1  protocol version 32\n", (3, 4, 1)),
        ("hello --version\n", None),
        ("", None),
    ],
)
def test_the_version(output: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(output) == version


OK, RETRY, SLOW, HOLD = Verdict.OK, Verdict.RETRY, Verdict.SLOW, Verdict.HOLD


@pytest.mark.parametrize(
    ("verdict", "codes"),
    [
        (OK, [0, 24]),
        (RETRY, [2, 5, 10, 11, 12, 14, 20, 21, 22, 23, 30, 35, 255, -9, -11, -15]),
        (SLOW, [1, 3, 4, 6, 13, 126, 127, 99, 200]),
        (HOLD, [25]),
    ],
)
def test_the_judgement_of_every_exit_status(verdict: Verdict, codes: list[int]) -> None:
    destination = make_pair(None, "h:/p").destination
    for code in codes:
        judgement = judge(code, destination)
        assert judgement.verdict is verdict, code
        assert judgement.meaning
        assert bool(judgement.cure) is (verdict is not OK), code
        assert "{" not in judgement.cure


def test_a_cure_names_the_host_and_a_local_one_this_host() -> None:
    assert judge(127, make_pair(None, "web7:/p").destination).cure == "install rsync on web7"
    assert judge(127, make_pair(None, "/p").destination).cure == "install rsync on this host"


def test_a_judgement_names_the_signal() -> None:
    assert judge(-9, make_pair().destination) == Judgement(
        RETRY, "killed by signal 9", "nothing, unless it repeats"
    )


def test_statistics() -> None:
    output = b"""\
Number of files: 3 (reg: 2, dir: 1)
Number of created files: 2 (reg: 2)
Number of deleted files: 7
Number of regular files transferred: 2
Total file size: 300 bytes
Total transferred file size: 1234567 bytes
"""
    assert transferred(output) == Transferred(files=2, size=1234567, deleted=7)
    assert transferred(b"Number of files transferred: 2\n") == Transferred(files=2)
    assert transferred(b"") == Transferred()


def test_the_evidence_is_the_last_lines_and_safe_to_log() -> None:
    errors = b"".join(b"line %d\n" % number for number in range(40)) + b"\n\x1b[31mred \xff\r\n"
    lines = evidence(errors)
    assert len(lines) == 25
    assert lines[0] == "line 16"
    assert lines[-1] == "\\x1b[31mred \\udcff"
