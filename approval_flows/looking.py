"""A look at what a waiting command would do, for somebody who decides on it: one read, once, within seconds, on record.

It is nothing that anybody asked for: the owner switched it on, it is bound to the digest of the very read that the judge
made of the waiting text, it runs through the gateway like all else, and only its result goes to the one who asked.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from access.actors import Actor, PersonId, person_id
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import EstimateAsked
from access.explain import Estimate
from access.ids import GrantId, Prefix, RequestId
from access.ports import Tx
from access.requests import EXECUTOR, LOOK, AccessRequest, Ask, Choice, Evidence, Grant, Place, RequestState
from access.scopes import Once
from access.statements import Effect
from approval_flows import flow, freezing
from approval_flows.deciding import vote_refusal
from approval_flows.office import Office

WITHIN = timedelta(seconds=10)
#: Looks of one person at one request: it does not change while it waits.
MOST = 4
GATEWAY = "gateway"


def look(
    office: Office, tx: Tx, id: RequestId, revision: int, by: PersonId, what: Estimate, evidence: Evidence
) -> tuple[AccessRequest, Grant] | HoopError:
    """The request and the grant of one look."""
    request = tx.request(id)
    if request is None:
        return Invalid(f"There is no request {id}.", field="id")
    barred = _barred(office, tx, request, revision, by, what, evidence)
    if barred is not None:
        return barred
    made = replace(
        request,
        id=RequestId(office.new_id(Prefix.REQUEST)),
        actor=Actor(by, display=office.name(by)),
        ask=Ask.COMMAND,
        scope=Once(evidence.digest),
        duration=WITHIN,
        reason=f"the {what.value} of {id}",
        created_at=tx.now,
        expires_at=tx.now,
        ticket="",
        state=RequestState.APPROVED,
        revision=1,
        version=1,
        evidence=evidence,
        session=None,
        parent=id,
        place=Place(),
        flow=LOOK,
        groups=(),
        approvers=(),
        authors=(),
        decided_by=person_id(GATEWAY, "estimates"),
        decided_at=tx.now,
    )
    grant = Grant(
        id=GrantId(office.new_id(Prefix.GRANT)),
        request=made.id,
        actor=made.actor,
        resource=made.resource,
        scope=made.scope,
        starts_at=tx.now,
        expires_at=tx.now + WITHIN,
        issued_by=(person_id(GATEWAY, "estimates"),),
        holder=EXECUTOR,
    )
    tx.insert_request(made)
    tx.insert_grant(grant)
    tx.append(
        EstimateAsked(
            stream=id, actor=by, what=what.value, probe=made.id, grant=grant.id,
            statement=evidence.shown, digest=evidence.digest,
        )
    )  # fmt: skip
    return made, grant


def _barred(
    office: Office, tx: Tx, request: AccessRequest, revision: int, by: PersonId, what: Estimate, evidence: Evidence
) -> HoopError | None:
    if what not in office.limits.estimates:
        return Denied(f"The owner has not switched the {what.value} on.", rule="estimates-off")
    if not flow.waits(request, tx.now):
        return Conflict(f"{request.id} does not wait any more.")
    if not isinstance(request.scope, Once) or evidence.effects != {Effect.READ}:
        return Conflict("One command is looked at, by a read.")
    barred = vote_refusal(office, tx, request, revision, by, Choice.DENY)
    barred = barred or freezing.frozen(office, tx, request.resource)
    if barred is not None:
        return barred
    mine = [one for one in tx.events_of(request.id) if one.kind == EstimateAsked.kind and one.actor == by]
    if len(mine) >= MOST:
        return Conflict(f"You had {len(mine)} looks at {request.id}; there are no more.")
    return None
