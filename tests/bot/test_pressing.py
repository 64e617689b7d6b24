"""Buttons and forms: a token names, it never authorises."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from access.masking import ForApprover
from access.requests import GrantState, RequestState
from bot.cards import Card, Do, ExactBlock
from bot.tokens import LIFETIME, minted, new_token
from bot.views.requests import request_card
from tests.bot.stage import FakeReply, Stage, button_of, has, token_of, words
from tests.fakes.entropy import SeededEntropy
from tests.fakes.world import ANN, BOB, DANA, EVE, IAN, OLGA

SECRET = "exec prod-db --reason fix -- UPDATE customers SET note = 'secret-value' WHERE id = 7"


def card_of(stage: Stage, kind: str = "request") -> Card:
    return stage.chat.in_channel(kind)[0].card


async def test_approving_answers_the_approver_and_decides(stage: Stage) -> None:
    request = await stage.asked()
    reply = await stage.press(ANN, token_of(card_of(stage), Do.APPROVE))
    assert reply.last.fallback == f"Approved: {request}."
    assert (await stage.world.request(request)).state is RequestState.APPROVED


@pytest.mark.parametrize(("person", "why"), [(DANA, "your own"), (EVE, "not an approver"), (IAN, "does not know you")])
async def test_who_may_not_decide_is_told_why_and_nothing_happens(stage: Stage, person: object, why: str) -> None:
    request = await stage.asked()
    reply = await stage.press(person, token_of(card_of(stage), Do.APPROVE))  # type: ignore[arg-type]
    assert why in words(reply.last)
    assert (await stage.world.request(request)).state is RequestState.PENDING


async def test_a_double_click_decides_once_and_the_second_sees_the_state_now(stage: Stage) -> None:
    request = await stage.asked()
    token = token_of(card_of(stage), Do.APPROVE)
    await asyncio.gather(stage.press(ANN, token), stage.press(ANN, token))
    reply = await stage.press(ANN, token)
    assert "decided" in words(reply.last) or "approved" in words(reply.last)
    assert reply.last.state.word == "Active"
    assert len(await stage.world.grants(request)) == 1


async def test_the_second_of_two_approvers_is_told_by_whom(stage: Stage) -> None:
    request = await stage.asked()
    token = token_of(card_of(stage), Do.APPROVE)
    replies = await asyncio.gather(stage.press(ANN, token), stage.press(BOB, token))
    late = next(reply for reply in replies if reply.last.kind != "done")
    assert "Ann" in words(late.last) or "Bob" in words(late.last)
    assert len(await stage.world.grants(request)) == 1


async def test_twenty_clicks_at_once_give_one_grant(stage: Stage) -> None:
    request = await stage.asked()
    token = token_of(card_of(stage), Do.APPROVE)
    await asyncio.gather(*(stage.press(who, token) for who in (ANN, BOB) for _ in range(10)))
    assert len(await stage.world.grants(request)) == 1


@pytest.mark.parametrize("token", ["", "x", "A" * 22, "A" * 100_000, "../../etc", "\x00", "'; DROP TABLE token; --"])
async def test_a_forged_token_does_nothing(stage: Stage, token: str) -> None:
    await stage.asked()
    reply = await stage.press(ANN, token)
    assert "not one of mine" in words(reply.last)


async def test_a_token_made_for_somebody_else_does_nothing(stage: Stage) -> None:
    request = await stage.asked()
    anns = token_of(stage.chat.to(ANN)[0].card, Do.APPROVE)
    reply = await stage.press(BOB, anns)
    assert "somebody else" in words(reply.last)
    assert (await stage.world.request(request)).state is RequestState.PENDING
    cancel = token_of(stage.chat.to(DANA)[0].card, Do.CANCEL)
    assert "somebody else" in words((await stage.press(ANN, cancel)).last)


async def test_an_old_button_says_so(stage: Stage) -> None:
    await stage.asked()
    token = token_of(card_of(stage), Do.APPROVE)
    stage.clock.advance(LIFETIME.total_seconds())
    assert "too old" in words((await stage.press(ANN, token)).last)


async def test_a_button_of_an_expired_request_shows_that_it_expired(stage: Stage) -> None:
    await stage.asked()
    token = token_of(card_of(stage), Do.APPROVE)
    stage.clock.advance(3 * 3600)
    reply = await stage.press(ANN, token)
    assert reply.last.state.word == "Nobody decided in time"
    assert not reply.last.buttons


async def test_a_button_of_an_older_revision_decides_nothing(quick: Stage) -> None:
    request = await quick.asked()
    token = token_of(card_of(quick), Do.APPROVE)
    row = await quick.world.request(request)
    await quick.store.transact(lambda tx: tx.update_request(replace(row, revision=2)))
    reply = await quick.press(ANN, token)
    assert "revision" in words(reply.last)
    assert (await quick.world.request(request)).state is RequestState.PENDING


async def test_somebody_removed_from_the_group_between_card_and_click_cannot_decide_or_read(stage: Stage) -> None:
    stage.judge.complete = False
    request = await stage.asked(SECRET)
    review = token_of(card_of(stage, "command"), Do.REVIEW)
    private = await stage.press(ANN, review)
    stage.world.remove_from_group("dba", ANN)
    reply = await stage.press(ANN, review)
    assert "secret-value" not in words(reply.last)
    assert "Bob" in words(reply.last)
    await stage.press(ANN, token_of(private.last, Do.APPROVE))
    assert (await stage.world.request(request)).state is RequestState.PENDING


# ------------------------------------------------------------------------------------------------ rule 8


async def test_a_command_with_masked_text_is_approved_only_in_the_private_view(stage: Stage) -> None:
    """Rule 8: what is shown is what runs."""
    stage.judge.complete = False
    request = await stage.asked(SECRET)
    public = card_of(stage, "command")
    assert "secret-value" not in words(public)
    assert not has(public, Do.APPROVE)
    assert not any("secret-value" in words(m.card) for m in stage.chat.messages.values())
    private = (await stage.press(ANN, token_of(public, Do.REVIEW))).last
    assert private.private
    assert "secret-value" in words(private)
    await stage.press(ANN, token_of(private, Do.APPROVE))
    assert (await stage.world.request(request)).state is RequestState.APPROVED


async def test_a_channel_token_never_approves_masked_text(stage: Stage) -> None:
    """Even a stored token with the right words on it, made for a card that could not show everything."""
    stage.judge.complete = False
    request = await stage.asked(SECRET)
    row = await stage.world.request(request)
    assert row.evidence

    def mint(tx: object) -> dict[str, str]:
        whole = replace(row, evidence=replace(row.evidence, complete=True))  # type: ignore[type-var]
        from bot.cases import Case

        card = request_card(Case(whole, stage.bot.mention(DANA.id)))
        return minted(tx, stage.entropy, card, None, on="")  # type: ignore[arg-type]

    tokens = await stage.store.transact(mint)
    reply = await stage.press(ANN, tokens[f"approve/{request}"])
    assert any(isinstance(block, ExactBlock) for block in reply.last.blocks), "it shows the private view instead"
    assert (await stage.world.request(request)).state is RequestState.PENDING


async def test_typed_approval_of_masked_text_opens_the_private_view(stage: Stage) -> None:
    stage.judge.complete = False
    request = await stage.asked(SECRET)
    reply = await stage.say(ANN, f"approve {request}")
    assert "secret-value" in words(reply.last)
    assert (await stage.world.request(request)).state is RequestState.PENDING


@pytest.mark.parametrize("person", [EVE, OLGA])
async def test_the_exact_text_is_for_deciders_and_the_requester_only(stage: Stage, person: object) -> None:
    stage.judge.complete = False
    request = await stage.asked(SECRET)
    token = token_of(card_of(stage, "command"), Do.REVIEW)
    for reply in (await stage.press(person, token), await stage.say(person, f"show {request}")):  # type: ignore[arg-type]
        assert "secret-value" not in words(reply.last)
    mine = (await stage.press(DANA, token)).last
    assert "secret-value" in words(mine)
    assert not has(mine, Do.APPROVE), "the requester sees it and cannot decide"


async def test_hidden_characters_of_the_exact_text_are_visible_in_the_private_view(stage: Stage) -> None:
    stage.judge.complete = False
    await stage.asked("exec prod-db --reason fix -- UPDATE t SET a = 'secret-value\u202e' WHERE b = '\u200b'")
    private = (await stage.press(ANN, token_of(card_of(stage, "command"), Do.REVIEW))).last
    assert "⟨U+202E⟩" in words(private)
    assert "⟨U+200B⟩" in words(private)


# ------------------------------------------------------------------------------------------------ forms


async def test_denying_asks_for_the_reason_and_then_denies(stage: Stage) -> None:
    request = await stage.asked()
    form = (await stage.press(ANN, token_of(card_of(stage), Do.DENY))).form_
    again, _ = await stage.submit(ANN, form, reason="   ")
    assert again
    assert again.fields[0].error
    assert (await stage.world.request(request)).state is RequestState.PENDING
    again, reply = await stage.submit(ANN, form, reason="use the replica")
    assert again is None
    assert "Denied" in words(reply.last)
    row = await stage.world.request(request)
    assert (row.state, row.note) == (RequestState.DENIED, "use the replica")


async def test_the_form_of_a_request_decided_meanwhile_shows_the_decision(stage: Stage) -> None:
    request = await stage.asked()
    form = (await stage.press(ANN, token_of(card_of(stage), Do.DENY))).form_
    await stage.say(BOB, f"approve {request}")
    again, reply = await stage.submit(ANN, form, reason="no")
    assert again is None
    assert "Bob" in words(reply.last)
    assert (await stage.world.request(request)).state is RequestState.APPROVED


async def test_a_form_cannot_be_submitted_by_somebody_else_or_as_another_form(stage: Stage) -> None:
    await stage.asked()
    form = (await stage.press(ANN, token_of(stage.chat.to(ANN)[0].card, Do.DENY))).form_
    _, reply = await stage.submit(BOB, form, reason="no")
    assert "somebody else" in words(reply.last)
    _, reply = await stage.submit(ANN, replace(form, name="revoke"), reason="no")
    assert "do not belong together" in words(reply.last)


async def test_a_form_nobody_made_does_nothing(quick: Stage) -> None:
    for name in ("", "deny", "resource:", "resource:exec", "nonsense", "resource:who:more"):
        reply = FakeReply()
        again = await quick.handlers.submit(name, "forged", {"resource": "prod-db"}, quick.caller(ANN), reply)
        assert again is None
        assert "not one of mine" in words(reply.last)


async def test_a_secret_in_a_reason_is_not_taken(quick: Stage) -> None:
    request = await quick.asked()
    form = (await quick.press(ANN, token_of(card_of(quick), Do.DENY))).form_
    again, _ = await quick.submit(ANN, form, reason="the password=hunter2! is wrong")
    assert again
    assert "rotate" in again.fields[0].error
    assert (await quick.world.request(request)).state is RequestState.PENDING


# ------------------------------------------------------------------------------------------------ live access


async def test_done_extend_and_a_new_token_from_the_connection_card(stage: Stage) -> None:
    grant = await stage.live()
    card = stage.chat.to(DANA, "connection")[0].card
    replies = (await stage.press(DANA, token_of(card, Do.TOKEN))).cards
    assert "secret-2" not in words(replies[0])
    assert "secret-2" in words(replies[1])
    form = (await stage.press(DANA, token_of(card, Do.EXTEND))).form_
    again, _ = await stage.submit(DANA, form, duration="0m")
    assert again
    assert "more than zero" in again.fields[0].error
    again, reply = await stage.submit(DANA, form, duration="30m", reason="not done yet")
    assert again is None
    assert "Asked" in words(reply.last)
    await stage.press(DANA, token_of(card, Do.DONE))
    assert (await stage.world.grant(grant.id)).state is GrantState.DONE
    assert "is over" in words((await stage.press(DANA, token_of(card, Do.TOKEN))).last)
    assert "is over" in words((await stage.press(DANA, token_of(card, Do.EXTEND))).last)


async def test_a_session_is_cut_from_its_card_by_an_approver_only(stage: Stage) -> None:
    grant = await stage.live()
    session = await stage.session(grant)
    my = (await stage.say(DANA, "sessions")).last
    kill = button_of(my, Do.KILL)
    assert kill.confirm
    assert "somebody else" in words((await stage.press(ANN, kill.token)).last)
    assert "Cutting" in words((await stage.press(DANA, kill.token)).last)
    row = await stage.store.read(lambda tx: tx.session(session.id))
    assert row
    assert row.kill_by == DANA.id


async def test_request_again_opens_the_form_prefilled_and_only_for_its_owner(stage: Stage) -> None:
    request = await stage.asked()
    await stage.say(ANN, f"deny {request} not now")
    await stage.settle()
    decided = stage.chat.to(DANA, "decided")[0].card
    form = (await stage.press(DANA, token_of(decided, Do.AGAIN))).form_
    given = {f.name: f.value for f in form.fields}
    assert (given["resource"], given["duration"], given["reason"]) == ("prod-db", "1h", "debugging")
    again, reply = await stage.submit(DANA, form)
    assert again is None
    assert "Asked" in words(reply.last)


async def test_tokens_are_long_random_and_never_equal() -> None:
    entropy = SeededEntropy()
    made = {new_token(entropy) for _ in range(1000)}
    assert len(made) == 1000
    assert {len(token) for token in made} == {22}
    assert timedelta(days=30) > LIFETIME
    assert "secret" not in repr(ForApprover("secret"))
