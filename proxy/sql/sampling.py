"""Reads samples of the tables of a database (rim). What is read is looked at and forgotten by the caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from proxy.sql.catalog import Catalog, Column, Relation

#: Tables, partitioned and foreign tables, materialized views: what stores values.
_STORED = frozenset("rpmf")
#: Longer values are cut (characters): a sample is not a copy.
_LONGEST = 2_000
_SYSTEM = frozenset({"pg_catalog", "information_schema", "pg_toast"})
_TEXT_ARRAYS = frozenset({1003, 1009, 1014, 1015})
#: How many elements of an array are looked at.
_ELEMENTS = 5
#: With fewer values than this a column is mostly NULL.
_SPARSE = 3
#: Kinds of tables that PostgreSQL itself can pick blocks of.
_SAMPLED = frozenset("rpm")
#: Blocks of a large table that are picked, and the size of one in bytes.
_BLOCKS, _BLOCK = 64, 8192
#: The bytes of a table and of all that inherits from it or is a part of it, and whether some of it lives elsewhere.
_SIZE = """
WITH RECURSIVE family(oid) AS (
    SELECT %s::pg_catalog.oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN family f ON i.inhparent = f.oid
)
SELECT coalesce(sum(pg_catalog.pg_relation_size(c.oid)), 0)::float8, coalesce(bool_or(c.relkind = 'f'), false)
FROM family JOIN pg_catalog.pg_class c ON c.oid = family.oid
"""
#: How long one sample may take on the server, in milliseconds.
_TIMEOUT_MS = 2000


def tables(catalog: Catalog) -> list[Relation]:
    """What is worth looking into, by name; partitions are seen through their parents."""
    stored = [one for one in catalog.relations.values() if one.kind in _STORED and one.schema not in _SYSTEM]
    return sorted((one for one in stored if not one.parents), key=lambda one: (one.schema, one.name))


def quoted(relation: Relation) -> str:
    """Its name as SQL."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (relation.schema, relation.name))


async def texts(
    connection: psycopg.AsyncConnection[Any], relation: Relation, columns: Sequence[Column], rows: int
) -> dict[str, list[str | None]]:
    """Up to `rows` values of each of these columns that the role may read, arrays by their elements. A column that is mostly
    NULL is looked at again where it is not. Raises `psycopg.Error`."""
    await connection.execute(f"SET statement_timeout = {_TIMEOUT_MS}; SET lock_timeout = {_TIMEOUT_MS // 2}")
    told = await connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND has_column_privilege(attrelid, attnum, 'SELECT')",
        (relation.oid,),
    )
    readable = {row[0] for row in await told.fetchall()}
    wanted = [one for one in columns if one.name in readable]
    if not wanted:
        return {}
    table = sql.Identifier(relation.schema, relation.name)
    got = await _rows(connection, relation, wanted, rows)
    found = {one.name: [row[at] for row in got] for at, one in enumerate(wanted)}
    for one in wanted:
        if len(got) >= rows // 2 and sum(value is not None for value in found[one.name]) < _SPARSE:
            query = sql.SQL("SELECT {} FROM {} WHERE {} IS NOT NULL LIMIT {}").format(
                _elements(one), table, sql.Identifier(one.name), rows
            )
            found[one.name] = [row[0] for row in await (await connection.execute(query)).fetchall()]
    return {one.name: _parts(one, found[one.name]) for one in wanted}


def _elements(column: Column) -> sql.Composable:
    name = sql.Identifier(column.name)
    if column.type_oid in _TEXT_ARRAYS:
        return sql.SQL("left(array_to_string({}, E'\\n'), {})").format(name, _LONGEST)
    return sql.SQL("left({}::text, {})").format(name, _LONGEST)


def _parts(column: Column, values: Sequence[str | None]) -> list[str | None]:
    """The elements of arrays as values of their own."""
    if column.type_oid not in _TEXT_ARRAYS:
        return [*values]
    return [part for value in values if value is not None for part in value.split("\n")[:_ELEMENTS]]


async def _rows(
    connection: psycopg.AsyncConnection[Any], relation: Relation, wanted: Sequence[Column], rows: int
) -> list[tuple[Any, ...]]:
    """Rows from all over a table and its partitions: the first ones may be of another time or kind than the rest. Where blocks
    that were picked had hardly any (rows that were deleted leave them), the first ones after all."""
    table = sql.Identifier(relation.schema, relation.name)
    picked = sql.SQL(", ").join(map(_elements, wanted))
    first = sql.SQL("SELECT {} FROM {} LIMIT {}").format(picked, table, rows)
    if relation.kind not in _SAMPLED:
        return await (await connection.execute(first)).fetchall()
    row = await (await connection.execute(_SIZE, (relation.oid,))).fetchone()
    size, foreign = (0, False) if row is None else row
    if foreign:
        return await (await connection.execute(first)).fetchall()
    blocks: sql.Composable = sql.SQL("")
    if size > 2 * _BLOCKS * _BLOCK:
        blocks = sql.SQL("TABLESAMPLE SYSTEM ({})").format(100.0 * _BLOCKS * _BLOCK / size)
    names = sql.SQL(", ").join(sql.Identifier(one.name) for one in wanted)  # it may be allowed to read no others
    spread = sql.SQL("SELECT {} FROM (SELECT {} FROM {} {} ORDER BY pg_catalog.random() LIMIT {}) AS picked")
    query = spread.format(picked, names, table, blocks, rows)
    got = await (await connection.execute(query)).fetchall()
    if len(got) < rows and size > 2 * _BLOCKS * _BLOCK:
        got += await (await connection.execute(first)).fetchall()
    return got
