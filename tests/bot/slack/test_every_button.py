"""Every button of a message that hoop keeps in Slack is taken on it, and on no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.slack.payloads import Delivery, Kind
from bot.slack.worker import _foreign
from tests.bot.slack.conversation import Conversation
from tests.bot.slack.office import Office, said
from tests.fakes.slack import Message
from tests.fakes.slack.interactions import elements
from tests.fakes.world import ANN, BOB


def buttons(office: Office) -> Iterator[tuple[Message, str, str]]:
    """Each message that stays, with the tokens and labels of its buttons."""
    for channel in office.slack.workspace.channels.values():
        for message in channel.messages:
            if message.bot_id and not message.only_for and not message.deleted:
                for _, one in elements(message.blocks):
                    if one.get("type") == "button" and one.get("value") and "url" not in one:
                        yield message, str(one["value"]), str(one["text"]["text"])


async def taken(office: Office, message: Message, token: str) -> bool:
    press = Delivery(Kind.PRESS, (), "T1", "U1", token=token, channel=message.channel, message=message.ts)
    return await office.store.read(lambda tx: _foreign(tx, press)) is None


async def test_every_button_of_the_whole_conversation(quick_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office, seen = quick_office, set[str]()
    real = Office.settle

    async def settle(self: Office) -> None:
        await real(self)
        there = list(buttons(self))
        for message, token, label in there:
            assert await taken(self, message, token), f"{label} of {message.text}"
            assert not await taken(self, replace(message, ts="1.000001"), token), f"{label} on a copy"
            seen.add(label)

    monkeypatch.setattr(Office, "settle", settle)
    await Conversation(office).play()
    wanted = {"Approve", "Revoke…", "Cancel", "Begin now", "Extend…", "Lift", "End it", "Acknowledge", "Cut session"}
    assert wanted <= seen


async def pressed(office: Office, who: str, message: Message, label: str) -> str:
    """Press it; all that the person is then shown."""
    member = office.slack.person(who)
    before = len(member.whispers())
    await member.press(message, label)
    await office.settle()
    shown = [said(one) for one in member.whispers()[before:]]
    return " ".join([*shown, str(member.modal.content) if member.modal else ""])


async def test_a_proposed_text_is_compared_and_declined_from_its_message(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked("exec prod-db --reason INC-42 -- UPDATE customers SET vip = true")
    request = (await office.stage.world.requests())[0].id
    await office.bob.slash(f"propose {request} one -- UPDATE customers SET vip = true WHERE id = 7", office.channel)
    await office.settle()
    message = next(one for one in reversed(office.dana.dm.messages) if "proposes another text" in said(one))
    assert "Exactly this would run" in await pressed(office, "dana", message, "Compare…")
    assert "Out of date" not in await pressed(office, "dana", message, "Decline")
    assert "declined the proposed text" in " ".join(said(one) for one in office.thread(card))


async def test_who_is_told_by_a_digest_decides_from_it(quick_office: Office) -> None:
    office = quick_office
    for person in (ANN, BOB):
        await office.stage.say(person, "settings digest 09:45 UTC")
    await office.asked()
    office.stage.clock.advance(timedelta(minutes=20).total_seconds())
    await office.stage.announcer.digest()
    await office.settle()
    digest = next(one for one in office.ann.dm.messages if "for my decision" in one.text)
    assert "Approved" in await pressed(office, "ann", digest, "Approve")
    assert (await office.stage.world.requests())[0].decided_by == ANN.id


async def test_access_is_revoked_from_its_card(quick_office: Office) -> None:
    office = quick_office
    await office.live()
    assert "End access" in await pressed(office, "ann", office.cards()[-1], "Revoke…")
    await office.ann.submit({"value": "wrong ticket"})
    await office.settle()
    assert "Revoked" in office.cards()[-1].text
