"""`hoop scan`: where personal data is. The gateway samples, as for a client of its own; what it answers are counts."""

from __future__ import annotations

import argparse
import asyncio
import getpass
from collections.abc import Callable, Mapping
from datetime import timedelta

from access.actors import Person
from access.errors import Invalid, Unavailable
from access.events import ResourceScanned
from access.ports import Outcome, Tx
from access.requests import Grant
from access.resources import Resource
from access.scopes import Read
from app.cli_operate import operator, with_core
from app.cli_protect import connected, target
from app.core import Core
from app.targets import Targets
from bot.console.data import KIND as SCANS
from ledger.sessions import SessionLog
from proxy.masking.literals import make_visible
from proxy.masking.scan import Found, proposal
from proxy.postgres.client import Executor, Listener
from proxy.postgres.scanning import MOST_ROWS, found_in
from proxy.sql import sampling
from proxy.sql.catalog import Relation

#: How often the gateway is asked again until it knows of the grant, and how long between, in seconds.
_ATTEMPTS, _BETWEEN = 20, 0.1


async def _scan(core: Core, arguments: argparse.Namespace) -> int:
    """Have the gateway sample every table, as its client: the statements are judged and recorded like anybody's, what comes
    back are counts."""
    if not 1 <= arguments.rows <= MOST_ROWS:
        raise Invalid(f"--rows must be between 1 and {MOST_ROWS}.")
    resource, database = target(core, arguments.resource)
    person = _answering(core, resource, arguments.person)
    targets = Targets(core)
    async with connected(targets, resource, database):  # what cannot be reached is said in its server's words
        looked = sampling.tables(await targets.load(resource, database))
    fact = ResourceScanned(
        stream=resource.name, actor=operator(), resource=resource.name, tables=len(looked), rows=arguments.rows
    )
    await SessionLog(core.store).record(fact)
    grant = await core.desk.grant_directly(
        person,
        resource.name,
        Read(),
        timedelta(minutes=30),
        "hoop scan: tables are sampled, counts come back",
        operator(),
    )
    try:
        outcomes = await _sampled(core, grant, person, resource, database, looked, arguments.rows)
    finally:
        await core.desk.done(grant.id, person.id)
    found = [found_in(dict(zip(one.columns, map(str, row), strict=True))) for one in outcomes for row in one.rows]
    unread = [
        f"{make_visible(relation.qualified)} ({outcome.message})"
        for relation, outcome in zip(looked, outcomes, strict=True)
        if not outcome.ok
    ]
    session = next((outcome.session for outcome in outcomes), "no session")
    print("\n".join(report(found)))
    if unread:
        print(f"\nCould not be sampled: {', '.join(unread)}")
    lines = proposal(found, targets.masking[resource.name].entities)
    sampled = f"{len(looked)} tables, up to {arguments.rows} rows each, in {session}"
    await _keep(core, arguments.resource, resource, found, lines, sampled)
    print("\nNothing to add to hoop.yaml." if not lines else "\nProposed for hoop.yaml:\n" + "\n".join(lines))
    print(f"\nSampled through the gateway in {session}, under {grant.id} of {person.name}, which is over.")
    return 0


def _answering(core: Core, resource: Resource, name: str) -> Person:
    """The person in whose name a resource is scanned: who owns it or decides on it. Raises Invalid naming those there are."""
    answer = frozenset({*resource.owners, *resource.approvers})
    able = [one for one in core.directory.people() if one.active and not one.groups.isdisjoint(answer)]
    person = next((one for one in able if one.wire_name == (name or getpass.getuser())), None)
    if person is None:
        whose = f"{name} neither owns {resource.name} nor decides on it." if name else "Say in whose name: --as NAME."
        raise Invalid(whose, hint=f"Those who do: {', '.join(sorted(one.wire_name for one in able)) or 'nobody'}.")
    return person


async def _sampled(
    core: Core, grant: Grant, person: Person, resource: Resource, database: str, looked: list[Relation], rows: int
) -> list[Outcome]:
    """What the gateway answers for each table. Raises Unavailable when it does not."""
    listener = core.settings.listeners.postgres
    executor = Executor(core.credentials, lambda: Listener(listener.host, listener.port, tls=listener.tls_required))
    texts = [f"TABLE {sampling.quoted(one)} LIMIT {rows}" for one in looked]
    outcomes: list[Outcome] = []
    for attempt in range(_ATTEMPTS):  # the grant reaches the gateway in a moment
        outcomes = [outcome async for outcome in executor.sample(grant, person, resource, database, texts)]
        if not outcomes or outcomes[0].session:
            break
        await asyncio.sleep(_BETWEEN * (attempt + 1 < _ATTEMPTS))
    if outcomes and not (outcomes[0].session and len(outcomes) == len(looked)):
        hint = "A resource is sampled through the gateway: `hoop serve` must be running."
        raise Unavailable(f"{resource.name} was not scanned. {outcomes[-1].message}", hint=hint)
    return outcomes


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


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"scan": with_core(_scan)}
