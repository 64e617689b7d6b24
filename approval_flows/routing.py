"""The flow of a request, looked up in what the office knows now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from access.actors import Person, PersonId
from access.errors import Conflict, Denied, HoopError
from access.ports import Outlook, Progress
from access.requests import AccessRequest, Ask, Choice, Review
from access.resources import Resource
from approval_flows import flow as people
from approval_flows import times
from approval_flows.choose import choose, facts_of
from approval_flows.model import Flow, Sources, Stage
from approval_flows.office import Office
from approval_flows.stages import Course, Stands, course
from approval_flows.ticketing import TicketIs, unmet

RULE_STAGE = "rule"


def route(office: Office, request: AccessRequest, person: Person, resource: Resource, at: datetime) -> Flow | Denied:
    """The flow this request takes. No flow means nothing can be granted."""
    facts = facts_of(request, person, resource, at, office.schedules_of(person.id, at))
    facts = replace(facts, looked_up=lambda: office.ticket(request.ticket))
    taken = choose(office.flows.current.flows, facts)
    if taken is None:
        hint = "Ask the owners of the gateway for a flow that covers it."
        return Denied(f"No approval flow covers this on {resource.name}.", rule="no-flow", hint=hint)
    return taken


def for_asking(resource: Resource, taken: Flow) -> Resource:
    """The resource with the flow's own maximum for one request."""
    most = min(resource.max_duration, taken.max_duration or resource.max_duration)
    return replace(resource, max_duration=most, default_duration=min(resource.default_duration, most))


def for_extending(resource: Resource, taken: Flow) -> Resource:
    """The resource with the flow's own maximum from start to last extended end."""
    return replace(resource, max_duration=min(resource.max_duration, taken.max_total or resource.max_duration))


def flow_of(office: Office, request: AccessRequest) -> Flow | None:
    """The flow a filed request takes, as it is written now; None when it was removed."""
    return office.flows.current.named(request.flow)


NOBODY: Stands = MappingProxyType({})


def course_of(
    office: Office, request: AccessRequest, resource: Resource, at: datetime, stands: Stands = NOBODY
) -> Course:
    """Who decides a filed request at `at`: not its requester, nor whoever wrote its text, nor who takes the place of one of
    these (`stands`). Without its flow: nobody.

    Where the rule that held the statement, or the runbook, names who decides, they have a say whatever the flow is.
    """
    taken = flow_of(office, request)
    if taken is None or taken.automatic:
        return Course(())
    own = any(stage.sources.approvers for stage in taken.stages)
    if request.groups != resource.approvers and not own:
        rule = Stage(RULE_STAGE, Sources(approvers=True))
        taken = replace(taken, stages=(rule, *taken.stages))
    since = max(at - request.asked_at, timedelta(0))
    asker, duty = request.actor.person, office.duty(at)
    way = course(taken, office.directory, resource, request.groups, asker=asker, since=since, duty=duty)
    way = way.standing_in(stands) if stands else way
    involved = {asker, *request.authors}
    return way.without({*request.authors, *(taker for taker, givers in stands.items() if givers & involved), asker})


def not_known(schedules: Sequence[str]) -> str:
    """`; it is not known now who is on call for primary`, or nothing."""
    return f"; it is not known now who is on call for {', '.join(schedules)}" if schedules else ""


def gone(office: Office, request: AccessRequest) -> Conflict | None:
    """The refusal when the flow of a waiting request is not in force any more."""
    if flow_of(office, request) is not None:
        return None
    return Conflict(f"The approval flow {request.flow} of {request.id} was removed.", hint="Ask again.")


def ticket_refusal(office: Office, request: AccessRequest) -> Conflict | None:
    """The refusal when what the flow wants of the ticket does not hold any more, or can not be known now. A ticket that was
    good when it was asked may have been closed, or handed to somebody else, while the request waited."""
    taken = flow_of(office, request)
    wants = taken.ticket.ticket_is | taken.when.ticket_is if taken is not None else frozenset[TicketIs]()
    person = office.directory.person(request.actor.person)
    if not wants or person is None or request.ask is Ask.STATEMENT:
        return None
    ticket = office.ticket(request.ticket)
    wrong = unmet(wants, ticket, person)
    if not wrong:
        return None
    hint = "It can not be approved before that is known; try again in a moment." if ticket.problem else _TICKET_CHANGED
    return Conflict(f"{wrong[0].upper()}{wrong[1:].rstrip('.')}.", hint=hint)


_TICKET_CHANGED = "Deny it, or have its requester name another ticket: /hoop change"


def voters(reviews: Sequence[Review]) -> list[PersonId]:
    """The people who approved, in the order they did."""
    yes = [review for review in reviews if review.choice is Choice.APPROVE]
    return [review.person for review in sorted(yes, key=lambda review: review.at)]


def progress(
    office: Office, request: AccessRequest, reviews: Sequence[Review], at: datetime, stands: Stands = NOBODY
) -> Progress:
    """How far a request is, for people."""
    resource = office.resources.get(request.resource)
    if resource is None:
        return Progress()
    now, yes = course_of(office, request, resource, at, stands), voters(reviews)
    taken = now.taken(yes)
    stages = tuple((step.name, taken[i], len(step.places)) for i, step in enumerate(now.steps))
    alone = replace(request, authors=())
    mine = course_of(office, alone, resource, at, stands).people if request.authors else now.people
    deciders, unknown = known(office, now.open_to(yes)), unknown_duty(office, request, at)
    flow = flow_of(office, request)
    instead = stood_in(office, request, resource, at, stands)
    return Progress(deciders, mine, stages, unknown, instead, urgent=flow is not None and flow.urgent)


def stood_in(
    office: Office, request: AccessRequest, resource: Resource, at: datetime, stands: Stands
) -> dict[PersonId, tuple[PersonId, ...]]:
    """Who has a say only because they take whose place."""
    if not stands:
        return {}
    own = course_of(office, request, resource, at).people
    found = {taker: tuple(sorted(givers & own)) for taker, givers in stands.items() if taker not in own}
    return {taker: givers for taker, givers in found.items() if givers}


def unknown_duty(office: Office, request: AccessRequest, at: datetime) -> tuple[str, ...]:
    """The on-call schedules of the request's flow of which nobody can say who is on call at `at`."""
    taken = flow_of(office, request)
    return tuple(name for name in _schedules(taken) if not office.knows_duty(name, at)) if taken is not None else ()


def _schedules(taken: Flow) -> tuple[str, ...]:
    """The on-call schedules whose people have a say in this flow at some time."""
    sources = [one for stage in taken.stages for one in (stage.sources, stage.quiet)]
    sources += [one.to for one in taken.escalate]
    return tuple(dict.fromkeys(name for one in sources for name in one.on_call))


def stranded(office: Office, request: AccessRequest, resource: Resource, stands: Stands = NOBODY) -> bool:
    """Whether nobody is left who could decide a waiting request: not those of now, nor those of an escalation to come. Never
    said where people on call have a say: the next one may be about to begin."""
    taken = flow_of(office, request)
    if taken is not None and _schedules(taken):
        return False
    return not course_of(office, request, resource, request.expires_at, stands).feasible()


def known(office: Office, ids: frozenset[PersonId]) -> tuple[Person, ...]:
    """These people, by name."""
    found = [person for one in ids if (person := office.directory.person(one)) is not None]
    return tuple(sorted(found, key=lambda person: (person.name, person.id)))


def lone_decider(
    office: Office, request: AccessRequest, resource: Resource, by: PersonId, at: datetime, stands: Stands = NOBODY
) -> HoopError | None:
    """Why `by` alone may not give what this (never filed) request would ask for; None if one approval of theirs would
    be enough."""
    if by == request.actor.person:
        return Denied("More time needs an approver.", rule="own-request")
    taken = flow_for(office, request, resource, at)
    if isinstance(taken, Denied):
        return taken
    if taken.step_up:
        hint = f"Let {office.name(request.actor.person)} ask for it."
        return Denied(f"The flow {taken.name} wants more than a click.", rule="step-up", hint=hint)
    now = course_of(office, replace(request, flow=taken.name), resource, at, stands)
    if by not in now.people:
        return Denied(f"You are not an approver of {resource.name}.", rule="not-an-approver")
    if now.complete([by]):
        return None
    hint = f"Let {office.name(request.actor.person)} ask for it."
    return Denied(f"The flow {taken.name} wants more people than you for this.", rule="more-people", hint=hint)


def flow_for(office: Office, draft: AccessRequest, resource: Resource, at: datetime) -> Flow | Denied:
    """The flow that a request like `draft` would take if it were filed now."""
    person = people.active_person(office.directory, draft.actor.person)
    return person if isinstance(person, Denied) else route(office, draft, person, resource, at)


def outlook(office: Office, draft: AccessRequest, resource: Resource, at: datetime, stands: Stands = NOBODY) -> Outlook:
    """What would become of a request like `draft` if it were filed now."""
    taken = flow_for(office, draft, resource, at)
    if isinstance(taken, Denied):
        return Outlook(refused=taken.message)
    filed = replace(draft, flow=taken.name)
    closed = times.check_windows(resource.name, resource, taken, at)
    if closed is not None:
        return Outlook(taken.name, refused=closed.message)
    if not taken.automatic and not course_of(office, filed, resource, at, stands).feasible():
        return Outlook(taken.name, refused=f"nobody could decide it{not_known(unknown_duty(office, filed, at))}")
    return Outlook(taken.name, taken.automatic, progress(office, filed, (), at, stands))
