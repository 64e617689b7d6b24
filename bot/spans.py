"""Lengths of time as people say them. `bot.intents` re-exports them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Until:
    """A point on the wall clock of the person who asked: `until 17:00`, `until fri`, `until fri 17:00`.

    `weekday` counts from Monday = 0 and is None for the next time the clock shows `hour:minute`.
    """

    hour: int = 0
    minute: int = 0
    weekday: int | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """When access is to start, on the wall clock of `zone` (empty: of who asks). `day` is empty for the next time the clock
    shows it, else `today`, `tomorrow`, a weekday or a date."""

    hour: int
    minute: int
    day: str = ""
    zone: str = ""


Span = timedelta | Until
