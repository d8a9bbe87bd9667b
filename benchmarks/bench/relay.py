"""A line that delays, where the kernel cannot: ``python -m bench.relay LISTEN TARGET SECONDS``.

Passes bytes between two ports of 127.0.0.1, so many seconds later each way.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import time

_END = b""


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float
) -> None:
    line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def arrive() -> None:
        while True:
            due, data = await line.get()
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if data == _END:
                writer.close()
                return
            writer.write(data)

    arriving = asyncio.create_task(arrive())
    data = b"more"
    while data != _END:
        with contextlib.suppress(ConnectionError):
            data = await reader.read(65536)
        line.put_nowait((time.monotonic() + delay, data))
    await arriving


async def relay(listen: int, target: int, delay: float) -> None:
    """Listen for ever."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2 * delay)  # the handshake of TCP
        there, back = await asyncio.open_connection("127.0.0.1", target)
        for each in (writer, back):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_pass_on(reader, back, delay), _pass_on(there, writer, delay))

    async with await asyncio.start_server(accept, "127.0.0.1", listen) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(relay(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
