"""What people are told about a fact: event in, deliveries out. Reads one transaction, changes nothing.

Least noise: the channel gets the card once and then sees it change; everything that follows goes to its thread; a private
message goes only to the person who must act or who waits. Approvers are written to only while they are few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from access.actors import PersonId
from access.delegations import Delegation
from access.events import StoredEvent
from access.ids import GrantId, RequestId, SessionId
from access.ports import EVERYTHING, Tx
from access.requests import AccessRequest, Ask, Grant, RequestState, Session
from access.scopes import Unmask
from approval_flows.opening import opening_of
from bot.cases import World, root_of
from bot.deliveries import Delivery, View
from bot.platform import Places
from bot.preferences import Notice, quiet, wants
from bot.views.parts import OPERATOR, by_operator


@dataclass(frozen=True, slots=True)
class Plan:
    """The world, and where its resources talk."""

    world: World
    places: Places

    def of(self, tx: Tx, event: StoredEvent) -> list[Delivery]:
        """Who is to be shown what because of this event. An erased payload tells nothing."""
        if event.payload is None or event.kind not in _PLANS:
            return []
        return _PLANS[event.kind](self, tx, event, event.payload)


# ------------------------------------------------------------------------------------------------ pieces


def _request_of(tx: Tx, event: StoredEvent) -> AccessRequest | None:
    return _told_of(tx.request(RequestId(event.stream)))


def _told_of(request: AccessRequest | None) -> AccessRequest | None:
    """Nobody is told of a look at something: its answer went to who asked."""
    return None if request is None or request.is_look else request


def in_channel(plan: Plan, tx: Tx, request: AccessRequest, view: View, about: str, **more: Any) -> list[Delivery]:
    """The card in every platform's channel of the resource, in the thread of the access it belongs to."""
    root = root_of(tx, request)
    thread = "" if view is View.REQUEST and about == root else root
    places = plan.places.of(plan.world.resources.get(request.resource))
    return [Delivery(view, about, (place.platform,), place.channel, root=thread, **more) for place in places]


def to_person(plan: Plan, person: PersonId, view: View, about: str, *, first: str = "", **more: Any) -> Delivery:
    """A private message, on the platform the person used if there is a choice."""
    names = tuple(plan.places.platforms)
    ordered = (first, *(name for name in names if name != first)) if first in names else names
    return Delivery(view, about, ordered, audience=person, **more)


def to_requester(plan: Plan, request: AccessRequest, view: View, about: str, **more: Any) -> Delivery:
    """A private message to the person who asked, where they asked."""
    return to_person(plan, request.actor.person, view, about, first=request.place.platform, **more)


def copies(plan: Plan, tx: Tx, request: AccessRequest) -> list[Delivery]:
    """Every copy of the request's card: channels, the requester's, the approvers' who were written to."""
    shown = in_channel(plan, tx, request, View.REQUEST, request.id)
    if _told_in_person(request):
        shown.append(to_requester(plan, request, View.MIRROR, request.id))
    had = dict.fromkeys(PersonId(ref.audience) for ref in tx.refs(request.id, kind=View.WAITING.value))
    new = dict.fromkeys(one for one in _written_to(plan, tx, request) if one not in had)
    first = (to_person(plan, one, View.WAITING, request.id, after=_after(plan, tx, request, one)) for one in new)
    return [*shown, *(to_person(plan, person, View.WAITING, request.id) for person in had), *first]


def _told_in_person(request: AccessRequest) -> bool:
    """A held statement's person sees it in their client; the operator's door needs no notice."""
    return request.ask is not Ask.STATEMENT and not by_operator(request)


def _written_to(plan: Plan, tx: Tx, request: AccessRequest) -> tuple[PersonId, ...]:
    """While it waits and they are few, those who want it; when glass was broken, everybody."""
    if request.emergency is not None:
        return request.emergency.told
    few = request.state is RequestState.PENDING and len(request.approvers) <= plan.world.notify.few
    return tuple(person for person in request.approvers if wants(tx, person, Notice.WAITING)) if few else ()


def _after(plan: Plan, tx: Tx, request: AccessRequest, person: PersonId) -> timedelta | None:
    """How long the channel comes first; never longer than a quarter of the time there is. None: written to at once."""
    wait = plan.world.notify.dm_after
    if request.emergency is not None:
        return None
    if wait and not plan.world.progress(tx, request).urgent:
        return min(wait, max(request.expires_at - tx.now, timedelta(0)) / 4)
    return timedelta(0) if quiet(tx, plan.world.directory, person) else None


# ------------------------------------------------------------------------------------------------ requests


def _shown(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    request = _request_of(tx, event)
    return copies(plan, tx, request) if request else []


def _voted(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    request = _request_of(tx, event)
    if request is None:
        return []
    line = in_channel(plan, tx, request, View.VOTE, request.id, part=str(event.position))
    return [*line, *(copies(plan, tx, request) if request.state is RequestState.PENDING else [])]


def _revised(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Every copy becomes the new revision with new buttons, and the thread says so: an update in place calls nobody. Who was
    written to before is written to again, the channel first."""
    request = _request_of(tx, event)
    if request is None:
        return []
    part = str(event.position)
    line = in_channel(plan, tx, request, View.NUDGE, request.id, part=part)
    for one in _asked_again(plan, tx, request):
        line.append(to_person(plan, one, View.NUDGE, request.id, part=part, after=_after(plan, tx, request, one)))
    return [*copies(plan, tx, request), *line]


def _asked_again(plan: Plan, tx: Tx, request: AccessRequest) -> list[PersonId]:
    """Who was written to about an earlier revision and can decide this one."""
    had = {PersonId(ref.audience) for ref in tx.refs(request.id, kind=View.WAITING.value)}
    can = (one.id for one in plan.world.progress(tx, request).deciders)
    return [one for one in can if one in had and wants(tx, one, Notice.WAITING)]


def _proposed(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Another text: a line in the thread, and the requester is asked in person, also one whose client waits."""
    request = _request_of(tx, event)
    if request is None:
        return []
    part = str(event.position)
    line = in_channel(plan, tx, request, View.PROPOSAL, request.id, part=part)
    return [*line, to_requester(plan, request, View.PROPOSAL, request.id, part=part)]


def _answered(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """The card that asked changes, the author hears it, and the thread when it was not taken (else it tells of the change)."""
    request = _request_of(tx, event)
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


def _nudged(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """A reminder, an escalation or the next stage: one line in the thread that calls by name; nobody is written to who
    was not, except whoever is asked only now."""
    request = _request_of(tx, event)
    if request is None or request.state is not RequestState.PENDING:
        return []
    line = in_channel(plan, tx, request, View.NUDGE, request.id, part=str(event.position))
    return [*line, *(copies(plan, tx, request) if event.kind != "request.reminded" else [])]


def _stranded(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """Nobody is left to decide: the card says so, its requester hears it, and who can mend it, those who are awake first."""
    request = _request_of(tx, event)
    if request is None or request.state is not RequestState.PENDING:
        return []
    told, more = [PersonId(one) for one in payload.get("told", [])], {"part": str(event.position)}
    awake = [one for one in told if not quiet(tx, plan.world.directory, one)]
    people = [to_person(plan, one, View.NUDGE, request.id, **more) for one in awake or told]
    mine = to_requester(plan, request, View.NUDGE, request.id, **more)
    return [*in_channel(plan, tx, request, View.REQUEST, request.id), mine, *people]


def _settled(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Decided or expired: every copy changes; who waits for a no is told in person (a yes brings its own message)."""
    request = _request_of(tx, event)
    if request is None:
        return []
    bad = request.state in {RequestState.DENIED, RequestState.EXPIRED}
    told = [to_requester(plan, request, View.DECIDED, request.id)] if bad and _told_in_person(request) else []
    return [*copies(plan, tx, request), *told]


def _alarmed(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """What happened to a broken glass: every copy changes, the thread says it by name, and its user is written to when
    it is their turn, or when it was closed."""
    request = _request_of(tx, event)
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


# ------------------------------------------------------------------------------------------------ grants


def _issued(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    request = _request_of(tx, event)
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
    request = _told_of(tx.request(grant.request)) if grant else None
    return (grant, request) if grant and request else None


def _changed(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
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


def _connection(plan: Plan, tx: Tx, request: AccessRequest, grant: Grant, *, ended: bool = False) -> list[Delivery]:
    """The message that told how to connect says what became of it. Only an end is told to one that may be on its way: what
    lives is not handed over by this."""
    if not ended and not tx.refs(grant.id, kind=View.CONNECTION.value):
        return []
    return [to_requester(plan, request, View.CONNECTION, grant.id)]


def _connections(plan: Plan, tx: Tx, resource: str) -> list[Delivery]:
    """Those of all live access to a resource."""
    live = tx.grants(live_at=tx.now, resource=resource, limit=EVERYTHING)
    rows = ((one, _told_of(tx.request(one.request))) for one in live)
    return [copy for grant, row in rows if row is not None for copy in _connection(plan, tx, row, grant)]


def _used(plan: Plan, tx: Tx, _: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """A single-use grant was consumed, or its outcome is known."""
    found = _grant_of(tx, payload)
    return copies(plan, tx, found[1]) if found else []


def _executed(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    request = _request_of(tx, event)
    if request is None:
        return []
    thread = in_channel(plan, tx, request, View.RESULT, request.id)
    return [*copies(plan, tx, request), *thread, to_requester(plan, request, View.RESULT_MIRROR, request.id)]


# ------------------------------------------------------------------------------------------------ sessions


def _session_of(tx: Tx, event: StoredEvent) -> tuple[Session, AccessRequest] | None:
    session = tx.session(SessionId(event.stream))
    request = _told_of(tx.request(session.request)) if session and session.request else None
    return (session, request) if session and request else None


def _visited(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """A session opened or closed: one card in the thread, which becomes its summary. The bot's own runs have a result."""
    found = _session_of(tx, event)
    if found is None or found[1].ask is Ask.COMMAND:
        return []
    return in_channel(plan, tx, found[1], View.SESSION, found[0].id)


def _blocked(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Blocked attempts of one session share one card: many in a row are one message that counts."""
    found = _session_of(tx, event)
    return in_channel(plan, tx, found[1], View.BLOCKED, found[0].id) if found else []


def _upstream(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    request = _told_of(tx.request(RequestId(str(payload.get("request", "")))))
    if request is None:
        return []
    return in_channel(plan, tx, request, View.FAILURE, event.stream, part=str(event.position))


def _ready(plan: Plan, tx: Tx, event: StoredEvent, _: Mapping[str, Any]) -> list[Delivery]:
    """Approved ahead, and once more as a message of its own when its time has come: an update in place calls nobody."""
    request, part = _request_of(tx, event), "due" if event.kind == "access.due" else ""
    if request is None:
        return []
    told = [*copies(plan, tx, request), to_requester(plan, request, View.READY, request.id, part=part)]
    return told if event.kind != "access.due" or opening_of(tx, request.id) is not None else []


def _lapsed(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """It will not be begun: the copies change, and its person is told unless they said so themselves."""
    request = _request_of(tx, event)
    if request is None:
        return []
    mine = payload.get("by") == request.actor.person
    return [*copies(plan, tx, request), *([] if mine else [to_requester(plan, request, View.DECIDED, request.id)])]


def _ordered(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
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
        shown += _connections(plan, tx, resource.name)
    if event.kind == "allowance.ended" or payload.get("given") is True:
        shown.append(to_person(plan, PersonId(str(payload["person"])), view, about, part=str(event.position)))
    return shown


def _in_person(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any], part: str) -> list[Delivery]:
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


def _delegated(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """Both of them have a card of it, which changes when it ends; what waits for them names who can decide now."""
    giver, to = PersonId(str(payload.get("giver", event.actor))), PersonId(str(payload["to"]))
    shown = [to_person(plan, one, View.DELEGATION, event.stream) for one in (giver, to)]
    about = Delegation(event.stream, giver, to, str(payload["resources"]), tx.now, tx.now)
    return [*shown, *waiting_under(plan, tx, about)]


def waiting_under(plan: Plan, tx: Tx, delegation: Delegation) -> list[Delivery]:
    """Every copy of what waits for whom somebody decides in the place of."""
    rows = tx.requests(states=[RequestState.PENDING], limit=EVERYTHING)
    asked = [row for row in rows if delegation.about(row.resource) and delegation.by in row.approvers]
    return [one for row in asked if (told := _told_of(row)) for one in copies(plan, tx, told)]


def _login(plan: Plan, tx: Tx, event: StoredEvent, payload: Mapping[str, Any]) -> list[Delivery]:
    """Asked in person, at any hour; the message changes with the answer, and an answer alone brings none."""
    attempt = str(payload.get("attempt", ""))
    shown = event.kind == "login.asked" or bool(tx.refs(attempt, kind=View.LOGIN.value))
    return [to_person(plan, PersonId(event.stream), View.LOGIN, attempt)] if shown and attempt else []


def _latest(tx: Tx, stream: str, kind: str, otherwise: StoredEvent) -> StoredEvent:
    return next((one for one in reversed(tx.events_of(stream)) if one.kind == kind), otherwise)


ALARMS = (
    "emergency.acknowledged", "emergency.escalated", "emergency.closed",
    "attestation.due", "attestation.given", "attestation.overdue",
)  # fmt: skip
ORDERS = (
    "resource.frozen", "freeze.confirmed", "freeze.unconfirmed", "thaw.asked", "resource.thawed",
    "allowance.voted", "allowance.ended",
)  # fmt: skip
_PLANS: dict[str, Callable[[Plan, Tx, StoredEvent, Mapping[str, Any]], list[Delivery]]] = {
    "access.requested": _shown,
    "review.given": _voted,
    "request.revised": _revised,
    "proposal.made": _proposed,
    "proposal.answered": _answered,
    "stage.reached": _nudged,
    "request.reminded": _nudged,
    "statement.blocks": _shown,
    "request.stranded": _stranded,
    "request.escalated": _nudged,
    "request.decided": _settled,
    "request.cancelled": _shown,
    "request.expired": _settled,
    "grant.issued": _issued,
    "emergency.opened": _shown,
    "access.ready": _ready,
    "access.due": _ready,
    "access.lapsed": _lapsed,
    **dict.fromkeys(ORDERS, _ordered),
    "delegation.made": _delegated,
    "delegation.ended": _delegated,
    **dict.fromkeys(ALARMS, _alarmed),
    "grant.extended": _changed,
    "grant.ended": _changed,
    "grant.used": _used,
    "statement.completed": _used,
    "statement.refused": _blocked,
    "session.opened": _visited,
    "session.closed": _visited,
    "upstream.failed": _upstream,
    "login.asked": _login,
    "login.confirmed": _login,
    "login.denied": _login,
    "command.executed": _executed,
    "runbook.stepped": _executed,
}
KINDS = tuple(_PLANS)
#: Nobody waits for the line about a session; told a second later, many that come and go cost one look at the ledger.
PROMPT = tuple(kind for kind in KINDS if kind not in {"session.opened", "session.closed"})
