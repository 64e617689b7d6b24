"""Conditions on the ticket that a request names: it is there, it is open, it is assigned to who asks. Unknown is no."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from enum import StrEnum
from typing import TypeVar

from access.actors import Person
from access.errors import Unavailable
from access.ports import Store, Tx
from access.tickets import Ticket, Tickets

T = TypeVar("T")


class TicketIs(StrEnum):
    """What a flow can want of a ticket. Each wants that it exists."""

    EXISTS = "exists"
    OPEN = "open"
    ASSIGNED = "assigned"


class LookUp(Exception):
    """Raised in a transaction that needs to know about a ticket nobody looked up lately."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


NONE_NAMED = Ticket("", problem="no ticket is named")


def ticket_of(tickets: Tickets, key: str) -> Ticket:
    """What is known of the ticket of a request. Raises LookUp when it has to be asked for first."""
    if not key:
        return NONE_NAMED
    known = tickets.known(key)
    if known is None:
        raise LookUp(key)
    return known


def unmet(wants: Collection[TicketIs], ticket: Ticket, person: Person) -> str:
    """The first thing wanted that does not hold, in words; empty when everything does."""
    if not wants:
        return ""
    if ticket.problem:
        shown = f"{ticket.key} is not known" if ticket.key else "the ticket is not known"
        return f"{shown}: {ticket.problem}" if ticket.key else ticket.problem
    if not ticket.found:
        return f"there is no ticket {ticket.key}"
    if TicketIs.OPEN in wants and not ticket.open:
        return f"{ticket.key} is not open ({ticket.status or 'no status'})"
    if TicketIs.ASSIGNED in wants and ticket.assignee != person.id:
        return f"{ticket.key} is not assigned to {person.name}"
    return ""


class LookingStore:
    """Implements `access.ports.Store`: a transaction that needs a ticket is begun again once that was looked up."""

    def __init__(self, store: Store, tickets: Tickets) -> None:
        self._store = store
        self._tickets = tickets

    async def transact(self, work: Callable[[Tx], T]) -> T:
        """As the store; the look-up happens outside of any transaction, once for each ticket."""
        return await self._looked(lambda: self._store.transact(work))

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._looked(lambda: self._store.read(work))

    def subscribe(self, wake: Callable[[], None], *about: str) -> Callable[[], None]:
        return self._store.subscribe(wake, *about)

    async def _looked(self, attempt: Callable[[], Awaitable[T]]) -> T:
        looked: set[str] = set()
        while True:
            try:
                return await attempt()
            except LookUp as needed:
                if needed.key in looked:
                    raise Unavailable(f"The ticket {needed.key[:64]} could not be looked up.") from None
                looked.add(needed.key)
                await self._tickets.look(needed.key)
