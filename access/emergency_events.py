"""Facts about break-glass; as in `events`, the docstring is the documentation. The stream is the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from access.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyOpened(Fact):
    """Somebody took access without waiting for a decision. `told` are called by name; this commits with the grant, before
    anything can be done under it."""

    kind: ClassVar[str] = "emergency.opened"
    resource: str
    scope: dict[str, str]
    reason: str
    ticket: str
    until: str
    acknowledge_by: str
    told: list[str]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyRefused(Fact):
    """Somebody tried to break glass and may not. The stream is the person."""

    kind: ClassVar[str] = "emergency.refused"
    resource: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyAcknowledged(Fact):
    """A second person has seen that glass was broken and looks after it. That is no approval."""

    kind: ClassVar[str] = "emergency.acknowledged"
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyEscalated(Fact):
    """Nobody acknowledged in time: more people are called."""

    kind: ClassVar[str] = "emergency.escalated"
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationDue(Fact):
    """The access of a broken glass ended: its user says what was done, another person closes it by `by_when`."""

    kind: ClassVar[str] = "attestation.due"
    by_when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationGiven(Fact):
    """The user said what was done and why; `told` may close it."""

    kind: ClassVar[str] = "attestation.given"
    account: str
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestationOverdue(Fact):
    """An attestation was not given or not closed in time: more people are called."""

    kind: ClassVar[str] = "attestation.overdue"
    told: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyClosed(Fact):
    """Another person reviewed an attestation: justified, unjustified or follow-up."""

    kind: ClassVar[str] = "emergency.closed"
    finding: str
    note: str
