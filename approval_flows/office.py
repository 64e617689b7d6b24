"""What decisions are made with: the people, the resources, the owner's limits and flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from access.actors import PersonId
from access.errors import Conflict, HoopError
from access.ids import ENTROPY_BYTES, Prefix, new_id
from access.ports import Directory, Entropy, Store, Tx
from access.resources import Resource
from approval_flows.flow import Limits
from approval_flows.shelf import FlowShelf

T = TypeVar("T")

ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Office:
    """Read in every transaction anew, so a reloaded directory or configuration counts from the next click on."""

    directory: Directory
    resources: Mapping[str, Resource]
    entropy: Entropy
    limits: Limits = field(default_factory=Limits)
    flows: FlowShelf = field(default_factory=FlowShelf)

    def name(self, id: PersonId) -> str:
        """The display name of a person; the subject of somebody the directory does not know (any more)."""
        person = self.directory.person(id)
        return person.name if person else str(id).rpartition("|")[2]

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
