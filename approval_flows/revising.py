"""The requester changes a waiting request: a new revision, decided from the start."""

from __future__ import annotations

from dataclasses import replace

from access.actors import PersonId
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import RequestRevised, ReviewRefused
from access.ids import RequestId
from access.ports import Change, Tx
from access.requests import AccessRequest, Ask, RequestState
from access.resources import Resource
from access.scopes import scope_to_json
from approval_flows import deputising, flow, opening, routing, times
from approval_flows.asking import allowed, denials, missing, routed, waiting_of
from approval_flows.deciding import expire
from approval_flows.lifecycle import RequestCommand, request_refusal
from approval_flows.model import Flow
from approval_flows.office import Office


def change(office: Office, tx: Tx, id: RequestId, by: PersonId, wanted: Change) -> AccessRequest | HoopError:
    """The next revision. Whatever is refused leaves the one that waits as it is, with its votes."""
    request = tx.request(id)
    if request is None:
        return Invalid(f"There is no request {id}.", field="id", hint="Yours are listed by /hoop my")
    if by != request.actor.person:
        other = Denied(f"Only {office.name(request.actor.person)} can change {id}.", rule="not-yours")
        tx.append(ReviewRefused(stream=id, actor=by, choice="change", why=other.message))
        return other
    if request.state is RequestState.PENDING and not flow.waits(request, tx.now):
        request = expire(office, tx, request)
    over = request_refusal(request, RequestCommand.CANCEL, office.name)
    if over is not None:
        return over
    if request.ask is not Ask.ACCESS or request.parent is not None:
        hint = f"Cancel it and ask anew: /hoop cancel {id}"
        return Conflict("Only a request for access can be changed; a command is what it is.", hint=hint)
    new = _changed(request, wanted)
    if new == request:
        return Invalid("Nothing would change.", field="duration", hint="Say a duration, --scope, --reason or --ticket.")
    return file_anew(office, tx, request, new)


def _changed(request: AccessRequest, wanted: Change) -> AccessRequest:
    return replace(
        request,
        duration=request.duration if wanted.duration is None else wanted.duration,
        scope=wanted.scope or request.scope,
        reason=request.reason if wanted.reason is None else wanted.reason.strip(),
        ticket=request.ticket if wanted.ticket is None else wanted.ticket.strip(),
        starts_at=wanted.starts_at or request.starts_at,
    )


def file_anew(
    office: Office, tx: Tx, old: AccessRequest, new: AccessRequest, author: PersonId | None = None
) -> AccessRequest | HoopError:
    """All that is checked when something is asked is checked again, by the flow the new revision takes. `author` is who
    wrote its text, when that was not the requester."""
    resource = allowed(office, tx, new.actor, new.resource, new.reason, new.ticket)
    if isinstance(resource, HoopError):
        return resource
    taken = routed(office, tx, new, resource)
    if isinstance(taken, HoopError):
        return taken
    late = times.check_start(new.starts_at, tx.now, office.limits) if new.starts_at != old.starts_at else None
    late = late or times.check_opening(new, resource, taken, tx.now)
    wrong = _again(office, tx, new) or late or _outside(office, resource, taken, new)
    if wrong is not None:
        return wrong
    if taken.automatic and author is None:
        hint = f"Cancel this one and ask for it: /hoop cancel {old.id}"
        return Conflict(f"That would be granted at once by the flow {taken.name}.", hint=hint)
    if new.starts_at is not None:
        new = replace(new, expires_at=max(new.expires_at, new.starts_at))
    if taken.waits is not None:
        new = replace(new, expires_at=min(new.expires_at, max(tx.now + taken.waits, new.starts_at or tx.now)))
    new = replace(new, revision=old.revision + 1, flow=taken.name, revised_at=tx.now)
    new = new if author else replace(new, groups=resource.approvers)
    told: tuple[PersonId, ...] = ()
    if not taken.automatic:
        way = routing.course_of(office, new, resource, tx.now, deputising.stands(office, tx, resource.name, tx.now))
        if not way.feasible():
            return flow.nobody(office.directory, resource, missing(way))
        told = tuple(person.id for person in routing.known(office, way.steps[0].told))
    new = replace(new, approvers=tuple(dict.fromkeys((*told, *old.approvers))))
    tx.append(_revised(tx, old, new, told, author))
    stored = tx.update_request(new)
    return opening.approve_automatically(office, tx, stored, resource) if taken.automatic else stored


def _again(office: Office, tx: Tx, new: AccessRequest) -> Conflict | None:
    """Why this is not asked now: the same waits already, or was denied a moment ago."""
    mine = waiting_of(tx, new.actor.person)
    same = next((one for one in mine if one.id != new.id and flow.waits(one, tx.now) and flow.same_ask(one, new)), None)
    if same is not None:
        return Conflict(f"The very same waits already as {same.id}.", hint=f"Cancel one of them: /hoop cancel {new.id}")
    return flow.check_cool_down(denials(tx, new), new, tx.now, office.limits)


def _revised(
    tx: Tx, old: AccessRequest, new: AccessRequest, told: tuple[PersonId, ...], author: PersonId | None
) -> RequestRevised:
    evidence = new.evidence
    return RequestRevised(
        stream=new.id,
        actor=new.actor.person,
        revision=new.revision,
        scope=scope_to_json(new.scope),
        duration_s=new.duration.total_seconds(),
        reason=new.reason,
        ticket=new.ticket,
        starts_at=new.starts_at.isoformat() if new.starts_at else "",
        flow=new.flow,
        voided=[str(review.person) for review in tx.reviews(old.id, old.revision)],
        approvers=[str(person) for person in told],
        statement=evidence.shown if evidence else None,
        digest=evidence.digest if evidence else "",
        author=author or "",
    )


def _outside(office: Office, resource: Resource, taken: Flow, new: AccessRequest) -> Invalid | None:
    """Why this access can not be asked for by this flow."""
    if new.ask is not Ask.ACCESS:
        return None
    resource = routing.for_asking(flow.for_scope(resource, new.scope, office.limits), taken)
    wrong = flow.check_scope(new.actor, resource, new.scope)
    if wrong is not None:
        return wrong
    length = flow.check_duration(resource, new.duration)
    return length if isinstance(length, Invalid) else None
