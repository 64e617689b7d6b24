"""How often a person looked for an exact value of a protected column lately: where nothing else may test one, each such
question is one guess, and guesses are counted over all sessions of a resource."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from access.actors import PersonId

HOUR = timedelta(hours=1)


class Lookups:
    """The counts of one gateway process, by person and resource. `most` an hour come with each question."""

    def __init__(self) -> None:
        self._asked: dict[tuple[PersonId, str], deque[datetime]] = {}

    def take(self, person: PersonId, resource: str, number: int, most: int, now: datetime) -> datetime | None:
        """Count `number` more; when that is more than `most` in an hour, count none and say when there is room again."""
        asked = self._asked.setdefault((person, resource), deque())
        while asked and asked[0] <= now - HOUR:
            asked.popleft()
        if len(asked) + number <= most:
            asked.extend([now] * number)
            return None
        return (asked[0] if asked else now) + HOUR
