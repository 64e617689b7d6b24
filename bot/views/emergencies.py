"""Break-glass: the loud card, its lines in the thread, the forms. Pure.

It is the card of the request, so everything done under it is told in its thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from access.emergencies import Emergency, EmergencyState, Finding
from access.requests import GrantState
from access.resources import Resource
from access.scopes import scope_name
from approval_flows.flow import REASON_MAX
from bot.cards import (
    Button,
    Card,
    Code,
    Do,
    Field,
    FieldKind,
    Form,
    FormField,
    Link,
    Mention,
    Moment,
    MomentStyle,
    Snippet,
    State,
    Strong,
    Style,
    Text,
    Tone,
    plain,
    text,
)
from bot.cases import Case
from bot.durations import format_duration
from bot.grammar_asking import MAX_REASON
from bot.views import forms, parts

BREAK_GLASS, ATTEST, UNJUSTIFIED, FOLLOW_UP = "break-glass", "attest", "unjustified", "follow_up"
ACCOUNT_SHOWN = 2_500
MAX_ACCOUNT = 4_000

LIVE = State("Break-glass, live now", "🚨", Tone.BAD)
SEEN = State("Break-glass, live, acknowledged", "🚨", Tone.WARNING)
DUE = State("Break-glass ended, attestation due", "⏰", Tone.WARNING)
ATTESTED = State("Attested, waits to be closed", "📝", Tone.WARNING)
_CLOSED = {
    Finding.JUSTIFIED: State("Closed: justified", "✅", Tone.GOOD),
    Finding.UNJUSTIFIED: State("Closed: unjustified", "❌", Tone.BAD),
    Finding.FOLLOW_UP: State("Closed: follow-up", "🔁", Tone.WARNING),
}
_STATES = {
    EmergencyState.OPEN: LIVE,
    EmergencyState.ACKNOWLEDGED: SEEN,
    EmergencyState.DUE: DUE,
    EmergencyState.ATTESTED: ATTESTED,
}


def glass_card(case: Case) -> Card:
    """Who took what without waiting, who was called, who looks after it, and how it ended."""
    request, now = case.request, _emergency(case)
    what = f"{scope_name(request.scope)} access to"
    title = text(case.who, f" broke glass: {what} ", Code(request.resource), " without approval")
    state = _state(now)
    details = " · ".join(part for part in (request.ticket, request.reason) if part)
    return Card(
        kind="emergency",
        state=state,
        title=title,
        fallback=f"{state.word}: {plain(title)} · {details} ({request.id})",
        lines=_lines(case, now),
        fields=_fields(case, now),
        blocks=(Snippet(now.account[:ACCOUNT_SHOWN], "What was done"),) if now.account else (),
        notes=_notes(now),
        buttons=_buttons(case, now),
        footer=text(Code(request.id), " · ", Link("watch and replay", case.links.request(request.id))),
    )


def _emergency(case: Case) -> Emergency:
    assert case.request.emergency is not None
    return case.request.emergency


def _state(now: Emergency) -> State:
    return _CLOSED[now.finding] if now.finding is not None else _STATES[now.state]


def _lines(case: Case, now: Emergency) -> tuple[Text, ...]:
    found: list[Text] = []
    grant = case.grant
    if grant is not None and grant.state is GrantState.ACTIVE:
        until = Moment(grant.expires_at), Moment(grant.expires_at, MomentStyle.COUNTDOWN)
        found.append(text("Live until ", until[0], " (", until[1], ") · ", Code(grant.id)))
    elif grant is not None:
        by = (" by ", case.ended_by) if case.ended_by else ()
        at = (" at ", Moment(grant.ended_at, MomentStyle.TIME)) if grant.ended_at else ()
        found.append(text("Ended", *at, *by, f": {grant.why_ended}" if grant.why_ended else ""))
    if now.acknowledged_by is not None and case.acknowledged_by is not None:
        found.append(text("Acknowledged by ", case.acknowledged_by))
    elif now.state is EmergencyState.OPEN:
        found.append(text("Somebody else acknowledges it by ", Moment(now.acknowledge_by, MomentStyle.TIME)))
    if now.state in {EmergencyState.DUE, EmergencyState.ATTESTED} and now.attest_by is not None:
        found.append(text("To be attested and closed by ", Moment(now.attest_by)))
    if now.closed and case.closed_by is not None:
        found.append(text("Closed by ", case.closed_by, f": {now.note}" if now.note else ""))
    return tuple(found)


def _fields(case: Case, now: Emergency) -> tuple[Field, ...]:
    request = case.request
    description = case.resource.description if case.resource else ""
    ticket = (Code(request.ticket), " ") if request.ticket else ()
    fields = [
        Field("Who", text(case.who)),
        Field("Resource", text(Code(request.resource), f" · {description}" if description else "")),
        Field("Scope", text(Strong(scope_name(request.scope)), f" for {format_duration(request.duration)}")),
        Field("Why", text(*ticket, request.reason)),
    ]
    if not now.closed:
        fields.append(Field("Called", parts.people(case.told)))
    return tuple(fields)


def _notes(now: Emergency) -> tuple[Text, ...]:
    if now.ended_at is not None:
        return ()
    return (text("What is forbidden stays forbidden, results are masked, everything is recorded."),)


def _buttons(case: Case, now: Emergency) -> tuple[Button, ...]:
    """Everybody sees them, the desk judges who may."""
    about, grant = case.request.id, case.grant
    kill = (Button("Kill now…", Do.REVOKE, grant.id, Style.DANGER),) if grant is not None else ()
    match now.state:
        case EmergencyState.OPEN:
            return (parts.button("Acknowledge", Do.ACKNOWLEDGE, about, Style.PRIMARY), *kill)
        case EmergencyState.ACKNOWLEDGED:
            return kill
        case EmergencyState.ATTESTED:
            return (
                parts.button("Justified", Do.JUSTIFIED, about, Style.PRIMARY),
                parts.button("Follow-up…", Do.FOLLOW_UP, about),
                parts.button("Unjustified…", Do.UNJUSTIFIED, about, Style.DANGER),
            )
        case _:
            return ()


def others_buttons(case: Case) -> tuple[Button, ...]:
    """What those who look after it can do now."""
    return _buttons(case, _emergency(case))


def own_buttons(case: Case) -> tuple[Button, ...]:
    """What its user can do."""
    now, grant = _emergency(case), case.grant
    if now.state is EmergencyState.DUE:
        return (parts.button("Attest…", Do.ATTEST, case.request.id, Style.PRIMARY),)
    live = grant is not None and grant.state is GrantState.ACTIVE
    return (parts.button("I'm done", Do.DONE, grant.id),) if live and grant is not None else ()


# ------------------------------------------------------------------------------------------------ the thread, in person

_SAYS = {
    "emergency.acknowledged": (SEEN, "Acknowledged by "),
    "emergency.escalated": (LIVE, "Nobody acknowledged this in time. Called now: "),
    "attestation.due": (DUE, "The access is over. What was done is to be said by "),
    "attestation.given": (ATTESTED, "Attested. It can be closed by "),
    "attestation.overdue": (DUE, "This was not attested and closed in time. Called now: "),
}


def alarm_line(case: Case, kind: str, people: Sequence[Mention], note: str) -> Card:
    """What happened to it, as one line that calls people by name."""
    now = _emergency(case)
    if kind == "emergency.closed":
        state, title = _state(now), text(_state(now).word, " by ", *parts.people(people), f": {note}" if note else "")
    else:
        state, says = _SAYS[kind]
        title = text(says, *parts.people(people), f": {note}" if note else "")
    footer = text(Code(case.request.id))
    mine = own_buttons(case) if kind in {"attestation.due", "attestation.overdue"} else ()
    return Card("alarm", state, title, f"{plain(title)} ({case.request.id})", buttons=mine, footer=footer)


# ------------------------------------------------------------------------------------------------ forms


def glass_form(
    resources: Sequence[Resource], given: Mapping[str, str], errors: Mapping[str, str], zone: str = "UTC"
) -> Form:
    """Take access at once."""
    chosen = next((one for one in resources if one.name == given.get("resource")), None)
    scopes = forms.scopes_of(resources, chosen, given.get("scope", ""))
    fields = (
        forms.resource_field(resources, given.get("resource", "")),
        FormField(
            "confirmed",
            "Type the resource's name",
            value=given.get("confirmed", ""),
            hint="To be sure it is the one you mean.",
            max_length=100,
        ),
        FormField("scope", "What for", FieldKind.CHOICE, given.get("scope", "read"), options=scopes),
        forms.duration_field(None, given.get("duration", ""), zone=zone),  # its flow says how long, usually and at most
        FormField(
            "reason",
            "What happened, and what you will do",
            FieldKind.LINES,
            given.get("reason", ""),
            max_length=REASON_MAX,
        ),
        FormField("ticket", "Incident", value=given.get("ticket", ""), required=False, max_length=64),
    )
    intro = text(
        "Access starts at once. Everybody who answers for it is called by name now, another person looks after it, "
        "and you account for it afterwards."
    )
    form = Form(BREAK_GLASS, "Break glass", fields, "Break glass now", intro=intro)
    return form.with_errors(errors, {})


def attest_form(request: str, token: str, prefilled: str) -> Form:
    """What was done, prefilled from what was recorded."""
    field = FormField(
        "account",
        "What you did, and why",
        FieldKind.LINES,
        prefilled,
        hint="The list is what was recorded; say what it was for.",
        max_length=MAX_ACCOUNT,
    )
    return Form(ATTEST, f"Attest {request}"[:60], (field,), "Attest", token)


def finding_form(name: str, request: str, token: str) -> Form:
    """Why it was not simply justified."""
    title = "Unjustified" if name == UNJUSTIFIED else "Follow-up"
    field = FormField("reason", "Why, and what follows?", FieldKind.LINES, max_length=MAX_REASON)
    return Form(name, f"{title}: {request}"[:60], (field,), "Close", token)
