"""The store in memory: everything `access.ports.Tx` promises, nothing of SQL.

Transactions run one after the other, each after a turn of the event loop, so that simultaneous callers interleave as they
would between processes. `before_update` lets a test play the other process that commits in the middle of a transaction.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice, takewhile
from typing import Any, TypeVar

from access.actors import Actor, PersonId
from access.errors import Conflict, Invalid, Unavailable
from access.events import Fact, StoredEvent
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.masking import Masked, declare_masked
from access.ports import ActionToken, Clock, MessageRef, OutboxItem, Tx
from access.requests import AccessRequest, Ask, Credential, Grant, GrantState, RequestState, Review, Session

T = TypeVar("T")

LIVE = {GrantState.ACTIVE, GrantState.EXECUTING}


@dataclass
class Doc:
    data: str
    group: str
    expires_at: datetime | None


@dataclass
class Tables:
    """All rows by their keys, in insertion order. Rows are frozen, so a copy of the dicts is a copy of everything."""

    requests: dict[RequestId, AccessRequest] = field(default_factory=dict)
    reviews: dict[tuple[RequestId, int, PersonId], Review] = field(default_factory=dict)
    grants: dict[GrantId, Grant] = field(default_factory=dict)
    credentials: dict[CredentialId, Credential] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    seen: dict[str, bool] = field(default_factory=dict)
    outbox: dict[int, OutboxItem] = field(default_factory=dict)
    tokens: dict[str, ActionToken] = field(default_factory=dict)
    refs: dict[tuple[str, ...], MessageRef] = field(default_factory=dict)
    cursors: dict[str, int] = field(default_factory=dict)
    docs: dict[tuple[str, str], Doc] = field(default_factory=dict)
    events: dict[int, StoredEvent] = field(default_factory=dict)
    next_item: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Tables:
        return Tables(**{name: dict(rows) for name, rows in vars(self).items()})


class MemoryTx:
    """One transaction on a copy of the tables."""

    def __init__(self, tables: Tables, now: datetime, before_update: Callable[[], None] | None = None) -> None:
        self.tables = tables
        self._now = now
        self._before_update = before_update

    @property
    def now(self) -> datetime:
        return self._now

    def append(self, fact: Fact) -> None:
        position = len(self.tables.events) + 1
        given = fact.payload()
        payload = {
            name: declare_masked(value) if isinstance(given[name], Masked) else value
            for name, value in json.loads(json.dumps(given)).items()
        }
        self.tables.events[position] = StoredEvent(
            position, "memory", position, self._now, fact.kind, fact.stream, fact.actor, payload, f"hash-{position}"
        )

    def _race(self) -> None:
        if self._before_update is not None:
            self._before_update()

    # requests, reviews, grants

    def insert_request(self, request: AccessRequest) -> None:
        if request.id in self.tables.requests:
            raise Conflict(f"There is a request {request.id} already.")
        self.tables.requests[request.id] = request

    def update_request(self, request: AccessRequest) -> AccessRequest:
        self._race()
        if self.tables.requests[request.id].version != request.version:
            raise Conflict(f"{request.id} was changed by somebody else.")
        stored = replace(request, version=request.version + 1)
        self.tables.requests[request.id] = stored
        return stored

    def request(self, id: RequestId) -> AccessRequest | None:
        return self.tables.requests.get(id)

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
        found = (
            row
            for row in reversed(self.tables.requests.values())
            if (not states or row.state in states)
            and person in {None, row.actor.person}
            and resource in {None, row.resource}
            and session in {None, row.session}
            and (not asks or row.ask in asks)
            and (since is None or row.created_at > since)
        )
        return list(islice(found, limit))

    def insert_review(self, review: Review) -> None:
        key = review.request, review.revision, review.person
        if key in self.tables.reviews:
            raise Conflict("You voted already.")
        self.tables.reviews[key] = review

    def reviews(self, request: RequestId, revision: int) -> list[Review]:
        return [row for key, row in self.tables.reviews.items() if key[:2] == (request, revision)]

    def insert_grant(self, grant: Grant) -> None:
        if grant.id in self.tables.grants:
            raise Conflict(f"There is a grant {grant.id} already.")
        self.tables.grants[grant.id] = grant

    def update_grant(self, grant: Grant) -> Grant:
        self._race()
        if self.tables.grants[grant.id].version != grant.version:
            raise Conflict(f"{grant.id} was changed by somebody else.")
        stored = replace(grant, version=grant.version + 1)
        self.tables.grants[grant.id] = stored
        return stored

    def grant(self, id: GrantId) -> Grant | None:
        return self.tables.grants.get(id)

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
        found = (
            row
            for row in reversed(self.tables.grants.values())
            if (live_at is None or (row.state in LIVE and row.starts_at <= live_at < row.expires_at))
            and person in {None, row.actor.person}
            and resource in {None, row.resource}
            and request in {None, row.request}
            and (not states or row.state in states)
        )
        return list(islice(found, limit))

    # credentials and sessions

    def insert_credential(self, credential: Credential) -> None:
        live = self.credential(credential.wire_name, credential.resource)
        if live is not None:
            self.end_credential(live.id)
        self.tables.credentials[credential.id] = credential

    def end_credential(self, id: CredentialId) -> bool:
        row = self.tables.credentials.get(id)
        if row is None or row.ended_at is not None:
            return False
        self.tables.credentials[id] = replace(row, ended_at=self._now)
        return True

    def lengthen_credential(self, actor: Actor, resource: str, until: datetime) -> None:
        agent = actor.via.name if actor.via else ""
        for row in list(self.tables.credentials.values()):
            same = (row.person, row.agent, row.resource, row.only_grant) == (actor.person, agent, resource, None)
            if same and row.ended_at is None and self._now < row.expires_at < until:
                self.tables.credentials[row.id] = replace(row, expires_at=until)

    def credential(self, wire_name: str, resource: str) -> Credential | None:
        for row in self.tables.credentials.values():
            same = (row.wire_name, row.resource) == (wire_name, resource)
            if same and row.ended_at is None and row.expires_at > self._now:
                return row
        return None

    def insert_session(self, session: Session) -> None:
        if session.id in self.tables.sessions:
            raise Conflict(f"There is a session {session.id} already.")
        self.tables.sessions[session.id] = session

    def update_session(self, session: Session) -> None:
        old = self.tables.sessions.get(session.id)
        if old is None:
            raise Invalid(f"There is no session {session.id}.")
        kept = {"kill_at": old.kill_at, "kill_by": old.kill_by, "kill_why": old.kill_why}
        self.tables.sessions[session.id] = replace(session, **kept)  # type: ignore[arg-type]

    def ask_kill(self, id: SessionId, by: PersonId, why: str) -> bool:
        row = self.tables.sessions.get(id)
        if row is None or row.closed_at is not None or row.kill_at is not None:
            return False
        self.tables.sessions[id] = replace(row, kill_at=self._now, kill_by=by, kill_why=why)
        return True

    def session(self, id: SessionId) -> Session | None:
        return self.tables.sessions.get(id)

    def sessions(
        self,
        *,
        open_only: bool = False,
        to_cut: bool = False,
        person: PersonId | None = None,
        resource: str | None = None,
        node: str | None = None,
        request: RequestId | None = None,
        limit: int = 200,
    ) -> list[Session]:
        found = (
            row
            for row in reversed(self.tables.sessions.values())
            if not ((open_only or to_cut) and row.closed_at is not None)
            and not (to_cut and row.kill_at is None)
            and person in {None, row.actor.person}
            and resource in {None, row.resource}
            and node in {None, row.node}
            and request in {None, row.request}
        )
        return list(islice(found, limit))

    # chat

    def seen(self, key: str) -> bool:
        before = key in self.tables.seen
        self.tables.seen[key] = True
        return before

    def enqueue(self, item: OutboxItem) -> None:
        if item.coalesce:
            for number, old in tuple(self.tables.outbox.items()):
                if (old.target, old.coalesce) == (item.target, item.coalesce):
                    del self.tables.outbox[number]
        number = self.tables.next_item.get("outbox", 0) + 1
        self.tables.next_item["outbox"] = number
        self.tables.outbox[number] = replace(item, id=number)

    def outbox(self, limit: int = 50, kind: str = "", target: str = "") -> list[OutboxItem]:
        if target:
            line = (one for one in self.tables.outbox.values() if one.target == target and kind in {"", one.kind})
            return list(
                islice(takewhile(lambda one: one.not_before is None or one.not_before <= self._now, line), limit)
            )
        heads: dict[str, OutboxItem] = {}
        for item in self.tables.outbox.values():
            heads.setdefault(item.target, item)
        due = [one for one in heads.values() if one.not_before is None or one.not_before <= self._now]
        return [one for one in due if kind in {"", one.kind}][:limit]

    def settle(self, id: int, *, retry_at: datetime | None = None, error: str = "") -> None:
        item = self.tables.outbox.pop(id, None)
        if item is not None and retry_at is not None:
            later = replace(item, attempts=item.attempts + 1, not_before=retry_at)
            self.tables.outbox = dict(sorted({**self.tables.outbox, id: later}.items()))

    def insert_token(self, token: ActionToken) -> None:
        self.tables.tokens[token.token] = token

    def token(self, token: str) -> ActionToken | None:
        return self.tables.tokens.get(token)

    def put_ref(self, ref: MessageRef) -> None:
        self.tables.refs[ref.subject, ref.kind, ref.platform, ref.channel, ref.audience] = ref

    def refs(self, subject: str, *, kind: str | None = None) -> list[MessageRef]:
        return [ref for ref in self.tables.refs.values() if ref.subject == subject and kind in {None, ref.kind}]

    def cursor(self, name: str) -> int:
        return self.tables.cursors.get(name, 0)

    def set_cursor(self, name: str, position: int) -> None:
        self.tables.cursors[name] = position

    # documents

    def put_doc(
        self, kind: str, key: str, data: Mapping[str, Any], *, group: str = "", expires_at: datetime | None = None
    ) -> None:
        self.tables.docs[kind, key] = Doc(json.dumps(dict(data)), group, expires_at)

    def take_doc(self, kind: str, key: str) -> Mapping[str, Any] | None:
        found = self.doc(kind, key)
        self.tables.docs.pop((kind, key), None)
        return found

    def doc(self, kind: str, key: str) -> Mapping[str, Any] | None:
        row = self.tables.docs.get((kind, key))
        return None if row is None or self._over(row) else json.loads(row.data)

    def docs(self, kind: str, *, group: str | None = None, limit: int = 500) -> list[tuple[str, Mapping[str, Any]]]:
        found = [
            (key, json.loads(row.data))
            for (its_kind, key), row in self.tables.docs.items()
            if its_kind == kind and group in {None, row.group} and not self._over(row)
        ]
        return found[-limit:]

    def _over(self, row: Doc) -> bool:
        return row.expires_at is not None and row.expires_at <= self._now

    # reading the ledger

    def events(self, *, after: int = 0, limit: int = 500, kinds: Sequence[str] = ()) -> list[StoredEvent]:
        rows = (one for one in self.tables.events.values() if one.position > after and (not kinds or one.kind in kinds))
        return list(islice(rows, limit))

    def events_of(self, stream: str) -> list[StoredEvent]:
        return [one for one in self.tables.events.values() if one.stream == stream]


class MemoryStore:
    """Implements `access.ports.Store`. Set `broken` to make it Unavailable; `commits` counts what was committed."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.tables = Tables()
        self.broken = False
        self.commits = 0
        self.before_update: Callable[[Tx], None] | None = None
        self._subscribers: dict[object, Callable[[], None]] = {}

    async def transact(self, work: Callable[[Tx], T]) -> T:
        await asyncio.sleep(0)
        if self.broken:
            raise Unavailable("The store does not answer.")
        mine = self.tables.copy()
        result = work(MemoryTx(mine, self.clock.now(), lambda: self._play_rival(mine)))
        self.tables = mine
        self._committed()
        return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        await asyncio.sleep(0)
        if self.broken:
            raise Unavailable("The store does not answer.")
        return work(MemoryTx(self.tables.copy(), self.clock.now()))

    def subscribe(self, wake: Callable[[], None], *about: str) -> Callable[[], None]:
        """Wakes for everything: a wake is a hint."""
        key = object()
        self._subscribers[key] = wake

        def unsubscribe() -> None:
            self._subscribers.pop(key, None)

        return unsubscribe

    @property
    def subscribers(self) -> int:
        return len(self._subscribers)

    def _play_rival(self, mine: Tables) -> None:
        """The other process commits now: its rows are there for good, and this transaction's swap finds them."""
        rival, self.before_update = self.before_update, None
        if rival is None:
            return
        rival(MemoryTx(self.tables, self.clock.now()))
        mine.requests.update(self.tables.requests)
        mine.grants.update(self.tables.grants)
        self._committed()

    def _committed(self) -> None:
        self.commits += 1
        for wake in tuple(self._subscribers.values()):
            wake()
