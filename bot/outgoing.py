"""Put a card into the outbox: drawn once for its buttons, whose tokens are made in the same transaction."""

from __future__ import annotations

from dataclasses import replace

from access.ports import Entropy, Tx
from bot.cases import World
from bot.deliveries import Delivery, to_outbox
from bot.drawing import draw
from bot.tokens import minted


def enqueue(tx: Tx, world: World, entropy: Entropy, delivery: Delivery) -> None:
    """The sender draws it again when it is sent, with these tokens."""
    card = draw(tx, world, delivery)
    audience = delivery.person if delivery.audience else None
    tokens = minted(tx, entropy, card, audience, on=delivery.about) if card else {}
    tx.enqueue(to_outbox(replace(delivery, tokens=tokens)))
