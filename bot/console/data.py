"""Where personal data is: what the last scan of each database found, as columns, counts and confidence; never values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from access.actors import Person
from access.ports import Tx
from access.resources import Resource

#: The kind of the documents that `hoop scan` leaves, one for each database.
KIND = "scan"


@dataclass(frozen=True, slots=True)
class Column:
    """One column that seems to hold personal data, and what covers it today."""

    name: str
    entity: str
    confidence: float
    evidence: str
    today: str


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of one table."""

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Catalog:
    """One scanned database. `proposal` are the lines that hoop.yaml would get."""

    name: str
    at: datetime
    sampled: str
    tables: tuple[Table, ...]
    proposal: tuple[str, ...]


def catalogs(tx: Tx, resources: Mapping[str, Resource], who: Person) -> list[Catalog]:
    """The catalogs of what this person answers for: they own it or decide on it."""
    found = []
    for name, data in tx.docs(KIND):
        resource = resources.get(str(data["resource"]))
        if resource is not None and not who.groups.isdisjoint({*resource.owners, *resource.approvers}):
            found.append(_catalog(name, data))
    return sorted(found, key=lambda one: one.name)


def _catalog(name: str, data: Mapping[str, object]) -> Catalog:
    columns: object = data["columns"]
    tables: dict[str, list[Column]] = {}
    for one in columns if isinstance(columns, Sequence) else ():
        table, _, column = str(one["column"]).rpartition(".")
        tables.setdefault(table, []).append(
            Column(column, str(one["entity"]), float(one["confidence"]), str(one["evidence"]), str(one["today"]))
        )
    proposal: object = data["proposal"]
    return Catalog(
        name,
        datetime.fromisoformat(str(data["at"])),
        str(data["sampled"]),
        tuple(Table(table, tuple(found)) for table, found in sorted(tables.items())),
        tuple(str(line) for line in proposal) if isinstance(proposal, Sequence) else (),
    )
