"""`hoop scan` and `hoop doctor`: where personal data is, and what weakens its protection. Run on the gateway's own host."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from access.errors import Invalid, Unavailable
from access.events import ResourceScanned
from access.ports import Tx
from access.resources import Resource
from app.cli_operate import operator, with_core
from app.core import Core
from app.supervise import STATE, seen
from app.targets import Targets
from bot.console.data import KIND as SCANS
from ledger.sessions import SessionLog
from proxy.masking.literals import make_visible
from proxy.masking.scan import Found, Scanner, proposal
from proxy.masking.types import Kind, kind_of
from proxy.native import native
from proxy.sql import doctor, sampling
from proxy.sql.catalog import Catalog

_MOST_ROWS = 10_000


def _target(core: Core, named: str) -> tuple[Resource, str]:
    """A resource and one of its databases. Raises Invalid naming what there is."""
    name, _, database = named.partition("/")
    resource = core.resources.get(name)
    if resource is None:
        raise Invalid(f"There is no resource {name}.", hint=f"Known: {', '.join(sorted(core.resources))}.")
    if database and database not in resource.databases:
        raise Invalid(f"{name} has no database {database}.", hint=f"Known: {', '.join(resource.databases)}.")
    return resource, database or resource.upstream.database


@asynccontextmanager
async def _opened(
    core: Core, named: str
) -> AsyncIterator[tuple[Resource, Catalog, psycopg.AsyncConnection[tuple[Any, ...]], Targets]]:
    resource, database = _target(core, named)
    targets = Targets(core)
    catalog = await targets.load(resource, database)
    try:
        async with await targets.connect(resource, database) as connection:
            yield resource, catalog, connection, targets
    except psycopg.Error as error:
        raise Unavailable(f"{resource.name}/{database} did not answer ({error.sqlstate or 'no answer'}).") from None


# ---------------------------------------------------------------------------------------------------------------- scan


async def _scan(core: Core, arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.rows <= _MOST_ROWS:
        raise Invalid(f"--rows must be between 1 and {_MOST_ROWS}.")
    async with _opened(core, arguments.resource) as (resource, catalog, connection, targets):
        policy = targets.masking[resource.name]
        scanner = Scanner(policy)
        looked = sampling.tables(catalog)
        fact = ResourceScanned(
            stream=resource.name, actor=operator(), resource=resource.name, tables=len(looked), rows=arguments.rows
        )
        await SessionLog(core.store).record(fact)  # before anything is read
        found: list[Found] = []
        unread = []
        for relation in looked:
            try:
                async for column, values in sampling.sample(connection, relation, arguments.rows):
                    number = kind_of(column.type_oid) is Kind.NUMBER
                    one = scanner.column(relation.schema, relation.name, column.name, values, number=number)
                    found += [one] if one is not None else []
            except psycopg.Error as error:
                if connection.closed:
                    raise
                unread.append(f"{make_visible(relation.qualified)} ({error.sqlstate})")
    print("\n".join(report(found)))
    if unread:
        print(f"\nCould not be read by {resource.upstream.user}: {', '.join(unread)}")
    lines = proposal(found, policy.entities)
    await _keep(
        core, arguments.resource, resource, found, lines, f"{len(looked)} tables, up to {arguments.rows} rows each"
    )
    print("\nNothing to add to hoop.yaml." if not lines else "\nProposed for hoop.yaml:\n" + "\n".join(lines))
    return 0


async def _keep(core: Core, named: str, resource: Resource, found: list[Found], lines: list[str], sampled: str) -> None:
    """Leave the findings, counts and names only, for the console's page."""
    columns = [
        {"column": make_visible(one.column), "entity": one.entity, "confidence": one.confidence,
         "evidence": ", ".join(one.evidence), "today": _today(one)}
        for one in sorted(found, key=lambda one: one.column)
    ]  # fmt: skip
    document = {"resource": resource.name, "sampled": sampled, "columns": columns, "proposal": lines}

    def put(tx: Tx) -> None:
        tx.put_doc(SCANS, named, {**document, "at": tx.now.isoformat()}, group=resource.name)

    await core.store.transact(put)


def _today(one: Found) -> str:
    return "a rule" if one.rule else "detectors" if one.inside else "no rule"


def report(found: list[Found]) -> list[str]:
    """A table of columns, what they hold, how sure that is and why; counts only, never values."""
    if not found:
        return ["No personal data was found in the samples."]
    rows = [("COLUMN", "HOLDS", "SURE", "BECAUSE OF", "TODAY")]
    for one in sorted(found, key=lambda one: one.column):
        evidence = ", ".join(one.evidence)
        rows.append((make_visible(one.column), one.entity, f"{one.confidence:.2f}", evidence, _today(one)))
    widths = [max(len(row[index]) for row in rows) for index in range(5)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


# -------------------------------------------------------------------------------------------------------------- doctor


async def _doctor(core: Core, arguments: argparse.Namespace) -> int:
    async with _opened(core, arguments.resource) as (resource, catalog, connection, targets):
        policy = targets.masking[resource.name]
        problems = await doctor.examine(connection, catalog, policy)
        database = connection.info.dbname
    for problem in problems:
        print(f"{problem.weight:7}  {make_visible(problem.what)}\n         {problem.why}")
    if not problems:
        print(f"{resource.name}: {resource.upstream.user} can do no more than the gateway expects of it.")
    for note in (how_masking_runs(), *seen(core.base / STATE)):
        print(f"note     {note}")
    if arguments.fix:
        print("\n".join(["", *doctor.role(catalog, policy, database, arguments.role)]))
    return 1 if any(problem.weight == doctor.SERIOUS for problem in problems) else 0


def how_masking_runs() -> str:
    """Whether the compiled part is there; without it everything works, and large results take longer."""
    if native is not None:
        return "Rows are masked by the compiled part."
    return (
        "Rows are masked in Python, 10 to 50 times slower than by the compiled part. Install a C compiler and Python's "
        "headers (apt install gcc python3-dev) and install hoop again."
    )


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "scan": with_core(_scan),
    "doctor": with_core(_doctor),
}
