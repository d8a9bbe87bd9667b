"""Reads events as fast as it can, and says what that took; the counterpart of limits.c.

    reader.py inosync|pyinotify DIR

Says "ready"; then, for each line on standard input, reads what is queued and says "EVENTS
NANOSECONDS", the CPU time of just that.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path


def inosync_reader(root: str) -> Callable[[], int]:
    """Return what reads events into the engine's pending set."""
    from inosync.config.load import load
    from inosync.engine.engine import Engine
    from inosync.watch.lookout import Lookout

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inosync.conf"
        file.write_text(f'wpath = {root + "/"!r}\nrnodes = ["{folder}/"]\nrscope = "changes"\n')
        config = load(str(file))
    engine = Engine(config, lambda: 0.5)
    source = config.sources[0]
    lookout = Lookout(source, config)
    assert not lookout.open()
    while lookout.walk():
        pass
    lookout.read()

    def read() -> int:
        before = lookout.events
        while True:
            count = lookout.events
            changes, seen = lookout.read()
            assert not seen.resync, seen.resync
            engine.changed(source, changes, 1.0)
            if lookout.events == count:
                return count - before

    return read


def pyinotify_reader(root: str) -> Callable[[], int]:
    """Return what reads events into pyinotify's event objects, each handed to a function."""
    warnings.simplefilter("ignore")
    import pyinotify as pi

    manager = pi.WatchManager()
    events = 0

    def seen(_: object) -> None:
        nonlocal events
        events += 1

    notifier = pi.Notifier(manager, default_proc_fun=seen, timeout=0)
    mask = pi.IN_ATTRIB | pi.IN_CLOSE_WRITE | pi.IN_CREATE | pi.IN_DELETE | pi.IN_MOVED_FROM
    manager.add_watch(root, mask | pi.IN_MOVED_TO, rec=True, auto_add=True)

    def read() -> int:
        before = events
        while notifier.check_events():
            notifier.read_events()
            notifier.process_events()
        return events - before

    return read


def main() -> None:
    """Serve the benchmark."""
    kind, root = sys.argv[1:]
    read = (inosync_reader if kind == "inosync" else pyinotify_reader)(root)
    print("ready", flush=True)
    for _ in sys.stdin:
        before = time.process_time_ns()
        events = read()
        print(events, time.process_time_ns() - before, flush=True)


if __name__ == "__main__":
    main()
