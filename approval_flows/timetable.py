"""What a waiting request owes to the clock: reminders and escalations, each once, whoever looks and however late; and that
nobody is left to decide it.

Who may decide does not depend on this: `stages.course` lets the people of an escalation decide from its time on, whether
anybody was told or not. This tells them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from access.delegations import Delegation
from access.events import RequestEscalated, RequestReminded, RequestRevised, RequestStranded, StoredEvent
from access.ports import Tx
from access.requests import AccessRequest
from access.resources import Resource
from approval_flows import deputising, freezing, routing
from approval_flows.model import Flow
from approval_flows.office import Office
from approval_flows.stages import escalated


def due(flow: Flow, request: AccessRequest, now: datetime) -> tuple[int, int]:
    """How many reminders and escalations of this request are due by `now`."""
    waited = now - request.asked_at
    return sum(after <= waited for after in flow.remind), sum(one.after <= waited for one in flow.escalate)


def look_after(office: Office, tx: Tx, request: AccessRequest, delegations: Sequence[Delegation]) -> int:
    """What is due about a request that waits, under these delegations. Returns how many facts it wrote."""
    return strand(office, tx, request, delegations) or nudge(office, tx, request)


def strand(office: Office, tx: Tx, request: AccessRequest, delegations: Sequence[Delegation]) -> int:
    """Say, once for a revision, that nobody is left to decide: to whom can mend it, the owners and the security group."""
    resource = office.resources.get(request.resource)
    if resource is None or request.is_look:
        return 0
    stands = deputising.stands_of(office, delegations, resource.name, tx.now)
    if not routing.stranded(office, request, resource, stands):
        return 0
    if any(event.kind == RequestStranded.kind for event in _of_this_revision(tx, request)):
        return 0
    groups = (*resource.owners, office.limits.security_group)
    told = [str(one) for one in freezing.others(office.directory, groups, request.actor.person)]
    tx.update_request(request)
    tx.append(RequestStranded(stream=request.id, actor="gateway", told=told))
    return 1


def nudge(office: Office, tx: Tx, request: AccessRequest) -> int:
    """Tell people what is due and was not told yet. Several missed reminders are one. Returns how many facts it wrote.

    The row is written with each, so that of two processes with the same idea the second starts over and finds it done.
    """
    flow, resource = routing.flow_of(office, request), office.resources.get(request.resource)
    if flow is None or resource is None:
        return 0
    reminders, tiers = due(flow, request, tx.now)
    if not reminders and not tiers:
        return 0
    events = _of_this_revision(tx, request)
    told = sum(event.kind == RequestEscalated.kind for event in events)
    reminded = [event.payload or {} for event in events if event.kind == RequestReminded.kind]
    last = max((int(payload.get("number", 0)) for payload in reminded), default=0)
    for tier in range(told, tiers):
        request = _escalate(office, tx, flow, resource, request, tier)
    if reminders > last:
        _remind(office, tx, request, resource, reminders)
    return max(tiers - told, 0) + (reminders > last)


def _of_this_revision(tx: Tx, request: AccessRequest) -> list[StoredEvent]:
    """What was told of a former revision was told of something else."""
    events = tx.events_of(request.id)
    changed = max((event.position for event in events if event.kind == RequestRevised.kind), default=0)
    return [event for event in events if event.position > changed]


def _escalate(
    office: Office, tx: Tx, flow: Flow, resource: Resource, request: AccessRequest, tier: int
) -> AccessRequest:
    asker, duty = request.actor.person, office.duty(tx.now)
    found = escalated(flow.escalate[tier], office.directory, resource, request.groups, asker=asker, duty=duty)
    people = [person.id for person in routing.known(office, found)]
    stored = tx.update_request(replace(request, approvers=tuple(dict.fromkeys((*request.approvers, *people)))))
    tx.append(RequestEscalated(stream=request.id, actor="gateway", number=tier + 1, told=list(people)))
    return stored


def _remind(office: Office, tx: Tx, request: AccessRequest, resource: Resource, number: int) -> None:
    yes = routing.voters(tx.reviews(request.id, request.revision))
    way = routing.course_of(office, request, resource, tx.now, deputising.stands(office, tx, resource.name, tx.now))
    now = way.current(yes)
    asked = (way.steps[now].told if now < len(way.steps) else frozenset()) | frozenset(request.approvers)
    people = routing.known(office, way.open_to(yes) & asked)
    tx.update_request(request)
    tx.append(RequestReminded(stream=request.id, actor="gateway", number=number, told=[person.id for person in people]))
