"""The snapshot in words for people: what the lines of a table say. Pure."""

from __future__ import annotations

from inosync.status.lines import but_for
from inosync.status.model import MirrorStatus, Snapshot
from inosync.status.passing import pass_line, span
from inosync.status.troubles import Trouble
from inosync.text import many, printable

HEADER = ("node", "state", "lag", "pending", "run", "last success", "sent")

#: What a state, or the word for a trouble, is to the eye.
LOOKS = {
    "idle": "good",
    "pending": "busy",
    "running": "busy",
    "stopping": "wait",
    "backoff": "bad",
    "held": "bad",
    "ailing": "wait",
    "unwatched": "wait",
    "drift": "wait",
    "note": "busy",
}

#: How many lines of a trouble are shown.
_LINES = 10


def heading(status: Snapshot) -> str:
    """Return one line about the daemon."""
    daemon = status["daemon"]
    text = f"inosync {daemon['version']}, pid {daemon['pid']}, up {span(daemon['uptime'])}, "
    text += f"{daemon['rss'] / 2**20:.0f} MiB"
    if daemon["config"]:
        text += f", {printable(daemon['config'])}"
        text += f" loaded {span(status['at'] - daemon['loaded_at'])} ago"
    return text


def summary(status: Snapshot) -> str:
    """Return one line that says whether all is well, as monitoring programs show it."""
    if status["standby"]:
        return f"on standby: {status['standby']}"
    behind = [mirror for mirror in status["mirrors"] if mirror["lag"] is not None]
    held = [source for source in status["sources"] if source["state"] == "held"]
    count = len(status["mirrors"])
    text = f"{count - len(behind)} of {many(count, 'mirror')} in sync"
    if ailing := sum(len(mirror["ailing"]) for mirror in status["mirrors"]):
        text += f" but for {many(ailing, 'path')}"
    if behind:
        text += f", the longest behind for {span(max(mirror['lag'] or 0.0 for mirror in behind))}"
    if held:
        text += f", {len(held)} of {many(len(status['sources']), 'source')} held"
    return text


def size(count: int) -> str:
    """Return a number of bytes as people say it: 512 B, 1.5 MiB."""
    if count < 1024:
        return f"{count} B"
    power = min(4, (count.bit_length() - 1) // 10)
    return f"{count / 1024**power:.1f} {' KMGT'[power]}iB"


def look(mirror: MirrorStatus) -> str:
    """Return what a mirror is to the eye: good, busy, wait or bad."""
    if mirror["state"] == "idle" and (mirror["ailing"] or drifts(mirror)):
        return "wait"
    return LOOKS.get(mirror["state"], "busy")


def drifts(mirror: MirrorStatus) -> bool:
    """Return whether the last comparison of contents found something."""
    return mirror["drift"] is not None and mirror["drift"]["paths"] > 0


def cells(mirror: MirrorStatus, at: float) -> tuple[str, ...]:
    """Return the line of a mirror: what is below ``HEADER``, but for the node."""
    lag, success = mirror["lag"], mirror["last_success_at"]
    pending = mirror["full"] and "full pass"
    if mirror["full_pass"] is not None:
        pending = f"full pass {pass_line(mirror['full_pass'])}"
    return (
        mirror["state"],
        (span(lag) if lag is not None else "in sync") + but_for(mirror),
        pending or (str(mirror["pending"]) if mirror["pending"] else "-"),
        _run(mirror, at),
        f"{span(at - success)} ago" if success is not None else "never",
        size(mirror["bytes_sent"]),
    )


def tone(trouble: Trouble) -> str:
    """Return what a trouble is to the eye: who is tried again at this moment still fails."""
    known = LOOKS.get(trouble.state, "busy")
    return "bad" if trouble.failing and known != "wait" else known


def facts(trouble: Trouble, at: float) -> str:
    """Return whom a trouble befalls, and what else is to be known besides its cause."""
    found = [trouble.who]
    if trouble.found_at is not None:
        found.append(f"found {span(at - trouble.found_at)} ago")
    if trouble.failing:
        lag, success, next_try = trouble.lag, trouble.last_success_at, trouble.next_try_at
        found += [f"{span(lag)} behind"] if lag is not None else []
        found += [f"{trouble.waiting} waiting"] if trouble.waiting else []
        ago = "never" if success is None else f"{span(at - success)} ago"
        found.append(f"last success {ago}")
        found += [f"next try in {span(next_try - at)}"] if next_try is not None else []
    return ", ".join(found)


def details(trouble: Trouble) -> list[str]:
    """Return what a trouble is, and what rsync said, line by line; no more of it than is read."""
    lines = list(trouble.lines[:_LINES])
    if len(trouble.lines) > _LINES:
        lines.append(f"and {len(trouble.lines) - _LINES} more (--json)")
    said = trouble.failure["lines"] if trouble.failure is not None else []
    # rsync's last line tells no more than its exit status; ssh's comes before it.
    telling = [line for line in said if not line.startswith("rsync error: ")]
    lines += [f"| {line}" for line in (telling or said)[-2:]]
    return lines


def _run(mirror: MirrorStatus, at: float) -> str:
    run, next_try = mirror["run"], mirror["next_try_at"]
    if run is None:
        ready = "warm" if mirror["warm"] else "-"
        return f"next try in {span(next_try - at)}" if next_try is not None else ready
    text = f"for {span(run['seconds'])}"
    if run["bytes"] is not None:
        text += f", {size(run['bytes'])}, {run['percent']} %, {span(run['eta'] or 0)} left"
    return text
