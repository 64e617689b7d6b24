"""Use cases of delegation: let somebody decide in one's place, look who does for whom, end it. The desk judges who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from access import ports
from access.ports import ActionToken, Tx
from approval_flows.deputising import kept
from approval_flows.lifecycle import clock_time
from bot.cards import Card, Do
from bot.durations import resolve
from bot.intents import Delegate, Delegations, Start, Undelegate
from bot.kit import Kit, show
from bot.platform import Caller, Reply
from bot.starts import resolve_start
from bot.tokens import subject
from bot.views import orders
from bot.views.answers import done_card


async def delegate(kit: Kit, intent: Delegate, who: Caller, reply: Reply) -> None:
    """Hand decisions over. Raises what the desk raises."""
    person, now = kit.person(who), kit.clock.now()
    start = resolve_start(intent.start, now, person.time_zone) if intent.start is not None else None
    length = intent.length
    if isinstance(length, Start):
        until = resolve_start(length, now, person.time_zone) + timedelta(minutes=1)
    else:
        until = (start or now) + resolve(length, start or now, person.time_zone)
    wanted = ports.Delegate(intent.person, intent.resources, until, start, intent.reason)
    made = await kit.desk.delegate(person.id, wanted)
    name = kit.world.mention(made.to).name
    said = f"{name} decides in your place on {made.resources} until {clock_time(made.until)} ({made.id})."
    await reply.card(done_card(said, hint=f"You are one voice. To end it: /hoop undelegate {made.id}"))


async def delegations(kit: Kit, _: Delegations, who: Caller, reply: Reply) -> None:
    """Who decides for me, and for whom I do; the security group sees all."""
    person = kit.person(who)
    security = kit.world.security_group
    everything = bool(security) and person.id in kit.world.directory.members(security)

    def build(tx: Tx) -> Card:
        found = [one for one in kept(tx) if tx.now < one.until and (everything or person.id in {one.by, one.to})]
        told = [(one, kit.world.mention(one.by), kit.world.mention(one.to)) for one in found]
        return orders.delegations_card(told)

    await show(kit, who, reply, build)


async def undelegate(kit: Kit, intent: Undelegate, who: Caller, reply: Reply) -> None:
    """End one."""
    kit.person(who)
    ended = await kit.desk.undelegate(intent.id, who.person, intent.reason)
    giver, taker = kit.world.mention(ended.by).name, kit.world.mention(ended.to).name
    await reply.card(done_card(f"Ended: {taker} does not decide for {giver} any more ({ended.id})."))


async def _undelegate(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await undelegate(kit, Undelegate(subject(row)), who, reply)


PRESSED: Mapping[Do, Callable[[Kit, ActionToken, str, Caller, Reply], Awaitable[None]]] = {Do.UNDELEGATE: _undelegate}
