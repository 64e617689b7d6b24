"""Use cases of people who decide or end: approve, deny, review in private, cancel, done, revoke, kill."""

from __future__ import annotations

from dataclasses import replace

from access.actors import PersonId
from access.errors import Conflict, Denied, HoopError, Invalid
from access.ids import GrantId, Prefix, RequestId, SessionId, parse_id
from access.ports import Narrowed, Progress, Tx
from access.requests import AccessRequest, Ask, Choice, RequestState
from access.scopes import standing_scope, table_names
from approval_flows.opening import opening_of
from bot.cards import Button, Card, Do, in_zone
from bot.cases import World, case_of
from bot.durations import resolve
from bot.intents import Approve, Cancel, Deny, Done, Kill, Revoke, Span
from bot.kit import Kit, found_grant, found_request, show
from bot.ordering import call_off
from bot.platform import Caller, Reply
from bot.tokens import mint
from bot.views import access, forms
from bot.views.answers import done_card, error_card
from bot.views.parts import button
from bot.views.requests import approvable_in_channel, request_card, review_card

#: The rule of a refusal that more than a click is wanted.
STEP_UP = "step-up"


async def approve(kit: Kit, intent: Approve, who: Caller, reply: Reply) -> None:
    """Typed approval. What the channel could not show whole is first shown in private, with Approve on it (rule 8)."""
    row = await kit.store.read(lambda tx: found_request(tx, intent.request))
    if row.state is RequestState.PENDING and not approvable_in_channel(row):
        await review(kit, row.id, who, reply)
        return
    less = less_than_asked(kit, intent.duration, intent.scope, intent.tables, who)
    if intent.again is not None:
        less = replace(less, repeat=resolve(intent.again, kit.clock.now(), kit.person(who).time_zone))
    await vote(kit, row.id, row.revision, Choice.APPROVE, intent.note, who, reply, less)


def less_than_asked(kit: Kit, length: Span | None, scope: str, tables: str, who: Caller) -> Narrowed:
    """What an approver gives instead; the desk refuses more than was asked for."""
    span = resolve(length, kit.clock.now(), kit.person(who).time_zone) if length is not None else None
    try:
        names = table_names(tables.split(",")) if tables.strip() else ()
    except ValueError as wrong:
        raise Invalid(str(wrong), field="tables") from None
    return Narrowed(span, standing_scope(scope) if scope else None, tables=names)


async def deny(kit: Kit, intent: Deny, who: Caller, reply: Reply) -> None:
    """Typed denial; the reason is asked for when it is missing."""
    row = await kit.store.read(lambda tx: found_request(tx, intent.request))
    if intent.reason.strip() or row.state is not RequestState.PENDING:
        await vote(kit, row.id, row.revision, Choice.DENY, intent.reason, who, reply)
        return
    await ask_reason(kit, forms.DENY, button("Deny…", Do.DENY, row.id), who, reply)


async def vote(
    kit: Kit,
    id: RequestId,
    revision: int,
    choice: Choice,
    note: str,
    who: Caller,
    reply: Reply,
    narrowed: Narrowed | None = None,
) -> None:
    """Vote through the desk, which judges who may. A state that moved on is answered with the current card."""
    try:
        row = await kit.desk.review(id, revision, who.person, choice, note, narrowed)
    except Denied as denied:
        if denied.rule != STEP_UP:
            raise
        step = await kit.desk.begin_step_up(id, revision, who.person, note, narrowed)
        await reply.card(access.step_up_card(id, kit.world.links.confirm(step.secret), step))
        return
    except Conflict as conflict:
        await current(kit, id, conflict, who, reply)
        return
    still = await still_wanted(kit, row) if choice is Choice.APPROVE else ""
    await reply.card(done_card(_voted(row, choice, still), hint=_next(row)))


async def still_wanted(kit: Kit, row: AccessRequest) -> str:
    """What a request that waits on after a yes still wants, and of whom."""
    if row.state is not RequestState.PENDING:
        return ""
    progress = await kit.store.read(lambda tx: kit.world.progress(tx, row))
    names = ", ".join(person.name for person in progress.deciders) or "nobody at the moment"
    steps = " → ".join(f"{name} {has} of {wants}" for name, has, wants in progress.stages)
    return f"It needs more approvals ({steps}). Who can decide now: {names}."


def _voted(row: AccessRequest, choice: Choice, still: str) -> str:
    if choice is Choice.DENY:
        return f"Denied: {row.id}. The requester reads your reason."
    return f"Approved: {row.id}. {still}".strip()


def _next(row: AccessRequest) -> str:
    if row.state is not RequestState.APPROVED:
        return ""
    return {Ask.COMMAND: "It runs now, once.", Ask.STATEMENT: "The held statement goes on, once."}.get(row.ask, "")


async def current(kit: Kit, id: RequestId, why: HoopError, who: Caller, reply: Reply) -> None:
    """The state a request is in now, led by why the action did not count."""

    def build(tx: Tx) -> Card:
        case = case_of(tx, kit.world, id)
        if case is None:
            return error_card(why)
        card = for_reader(kit.world, tx, case.request, request_card(case), who.person)
        lead = (in_zone(why.message), in_zone(why.hint)) if why.hint else (in_zone(why.message),)
        return replace(card, lines=(*lead, *card.lines), fallback=f"{why.message} {card.fallback}", private=True)

    await show(kit, who, reply, build)


_OF_A_YES = frozenset({Do.APPROVE, Do.NARROW})
_OF_A_SAY = frozenset({Do.DENY, Do.PROPOSE})


def for_reader(world: World, tx: Tx, request: AccessRequest, card: Card, reader: PersonId) -> Card:
    """The card as one person's own answer: without the decisions that are not theirs to take now."""
    if request.state is not RequestState.PENDING:
        return card
    now = world.progress(tx, request)
    barred = frozenset[Do]() if any(one.id == reader for one in now.deciders) else _OF_A_YES
    barred |= frozenset[Do]() if reader in now.deniers else _OF_A_SAY
    return replace(card, buttons=tuple(one for one in card.buttons if one.do not in barred))


async def review(kit: Kit, id: RequestId, who: Caller, reply: Reply) -> None:
    """The private view with the exact text: for those who can decide now, and for the requester (who cannot decide).

    Raises Denied for anybody else.
    """

    def build(tx: Tx) -> Card:
        row = found_request(tx, id)
        case = case_of(tx, kit.world, id)
        progress = kit.world.progress(tx, row)
        if case is None or not (who.person in progress.deniers or row.actor.person == who.person):
            names = ", ".join(person.name for person in progress.deciders) or "nobody"
            raise Denied("The exact text is only for those who decide.", rule="not-an-approver", hint=f"Now: {names}.")
        look = may_look(kit, row, progress, who.person)
        return review_card(case, may_decide=counts(progress, who.person), estimates=look)

    kit.person(who)
    await show(kit, who, reply, build)


def may_look(kit: Kit, request: AccessRequest, progress: Progress, person: PersonId) -> bool:
    """Whether somebody who decides can look at what it would do: the owner switched that on, and it is not their own."""
    return bool(kit.looks.on) and person in progress.deniers and person != request.actor.person


def counts(progress: Progress, person: PersonId) -> bool:
    """Whether this person's approval counts now."""
    return any(decider.id == person for decider in progress.deciders)


async def ask_reason(kit: Kit, form: str, opener: Button, who: Caller, reply: Reply) -> None:
    """Open the form that asks why, carrying a token for the action."""
    kit.person(who)
    token = await kit.store.transact(lambda tx: mint(tx, kit.entropy, opener, who.person))
    await reply.form(forms.reason_form(form, opener.subject, token))


async def _why_off(kit: Kit, id: RequestId, who: Caller) -> str:
    """In whose words it is called off: others than its own person may."""
    request = await kit.store.read(lambda tx: tx.request(id))
    own = request is not None and request.actor.person == who.person
    return "taken back by the requester" if own else f"called off by {kit.world.mention(who.person).name}"


async def cancel(kit: Kit, intent: Cancel, who: Caller, reply: Reply) -> None:
    """Take one's own request back, or approved access that was not begun yet."""
    if await _waits_to_begin(kit, intent.request):
        await call_off(kit, intent.request, await _why_off(kit, intent.request, who), who, reply)
        return
    try:
        await kit.desk.cancel(intent.request, who.person, "taken back by the requester")
    except Conflict as conflict:
        await current(kit, intent.request, conflict, who, reply)
        return
    await reply.card(done_card(f"Cancelled: {intent.request}."))


async def _waits_to_begin(kit: Kit, target: str) -> RequestId | None:
    """The request that `target` names, when it was approved and waits to be begun."""
    named = parse_id(target, Prefix.REQUEST)
    if named is None:
        return None
    kept = await kit.store.read(lambda tx: opening_of(tx, RequestId(named)))
    return kept.request if kept is not None else None


async def done(kit: Kit, intent: Done, who: Caller, reply: Reply) -> None:
    """Give access back."""
    person = kit.person(who)
    if (ahead := await _waits_to_begin(kit, intent.target)) is not None:
        await call_off(kit, ahead, "given back before it was begun", who, reply)
        return
    grant = await kit.store.read(lambda tx: found_grant(tx, intent.target, person, kit.clock.now()))
    ended = await kit.desk.done(grant.id, person.id)
    await reply.card(done_card(f"Thank you. Your access to {ended.resource} has ended ({ended.id})."))


async def revoke(kit: Kit, intent: Revoke, who: Caller, reply: Reply) -> None:
    """End somebody's access; the reason is asked for when it is missing."""
    person = kit.person(who)
    if (ahead := await _waits_to_begin(kit, intent.target)) is not None:
        await call_off(kit, ahead, intent.reason, who, reply)
        return
    grant = await kit.store.read(lambda tx: found_grant(tx, intent.target, person, kit.clock.now()))
    if not intent.reason.strip():
        await ask_reason(kit, forms.REVOKE, button("Revoke…", Do.REVOKE, grant.id), who, reply)
        return
    await end_access(kit, grant.id, intent.reason, who, reply)


async def end_access(kit: Kit, grant: GrantId, why: str, who: Caller, reply: Reply) -> None:
    """Revoke now."""
    ended = await kit.desk.revoke(grant, who.person, why)
    name = kit.world.mention(ended.actor.person, ended.actor.display).name
    await reply.card(done_card(f"Revoked: {name}'s access to {ended.resource} ({ended.id}). Sessions are being cut."))


async def kill(kit: Kit, intent: Kill, who: Caller, reply: Reply) -> None:
    """Cut one session."""
    person = kit.person(who)
    await cut(kit, intent.session, intent.reason or f"cut by {person.name}", who, reply)


async def cut(kit: Kit, session: SessionId, why: str, who: Caller, reply: Reply) -> None:
    """Ask the gateway to cut a session now."""
    asked = await kit.desk.kill(session, who.person, why)
    await reply.card(done_card(f"Cutting {asked.id} on {asked.resource}."))
