"""`hoop jira check`: does Jira take what is configured, and if not, what to change where. Leaves nothing behind there."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Mapping

from access.errors import HoopError, Invalid
from app.cli_setup import load_or_explain
from app.clock import SystemClock
from app.config_build import people
from app.jira.client import Client
from app.jira.side import JiraSide
from app.settings import Settings
from app.settings_jira import JiraSettings, JiraTemplate
from identity.directory import StaticDirectory
from identity.vault import SecretVault

Finding = tuple[bool, str]


def _jira(arguments: argparse.Namespace) -> int:
    loaded = load_or_explain(arguments.config, flows=False)
    settings = loaded.settings
    if settings.jira is None:
        raise Invalid("jira is not configured.", hint="docs/how-to/jira.md takes ten minutes.")
    directory = StaticDirectory(people(settings), {})
    side = JiraSide(settings, settings.jira, SecretVault(base=loaded.base), directory, SystemClock())
    try:
        findings = asyncio.run(check(side.client, settings, settings.jira))
    finally:
        side.close()
    for fine, said in findings:
        print(f"{'ok ' if fine else 'NO '} {said}")
    return 0 if all(fine for fine, _ in findings) else 1


async def check(client: Client, settings: Settings, jira: JiraSettings) -> list[Finding]:
    """Everything that can be found out without writing anything."""
    try:
        me = await client.myself()
    except HoopError as error:
        return [(False, f"{jira.url}: {error}")]
    found: list[Finding] = [(True, f"{jira.url}: the token is that of {me.id}")]
    linked = sum(bool(person.jira) for person in settings.people)
    how = f"{linked} people have an account" if jira.identify == "account" else "people are recognised by their e-mail"
    found.append((jira.identify == "email" or linked > 0, how))
    statuses = {name.casefold() for name in await client.statuses()}
    for one in jira.templates:
        found += await _template(client, one, statuses)
    if not jira.templates:
        found.append((True, "no templates: tickets are only looked up"))
    said = f"{settings.listeners.web.public_url or 'the public address'}/hooks/jira, signed with jira.webhook"
    found.append((True, f"web hook: {said if jira.webhook else 'none is taken'}"))
    return found


async def _template(client: Client, one: JiraTemplate, statuses: set[str]) -> list[Finding]:
    try:
        types = await client.types(one.project)
    except HoopError as error:
        return [(False, f"project {one.project}: {error}")]
    fine = one.type in types
    found = [(fine, f"project {one.project}, type {one.type}" + ("" if fine else f": it has {', '.join(types)}"))]
    unknown = [name for name in (*one.decide.approve, *one.decide.deny) if name.casefold() not in statuses]
    found += [(False, f"there is no status {name!r}, so no transition ever leads there") for name in unknown]
    return found


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {"jira": _jira}
