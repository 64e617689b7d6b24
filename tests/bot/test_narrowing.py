"""Approving less than was asked for, and denying with a usual reason: forms over the same use cases as what is typed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.requests import RequestState
from access.resources import Protocol
from access.scopes import Read, Write, scope_name
from bot.cards import Do, Form, plain
from bot.views import forms
from tests.bot.stage import Stage, has, token_of, words
from tests.fakes.world import ANN, BOB, DANA, EVE

WRITE = "request prod-db 2h --scope write INC-42 debugging"


async def less_form(stage: Stage, text: str = WRITE) -> Form:
    await stage.asked(text)
    return (await stage.press(ANN, token_of(stage.chat.in_channel("request")[-1].card, Do.NARROW))).form_


async def test_less_is_given_from_the_card(stage: Stage) -> None:
    form = await less_form(stage)
    assert plain(form.intro) == "Dana asks for write access to prod-db for 2h."
    again, reply = await stage.submit(ANN, form, duration="30m", scope="read", note="reads are enough")
    assert again is None
    assert "Approved" in words(reply.last)
    await stage.settle()
    (grant,) = await stage.store.read(lambda tx: tx.grants())
    assert (grant.scope, grant.expires_at - grant.starts_at) == (Read(), timedelta(minutes=30))
    vote = words(stage.chat.in_channel("vote")[-1].card)
    assert "read for 30m instead of write for 2h" in vote
    assert "reads are enough" in vote
    assert "Less than was asked for: read for 30m" in words(stage.chat.in_channel("request")[-1].card)


async def test_the_form_taken_as_it_is_gives_what_was_asked_for(quick: Stage) -> None:
    form = await less_form(quick)
    again, _ = await quick.submit(ANN, form)
    assert again is None
    (grant,) = await quick.store.read(lambda tx: tx.grants())
    assert (grant.scope, grant.expires_at - grant.starts_at) == (Write(), timedelta(hours=2))


@pytest.mark.parametrize(
    ("values", "field", "why"),
    [
        ({"duration": "3h"}, "duration", "at most what was asked for: 2h"),
        ({"scope": "admin"}, "scope", "at most what was asked for: write"),
        ({"scope": "root"}, "scope", "The scope is"),
        ({"duration": ""}, "duration", "Say how long"),
        ({"duration": "soon"}, "duration", "not a length of time"),
        ({"note": "password=Tr0ub4dor&3"}, "note", "rotate"),
    ],
)
async def test_more_is_refused_at_its_field_and_decides_nothing(
    quick: Stage, values: dict[str, str], field: str, why: str
) -> None:
    form = await less_form(quick)
    again, reply = await quick.submit(ANN, form, **values)
    assert again
    assert why in next(f.error for f in again.fields if f.name == field)
    assert not reply.cards
    assert not await quick.store.read(lambda tx: tx.grants())


async def test_only_what_is_less_is_offered(quick: Stage) -> None:
    form = await less_form(quick, "request prod-db 1h because")
    assert [f.name for f in form.fields] == ["duration", "tables", "note"]
    assert [o.value for o in form.fields[0].options] == ["15m", "30m"]
    form = await less_form(quick, "request prod-db 1h --scope admin because")
    assert [o.value for o in form.fields[1].options] == ["read", "write", "admin"]


async def test_a_shell_that_was_asked_for_is_what_the_form_says(quick: Stage) -> None:
    prod = quick.world.resources["prod-db"]
    quick.world.resources["prod-db"] = replace(prod, protocol=Protocol.SSH)
    form = await less_form(quick, "request prod-db 1h --scope interactive because")
    scope = next(f for f in form.fields if f.name == "scope")
    assert scope.value == "interactive"
    assert [o.value for o in scope.options] == ["read", "write", "admin", "interactive"]
    again, _ = await quick.submit(ANN, form)
    assert again is None
    (grant,) = await quick.store.read(lambda tx: tx.grants())
    assert scope_name(grant.scope) == "interactive"


@pytest.mark.parametrize(("person", "why"), [(DANA, "your own"), (EVE, "not an approver")])
async def test_who_may_not_decide_may_not_give_less_either(quick: Stage, person: object, why: str) -> None:
    await quick.asked(WRITE)
    form = (await quick.press(person, token_of(quick.chat.in_channel("request")[-1].card, Do.NARROW))).form_  # type: ignore[arg-type]
    _, reply = await quick.submit(person, form, duration="15m")  # type: ignore[arg-type]
    assert why in words(reply.last)
    assert not await quick.store.read(lambda tx: tx.grants())


async def test_what_was_decided_meanwhile_is_shown_instead(stage: Stage) -> None:
    form = await less_form(stage)
    token = token_of(stage.chat.in_channel("request")[-1].card, Do.NARROW)
    await stage.press(BOB, token_of(stage.chat.in_channel("request")[-1].card, Do.APPROVE))
    _, reply = await stage.submit(ANN, form, duration="15m")
    assert "Bob" in words(reply.last)
    late = await stage.press(ANN, token)
    assert not late.forms
    assert "Bob" in words(late.last)
    assert len(await stage.store.read(lambda tx: tx.grants())) == 1


async def test_a_command_is_approved_whole_or_not_at_all(quick: Stage) -> None:
    await quick.asked("exec prod-db --reason fix -- UPDATE customers SET note = 'x'")
    assert not has(quick.chat.in_channel("command")[-1].card, Do.NARROW)


# ------------------------------------------------------------------------------------------------ deny


async def deny_form(stage: Stage) -> Form:
    await stage.asked()
    return (await stage.press(ANN, token_of(stage.chat.in_channel("request")[-1].card, Do.DENY))).form_


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ({"reason": "use the replica"}, "use the replica"),
        ({"usual": "later"}, "Not now: ask again later"),
        (
            {"usual": "less", "reason": "15m is plenty"},
            "Ask for less: a shorter time or a smaller scope: 15m is plenty",
        ),
    ],
)
async def test_a_denial_gives_a_reason_that_the_requester_reads(
    quick: Stage, values: dict[str, str], note: str
) -> None:
    again, _ = await quick.submit(ANN, await deny_form(quick), **values)
    assert again is None
    await quick.settle()
    (row,) = await quick.store.read(lambda tx: tx.requests())
    assert (row.state, row.note) == (RequestState.DENIED, note)
    told = quick.chat.to(DANA, "decided")[-1].card
    assert note in words(told)
    assert has(told, Do.AGAIN), "asking for something else is one click away"


@pytest.mark.parametrize("values", [{}, {"usual": "made up"}, {"reason": "  "}])
async def test_a_denial_without_a_reason_is_not_taken(quick: Stage, values: dict[str, str]) -> None:
    again, _ = await quick.submit(ANN, await deny_form(quick), **values)
    assert again
    assert "Say why" in again.fields[0].error


def test_revoking_and_cutting_offer_no_reasons_for_denials() -> None:
    assert [f.name for f in forms.reason_form(forms.REVOKE, "grt_7k3f9a2b4c", "t").fields] == ["reason"]
