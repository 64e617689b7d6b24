"""What was said in the console, as documents of the store, and the numbered changes behind live updates.

Every change of a message gets the next number of one counter, in the transaction that makes it. A reader that knows the
number of what it last saw asks for what changed since; when that reaches back too far it is told to read anew.

Exact statement text is never stored. A secret is kept apart from its message, sealed by the store like every document,
for a few minutes or until its person hides it; the message itself only says that it was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from access.actors import PersonId
from access.ports import Tx

MESSAGE = "console.message"
CHANGE = "console.change"
SECRET = "console.secret"  # noqa: S105 - a kind of document
COUNTER = "console.change"

KEPT = timedelta(days=180)
CHANGES_KEPT = timedelta(hours=24)
CHANGES_READ = 400
SECRETS_KEPT = timedelta(minutes=15)
LONGEST_TEXT = 4000

_WITHHELD = {
    "secret": "It was shown here for some minutes and is gone. You can always get a new one.",
    "exact": "The exact text is in the private view: press Review.",
}


def private_channel(person: PersonId) -> str:
    """The channel of one person's private messages; no configured channel starts with `@`."""
    return f"@{person}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message. Without `author` it is hoop's own and has a card; `change` is the number of its last change.

    `thread` is the id of the message it answers. `replies`, `last_reply_at` and `repliers` belong to a thread's first
    message; the newest repliers come last, hoop is the empty string.
    """

    id: str
    channel: str
    at: datetime
    thread: str = ""
    author: str = ""
    text: str = ""
    card: Mapping[str, Any] | None = None
    edited_at: datetime | None = None
    replies: int = 0
    last_reply_at: datetime | None = None
    repliers: tuple[str, ...] = ()
    change: int = 0
    number: int = 0

    @property
    def private(self) -> bool:
        """Only the person it is for may see it."""
        return self.channel.startswith("@")


@dataclass(frozen=True, slots=True)
class Change:
    """One numbered change: which message, and whether it is a new one."""

    number: int
    message: str
    channel: str
    new: bool


def withhold(card: Mapping[str, Any], kinds: AbstractSet[str] = frozenset(_WITHHELD)) -> dict[str, Any]:
    """The card as it may be stored: without secrets and exact text (or only those `kinds` of blocks)."""
    blocks = [
        {"type": "withheld", "of": block["type"], "text": _WITHHELD[block["type"]]} if block["type"] in kinds else block
        for block in card["blocks"]
    ]
    return {**card, "blocks": blocks}


# ------------------------------------------------------------------------------------------------ writing


def add(tx: Tx, message: Message) -> Message:
    """Store a new message, secrets apart; one with this id that exists already is returned as it is.

    Raises KeyError when it answers a message that is not in its channel.
    """
    known = get(tx, message.id)
    if known is not None:
        return known
    number = _next(tx)
    first = _first_of_thread(tx, message) if message.thread else None
    stored = replace(message, at=tx.now, change=number, number=number)
    _put(tx, stored)
    _note(tx, Change(number, stored.id, stored.channel, new=True))
    if first is not None:
        repliers = (*(r for r in first.repliers if r != message.author), message.author)[-4:]
        answered = replace(first, replies=first.replies + 1, last_reply_at=tx.now, repliers=repliers)
        _changed(tx, answered)
    return stored


def edit(tx: Tx, id: str, card: Mapping[str, Any]) -> Message | None:
    """Replace a message's card in place; None when there is no such message."""
    known = get(tx, id)
    if known is None:
        return None
    return _changed(tx, replace(known, card=card, edited_at=tx.now))


def hide_secret(tx: Tx, id: str) -> bool:
    """Forget the secret of a message now; False when there is none."""
    known = get(tx, id)
    if known is None or tx.take_doc(SECRET, id) is None:
        return False
    _changed(tx, replace(known, card=withhold(known.card or {"blocks": []})))
    return True


def _first_of_thread(tx: Tx, message: Message) -> Message:
    first = get(tx, message.thread)
    if first is None or first.channel != message.channel or first.thread:
        raise KeyError(message.thread)
    return first


def _changed(tx: Tx, message: Message) -> Message:
    stored = replace(message, change=_next(tx))
    _put(tx, stored)
    _note(tx, Change(stored.change, stored.id, stored.channel, new=False))
    return stored


def _next(tx: Tx) -> int:
    number = tx.cursor(COUNTER) + 1
    tx.set_cursor(COUNTER, number)
    return number


def _put(tx: Tx, message: Message) -> None:
    card = message.card
    if card is not None and any(block["type"] in _WITHHELD for block in card["blocks"]):
        if any(block["type"] == "secret" for block in card["blocks"]):
            kept = withhold(card, {"exact"})
            tx.put_doc(SECRET, message.id, {"card": kept}, expires_at=message.at + SECRETS_KEPT)
        message = replace(message, card=withhold(card))
    group = f"{message.channel}\n{message.thread}"
    tx.put_doc(MESSAGE, message.id, _to_data(message), group=group, expires_at=message.at + KEPT)


def _note(tx: Tx, change: Change) -> None:
    data = {"number": change.number, "message": change.message, "channel": change.channel, "new": change.new}
    tx.put_doc(CHANGE, f"{change.number:012d}", data, expires_at=tx.now + CHANGES_KEPT)


# ------------------------------------------------------------------------------------------------ reading


def get(tx: Tx, id: str) -> Message | None:
    """One message."""
    data = tx.doc(MESSAGE, id)
    return _whole(tx, _from_data(data)) if data is not None else None


def listed(tx: Tx, channel: str, thread: str = "", *, limit: int = 200) -> list[Message]:
    """The newest messages of a channel, or the answers of one of its threads, oldest first."""
    docs = tx.docs(MESSAGE, group=f"{channel}\n{thread}", limit=limit)
    return sorted((_whole(tx, _from_data(data)) for _, data in docs), key=lambda message: message.number)


def _whole(tx: Tx, message: Message) -> Message:
    """A private message with its secret, as long as that is kept."""
    if message.card is None or not message.private:
        return message
    if not any(block.get("of") == "secret" for block in message.card["blocks"]):
        return message
    kept = tx.doc(SECRET, message.id)
    return replace(message, card=kept["card"]) if kept is not None else message


def last_change(tx: Tx) -> int:
    """The number of the newest change."""
    return tx.cursor(COUNTER)


def changes_since(tx: Tx, number: int) -> list[Change] | None:
    """What changed after `number`, oldest first; None when that is too long ago to tell."""
    newest = last_change(tx)
    missing = newest - number
    if missing == 0:
        return []
    if missing < 0 or missing > CHANGES_READ:
        return None
    docs = tx.docs(CHANGE, limit=missing)
    changes = [
        Change(int(data["number"]), str(data["message"]), str(data["channel"]), new=bool(data["new"]))
        for _, data in docs
        if int(data["number"]) > number
    ]
    return sorted(changes, key=lambda change: change.number) if len(changes) == missing else None


# ------------------------------------------------------------------------------------------------ as data


def _to_data(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "channel": message.channel,
        "at": message.at.isoformat(),
        "thread": message.thread,
        "author": message.author,
        "text": message.text,
        "card": message.card,
        "edited_at": message.edited_at.isoformat() if message.edited_at else "",
        "replies": message.replies,
        "last_reply_at": message.last_reply_at.isoformat() if message.last_reply_at else "",
        "repliers": list(message.repliers),
        "change": message.change,
        "number": message.number,
    }


def _from_data(data: Mapping[str, Any]) -> Message:
    return Message(
        id=data["id"],
        channel=data["channel"],
        at=datetime.fromisoformat(data["at"]),
        thread=data["thread"],
        author=data["author"],
        text=data["text"],
        card=data["card"],
        edited_at=datetime.fromisoformat(data["edited_at"]) if data["edited_at"] else None,
        replies=data["replies"],
        last_reply_at=datetime.fromisoformat(data["last_reply_at"]) if data["last_reply_at"] else None,
        repliers=tuple(data["repliers"]),
        change=data["change"],
        number=data["number"],
    )
