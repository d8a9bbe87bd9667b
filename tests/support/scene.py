"""A daemon with two sources and four nodes, one of them dead, as a snapshot and its last hour."""

from __future__ import annotations

import math

from inosync.status.history import History
from inosync.status.model import (
    SCHEMA,
    AilingStatus,
    DaemonStatus,
    DriftStatus,
    FailureStatus,
    MirrorStatus,
    PassStatus,
    RunStatus,
    Snapshot,
    SourceStatus,
)

#: 2026-03-14 15:09:26 UTC.
AT = 1_773_500_966.0

NODES = (
    "web1.example.org:/srv/",
    "web2.example.org:/srv/",
    "rsync://backup.example.org/srv/",
    "tokyo.example.org:/srv/",
)
SOURCES = ("/srv/www", "/srv/mail")
DEAD = NODES[3]
SINCE = 4 * 3600.0

#: A pass in slices, for one that is to have one.
PASS = PassStatus(
    reason="rfull",
    started_at=AT - 60,
    seconds=60.0,
    percent=40,
    directories=400,
    files=5000,
    left=90.0,
)


def scene_snapshot() -> Snapshot:
    """Return what such a daemon answers."""
    return Snapshot(
        schema=SCHEMA,
        at=AT,
        synced=False,
        paused=False,
        standby="",
        daemon=DaemonStatus(
            version="1.0.0",
            pid=4711,
            rss=31 * 2**20,
            started_at=AT - 5 * 86400,
            uptime=5 * 86400.0,
            config="/etc/inosync.py",
            loaded_at=AT - 2 * 86400,
        ),
        sources=[source("/srv/www", 18_442, 912_004), source("/srv/mail", 2_211, 3_530_118)],
        mirrors=[
            mirror(path, node, number) for number, path in enumerate(SOURCES) for node in NODES
        ],
    )


def source(path: str, watched: int, events: int) -> SourceStatus:
    return SourceStatus(
        path=path,
        settling=0,
        state="watched",
        reason="",
        watched=watched,
        unwatched=0,
        unwatched_examples={},
        events=events,
        overflows=0,
    )


def mirror(path: str, node: str, number: int) -> MirrorStatus:
    """Return a mirror that is well, one at work (mail on the backup), or one on the dead node."""
    dead, busy = node == DEAD, (path, node) == (SOURCES[1], NODES[2])
    return MirrorStatus(
        lane="",
        source=path,
        node=node,
        destination=node,
        state="backoff" if dead else "running" if busy else "idle",
        reason="cannot reach the node, or ssh refused" if dead else "",
        lag=SINCE - 7 * number if dead else 14.2 if busy else None,
        pending=(1_204, 377)[number] if dead else 3 if busy else 0,
        full="",
        run=RunStatus(
            started_at=AT - 4.2,
            seconds=4.2,
            changes=41,
            full="",
            files=19,
            bytes=48 * 2**20,
            percent=62,
            eta=3,
        )
        if busy
        else None,
        full_pass=None,
        warm=False,
        last_success_at=AT - SINCE - 31 if dead else AT - 23 - 12 * number,
        last_failure=FailureStatus(
            at=AT - 71 - number,
            exit=255,
            meaning="cannot reach the node, or ssh refused",
            lines=[
                "ssh: connect to host tokyo.example.org port 22: No route to host",
                "rsync error: unexplained error (code 255) at io.c(232) [sender=3.2.7]",
            ],
        )
        if dead
        else None,
        next_try_at=AT + 188 + number if dead else None,
        drift=DriftStatus(at=AT - 3600, paths=0, examples={}, apart=0, apart_examples={}),
        ailing=[],
        notes=[],
        keep_days=0.0,
        kept=None,
        runs=(4_127, 9_604)[number] - (50 if dead else 0),
        failures=52 if dead else 0,
        retries=51 if dead else 0,
        files_sent=(15_201, 80_730)[number],
        bytes_sent=(7, 23)[number] * 2**30,
        files_deleted=(804, 12_733)[number],
    )


def crowd_snapshot(sources: int = 3, nodes: int = 20) -> Snapshot:
    """Return many mirrors: two nodes of all sources are dead, and the last source ails, too."""
    now = scene_snapshot()
    paths = [("/srv/www", "/srv/mail", "/srv/media")[each] for each in range(sources)]
    now["sources"] = [source(path, 18_442 - each, 912_004) for each, path in enumerate(paths)]
    now["mirrors"] = [
        _one_of_many(path, number) for path in paths for number in range(1, nodes + 1)
    ]
    last = now["mirrors"][(sources - 1) * nodes + 6 % nodes]
    last["ailing"] = [
        AilingStatus(
            path="films/intro.mov",
            cause="cannot be read",
            cure="let the user of inosync read it (chmod, setfacl), or exclude it",
            said="opendir",
            since_at=AT - 90,
            next_try_at=AT + 90,
        )
    ]
    return now


def _one_of_many(path: str, number: int) -> MirrorStatus:
    """Return the mirror of a source on node `number`: 4 and 11 are dead, 9 is at work."""
    name = f"mod{number}.example.org"
    told = mirror(path, DEAD if number in (4, 11) else NODES[0], number % 2)
    if failure := told["last_failure"]:
        failure["lines"][0] = f"ssh: connect to host {name} port 22: Connection refused"
    elif number == 9:
        told |= {"state": "running", "lag": 6.0, "pending": 12}
        told["run"] = mirror(SOURCES[1], NODES[2], 1)["run"]
    told["node"], told["destination"] = f"{name}:/srv/", f"{name}:/srv/"
    told["last_success_at"] = (told["last_success_at"] or AT) - number * 7
    told["bytes_sent"] += number * 2**28
    return told


def scene_history(now: Snapshot) -> History:
    """Return an hour that fits to it."""
    history = History()
    for number, shown in enumerate(now["mirrors"]):
        track = history.track(shown["source"], shown["node"], shown["lane"])
        track.total = total = shown["bytes_sent"]
        dead = shown["state"] == "backoff"
        for minute in range(59, -1, -1):
            wave = max(
                0.0, math.sin(minute / 5 + number) + 0.6 * math.sin(minute * (1.3 + 0.1 * number))
            )
            if dead:
                track.note(AT - 60 * minute, lag=SINCE - 60 * minute, total=total)
            elif wave:
                total += int(wave * 9e6)
                track.note(AT - 60 * minute, lag=10 + 9 * wave, total=total)
    return history
