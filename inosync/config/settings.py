"""The table of settings: all that is known of each setting by itself, in one place.

What settings mean together is not for here. To add one, add a row to its section and a field of
the same name to ``Config`` (``SourceSettings``, if it is one of each source, ``Node``, if it is one
of each node), and run scripts/make_settings.py:
``inosync.conf.example``, ``docs/settings.rst`` and the man page are made from the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inosync.config.value_lists import (
    event_mask,
    excludes,
    extra,
    paths,
    seconds_by_pattern,
    some,
    tls,
)
from inosync.config.values import (
    YEAR,
    active,
    arguments,
    beginning,
    days,
    directory,
    file_to_replace,
    file_to_write,
    flag,
    group,
    one_of,
    optional,
    or_auto,
    path_inside,
    program,
    relay,
    retry,
    seconds,
    speed,
    umask,
    user,
    whole,
)


@dataclass(frozen=True)
class Setting:
    """One setting: its name, its default, what it counts, what it accepts and what it means.

    ``default`` is written as a config would write it; None means "not set". ``unit`` is what its
    numbers count, ``""`` for none. ``parse`` turns a config's value into what the program uses, or
    raises ValueError with what is wrong and what is accepted. ``help`` is reStructuredText without
    an end mark; the first sentence can stand alone, and does so in ``inosync.conf.example``.

    ``aliases`` are other names of the same setting. A ``per_source`` setting may also be a dict of
    such values by source, and a ``per_node`` setting stand in a node's dict. ``family`` names the
    setting that this one is another form of (``wpaths`` of ``wpath``). ``otherwise`` tells people
    the default where ``default`` does not. ``example`` is what ``inosync.conf.example`` has instead
    of a comment with the default: a live setting, or commented lines.
    """

    name: str
    default: object
    unit: str
    parse: Callable[[Any], Any]
    help: str
    aliases: tuple[str, ...] = ()
    per_source: bool = False
    per_node: bool = False
    family: str = ""
    otherwise: str = ""
    example: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the proper one first."""
        return (self.name, *self.aliases)


@dataclass(frozen=True)
class Section:
    """Settings of one subject, with what ``about`` has to say of all of them."""

    title: str
    rows: tuple[Setting, ...]
    about: str = ""


# The first line of a row is for the program, the others are for people.
# fmt: off
_PLACES = (
    Setting("wpath", None, "", directory,
        "directory to watch; as for rsync, a slash at the end means its contents, no slash the "
        "directory itself. ``/./`` inside the path marks a virtual root: what follows is kept on "
        "the node, so that ``/srv/./www/site`` goes to ``www/site`` there",
        otherwise="required, or ``wpaths``", example='wpath = "/var/www/"'),
    Setting("wpaths", None, "", some('["/var/www/"]'),
        "several directories to watch, instead of ``wpath``",
        family="wpath", example='#wpaths = ["/var/www/", "/etc/nginx/"]'),
    # rpath is often a helper of the script, so only a node that needs it looks at it.
    Setting("rpath", None, "", lambda value: value,
        "common remote path, appended to nodes that are only a beginning: to those that end in a "
        'colon (``host:``), to ``""`` (local), and to ``ssh://``, ``rsync://`` and ``rsyncs://`` '
        "nodes without a path. Complete nodes are left alone",
        example='rpath = "/var/www/"'),
    Setting("rpaths", None, "", paths,
        "one remote path for each of ``wpaths``, in the same order",
        family="rpath", example='#rpaths = ["/var/www/", "/etc/nginx/"]'),
    Setting("rnodes", None, "", some('["host:/path"]'),
        "remote locations, as rsync writes them: ``/local/dir``, ``host:/path``, "
        "``user@host:/path``, ``host::module/path``, ``rsync://host:port/module/path``, "
        "``rsyncs://host:port/module/path`` (through TLS), or ``ssh://user@host:port/path``. A "
        "node may also be a dict ``{\"node\": location, setting: value}`` with ``rspeed``, "
        "``extra``, ``rtimeout``, ``rretry``, ``rscope``, ``rwarm``, ``rlate``, ``restricted``, "
        "``rrelay``, ``rtls``, ``rdelete``, ``rmaxchange``, ``rkeep``, ``rkeepmax`` or "
        "``rstreams`` for itself alone",
        per_source=True, otherwise="required",
        example="""\
rnodes = [
    "a.mirror.com:" + rpath,
    "user@b.mirror.com:" + rpath,
    "ssh://user@c.mirror.com:2222" + rpath,
    # a module of an rsync daemon
    "d.mirror.com::www/",
    "rsync://e.mirror.com/www/",
    # a local directory
    "/mnt/backup/www/",
    # a node with settings of its own
    {"node": "f.mirror.com:" + rpath, "rspeed": 500, "extra": "--compress"},
]"""),
    Setting("rrefresh", 0, "seconds", seconds,
        "time after which this script is run again for the list of ``rnodes``, which it may have "
        "from a file or from DNS; 0: never. New nodes get a full pass, and those that are gone "
        "are dropped after two equal answers (``docs/nodes.rst``)"),
    Setting("rexcludes", [], "", excludes,
        'rsync exclude patterns, in order: the first that matches decides, and ``"+ pattern"`` '
        "includes. What is excluded is not watched either. Rules as for ``--filter`` are taken as "
        'well, such as ``"P /own"`` for what the mirror has of its own',
        aliases=("excludes", "inotify_excludes"), per_source=True,
        example="""\
rexcludes = [
    "/localhost",
]
#rexcludes = {
#    "/var/www/": ["/localhost"],
#    "/etc/nginx/": ["*.bak"],
#}"""),
)

_EVENTS = (
    "IN_CLOSE_WRITE", "IN_CREATE", "IN_DELETE", "IN_MOVED_FROM", "IN_MOVED_TO", "IN_ATTRIB"
)

_TIMES = (
    Setting("watch", "inotify", "", one_of("inotify", "fanotify"),
        "how a source is watched. ``\"inotify\"``: a watch for each directory; ``\"fanotify\"``: a "
        "mark for each file system, at once and in no memory, however many directories there are; "
        "for root alone, on ext4, xfs and tmpfs, and where that is not to be had inotify is taken "
        "(``docs/watching.rst``)",
        per_source=True, example='watch = "fanotify"'),
    Setting("emask", [*_EVENTS], "", event_mask,
        "events that start a run, by their names in inotify(7)"),
    Setting("edelay", 10, "seconds", or_auto(seconds),
        "how long the first change of a batch waits for others; 0: no wait. A longer wait makes "
        "fewer runs of many changes, and mirrors them later. ``\"auto\"``: not at all while "
        "nothing is going on, and else for as long as the run before has taken, by mirror",
        per_source=True),
    Setting("emaxdelay", None, "seconds", seconds,
        "longest wait of a change: when it is larger than ``edelay``, each new change starts "
        "``edelay`` anew, but none waits longer than this; with ``edelay = \"auto\"``, how long a "
        "mirror rests at the most, 10 if it is not set",
        per_source=True, otherwise="``edelay``", example="#emaxdelay = 10"),
    Setting("eopen", 60, "seconds", seconds,
        "shortest time between two runs for a file that is written and not closed (a log, a "
        "database); 0: it is mirrored only when it is closed, or was changed by ``truncate(2)`` "
        "while nobody had it open",
        per_source=True),
    Setting("init", True, "", beginning,
        "what is sent at the start. ``True``: a full pass to every node; where ``rscope`` is "
        "``\"changes\"``, first what has changed since the daemon ran last, and then the pass in "
        "slices, which no change waits for; "
        "``\"changed\"``: there, a full pass only when that is in doubt; ``False``: only what "
        "changes from then on",
        per_source=True),
    Setting("rfull", 86400, "seconds", seconds,
        "time between full passes that repair what was changed on a mirror; 0: never"),
    Setting("rverify", 0, "seconds", seconds,
        "time between comparisons of each mirror with its source, contents included; what differs "
        "is logged and shown by ``--status``; 0: never"),
    Setting("rpoll", 0, "seconds", or_auto(seconds),
        "time between looks through each source for what changed without an event, on a server, "
        "behind a FUSE file system or in the lower layer of an overlay; 0: never. ``\"auto\"``: 60 "
        "for the sources that are on such a file system, or have one in them, and never for "
        "others; ``docs/network-sources.rst`` has the details"),
)

_GUARDS = (
    Setting("rmaxdelete", 0, "files", whole(0, 2**31 - 1, " of files (0: any)", 1000),
        "hold a mirror, before anything is deleted, when a run would delete more files there than "
        "this; 0: never. Each run is rehearsed for that (``rsync -n``), so it takes twice as long "
        "to begin",
        per_source=True),
    Setting("rmaxchange", 0, "files", whole(0, 2**31 - 1, " of files (0: any)", 1000),
        "hold a mirror, before anything is sent, when a run would overwrite more files there than "
        "this, as when a trojan encrypts them; 0: never. A run that may be at more files is "
        "rehearsed for that, as for ``rmaxdelete``; new files do not count (``docs/guards.rst``)",
        per_source=True, per_node=True),
    Setting("rdelete", "all", "", one_of("all", "seen", "start", "never"),
        "what is deleted on a node because the source does not have it. ``\"all\"``: everything; "
        "``\"seen\"``: only what was seen to vanish from the source, so that what others have put "
        "onto the mirror stays; ``\"start\"``: everything, and by full passes alone; "
        "``\"never\"``: nothing (``docs/deleting.rst``)",
        per_source=True, per_node=True, example='rdelete = "seen"'),
    Setting("rkeep", 0, "days", days,
        "how long a node keeps what a run overwrites or deletes there, in ``.inosync-kept`` at the "
        "top of the mirror, so that ``inosync --restore`` brings it back (``docs/undo.rst``); 0: "
        "not at all",
        per_source=True, per_node=True),
    Setting("rkeepmax", 0, "MB", whole(0, 2**31 - 1, " of MB (0: no limit)", 10_000),
        "how much a node keeps for ``rkeep`` at most, in millions of bytes; when it is more, the "
        "oldest days go, and the day that is not over stays; 0: no limit. It takes that what is "
        "kept can be read from here",
        per_source=True, per_node=True),
    Setting("wmarker", "", "", optional(path_inside),
        "file that must exist in every source, such as ``\".mounted\"``, as a proof that its file "
        "system is mounted; without it the source is held",
        per_source=True),
    Setting("wactive", "", "", optional(active),
        "what makes this host the active one of a pair that fails over: the path of a file, such "
        'as ``"/run/inosync-active"``, or an address of this host, such as ``"192.0.2.10"``; '
        "without it the daemon is on standby and sends nothing (``docs/failover.rst``)"),
    Setting("allow_empty", False, "", flag,
        "mirror a source even if it is empty at the start; ``False``: wait until something is in "
        "it"),
)

_RUNS = (
    Setting("rspeed", 0, "KB/s", speed,
        "limit for the speed of each run; 0: no limit",
        per_node=True),
    Setting("rsync", "/usr/bin/rsync", "", program,
        "the rsync program, an absolute path"),
    Setting("extra", "", "", extra,
        "more options for rsync, which is always called with ``-ltrp --delete``, a string or a "
        'list; ``"-aH"`` also keeps owner, group, devices and hard links. A string is split as a '
        "shell would do it, but never run by one",
        per_node=True),
    Setting("logfile", "", "", optional(file_to_write),
        "rsync's own log (``--log-file``)"),
    Setting("rtimeout", 300, "seconds", whole(0, YEAR, " of seconds", 300),
        "time without any progress after which a run is given up and tried again; 0: never. What "
        "only keeps a connection alive is none. Over what it has carried or compared, the other "
        "end may be silent for as long as that takes at 5 MB/s",
        per_node=True),
    Setting("rretry", (1, 300), "seconds", retry,
        "wait before a failed run is tried again: after the first failure, and at most; it doubles "
        "in between, minus a random part. inosync never gives up",
        per_node=True),
    Setting("rscope", "tree", "", one_of("tree", "changes"),
        'what a run covers: with ``"changes"`` only what has changed, so that its cost does not '
        'grow with the tree; with ``"tree"`` the whole source, as ever',
        per_source=True, per_node=True, example='rscope = "changes"'),
    Setting("rwarm", None, "seconds", seconds,
        "how long after a run the next one stands ready: an rsync that has started, has "
        "connected and waits for its list, so that the next change is on the node in a few "
        "milliseconds, or in one and a half round trips; 0: never. Only with ``rscope = "
        "\"changes\"``; a few wait at most, and no longer than ``rtimeout`` allows. One that waits "
        "counts for a module's ``max connections``, so none does there unless this is set",
        per_node=True, otherwise="300; 0 for a module of an rsync daemon", example="#rwarm = 300"),
    Setting("rlate", 120, "seconds", seconds,
        "how long what a run to another host had on its way may still arrive there when the run "
        "was cut short. Then it is carried once more, and until that is done the mirror is behind; "
        "0: nothing arrives late, as between hosts of one network with nothing in between that "
        "holds data back",
        per_node=True),
    Setting("restricted", False, "", flag,
        "whether the key that ssh uses is restricted to one directory there by rrsync, from whose "
        "top all paths count then: ``host:/`` is that directory (``docs/rrsync.rst``)",
        per_node=True),
    Setting("rrelay", False, "", relay,
        "whether a node is a relay: inosync runs there, too, and feeds others. ``inosync --status "
        "--all`` and ``--wait --all`` ask it as well, over the ssh of the node, as ``\"inosync\"`` "
        "or with another command: ``\"inosync -c /etc/other.py\"``. A list is a command "
        "that is run here instead, for a node without ssh or with a key that may only send: "
        "``[\"ssh\", \"-i\", \"/etc/key\", \"host\", \"inosync\"]`` (``docs/nodes.rst``)",
        per_node=True),
    Setting("rstreams", 1, "", whole(1, 64, "", 4),
        "how many slices of a full pass to one node are made at once, as far as ``rparallel`` "
        "allows and nobody else waits for it: for many small files over a long line. With ssh each "
        "has a connection of its own; they share ``rspeed``. Only with ``rscope = \"changes\"``",
        per_node=True),
    Setting("rtls", {}, "", tls,
        "what a connection to a ``rsyncs://`` node has to prove, a dict: ``\"ca\"`` is the file "
        "with the certificates of those who may sign the node's (by default the system's), "
        "``\"name\"`` the name in that (the host), ``\"cert\"`` and ``\"key\"`` the files with "
        "which inosync proves who it is. ``\"verify\": False`` lets the node prove nothing "
        "(``docs/tls.rst``)",
        per_node=True),
    Setting("rparallel", "auto", "", or_auto(whole(1, 10_000, "", 8)),
        "how many runs are at work at once, over all sources and nodes. ``\"auto\"``: 8 that may "
        "take long (passes, slices of them, big files), and 32 with those that name few changes; "
        "8 to one other host"),
)

_FILES = (
    Setting("rbigsize", 0, "bytes", whole(0, 2**62, " of bytes (0: no lane for big files)", 2**27),
        "size above which files travel in a lane of their own, a run beside the others, so that "
        "nothing waits for them; 0: no lane",
        per_source=True),
    Setting("rbigdelay", 60, "seconds", seconds,
        "shortest time between two runs of that lane"),
    Setting("rsettle", {}, "seconds", seconds_by_pattern,
        "files to be sent only when they are at rest: how long they have to be unchanged, by "
        'pattern as in ``rexcludes``, such as ``{"*.iso": 60, "/incoming/**": 10}``; they are sent '
        "after ten times as long in any case",
        per_source=True),
)

_DAEMON = (
    Setting("user", "", "", optional(user),
        "user to run as; root's privileges are given up"),
    Setting("group", "", "", optional(group),
        "group to run as; without it the main group of ``user``"),
    Setting("umask", 0o022, "", umask,
        "permission bits that files made by the daemon and by rsync do not get",
        otherwise="``0o022``"),
    Setting("pidfile", "", "", optional(file_to_write),
        "file with the process id, mode 0600, locked while the daemon runs; without it one that is "
        "called like the config, in ``/run/inosync``, in a directory below it that systemd made "
        "for the unit, or for an ordinary user in ``/run/user/UID/inosync``"),
    Setting("socket", "", "", optional(file_to_write),
        "control socket, for root, the daemon's user and the group to which the config was given; "
        "without it one where the pid file is by default"),
)

_HOOKS = (
    Setting("on_change", [], "", arguments,
        "when a batch of changes is about to travel"),
    Setting("on_success", [], "", arguments,
        "when a run to a node has ended well"),
    Setting("on_failure", [], "", arguments,
        "when a mirror or a source is not well any more; once, not at each try"),
    Setting("on_recover", [], "", arguments,
        "when a mirror or a source is well again"),
    Setting("beat", 0, "seconds", whole(0, YEAR, " of seconds (0: no beat)", 60),
        "time between two runs of ``on_beat``"),
    Setting("on_beat", [], "", arguments,
        "every ``beat`` seconds, but only while everything is in sync, so that its absence is an "
        "alarm: while no source or mirror is held, no path ails, and no change waits longer than "
        "that"),
    Setting("hooktimeout", 60, "seconds", whole(1, YEAR, " of seconds", 60),
        "time after which such a program is ended"),
)

_PUBLISHED = (
    Setting("metricsfile", "", "", optional(file_to_replace),
        "file with the state for Prometheus, kept up to date; its name ends in ``.prom``, in the "
        "directory of node_exporter's textfile collector (``docs/metrics.rst``)"),
    Setting("htmlfile", "", "", optional(file_to_replace),
        "file with the state as a web page, kept up to date"),
)
# fmt: on

SECTIONS = (
    Section(
        "Sources and nodes",
        _PLACES,
        "Where one daemon has several jobs, most settings may be a dict ``{wpath: value}`` with a "
        'value for each of ``wpaths``; the key ``"*"`` is for all others (``docs/jobs.rst``).',
    ),
    Section("When something is sent", _TIMES),
    Section("Guards against deletion", _GUARDS),
    Section("How rsync runs", _RUNS),
    Section("Big files, and files at work", _FILES, "``docs/big-files.rst`` has the details."),
    Section("The daemon", _DAEMON),
    Section(
        "Hooks",
        _HOOKS,
        "Programs to run when something happens, each a list of the program and its arguments, "
        'such as ``["/usr/local/bin/purge-cdn", "main"]``; no shell runs it. They get a report in '
        "JSON on standard input (``docs/hooks.rst``), and never delay a mirror.",
    ),
    Section(
        "Files that show the state",
        _PUBLISHED,
        "Their directories must be writable by the daemon (``user``), and not be mirrored.",
    ),
)

#: All rows, in the order in which a config is read and its problems are told.
SETTINGS = tuple(row for section in SECTIONS for row in section.rows)
