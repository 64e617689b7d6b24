"""An on-call system that says what it is told to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from access.actors import PersonId
from access.errors import Unavailable


@dataclass
class Duty:
    """Implements `access.duty.OnCall`: who is on call now, whatever the time; `down` answers with an error."""

    now: dict[str, frozenset[PersonId]] = field(default_factory=dict)
    down: bool = False

    def schedules(self) -> Sequence[str]:
        return tuple(self.now)

    def on_call(self, schedule: str, at: datetime) -> frozenset[PersonId]:
        if self.down:
            raise Unavailable("The on-call system does not answer.")
        return self.now.get(schedule, frozenset())
