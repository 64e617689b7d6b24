"""The ports of on-call and paging systems. `access.ports` re-exports them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that people outside of chat are to be called for. `id` names it for good: the same one may come twice."""

    id: str
    kind: str
    at: datetime
    subject: str
    resource: str
    who: str
    text: str
    link: str = ""


class Pager(Protocol):
    """Something that pages people or files tickets."""

    async def page(self, alarm: Alarm) -> None:
        """Hand it over. Raises Unavailable when that did not work: it is tried again."""
