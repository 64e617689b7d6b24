"""Channel before private message on Slack: who is a member is called in the channel, who is not is written to at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from access.actors import Person
from bot.cases import Notify
from bot.slack.rooms import FRESH
from tests.bot.slack.office import Office, said
from tests.fakes.slack.model import TokenOwner
from tests.fakes.slack.server import BOT_TOKEN, SCOPES
from tests.fakes.world import ANN, BOB


async def first(office: Office) -> Office:
    """The channel comes first, for three minutes."""
    office.stage.bot = replace(office.stage.bot, notify=Notify(5, timedelta(minutes=3)))
    assert office.app is not None
    office._use(office.app)
    return office


def told(office: Office, person: Person) -> int:
    return sum("This waits for you" in said(message) for message in office.member(person).dm.messages)


def mentioned(office: Office) -> set[str]:
    """The accounts that the newest card notifies."""
    found = {one["user_id"] for one in _elements(office.cards()[-1].blocks) if one.get("type") == "user"}
    names = {office.member(person).id: person.name for person in (ANN, BOB)}
    return {names[one] for one in found}


def _elements(value: object) -> list[dict[str, str]]:
    if isinstance(value, list):
        return [one for inner in value for one in _elements(inner)]
    if isinstance(value, dict):
        return [value, *(one for inner in value.values() for one in _elements(inner))]
    return []


async def test_members_are_called_there_and_others_are_written_to_at_once(quick_office: Office) -> None:
    office = await first(quick_office)
    office.channel.members.discard(office.ann.id)
    await office.asked()
    assert (told(office, ANN), told(office, BOB)) == (1, 0)
    assert mentioned(office) == {"Ann", "Bob"}
    office.clock.advance(180)
    await office.settle()
    assert (told(office, ANN), told(office, BOB)) == (1, 1)


async def test_a_large_channel_is_read_page_by_page_and_not_every_time(quick_office: Office) -> None:
    office = await first(quick_office)
    office.channel.members |= {f"U0{number:06}" for number in range(2500)}
    await office.asked()
    await office.asked("request prod-db 2h other --scope write")
    calls = [call for call in office.slack.recorder.calls if call.method == "conversations.members"]
    assert len(calls) == 3
    assert (told(office, ANN), told(office, BOB)) == (0, 0)
    office.channel.members -= {office.ann.id, office.bob.id}
    office.clock.advance(FRESH + 1)
    await office.asked("request prod-db 3h more --scope admin")
    assert (told(office, ANN), told(office, BOB)) == (1, 1)


async def test_without_the_scope_everybody_is_written_to_at_once(quick_office: Office) -> None:
    office = await first(quick_office)
    scopes = SCOPES - {"channels:read", "groups:read"}
    office.slack.workspace.tokens[BOT_TOKEN] = TokenOwner("bot", office.slack.bot.id, scopes)
    await office.asked()
    assert (told(office, ANN), told(office, BOB)) == (1, 1)


async def test_a_rate_limit_delays_nothing_past_its_time(quick_office: Office) -> None:
    office = await first(quick_office)
    office.slack.faults.rate_limit("conversations.members", retry_after=600)
    await office.asked()
    assert (told(office, ANN), told(office, BOB)) == (0, 0)
    office.clock.advance(180)
    await office.settle()
    assert (told(office, ANN), told(office, BOB)) == (1, 1)
