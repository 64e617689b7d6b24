"""Exactly once, whoever competes: threads with stores of their own, and processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from access.errors import Conflict
from access.events import GrantUsed, RequestExpired, StoredEvent
from access.ids import GrantId
from access.ports import Tx
from access.requests import GrantState
from ledger.sealing import Sealer
from ledger.store import Store
from ledger.verify import verify
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.ledger import examples
from tests.ledger.racer import use

RACER = Path(__file__).with_name("racer.py")
GRANTS = 25


def fill(tx: Tx) -> None:
    tx.insert_request(examples.request())
    for number in range(GRANTS):
        tx.insert_grant(examples.grant(f"grt_{number}"))
        tx.put_doc("link", str(number), {"n": number})


def piped(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def events_after(tx: Tx, position: int) -> list[StoredEvent]:
    return tx.events(after=position)


async def test_four_processes_use_each_grant_once(store: Store, url: str) -> None:
    await store.transact(fill)
    commands = [[sys.executable, str(RACER), url, str(seed), str(GRANTS)] for seed in range(1, 5)]
    processes = [await asyncio.to_thread(piped, command) for command in commands]
    for process in processes:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [line for p in processes for line in (await asyncio.to_thread(p.communicate))[0].splitlines()]
    assert sorted(won) == sorted(f"grt_{number}" for number in range(GRANTS))
    assert len(await store.read(lambda tx: tx.grants(states=[GrantState.EXECUTING]))) == GRANTS


async def test_twenty_threads_with_stores_of_their_own_use_a_grant_once(store: Store, url: str) -> None:
    await store.transact(fill)
    barrier = threading.Barrier(20)
    outcomes: list[object] = []

    def work(tx: Tx, seed: int) -> None:
        use(tx, 0, seed)
        tx.append(GrantUsed(stream="req_1", actor="local|dana", grant="grt_0", session=f"ses_{seed}", digest=""))

    async def race(seed: int) -> None:
        entropy = SeededEntropy(seed)
        mine = Store(url, ManualClock(), entropy, Sealer(examples.KEY, entropy=entropy))
        await mine.start()
        await asyncio.to_thread(barrier.wait)
        try:
            outcomes.append(await mine.transact(lambda tx: work(tx, seed)))
        except Conflict as lost:
            outcomes.append(lost)
        await mine.close()

    threads = [threading.Thread(target=asyncio.run, args=(race(seed),)) for seed in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19
    grant = await store.read(lambda tx: tx.grant(GrantId("grt_0")))
    assert grant is not None
    assert grant.version == 2
    assert len(await store.read(lambda tx: tx.events())) == 1


@pytest.mark.parametrize("writers", [3])
async def test_a_reader_with_a_cursor_misses_no_event_of_other_writers(store: Store, url: str, writers: int) -> None:
    done = threading.Event()
    seen: list[int] = []

    async def write(seed: int) -> None:
        entropy = SeededEntropy(seed)
        mine = Store(url, ManualClock(), entropy, Sealer(examples.KEY, entropy=entropy))
        await mine.start()
        for number in range(40):
            fact = RequestExpired(stream=f"req_{seed}_{number}")
            await mine.transact(lambda tx, fact=fact: tx.append(fact))  # type: ignore[misc]
        await mine.close()

    async def follow() -> None:
        after = 0
        while True:
            finished = done.is_set()
            page = await store.read(partial(events_after, position=after))
            seen.extend(event.position for event in page)
            after = page[-1].position if page else after
            if finished and not page:
                return

    threads = [threading.Thread(target=asyncio.run, args=(write(seed),)) for seed in range(1, writers + 1)]
    for thread in threads:
        thread.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(follow())
        for thread in threads:
            await asyncio.to_thread(thread.join)
        done.set()
    everything = await store.read(lambda tx: tx.events())
    assert seen == [event.position for event in everything]
    assert len(seen) == writers * 40
    assert verify(url).ok
