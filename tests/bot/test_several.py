"""Runs on several resources one after the other, runs that queue for a lock, favourites, taking back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from access.requests import Choice, GrantState, RequestState
from bot.cards import Do
from tests.bot.stage import Stage, token_of, words
from tests.bot.test_running import approve, confirmed, publish, result
from tests.fakes.world import ANN, DANA, EVE, PROD
from tests.patience import LONG


@pytest.fixture
def runs(stage: Stage) -> Stage:
    """Three databases that are run on in this order."""
    resources = {name: replace(PROD, name=name, labels={"tier": name[-1]}) for name in ("shop-a", "shop-b", "shop-c")}
    stage.world.resources.clear()
    stage.world.resources.update(resources)
    publish(stage)
    return stage


async def three(stage: Stage, on: str = "all") -> list[Any]:
    """Asked for on several; the requests in order."""
    preview = (await stage.say(DANA, f"run refund order=7 --on {on}")).last
    await confirmed(stage, preview)
    rows = await stage.store.read(lambda tx: tx.requests(limit=10))
    return sorted(rows, key=lambda row: row.resource)


async def approve_all(stage: Stage) -> None:
    for message in stage.chat.in_channel("command"):
        await stage.press(ANN, token_of(message.card, Do.APPROVE))
    await stage.settle()


async def test_what_runs_on_several_is_shown_with_its_order(runs: Stage) -> None:
    said = words((await runs.say(DANA, "run refund order=7 --on shop-b,shop-a")).last)
    assert "shop-b → shop-a; the first that fails stops those after it" in said
    rows = await three(runs)
    assert [row.resource for row in rows] == ["shop-a", "shop-b", "shop-c"]
    assert "2 of 3 resources (shop-a, shop-b, shop-c)" in str(rows[1].evidence.notes)
    assert len({row.evidence.digest for row in rows}) == 3


async def test_each_runs_after_those_before_it_with_a_result_of_its_own(runs: Stage) -> None:
    rows = await three(runs)
    await approve_all(runs)
    order = [
        event.stream for event in await runs.store.read(lambda tx: tx.events(kinds=["command.executed"], limit=20))
    ]
    assert order == [row.id for row in rows]
    cards = [words(message.card) for message in runs.chat.in_channel("result")]
    assert len(cards) == 3
    assert all("2 of 2 steps done" in card for card in cards)


async def test_the_first_that_fails_stops_those_after_it(runs: Stage) -> None:
    rows = await three(runs)
    good = runs.executor.outcome
    runs.executor.answers = [replace(good, ok=False)]
    await approve_all(runs)
    grants = {grant.resource: grant.state for grant in await runs.store.read(lambda tx: tx.grants())}
    assert grants == {"shop-a": GrantState.FAILED, "shop-b": GrantState.REVOKED, "shop-c": GrantState.REVOKED}
    ended = await runs.store.read(lambda tx: tx.events_of(rows[1].id))
    assert f"Stopped: shop-a before it failed ({rows[0].id})" in str(ended[-1].payload or ended[-2].payload)
    assert len(runs.executor.steps) == 2


async def test_one_that_is_denied_stops_those_after_it(runs: Stage) -> None:
    rows = await three(runs, "shop-a,shop-b")
    await runs.world.desk.cancel(rows[0].id, DANA.id, "not needed")
    card = next(m.card for m in runs.chat.in_channel("command") if rows[1].id in words(m.card))
    await runs.press(ANN, token_of(card, Do.APPROVE))
    await runs.settle()
    assert not runs.executor.steps
    assert "was cancelled" in words(result(runs).card)


async def test_half_of_what_was_meant_is_not_asked(runs: Stage) -> None:
    runs.world.resources["shop-b"] = replace(PROD, name="shop-b", approvers=("nobody",))
    preview = (await runs.say(DANA, "run refund order=7 --on all")).last
    refused = await runs.press(DANA, token_of(preview, Do.START))
    assert refused.last.kind != "done"
    states = {row.resource: row.state for row in await runs.store.read(lambda tx: tx.requests())}
    assert states.get("shop-a") is RequestState.CANCELLED
    assert RequestState.PENDING not in states.values()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not done():  # noqa: ASYNC110 - it is told by a fake
            await asyncio.sleep(0.01)


async def test_a_locked_one_queues_when_its_person_says_so(runs: Stage) -> None:
    """The second was shown as queued; it starts when the first has ended, not beside it."""
    preview = (await runs.say(DANA, "run refund order=7 --on shop-a")).last
    await confirmed(runs, preview)
    seen: list[str] = []
    go = asyncio.Event()
    inner = runs.executor.run_steps

    async def steps(*given: Any) -> Any:
        seen.append("started")
        if len(seen) == 1:
            await go.wait()
        async for outcome in inner(*given):
            yield outcome
        seen.append("ended")

    runs.executor.run_steps = steps  # type: ignore[method-assign, assignment]
    first = asyncio.ensure_future(approve(runs))
    await until(lambda: bool(seen))
    locked = (await runs.say(EVE, "run refund order=7 why=late --on shop-a")).last
    assert "Already running, started by Dana" in words(locked)
    assert token_of(locked, Do.WATCH)
    assert (await runs.press(EVE, token_of(locked, Do.START))).last.kind == "done"
    second = next(r for r in await runs.store.read(lambda tx: tx.requests()) if r.actor.person == EVE.id)
    await runs.world.desk.review(second.id, 1, ANN.id, Choice.APPROVE)
    go.set()
    await first
    await runs.settle()
    assert seen == ["started", "ended", "started", "ended"]


async def test_favourites_come_first_and_go_again(runs: Stage) -> None:
    def names(card: Any) -> list[str]:
        return [words(replace(card, items=(item,))).split("ops/")[1].split(" ")[0] for item in card.items]

    card = (await runs.say(DANA, "runbooks")).last
    assert names(card)[0].startswith("plan")
    marks = [button.token for item in card.items for button in item.buttons if button.do is Do.STAR]
    starred = (await runs.press(DANA, marks[1])).last
    assert names(starred)[0].startswith("refund")
    assert "★" in words(starred)
    assert "★" not in words((await runs.say(EVE, "runbooks")).last)
    again = [button.token for button in starred.items[0].buttons if button.do is Do.STAR]
    assert "★" not in words((await runs.press(DANA, again[0])).last)


async def test_an_approved_run_is_taken_back_before_it_starts(runs: Stage) -> None:
    rows = await three(runs, "shop-a,shop-b")
    await runs.world.desk.review(rows[1].id, 1, ANN.id, Choice.APPROVE)
    said = words((await runs.say(DANA, f"cancel {rows[1].id}")).last)
    assert "does not run" in said
    await runs.settle()
    assert not runs.executor.steps
    states = {grant.resource: grant.state for grant in await runs.store.read(lambda tx: tx.grants())}
    assert states == {"shop-b": GrantState.REVOKED}


async def test_cancel_stops_what_runs(runs: Stage) -> None:
    (row,) = await three(runs, "shop-a")
    said: list[str] = []
    inner = runs.executor.run_steps

    async def steps(*given: Any) -> Any:
        async for outcome in inner(*given):
            if not said:
                said.append(words((await runs.say(EVE, f"cancel {row.id}")).last))
                said.append(words((await runs.say(DANA, f"cancel {row.id}")).last))
            yield outcome

    runs.executor.run_steps = steps  # type: ignore[method-assign, assignment]
    await approve_all(runs)
    assert "Stopping" not in said[0]
    assert f"Stopping {row.id}" in said[1]
    (session,) = await runs.store.read(lambda tx: tx.sessions())
    assert session.kill_at is not None
