"""Asking for clear values in chat: the card says exactly which, access and its token stay what they are."""

from __future__ import annotations

from access.requests import RequestState
from access.scopes import unmask_scope
from tests.bot.stage import Stage, words
from tests.fakes.world import ANN, DANA

ASK = "request prod-db 10m --unmask customers.email,app.people.phone INC-4 a customer called"


async def test_from_asking_to_having(stage: Stage) -> None:
    reply = await stage.say(DANA, ASK)
    assert reply.last.fallback == "Asked. Ann, Bob can decide."
    (row,) = await stage.world.requests()
    assert row.scope == unmask_scope(["customers.email", "app.people.phone"])
    await stage.settle()
    card = next(words(m.card) for m in stage.chat.messages.values() if row.id in words(m.card))
    for said in ("the clear values of app.people.phone, customers.email on", "public.customers.email", "stay masked"):
        assert said in card
    issued = len(stage.credentials.issued)
    await stage.say(ANN, f"approve {row.id}")
    await stage.settle()
    assert (await stage.world.requests())[0].state is RequestState.APPROVED
    assert len(stage.credentials.issued) == issued, "no token: it is no access"
    assert "no live access" in words((await stage.say(DANA, "token prod-db")).last)
    assert "unmask" in words((await stage.say(DANA, "my")).last)


async def test_what_is_wrong_opens_the_form_with_the_columns_kept(stage: Stage) -> None:
    form = (await stage.say(DANA, "request prod-db --unmask customers.* why")).form_
    field = next(f for f in form.fields if f.name == "unmask")
    assert field.value == "customers.*"
    assert "one by one" in field.error
    again, reply = await stage.submit(
        DANA, form, resource="prod-db", unmask="customers.email", duration="10m", reason="a call"
    )
    assert again is None
    assert "Asked" in words(reply.last)
    assert (await stage.world.requests())[0].scope == unmask_scope(["customers.email"])
