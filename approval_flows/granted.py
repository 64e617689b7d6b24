"""What happens to a grant after it was issued, and to the sessions that use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from access.actors import PersonId, actor_key
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import Fact, ReviewRefused, SessionKillAsked
from access.ids import GrantId, SessionId
from access.masking import Masked
from access.ports import EVERYTHING, Tx
from access.requests import EXECUTOR, Grant, GrantState, RequestState, Session
from access.scopes import Level, OfRunbook, Once, level_of
from access.statements import Digest
from approval_flows import break_glass, deputising, flow, freezing, granting, opening, routing, times, timetable
from approval_flows.asking import check_extension
from approval_flows.deciding import expire, withdraw
from approval_flows.lifecycle import (
    OUTCOMES,
    GrantCommand,
    clock_time,
    end_grant,
    extend_grant,
    grant_refusal,
    settle_grant,
    use_grant,
)
from approval_flows.office import Office


def consume(
    office: Office, tx: Tx, id: GrantId, session: SessionId, digest: Digest, facts: Sequence[Fact]
) -> Grant | HoopError:
    """Use a single-use grant up, before its statement is forwarded. All of the check is here, again."""
    grant = tx.grant(id)
    if grant is None:
        return _unknown(id)
    refusal = grant_refusal(grant, GrantCommand.CONSUME, office.name) or _not_yours(office, tx, grant, session)
    refusal = refusal or freezing.frozen(office, tx, grant.resource)
    if refusal is not None:
        return refusal
    if not _is_next(grant, session, digest):
        return Conflict(f"This is not the command that {id} was approved for, or not its turn.")
    if not grant.live(tx.now):
        return Conflict(f"{id} expired at {clock_time(grant.expires_at)}.", hint="Ask again.")
    used, fact = use_grant(grant, tx.now, office.name, session=session, actor=actor_key(grant.actor))
    stored = tx.update_grant(used)
    tx.append(fact)
    for one in facts:
        tx.append(one)
    return stored


def _is_next(grant: Grant, session: SessionId, digest: Digest) -> bool:
    """Whether exactly this was approved: of a runbook the next step, in the session that began it, after all before it."""
    match grant.scope:
        case Once(approved):
            return approved == digest
        case OfRunbook() as run:
            begun_here = grant.used_in in {None, session}
            return begun_here and run.left[:1] == (digest,)
        case _:
            return False


def _not_yours(office: Office, tx: Tx, grant: Grant, session: SessionId) -> HoopError | None:
    """Why this session may not use this single-use grant."""
    row = tx.session(session)
    if row is None or row.closed_at is not None or row.kill_at is not None:
        return Conflict(f"The session {session} is over, so {grant.id} is not used.")
    if row.actor != grant.actor or row.resource != grant.resource:
        return Conflict(f"{grant.id} was not approved for this session.")
    if isinstance(person := flow.active_person(office.directory, grant.actor.person), Denied):
        return person
    if grant.holder == EXECUTOR:
        credential = tx.credential(grant.id, grant.resource)
        if credential is None or credential.id != row.credential or credential.only_grant != grant.id:
            return Conflict(f"{grant.id} is run by the gateway itself, not from a client.")
    elif grant.holder != session:
        return Conflict(f"{grant.id} was approved for another session.")
    elif not _standing(tx, grant):
        return Conflict(f"The access that {grant.id} was asked under has ended.", hint="Ask again.")
    return None


def _standing(tx: Tx, grant: Grant) -> bool:
    """Whether the person still has standing access: a statement held under it does not outlive it."""
    live = tx.grants(live_at=tx.now, person=grant.actor.person, resource=grant.resource)
    return any(level_of(one.scope) is not Level.NONE and one.live(tx.now) for one in live)


def outcome(office: Office, tx: Tx, id: GrantId, name: str, detail: Masked) -> Grant | HoopError:
    """Write down what became of a consumed command. Saying the same twice changes nothing."""
    grant = tx.grant(id)
    if grant is None:
        return _unknown(id)
    if name not in OUTCOMES:
        return Invalid(f"An outcome is {', '.join(OUTCOMES)}.", field="outcome")
    if grant.state.value == name:
        return grant
    refusal = grant_refusal(grant, OUTCOMES[name], office.name)
    if refusal is not None:
        return refusal
    actor = actor_key(grant.actor)
    return _put(tx, settle_grant(grant, OUTCOMES[name], tx.now, office.name, actor=actor, detail=detail))


def revoke(office: Office, tx: Tx, id: GrantId, by: PersonId, why: str) -> Grant | HoopError:
    """Take access away: the requester, an approver, an owner or the security group."""
    grant = tx.grant(id)
    if grant is None:
        return _unknown(id)
    barred = _may_end(office, by, grant.actor.person, grant.resource)
    if barred is not None:
        tx.append(ReviewRefused(stream=grant.request, actor=by, choice="revoke", why=barred.message))
        return barred
    return _end(office, tx, grant, GrantCommand.REVOKE, by, why)


def give_back(office: Office, tx: Tx, id: GrantId, by: PersonId) -> Grant | HoopError:
    """The requester is done before the time is over."""
    grant = tx.grant(id)
    if grant is None:
        return _unknown(id)
    if by != grant.actor.person:
        return Denied(f"{id} is not yours to give back.", rule="not-yours", hint=f"To end it: /hoop revoke {id}")
    return _end(office, tx, grant, GrantCommand.GIVE_BACK, by, "given back")


def _end(
    office: Office, tx: Tx, grant: Grant, command: GrantCommand, by: PersonId | None, why: str
) -> Grant | HoopError:
    refusal = grant_refusal(grant, command, office.name)
    if refusal is not None:
        return refusal
    ended = _put(tx, end_grant(grant, command, tx.now, office.name, by=by, why=why))
    if grant.emergency:
        break_glass.ended(tx, grant)
    if command is not GrantCommand.EXPIRE:
        person, resource = grant.actor.person, grant.resource
        for request in tx.requests(states=[RequestState.PENDING], person=person, resource=resource, limit=EVERYTHING):
            if request.parent == grant.request:
                withdraw(office, tx, request, f"the access it was asked under has ended ({grant.id})")
    return ended


def extend(office: Office, tx: Tx, id: GrantId, by: PersonId, add: timedelta) -> Grant | HoopError:
    """An approver moves the end of a live standing grant, in place."""
    grant = tx.grant(id)
    if grant is None:
        return _unknown(id)
    resource = flow.find_resource(office.resources, grant.resource)
    if isinstance(resource, Invalid):
        return resource
    refusal = grant_refusal(grant, GrantCommand.EXTEND, office.name) or break_glass.not_extended(grant)
    if refusal is not None:
        return refusal
    if not grant.live(tx.now):
        return Conflict(f"{id} expired at {clock_time(grant.expires_at)}.", hint="Ask again.")
    if (stopped := freezing.frozen(office, tx, grant.resource)) is not None:
        return stopped
    length = grant.expires_at - grant.starts_at + add
    first = tx.request(grant.request)
    draft = flow.draft_of(grant.actor, resource, grant.scope, length, tx.now)
    draft = replace(draft, reason=first.reason, ticket=first.ticket) if first else draft
    stands = deputising.stands(office, tx, resource.name, tx.now)
    barred = routing.lone_decider(office, replace(draft, parent=grant.request), resource, by, tx.now, stands)
    if barred is not None:
        tx.append(ReviewRefused(stream=grant.request, actor=by, choice="extend", why=barred.message))
        return barred
    taken = routing.flow_for(office, draft, resource, tx.now)
    if isinstance(taken, Denied):
        return taken
    lasting = flow.for_scope(resource, grant.scope, office.limits)
    wrong = check_extension(grant, routing.for_extending(lasting, taken), add)
    wrong = wrong or times.check_end(grant.expires_at + add, resource, taken, tx.now)
    if wrong is not None:
        return wrong
    return granting.extend(tx, extend_grant(grant, grant.expires_at + add, office.name, by=by))


def kill(office: Office, tx: Tx, id: SessionId, by: PersonId, why: str) -> Session | HoopError:
    """Ask for a session to be cut; the node that holds it does it."""
    session = tx.session(id)
    if session is None:
        return Invalid(f"There is no session {id}.", field="id")
    barred = _may_end(office, by, session.actor.person, session.resource)
    if barred is not None:
        tx.append(ReviewRefused(stream=id, actor=by, choice="kill", why=barred.message))
        return barred
    if session.closed_at is not None:
        return Conflict(f"{id} closed already at {clock_time(session.closed_at)}.")
    if session.kill_at is None and tx.ask_kill(id, by, why):
        tx.append(SessionKillAsked(stream=id, actor=by, why=why))
    return tx.session(id) or session


def _may_end(office: Office, by: PersonId, whose: PersonId, resource_name: str) -> Denied | None:
    """Why `by` may not end this person's access; None if they may. Ending is easier than giving: owners and the
    security group may, and people may always end their own."""
    person = flow.active_person(office.directory, by)
    if isinstance(person, Denied):
        return person
    resource = office.resources.get(resource_name)
    groups = (office.limits.security_group, *((*resource.approvers, *resource.owners) if resource else ()))
    if by == whose or any(by in office.directory.members(group) for group in groups if group):
        return None
    return Denied(
        f"Ending access to {resource_name} is for its user, its approvers and owners, and the security group.",
        rule="may-not-end",
    )


def tick(office: Office, tx: Tx) -> int:
    """Write down what is over: requests nobody decided, grants whose time is over, people who left, consumed commands
    whose session closed without an outcome. Idempotent; enforcement never waits for it."""
    changed, delegations = 0, deputising.kept(tx)
    for request in tx.requests(states=[RequestState.PENDING], limit=EVERYTHING):
        if not flow.waits(request, tx.now):
            expire(office, tx, request)
        elif isinstance(flow.active_person(office.directory, request.actor.person), Denied):
            withdraw(office, tx, request, "the requester is not active any more")
        else:
            changed += timetable.look_after(office, tx, request, delegations)
            continue
        changed += 1
    for grant in tx.grants(states=[GrantState.ACTIVE, GrantState.EXECUTING], limit=EVERYTHING):
        changed += _tick_grant(office, tx, grant)
    return changed + opening.tick(office, tx) + deputising.tick(office, tx) + _nudge(office, tx)


def _nudge(office: Office, tx: Tx) -> int:
    """What one person did alone, and nobody looked after in time."""
    return break_glass.nudge(office, tx) + freezing.nudge(office, tx)


def _tick_grant(office: Office, tx: Tx, grant: Grant) -> int:
    if grant.state is GrantState.EXECUTING:
        if not _lost(office, tx, grant):
            return 0
        lost = settle_grant(
            grant,
            GrantCommand.LOSE,
            tx.now,
            office.name,
            actor="gateway",
            detail="the session ended before its outcome was known",
        )
        _put(tx, lost)
        return 1
    if tx.now >= grant.expires_at:
        _end(office, tx, grant, GrantCommand.EXPIRE, None, "its time was over")
        return 1
    if isinstance(flow.active_person(office.directory, grant.actor.person), Denied):
        _end(office, tx, grant, GrantCommand.REVOKE, None, "the person is not active any more")
        return 1
    return 0


def _lost(office: Office, tx: Tx, grant: Grant) -> bool:
    """Whether the outcome of a consumed command can not be expected any more."""
    session = tx.session(grant.used_in) if grant.used_in else None
    over = session.closed_at if session else grant.used_at
    return over is not None and over + office.limits.settle_after <= tx.now


def _put(tx: Tx, changed: tuple[Grant, Fact]) -> Grant:
    row, fact = changed
    stored = tx.update_grant(row)
    tx.append(fact)
    return stored


def _unknown(id: GrantId) -> Invalid:
    return Invalid(f"There is no grant {id}.", field="id", hint="Yours are listed by /hoop my")
