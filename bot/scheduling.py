"""Runbooks that the clock asks for, in the name of their owner. They are judged, approved and recorded like a person's run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from access.errors import Denied, HoopError, Invalid
from access.events import RequestRefused
from access.requests import Place
from bot.kit import Kit
from bot.running import Draft, describe, file_requests, found, known
from bot.targets import chosen
from runbooks.catalog import where
from runbooks.model import Part
from runbooks.render import check, written

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is asked for, as configured. `owner` is a wire name."""

    name: str
    runbook: str
    owner: str
    resource: str = ""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


async def ask(kit: Kit, schedule: Schedule, at: datetime) -> bool:
    """Ask for the run that is due at `at`, once whoever looks; whether it was asked. A refusal is recorded, never raised."""
    key = f"schedule:{schedule.name}:{at.isoformat()}"
    if await kit.store.transact(lambda tx: tx.seen(key)):
        return False
    try:
        await _ask(kit, schedule, at)
    except HoopError as error:
        why = f"schedule {schedule.name}: {error}"
        log.warning("%s", why)
        fact = RequestRefused(
            stream=f"schedule {schedule.name}", actor="gateway", resource=schedule.resource[:63], why=why
        )
        await kit.store.transact(lambda tx: tx.append(fact))
        return False
    return True


async def _ask(kit: Kit, schedule: Schedule, at: datetime) -> None:
    person = next((one for one in kit.world.directory.people() if one.wire_name == schedule.owner), None)
    if person is None or not person.active:
        raise Denied(f"Its owner {schedule.owner} is not an active person.", rule="schedule-owner")
    entry = found(kit, schedule.runbook, person)
    if not entry.runbook.schedule:
        raise Denied(f"{entry.name} does not say `schedule: true`.", rule="schedule-not-allowed")
    values, wrong = check(entry.runbook, schedule.values, known(kit, entry, person))
    if wrong:
        first = next(iter(wrong))
        raise Invalid(f"{first}: {wrong[first]}", field=first)
    targets = chosen(schedule.resource, where(entry, kit.resources()))
    if not targets:
        raise Invalid(f"{entry.name} fits several resources; say which.", field="resource")
    names = [resource.name for resource in targets]
    draft = Draft(
        entry.name, entry.commit, Part.RUN.value, names[0], written(values), "", person.id,
        f"schedule {schedule.name}, due {at:%Y-%m-%d %H:%M} UTC", "", "", others=",".join(names[1:]),
    )  # fmt: skip
    described = [await describe(kit, entry.runbook, one, person) for one in draft.each()]
    asked = await file_requests(kit, entry.runbook, draft, described, person, Place())
    if all(one.existing for one in asked):
        ids = ", ".join(one.request.id for one in asked)
        raise Denied(f"The run asked for before is still undecided: {ids}.", rule="schedule-waits")
    log.info("schedule %s asks for %s", schedule.name, ", ".join(one.request.id for one in asked))
