"""The forms. Prefilled from what was typed; what is wrong is said at its field. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from access.errors import Invalid
from access.resources import Resource
from bot.cards import FieldKind, Form, FormField, Option, text
from bot.durations import format_duration, parse_span
from bot.grammar_asking import MAX_REASON
from bot.intents import Span
from bot.leaks import ADVICE, looks_secret

CHIPS = tuple(timedelta(minutes=minutes) for minutes in (15, 30, 60, 120, 240, 480))
MAX_COMMAND = 30_000

REQUEST, EXEC, DENY, EXTEND, REVOKE, KILL, AGENT = "request", "exec", "deny", "extend", "revoke", "kill", "agent"
TARGET, RESOURCE = "target", "resource"


def request_form(resources: Sequence[Resource], given: Mapping[str, str], errors: Mapping[str, str]) -> Form:
    """Ask for access."""
    chosen = next((resource for resource in resources if resource.name == given.get("resource")), None)
    fields = (
        _resource(resources, given.get("resource", "")),
        FormField("scope", "What for", FieldKind.CHOICE, given.get("scope", "read"), options=_SCOPES),
        _duration(chosen, given.get("duration", "")),
        FormField(
            "reason",
            "Reason",
            FieldKind.LINES,
            given.get("reason", ""),
            required=chosen is None or chosen.reason_required,
            placeholder="What will you do, and why now?",
            max_length=MAX_REASON,
        ),
        FormField(
            "ticket", "Ticket", value=given.get("ticket", ""), required=False, placeholder="INC-42", max_length=64
        ),
        *_agent(given),
    )
    return Form(REQUEST, "Request access", fields, "Ask").with_errors(errors, {})


_SCOPES = (
    Option("read", "Read"),
    Option("write", "Read and write"),
    Option("admin", "Change the schema"),
)


def _agent(given: Mapping[str, str]) -> tuple[FormField, ...]:
    return (FormField("agent", "As my agent", value=given["agent"], required=False),) if given.get("agent") else ()


def _resource(resources: Sequence[Resource], value: str, label: str = "Resource") -> FormField:
    options = tuple(
        Option(resource.name, f"{resource.name} — {resource.description}" if resource.description else resource.name)
        for resource in resources
    )
    return FormField("resource", label, FieldKind.CHOICE, value, options=options)


def _duration(resource: Resource | None, value: str, label: str = "How long") -> FormField:
    most = resource.max_duration if resource else None
    chips = tuple(Option(format_duration(c), format_duration(c)) for c in CHIPS if most is None or c <= most)
    value = value or (format_duration(resource.default_duration) if resource else "")
    hint = f"At most {format_duration(most)}." if most else "30m, 2h, 1d or until 17:00"
    return FormField("duration", label, FieldKind.DURATION, value, required=False, options=chips, hint=hint)


def exec_form(resources: Sequence[Resource], given: Mapping[str, str], errors: Mapping[str, str]) -> Form:
    """Ask for one command."""
    fields = (
        _resource(resources, given.get("resource", "")),
        FormField(
            "command",
            "Command",
            FieldKind.LINES,
            given.get("command", ""),
            hint="Exactly this runs once, after approval.",
            max_length=MAX_COMMAND,
        ),
        FormField("reason", "Reason", FieldKind.LINES, given.get("reason", ""), required=False, max_length=MAX_REASON),
        FormField("ticket", "Ticket", value=given.get("ticket", ""), required=False, max_length=64),
        *_agent(given),
    )
    return Form(EXEC, "Run one command", fields, "Ask").with_errors(errors, {})


def reason_form(name: str, subject: str, token: str) -> Form:
    """Deny, revoke or kill, with a reason."""
    title, label, submit = _REASONS[name]
    field = FormField("reason", label, FieldKind.LINES, max_length=MAX_REASON)
    return Form(name, f"{title} {subject}"[:60], (field,), submit, token)


_REASONS = {
    DENY: ("Deny", "Why? The requester will read it.", "Deny"),
    REVOKE: ("Revoke", "Why?", "Revoke now"),
    KILL: ("Cut", "Why?", "Cut now"),
}


def extend_form(subject: str, token: str, resource: Resource | None, *, value: str = "", asks: bool = True) -> Form:
    """More time; `asks` when an approver has to agree, who then reads the reason."""
    fields = [_duration(resource, value or "30m", "How much longer")]
    if asks:
        fields.append(FormField("reason", "Reason", FieldKind.LINES, max_length=MAX_REASON, required=False))
    intro = text("The people who can decide are asked; your sessions stay connected.") if asks else ()
    return Form(EXTEND, f"Extend {subject}"[:60], tuple(fields), "Ask" if asks else "Extend", token, intro)


def agent_form(resources: Sequence[Resource], given: Mapping[str, str], errors: Mapping[str, str]) -> Form:
    """A credential for an agent."""
    name = FormField("agent", "Name of the agent", value=given.get("agent", ""), placeholder="claude", max_length=31)
    fields = (name, _resource(resources, given.get("resource", "")))
    return Form(AGENT, "Token for an AI agent", fields, "Issue").with_errors(errors, {})


def resource_form(verb: str, resources: Sequence[Resource], errors: Mapping[str, str]) -> Form:
    """A verb that only lacks its resource. The name carries the verb: `resource:who`."""
    return Form(f"{RESOURCE}:{verb}", f"{verb}: which resource?", (_resource(resources, ""),), "Go").with_errors(
        errors, {}
    )


# ------------------------------------------------------------------------------------------------ reading values


def line_of(values: Mapping[str, str], name: str, *, required: bool = False, most: int = MAX_REASON) -> str:
    """A field's text. Raises Invalid when it is missing, too long, or looks like a secret."""
    value = values.get(name, "").strip()
    if required and not value:
        raise Invalid("This is needed.", field=name)
    if len(value) > most:
        raise Invalid(f"At most {most:,} characters; this has {len(value):,}.", field=name)
    kind = looks_secret(value)
    if kind is not None:
        raise Invalid(f"That looks like {kind}, so it was not used. {ADVICE}", field=name)
    return value


def span_of(values: Mapping[str, str], *, required: bool = False) -> Span | None:
    """The duration field. Raises Invalid."""
    value = line_of(values, "duration", required=required, most=60)
    return parse_span(value.split()) if value else None
