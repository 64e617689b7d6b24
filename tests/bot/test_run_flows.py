"""Which flow a run takes: the owners' flows say by the runbook's name; a file may insist on one, and never gets another."""

from __future__ import annotations

import pytest

from access.requests import RequestState
from bot.cards import Do
from tests.bot.stage import Stage, token_of, words
from tests.bot.test_running import REFUND, publish
from tests.fakes.world import DANA

BY_ITSELF = "name: looks\npriority: 50\nautomatic: true\nwhen: {asks: [command], runbooks: ['ops/look*']}\n"
LOOK = "SELECT 1"


def flows(stage: Stage, text: str) -> None:
    stage.world.flows = (text,)
    assert stage.world.office.flows.reload()


async def run(stage: Stage, name: str) -> str:
    preview = (await stage.say(DANA, f"run {name}")).last
    return words((await stage.press(DANA, token_of(preview, Do.START))).last)


async def test_a_flow_is_taken_by_the_runbooks_name(stage: Stage) -> None:
    publish(stage, **{"look-a": LOOK, "other": LOOK})
    flows(stage, BY_ITSELF)
    await run(stage, "look-a")
    await run(stage, "other")
    states = {row.flow: row.state for row in await stage.store.read(lambda tx: tx.requests())}
    assert states == {"looks": RequestState.APPROVED, "default": RequestState.PENDING}


@pytest.mark.parametrize(("wanted", "asked"), [("default", True), ("looks", False), ("none", False)])
async def test_a_file_insists_on_a_flow(stage: Stage, wanted: str, asked: bool) -> None:
    publish(stage, refund=REFUND.replace("title:", f"flow: {wanted}\ntitle:"))
    flows(stage, BY_ITSELF)
    said = await run(stage, "refund order=7")
    assert ("wants the flow" in said) is not asked
    assert bool(await stage.store.read(lambda tx: tx.requests())) is asked
