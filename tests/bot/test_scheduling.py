"""Runs that the clock asks for: once for each due time, approved and recorded like anybody's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from access.requests import RequestState
from bot.scheduling import Schedule, ask
from tests.bot.stage import Stage, words
from tests.bot.test_running import REFUND, approve, publish, result
from tests.fakes.world import DANA

AT = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
NIGHTLY = Schedule("nightly", "ops/refund", DANA.wire_name, values={"order": "7"})


@pytest.fixture
def runs(stage: Stage) -> Stage:
    publish(stage, refund=REFUND.replace("title:", "schedule: true\ntitle:"), never=REFUND)
    return stage


async def test_it_is_asked_for_once_and_waits_for_people(runs: Stage) -> None:
    assert await ask(runs.kit, NIGHTLY, AT)
    assert not await ask(runs.kit, NIGHTLY, AT)
    (request,) = await runs.store.read(lambda tx: tx.requests())
    assert request.actor.person == DANA.id
    assert request.reason == "schedule nightly, due 2026-11-20 02:30 UTC"
    assert request.state is RequestState.PENDING
    await runs.settle()
    assert not runs.executor.steps
    await approve(runs)
    assert len(runs.executor.steps) == 2
    assert "2 of 2 steps done" in words(result(runs).card)
    assert await ask(runs.kit, NIGHTLY, AT.replace(day=21))


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        (replace(NIGHTLY, runbook="ops/never"), "does not say `schedule: true`"),
        (replace(NIGHTLY, runbook="ops/none"), "There is no runbook"),
        (replace(NIGHTLY, owner="nobody"), "is not an active person"),
        (replace(NIGHTLY, values={}), "order: This is needed"),
        (replace(NIGHTLY, values={"order": "7", "x": "1"}), "x: There is no such parameter"),
        (replace(NIGHTLY, resource="gone"), "It runs on prod-db"),
    ],
)
async def test_what_cannot_be_asked_is_recorded(runs: Stage, schedule: Schedule, why: str) -> None:
    assert not await ask(runs.kit, schedule, AT)
    assert not await runs.store.read(lambda tx: tx.requests())
    (event,) = await runs.store.read(lambda tx: tx.events(kinds=["request.refused"]))
    assert why in str((event.payload or {})["why"])


async def test_a_due_time_while_the_run_before_waits_is_recorded(runs: Stage) -> None:
    assert await ask(runs.kit, NIGHTLY, AT)
    assert not await ask(runs.kit, NIGHTLY, AT.replace(day=21))
    (request,) = await runs.store.read(lambda tx: tx.requests())
    (event,) = await runs.store.read(lambda tx: tx.events(kinds=["request.refused"]))
    assert (event.payload or {})["why"] == (
        f"schedule nightly: The run asked for before is still undecided: {request.id}."
    )
    await runs.settle()
    await approve(runs)
    assert await ask(runs.kit, NIGHTLY, AT.replace(day=22))
