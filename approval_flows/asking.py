"""Filing a request: what is asked, whether it may be, who can decide, and whether it is waiting already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from access.actors import Actor, PersonId, actor_key
from access.errors import Conflict, Denied, HoopError, Invalid, together
from access.events import Fact, RequestRefused, StatementHeld
from access.ids import GrantId, Prefix, RequestId, SessionId
from access.ports import EVERYTHING, Asked, Tx
from access.requests import AccessRequest, Ask, Evidence, Grant, Place, RequestState
from access.resources import Resource
from access.scopes import Level, OfRunbook, Once, Scope, level_of, scope_asked
from approval_flows import allowing, deputising, flow, lifecycle, opening, routing, times
from approval_flows.break_glass import not_extended
from approval_flows.choose import check_ticket, check_words
from approval_flows.freezing import frozen
from approval_flows.granting import live_grant, requested
from approval_flows.model import Flow
from approval_flows.office import Office
from approval_flows.stages import Course


def ask_access(
    office: Office,
    tx: Tx,
    actor: Actor,
    resource_name: str,
    scope: Scope,
    duration: timedelta | None,
    reason: str,
    ticket: str,
    place: Place,
    starts_at: datetime | None = None,
) -> Asked | HoopError:
    """File a request for standing access, now or from `starts_at` on."""
    resource = _known(office, tx, actor, resource_name)
    if isinstance(resource, HoopError):
        return refused(tx, actor, resource_name, resource)
    ahead = starts_at if starts_at is not None and starts_at > tx.now else None
    draft = _draft(office, tx, actor, resource, Ask.ACCESS, scope, resource.default_duration, office.limits.ask_for)
    draft = replace(draft, reason=reason.strip(), ticket=ticket.strip(), place=place, starts_at=ahead)
    early = times.check_start(starts_at, tx.now, office.limits)
    checked = _checked(office, tx, replace(draft, starts_at=None) if early else draft, resource, duration, early)
    if isinstance(checked, HoopError):
        return refused(tx, actor, resource_name, checked)
    request, taken = checked
    resource = flow.for_scope(resource, scope, office.limits)
    held = live_grant(tx, actor, resource.name, scope)
    most, end = routing.for_extending(resource, taken), tx.now + request.duration
    if ahead is None and held is not None and held.expires_at >= min(end, flow.latest_end(held, most)):
        until = lifecycle.clock_time(held.expires_at)
        message = f"You have {scope_asked(scope)} {resource.name} until {until} already ({held.id})."
        return refused(tx, actor, resource_name, Conflict(message, hint=f"More time: /hoop extend {held.id} 30m"))
    return _file(office, tx, request, resource)


def _checked(
    office: Office,
    tx: Tx,
    draft: AccessRequest,
    resource: Resource,
    duration: timedelta | None,
    early: Invalid | None,
) -> tuple[AccessRequest, Flow] | HoopError:
    """The request with its length, and the flow it takes; or all that is wrong with what is asked, at once: by the resource,
    then by its flow, which is found for the usual length where the one that is asked is impossible."""
    scope = flow.check_scope(draft.actor, resource, draft.scope)
    resource = flow.for_scope(resource, draft.scope, office.limits)
    length = flow.check_duration(resource, duration)
    wrong = together(
        flow.check_words(resource, draft.reason, draft.ticket), scope, early, _if_wrong(length)
    )  # fmt: skip
    if scope is not None:
        return wrong or scope
    request = replace(draft, duration=resource.default_duration if isinstance(length, Invalid) else length)
    taken = route(office, tx, request, resource)
    if isinstance(taken, HoopError):
        return wrong or taken
    allowed_length = flow.check_duration(routing.for_asking(resource, taken), duration)
    closed = None if early else times.check_opening(request, resource, taken, tx.now)
    wrong = together(wrong, _unsaid(office, request, taken), _if_wrong(allowed_length), closed)
    if wrong is not None:
        return wrong
    assert not isinstance(allowed_length, Invalid)
    return replace(request, duration=allowed_length), taken


def _if_wrong(length: timedelta | Invalid) -> Invalid | None:
    return length if isinstance(length, Invalid) else None


def ask_extension(
    office: Office, tx: Tx, id: GrantId, by: PersonId, add: timedelta, reason: str, place: Place
) -> Asked | HoopError:
    """File the requester's wish for more time on a live grant."""
    grant = tx.grant(id)
    if grant is None:
        return Invalid(f"There is no grant {id}.", field="id", hint="Yours are listed by /hoop my")
    if by != grant.actor.person:
        return Denied(f"{id} is not yours; only its owner asks for more time.", rule="not-yours")
    wrong = lifecycle.grant_refusal(grant, lifecycle.GrantCommand.EXTEND, office.name) or not_extended(grant)
    if wrong is not None:
        return wrong
    if not grant.live(tx.now):
        return Conflict(f"{id} expired at {lifecycle.clock_time(grant.expires_at)}.", hint="Ask again.")
    first = tx.request(grant.request)
    ticket = first.ticket if first else ""
    resource = allowed(office, tx, grant.actor, grant.resource, reason, ticket)
    if isinstance(resource, HoopError):
        return refused(tx, grant.actor, grant.resource, resource)
    resource = flow.for_scope(resource, grant.scope, office.limits)
    request = _draft(office, tx, grant.actor, resource, Ask.ACCESS, grant.scope, add, office.limits.ask_for)
    request = replace(request, reason=reason.strip(), ticket=ticket, place=place, parent=grant.request)
    taken = routed(office, tx, request, resource)
    if isinstance(taken, HoopError):
        return refused(tx, grant.actor, grant.resource, taken)
    too_long = check_extension(grant, routing.for_extending(resource, taken), add)
    too_long = too_long or times.check_end(grant.expires_at + add, resource, taken, tx.now)
    if too_long is not None:
        return refused(tx, grant.actor, grant.resource, too_long)
    return _file(office, tx, request, resource)


def check_extension(grant: Grant, resource: Resource, add: timedelta) -> Invalid | None:
    """Why the grant can not be extended by `add`; None if it can."""
    left = flow.latest_end(grant, resource) - grant.expires_at
    if add <= timedelta(0):
        return Invalid("An extension must be longer than nothing.", field="duration", hint="For example 30m.")
    if add <= left:
        return None
    most = flow.shown_duration(resource.max_duration)
    hint = f"At most {flow.shown_duration(left)} more." if left > timedelta(0) else "Ask again when it has ended."
    return Invalid(f"{resource.name} allows {most} at a stretch; this would be more.", field="duration", hint=hint)


def ask_command(
    office: Office, tx: Tx, actor: Actor, resource_name: str, evidence: Evidence, reason: str, ticket: str, place: Place
) -> Asked | HoopError:
    """File a request for one command that the bot runs when it is approved.

    Whoever has live access gave their reason already: without another one, the command is part of that work.
    """
    if not reason.strip():
        reason, ticket = _reason_of_live_access(tx, actor, resource_name, ticket)
    resource = allowed(office, tx, actor, resource_name, reason, ticket)
    if isinstance(resource, HoopError):
        return refused(tx, actor, resource_name, resource)
    limits = office.limits
    request = _draft(office, tx, actor, resource, Ask.COMMAND, Once(evidence.digest), limits.run_within, limits.ask_for)
    request = replace(request, reason=reason.strip(), ticket=ticket.strip(), place=place, evidence=evidence)
    return _file(office, tx, request, resource)


def ask_run(
    office: Office,
    tx: Tx,
    actor: Actor,
    resource_name: str,
    scope: OfRunbook,
    evidence: Evidence,
    reason: str,
    ticket: str,
    place: Place,
    groups: Sequence[str],
    wants: str = "",
) -> Asked | HoopError:
    """File a request for one run of a runbook. A file may narrow who decides, never widen it; the flow it wants must be the
    one that it takes anyway."""
    resource = allowed(office, tx, actor, resource_name, reason, ticket)
    if isinstance(resource, HoopError):
        return refused(tx, actor, resource_name, resource)
    outside = [group for group in groups if group not in resource.approvers]
    if outside:
        message = f"The runbook wants to be decided by {', '.join(outside)}, who does not decide on {resource.name}."
        hint = f"There decide: {', '.join(resource.approvers)}. The runbook's file must name some of these."
        return refused(tx, actor, resource_name, Denied(message, rule="runbook-approvers", hint=hint))
    limits = office.limits
    request = _draft(office, tx, actor, resource, Ask.COMMAND, scope, limits.run_within, limits.ask_for)
    request = replace(request, reason=reason.strip(), ticket=ticket.strip(), place=place, evidence=evidence)
    request = replace(request, groups=tuple(groups) or request.groups)
    taken = routed(office, tx, request, resource) if wants else None
    if taken is not None and not isinstance(taken, HoopError) and taken.name != wants:
        message = f"The runbook wants the flow {wants}, and on {resource.name} it takes {taken.name}."
        hint = f"The owners of the flows let it take another: `when: {{runbooks: [{scope.name}]}}`."
        return refused(tx, actor, resource_name, Denied(message, rule="runbook-flow", hint=hint))
    return _file(office, tx, request, resource)


def _reason_of_live_access(tx: Tx, actor: Actor, resource: str, ticket: str) -> tuple[str, str]:
    """Why the person was given the standing access they have on the resource now; empty without any."""
    for grant in tx.grants(live_at=tx.now, person=actor.person, resource=resource):
        request = tx.request(grant.request)
        if level_of(grant.scope) is not Level.NONE and grant.live(tx.now) and request is not None:
            return request.reason, ticket.strip() or request.ticket
    return "", ticket


def hold(
    office: Office,
    tx: Tx,
    actor: Actor,
    resource_name: str,
    evidence: Evidence,
    session: SessionId,
    groups: Sequence[str],
    seconds: float,
    fact: Fact,
) -> AccessRequest | HoopError:
    """File a request for a statement whose client waits, together with the fact that it was held."""
    if not isinstance(fact, StatementHeld):
        raise TypeError("a held statement is recorded as StatementHeld")
    resource = _known(office, tx, actor, resource_name)
    if isinstance(resource, HoopError):
        return refused(tx, actor, resource_name, resource)
    row = tx.session(session)
    if row is None or row.closed_at is not None or row.kill_at is not None or row.actor != actor:
        return refused(tx, actor, resource_name, Conflict("The session of this statement is not open any more."))
    window = timedelta(seconds=seconds)
    if window <= timedelta(0):
        return refused(tx, actor, resource_name, Denied("Nothing is held here.", rule="hold-time-zero"))
    request = _draft(office, tx, actor, resource, Ask.STATEMENT, Once(evidence.digest), window, window)
    request = replace(request, evidence=evidence, session=session, groups=tuple(groups) or resource.approvers)
    asked = _file(office, tx, replace(request, parent=row.request), resource)
    if isinstance(asked, HoopError):
        return asked
    tx.append(replace(fact, request=asked.request.id))
    return asked.request


def ask_instead(office: Office, tx: Tx, held: AccessRequest) -> Asked | HoopError:
    """File the text and authors of `held` as one command that the gateway runs, for the reason of the access its session
    was opened under, in that access's thread."""
    reason, ticket = _reason_of_live_access(tx, held.actor, held.resource, held.ticket)
    resource = allowed(office, tx, held.actor, held.resource, reason, ticket)
    if isinstance(resource, HoopError):
        return refused(tx, held.actor, held.resource, resource)
    limits = office.limits
    request = _draft(office, tx, held.actor, resource, Ask.COMMAND, held.scope, limits.run_within, limits.ask_for)
    request = replace(request, reason=reason, ticket=ticket, place=held.place, parent=held.parent)
    request = replace(request, evidence=held.evidence, authors=held.authors, groups=held.groups)
    return _file(office, tx, request, resource)


def refused(tx: Tx, actor: Actor, resource_name: str, error: HoopError) -> HoopError:
    """Record that a request was not filed. The stream is the person: what they typed may not name a stream."""
    tx.append(
        RequestRefused(stream=actor.person, actor=actor_key(actor), resource=resource_name[:63], why=error.message)
    )
    return error


def _known(office: Office, tx: Tx, actor: Actor, name: str) -> Resource | HoopError:
    person = flow.active_person(office.directory, actor.person)
    if isinstance(person, Denied):
        return person
    resource = flow.find_resource(office.resources, name)
    return resource if isinstance(resource, Invalid) else frozen(office, tx, resource.name) or resource


def allowed(office: Office, tx: Tx, actor: Actor, name: str, reason: str, ticket: str) -> Resource | HoopError:
    """The resource, or why this person can not ask for it in these words."""
    resource = _known(office, tx, actor, name)
    if isinstance(resource, HoopError):
        return resource
    return flow.check_words(resource, reason, ticket) or resource


def routed(office: Office, tx: Tx, request: AccessRequest, resource: Resource) -> Flow | HoopError:
    """The flow the request takes, or what it wants in the reason and the ticket. A held statement has neither."""
    taken = route(office, tx, request, resource)
    if isinstance(taken, HoopError) or request.ask is Ask.STATEMENT:
        return taken
    return _unsaid(office, request, taken) or taken


def route(office: Office, tx: Tx, request: AccessRequest, resource: Resource) -> Flow | Denied:
    """The flow the request takes.

    More time on live access is looked at in full, from the start of that access: no long access in small pieces.
    """
    person = flow.active_person(office.directory, request.actor.person)
    if isinstance(person, Denied):
        return person
    length = request.duration
    if request.ask is Ask.ACCESS:
        held = live_grant(tx, request.actor, resource.name, request.scope, request.parent)
        if held is not None and held.expires_at > times.wanted_at(request, tx.now):
            length += (held.expires_at if request.parent else tx.now) - held.starts_at
    at = times.wanted_at(request, tx.now)
    return routing.route(office, replace(request, duration=length), person, resource, at)


def _unsaid(office: Office, request: AccessRequest, taken: Flow) -> Invalid | None:
    """What the flow misses in the reason and the ticket; the ticket system is asked only about one in the right form."""
    words = check_words(taken, request.reason, request.ticket)
    if words is not None and "ticket" in words.errors:
        return words
    person = flow.active_person(office.directory, request.actor.person)
    if isinstance(person, Denied):
        return words or Invalid(person.message)
    return together(words, check_ticket(taken, person, partial(office.ticket, request.ticket)))


def _draft(
    office: Office,
    tx: Tx,
    actor: Actor,
    resource: Resource,
    ask: Ask,
    scope: Scope,
    duration: timedelta,
    ask_for: timedelta,
) -> AccessRequest:
    return AccessRequest(
        id=RequestId(office.new_id(Prefix.REQUEST)),
        actor=actor,
        resource=resource.name,
        ask=ask,
        scope=scope,
        duration=duration,
        reason="",
        created_at=tx.now,
        expires_at=tx.now + ask_for,
        groups=resource.approvers,
    )


def denials(tx: Tx, new: AccessRequest) -> list[AccessRequest]:
    """Every no to this person about the like of it; each took somebody a click, so they are not many."""
    person, states = new.actor.person, [RequestState.DENIED]
    return tx.requests(person=person, states=states, resource=new.resource, asks=[new.ask], limit=EVERYTHING)


def waiting_of(tx: Tx, person: PersonId) -> list[AccessRequest]:
    """Every request of this person that nobody decided, the ones that are over and not yet written down included."""
    return tx.requests(states=[RequestState.PENDING], person=person, limit=EVERYTHING)


def _tiring(tx: Tx, new: AccessRequest, limits: flow.Limits) -> Conflict | None:
    """Too much, or too soon after a no. Each is looked up by itself: whatever else somebody files pushes neither out of
    sight."""
    person, chosen = new.actor.person, (Ask.ACCESS, Ask.COMMAND)
    recent = tx.requests(person=person, asks=chosen, since=tx.now - flow.HOUR, limit=EVERYTHING)
    denied = denials(tx, new)
    return flow.check_pace(recent, new, limits) or flow.check_cool_down(denied, new, tx.now, limits)


def _file(office: Office, tx: Tx, request: AccessRequest, resource: Resource) -> Asked | HoopError:
    """Insert the request unless an equal one waits, the person has too many, or nobody could decide it. Under an
    automatic flow it is approved at once."""
    actor = request.actor
    taken = routed(office, tx, request, resource)
    if isinstance(taken, HoopError):
        return refused(tx, actor, resource.name, taken)
    request = replace(request, flow=taken.name)
    closed = times.check_opening(request, resource, taken, tx.now)
    if closed is not None:
        return refused(tx, actor, resource.name, closed)
    pending = waiting_of(tx, actor.person)
    equal = next((one for one in pending if flow.waits(one, tx.now) and flow.same_ask(one, request)), None)
    if equal is not None:
        return Asked(equal, existing=True)
    burst = flow.check_pending(pending, tx.now, office.limits)
    if burst is not None:
        return refused(tx, actor, resource.name, burst)
    tiring = _tiring(tx, request, office.limits)
    if tiring is not None:
        return refused(tx, actor, resource.name, tiring)
    ahead = None if taken.automatic else allowing.covering(office, tx, request)
    if taken.automatic or ahead is not None:
        tx.insert_request(request)
        tx.append(requested(request))
        return Asked(opening.approve_automatically(office, tx, request, resource, ahead))
    way = routing.course_of(office, request, resource, tx.now, deputising.stands(office, tx, resource.name, tx.now))
    if not way.feasible():
        unheard = routing.not_known(routing.unknown_duty(office, request, tx.now))
        return refused(tx, actor, resource.name, flow.nobody(office.directory, resource, missing(way) + unheard))
    if taken.waits is not None and request.ask is not Ask.STATEMENT:
        request = replace(request, expires_at=tx.now + taken.waits)
    if request.starts_at is not None:  # there is time to decide until it is to begin
        request = replace(request, expires_at=max(request.expires_at, request.starts_at))
    request = replace(request, approvers=tuple(p.id for p in routing.known(office, way.steps[0].told)))
    tx.insert_request(request)
    tx.append(requested(request))
    return Asked(request)


def missing(way: Course) -> str:
    """Why the stages can not be completed, in words."""
    for step in way.steps:
        if len(step.people) < len(step.places):
            wants = f"{len(step.places)} other active people" if len(step.places) > 1 else "another active person"
            return f"the stage {step.name} wants {wants} of {step.whence} and there are {len(step.people)}"
    return "there are not enough different people for all of its stages"
