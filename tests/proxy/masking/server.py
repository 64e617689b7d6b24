"""What the tests that use a real server share: its catalog, and a client that shows what the wire would carry."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg
from psycopg import pq

from proxy.masking.copyout import CopyFormat
from proxy.masking.plan import Column, Masker
from proxy.sql import catalog as c
from proxy.sql.lineage import output_columns, trace
from proxy.sql.names import effective_path
from proxy.sql.parse import parse

PATH = effective_path(("public",), "postgres")


def load(connection: psycopg.Connection) -> c.Catalog:
    """A catalog of everything on the server, enough for masking: relations, columns, parents, views, functions."""
    columns: dict[int, list[c.Column]] = {}
    for oid, attnum, name, type_oid, sources in connection.execute(
        "SELECT attrelid, attnum, attname, atttypid, CASE WHEN attgenerated <> '' THEN ARRAY("
        "SELECT s.attname::text FROM pg_attrdef d JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid "
        "JOIN pg_attribute s ON s.attrelid = p.refobjid AND s.attnum = p.refobjsubid AND s.attnum <> d.adnum "
        "WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END "
        "FROM pg_attribute a WHERE attnum > 0 AND NOT attisdropped"
    ):
        generated = None if sources is None else frozenset(sources)
        columns.setdefault(oid, []).append(c.Column(attnum, name, type_oid, generated))
    parents: dict[int, list[int]] = {}
    for child, parent in connection.execute("SELECT inhrelid, inhparent FROM pg_inherits"):
        parents.setdefault(child, []).append(parent)
    functions = [
        c.Function(schema, name, c.Volatility(volatility), kind, language, returns_set)
        for schema, name, volatility, kind, language, returns_set in connection.execute(
            "SELECT nspname, proname, provolatile::text, prokind::text, lanname, proretset FROM pg_proc p "
            "JOIN pg_namespace n ON n.oid = pronamespace JOIN pg_language l ON l.oid = prolang"
        )
    ]
    relations = [
        c.Relation(oid, schema, name, kind, tuple(columns.get(oid, ())), tuple(parents.get(oid, ())))
        for oid, schema, name, kind in connection.execute(
            "SELECT r.oid, nspname, relname, relkind::text FROM pg_class r JOIN pg_namespace n ON n.oid = relnamespace"
        )
    ]
    definitions: dict[int, str] = dict(
        connection.execute("SELECT oid, pg_get_viewdef(oid) FROM pg_class WHERE relkind IN ('v', 'm')").fetchall()
    )
    return _with_views(relations, functions, definitions)


def _with_views(
    relations: list[c.Relation],
    functions: list[c.Function],
    definitions: dict[int, str],
) -> c.Catalog:
    """Origins of views, from the inside out: each round resolves those whose sources are resolved."""
    origins: dict[int, dict[int, frozenset[str]]] = {}
    catalog = c.Catalog.of(relations, functions)
    for _ in range(3):
        for oid, definition in definitions.items():
            statement = parse(definition).statements[0]
            output = output_columns({statement.node: statement.tree}, catalog, PATH)
            if output is not None:
                origins[oid] = {
                    column.attnum: one.touches
                    for column, one in zip(catalog.by_oid[oid].columns, output, strict=True)
                    if not one.unknown
                }
        rebuilt = [_replaced(relation, origins.get(relation.oid)) for relation in catalog.by_oid.values()]
        catalog = c.Catalog.of(rebuilt, functions)
    return catalog


def _replaced(relation: c.Relation, origins: dict[int, frozenset[str]] | None) -> c.Relation:
    fields = {name: getattr(relation, name) for name in relation.__dataclass_fields__}
    return c.Relation(**{**fields, "origins": origins})


@dataclass
class Seen:
    """What the client of one statement got, after masking."""

    frames: bytes = b""
    copied: bytes = b""
    errors: list[dict[str, str]] = field(default_factory=list)
    rows: list[list[bytes | None]] = field(default_factory=list)
    raw: list[list[bytes | None]] = field(default_factory=list)
    columns: list[Column] = field(default_factory=list)
    refused: str = ""


_FIELDS = {
    "S": pq.DiagnosticField.SEVERITY,
    "C": pq.DiagnosticField.SQLSTATE,
    "M": pq.DiagnosticField.MESSAGE_PRIMARY,
    "D": pq.DiagnosticField.MESSAGE_DETAIL,
    "H": pq.DiagnosticField.MESSAGE_HINT,
    "P": pq.DiagnosticField.STATEMENT_POSITION,
    "q": pq.DiagnosticField.INTERNAL_QUERY,
    "W": pq.DiagnosticField.CONTEXT,
    "c": pq.DiagnosticField.COLUMN_NAME,
    "n": pq.DiagnosticField.CONSTRAINT_NAME,
}


def fields_of(result: pq.abc.PGresult) -> dict[str, str]:
    found = ((code, result.error_field(which)) for code, which in _FIELDS.items())
    return {code: value.decode() for code, value in found if value}


def data_row(values: Iterable[bytes | None]) -> bytes:
    """A DataRow message."""
    fields = [b"\xff\xff\xff\xff" if one is None else struct.pack("!i", len(one)) + one for one in values]
    body = struct.pack("!H", len(fields)) + b"".join(fields)
    return b"D" + struct.pack("!i", len(body) + 4) + body


def rows_of(frames: bytes) -> list[list[bytes | None]]:
    """The fields of DataRow messages; raises when they are not aligned."""
    rows: list[list[bytes | None]] = []
    at = 0
    while at < len(frames):
        assert frames[at : at + 1] == b"D"
        end = at + 1 + struct.unpack_from("!i", frames, at + 1)[0]
        (count,) = struct.unpack_from("!H", frames, at + 5)
        at += 7
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from("!i", frames, at)
            at += 4
            row.append(None if length < 0 else frames[at : at + length])
            at += max(length, 0)
        assert at == end
        rows.append(row)
    return rows


def run(connection: psycopg.Connection, masker: Masker, catalog: c.Catalog, query: str, *, binary: bool) -> Seen:
    """One statement in a transaction that is rolled back, through lineage and masker as the gateway does it."""
    seen = Seen()
    statement = parse(query).statements[0]
    tree = {statement.node: statement.tree}
    lineage = trace(tree, catalog, PATH)
    touched = masker.touched(lineage)
    copy = None
    if statement.node == "CopyStmt":
        copy = masker.copy_plan(CopyFormat.of(tree), lineage.output, touched)
        if copy.refuse:
            seen.refused = copy.refuse
            return seen
    connection.pgconn.exec_(b"BEGIN")
    connection.pgconn.notice_handler = lambda result: seen.errors.append(masker.error(fields_of(result), touched))
    if copy is not None or not binary:
        result = connection.pgconn.exec_(query.encode())
    else:
        result = connection.pgconn.exec_params(query.encode(), None, result_format=1)
    if copy is not None and result.status == pq.ExecStatus.COPY_OUT:
        while (chunk := connection.pgconn.get_copy_data(0))[0] > 0:
            seen.copied += copy.feed(bytes(chunk[1]))
        seen.copied += copy.finish()
        result = connection.pgconn.get_result() or result
    if result.status == pq.ExecStatus.FATAL_ERROR:
        seen.errors.append(masker.error(fields_of(result), touched))
    elif result.status == pq.ExecStatus.TUPLES_OK:
        seen.columns = [
            Column(
                (result.fname(i) or b"").decode(), result.ftable(i), result.ftablecol(i), result.ftype(i), int(binary)
            )
            for i in range(result.nfields)
        ]
        seen.raw = [[result.get_value(r, i) for i in range(result.nfields)] for r in range(result.ntuples)]
        seen.frames = b"".join(data_row(row) for row in seen.raw)
        plan = masker.plan(seen.columns, lineage.output, touched)
        if plan is not None:
            seen.frames = plan.rewrite(seen.frames)
        seen.rows = rows_of(seen.frames)
    while connection.pgconn.get_result() is not None:
        pass
    connection.pgconn.notice_handler = None
    connection.pgconn.exec_(b"ROLLBACK")
    return seen
