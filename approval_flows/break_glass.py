"""Break-glass: access at once, loudly, looked after by a second person, and accounted for afterwards.

What policy denies stays denied, results stay masked, everything is recorded. The fact that calls people by name commits in
the same transaction as the grant, so nothing can be done under it that nobody will be told of.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.actors import Actor, Person, PersonId, actor_key
from access.emergencies import Emergency, EmergencyState, Finding
from access.errors import Conflict, Denied, HoopError, Invalid, together
from access.events import (
    AttestationDue,
    AttestationGiven,
    AttestationOverdue,
    EmergencyAcknowledged,
    EmergencyClosed,
    EmergencyEscalated,
    EmergencyOpened,
    EmergencyRefused,
    Fact,
    ReviewRefused,
)
from access.ids import GrantId, Prefix, RequestId
from access.ports import BreakGlass, Tx
from access.requests import AccessRequest, Grant
from access.resources import Resource
from access.scopes import Level, level_of, scope_name, scope_to_json
from approval_flows import emergency, flow, freezing, granting, routing
from approval_flows.choose import check_words
from approval_flows.emergency import EmergencyCommand
from approval_flows.lifecycle import RequestCommand, clock_time, decide_request
from approval_flows.model import BreakGlass as Rules
from approval_flows.model import Flow
from approval_flows.office import Office
from approval_flows.stages import escalated
from approval_flows.wording import readable

#: The documents that name the uses that are not closed; the request is the truth about each.
KIND = "emergency"
ACCOUNT_MIN, ACCOUNT_MAX = 10, 4_000
MOST_OPEN = 10_000


@dataclass(frozen=True, slots=True)
class _Ready:
    """Everything that was checked."""

    person: Person
    resource: Resource
    flow: Flow
    rules: Rules
    draft: AccessRequest


def open_(office: Office, tx: Tx, actor: Actor, wanted: BreakGlass, by: str) -> AccessRequest | HoopError:
    """Take access now. `by` is who types it when that is not the person: the operator on the gateway's host."""
    ready = _checked(office, tx, actor, wanted)
    if isinstance(ready, HoopError):
        refused = EmergencyRefused(
            stream=actor.person, actor=by or actor_key(actor), resource=wanted.resource[:63], why=ready.message
        )
        tx.append(refused)
        return ready
    told = _told(office, ready, tx.now)
    opened = Emergency(tx.now + ready.rules.acknowledge, ready.rules.attest, ready.rules.blocks, told)
    request = replace(ready.draft, emergency=opened, approvers=told)
    decided, fact = decide_request(request, RequestCommand.APPROVE, tx.now, office.name, note="break-glass")
    tx.insert_request(decided)
    tx.put_doc(KIND, decided.id, {"person": actor.person})
    tx.append(granting.requested(decided))
    tx.append(_opened(decided, opened, tx.now + decided.duration, by or actor_key(actor)))
    tx.append(replace(fact, actor=by or actor_key(actor)))
    _issue(office, tx, decided)
    return decided


def _opened(request: AccessRequest, opened: Emergency, until: datetime, by: str) -> EmergencyOpened:
    return EmergencyOpened(
        stream=request.id,
        actor=actor_key(request.actor),
        resource=request.resource,
        scope=scope_to_json(request.scope),
        reason=request.reason,
        ticket=request.ticket,
        until=until.isoformat(),
        acknowledge_by=opened.acknowledge_by.isoformat(),
        told=[str(one) for one in opened.told],
        by=by,
    )


def _issue(office: Office, tx: Tx, request: AccessRequest) -> None:
    grant = Grant(
        id=GrantId(office.new_id(Prefix.GRANT)),
        request=request.id,
        actor=request.actor,
        resource=request.resource,
        scope=request.scope,
        starts_at=tx.now,
        expires_at=tx.now + request.duration,
        issued_by=(request.actor.person,),
        emergency=True,
    )
    tx.insert_grant(grant)
    tx.append(granting.issued(grant, request))


# ------------------------------------------------------------------------------------------------ who may, and how


def _checked(office: Office, tx: Tx, actor: Actor, wanted: BreakGlass) -> _Ready | HoopError:
    """Why not, in the order in which a person can do something about it; all that is wrong with what they wrote, at once."""
    person = flow.active_person(office.directory, actor.person)
    if isinstance(person, Denied):
        return person
    if actor.via is not None:
        return Denied("An agent does not break glass.", rule="break-glass-agent")
    resource = flow.find_resource(office.resources, wanted.resource)
    if isinstance(resource, Invalid):
        return resource
    if (stopped := freezing.frozen(office, tx, resource.name)) is not None:
        return stopped
    if level_of(wanted.scope) is Level.NONE:
        return Invalid("Break-glass is for read, write or admin.", field="scope")
    draft = _draft(office, tx, actor, resource, wanted)
    taken = routing.route(office, draft, person, resource, tx.now)
    if isinstance(taken, Denied) or taken.break_glass is None:
        hint = f"Ask: /hoop request {resource.name}"
        return Denied(f"Break-glass is not set up for this on {resource.name}.", rule="no-break-glass", hint=hint)
    draft = replace(draft, flow=taken.name)
    barred = _may(office, person, taken.break_glass, tx.now) or _open_already(tx, person, taken.break_glass)
    if barred is not None:
        return barred
    allowed = flow.check_duration(routing.for_asking(resource, taken), wanted.duration)
    too_long = allowed if isinstance(allowed, Invalid) else None
    wrong = together(*_wrong_words(resource, taken, wanted), too_long)
    if wrong is not None:
        return wrong
    assert not isinstance(allowed, Invalid)
    draft = replace(draft, duration=allowed)
    if not overseers(office, draft, tx.now):
        return flow.nobody(office.directory, resource, "nobody else could look after it")
    return _Ready(person, resource, taken, taken.break_glass, draft)


def _draft(office: Office, tx: Tx, actor: Actor, resource: Resource, wanted: BreakGlass) -> AccessRequest:
    length = wanted.duration or resource.default_duration
    return replace(
        flow.draft_of(actor, resource, wanted.scope, length, tx.now),
        id=RequestId(office.new_id(Prefix.REQUEST)),
        reason=wanted.reason.strip(),
        ticket=wanted.ticket.strip(),
        place=wanted.place,
        emergency=Emergency(tx.now, timedelta(0)),
    )


def _may(office: Office, person: Person, rules: Rules, now: datetime) -> Denied | None:
    """Group and duty, both: being an administrator is not enough."""
    if person.groups.isdisjoint(rules.groups):
        groups = ", ".join(rules.groups)
        return Denied("You may not break glass here.", rule="break-glass-group", hint=f"That is for {groups}.")
    on_duty = office.schedules_of(person.id, now) & frozenset(rules.on_call)
    if on_duty or not person.groups.isdisjoint(rules.roles):
        return None
    wanted = (*(f"on call for {one}" for one in rules.on_call), *(f"in {one}" for one in rules.roles))
    return Denied(
        "You are not on duty, so you may not break glass.",
        rule="break-glass-duty",
        hint=f"It takes being {' or '.join(wanted)}.",
    )


def _open_already(tx: Tx, person: Person, rules: Rules) -> HoopError | None:
    """What is left to do about an earlier use of theirs."""
    for request in open_ones(tx):
        left = request.emergency
        if request.actor.person != person.id or left is None:
            continue
        if left.ended_at is None:
            hint = f"It is {request.id}: /hoop my"
            return Conflict(f"You broke glass on {request.resource} already, and it lasts.", hint=hint)
        if rules.blocks or left.blocks:
            return Denied(
                f"Your last use of break-glass ({request.id}) is not closed: {emergency.shown(left)}.",
                rule="attestation-due",
                hint=f"Say what you did: /hoop attest {request.id}",
            )
    return None


def _wrong_words(resource: Resource, taken: Flow, wanted: BreakGlass) -> list[Invalid | None]:
    rules = taken.break_glass
    assert rules is not None
    found: list[Invalid | None] = []
    if wanted.confirmed.strip() != resource.name:
        hint = f"Type {resource.name}."
        message = "The name of the resource is typed once more, to be sure."
        found.append(Invalid(message, field="confirmed", hint=hint))
    length = len(readable(wanted.reason))
    if length < rules.reason_at_least:
        message = f"Say what happened in at least {rules.reason_at_least} characters; this has {length}."
        found.append(Invalid(message, field="reason"))
    found.append(flow.check_words(resource, wanted.reason, wanted.ticket))
    return [*found, check_words(taken, wanted.reason, wanted.ticket)]


# ------------------------------------------------------------------------------------------------ who is told


def overseers(office: Office, request: AccessRequest, now: datetime) -> frozenset[PersonId]:
    """Who may acknowledge and close: the people of the flow's stage, the owners, the security group; never its user."""
    resource = office.resources.get(request.resource)
    if resource is None:
        groups: tuple[str, ...] = (office.limits.security_group,)
        found = frozenset[PersonId]()
    else:
        groups = (*resource.owners, office.limits.security_group)
        found = routing.course_of(office, request, resource, now).people
    members = (office.directory.members(group) for group in groups if group)
    return found.union(*members) - {request.actor.person}


def _told(office: Office, ready: _Ready, now: datetime) -> tuple[PersonId, ...]:
    """Everybody who looks after it, and everybody whose approval was not waited for."""
    ordinary = replace(ready.draft, emergency=None)
    asked = routing.flow_for(office, ordinary, ready.resource, now)
    skipped = frozenset[PersonId]()
    if not isinstance(asked, Denied):
        skipped = routing.course_of(office, replace(ordinary, flow=asked.name), ready.resource, now).people
    everybody = (overseers(office, ready.draft, now) | skipped) - {ready.person.id}
    return tuple(person.id for person in routing.known(office, everybody))


def _called(office: Office, request: AccessRequest, now: datetime) -> tuple[PersonId, ...]:
    """Those who look after it and everybody the flow escalates to."""
    taken, resource = routing.flow_of(office, request), office.resources.get(request.resource)
    found = overseers(office, request, now)
    if taken is not None and resource is not None:
        duty, asker = office.duty(now), request.actor.person
        tiers = (
            escalated(one, office.directory, resource, request.groups, asker=asker, duty=duty) for one in taken.escalate
        )
        found = found.union(*tiers)
    return tuple(person.id for person in routing.known(office, found))


# ------------------------------------------------------------------------------------------------ afterwards


def acknowledge(office: Office, tx: Tx, id: RequestId, by: PersonId, note: str) -> AccessRequest | HoopError:
    """A second person has seen it."""
    found = _found(office, tx, id, by, EmergencyCommand.ACKNOWLEDGE)
    if isinstance(found, HoopError):
        return found
    request, now = found
    after = emergency.acknowledged(now, by, tx.now)
    return _put(tx, request, after, EmergencyAcknowledged(stream=id, actor=by, note=note.strip()))


def ended(tx: Tx, grant: Grant) -> None:
    """Its access is over. Changes nothing when that is known already."""
    request = tx.request(grant.request)
    now = request.emergency if request else None
    if request is None or now is None or emergency.refusal(now, EmergencyCommand.END, request.id) is not None:
        return
    after = emergency.ended(now, tx.now)
    by_when = after.attest_by.isoformat() if after.attest_by else ""
    _put(tx, request, after, AttestationDue(stream=request.id, actor="gateway", by_when=by_when))


def attest(office: Office, tx: Tx, id: RequestId, by: PersonId, account: str) -> AccessRequest | HoopError:
    """Its user says what was done and why."""
    found = _found(office, tx, id, by, EmergencyCommand.ATTEST)
    if isinstance(found, HoopError):
        return found
    request, now = found
    said = account.strip()
    if len(readable(said)) < ACCOUNT_MIN or len(said) > ACCOUNT_MAX:
        message = f"Say what you did and why, in {ACCOUNT_MIN} to {ACCOUNT_MAX:,} characters."
        return Invalid(message, field="account")
    told = sorted(overseers(office, request, tx.now))
    fact = AttestationGiven(stream=id, actor=by, account=said, told=[str(one) for one in told])
    return _put(tx, request, emergency.attested(now, said, tx.now), fact)


def close(
    office: Office, tx: Tx, id: RequestId, by: PersonId, finding: Finding, note: str
) -> AccessRequest | HoopError:
    """Another person reviews the attestation; from then on its user may break glass again."""
    found = _found(office, tx, id, by, EmergencyCommand.CLOSE)
    if isinstance(found, HoopError):
        return found
    request, now = found
    said = note.strip()
    if finding is not Finding.JUSTIFIED and not readable(said):
        return Invalid(f"Say why it is {finding.value}.", field="reason")
    stored = _put(
        tx,
        request,
        emergency.closed(now, finding, said, by, tx.now),
        EmergencyClosed(stream=id, actor=by, finding=finding.value, note=said),
    )
    tx.take_doc(KIND, id)
    return stored


def _found(
    office: Office, tx: Tx, id: RequestId, by: PersonId, command: EmergencyCommand
) -> tuple[AccessRequest, Emergency] | HoopError:
    """The use of break-glass, when `by` may do this with it now."""
    request = tx.request(id)
    now = request.emergency if request else None
    if request is None or now is None:
        return Invalid(f"{id} is no use of break-glass.", field="id")
    person = flow.active_person(office.directory, by)
    barred: Denied | None = person if isinstance(person, Denied) else None
    if barred is None and command is EmergencyCommand.ATTEST and by != request.actor.person:
        barred = Denied(f"Only {office.name(request.actor.person)} can say what was done.", rule="not-yours")
    if barred is None and command is not EmergencyCommand.ATTEST and by not in overseers(office, request, tx.now):
        barred = _another(office, request, by, tx.now)
    if barred is not None:
        tx.append(ReviewRefused(stream=id, actor=by, choice=command.value, why=barred.message))
        return barred
    return emergency.refusal(now, command, id) or (request, now)


def _another(office: Office, request: AccessRequest, by: PersonId, now: datetime) -> Denied:
    names = ", ".join(person.name for person in routing.known(office, overseers(office, request, now)))
    hint = f"These people can: {names or 'nobody at the moment'}."
    if by == request.actor.person:
        return Denied("Another person looks after your own use of break-glass.", rule="own-request", hint=hint)
    return Denied(f"You do not look after {request.resource}.", rule="not-an-approver", hint=hint)


def _put(tx: Tx, request: AccessRequest, after: Emergency, fact: Fact) -> AccessRequest:
    stored = tx.update_request(replace(request, emergency=after))
    tx.append(fact)
    return stored


def open_ones(tx: Tx) -> list[AccessRequest]:
    """Every use that is not closed."""
    found = (tx.request(RequestId(key)) for key, _ in tx.docs(KIND, limit=MOST_OPEN))
    return [one for one in found if one is not None and one.emergency is not None]


def waiting_for(tx: Tx, person: PersonId) -> list[AccessRequest]:
    """The uses somebody was called for, or is to account for, that want something of them now, the oldest first: to
    acknowledge or to close another's, to attest their own."""

    def theirs(request: AccessRequest, now: Emergency) -> bool:
        if request.actor.person == person:
            return now.state is EmergencyState.DUE
        return person in now.told and now.state in {EmergencyState.OPEN, EmergencyState.ATTESTED}

    found = [one for one in open_ones(tx) if one.emergency is not None and theirs(one, one.emergency)]
    return sorted(found, key=lambda one: one.created_at)


def nudge(office: Office, tx: Tx) -> int:
    """Call more people where nobody acknowledged, attested or closed in time; each once. Returns how many facts."""
    written = 0
    for request in open_ones(tx):
        now = request.emergency
        assert now is not None
        if emergency.unacknowledged(now, tx.now):
            told = _called(office, request, tx.now)
            fact = EmergencyEscalated(stream=request.id, actor="gateway", told=[str(one) for one in told])
            _put(tx, request, replace(now, escalated=True, told=tuple(dict.fromkeys((*now.told, *told)))), fact)
            written += 1
        elif emergency.late(now, tx.now):
            told = _called(office, request, tx.now)
            people = [str(one) for one in (request.actor.person, *told)]
            fact_late = AttestationOverdue(stream=request.id, actor="gateway", told=people)
            _put(tx, request, replace(now, overdue=True, told=tuple(dict.fromkeys((*now.told, *told)))), fact_late)
            written += 1
    return written


def not_extended(grant: Grant) -> Conflict | None:
    """The refusal of more time on a broken glass; None for everything else."""
    if not grant.emergency:
        return None
    hint = f"Ask: /hoop request {grant.resource} {scope_name(grant.scope)}"
    message = f"Break-glass is not extended; it ends at {clock_time(grant.expires_at)}."
    return Conflict(message, hint=hint)
