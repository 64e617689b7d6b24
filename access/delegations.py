"""A delegation: somebody's decisions are made by another person for a while. A document; the desk alone writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from access.actors import PersonId

DELEGATION = "delegation"


@dataclass(frozen=True, slots=True)
class Delegation:
    """From `start` to `until`, `to` decides in the place of `by` on resources that match `resources` (a glob)."""

    id: str
    by: PersonId
    to: PersonId
    resources: str
    start: datetime
    until: datetime
    why: str = ""

    def lasts(self, at: datetime) -> bool:
        """Whether it is in force at `at`."""
        return self.start <= at < self.until

    def about(self, resource: str) -> bool:
        """Whether it is for this resource."""
        return fnmatchcase(resource, self.resources)

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "by": self.by,
            "to": self.to,
            "resources": self.resources,
            "start": self.start.isoformat(),
            "until": self.until.isoformat(),
            "why": self.why,
        }

    @staticmethod
    def from_json(id: str, data: Mapping[str, Any]) -> Delegation:
        """The inverse of `to_json`."""
        return Delegation(
            id,
            PersonId(data["by"]),
            PersonId(data["to"]),
            data["resources"],
            datetime.fromisoformat(data["start"]),
            datetime.fromisoformat(data["until"]),
            data["why"],
        )
