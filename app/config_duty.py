"""Mistakes about on-call and paging systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app import config_build
from app.settings import Settings
from approval_flows.on_call_file import read_schedules
from identity.directory import StaticDirectory

Where = tuple[str | int, ...]


def duty_problems(settings: Settings, base: Path) -> Iterator[tuple[Where, str]]:
    """(place, what is wrong) for everything wrong."""
    names = Counter(name for system in settings.approvals.on_call_systems for name in system.schedules)
    if settings.approvals.on_call and names:
        there = StaticDirectory(config_build.people(settings), {})
        names.update(read_schedules(base / settings.approvals.on_call, there)[0].keys())
    for index, system in enumerate(settings.approvals.on_call_systems):
        where: Where = ("approvals", "on_call_systems", index)
        if system.url and not system.url.startswith(("https://", "http://127.0.0.1:")):
            yield (*where, "url"), "must be https://: the token travels over it"
        for name in system.schedules:
            if names[name] > 1:
                yield (*where, "schedules", name), f"{name} is the name of {names[name]} schedules"
        if not any(person.email for person in settings.people):
            yield where, "tells people by their e-mail, and nobody in people has one"
    for index, page in enumerate(settings.approvals.alarms.page):
        if page.url and not page.url.startswith(("https://", "http://127.0.0.1:")):
            yield ("approvals", "alarms", "page", index, "url"), "must be https://: the key travels over it"
