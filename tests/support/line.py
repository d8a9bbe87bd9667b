"""A line between two ports of 127.0.0.1: ``python -m support.line LISTEN TARGET``.

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


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def _serve(listen: int, target: int) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    async with await asyncio.start_server(accept, "127.0.0.1", listen) as server:
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
def line(listen: int, target: int) -> Iterator[Line]:
    """Keep a line open within this context."""
    command = [sys.executable, "-m", "support.line", str(listen), str(target)]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(PROJECT / "tests")})
    try:
        yield Line(process)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
