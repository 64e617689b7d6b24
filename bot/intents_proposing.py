"""What a person can mean about another text for a command. `bot.intents` re-exports them."""

from __future__ import annotations

from dataclasses import dataclass, field

from access.ids import RequestId


@dataclass(frozen=True, slots=True)
class Propose:
    """I would rather approve this text than the one of a request; asked for in a form when it is missing."""

    request: RequestId
    command: str = field(default="", repr=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Accept:
    """I take a proposed text for my command."""

    proposal: str


@dataclass(frozen=True, slots=True)
class Decline:
    """I do not take a proposed text, or take my own proposal back."""

    proposal: str
    note: str = ""
