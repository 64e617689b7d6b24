"""The port of the ticket system: what is known of a ticket that a request names. `access.ports` re-exports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from access.actors import PersonId


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it was a moment ago. `problem` says why nothing is known; then no condition on it holds.

    `open` is False as well where the ticket system does not say so in terms; `assignee` is None when nobody is, or
    somebody who is not exactly one active person here.
    """

    key: str
    found: bool = False
    open: bool = False
    status: str = ""
    assignee: PersonId | None = None
    problem: str = ""


class Tickets(Protocol):
    """Looks tickets up, and remembers for a while what it found."""

    async def look(self, key: str) -> None:
        """Find out about a ticket. Never raises: that the system did not answer is remembered too, for less long."""

    def known(self, key: str) -> Ticket | None:
        """What was found a moment ago; None when it was not looked up lately. Synchronous, from memory."""


class NoTickets:
    """Implements `Tickets` where no ticket system is configured: nothing is known of any."""

    async def look(self, key: str) -> None:  # noqa: ARG002 - the port's signature
        return

    def known(self, key: str) -> Ticket | None:
        return Ticket(key, problem="no ticket system is configured")
