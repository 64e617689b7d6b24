"""Pieces that several cards share. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from access.actors import Person, PersonId
from access.requests import AccessRequest, Ask, GrantState, RequestState
from access.scopes import OfRunbook, Once, Read, Unmask, Write, scope_asked
from access.statements import Effect, short_digest
from bot.cards import Button, Code, Do, Field, Link, Mention, Moment, MomentStyle, State, Style, Text, Tone, text
from bot.cases import Case, World
from bot.durations import format_duration

NAMES_SHOWN = 6

WAITING = State("Waiting for approval", "⏳", Tone.WAITING)
HELD = State("Held, client is waiting", "✋", Tone.WAITING)
DENIED = State("Denied", "❌", Tone.BAD)
CANCELLED = State("Cancelled", "⏹", Tone.QUIET)
LAPSED = State("Nobody decided in time", "⌛", Tone.QUIET)
APPROVED = State("Approved", "✅", Tone.GOOD)
ACTIVE = State("Active", "🟢", Tone.GOOD)
RUNNING = State("Running", "▶", Tone.WAITING)
SUCCEEDED = State("Done", "✅", Tone.GOOD)
FAILED = State("Failed", "❌", Tone.BAD)
UNKNOWN = State("Outcome unknown", "⚠", Tone.WARNING)
ENDED = State("Ended", "⏹", Tone.QUIET)
REVOKED = State("Revoked", "⛔", Tone.BAD)
RETURNED = State("Given back", "⏹", Tone.QUIET)
PLANNED = State("Approved, not begun yet", "⏳", Tone.GOOD)
NEVER_BEGUN = State("Approved, never begun", "⌛", Tone.QUIET)
FROZEN = State("Frozen, nothing runs", "🧊", Tone.BAD)
NEVER_RAN = State("Approved, never ran", "⌛", Tone.QUIET)
NOTE = State("For your information", "💬", Tone.QUIET)
REFUSED = State("Not possible", "🚫", Tone.BAD)
PRIVATE = State("Only you see this", "🔒", Tone.QUIET)

_UNDECIDED = {
    RequestState.DENIED: DENIED,
    RequestState.CANCELLED: CANCELLED,
    RequestState.EXPIRED: LAPSED,
}
_GRANT = {
    GrantState.EXECUTING: RUNNING,
    GrantState.SUCCEEDED: SUCCEEDED,
    GrantState.FAILED: FAILED,
    GrantState.UNKNOWN: UNKNOWN,
    GrantState.REVOKED: REVOKED,
    GrantState.DONE: RETURNED,
}


def state_of(case: Case) -> State:
    """The state word of a request and what came of it."""
    request, grant = case.request, case.grant
    if request.state is RequestState.PENDING:
        return HELD if request.ask is Ask.STATEMENT else WAITING
    if request.state is not RequestState.APPROVED:
        return _UNDECIDED[request.state]
    if grant is None:
        return NEVER_BEGUN if case.lapsed else PLANNED if case.opening else APPROVED
    if grant.state is GrantState.ACTIVE:
        return ACTIVE if request.ask is Ask.ACCESS else APPROVED
    if grant.state is GrantState.EXPIRED:
        return ENDED if request.ask is Ask.ACCESS else NEVER_RAN
    return _GRANT[grant.state]


def became(request: AccessRequest) -> str:
    """What became of a request, in a word; nobody approves what was taken under break-glass."""
    taken = request.emergency is not None and request.state is RequestState.APPROVED
    return "taken without approval" if taken else request.state.value


def via(request: AccessRequest) -> str:
    """` via claude` when an agent acts, else nothing."""
    return f" via {request.actor.via.name}" if request.actor.via else ""


def who_field(case: Case) -> Field:
    """The answerable person, and the agent it came through."""
    agent = case.request.actor.via
    return Field("Who", text(case.who, " via ", Code(agent.name), " (AI agent)") if agent else text(case.who))


def ended(case: Case) -> Text:
    """When access ended, by whom and why."""
    grant = case.grant
    if grant is None:
        return ()
    by = (" by ", case.ended_by) if case.ended_by else ()
    at = (" at ", Moment(grant.ended_at, MomentStyle.TIME)) if grant.ended_at else ()
    return text("Ended", *at, *by, f": {grant.why_ended}" if grant.why_ended else "")


def stages_field(case: Case) -> list[Field]:
    """How far the flow is, where it wants more than one person."""
    if sum(wants for _, _, wants in case.stages) < 2:
        return []
    steps = " → ".join(f"{name} {has} of {wants}" for name, has, wants in case.stages)
    return [Field("Approvals", text(steps))]


def unknown_field(schedules: Sequence[str]) -> list[Field]:
    """The on-call schedules that do not answer."""
    return [Field("Not known now", text(f"who is on call for {', '.join(schedules)}"))] if schedules else []


def people(mentions: Sequence[Mention], stands_for: Mapping[PersonId, str] = MappingProxyType({})) -> Text:
    """Names, at most `NAMES_SHOWN`, and in whose place they are named."""
    if not mentions:
        return text("nobody")
    spans: list[Mention | str] = []
    for index, mention in enumerate(mentions[:NAMES_SHOWN]):
        spans += [", ", mention] if index else [mention]
        if mention.person in stands_for:
            spans.append(f" for {stands_for[mention.person]}")
    more = len(mentions) - NAMES_SHOWN
    return text(*spans, f" and {more} more" if more > 0 else "")


def asked_for(request: AccessRequest) -> str:
    """What is asked, as a noun and its preposition."""
    match request.ask:
        case Ask.COMMAND if isinstance(request.scope, OfRunbook):
            return f"the runbook {request.scope.name} on"
        case Ask.COMMAND:
            return "one command on"
        case Ask.STATEMENT:
            return "a held statement on"
        case Ask.ACCESS:
            more = f"{format_duration(request.duration)} more " if request.parent else ""
            return f"{more}{scope_asked(request.scope)}"


OPERATOR = "operator|"


def by_operator(request: AccessRequest) -> bool:
    """Whether it was given on the gateway's own host, without an approval."""
    return request.decided_by is not None and request.decided_by.startswith(OPERATOR)


def headline(case: Case) -> Text:
    """Who asks for what; who was given what, where nobody asked."""
    request = case.request
    if by_operator(request) and case.decided_by:
        gave = ("Operator ", case.decided_by, " gave ", case.who, via(request))
        return text(*gave, f" {asked_for(request)} ", Code(request.resource))
    if case.narrowed and case.grant is not None:
        return text(case.who, via(request), f" was given {asked_for(request)} ", Code(request.resource))
    return text(case.who, via(request), f" {asks(request)} ", Code(request.resource))


def asks(request: AccessRequest) -> str:
    """The same as a clause: `asks for read access to`, `asks to run one command on`."""
    verb = "asks for" if request.ask is Ask.ACCESS else "asks to run"
    return f"{verb} {asked_for(request)}"


def footer(request: AccessRequest, case: Case) -> Text:
    """Id, digest and the link to the trusted page."""
    digest = f" · digest {short_digest(request.evidence.digest)}" if request.evidence else ""
    return text(Code(request.id), digest, " · ", Link("details", case.links.request(request.id)))


class Risk(StrEnum):
    """How much an approval could do, as a mark and a word."""

    LOW = "🟢 low"
    MEDIUM = "🟡 medium"
    HIGH = "🔴 high"


def risk_of(request: AccessRequest) -> tuple[Risk, str]:
    """The risk of approving and what it is; what is not known to be harmless is high."""
    if request.evidence is not None:
        effects = request.evidence.effects
        if not effects or effects - {Effect.READ, Effect.WRITE}:
            return Risk.HIGH, "can destroy data, change who may do what, or do what nobody declared"
        return (Risk.MEDIUM, "changes data") if Effect.WRITE in effects else (Risk.LOW, "reads")
    match request.scope:
        case Read():
            return Risk.LOW, "reads"
        case Write():
            return Risk.MEDIUM, "can change data"
        case Unmask():
            return Risk.HIGH, "shows protected values as they are"
        case _:
            return Risk.HIGH, "can destroy data or change who may do what"


def risky(case: Case) -> bool:
    """Whether approving should ask once more."""
    return risk_of(case.request)[0] is Risk.HIGH


def decision_buttons(case: Case, *, exact: bool) -> tuple[Button, ...]:
    """Approve only where what is shown is all there is (`exact`, or evidence that lost nothing); else Review."""
    request = case.request
    if request.state is not RequestState.PENDING:
        return _revoke(case)
    deny = button("Deny…", Do.DENY, request.id, Style.DANGER)
    if not exact and request.evidence is not None and not request.evidence.complete:
        return (button("Review…", Do.REVIEW, request.id, Style.PRIMARY), deny)
    confirm = f"High risk: this {risk_of(request)[1]}. Approve it?" if risky(case) else ""
    seen = {"seen": "exact"} if exact else {}
    approve = Button("Approve", Do.APPROVE, request.id, Style.PRIMARY, arguments=seen, confirm=confirm)
    less = (button("Approve less…", Do.NARROW, request.id),) if request.ask is Ask.ACCESS else ()
    return (approve, *less, *other_text(request), deny)


def other_text(request: AccessRequest) -> tuple[Button, ...]:
    """Edit and propose, for one command that is not a part of somebody's open transaction."""
    return (button("Propose other text…", Do.PROPOSE, request.id),) if editable(request) else ()


def editable(request: AccessRequest) -> bool:
    """Whether another text can be proposed for it."""
    evidence = request.evidence
    waits = request.state is RequestState.PENDING and isinstance(request.scope, Once)
    return waits and evidence is not None and not evidence.in_transaction


def _revoke(case: Case) -> tuple[Button, ...]:
    """Live access can be ended from its card; the desk judges who may."""
    if case.opening is not None:
        return (call_off_button(case.request),)
    live = case.grant is not None and case.grant.state is GrantState.ACTIVE and case.request.ask is Ask.ACCESS
    return (button("Revoke…", Do.REVOKE, case.grant.id, Style.DANGER),) if live and case.grant else ()


def call_off_button(request: AccessRequest) -> Button:
    """Approved access that was not begun is called off by it; the desk judges who may."""
    confirm = "It can not be begun then. Call it off?"
    return Button("Call off", Do.CALL_OFF, request.id, Style.DANGER, confirm=confirm)


def button(label: str, do: Do, subject: str, style: Style = Style.PLAIN) -> Button:
    """A button about one id."""
    return Button(label, do, subject, style)


def mentions_of(world: World, people: Sequence[Person]) -> list[Mention]:
    """People as mentions."""
    return [world.mention(person.id, person.name) for person in people]
