"""The snapshot as a page for a browser: one file, which needs nothing else.

Pure: turns a snapshot and the last hour into HTML. It is well-formed XML as well, runs no script,
and whatever a name holds, it is shown as text. Follows the reader's choice of light or dark, and
the width of a phone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from inosync.status.history import MINUTES, History, Sample, together
from inosync.status.keeping import kept_line
from inosync.status.lines import but_for
from inosync.status.model import MirrorStatus, Snapshot, SourceStatus
from inosync.status.passing import pass_line, span
from inosync.status.table import drifts, look, size, summary, tone
from inosync.status.troubles import Trouble, listed, short_names, title, troubles
from inosync.text import many, printable

#: Seconds after which a browser loads the page again.
_REFRESH = 30

#: Height of a plot in its own units; its width is one unit a minute.
_HEIGHT = 30

#: The same of the small plots.
_LOW = 12

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
body { margin: 0 auto; padding: 1rem; max-width: 96rem; background: var(--back);
 color: var(--text); font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0; font-size: 1.35rem; } h2 { margin: 0; font-size: 1.05rem; }
.trouble h2 { display: inline; font-size: 1rem; } p { margin: .2rem 0; }
footer { margin-top: 1rem; }
.dim { color: var(--dim); font-size: .875rem; }
.good { --mark: var(--good); } .busy { --mark: var(--busy); } .wait { --mark: var(--wait); }
.bad { --mark: var(--bad); }
header, .banner, .trouble, .source { background: var(--card); border: 1px solid var(--line);
 border-radius: .6rem; padding: .8rem 1rem; }
header, .trouble { border-left: .5rem solid var(--mark); }
.banner { margin-top: .6rem; font-weight: 600; color: var(--mark); }
.troubles, .sources { display: grid; gap: .8rem; margin-top: .8rem;
 grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }
.sources { align-items: start; }
.state { display: inline-block; margin-right: .6rem; padding: 0 .6rem;
 border: 1px solid var(--mark); border-radius: 1rem; color: var(--mark); font-size: .875rem;
 font-weight: 600; }
.why, .behind { color: var(--mark); font-weight: 600; }
summary { color: var(--dim); font-size: .875rem; cursor: pointer; }
pre { margin: .3rem 0; padding: .4rem .6rem; background: var(--back); border-radius: .3rem;
 white-space: pre-wrap; font-size: .8rem; }
.plots { display: grid; gap: 0 1rem; grid-template-columns: 1fr 1fr; }
figure { margin: .6rem 0 0; } figcaption { color: var(--dim); font-size: .8rem; }
svg { display: block; width: 100%; height: 2.5rem; border-bottom: 1px solid var(--line); }
.lag { fill: var(--wait); } .sent { fill: var(--busy); }
ul { margin: .6rem 0 0; padding: 0; columns: 20rem; column-gap: 2rem; list-style: none;
 font-size: .875rem; }
li { display: grid; gap: 0 .5rem; grid-template-columns: 1fr 3.8em minmax(4.6em, auto) 4.9em;
 padding: .1rem 0 .1rem .6rem; border-left: .25rem solid var(--mark); break-inside: avoid; }
li svg { height: 1.2rem; } li > .more { grid-column: 1 / -1; color: var(--dim); }
li > :nth-child(n + 2):not(.more) { text-align: right; white-space: nowrap; }
@media (max-width: 30rem) { body { padding: .6rem; } }
.off { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
"""

#: No more of what rsync said is open at first.
_OPEN = 6


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
    calm = "wait" if now["standby"] else "bad"
    well = ("good" if now["synced"] else calm) if running else "bad"
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
    names = short_names(now)
    yield from _troubles(now, names, local)
    yield '<div class="sources">'
    for source in now["sources"]:
        yield from _source(source, now, history, names=names, local=local)
    yield "</div>"
    yield f'</main><footer><p class="dim">{_daemon(now, local)}</p></footer></body></html>'


def _troubles(now: Snapshot, names: dict[str, str], local: Callable[[float], str]) -> Iterator[str]:
    found = troubles(now)
    if not found:
        return
    yield '<div class="troubles">'
    for trouble in found:
        yield f'<section class="trouble {tone(trouble)}">'
        yield f'<span class="state">{trouble.state}</span><h2>{_name(trouble.who)}</h2>'
        for line in trouble.lines:
            yield f'<p class="why">{_text(line)}</p>'
        if facts := ", ".join(_facts(trouble, now["at"], local)):
            yield f"<p>{facts}</p>"
        if (failure := trouble.failure) and failure["lines"]:
            begun = ' open="open"' if len(failure["lines"]) <= _OPEN else ""
            node = f" of {title(trouble.mirrors[0], names)}"
            whose = _text(node if len(trouble.mirrors) > 1 else "")
            yield f"<details{begun}><summary>exit {failure['exit']}, what rsync{whose} said"
            yield f"</summary><pre>{_text(chr(10).join(failure['lines']))}</pre></details>"
        yield "</section>"
    yield "</div>"


def _facts(trouble: Trouble, at: float, local: Callable[[float], str]) -> Iterator[str]:
    """Yield what is known of a trouble besides its cause, as HTML."""
    if trouble.found_at is not None:
        yield f"found {_when(trouble.found_at, at, local)}"
    if trouble.failing:
        if trouble.lag is not None:
            yield f'<span class="behind">{span(trouble.lag)} behind</span>'
        if trouble.waiting:
            yield f"{trouble.waiting} waiting"
        yield f"last success {_when(trouble.last_success_at, at, local)}"
        if trouble.next_try_at is not None:
            yield f"next try {_when(trouble.next_try_at, at, local)}"


def _source(
    source: SourceStatus,
    now: Snapshot,
    history: History,
    *,
    names: dict[str, str],
    local: Callable[[float], str],
) -> Iterator[str]:
    """Yield a source: how it is, the plots of all its mirrors, and a line for each of them."""
    mirrors = [mirror for mirror in now["mirrors"] if mirror["source"] == source["path"]]
    hours = {
        (mirror["node"], mirror["lane"]): history.track(
            mirror["source"], mirror["node"], mirror["lane"]
        ).hour(now["at"])
        for mirror in mirrors
    }
    tint = "bad" if source["state"] == "held" else ""
    yield f'<section class="source {tint}"><h2>{_name(source["path"])}</h2>'
    if source["reason"]:
        yield f'<p class="why">Held: it {_text(source["reason"])}</p>'
    well = sum(mirror["lag"] is None for mirror in mirrors)
    text = f"{well} of {many(len(mirrors), 'mirror', ',')} in sync; {source['state']}, "
    text += f"{many(source['watched'], 'directory', ',')}, {many(source['events'], 'event', ',')}"
    if source["overflows"]:
        text += f", {many(source['overflows'], 'overflow', ',')} of the kernel's queue"
    yield f'<p class="dim">{text}</p>'
    if not mirrors:
        yield "</section>"
        return
    hour = together(hours.values())
    lags, sent = [sample.lag for sample in hour], [float(sample.sent) for sample in hour]
    yield '<div class="plots">'
    caption = f"last hour: worst lag {span(max(lags))}"
    yield from _plot("lag", lags, max(*lags, _LEAST_LAG), caption)
    caption = f"{size(int(sum(sent)))} sent"
    yield from _plot("sent", sent, max(*sent, 1.0), caption)
    yield "</div>"
    if shown := listed(now, source):
        lines = [(mirror, hours[mirror["node"], mirror["lane"]]) for mirror in shown]
        top = max(_LEAST_LAG, *(sample.lag for _, each in lines for sample in each))
        yield f'<ul role="list" aria-label="mirrors of {_text(source["path"])} that do not fail">'
        yield '<li class="dim" aria-hidden="true"><span>node</span><span>lag, 1 h</span>'
        yield "<span>success</span><span>sent</span></li>"
        for mirror, each in lines:
            yield from _mirror(mirror, each, top, at=now["at"], names=names, local=local)
        yield "</ul>"
    yield "</section>"


def _mirror(
    mirror: MirrorStatus,
    hour: list[Sample],
    top: float,
    *,
    at: float,
    names: dict[str, str],
    local: Callable[[float], str],
) -> Iterator[str]:
    """Yield the line of a mirror that does not fail."""
    most, success = max(sample.lag for sample in hour), mirror["last_success_at"]
    told = f"lag in the last hour: at most {span(most)}"
    yield f'<li class="{look(mirror)}"><span>{_name(title(mirror, names))}</span>'
    yield f'<svg viewBox="0 0 {MINUTES} {_LOW}" preserveAspectRatio="none" role="img">'
    yield f'<title>{told}</title><path class="lag" d="{_steps(hour, top)}"/></svg>'
    when = _when(success, at, local, short=True)
    yield f'<span><span class="off">last success </span>{when}</span>'
    yield f'<span><span class="off">sent </span>{size(mirror["bytes_sent"])}</span>'
    if more := ", ".join(_more(mirror)):
        yield f'<span class="more"><b class="behind">{mirror["state"]}</b> {more}</span>'
    if kept := kept_line(mirror):
        yield f'<span class="more">{_text(kept)}</span>'
    yield "</li>"


def _more(mirror: MirrorStatus) -> Iterator[str]:
    """Yield what is to be known of a mirror that is at work, or in sync but for something."""
    run, passing, lag = mirror["run"], mirror["full_pass"], mirror["lag"]
    if lag is not None or mirror["ailing"]:
        yield (f"{span(lag)} behind" if lag is not None else "in sync") + but_for(mirror)
    if drifts(mirror):
        yield "drift"
    if passing is not None:
        done = many(passing["directories"], "directory", ",")
        yield f"full pass {_text(passing['reason'])}: {pass_line(passing)}"
        yield f"done of it: {done}, {many(passing['files'], 'file', ',')}"
    elif mirror["pending"] or mirror["full"]:
        full = mirror["full"] and f"full pass ({mirror['full']})"
        yield _text(full or many(mirror["pending"], "change", ",")) + " waiting"
    if run is not None:
        yield f"run for {span(run['seconds'])}"
        if run["percent"] is not None:
            yield f"{run['percent']} %, {size(run['bytes'] or 0)}, {span(run['eta'] or 0)} left"


def _steps(hour: list[Sample], top: float) -> str:
    """Return the path of a small plot: in whole units, one step where the lag changes."""
    path, before = f"M0 {_LOW}", 0
    for minute, sample in enumerate(hour):
        high = math.ceil(min(1.0, sample.lag / top) * _LOW)
        if high != before:
            path += f"H{minute}V{_LOW - high}"
        before = high
    return f"{path}H{MINUTES}V{_LOW}z" if "V" in path else ""


def _plot(name: str, values: list[float], top: float, caption: str) -> Iterator[str]:
    """Yield a plot: a bar for each minute, and the caption below."""
    bars = "".join(
        f"M{minute} {_HEIGHT}v-{max(0.6, value / top * _HEIGHT):.1f}h.8V{_HEIGHT}z"
        for minute, value in enumerate(values)
        if value > 0
    )
    yield f'<figure><svg viewBox="0 0 {MINUTES} {_HEIGHT}" preserveAspectRatio="none" role="img">'
    yield f'<title>{caption}</title><path class="{name}" d="{bars}"/></svg>'
    yield f"<figcaption>{caption}</figcaption></figure>"


def _daemon(now: Snapshot, local: Callable[[float], str]) -> str:
    daemon = now["daemon"]
    text = f"inosync {_text(daemon['version'])}, pid {daemon['pid']}, "
    text += f"since {_time(daemon['started_at'], local)}, {size(daemon['rss'])} of memory"
    if daemon["config"]:
        loaded = _time(daemon["loaded_at"], local)
        text += f", config {_text(daemon['config'])}, loaded {loaded}"
    return text


def _time(at: float, local: Callable[[float], str]) -> str:
    """Return a moment as HTML."""
    return f"<time>{_text(local(at)[:19])}</time>"


def _when(
    at: float | None, now: float, local: Callable[[float], str], *, short: bool = False
) -> str:
    """Return a moment as HTML: of today the time; of another day both, or, `short`, the date."""
    if at is None:
        return "never"
    text, today = local(at), local(now)[:10]
    other = text[:10] if short else text[:19]
    return f"<time>{_text(text[11:19] if text[:10] == today else other)}</time>"


def _name(name: str) -> str:
    """Return a name that is broken, where it is too long, where a person would."""
    return re.sub(r"(?<=[\w:])/", "<wbr/>/", _text(name))


def _text(text: str) -> str:
    """Return any text as HTML; its line feeds remain."""
    return "\n".join(printable(line).translate(_ESCAPES) for line in text.split("\n"))
