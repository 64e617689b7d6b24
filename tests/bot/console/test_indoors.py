"""Deliveries to the console alone: many in one transaction, and the same messages as one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from access.ids import SessionId
from access.ports import Tx
from access.requests import Session
from bot import found as finding
from bot import indoors
from bot.console import messages
from bot.console.messages import Message, private_channel
from bot.deliveries import KIND, Delivery, View, to_outbox
from bot.sender import Sender
from tests.bot.console.scene import CHANNEL, Scene
from tests.bot.stage import session_row
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA, EVERYBODY


def scene_of() -> Scene:
    clock = ManualClock()
    return Scene(MemoryStore(clock), clock)


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on nothing is delivered in one transaction."""
    return lambda: monkeypatch.setattr(indoors.Indoors, "targets", lambda self, heads: [])


async def visits(scene: Scene, count: int) -> None:
    """So many sessions of one grant open: their lines wait in the outbox."""
    grant = await scene.world.access()
    await scene.announce()

    def work(tx: Tx) -> None:
        for number in range(count):
            opened(tx, session_row(grant, scene.clock.now(), number))

    await scene.store.transact(work)


def opened(tx: Tx, row: Session) -> None:
    tx.insert_session(row)
    tx.enqueue(to_outbox(Delivery(View.SESSION, row.id, ("console",), CHANNEL, root=str(row.request))))


async def shown(scene: Scene) -> list[tuple[str, str, Any]]:
    """Everything that is shown anywhere, without ids and times."""

    def work(tx: Tx) -> list[Message]:
        places = [CHANNEL, *(private_channel(person.id) for person in EVERYBODY)]
        heads = [one for place in places for one in messages.listed(tx, place)]
        return heads + [answer for one in heads for answer in messages.listed(tx, one.channel, one.id)]

    return [(one.channel, str(bool(one.thread)), one.card) for one in await scene.store.read(work)]


def counted(scene: Scene) -> list[int]:
    """Grows by one with every transaction."""
    real = scene.store.transact
    seen: list[int] = []

    async def transact(work: Callable[[Tx], Any]) -> Any:
        seen.append(len(seen))
        return await real(work)

    scene.store.transact = transact  # type: ignore[method-assign]
    return seen


async def delivered(scene: Scene) -> None:
    while await scene.sender.step():
        pass


async def test_the_same_is_shown_as_one_after_the_other_with_fewer_commits(one_by_one: Callable[[], None]) -> None:
    together, apart = scene_of(), scene_of()
    await visits(together, 12)
    commits = counted(together)
    await delivered(together)
    assert len(commits) <= 4, "eight at a time, and the last that finds nothing"
    one_by_one()
    await visits(apart, 12)
    commits = counted(apart)
    await delivered(apart)
    assert len(commits) >= 24
    assert await shown(together) == await shown(apart)
    assert sum(kind == "True" for _, kind, _ in await shown(together)) >= 12


async def test_a_whole_request_is_told_the_same(one_by_one: Callable[[], None]) -> None:
    told = []
    for scene in (scene_of(), scene_of()):
        request = await scene.asked()
        await scene.world.approve(request)
        await scene.announce()
        grant = (await scene.world.grants(request.id))[0]
        await scene.world.desk.revoke(grant.id, ANN.id, "over")
        await scene.announce()
        told.append(await shown(scene))
        one_by_one()
    assert told[0] == told[1]
    assert {channel for channel, _, _ in told[0]} >= {CHANNEL, private_channel(DANA.id)}


async def test_one_that_cannot_be_drawn_does_not_hold_up_those_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of()
    await visits(scene, 3)
    bad = session_id(1)
    real = finding.found

    def found(tx: Tx, world: Any, delivery: Delivery) -> Any:
        if delivery.about == bad:
            raise ValueError("no")
        return real(tx, world, delivery)

    monkeypatch.setattr(indoors, "found", found)
    monkeypatch.setattr("bot.sender.found", found)
    await delivered(scene)
    waiting = await scene.store.read(lambda tx: tx.outbox(kind=KIND))
    assert waiting == [], "the bad one is not due"
    monkeypatch.undo()
    scene.clock.advance(10)
    await delivered(scene)
    assert len([one for one in await shown(scene) if one[2]["kind"] == "session"]) == 3


async def test_when_the_commit_fails_nothing_was_shown_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = scene_of()
    await visits(scene, 3)
    before = await shown(scene)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(scene.platform), "post_in", killed)
    with pytest.raises(KeyboardInterrupt):
        await scene.sender.step()
    assert await shown(scene) == before
    monkeypatch.undo()
    await delivered(scene)
    assert len(await shown(scene)) == len(before) + 3


async def test_what_is_behind_one_that_is_not_due_waits() -> None:
    scene = scene_of()
    await visits(scene, 3)
    first = (await scene.store.read(lambda tx: tx.outbox(kind=KIND)))[0]
    later = scene.clock.now() + timedelta(seconds=30)
    await scene.store.transact(lambda tx: tx.settle(first.id, retry_at=later, error="claimed"))
    before = await shown(scene)
    await delivered(scene)
    assert await shown(scene) == before
    scene.clock.advance(31)
    await delivered(scene)
    assert len(await shown(scene)) == len(before) + 3


async def test_two_senders_show_everything_once() -> None:
    scene = scene_of()
    await visits(scene, 20)
    before = len(await shown(scene))
    other = Sender(scene.store, *scene.sending)
    for _ in range(10):
        await asyncio.gather(scene.sender.step(), other.step())
    assert len(await shown(scene)) == before + 20


def session_id(number: int) -> SessionId:
    return SessionId(f"ses_{number:012d}")
