"""Reads samples of the tables of a database (rim). What is read is looked at and forgotten by the caller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from proxy.sql.catalog import Catalog, Column, Relation

#: Tables, partitioned and foreign tables, materialized views: what stores values.
_STORED = frozenset("rpmf")
#: Longer values are cut (characters): a sample is not a copy.
_LONGEST = 2_000
_SYSTEM = frozenset({"pg_catalog", "information_schema", "pg_toast"})
_BOOLEAN, _BYTEA = 16, 17


def tables(catalog: Catalog) -> list[Relation]:
    """What is worth looking into, by name; partitions are seen through their parents."""
    stored = [one for one in catalog.relations.values() if one.kind in _STORED and one.schema not in _SYSTEM]
    return sorted((one for one in stored if not one.parents), key=lambda one: (one.schema, one.name))


async def sample(
    connection: psycopg.AsyncConnection[Any], relation: Relation, rows: int
) -> AsyncIterator[tuple[Column, list[str | None]]]:
    """Column by column, up to `rows` values as text. Raises `psycopg.Error`, e.g. when the role may not read it."""
    columns = [one for one in relation.columns if one.type_oid not in {_BOOLEAN, _BYTEA}]
    if not columns:
        return
    picked = sql.SQL(", ").join(
        sql.SQL("left({}::text, {})").format(sql.Identifier(one.name), _LONGEST) for one in columns
    )
    query = sql.SQL("SELECT {} FROM {} {} LIMIT {}").format(
        picked, sql.Identifier(relation.schema, relation.name), await _spread(connection, relation, rows), rows
    )
    async with connection.cursor(row_factory=tuple_row) as cursor:
        got = await (await cursor.execute(query)).fetchall()
    for index, column in enumerate(columns):
        yield column, [row[index] for row in got]


async def _spread(connection: psycopg.AsyncConnection[Any], relation: Relation, rows: int) -> sql.Composable:
    """Blocks from all over a large table; the first rows of a small one."""
    row = await (await connection.execute("SELECT reltuples FROM pg_class WHERE oid = %s", (relation.oid,))).fetchone()
    count = float(row[0]) if row else 0.0
    if relation.kind not in {"r", "m"} or count < 50 * rows:
        return sql.SQL("")
    return sql.SQL("TABLESAMPLE SYSTEM ({})").format(min(100.0, 1000.0 * rows / count))
