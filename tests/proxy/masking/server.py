"""What the tests that use a real server share: its catalog, and a client that shows what the wire would carry."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg
from psycopg import pq

from proxy.masking.copyout import CopyFormat
from proxy.masking.plan import Column, Masker
from proxy.sql import catalog as c
from proxy.sql.catalog_loader import load_catalog
from proxy.sql.lineage import trace
from proxy.sql.names import effective_path
from proxy.sql.parse import parse

PATH = effective_path(("public",), "postgres")


def load(dsn: str) -> c.Catalog:
    """The catalog of a database, as the gateway loads it."""

    async def loaded() -> c.Catalog:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            return await load_catalog(connection)

    return asyncio.run(loaded())


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
