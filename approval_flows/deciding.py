"""Deciding a request, and what an approval gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from access.actors import Actor, Person, PersonId, person_id
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import Fact, GrantIssued, ReviewGiven, ReviewRefused
from access.ids import GrantId, Prefix, RequestId
from access.ports import Tx
from access.requests import (
    EXECUTOR,
    AccessRequest,
    Ask,
    Choice,
    Grant,
    RequestState,
    Review,
)
from access.resources import Resource
from access.scopes import Level, Scope, level_of, scope_to_json
from approval_flows import flow
from approval_flows.asking import live_grant, requested
from approval_flows.lifecycle import RequestCommand, decide_request, extend_grant, request_refusal
from approval_flows.office import Office

OPERATOR = "operator"


def review(
    office: Office, tx: Tx, id: RequestId, revision: int, by: PersonId, choice: Choice, note: str
) -> AccessRequest | HoopError:
    """Take one person's vote; the deciding one approves (and issues) or denies."""
    request = tx.request(id)
    if request is None:
        return _unknown(id)
    if request.state is RequestState.PENDING and not flow.waits(request, tx.now):
        request = expire(office, tx, request)
    eligible = flow.deciders(office.directory, request.groups, request.actor)
    refusal = _refusal(office, tx, request, revision, by, choice, eligible)
    if refusal is not None:
        tx.append(ReviewRefused(stream=id, actor=by, choice=choice.value, why=refusal.message))
        return refusal
    resource = office.resources.get(request.resource)
    requester = flow.active_person(office.directory, request.actor.person)
    if resource is None or isinstance(requester, Denied):
        why = f"{request.resource} is not configured any more" if resource is None else "the requester is not active"
        _put(tx, decide_request(request, RequestCommand.CANCEL, tx.now, office.name, note=why))
        return Conflict(f"{id} was cancelled: {why}.")
    vote = Review(id, revision, by, choice, note, tx.now)
    tx.insert_review(vote)
    tx.append(ReviewGiven(stream=id, actor=by, revision=revision, choice=choice.value, note=note))
    if choice is Choice.DENY:
        return _put(tx, decide_request(request, RequestCommand.DENY, tx.now, office.name, by=by, note=note))
    votes = tx.reviews(id, revision)
    if not flow.satisfied(votes, office.limits.needed, eligible):
        return request
    approved = _put(tx, decide_request(request, RequestCommand.APPROVE, tx.now, office.name, by=by, note=note))
    yes = tuple(one.person for one in votes if one.choice is Choice.APPROVE and one.person in eligible)
    issue(office, tx, approved, resource, yes)
    return approved


def _refusal(
    office: Office,
    tx: Tx,
    request: AccessRequest,
    revision: int,
    by: PersonId,
    choice: Choice,
    eligible: dict[PersonId, Person],
) -> HoopError | None:
    """Why this vote does not count, the first reason that is true."""
    voter = flow.active_person(office.directory, by)
    if isinstance(voter, Denied):
        return voter
    over = request_refusal(request, RequestCommand(choice.value), office.name)
    if over is not None:
        return over
    if revision != request.revision:
        message = f"This was asked as revision {revision}; {request.id} is at revision {request.revision} now."
        return Conflict(message, hint="Read it again before you decide.")
    barred = flow.may_review(request, by, eligible)
    if barred is not None:
        return barred
    if any(vote.person == by for vote in tx.reviews(request.id, request.revision)):
        return Conflict(f"You have voted on {request.id} already.")
    return None


def cancel(office: Office, tx: Tx, id: RequestId, by: PersonId, why: str) -> AccessRequest | HoopError:
    """Take a waiting request back: by its requester, also on behalf of the client that left."""
    request = tx.request(id)
    if request is None:
        return _unknown(id)
    refusal = request_refusal(request, RequestCommand.CANCEL, office.name)
    if by != request.actor.person:
        refusal_of_other = Denied(f"Only {office.name(request.actor.person)} can cancel {id}.", rule="not-yours")
        tx.append(ReviewRefused(stream=id, actor=by, choice=RequestCommand.CANCEL.value, why=refusal_of_other.message))
        return refusal_of_other
    if refusal is not None:
        return refusal
    return _put(tx, decide_request(request, RequestCommand.CANCEL, tx.now, office.name, by=by, note=why))


def expire(office: Office, tx: Tx, request: AccessRequest) -> AccessRequest:
    """Write down that nobody decided in time."""
    return _put(tx, decide_request(request, RequestCommand.EXPIRE, tx.now, office.name))


def withdraw(office: Office, tx: Tx, request: AccessRequest, why: str) -> AccessRequest:
    """Cancel a waiting request because what it is about is over."""
    return _put(tx, decide_request(request, RequestCommand.CANCEL, tx.now, office.name, note=why))


def issue(office: Office, tx: Tx, request: AccessRequest, resource: Resource, by: tuple[PersonId, ...]) -> Grant:
    """What an approval gives: a single-use grant, a standing one, or a later end of the one there is."""
    if request.ask is Ask.ACCESS:
        held = live_grant(tx, request.actor, request.resource, request.scope, request.parent)
        if held is not None:
            until = flow.extended_end(held, request, resource, tx.now)
            if until <= held.expires_at:
                return held
            later, fact = extend_grant(held, until, office.name, by=by[-1], request=request.id)
            tx.append(fact)
            return tx.update_grant(later)
    holder = {Ask.ACCESS: "", Ask.COMMAND: EXECUTOR, Ask.STATEMENT: request.session or EXECUTOR}[request.ask]
    grant = Grant(
        id=GrantId(office.new_id(Prefix.GRANT)),
        request=request.id,
        actor=request.actor,
        resource=request.resource,
        scope=request.scope,
        starts_at=tx.now,
        expires_at=flow.window_end(request, resource, tx.now, office.limits),
        issued_by=by,
        holder=holder,
    )
    tx.insert_grant(grant)
    tx.append(_issued(grant, request))
    return grant


def grant_directly(
    office: Office,
    tx: Tx,
    who: Person,
    resource_name: str,
    scope: Scope,
    duration: timedelta,
    reason: str,
    operator: str,
) -> Grant | HoopError:
    """Standing access without approval, by the operator on the gateway's host: recorded as exactly that."""
    person = flow.active_person(office.directory, who.id)
    if isinstance(person, Denied):
        return Denied(f"{who.name} is not an active person of the directory.", rule="person-inactive")
    resource = flow.find_resource(office.resources, resource_name)
    if isinstance(resource, Invalid):
        return resource
    wanted = flow.check_duration(resource, duration)
    if isinstance(wanted, Invalid):
        return wanted
    if level_of(scope) is Level.NONE:
        return Invalid("Standing access is read, write or admin.", field="scope")
    if not reason.strip() or not operator:
        return Invalid("Access without approval wants a reason and an operator.", field="reason")
    by = person_id(OPERATOR, operator)
    request = AccessRequest(
        id=RequestId(office.new_id(Prefix.REQUEST)),
        actor=Actor(person.id, display=person.name),
        resource=resource.name,
        ask=Ask.ACCESS,
        scope=scope,
        duration=wanted,
        reason=reason.strip(),
        created_at=tx.now,
        expires_at=tx.now + office.limits.ask_for,
    )
    approved, fact = decide_request(
        request, RequestCommand.APPROVE, tx.now, office.name, by=by, note="issued by the operator, without approval"
    )
    tx.insert_request(approved)
    tx.append(replace(requested(request), actor=by))
    tx.append(fact)
    return issue(office, tx, approved, resource, (by,))


def _issued(grant: Grant, request: AccessRequest) -> GrantIssued:
    return GrantIssued(
        stream=grant.request,
        actor=grant.issued_by[-1],
        grant=grant.id,
        resource=grant.resource,
        scope=scope_to_json(grant.scope),
        starts_at=grant.starts_at.isoformat(),
        expires_at=grant.expires_at.isoformat(),
        by=[str(person) for person in grant.issued_by],
        reason=request.reason,
    )


def _put(tx: Tx, decided: tuple[AccessRequest, Fact]) -> AccessRequest:
    row, fact = decided
    stored = tx.update_request(row)
    tx.append(fact)
    return stored


def _unknown(id: RequestId) -> Invalid:
    return Invalid(f"There is no request {id}.", field="id", hint="What waits for you: /hoop pending")
