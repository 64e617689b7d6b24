"""A man in the middle between a client and a server that writes down the statements that pass."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_STARTUP_CODES = {80877103, 80877104}  # SSLRequest, GSSENCRequest: answered by the server with one byte


@dataclass
class Listener:
    port: int = 0
    heard: list[str] = field(default_factory=list)


@asynccontextmanager
async def listening(host: str, port: int) -> AsyncIterator[Listener]:
    """Relay a free port of loopback to `host:port`; `heard` fills with the texts of Query and Parse messages."""
    listener = Listener()

    over = asyncio.Event()
    relays: list[asyncio.Task[None]] = []

    async def relay(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        current = asyncio.current_task()
        assert current is not None
        relays.append(current)
        server, upstream = await asyncio.open_connection(host, port)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(_overhear(client, upstream, listener.heard)),
                tasks.create_task(_copy(server, back)),
                tasks.create_task(_wait(over)),
            ]
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for one in running:
                one.cancel()
        for writer in (back, upstream):
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    gate = await asyncio.start_server(relay, "127.0.0.1", 0)
    listener.port = gate.sockets[0].getsockname()[1]
    async with gate:
        yield listener
        over.set()
        await asyncio.gather(*relays)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def _overhear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[str]) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:  # startup packets have no type byte
            packet = await reader.readexactly(4)
            packet += await reader.readexactly(int.from_bytes(packet) - 4)
            writer.write(packet)
            if int.from_bytes(packet[4:8]) not in _STARTUP_CODES:
                break
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:]) - 4)
            writer.write(head + body)
            await writer.drain()
            if head[:1] == b"Q":
                heard.append(body.rstrip(b"\0").decode())
            elif head[:1] == b"P":
                heard.append(body.split(b"\0")[1].decode())
