"""The console as a chat platform: what the announcer says becomes stored messages, which survive restarts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from access.actors import PersonId
from access.ports import Directory, MessageRef, Store, Tx
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
    """Implements `bot.platform.Platform` and `Indoor`."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    @property
    def name(self) -> str:
        return NAME

    async def post(self, channel: str, thread: str, card: Card, *, key: str) -> Posted:
        """Post in a channel. Raises Undeliverable for a private card or a thread that is not in this channel."""
        return await self._store.transact(lambda tx: self.post_in(tx, channel, thread, card, key=key))

    async def update(self, ref: MessageRef, card: Card) -> None:
        """Replace a card in place. Raises MessageGone, or Undeliverable for a private card in a channel."""
        await self._store.transact(lambda tx: self.update_in(tx, ref, card))

    async def direct(self, person: PersonId, card: Card, *, key: str) -> Posted | None:
        """A private message; None for somebody the directory does not know as active."""
        if not self._is_active(person):
            return None
        return await self._store.transact(lambda tx: self.direct_in(tx, person, card, key=key))

    async def reached(self, channel: str, people: frozenset[PersonId]) -> Mapping[PersonId, bool]:
        """Everybody active, in every channel: the console has no membership, and shows all of them what waits."""
        return dict.fromkeys(filter(self._is_active, people), bool(channel))

    def post_in(self, tx: Tx, channel: str, thread: str, card: Card, *, key: str) -> Posted:
        """As `post`, in the caller's transaction."""
        if card.private or channel.startswith("@"):
            raise Undeliverable(f"the {card.kind} card is private and cannot go to {channel}")
        return _add(tx, channel, thread, card, key)

    def update_in(self, tx: Tx, ref: MessageRef, card: Card) -> None:
        """As `update`, in the caller's transaction."""
        if card.private and not ref.channel.startswith("@"):
            raise Undeliverable(f"the {card.kind} card is private and cannot go to {ref.channel}")
        if messages.edit(tx, ref.message, card_to_json(card)) is None:
            raise MessageGone(ref.message)

    def direct_in(self, tx: Tx, person: PersonId, card: Card, *, key: str) -> Posted | None:
        """As `direct`, in the caller's transaction."""
        return _add(tx, private_channel(person), "", card, key) if self._is_active(person) else None

    def _is_active(self, person: PersonId) -> bool:
        somebody = self._directory.person(person)
        return somebody is not None and somebody.active


def _add(tx: Tx, channel: str, thread: str, card: Card, key: str) -> Posted:
    message = Message(message_id(key), channel, tx.now, thread, card=card_to_json(card))
    try:
        stored = messages.add(tx, message)
    except KeyError:
        raise Undeliverable(f"there is no thread {thread} in {channel}") from None
    return Posted(stored.channel, stored.id)
