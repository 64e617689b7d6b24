"""A use of break-glass to plain data and back, spelled out as everything in `rows`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from access.actors import PersonId
from access.emergencies import Emergency, EmergencyState, Finding
from ledger.chain import micros, moment

_MICROSECOND = timedelta(microseconds=1)


def emergency_to_json(emergency: Emergency) -> dict[str, Any]:
    """Everything of it, times in microseconds since 1970."""
    e = emergency
    times = {"acknowledged_at": e.acknowledged_at, "ended_at": e.ended_at, "attested_at": e.attested_at}
    return {
        "acknowledge_by": micros(e.acknowledge_by),
        "attest_within": e.attest_within // _MICROSECOND,
        "blocks": e.blocks,
        "told": list(e.told),
        "state": e.state.value,
        "escalated": e.escalated,
        "overdue": e.overdue,
        "acknowledged_by": e.acknowledged_by,
        "account": e.account,
        "finding": e.finding.value if e.finding else None,
        "note": e.note,
        "closed_by": e.closed_by,
        **{name: None if at is None else micros(at) for name, at in {**times, "closed_at": e.closed_at}.items()},
    }


def emergency_from_json(data: Mapping[str, Any] | None) -> Emergency | None:
    """The inverse of `emergency_to_json`; None for None."""
    if data is None:
        return None

    def person(name: str) -> PersonId | None:
        return PersonId(data[name]) if data[name] else None

    times = {
        name: None if data[name] is None else moment(data[name])
        for name in ("acknowledged_at", "ended_at", "attested_at", "closed_at")
    }
    return Emergency(
        acknowledge_by=moment(data["acknowledge_by"]),
        attest_within=data["attest_within"] * _MICROSECOND,
        blocks=data["blocks"],
        told=tuple(PersonId(one) for one in data["told"]),
        state=EmergencyState(data["state"]),
        escalated=data["escalated"],
        overdue=data["overdue"],
        acknowledged_by=person("acknowledged_by"),
        account=data["account"],
        finding=Finding(data["finding"]) if data["finding"] else None,
        note=data["note"],
        closed_by=person("closed_by"),
        **times,
    )
