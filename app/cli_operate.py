"""Commands of the gateway's own host that work on its store: grants, login links, sessions, replays, the ledger."""

from __future__ import annotations

import argparse
import asyncio
import getpass
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from access.actors import Person
from access.errors import Invalid, many
from access.resources import Protocol
from access.scopes import standing_scope
from app.cli_setup import load_or_explain
from app.core import Core, open_core, store_url
from app.flows import FlowsWanted
from app.settings_types import parse_duration
from approval_flows.lifecycle import clock_time
from identity.vault import SecretVault
from ledger import migrations

Command = Callable[[Core, argparse.Namespace], Coroutine[Any, Any, int]]


def with_core(command: Command, flows: FlowsWanted = FlowsWanted.NONE) -> Callable[[argparse.Namespace], int]:
    """Run a command with the store open. One that names no `flows` works whatever is wrong with their files."""

    def run(arguments: argparse.Namespace) -> int:
        loaded = load_or_explain(arguments.config, flows=flows is FlowsWanted.ALL)

        async def inside() -> int:
            async with open_core(loaded, flows=flows) as core:
                return await command(core, arguments)

        return asyncio.run(inside())

    return run


def _db(arguments: argparse.Namespace) -> int:
    loaded = load_or_explain(arguments.config, flows=False)
    url = store_url(loaded.settings, loaded.base, SecretVault(base=loaded.base))
    if arguments.what == "upgrade":
        print(f"The store is at revision {migrations.upgrade(url)}.")
    else:
        print(migrations.current(url) or "empty: run `hoop db upgrade`")
    return 0


def operator() -> str:
    """Who sits at this host, for the audit trail."""
    return f"operator|{getpass.getuser()}"


def find_person(core: Core, name: str) -> Person:
    """The person of a wire name. Raises Invalid naming those there are."""
    person = core.directory.by_name(name)
    if person is None:
        known = ", ".join(sorted(each.wire_name for each in core.directory.people()))
        raise Invalid(f"{name} is nobody's wire name.", hint=f"Known: {known}.")
    return person


async def _grant(core: Core, arguments: argparse.Namespace) -> int:
    person, resource = find_person(core, arguments.person), core.resources.get(arguments.resource)
    if resource is None:
        raise Invalid(
            f"There is no resource {arguments.resource}.", hint=f"Known: {', '.join(sorted(core.resources))}."
        )
    try:
        duration = parse_duration(arguments.duration) if arguments.duration else resource.default_duration
    except ValueError as error:
        raise Invalid(f"--for {error}.") from None
    grant = await core.desk.grant_directly(
        person, resource.name, standing_scope(arguments.scope), duration, arguments.reason, getpass.getuser()
    )
    issued = await core.credentials.issue(person, None, resource, grant.expires_at)
    print(
        f"{grant.id}: {person.name} has {arguments.scope} access to {resource.name} until {clock_time(grant.expires_at)}."
    )
    print(f"Connection: {issued.url}")
    where = "is the password ssh asks for" if resource.protocol is Protocol.SSH else "goes into PGPASSWORD or ~/.pgpass"
    print(f"Token ({where}, never on a command line): {issued.token}")
    return 0


async def _login_link(core: Core, arguments: argparse.Namespace) -> int:
    person = find_person(core, arguments.person)
    secret = await core.logins.issue(person.id, by=operator())
    print(f"For {person.name}, once, within five minutes:")
    print(f"{core.public_url}/login/{secret}")
    return 0


async def _sessions(core: Core, arguments: argparse.Namespace) -> int:
    for session in await core.store.read(lambda tx: tx.sessions(open_only=arguments.open)):
        ended = f"ended {session.closed_at:%H:%M:%S}: {session.why_closed}" if session.closed_at else "open"
        counts = f"{many(session.statements, 'statement')}, {session.refused} refused, {many(session.masked, 'masked value')}"
        print(
            f"{session.id}  {session.opened_at:%Y-%m-%d %H:%M:%S}  {session.actor}  {session.resource}  {counts}  {ended}"
        )
    return 0


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "db": _db,
    "grant": with_core(_grant),
    "login-link": with_core(_login_link),
    "sessions": with_core(_sessions),
}
