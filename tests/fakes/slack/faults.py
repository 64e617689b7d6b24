"""What can go wrong between Slack and an app, on demand."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from fnmatch import fnmatch


@dataclass
class Fault:
    """One planned failure of Web API calls whose method matches.

    `after` performs the call and then loses the answer, so that the app does not know it happened.
    """

    method: str
    times: int
    status: int = 200
    error: str = ""
    retry_after: int = 0
    latency: float = 0.0
    after: bool = False
    channel: str = ""


@dataclass
class Faults:
    """Failures to come. `random` is seeded: a run can be repeated."""

    seed: int = 0
    planned: list[Fault] = field(default_factory=list)
    duplicates: int = 0
    duplicate_chance: float = 0.0
    delivery_delay: float = 0.0
    forget_acks: int = 0
    random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def rate_limit(self, method: str, times: int = 1, retry_after: int = 1, channel: str = "") -> None:
        """The next calls get 429 with `Retry-After`."""
        self.planned.append(Fault(method, times, status=429, retry_after=retry_after, channel=channel))

    def fail(self, method: str, times: int = 1, error: str = "internal_error") -> None:
        """The next calls get `{"ok": false, "error": …}`."""
        self.planned.append(Fault(method, times, error=error))

    def break_down(self, method: str, times: int = 1, status: int = 503) -> None:
        """The next calls get an HTML page with a 5xx status."""
        self.planned.append(Fault(method, times, status=status))

    def lose_answer(self, method: str, times: int = 1) -> None:
        """The next calls are performed, and the connection is cut before the answer."""
        self.planned.append(Fault(method, times, after=True))

    def slow(self, method: str, seconds: float, times: int = 1) -> None:
        """The next calls take longer."""
        self.planned.append(Fault(method, times, latency=seconds))

    def take(self, method: str, channel: str = "") -> Fault | None:
        """The failure for this call, if one is planned."""
        for fault in self.planned:
            if fnmatch(method, fault.method) and (not fault.channel or fault.channel == channel):
                fault.times -= 1
                if fault.times <= 0:
                    self.planned.remove(fault)
                return fault
        return None

    def copies(self) -> int:
        """How often the next delivery arrives."""
        if self.duplicates > 0:
            self.duplicates -= 1
            return 2
        return 2 if self.random.random() < self.duplicate_chance else 1

    async def delay(self) -> None:
        """Deliveries overtake each other when each waits a random time."""
        if self.delivery_delay:
            await asyncio.sleep(self.random.random() * self.delivery_delay)

    def ack_lost(self) -> bool:
        """Whether Slack never sees this acknowledgement (and delivers again)."""
        if self.forget_acks > 0:
            self.forget_acks -= 1
            return True
        return False
