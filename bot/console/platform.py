"""The console as a chat platform: what the announcer says becomes stored messages, which survive restarts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from access.actors import PersonId
from access.ports import Clock, Directory, MessageRef, Store
from bot.card_json import card_to_json
from bot.cards import Card
from bot.console import messages
from bot.console.messages import Message, private_channel
from bot.platform import MessageGone, Posted, Undeliverable

NAME = "console"


def message_id(key: str) -> str:
    """The message's name for good: a retry of the same key finds the first message."""
    return "m" + hashlib.sha256(key.encode()).hexdigest()[:23]


class ConsolePlatform:
    """Implements `bot.platform.Platform`."""

    def __init__(self, store: Store, directory: Directory, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock

    @property
    def name(self) -> str:
        return NAME

    async def post(self, channel: str, thread: str, card: Card, *, key: str) -> Posted:
        """Post in a channel. Raises Undeliverable for a private card or a thread that is not in this channel."""
        if card.private or channel.startswith("@"):
            raise Undeliverable(f"the {card.kind} card is private and cannot go to {channel}")
        return await self._add(channel, thread, card, key)

    async def update(self, ref: MessageRef, card: Card) -> None:
        """Replace a card in place. Raises MessageGone, or Undeliverable for a private card in a channel."""
        if card.private and not ref.channel.startswith("@"):
            raise Undeliverable(f"the {card.kind} card is private and cannot go to {ref.channel}")
        data = card_to_json(card)
        if await self._store.transact(lambda tx: messages.edit(tx, ref.message, data)) is None:
            raise MessageGone(ref.message)

    async def direct(self, person: PersonId, card: Card, *, key: str) -> Posted | None:
        """A private message; None for somebody the directory does not know as active."""
        somebody = self._directory.person(person)
        if somebody is None or not somebody.active:
            return None
        return await self._add(private_channel(person), "", card, key)

    async def reached(self, channel: str, people: frozenset[PersonId]) -> Mapping[PersonId, bool]:
        """Everybody active, in every channel: the console has no membership, and shows all of them what waits."""
        known = {one for one in people if (somebody := self._directory.person(one)) and somebody.active}
        return dict.fromkeys(known, bool(channel))

    async def _add(self, channel: str, thread: str, card: Card, key: str) -> Posted:
        message = Message(message_id(key), channel, self._clock.now(), thread, card=card_to_json(card))
        try:
            stored = await self._store.transact(lambda tx: messages.add(tx, message))
        except KeyError:
            raise Undeliverable(f"there is no thread {thread} in {channel}") from None
        return Posted(stored.channel, stored.id)
