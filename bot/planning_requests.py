"""What people are told about a request: asked, voted on, changed, called for, decided, an emergency, done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from access.actors import PersonId
from access.events import StoredEvent
from access.ports import Tx
from access.requests import AccessRequest, RequestState
from approval_flows.opening import opening_of
from bot.copies import (
    Around,
    copies,
    in_channel,
    request_of,
    to_person,
    to_requester,
    told_in_person,
    waits_for,
)
from bot.deliveries import Delivery, View
from bot.preferences import Notice, quiet, wants


def shown(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    request = request_of(tx, event)
    return copies(plan, tx, request) if request else []


def voted(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    request = request_of(tx, event)
    if request is None:
        return []
    line = in_channel(plan, tx, request, View.VOTE, request.id, part=str(event.position))
    return [*line, *(copies(plan, tx, request) if request.state is RequestState.PENDING else [])]


def revised(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Every copy becomes the new revision with new buttons, and the thread says so: an update in place calls nobody. Who was
    written to before is written to again, the channel first."""
    request = request_of(tx, event)
    if request is None:
        return []
    part = str(event.position)
    line = in_channel(plan, tx, request, View.NUDGE, request.id, part=part)
    for one in _asked_again(plan, tx, request):
        line.append(to_person(plan, one, View.NUDGE, request.id, part=part, after=waits_for(plan, tx, request, one)))
    return [*copies(plan, tx, request), *line]


def _asked_again(plan: Around, tx: Tx, request: AccessRequest) -> list[PersonId]:
    """Who was written to about an earlier revision and can decide this one."""
    had = {PersonId(ref.audience) for ref in tx.refs(request.id, kind=View.WAITING.value)}
    can = (one.id for one in plan.world.progress(tx, request).deciders)
    return [one for one in can if one in had and wants(tx, one, Notice.WAITING)]


def proposed(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Another text: a line in the thread, and the requester is asked in person, also one whose client waits."""
    request = request_of(tx, event)
    if request is None:
        return []
    part = str(event.position)
    line = in_channel(plan, tx, request, View.PROPOSAL, request.id, part=part)
    return [*line, to_requester(plan, request, View.PROPOSAL, request.id, part=part)]


def answered(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """The card that asked changes, the author hears it, and the thread when it was not taken (else it tells of the change)."""
    request = request_of(tx, event)
    if request is None:
        return []
    same = [one for one in tx.events_of(event.stream) if one.kind == "proposal.made" and one.payload]
    asked = [str(one.position) for one in same if (one.payload or {})["proposal"] == payload["proposal"]]
    shown = [to_requester(plan, request, View.PROPOSAL, request.id, part=part) for part in asked]
    author, part = PersonId(str(payload["author"])), str(event.position)
    if author != event.actor:
        shown.append(to_person(plan, author, View.PROPOSAL, request.id, part=part))
    declined = payload["answer"] == "declined" and request.state is RequestState.PENDING
    return [*shown, *(in_channel(plan, tx, request, View.PROPOSAL, request.id, part=part) if declined else [])]


def nudged(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """A reminder, an escalation or the next stage: one line in the thread that calls by name; nobody is written to who
    was not, except whoever is asked only now."""
    request = request_of(tx, event)
    if request is None or request.state is not RequestState.PENDING:
        return []
    line = in_channel(plan, tx, request, View.NUDGE, request.id, part=str(event.position))
    return [*line, *(copies(plan, tx, request) if event.kind != "request.reminded" else [])]


def stranded(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """Nobody is left to decide: the card says so, its requester hears it, and who can mend it, those who are awake first."""
    request = request_of(tx, event)
    if request is None or request.state is not RequestState.PENDING:
        return []
    told, more = [PersonId(one) for one in payload.get("told", [])], {"part": str(event.position)}
    awake = [one for one in told if not quiet(tx, plan.world.directory, one)]
    people = [to_person(plan, one, View.NUDGE, request.id, **more) for one in awake or told]
    mine = to_requester(plan, request, View.NUDGE, request.id, **more)
    return [*in_channel(plan, tx, request, View.REQUEST, request.id), mine, *people]


def settled(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Decided or expired: every copy changes; who waits for a no is told in person (a yes brings its own message)."""
    request = request_of(tx, event)
    if request is None:
        return []
    bad = request.state in {RequestState.DENIED, RequestState.EXPIRED}
    told = [to_requester(plan, request, View.DECIDED, request.id)] if bad and told_in_person(request) else []
    return [*copies(plan, tx, request), *told]


def alarmed(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """What happened to a broken glass: every copy changes, the thread says it by name, and its user is written to when
    it is their turn, or when it was closed."""
    request = request_of(tx, event)
    if request is None or request.emergency is None:
        return []
    part = str(event.position)
    line = in_channel(plan, tx, request, View.ALARM, request.id, part=part)
    if event.kind in {"attestation.due", "attestation.overdue", "emergency.closed"}:
        line.append(to_requester(plan, request, View.ALARM, request.id, part=part))
    if event.kind in {"emergency.escalated", "attestation.overdue"}:
        called = (PersonId(one) for one in payload.get("told", []) if one != request.actor.person)
        line += [to_person(plan, one, View.ALARM, request.id, part=part) for one in called]
    return [*copies(plan, tx, request), *line]


def ready(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Approved ahead, and once more as a message of its own when its time has come: an update in place calls nobody."""
    request, part = request_of(tx, event), "due" if event.kind == "access.due" else ""
    if request is None:
        return []
    told = [*copies(plan, tx, request), to_requester(plan, request, View.READY, request.id, part=part)]
    return told if event.kind != "access.due" or opening_of(tx, request.id) is not None else []


def lapsed(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """It will not be begun: the copies change, and its person is told unless they said so themselves."""
    request = request_of(tx, event)
    if request is None:
        return []
    mine = payload.get("by") == request.actor.person
    return [*copies(plan, tx, request), *([] if mine else [to_requester(plan, request, View.DECIDED, request.id)])]


def executed(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    request = request_of(tx, event)
    if request is None:
        return []
    thread = in_channel(plan, tx, request, View.RESULT, request.id)
    return [*copies(plan, tx, request), *thread, to_requester(plan, request, View.RESULT_MIRROR, request.id)]
