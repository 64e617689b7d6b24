"""Use cases of freezes and allowances. The desk judges who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from access import ports
from access.ids import RequestId
from access.ports import ActionToken
from access.scopes import standing_scope
from approval_flows.lifecycle import clock_time
from bot.cards import Do
from bot.durations import resolve
from bot.intents import Allow, Begin, Confirm, DenyAll, Disallow, Lift
from bot.kit import Kit
from bot.platform import Caller, Reply
from bot.tokens import subject
from bot.views.answers import done_card
from bot.views.orders import CONFIRMERS


async def begin(kit: Kit, intent: Begin, who: Caller, reply: Reply) -> None:
    """The clock of approved access starts now."""
    kit.person(who)
    grant = await kit.desk.begin(intent.request, who.person)
    said = f"Begun: {grant.resource} until {clock_time(grant.expires_at)}."
    await reply.card(done_card(said, hint="How to connect comes in a private message."))


async def call_off(kit: Kit, id: RequestId, why: str, who: Caller, reply: Reply) -> None:
    """Approved access will not be begun."""
    kit.person(who)
    row = await kit.desk.call_off(id, who.person, why)
    await reply.card(done_card(f"Called off: the access to {row.resource} will not begin ({row.id})."))


async def deny_all(kit: Kit, intent: DenyAll, who: Caller, reply: Reply) -> None:
    """Stop everything there at once."""
    kit.person(who)
    frozen = await kit.desk.freeze(intent.resource, who.person, intent.reason, cut=intent.cut)
    names = ", ".join(one.resource for one in frozen)
    if frozen[0].confirmed_by is not None:
        await reply.card(done_card(f"It was frozen already; you confirmed it: {names}.", hint=_LIFTING))
        return
    sessions = "Open sessions are being cut." if intent.cut else "Sessions stay connected; shells are cut."
    wanted = f"{CONFIRMERS} is asked to confirm it. " if frozen[0].alone else ""
    await reply.card(done_card(f"Frozen: {names}. {sessions}", hint=f"{wanted}{_LIFTING}"))


_LIFTING = "Two people lift it, each: /hoop lift RESOURCE"


async def confirm_freeze(kit: Kit, resource: str, who: Caller, reply: Reply) -> None:
    """A second person stands behind a freeze."""
    kit.person(who)
    confirmed = await kit.desk.confirm_freeze(resource, who.person)
    await reply.card(done_card(f"Confirmed: {confirmed.resource} stays frozen.", hint=_LIFTING))


async def lift(kit: Kit, intent: Lift, who: Caller, reply: Reply) -> None:
    """Let it go on; the second person's word does it."""
    kit.person(who)
    waits = await kit.desk.lift(intent.resource, who.person, intent.reason)
    if waits is None:
        await reply.card(done_card(f"Lifted: {intent.resource} goes on."))
        return
    hint = f"They say: /hoop lift {intent.resource}"
    await reply.card(done_card(f"Noted. {CONFIRMERS} has to agree.", hint=hint))


async def allow(kit: Kit, intent: Allow, who: Caller, reply: Reply) -> None:
    """Propose a yes ahead."""
    person, now = kit.person(who), kit.clock.now()
    wanted = ports.Allow(
        intent.person,
        intent.resource,
        standing_scope(intent.scope),
        resolve(intent.length, now, person.time_zone),
        resolve(intent.longest, now, person.time_zone),
        intent.reason,
    )
    made = await kit.desk.allow(wanted, person.id)
    await reply.card(done_card(f"Proposed: {made.id}.", hint=f"Another person says: /hoop allow {made.id}"))


async def confirm(kit: Kit, intent: Confirm, who: Caller, reply: Reply) -> None:
    """Another yes."""
    kit.person(who)
    made = await kit.desk.confirm(intent.id, who.person)
    said = "It is in force now." if made.given else "It needs one more person."
    await reply.card(done_card(f"Yes to {made.id}. {said}"))


async def disallow(kit: Kit, intent: Disallow, who: Caller, reply: Reply) -> None:
    """Take it back."""
    kit.person(who)
    ended = await kit.desk.disallow(intent.id, who.person, intent.reason)
    name = kit.world.mention(ended.person).name
    await reply.card(done_card(f"Taken back: {name} asks for {ended.resource} as everybody does ({ended.id})."))


async def _lift(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await lift(kit, Lift(subject(row)), who, reply)


async def _confirm_freeze(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await confirm_freeze(kit, subject(row), who, reply)


async def _confirm(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await confirm(kit, Confirm(subject(row)), who, reply)


async def _disallow(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await disallow(kit, Disallow(subject(row)), who, reply)


async def _begin(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await begin(kit, Begin(RequestId(subject(row))), who, reply)


async def _call_off(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await call_off(kit, RequestId(subject(row)), "", who, reply)


PRESSED: Mapping[Do, Callable[[Kit, ActionToken, str, Caller, Reply], Awaitable[None]]] = {
    Do.LIFT: _lift,
    Do.CONFIRM_FREEZE: _confirm_freeze,
    Do.BEGIN: _begin,
    Do.CALL_OFF: _call_off,
    Do.CONFIRM: _confirm,
    Do.DISALLOW: _disallow,
}
