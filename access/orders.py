"""Standing orders: a freeze, under which nothing runs, and an allowance, a yes given ahead. Both are lifted or given by two people.

They are kept as documents; `docs` gives them to whoever has a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from access.actors import PersonId
from access.statements import Digest

FREEZE, ALLOWANCE = "freeze", "allowance"


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing runs on the resource, whatever was granted. One person began it at once; a second one confirms it until
    `confirm_by`, or that nobody did is `reported`. `lift_by` is the first of the two who lift it."""

    resource: str
    by: PersonId
    why: str
    at: datetime
    lift_by: PersonId | None = None
    confirm_by: datetime | None = None
    confirmed_by: PersonId | None = None
    reported: bool = False

    @property
    def alone(self) -> bool:
        """Whether a second person's word is still wanted."""
        return self.confirm_by is not None and self.confirmed_by is None

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "resource": self.resource,
            "by": self.by,
            "why": self.why,
            "at": self.at.isoformat(),
            "lift_by": self.lift_by,
            "confirm_by": self.confirm_by.isoformat() if self.confirm_by else None,
            "confirmed_by": self.confirmed_by,
            "reported": self.reported,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Freeze:
        """The inverse of `to_json`."""
        confirm_by, confirmed = data.get("confirm_by"), data.get("confirmed_by")  # an older one has neither
        return Freeze(
            data["resource"],
            PersonId(data["by"]),
            data["why"],
            datetime.fromisoformat(data["at"]),
            PersonId(data["lift_by"]) if data["lift_by"] else None,
            datetime.fromisoformat(confirm_by) if confirm_by else None,
            PersonId(confirmed) if confirmed else None,
            bool(data.get("reported")),
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """Requests like this are approved at once until `until`: of this person on this resource, by the same `flow`, for at most
    this `scope` and `longest` at a time; or, with `digest`, exactly this command again.

    It gives nothing by itself, the data path does not know it. `by` are the people who said yes; `given` once they are enough.
    """

    id: str
    person: PersonId
    agent: str
    resource: str
    scope: str
    flow: str
    longest: timedelta
    until: datetime
    why: str
    by: tuple[PersonId, ...]
    length: timedelta = timedelta(0)
    given: bool = False
    digest: Digest | None = None

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "person": self.person,
            "agent": self.agent,
            "resource": self.resource,
            "scope": self.scope,
            "flow": self.flow,
            "longest": self.longest.total_seconds(),
            "until": self.until.isoformat(),
            "why": self.why,
            "by": list(self.by),
            "length": self.length.total_seconds(),
            "given": self.given,
            "digest": self.digest,
        }

    @staticmethod
    def from_json(id: str, data: Mapping[str, Any]) -> Allowance:
        """The inverse of `to_json`."""
        return Allowance(
            id=id,
            person=PersonId(data["person"]),
            agent=data["agent"],
            resource=data["resource"],
            scope=data["scope"],
            flow=data["flow"],
            longest=timedelta(seconds=data["longest"]),
            until=datetime.fromisoformat(data["until"]),
            why=data["why"],
            by=tuple(PersonId(one) for one in data["by"]),
            length=timedelta(seconds=data["length"]),
            given=data["given"],
            digest=Digest(data["digest"]) if data["digest"] else None,
        )
