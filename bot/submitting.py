"""Forms: which one an incomplete command opens, and what a submitted one means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from access.errors import Conflict, Denied, Invalid, Unavailable
from bot import looking, pressing, running
from bot.cards import Form
from bot.durations import format_span
from bot.filled import Filled, at_the_text
from bot.intents import (
    AgentToken,
    BreakGlass,
    Exec,
    Incomplete,
    Mistake,
    My,
    Pending,
    Request,
    Runbooks,
    Runs,
    Sessions,
    Token,
    Verb,
    Who,
    Why,
)
from bot.kit import Kit, unknown_resource
from bot.platform import Caller, Reply
from bot.starts import format_start
from bot.usage import EXAMPLES
from bot.views import emergencies, forms, runs
from bot.views.answers import mistake_card

Perform = Callable[[Kit, Any, Caller, Reply], Awaitable[None]]
_ON_RESOURCE = {Verb.TOKEN: Token, Verb.WHO: Who, Verb.WHY: Why}


async def ask(kit: Kit, incomplete: Incomplete, who: Caller, reply: Reply) -> None:
    """Open the form of an incomplete command, from memory alone; a missing id is answered with the list to choose from."""
    zone = kit.person(who).time_zone
    verb, given, errors = incomplete.verb, incomplete.given, incomplete.errors
    resources = kit.resources()
    if given.get("resource", "") not in {"", *kit.world.resources} and "resource" not in errors:
        errors = {"resource": unknown_resource(kit, given["resource"]), **errors}
    match verb:
        case Verb.REQUEST:
            await reply.form(forms.request_form(resources, given, errors, zone))
        case Verb.EXEC:
            await reply.form(forms.exec_form(resources, given, errors))
        case Verb.AGENT:
            await reply.form(forms.agent_form(resources, given, errors))
        case Verb.BREAK_GLASS:
            await reply.form(emergencies.glass_form(resources, given, errors, zone))
        case Verb.TOKEN | Verb.WHO | Verb.WHY:
            await reply.form(forms.resource_form(verb.value, resources, errors))
        case Verb.APPROVE | Verb.DENY | Verb.PROPOSE:
            await looking.pending(kit, Pending(), who, reply)
        case Verb.RUN:
            await running.runbooks(kit, Runbooks(), who, reply)
        case Verb.RERUN:
            await running.runs(kit, Runs(), who, reply)
        case Verb.KILL | Verb.REPLAY:
            await looking.sessions(kit, Sessions(), who, reply)
        case Verb.EXTEND if errors:
            await reply.card(mistake_card(Mistake(next(iter(errors.values())), verb, EXAMPLES[verb])))
        case _:
            await looking.my(kit, My(), who, reply)


def form_for(kit: Kit, intent: Any, wrong: Invalid, zone: str) -> Form | None:
    """The form that lets the person mend what was wrong with a complete command; None when no field can."""
    match intent:
        case Request():
            given = {
                "resource": intent.resource,
                "scope": intent.scope,
                "duration": format_span(intent.duration) if intent.duration is not None else "",
                "reason": intent.reason,
                "ticket": intent.ticket,
                "agent": intent.agent,
                "unmask": intent.unmask,
                "start": format_start(intent.start) if intent.start is not None else "",
                "tables": intent.tables,
            }
            form = forms.request_form(kit.resources(), given, {}, zone)
        case Exec():
            given = {"resource": intent.resource, "command": intent.command, "reason": intent.reason}
            form = forms.exec_form(kit.resources(), given | {"ticket": intent.ticket, "agent": intent.agent}, {})
        case BreakGlass():
            given = {
                "resource": intent.resource,
                "confirmed": intent.confirmed,
                "scope": intent.scope,
                "duration": format_span(intent.duration) if intent.duration is not None else "",
                "reason": intent.reason,
                "ticket": intent.ticket,
            }
            form = emergencies.glass_form(kit.resources(), given, {}, zone)
        case AgentToken():
            form = forms.agent_form(kit.resources(), {"agent": intent.name, "resource": intent.resource}, {})
        case _:
            return None
    names = {field.name for field in form.fields}
    return form.with_errors(wrong.errors, {}) if not names.isdisjoint(wrong.errors) else None


async def opened(
    kit: Kit, name: str, token: str, values: Mapping[str, str], who: Caller, perform: Perform
) -> tuple[Form, pressing.Take]:
    """A submitted form, blank, and what it does. Raises Denied for one that nobody opened."""
    if name in pressing.WITH_TOKEN:
        return await pressing.opened(kit, name, token, values, who)
    form = _blank(kit, name, values, kit.person(who).time_zone)
    return form, lambda kit, reply: _perform(kit, name, values, who, reply, perform)


async def taken(form: Form, values: Mapping[str, str], work: Awaitable[None]) -> Form | None:
    """Wait for the work of a form: the form again, with all that was typed, when fields are wrong or nothing can be done
    now; other refusals are raised."""
    try:
        await work
    except Conflict:
        raise
    except Invalid as wrong:
        return form.with_errors(wrong.errors, values)
    except Unavailable as down:
        return form.with_errors({"": str(down)}, values)
    return None


def _blank(kit: Kit, name: str, values: Mapping[str, str], zone: str) -> Form:
    resources = kit.resources()
    kind, _, verb = name.partition(":")
    match kind:
        case forms.REQUEST:
            return forms.request_form(resources, values, {}, zone)
        case forms.EXEC:
            return forms.exec_form(resources, values, {})
        case forms.AGENT:
            return forms.agent_form(resources, values, {})
        case emergencies.BREAK_GLASS:
            return emergencies.glass_form(resources, values, {}, zone)
        case runs.RUN:
            return running.form_of(kit, verb, values)
        case forms.RESOURCE if verb in {v.value for v in _ON_RESOURCE}:
            return forms.resource_form(verb, resources, {})
        case _:
            raise Denied("This form is not one of mine, so nothing was done.", rule="unknown-form")


async def _perform(kit: Kit, name: str, values: Mapping[str, str], who: Caller, reply: Reply, perform: Perform) -> None:
    filled = Filled(values)
    intent = _intent(name, values, filled)
    text_is_judged = isinstance(intent, Exec)

    async def act(kit: Kit, reply: Reply) -> None:
        if filled.wrong and isinstance(intent, AgentToken | Token | Who | Why):
            kit.resource(intent.resource)  # nothing else is to be rehearsed
            return
        try:
            await perform(kit, intent, who, reply)
        except Denied as denied:
            raise (at_the_text(denied) if text_is_judged else denied) from denied

    await filled.act(kit, reply, act)


def _intent(name: str, values: Mapping[str, str], filled: Filled) -> Any:
    """What the fields say; what is wrong with one of them counts as not said, and is kept in `filled`."""
    if name.startswith(f"{runs.RUN}:"):
        for field in values:
            filled.line(field, most=10_000)
        return running.intent_of(name.partition(":")[2], values)
    resource = filled.line("resource", required=True, most=100)
    kind, _, verb = name.partition(":")
    if kind == forms.RESOURCE:
        return _ON_RESOURCE[Verb(verb)](resource)
    agent = filled.agent(required=kind == forms.AGENT)
    if kind == forms.AGENT:
        return AgentToken(agent, resource)
    reason, ticket = filled.line("reason"), filled.line("ticket", most=64)
    if kind == emergencies.BREAK_GLASS:
        confirmed = filled.line("confirmed", required=True, most=100)
        return BreakGlass(resource, confirmed, filled.scope("read"), filled.span(), reason, ticket)
    if kind == forms.EXEC:
        return Exec(resource, filled.command(), reason, ticket, agent)
    columns, scope, span = filled.columns(), filled.scope("read"), filled.span()
    start, tables = filled.start(), filled.tables()
    return Request(resource, scope, span, reason, ticket, agent, columns, start, tables)
