"""Requests, votes and grants: compare-and-swap by version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, Update, bindparam, select, update

from access.actors import PersonId
from access.errors import Conflict
from access.ids import GrantId, RequestId, SessionId
from access.ports import Topic
from access.requests import AccessRequest, Ask, Grant, GrantState, RequestState, Review
from ledger import rows, tables
from ledger.chain import micros
from ledger.parts import NOTHING, Part, inserting

_LIVE_STATES = (GrantState.ACTIVE.value, GrantState.EXECUTING.value)


def _swap(table: Table) -> Update:
    """UPDATE of the row `id_` that still has `version_`; the columns to set are the other parameters."""
    return update(table).where(table.c.id == bindparam("id_"), table.c.version == bindparam("version_"))


_INSERT_REQUEST = inserting(tables.request, otherwise=NOTHING)
_SWAP_REQUEST = _swap(tables.request)
_REQUEST = select(tables.request).where(tables.request.c.id == bindparam("id"))
_REQUESTS = select(tables.request).order_by(tables.request.c.number.desc())
_INSERT_REVIEW = inserting(tables.review, otherwise=NOTHING)
_REVIEWS = (
    select(tables.review)
    .where(tables.review.c.request == bindparam("request"), tables.review.c.revision == bindparam("revision"))
    .order_by(tables.review.c.at, tables.review.c.person)
)
_INSERT_GRANT = inserting(tables.grant, otherwise=NOTHING)
_SWAP_GRANT = _swap(tables.grant)
_GRANT = select(tables.grant).where(tables.grant.c.id == bindparam("id"))
_GRANTS = select(tables.grant).order_by(tables.grant.c.number.desc())


class Decisions(Part):
    """The part of a transaction that asks, decides and grants."""

    def insert_request(self, request: AccessRequest) -> None:
        if not self._change(_INSERT_REQUEST, rows.request_values(request, self._sealer), Topic.REQUESTS):
            raise Conflict(f"There is a request {request.id} already.")

    def update_request(self, request: AccessRequest) -> AccessRequest:
        stored = replace(request, version=request.version + 1)
        values = rows.request_values(stored, self._sealer)
        values |= {"id_": values.pop("id"), "version_": request.version}
        if not self._change(_SWAP_REQUEST, values, Topic.REQUESTS):
            raise Conflict(f"Request {request.id} was changed by somebody else in the meantime.", hint=_LOOK_AGAIN)
        return stored

    def request(self, id: RequestId) -> AccessRequest | None:
        row = self._one(_REQUEST, id=id)
        return None if row is None else rows.request_from(row, self._sealer)

    def requests(
        self,
        *,
        states: Sequence[RequestState] = (),
        person: PersonId | None = None,
        resource: str | None = None,
        session: SessionId | None = None,
        asks: Sequence[Ask] = (),
        since: datetime | None = None,
        limit: int = 200,
    ) -> list[AccessRequest]:
        query = _equal(_REQUESTS, tables.request, person=person, resource=resource, session=session)
        if states:
            query = query.where(tables.request.c.state.in_([state.value for state in states]))
        if asks:
            query = query.where(tables.request.c.ask.in_([ask.value for ask in asks]))
        if since is not None:
            query = query.where(tables.request.c.created_at > micros(since))
        return [rows.request_from(row, self._sealer) for row in self._all(query.limit(limit))]

    def insert_review(self, review: Review) -> None:
        if not self._change(_INSERT_REVIEW, rows.review_values(review), Topic.REQUESTS):
            raise Conflict(f"You voted on revision {review.revision} of request {review.request} already.")

    def reviews(self, request: RequestId, revision: int) -> list[Review]:
        return [rows.review_from(row) for row in self._all(_REVIEWS, request=request, revision=revision)]

    def insert_grant(self, grant: Grant) -> None:
        if not self._change(_INSERT_GRANT, rows.grant_values(grant), Topic.GRANTS):
            raise Conflict(f"There is a grant {grant.id} already.")

    def update_grant(self, grant: Grant) -> Grant:
        stored = replace(grant, version=grant.version + 1)
        values = rows.grant_values(stored)
        values |= {"id_": values.pop("id"), "version_": grant.version}
        if not self._change(_SWAP_GRANT, values, Topic.GRANTS):
            raise Conflict(f"Grant {grant.id} was used or changed by somebody else in the meantime.", hint=_LOOK_AGAIN)
        return stored

    def grant(self, id: GrantId) -> Grant | None:
        row = self._one(_GRANT, id=id)
        return None if row is None else rows.grant_from(row)

    def grants(
        self,
        *,
        live_at: datetime | None = None,
        person: PersonId | None = None,
        resource: str | None = None,
        request: RequestId | None = None,
        states: Sequence[str] = (),
        limit: int = 1000,
    ) -> list[Grant]:
        table = tables.grant.c
        query = _equal(_GRANTS, tables.grant, person=person, resource=resource, request=request)
        if states:
            query = query.where(table.state.in_([str(state) for state in states]))
        if live_at is not None:
            at = micros(live_at)
            query = query.where(table.state.in_(_LIVE_STATES), table.starts_at <= at, table.expires_at > at)
        return [rows.grant_from(row) for row in self._all(query.limit(limit))]


_LOOK_AGAIN = "Look at it again, then decide."


def _equal(query: Select[Any], table: Table, **wanted: str | None) -> Select[Any]:
    """Narrow to rows whose columns equal what is wanted; None wants nothing."""
    return query.where(*(table.c[name] == value for name, value in wanted.items() if value is not None))
