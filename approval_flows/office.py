"""What decisions are made with: the people, the resources, the owner's limits and flows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from access.actors import PersonId
from access.duty import NoSchedules, OnCall
from access.errors import Conflict, HoopError, Unavailable
from access.ids import ENTROPY_BYTES, Prefix, new_id
from access.ports import Directory, Entropy, Store, Tx
from access.resources import Resource
from access.tickets import NoTickets, Ticket, Tickets
from approval_flows.flow import Limits
from approval_flows.shelf import FlowShelf
from approval_flows.stages import Duty, People
from approval_flows.ticketing import ticket_of

T = TypeVar("T")
log = logging.getLogger(__name__)

ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Office:
    """Read in every transaction anew, so a reloaded directory or configuration counts from the next click on."""

    directory: Directory
    resources: Mapping[str, Resource]
    entropy: Entropy
    limits: Limits = field(default_factory=Limits)
    flows: FlowShelf = field(default_factory=FlowShelf)
    on_call: OnCall = field(default_factory=NoSchedules)
    tickets: Tickets = field(default_factory=NoTickets)

    def name(self, id: PersonId) -> str:
        """The display name of a person; the subject of somebody the directory does not know (any more)."""
        person = self.directory.person(id)
        return person.name if person else str(id).rpartition("|")[2]

    def ticket(self, key: str) -> Ticket:
        """What is known of a ticket. Raises LookUp, which `LookingStore` answers."""
        return ticket_of(self.tickets, key)

    def duty(self, at: datetime) -> Duty:
        """Who is on call at `at`, by schedule. When the on-call system does not answer: nobody."""

        def of(schedule: str) -> People:
            try:
                return self.on_call.on_call(schedule, at)
            except Unavailable as error:
                log.warning("who is on call for %s can not be known, so nobody counts as it: %s", schedule, error)
                return frozenset()

        return of

    def knows_duty(self, schedule: str, at: datetime) -> bool:
        """Whether the on-call system says who is on call for this schedule at `at`."""
        try:
            self.on_call.on_call(schedule, at)
        except Unavailable:
            return False
        return True

    def schedules_of(self, person: PersonId, at: datetime) -> frozenset[str]:
        """The schedules this person is on call for at `at`."""
        duty = self.duty(at)
        return frozenset(name for name in self.on_call.schedules() if person in duty(name))

    def new_id(self, prefix: Prefix) -> str:
        return new_id(prefix, self.entropy.token(ENTROPY_BYTES))


async def settle(store: Store, work: Callable[[Tx], T | HoopError]) -> T:
    """Run `work` in a transaction and return its value.

    A refusal that `work` returns is raised after the commit, so its fact stays. A Conflict that `work` *raises* means
    another process changed the row in between: the work is done again on what is there now, so that the loser hears
    who was first.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            result = await store.transact(work)
        except Conflict:
            if not left:
                raise
        else:
            if isinstance(result, HoopError):
                raise result
            return result
    raise AssertionError("unreachable: the last attempt returns or raises")
