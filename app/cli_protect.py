"""`hoop doctor`: what weakens the protection of personal data. Run on the gateway's own host."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psycopg

from access.errors import Invalid, Unavailable
from access.resources import Protocol, Resource
from app.cli_operate import with_core
from app.core import Core
from app.supervise import STATE, seen
from app.targets import Targets, place_of, server_words
from proxy.masking.literals import make_visible
from proxy.native import missing
from proxy.postgres import doctor
from proxy.problems import SERIOUS
from proxy.sql.catalog import Catalog
from proxy.ssh.doctor import examine
from proxy.ssh.packets import Cork
from proxy.ssh.upstream import Pool


def target(core: Core, named: str) -> tuple[Resource, str]:
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
    resource, database = target(core, named)
    targets = Targets(core)
    async with connected(targets, resource, database) as connection:
        yield resource, await targets.load(resource, database), connection, targets


@asynccontextmanager
async def connected(
    targets: Targets, resource: Resource, database: str
) -> AsyncIterator[psycopg.AsyncConnection[tuple[Any, ...]]]:
    """A connection as the gateway's own role. Raises Unavailable with the server's words: the owner is who reads them."""
    try:
        async with await targets.connect(resource, database) as connection:
            yield connection
    except psycopg.Error as error:
        hint = "Check its upstream in hoop.yaml, and that its server lets the gateway in (pg_hba.conf)."
        raise Unavailable(
            f"{place_of(resource, database)} could not be asked: {server_words(error)}.", hint=hint
        ) from None


# -------------------------------------------------------------------------------------------------------------- doctor


async def _doctor(core: Core, arguments: argparse.Namespace) -> int:
    resource, _ = target(core, arguments.resource)
    if resource.protocol is Protocol.SSH:
        return await _server(core, resource)
    async with _opened(core, arguments.resource) as (resource, catalog, connection, targets):
        policy = targets.masking[resource.name]
        problems = await doctor.examine(connection, catalog, policy)
        database = connection.info.dbname
    for problem in problems:
        print(f"{problem.weight:7}  {make_visible(problem.what)}\n         {problem.why}")
    if not problems:
        print(f"{resource.name}: {resource.upstream.user} can do no more than the gateway expects of it.")
    for note in (*how_it_runs(), *seen(core.base / STATE)):
        print(f"note     {note}")
    if arguments.fix:
        print("\n".join(["", *doctor.role(catalog, policy, database, arguments.role)]))
    return 1 if any(problem.weight == SERIOUS for problem in problems) else 0


async def _server(core: Core, resource: Resource) -> int:
    """Of a server that is reached by SSH."""
    upstream = resource.upstream
    known = str(core.base / upstream.known_hosts) if upstream.known_hosts else ""
    pool = Pool(core.vault, core.clock, Cork())
    try:
        found = await examine(pool, replace(resource, upstream=replace(upstream, known_hosts=known)))
    finally:
        pool.close()
    for problem in found.problems:
        print(f"{problem.weight:7}  {make_visible(problem.what)}\n         {problem.why}")
    for note in (*found.notes, *how_it_runs()):
        print(f"note     {make_visible(note)}")
    return 1 if found.problems else 0


def how_it_runs() -> list[str]:
    """Whether the compiled parts are there; without them everything works, slower."""
    hint = "Install a C compiler and Python's headers (apt install gcc python3-dev) and install hoop again."
    lacking = [f"NOT IN USE: {line}" for line in missing()]
    return [*lacking, hint] if lacking else ["All compiled parts are in use."]


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "doctor": with_core(_doctor),
}
