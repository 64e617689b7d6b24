"""What may be asked at all, and who may vote. Pure: functions of values and of the directory's answers.

Nobody decides for themselves, nor for an agent of theirs. Who decides is worked out in `stages`, again whenever a button
is pressed (rule 5).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches

from access.actors import Actor, Person, PersonId
from access.errors import Conflict, Denied, Invalid, together
from access.explain import Estimate
from access.ids import RequestId
from access.ports import Directory, Narrowed
from access.requests import AccessRequest, Ask, Choice, Grant, RequestState
from access.resources import Protocol, Resource
from access.scopes import Interactive, Level, Scope, Unmask, level_of, limited, limited_to, scope_name, scope_said
from approval_flows.lifecycle import clock_time
from approval_flows.wording import readable

REASON_MAX = 500
TICKET_MAX = 64
HOUR = timedelta(hours=1)
#: Between what is given and what was asked for.
INSTEAD = " instead of "


@dataclass(frozen=True, slots=True)
class Limits:
    """What the owner sets for asking and deciding.

    `ask_for` is how long a request waits for a decision; `run_within` how long an approved command may wait to be run;
    `settle_after` how long after its session closed a consumed command may still report its outcome; `late` is added
    to a held statement's window, because the gateway consumes a moment after the decision. `per_hour` caps what one person
    files; for `cool_down` after a no, the same is not asked again (None = no limit). Access is asked for
    at most `ahead` of its start, and begun within `begin_within` of it where its flow does not say. Members of `delegate_from` let
    members of `delegate_to` decide in their place, for `delegate_longest` at most; without any, nobody does. Columns are unmasked for
    `unmask_usual` unless asked otherwise, and for `unmask_longest` at most, extensions included. `estimates` are the looks
    at a waiting command that people who decide may have. A freeze is confirmed by a second person within
    `freeze_confirmed` (0: by nobody).
    """

    ask_for: timedelta = timedelta(hours=2)
    run_within: timedelta = timedelta(minutes=10)
    settle_after: timedelta = timedelta(seconds=10)
    late: timedelta = timedelta(seconds=5)
    pending_per_person: int = 20
    per_hour: int | None = None
    cool_down: timedelta | None = None
    ahead: timedelta = timedelta(days=30)
    begin_within: timedelta = timedelta(hours=1)
    delegate_from: tuple[str, ...] = ()
    delegate_to: tuple[str, ...] = ()
    delegate_longest: timedelta = timedelta(days=14)
    freeze_confirmed: timedelta = timedelta(minutes=15)
    unmask_usual: timedelta = timedelta(minutes=15)
    unmask_longest: timedelta = timedelta(minutes=30)
    security_group: str = "security"
    estimates: frozenset[Estimate] = frozenset()


def find_resource(resources: Mapping[str, Resource], name: str) -> Resource | Invalid:
    """The resource of that very name, or the error that suggests what was meant. Never picks the likely one."""
    found = resources.get(name)
    if found is not None:
        return found
    near = get_close_matches(name, resources, n=2, cutoff=0.6)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See what there is: /hoop who"
    return Invalid(f"There is no resource called {name[:63]!r}.", field="resource", hint=hint)


def active_person(directory: Directory, id: PersonId) -> Person | Denied:
    """The person as the directory knows them now, or why they can not act."""
    person = directory.person(id)
    if person is None:
        return Denied(
            "The directory does not know you.", rule="unknown-person", hint="Ask an administrator to add you."
        )
    if not person.active:
        return Denied(f"{person.name} is no longer active in the directory.", rule="person-inactive")
    return person


def nobody(directory: Directory, resource: Resource, which: str) -> Denied:
    """The refusal when a request could never be decided: says why and whom to ask."""
    owners = sorted(p.name for group in resource.owners for p in map(directory.person, directory.members(group)) if p)
    whom = ", ".join(dict.fromkeys(owners)) or "the gateway's operator"
    return Denied(
        f"Nobody could decide this for {resource.name}: {which}.",
        rule="no-approver",
        hint=f"Ask {whom} to name an approver.",
    )


def may_review(
    request: AccessRequest, by: PersonId, choice: Choice, counts: Sequence[Person], involved: Collection[PersonId]
) -> Denied | None:
    """Why `by` may not vote so; None if they may. `counts` are those whose approval counts now, `involved` those with a
    say in any stage: they may deny at any time."""
    if by == request.actor.person:
        whose = f"your agent {request.actor.via.name}'s" if request.actor.via else "your own"
        return Denied(f"You can not decide {whose} request.", rule="own-request", hint=who_can(counts))
    if by in request.authors and choice is Choice.APPROVE:
        message = f"You wrote the text of {request.id}, so others approve it."
        return Denied(message, rule="own-text", hint=who_can(counts))
    if by not in involved:
        return Denied(f"You are not an approver of {request.id}.", rule="not-an-approver", hint=who_can(counts))
    if choice is Choice.APPROVE and all(person.id != by for person in counts):
        return Denied(f"{request.id} does not wait for your approval now.", rule="not-your-turn", hint=who_can(counts))
    return None


def narrow(request: AccessRequest, choice: Choice, narrowed: Narrowed) -> tuple[AccessRequest, str] | Invalid:
    """The request with what the approver gives instead, and that in words; Invalid when it is not less."""
    duration, scope = narrowed.duration, narrowed.scope
    if duration is None and scope is None and not narrowed.tables:
        return request, ""
    if choice is not Choice.APPROVE or request.ask is not Ask.ACCESS:
        return Invalid("Only an approval of access can give less than was asked for.", field="duration")
    wider = _wider(request, scope)
    given = _on_tables(request, request.scope if wider else scope or request.scope, narrowed.tables)
    wrong = together(_longer(request, duration), wider, given if isinstance(given, Invalid) else None)
    if wrong is not None:
        return wrong
    assert not isinstance(given, Invalid)
    less = replace(request, duration=duration or request.duration, scope=given)
    if less == request:
        return request, ""
    asked = f"{scope_said(request.scope)} for {shown_duration(request.duration)}"
    return less, f"{scope_said(less.scope)} for {shown_duration(less.duration)}{INSTEAD}{asked}"


def _longer(request: AccessRequest, duration: timedelta | None) -> Invalid | None:
    if duration is None or timedelta(0) < duration <= request.duration:
        return None
    asked = shown_duration(request.duration)
    hint = "More time is a new request, or an extension later."
    return Invalid(f"An approval gives at most what was asked for: {asked}.", field="duration", hint=hint)


def _wider(request: AccessRequest, scope: Scope | None) -> Invalid | None:
    if scope is not None and (request.parent is not None or level_of(scope) is Level.NONE):
        return Invalid("An extension is for the scope that the access has.", field="scope")
    if scope is not None and level_of(scope) > level_of(request.scope):
        asked = scope_name(request.scope)
        hint = "More is a new request."
        return Invalid(f"An approval gives at most what was asked for: {asked}.", field="scope", hint=hint)
    return None


def _on_tables(request: AccessRequest, scope: Scope, tables: tuple[str, ...]) -> Scope | Invalid:
    """The scope on these tables; without any, on those that were asked for."""
    asked = limited_to(request.scope)
    if not (tables or asked):
        return scope
    if tables and request.parent is not None:
        return Invalid("An extension is for the scope that the access has.", field="tables")
    beyond = [name for name in tables if asked and name not in asked]
    if beyond:
        return Invalid(f"Asked for was {', '.join(asked)}, not {', '.join(beyond)}.", field="tables")
    try:
        return limited(scope, tables or asked)
    except ValueError as wrong:
        hint = "Approve read or write with them: --scope write --tables …"
        return Invalid(str(wrong), field="tables", hint=hint)


def check_duration(resource: Resource, duration: timedelta | None) -> timedelta | Invalid:
    """The length of access asked for (the resource's default when None), or why it can not be."""
    wanted = resource.default_duration if duration is None else duration
    most = shown_duration(resource.max_duration)
    if wanted <= timedelta(0):
        return Invalid(
            "A duration must be longer than nothing.", field="duration", hint=f"For example 30m; at most {most}."
        )
    if wanted > resource.max_duration:
        message = f"{shown_duration(wanted)} is more than {resource.name} allows."
        return Invalid(message, field="duration", hint=f"Ask for at most {most}.")
    return wanted


def for_scope(resource: Resource, scope: Scope, limits: Limits) -> Resource:
    """The resource with the lengths that hold for this scope: seeing clear values is shorter than access."""
    if not isinstance(scope, Unmask):
        return resource
    most = min(resource.max_duration, limits.unmask_longest)
    return replace(
        resource, max_duration=most, default_duration=min(resource.default_duration, limits.unmask_usual, most)
    )


def check_scope(actor: Actor, resource: Resource, scope: Scope) -> Invalid | None:
    """Why this scope can not be asked for standing access; None if it can."""
    if isinstance(scope, Unmask):
        if resource.protocol is not Protocol.POSTGRES:
            return Invalid(f"{resource.name} has no columns to unmask.", field="scope")
        if actor.via is not None:
            hint = "Ask for yourself, without --as-agent."
            return Invalid("An agent is never shown clear values.", field="agent", hint=hint)
        return None
    if level_of(scope) is Level.NONE:
        return Invalid("Standing access is read, write or admin.", field="scope", hint="One command: /hoop exec")
    if limited_to(scope) and resource.protocol is not Protocol.POSTGRES:
        return Invalid(f"{resource.name} has no tables.", field="tables")
    if isinstance(scope, Interactive) and resource.protocol is not Protocol.SSH:
        return Invalid(f"{resource.name} is no server: it has no shells.", field="scope")
    return None


def check_words(resource: Resource, reason: str, ticket: str) -> Invalid | None:
    """What is wrong with the reason and the ticket; None if nothing is."""
    return together(_wrong_reason(resource, reason), _wrong_ticket(ticket))


def _wrong_reason(resource: Resource, reason: str) -> Invalid | None:
    if resource.reason_required and not readable(reason):
        return Invalid(f"{resource.name} wants a reason.", field="reason", hint="Say in a few words what you will do.")
    if len(reason) > REASON_MAX:
        return Invalid(
            f"The reason is longer than {REASON_MAX} characters.", field="reason", hint="Link to the details."
        )
    return None


def _wrong_ticket(ticket: str) -> Invalid | None:
    if len(ticket) > TICKET_MAX:
        return Invalid(f"The ticket is longer than {TICKET_MAX} characters.", field="ticket", hint="Give its key only.")
    return None


def check_pending(pending: Sequence[AccessRequest], now: datetime, limits: Limits) -> Conflict | None:
    """The refusal of a burst: one person's waiting requests are capped, so that approvers are not flooded."""
    waiting = [request for request in pending if waits(request, now)]
    if len(waiting) < limits.pending_per_person:
        return None
    return Conflict(
        f"You have {len(waiting)} requests waiting already, the most is {limits.pending_per_person}.",
        hint="Wait for a decision or cancel some: /hoop my",
    )


def check_pace(asked: Sequence[AccessRequest], new: AccessRequest, limits: Limits) -> Conflict | None:
    """The refusal of too many requests in an hour. `asked` are the person's of the last hour, newest first. A held
    statement is not filed by choice, so it is neither refused nor counted."""
    recent = [one for one in asked if one.ask is not Ask.STATEMENT and not one.is_look]
    if limits.per_hour is None or new.ask is Ask.STATEMENT or len(recent) < limits.per_hour:
        return None
    again = clock_time(recent[limits.per_hour - 1].created_at + HOUR)
    return Conflict(f"You asked {len(recent)} times in the last hour, that is the most.", hint=f"Again at {again}.")


def check_cool_down(
    denied: Sequence[AccessRequest], new: AccessRequest, now: datetime, limits: Limits
) -> Conflict | None:
    """The refusal of the same again soon after a no. `denied` are the person's denied requests."""
    if limits.cool_down is None:
        return None
    for one in denied:
        over = (one.decided_at or one.created_at) + limits.cool_down
        if one.state is RequestState.DENIED and now < over and _the_same(one, new):
            why = f": {one.note}" if one.note else ""
            return Conflict(
                f"This was denied a moment ago ({one.id}){why}.",
                hint=f"It can be asked again at {clock_time(over)}; speak with who denied it.",
            )
    return None


def _the_same(one: AccessRequest, other: AccessRequest) -> bool:
    """The same thing again, also through an agent or from another session: a no is for the person."""
    return (one.actor.person, one.resource, one.ask, one.scope) == (
        other.actor.person,
        other.resource,
        other.ask,
        other.scope,
    )


def waits(request: AccessRequest, now: datetime) -> bool:
    """Still open for a decision at `now`, whatever any timer did."""
    return request.state is RequestState.PENDING and now < request.expires_at


def same_ask(one: AccessRequest, other: AccessRequest) -> bool:
    """Whether the two ask for the same thing, so that the one already waiting is shown instead of filing another."""
    return (one.actor, one.resource, one.ask, one.scope, one.session, one.parent, one.starts_at) == (
        other.actor,
        other.resource,
        other.ask,
        other.scope,
        other.session,
        other.parent,
        other.starts_at,
    )


def latest_end(grant: Grant, resource: Resource) -> datetime:
    """How far a grant can be extended in all: the resource's maximum, counted from its start."""
    return grant.starts_at + resource.max_duration


def draft_of(actor: Actor, resource: Resource, scope: Scope, duration: timedelta, now: datetime) -> AccessRequest:
    """A request for standing access that is not filed, to find out what its flow would be."""
    return AccessRequest(
        id=RequestId(""),
        actor=actor,
        resource=resource.name,
        ask=Ask.ACCESS,
        scope=scope,
        duration=duration,
        reason="",
        created_at=now,
        expires_at=now,
        groups=resource.approvers,
    )


def extended_end(grant: Grant, request: AccessRequest, resource: Resource, now: datetime) -> datetime:
    """Where approval of `request` moves the end of the live grant: on top of it for an extension, otherwise the time
    asked for counted from now; never beyond the cap, never earlier than it is."""
    start = grant.expires_at if request.parent is not None else now
    return max(grant.expires_at, min(start + request.duration, latest_end(grant, resource)))


def window_end(request: AccessRequest, resource: Resource, now: datetime, limits: Limits) -> datetime:
    """When what this approval gives ends. The clock starts at approval."""
    match request.ask:
        case Ask.ACCESS:
            return now + min(request.duration, resource.max_duration)
        case Ask.COMMAND:
            return now + limits.run_within
        case Ask.STATEMENT:
            return request.expires_at + limits.late


def shown_duration(duration: timedelta) -> str:
    """`1h 30m`, the way people write it."""
    seconds = int(duration.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m"), (seconds % 60, "s")]
    return sign + (" ".join(f"{count}{unit}" for count, unit in parts if count) or "0s")


def who_can(people: Sequence[Person]) -> str:
    names = ", ".join(person.name for person in people)
    return f"These people can: {names}." if names else "Nobody can at the moment."
