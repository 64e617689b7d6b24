"""What people are told about freezes, allowances, delegations and logins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from access.actors import PersonId
from access.delegations import Delegation
from access.events import StoredEvent
from access.ports import EVERYTHING, Tx
from access.requests import RequestState
from bot.copies import (
    Around,
    copies,
    to_person,
    told_of,
)
from bot.deliveries import Delivery, View
from bot.planning_access import connections


def ordered(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """A freeze or an allowance: one card in the resource's channels that changes, and whom it is for in person."""
    resource = plan.world.resources.get(str(payload.get("resource", "")))
    if resource is None:
        return []
    view = View.ALLOWANCE if event.kind.startswith("allowance") else View.FREEZE
    part = str(_latest(tx, event.stream, "resource.frozen", event).position) if view is View.FREEZE else ""
    about, places = event.stream, plan.places.of(resource)
    shown = [Delivery(view, about, (place.platform,), place.channel, part=part) for place in places]
    if view is View.FREEZE:
        shown += _in_person(plan, tx, event, payload, part)
    if event.kind in {"resource.frozen", "resource.thawed"}:
        shown += connections(plan, tx, resource.name)
    if event.kind == "allowance.ended" or payload.get("given") is True:
        shown.append(to_person(plan, PersonId(str(payload["person"])), view, about, part=str(event.position)))
    return shown


def _in_person(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any], part: str) -> list[Delivery]:
    """Private copies of a freeze: who is called to confirm it, at any hour, once more when nobody did; all of them change."""
    about, late = event.stream, f"{part}+"
    had = [ref for ref in tx.refs(about) if ref.audience and ref.kind.partition(":")[2].partition("+")[0] == part]
    shown = [
        to_person(plan, PersonId(ref.audience), View.FREEZE, about, part=ref.kind.partition(":")[2]) for ref in had
    ]
    if event.kind in {"resource.frozen", "freeze.unconfirmed"}:
        which = part if event.kind == "resource.frozen" else late
        shown += [to_person(plan, PersonId(one), View.FREEZE, about, part=which) for one in payload.get("told", [])]
    return shown


def delegated(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """Both of them have a card of it, which changes when it ends; what waits for them names who can decide now."""
    giver, to = PersonId(str(payload.get("giver", event.actor))), PersonId(str(payload["to"]))
    shown = [to_person(plan, one, View.DELEGATION, event.stream) for one in (giver, to)]
    about = Delegation(event.stream, giver, to, str(payload["resources"]), tx.now, tx.now)
    return [*shown, *waiting_under(plan, tx, about)]


def waiting_under(plan: Around, tx: Tx, delegation: Delegation) -> list[Delivery]:
    """Every copy of what waits for whom somebody decides in the place of."""
    rows = tx.requests(states=[RequestState.PENDING], limit=EVERYTHING)
    asked = [row for row in rows if delegation.about(row.resource) and delegation.by in row.approvers]
    return [one for row in asked if (told := told_of(row)) for one in copies(plan, tx, told)]


def login(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """Asked in person, at any hour; the message changes with the answer, and an answer alone brings none."""
    attempt = str(payload.get("attempt", ""))
    shown = event.kind == "login.asked" or bool(tx.refs(attempt, kind=View.LOGIN.value))
    return [to_person(plan, PersonId(event.stream), View.LOGIN, attempt)] if shown and attempt else []


def _latest(tx: Tx, stream: str, kind: str, otherwise: StoredEvent) -> StoredEvent:
    return next((one for one in reversed(tx.events_of(stream)) if one.kind == kind), otherwise)
