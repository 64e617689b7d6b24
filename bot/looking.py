"""Use cases of people who look: my, pending, sessions, show, replay, who, why, whoami, help; and completion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import islice

from access.actors import Person, PersonId
from access.errors import Invalid
from access.explain import explain
from access.ids import GrantId, Prefix, RequestId, SessionId, parse_id
from access.orders import Freeze
from access.ports import EVERYTHING, Tx
from access.requests import AccessRequest, Grant, RequestState
from access.resources import Resource
from access.scopes import scope_name, standing_scope
from approval_flows.break_glass import waiting_for as broken_glass
from approval_flows.deputising import kept
from approval_flows.opening import openings
from bot.cards import Card, Item
from bot.cases import World, actor_mention, case_of, case_of_grant, usable, visit_of
from bot.completion import Known, Suggestion, complete
from bot.deciding import counts, may_look
from bot.durations import resolve
from bot.intents import Help, My, Pending, Replay, Sessions, Show, Verb, Who, WhoAmI, Why
from bot.kit import Kit, actor_of, show
from bot.permitted import may_end, standing_of, verbs_of
from bot.platform import Caller, Reply
from bot.views import lists, verdicts
from bot.views.access import opening_item
from bot.views.orders import freeze_item
from bot.views.parts import mentions_of
from bot.views.requests import request_card, review_card
from bot.views.sessions import session_card

WAITING = (RequestState.PENDING,)
COMPLETED = 20


async def my(kit: Kit, _: My, who: Caller, reply: Reply) -> None:
    """My live access with countdown, my sessions, what I asked for."""
    person = kit.person(who)

    def build(tx: Tx) -> Card:
        mine = [row for row in tx.requests(person=person.id, limit=50) if not row.is_look]
        waiting = [case for row in mine if waits(tx, row) and (case := case_of(tx, kit.world, row.id))]
        grants = usable(tx.grants(live_at=tx.now, person=person.id), tx.now)
        sessions = tx.sessions(open_only=True, person=person.id, limit=20)
        kept_back = {one.request for one in openings(tx, person.id)}
        ahead = [
            opening_item(one, row, tx.now)
            for one in openings(tx, person.id)
            if tx.now < one.until and (row := tx.request(one.request)) is not None
        ]
        return lists.my_card(
            lists.Mine(
                grants, sessions, waiting, lists.recent_of([row for row in mine if row.id not in kept_back]), ahead
            )
        )

    await show(kit, who, reply, build)


def waits(tx: Tx, row: AccessRequest) -> bool:
    """Still open for a decision."""
    return row.state is RequestState.PENDING and tx.now < row.expires_at


def waiting_for(kit: Kit, tx: Tx, person: PersonId) -> Iterator[AccessRequest]:
    """What this person could decide now, oldest first, however much waits for others."""
    rows = (row for row in reversed(tx.requests(states=WAITING, limit=EVERYTHING)) if waits(tx, row))
    return (row for row in rows if counts(kit.world.progress(tx, row), person))


async def pending(kit: Kit, intent: Pending, who: Caller, reply: Reply) -> None:
    """What waits for my decision, a page of it."""
    person = kit.person(who)

    def build(tx: Tx) -> Card:
        frozen = kit.world.freezes(tx, person.id)
        rows: list[Freeze | AccessRequest] = [*frozen, *broken_glass(tx, person.id), *waiting_for(kit, tx, person.id)]
        page = min(intent.page, max(1, -(-len(rows) // lists.MOST)))
        here = (_waiting_item(kit.world, tx, row) for row in rows[(page - 1) * lists.MOST : page * lists.MOST])
        return lists.pending_card([item for item in here if item is not None], len(rows), page)

    await show(kit, who, reply, build)


def _waiting_item(world: World, tx: Tx, row: Freeze | AccessRequest) -> Item | None:
    if isinstance(row, Freeze):
        return freeze_item(row, world.mention(row.by))
    case = case_of(tx, world, row.id)
    return lists.pending_item(case) if case else None


async def sessions(kit: Kit, intent: Sessions, who: Caller, reply: Reply) -> None:
    """The caller's own open sessions, and those they may end; with a resource, only there."""
    person = kit.person(who)
    resource = kit.resource(intent.resource) if intent.resource else None

    def build(tx: Tx) -> Card:
        ends = {one.name for one in kit.resources() if may_end(kit, person, one)}
        found = tx.sessions(open_only=True, resource=resource.name if resource else None, limit=1000)
        found = [one for one in found if one.actor.person == person.id or one.resource in ends]
        return lists.sessions_card([(actor_mention(kit.world, one.actor), one) for one in found], kit.world.links)

    await show(kit, who, reply, build)


async def show_one(kit: Kit, intent: Show, who: Caller, reply: Reply) -> None:
    """One request, grant or session; the exact text only for those who decide and for the requester."""
    kit.person(who)

    def build(tx: Tx) -> Card:
        if parse_id(intent.id, Prefix.SESSION):
            visit = visit_of(tx, kit.world, SessionId(intent.id))
            if visit is None:
                raise Invalid(f"There is no session {intent.id}.", field="id")
            return private(session_card(visit))
        by_grant = parse_id(intent.id, Prefix.GRANT) is not None
        case = (
            case_of_grant(tx, kit.world, GrantId(intent.id))
            if by_grant
            else case_of(tx, kit.world, RequestId(intent.id))
        )
        if case is None:
            raise Invalid(f"There is no {'grant' if by_grant else 'request'} {intent.id}.", field="id")
        progress = kit.world.progress(tx, case.request)
        if who.person in progress.deniers or case.request.actor.person == who.person:
            look = may_look(kit, case.request, progress, who.person)
            return review_card(case, may_decide=counts(progress, who.person), estimates=look)
        return private(request_card(case))

    await show(kit, who, reply, build)


async def replay(kit: Kit, intent: Replay, who: Caller, reply: Reply) -> None:
    """A link to a recording; the page itself decides who may watch."""
    kit.person(who)

    def build(tx: Tx) -> Card:
        session = tx.session(intent.session)
        if session is None:
            raise Invalid(f"There is no session {intent.session}.", field="id")
        return lists.replay_card(session, actor_mention(kit.world, session.actor), kit.world.links)

    await show(kit, who, reply, build)


async def who_can(kit: Kit, intent: Who, who: Caller, reply: Reply) -> None:
    """Who could decide for the caller, and who has access now."""
    person, resource = kit.person(who), kit.resource(intent.resource)
    ways = await _ways(kit, person, resource)

    def build(tx: Tx) -> Card:
        live = usable(tx.grants(live_at=tx.now, resource=resource.name), tx.now)
        holders = [(actor_mention(kit.world, grant.actor), grant) for grant in live]
        return lists.who_card(resource, ways, holders)

    await show(kit, who, reply, build)


async def _ways(kit: Kit, person: Person, resource: Resource, at: datetime | None = None) -> list[lists.Way]:
    """How each standing scope would be decided for this person `at` (now)."""
    found, delegations = [], await kit.store.read(kept)
    for name in ("read", "write", "admin"):
        outlook = kit.desk.outlook(actor_of(person), resource, standing_scope(name), at, delegations)
        found.append(lists.Way(name, outlook, mentions_of(kit.world, outlook.progress.deciders)))
    return found


async def why(kit: Kit, intent: Why, who: Caller, reply: Reply) -> None:
    """What the caller may do on a resource; with a statement, what would happen to it."""
    person, resource = kit.person(who), kit.resource(intent.resource)
    now = kit.clock.now()
    live = await kit.store.read(lambda tx: tx.grants(live_at=now, person=person.id, resource=resource.name))
    grants = usable(live, now)
    if intent.at is not None:
        then = now + resolve(intent.at, now, person.time_zone)
        await reply.card(lists.then_card(resource, then, await _ways(kit, person, resource, then)))
        return
    if not intent.statement:
        await reply.card(lists.why_card(resource, kit.world.policy, grants, await _ways(kit, person, resource)))
        return
    outlook = kit.desk.outlook(actor_of(person), resource, standing_scope("read"), None, await kit.store.read(kept))
    deciders = mentions_of(kit.world, outlook.progress.deciders)
    understood = await kit.judge.understand(resource, intent.statement)
    found = explain(kit.world.policy, grants, person, resource, understood, now)
    await reply.card(verdicts.verdict_card(resource, understood.shown, found, deciders))


async def whoami(kit: Kit, _: WhoAmI, who: Caller, reply: Reply) -> None:
    """Which person this chat account is."""
    await reply.card(lists.whoami_card(kit.person(who), who.platform))


async def help_(kit: Kit, intent: Help, who: Caller, reply: Reply) -> None:
    """The verbs that could do something for the caller, or one of them."""
    person = kit.person(who)
    verbs = await kit.store.read(lambda tx: _verbs(kit, tx, person))
    await reply.card(lists.help_card(intent.verb, verbs))


def _verbs(kit: Kit, tx: Tx, person: Person) -> tuple[Verb, ...]:
    return verbs_of(standing_of(kit, person, waiting=any(True for _ in waiting_for(kit, tx, person.id))))


def private(card: Card) -> Card:
    """The same card, for one person."""
    return replace(card, private=True)


async def suggest(kit: Kit, text: str, who: Caller) -> list[Suggestion]:
    """What could follow in the composer, from what the caller may name."""

    def gather(tx: Tx) -> Known:
        mine = tx.requests(person=who.person, states=WAITING, limit=COMPLETED)
        grants: list[Grant] = usable(tx.grants(live_at=tx.now, person=who.person), tx.now)
        open_ = tx.sessions(open_only=True, person=who.person, limit=COMPLETED)
        rows = islice(waiting_for(kit, tx, who.person), COMPLETED)
        waiting = [case for row in rows if (case := case_of(tx, kit.world, row.id))]
        return Known(
            resources=[(resource.name, resource.description) for resource in kit.resources()],
            requests=[(case.request.id, f"{case.who.name}: {case.request.resource}") for case in waiting],
            mine=[(row.id, f"{scope_name(row.scope)} on {row.resource}") for row in mine],
            grants=[(grant.id, f"{scope_name(grant.scope)} on {grant.resource}") for grant in grants],
            sessions=[(session.id, session.resource) for session in open_],
            verbs=_verbs(kit, tx, kit.person(who)),
        )

    return complete(text, await kit.store.read(gather))
