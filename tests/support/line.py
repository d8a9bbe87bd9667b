"""A line between two ports of 127.0.0.1: ``python -m support.line LISTEN TARGET RATE``.

It takes what it gets at once, and gives so many bytes a second to the target; 0: all it has.
Stopped by SIGSTOP it is what a dead line is: connections stand, and nothing comes through.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

from support.daemon import PROJECT

#: Bytes that a slow line holds.
_MOST = 2**24


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: int = 0
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(rate // 10 or 65536):
            writer.write(data)
            await asyncio.sleep(len(data) / rate if rate else 0)
    writer.close()


async def _serve(listen: int, target: int, rate: int) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(_pass_on(reader, back, rate), _pass_on(there, writer))

    async with await asyncio.start_server(accept, "127.0.0.1", listen, limit=_MOST) as server:
        await server.serve_forever()


class Line:
    """A line that may be dead for a while."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @contextlib.contextmanager
    def dead(self) -> Iterator[None]:
        """Let nothing through within this context."""
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)


@contextlib.contextmanager
def line(listen: int, target: int, *, rate: int = 0) -> Iterator[Line]:
    """Keep a line open within this context; to the `target` it carries `rate` bytes a second."""
    command = [sys.executable, "-m", "support.line", *map(str, (listen, target, rate))]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(PROJECT / "tests")})
    try:
        yield Line(process)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
