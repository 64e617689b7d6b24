"""Who decides, how many must, and what may be asked at all. Pure: functions of values and of the directory's answers.

People are counted, never groups; nobody decides for themselves, nor for an agent of theirs; and who may decide is
worked out again whenever a button is pressed (rule 5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

from access.actors import Actor, Person, PersonId
from access.errors import Conflict, Denied, Invalid
from access.ports import Directory
from access.requests import AccessRequest, Ask, Choice, Grant, RequestState, Review
from access.resources import Resource

REASON_MAX = 500
TICKET_MAX = 64


@dataclass(frozen=True, slots=True)
class Limits:
    """What the owner sets for asking and deciding.

    `ask_for` is how long a request waits for a decision; `run_within` how long an approved command may wait to be run;
    `settle_after` how long after its session closed a consumed command may still report its outcome; `late` is added
    to a held statement's window, because the gateway consumes a moment after the decision.
    """

    needed: int = 1
    ask_for: timedelta = timedelta(hours=2)
    run_within: timedelta = timedelta(minutes=10)
    settle_after: timedelta = timedelta(seconds=10)
    late: timedelta = timedelta(seconds=5)
    pending_per_person: int = 20
    security_group: str = "security"


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


def deciders(directory: Directory, groups: Iterable[str], actor: Actor) -> dict[PersonId, Person]:
    """The distinct people who may decide for `actor` now: active members of the groups, never the actor's own person."""
    ids = frozenset[PersonId]().union(*(directory.members(group) for group in groups)) - {actor.person}
    found = (directory.person(one) for one in ids)
    people = sorted((person for person in found if person is not None and person.active), key=lambda p: (p.name, p.id))
    return {person.id: person for person in people}


def satisfied(reviews: Iterable[Review], need: int, eligible: Collection[PersonId]) -> bool:
    """Whether enough distinct people who may decide *now* have approved."""
    people = {review.person for review in reviews if review.choice is Choice.APPROVE and review.person in eligible}
    return len(people) >= max(need, 1)


def nobody(directory: Directory, resource: Resource, groups: Sequence[str]) -> Denied:
    """The refusal when no approver can be found: says which groups are empty and whom to ask."""
    owners = sorted(p.name for group in resource.owners for p in map(directory.person, directory.members(group)) if p)
    whom = ", ".join(dict.fromkeys(owners)) or "the gateway's operator"
    which = f"no other active person in {', '.join(groups)}" if groups else "no approver group is set"
    return Denied(
        f"Nobody could decide this for {resource.name}: {which}.",
        rule="no-approver",
        hint=f"Ask {whom} to name an approver.",
    )


def may_review(request: AccessRequest, by: PersonId, eligible: Mapping[PersonId, Person]) -> Denied | None:
    """Why `by` may not decide this request; None if they may. `eligible` as `deciders` worked it out now."""
    if by == request.actor.person:
        whose = f"your agent {request.actor.via.name}'s" if request.actor.via else "your own"
        return Denied(f"You can not decide {whose} request.", rule="own-request", hint=_who(eligible))
    if by not in eligible:
        groups = ", ".join(request.groups) or "no group"
        return Denied(
            f"You are not an approver of {request.id} ({groups}).", rule="not-an-approver", hint=_who(eligible)
        )
    return None


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


def check_words(resource: Resource, reason: str, ticket: str) -> Invalid | None:
    """What is wrong with the reason or the ticket; None if nothing is."""
    if resource.reason_required and not reason.strip():
        return Invalid(f"{resource.name} wants a reason.", field="reason", hint="Say in a few words what you will do.")
    if len(reason) > REASON_MAX:
        return Invalid(
            f"The reason is longer than {REASON_MAX} characters.", field="reason", hint="Link to the details."
        )
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


def waits(request: AccessRequest, now: datetime) -> bool:
    """Still open for a decision at `now`, whatever any timer did."""
    return request.state is RequestState.PENDING and now < request.expires_at


def same_ask(one: AccessRequest, other: AccessRequest) -> bool:
    """Whether the two ask for the same thing, so that the one already waiting is shown instead of filing another."""
    return (one.actor, one.resource, one.ask, one.scope, one.session, one.parent) == (
        other.actor,
        other.resource,
        other.ask,
        other.scope,
        other.session,
        other.parent,
    )


def latest_end(grant: Grant, resource: Resource) -> datetime:
    """How far a grant can be extended in all: the resource's maximum, counted from its start."""
    return grant.starts_at + resource.max_duration


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


def _who(eligible: Mapping[PersonId, Person]) -> str:
    names = ", ".join(person.name for person in eligible.values())
    return f"These people can: {names}." if names else "Nobody can at the moment."
