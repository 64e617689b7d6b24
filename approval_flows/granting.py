"""What an approval gives: the grant, or more time on the one there is."""

from __future__ import annotations

from access.actors import Actor, PersonId, actor_key
from access.events import AccessRequested, Fact, GrantIssued
from access.ids import GrantId, Prefix, RequestId
from access.ports import Tx
from access.requests import EXECUTOR, AccessRequest, Ask, Grant
from access.resources import Resource
from access.scopes import Scope, scope_to_json
from approval_flows import flow, routing, times
from approval_flows.lifecycle import extend_grant
from approval_flows.office import Office


def requested(request: AccessRequest) -> AccessRequested:
    """The fact that a request was filed."""
    evidence = request.evidence
    return AccessRequested(
        stream=request.id,
        actor=actor_key(request.actor),
        ask=request.ask.value,
        resource=request.resource,
        scope=scope_to_json(request.scope),
        duration_s=request.duration.total_seconds(),
        reason=request.reason,
        ticket=request.ticket,
        revision=request.revision,
        approvers=[str(person) for person in request.approvers],
        parent=request.parent or "",
        session=request.session or "",
        statement=evidence.shown if evidence else None,
        digest=evidence.digest if evidence else "",
        flow=request.flow,
        starts_at=request.starts_at.isoformat() if request.starts_at else "",
    )


def live_grant(tx: Tx, actor: Actor, resource: str, scope: Scope, parent: RequestId | None = None) -> Grant | None:
    """The one live standing grant of this actor, resource and scope (with `parent`: the one that request led to). What was
    taken by break-glass is never made longer by anything."""
    live = tx.grants(live_at=tx.now, person=actor.person, resource=resource, request=parent)
    mine = (g for g in live if g.actor == actor and g.scope == scope and not g.holder and not g.emergency)
    return next((g for g in mine if g.live(tx.now)), None)


def issue(office: Office, tx: Tx, request: AccessRequest, resource: Resource, by: tuple[PersonId, ...]) -> Grant:
    """A single-use grant, a standing one, or a later end of the one there is."""
    taken = routing.flow_of(office, request)
    resource = flow.for_scope(resource, request.scope, office.limits)
    if request.ask is Ask.ACCESS:
        held = live_grant(tx, request.actor, request.resource, request.scope, request.parent)
        if held is not None:
            most = routing.for_extending(resource, taken) if taken else resource
            until = times.until(flow.extended_end(held, request, most, tx.now), resource, taken, tx.now)
            if until <= held.expires_at:
                return held
            return extend(tx, extend_grant(held, until, office.name, by=by[-1], request=request.id))
    end = flow.window_end(request, resource, tx.now, office.limits)
    end = times.until(end, resource, taken, tx.now)
    holder = {Ask.ACCESS: "", Ask.COMMAND: EXECUTOR, Ask.STATEMENT: request.session or EXECUTOR}[request.ask]
    grant = Grant(
        id=GrantId(office.new_id(Prefix.GRANT)),
        request=request.id,
        actor=request.actor,
        resource=request.resource,
        scope=request.scope,
        starts_at=tx.now,
        expires_at=end,
        issued_by=by,
        holder=holder,
    )
    tx.insert_grant(grant)
    tx.append(issued(grant, request))
    return grant


def put(tx: Tx, decided: tuple[AccessRequest, Fact]) -> AccessRequest:
    """Store a decided request with its fact."""
    row, fact = decided
    stored = tx.update_request(row)
    tx.append(fact)
    return stored


def issued(grant: Grant, request: AccessRequest) -> GrantIssued:
    """The fact that access exists."""
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
        person=grant.actor.person,
        via=grant.actor.via.name if grant.actor.via else "",
    )


def extend(tx: Tx, changed: tuple[Grant, Fact]) -> Grant:
    """Store an extended grant; the client of its actor may connect for as long."""
    grant, fact = changed
    tx.append(fact)
    tx.lengthen_credential(grant.actor, grant.resource, grant.expires_at)
    return tx.update_grant(grant)
