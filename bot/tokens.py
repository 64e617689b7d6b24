"""Button tokens: opaque, random, naming a row. Authority is judged again when one is pressed (rules 5 and 6)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from access.actors import PersonId
from access.ids import RequestId
from access.ports import ActionToken, Entropy, Tx
from bot.cards import Button, Card, with_tokens

TOKEN_BYTES = 16
LIFETIME = timedelta(days=7)
SUBJECT = "subject"
MADE_FOR = "made_for"


def new_token(entropy: Entropy) -> str:
    """128 random bits in 22 URL-safe characters."""
    return base64.urlsafe_b64encode(entropy.token(TOKEN_BYTES)).rstrip(b"=").decode()


def mint(tx: Tx, entropy: Entropy, button: Button, audience: PersonId | None, *, on: str = "") -> str:
    """A stored token for one button. `audience` limits it to one person; None lets anybody try. `on` is what the message
    renders that it is made for: it counts on no other."""
    request = tx.request(RequestId(button.subject)) if button.subject.startswith("req_") else None
    token = ActionToken(
        token=new_token(entropy),
        action=button.do.value,
        request=RequestId(button.subject),
        revision=request.revision if request else 0,
        expires_at=tx.now + LIFETIME,
        audience=audience or "",
        arguments={**button.arguments, SUBJECT: button.subject, **({MADE_FOR: on} if on else {})},
    )
    tx.insert_token(token)
    return token.token


def with_minted(tx: Tx, entropy: Entropy, card: Card, audience: PersonId | None, *, on: str = "") -> Card:
    """The card with a fresh token in every button."""
    return with_tokens(card, lambda button: mint(tx, entropy, button, audience, on=on))


def subject(row: ActionToken) -> str:
    """What a pressed token is about."""
    return row.arguments.get(SUBJECT, row.request)


def message_of(row: ActionToken) -> str:
    """What the message renders that a pressed token was made for."""
    return row.arguments.get(MADE_FOR) or subject(row)


def slot(button: Button) -> str:
    """What tells the buttons of one card apart."""
    return f"{button.do.value}/{button.subject}"


def minted(tx: Tx, entropy: Entropy, card: Card, audience: PersonId | None, *, on: str) -> dict[str, str]:
    """Fresh tokens for a card that is drawn again later: slot → token."""
    return {slot(b): mint(tx, entropy, b, audience, on=on) for b in card.all_buttons() if not b.url}


def with_known(card: Card, tokens: Mapping[str, str]) -> Card:
    """The card with tokens made earlier; a button without one is left out (its state came later, and so will a new card)."""

    def keep(buttons: tuple[Button, ...]) -> tuple[Button, ...]:
        return tuple(b if b.url else replace(b, token=tokens[slot(b)]) for b in buttons if b.url or slot(b) in tokens)

    items = tuple(replace(item, buttons=keep(item.buttons)) for item in card.items)
    return replace(card, buttons=keep(card.buttons), items=items)
