"""The chat side: deliveries seen, messages to send, buttons, posted cards, cursors and small documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, or_, select, update

from access.errors import Invalid
from access.ports import ActionToken, MessageRef, OutboxItem, Topic
from access.topics import documents
from ledger import chat_rows, tables
from ledger.chain import canonical, micros
from ledger.parts import NOTHING, Part, inserting

_SEEN = inserting(tables.inbox, otherwise=NOTHING)

_OUTBOX = tables.outbox.c
_UNSENT = delete(tables.outbox).where(_OUTBOX.target == bindparam("of"), _OUTBOX.replaces == bindparam("key"))
_ENQUEUE = insert(tables.outbox)
_HEADS = select(func.min(_OUTBOX.number)).group_by(_OUTBOX.target)
_DUE = (
    select(tables.outbox)
    .where(_OUTBOX.number.in_(_HEADS))
    .where(or_(_OUTBOX.not_before.is_(None), _OUTBOX.not_before <= bindparam("now")))
    .where(or_(bindparam("of_kind") == "", _OUTBOX.kind == bindparam("of_kind")))
    .order_by(_OUTBOX.number)
    .limit(bindparam("limit"))
)
_LINE = (
    select(tables.outbox)
    .where(_OUTBOX.target == bindparam("of"), or_(bindparam("of_kind") == "", _OUTBOX.kind == bindparam("of_kind")))
    .order_by(_OUTBOX.number)
    .limit(bindparam("limit"))
)
_DELIVERED = delete(tables.outbox).where(_OUTBOX.number == bindparam("number_"))
_RETRY = (
    update(tables.outbox)
    .where(_OUTBOX.number == bindparam("number_"))
    .values(attempts=_OUTBOX.attempts + 1, not_before=bindparam("at"), error=bindparam("why"))
)

_INSERT_TOKEN = insert(tables.action_token)
_TOKEN = select(tables.action_token).where(tables.action_token.c.digest == bindparam("digest"))

_PUT_REF = inserting(
    tables.message_ref,
    otherwise="(subject, kind, platform, channel, audience)"
    " DO UPDATE SET message = excluded.message, thread = excluded.thread, data = excluded.data",
)
_REFS = (
    select(tables.message_ref)
    .where(tables.message_ref.c.subject == bindparam("subject"))
    .order_by(tables.message_ref.c.number)
)

_CURSOR = select(tables.cursor.c.position).where(tables.cursor.c.name == bindparam("name"))
_SET_CURSOR = inserting(tables.cursor, otherwise="(name) DO UPDATE SET position = excluded.position")

_DOC = tables.doc.c
_PUT_DOC = inserting(
    tables.doc,
    otherwise='(kind, name) DO UPDATE SET "list" = excluded."list", expires_at = excluded.expires_at,'
    " sealed = excluded.sealed",
)
_TAKE_DOC = (
    delete(tables.doc)
    .where(_DOC.kind == bindparam("of"), _DOC.name == bindparam("named"))
    .returning(_DOC.sealed, _DOC.expires_at)
)
_FRESH = or_(_DOC.expires_at.is_(None), _DOC.expires_at > bindparam("now"))
_ONE_DOC = select(_DOC.sealed).where(_DOC.kind == bindparam("kind"), _DOC.name == bindparam("name"), _FRESH)
_DOCS = (
    select(_DOC.name, _DOC.sealed)
    .where(_DOC.kind == bindparam("kind"), _FRESH)
    .order_by(_DOC.number.desc())
    .limit(bindparam("limit"))
)


class Conversation(Part):
    """The part of a transaction about messages and small documents."""

    def seen(self, key: str) -> bool:
        return self._change(_SEEN, {"name": key, "seen_at": micros(self.now)}) == 0

    def enqueue(self, item: OutboxItem) -> None:
        if item.coalesce:
            # A new row, not a changed one: a sender that holds the older item settles nothing newer by it.
            self._change(_UNSENT, {"of": item.target, "key": item.coalesce})
        self._change(_ENQUEUE, chat_rows.outbox_values(item, self._sealer), Topic.OUTBOX)

    def outbox(self, limit: int = 50, kind: str = "", target: str = "") -> list[OutboxItem]:
        if target:
            now = micros(self.now)
            line = self._all(_LINE, of=target, limit=limit, of_kind=kind)
            rows = takewhile(lambda row: row.not_before is None or row.not_before <= now, line)
            return [chat_rows.outbox_from(row, self._sealer) for row in rows]
        due = self._all(_DUE, now=micros(self.now), limit=limit, of_kind=kind)
        return [chat_rows.outbox_from(row, self._sealer) for row in due]

    def settle(self, id: int, *, retry_at: datetime | None = None, error: str = "") -> None:
        if retry_at is None:
            self._change(_DELIVERED, {"number_": id}, Topic.OUTBOX)
        else:
            self._change(_RETRY, {"number_": id, "at": micros(retry_at), "why": canonical(error)}, Topic.OUTBOX)

    def insert_token(self, token: ActionToken) -> None:
        self._change(_INSERT_TOKEN, chat_rows.token_values(token, _digest(token.token)))

    def token(self, token: str) -> ActionToken | None:
        row = self._one(_TOKEN, digest=_digest(token))
        return None if row is None else chat_rows.token_from(row, token)

    def put_ref(self, ref: MessageRef) -> None:
        self._change(_PUT_REF, chat_rows.ref_values(ref))

    def refs(self, subject: str, *, kind: str | None = None) -> list[MessageRef]:
        query = _REFS if kind is None else _REFS.where(tables.message_ref.c.kind == kind)
        return [chat_rows.ref_from(row) for row in self._all(query, subject=subject)]

    def cursor(self, name: str) -> int:
        row = self._one(_CURSOR, name=name)
        return 0 if row is None else int(row.position)

    def set_cursor(self, name: str, position: int) -> None:
        self._change(_SET_CURSOR, {"name": name, "position": position})

    def put_doc(
        self, kind: str, key: str, data: Mapping[str, Any], *, group: str = "", expires_at: datetime | None = None
    ) -> None:
        try:
            text = canonical(dict(data))
        except (TypeError, ValueError) as problem:
            raise Invalid(f"The document {kind}/{key} is not plain JSON: {problem}.") from problem
        values = {
            "kind": kind,
            "name": key,
            "list": group,
            "expires_at": None if expires_at is None else micros(expires_at),
            "sealed": self._sealer.seal(text, f"doc/{kind}/{key}"),
        }
        self._change(_PUT_DOC, values, documents(kind))

    def take_doc(self, kind: str, key: str) -> Mapping[str, Any] | None:
        row = self._connection.execute(_TAKE_DOC, {"of": kind, "named": key}).first()
        if row is None:
            return None
        self._touched(documents(kind))
        over = row.expires_at is not None and row.expires_at <= micros(self.now)
        return None if over else self._open_doc(kind, key, row.sealed)

    def doc(self, kind: str, key: str) -> Mapping[str, Any] | None:
        row = self._one(_ONE_DOC, kind=kind, name=key, now=micros(self.now))
        return None if row is None else self._open_doc(kind, key, row.sealed)

    def docs(self, kind: str, *, group: str | None = None, limit: int = 500) -> list[tuple[str, Mapping[str, Any]]]:
        query = _DOCS if group is None else _DOCS.where(_DOC["list"] == group)
        newest_first = self._all(query, kind=kind, now=micros(self.now), limit=limit)
        return [(row.name, self._open_doc(kind, row.name, row.sealed)) for row in reversed(newest_first)]

    def _open_doc(self, kind: str, key: str, sealed: bytes) -> Mapping[str, Any]:
        data: dict[str, Any] = json.loads(self._sealer.open(sealed, f"doc/{kind}/{key}"))
        return data

    def forget(self, before: datetime) -> int:
        """Drop what is only kept for a while: deliveries seen and buttons dead before `before`, documents over now."""
        old = {"before": micros(before)}
        dropped = self._change(_OLD_DELIVERIES, old) + self._change(_OLD_TOKENS, old)
        return dropped + self._change(_OLD_DOCS, {"before": micros(self.now)})


_OLD_DELIVERIES = delete(tables.inbox).where(tables.inbox.c.seen_at < bindparam("before"))
_OLD_TOKENS = delete(tables.action_token).where(tables.action_token.c.expires_at < bindparam("before"))
_OLD_DOCS = delete(tables.doc).where(_DOC.expires_at <= bindparam("before"))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
