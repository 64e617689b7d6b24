"""The lifecycle of requests and grants: tables of transitions, and the step from one row to the next.

Everything that affects a state is in this file. A transition that is not in a table does not exist: it is refused with
words for people. `approval_flows.diagrams` draws `docs/lifecycle.md` from the tables.

A request waits (`pending`) until people decide it, its requester takes it back or its time is over; all other states
are final. A standing grant is `active` until it expires, is revoked or given back, and may be extended in place. A
single-use grant is consumed *before* its statement is forwarded (`executing`), so a crash in between shows as `unknown`
and never as a second run; an outcome that is learned later still settles it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from access.actors import PersonId
from access.errors import Conflict
from access.events import (
    Fact,
    GrantEnded,
    GrantExtended,
    GrantUsed,
    RequestCancelled,
    RequestDecided,
    RequestExpired,
    StatementCompleted,
)
from access.ids import SessionId
from access.requests import AccessRequest, Grant, GrantState, RequestState
from access.scopes import OfRunbook, Once, standing

Names = Callable[[PersonId], str]


class RequestCommand(StrEnum):
    """What can happen to a request."""

    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"
    EXPIRE = "expire"


class GrantCommand(StrEnum):
    """What can happen to a grant."""

    CONSUME = "consume"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"
    EXTEND = "extend"
    REVOKE = "revoke"
    GIVE_BACK = "give back"
    EXPIRE = "expire"


RequestTable = Mapping[tuple[RequestState, RequestCommand], RequestState]
GrantTable = Mapping[tuple[GrantState, GrantCommand], GrantState]

REQUEST: RequestTable = MappingProxyType(
    {
        (RequestState.PENDING, RequestCommand.APPROVE): RequestState.APPROVED,
        (RequestState.PENDING, RequestCommand.DENY): RequestState.DENIED,
        (RequestState.PENDING, RequestCommand.CANCEL): RequestState.CANCELLED,
        (RequestState.PENDING, RequestCommand.EXPIRE): RequestState.EXPIRED,
    }
)

STANDING: GrantTable = MappingProxyType(
    {
        (GrantState.ACTIVE, GrantCommand.EXTEND): GrantState.ACTIVE,
        (GrantState.ACTIVE, GrantCommand.REVOKE): GrantState.REVOKED,
        (GrantState.ACTIVE, GrantCommand.GIVE_BACK): GrantState.DONE,
        (GrantState.ACTIVE, GrantCommand.EXPIRE): GrantState.EXPIRED,
    }
)

SINGLE_USE: GrantTable = MappingProxyType(
    {
        (GrantState.ACTIVE, GrantCommand.CONSUME): GrantState.EXECUTING,
        (GrantState.ACTIVE, GrantCommand.REVOKE): GrantState.REVOKED,
        (GrantState.ACTIVE, GrantCommand.GIVE_BACK): GrantState.DONE,
        (GrantState.ACTIVE, GrantCommand.EXPIRE): GrantState.EXPIRED,
        (GrantState.EXECUTING, GrantCommand.SUCCEED): GrantState.SUCCEEDED,
        (GrantState.EXECUTING, GrantCommand.FAIL): GrantState.FAILED,
        (GrantState.EXECUTING, GrantCommand.LOSE): GrantState.UNKNOWN,
        (GrantState.UNKNOWN, GrantCommand.SUCCEED): GrantState.SUCCEEDED,
        (GrantState.UNKNOWN, GrantCommand.FAIL): GrantState.FAILED,
    }
)

#: A run of a runbook is consumed step by step; each step once, in order.
RUNBOOK: GrantTable = MappingProxyType(
    {**SINGLE_USE, (GrantState.EXECUTING, GrantCommand.CONSUME): GrantState.EXECUTING}
)

OUTCOMES: Mapping[str, GrantCommand] = MappingProxyType(
    {"succeeded": GrantCommand.SUCCEED, "failed": GrantCommand.FAIL, "unknown": GrantCommand.LOSE}
)


def table_of(grant: Grant) -> GrantTable:
    """The transitions of this kind of grant: standing scopes have a level, all others are used once."""
    if isinstance(grant.scope, OfRunbook):
        return RUNBOOK
    return STANDING if standing(grant.scope) else SINGLE_USE


def clock_time(at: datetime | None) -> str:
    """`2026-03-02 10:02 UTC` in a sentence; chat shows it in the viewer's own zone (`bot.cards.in_zone`)."""
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "an unknown time"


def request_refusal(request: AccessRequest, command: RequestCommand, names: Names) -> Conflict | None:
    """Why `command` is not possible now, in words for people ("already approved by Ann at 2026-03-02 10:02 UTC"); None if it is."""
    if (request.state, command) in REQUEST:
        return None
    by = f" by {names(request.decided_by)}" if request.decided_by else ""
    at = f" at {clock_time(request.decided_at)}"
    match request.state:
        case RequestState.EXPIRED:
            return Conflict(f"{request.id} expired{at}: nobody decided in time.", hint="Ask again.")
        case RequestState.CANCELLED:
            return Conflict(f"{request.id} was cancelled{by}{at}.", hint=request.note)
        case RequestState.APPROVED if request.emergency is not None:
            return Conflict(f"{request.id} is a use of break-glass: access was taken without approval{at}.")
        case _:
            return Conflict(f"{request.id} was already {request.state.value}{by}{at}.")


def decide_request(
    request: AccessRequest,
    command: RequestCommand,
    at: datetime,
    names: Names,
    *,
    by: PersonId | None = None,
    note: str = "",
) -> tuple[AccessRequest, Fact]:
    """The request after `command`, and the fact that says so. Raises Conflict on an illegal transition."""
    refusal = request_refusal(request, command, names)
    if refusal is not None:
        raise refusal
    state = REQUEST[request.state, command]
    after = replace(request, state=state, decided_by=by, decided_at=at, note=note)
    actor = by or "gateway"
    match command:
        case RequestCommand.APPROVE | RequestCommand.DENY:
            return after, RequestDecided(stream=request.id, actor=actor, state=state.value, by=by or "", note=note)
        case RequestCommand.CANCEL:
            return after, RequestCancelled(stream=request.id, actor=actor, why=note)
        case RequestCommand.EXPIRE:
            return after, RequestExpired(stream=request.id, actor=actor)


def grant_refusal(grant: Grant, command: GrantCommand, names: Names) -> Conflict | None:
    """Why `command` is not possible on this grant now, in words for people; None if it is."""
    table = table_of(grant)
    if (grant.state, command) in table:
        return None
    by = f" by {names(grant.ended_by)}" if grant.ended_by else ""
    at = f" at {clock_time(grant.ended_at)}"
    why = f" ({grant.why_ended})" if grant.why_ended else ""
    match grant.state:
        case GrantState.ACTIVE if command is GrantCommand.EXTEND:
            return Conflict(
                f"{grant.id} is for one command; it can not be extended.", hint="Ask for that command again."
            )
        case GrantState.ACTIVE if command is GrantCommand.CONSUME:
            return Conflict(f"{grant.id} is standing access; it is not used up.")
        case GrantState.ACTIVE:
            return Conflict(f"{grant.id} has not been used, so it has no outcome.")
        case GrantState.EXECUTING:
            message = f"{grant.id} was used at {clock_time(grant.used_at)} and is running."
            return Conflict(message, hint="To stop it, kill its session.")
        case GrantState.SUCCEEDED | GrantState.FAILED | GrantState.UNKNOWN:
            outcome = "its outcome is unknown" if grant.state is GrantState.UNKNOWN else f"it {grant.state.value}"
            return Conflict(f"{grant.id} was already used at {clock_time(grant.used_at)}: {outcome}.")
        case GrantState.EXPIRED:
            return Conflict(f"{grant.id} expired{at}.", hint="Ask again.")
        case GrantState.REVOKED:
            return Conflict(f"{grant.id} was revoked{by}{at}{why}.")
        case GrantState.DONE:
            return Conflict(f"{grant.id} was given back{by}{at}.", hint="Ask again.")


def end_grant(
    grant: Grant, command: GrantCommand, at: datetime, names: Names, *, by: PersonId | None = None, why: str = ""
) -> tuple[Grant, Fact]:
    """The grant after it expired, was revoked or given back. Raises Conflict on an illegal transition."""
    state = _next(grant, command, names)
    after = replace(grant, state=state, ended_at=at, ended_by=by, why_ended=why)
    fact = GrantEnded(
        stream=grant.request, actor=by or "gateway", grant=grant.id, state=state.value, by=by or "", why=why
    )
    return after, fact


def extend_grant(grant: Grant, until: datetime, names: Names, *, by: PersonId, request: str = "") -> tuple[Grant, Fact]:
    """The grant with a later end. Raises Conflict on an illegal transition, ValueError when `until` is not later."""
    state = _next(grant, GrantCommand.EXTEND, names)
    if until <= grant.expires_at:
        raise ValueError("an extension ends later than the grant")
    after = replace(grant, state=state, expires_at=until)
    fact = GrantExtended(
        stream=grant.request, actor=by, grant=grant.id, expires_at=until.isoformat(), by=by, request=request
    )
    return after, fact


def use_grant(grant: Grant, at: datetime, names: Names, *, session: SessionId, actor: str) -> tuple[Grant, Fact]:
    """The single-use grant after its consumption, before anything is forwarded. Raises Conflict when it is used."""
    state = _next(grant, GrantCommand.CONSUME, names)
    scope, digest = grant.scope, grant.scope.digest if isinstance(grant.scope, Once) else ""
    if isinstance(scope, OfRunbook):
        if not scope.left:
            raise Conflict(f"{grant.id}: every step of this run was used.", hint="Ask again.")
        digest, scope = scope.left[0], replace(scope, used=scope.used + 1)
    after = replace(grant, scope=scope, state=state, used_at=grant.used_at or at, used_in=session)
    return after, GrantUsed(stream=grant.request, actor=actor, grant=grant.id, session=session, digest=digest)


def settle_grant(
    grant: Grant, command: GrantCommand, at: datetime, names: Names, *, actor: str, detail: str
) -> tuple[Grant, Fact]:
    """The single-use grant with its outcome. Raises Conflict when it was never used or has one."""
    state = _next(grant, command, names)
    after, outcome = replace(grant, state=state, ended_at=at), state.value
    if isinstance(grant.scope, OfRunbook) and state is GrantState.SUCCEEDED:
        scope = replace(grant.scope, done=grant.scope.done + 1)
        more = scope.done < len(scope.steps)
        after = replace(grant, scope=scope, state=grant.state, ended_at=None) if more else replace(after, scope=scope)
    fact = StatementCompleted(
        stream=grant.request,
        actor=actor,
        session=grant.used_in or "",
        outcome=outcome,
        detail=detail,
        grant=grant.id,
    )
    return after, fact


def _next(grant: Grant, command: GrantCommand, names: Names) -> GrantState:
    refusal = grant_refusal(grant, command, names)
    if refusal is not None:
        raise refusal
    return table_of(grant)[grant.state, command]
