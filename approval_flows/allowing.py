"""Allowances: a yes given ahead, by at least two people, that stands in for the flow it was given by.

What uses one is a request like any other: filed, recorded, and approved at once in the names of those who gave it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from access.actors import Actor, Person, PersonId
from access.errors import Conflict, Denied, HoopError, Invalid, together
from access.events import AllowanceEnded, AllowanceVoted, OrderRefused
from access.ids import Prefix
from access.orders import ALLOWANCE, Allowance
from access.ports import EVERYTHING, Allow, Tx
from access.requests import AccessRequest, Ask
from access.resources import Resource
from access.scopes import Level, Once, level_of, scope_name, standing_scope
from approval_flows import deputising, flow, freezing, routing
from approval_flows.model import Flow
from approval_flows.office import Office
from approval_flows.stages import Course

LONGEST = timedelta(days=30)
PEOPLE = 2


def allow(office: Office, tx: Tx, wanted: Allow, by: PersonId) -> Allowance | HoopError:
    """Propose it; the proposer's is the first yes."""
    made = _made(office, tx, wanted)
    if isinstance(made, HoopError):
        tx.append(OrderRefused(stream=wanted.resource[:63], actor=by, what="allow", why=made.message))
        return made
    return _vote(office, tx, made, by)


def confirm(office: Office, tx: Tx, id: str, by: PersonId) -> Allowance | HoopError:
    """Another yes."""
    data = tx.doc(ALLOWANCE, id)
    if data is None:
        return Invalid(f"There is no allowance {id}, or it is over.", field="id")
    now = Allowance.from_json(id, data)
    if now.given:
        return Conflict(f"{id} is in force already.")
    if by in now.by:
        return Conflict(f"You said yes to {id} already; another person has to.")
    return _vote(office, tx, now, by)


def end(office: Office, tx: Tx, id: str, by: PersonId, why: str) -> Allowance | HoopError:
    """Take it back: the person it is for, its owners, approvers or the security group, each alone."""
    data = tx.doc(ALLOWANCE, id)
    if data is None:
        return Invalid(f"There is no allowance {id}, or it is over.", field="id")
    now = Allowance.from_json(id, data)
    resource = office.resources.get(now.resource)
    person = flow.active_person(office.directory, by)
    may = by in {now.person, *now.by} or (resource is not None and freezing.may_order(office, by, resource))
    if isinstance(person, Denied) or not may:
        denied = person if isinstance(person, Denied) else Denied(f"{id} is not yours to end.", rule="may-not-end")
        tx.append(OrderRefused(stream=now.resource, actor=by, what="disallow", why=denied.message))
        return denied
    tx.take_doc(ALLOWANCE, id)
    tx.append(AllowanceEnded(stream=id, actor=by, person=now.person, resource=now.resource, why=why.strip()))
    return now


def _made(office: Office, tx: Tx, wanted: Allow) -> Allowance | HoopError:
    person = office.directory.by_name(wanted.person)
    resource = flow.find_resource(office.resources, wanted.resource)
    wrong = together(
        None if person and person.active else Invalid(f"{wanted.person} is not an active person.", field="person"),
        resource if isinstance(resource, Invalid) else None,
        *_wrong(wanted),
    )
    if wrong is not None:
        return wrong
    assert person is not None
    assert not isinstance(resource, Invalid)
    taken = _flow(office, tx, person, resource, wanted)
    if isinstance(taken, HoopError):
        return taken
    return Allowance(
        id=office.new_id(Prefix.ALLOWANCE),
        person=person.id,
        agent="",
        resource=resource.name,
        scope=scope_name(wanted.scope),
        flow=taken.name,
        longest=wanted.longest,
        until=tx.now + wanted.length,
        why=wanted.why.strip(),
        by=(),
        length=wanted.length,
    )


def _wrong(wanted: Allow) -> list[Invalid]:
    """What can not be in an allowance, whoever it is for."""
    found = []
    if level_of(wanted.scope) is Level.NONE:
        found.append(Invalid("An allowance is for read, write or admin.", field="scope"))
    if not timedelta(0) < wanted.length <= LONGEST:
        found.append(Invalid(f"It lasts at most {LONGEST.days} days.", field="length"))
    if not wanted.why.strip():
        found.append(Invalid("Say why.", field="reason"))
    return found


def _flow(office: Office, tx: Tx, person: Person, resource: Resource, wanted: Allow) -> Flow | HoopError:
    """The flow that the longest request it covers would take now: its people say yes."""
    draft = flow.draft_of(Actor(person.id), resource, wanted.scope, wanted.longest, tx.now)
    taken = routing.flow_for(office, draft, resource, tx.now)
    if isinstance(taken, Denied):
        return taken
    if taken.step_up:
        return Conflict(f"The flow {taken.name} wants more than a click each time; nothing is allowed ahead.")
    if taken.automatic:
        return Conflict("That is granted at once anyway, by the flow.", hint=f"The flow {taken.name}.")
    longest = flow.check_duration(routing.for_asking(resource, taken), wanted.longest)
    return longest if isinstance(longest, Invalid) else taken


def _course(office: Office, tx: Tx, now: Allowance, resource: Resource) -> Course:
    """Who says yes now: the people of its flow, each once, and never fewer than two."""
    draft = flow.draft_of(Actor(now.person), resource, standing_scope(now.scope), now.longest, tx.now)
    way = routing.course_of(office, replace(draft, flow=now.flow), resource, tx.now)
    # Nobody says yes ahead in somebody's place, and the two who are one voice are not two people.
    way = replace(way, distinct=True, stands=deputising.stands(office, tx, resource.name, tx.now))
    places = sum(len(step.places) for step in way.steps)
    if places >= PEOPLE or not way.steps:
        return way
    last = way.steps[-1]
    more = replace(last, places=last.places + (last.people,) * (PEOPLE - places))
    return replace(way, steps=(*way.steps[:-1], more))


def _vote(office: Office, tx: Tx, now: Allowance, by: PersonId) -> Allowance | HoopError:
    resource = office.resources.get(now.resource)
    person, whose = flow.active_person(office.directory, by), flow.active_person(office.directory, now.person)
    barred: HoopError | None = next((one for one in (person, whose) if isinstance(one, Denied)), None)
    if resource is None:
        barred = Conflict(f"{now.resource} is not configured any more.")
    elif barred is None and by not in _course(office, tx, now, resource).people:
        rule = "own-request" if by == now.person else "not-an-approver"
        barred = Denied(f"You do not decide what {office.name(now.person)} asks for on {now.resource}.", rule=rule)
    if barred is not None or resource is None:
        assert barred is not None
        tx.append(OrderRefused(stream=now.resource, actor=by, what="allow", why=barred.message))
        return barred
    way = _course(office, tx, now, resource)
    if not way.feasible():
        return flow.nobody(office.directory, resource, "an allowance wants at least two different people")
    voters = (*now.by, by)
    after = replace(now, by=voters, given=way.complete(voters))
    if after.given:
        after = replace(after, until=tx.now + now.length)
    tx.put_doc(ALLOWANCE, after.id, after.to_json(), group=after.person, expires_at=after.until)
    tx.append(voted(after, by))
    return after


def voted(now: Allowance, by: PersonId) -> AllowanceVoted:
    """The fact of a yes."""
    return AllowanceVoted(
        stream=now.id,
        actor=by,
        person=now.person,
        resource=now.resource,
        scope=now.scope,
        longest_s=now.longest.total_seconds(),
        until=now.until.isoformat(),
        by=[str(one) for one in now.by],
        given=now.given,
        why=now.why,
        digest=now.digest or "",
    )


# ------------------------------------------------------------------------------------------------ using one


def covering(office: Office, tx: Tx, request: AccessRequest) -> Allowance | None:
    """The allowance that says yes to this request. Those who gave it must still be there, and the flow must still let it
    be given."""
    taken = routing.flow_of(office, request)
    if taken is None or taken.step_up:
        return None
    for key, data in tx.docs(ALLOWANCE, group=request.actor.person, limit=EVERYTHING):
        one = Allowance.from_json(key, data)
        if one.digest is not None and (taken.repeat is None or one.length > taken.repeat):
            continue
        if one.given and tx.now < one.until and _covers(one, request) and _still(office, tx, one, request):
            return one
    return None


def _covers(one: Allowance, request: AccessRequest) -> bool:
    agent = request.actor.via.name if request.actor.via else ""
    same = (one.resource, one.agent, one.flow) == (request.resource, agent, request.flow)
    if one.digest is not None:
        exact = isinstance(request.scope, Once) and request.scope.digest == one.digest
        return same and exact and request.ask is not Ask.ACCESS
    enough = Level.NONE < level_of(request.scope) <= level_of(standing_scope(one.scope))
    return same and enough and request.ask is Ask.ACCESS and request.parent is None and request.duration <= one.longest


def _still(office: Office, tx: Tx, one: Allowance, request: AccessRequest) -> bool:
    """Whether those who gave it could give it now: somebody who left a group takes their yes along."""
    resource = office.resources.get(one.resource)
    if resource is None:
        return False
    if one.digest is not None:
        stands = deputising.stands(office, tx, resource.name, tx.now)
        return routing.course_of(office, request, resource, tx.now, stands).complete(one.by)
    return _course(office, tx, one, resource).complete(one.by)


def repeat(office: Office, tx: Tx, request: AccessRequest, length: timedelta, by: tuple[PersonId, ...]) -> Allowance:
    """The same command again for a while, as the approval of `request` said."""
    assert isinstance(request.scope, Once)
    made = Allowance(
        id=office.new_id(Prefix.ALLOWANCE),
        person=request.actor.person,
        agent=request.actor.via.name if request.actor.via else "",
        resource=request.resource,
        scope=scope_name(request.scope),
        flow=request.flow,
        longest=length,
        until=tx.now + length,
        why=f"approved with {request.id}",
        by=by,
        length=length,
        given=True,
        digest=request.scope.digest,
    )
    tx.put_doc(ALLOWANCE, made.id, made.to_json(), group=made.person, expires_at=made.until)
    tx.append(voted(made, by[-1]))
    return made
