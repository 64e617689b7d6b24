"""What truly happened, seen by a superuser who does not pass the gateway."""

from __future__ import annotations

from typing import Self

import psycopg

from tests.wire.attacks.schema import TABLES

_CONTENTS = " UNION ALL ".join(
    f"SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t" for table in TABLES
)
#: Definitions, sequences, large objects, roles, settings that last, files of the data directory.
_REST = """
 UNION ALL SELECT '(functions)', count(*) || ',' || sum(hashtext(proname || prosrc || coalesce(proconfig::text, ''))) FROM pg_proc
     WHERE pronamespace::regnamespace::text !~ '^pg_(temp|toast)'
 UNION ALL SELECT '(relations)', count(*) || ',' || sum(hashtext(relname::text || relkind::text || coalesce(relacl::text, '') || relrowsecurity::text))
     FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_(temp|toast)'
 UNION ALL SELECT '(columns)', count(*) || ',' || sum(hashtext(attname::text || atttypid::text)) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
     WHERE relnamespace::regnamespace::text !~ '^pg_(temp|toast)'
 UNION ALL SELECT '(types)', count(*)::text FROM pg_type WHERE typnamespace::regnamespace::text !~ '^pg_(temp|toast)'
 UNION ALL SELECT '(others)', (SELECT count(*) FROM pg_operator) || ',' || (SELECT count(*) FROM pg_cast) || ',' ||
     (SELECT count(*) FROM pg_trigger) || ',' || (SELECT count(*) FROM pg_rewrite) || ',' || (SELECT count(*) FROM pg_policy) || ',' ||
     (SELECT count(*) FROM pg_constraint) || ',' || (SELECT count(*) FROM pg_extension) || ',' || (SELECT count(*) FROM pg_namespace)
     || ',' || (SELECT count(*) FROM pg_database) || ',' || (SELECT count(*) FROM pg_prepared_xacts) || ',' ||
     (SELECT count(*) FROM pg_replication_slots) || ',' || (SELECT count(*) FROM pg_description) || ',' || (SELECT count(*) FROM pg_event_trigger)
 UNION ALL SELECT '(sequence)', last_value || ',' || is_called FROM ids
 UNION ALL SELECT '(large objects)', count(*) || ',' || coalesce(sum(hashtext(data::text)), 0) FROM pg_largeobject_metadata m
     LEFT JOIN pg_largeobject l ON l.loid = m.oid
 UNION ALL SELECT '(roles)', string_agg(r::text, ',' ORDER BY rolname) FROM pg_roles r
 UNION ALL SELECT '(role settings)', coalesce(string_agg(s::text, ','), '') FROM pg_db_role_setting s
 UNION ALL SELECT '(files)', string_agg(f, ',' ORDER BY f) FROM pg_ls_dir('.') f
 UNION ALL SELECT '(auto.conf)', md5(pg_read_file('postgresql.auto.conf'))
 UNION ALL SELECT '(advisory locks)', count(*)::text FROM pg_locks WHERE locktype = 'advisory'
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

State = dict[str, str]


class Oracle:
    """A direct connection, and a way back."""

    def __init__(self, dsn: str) -> None:
        self.connection = psycopg.connect(dsn, autocommit=True)
        for table in TABLES:
            if table != "frozen":
                copy = table.replace(".", "_")
                self.connection.execute(f"CREATE TABLE IF NOT EXISTS keep_{copy} AS TABLE {table}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def state(self) -> State:
        """Everything that lasts, as something to compare."""
        return dict(self.connection.execute(_CONTENTS + _REST).fetchall())

    def one(self, statement: str) -> object:
        row = self.connection.execute(statement).fetchone()
        return None if row is None else row[0]

    def changed(self, before: State) -> set[str]:
        """What is not as it was."""
        now = self.state()
        return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}

    def restore(self, names: set[str]) -> None:
        """Put the contents of tables, and the sequence, back."""
        with self.connection.transaction():
            self.connection.execute("SET LOCAL session_replication_role = replica")
            for table in (name for name in names if name in TABLES):
                columns = self.one(
                    "SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute "
                    f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
                )
                copy = "keep_" + table.replace(".", "_")
                self.connection.execute(f"DELETE FROM {table}")
                self.connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {copy}")
        self.connection.execute("ALTER SEQUENCE ids RESTART")
        if "(large objects)" in names:
            self.connection.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
            self.connection.execute("SELECT lo_create(4242)")
