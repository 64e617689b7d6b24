"""Step-up in chat: the click is answered with where to confirm, in private."""

from __future__ import annotations

import pytest

from access.requests import RequestState
from bot.cards import Do, SecretBlock
from tests.approval_flows.test_step_up import FLOW
from tests.bot.stage import Stage, token_of, words
from tests.fakes.world import ANN, DANA, EVE


@pytest.mark.parametrize("typed", [False, True])
async def test_a_click_opens_a_link_with_what_is_typed_there(quick: Stage, typed: bool) -> None:
    quick.world.flows = (FLOW,)
    assert quick.world.office.flows.reload()
    request = await quick.asked()
    card = quick.chat.in_channel("request")[0].card
    reply = await (quick.say(ANN, f"approve {request}") if typed else quick.press(ANN, token_of(card, Do.APPROVE)))
    answer = reply.last
    assert answer.private
    assert (await quick.world.request(request)).state is RequestState.PENDING
    (link,) = (block for block in answer.blocks if isinstance(block, SecretBlock))
    secret = link.text.rpartition("/confirm/")[2]
    code, number = (field.value[0].text for field in answer.fields[:2])  # type: ignore[union-attr]
    assert (await quick.world.desk.finish_step_up(secret, code, number)).state is RequestState.APPROVED
    await quick.settle()
    assert "Approved by Ann" in words(quick.chat.in_channel("request")[0].card)


async def test_others_get_no_link(quick: Stage) -> None:
    quick.world.flows = (FLOW,)
    assert quick.world.office.flows.reload()
    request = await quick.asked()
    for person in (DANA, EVE):
        assert not (await quick.say(person, f"approve {request}")).last.blocks
