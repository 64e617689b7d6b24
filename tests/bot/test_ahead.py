"""Access that starts later as people see it: asked, approved, told when its time comes, begun, called off."""

from __future__ import annotations

import pytest

from access.requests import RequestState
from bot.cards import Do
from bot.views import access, parts
from tests.bot.stage import Stage, has, token_of, words
from tests.fakes.world import ANN, BOB, DANA, EVE

LATER = "request prod-db 1h from 22:00 UTC INC-42 index build --scope write"  # it is 09:30


async def approved(stage: Stage) -> str:
    request = await stage.asked(LATER)
    assert "not before" in words(stage.chat.in_channel("request")[-1].card)
    await stage.press(ANN, token_of(stage.chat.in_channel("request")[-1].card, Do.APPROVE))
    await stage.settle()
    return request


async def tick(stage: Stage) -> None:
    await stage.world.desk.tick()
    await stage.settle()


async def test_from_the_request_to_its_beginning(stage: Stage) -> None:
    request = await approved(stage)
    card = stage.chat.in_channel("request")[-1].card
    assert card.state == parts.PLANNED
    assert "To be begun from" in words(card)
    (ready,) = stage.chat.to(DANA, "ready")
    assert not has(ready.card, Do.BEGIN)
    mine = (await stage.say(DANA, "my")).last
    assert "begin it from" in words(mine)
    assert not has(mine, Do.BEGIN)
    assert "starts at 2026-03-02 22:00" in words((await stage.say(DANA, f"begin {request}")).last)
    assert "starts at 2026-03-02 22:00" in words((await stage.say(DANA, "token prod-db")).last)
    stage.world.clock.advance(12.5 * 3600)
    await tick(stage)
    *_, due = stage.chat.to(DANA, "ready")
    assert due.card.state == access.BEGIN_NOW
    assert due.edits == 0, "an update of the old message would call nobody"
    assert "Begun: prod-db until 2026-03-02 23:00 UTC" in words(
        (await stage.press(DANA, token_of(due.card, Do.BEGIN))).last
    )
    await stage.settle()
    assert stage.chat.in_channel("request")[-1].card.state == parts.ACTIVE
    assert stage.chat.to(DANA, "connection")


@pytest.mark.parametrize("command", ["cancel {}", "done {}", "revoke {} not tonight"])
async def test_it_is_called_off(quick: Stage, command: str) -> None:
    request = await approved(quick)
    assert "will not begin" in words((await quick.say(DANA, command.format(request))).last)
    await quick.settle()
    assert quick.chat.in_channel("request")[-1].card.state == parts.NEVER_BEGUN
    quick.world.clock.advance(12.5 * 3600)
    await tick(quick)
    assert "can not be begun" in words((await quick.say(DANA, f"begin {request}")).last)


async def test_an_approver_calls_it_off_from_the_card_and_its_person_is_told(quick: Stage) -> None:
    await approved(quick)
    token = token_of(quick.chat.in_channel("request")[-1].card, Do.CALL_OFF)
    assert "can be called off by" in words((await quick.press(EVE, token)).last)
    await quick.press(ANN, token)
    await quick.settle()
    assert "never begun: called off" in words(quick.chat.to(DANA, "decided")[-1].card)


async def test_nobody_began_it(quick: Stage) -> None:
    await approved(quick)
    quick.world.clock.advance(14 * 3600)
    await tick(quick)
    assert "nobody began it in time" in words(quick.chat.in_channel("request")[-1].card)
    assert quick.chat.to(DANA, "decided")
    assert "begin it from" not in words((await quick.say(DANA, "my")).last)


async def test_the_form_takes_a_start_and_says_what_is_wrong_with_one(quick: Stage) -> None:
    form = (await quick.say(DANA, "request prod-db at 25:00 because")).form_
    assert {f.name: f.error for f in form.fields}["start"]
    again, _ = await quick.submit(DANA, form, start="tomorrow", reason="index")
    assert again is not None
    again, reply = await quick.submit(DANA, form, start="tomorrow 02:00", duration="30m", reason="index")
    assert again is None
    assert "Asked" in words(reply.last)
    (row,) = await quick.world.requests()
    assert row.starts_at is not None
    assert f"{row.starts_at:%Y-%m-%d %H:%M}" == "2026-03-03 02:00"


async def test_asked_again_it_keeps_its_tables(quick: Stage) -> None:
    request = await quick.asked("request prod-db 1h because --tables orders,crm.leads")
    assert "only crm.leads, orders" in words(quick.chat.in_channel("request")[-1].card)
    await quick.say(ANN, f"deny {request} later")
    await quick.settle()
    token = token_of(quick.chat.to(DANA, "decided")[-1].card, Do.AGAIN)
    form = (await quick.press(DANA, token)).form_
    assert {f.name: f.value for f in form.fields}["tables"] == "crm.leads, public.orders"


async def test_an_approver_limits_it_to_tables(quick: Stage) -> None:
    request = await quick.asked("request prod-db 1h because --scope write")
    wrong = await quick.say(ANN, f"approve {request} --tables or*ders")
    assert "without wildcards" in words(wrong.last)
    assert "Approved" in words((await quick.say(ANN, f"approve {request} --tables orders")).last)
    await quick.settle()
    card = words(quick.chat.in_channel("request")[-1].card)
    assert "write (only orders) for 1h instead of write for 1h" in card
    assert "Write (only orders) access to prod-db" in words(quick.chat.to(DANA, "connection")[-1].card)
    assert "write (only orders)" in words((await quick.say(DANA, "my")).last)


async def test_the_form_to_approve_less_has_the_tables(quick: Stage) -> None:
    await quick.asked("request prod-db 1h because --scope admin")
    form = (await quick.press(ANN, token_of(quick.chat.in_channel("request")[-1].card, Do.NARROW))).form_
    again, _ = await quick.submit(ANN, form, tables="orders")
    assert again is not None
    assert "Only read and write" in next(f.error for f in again.fields if f.name == "tables")
    again, _ = await quick.submit(ANN, form, tables="orders", scope="read")
    assert again is None
    (grant,) = await quick.store.read(lambda tx: tx.grants())
    assert (grant.scope.tables, (await quick.world.requests())[0].state) == (  # type: ignore[union-attr]
        ("public.orders",),
        RequestState.APPROVED,
    )


async def test_the_record_says_who_called_it_off(quick: Stage) -> None:
    for person, why in ((ANN, "called off by Ann"), (DANA, "taken back by the requester")):
        request = await quick.asked("request prod-db 1h from tomorrow 02:00 INC-42 index")
        await quick.say(BOB, f"approve {request}")
        await quick.say(person, f"cancel {request}")
        (lapsed,) = (e for e in await quick.world.events("access.lapsed") if e.stream == request)
        assert (lapsed.payload or {})["why"] == why
