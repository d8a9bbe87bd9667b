"""What a snapshot says of each source and mirror, as lines for people.

Pure: reads nothing but the snapshot.
"""

from __future__ import annotations

from inosync.status.keeping import kept_line
from inosync.status.model import MirrorStatus, Snapshot, SourceStatus
from inosync.status.passing import pass_line
from inosync.text import many, printable


def lines(now: Snapshot) -> list[str]:
    """Return the state of every source and mirror, a line each, for the log."""
    result = []
    for source in now["sources"]:
        result.append(source_line(source))
        mirrors = [m for m in now["mirrors"] if m["source"] == source["path"]]
        for mirror in mirrors:
            result.append(_mirror_line(mirror, now["at"]))
            notes = (f"note: {note}" for note in mirror["notes"])
            result += [f"  {line}" for line in (*path_lines(mirror), *notes)]
    return result


def source_line(source: SourceStatus) -> str:
    """Return the state of a source in one line."""
    text = f"source {printable(source['path'])}: {source['state']}"
    if source["reason"]:
        text += f": {source['reason']}"
    if source["watched"] or source["state"] != "watched":  # by fanotify, none is by itself
        text += f", {many(source['watched'], 'directory')}"
    text += f", {many(source['events'], 'event')}"
    text += f", {many(source['overflows'], 'overflow')}"
    if source["unwatched"]:
        text += f", {many(source['unwatched'], 'directory')} unwatched"
    if source["settling"]:
        text += f", {many(source['settling'], 'file')} not at rest"
    return text


def but_for(mirror: MirrorStatus) -> str:
    """Return what is to be added to "in sync", or to how far a mirror is behind."""
    return f" but for {many(len(mirror['ailing']), 'path')}" if mirror["ailing"] else ""


def path_lines(mirror: MirrorStatus) -> list[str]:
    """Return the paths of a mirror that cannot be carried, each with what to do."""
    return [f"{each['path']} {each['cause']}; {each['cure']}" for each in mirror["ailing"]]


def _mirror_line(mirror: MirrorStatus, at: float) -> str:
    lane = " (big files)" if mirror["lane"] == "big" else ""
    text = f"mirror {mirror['source']} -> {mirror['destination']}{lane}: {mirror['state']}"
    if mirror["reason"]:
        text += f" ({mirror['reason']})"
    lag, next_try = mirror["lag"], mirror["next_try_at"]
    if mirror["full_pass"] is not None:
        text += f", full pass {pass_line(mirror['full_pass'])}"
    text += f", {lag:.1f} s behind" if lag is not None else ", in sync"
    text += but_for(mirror)
    if next_try is not None:
        text += f", next try in {max(0.0, next_try - at):.0f} s"
    if (drift := mirror["drift"]) and drift["paths"]:
        text += f", {many(drift['paths'], 'path')} drifted"
    text += f", {kept}" if (kept := kept_line(mirror)) else ""
    text += ", warm" if mirror["warm"] else ""
    return text + f", {many(mirror['runs'], 'run')}, {mirror['failures']} failed"
