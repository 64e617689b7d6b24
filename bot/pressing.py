"""Buttons and forms: a token names a row, the row names an action; who may do it is judged again by the desk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from access.errors import Conflict, Denied
from access.ids import GrantId, RequestId, SessionId
from access.ports import ActionToken
from access.requests import AccessRequest, Choice, RequestState
from access.scopes import Unmask, limited_to, scope_name
from bot import (
    asking,
    deciding,
    delegating,
    estimating,
    guarding,
    keys,
    looking,
    ordering,
    proposing,
    rerunning,
    running,
)
from bot.cards import Do, Form
from bot.durations import format_duration
from bot.filled import Filled
from bot.intents import Cancel, Done, Extend, Kill, Replay, Rerun, Run, Show
from bot.kit import Kit, found_grant, found_request
from bot.platform import Caller, Reply
from bot.preferences import pressed as switched
from bot.tokens import subject
from bot.views import forms, proposals
from bot.views.requests import approvable_in_channel
from runbooks.model import Part


async def redeem(kit: Kit, token: str, who: Caller) -> ActionToken:
    """The row of a pressed token. Raises Denied for a forged one or one made for somebody else, Conflict for an old one."""
    row = await kit.store.read(lambda tx: tx.token(token)) if 0 < len(token) <= 100 else None
    if row is None:
        hint = "Act on the message itself, or look at /hoop pending and /hoop my."
        raise Denied("This button is not one of mine, so nothing was done.", rule="unknown-button", hint=hint)
    if row.audience and row.audience != who.person:
        raise Denied("This button was made for somebody else, so nothing was done.", rule="foreign-button")
    if kit.clock.now() >= row.expires_at:
        raise Conflict("This button is too old, so nothing was done.", hint="Look at /hoop pending and /hoop my.")
    return row


async def press(kit: Kit, token: str, who: Caller, reply: Reply) -> None:
    """Do what the button says."""
    row = await redeem(kit, token, who)
    kit.person(who)
    await _PRESSED[Do(row.action)](kit, row, token, who, reply)


async def _approve(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    """Rule 8: an approval counts only from a view that showed everything."""
    request = await kit.store.read(lambda tx: found_request(tx, row.request))
    whole = approvable_in_channel(request) or row.arguments.get("seen") == "exact"
    if request.state is RequestState.PENDING and not whole:
        await deciding.review(kit, row.request, who, reply)
        return
    await deciding.vote(kit, row.request, row.revision, Choice.APPROVE, "", who, reply)


async def _narrow(kit: Kit, row: ActionToken, token: str, who: Caller, reply: Reply) -> None:
    """Approve with less than was asked for; what was decided meanwhile is shown instead."""
    request = await kit.store.read(lambda tx: found_request(tx, row.request))
    if request.state is not RequestState.PENDING:
        await deciding.vote(kit, row.request, row.revision, Choice.APPROVE, "", who, reply)
        return
    await reply.form(_narrow_form(kit, request, token, who))


def _narrow_form(kit: Kit, request: AccessRequest, token: str, who: Caller) -> Form:
    name = kit.world.mention(request.actor.person, request.actor.display).name
    resource = kit.world.resources.get(request.resource)
    return forms.narrow_form(request, name, token, resource, zone=kit.person(who).time_zone)


async def _deny(kit: Kit, row: ActionToken, token: str, who: Caller, reply: Reply) -> None:
    request = await kit.store.read(lambda tx: found_request(tx, row.request))
    if request.state is not RequestState.PENDING:
        await deciding.vote(kit, row.request, row.revision, Choice.DENY, "", who, reply)
        return
    await reply.form(forms.reason_form(forms.DENY, row.request, token))


async def _review(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await deciding.review(kit, row.request, who, reply)


async def _cancel(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await rerunning.cancel(kit, Cancel(row.request), who, reply)


async def _extend(kit: Kit, row: ActionToken, token: str, who: Caller, reply: Reply) -> None:
    grant = await kit.store.read(lambda tx: found_grant(tx, subject(row), kit.person(who), kit.clock.now()))
    if not grant.live(kit.clock.now()):
        raise Conflict(f"{grant.id} is over.", hint=f"Ask again: /hoop request {grant.resource}")
    asks = grant.actor.person == who.person
    resource, zone = kit.world.resources.get(grant.resource), kit.person(who).time_zone
    await reply.form(forms.extend_form(grant.id, token, resource, asks=asks, zone=zone))


async def _done(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await deciding.done(kit, Done(subject(row)), who, reply)


async def _revoke(_kit: Kit, row: ActionToken, token: str, _who: Caller, reply: Reply) -> None:
    await reply.form(forms.reason_form(forms.REVOKE, subject(row), token))


async def _kill(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await deciding.kill(kit, Kill(SessionId(subject(row))), who, reply)


async def _replay(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await looking.replay(kit, Replay(SessionId(subject(row))), who, reply)


async def _again(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    """The request form, prefilled with what was asked before."""
    old = await kit.store.read(lambda tx: found_request(tx, RequestId(subject(row))))
    if old.actor.person != who.person:
        raise Denied("Only the person who asked can ask that again.", rule="not-yours")
    given = {
        "resource": old.resource,
        "scope": scope_name(old.scope),
        "duration": format_duration(old.duration),
        "reason": old.reason,
        "ticket": old.ticket,
        "agent": old.actor.via.name if old.actor.via else "",
        "unmask": ", ".join(old.scope.columns) if isinstance(old.scope, Unmask) else "",
        "tables": ", ".join(limited_to(old.scope)),
    }
    await reply.form(forms.request_form(kit.resources(), given, {}, kit.person(who).time_zone))


async def _token(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await asking.token_of_grant(kit, GrantId(subject(row)), who, reply)


async def _run(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await running.run(kit, Run(subject(row)), who, reply)


async def _star(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await running.star(kit, subject(row), who, reply)


async def _start(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await running.start(kit, row, who, reply)


async def _watch(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await looking.show_one(kit, Show(subject(row)), who, reply)


async def _rerun(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await rerunning.rerun(kit, Rerun(RequestId(subject(row))), who, reply)


async def _change(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await rerunning.rerun(kit, Rerun(RequestId(subject(row))), who, reply, change=True)


async def _apply(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await rerunning.follow_up(kit, RequestId(subject(row)), Part.RUN, who, reply)


async def _roll_back(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await rerunning.follow_up(kit, RequestId(subject(row)), Part.ROLLBACK, who, reply)


async def _stop(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await rerunning.stop(kit, RequestId(subject(row)), who, reply)


Pressed = Callable[[Kit, ActionToken, str, Caller, Reply], Awaitable[None]]
_PRESSED: Mapping[Do, Pressed] = {
    Do.APPROVE: _approve,
    Do.NARROW: _narrow,
    Do.DENY: _deny,
    Do.REVIEW: _review,
    Do.CANCEL: _cancel,
    Do.EXTEND: _extend,
    Do.DONE: _done,
    Do.REVOKE: _revoke,
    Do.KILL: _kill,
    Do.REPLAY: _replay,
    Do.AGAIN: _again,
    Do.TOKEN: _token,
    Do.RUN: _run,
    Do.STAR: _star,
    Do.WATCH: _watch,
    Do.START: _start,
    Do.RERUN: _rerun,
    Do.CHANGE: _change,
    Do.APPLY: _apply,
    Do.ROLLBACK: _roll_back,
    Do.STOP: _stop,
    Do.SETTING: switched,
    **guarding.PRESSED,
    **ordering.PRESSED,
    **delegating.PRESSED,
    **proposing.PRESSED,
    **estimating.PRESSED,
    **keys.PRESSED,
}


# ------------------------------------------------------------------------------------------------ forms with a token


Take = Callable[[Kit, Reply], Awaitable[None]]


async def opened(kit: Kit, name: str, token: str, values: Mapping[str, str], who: Caller) -> tuple[Form, Take]:
    """A submitted form that carries a token (approve less, deny, revoke, kill, extend, …) as it was opened, and what it does:
    that raises Invalid where a field is wrong."""
    row = await redeem(kit, token, who)
    kit.person(who)
    if row.action != _ACTION_OF[name].value:
        raise Denied("This form and its button do not belong together, so nothing was done.", rule="foreign-button")
    form = await _form_of(kit, name, token, row, who)
    return form, lambda kit, reply: _submitted(kit, name, row, values, who, reply)


_ACTION_OF = {
    forms.NARROW: Do.NARROW,
    forms.DENY: Do.DENY,
    forms.REVOKE: Do.REVOKE,
    forms.KILL: Do.KILL,
    forms.EXTEND: Do.EXTEND,
    proposals.PROPOSE: Do.PROPOSE,
    **{name: form.do for name, form in guarding.FORMS.items()},
}
WITH_TOKEN = frozenset(_ACTION_OF)


async def _form_of(kit: Kit, name: str, token: str, row: ActionToken, who: Caller) -> Form:
    if name in guarding.FORMS:
        return await guarding.FORMS[name].open(kit, subject(row), token)
    if name == proposals.PROPOSE:
        return await proposing.form_of(kit, row, token, who)
    if name == forms.NARROW:
        return _narrow_form(kit, await kit.store.read(lambda tx: found_request(tx, row.request)), token, who)
    if name != forms.EXTEND:
        return forms.reason_form(name, subject(row), token)
    person = kit.person(who)
    grant = await kit.store.read(lambda tx: found_grant(tx, subject(row), person, kit.clock.now()))
    resource, asks = kit.world.resources.get(grant.resource), grant.actor.person == who.person
    return forms.extend_form(grant.id, token, resource, asks=asks, zone=person.time_zone)


async def _give_less(kit: Kit, row: ActionToken, filled: Filled, who: Caller, reply: Reply) -> None:
    request = await kit.store.read(lambda tx: found_request(tx, row.request))
    scope, note, tables, span = filled.scope(), filled.line("note"), filled.tables(), filled.span(required=True)
    scope = "" if scope == scope_name(request.scope) else scope

    async def act(kit: Kit, reply: Reply) -> None:
        less = deciding.less_than_asked(kit, span, scope, tables, who)
        await deciding.vote(kit, row.request, row.revision, Choice.APPROVE, note, who, reply, less)

    await filled.act(kit, reply, act)


async def _more_time(kit: Kit, row: ActionToken, filled: Filled, who: Caller, reply: Reply) -> None:
    span, reason = filled.span(required=True), filled.line("reason")
    person, now = kit.person(who), kit.clock.now()
    grant = await kit.store.read(lambda tx: found_grant(tx, subject(row), person, now))

    async def act(kit: Kit, reply: Reply) -> None:
        if span is not None:
            await asking.more_time(kit, grant, Extend(grant.id, span), reason, who, reply)

    await filled.act(kit, reply, act)


async def _submitted(
    kit: Kit, name: str, row: ActionToken, values: Mapping[str, str], who: Caller, reply: Reply
) -> None:
    if name in guarding.FORMS:
        await guarding.FORMS[name].take(kit, subject(row), values, who, reply)
        return
    if name == proposals.PROPOSE:
        await proposing.take(kit, row, values, who, reply)
        return
    filled = Filled(values)
    if name in _FILLED:
        await _FILLED[name](kit, row, filled, who, reply)
        return
    why = filled.denial() if name == forms.DENY else filled.line("reason", required=True)

    async def act(kit: Kit, reply: Reply) -> None:
        if name == forms.DENY:
            await deciding.vote(kit, row.request, row.revision, Choice.DENY, why, who, reply)
        elif name == forms.REVOKE:
            await deciding.end_access(kit, GrantId(subject(row)), why, who, reply)
        else:
            await deciding.cut(kit, SessionId(subject(row)), why, who, reply)

    await filled.act(kit, reply, act)


_FILLED: Mapping[str, Callable[[Kit, ActionToken, Filled, Caller, Reply], Awaitable[None]]] = {
    forms.NARROW: _give_less,
    forms.EXTEND: _more_time,
}
