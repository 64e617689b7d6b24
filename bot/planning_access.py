"""What people are told about access: given, changed, used, ended, its sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from access.events import StoredEvent
from access.ids import GrantId, RequestId, SessionId
from access.ports import EVERYTHING, Tx
from access.requests import AccessRequest, Ask, Grant, Session
from access.scopes import Unmask
from bot.copies import (
    Around,
    copies,
    in_channel,
    request_of,
    to_requester,
    told_of,
)
from bot.deliveries import Delivery, View
from bot.views.parts import OPERATOR, by_operator


def issued(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    request = request_of(tx, event)
    if request is None:
        return []
    shown = copies(plan, tx, request)
    if isinstance(request.scope, Unmask):
        # No new token: the sessions that are open show the values from the next statement on.
        shown.append(to_requester(plan, request, View.DECIDED, request.id))
    elif request.ask is Ask.ACCESS and not by_operator(request) and not _handed_over(tx, request):
        shown.append(to_requester(plan, request, View.CONNECTION, str(payload["grant"])))
    return shown


def _handed_over(tx: Tx, request: AccessRequest) -> bool:
    """Whether the operator broke glass for its person on the gateway's host, which gave the token there: another one would
    end it."""
    opened = [one.payload for one in tx.events_of(request.id) if one.kind == "emergency.opened" and one.payload]
    return any(str(one.get("by", "")).startswith(OPERATOR) for one in opened)


def _grant_of(tx: Tx, payload: Mapping[str, Any]) -> tuple[Grant, AccessRequest] | None:
    grant = tx.grant(GrantId(str(payload.get("grant", ""))))
    request = told_of(tx.request(grant.request)) if grant else None
    return (grant, request) if grant and request else None


def changed(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """Extended or ended: the copies change, and standing access gets a line in its thread."""
    found = _grant_of(tx, payload)
    if found is None:
        return []
    grant, request = found
    shown = copies(plan, tx, request)
    if request.ask is not Ask.ACCESS:
        return shown
    word = "extended" if event.kind == "grant.extended" else "ended"
    shown += _connection(plan, tx, request, grant, ended=word == "ended")
    said = {"word": word, "by": str(payload.get("by", ""))}
    more = {"part": str(event.position), "arguments": said}
    shown += in_channel(plan, tx, request, View.CHANGED, grant.id, **more)
    if word == "extended" or (grant.ended_by is not None and grant.ended_by != request.actor.person):
        shown.append(to_requester(plan, request, View.CHANGED, grant.id, **more))
    return shown


def _connection(plan: Around, tx: Tx, request: AccessRequest, grant: Grant, *, ended: bool = False) -> list[Delivery]:
    """The message that told how to connect says what became of it. Only an end is told to one that may be on its way: what
    lives is not handed over by this."""
    if not ended and not tx.refs(grant.id, kind=View.CONNECTION.value):
        return []
    return [to_requester(plan, request, View.CONNECTION, grant.id)]


def connections(plan: Around, tx: Tx, resource: str) -> list[Delivery]:
    """Those of all live access to a resource."""
    live = tx.grants(live_at=tx.now, resource=resource, limit=EVERYTHING)
    rows = ((one, told_of(tx.request(one.request))) for one in live)
    return [copy for grant, row in rows if row is not None for copy in _connection(plan, tx, row, grant)]


def used(plan: Around, tx: Tx, _: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """A single-use grant was consumed, or its outcome is known."""
    found = _grant_of(tx, payload)
    return copies(plan, tx, found[1]) if found else []


def _session_of(tx: Tx, event: StoredEvent) -> tuple[Session, AccessRequest] | None:
    session = tx.session(SessionId(event.stream))
    request = told_of(tx.request(session.request)) if session and session.request else None
    return (session, request) if session and request else None


def visited(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """A session opened or closed: one card in the thread, which becomes its summary. The bot's own runs have a result."""
    found = _session_of(tx, event)
    if found is None or found[1].ask is Ask.COMMAND:
        return []
    return in_channel(plan, tx, found[1], View.SESSION, found[0].id)


def blocked(plan: Around, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Blocked attempts of one session share one card: many in a row are one message that counts."""
    found = _session_of(tx, event)
    return in_channel(plan, tx, found[1], View.BLOCKED, found[0].id) if found else []


def upstream(plan: Around, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    request = told_of(tx.request(RequestId(str(payload.get("request", "")))))
    if request is None:
        return []
    return in_channel(plan, tx, request, View.FAILURE, event.stream, part=str(event.position))
