"""The channel comes first: who is in it is written to when nobody has decided for a while, who is not at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from access.actors import Person
from access.ports import Tx
from bot.announcer import Announcer
from bot.cards import Card, Do, Mention
from bot.cases import Notify
from bot.deliveries import View
from bot.planning import Plan
from bot.platform import RetryLater, Undeliverable
from bot.reaching import GRACE, OWED, Reach, all_owed
from tests.bot.stage import Message, Stage, has, token_of, words
from tests.bot.test_announcer import hold_with
from tests.bot.test_break_glass import broken
from tests.fakes.world import ANN, BOB, DANA, EVE, OLGA, SAM, evidence_of, two_people

WAIT = timedelta(minutes=3)


def first(stage: Stage, *, few: int = 5, wait: timedelta = WAIT, members: tuple[Person, ...] = (ANN, BOB)) -> Stage:
    """The channel comes first, and these people are in it."""
    stage.bot = replace(stage.bot, notify=Notify(few, wait))
    stage.restart()
    stage.chat.members = {person.id for person in members}
    return stage


async def later(stage: Stage, **more: float) -> None:
    stage.clock.advance(timedelta(**more).total_seconds())
    await stage.world.desk.tick()
    await stage.settle()


def notices(stage: Stage, *people: Person) -> list[int]:
    """How many private copies of a request each of them has."""
    return [len([m for m in stage.chat.to(one) if m.card.kind in {"request", "command", "held"}]) for one in people]


def called(card: Card) -> set[str]:
    """Who is called by name in the card's list of deciders."""
    return {span.name for one in card.fields for span in one.value if isinstance(span, Mention) and span.ping}


async def owed(stage: Stage) -> list[str]:
    return [one.person for one in await stage.store.read(all_owed)]


async def test_the_channel_calls_by_name_and_nobody_in_it_is_written_to(quick: Stage) -> None:
    stage = first(quick)
    await stage.asked()
    (card,) = stage.chat.in_channel("request")
    assert called(card.card) == {"Ann", "Bob"}
    assert notices(stage, ANN, BOB) == [0, 0]
    assert len(stage.chat.to(DANA)) == 1, "who asked has their own copy at once"
    await later(stage, minutes=2, seconds=59)
    assert notices(stage, ANN, BOB) == [0, 0]


async def test_when_nobody_decides_they_are_written_to_once_each(stage: Stage) -> None:
    first(stage)
    request = await stage.asked()
    await later(stage, minutes=3)
    assert notices(stage, ANN, BOB) == [1, 1]
    for _ in range(3):
        stage.restart()
        await later(stage, minutes=3)
    assert notices(stage, ANN, BOB) == [1, 1]
    assert request in words(stage.chat.to(ANN)[0].card)
    await stage.press(ANN, token_of(stage.chat.to(ANN)[0].card, Do.APPROVE))
    await stage.settle()
    states = {m.card.state.word for m in [*stage.chat.in_channel("request"), *stage.chat.to(ANN), *stage.chat.to(BOB)]}
    assert states == {"Active"}, "one card, the same everywhere"


async def test_who_decides_in_time_is_spared_and_so_are_the_others(quick: Stage) -> None:
    stage = first(quick)
    await stage.live()
    await later(stage, minutes=10)
    assert notices(stage, ANN, BOB) == [0, 0]
    assert not await owed(stage)


@pytest.mark.parametrize("end", ["deny", "cancel", "expire"])
async def test_nothing_is_written_about_what_is_over(quick: Stage, end: str) -> None:
    stage = first(quick)
    request = await stage.asked()
    if end == "expire":
        await later(stage, hours=3)
    else:
        await (stage.say(ANN, f"deny {request} not now") if end == "deny" else stage.say(DANA, f"cancel {request}"))
    await later(stage, minutes=4)
    assert notices(stage, ANN, BOB) == [0, 0]
    assert not await owed(stage)


async def test_who_is_not_in_the_channel_is_written_to_at_once(quick: Stage) -> None:
    stage = first(quick, members=(BOB,))
    await stage.asked()
    assert notices(stage, ANN, BOB) == [1, 0]
    await later(stage, minutes=3)
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_without_the_delay_everybody_is_at_once_and_nobody_is_called(quick: Stage) -> None:
    stage = first(quick, wait=timedelta(0))
    await stage.asked()
    assert notices(stage, ANN, BOB) == [1, 1]
    assert not called(stage.chat.in_channel("request")[0].card)


async def test_where_many_decide_nobody_is_called_or_written_to(quick: Stage) -> None:
    stage = first(quick, few=1, members=())
    await stage.asked()
    await later(stage, minutes=30)
    assert not called(stage.chat.in_channel("request")[0].card)
    assert notices(stage, ANN, BOB) == [0, 0]


async def test_an_urgent_flow_writes_at_once(quick: Stage) -> None:
    stage = first(quick)
    stage.world.flows = ("name: now\nurgent: true\nstages:\n  - {name: approvers, any: {approvers: true}}\n",)
    assert stage.world.office.flows.reload()
    await stage.asked()
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_broken_glass_calls_everybody_at_once_whatever_the_hour(quick: Stage) -> None:
    stage = first(quick)
    await stage.say(ANN, "settings quiet 00:00-23:59 UTC")
    await broken(stage)
    assert all(stage.chat.to(one) for one in (ANN, SAM))
    assert not await owed(stage)


async def test_a_held_statement_never_waits_longer_than_a_quarter_of_its_client(quick: Stage) -> None:
    stage = first(quick)
    grant = await stage.live()
    session = await stage.session(grant)
    held = await hold_with(stage, session, replace(evidence_of(), in_transaction=True))
    await stage.settle()
    assert called(stage.chat.in_channel("held")[0].card) == {"Ann", "Bob"}, "a thread alone calls nobody"
    left = (held.expires_at - stage.clock.now()) / 4
    assert left < timedelta(minutes=5)
    await later(stage, seconds=min(left, WAIT).total_seconds() - 1)
    assert notices(stage, ANN, BOB) == [0, 0]
    await later(stage, seconds=1)
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_may_approve_but_is_not_notified_stays_silent(quick: Stage) -> None:
    stage = first(quick, members=())
    flow = "name: calm\nstages:\n  - {name: dba, any: {people: [ann]}, quiet: {people: [bob]}}\n"
    stage.world.flows = (flow,)
    assert stage.world.office.flows.reload()
    await stage.asked()
    await later(stage, minutes=10)
    card = stage.chat.in_channel("request")[0].card
    assert "Bob" in words(card)
    assert called(card) == {"Ann"}
    assert notices(stage, ANN, BOB) == [1, 0]


async def test_the_next_stage_has_its_own_time_and_who_voted_is_not_written_to(quick: Stage) -> None:
    stage = first(quick, members=(ANN, BOB, OLGA))
    stage.world.flows = (two_people(),)
    assert stage.world.office.flows.reload()
    request = await stage.asked()
    await later(stage, minutes=2)
    await stage.say(ANN, f"approve {request}")
    await later(stage, minutes=1)
    assert notices(stage, ANN, BOB) == [0, 1]


def told_of_changes(stage: Stage, *people: Person) -> list[int]:
    return [len(stage.chat.to(one, "nudge")) for one in people]


async def test_a_changed_request_calls_in_its_thread_and_later_writes_once_more(quick: Stage) -> None:
    stage = first(quick)
    request = await stage.asked()
    await later(stage, minutes=3)
    await stage.say(DANA, f"change {request} 30m")
    await later(stage, minutes=2)
    assert "Changed by the requester (revision 2)" in words(stage.chat.in_channel("nudge")[-1].card)
    assert told_of_changes(stage, ANN, BOB) == [0, 0]
    await later(stage, minutes=10)
    assert notices(stage, ANN, BOB) == [1, 1]
    assert all("30m" in words(m.card) for m in [stage.chat.to(ANN)[0], *stage.chat.in_channel("request")])
    assert told_of_changes(stage, ANN, BOB) == [1, 1]
    (told,) = stage.chat.to(ANN, "nudge")
    assert "Changed by the requester (revision 2); earlier votes are void" in words(told.card)
    reply = await stage.press(ANN, token_of(told.card, Do.REVIEW))
    await stage.press(ANN, token_of(reply.last, Do.APPROVE))
    assert await stage.world.grants()


async def test_who_is_not_in_the_channel_hears_of_a_change_at_once_and_of_every_one(quick: Stage) -> None:
    stage = first(quick, members=(ANN,))
    request = await stage.asked()
    await later(stage, seconds=1)
    for length, before in (("30m", 0), ("45m", 1)):
        assert told_of_changes(stage, ANN, BOB) == [0, before]
        await stage.say(DANA, f"change {request} {length}")
        await later(stage, seconds=1)
    assert told_of_changes(stage, ANN, BOB) == [0, 2]


async def test_a_vote_that_a_change_made_void_is_asked_for_again(quick: Stage) -> None:
    """Ann voted before she was written to: what was owed then was dropped."""
    stage = first(quick, members=(ANN, BOB))
    stage.world.flows = (two_people(),)
    assert stage.world.office.flows.reload()
    request = await stage.asked()
    await stage.say(ANN, f"approve {request}")
    await later(stage, minutes=4)
    assert notices(stage, ANN, BOB) == [0, 1]
    await stage.say(DANA, f"change {request} 30m")
    await later(stage, seconds=1)
    await later(stage, minutes=3)
    assert notices(stage, ANN, BOB) == [1, 1]
    assert told_of_changes(stage, ANN, BOB) == [0, 1]


async def test_a_change_in_quiet_hours_waits_for_their_end(quick: Stage) -> None:
    stage = first(quick, members=())
    request = await stage.asked()
    await later(stage, seconds=1)
    await stage.say(ANN, "settings quiet 09:00-23:00 UTC")
    await stage.say(DANA, f"change {request} 30m")
    await later(stage, minutes=10)
    assert told_of_changes(stage, ANN, BOB) == [0, 1]


# ---------------------------------------------------------------------------------------------- quiet hours and digest


async def test_quiet_hours_put_it_off_until_their_digest_tells_it(stage: Stage) -> None:
    first(stage)
    await stage.say(ANN, "settings quiet 09:00-10:00 UTC")  # it is 09:30
    await stage.asked()
    assert called(stage.chat.in_channel("request")[0].card) == {"Bob"}
    await later(stage, minutes=29)
    assert notices(stage, ANN, BOB) == [0, 1]
    stage.clock.advance(60)
    await stage.settle()
    await stage.announcer.digest()
    await later(stage, minutes=5)
    assert notices(stage, ANN, BOB) == [0, 1]
    assert len(stage.chat.to(ANN, "digest")) == 1
    assert not await owed(stage)


async def test_who_wakes_long_before_their_digest_is_written_to(quick: Stage) -> None:
    stage = first(quick)
    await stage.say(ANN, "settings quiet 09:00-10:00 UTC")
    await stage.say(ANN, "settings digest 11:00 UTC")
    await stage.asked()
    await later(stage, minutes=30)
    assert notices(stage, ANN) == [1]


async def test_without_the_delay_quiet_hours_put_it_off_as_well(quick: Stage) -> None:
    stage = first(quick, wait=timedelta(0), members=())
    await stage.say(ANN, "settings quiet 09:00-10:00 UTC")
    await stage.say(ANN, "settings digest 11:00 UTC")
    await stage.asked()
    assert notices(stage, ANN, BOB) == [0, 1]
    await later(stage, minutes=30)
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_a_digest_that_was_missed_does_not_swallow_the_message(quick: Stage) -> None:
    stage = first(quick)
    stage.world.flows = ("name: slow\nwaits: 20h\nstages:\n  - {name: approvers, any: {approvers: true}}\n",)
    assert stage.world.office.flows.reload()
    await stage.say(ANN, "settings quiet 09:00-10:00 UTC")
    await stage.asked()
    await later(stage, hours=6)  # nothing ran; for the digest it is too late
    assert notices(stage, ANN) == [1]


async def test_switched_off_while_it_was_owed(quick: Stage) -> None:
    stage = first(quick)
    await stage.asked()
    await stage.say(ANN, "settings waiting off")
    await later(stage, minutes=4)
    assert notices(stage, ANN, BOB) == [0, 1]


async def test_who_left_the_group_meanwhile_is_not_written_to(quick: Stage) -> None:
    stage = first(quick)
    await stage.asked()
    stage.world.directory.replace((ANN, BOB, DANA, EVE, OLGA, SAM), {"dba": ("bob",), "dbo": ("olga",)})
    await later(stage, minutes=4)
    assert notices(stage, ANN, BOB) == [0, 1]


# ---------------------------------------------------------------------------------------------- what goes wrong


async def test_a_clock_that_jumps_writes_once_and_never_about_what_expired(stage: Stage) -> None:
    first(stage)
    await stage.asked()
    stage.clock.set_by(-3600)
    await stage.settle()
    assert notices(stage, ANN, BOB) == [0, 0]
    await later(stage, hours=1, minutes=4)
    assert notices(stage, ANN, BOB) == [1, 1]
    await later(stage, days=400)
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_two_leaders_write_once(stage: Stage) -> None:
    first(stage)
    await stage.asked()
    other = Reach(stage.store, Plan(stage.bot, stage.places), {stage.chat.name: stage.chat}, stage.entropy)
    stage.clock.advance(200)
    await asyncio.gather(stage.reach.step(), other.step(), stage.reach.step(), other.step())
    await stage.settle()
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_what_is_owed_survives_a_restart_before_the_card_was_posted(quick: Stage) -> None:
    stage = first(quick)
    await stage.say(DANA, "request prod-db 1h INC-42 debugging")
    while await stage.announcer.step():
        pass
    stage.restart()
    await later(stage, minutes=3)
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_a_card_that_reaches_no_channel_is_made_good_in_person(quick: Stage) -> None:
    stage = first(quick)

    def fault(_: str, card: Card) -> None:
        if not card.private:
            raise Undeliverable("archived")

    stage.chat.fault = fault
    await stage.asked()
    assert notices(stage, ANN, BOB) == [0, 0]
    await later(stage, seconds=GRACE.total_seconds())
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_a_platform_that_does_not_say_who_is_there_delays_nothing(quick: Stage) -> None:
    stage = first(quick)
    stage.chat.silent = RetryLater(30)
    await stage.asked()
    assert notices(stage, ANN, BOB) == [0, 0]
    await later(stage, minutes=3)
    assert notices(stage, ANN, BOB) == [1, 1]


async def test_a_vote_between_looking_and_writing_wins(quick: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = first(quick)
    request = await stage.asked()
    stage.clock.advance(200)
    real = stage.store.transact

    async def transact(work: Callable[[Tx], object]) -> object:
        monkeypatch.setattr(stage.store, "transact", real)
        await stage.say(ANN, f"approve {request}")
        return await real(work)

    monkeypatch.setattr(stage.store, "transact", transact)
    await stage.reach.step()
    await stage.settle()
    assert notices(stage, ANN, BOB) == [0, 0]


async def test_nothing_to_do_writes_nothing(quick: Stage) -> None:
    stage = first(quick)
    await stage.asked()
    await stage.settle()
    assert not await stage.reach.step()
    assert len(await stage.store.read(lambda tx: tx.docs(OWED))) == 2


async def test_an_announcer_that_comes_again_owes_nothing_twice(quick: Stage) -> None:
    stage = first(quick)
    request = await stage.asked()
    await later(stage, minutes=3)
    copy: Message = stage.chat.to(ANN)[0]
    await stage.store.transact(lambda tx: tx.set_cursor("announcer", 0))
    other = Announcer(stage.store, Plan(stage.bot, stage.places), stage.entropy)
    while await other.step():
        pass
    await later(stage, minutes=3)
    assert stage.chat.to(ANN) == [copy]
    refs = await stage.store.read(lambda tx: tx.refs(request, kind=View.WAITING.value))
    assert len(refs) == 2
    assert has(copy.card, Do.APPROVE)
