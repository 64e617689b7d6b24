"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    _decisions()
    _connections()
    _conversation()
    _ledger()
    _triggers(op.get_bind().dialect.name)


def _decisions() -> None:
    op.create_table(
        "request",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("ask", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("session", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_request")),
        sa.UniqueConstraint("id", name=op.f("uq_request_id")),
        sa.CheckConstraint("ask IN ('access', 'command', 'statement')", name=op.f("ck_request_ask")),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'denied', 'cancelled', 'expired')", name=op.f("ck_request_state")
        ),
        sa.CheckConstraint("revision >= 1 AND version >= 1", name=op.f("ck_request_counted")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_request_person"), "request", ["person"], unique=False)
    op.create_index(op.f("ix_request_session"), "request", ["session"], unique=False)
    op.create_index(op.f("ix_request_state_expires_at"), "request", ["state", "expires_at"], unique=False)
    op.create_table(
        "review",
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request", "revision", "person", name=op.f("pk_review")),
        sa.ForeignKeyConstraint(["request"], ["request.id"], name=op.f("fk_review_request")),
        sa.CheckConstraint("choice IN ('approve', 'deny')", name=op.f("ck_review_choice")),
    )
    op.create_table(
        "grant",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("used_in", sa.Text(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_grant")),
        sa.UniqueConstraint("id", name=op.f("uq_grant_id")),
        sa.ForeignKeyConstraint(["request"], ["request.id"], name=op.f("fk_grant_request")),
        sa.CheckConstraint("state <> 'executing' OR used_at IS NOT NULL", name=op.f("ck_grant_executing_is_used")),
        sa.CheckConstraint(
            "state IN ('active', 'executing', 'succeeded', 'failed', 'unknown', 'expired', 'revoked', 'done')",
            name=op.f("ck_grant_state"),
        ),
        sa.CheckConstraint("used_at IS NULL OR state <> 'active'", name=op.f("ck_grant_used_is_over")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_grant_counted")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_grant_person"), "grant", ["person"], unique=False)
    op.create_index(op.f("ix_grant_request"), "grant", ["request"], unique=False)
    op.create_index(op.f("ix_grant_state_expires_at"), "grant", ["state", "expires_at"], unique=False)
    op.create_index(op.f("ix_grant_used_in"), "grant", ["used_in"], unique=False)


def _connections() -> None:
    op.create_table(
        "credential",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("wire_name", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("only_grant", sa.Text(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
    )
    op.create_index(
        "uq_credential_live",
        "credential",
        ["wire_name", "resource"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "session",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("kill_at", sa.BigInteger(), nullable=True),
        sa.Column("kill_by", sa.Text(), nullable=True),
        sa.Column("kill_data", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_session")),
        sa.UniqueConstraint("id", name=op.f("uq_session_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_session_closed_at_heartbeat_at"), "session", ["closed_at", "heartbeat_at"], unique=False)
    op.create_index(op.f("ix_session_person"), "session", ["person"], unique=False)
    op.create_index(op.f("ix_session_request"), "session", ["request"], unique=False)


def _conversation() -> None:
    op.create_table(
        "action_token",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_action_token")),
    )
    op.create_index(op.f("ix_action_token_expires_at"), "action_token", ["expires_at"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_inbox")),
    )
    op.create_index(op.f("ix_inbox_seen_at"), "inbox", ["seen_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("replaces", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_outbox_target_number"), "outbox", ["target", "number"], unique=False)
    op.create_index(
        "uq_outbox_replaces",
        "outbox",
        ["target", "replaces"],
        unique=True,
        sqlite_where=sa.text("replaces <> ''"),
        postgresql_where=sa.text("replaces <> ''"),
    )
    op.create_table(
        "message_ref",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_message_ref")),
        sa.UniqueConstraint(
            "subject",
            "kind",
            "platform",
            "channel",
            "audience",
            name=op.f("uq_message_ref_subject_kind_platform_channel_audience"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cursor",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursor")),
    )
    op.create_table(
        "doc",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_doc")),
        sa.UniqueConstraint("kind", "name", name=op.f("uq_doc_kind_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_doc_expires_at"), "doc", ["expires_at"], unique=False)
    op.create_index(op.f("ix_doc_kind_list_number"), "doc", ["kind", "list", "number"], unique=False)


def _ledger() -> None:
    op.create_table(
        "event",
        sa.Column("position", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("payload_digest", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event")),
        sa.UniqueConstraint("stream", "version", name=op.f("uq_event_stream_version")),
        sa.UniqueConstraint("writer", "sequence", name=op.f("uq_event_writer_sequence")),
        sa.CheckConstraint("sequence >= 1 AND version >= 1", name=op.f("ck_event_counted")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_event_kind_position"), "event", ["kind", "position"], unique=False)
    op.create_table(
        "event_payload",
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "sequence", name=op.f("pk_event_payload")),
        sa.ForeignKeyConstraint(
            ["writer", "sequence"], ["event.writer", "event.sequence"], name=op.f("fk_event_payload_writer_sequence")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoint",
        sa.Column("number", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("heads", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_checkpoint")),
        sqlite_autoincrement=True,
    )


def _triggers(dialect: str) -> None:
    for statement in _TRIGGERS[dialect]:
        op.execute(statement)


_SQLITE = (
    """
CREATE TRIGGER event_no_update BEFORE UPDATE ON "event"
BEGIN SELECT RAISE(ABORT, 'the event table is append-only'); END
""",
    """
CREATE TRIGGER event_no_delete BEFORE DELETE ON "event"
BEGIN SELECT RAISE(ABORT, 'the event table is append-only'); END
""",
    """
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON "checkpoint"
BEGIN SELECT RAISE(ABORT, 'the checkpoint table is append-only'); END
""",
    """
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON "checkpoint"
BEGIN SELECT RAISE(ABORT, 'the checkpoint table is append-only'); END
""",
    """
CREATE TRIGGER event_payload_no_update BEFORE UPDATE ON "event_payload"
BEGIN SELECT RAISE(ABORT, 'the event_payload table is append-only'); END
""",
    """
CREATE TRIGGER event_no_replace BEFORE INSERT ON "event"
WHEN EXISTS (SELECT 1 FROM "event" AS old WHERE old.position = NEW.position OR (old.writer = NEW.writer AND old.sequence = NEW.sequence) OR (old.stream = NEW.stream AND old.version = NEW.version))
BEGIN SELECT RAISE(ABORT, 'the event table is append-only'); END
""",
    """
CREATE TRIGGER checkpoint_no_replace BEFORE INSERT ON "checkpoint"
WHEN EXISTS (SELECT 1 FROM "checkpoint" AS old WHERE old.number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'the checkpoint table is append-only'); END
""",
    """
CREATE TRIGGER event_payload_no_replace BEFORE INSERT ON "event_payload"
WHEN EXISTS (SELECT 1 FROM "event_payload" AS old WHERE old.writer = NEW.writer AND old.sequence = NEW.sequence)
BEGIN SELECT RAISE(ABORT, 'the event_payload table is append-only'); END
""",
    """
CREATE TRIGGER grant_used_once BEFORE UPDATE ON "grant"
WHEN OLD.used_at IS NOT NULL AND (
  NEW.used_at IS NOT OLD.used_at OR NEW.state = 'active' OR (NEW.state = 'executing' AND NOT coalesce(
    OLD.state = 'executing' AND json_extract(OLD.data, '$.scope.kind') = 'runbook'
    AND json_extract(NEW.data, '$.scope.steps') = json_extract(OLD.data, '$.scope.steps')
    AND json_extract(NEW.data, '$.scope.used') + json_extract(NEW.data, '$.scope.done')
      = json_extract(OLD.data, '$.scope.used') + json_extract(OLD.data, '$.scope.done') + 1, 0)))
BEGIN SELECT RAISE(ABORT, 'this grant was used already'); END
""",
)

_POSTGRES = (
    """
CREATE FUNCTION hoop_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the % table is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$
""",
    """
CREATE TRIGGER event_no_update BEFORE UPDATE ON "event"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
""",
    """
CREATE TRIGGER event_no_delete BEFORE DELETE ON "event"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
""",
    """
CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON "checkpoint"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
""",
    """
CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON "checkpoint"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
""",
    """
CREATE TRIGGER event_payload_no_update BEFORE UPDATE ON "event_payload"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
""",
    """
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON "event"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
""",
    """
CREATE TRIGGER checkpoint_no_truncate BEFORE TRUNCATE ON "checkpoint"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
""",
    """
CREATE TRIGGER event_payload_no_truncate BEFORE TRUNCATE ON "event_payload"
FOR EACH STATEMENT EXECUTE FUNCTION hoop_append_only()
""",
    """
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
""",
    """
CREATE TRIGGER grant_used_once BEFORE UPDATE ON "grant" FOR EACH ROW EXECUTE FUNCTION hoop_used_once()
""",
)

_TRIGGERS = {"sqlite": _SQLITE, "postgresql": _POSTGRES}
