"""A session that samples tables for personal data: what leaves it are counts and confidence, never a value.

A client asks for it at its start (`hoop.scan = on`), under an ordinary grant, and only those may who own the resource or decide
on it. Then `TABLE schema.name LIMIT n` is judged and recorded like any statement, and answered with what the columns of
the sample hold. Nothing else runs in such a session: a condition or an expression would make the counts tell of single rows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from access.errors import Unavailable
from access.masking import MaskPolicy
from access.resources import Resource
from proxy.admission import Refusal
from proxy.masking.impressions import STORED, Sample
from proxy.masking.scan import Found, Scanner
from proxy.masking.types import Kind, kind_of
from proxy.postgres.reading import Reading
from proxy.sql.catalog import Catalog, Relation

#: The startup parameter that asks for it.
ASKED = "hoop.scan"
#: Most rows of a sample, and how long one may take, in seconds.
MOST_ROWS, SECONDS = 10_000, 60.0
COLUMNS = ("column", "entity", "confidence", "hits", "looked", "evidence", "inside", "rule")
_TEXT = 25
_BOOLEAN, _BYTEA = 16, 17
#: The parts of the tree of `TABLE schema.name LIMIT n` that may say something.
_PARTS = frozenset({"targetList", "fromClause", "limitCount", "limitOption", "op"})
_NOT_A_SAMPLE = Refusal(
    "this session samples tables, nothing else runs in it",
    "It answers TABLE schema.name LIMIT n with what its columns hold, as counts.",
    f"Connect without {ASKED} to read.",
)


@dataclass(frozen=True, slots=True)
class Scanning:
    """What a scanning session works with."""

    resource: Resource
    database: str
    policy: MaskPolicy
    sample: Sample

    async def look(self, relation: Relation, rows: int, found: list[Found]) -> None:
        """Sample one table and add what its columns hold. Raises Unavailable."""
        columns = [one for one in relation.columns if one.type_oid not in {_BOOLEAN, _BYTEA}]
        scanner = Scanner(self.policy)
        try:
            async with asyncio.timeout(SECONDS):
                read = await self.sample(self.resource, self.database, relation, columns, rows)
                for column in columns:
                    values = read.get(column.name, ())
                    number = kind_of(column.type_oid) is Kind.NUMBER
                    one = await asyncio.to_thread(
                        scanner.column, relation.schema, relation.name, column.name, values, number=number
                    )
                    found += [one] if one is not None else []
        except TimeoutError:
            raise Unavailable("its sample took too long") from None


def wanted(reading: Reading, catalog: Catalog) -> tuple[Relation, int] | Refusal:
    """The table and number of rows that a text asks a sample of; the refusal of anything else."""
    statements = reading.parsed.statements
    tree: Mapping[str, Any] = statements[0].tree if len(statements) == 1 else {}
    relation = _relation(tree, catalog)
    rows = tree.get("limitCount", {}).get("A_Const", {}).get("ival", {}).get("ival", 0)
    if statements and statements[0].node == "SelectStmt" and tree.keys() <= _PARTS and relation is not None and rows:
        return relation, min(int(rows), MOST_ROWS)
    return _NOT_A_SAMPLE


def _relation(tree: Mapping[str, Any], catalog: Catalog) -> Relation | None:
    """The one stored table that all columns are taken of."""
    match tree:
        case {
            "targetList": [{"ResTarget": {"val": {"ColumnRef": {"fields": [{"A_Star": _}]}}}}],
            "fromClause": [{"RangeVar": {"schemaname": str(schema), "relname": str(name), **more}}],
        } if "alias" not in more and "catalogname" not in more:
            found = catalog.relations.get((schema, name))
            return found if found is not None and found.kind in STORED else None
        case _:
            return None


def found_in(row: Mapping[str, str]) -> Found:
    """A finding as a client gets it."""
    return Found(
        row["column"], row["entity"], float(row["confidence"]), int(row["hits"]), int(row["looked"]),
        tuple(json.loads(row["evidence"])), inside=row["inside"] == "True", rule=row["rule"] == "True",
    )  # fmt: skip
