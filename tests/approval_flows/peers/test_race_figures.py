"""Twenty people of two processes decide the same request at the same moment, many times; and one process is killed meanwhile.

Writes `docs/peers/races.md`.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from access.actors import Actor, Agent
from access.ids import RequestId
from access.requests import AccessRequest, GrantState, RequestState
from access.scopes import Write
from ledger import migrations
from ledger.sealing import Sealer
from ledger.store import Store
from tests.approval_flows.peers.crowd import SCENARIOS, prepared
from tests.approval_flows.test_break_glass import wanted
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.world import DANA, DANA_SELF, World

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/peers/races.md"
RUNS = 40

FIGURES: dict[tuple[str, str], str] = {}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copyfile(request.getfixturevalue("empty_database"), path)
        return f"sqlite:///{path}"
    found = str(request.getfixturevalue("postgres_database"))
    migrations.upgrade(found)
    return found


async def asked(world: World, scenario: str) -> list[RequestId]:
    names: list[RequestId] = []
    for _ in range(RUNS):
        if scenario == "closing broken glass":
            request = await world.desk.break_glass(DANA_SELF, wanted())
            (grant,) = await world.grants(request.id)
            await world.desk.done(grant.id, DANA.id)
            await world.desk.attest(request.id, DANA.id, "Restarted the queue.")
            # the next one is not blocked: what is raced here is the closing of each
            await world.store.transact(lambda tx, id_=request.id: tx.take_doc("emergency", id_))  # type: ignore[misc]
        else:
            request = await filed(world)
        names.append(request.id)
    return names


async def filed(world: World) -> AccessRequest:
    """A waiting request, each by another agent, because the same would be shown the one that waits."""
    number = len(await world.store.read(lambda tx: tx.requests(limit=1_000)))
    return await world.ask(Actor(DANA.id, Agent(f"a{number}"), "Dana"), scope=Write())


def started(url: str, scenario: str) -> list[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.approval_flows.peers.voter", url, scenario]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    both = [subprocess.Popen([*command, str(side)], **pipes) for side in (0, 1)]  # type: ignore[call-overload]
    for one in both:
        assert one.stdout.readline().strip() == "ready"
    return both


def go(process: subprocess.Popen[str], names: Sequence[RequestId]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(list(names)) + "\n")
    process.stdin.flush()


async def outcome(world: World, names: Sequence[RequestId], scenario: str) -> tuple[int, int, int]:
    """How many were decided, how many have exactly one decision on record, how many grants are wrong."""
    decided = once = wrong = 0
    for name in names:
        request = await world.request(name)
        events = [event.kind for event in await world.store.read(lambda tx, of=name: tx.events_of(of))]  # type: ignore[misc]
        grants = await world.grants(name)
        if scenario == "closing broken glass":
            closed = request.emergency is not None and request.emergency.closed
            decided, once = decided + closed, once + (events.count("emergency.closed") == 1)
            continue
        if request.state is RequestState.PENDING:
            print("PENDING", name, names.index(name), events, request.version)
        decided += request.state in {RequestState.APPROVED, RequestState.DENIED}
        once += events.count("request.decided") == 1
        wrong += len(grants) != (request.state is RequestState.APPROVED)
        wrong += any(grant.state is not GrantState.ACTIVE for grant in grants)
    return decided, once, wrong


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_one_outcome_each(url: str, scenario: str) -> None:
    clock, entropy = ManualClock(), SeededEntropy(3)
    store = Store(url, clock, entropy, Sealer(b"k" * 32, entropy=entropy), synchronous="NORMAL")
    await store.start()
    world = prepared(store, clock, scenario, seed=4)
    names = await asked(world, scenario)
    both = started(url, scenario)
    begun = time.perf_counter()
    for one in both:
        go(one, names)
    said = [json.loads(one.communicate(timeout=300)[0]) for one in both]
    took = time.perf_counter() - begun
    decided, once, wrong = await outcome(world, names, scenario)
    await store.close()
    votes = sum(one["won"] for one in said)
    FIGURES[scenario, url.partition(":")[0]] = f"{RUNS} | {decided} | {once} | {wrong} | {votes} | {took:.1f} s"
    written()
    assert (decided, once, wrong) == (RUNS, RUNS, 0)


async def test_a_killed_process_leaves_no_grant_without_its_decision(url: str) -> None:
    clock, entropy = ManualClock(), SeededEntropy(5)
    store = Store(url, clock, entropy, Sealer(b"k" * 32, entropy=entropy), synchronous="NORMAL")
    await store.start()
    scenario, kills = "two people of one stage", 3
    world = prepared(store, clock, scenario, seed=6)
    decided = once = wrong = 0
    for turn in range(kills):
        names = await asked(world, scenario)
        both = started(url, scenario)
        for one in both:
            go(one, names)
        await asyncio.sleep(random.Random(turn).uniform(0.02, 0.6))
        both[turn % 2].kill()
        for one in both:
            one.communicate(timeout=300)
        found = await outcome(world, names, scenario)
        decided, once, wrong = decided + found[0], once + found[1], wrong + found[2]
    await store.close()
    key = f"{scenario}, one process killed -9 while it votes"
    FIGURES[key, url.partition(":")[0]] = f"{kills * RUNS} | {decided} | {once} | {wrong} | – | –"
    written()
    assert once == decided == kills * RUNS
    assert wrong == 0


def measured() -> dict[tuple[str, str], str]:
    """The figures on the page, so that a part can be measured anew."""
    rows = [
        line.strip("| \n").split(" | ", 2) for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")
    ]
    return {(what, store): figures for what, store, figures in rows if store in {"sqlite", "postgresql"}}


def written() -> None:
    """Write the page."""
    rows = sorted(((measured() if PAGE.exists() else {}) | FIGURES).items())
    lines = [
        "# Races: one outcome each",
        "",
        "Made by `make peers ARGS=tests/approval_flows/peers`: twenty approvers, an owner and a member of security, half of them in",
        "each of two processes, decide the same request at the same moment. Of every request: decided, decided exactly once on",
        "record, grants that should not be there or are missing.",
        "",
        "| what | store | requests | decided | exactly once | wrong grants | votes that counted | took |",
        "|---|---|---|---|---|---|---|---|",
        *(f"| {what} | {store} | {figures} |" for (what, store), figures in rows),
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
