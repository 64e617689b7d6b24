"""The forms. Prefilled from what was typed; what is wrong is said at its field. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from access.requests import AccessRequest
from access.resources import Protocol, Resource
from access.scopes import Unmask, level_of, limited_to, scope_name, standing_scope
from approval_flows.flow import REASON_MAX
from bot.cards import FieldKind, Form, FormField, Option, text
from bot.durations import format_duration
from bot.grammar_asking import MAX_REASON
from bot.views import parts

CHIPS = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60, 120, 240, 480))
MAX_COMMAND = 30_000

NARROW = "narrow"
REQUEST, EXEC, DENY, EXTEND, REVOKE, KILL, AGENT = "request", "exec", "deny", "extend", "revoke", "kill", "agent"
RESOURCE = "resource"


def request_form(
    resources: Sequence[Resource], given: Mapping[str, str], errors: Mapping[str, str], zone: str = "UTC"
) -> Form:
    """Ask for access. `zone` is that in which times are read."""
    chosen = next((resource for resource in resources if resource.name == given.get("resource")), None)
    fields = (
        resource_field(resources, given.get("resource", "")),
        _what_for(given, scopes_of(resources, chosen, given.get("scope", ""))),
        duration_field(chosen, given.get("duration", ""), zone=zone),
        _start(given.get("start", ""), zone),
        *_tables(given),
        FormField(
            "reason",
            "Reason",
            FieldKind.LINES,
            given.get("reason", ""),
            required=chosen is None or chosen.reason_required,
            placeholder="What will you do, and why now?",
            max_length=REASON_MAX,
        ),
        FormField(
            "ticket", "Ticket", value=given.get("ticket", ""), required=False, placeholder="INC-42", max_length=64
        ),
        *_agent(given),
    )
    return Form(REQUEST, "Request access", fields, "Ask").with_errors(errors, {})


def _start(value: str, zone: str) -> FormField:
    hint = f"22:00, tomorrow 02:00, fri 22:00 UTC; empty: at once. Without a zone it is {zone}."
    return FormField("start", "From when", value=value, required=False, placeholder="now", hint=hint)


def _tables(given: Mapping[str, str]) -> tuple[FormField, ...]:
    """The tables that somebody began to limit the access to."""
    if not given.get("tables"):
        return ()
    return (FormField("tables", "Only these tables", value=given["tables"], required=False, placeholder="orders"),)


def _what_for(given: Mapping[str, str], scopes: tuple[Option, ...]) -> FormField:
    """A scope, or the columns whose clear values somebody began to ask for."""
    if given.get("unmask"):
        return FormField(
            "unmask", "Clear values of", value=given["unmask"], placeholder="customers.email", hint=_BESIDE
        )
    return FormField("scope", "What for", FieldKind.CHOICE, given.get("scope", "read"), options=scopes)


_BESIDE = "Columns, with commas between. Recordings, threads and agents stay masked."
SCOPE_OPTIONS = (
    Option("read", "Read"),
    Option("write", "Read and write"),
    Option("admin", "Change the schema"),
)
_ON_SERVERS = (Option("read", "Read"), Option("write", "Change things"), Option("admin", "Administer"))
SHELL = Option("interactive", "A shell")


def scopes_of(resources: Sequence[Resource], chosen: Resource | None, asked: str) -> tuple[Option, ...]:
    """What can be asked for on the resource, or on one of them while none is chosen; always what was `asked` already."""
    servers = [one.protocol is Protocol.SSH for one in ([chosen] if chosen else resources)]
    usual = _ON_SERVERS if servers and all(servers) else SCOPE_OPTIONS
    return (*usual, SHELL) if any(servers) or asked == SHELL.value else usual


def _agent(given: Mapping[str, str]) -> tuple[FormField, ...]:
    return (FormField("agent", "As my agent", value=given["agent"], required=False),) if given.get("agent") else ()


def resource_field(resources: Sequence[Resource], value: str, label: str = "Resource") -> FormField:
    """The choice of a resource."""
    options = tuple(
        Option(resource.name, f"{resource.name} — {resource.description}" if resource.description else resource.name)
        for resource in resources
    )
    return FormField("resource", label, FieldKind.CHOICE, value, options=options)


def duration_field(
    resource: Resource | None, value: str, label: str = "How long", *, zone: str, most: timedelta | None = None
) -> FormField:
    """How long, at most `most` or what the resource allows."""
    most = most or (resource.max_duration if resource else None)
    chips = tuple(Option(format_duration(c), format_duration(c)) for c in CHIPS if most is None or c <= most)
    value = value or (format_duration(resource.default_duration) if resource else "")
    hint = f"30m, 2h, 1d or until 17:00 ({zone})" + (f"; at most {format_duration(most)}" if most else "")
    return FormField("duration", label, FieldKind.DURATION, value, required=False, options=chips, hint=hint)


def exec_form(resources: Sequence[Resource], given: Mapping[str, str], errors: Mapping[str, str]) -> Form:
    """Ask for one command."""
    fields = (
        resource_field(resources, given.get("resource", "")),
        FormField(
            "command",
            "Command",
            FieldKind.LINES,
            given.get("command", ""),
            hint="Exactly this runs once, after approval.",
            max_length=MAX_COMMAND,
        ),
        FormField(
            "reason",
            "Reason",
            FieldKind.LINES,
            given.get("reason", ""),
            required=False,
            hint="May be left out while you have access there.",
            max_length=REASON_MAX,
        ),
        FormField("ticket", "Ticket", value=given.get("ticket", ""), required=False, max_length=64),
        *_agent(given),
    )
    return Form(EXEC, "Run one command", fields, "Ask").with_errors(errors, {})


def narrow_form(
    request: AccessRequest, who: str, token: str, resource: Resource | None = None, *, zone: str = "UTC"
) -> Form:
    """Approve less than was asked for: a shorter time, a smaller scope, only some tables. More is not offered and not taken."""
    asked, level = format_duration(request.duration), level_of(request.scope)
    chips = tuple(Option(format_duration(c), format_duration(c)) for c in CHIPS if c < request.duration)
    asked_scope = scope_name(request.scope)
    offered = scopes_of([resource] if resource else [], resource, asked_scope)
    scopes = tuple(option for option in offered if level_of(standing_scope(option.value)) <= level)
    fields = [
        FormField(
            "duration",
            "How long",
            FieldKind.DURATION,
            asked,
            options=chips,
            hint=f"30m, 2h or until 17:00 ({zone}); at most {asked}, as asked for",
        )
    ]
    if request.parent is None and len(scopes) > 1:
        fields.append(FormField("scope", "What for", FieldKind.CHOICE, asked_scope, options=scopes))
    tables = resource is not None and resource.protocol is Protocol.POSTGRES
    if tables and request.parent is None and not isinstance(request.scope, Unmask):
        asked_tables = ", ".join(limited_to(request.scope))
        fields.append(
            FormField(
                "tables",
                "Only these tables",
                value=asked_tables,
                required=False,
                placeholder="orders, crm.leads",
                hint=_TABLES,
            )
        )
    fields.append(FormField("note", "Note", FieldKind.LINES, required=False, max_length=MAX_REASON))
    intro = text(f"{who} {parts.asks(request)} {request.resource} for {asked}.")
    return Form(NARROW, "Approve less", tuple(fields), "Approve", token, intro)


_TABLES = "With commas between; empty: as asked for. For read, or read and write."


def reason_form(name: str, subject: str, token: str) -> Form:
    """Deny, revoke or kill, with a reason. A denial offers the usual ones, which also say what to ask for instead."""
    title, label, submit = _REASONS[name]
    usual = (FormField("usual", "Or one of these", FieldKind.CHOICE, required=False, options=USUAL),)
    deny = name == DENY
    field = FormField("reason", label, FieldKind.LINES, required=not deny, max_length=MAX_REASON)
    return Form(name, f"{title} {subject}"[:60], (field, *(usual if deny else ())), submit, token)


USUAL = (
    Option("less", "Ask for less: a shorter time or a smaller scope"),
    Option("why", "Say what you will do and why it is needed now"),
    Option("ticket", "Name the ticket or incident it is for"),
    Option("later", "Not now: ask again later"),
)
_REASONS = {
    DENY: ("Deny", "Why? The requester will read it.", "Deny"),
    REVOKE: ("End access", "Why? It ends at once, with its sessions.", "End it now"),
    KILL: ("Cut", "Why?", "Cut now"),
}


def extend_form(
    subject: str, token: str, resource: Resource | None, *, value: str = "", asks: bool = True, zone: str = "UTC"
) -> Form:
    """More time; `asks` when an approver has to agree, who then reads the reason."""
    fields = [duration_field(resource, value or "30m", "How much longer", zone=zone)]
    if asks:
        fields.append(FormField("reason", "Reason", FieldKind.LINES, max_length=REASON_MAX, required=False))
    intro = text("The people who can decide are asked; your sessions stay connected.") if asks else ()
    return Form(EXTEND, f"Extend {subject}"[:60], tuple(fields), "Ask" if asks else "Extend", token, intro)


def agent_form(resources: Sequence[Resource], given: Mapping[str, str], errors: Mapping[str, str]) -> Form:
    """A credential for an agent."""
    name = FormField("agent", "Name of the agent", value=given.get("agent", ""), placeholder="claude", max_length=31)
    fields = (name, resource_field(resources, given.get("resource", "")))
    return Form(AGENT, "Token for an AI agent", fields, "Issue").with_errors(errors, {})


def resource_form(verb: str, resources: Sequence[Resource], errors: Mapping[str, str]) -> Form:
    """A verb that only lacks its resource. The name carries the verb: `resource:who`."""
    return Form(f"{RESOURCE}:{verb}", f"{verb}: which resource?", (resource_field(resources, ""),), "Go").with_errors(
        errors, {}
    )
