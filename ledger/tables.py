"""The schema: every table, and the constraints by which the database itself refuses what must never happen.

Times are whole microseconds since 1970 (UTC). `data` is canonical JSON of the fields nothing is searched by, `sealed`
the encrypted rest. `number` keeps the order of insertion. The initial migration makes exactly this (a test compares).
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

from access.requests import Ask, Choice, GrantState, RequestState

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite gives only INTEGER PRIMARY KEY its row id; Postgres needs the wide type.
_Number = BigInteger().with_variant(Integer, "sqlite")


def _number(name: str = "number") -> Column[int]:
    return Column(name, _Number, primary_key=True, autoincrement=True)


def _text(name: str, *, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _optional(name: str) -> Column[str | None]:
    return Column(name, Text, nullable=True)


def _at(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _int(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{value.value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _table(name: str, *items: SchemaItem) -> Table:
    # AUTOINCREMENT: a number is never given twice, also after the newest row was deleted.
    return Table(name, metadata, *items, sqlite_autoincrement=True)


request = _table(
    "request",
    _number(),
    _text("id"),
    _text("person"),
    _text("agent"),
    _text("resource"),
    _text("ask"),
    _text("state"),
    _int("revision"),
    _int("version"),
    _optional("session"),
    _at("created_at"),
    _at("expires_at"),
    _text("data"),
    Column("sealed", LargeBinary, nullable=True),
    UniqueConstraint("id"),
    _one_of("ask", Ask),
    _one_of("state", RequestState),
    CheckConstraint("revision >= 1 AND version >= 1", name="counted"),
    Index(None, "state", "expires_at"),
    Index(None, "person"),
    Index(None, "session"),
)

review = Table(
    "review",
    metadata,
    Column("request", Text, ForeignKey("request.id"), primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("person", Text, primary_key=True),
    _text("choice"),
    _at("at"),
    _text("data"),
    _one_of("choice", Choice),
)

grant = _table(
    "grant",
    _number(),
    _text("id"),
    # Nothing is granted that was not asked for, on record.
    Column("request", Text, ForeignKey("request.id"), nullable=False),
    _text("person"),
    _text("agent"),
    _text("resource"),
    _text("state"),
    _int("version"),
    _at("starts_at"),
    _at("expires_at"),
    _text("holder"),
    _at("used_at", nullable=True),
    _optional("used_in"),
    _text("data"),
    UniqueConstraint("id"),
    _one_of("state", GrantState),
    CheckConstraint("version >= 1", name="counted"),
    # A grant that was used is never active again, and nothing executes that was not used up first.
    CheckConstraint("used_at IS NULL OR state <> 'active'", name="used_is_over"),
    CheckConstraint("state <> 'executing' OR used_at IS NOT NULL", name="executing_is_used"),
    Index(None, "state", "expires_at"),
    Index(None, "request"),
    Index(None, "person"),
    Index(None, "used_in"),
)

credential = Table(
    "credential",
    metadata,
    Column("id", Text, primary_key=True),
    _text("wire_name"),
    _text("resource"),
    _text("person"),
    _text("agent"),
    _at("created_at"),
    _at("expires_at"),
    _at("ended_at", nullable=True),
    _optional("only_grant"),
    Column("sealed", LargeBinary, nullable=False),
)
Index(
    "uq_credential_live",
    credential.c.wire_name,
    credential.c.resource,
    unique=True,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)

session = _table(
    "session",
    _number(),
    _text("id"),
    _text("credential"),
    _text("person"),
    _text("agent"),
    _text("resource"),
    _text("node"),
    _optional("request"),
    _at("opened_at"),
    _at("heartbeat_at"),
    _at("closed_at", nullable=True),
    _text("data"),
    # What `ask_kill` sets and the node that holds the connection never touches.
    _at("kill_at", nullable=True),
    _optional("kill_by"),
    _text("kill_data", default="{}"),
    UniqueConstraint("id"),
    Index(None, "closed_at", "heartbeat_at"),
    Index(None, "person"),
    Index(None, "request"),
)

action_token = Table(
    "action_token",
    metadata,
    # SHA-256 of the token: reading the store gives nobody a button to press.
    Column("digest", Text, primary_key=True),
    _text("action"),
    _text("request"),
    _int("revision"),
    _text("audience"),
    _at("expires_at"),
    _text("data"),
    Index(None, "expires_at"),
)

inbox = Table("inbox", metadata, Column("name", Text, primary_key=True), _at("seen_at"), Index(None, "seen_at"))

outbox = _table(
    "outbox",
    _number(),
    _text("target"),
    _text("kind"),
    _text("replaces"),
    _int("attempts"),
    _at("not_before", nullable=True),
    _text("error"),
    Column("sealed", LargeBinary, nullable=False),
    Index(None, "target", "number"),
)
Index(
    "uq_outbox_replaces",
    outbox.c.target,
    outbox.c.replaces,
    unique=True,
    sqlite_where=text("replaces <> ''"),
    postgresql_where=text("replaces <> ''"),
)

message_ref = _table(
    "message_ref",
    _number(),
    _text("subject"),
    _text("kind"),
    _text("platform"),
    _text("channel"),
    _text("audience"),
    _text("message"),
    _text("thread"),
    _text("data"),
    UniqueConstraint("subject", "kind", "platform", "channel", "audience"),
)

cursor = Table("cursor", metadata, Column("name", Text, primary_key=True), _int("position"))

doc = _table(
    "doc",
    _number(),
    _text("kind"),
    _text("name"),
    _text("list"),
    _at("expires_at", nullable=True),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("kind", "name"),
    Index(None, "kind", "list", "number"),
    Index(None, "expires_at"),
)

event = _table(
    "event",
    _number("position"),
    _text("writer"),
    _int("sequence"),
    _at("at"),
    _text("kind"),
    _text("stream"),
    _int("version"),
    _text("actor"),
    _text("payload_digest"),
    _text("prev_hash"),
    _text("hash"),
    UniqueConstraint("writer", "sequence"),
    UniqueConstraint("stream", "version"),
    CheckConstraint("sequence >= 1 AND version >= 1", name="counted"),
    Index(None, "kind", "position"),
)

event_payload = Table(
    "event_payload",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", LargeBinary, nullable=False),
    _text("payload"),
    ForeignKeyConstraint(["writer", "sequence"], ["event.writer", "event.sequence"]),
    sqlite_with_rowid=False,
)

checkpoint = _table(
    "checkpoint",
    _number(),
    _at("at"),
    _int("position"),
    _text("note"),
    _text("heads"),
)

_SQLITE_REFUSE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb_upper} ON "{table}"
BEGIN SELECT RAISE(ABORT, 'the {table} table is append-only'); END
"""
# SQLite fires no DELETE trigger for the row that INSERT OR REPLACE removes.
_SQLITE_NO_REPLACE = """
CREATE TRIGGER {table}_no_replace BEFORE INSERT ON "{table}"
WHEN EXISTS (SELECT 1 FROM "{table}" AS old WHERE {same})
BEGIN SELECT RAISE(ABORT, 'the {table} table is append-only'); END
"""
# A run of a runbook goes on step by step: the same steps, one more used or done each time. Nothing else executes again.
_SQLITE_USED_ONCE = """
CREATE TRIGGER grant_used_once BEFORE UPDATE ON "grant"
WHEN OLD.used_at IS NOT NULL AND (
  NEW.used_at IS NOT OLD.used_at OR NEW.state = 'active' OR (NEW.state = 'executing' AND NOT coalesce(
    OLD.state = 'executing' AND json_extract(OLD.data, '$.scope.kind') = 'runbook'
    AND json_extract(NEW.data, '$.scope.steps') = json_extract(OLD.data, '$.scope.steps')
    AND json_extract(NEW.data, '$.scope.used') + json_extract(NEW.data, '$.scope.done')
      = json_extract(OLD.data, '$.scope.used') + json_extract(OLD.data, '$.scope.done') + 1, 0)))
BEGIN SELECT RAISE(ABORT, 'this grant was used already'); END
"""
_POSTGRES_REFUSE_FUNCTION = """
CREATE FUNCTION hoop_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the % table is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$
"""
_POSTGRES_REFUSE = """
CREATE TRIGGER {table}_no_{verb} BEFORE {verb_upper} ON "{table}"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
"""
_POSTGRES_USED_ONCE_FUNCTION = """
CREATE FUNCTION hoop_used_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.used_at IS NOT NULL
     AND (NEW.used_at IS DISTINCT FROM OLD.used_at OR NEW.state = 'active' OR (NEW.state = 'executing' AND NOT coalesce(
       OLD.state = 'executing' AND OLD.data::json #>> '{scope,kind}' = 'runbook'
       AND NEW.data::json #>> '{scope,steps}' = OLD.data::json #>> '{scope,steps}'
       AND (NEW.data::json #>> '{scope,used}')::int + (NEW.data::json #>> '{scope,done}')::int
         = (OLD.data::json #>> '{scope,used}')::int + (OLD.data::json #>> '{scope,done}')::int + 1, false))) THEN
    RAISE EXCEPTION 'this grant was used already' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$
"""
_POSTGRES_USED_ONCE = """
CREATE TRIGGER grant_used_once BEFORE UPDATE ON "grant" FOR EACH ROW EXECUTE FUNCTION hoop_used_once()
"""

# What may not be changed, and how: payloads may be erased (deleted), never rewritten.
_REFUSED = (
    ("event", "update"),
    ("event", "delete"),
    ("checkpoint", "update"),
    ("checkpoint", "delete"),
    ("event_payload", "update"),
)
_SAME = (
    (
        "event",
        (
            "old.position = NEW.position"
            " OR (old.writer = NEW.writer AND old.sequence = NEW.sequence)"
            " OR (old.stream = NEW.stream AND old.version = NEW.version)"
        ),
    ),
    ("checkpoint", "old.number = NEW.number"),
    ("event_payload", "old.writer = NEW.writer AND old.sequence = NEW.sequence"),
)


def triggers(dialect: str) -> list[str]:
    """The statements that make the triggers (and their functions) of a dialect: `sqlite` or `postgresql`."""
    if dialect == "sqlite":
        refusals = [_SQLITE_REFUSE.format(table=t, verb=v, verb_upper=v.upper()) for t, v in _REFUSED]
        return [*refusals, *(_SQLITE_NO_REPLACE.format(table=t, same=same) for t, same in _SAME), _SQLITE_USED_ONCE]
    emptied = [(table, "truncate") for table in ("event", "checkpoint", "event_payload")]
    refusals = [_POSTGRES_REFUSE.format(table=t, verb=v, verb_upper=v.upper()) for t, v in (*_REFUSED, *emptied)]
    return [_POSTGRES_REFUSE_FUNCTION, *refusals, _POSTGRES_USED_ONCE_FUNCTION, _POSTGRES_USED_ONCE]
