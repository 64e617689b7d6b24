"""What the gateway adds to one small query: `SELECT 1` direct and through, interleaved, in one run.

Run: python -m tests.bench.latency [rounds] [queries a round]
The gateway is a process of its own, with everything on: judge, masking, recording, ledger in memory. A relay that only
copies bytes runs beside it: what a process in between costs on this machine, whatever it does.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import uvloop

from access.masking import ColumnRule, MaskPolicy, Strategy
from app.embedded_postgres import EmbeddedPostgres
from proxy.postgres import messages as m
from proxy.postgres.login import Login
from tests.wire.site import open_site

QUERY = m.query("SELECT 1")
READY = m.ready(m.IDLE)
MASK = MaskPolicy(columns=(ColumnRule("customers.email", "email", Strategy.REDACT),))


@dataclass
class Client:
    """The smallest blocking client there can be, so that what is measured is the other side."""

    host: str
    port: int
    user: str
    password: str
    database: str

    def __post_init__(self) -> None:
        self.socket = socket.create_connection((self.host, self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        login = Login({"user": self.user, "database": self.database}, self.password, encrypted=False)
        self.socket.sendall(login.begin())
        while not login.done:
            self.socket.sendall(login.feed(self.socket.recv(65536)))

    def once(self, query: bytes = QUERY) -> int:
        """Nanoseconds from sending to the ReadyForQuery."""
        started = time.perf_counter_ns()
        self.socket.sendall(query)
        data = b""
        while not data.endswith(READY):
            data += self.socket.recv(65536)
        return time.perf_counter_ns() - started

    def median(self, queries: int) -> float:
        """Microseconds."""
        return statistics.median(self.once() for _ in range(queries)) / 1000


async def _serve(arguments: list[str]) -> None:
    """The gateway process: prints where it is, serves until its input ends."""
    dsn, directory = arguments[:2]
    server = EmbeddedPostgres(password=arguments[3])
    server.port = int(arguments[2])
    async with open_site(server, dsn, Path(directory), mask=MASK) as site:
        print(json.dumps(await site.access()), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class _End(asyncio.Protocol):
    """One end of the plainest relay there is: what any process in between costs on this machine."""

    def __init__(self, upstream: int = 0, peer: _End | None = None) -> None:
        self.upstream, self.peer, self.early = upstream, peer, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.peer is None:
            self.dialling = asyncio.get_running_loop().create_task(self.dial())

    async def dial(self) -> None:
        loop = asyncio.get_running_loop()
        _, self.peer = await loop.create_connection(lambda: _End(peer=self), "127.0.0.1", self.upstream)
        self.peer.transport.write(self.early)

    def data_received(self, data: bytes) -> None:
        if self.peer is None:
            self.early += data
        else:
            self.peer.transport.write(data)


async def _relay(upstream: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _End(upstream), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def _start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    """A process of this module and the first line it prints."""
    command = [sys.executable, "-m", "tests.bench.latency", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline()


def main(rounds: int = 7, queries: int = 3000) -> None:
    """Print medians and ratios."""
    with EmbeddedPostgres(password="bench") as server, tempfile.TemporaryDirectory() as directory:
        gateway, line = _start("serve", server.dsn(), directory, str(server.port), server.password)
        where = json.loads(line)
        relay, port = _start("relay", str(server.port))
        clients = {
            "direct": Client(server.host, server.port, server.user, server.password, "postgres"),
            "relay": Client(server.host, int(port), server.user, server.password, "postgres"),
            "gateway": Client(where["host"], where["port"], where["user"], where["password"], where["dbname"]),
        }
        found: dict[str, list[float]] = {name: [] for name in clients}
        for client in clients.values():
            client.median(queries)
        for number in range(rounds):
            for name in found if number % 2 else reversed(found):
                found[name].append(clients[name].median(queries))
        for process in (gateway, relay):
            process.communicate(timeout=20)
    medians = {name: statistics.median(values) for name, values in found.items()}
    print(f"SELECT 1, one client, {rounds} interleaved rounds of {queries}, median of medians in µs:")
    for name, values in found.items():
        added = medians[name] - medians["direct"]
        print(f"  {name:8} {medians[name]:7.1f}  added {added:6.1f}   (rounds {min(values):.1f} to {max(values):.1f})")
    print(f"  gateway / direct {medians['gateway'] / medians['direct']:.2f}", end=", ")
    print(f"gateway / plain relay {medians['gateway'] / medians['relay']:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(_serve(sys.argv[2:]))
    elif sys.argv[1:2] == ["relay"]:
        uvloop.run(_relay(int(sys.argv[2])))
    else:
        main(*(int(argument) for argument in sys.argv[1:3]))
