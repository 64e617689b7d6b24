"""The port of on-call systems. `access.ports` re-exports it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from access.actors import PersonId


class OnCall(Protocol):
    """Who is on call. Synchronous, from memory; refreshed in the background where it is remote."""

    def schedules(self) -> Sequence[str]:
        """The names of the schedules there are."""

    def on_call(self, schedule: str, at: datetime) -> frozenset[PersonId]:
        """Who is on call at `at`; empty for an unknown schedule. Raises Unavailable when it can not be known: then
        nobody counts as on call, never everybody."""


class NoSchedules:
    """Implements `OnCall` where none is configured: nobody is ever on call."""

    def schedules(self) -> Sequence[str]:
        return ()

    def on_call(self, schedule: str, at: datetime) -> frozenset[PersonId]:  # noqa: ARG002 - the port's signature
        return frozenset()
