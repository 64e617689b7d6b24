"""Access that was approved and not begun yet, as a document: it allows nothing.

Read in any transaction with `openings`; the desk alone writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from access.actors import PersonId
from access.ids import RequestId

READY = "ready"


@dataclass(frozen=True, slots=True)
class Opening:
    """The right of `person` to begin `request` from `start` on and before `until`. `told`: that its time has come."""

    request: RequestId
    person: PersonId
    resource: str
    start: datetime
    until: datetime
    by: tuple[PersonId, ...]
    told: bool = False

    def said(self, now: datetime) -> tuple[str, str]:
        """What somebody is told who comes before it was begun, and what to do."""
        if now < self.start:
            hint = f"Begin it then, before {self.until:%H:%M} UTC: /hoop begin {self.request}"
            return f"access to {self.resource} starts at {self.start:%Y-%m-%d %H:%M} UTC ({self.request})", hint
        hint = f"Begin it before {self.until:%H:%M} UTC: /hoop begin {self.request}"
        return f"access to {self.resource} was approved and not begun yet ({self.request})", hint

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {
            "person": self.person,
            "resource": self.resource,
            "start": self.start.isoformat(),
            "until": self.until.isoformat(),
            "by": list(self.by),
            "told": self.told,
        }

    @staticmethod
    def from_json(request: RequestId, data: Mapping[str, Any]) -> Opening:
        """The inverse of `to_json`."""
        return Opening(
            request,
            PersonId(data["person"]),
            data["resource"],
            datetime.fromisoformat(data["start"]),
            datetime.fromisoformat(data["until"]),
            tuple(PersonId(one) for one in data["by"]),
            data.get("told", False),
        )
