"""Everything a card about a request, grant or session shows, read in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from access.actors import Actor, PersonId
from access.events import StoredEvent
from access.ids import GrantId, RequestId, SessionId
from access.openings import Opening
from access.orders import Freeze
from access.policy import Action, Policy
from access.ports import Desk, Directory, Progress, Tx
from access.requests import AccessRequest, Ask, Grant, GrantState, RequestState, Review, Session
from access.resources import Protocol, Resource
from access.scopes import Level, Scope, Unmask, level_of, standing
from access.statements import Effect
from approval_flows import freezing
from approval_flows.deputising import kept
from approval_flows.flow import INSTEAD
from approval_flows.opening import opening_of
from bot.cards import Mention
from bot.links import Links

_TOLD = 400
#: How many approved requests of a resource are looked through for earlier runs of the same.
LOOKED_BACK = 100


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is called. `few`: at most so many are called by name or written to. `dm_after`: how long the channel comes first;
    0: they are written to at once and not called there."""

    few: int = 5
    dm_after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class World:
    """What is known without asking the store."""

    directory: Directory
    resources: Mapping[str, Resource]
    policy: Policy
    links: Links
    desk: Desk
    security_group: str = ""
    notify: Notify = Notify()

    def mention(self, person: PersonId, fallback: str = "", *, ping: bool = False) -> Mention:
        """A person by the directory's name; somebody unknown to it by the last part of the id."""
        known = self.directory.person(person)
        return Mention(person, known.name if known else fallback or str(person).rpartition("|")[2], ping)

    def freezes(self, tx: Tx, person: PersonId) -> list[Freeze]:
        """The freezes that this person could confirm now."""
        return freezing.waiting_for(tx, self.directory, self.resources, self.security_group, person)

    def progress(self, tx: Tx, request: AccessRequest) -> Progress:
        """How far this request is, and who could decide it now."""
        return self.desk.progress(request, tx.reviews(request.id, request.revision), kept(tx))


@dataclass(frozen=True, slots=True)
class Use:
    """The very same was approved and run before: for whom, when, and what came of it."""

    who: Mention
    at: datetime
    state: GrantState


@dataclass(frozen=True, slots=True)
class Case:
    """A request with what came of it. `deciders` are those of now while it waits, else those who were told. `stages`
    are the flow's while it waits: name, approvals it has, approvals it wants. `narrowed`: less was given than asked for. `stands_for`: in whose place somebody decides. `opening`: approved and not begun
    yet; `lapsed`: why it never will be. `unknown` are its on-call
    schedules that do not answer. `told`, `acknowledged_by` and `closed_by` are
    of a use of break-glass."""

    request: AccessRequest
    who: Mention
    deciders: tuple[Mention, ...] = ()
    authors: tuple[Mention, ...] = ()
    stages: tuple[tuple[str, int, int], ...] = ()
    unknown: tuple[str, ...] = ()
    decided_by: Mention | None = None
    reviews: tuple[tuple[Mention, Review], ...] = ()
    grant: Grant | None = None
    ended_by: Mention | None = None
    told: tuple[Mention, ...] = ()
    acknowledged_by: Mention | None = None
    closed_by: Mention | None = None
    resource: Resource | None = None
    allows: str = ""
    narrowed: str = ""
    blocked: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    opening: Opening | None = None
    lapsed: str = ""
    stands_for: Mapping[PersonId, str] = field(default_factory=lambda: MappingProxyType({}))
    links: Links = field(default_factory=lambda: Links(""))

    @property
    def postgres(self) -> bool:
        """Whether its resource is a database."""
        return self.resource is not None and self.resource.protocol is Protocol.POSTGRES


@dataclass(frozen=True, slots=True)
class Visit:
    """A session with what it did. `told` are its refused, held and written statements, oldest first."""

    session: Session
    who: Mention
    told: tuple[StoredEvent, ...] = ()
    links: Links = field(default_factory=lambda: Links(""))


def case_of(tx: Tx, world: World, id: RequestId) -> Case | None:
    """The case of a request, or None when there is no such request."""
    request = tx.request(id)
    return _case(tx, world, request) if request else None


def _case(tx: Tx, world: World, request: AccessRequest) -> Case:
    grant = next(iter(tx.grants(request=request.id, limit=1)), None)
    reviews = tx.reviews(request.id, request.revision)
    waiting = request.decided_at is None
    progress = world.progress(tx, request) if waiting else Progress()
    people = [person.id for person in progress.deciders] if waiting else request.approvers
    glass = request.emergency
    return Case(
        request=request,
        who=actor_mention(world, request.actor),
        deciders=tuple(world.mention(person) for person in people),
        authors=tuple(world.mention(person) for person in request.authors),
        stages=progress.stages,
        unknown=progress.unknown,
        decided_by=world.mention(request.decided_by) if request.decided_by else None,
        reviews=tuple((world.mention(review.person), review) for review in reviews),
        grant=grant,
        ended_by=world.mention(grant.ended_by) if grant and grant.ended_by else None,
        told=tuple(world.mention(one, ping=True) for one in glass.told) if glass else (),
        acknowledged_by=world.mention(glass.acknowledged_by) if glass and glass.acknowledged_by else None,
        closed_by=world.mention(glass.closed_by) if glass and glass.closed_by else None,
        resource=world.resources.get(request.resource),
        allows=allows(world.policy, request.scope),
        narrowed=_narrowed(tx, request),
        blocked=_blocked(tx, request),
        uses=_uses(tx, world, request),
        opening=opening_of(tx, request.id) if request.state is RequestState.APPROVED and grant is None else None,
        stands_for=_stands_for(tx, world, request, progress),
        lapsed=_lapsed(tx, request) if request.state is RequestState.APPROVED and grant is None else "",
        links=world.links,
    )


def _stands_for(tx: Tx, world: World, request: AccessRequest, progress: Progress) -> Mapping[PersonId, str]:
    """In whose place people decide, or did: by name."""
    found = dict(progress.stands_for)
    for event in tx.events_of(request.id) if request.id else ():
        if event.kind == "review.given" and event.payload and event.payload.get("stands_for"):
            found[PersonId(event.actor)] = tuple(PersonId(one) for one in event.payload["stands_for"])
    return {taker: ", ".join(world.mention(one).name for one in givers) for taker, givers in found.items()}


def _lapsed(tx: Tx, request: AccessRequest) -> str:
    """Why approved access was never begun."""
    said = [event.payload for event in tx.events_of(request.id) if event.kind == "access.lapsed" and event.payload]
    return str(said[-1]["why"]) if said else ""


def _narrowed(tx: Tx, request: AccessRequest) -> str:
    """What approvers gave instead of what this revision asked for; empty when it is the same."""
    if request.state not in {RequestState.PENDING, RequestState.APPROVED} or request.ask is not Ask.ACCESS:
        return ""
    votes = [event.payload for event in tx.events_of(request.id) if event.kind == "review.given" and event.payload]
    less = [str(one["narrowed"]) for one in votes if one.get("narrowed") and one["revision"] == request.revision]
    return f"{less[-1].partition(INSTEAD)[0]}{INSTEAD}{less[0].partition(INSTEAD)[2]}" if less else ""


def _uses(tx: Tx, world: World, request: AccessRequest) -> tuple[Use, ...]:
    """The last runs of the same digest on this resource while a decision waits, newest first."""
    evidence = request.evidence
    if request.state is not RequestState.PENDING or evidence is None:
        return ()
    rows = tx.requests(states=[RequestState.APPROVED], resource=request.resource, limit=LOOKED_BACK)
    same = [row for row in rows if row.evidence and row.evidence.digest == evidence.digest and not row.is_look]
    grants = [grant for row in same for grant in tx.grants(request=row.id, limit=1)]
    used = [(grant.used_at, grant) for grant in grants if grant.used_at is not None]
    latest = sorted(used, key=lambda one: one[0], reverse=True)
    return tuple(Use(actor_mention(world, grant.actor), at, grant.state) for at, grant in latest)


def _blocked(tx: Tx, request: AccessRequest) -> tuple[str, ...]:
    """The sessions that wait for the locks of a held statement, as last seen."""
    if request.state is not RequestState.PENDING or request.evidence is None or not request.evidence.in_transaction:
        return ()
    seen = [event.payload for event in tx.events_of(request.id) if event.kind == "statement.blocks" and event.payload]
    return tuple(map(str, seen[-1]["blocked"])) if seen else ()


def case_of_grant(tx: Tx, world: World, id: GrantId) -> Case | None:
    """The case of the request a grant came from."""
    grant = tx.grant(id)
    return case_of(tx, world, grant.request) if grant else None


def visit_of(tx: Tx, world: World, id: SessionId) -> Visit | None:
    """A session with the statements worth telling."""
    session = tx.session(id)
    if session is None:
        return None
    told = [event for event in tx.events_of(id) if event.kind in TOLD_KINDS and event.payload is not None]
    return Visit(session, actor_mention(world, session.actor), tuple(told[-_TOLD:]), links=world.links)


TOLD_KINDS = frozenset({"statement.allowed", "statement.held", "statement.refused"})


def actor_mention(world: World, actor: Actor) -> Mention:
    """The person who answers for an actor."""
    return world.mention(actor.person, actor.display)


def root_of(tx: Tx, request: AccessRequest) -> RequestId:
    """The request whose thread tells about this one: the access it belongs to, through its parents."""
    seen: set[RequestId] = set()
    while request.parent is not None and request.id not in seen:
        seen.add(request.id)
        parent = tx.request(request.parent)
        if parent is None:
            break
        request = parent
    return request.id


def allows(policy: Policy, scope: Scope) -> str:
    """What a standing scope allows, holds and refuses under the owner's matrix; empty for single-use scopes."""
    if isinstance(scope, Unmask):
        return (
            f"sees {', '.join(scope.columns)} as they are, in rows of results only; no statement more than the access"
            " beside it; recordings, threads, COPY and agents stay masked"
        )
    level = level_of(scope)
    if level is Level.NONE:
        return ""
    words: dict[Action, list[str]] = {}
    for effect, action in policy.matrix.get(level, MappingProxyType({})).items():
        if effect is not Effect.INTERACTIVE or action is not Action.DENY:
            words.setdefault(action, []).append(effect.value)
    said = ((Action.ALLOW, "allowed"), (Action.HOLD, "held for approval"), (Action.DENY, "refused"))
    return " · ".join(f"{name}: {', '.join(words[action])}" for action, name in said if action in words)


def usable(grants: Sequence[Grant], now: datetime) -> list[Grant]:
    """Live standing grants, the one that ends first at the top."""
    return sorted((g for g in grants if g.live(now) and not g.holder and standing(g.scope)), key=lambda g: g.expires_at)


def access_of(grants: Sequence[Grant], now: datetime) -> list[Grant]:
    """Those of them that one can connect with: unmasking by itself is no access."""
    return [grant for grant in usable(grants, now) if level_of(grant.scope) is not Level.NONE]
