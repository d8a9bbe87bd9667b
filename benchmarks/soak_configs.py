"""Trials of a soak: a config drawn from all settings, operations and signals, and a look by rsync.

Each trial has sources, nodes and a daemon of its own. At its end `inosync --wait` has to say that
all is in sync; then rsync itself, with the same options and ``-n -c --itemize-changes``, must find
nothing to do, and neither ``--verify`` nor ``rverify`` may call anything drift.
"""
# ruff: noqa: S311, T201 - dice are for play, not for secrets; a report is printed

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from soak_source import KEEP, OPERATIONS, WEIGHTS, RestlessSource
from support import processes
from support.daemon import Daemon, run_inosync
from support.servers import RsyncDaemon, SshServer, program

from inosync.rsync.kept import RULE

#: Seconds in which all has to be in sync once everything is well again.
LIMIT = 120.0

RSYNC = program("rsync")

#: What only changes how rsync speaks: a look of ours has to be heard.
_MANNERS = (
    "-q",
    "--quiet",
    "--stderr=all",
    "--msgs2stderr",
    "--progress",
    "-v",
    "--itemize-changes",
)
_EXTRAS = (
    *("", "", "", "-aH", "-q", "--stderr=all", "--msgs2stderr", "--checksum", "--omit-dir-times"),
    *("--delete-excluded", "--delete-after", "--delete-delay", "--inplace", "--whole-file", "-z"),
    *("--fuzzy", "--partial-dir=.part", "--delay-updates", "--sparse", "--prune-empty-dirs"),
    *("--safe-links", "--chmod=go-w", "--no-perms", "--numeric-ids"),
    *("--exclude=*.skip", "--max-size=300K", "--cvs-exclude", "-b", "--force", "--no-links"),
    *("--progress", "-v", "--itemize-changes", "--exclude=/tree/n1*", "--bwlimit=50000"),
)
_RULES: tuple[tuple[str, ...], ...] = (
    *((), (), ()),
    ("*.skip", "n1*"),
    ("/bursts/letters",),
    ("bursts/letters/tmp/",),
    ("+ n2*", "n*"),
    ("- *old*",),
    ("moved/renamed*",),
    ("H slow *",),
    ("P /own", "*5"),
)
#: Settings that decide what a person sees and where files are, and not what is mirrored.
_NAMES = ("#names", ";names", "source", " blank", "umläut", "set[a]")

Draw = Callable[[random.Random, Path], object]


def _one_of(*values: object) -> Draw:
    return lambda dice, _: dice.choice(values)


def _hook(dice: random.Random, _: Path) -> object:
    return dice.choice(([], [], ["/bin/true"], ["/bin/sh", "-c", "cat > /dev/null; exit 1"]))


def _file(name: str) -> Draw:
    return lambda dice, folder: dice.choice(("", str(folder / name)))


#: How each setting is drawn that may be another after a reload.
DRAWN: Mapping[str, Draw] = {
    "edelay": _one_of(0, 0.05, 0.3, 1),
    "emaxdelay": _one_of(1, 1.5),
    "watch": _one_of("inotify", "fanotify"),
    "eopen": _one_of(0, 0.3, 2),
    "rfull": _one_of(0, 86400, 3600, 2),
    "rverify": _one_of(0, 0, 0.4, 3),
    "rpoll": _one_of(60, 0, 1),
    "rmaxdelete": _one_of(0, 0, 100_000),
    "rmaxchange": _one_of(0, 0, 100_000),
    "rkeep": _one_of(0, 0, 1, 30),
    "rkeepmax": _one_of(0, 1, 1_000),
    "wmarker": _one_of("", KEEP),
    "allow_empty": _one_of(False, True),
    "rspeed": _one_of(0, 0, 50_000),
    "extra": _one_of(*_EXTRAS),
    "logfile": _file("rsync.log"),
    "rtimeout": _one_of(300, 20, 0),
    "rretry": _one_of((0.1, 1), (0.5, 0.5)),
    "rlate": _one_of(0.5, 3),
    "rscope": _one_of("tree", "changes", "changes"),
    "rparallel": _one_of(1, 2, 8, "auto"),
    "rbigsize": _one_of(0, 0, 100, 5_000),
    "rbigdelay": _one_of(0, 0.5, 2),
    "rwarm": _one_of(300, 300, 0, 0.3),
    "rstreams": _one_of(1, 1, 3),
    "rsettle": _one_of({}, {}, {"*": 0.3}, {"slow *": 1, "*1": 0.2}, {"/tree/**": 0.5}),
    "emask": _one_of(
        ["IN_CLOSE_WRITE", "IN_CREATE", "IN_DELETE", "IN_MOVED_FROM", "IN_MOVED_TO", "IN_ATTRIB"]
    ),
    "on_change": _hook,
    "on_success": _hook,
    "on_failure": _hook,
    "on_recover": _hook,
    "hooktimeout": _one_of(1, 60),
    "beat": _one_of(0, 1),
    "on_beat": _hook,
    "metricsfile": _file("inosync.prom"),
    "htmlfile": _file("inosync.html"),
    "umask": _one_of(0o022, 0o077),
    "rexcludes": lambda dice, _: list(dice.choice(_RULES)),
    "init": _one_of(True, "changed"),
}
#: What a trial draws otherwise, or cannot: who it runs as, keys that are restricted, relays, TLS, a
#: pair. Where not everything is deleted no rsync by hand says what is right.
PLACES = frozenset(
    {"wpath", "wpaths", "rpath", "rpaths", "rnodes", "rsync", "pidfile", "socket"}
    | {"user", "group", "restricted", "rrelay", "rrefresh", "rtls", "wactive", "rdelete"}
)
#: Those that may stand in a node's dict.
_OF_NODES = ("rspeed", "extra", "rtimeout", "rretry", "rscope", "rkeep", "rkeepmax", "rmaxchange")


class Differs(Exception):
    """A trial went wrong; the text says how."""


@dataclass
class Target:
    """A node, and how rsync is told of it by hand."""

    node: str
    words: tuple[str, ...]
    own: dict[str, object] = field(default_factory=dict)


@dataclass
class Servers:
    """The servers of all trials; each trial has a directory of its own there."""

    daemon: RsyncDaemon
    shell: SshServer

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path) -> Iterator[Servers]:
        """Provide them."""
        with contextlib.ExitStack() as stack:
            servers = cls(RsyncDaemon(folder / "rsyncd"), SshServer(folder / "sshd"))
            for server in (servers.daemon, servers.shell):
                stack.callback(server.stop)
                server.start()
            yield servers

    def target(self, kind: str, name: str, folder: Path) -> Target:
        """Return an empty place on a node of this kind."""
        if kind == "daemon":
            (self.daemon.root / name).mkdir()
            url = self.daemon.url(f"{name}/")
            return Target(url, (url,))
        root = folder / f"{kind} mirror" / name
        root.mkdir(parents=True)
        if kind == "local":
            return Target(f"{root}/", (f"{root}/",))
        shell = f"{program('ssh')} -F {self.shell.config}"
        return Target(f"{self.shell.url(root)}/", ("-e", shell, f"testhost:{root}/"))


class Trial:
    """One config, and what happens under it."""

    def __init__(self, folder: Path, servers: Servers, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.dice = random.Random(seed)
        self.done: list[str] = []
        dice = self.dice
        self.form = dice.choice(("slash", "bare", "bare", "relative"))
        count = 1 if self.form == "slash" else dice.choice((1, 2))
        above = folder / "above"
        self.sources = [
            RestlessSource(
                above / "over" / f"{dice.choice(_NAMES)}{n}",
                folder / f"beside-{n}",
                dice.randrange(2**32),
            )
            for n in range(count)
        ]
        kinds = dice.sample(("local", "daemon", "ssh", "local"), dice.choice((1, 2, 3)))
        self.targets = [servers.target(kind, f"{seed}-{n}", folder) for n, kind in enumerate(kinds)]
        self.settings: dict[str, object] = {}
        self.draw()
        (folder / "run").mkdir(mode=0o700)
        environment = {"RUNTIME_DIRECTORY": str(folder / "run"), **servers.shell.environment()}
        self.environment = environment
        self.daemon = Daemon(folder / "daemon", self.settings, environment=environment)

    # ---- the config -----------------------------------------------------------------------

    def argument(self, source: RestlessSource) -> str:
        """Return what rsync is given for a source."""
        if self.form == "relative":
            return f"{self.folder}/above/./over/{source.root.name}"
        return f"{source.root}/" if self.form == "slash" else str(source.root)

    def draw(self) -> None:
        """Draw all settings that may be drawn at any time."""
        dice = self.dice
        drawn = {name: draw(dice, self.folder) for name, draw in DRAWN.items()}
        chosen = set(dice.sample(sorted(drawn), dice.randint(3, len(drawn))))
        if not chosen >= {"beat", "on_beat"}:  # neither goes without the other
            chosen -= {"beat", "on_beat"}
        quick = {"edelay", "eopen", "emaxdelay", "rretry", "rbigdelay", "rlate"}
        self.settings = {name: drawn[name] for name in drawn if name in chosen | quick}
        for target in self.targets:
            target.own = {
                name: DRAWN[name](dice, self.folder) for name in _OF_NODES if dice.random() < 0.3
            }
        if self.settings.get("rbigsize"):  # it has to leave room, and to decide about sizes
            if self.settings.get("rparallel") == 1:
                self.settings["rparallel"] = 2
            for each in (self.settings, *(target.own for target in self.targets)):
                if each.get("extra") == "--max-size=300K":
                    each["extra"] = ""
        every = (self.settings, *(target.own for target in self.targets))
        if any(each.get("rkeep") for each in every):  # it decides about old versions
            for each in every:
                if each.get("extra") == "-b":
                    each["extra"] = ""
        self.settings |= {
            "wpaths": [self.argument(source) for source in self.sources],
            "rnodes": [{"node": target.node, **target.own} for target in self.targets],
            "rsync": RSYNC,
        }

    # ---- what happens ---------------------------------------------------------------------

    def run(self, steps: int) -> None:
        """Take so many steps, then see whether all is equal. Raise Differs."""
        with contextlib.ExitStack() as stack:
            for source in self.sources:
                stack.callback(source.close)
            stack.enter_context(self.daemon)
            if self.dice.random() < 0.2:
                self.done.append("--once")
                self._ask("--once")
            self.daemon.start(seconds=60)
            for _ in range(steps):
                self._step()
            for source in self.sources:
                source.close()
            self._compare()

    def _step(self) -> None:
        dice = self.dice
        if dice.random() < 0.2:
            what = dice.choice(list(DISTURBANCES))
            self.done.append(what.upper())
            DISTURBANCES[what](self)
        names = list(OPERATIONS)
        what = dice.choices(names, [WEIGHTS.get(name, 1) for name in names])[0]
        self.done.append(what)
        dice.choice(self.sources).do(what, random.Random(dice.randrange(2**32)))
        time.sleep(dice.choice((0, 0, 0.02, 0.2, 0.6)))

    def _ask(self, *words: str, seconds: float = LIMIT + 30) -> subprocess.CompletedProcess[str]:
        file = self.daemon.config_file
        environment = {**self.environment, "STATE_DIRECTORY": str(self.daemon.folder / "state")}
        return run_inosync(
            "-c", file, *words, cwd=self.folder, environment=environment, seconds=seconds
        )

    def reload(self) -> None:
        """HUP with another config."""
        self.draw()
        before = self.daemon.log().count("config loaded again")
        self.daemon.configure(self.settings)
        self.daemon.hup()
        self.daemon.wait_for_log("config loaded again", times=before + 1, seconds=60)

    def kill_run(self) -> None:
        """Kill -9 of what the daemon has started."""
        with contextlib.suppress(OSError):
            running = processes.children(self.daemon.pid)
            processes.kill([p for p in running if processes.command(p)[:1] == [RSYNC]][:1])

    def restart(self, *, kill: bool) -> None:
        """End the daemon, change something while nobody watches, and start it again."""
        if kill:
            self.daemon.kill()
        else:
            self.daemon.stop(seconds=60)
        dice = self.dice
        dice.choice(self.sources).do("churn", random.Random(dice.randrange(2**32)))
        self.daemon.start(seconds=60)

    def freeze(self) -> None:
        """The daemon gets no processor for a while."""
        self.daemon.signal(signal.SIGSTOP)
        self.sources[0].do("churn", random.Random(self.dice.randrange(2**32)))
        time.sleep(0.3)
        self.daemon.signal(signal.SIGCONT)

    def pause(self) -> None:
        """A person lets nothing start for a while."""
        self._ask("--pause")
        self.sources[-1].do("churn", random.Random(self.dice.randrange(2**32)))
        self._ask("--resume")

    def away(self) -> None:
        """A source is renamed and comes back."""
        source = self.dice.choice(self.sources)
        aside = source.root.with_name("away")
        source.root.rename(aside)
        time.sleep(self.dice.choice((0, 0.3)))
        aside.rename(source.root)

    # ---- what has to hold -----------------------------------------------------------------

    def _compare(self) -> None:
        waited = self._ask("--wait", f"{LIMIT:g}")
        status = json.loads(self._ask("--status", "--json").stdout)
        ailing = [each["path"] for mirror in status["mirrors"] for each in mirror["ailing"]]
        if waited.returncode not in (0, 5) or (waited.returncode and not ailing):
            raise Differs(f"--wait ended with {waited.returncode}: {waited.stderr}")
        for source in self.sources:
            for target in self.targets:
                found = [line for line in self.look(source, target) if self._counts(line, ailing)]
                if found:
                    argv = shlex.join(self.argv(source, target))
                    raise Differs("\n  ".join((f"rsync finds, by {argv}:", *found[:20])))
        told = self._ask("--verify", seconds=300)
        if "differ" in told.stdout or told.returncode not in ((0, 5) if ailing else (0,)):
            raise Differs(f"--verify ended with {told.returncode}: {told.stdout}{told.stderr}")
        for mirror in json.loads(self._ask("--status", "--json").stdout)["mirrors"]:
            if mirror["drift"] and mirror["drift"]["paths"]:
                raise Differs(f"rverify: {mirror['drift']}")
        log = self.daemon.log()
        if re.search(r"^\s*Traceback \(most recent call last\)", log, re.M):
            raise Differs("a traceback is in the log")

    def argv(self, source: RestlessSource, target: Target) -> list[str]:
        """Return how a person asks rsync what differs, with the options that the config has."""
        extra = shlex.split(str(target.own.get("extra", self.settings.get("extra", ""))))
        words = [word for word in extra if word not in _MANNERS]
        rules = [
            f"--filter={rule}" if rule[:2] in ("P ", "H ") else f"--exclude={rule}"
            for rule in self._list("rexcludes")
        ]
        relative = ["--relative"] if self.form == "relative" else []
        argv = [RSYNC, "-n", "-c", "-i", "-ltrp", "--delete", "--protect-args", RULE]
        argv += ["--modify-window=-1", "--out-format=%i %n", *relative, *rules, *words]
        return [*argv, *target.words[:-1], "--", self.argument(source), target.words[-1]]

    def _list(self, name: str) -> Sequence[str]:
        value = self.settings.get(name, [])
        return [str(each) for each in value] if isinstance(value, list) else []

    def look(self, source: RestlessSource, target: Target) -> list[str]:
        """Return what rsync would do."""
        done = subprocess.run(
            self.argv(source, target),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=300,
            check=False,
        )
        if done.returncode not in (0, 23):
            raise Differs(f"rsync ended with {done.returncode}: {done.stderr}")
        lines = done.stdout.splitlines()
        # What is excluded in them keeps these, though the line behind says that they are deleted.
        kept = {line.partition(": ")[2] for line in lines if line.startswith("cannot delete")}
        return [line for line in lines if line[12:].rstrip("/") not in kept]

    def _counts(self, line: str, ailing: Sequence[str]) -> bool:
        """Return whether a line of rsync's says that something is owed."""
        if not re.match(r"[<>ch.*][fdLDSe]", line):
            return False
        what, _, name = line.partition(" ")
        name = name.strip()
        # Nobody owes the times of directories in which something is excluded, and of those above.
        rules = self._list("rexcludes")
        if what.startswith(".d") and not what[2:].replace(".", "").strip("t"):
            above = self.form == "relative" and name.rstrip("/") in (".", "over")
            if rules or above:
                return False
        return not any(path in name for path in ailing)


DISTURBANCES: dict[str, Callable[[Trial], object]] = {
    "hup": lambda trial: trial.daemon.hup(),
    "reload": Trial.reload,
    "reload once more": Trial.reload,
    "usr1": lambda trial: trial.daemon.signal(signal.SIGUSR1),
    "usr2": lambda trial: trial.daemon.signal(signal.SIGUSR2),
    "rsync killed": Trial.kill_run,
    "killed": lambda trial: trial.restart(kill=True),
    "stopped": lambda trial: trial.restart(kill=False),
    "frozen": Trial.freeze,
    "paused": Trial.pause,
    "away": Trial.away,
    "verify": lambda trial: trial._ask("--verify"),
    "sync": lambda trial: trial._ask("--sync"),
}


def trials(
    folder: Path, *, seed: int, seconds: float, most: int | None = None, steps: int = 40
) -> list[str]:
    """Make trials for so many seconds, or so many of them; return what went wrong, a text each.

    None takes more `steps` than that.
    """
    problems: list[str] = []
    end = time.monotonic() + seconds
    number = 0
    with Servers.running(folder) as servers:
        while number < most if most is not None else time.monotonic() < end:
            here = folder / f"trial-{seed + number}"
            here.mkdir()
            here.chmod(0o755)
            trial = Trial(here, servers, seed + number)
            try:
                trial.run(trial.dice.randint(5, steps))
            except (
                Differs,
                AssertionError,
                RuntimeError,
                OSError,
                subprocess.SubprocessError,
            ) as e:
                text = f"{type(e).__name__}: {e}\ndone: {', '.join(trial.done)}"
                problems.append(f"trial {trial.seed}: {trial.settings}\n{text}")
                print(f"{problems[-1]}\n", flush=True)
            else:
                _discard(here)
            number += 1
    print(f"{number} trials, {len(problems)} failed", flush=True)
    return problems


def _discard(folder: Path) -> None:
    subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False)
    subprocess.run(["rm", "-rf", str(folder)], check=False)
    assert not os.path.exists(folder)
