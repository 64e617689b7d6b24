"""Every delivery once, none lost, whoever dies in between."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from access.errors import Unavailable
from access.ports import Store
from access.requests import RequestState
from bot.slack.inbox import ATTEMPTS, INBOX, KEPT, Inbox
from bot.slack.lanes import Lanes
from bot.slack.payloads import read
from tests.bot.slack.office import Office, said
from tests.bot.slack.test_payloads import COMMAND, PRESS
from tests.fakes.clock import ManualClock
from tests.fakes.slack import Member
from tests.fakes.store import MemoryStore

ONE = read(COMMAND, "env-1")


async def test_a_delivery_is_taken_once_by_any_of_its_keys(store: Store, clock: ManualClock) -> None:
    inbox = Inbox(store, clock, "n1")
    claimed = await inbox.accept(ONE)
    assert claimed is not None
    assert (claimed.delivery, claimed.attempt) == (ONE, 0)
    assert await inbox.accept(ONE) is None
    assert await inbox.accept(read(COMMAND, "env-2")) is None
    assert await inbox.accept(read(COMMAND | {"trigger_id": "other"}, "env-1")) is None
    assert await Inbox(store, clock, "n2").accept(ONE) is None
    assert await inbox.accept(read(COMMAND | {"trigger_id": "9.9"}, "env-9")) is not None


async def test_twenty_copies_at_once_are_one(store: Store, clock: ManualClock) -> None:
    inboxes = [Inbox(store, clock, f"n{n}") for n in range(20)]
    taken = await asyncio.gather(*(inbox.accept(ONE) for inbox in inboxes))
    assert sum(one is not None for one in taken) == 1


async def test_what_is_done_is_gone_and_stays_known(store: Store, clock: ManualClock) -> None:
    inbox = Inbox(store, clock, "n1")
    await inbox.accept(ONE)
    await inbox.finish(ONE)
    assert await inbox.abandoned(starting=True) == []
    assert await inbox.accept(ONE) is None


async def test_a_restarted_node_goes_on_at_once_another_one_after_a_minute(store: Store, clock: ManualClock) -> None:
    await Inbox(store, clock, "n1").accept(ONE)
    other, again = Inbox(store, clock, "n2"), Inbox(store, clock, "n1")
    assert await other.abandoned(starting=True) == []
    assert await again.abandoned() == []
    (mine,) = await again.abandoned(starting=True)
    assert (mine.delivery, mine.attempt) == (ONE, 0)
    clock.advance(61)
    (theirs,) = await other.abandoned()
    assert await again.abandoned(starting=True) == []
    assert await again.begin(mine) is None
    started = await other.begin(theirs)
    assert started is not None
    assert started.attempt == 1


async def test_two_nodes_do_not_claim_the_same(store: Store, clock: ManualClock) -> None:
    await Inbox(store, clock, "n1").accept(ONE)
    clock.advance(61)
    nodes = [Inbox(store, clock, f"n{n}") for n in range(2, 8)]
    found = await asyncio.gather(*(node.abandoned() for node in nodes))
    assert sum(len(one) for one in found) == 1


async def test_what_kills_every_process_that_works_on_it_is_given_up(store: Store, clock: ManualClock) -> None:
    inbox = Inbox(store, clock, "n1")
    claimed = await inbox.accept(ONE)
    for attempt in range(1, ATTEMPTS + 1):
        assert claimed is not None
        started = await inbox.begin(claimed)
        assert started is not None
        assert started.attempt == attempt
        claimed = next(iter(await inbox.abandoned(starting=True)), None)
    assert claimed is None
    assert await store.read(lambda tx: tx.docs(INBOX)) == []


async def test_restarts_before_the_work_began_do_not_count(store: Store, clock: ManualClock) -> None:
    inbox = Inbox(store, clock, "n1")
    await inbox.accept(ONE)
    for _ in range(ATTEMPTS + 5):
        (claimed,) = await inbox.abandoned(starting=True)
        assert claimed.attempt == 0


async def test_what_was_done_meanwhile_is_not_begun(store: Store, clock: ManualClock) -> None:
    inbox = Inbox(store, clock, "n1")
    claimed = await inbox.accept(ONE)
    assert claimed is not None
    await inbox.finish(ONE)
    assert await inbox.begin(claimed) is None


async def test_a_row_nobody_can_read_is_dropped(clock: ManualClock) -> None:
    store = MemoryStore(clock)
    rows: list[dict[str, Any]] = [{}, {"at": "x"}, {"delivery": {}, "attempt": "x", "at": "2020-01-01T00:00:00+00:00"}]
    for number, row in enumerate(rows):
        await store.transact(lambda tx, row=row, number=number: tx.put_doc(INBOX, str(number), row))  # type: ignore[misc]
    assert await Inbox(store, clock, "n1").abandoned() == []
    assert await store.read(lambda tx: tx.docs(INBOX)) == []


async def test_a_store_that_does_not_answer_takes_nothing(clock: ManualClock) -> None:
    store = MemoryStore(clock)
    store.broken = True
    with pytest.raises(Unavailable):
        await Inbox(store, clock, "n1").accept(ONE)
    store.broken = False
    assert await Inbox(store, clock, "n1").accept(ONE) is not None


async def test_a_day_is_enough(store: Store, clock: ManualClock) -> None:
    inbox = Inbox(store, clock, "n1")
    await inbox.accept(ONE)
    clock.advance(KEPT.total_seconds() + 1)
    assert await inbox.abandoned(starting=True) == []


async def test_what_one_person_does_stays_in_order_and_others_do_not_wait() -> None:
    lanes, order, gate = Lanes(4), list[str](), asyncio.Event()

    async def slow() -> None:
        await gate.wait()
        order.append("slow")

    async def quick(name: str) -> None:
        order.append(name)

    lanes.put("dana", slow)
    lanes.put("dana", lambda: quick("dana"))
    for name in ("ann", "bob", "olga", "sam"):
        lanes.put(name, lambda name=name: quick(name))  # type: ignore[misc]
    running = asyncio.get_running_loop().create_task(lanes.run())
    for _ in range(10):
        await asyncio.sleep(0)
    assert "dana" not in order
    assert len(order) >= 2
    gate.set()
    await lanes.drain()
    assert order.index("slow") < order.index("dana")
    running.cancel()


# ------------------------------------------------------------------------------------------------ after a crash


async def left_behind(office: Office, delivery: Any) -> None:
    """Taken and acknowledged by a process that died before it did anything."""
    await office.stop()
    await Inbox(office.store, office.clock, office.config.node).accept(delivery)


def command(office: Office, text: str, by: Member | None = None) -> Any:
    workspace, user = office.slack.workspace, (by or office.dana).id
    body = COMMAND | {"team_id": workspace.team, "enterprise_id": "", "api_app_id": workspace.app, "user_id": user}
    place = {"channel_id": office.channel.id, "response_url": office.slack.responses.issue(user, office.channel.id)}
    return read(body | place | {"text": text})


async def test_a_command_left_behind_is_done_at_the_next_start(quick_office: Office) -> None:
    office = quick_office
    await left_behind(office, command(office, "request prod-db 1h INC-42 debugging"))
    await office.start()
    await office.settle()
    assert len(await office.store.read(lambda tx: tx.requests())) == 1
    assert len(office.cards()) == 1


async def test_a_command_left_behind_long_ago_is_not_done_and_told(quick_office: Office, clock: ManualClock) -> None:
    office = quick_office
    await left_behind(office, command(office, "request prod-db 1h INC-42 debugging"))
    clock.advance(601)
    await office.start()
    await office.settle()
    assert await office.store.read(lambda tx: tx.requests()) == []
    assert "do it again" in said(office.dana.whispers(office.channel)[-1])


async def test_a_decision_left_behind_counts_even_hours_later(quick_office: Office, clock: ManualClock) -> None:
    office = quick_office
    card = await office.asked()
    token = next(e["value"] for b in card.blocks if b["type"] == "actions" for e in b["elements"])
    body = PRESS | {"team": {"id": office.slack.workspace.team}, "api_app_id": office.slack.workspace.app}
    action = PRESS["actions"][0] | {"value": token}
    pressed = read(body | {"user": {"id": office.ann.id}, "actions": [action], "trigger_id": "7"})
    pressed = replace(pressed, channel=office.channel.id, message=card.ts, thread=card.ts)
    await left_behind(office, pressed)
    clock.advance(3_600)
    await office.start()
    await office.settle()
    assert [row.state for row in await office.store.read(lambda tx: tx.requests())] == [RequestState.APPROVED]


async def test_more_time_is_never_given_twice(quick_office: Office) -> None:
    office = quick_office
    grant = await office.live()
    await office.stop()
    inbox = Inbox(office.store, office.clock, office.config.node)
    claimed = await inbox.accept(command(office, f"extend {grant.id} 30m", office.ann))
    assert claimed is not None
    await inbox.begin(claimed)
    await office.start()
    await office.settle()
    after = await office.store.read(lambda tx: tx.grant(grant.id))
    assert after is not None
    assert after.expires_at == grant.expires_at
    assert "restarted" in said(office.ann.whispers(office.channel)[-1])
