"""Everything that went over the wire, for assertions and for the script of a conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Call:
    """One Web API call of the app and its answer."""

    at: float
    method: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    status: int = 200


@dataclass
class Sent:
    """One delivery to the app: the kind, the payload, how it went, and how long the acknowledgement took (seconds)."""

    at: float
    kind: str
    payload: dict[str, Any]
    attempt: int
    status: int = 0
    body: Any = None
    seconds: float = 0.0


@dataclass
class Recorder:
    """Calls and deliveries in order."""

    now: Callable[[], float]
    calls: list[Call] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def call(self, method: str, arguments: dict[str, Any], answer: dict[str, Any], status: int) -> None:
        self.calls.append(Call(self.now(), method, arguments, answer, status))

    def of(self, method: str) -> list[Call]:
        """The calls of one method, in order."""
        return [call for call in self.calls if call.method == method]

    def failed(self) -> list[Call]:
        """Calls that Slack refused."""
        return [call for call in self.calls if not call.answer.get("ok", False)]
