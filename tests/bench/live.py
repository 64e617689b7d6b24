"""What people wait for: a new connection, the release of a held statement after its approval, the cut after a revocation."""

from __future__ import annotations

import asyncio
import selectors
import statistics
import time
from contextlib import suppress

from access.requests import AccessRequest, Choice, RequestState
from app.cli_setup import load_or_explain
from app.core import Core, open_core
from proxy.postgres import messages as m
from proxy.postgres.login import salted
from tests.bench.figures import Figure
from tests.bench.place import Place, Target
from tests.bench.small import Client, interleaved

SESSIONS = 200


def connecting(place: Place, rounds: int, times: int = 20) -> list[Figure]:
    """A new connection with its login and a first row, one after the other."""

    def measure(target: Target) -> float:
        took = []
        for _ in range(times):
            salted.cache_clear()  # as a client that has just been started
            started = time.perf_counter()
            client = Client(target)
            client.once()
            took.append(time.perf_counter() - started)
            client.close()
        return statistics.median(took) * 1000

    found = interleaved([place.targets["direct"], place.targets["gateway"]], rounds, measure)
    ratios = [through / direct for direct, through in zip(found["direct"], found["gateway"], strict=True)]
    return [
        Figure("connect + login + first row, direct", "ms", found["direct"]),
        Figure("connect + login + first row, gateway", "ms", found["gateway"]),
        Figure("connect + login + first row / direct", "×", ratios, least=3, goal=1.5),
    ]


def approving(place: Place, rounds: int) -> list[Figure]:
    """From the review in another process (the click) to the answer the held client gets."""
    return asyncio.run(_approving(place, rounds))


async def _approving(place: Place, rounds: int) -> list[Figure]:
    took = []
    place.psql(place.targets["direct"], "-c", "CREATE TABLE IF NOT EXISTS held (id int)")
    async with open_core(load_or_explain(place.config)) as core:
        ann = next(person for person in core.directory.people() if person.wire_name == "ann")
        client = Client(place.targets["gateway"])
        for number in range(rounds * 4):
            client.socket.sendall(m.query(f"DELETE FROM held WHERE id = {number}"))
            request = await _pending(core)
            started = time.perf_counter()
            await core.desk.review(request.id, request.revision, ann.id, Choice.APPROVE, "")
            await asyncio.to_thread(_answered, client)
            took.append((time.perf_counter() - started) * 1000)
        client.close()
    return [Figure("approve click to answer of the held statement", "ms", took, least=100, goal=20)]


async def _pending(core: Core) -> AccessRequest:
    while True:
        found = await core.store.read(lambda tx: tx.requests(states=[RequestState.PENDING]))
        if found:
            return found[0]
        await asyncio.sleep(0.005)


def _answered(client: Client) -> None:
    data = b""
    while not data.endswith(m.ready(m.IDLE)):
        data += client.socket.recv(65536)


def revoking(place: Place) -> list[Figure]:
    """From the revocation in another process to the end of each of 200 live sessions; then access is given again."""
    figures = asyncio.run(_revoking(place))
    place.give_access()
    return figures


async def _revoking(place: Place) -> list[Figure]:
    target = place.targets["gateway"]
    clients = [await asyncio.to_thread(Client, target) for _ in range(SESSIONS)]
    for client in clients:
        client.once()
    async with open_core(load_or_explain(place.config)) as core:
        grants = await core.store.read(lambda tx: tx.grants(live_at=core.clock.now()))
        by = next(person for person in core.directory.people() if person.wire_name == "dana")
        started = time.perf_counter()
        watching = asyncio.get_running_loop().run_in_executor(None, _ends, clients)
        for grant in grants:
            await core.desk.revoke(grant.id, by.id, "a measurement")
        ends = await watching
    took = sorted((end - started) * 1000 for end in ends)
    return [
        Figure(
            f"revoke to cut, {SESSIONS} sessions, p99", "ms", [took[int(len(took) * 0.99) - 1]], least=1000, goal=200
        )
    ]


def _ends(clients: list[Client]) -> list[float]:
    """When each connection ended."""
    ends: list[float] = []
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ)
        while len(ends) < len(clients):
            for key, _ in selector.select(30):
                data = b""
                with suppress(OSError):
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not data:
                    ends.append(time.perf_counter())
                    selector.unregister(key.fileobj)
    return ends
