"""Which verbs help shows to whom: those that could do something for this person here. Pure.

Help never authorises: a verb that is not shown still works for whoever the desk lets, and one that is shown is judged
like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from access.actors import Person
from access.resources import Protocol, Resource
from bot.intents import Verb
from bot.kit import Kit


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is here: `decides` for some resource, or something waits for them; `guards`: they may act on what
    others do (approvers, owners, the security group); whether there are `runbooks`, and servers behind `ssh`; `breaks_glass`: a
    flow names a group of theirs for emergencies; `delegates`: they may let others decide in their place."""

    decides: bool = False
    guards: bool = False
    runbooks: bool = False
    ssh: bool = False
    breaks_glass: bool = False
    delegates: bool = False


_NEEDS: Mapping[Verb, Callable[[Standing], bool]] = {
    Verb.APPROVE: lambda one: one.decides,
    Verb.DENY: lambda one: one.decides,
    Verb.PENDING: lambda one: one.decides or one.guards,
    Verb.PROPOSE: lambda one: one.decides,
    Verb.ALLOW: lambda one: one.decides,
    Verb.DISALLOW: lambda one: one.decides or one.guards,
    Verb.DELEGATE: lambda one: one.delegates,
    Verb.UNDELEGATE: lambda one: one.delegates,
    Verb.BREAK_GLASS: lambda one: one.breaks_glass,
    Verb.ATTEST: lambda one: one.breaks_glass,
    Verb.ACK: lambda one: one.guards,
    Verb.CLOSE: lambda one: one.guards,
    Verb.DENY_ALL: lambda one: one.guards,
    Verb.LIFT: lambda one: one.guards,
    Verb.RUN: lambda one: one.runbooks,
    Verb.RUNBOOKS: lambda one: one.runbooks,
    Verb.RUNS: lambda one: one.runbooks,
    Verb.RERUN: lambda one: one.runbooks,
    Verb.KEY: lambda one: one.ssh,
    Verb.SSH_CONFIG: lambda one: one.ssh,
    Verb.LOGIN: lambda one: one.ssh,
}
"""A verb that is not here is for everybody: people ask, look, and end what is their own."""


def verbs_of(standing: Standing) -> tuple[Verb, ...]:
    """The verbs to show, in the order of help."""
    return tuple(verb for verb in Verb if verb not in _NEEDS or _NEEDS[verb](standing))


def standing_of(kit: Kit, person: Person, *, waiting: bool) -> Standing:
    """What this person is here now; `waiting` when something waits for their decision, as a flow may name anybody."""
    decides = waiting or any(oversees(kit, person, resource) for resource in kit.resources())
    security = kit.world.security_group
    return Standing(
        decides=decides,
        guards=decides or (bool(security) and person.id in kit.world.directory.members(security)),
        runbooks=bool(kit.runbooks.mirrors or kit.runbooks.shelves),
        breaks_glass=kit.desk.breaks_glass(person),
        delegates=kit.desk.delegates(person),
        ssh=any(resource.protocol is Protocol.SSH for resource in kit.resources()),
    )


def may_end(kit: Kit, person: Person, resource: Resource) -> bool:
    """Whether this person may end sessions there: approvers, owners and the security group."""
    security = kit.world.security_group
    return oversees(kit, person, resource) or (bool(security) and person.id in kit.world.directory.members(security))


def oversees(kit: Kit, person: Person, resource: Resource) -> bool:
    """Whether this person is one of the resource's approvers or owners."""
    groups = (*resource.approvers, *resource.owners)
    return any(person.id in kit.world.directory.members(group) for group in groups)
