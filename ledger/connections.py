"""Credentials and sessions: what clients connect with, and the connections there are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, insert, select, update

from access.actors import Actor, PersonId
from access.errors import Conflict, Invalid
from access.ids import CredentialId, RequestId, SessionId
from access.ports import Topic
from access.requests import Credential, Session
from ledger import rows, tables
from ledger.chain import canonical, micros
from ledger.parts import NOTHING, Part, inserting

_CREDENTIAL = tables.credential.c
_INSERT_CREDENTIAL = insert(tables.credential)
_END_LIVE = (
    update(tables.credential)
    .where(_CREDENTIAL.wire_name == bindparam("wire"), _CREDENTIAL.resource == bindparam("on_resource"))
    .where(_CREDENTIAL.ended_at.is_(None))
    .values(ended_at=bindparam("at"))
)
_END_CREDENTIAL = (
    update(tables.credential)
    .where(_CREDENTIAL.id == bindparam("id_"), _CREDENTIAL.ended_at.is_(None))
    .values(ended_at=bindparam("at"))
)
_LENGTHEN = (
    update(tables.credential)
    .where(
        _CREDENTIAL.person == bindparam("of_person"),
        _CREDENTIAL.agent == bindparam("of_agent"),
        _CREDENTIAL.resource == bindparam("on_resource"),
        _CREDENTIAL.only_grant.is_(None),
        _CREDENTIAL.ended_at.is_(None),
        _CREDENTIAL.expires_at > bindparam("now"),
        _CREDENTIAL.expires_at < bindparam("until"),
    )
    .values(expires_at=bindparam("until"))
)
_LIVE_CREDENTIAL = select(tables.credential).where(
    _CREDENTIAL.wire_name == bindparam("wire_name"),
    _CREDENTIAL.resource == bindparam("resource"),
    _CREDENTIAL.ended_at.is_(None),
    _CREDENTIAL.expires_at > bindparam("now"),
)

_SESSION = tables.session.c
_OWNED = [c.name for c in tables.session.columns if c.name not in {"number", "id", "kill_at", "kill_by", "kill_data"}]
_INSERT_SESSION = inserting(tables.session, "id", *_OWNED, otherwise=NOTHING)
# The columns to set are the other parameters.
_UPDATE_SESSION = update(tables.session).where(_SESSION.id == bindparam("id_"))
_ASK_KILL = (
    update(tables.session)
    .where(_SESSION.id == bindparam("id_"), _SESSION.closed_at.is_(None), _SESSION.kill_at.is_(None))
    .values(kill_at=bindparam("at"), kill_by=bindparam("by"), kill_data=bindparam("why"))
)
_ONE_SESSION = select(tables.session).where(_SESSION.id == bindparam("id"))
_SESSIONS = select(tables.session).order_by(_SESSION.number.desc())


class Connections(Part):
    """The part of a transaction about who is, or may get, connected."""

    def insert_credential(self, credential: Credential) -> None:
        ending = {"wire": credential.wire_name, "on_resource": credential.resource, "at": micros(self.now)}
        self._change(_END_LIVE, ending)
        self._change(_INSERT_CREDENTIAL, rows.credential_values(credential, self._sealer))

    def end_credential(self, id: CredentialId) -> bool:
        return self._change(_END_CREDENTIAL, {"id_": id, "at": micros(self.now)}) == 1

    def lengthen_credential(self, actor: Actor, resource: str, until: datetime) -> None:
        agent = actor.via.name if actor.via else ""
        values = {"of_person": actor.person, "of_agent": agent, "on_resource": resource}
        self._change(_LENGTHEN, {**values, "now": micros(self.now), "until": micros(until)})

    def credential(self, wire_name: str, resource: str) -> Credential | None:
        row = self._one(_LIVE_CREDENTIAL, wire_name=wire_name, resource=resource, now=micros(self.now))
        return None if row is None else rows.credential_from(row, self._sealer)

    def insert_session(self, session: Session) -> None:
        if not self._change(_INSERT_SESSION, rows.session_values(session)):
            raise Conflict(f"There is a session {session.id} already.")

    def update_session(self, session: Session) -> None:
        values = rows.session_values(session)
        if not self._change(_UPDATE_SESSION, values | {"id_": values.pop("id")}):
            raise Invalid(f"There is no session {session.id}.", field="session")

    def ask_kill(self, id: SessionId, by: PersonId, why: str) -> bool:
        values = {"id_": id, "at": micros(self.now), "by": by, "why": canonical({"why": why})}
        return self._change(_ASK_KILL, values, Topic.KILLS) == 1

    def session(self, id: SessionId) -> Session | None:
        row = self._one(_ONE_SESSION, id=id)
        return None if row is None else rows.session_from(row)

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
        wanted = {"person": person, "resource": resource, "node": node, "request": request}
        query = _SESSIONS.where(*(_SESSION[name] == value for name, value in wanted.items() if value is not None))
        if open_only or to_cut:
            query = query.where(_SESSION.closed_at.is_(None))
        if to_cut:
            query = query.where(_SESSION.kill_at.is_not(None))
        return [rows.session_from(row) for row in self._all(query.limit(limit))]
