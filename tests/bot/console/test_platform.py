from __future__ import annotations

from dataclasses import replace

import pytest

from access.ports import MessageRef, Store
from bot.cards import Card, text
from bot.console import messages
from bot.console.messages import private_channel
from bot.console.platform import ConsolePlatform
from bot.platform import MessageGone, Platform, Undeliverable
from bot.views import parts
from identity.directory import StaticDirectory
from tests.fakes.clock import ManualClock
from tests.fakes.world import DANA, EVERYBODY, GROUPS, IAN

CARD = Card("note", parts.NOTE, text("hello"), "hello")
PRIVATE = replace(CARD, private=True)


@pytest.fixture
def platform(store: Store, clock: ManualClock) -> ConsolePlatform:
    return ConsolePlatform(store, StaticDirectory(EVERYBODY, GROUPS))


def ref(channel: str, message: str) -> MessageRef:
    return MessageRef("req_1", "request", "console", channel, message)


async def test_it_is_a_platform(platform: ConsolePlatform) -> None:
    known: Platform = platform
    assert known.name == "console"


async def test_posting_a_key_again_finds_the_first_message(platform: ConsolePlatform, store: Store) -> None:
    first = await platform.post("#a", "", CARD, key="k")
    assert await platform.post("#a", "", replace(CARD, fallback="other"), key="k") == first
    assert await platform.post("#a", "", CARD, key="l") != first
    assert len(await store.read(lambda tx: messages.listed(tx, "#a"))) == 2


async def test_a_posted_card_is_replaced_in_place(platform: ConsolePlatform, store: Store) -> None:
    posted = await platform.post("#a", "", CARD, key="k")
    await platform.update(ref("#a", posted.message), replace(CARD, title=text("changed")))
    stored = await store.read(lambda tx: messages.get(tx, posted.message))
    assert stored is not None
    assert stored.card is not None
    assert stored.card["title"] == ["changed"]
    assert stored.edited_at is not None


async def test_what_is_gone_is_told(platform: ConsolePlatform) -> None:
    with pytest.raises(MessageGone):
        await platform.update(ref("#a", "none"), CARD)
    with pytest.raises(Undeliverable):
        await platform.post("#a", "none", CARD, key="k")


async def test_answers_go_into_their_thread(platform: ConsolePlatform, store: Store) -> None:
    head = await platform.post("#a", "", CARD, key="head")
    await platform.post("#a", head.message, CARD, key="answer")
    assert len(await store.read(lambda tx: messages.listed(tx, "#a", head.message))) == 1


async def test_private_messages_go_to_active_people(platform: ConsolePlatform) -> None:
    posted = await platform.direct(DANA.id, PRIVATE, key="k")
    assert posted is not None
    assert posted.channel == private_channel(DANA.id)
    assert await platform.direct(IAN.id, PRIVATE, key="l") is None
    assert await platform.direct(replace(DANA, id="directory|nobody").id, PRIVATE, key="m") is None  # type: ignore[arg-type]


async def test_a_private_card_never_reaches_a_channel(platform: ConsolePlatform, store: Store) -> None:
    with pytest.raises(Undeliverable):
        await platform.post("#a", "", PRIVATE, key="k")
    with pytest.raises(Undeliverable):
        await platform.post(private_channel(DANA.id), "", CARD, key="k")
    posted = await platform.post("#a", "", CARD, key="k")
    with pytest.raises(Undeliverable):
        await platform.update(ref("#a", posted.message), PRIVATE)
    stored = await store.read(lambda tx: messages.get(tx, posted.message))
    assert stored is not None
    assert stored.edited_at is None
