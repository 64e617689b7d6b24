"""What a person can mean about break-glass. `bot.intents` re-exports them."""

from __future__ import annotations

from dataclasses import dataclass

from access.emergencies import Finding
from access.ids import RequestId
from bot.spans import Span


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Take access at once. `confirmed` is the resource's name, typed once more."""

    resource: str
    confirmed: str
    scope: str = "read"
    duration: Span | None = None
    reason: str = ""
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """I look after somebody's use of break-glass."""

    request: RequestId
    note: str = ""


@dataclass(frozen=True, slots=True)
class Attest:
    """What I did under break-glass; asked for in a form when it is missing."""

    request: RequestId
    account: str = ""


@dataclass(frozen=True, slots=True)
class Close:
    """What I find about somebody's attestation."""

    request: RequestId
    finding: Finding
    note: str = ""
