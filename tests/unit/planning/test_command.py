"""rsync's command line."""

from __future__ import annotations

import pytest
from support.configs import make_config, make_pair, make_source

from inosync.config.model import Source
from inosync.planning.command import command
from inosync.planning.file_list import list_options
from inosync.planning.order import RunKind
from inosync.planning.run import Run, patient
from inosync.planning.steps import Clear, Fuzzy, Pave, Relink, Renew
from inosync.rsync import differences as drift
from inosync.rsync.program import Program
from inosync.rsync.tls import Tls

NEW = (3, 2, 7)
PROGRAM = ("checksum", "control", "environment_shell")
BASE = ["/usr/bin/rsync", "-ltrp", "--delete", "--protect-args", "--stats", "--no-human-readable"]


KEPT = "--filter=-sr .inosync-kept"


NODE = ("rspeed", "rtimeout", "extra", "restricted", "rkeep", "rtls")


def argv(destination: str = "/mirror", *, source=None, config=None, **options) -> list[str]:
    node = {key: options.pop(key) for key in list(options) if key in NODE}
    program = Program(
        options.pop("version", NEW),
        **{key: options.pop(key) for key in list(options) if key in PROGRAM},
    )
    kind = RunKind.REHEARSAL if options.pop("rehearse", False) else RunKind.PASS
    kind = RunKind.COMPARISON if options.pop("compare", False) else kind
    kind = RunKind.STEP if "step" in options else kind
    pair = make_pair(source, destination, **node)
    return command(Run(pair, kind, **options), config or make_config([pair]), program)


def test_a_local_mirror() -> None:
    ends = [KEPT, "--", "/srv/www/", "/mirror"]
    assert argv() == [*BASE, "--modify-window=-1", "--timeout=300", *ends]


@pytest.mark.parametrize(
    ("source", "destination", "ends"),
    [
        (make_source(), "/mirror", ["/srv/www/b/new/", "/mirror/b/new/"]),
        (make_source(), "h:", ["/srv/www/b/new/", "h:b/new/"]),
        (make_source(), "h::m/x/", ["/srv/www/b/new/", "h::m/x/b/new/"]),
        (
            make_source("/a/x/y", argument="/a/./x/y", prefix="x/y", relative=True),
            "/mirror/",
            ["/a/x/y/b/new/", "/mirror/x/y/b/new/"],
        ),
    ],
)
def test_a_renamed_directory_is_linked_anew(source, destination: str, ends: list[str]) -> None:
    relink = Relink(b"a/old", b"b/new", (b"f*", b"s/g"), ("*.tmp",), frozenset({b"a/old"}))
    words = argv(destination, source=source, step=relink, extra=("-z",), spare=[b"lost"])
    assert words[1:3] == ["-ltrp", "--link-dest=../../a/old"]
    assert not {"--delete", "--relative"} & set(words)
    rules = ["--exclude=/f\\*", "--exclude=/s/g", "--exclude=*.tmp", "-z", "--"]
    assert words[-7:] == [*rules, *ends]


@pytest.mark.parametrize(
    ("old", "new", "link", "ends"),
    [
        (b"a/x", b"b", "--link-dest=../a/x", ["/srv/www/b/", "/mirror/b/"]),
        (b"", b"b/c", "--link-dest=../../", ["/srv/www/b/c/", "/mirror/b/c/"]),
        (b"a", b"", "--link-dest=a", ["/srv/www/", "/mirror"]),
    ],
)
def test_renamed_files_are_linked_anew(old: bytes, new: bytes, link: str, ends: list[str]) -> None:
    relink = Relink(old, new, (), (), frozenset(), (b"./f",))
    words = argv("/mirror", source=make_source(excludes=("x",)), step=relink, extra=("-z",))
    assert words[1] == "-ltp"
    assert {"--files-from=-", "--from0", "--ignore-existing", link} < set(words)
    assert not {"--delete", "--exclude=x", "-r", "--relative"} & set(words)
    assert words[-4:] == ["-z", "--", *ends]


def test_the_top_of_a_home_directory_is_not_that_of_the_node() -> None:
    relink = Relink(b"a", b"", (), (), frozenset(), (b"./f",))
    assert argv("h:", step=relink)[-1] == "h:"


def test_renamed_files_are_made_of_what_is_beside_them() -> None:
    words = argv(source=make_source(excludes=("x",)), step=Fuzzy((b"./a",)), listed=True)
    assert {"--fuzzy", "--no-whole-file", "--ignore-existing", "--exclude=x"} < set(words)
    assert "--delete" not in words


def test_what_is_renewed_is_sent_whatever_is_there() -> None:
    config = make_config([make_pair()], rbigsize=100)
    words = argv(step=Renew(frozenset({b"a"}), (b"./a",)), listed=True, config=config)
    assert "--ignore-times" in words
    assert not {"--delete", "--max-size=100"} & set(words)
    assert "--max-size=100" in argv(step=Pave((b"./a",)), listed=True, config=config)
    assert "--delete" in argv(step=Pave((b"./a",)), listed=True)  # what is in the way


@pytest.mark.parametrize(
    ("to", "more", "place"),
    [
        ("/m", {}, "d/t~"),
        ("/m", {"extra": ("-b", "--suffix=.old")}, "d/t.old"),
        ("h::mod/m", {}, "d/t~"),
        ("h:m", {}, "d/t~"),
        ("h:/srv/m", {}, "/srv/m/d/t~"),
        ("h:m", {"restricted": True}, "/m/d/t~"),
        ("h:/", {"restricted": True}, "/d/t~"),
    ],
)
def test_old_versions_go_beside_the_directory_that_they_were_in(
    to: str, more: dict[str, object], place: str
) -> None:
    words = argv(to, step=Clear(b"d/t", (b"./d/t",)), listed=True, **({"extra": ("-b",)} | more))
    assert words[-5:-3] == [f"--backup-dir={place}", "--suffix="]
    assert "--force" in words
    assert "--delete" not in words
    below = make_source(argument="/srv/./www", prefix="www")
    words = argv("/m", source=below, step=Clear(b"t", (b"./www/t",)), listed=True)
    assert "--backup-dir=www/t~" in words


def test_what_must_be_deleted_is_hidden_before_all_rules() -> None:
    source = make_source(argument="/srv/www", prefix="www", excludes=("+ *",))
    words = argv(source=source, hide=[b"a/o?d"], spare=[b"lost"])
    assert words[-6:-3] == ["--filter=H /www/a/o\\?d", "--filter=-sr /www/lost", "--exclude=+ *"]


def test_what_rsync_has_for_itself_is_protected_before_all_rules() -> None:
    source = make_source(argument="/srv/www", prefix="www", excludes=("+ *",))
    words = argv("/m", source=source, extra=("--backup-dir=/m/old/b*k",), spare=[b"lost"])
    rules = [word for word in words if word.startswith(("--filter", "--exclude"))]
    protected = ["--filter=P /old", "--filter=P /old/b\\*k"]
    assert rules == [KEPT, *protected, "--filter=-sr /www/lost", "--exclude=+ *"]


@pytest.mark.parametrize(
    ("kind", "more", "keeps"),
    [
        (RunKind.PASS, {}, True),
        (RunKind.LISTED, {"listed": True}, True),
        (RunKind.LISTED, {"listed": True, "big": True}, True),
        (RunKind.CONTENTS, {"listed": True}, True),
        (RunKind.STEP, {"listed": True, "step": Renew(frozenset({b"a"}), (b"./a",))}, True),
        (RunKind.REHEARSAL, {}, False),
        (RunKind.COMPARISON, {}, False),
    ],
)
def test_what_a_run_puts_away_is_kept(kind: RunKind, more: dict, *, keeps: bool) -> None:
    pair = make_pair(None, "h:/m", rkeep=3.0)
    run = Run(pair, kind, keep="DAY/TIME", **more)
    words = command(run, make_config([pair], rbigsize=1000), Program(NEW))
    kept = ["--backup", "--backup-dir=/m/.inosync-kept/DAY/TIME"]
    assert [word for word in words if word.startswith("--backup")] == kept * keeps
    assert KEPT in words


def test_what_a_renamed_directory_takes_the_place_of_is_kept_at_the_top_of_the_mirror() -> None:
    source = make_source("/a/x/y", argument="/a/./x/y", prefix="x/y", relative=True)
    relink = Relink(b"old", b"b/new", (), (), frozenset({b"old"}))
    words = argv("/m", source=source, step=relink, keep="D/T")
    assert "--backup-dir=../../../../.inosync-kept/D/T/x/y/b/new" in words
    words = argv("h::mod/m/", source=source, step=relink, keep="D/T")
    assert "--backup-dir=/m/.inosync-kept/D/T/x/y/b/new" in words
    assert KEPT in words


def test_an_old_rsync_is_not_given_what_it_does_not_know() -> None:
    assert "--modify-window=-1" not in argv(version=(3, 1, 2))


def test_both_ends_of_a_local_run_need_not_find_out_on_which_checksum_they_agree() -> None:
    word = "--checksum-choice=xxh128"
    words = argv(checksum="xxh128", extra=("--checksum-choice=md5",))
    assert words.index(word) < words.index("--checksum-choice=md5")  # the last one counts
    for there in ("host:/mirror", "host::module/", "rsync://host/module/"):
        assert word not in argv(there, checksum="xxh128")


def test_speed_and_timeout_are_the_nodes() -> None:
    words = argv(rspeed=500, rtimeout=0)
    assert "--bwlimit=500" in words
    assert not any(word.startswith("--timeout") for word in words)


@pytest.mark.parametrize(
    ("source", "top", "there"),
    [
        (make_source(), "/srv/www/", "/mirror"),
        (make_source(argument="/srv/www", prefix="www"), "/srv/", "/mirror/"),
        (make_source("/a/b", argument="/a/./b", prefix="b", relative=True), "/a/", "/mirror/"),
    ],
)
def test_a_run_that_names_what_it_carries(source: Source, top: str, there: str) -> None:
    words = argv(source=source, listed=True)
    assert words[1:7] == [*list_options()][:6]
    assert "--files-from=-" in words
    assert "-ltrp" not in words
    assert "--relative" not in words
    assert words[-2:] == [top, there]
    assert argv(source=source)[-2:] == [source.argument, there]


def test_a_rehearsal_changes_nothing_and_tells_what_it_would_delete() -> None:
    words = argv(config=make_config(logfile="/var/log/r.log"), rehearse=True, limit=5)
    assert words[-6:-3] == ["--dry-run", "--info=del", "--max-delete=2147483647"]
    assert not any(word.startswith("--log-file") for word in words)


def test_deletions_may_be_limited() -> None:
    assert argv(limit=5)[-4] == "--max-delete=5"
    assert not any(word.startswith("--max-delete") for word in argv())


@pytest.mark.parametrize(
    ("own", "limits"),
    [
        ("--max-delete=3", ["--max-delete=3"]),
        ("--max-delete=-1", ["--max-delete=-1"]),
        ("--max-delete=9", ["--max-delete=9", "--max-delete=5"]),
        ("--max-delete=many", ["--max-delete=many", "--max-delete=5"]),
        ("--max-size=1", ["--max-delete=5"]),
    ],
)
def test_the_smaller_limit_counts(own: str, limits: list[str]) -> None:
    words = argv(limit=5, extra=(own,))
    assert [word for word in words if word.startswith("--max-delete")] == limits


def test_what_must_not_be_deleted_is_told_again_behind_what_may_forget_it() -> None:
    rule = "--filter=-sr /disk"
    words = argv(
        extra=("--exclude-from", "/list", "-f", ". /more", "--filter=- *.o"), spare=[b"disk"]
    )
    assert words[words.index("--exclude-from") :][:9] == [
        *("--exclude-from", "/list", KEPT, rule, "-f", ". /more", KEPT, rule),
        "--filter=- *.o",
    ]


def test_what_keeps_a_run_from_speaking_is_left_out() -> None:
    words = argv(extra=("-aqh", "--info=none", "-q", "--stderr", "all", "-hB700", "-vz"))
    assert words[-6:-3] == ["-a", "-B700", "-vz"]


@pytest.mark.parametrize(
    ("prefix", "path", "pattern"),
    [
        ("", b"disk", "/disk"),
        ("www", b"a/disk", "/www/a/disk"),
        ("", b"a[1]", "/a\\[1]"),
        ("", b"a*?\\b", "/a\\*\\?\\\\b"),
        ("", b"a\\b", "/a\\b"),
    ],
)
def test_what_is_to_be_spared_is_excluded_before_all_else(
    prefix: str, path: bytes, pattern: str
) -> None:
    words = argv(source=make_source(prefix=prefix, excludes=("+ *",)), spare=[path])
    at = words.index(f"--filter=-sr {pattern}")
    assert words[at + 1] == "--exclude=+ *"


LANE = make_config(rbigsize=1000)


def test_the_ordinary_run_carries_what_is_not_big() -> None:
    words = argv(config=LANE, extra=("-aH",))
    assert words[-5:-3] == ["-aH", "--max-size=1000"]
    assert [word for word in words if word.startswith("--filter")] == [KEPT]


def test_a_lenient_run_spares_the_files_that_the_lane_is_at() -> None:
    words = argv(config=LANE, lenient=True, source=make_source(excludes=("*.tmp",)))
    at = words.index("--exclude=*.tmp")
    assert words[at - 2] == "--filter=-rp .*." + "[0-9A-Za-z]" * 6
    assert words[at - 1] == "--filter=-srp .inosync-partial/"


@pytest.mark.parametrize("listed", [False, True])
def test_the_lane_carries_big_files_and_nothing_else(*, listed: bool) -> None:
    words = argv(config=LANE, big=True, listed=listed, extra=("-aH", "--delete-after", "--del"))
    assert not any(word.startswith(("--del", "--max-size")) for word in words)
    assert words[words.index("-aH") : -3] == [
        "-aH",
        "--min-size=1001",
        "--no-links",
        "--no-devices",
        "--no-specials",
        "--info=nonreg0",
        "--force",
        "--partial-dir=.inosync-partial",
    ]


@pytest.mark.parametrize("option", ["--inplace", "--append", "--partial-dir=.mine"])
def test_what_keeps_an_interrupted_file_itself(option: str) -> None:
    words = argv(config=LANE, big=True, extra=(option,))
    assert "--partial-dir=.inosync-partial" not in words
    assert option in words


def test_files_that_are_to_be_left_alone() -> None:
    words = argv(source=make_source(prefix="www"), spare=[b"disk"], leave=[b"b", b"a[1]"])
    at = words.index("--filter=-sr /www/a\\[1]")
    assert words[at + 1 : at + 3] == ["--filter=-sr /www/b", "--filter=-sr /www/disk"]


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


def test_an_rsync_daemon_behind_tls() -> None:
    words = argv("rsyncs://h:8730/module/path", rtls=Tls(ca="/ca"))
    assert words[words.index("-e") + 1].startswith("sh -c 'exec openssl s_client ")
    assert "-connect h:8730 " in words[words.index("-e") + 1]
    assert "-CAfile /ca" in words[words.index("-e") + 1]
    assert "--no-motd" in words
    # Those are for a connection that rsync makes itself; it refuses the second one otherwise.
    assert not {"--sockopts=TCP_NODELAY", "--contimeout=30"} & set(words)
    assert words[-1] == "rsync://h:8730/module/path"


def test_an_rsync_daemon_is_told_of_no_timeout_in_a_short_run() -> None:
    told = "--remote-option=--timeout=0"
    assert told in argv("h::module/path", listed=True)
    assert "--timeout=300" in argv("h::module/path", listed=True)
    # A whole pass may have long silences; with the timeout, the daemon fills them.
    assert told not in argv("h::module/path")
    assert told not in argv("h:/path", listed=True)
    assert told not in argv("h::module/path", listed=True, rtimeout=0)


def test_a_short_run_to_a_local_node_has_no_timeout_of_its_own() -> None:
    assert "--timeout=300" not in argv("/mirror", listed=True)
    assert "--timeout=300" in argv("/mirror")
    assert "--timeout=300" in argv("/mirror", listed=True, big=True)
    assert "--timeout=300" in argv("h:/p", listed=True)


def test_over_ssh_a_run_has_nothing_that_rrsync_refuses() -> None:
    words = argv("h:/p")
    assert not {"--protect-args", "--modify-window=-1"} & set(words)
    unprotected = ["--no-old-args", "--no-protect-args"]
    assert [word for word in words if word in unprotected] == unprotected
    assert "--remote-option=--modify-window=-1" in words
    assert "--protect-args" in argv("h::m/p")
    old = argv("h:/p", version=(3, 2, 3))
    assert "--protect-args" in old
    assert not set(unprotected) & set(old)


@pytest.mark.parametrize("torn", ["a\nb", "a\rb", "a\N{NO-BREAK SPACE}b"])
def test_names_that_would_be_taken_apart_are_protected(torn: str) -> None:
    relink = Relink(torn.encode(), b"new", (), (), frozenset())
    assert "--protect-args" in argv("h:/p", step=relink)
    assert "--protect-args" in argv(f"h:/{torn}")
    assert "--protect-args" not in argv("h:/p", step=Relink(b"a \t'b", b"c d", (), (), frozenset()))


@pytest.mark.parametrize("extra", [("--modify-window=0",), ("-@0",), ("-@", "1")])
@pytest.mark.parametrize("there", ["/m", "h:/m", "h::m"])
def test_which_times_are_equal_is_the_users_to_say(extra: tuple[str, ...], there: str) -> None:
    words = argv(there, extra=extra)
    assert not any(word.endswith("--modify-window=-1") for word in words)


@pytest.mark.parametrize(
    ("there", "restricted", "link"),
    [
        ("h:/srv/m/", False, "--link-dest=/srv/m/a/old"),
        ("h:/", True, "--link-dest=/a/old"),
        ("h:m", True, "--link-dest=/m/a/old"),
        ("h:", True, "--link-dest=/a/old"),
        ("h:m", False, "--link-dest=../../a/old"),
        ("/m", True, "--link-dest=../../a/old"),
        ("h::m/x", True, "--link-dest=../../a/old"),
    ],
)
def test_where_a_node_has_the_old_place(there: str, restricted: bool, link: str) -> None:
    relink = Relink(b"a/old", b"b/new", (), (), frozenset())
    assert link in argv(there, step=relink, restricted=restricted)


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


def test_a_comparison_looks_at_contents_and_tells() -> None:
    words = argv(compare=True, rehearse=True)
    assert [word for word in words if word in drift.OPTIONS] == list(drift.OPTIONS)
    assert "--dry-run" in words
    assert "--checksum" not in argv(rehearse=True)


def test_a_comparison_may_be_silent_for_longer() -> None:
    assert patient(make_pair(rtimeout=300)).node.rtimeout == 3000
    assert patient(make_pair(rtimeout=0)).node.rtimeout == 0
