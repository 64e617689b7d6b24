"""Values to rows and back, spelled out: no reflection, no pickling, nothing restored that was not written on purpose."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast, get_type_hints

from sqlalchemy import Row

from access.actors import Actor, Agent, PersonId
from access.events import FACTS, StoredEvent
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.masking import Masked, declare_masked
from access.proposals import evidence_exact, evidence_from, evidence_shown
from access.requests import (
    AccessRequest,
    Ask,
    Choice,
    Credential,
    Grant,
    GrantState,
    Place,
    RequestState,
    Review,
    Session,
)
from access.scopes import scope_from_json, scope_to_json
from ledger.chain import canonical, micros, moment
from ledger.emergency_rows import emergency_from_json, emergency_to_json
from ledger.sealing import Sealer

Values = dict[str, Any]
AnyRow = Row[Any]


def _actor(row: AnyRow, display: str) -> Actor:
    return Actor(PersonId(row.person), Agent(row.agent) if row.agent else None, display)


def _agent(actor: Actor) -> str:
    return actor.via.name if actor.via else ""


def maybe_micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def maybe_moment(stored: int | None) -> datetime | None:
    return None if stored is None else moment(stored)


def _maybe_person(stored: str | None) -> PersonId | None:
    return None if stored is None else PersonId(stored)


# ------------------------------------------------------------------------------------------ requests


def request_values(request: AccessRequest, sealer: Sealer) -> Values:
    """The row of a request; the exact statement goes into `sealed`."""
    evidence = request.evidence
    data = {
        "display": request.actor.display,
        "scope": scope_to_json(request.scope),
        "duration": request.duration // timedelta(microseconds=1),
        "reason": request.reason,
        "ticket": request.ticket,
        "evidence": None if evidence is None else evidence_shown(evidence),
        "parent": request.parent,
        "place": [request.place.platform, request.place.channel, request.place.thread],
        "flow": request.flow,
        "groups": list(request.groups),
        "approvers": list(request.approvers),
        "authors": list(request.authors),
        "decided_by": request.decided_by,
        "decided_at": maybe_micros(request.decided_at),
        "note": request.note,
        "emergency": None if request.emergency is None else emergency_to_json(request.emergency),
        "starts_at": maybe_micros(request.starts_at),
        "revised_at": maybe_micros(request.revised_at),
    }
    return {
        "id": request.id,
        "person": request.actor.person,
        "agent": _agent(request.actor),
        "resource": request.resource,
        "ask": request.ask.value,
        "state": request.state.value,
        "revision": request.revision,
        "version": request.version,
        "session": request.session,
        "created_at": micros(request.created_at),
        "expires_at": micros(request.expires_at),
        "data": canonical(data),
        "sealed": None
        if evidence is None
        else sealer.seal(canonical(evidence_exact(evidence)), f"request/{request.id}"),
    }


def request_from(row: AnyRow, sealer: Sealer) -> AccessRequest:
    """The inverse of `request_values`."""
    data = json.loads(row.data)
    evidence = None
    if data["evidence"] is not None:
        evidence = evidence_from(data["evidence"], json.loads(sealer.open(row.sealed, f"request/{row.id}")))
    return AccessRequest(
        id=RequestId(row.id),
        actor=_actor(row, data["display"]),
        resource=row.resource,
        ask=Ask(row.ask),
        scope=scope_from_json(data["scope"]),
        duration=timedelta(microseconds=data["duration"]),
        reason=data["reason"],
        created_at=moment(row.created_at),
        expires_at=moment(row.expires_at),
        ticket=data["ticket"],
        state=RequestState(row.state),
        revision=row.revision,
        version=row.version,
        evidence=evidence,
        session=None if row.session is None else SessionId(row.session),
        parent=None if data["parent"] is None else RequestId(data["parent"]),
        place=Place(*data["place"]),
        flow=data.get("flow", "default"),
        groups=tuple(data["groups"]),
        approvers=tuple(PersonId(person) for person in data["approvers"]),
        authors=tuple(PersonId(person) for person in data.get("authors", ())),
        decided_by=_maybe_person(data["decided_by"]),
        decided_at=maybe_moment(data["decided_at"]),
        note=data["note"],
        emergency=emergency_from_json(data.get("emergency")),
        starts_at=maybe_moment(data.get("starts_at")),
        revised_at=maybe_moment(data.get("revised_at")),
    )


def review_values(review: Review) -> Values:
    return {
        "request": review.request,
        "revision": review.revision,
        "person": review.person,
        "choice": review.choice.value,
        "at": micros(review.at),
        "data": canonical({"note": review.note}),
    }


def review_from(row: AnyRow) -> Review:
    return Review(
        request=RequestId(row.request),
        revision=row.revision,
        person=PersonId(row.person),
        choice=Choice(row.choice),
        note=json.loads(row.data)["note"],
        at=moment(row.at),
    )


def grant_values(grant: Grant) -> Values:
    data = {
        "display": grant.actor.display,
        "scope": scope_to_json(grant.scope),
        "issued_by": list(grant.issued_by),
        "ended_at": maybe_micros(grant.ended_at),
        "ended_by": grant.ended_by,
        "why_ended": grant.why_ended,
        "emergency": grant.emergency,
    }
    return {
        "id": grant.id,
        "request": grant.request,
        "person": grant.actor.person,
        "agent": _agent(grant.actor),
        "resource": grant.resource,
        "state": grant.state.value,
        "version": grant.version,
        "starts_at": micros(grant.starts_at),
        "expires_at": micros(grant.expires_at),
        "holder": grant.holder,
        "used_at": maybe_micros(grant.used_at),
        "used_in": grant.used_in,
        "data": canonical(data),
    }


def grant_from(row: AnyRow) -> Grant:
    data = json.loads(row.data)
    return Grant(
        id=GrantId(row.id),
        request=RequestId(row.request),
        actor=_actor(row, data["display"]),
        resource=row.resource,
        scope=scope_from_json(data["scope"]),
        starts_at=moment(row.starts_at),
        expires_at=moment(row.expires_at),
        issued_by=tuple(PersonId(person) for person in data["issued_by"]),
        state=GrantState(row.state),
        version=row.version,
        holder=row.holder,
        ended_at=maybe_moment(data["ended_at"]),
        ended_by=_maybe_person(data["ended_by"]),
        why_ended=data["why_ended"],
        used_at=maybe_moment(row.used_at),
        used_in=None if row.used_in is None else SessionId(row.used_in),
        emergency=data.get("emergency", False),
    )


# ------------------------------------------------------------------------------------------ connections


def credential_values(credential: Credential, sealer: Sealer) -> Values:
    return {
        "id": credential.id,
        "wire_name": credential.wire_name,
        "resource": credential.resource,
        "person": credential.person,
        "agent": credential.agent,
        "created_at": micros(credential.created_at),
        "expires_at": micros(credential.expires_at),
        "ended_at": maybe_micros(credential.ended_at),
        "only_grant": credential.only_grant,
        "sealed": sealer.seal(credential.verifier, f"credential/{credential.id}"),
    }


def credential_from(row: AnyRow, sealer: Sealer) -> Credential:
    return Credential(
        id=CredentialId(row.id),
        person=PersonId(row.person),
        agent=row.agent,
        resource=row.resource,
        wire_name=row.wire_name,
        verifier=sealer.open(row.sealed, f"credential/{row.id}"),
        created_at=moment(row.created_at),
        expires_at=moment(row.expires_at),
        only_grant=None if row.only_grant is None else GrantId(row.only_grant),
        ended_at=maybe_moment(row.ended_at),
    )


_COUNTS = ("statements", "refused", "held", "masked", "rows")


def session_values(session: Session) -> Values:
    """The part of a session row that its node owns: everything but the kill fields."""
    data = {
        "display": session.actor.display,
        "database": session.database,
        "protocol": session.protocol,
        "client": session.client,
        "application": session.application,
        "why_closed": session.why_closed,
        **{name: getattr(session, name) for name in _COUNTS},
    }
    return {
        "id": session.id,
        "credential": session.credential,
        "person": session.actor.person,
        "agent": _agent(session.actor),
        "resource": session.resource,
        "node": session.node,
        "request": session.request,
        "opened_at": micros(session.opened_at),
        "heartbeat_at": micros(session.heartbeat_at),
        "closed_at": maybe_micros(session.closed_at),
        "data": canonical(data),
    }


def session_from(row: AnyRow) -> Session:
    data = json.loads(row.data)
    return Session(
        id=SessionId(row.id),
        credential=CredentialId(row.credential),
        actor=_actor(row, data["display"]),
        resource=row.resource,
        database=data["database"],
        protocol=data["protocol"],
        node=row.node,
        client=data["client"],
        application=data["application"],
        opened_at=moment(row.opened_at),
        heartbeat_at=moment(row.heartbeat_at),
        request=None if row.request is None else RequestId(row.request),
        **{name: data[name] for name in _COUNTS},
        kill_at=maybe_moment(row.kill_at),
        kill_by=_maybe_person(row.kill_by),
        kill_why=json.loads(row.kill_data).get("why", ""),
        closed_at=maybe_moment(row.closed_at),
        why_closed=data["why_closed"],
    )


# ------------------------------------------------------------------------------------------ events


@cache
def _masked_fields(kind: str) -> frozenset[str]:
    """Which fields of a fact were `Masked` when it was recorded."""
    fact = FACTS.get(kind)
    hints = get_type_hints(fact) if fact else {}
    return frozenset(name for name, hint in hints.items() if hint in {Masked, Masked | None})


def event_from(row: AnyRow) -> StoredEvent:
    """An event with its payload, or None for the payload when it was erased. Masked texts are `Masked` again."""
    payload = None
    if row.payload is not None:
        payload = cast("Values", json.loads(row.payload))
        for name in _masked_fields(row.kind):
            if isinstance(payload.get(name), str):
                payload[name] = declare_masked(payload[name])
    return StoredEvent(
        position=row.position,
        writer=row.writer,
        sequence=row.sequence,
        at=moment(row.at),
        kind=row.kind,
        stream=row.stream,
        actor=row.actor,
        payload=payload,
        hash=row.hash,
    )
