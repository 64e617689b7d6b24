"""Step-up: an approval that takes more than a click. A fresh link, good once and for one person, and what is approved typed
from the card: its digest and a number that only that card shows.

The link logs nobody in. It is worth exactly one vote on one revision, and a few minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from access.actors import PersonId, actor_key
from access.errors import Conflict, Denied, HoopError, Invalid
from access.events import ReviewRefused
from access.ids import RequestId
from access.ports import Narrowed, StepUp, Tx
from access.requests import AccessRequest, Choice
from access.scopes import scope_from_json, scope_to_json
from access.statements import DIGEST_SHOWN
from approval_flows import deciding, flow, routing
from approval_flows.deciding import Vote
from approval_flows.office import Office

KIND = "step_up"
LASTS = timedelta(minutes=5)
SECRET_BYTES = 32
TRIES = 3


@dataclass(frozen=True, slots=True)
class _Vote:
    """What the link is for."""

    request: RequestId
    revision: int
    by: PersonId
    note: str
    narrowed: Narrowed
    number: str
    tries: int = 0


def begin(
    office: Office, tx: Tx, id: RequestId, revision: int, by: PersonId, note: str, narrowed: Narrowed
) -> StepUp | HoopError:
    """A link for this vote, when it would count now."""
    request = tx.request(id)
    if request is None:
        return Invalid(f"There is no request {id}.", field="id")
    refusal = deciding.vote_refusal(office, tx, request, revision, by, Choice.APPROVE)
    if refusal is not None:
        tx.append(ReviewRefused(stream=id, actor=by, choice=Choice.APPROVE.value, why=refusal.message))
        return refusal
    less = flow.narrow(request, Choice.APPROVE, narrowed)
    if isinstance(less, Invalid):
        return less
    random = office.entropy.token(SECRET_BYTES + 2)
    secret = base64.urlsafe_b64encode(random[:SECRET_BYTES]).rstrip(b"=").decode()
    number = f"{int.from_bytes(random[SECRET_BYTES:], 'big') % 90 + 10}"
    vote = _Vote(id, revision, by, note, narrowed, number)
    _put(tx, _key(secret), vote, tx.now + LASTS)
    return StepUp(secret, number, code_of(less[0]), tx.now + LASTS)


def about(tx: Tx, secret: str) -> tuple[AccessRequest, PersonId] | HoopError:
    """What the link would approve, in whose name; it stays unused."""
    vote = _find(tx, secret)
    request = tx.request(vote.request) if vote else None
    if vote is None or request is None:
        return _dead()
    less = flow.narrow(request, Choice.APPROVE, vote.narrowed)
    return less if isinstance(less, Invalid) else (less[0], vote.by)


def finish(office: Office, tx: Tx, secret: str, code: str, number: str) -> AccessRequest | HoopError:
    """Use the link: the vote counts when both were typed right. Three wrong ones use it up."""
    vote = _find(tx, secret)
    request = tx.request(vote.request) if vote else None
    if vote is None or request is None:
        return _dead()
    data = tx.take_doc(KIND, _key(secret))
    less = flow.narrow(request, Choice.APPROVE, vote.narrowed)
    if data is None or isinstance(less, Invalid):
        return _dead()
    right = hmac.compare_digest(code.strip().lower().encode(), code_of(less[0]).encode())
    right = hmac.compare_digest(number.strip().encode(), vote.number.encode()) and right
    if not right:
        wrong = "The digest or the number is not the one on the card."
        tx.append(ReviewRefused(stream=vote.request, actor=vote.by, choice=Choice.APPROVE.value, why=wrong))
        if vote.tries + 1 >= TRIES:
            return Denied(wrong, rule="step-up", hint="The link is used up; press Approve again.")
        _put(tx, _key(secret), replace(vote, tries=vote.tries + 1), datetime.fromisoformat(data["ends"]))
        return Invalid(wrong, field="code")
    confirmed = Vote(vote.revision, vote.by, Choice.APPROVE, vote.note, vote.narrowed, stepped_up=True)
    return deciding.review(office, tx, vote.request, confirmed)


def wanted(office: Office, request: AccessRequest) -> bool:
    """Whether a click alone does not approve this."""
    taken = routing.flow_of(office, request)
    return taken is not None and taken.step_up


def code_of(request: AccessRequest) -> str:
    """The first characters of the digest of everything that is approved."""
    what = {
        "id": request.id,
        "revision": request.revision,
        "actor": actor_key(request.actor),
        "resource": request.resource,
        "ask": request.ask.value,
        "scope": scope_to_json(request.scope),
        "start": request.starts_at.isoformat() if request.starts_at else "",
        "seconds": request.duration.total_seconds(),
        "statement": request.evidence.digest if request.evidence else "",
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:DIGEST_SHOWN]


def _find(tx: Tx, secret: str) -> _Vote | None:
    data = tx.doc(KIND, _key(secret)) if secret.isascii() and 0 < len(secret) <= 100 else None
    return _from_json(data) if data is not None else None


def _put(tx: Tx, key: str, vote: _Vote, ends: datetime) -> None:
    narrowed = vote.narrowed
    data = {
        "request": vote.request,
        "revision": vote.revision,
        "by": vote.by,
        "note": vote.note,
        "duration": narrowed.duration.total_seconds() if narrowed.duration else None,
        "scope": scope_to_json(narrowed.scope) if narrowed.scope else None,
        "repeat": narrowed.repeat.total_seconds() if narrowed.repeat else None,
        "tables": list(narrowed.tables),
        "number": vote.number,
        "tries": vote.tries,
        "ends": ends.isoformat(),
    }
    tx.put_doc(KIND, key, data, group=vote.by, expires_at=ends)


def _from_json(data: Mapping[str, Any]) -> _Vote:
    def length(name: str) -> timedelta | None:
        return timedelta(seconds=data[name]) if data[name] is not None else None

    scope = scope_from_json(data["scope"]) if data["scope"] else None
    narrowed = Narrowed(length("duration"), scope, length("repeat"), tuple(data["tables"]))
    return _Vote(
        RequestId(data["request"]),
        data["revision"],
        PersonId(data["by"]),
        data["note"],
        narrowed,
        data["number"],
        data["tries"],
    )


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii", "replace")).hexdigest()


def _dead() -> Conflict:
    return Conflict("This link is used, too old, or none of mine.", hint="Press Approve again for a new one.")
