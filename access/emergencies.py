"""Break-glass: what is kept about access that a person took without waiting for a decision, until it is closed.

The table of its transitions is `approval_flows/emergency.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from access.actors import PersonId


class EmergencyState(StrEnum):
    """Where a use of break-glass stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    DUE = "attestation due"
    ATTESTED = "attested"
    CLOSED = "closed"


class Finding(StrEnum):
    """What the reviewer of an attestation found."""

    JUSTIFIED = "justified"
    UNJUSTIFIED = "unjustified"
    FOLLOW_UP = "follow-up"


@dataclass(frozen=True, slots=True)
class Emergency:
    """One use of break-glass. `told` were called by name when it began; whoever is not told may be entitled as well.

    A second person acknowledges by `acknowledge_by`, or it is escalated. After the access ended, its user says what was
    done (`account`) and another person closes it, both within `attest_within`. While it is not closed and `blocks`, its user
    can not break glass again.
    """

    acknowledge_by: datetime
    attest_within: timedelta
    blocks: bool = True
    told: tuple[PersonId, ...] = ()
    state: EmergencyState = EmergencyState.OPEN
    escalated: bool = False
    overdue: bool = False
    acknowledged_by: PersonId | None = None
    acknowledged_at: datetime | None = None
    ended_at: datetime | None = None
    account: str = ""
    attested_at: datetime | None = None
    finding: Finding | None = None
    note: str = ""
    closed_by: PersonId | None = None
    closed_at: datetime | None = None

    @property
    def attest_by(self) -> datetime | None:
        """When it must be attested and closed; None while the access lasts."""
        return self.ended_at + self.attest_within if self.ended_at else None

    @property
    def closed(self) -> bool:
        """Whether nothing is left to do about it."""
        return self.state is EmergencyState.CLOSED
