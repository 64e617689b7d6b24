"""`hoop why` and `hoop simulate`: what the policy makes of a statement, and what another policy would have made of all
that were recorded. Run on the gateway's own host."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from access.actors import Actor, Person, PersonId
from access.errors import HoopError, Invalid
from access.explain import Explanation, Understood, explain
from access.policy import Action, Policy
from access.ports import Tx
from access.requests import Grant, Session
from access.resources import Protocol, Resource
from access.scopes import level_of, standing_scope
from access.statements import Effect, Statement
from app import config_build
from app.by_protocol import Judges
from app.cli_ledger import recordings
from app.cli_operate import find_person, with_core
from app.cli_setup import load_or_explain
from app.core import Core
from app.flows import FlowsWanted
from app.settings_types import parse_duration
from app.simulation import WOULD, Seen, level_behind, recorded_action, report, simulate
from app.targets import Targets
from ledger.recordings import Recordings
from ledger.replay import Entry, timeline
from ledger.segments import name_of
from proxy.masking.impressions import NAMES, remembered

_SESSIONS = 100_000


@asynccontextmanager
async def _judging(core: Core, names: Mapping[str, list[Mapping[str, Any]]] | None = None) -> AsyncIterator[Judges]:
    """`names` are what the gateways found in samples of tables, by resource."""
    targets = Targets(core)
    for resource, kept in (names or {}).items():
        targets.masking[resource] = remembered(targets.masking[resource], kept)
    try:
        async with asyncio.TaskGroup() as tasks:
            catalogs = targets.catalogs(tasks)
            yield targets.judge(lambda: catalogs)
    except* HoopError as several:
        raise several.exceptions[0] from None


# ----------------------------------------------------------------------------------------------------------------- why


async def _why(core: Core, arguments: argparse.Namespace) -> int:
    person, resource = find_person(core, arguments.person), core.resources.get(arguments.resource)
    if resource is None:
        known = ", ".join(sorted(core.resources))
        raise Invalid(f"There is no resource {arguments.resource}.", hint=f"Known: {known}.")
    now = core.clock.now()
    names = await core.store.read(lambda tx: tx.docs(NAMES, group=resource.name))
    async with _judging(core, {resource.name: [data for _, data in names]}) as judges:
        understood = await judges.understand(resource, arguments.statement)
    grants = await core.store.read(lambda tx: tx.grants(live_at=now, person=person.id, resource=resource.name))
    found = explain(core.policy, grants, person, resource, understood, now)
    print("\n".join(explained(found, person, resource, understood, _deciders(core, person, resource, found))))
    return 0 if found.verdict.action is not Action.DENY else 1


def _deciders(core: Core, person: Person, resource: Resource, found: Explanation) -> list[str]:
    """Who could approve it: the groups of the rule, or whoever decides for this person on this resource."""
    if found.verdict.approvers:
        members = {one for group in found.verdict.approvers for one in core.directory.members(group)} - {person.id}
        return sorted(core.name_of(one) for one in members)
    outlook = core.desk.outlook(Actor(person.id, None, person.name), resource, standing_scope("read"))
    return sorted(one.name for one in outlook.progress.deciders)


def explained(
    found: Explanation, person: Person, resource: Resource, understood: Understood, deciders: Sequence[str]
) -> list[str]:
    """The explanation for a terminal."""
    verdict = found.verdict
    lines = [f"{WOULD[verdict.action].upper()}: {verdict.message or 'it is within the access.'}", ""]
    rows: list[tuple[str, str]] = [
        ("statement", " ".join(understood.shown.split())[:160]),
        ("person", f"{person.name} ({person.wire_name}), groups {', '.join(sorted(person.groups)) or 'none'}"),
        ("resource", f"{resource.name}, labels {_pairs(resource.labels)}"),
        ("access now", found.level.name.lower()),
        ("rule", verdict.rule),
        ("effects", ", ".join(found.effects)),
        ("changes", ", ".join(found.writes) or "nothing"),
        ("reads", ", ".join(found.reads) or "nothing"),
        ("functions", ", ".join(found.functions)),
        ("flags", ", ".join(found.flags)),
        ("problem", next((one.problem for one in found.statements if one.problem), "")),
    ]
    rows += [("spoke", f"{rule.name} ({rule.action.name.lower()})") for rule in found.rules]
    rows += [
        ("row budget", f"at most {budget.rows} rows updated or deleted{_of(budget.tables)} ({budget.rule})")
        for budget in found.budgets
    ]
    rows += [("masked", line) for line in understood.masked]
    rows += [(f"with {level.name.lower()}", f"{WOULD[one.action]} ({one.rule})") for level, one in found.under]
    rows.append(("approve", ", ".join(deciders) if deciders else "nobody can"))
    rows.append(("next", _next(found, resource)))
    return lines + [f"  {name:<12}{value}" for name, value in rows if value]


def _next(found: Explanation, resource: Resource) -> str:
    if found.verdict.action is Action.ALLOW:
        return "just run it"
    if found.verdict.action is Action.HOLD:
        return "run it: the client waits while people decide"
    if found.enough is not None:
        return f"/hoop request {resource.name} 1h {found.enough.name.lower()} REASON"
    if found.asks:
        return f"/hoop exec {resource.name} -- …, or ask for more access: then it is held for approval"
    return "no access lets this through; the rule's owner decides what does"


def _pairs(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items()) or "none"


def _of(tables: Sequence[str]) -> str:
    return f" of {', '.join(tables)}" if tables else ""


# ------------------------------------------------------------------------------------------------------------ simulate


async def _simulate(core: Core, arguments: argparse.Namespace) -> int:
    try:
        since = core.clock.now() - parse_duration(arguments.since)
    except ValueError as error:
        raise Invalid(f"--since {error}.") from None
    policy, people, resources = _policy(core, arguments.changed)
    sessions = await core.store.read(lambda tx: tx.sessions(limit=_SESSIONS))
    sessions = [one for one in sessions if (one.closed_at or one.heartbeat_at) >= since]
    seen: list[Seen] = []
    unread = 0
    async with _judging(core) as judges:
        for session in sessions:
            person, resource = people.get(session.actor.person), resources.get(session.resource)
            if person is None or resource is None or resource.protocol is not Protocol.POSTGRES:
                continue
            held = await core.store.read(_grants_of(session))
            entries = _entries(recordings(core), session)
            unread += entries is None
            for entry, at in _statements(entries or [], session.opened_at, since):
                seen_one = await _seen(judges, person, resource, entry, at, held)
                if seen_one is not None:
                    seen.append(seen_one)
    print("\n".join(report(simulate(policy, seen), len(seen))))
    if unread:
        print(f"\n{unread} of {len(sessions)} sessions have no recording on this node.")
    return 0


def _policy(core: Core, changed: str | None) -> tuple[Policy, Mapping[PersonId, Person], Mapping[str, Resource]]:
    if changed is None:
        return core.policy, {one.id: one for one in core.directory.people()}, core.resources
    settings = load_or_explain(Path(changed), flows=False).settings
    return (
        config_build.policy(settings),
        {one.id: one for one in config_build.people(settings)},
        config_build.resources(settings),
    )


def _grants_of(session: Session) -> Callable[[Tx], Sequence[Grant]]:
    return lambda tx: tx.grants(person=session.actor.person, resource=session.resource)


def _entries(store: Recordings, session: Session) -> list[Entry] | None:
    try:
        return timeline(store.read(name_of(session)))
    except HoopError:
        return None


def _statements(entries: Sequence[Entry], opened_at: datetime, since: datetime) -> Iterator[tuple[Entry, datetime]]:
    for entry in entries:
        at = opened_at + timedelta(milliseconds=entry.at_ms)
        if entry.number and entry.text and at >= since:
            yield entry, at


async def _seen(
    judges: Judges, person: Person, resource: Resource, entry: Entry, at: datetime, grants: Sequence[Grant]
) -> Seen | None:
    """A recorded statement with what it does: judged anew by today's catalog from its masked text; where that cannot be
    read (a mask in a place of its own), by the effects it was recorded with."""
    held = any("held" in remark for remark in entry.remarks)
    before = recorded_action(entry.verdict, entry.request, entry.rule, held=held)
    if before is None:
        return None
    effects = frozenset(Effect(one) for one in entry.effects if one in set(Effect))
    recorded = Statement("postgres", "", effects)
    try:
        understood = await judges.understand(resource, str(entry.text))
    except HoopError:
        understood = Understood(entry.text, (recorded,))
    if frozenset().union(*(one.effects for one in understood.statements)) != effects:
        understood = Understood(entry.text, (recorded,))
    level = level_behind(entry.rule, (level_of(g.scope) for g in grants if g.starts_at <= at < g.expires_at))
    approved = entry.verdict == "allow" and before is Action.HOLD
    what = Understood(entry.text, understood.statements)
    return Seen(person, resource, at, what, before, entry.rule, level, approved)


COMMANDS = {"why": with_core(_why, FlowsWanted.ALL), "simulate": with_core(_simulate)}
