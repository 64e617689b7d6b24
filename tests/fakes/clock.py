"""A clock that moves only when the test says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)  # a Monday morning


class ManualClock:
    """Implements `access.ports.Clock`: `now()` is an aware UTC instant, `monotonic()` are seconds."""

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            message = "a clock starts at an aware instant, for example datetime(…, tzinfo=UTC)"
            raise ValueError(message)
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; time never runs backwards."""
        if seconds < 0:
            message = f"cannot advance by {seconds} s"
            raise ValueError(message)
        self._elapsed += seconds

    def set_by(self, seconds: float) -> None:
        """Somebody sets the wall clock, also back; durations go on as they were."""
        self._start += timedelta(seconds=seconds)
