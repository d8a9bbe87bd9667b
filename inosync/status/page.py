"""The snapshot as a page for a browser: one file, which needs nothing else.

Pure: turns a snapshot and the last hour into HTML. It is well-formed XML as well, runs no script,
and whatever a name holds, it is shown as text. Follows the reader's choice of light or dark, and
the width of a phone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from inosync.status.history import MINUTES, STEP, History, Sample
from inosync.status.keeping import kept_line
from inosync.status.model import MirrorStatus, Snapshot, SourceStatus
from inosync.status.passing import pass_line, span
from inosync.status.snapshot import ailing_lines, but_for
from inosync.status.table import size, summary
from inosync.text import many, printable

#: Seconds after which a browser loads the page again.
_REFRESH = 30

#: Height of a plot in its own units; its width is one unit a minute.
_HEIGHT = 30

#: No plot of lag is scaled to less: a batch waits for ``edelay`` by design.
_LEAST_LAG = 30.0

#: As html.escape has it; with that module come the names of all characters, 0.4 MB of them.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})

_STYLE = """
:root { color-scheme: light dark; --back: #f4f5f7; --card: #fff; --text: #1c2024; --dim: #5c6670;
 --line: #dde1e6; --good: #1a7f37; --busy: #0969da; --wait: #8a6100; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --back: #0e1116; --card: #181d24; --text: #e6eaf0;
 --dim: #98a3b0; --line: #2d353f; --good: #3fb950; --busy: #58a6ff; --wait: #d8a024;
 --bad: #ff6b63; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--back);
 color: var(--text); font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.35rem; } h2 { margin: 1.6rem 0 .2rem; font-size: 1.05rem; }
h3 { margin: 0; font-size: 1rem; } p { margin: .2rem 0; }
footer { margin-top: 1rem; }
.dim { color: var(--dim); font-size: .875rem; }
.good { --mark: var(--good); } .busy { --mark: var(--busy); } .wait { --mark: var(--wait); }
.bad { --mark: var(--bad); }
header, .banner, .mirror { background: var(--card); border: 1px solid var(--line);
 border-radius: .6rem; padding: .8rem 1rem; }
header { border-left: .5rem solid var(--mark); }
.banner { margin-top: .6rem; font-weight: 600; color: var(--mark); }
.mirrors { display: grid; gap: .8rem; margin-top: .6rem;
 grid-template-columns: repeat(auto-fill, minmax(min(100%, 16.5rem), 1fr)); }
.mirror { display: flex; flex-direction: column; }
.state { display: inline-block; margin-right: .6rem; padding: 0 .6rem;
 border: 1px solid var(--mark); border-radius: 1rem; color: var(--mark); font-size: .875rem;
 font-weight: 600; }
.why, .behind { color: var(--mark); } .behind { font-weight: 600; }
summary { color: var(--dim); font-size: .875rem; cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 .8rem; margin: .5rem 0 auto;
 font-size: .875rem; }
dt { color: var(--dim); } dd { margin: 0; }
pre { margin: .3rem 0; padding: .4rem .6rem; background: var(--back); border-radius: .3rem;
 white-space: pre-wrap; font-size: .8rem; }
figure { margin: .6rem 0 0; } figcaption { display: flex; justify-content: space-between;
 color: var(--dim); font-size: .8rem; }
svg { display: block; width: 100%; height: 3rem; border-bottom: 1px solid var(--line); }
.lag { fill: var(--wait); } .sent { fill: var(--busy); }
"""

#: What a state is to the eye.
_LOOKS = {
    "idle": "good",
    "pending": "busy",
    "running": "busy",
    "stopping": "wait",
    "backoff": "bad",
    "held": "bad",
}


def page(
    now: Snapshot,
    history: History,
    *,
    host: str,
    local: Callable[[float], str],
    running: bool = True,
) -> str:
    """Return the page.

    `local` turns Unix time into "YYYY-MM-DD HH:MM:SS ZONE" of the place; not `running`: the daemon
    is about to end, and this is the last page it writes.
    """
    return "".join(f"{line}\n" for line in _lines(now, history, host, local, running))


def _lines(
    now: Snapshot, history: History, host: str, local: Callable[[float], str], running: bool
) -> Iterator[str]:
    well = "good" if now["synced"] and running else "bad"
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8"/>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
    yield f'<meta http-equiv="refresh" content="{_REFRESH}"/>'
    # Nothing is loaded, and nothing could be.
    yield '<meta http-equiv="Content-Security-Policy"'
    yield " content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>"
    yield f'<link rel="icon" href="data:,"/><title>{_text(host)}: {_text(summary(now))}</title>'
    yield f"<style>{_STYLE}</style></head><body>"
    yield f'<header class="{well}"><h1>{_text(summary(now))}</h1>'
    zone = _text(local(now["at"])[19:])
    yield f'<p class="dim">{_text(host)}, {_time(now["at"], local)}{zone}. Written when'
    yield " something happens: while the daemon runs, an old page is still true.</p></header>"
    if not running:
        yield '<p class="banner bad">Stopped: this is how things were at the end.</p>'
    if now["paused"]:
        yield '<p class="banner wait">Paused: nothing is started until inosync --resume.</p>'
    yield "<main>"
    for source in now["sources"]:
        yield from _source(source)
        yield '<div class="mirrors">'
        for mirror in now["mirrors"]:
            if mirror["source"] == source["path"]:
                track = history.track(mirror["source"], mirror["node"], mirror["lane"])
                yield from _mirror(mirror, track.hour(now["at"]), now["at"], local)
        yield "</div>"
    yield f'</main><footer><p class="dim">{_daemon(now, local)}</p></footer></body></html>'


def _source(source: SourceStatus) -> Iterator[str]:
    yield f"<h2>{_text(source['path'])}</h2>"
    if source["reason"]:
        yield f'<p class="bad why">Held: it {_text(source["reason"])}</p>'
    text = f"{source['state']}, {many(source['watched'], 'directory', ',')}"
    text += f", {many(source['events'], 'event', ',')}"
    if source["unwatched"]:
        text += f", {many(source['unwatched'], 'directory', ',')} cannot be watched"
    if source["overflows"]:
        text += f", {many(source['overflows'], 'overflow', ',')} of the kernel's queue"
    yield f'<p class="dim">{text}</p>'
    for path, why in source["unwatched_examples"].items():
        yield f'<p class="dim">{_text(path)}: {_text(why)}</p>'


def _mirror(
    mirror: MirrorStatus, hour: list[Sample], at: float, local: Callable[[float], str]
) -> Iterator[str]:
    look = "wait" if mirror["ailing"] and mirror["state"] == "idle" else _LOOKS[mirror["state"]]
    yield f'<section class="mirror {look}">'
    # A long name is broken where a person would.
    lane = " (big files)" if mirror["lane"] else ""
    yield f"<h3>{_text(mirror['node']).replace('/', '/<wbr/>')}{lane}</h3>"
    lag = mirror["lag"]
    told = f'<span class="behind">{span(lag)} behind</span>' if lag is not None else "in sync"
    told += but_for(mirror)
    yield f'<p><span class="state">{mirror["state"]}</span>{told}</p>'
    if mirror["reason"]:
        yield f'<p class="why">{_text(mirror["reason"])}</p>'
        failure = mirror["last_failure"]
        if failure is not None and failure["lines"]:
            yield f"<details><summary>exit {failure['exit']}, what rsync said</summary>"
            yield f"<pre>{_text(chr(10).join(failure['lines']))}</pre></details>"
    for line in ailing_lines(mirror):
        yield f'<p class="why">{_text(line)}</p>'
    if kept := kept_line(mirror):
        yield f'<p class="dim">{_text(kept)}</p>'
    yield "<dl>"
    for term, text in _facts(mirror, local):
        yield f"<dt>{term}</dt><dd>{text}</dd>"
    yield "</dl>"
    lags = [sample.lag for sample in hour]
    sent = [float(sample.sent) for sample in hour]
    most = max(lags)
    yield from _plot("lag", lags, max(most, _LEAST_LAG), f"lag, at most {span(most)}")
    caption = f"{size(int(sum(sent)))} sent"
    yield from _plot("sent", sent, max(*sent, 1.0), caption, at=at, local=local)
    yield "</section>"


def _facts(mirror: MirrorStatus, local: Callable[[float], str]) -> Iterator[tuple[str, str]]:
    """Yield what is known of a mirror in words, as HTML."""
    run = mirror["run"]
    passing = mirror["full_pass"]
    if passing is not None:
        yield "full pass", f"{_text(passing['reason'])}: {pass_line(passing)}"
        done = many(passing["directories"], "directory", ",")
        yield "done of it", f"{done}, {many(passing['files'], 'file', ',')}"
    elif mirror["pending"] or mirror["full"]:
        full = mirror["full"] and f"full pass ({mirror['full']})"
        yield "waiting", _text(full) or many(mirror["pending"], "change", ",")
    if run is not None:
        text = f"for {span(run['seconds'])}"
        if run["percent"] is not None:
            text += f", {run['percent']} %, {size(run['bytes'] or 0)}, {span(run['eta'] or 0)} left"
        yield "run", text
    success, failure = mirror["last_success_at"], mirror["last_failure"]
    yield "last success", _time(success, local) if success is not None else "never"
    if failure is not None:
        yield "last failure", _time(failure["at"], local)
    if mirror["next_try_at"] is not None:
        yield "next try", _time(mirror["next_try_at"], local)
    yield "runs", f"{mirror['runs']:,}, {mirror['failures']:,} failed"
    yield "sent", f"{many(mirror['files_sent'], 'file', ',')}, {size(mirror['bytes_sent'])}"


def _plot(
    name: str,
    values: list[float],
    top: float,
    caption: str,
    *,
    at: float | None = None,
    local: Callable[[float], str] = str,
) -> Iterator[str]:
    """Yield bars, one for each minute, and below them what they are; with `at`, also when."""
    bars = "".join(
        f"M{minute} {_HEIGHT}v-{max(0.6, value / top * _HEIGHT):.1f}h.8V{_HEIGHT}z"
        for minute, value in enumerate(values)
        if value > 0
    )
    yield f'<figure><svg viewBox="0 0 {MINUTES} {_HEIGHT}" preserveAspectRatio="none" role="img">'
    yield f'<title>{caption}</title><path class="{name}" d="{bars}"/></svg>'
    if at is None:
        yield f"<figcaption><span>{caption}</span></figcaption></figure>"
        return
    first, last = _time(at - MINUTES * STEP, local, short=True), _time(at, local, short=True)
    yield f"<figcaption>{first}<span>{caption}</span>{last}</figcaption></figure>"


def _daemon(now: Snapshot, local: Callable[[float], str]) -> str:
    daemon = now["daemon"]
    text = f"inosync {_text(daemon['version'])}, pid {daemon['pid']}, "
    text += f"since {_time(daemon['started_at'], local)}, {size(daemon['rss'])} of memory"
    if daemon["config"]:
        loaded = _time(daemon["loaded_at"], local)
        text += f", config {_text(daemon['config'])}, loaded {loaded}"
    return text


def _time(at: float, local: Callable[[float], str], *, short: bool = False) -> str:
    """Return a moment as HTML; `short`: hours and minutes."""
    text = local(at)
    return f"<time>{_text(text[11:16] if short else text[:19])}</time>"


def _text(text: str) -> str:
    """Return any text as HTML; its line feeds remain."""
    return "\n".join(printable(line).translate(_ESCAPES) for line in text.split("\n"))
