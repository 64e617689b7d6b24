"""Break-glass: the table of its transitions, and the step from one to the next. Pure.

Access exists from the first moment; what moves here is who looks after it. It ends (by the clock, given back or revoked) in
an attestation that is due; another person closes it. `docs/lifecycle.md` is drawn from the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from access.actors import PersonId
from access.emergencies import Emergency, EmergencyState, Finding
from access.errors import Conflict
from approval_flows.lifecycle import clock_time


class EmergencyCommand(StrEnum):
    """What can happen to a use of break-glass."""

    ACKNOWLEDGE = "acknowledge"
    END = "end"
    ATTEST = "attest"
    CLOSE = "close"


EmergencyTable = Mapping[tuple[EmergencyState, EmergencyCommand], EmergencyState]

EMERGENCY: EmergencyTable = MappingProxyType(
    {
        (EmergencyState.OPEN, EmergencyCommand.ACKNOWLEDGE): EmergencyState.ACKNOWLEDGED,
        (EmergencyState.OPEN, EmergencyCommand.END): EmergencyState.DUE,
        (EmergencyState.ACKNOWLEDGED, EmergencyCommand.END): EmergencyState.DUE,
        (EmergencyState.DUE, EmergencyCommand.ATTEST): EmergencyState.ATTESTED,
        (EmergencyState.ATTESTED, EmergencyCommand.CLOSE): EmergencyState.CLOSED,
    }
)

_WORDS = {
    EmergencyState.OPEN: "nobody has acknowledged it yet, and its access lasts",
    EmergencyState.ACKNOWLEDGED: "it was acknowledged, and its access lasts",
    EmergencyState.DUE: "its attestation is due",
    EmergencyState.ATTESTED: "it was attested and waits to be closed by another person",
    EmergencyState.CLOSED: "it is closed",
}


def refusal(emergency: Emergency, command: EmergencyCommand, id: str) -> Conflict | None:
    """Why `command` is not possible now, in words; None if it is."""
    if (emergency.state, command) in EMERGENCY:
        return None
    early = command is EmergencyCommand.CLOSE and emergency.state is not EmergencyState.CLOSED
    hint = f"Its user says first what was done: /hoop attest {id}" if early else ""
    return Conflict(f"That is not possible with {id} now: {_WORDS[emergency.state]}.", hint=hint)


def _moved(emergency: Emergency, command: EmergencyCommand) -> Emergency:
    """Raises KeyError on a transition that is not in the table; callers ask `refusal` first."""
    return replace(emergency, state=EMERGENCY[emergency.state, command])


def acknowledged(emergency: Emergency, by: PersonId, at: datetime) -> Emergency:
    """Somebody else looks after it."""
    return replace(_moved(emergency, EmergencyCommand.ACKNOWLEDGE), acknowledged_by=by, acknowledged_at=at)


def ended(emergency: Emergency, at: datetime) -> Emergency:
    """Its access is over: the attestation is due."""
    return replace(_moved(emergency, EmergencyCommand.END), ended_at=at)


def attested(emergency: Emergency, account: str, at: datetime) -> Emergency:
    """Its user said what was done."""
    return replace(_moved(emergency, EmergencyCommand.ATTEST), account=account, attested_at=at)


def closed(emergency: Emergency, finding: Finding, note: str, by: PersonId, at: datetime) -> Emergency:
    """Another person reviewed it."""
    moved = _moved(emergency, EmergencyCommand.CLOSE)
    return replace(moved, finding=finding, note=note, closed_by=by, closed_at=at)


def unacknowledged(emergency: Emergency, now: datetime) -> bool:
    """Whether more people are to be called because nobody acknowledged in time; once."""
    return emergency.state is EmergencyState.OPEN and not emergency.escalated and now >= emergency.acknowledge_by


def late(emergency: Emergency, now: datetime) -> bool:
    """Whether more people are to be called because it is not attested and closed in time; once."""
    by = emergency.attest_by
    return by is not None and not emergency.closed and not emergency.overdue and now >= by


def shown(emergency: Emergency) -> str:
    """Where it stands, for lists."""
    if emergency.closed and emergency.finding is not None:
        return f"closed: {emergency.finding.value}"
    due = f" by {clock_time(emergency.attest_by)}" if emergency.attest_by else ""
    return f"{emergency.state.value}{due}"
