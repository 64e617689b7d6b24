"""Delivery: what dies in between loses nothing and says nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from access.ports import MessageRef, OutboxItem
from access.requests import Choice
from bot.cards import Card, Do
from bot.deliveries import KIND, Delivery, View, to_outbox
from bot.platform import Places, RetryLater, Undeliverable
from tests.bot.stage import FakePlatform, Stage, has, token_of, words
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, BOB, DANA


class Killed(BaseException):
    """The process died here."""


@dataclass
class Switch:
    """Counts every point where the process could die, and dies at the one told."""

    die_at: int = -1
    passed: int = 0

    def point(self) -> None:
        self.passed += 1
        if self.passed == self.die_at:
            raise Killed


class Mortal(Stage):
    """A stage whose store and platform may kill the process before and after everything they do."""

    def __init__(self, clock: ManualClock, switch: Switch) -> None:
        store = MemoryStore(clock)
        super().__init__(store, clock)
        self.switch = switch
        self._wrap(store, "transact")
        self._wrap(store, "read")
        self.chat.fault = self.chat.after = lambda what, card: self.switch.point()

    def _wrap(self, store: MemoryStore, name: str) -> None:
        real: Callable[[Any], Any] = getattr(store, name)

        async def wrapped(work: Any) -> Any:
            self.switch.point()
            value = await real(work)
            self.switch.point()
            return value

        setattr(store, name, wrapped)

    async def lives(self) -> None:
        """Work until done or dead; the dead are followed by a new process a minute later."""
        dead = False
        try:
            await self.settle()
        except* Killed:
            dead = True
        if dead:
            self.switch.die_at = -1
            self.clock.advance(60)
            self.restart()
            await self.settle()


async def play(stage: Mortal) -> None:
    """Asked; approved with a session and a statement held in it; that one approved; revoked. In between, all is told."""
    live, stage.switch = stage.switch, Switch()
    request = await stage.world.ask()
    await _told(stage, live)
    await stage.world.approve(request)
    grant = (await stage.world.grants(request.id))[0]
    session = await stage.session(grant)
    held = await stage.world.hold(session.id)
    await _told(stage, live)
    await stage.world.desk.review(held.id, 1, BOB.id, Choice.APPROVE)
    await _told(stage, live)
    await stage.world.desk.revoke(grant.id, ANN.id, "over")
    await _told(stage, live)


async def _told(stage: Mortal, switch: Switch) -> None:
    stage.switch = switch
    await stage.lives()
    stage.switch = Switch()


def told(stage: Stage) -> list[tuple[str, str, str, bool]]:
    """What everybody sees at the end, without message ids and tokens."""
    heads = {name: key for key, name in stage.chat.keys.items()}
    return sorted(
        (m.channel, m.card.kind, m.card.state.word, bool(heads.get(m.thread)))
        for m in stage.chat.messages.values()
        if m.card.kind != "token"
    )


async def test_whenever_the_process_dies_everybody_is_told_everything_exactly_once() -> None:
    switch = Switch()
    whole = Mortal(ManualClock(), switch)
    await play(whole)
    expected, points = told(whole), switch.passed
    assert len(expected) >= 12
    for die_at in range(1, points + 1):
        switch = Switch(die_at)
        stage = Mortal(ManualClock(), switch)
        await play(stage)
        assert switch.die_at == -1, f"nothing died at {die_at}"
        assert told(stage) == expected, f"killed at point {die_at} of {points}"
        newest = stage.chat.to(DANA, "token")[-1].card
        assert f"secret-{len(stage.credentials.issued)}" in words(newest), "the last token told is the live one"


async def test_a_crash_between_posting_and_remembering_repeats_with_the_same_key(quick: Stage) -> None:
    await quick.say(DANA, "request prod-db 1h INC-42 why")
    await quick.announcer.step()

    def die(what: str, card: Card) -> None:
        raise Killed

    quick.chat.after = die
    with pytest.raises(BaseExceptionGroup):
        await quick.sender.step()
    posted = len(quick.chat.messages)
    assert posted
    quick.chat.after = None
    quick.clock.advance(60)
    quick.restart()
    await quick.settle()
    assert len([m for m in quick.chat.in_channel() if m.card.kind == "request"]) == 1


async def test_a_restart_goes_on_with_the_outbox_it_finds(stage: Stage) -> None:
    await stage.say(DANA, "request prod-db 1h INC-42 why")
    await stage.announcer.step()
    stage.restart()
    await stage.settle()
    assert len(stage.chat.in_channel("request")) == 1
    await stage.world.approve((await stage.world.requests())[0])
    stage.restart()
    await stage.settle()
    (card,) = stage.chat.in_channel("request")
    assert card.card.state.word == "Active"
    assert card.edits == 1


async def test_two_senders_send_each_item_once(stage: Stage) -> None:
    await stage.say(DANA, "request prod-db 1h INC-42 why")
    await stage.announcer.step()
    first, calls = stage.sender, []
    stage.restart()
    stage.chat.fault = lambda what, card: calls.append(what)
    await asyncio.gather(first.step(), stage.sender.step())
    await stage.settle()
    assert calls == ["post"] * 4


async def test_a_failing_platform_is_tried_again_with_growing_pauses_and_order_kept(quick: Stage) -> None:
    request = await quick.asked()
    tries: list[str] = []

    def fail(what: str, card: Card) -> None:
        tries.append(card.kind)
        raise OSError("no route")

    quick.chat.fault = fail
    await quick.world.desk.review(request, 1, ANN.id, Choice.APPROVE)
    await quick.settle()
    first = len(tries)
    quick.clock.advance(0.5)
    await quick.settle()
    assert len(tries) == first, "not before its time"
    quick.clock.advance(3600)
    await quick.settle()
    assert len(tries) > first
    quick.chat.fault = None
    quick.clock.advance(3600)
    await quick.settle()
    assert quick.chat.in_channel("request")[0].card.state.word == "Active"
    assert len(quick.chat.in_channel("vote")) == 1


async def test_a_rate_limit_is_respected_to_the_second(quick: Stage) -> None:
    await quick.say(DANA, "request prod-db 1h INC-42 why")
    limited = [True]

    def limit(what: str, card: Card) -> None:
        if limited and not card.private:
            raise RetryLater(30)

    quick.chat.fault = limit
    await quick.settle()
    assert not quick.chat.in_channel()
    limited.clear()
    quick.clock.advance(29)
    await quick.settle()
    assert not quick.chat.in_channel()
    quick.clock.advance(2)
    await quick.settle()
    assert len(quick.chat.in_channel()) == 1


async def test_a_message_that_keeps_failing_is_given_up_and_frees_its_target(
    quick: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    await quick.say(DANA, "request prod-db 1h INC-42 why")

    def fail(what: str, card: Card) -> None:
        raise OSError("broken for good")

    quick.chat.fault = fail
    for _ in range(30):
        await quick.settle()
        quick.clock.advance(400)
    assert not await quick.store.read(lambda tx: tx.outbox(limit=50))
    assert "given up" in caplog.text


async def test_what_a_channel_never_takes_goes_to_the_fallback_channel_without_a_thread(quick: Stage) -> None:
    quick.world.resources["prod-db"] = replace(quick.world.resources["prod-db"], channel="#archived")

    async def post(channel: str, thread: str, card: Card, *, key: str) -> Any:
        if channel == "#archived":
            raise Undeliverable("is_archived")
        return quick.chat._add(channel, thread, card, key)

    quick.chat.post = post  # type: ignore[method-assign]
    request = await quick.asked()
    (card,) = quick.chat.in_channel()
    assert card.channel == "#access"
    await quick.press(ANN, token_of(card.card, Do.APPROVE))
    await quick.settle()
    assert quick.chat.in_channel("request")[0].card.state.word == "Active"
    assert (await quick.world.request(request)).decided_by == ANN.id


async def test_nowhere_to_post_is_given_up_loudly_and_stops_nothing_else(
    quick: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def post(channel: str, thread: str, card: Card, *, key: str) -> Any:
        raise Undeliverable("account_inactive")

    quick.chat.post = post  # type: ignore[method-assign]
    await quick.asked()
    assert "given up" in caplog.text
    assert has(quick.chat.to(ANN)[0].card, Do.APPROVE)


async def test_a_deleted_message_is_posted_again_and_says_the_new_state(quick: Stage) -> None:
    request = await quick.asked()
    name = quick.head(request)
    del quick.chat.messages[name]
    await quick.world.desk.review(request, 1, ANN.id, Choice.APPROVE)
    await quick.settle()
    (again,) = quick.chat.in_channel("request")
    assert again.card.state.word == "Active"


async def test_equal_renderings_are_not_sent_again(quick: Stage) -> None:
    request = await quick.asked()
    calls = quick.chat.calls
    places = Delivery(View.REQUEST, request, ("chat",), "#access")
    tokens = {f"{do}/{request}": do[0] * 22 for do in ("approve", "narrow", "deny")}
    await quick.store.transact(lambda tx: tx.enqueue(to_outbox(replace(places, tokens=tokens))))
    await quick.settle()
    assert quick.chat.calls == calls


async def test_a_reply_finds_its_head_even_when_the_head_was_never_sent(quick: Stage) -> None:
    """The head's own item was replaced by a newer one behind the reply."""
    request = await quick.world.ask()
    await quick.announcer.step()
    await quick.world.desk.review(request.id, 1, ANN.id, Choice.APPROVE)
    await quick.settle()
    vote = quick.chat.in_channel("vote")[0]
    assert vote.thread == quick.head(request.id)
    assert quick.chat.messages[vote.thread].card.state.word == "Active"


async def test_a_person_unknown_to_the_first_platform_is_told_on_the_next(quick: Stage) -> None:
    second = FakePlatform("other")
    quick.chat.strangers = {DANA.id}
    quick.places = Places(("chat", "other"))
    quick.restart()
    quick.sender._platforms = {"chat": quick.chat, "other": second}
    object.__setattr__(quick.sender._hander, "platforms", {"chat": quick.chat, "other": second})
    await quick.live()
    assert [m.card.kind for m in second.to(DANA)] == ["request", "connection", "token"]
    assert [len(platform.in_channel("request")) for platform in (quick.chat, second)] == [1, 1], "each has its copy"
    assert second.in_channel("request")[0].card.state.word == "Active"


async def test_a_credential_nobody_can_be_given_is_ended(quick: Stage) -> None:
    quick.chat.strangers = {DANA.id}
    await quick.live()
    assert len(quick.credentials.ended) == 1


async def test_a_connection_of_access_that_ended_meanwhile_is_not_handed_over(quick: Stage) -> None:
    request = await quick.world.ask()
    await quick.world.approve(request)
    grant = (await quick.world.grants(request.id))[0]
    await quick.world.desk.revoke(grant.id, ANN.id, "at once")
    await quick.settle()
    assert not quick.credentials.issued


async def test_garbage_in_the_outbox_is_dropped_and_logged(quick: Stage, caplog: pytest.LogCaptureFixture) -> None:
    await quick.store.transact(lambda tx: tx.enqueue(OutboxItem("chat:#access", KIND, {"view": "nonsense"})))
    await quick.asked()
    assert "was dropped" in caplog.text
    assert quick.chat.in_channel("request")


async def test_a_platform_that_hangs_is_left_after_a_while(quick: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.sender.SEND_SECONDS", 0.01)

    async def post(channel: str, thread: str, card: Card, *, key: str) -> Any:
        await asyncio.Event().wait()

    quick.chat.post = post  # type: ignore[method-assign]
    await quick.asked()
    (item,) = await quick.store.read(_late)
    assert item.attempts >= 2


def _late(tx: Any) -> list[OutboxItem]:
    return list(tx.tables.outbox.values())


async def test_a_platform_taken_out_of_the_configuration_is_passed_over(quick: Stage) -> None:
    request = await quick.asked()
    ref = MessageRef(request, "request", "gone", "C1", "m99")
    await quick.store.transact(lambda tx: tx.put_ref(ref))
    await quick.store.transact(lambda tx: tx.enqueue(to_outbox(Delivery(View.REQUEST, request, ("gone",), "C1"))))
    await quick.settle()
    assert not await quick.store.read(lambda tx: tx.outbox())
