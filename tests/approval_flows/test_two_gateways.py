"""Two gateways on one database: whatever both do at once happens once."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.actors import Actor
from access.approvals import Asked
from access.errors import Conflict, HoopError
from access.requests import AccessRequest, Choice, Grant, GrantState, RequestState
from access.scopes import Read, Write
from approval_flows.book import GrantBook
from approval_flows.flow import Limits
from ledger import migrations
from ledger.sealing import Sealer
from ledger.store import Store
from tests.approval_flows.test_break_glass import glass, wanted
from tests.approval_flows.test_clocks import TIMED
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.world import ANN, BOB, DANA, DANA_SELF, DELETE, EVERYBODY, GROUPS, PLACE, PROD, World, a_person
from tests.patience import LONG, SOON

CROWD = [a_person(f"p{number}") for number in range(20)]


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copyfile(request.getfixturevalue("empty_database"), path)
        return f"sqlite:///{path}"
    found = str(request.getfixturevalue("postgres_database"))
    migrations.upgrade(found)
    return found


async def watching(here: World, there: World) -> None:
    """Until a commit there is noticed here: watchers start in the background."""
    woken = asyncio.Event()
    unsubscribe = here.store.subscribe(woken.set)
    async with asyncio.timeout(10):
        while not woken.is_set():
            await there.store.transact(lambda tx: tx.set_cursor("hello", tx.cursor("hello") + 1))
            await asyncio.sleep(0.02)
    unsubscribe()


@pytest.fixture
async def worlds(url: str, clock: ManualClock) -> AsyncIterator[tuple[World, World]]:
    stores = []
    for seed in (1, 2):
        entropy = SeededEntropy(seed)
        store = Store(url, clock, entropy, Sealer(b"k" * 32, entropy=entropy), synchronous="NORMAL")
        await store.start()
        stores.append(store)
    one, two = (World(store, clock, SeededEntropy(10 + number)) for number, store in enumerate(stores))
    for world in (one, two):
        await watching(world, two if world is one else one)
        world.directory.replace((*EVERYBODY, *CROWD), {**GROUPS, "dba": ("ann", "bob", *(p.wire_name for p in CROWD))})
    yield one, two
    for store in stores:
        await store.close()


async def test_twenty_approvals_through_two_gateways_give_one_grant(worlds: tuple[World, World]) -> None:
    request = await worlds[0].ask()
    answers = await asyncio.gather(
        *(worlds[number % 2].approve(request, by=person) for number, person in enumerate(CROWD)), return_exceptions=True
    )
    won = [one for one in answers if isinstance(one, AccessRequest)]
    lost = [one for one in answers if isinstance(one, Conflict)]
    assert (len(won), len(lost)) == (1, 19), answers
    assert all("already approved by P" in str(one) for one in lost)
    assert len(await worlds[1].grants()) == 1
    kinds = await worlds[0].kinds()
    assert [kinds.count(kind) for kind in ("review.given", "grant.issued", "review.refused")] == [1, 1, 19]


@pytest.mark.parametrize("turn", range(5))
async def test_approve_here_and_deny_there_have_one_winner(worlds: tuple[World, World], turn: int) -> None:
    request = await worlds[0].ask()
    answers = await asyncio.gather(
        worlds[turn % 2].approve(request, by=ANN),
        worlds[1 - turn % 2].desk.review(request.id, 1, BOB.id, Choice.DENY),
        return_exceptions=True,
    )
    assert len([one for one in answers if isinstance(one, AccessRequest)]) == 1, answers
    state = (await worlds[0].request(request.id)).state
    assert len(await worlds[0].grants()) == (1 if state is RequestState.APPROVED else 0)


async def test_one_approval_runs_once_through_two_gateways(worlds: tuple[World, World]) -> None:
    session, grant = await worlds[0].held_and_approved()
    answers = await asyncio.gather(
        *(worlds[number % 2].desk.consume(grant.id, session, DELETE) for number in range(20)), return_exceptions=True
    )
    assert len([one for one in answers if isinstance(one, Grant)]) == 1
    assert len([one for one in answers if isinstance(one, HoopError)]) == 19
    assert len(await worlds[1].events("grant.used")) == 1


async def test_glass_is_broken_once_by_one_person_through_two_gateways(worlds: tuple[World, World]) -> None:
    for world in worlds:
        glass(world, on_call=(DANA.id, BOB.id))
    tries = [(worlds[number % 2], DANA_SELF if number % 4 < 2 else Actor(BOB.id)) for number in range(16)]
    answers = await asyncio.gather(
        *(world.desk.break_glass(actor, wanted()) for world, actor in tries), return_exceptions=True
    )
    won = [one.actor.person for one in answers if isinstance(one, AccessRequest)]
    assert sorted(won) == sorted([DANA.id, BOB.id]), answers
    assert all("already, and it lasts" in str(one) for one in answers if not isinstance(one, AccessRequest))
    assert len(await worlds[0].grants()) == 2
    kinds = await worlds[1].kinds()
    assert [kinds.count(kind) for kind in ("emergency.opened", "emergency.refused")] == [2, 14]


async def test_requests_are_counted_over_both_gateways(worlds: tuple[World, World]) -> None:
    targets = {name: replace(PROD, name=name) for name in (f"db-{number}" for number in range(12))}

    async def flood(limits: Limits, wanted: Iterable[str]) -> list[object]:
        pair = [World(one.store, one.clock, one.entropy, limits, resources=targets) for one in worlds]
        asking = (
            pair[turn % 2].desk.ask_access(DANA_SELF, name, Read(), timedelta(hours=1), "INC-42", "", PLACE)
            for turn, name in enumerate(wanted)
        )
        return await asyncio.gather(*asking, return_exceptions=True)

    answers = await flood(Limits(per_hour=3), targets)
    assert len([one for one in answers if isinstance(one, Asked)]) == 3, answers
    assert all("3 times in the last hour" in str(one) for one in answers if not isinstance(one, Asked))
    worlds[0].clock.advance(61 * 60)
    answers = await flood(Limits(pending_per_person=5), reversed(targets))
    taken = [one for one in answers if isinstance(one, Asked)]
    assert len([one for one in taken if not one.existing]) == 2, "three wait already"
    assert all("5 requests waiting" in str(one) for one in answers if not isinstance(one, Asked))


async def test_a_no_here_is_a_no_there(worlds: tuple[World, World]) -> None:
    here, there = (World(one.store, one.clock, one.entropy, Limits(cool_down=timedelta(minutes=10))) for one in worlds)
    request = await here.ask()
    await here.desk.review(request.id, 1, ANN.id, Choice.DENY, "use the replica")
    with pytest.raises(Conflict, match="was denied a moment ago"):
        await there.ask()


async def test_a_revocation_there_empties_the_book_here_within_a_second(worlds: tuple[World, World]) -> None:
    here, there = worlds
    book = GrantBook(here.store, here.directory, here.clock)
    changed = asyncio.Event()
    book.subscribe(changed.set)
    grant = await there.access()
    running = asyncio.get_running_loop().create_task(book.run())

    async def until(count: int) -> None:
        async with asyncio.timeout(LONG):
            while len(book.of(grant.actor, "prod-db", session=None, only=None)) != count:
                await changed.wait()
                changed.clear()

    await until(1)
    await there.desk.revoke(grant.id, DANA.id, "done")
    async with asyncio.timeout(SOON):
        await until(0)
    running.cancel()


async def test_a_wait_here_ends_with_a_decision_there(worlds: tuple[World, World]) -> None:
    here, there = worlds
    session = await here.session()
    request = await here.hold(session)
    async with asyncio.timeout(LONG), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(here.desk.wait(request.id, 900))
        await asyncio.sleep(0.05)
        await there.approve(request)
    assert waiting.result().state is RequestState.APPROVED


async def test_two_schedulers_on_one_store_write_everything_once(
    worlds: tuple[World, World], clock: ManualClock
) -> None:
    for world in worlds:
        world.flows = (TIMED,)
        assert world.office.flows.reload()
    waits = await worlds[0].ask(scope=Write())
    grant = await worlds[0].access(minutes=30)
    clock.advance(4 * 3600)
    await asyncio.gather(*(worlds[number % 2].desk.tick() for number in range(6)), return_exceptions=True)
    clock.advance(7 * 3600)
    await asyncio.gather(*(worlds[number % 2].desk.tick() for number in range(6)), return_exceptions=True)
    kinds = await worlds[1].kinds()
    told = ("request.reminded", "request.escalated", "request.expired", "grant.ended")
    assert [kinds.count(kind) for kind in told] == [1, 2, 1, 1]
    assert (await worlds[1].request(waits.id)).state is RequestState.EXPIRED
    assert (await worlds[1].grant(grant.id)).state is GrantState.EXPIRED
