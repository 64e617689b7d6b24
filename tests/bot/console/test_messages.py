"""On the store in memory and on the real one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.masking import declare_masked
from access.ports import Store
from bot.card_json import card_to_json
from bot.cards import Card, CodeBlock, SecretBlock, text
from bot.console import messages
from bot.console.messages import CHANGES_READ, Change, Message, private_channel, withhold
from bot.views import parts
from tests.fakes.clock import ManualClock
from tests.fakes.world import DANA

MINE = private_channel(DANA.id)


def said(name: str, channel: str = "#a", thread: str = "", author: str = "dana") -> Message:
    return Message(name, channel, ManualClock().now(), thread, author, f"text of {name}")


def secret_card() -> Card:
    blocks = (SecretBlock("hunter22", "Token"), CodeBlock(declare_masked("SELECT 1")))
    return Card("token", parts.PRIVATE, text("Token"), "Token", blocks=blocks, private=True)


async def test_messages_are_listed_in_the_order_they_were_said(store: Store, clock: ManualClock) -> None:
    for name in "abc":
        await store.transact(lambda tx, name=name: messages.add(tx, said(name)))  # type: ignore[misc]
        clock.advance(1)
    await store.transact(lambda tx: messages.edit(tx, "a", {"blocks": []}))
    found = await store.read(lambda tx: messages.listed(tx, "#a"))
    assert [m.id for m in found] == ["a", "b", "c"]
    assert await store.read(lambda tx: [m.id for m in messages.listed(tx, "#a", limit=1)]) == ["c"]
    assert await store.read(lambda tx: messages.listed(tx, "#b")) == []


async def test_the_same_message_is_stored_once(store: Store) -> None:
    first = await store.transact(lambda tx: messages.add(tx, said("a")))
    again = await store.transact(lambda tx: messages.add(tx, said("a", author="eve")))
    assert again == first
    assert await store.read(messages.last_change) == 1


async def test_answers_are_counted_at_the_head_of_their_thread(store: Store, clock: ManualClock) -> None:
    await store.transact(lambda tx: messages.add(tx, said("head")))
    for number, author in enumerate(["dana", "ann", "", "dana", "bob", "eve"]):
        clock.advance(1)
        reply = said(f"r{number}", thread="head", author=author)
        await store.transact(lambda tx, reply=reply: messages.add(tx, reply))  # type: ignore[misc]
    head = await store.read(lambda tx: messages.get(tx, "head"))
    assert head is not None
    assert head.replies == 6
    assert head.last_reply_at == clock.now()
    assert head.repliers == ("", "dana", "bob", "eve")
    assert [m.id for m in await store.read(lambda tx: messages.listed(tx, "#a"))] == ["head"]
    assert len(await store.read(lambda tx: messages.listed(tx, "#a", "head"))) == 6


@pytest.mark.parametrize("reply", [said("r", thread="none"), said("r", "#b", "head"), said("r", thread="other")])
async def test_a_thread_is_headed_by_a_message_of_its_channel(store: Store, reply: Message) -> None:
    await store.transact(lambda tx: messages.add(tx, said("head")))
    await store.transact(lambda tx: messages.add(tx, said("other", thread="head")))
    with pytest.raises(KeyError):
        await store.transact(lambda tx: messages.add(tx, reply))
    assert await store.read(lambda tx: messages.get(tx, "r")) is None


async def test_changes_are_numbered_and_read_from_where_one_was(store: Store) -> None:
    await store.transact(lambda tx: messages.add(tx, said("a")))
    await store.transact(lambda tx: messages.add(tx, said("b", thread="a")))
    await store.transact(lambda tx: messages.edit(tx, "b", {"blocks": []}))
    assert await store.read(lambda tx: messages.changes_since(tx, 0)) == [
        Change(1, "a", "#a", new=True),
        Change(2, "b", "#a", new=True),
        Change(3, "a", "#a", new=False),
        Change(4, "b", "#a", new=False),
    ]
    assert await store.read(lambda tx: messages.changes_since(tx, 3)) == [Change(4, "b", "#a", new=False)]
    assert await store.read(lambda tx: messages.changes_since(tx, 4)) == []
    assert await store.read(lambda tx: messages.changes_since(tx, 5)) is None, "from a store that is gone"
    assert await store.read(lambda tx: messages.changes_since(tx, 4 - CHANGES_READ - 1)) is None


async def test_changes_that_are_forgotten_are_not_passed_over_in_silence(store: Store, clock: ManualClock) -> None:
    await store.transact(lambda tx: messages.add(tx, said("a")))
    clock.advance(timedelta(hours=25).total_seconds())
    await store.transact(lambda tx: messages.add(tx, said("b")))
    assert await store.read(lambda tx: messages.changes_since(tx, 0)) is None
    assert await store.read(lambda tx: messages.changes_since(tx, 1)) == [Change(2, "b", "#a", new=True)]


async def test_an_edit_of_nothing(store: Store) -> None:
    assert await store.transact(lambda tx: messages.edit(tx, "none", {"blocks": []})) is None


async def test_a_secret_is_kept_apart_for_a_while(store: Store, clock: ManualClock) -> None:
    message = Message("s", MINE, clock.now(), card=card_to_json(secret_card()))
    await store.transact(lambda tx: messages.add(tx, message))
    assert "hunter22" in str(await store.read(lambda tx: messages.get(tx, "s")))
    assert "hunter22" in str(await store.read(lambda tx: messages.listed(tx, MINE)))
    assert "hunter22" not in str(await store.read(lambda tx: tx.doc(messages.MESSAGE, "s")))
    clock.advance(messages.SECRETS_KEPT.total_seconds())
    assert "hunter22" not in str(await store.read(lambda tx: messages.get(tx, "s")))
    assert "SELECT 1" in str(await store.read(lambda tx: messages.get(tx, "s")))


async def test_a_secret_can_be_hidden_at_once(store: Store, clock: ManualClock) -> None:
    message = Message("s", MINE, clock.now(), card=card_to_json(secret_card()))
    await store.transact(lambda tx: messages.add(tx, message))
    assert await store.transact(lambda tx: messages.hide_secret(tx, "s"))
    assert "hunter22" not in str(await store.read(lambda tx: messages.get(tx, "s")))
    assert await store.read(messages.last_change) == 2, "open pages are told"
    assert not await store.transact(lambda tx: messages.hide_secret(tx, "s"))
    assert not await store.transact(lambda tx: messages.hide_secret(tx, "none"))


def test_exact_text_is_never_part_of_what_is_stored() -> None:
    card = {"blocks": [{"type": "exact", "text": "lovelace", "label": ""}, {"type": "code", "text": "x", "label": ""}]}
    kept = withhold(card)
    assert "lovelace" not in str(kept)
    assert kept["blocks"][1] == card["blocks"][1]


async def test_old_messages_are_over(store: Store, clock: ManualClock) -> None:
    await store.transact(lambda tx: messages.add(tx, said("a")))
    clock.advance(messages.KEPT.total_seconds() + 1)
    assert await store.read(lambda tx: messages.listed(tx, "#a")) == []
