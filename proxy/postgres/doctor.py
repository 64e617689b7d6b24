"""What weakens the protection of a database, as its server sees the gateway's role (rim), and the SQL of a better role.

Masking in the gateway is one wall; the server's own privileges are another. A role that may not read a column cannot
leak it through anything the gateway failed to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from access.masking import MaskPolicy
from proxy.masking.rules import Rules
from proxy.masking.strategies import REDACTED
from proxy.problems import SERIOUS, WORTH_KNOWING, Problem
from proxy.sql.catalog import Catalog, Relation

_SYSTEM = frozenset({"pg_catalog", "information_schema", "pg_toast"})
_READABLE = frozenset("rpfvm")
#: Schema of the views that show protected columns as masked.
MASKED = "masked"


#: (weight, query that gives names and nothing when all is well, what, why). `{}` is the names.
_CHECKS: tuple[tuple[str, str, str, str], ...] = (
    (SERIOUS, "SELECT rolname FROM pg_roles WHERE rolname = current_user AND rolsuper",
     "The gateway logs in as {}, a superuser.",
     "Nothing on the server limits what gets past the gateway; files and programs of the host are in reach."),
    (SERIOUS, "SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolcreaterole OR rolreplication OR rolbypassrls)",
     "The role {} may create roles, replicate or bypass row security.",
     "Each of these is a way around grants: ALTER ROLE … NOCREATEROLE NOREPLICATION NOBYPASSRLS."),
    (SERIOUS, ("SELECT rolname FROM pg_roles WHERE rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files',"
     " 'pg_write_server_files', 'pg_execute_server_program') AND pg_has_role(current_user, oid, 'MEMBER')"
     " AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"),
     "The role is a member of {}.", "These roles read every table, or files and programs of the server's host."),
    (SERIOUS, ("SELECT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
     " WHERE p.prosecdef AND p.oid >= 16384 AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1"),
     "The role may call functions that run with their owner's rights: {}.",
     "What they read or write is not limited by the role's own grants: REVOKE EXECUTE … FROM PUBLIC."),
    (SERIOUS, "SELECT l.lanname FROM pg_language l WHERE NOT l.lanpltrusted AND l.lanname NOT IN ('internal', 'c') ORDER BY 1",
     "Untrusted languages are installed: {}.", "Code in them runs as the server's own user on its host."),
    (SERIOUS, ("SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
     " AND has_schema_privilege(oid, 'CREATE') ORDER BY 1"),
     "The role may create objects in {}.",
     ("A function or table put in front of others by the search path changes what their names mean (CVE-2018-1058):"
     " REVOKE CREATE ON SCHEMA … FROM PUBLIC, from the role, or from a role that it is a member of.")),
    (WORTH_KNOWING, ("SELECT c.oid::regclass::text FROM pg_class c WHERE c.relowner = (SELECT oid FROM pg_roles WHERE rolname ="
     " current_user) AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1"),
     "The role owns {}.", "An owner can always give itself back what was revoked."),
    (WORTH_KNOWING, ("SELECT DISTINCT r.ev_class::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid AND d.classid ="
     " 'pg_rewrite'::regclass JOIN pg_proc p ON p.oid = d.refobjid AND d.refclassid = 'pg_proc'::regclass"
     " WHERE p.provolatile = 'v' AND r.ev_class >= 16384 AND p.oid >= 16384 ORDER BY 1"),
     "These views call volatile functions: {}.",
     "Reading such a view can change data; the gateway refuses them until the function is registered."),
    (WORTH_KNOWING, "SELECT extname FROM pg_extension WHERE extname IN ('dblink', 'postgres_fdw', 'file_fdw', 'adminpack', 'lo') ORDER BY 1",
     "Extensions that reach other servers or files are installed: {}.", "They open ways to data this gateway does not stand before."),
    (WORTH_KNOWING, "SELECT current_setting('server_version') WHERE current_setting('server_version_num')::int < 140000",
     "The server is version {}.", "Before 14 a server does not report changes of its read-only setting to the gateway."),
)  # fmt: skip


async def examine(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], catalog: Catalog, policy: MaskPolicy
) -> list[Problem]:
    """Everything found, the serious first. Raises `psycopg.Error`."""
    found = []
    for weight, query, what, why in _CHECKS:
        names = [str(row[0]) for row in await (await connection.execute(query.encode())).fetchall()]
        if names:
            found.append(Problem(weight, what.format(_some(names)), why))
    open_columns = await _readable(connection, catalog, policy)
    if open_columns:
        why = "Only the gateway's masking stands before them. `hoop doctor --fix` prints a role that cannot read them."
        found.append(Problem(WORTH_KNOWING, f"The role may read protected columns itself: {_some(open_columns)}.", why))
    return sorted(found, key=lambda one: one.weight != SERIOUS)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more


async def _readable(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], catalog: Catalog, policy: MaskPolicy
) -> list[str]:
    """The protected columns that the role may SELECT, of tables and of what is built on them."""
    rules, names = Rules(policy.recorded().columns), []
    for relation in _relations(catalog):
        protected = _protected(relation, catalog, rules)
        if relation.schema == MASKED and str(relation.definition).count(REDACTED) >= len(protected):
            continue  # one of the views that `role` makes
        for attnum, name in protected:
            row = await (
                await connection.execute(
                    "SELECT has_column_privilege(%s::oid, %s::smallint, 'SELECT')", (relation.oid, attnum)
                )
            ).fetchone()
            if row and row[0]:
                names.append(f"{relation.qualified}.{name}")
    return names


def _relations(catalog: Catalog) -> list[Relation]:
    users = [one for one in catalog.relations.values() if one.kind in _READABLE and one.schema not in _SYSTEM]
    return sorted(users, key=lambda one: (one.schema, one.name))


def _protected(relation: Relation, catalog: Catalog, rules: Rules) -> list[tuple[int, str]]:
    return [
        (one.attnum, one.name)
        for one in relation.columns
        if rules.protecting_rules(catalog.origins(relation.oid, one.attnum))
    ]


def role(catalog: Catalog, policy: MaskPolicy, database: str, name: str) -> list[str]:
    """The SQL of a role that may read everything but protected columns, and of views that show those as masked.

    To be run by an administrator; afterwards `hoop doctor` checks it as that role.
    """
    rules, who = Rules(policy.recorded().columns), _quoted(name)
    lines = [
        f"-- A role that cannot read protected columns. Run this as an administrator of {_comment(database)}, set a password with",
        f"-- \\password {_comment(name)}, put the role into hoop.yaml (resources[].upstream.user) and run hoop doctor again.",
        "BEGIN;",
        f"CREATE ROLE {who} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT;",
        f"GRANT CONNECT ON DATABASE {_quoted(database)} TO {who};",
    ]
    relations = [one for one in _relations(catalog) if one.schema != MASKED]
    for space in sorted({one.schema for one in relations}):
        lines += [
            f"REVOKE CREATE ON SCHEMA {_quoted(space)} FROM PUBLIC;",
            f"GRANT USAGE ON SCHEMA {_quoted(space)} TO {who};",
        ]
    views = []
    for one in relations:
        protected = {column for _, column in _protected(one, catalog, rules)}
        table = f"{_quoted(one.schema)}.{_quoted(one.name)}"
        free = [column.name for column in one.columns if column.name not in protected]
        if protected:
            lines.append(f"REVOKE SELECT ON {table} FROM PUBLIC;")  # noqa: S608 - printed, and every name is quoted
            views += _view(one, protected, table, who) if one.kind in "rp" else []
        if free:
            which = f" ({', '.join(map(_quoted, free))})" if protected else ""
            lines.append(f"GRANT SELECT{which} ON {table} TO {who};")
    if views:
        lines += [f"CREATE SCHEMA {_quoted(MASKED)};", f"GRANT USAGE ON SCHEMA {_quoted(MASKED)} TO {who};", *views]
    return [*lines, "COMMIT;"]


def _view(one: Relation, protected: Iterable[str], table: str, who: str) -> list[str]:
    """`SELECT *` on a table with column grants is refused by the server; this is what people use instead."""
    hidden = frozenset(protected)
    columns = ", ".join(
        f"CASE WHEN {_quoted(c.name)} IS NOT NULL THEN '{REDACTED}' END AS {_quoted(c.name)}"
        if c.name in hidden
        else _quoted(c.name)
        for c in one.columns
    )
    name = f"{_quoted(MASKED)}.{_quoted(one.name if one.schema == 'public' else f'{one.schema}_{one.name}')}"
    return [
        f"CREATE VIEW {name} WITH (security_barrier) AS SELECT {columns} FROM {table};",  # noqa: S608 - as above
        f"GRANT SELECT ON {name} TO {who};",
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def _comment(text: str) -> str:
    """A name inside of a comment: it must not end the line."""
    return " ".join(text.split())
