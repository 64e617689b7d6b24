"""What somebody sees beside the conversation: waiting on them, their access, sessions, requests. Pure reading.

Every function takes a transaction and the person who looks, and returns only what this person may see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from access.actors import Person, PersonId
from access.ids import GrantId, RequestId, SessionId
from access.orders import Freeze
from access.ports import EVERYTHING, Directory, Tx
from access.requests import AccessRequest, Grant, RequestState, Session
from access.resources import Resource
from access.scopes import scope_said, standing
from approval_flows import freezing
from approval_flows.break_glass import waiting_for as broken_glass
from approval_flows.deputising import kept
from approval_flows.opening import openings
from bot.console import messages
from bot.console.messages import Message, private_channel
from bot.deliveries import View

LISTED = 60
PLATFORM = "console"

ConnectionUrl = Callable[[Person, str, Resource], str]
"""The connection string (without password) of a person, their agent's name or "", and a resource."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of the console: its id as configured (`#prod`), name, place in addresses, and what it is about."""

    id: str
    topic: str = ""
    change: int = 0

    @property
    def name(self) -> str:
        return self.id.removeprefix("#")

    @property
    def slug(self) -> str:
        return quote(self.name, safe="")


@dataclass(frozen=True, slots=True)
class Access:
    """One standing grant of the viewer, live now. Times in seconds."""

    grant: GrantId
    request: RequestId
    resource: str
    scope: str
    via: str
    starts_at: datetime
    expires_at: datetime
    seconds: int
    rest: int
    url: str


@dataclass(frozen=True, slots=True)
class Planned:
    """Access of the viewer that was approved and is to be begun from `start` on, before `until`; now if it is `ready`."""

    request: RequestId
    resource: str
    scope: str
    start: datetime
    until: datetime
    ready: bool


@dataclass(frozen=True, slots=True)
class Side:
    """The navigation's live part."""

    waiting: int
    my_pending: int
    open_sessions: int
    access: tuple[Access, ...]
    channels: tuple[Channel, ...]
    private_change: int


@dataclass(frozen=True, slots=True)
class Lists:
    """What the lists are made from, beside the store."""

    resources: Mapping[str, Resource]
    channels: Sequence[Channel]
    directory: Directory
    connection_url: ConnectionUrl
    security_group: str = ""

    def side(self, tx: Tx, me: Person, now: datetime) -> Side:
        """Everything the navigation shows."""
        mine = tx.requests(states=(RequestState.PENDING,), person=me.id, limit=LISTED)
        return Side(
            waiting=len(self.waiting(tx, me, now)) + len(self.freezes(tx, me)),
            my_pending=sum(1 for request in mine if request.expires_at > now),
            open_sessions=len(tx.sessions(open_only=True, person=me.id, limit=LISTED)),
            access=self.access(tx, me, now),
            channels=tuple(Channel(c.id, c.topic, _newest(tx, c.id)) for c in self.channels),
            private_change=_newest(tx, private_channel(me.id)),
        )

    def waiting(self, tx: Tx, me: Person, now: datetime) -> list[AccessRequest]:
        """Broken glass that wants something of this person, then pending requests they, or somebody whose place they take
        now, were asked to decide and did not vote on, oldest first; never their own."""
        taken = [one for one in kept(tx) if one.to == me.id and one.lasts(now)]

        def asked(request: AccessRequest) -> bool:
            instead = (one.by for one in taken if one.about(request.resource))
            return any(person in request.approvers for person in (me.id, *instead))

        pending = [one for one in tx.requests(states=(RequestState.PENDING,), limit=EVERYTHING) if one.expires_at > now]
        theirs = [one for one in reversed(pending) if one.actor.person != me.id and asked(one)]
        voted = {one.id for one in theirs if any(vote.person == me.id for vote in tx.reviews(one.id, one.revision))}
        return [*broken_glass(tx, me.id), *(one for one in theirs if one.id not in voted)]

    def freezes(self, tx: Tx, me: Person) -> list[Freeze]:
        """Freezes this person could confirm now, the oldest first."""
        return freezing.waiting_for(tx, self.directory, self.resources, self.security_group, me.id)

    def access(self, tx: Tx, me: Person, now: datetime) -> tuple[Access, ...]:
        """Live standing access, the one that ends first at the top."""
        live = [g for g in tx.grants(live_at=now, person=me.id) if standing(g.scope)]
        return tuple(self._access(grant, me, now) for grant in sorted(live, key=lambda g: g.expires_at))

    def planned(self, tx: Tx, me: Person, now: datetime) -> list[Planned]:
        """Access that was approved and not begun yet, the first to start at the top."""
        found = [one for one in openings(tx, me.id) if now < one.until]
        rows = [(one, row) for one in found if (row := tx.request(one.request)) is not None]
        planned = [
            Planned(row.id, row.resource, scope_said(row.scope), one.start, one.until, ready=one.start <= now)
            for one, row in rows
        ]
        return sorted(planned, key=lambda one: one.start)

    def _access(self, grant: Grant, me: Person, now: datetime) -> Access:
        resource = self.resources.get(grant.resource)
        via = grant.actor.via.name if grant.actor.via else ""
        return Access(
            grant.id,
            grant.request,
            grant.resource,
            scope_said(grant.scope),
            via,
            grant.starts_at,
            grant.expires_at,
            seconds=int((grant.expires_at - grant.starts_at).total_seconds()),
            rest=int((grant.expires_at - now).total_seconds()),
            url=self.connection_url(me, via, resource) if resource else "",
        )

    # -------------------------------------------------------------------------------------------- requests

    def request_card(self, tx: Tx, request: RequestId, me: Person, *, own: bool = False) -> list[Message]:
        """The request's card in the console: the channel's copy, or the viewer's private one; with `own` that one first,
        which has what its requester can do."""
        refs = [ref for ref in tx.refs(request) if ref.platform == PLATFORM and ref.audience in {"", me.id}]
        if own:
            refs = [ref for ref in refs if ref.kind == View.MIRROR.value] or refs
        found = [messages.get(tx, ref.message) for ref in sorted(refs, key=lambda ref: ref.audience)]
        visible = [m for m in found if m is not None and may_see_message(m, me.id)]
        return visible[:1]

    def freeze_card(self, tx: Tx, resource: str, me: Person) -> list[Message]:
        """The card of the resource's latest freeze: the viewer's private copy, else the channel's."""
        begun = [event.position for event in tx.events_of(resource) if event.kind == "resource.frozen"]
        kinds = {f"{View.FREEZE.value}:{begun[-1]}{late}" for late in ("", "+")} if begun else set()
        refs = [ref for ref in tx.refs(resource) if ref.kind in kinds and ref.platform == PLATFORM]
        mine = [ref for ref in refs if ref.audience == me.id]
        found = (messages.get(tx, ref.message) for ref in mine or refs)
        return [message for message in found if message is not None and may_see_message(message, me.id)][:1]

    def requests(self, tx: Tx) -> list[AccessRequest]:
        """Everybody's, newest first: their cards stand in channels that everybody reads."""
        return [row for row in tx.requests(limit=LISTED) if not row.is_look]

    # -------------------------------------------------------------------------------------------- sessions

    def may_oversee(self, me: Person, resource: str) -> bool:
        """Whether this person answers for the resource: in one of its approver or owner groups now, or in the security
        group, which may end anything."""
        known = self.resources.get(resource)
        groups = (*known.approvers, *known.owners) if known else ()
        return self.guards(me) or any(me.id in self.directory.members(group) for group in groups)

    def guards(self, me: Person) -> bool:
        """Whether this person is in the security group now."""
        return bool(self.security_group) and me.id in self.directory.members(self.security_group)

    def may_replay(self, me: Person, session: Session) -> bool:
        """A recording is for the session's own person and for those who answer for the resource."""
        return session.actor.person == me.id or self.may_oversee(me, session.resource)

    def sessions(self, tx: Tx, me: Person) -> list[Session]:
        """The viewer's own sessions and those of resources they answer for, newest first. Of those that ended, the newest;
        what is open is never left out because much has ended since."""
        places: list[dict[str, Any]] = [{"person": me.id}]
        places += [{"resource": name} for name in self.resources if self.may_oversee(me, name)]
        places = [{}] if self.guards(me) else places
        found = {s.id: s for place in places for s in tx.sessions(open_only=True, limit=EVERYTHING, **place)}
        ended = {s.id: s for place in places for s in tx.sessions(limit=LISTED, **place) if s.id not in found}
        newest = sorted(ended.values(), key=lambda s: s.opened_at, reverse=True)[:LISTED]
        return sorted([*found.values(), *newest], key=lambda s: s.opened_at, reverse=True)

    def session(self, tx: Tx, me: Person, id: SessionId) -> Session | None:
        """One session this person may see, or None."""
        found = tx.session(id)
        return found if found is not None and self.may_replay(me, found) else None

    # -------------------------------------------------------------------------------------------- names

    def name_of(self, person: str) -> str:
        """A person's name as the directory has it now."""
        known = self.directory.person(PersonId(person))
        return known.name if known else "somebody who left"


def may_see_message(message: Message, person: PersonId) -> bool:
    """Channels are for everybody who is logged in; a private message is for its own person."""
    return not message.private or message.channel == private_channel(person)


def _newest(tx: Tx, channel: str) -> int:
    newest = messages.listed(tx, channel, limit=1)
    return newest[0].number if newest else 0


def channels_of(
    resources: Mapping[str, Resource], default: str, places: Callable[[Resource | None], str]
) -> list[Channel]:
    """The channels that the resources talk in, the default one first, each with what it is about."""
    about: dict[str, list[str]] = {default: []}
    for resource in resources.values():
        about.setdefault(places(resource), []).append(_about(resource))
    everything = "Access to everything, asked for and decided here"
    return [Channel(channel, " · ".join(topics) or everything) for channel, topics in about.items()]


def _about(resource: Resource) -> str:
    return f"{resource.name}: {resource.description}" if resource.description else resource.name
