"""Many at once: what a session that does nothing costs in memory, and what a burst of chat commands does to queries.

The sessions are idle against a stub (`python -m tests.bench.crowd stub PORT`): two thousand backends of a real server would
be measured along. It answers the logins of sessions by itself and passes everything else, the gateway's reading of the
catalog, to the real server.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import aiohttp

from proxy.postgres import messages as m
from proxy.postgres.frames import Splitter
from tests.bench.figures import Figure
from tests.bench.place import Place, Target, family, memory
from tests.bench.small import Client

SESSIONS = 2000
COMMANDS, PEOPLE = 1000, 10
REPORTED = {
    "server_version": "18.0", "server_encoding": "UTF8", "client_encoding": "UTF8", "standard_conforming_strings": "on",
    "default_transaction_read_only": "on", "is_superuser": "off", "session_authorization": "postgres", "in_hot_standby": "off",
    "search_path": '"$user", public', "DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "TimeZone": "UTC",
}  # fmt: skip


def idle(place: Place) -> list[Figure]:
    """Anonymous memory of the proxy for each session that is logged in and does nothing, without TLS."""
    target = place.targets["gateway"]
    proxy = _proxy(target)
    warm = [Client(target) for _ in range(50)]
    before = memory(proxy)
    with ThreadPoolExecutor(16) as pool:
        clients = list(pool.map(lambda _: Client(target), range(SESSIONS)))
    time.sleep(2)  # what is written behind, and heartbeats, happen meanwhile
    each = (memory(proxy) - before) / SESSIONS / 1024
    for client in (*warm, *clients):
        client.close()
    return [Figure(f"memory of an idle session, {SESSIONS:,} of them", "KB", [each], least=100, goal=40)]


def _proxy(target: Target) -> int:
    """The process that clients are connected to."""
    for pid in family(target.pid):
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - as /proc is read elsewhere
            if file.read().split(b"\0")[-3:-1] == [b"--only", b"proxy"]:
                return pid
    raise RuntimeError("there is no proxy process")


def burst(place: Place, rounds: int, queries: int = 4000) -> list[Figure]:
    """The p99 of one client's `SELECT 1`, alone and while ten people say a hundred commands each in the console."""
    client = Client(place.targets["gateway"])
    client.median(queries)
    alone, busy, added = [], [], []
    for number in range(rounds):
        calm = _p99([client.once() for _ in range(queries)])
        command = [sys.executable, "-m", "tests.bench.crowd", "say", place.web]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as chat:
            assert chat.stdout is not None and chat.stdout.readline() == "begins\n"
            took = []
            while chat.poll() is None:
                took += [client.once() for _ in range(50)]
            answered = chat.stdout.read()
        if answered.strip() != str(COMMANDS):
            raise RuntimeError(f"of {COMMANDS} commands {answered.strip()} were answered")
        alone.append(calm)
        busy.append(_p99(took))
        added.append(busy[-1] - calm)
        if number + 1 < rounds:
            time.sleep(61)  # the console takes so many commands of a person in a minute
    client.close()
    return [
        Figure("SELECT 1 p99, alone", "ms", alone),
        Figure(f"SELECT 1 p99, during {COMMANDS:,} chat commands", "ms", busy),
        Figure(f"a burst of {COMMANDS:,} chat commands adds to the p99", "ms", added, least=5, goal=1),
    ]


def _p99(nanoseconds: list[int]) -> float:
    """In milliseconds."""
    return statistics.quantiles(nanoseconds, n=100)[98] / 1e6


async def _say(web: str) -> None:
    """A thousand commands, all at once."""
    names = [f"p{number}" for number in range(PEOPLE)]
    async with aiohttp.ClientSession() as session:
        tokens = [await _token(session, web, name) for name in names]
        print("begins", flush=True)
        one_by_one = (
            session.post(
                f"{web}/~{name}/say",
                json={"text": "/hoop my", "channel": "", "thread": ""},
                headers={"Origin": web, "X-CSRF-Token": token, "Cookie": cookie},
            )
            for _ in range(COMMANDS // PEOPLE)
            for name, (token, cookie) in zip(names, tokens, strict=True)
        )
        answers = await asyncio.gather(*one_by_one)
        print(sum(answer.status == 200 for answer in answers), flush=True)


async def _token(session: aiohttp.ClientSession, web: str, name: str) -> tuple[str, str]:
    async with session.get(f"{web}/~{name}/private") as page:
        found = re.search(r'data-csrf="([^"]+)"', await page.text())
        assert found is not None, f"{name} has no page"
        return found[1], "; ".join(f"{key}={morsel.value}" for key, morsel in page.cookies.items())


# ------------------------------------------------------------------------------------------------ the stub


@contextmanager
def stub(server: int) -> Iterator[int]:
    """The port of a stub in front of a real server."""
    command = [sys.executable, "-m", "tests.bench.crowd", "stub", str(server)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _stub(server: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = await reader.readexactly(4)
        hello = size + await reader.readexactly(int.from_bytes(size, "big") - 4)
        if b"hoop/ses" in hello:
            await _idle_backend(reader, writer)
        else:
            await _passed_on(hello, reader, writer, server)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


async def _idle_backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    said = [m.authentication(0), *(m.parameter_status(*one) for one in REPORTED.items()), m.key_data(1, b"keys")]
    writer.write(b"".join(said) + m.ready(m.IDLE))
    frames = Splitter()
    while data := await reader.read(65536):
        for frame in frames.feed(data):
            if frame[0] == m.QUERY:
                writer.write(m.message(m.EMPTY) + m.ready(m.IDLE))
    writer.close()


async def _passed_on(hello: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: int) -> None:
    there, to_there = await asyncio.open_connection("127.0.0.1", server)
    to_there.write(hello)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    await asyncio.gather(pump(reader, to_there), pump(there, writer))


if __name__ == "__main__":
    asyncio.run(_stub(int(sys.argv[2])) if sys.argv[1] == "stub" else _say(sys.argv[2]))
