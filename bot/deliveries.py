"""What the outbox holds for chat: which card of which row goes where. Pure.

A delivery names a rendering, it does not contain one: the card is drawn from the rows when it is sent, so that a late
message shows the state of now, and nothing from a target is stored twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from access.actors import PersonId
from access.ports import OutboxItem

KIND = "chat"


class View(StrEnum):
    """Which card of the subject. The value is also the `kind` of its message reference."""

    REQUEST = "request"
    MIRROR = "mirror"
    WAITING = "waiting"
    VOTE = "vote"
    NUDGE = "nudge"
    ALARM = "alarm"
    PROPOSAL = "proposal"
    FREEZE = "freeze"
    READY = "ready"
    ALLOWANCE = "allowance"
    DELEGATION = "delegation"
    TAKEN_OVER = "taken_over"
    DIGEST = "digest"
    DECIDED = "decided"
    CONNECTION = "connection"
    TOKEN = "token"  # noqa: S105 - a view
    EXPIRING = "expiring"
    CHANGED = "changed"
    SESSION = "session"
    BLOCKED = "blocked"
    FAILURE = "failure"
    RESULT = "result"
    RESULT_MIRROR = "result_mirror"
    LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One card to be shown in one channel, or to one person (`audience`) on the first of `platforms` that knows them.

    `about` is the subject id; `part` tells several cards of one view apart (an event's position). `root` is the request
    whose thread it belongs to (empty = a message of its own). `tokens` are the buttons' tokens by slot. `after`: not now, but
    when nobody has decided by then; the outbox never has such a one.
    """

    view: View
    about: str
    platforms: tuple[str, ...]
    channel: str = ""
    audience: str = ""
    root: str = ""
    part: str = ""
    tokens: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    arguments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    after: timedelta | None = None

    @property
    def kind(self) -> str:
        """The `kind` of its message reference: unique with subject, platform, channel and audience."""
        return f"{self.view.value}:{self.part}" if self.part else self.view.value

    @property
    def key(self) -> str:
        """The message's name for good, for platforms that recognise a message they were given before."""
        return f"{self.kind}/{self.about}/{self.place}"

    @property
    def place(self) -> str:
        """One channel of one platform, or one person: messages to one place leave in order."""
        return f"@{self.audience}" if self.audience else f"{self.platforms[0]}:{self.channel}"

    @property
    def person(self) -> PersonId:
        """The one reader of a private message."""
        return PersonId(self.audience)


def to_outbox(delivery: Delivery) -> OutboxItem:
    """As an outbox item. One target is one channel or one person; a newer rendering of the same card replaces an older one."""
    payload: dict[str, Any] = {
        "view": delivery.view.value,
        "about": delivery.about,
        "platforms": list(delivery.platforms),
        "channel": delivery.channel,
        "audience": delivery.audience,
        "root": delivery.root,
        "part": delivery.part,
        "tokens": dict(delivery.tokens),
        "arguments": dict(delivery.arguments),
    }
    return OutboxItem(target=delivery.place, kind=KIND, payload=payload, coalesce=delivery.key)


def from_outbox(item: OutboxItem) -> Delivery:
    """The inverse of `to_outbox`. Raises KeyError or ValueError for a payload that is not one."""
    data = item.payload
    return Delivery(
        view=View(data["view"]),
        about=data["about"],
        platforms=tuple(data["platforms"]),
        channel=data["channel"],
        audience=data["audience"],
        root=data["root"],
        part=data["part"],
        tokens=dict(data["tokens"]),
        arguments=dict(data["arguments"]),
    )
