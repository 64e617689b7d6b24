"""Access that was approved and waits to be begun: by its person, not before its start and within a while of it.

It is a document, no grant: nothing can be done with it, whatever a timer does. Begun, it becomes a grant whose clock
starts then. Taken once (`take_doc`), so that it is begun, called off or lapsed, and never two of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from access.actors import PersonId, person_id
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import AccessDue, AccessLapsed, AccessReady, ReviewRefused
from access.ids import RequestId
from access.openings import READY, Opening
from access.orders import Allowance
from access.ports import EVERYTHING, Tx
from access.requests import AccessRequest, Ask, Grant
from access.resources import Resource
from approval_flows import flow, granting, routing, times
from approval_flows.freezing import frozen, may_order
from approval_flows.lifecycle import RequestCommand, clock_time, decide_request
from approval_flows.model import Flow
from approval_flows.office import Office

FLOW = "flow"


def approve_automatically(
    office: Office, tx: Tx, request: AccessRequest, resource: Resource, ahead: Allowance | None = None
) -> AccessRequest:
    """Approve a request whose flow asks nobody (the flow is named as the one who decided), or that was allowed ahead."""
    by: tuple[PersonId, ...] = (person_id(FLOW, request.flow),)
    note = "automatic, by the flow"
    if ahead is not None:
        by, note = ahead.by, f"allowed ahead until {clock_time(ahead.until)} ({ahead.id})"
    approved = granting.put(
        tx, decide_request(request, RequestCommand.APPROVE, tx.now, office.name, by=by[-1], note=note)
    )
    give(office, tx, approved, resource, by)
    return approved


def give(office: Office, tx: Tx, request: AccessRequest, resource: Resource, by: tuple[PersonId, ...]) -> None:
    """What an approval gives now, or the right to begin it within a while."""
    taken = routing.flow_of(office, request)
    if request.ask is Ask.ACCESS and request.parent is None and taken is not None:
        last = times.begin_by(request, resource, taken, tx.now, office.limits)
        if last is not None:
            _keep(tx, request, by, last)
            return
    granting.issue(office, tx, request, resource, by)


def _keep(tx: Tx, request: AccessRequest, by: tuple[PersonId, ...], last: datetime) -> None:
    start = times.wanted_at(request, tx.now)
    kept = Opening(request.id, request.actor.person, request.resource, start, last, by)
    tx.put_doc(READY, request.id, kept.to_json(), group=request.actor.person)
    ahead = start.isoformat() if start > tx.now else ""
    people = [str(one) for one in by]
    tx.append(
        AccessReady(
            stream=request.id, actor=by[-1], resource=request.resource, until=last.isoformat(), by=people, start=ahead
        )
    )


def begin(office: Office, tx: Tx, id: RequestId, by: PersonId) -> Grant | HoopError:
    """The person begins what was approved: the clock of the access starts now. Once."""
    request = tx.request(id)
    if request is None:
        return Invalid(f"There is no request {id}.", field="id", hint="Yours are listed by /hoop my")
    if by != request.actor.person:
        return Denied(f"Only {office.name(request.actor.person)} can begin {id}.", rule="not-yours")
    person, resource = flow.active_person(office.directory, by), office.resources.get(request.resource)
    if isinstance(person, Denied):
        return person
    if resource is None:
        return Conflict(f"{request.resource} is not configured any more.")
    if (stopped := frozen(office, tx, resource.name)) is not None:
        return stopped
    kept = opening_of(tx, id)
    if kept is None or tx.now >= kept.until:
        return Conflict(f"{id} can not be begun: it was begun, it is too late, or it was never approved.")
    if tx.now < kept.start:
        hint = f"Begin it then, at the latest at {clock_time(kept.until)}: /hoop begin {id}"
        return Conflict(f"{id} starts at {clock_time(kept.start)}; it is too early.", hint=hint)
    closed = times.check_windows(resource.name, resource, routing.flow_of(office, request), tx.now)
    if closed is not None:
        return Conflict(closed.message, hint="It can not be begun now.")
    if (unmet := routing.ticket_refusal(office, request)) is not None:
        return Conflict(unmet.message, hint="It can not be begun now.")
    if kept.by == (person_id(FLOW, request.flow),) and (changed := _not_by_itself(office, tx, request, resource)):
        return changed
    tx.take_doc(READY, id)
    return granting.issue(office, tx, request, resource, kept.by)


def _not_by_itself(office: Office, tx: Tx, request: AccessRequest, resource: Resource) -> Conflict | None:
    """Nobody looked at it, so what let its flow say yes has to hold still: hours, groups, being on call, the ticket."""
    taken = routing.flow_for(office, request, resource, tx.now)
    if not isinstance(taken, Denied) and taken.name == request.flow and taken.automatic:
        return None
    why = f"it takes the flow {taken.name} now" if isinstance(taken, Flow) else "no flow covers it now"
    hint = f"Ask for it now: /hoop request {resource.name}"
    return Conflict(f"{request.id} was approved by the flow {request.flow} alone, and {why}.", hint=hint)


def call_off(office: Office, tx: Tx, id: RequestId, by: PersonId, why: str) -> AccessRequest | HoopError:
    """It will not be begun: its person, an approver, an owner or the security group says so."""
    request, kept = tx.request(id), opening_of(tx, id)
    if request is None:
        return Invalid(f"There is no request {id}.", field="id", hint="Yours are listed by /hoop my")
    person, resource = flow.active_person(office.directory, by), office.resources.get(request.resource)
    may = by == request.actor.person or (resource is not None and may_order(office, by, resource))
    if isinstance(person, Denied) or not may:
        message = f"{id} can be called off by who asked for it, its approvers and owners, and the security group."
        barred = person if isinstance(person, Denied) else Denied(message, rule="may-not-end")
        tx.append(ReviewRefused(stream=id, actor=by, choice="call off", why=barred.message))
        return barred
    if kept is None:
        return Conflict(f"{id} does not wait to be begun: it was begun, called off, or it is over.")
    _lapse(tx, kept, why.strip() or "called off", by)
    return request


def tick(office: Office, tx: Tx) -> int:
    """Tell whose time has come, and write down what nobody began in time or whose person left."""
    changed = 0
    for kept in openings(tx):
        if tx.now >= kept.until:
            _lapse(tx, kept, "nobody began it in time")
        elif isinstance(flow.active_person(office.directory, kept.person), Denied):
            _lapse(tx, kept, "the person is not active any more")
        elif kept.start <= tx.now and not kept.told:
            tx.put_doc(READY, kept.request, {**kept.to_json(), "told": True}, group=kept.person)
            if tx.seen(f"due:{kept.request}"):
                continue
            due = AccessDue(stream=kept.request, actor="gateway", resource=kept.resource, until=kept.until.isoformat())
            tx.append(due)
        else:
            continue
        changed += 1
    return changed


def opening_of(tx: Tx, id: RequestId) -> Opening | None:
    """What waits to be begun of this request."""
    data = tx.doc(READY, id)
    return _read(id, data) if data is not None else None


def openings(tx: Tx, person: PersonId | None = None) -> list[Opening]:
    """All that waits to be begun, or one person's, the first start first."""
    found = [_read(key, data) for key, data in tx.docs(READY, group=person, limit=EVERYTHING)]
    return sorted(found, key=lambda one: (one.start, one.request))


def _read(key: str, data: Mapping[str, Any]) -> Opening:
    return Opening.from_json(RequestId(key), data)


def _lapse(tx: Tx, kept: Opening, why: str, by: PersonId | None = None) -> None:
    if tx.take_doc(READY, kept.request) is None:
        return
    lapsed = AccessLapsed(stream=kept.request, actor=by or "gateway", resource=kept.resource, why=why, by=by or "")
    tx.append(lapsed)
