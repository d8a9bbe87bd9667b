"""Random bytes from outside: no exception, and no answer but a well-formed one."""

from __future__ import annotations

import json
import socket
import struct
import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from inosync.changes import inotify_bits
from inosync.changes.inotify_bits import DEFAULT_EMASK
from inosync.rsync.filters import compile_filters
from inosync.system.control import Client
from inosync.watch.sift import sift
from inosync.watch.watcher import Watcher

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
REQUESTS = st.fixed_dictionaries(
    {}, optional={"version": st.just(1) | JSON, "command": st.just("status") | JSON, "node": JSON}
)


@given(
    st.binary(max_size=200)
    | JSON.map(json.dumps).map(str.encode)
    | REQUESTS.map(json.dumps).map(str.encode),
    st.integers(min_value=1, max_value=50),
)
@example(b'{"version": 1, "command": "status"}', 7)
@example(b'{"version": NaN, "command": "status"}', 7)
@example(b'{"version": ' + b"1" * 5000 + b"}", 4096)
def test_what_comes_in_at_the_control_socket(data: bytes, piece: int) -> None:
    """In pieces, and with the end of the line behind it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.settimeout(5)
        client = Client(ours)
        whole = data + b"\n"
        for start in range(0, len(whole), piece):
            if client.closed:
                break
            theirs.send(whole[start : start + piece])
            client.receive()
        if client.request is not None:
            assert isinstance(client.request["command"], str)
            assert not client.closed
            return
        assert client.closed
        answer = json.loads(theirs.recv(65536))
        assert answer["ok"] is False
        assert answer["error"]


BITS = [value for name, value in vars(inotify_bits).items() if name.startswith("IN_")]
_NEW = inotify_bits.IN_CREATE | inotify_bits.IN_ISDIR
RECORDS = st.lists(
    st.tuples(
        st.integers(min_value=-1, max_value=8),
        st.lists(st.sampled_from(BITS), min_size=1, max_size=3).map(sum)
        | st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=20) | st.sampled_from([b"a", b"b", b"a/b", b"..", b".", b"\xff"]),
    ),
    max_size=20,
)


@given(RECORDS)
@example([(2, _NEW, 0, b".."), (1, inotify_bits.IN_IGNORED, 0, b""), (3, _NEW, 0, b"a/b")])
def test_what_the_kernel_might_say(records: list[tuple[int, int, int, bytes]]) -> None:
    """Events that cannot be, about watches that are not: nothing raises, and the tree heals."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("a/b", "c"):
            (root / folder).mkdir(parents=True)
        watcher = Watcher(name, filters=compile_filters(["*.tmp"]), emask=DEFAULT_EMASK)
        while not watcher.walk(100):
            pass
        buffer = b""
        for wd, mask, cookie, text in records:
            padded = text + b"\0" * (-len(text) % 16)
            buffer += struct.pack("iIII", wd, mask & 0xFFFFFFFF, cookie, len(padded)) + padded
        watcher._notifier._parse(buffer)
        seen = watcher.read()
        list(sift(seen.files, seen.directories, DEFAULT_EMASK, compile_filters(["*.tmp"])))
        watcher.reconcile()
        for _ in range(20):
            watcher.read()
            if watcher.walk(100):
                break
        watcher.close()
