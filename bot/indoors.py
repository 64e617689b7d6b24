"""Deliveries to a platform that is the store itself: many of them in the transaction that settles them.

Nothing is claimed, because nothing is outside: they are posted and settled together, or not at all. What is not simple is
left to the sender, which does one after the other and knows what to do about each problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from access.ports import OutboxItem, Tx
from bot.card_json import fingerprint
from bot.cases import World
from bot.deliveries import KIND, Delivery, View, from_outbox
from bot.found import found, thread_of, where
from bot.platform import Indoor, Platform
from bot.tokens import with_known

#: Few at once: while they are drawn, nobody else can commit.
AT_ONCE = 8


class Indoors:
    """Those of the platforms that are the store itself."""

    def __init__(self, world: World, platforms: Mapping[str, Platform]) -> None:
        self._world = world
        self._platforms = {name: one for name, one in platforms.items() if isinstance(one, Indoor)}

    def targets(self, heads: Iterable[OutboxItem]) -> list[str]:
        """Whose lines begin with something that can be delivered here."""
        return [item.target for item in heads if self._ours(item) is not None]

    def deliver(self, tx: Tx, targets: Iterable[str]) -> int:
        """Post and settle what these lines begin with, as far as that is simple; how many.

        Raises whatever a card or a platform raises: then nothing is kept of it.
        """
        done = 0
        for target in targets:
            for item in tx.outbox(limit=AT_ONCE - done, kind=KIND, target=target):
                delivery = self._ours(item)
                if delivery is None or not self._delivered(tx, delivery):
                    break
                tx.settle(item.id)
                done += 1
            if done >= AT_ONCE:
                break
        return done

    def _ours(self, item: OutboxItem) -> Delivery | None:
        """The delivery, when it is for such a platform and no other."""
        try:
            delivery = from_outbox(item)
        except (KeyError, ValueError, TypeError):
            return None
        simple = delivery.view is not View.CONNECTION and len(delivery.platforms) == 1
        return delivery if simple and delivery.platforms[0] in self._platforms else None

    def _delivered(self, tx: Tx, delivery: Delivery) -> bool:
        """Whether it was; not when its thread has no head yet, or it reaches nobody."""
        if delivery.root and thread_of(tx, delivery) is None:
            return False
        card, ref, thread = found(tx, self._world, delivery)
        if card is None:
            return True
        card = with_known(card, delivery.tokens)
        shown, name = fingerprint(card), delivery.platforms[0]
        platform = self._platforms[name]
        if ref is not None:
            if ref.rendered != shown:
                platform.update_in(tx, ref, card)
                tx.put_ref(replace(ref, rendered=shown))
            return True
        if delivery.audience:
            posted = platform.direct_in(tx, delivery.person, card, key=delivery.key)
        else:
            channel = thread.channel if thread else delivery.channel
            posted = platform.post_in(tx, channel, thread.message if thread else "", card, key=delivery.key)
        if posted is not None:
            tx.put_ref(where(delivery, name, posted, shown, thread))
        return posted is not None
