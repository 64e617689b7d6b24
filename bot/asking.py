"""Use cases of people who ask: request, exec, more time; connection, agent and login credentials."""

from __future__ import annotations

from datetime import datetime

from access import ports
from access.actors import Agent, Person
from access.errors import Conflict, Denied, Invalid
from access.ids import GrantId
from access.ports import Asked, Tx
from access.requests import AccessRequest, Grant, RequestState
from access.resources import Resource
from access.scopes import Scope, Unmask, limited, standing_scope, table_names, unmask_scope
from approval_flows.lifecycle import clock_time
from approval_flows.opening import opening_of, openings
from bot.cards import Card, Do
from bot.cases import access_of, case_of
from bot.durations import format_duration, resolve
from bot.intents import AgentToken, Change, Console, Exec, Extend, Request, Token
from bot.kit import Kit, actor_of, found_grant, show
from bot.platform import Caller, Reply
from bot.starts import resolve_start
from bot.tokens import mint, with_minted
from bot.views import access, forms
from bot.views.answers import done_card
from bot.views.parts import button
from bot.views.requests import AUTOMATIC, waiting_already


async def request(kit: Kit, intent: Request, who: Caller, reply: Reply) -> None:
    """File a request for access. Raises what the desk raises; Invalid names the field that must change."""
    person = kit.person(who)
    kit.resource(intent.resource)
    now = kit.clock.now()
    start = resolve_start(intent.start, now, person.time_zone) if intent.start is not None else None
    duration = resolve(intent.duration, start or now, person.time_zone) if intent.duration is not None else None
    asked = await kit.desk.ask_access(
        actor_of(person, intent.agent),
        intent.resource,
        _scope_of(intent),
        duration,
        intent.reason,
        intent.ticket,
        who.place,
        start,
    )
    await told(kit, asked, who, reply)


def _scope_of(intent: Request) -> Scope:
    if intent.unmask:
        return unmask_scope(intent.unmask.split(","))
    return on_tables(standing_scope(intent.scope), intent.tables)


def on_tables(scope: Scope, tables: str) -> Scope:
    """The scope on the tables that somebody typed, with commas between; on all when they typed none. Raises Invalid."""
    if not tables.strip():
        return scope
    try:
        return limited(scope, table_names(tables.split(",")))
    except ValueError as wrong:
        raise Invalid(str(wrong), field="tables") from None


async def execute(kit: Kit, intent: Exec, who: Caller, reply: Reply) -> None:
    """Have one command judged, then file a request for it."""
    person, resource = kit.person(who), kit.resource(intent.resource)
    actor = actor_of(person, intent.agent)
    evidence = await kit.judge.describe(actor, person, resource, intent.command)
    asked = await kit.desk.ask_command(actor, resource.name, evidence, intent.reason, intent.ticket, who.place)
    await told(kit, asked, who, reply)


def _by_whom(kit: Kit, request: AccessRequest) -> str:
    """Whether nobody was asked, or somebody had said yes ahead."""
    by = request.decided_by
    if by is None or by.startswith(AUTOMATIC):
        return f"by the flow {request.flow}"
    return f"by {kit.world.mention(by).name}: {request.note}"


async def told(kit: Kit, asked: Asked, who: Caller, reply: Reply) -> None:
    """Say where it went and who can decide; one that waits already is shown with its Cancel."""
    if asked.existing:

        def build(tx: Tx) -> Card:
            case = case_of(tx, kit.world, asked.request.id)
            return waiting_already(case) if case else done_card(f"{asked.request.id} waits already.")

        await show(kit, who, reply, build)
        return
    if asked.request.state is RequestState.APPROVED:
        kept = await kit.store.read(lambda tx: opening_of(tx, asked.request.id))
        if kept is None:
            hint = f"Its id is {asked.request.id}."
            await reply.card(done_card(f"Granted at once {_by_whom(kit, asked.request)}.", hint=hint))
            return
        hint = f"Begin it then, before {clock_time(kept.until)}: /hoop begin {asked.request.id}"
        said = f"Approved {_by_whom(kit, asked.request)}. It starts at {clock_time(kept.start)}."
        await reply.card(done_card(said, hint=hint))
        return
    people = (await kit.store.read(lambda tx: kit.world.progress(tx, asked.request))).deciders
    names = ", ".join(person.name for person in people[:6])
    await reply.card(done_card(f"Asked. {names} can decide.", hint=f"Its id is {asked.request.id}."))


async def change(kit: Kit, intent: Change, who: Caller, reply: Reply) -> None:
    """Ask for something else in a request that waits: it is decided anew."""
    person = kit.person(who)
    length = intent.duration
    wanted = ports.Change(
        resolve(length, kit.clock.now(), person.time_zone) if length is not None else None,
        standing_scope(intent.scope) if intent.scope else None,
        intent.reason or None,
        intent.ticket or None,
        resolve_start(intent.start, kit.clock.now(), person.time_zone) if intent.start is not None else None,
    )
    row = await kit.desk.change(intent.request, person.id, wanted)
    progress = await kit.store.read(lambda tx: kit.world.progress(tx, row))
    names = ", ".join(one.name for one in progress.deciders[:6])
    hint = f"This is revision {row.revision}; earlier votes are void. {names} can decide."
    await reply.card(done_card(f"Changed: {row.id}.", hint=hint))


async def extend(kit: Kit, intent: Extend, who: Caller, reply: Reply) -> None:
    """More time: the requester asks for it, an approver gives it. Without a length a form opens."""
    person = kit.person(who)
    now = kit.clock.now()
    grant = await kit.store.read(lambda tx: found_grant(tx, intent.target, person, now))
    if intent.duration is None:
        asks = grant.actor.person == person.id
        opener = button("Extend…", Do.EXTEND, grant.id)
        token = await kit.store.transact(lambda tx: mint(tx, kit.entropy, opener, person.id))
        resource = kit.world.resources.get(grant.resource)
        await reply.form(forms.extend_form(grant.id, token, resource, asks=asks, zone=person.time_zone))
        return
    await more_time(kit, grant, intent, intent.reason, who, reply)


async def more_time(kit: Kit, grant: Grant, intent: Extend, reason: str, who: Caller, reply: Reply) -> None:
    """File or give the extension. Raises what the desk raises."""
    person = kit.person(who)
    assert intent.duration is not None
    add = resolve(intent.duration, kit.clock.now(), person.time_zone)
    if grant.actor.person == person.id:
        why = reason or "more time"
        await told(kit, await kit.desk.ask_extension(grant.id, person.id, add, why, who.place), who, reply)
        return
    extended = await kit.desk.extend(grant.id, person.id, add)
    hint = "Your reason is not kept: who gives more time needs none." if reason else ""
    await reply.card(done_card(f"Extended by {format_duration(add)}: {extended.id} on {extended.resource}.", hint=hint))


# ------------------------------------------------------------------------------------------------ credentials


async def token(kit: Kit, intent: Token, who: Caller, reply: Reply) -> None:
    """Issue the caller's connection credential again: the string and the token as two private messages."""
    person, resource = kit.person(who), kit.resource(intent.resource)
    grants = await _usable(kit, person, resource)
    mine = [grant for grant in grants if grant.actor.via is None]
    if not mine:
        raise await _ahead(kit, person, resource) or no_access(resource)
    await _hand_over(kit, person, None, resource, mine[-1], reply)


async def token_of_grant(kit: Kit, grant_id: GrantId, who: Caller, reply: Reply) -> None:
    """The same from a button on live access, which may be an agent's."""
    person = kit.person(who)
    grant = await kit.store.read(lambda tx: found_grant(tx, grant_id, person, kit.clock.now()))
    if grant.actor.person != person.id:
        raise Denied("A token is only given to the person whose access it is.", rule="not-yours")
    if isinstance(grant.scope, Unmask):
        hint = f"/hoop token {grant.resource}"
        raise Invalid(f"{grant.id} is nothing to connect with; your access is.", field="id", hint=hint)
    if not grant.live(kit.clock.now()) or grant.holder:
        raise Conflict(f"{grant.id} is over.", hint=f"Ask again: /hoop request {grant.resource}")
    resource = kit.resource(grant.resource)
    await _hand_over(kit, person, grant.actor.via, resource, grant, reply)


async def _hand_over(
    kit: Kit, person: Person, agent: Agent | None, resource: Resource, grant: Grant, reply: Reply
) -> None:
    issued = await kit.credentials.issue(person, agent, resource, grant.expires_at)
    await reply.card(await _ready(kit, access.connection_card(grant, issued.url, resource=resource), person))
    until = issued.credential.expires_at
    await reply.card(access.token_card(resource.name, issued.token, until, agent=agent.name if agent else ""))


async def _ready(kit: Kit, card: Card, person: Person) -> Card:
    return await kit.store.transact(lambda tx: with_minted(tx, kit.entropy, card, person.id))


async def agent_token(kit: Kit, intent: AgentToken, who: Caller, reply: Reply) -> None:
    """Issue a credential for an agent of the caller, good as long as the caller's own longest access there."""
    person = kit.person(who)
    resource = kit.resource(intent.resource) if intent.resource else await _only_resource(kit, person)
    grants = await _usable(kit, person, resource)
    if not grants:
        raise no_access(resource)
    agent = Agent(intent.name)
    issued = await kit.credentials.issue(person, agent, resource, grants[-1].expires_at)
    until = issued.credential.expires_at
    mention = kit.world.mention(person.id)
    await reply.card(access.agent_card(mention, agent.name, resource, issued.url, until))
    await reply.card(access.token_card(resource.name, issued.token, until, agent=agent.name))


async def _usable(kit: Kit, person: Person, resource: Resource) -> list[Grant]:
    now: datetime = kit.clock.now()
    found = await kit.store.read(lambda tx: tx.grants(live_at=now, person=person.id, resource=resource.name))
    return access_of(found, now)


async def _only_resource(kit: Kit, person: Person) -> Resource:
    now = kit.clock.now()
    found = access_of(await kit.store.read(lambda tx: tx.grants(live_at=now, person=person.id)), now)
    names = sorted({grant.resource for grant in found})
    if len(names) == 1:
        return kit.resource(names[0])
    said = "You have access to none right now." if not names else f"You have access to {', '.join(names)}."
    raise Invalid(f"For which resource? {said}", field="resource", hint="Add --on RESOURCE.")


async def _ahead(kit: Kit, person: Person, resource: Resource) -> Conflict | None:
    """What is told to somebody whose access was approved and is not begun."""
    kept = await kit.store.read(lambda tx: [one for one in openings(tx, person.id) if one.resource == resource.name])
    if not kept:
        return None
    said, hint = kept[0].said(kit.clock.now())
    return Conflict(f"{said[0].upper()}{said[1:]}.", hint=hint)


def no_access(resource: Resource) -> Invalid:
    """What is told to somebody who wants a token without access."""
    hint = f"Ask for it: /hoop request {resource.name}"
    return Invalid(f"You have no live access to {resource.name}.", field="resource", hint=hint)


async def console(kit: Kit, _: Console, who: Caller, reply: Reply) -> None:
    """A private, single-use login link."""
    person = kit.person(who)
    secret = await kit.login_links.issue(person.id, by=f"{who.platform}:{person.wire_name}")
    await reply.card(access.login_card(kit.world.links.login(secret)))
