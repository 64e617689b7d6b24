"""What a person can mean about break-glass, freezes and allowances. `bot.intents` re-exports them."""

from __future__ import annotations

from dataclasses import dataclass

from access.emergencies import Finding
from access.ids import RequestId
from bot.spans import Span, Start


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


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin access that was approved and waits for me."""

    request: RequestId


@dataclass(frozen=True, slots=True)
class DenyAll:
    """Stop everything on a resource (`*`: on all that are mine); `cut` ends its sessions, too."""

    resource: str
    reason: str = ""
    cut: bool = True


@dataclass(frozen=True, slots=True)
class Lift:
    """Let a frozen resource go on; it takes two people."""

    resource: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Allow:
    """A yes given ahead: for `length`, requests of this person up to `longest` are granted at once."""

    person: str
    resource: str
    scope: str
    length: Span
    longest: Span
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Confirm:
    """My yes to a proposed allowance."""

    id: str


@dataclass(frozen=True, slots=True)
class Disallow:
    """Take an allowance back."""

    id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delegate:
    """Let another person decide in my place, for a length of time or until a day, on resources that match."""

    person: str
    length: Span | Start
    resources: str = "*"
    start: Start | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delegations:
    """Who decides for me, and for whom I decide."""


@dataclass(frozen=True, slots=True)
class Undelegate:
    """End a delegation of mine, or to me."""

    id: str
    reason: str = ""
