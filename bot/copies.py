"""Who has a copy of what: the channels of a resource, the requester, those who are asked. Reads one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from access.actors import PersonId
from access.events import StoredEvent
from access.ids import RequestId
from access.ports import Tx
from access.requests import AccessRequest, Ask, RequestState
from bot.cases import World, root_of
from bot.deliveries import Delivery, View
from bot.platform import Places
from bot.preferences import Notice, quiet, wants
from bot.views.parts import by_operator


@dataclass(frozen=True, slots=True)
class Around:
    """The world, and where its resources talk."""

    world: World
    places: Places


def request_of(tx: Tx, event: StoredEvent) -> AccessRequest | None:
    return told_of(tx.request(RequestId(event.stream)))


def told_of(request: AccessRequest | None) -> AccessRequest | None:
    """Nobody is told of a look at something: its answer went to who asked."""
    return None if request is None or request.is_look else request


def in_channel(plan: Around, tx: Tx, request: AccessRequest, view: View, about: str, **more: Any) -> list[Delivery]:
    """The card in every platform's channel of the resource, in the thread of the access it belongs to."""
    root = root_of(tx, request)
    thread = "" if view is View.REQUEST and about == root else root
    places = plan.places.of(plan.world.resources.get(request.resource))
    return [Delivery(view, about, (place.platform,), place.channel, root=thread, **more) for place in places]


def to_person(plan: Around, person: PersonId, view: View, about: str, *, first: str = "", **more: Any) -> Delivery:
    """A private message, on the platform the person used if there is a choice."""
    names = tuple(plan.places.platforms)
    ordered = (first, *(name for name in names if name != first)) if first in names else names
    return Delivery(view, about, ordered, audience=person, **more)


def to_requester(plan: Around, request: AccessRequest, view: View, about: str, **more: Any) -> Delivery:
    """A private message to the person who asked, where they asked."""
    return to_person(plan, request.actor.person, view, about, first=request.place.platform, **more)


def copies(plan: Around, tx: Tx, request: AccessRequest) -> list[Delivery]:
    """Every copy of the request's card: channels, the requester's, the approvers' who were written to."""
    shown = in_channel(plan, tx, request, View.REQUEST, request.id)
    if told_in_person(request):
        shown.append(to_requester(plan, request, View.MIRROR, request.id))
    had = dict.fromkeys(PersonId(ref.audience) for ref in tx.refs(request.id, kind=View.WAITING.value))
    new = dict.fromkeys(one for one in _written_to(plan, tx, request) if one not in had)
    first = (to_person(plan, one, View.WAITING, request.id, after=waits_for(plan, tx, request, one)) for one in new)
    return [*shown, *(to_person(plan, person, View.WAITING, request.id) for person in had), *first]


def told_in_person(request: AccessRequest) -> bool:
    """A held statement's person sees it in their client; the operator's door needs no notice."""
    return request.ask is not Ask.STATEMENT and not by_operator(request)


def _written_to(plan: Around, tx: Tx, request: AccessRequest) -> tuple[PersonId, ...]:
    """While it waits and they are few, those who want it; when glass was broken, everybody."""
    if request.emergency is not None:
        return request.emergency.told
    few = request.state is RequestState.PENDING and len(request.approvers) <= plan.world.notify.few
    return tuple(person for person in request.approvers if wants(tx, person, Notice.WAITING)) if few else ()


def waits_for(plan: Around, tx: Tx, request: AccessRequest, person: PersonId) -> timedelta | None:
    """How long the channel comes first; never longer than a quarter of the time there is. None: written to at once."""
    wait = plan.world.notify.dm_after
    if request.emergency is not None:
        return None
    if wait and not plan.world.progress(tx, request).urgent:
        return min(wait, max(request.expires_at - tx.now, timedelta(0)) / 4)
    return timedelta(0) if quiet(tx, plan.world.directory, person) else None
