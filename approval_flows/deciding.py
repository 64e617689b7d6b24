"""Deciding a request, and what an approval gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from access.actors import Actor, Person, PersonId, person_id
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import ReviewGiven, ReviewRefused, StageReached
from access.ids import Prefix, RequestId
from access.ports import Narrowed, Tx
from access.requests import (
    AccessRequest,
    Ask,
    Choice,
    Grant,
    RequestState,
    Review,
)
from access.resources import Resource
from access.scopes import Level, Once, Scope, level_of
from approval_flows import allowing, deputising, flow, freezing, granting, opening, routing, times
from approval_flows.granting import put, requested
from approval_flows.lifecycle import RequestCommand, decide_request, request_refusal
from approval_flows.office import Office
from approval_flows.stages import Course, Stands
from approval_flows.wording import readable

OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Vote:
    """What one person says to one revision. `stepped_up`: they confirmed it by more than a click."""

    revision: int
    by: PersonId
    choice: Choice
    note: str = ""
    narrowed: Narrowed = field(default_factory=Narrowed)
    stepped_up: bool = False


def review(office: Office, tx: Tx, id: RequestId, vote: Vote) -> AccessRequest | HoopError:
    """Take one person's vote; the deciding one approves (and issues) or denies.

    An approval may give less than was asked for. Earlier approvals stay: they were for more.
    """
    request = tx.request(id)
    if request is None:
        return _unknown(id)
    if request.state is RequestState.PENDING and not flow.waits(request, tx.now):
        request = expire(office, tx, request)
    barred: HoopError | None = vote_refusal(office, tx, request, vote.revision, vote.by, vote.choice)
    if barred is None and vote.choice is Choice.APPROVE and not vote.stepped_up:
        barred = _wants_more(office, request)
    if barred is not None:
        tx.append(ReviewRefused(stream=id, actor=vote.by, choice=vote.choice.value, why=barred.message))
        return barred
    resource = office.resources.get(request.resource)
    requester = flow.active_person(office.directory, request.actor.person)
    if resource is None or isinstance(requester, Denied):
        why = f"{request.resource} is not configured any more" if resource is None else "the requester is not active"
        withdraw(office, tx, request, why)
        return Conflict(f"{id} was cancelled: {why}.")
    less = _narrowed(office, tx, request, resource, vote)
    if isinstance(less, HoopError):
        return less
    request, said = less
    stands = deputising.stands(office, tx, resource.name, tx.now)
    _write_down(office, tx, request, resource, vote, said, stands)
    if vote.choice is Choice.DENY:
        denied = decide_request(request, RequestCommand.DENY, tx.now, office.name, by=vote.by, note=vote.note)
        return put(tx, denied)
    return _count(office, tx, request, resource, vote, stands)


def _narrowed(
    office: Office, tx: Tx, request: AccessRequest, resource: Resource, vote: Vote
) -> tuple[AccessRequest, str] | Invalid:
    """The request with what this vote gives instead, and that in words; Invalid where it can not be given like that."""
    less = flow.narrow(request, vote.choice, vote.narrowed)
    if isinstance(less, Invalid):
        return less
    wrong = flow.check_scope(request.actor, resource, less[0].scope) if vote.narrowed.tables else None
    return wrong or _no_repeat(office, tx, request, resource, vote.choice, vote.narrowed) or less


def _write_down(
    office: Office, tx: Tx, request: AccessRequest, resource: Resource, vote: Vote, said: str, stands: Stands
) -> None:
    """The vote, and whose place its person takes. Of one who said yes before, the no stands in the events alone: it ends
    the request."""
    whose = routing.stood_in(office, request, resource, tx.now, stands).get(vote.by, ())
    if all(one.person != vote.by for one in tx.reviews(request.id, vote.revision)):
        tx.insert_review(Review(request.id, vote.revision, vote.by, vote.choice, vote.note, tx.now))
    given = ReviewGiven(
        stream=request.id,
        actor=vote.by,
        revision=vote.revision,
        choice=vote.choice.value,
        note=vote.note,
        narrowed=said,
        assurance="step-up" if vote.stepped_up else "",
        stands_for=[str(one) for one in whose],
    )
    tx.append(given)


def _count(
    office: Office, tx: Tx, request: AccessRequest, resource: Resource, vote: Vote, stands: Stands
) -> AccessRequest:
    """What the approvals are worth with this one: the next stage, or the approval and what it gives."""
    yes = routing.voters(tx.reviews(request.id, vote.revision))
    way = routing.course_of(office, request, resource, tx.now, stands)
    if not way.complete(yes):
        return _next_stage(office, tx, request, way, yes, vote.by)
    decided = decide_request(request, RequestCommand.APPROVE, tx.now, office.name, by=vote.by, note=vote.note)
    approved = put(tx, decided)
    givers = tuple(one for one in yes if one in way.people)
    if vote.narrowed.repeat is not None:
        allowing.repeat(office, tx, approved, vote.narrowed.repeat, givers)
    opening.give(office, tx, approved, resource, givers)
    return approved


def _no_repeat(
    office: Office, tx: Tx, request: AccessRequest, resource: Resource, choice: Choice, narrowed: Narrowed
) -> Invalid | None:
    """Why this command may not be allowed again for `narrowed.repeat`; None if it may, or if nobody says so."""
    if narrowed.repeat is None:
        return None
    taken = routing.flow_of(office, request)
    if choice is not Choice.APPROVE or not isinstance(request.scope, Once) or taken is None or taken.repeat is None:
        return Invalid("This is approved for one run only; its flow permits no more.", field="repeat")
    if sum(len(step.places) for step in routing.course_of(office, request, resource, tx.now).steps) != 1:
        return Invalid("What takes several people runs once for each approval.", field="repeat")
    if not timedelta(0) < narrowed.repeat <= taken.repeat:
        most = flow.shown_duration(taken.repeat)
        return Invalid(f"The flow {taken.name} allows the same again for at most {most}.", field="repeat")
    return None


def _next_stage(
    office: Office, tx: Tx, request: AccessRequest, way: Course, yes: list[PersonId], by: PersonId
) -> AccessRequest:
    """When this vote completed a stage, the people of the next one are asked now. The row is written in any case, so
    that two votes at the same moment are counted one after the other."""
    now, before = way.current(yes), way.current([one for one in yes if one != by])
    if now <= before or now >= len(way.steps):
        return tx.update_request(request)
    told = tuple(person.id for person in routing.known(office, way.steps[now].told - {*yes}))
    tx.append(StageReached(stream=request.id, actor=by, stage=way.steps[now].name, told=list(told)))
    return tx.update_request(replace(request, approvers=tuple(dict.fromkeys((*request.approvers, *told)))))


def _wants_more(office: Office, request: AccessRequest) -> Denied | None:
    """The refusal of a click where the flow wants step-up."""
    taken = routing.flow_of(office, request)
    if taken is None or not taken.step_up:
        return None
    hint = "Approve it in chat or the console: a link to confirm it comes as the answer."
    return Denied(f"The flow {taken.name} wants more than a click for {request.id}.", rule="step-up", hint=hint)


def vote_refusal(
    office: Office,
    tx: Tx,
    request: AccessRequest,
    revision: int,
    by: PersonId,
    choice: Choice,
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
    if choice is Choice.APPROVE and (twice := _voted(office, tx, request, by)) is not None:
        return twice
    if (removed := routing.gone(office, request)) is not None:
        return removed
    if choice is Choice.APPROVE and (stopped := freezing.frozen(office, tx, request.resource)) is not None:
        return stopped
    if (resource := office.resources.get(request.resource)) is None:
        return None
    if choice is Choice.APPROVE and (closed := _closed(office, tx, request, resource)) is not None:
        return closed
    if choice is Choice.APPROVE and (unmet := routing.ticket_refusal(office, request)) is not None:
        return Conflict(unmet.message, hint=unmet.hint)
    stands, votes = deputising.stands(office, tx, request.resource, tx.now), tx.reviews(request.id, request.revision)
    spoken = _same_voice(office, votes, by, stands) if choice is Choice.APPROVE else None
    if spoken is not None:
        return spoken
    now = routing.progress(office, request, votes, tx.now, stands)
    return flow.may_review(request, by, choice, now.deciders, now.deniers)


def _voted(office: Office, tx: Tx, request: AccessRequest, by: PersonId) -> Conflict | None:
    """The refusal of a second yes: people are counted once. Who said yes may still say no."""
    votes = tx.reviews(request.id, request.revision)
    if all(vote.person != by for vote in votes):
        return None
    now = routing.progress(office, request, votes, tx.now, deputising.stands(office, tx, request.resource, tx.now))
    hint = f"Each person counts once. {flow.who_can(now.deciders)}"
    return Conflict(f"You have voted on {request.id} already.", hint=hint)


def _closed(office: Office, tx: Tx, request: AccessRequest, resource: Resource) -> Conflict | None:
    """The refusal when what is approved would begin outside of a window: it was asked for in one that closed since."""
    closed = times.check_opening(request, resource, routing.flow_of(office, request), tx.now)
    return Conflict(closed.message, hint="Deny it, or decide when it opens.") if closed is not None else None


def _same_voice(office: Office, votes: list[Review], by: PersonId, stands: Stands) -> Conflict | None:
    """The refusal when who takes `by`'s place, or whose place they take, has voted: the two are one voice."""
    for vote in votes:
        if vote.person in stands.get(by, ()) or by in stands.get(vote.person, ()):
            hint = "A delegation makes the two of you one voice."
            return Conflict(f"{office.name(vote.person)} has voted already, also for you.", hint=hint)
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
    return put(tx, decide_request(request, RequestCommand.CANCEL, tx.now, office.name, by=by, note=why))


def expire(office: Office, tx: Tx, request: AccessRequest) -> AccessRequest:
    """Write down that nobody decided in time."""
    return put(tx, decide_request(request, RequestCommand.EXPIRE, tx.now, office.name))


def withdraw(office: Office, tx: Tx, request: AccessRequest, why: str) -> AccessRequest:
    """Cancel a waiting request because what it is about is over."""
    return put(tx, decide_request(request, RequestCommand.CANCEL, tx.now, office.name, note=why))


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
    barred = freezing.frozen(office, tx, resource.name) or times.check_windows(resource.name, resource, None, tx.now)
    if barred is not None:
        return barred
    if isinstance(wanted, Invalid):
        return wanted
    if level_of(scope) is Level.NONE:
        return Invalid("Standing access is read, write or admin.", field="scope")
    wrong = flow.check_scope(Actor(person.id), resource, scope)
    if wrong is not None:
        return wrong
    if not readable(reason) or not operator:
        return Invalid("Access without approval wants a reason and an operator.", field="reason")
    return _granted_by(office, tx, person, resource, scope, wanted, reason.strip(), person_id(OPERATOR, operator))


def _granted_by(
    office: Office,
    tx: Tx,
    person: Person,
    resource: Resource,
    scope: Scope,
    wanted: timedelta,
    reason: str,
    by: PersonId,
) -> Grant | HoopError:
    request = AccessRequest(
        id=RequestId(office.new_id(Prefix.REQUEST)),
        actor=Actor(person.id, display=person.name),
        resource=resource.name,
        ask=Ask.ACCESS,
        scope=scope,
        duration=wanted,
        reason=reason,
        created_at=tx.now,
        expires_at=tx.now + office.limits.ask_for,
    )
    approved, fact = decide_request(
        request, RequestCommand.APPROVE, tx.now, office.name, by=by, note="issued by the operator, without approval"
    )
    tx.insert_request(approved)
    tx.append(replace(requested(request), actor=by))
    tx.append(fact)
    return granting.issue(office, tx, approved, resource, (by,))


def _unknown(id: RequestId) -> Invalid:
    return Invalid(f"There is no request {id}.", field="id", hint="What waits for you: /hoop pending")
