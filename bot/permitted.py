"""Which verbs help shows to whom: those that could do something for this person here. Pure.

Help never authorises: a verb that is not shown still works for whoever the desk lets, and one that is shown is judged
like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from access.actors import Person
from access.resources import Resource
from bot.intents import Verb
from bot.kit import Kit


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is here: `decides` for some resource, or something waits for them; whether there are `runbooks`."""

    decides: bool = False
    runbooks: bool = False


_NEEDS: Mapping[Verb, Callable[[Standing], bool]] = {
    Verb.APPROVE: lambda one: one.decides,
    Verb.DENY: lambda one: one.decides,
    Verb.PENDING: lambda one: one.decides,
    Verb.ACK: lambda one: one.decides,
    Verb.CLOSE: lambda one: one.decides,
    Verb.RUN: lambda one: one.runbooks,
    Verb.RUNBOOKS: lambda one: one.runbooks,
    Verb.RUNS: lambda one: one.runbooks,
    Verb.RERUN: lambda one: one.runbooks,
}
"""A verb that is not here is for everybody: people ask, look, and end what is their own."""


def verbs_of(standing: Standing) -> tuple[Verb, ...]:
    """The verbs to show, in the order of help."""
    return tuple(verb for verb in Verb if verb not in _NEEDS or _NEEDS[verb](standing))


def standing_of(kit: Kit, person: Person, *, waiting: bool) -> Standing:
    """What this person is here now; `waiting` when something waits for their decision, as a flow may name anybody."""
    return Standing(
        decides=waiting or any(oversees(kit, person, resource) for resource in kit.resources()),
        runbooks=bool(kit.runbooks.mirrors or kit.runbooks.shelves),
    )


def oversees(kit: Kit, person: Person, resource: Resource) -> bool:
    """Whether this person is one of the resource's approvers or owners."""
    groups = (*resource.approvers, *resource.owners)
    return any(person.id in kit.world.directory.members(group) for group in groups)
