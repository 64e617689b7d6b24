"""Mistakes about runbooks: repositories, schedules, secrets that runbooks may be given."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from access.errors import Invalid
from app.schedules import trigger
from app.settings import Settings
from runbooks.shipped import NAME as LIBRARY
from runbooks.signatures import key_blob
from runbooks.transports import address_of

Where = tuple[str | int, ...]
Finding = tuple[Where, str]


def runbook_problems(settings: Settings, people: Collection[str], base: Path) -> Iterator[Finding]:
    """(place, what is wrong) for everything wrong."""
    yield from _repositories(settings, base)
    yield from _schedules(settings, people)
    names = Counter(entry.name for entry in settings.runbooks.secrets)
    for index, entry in enumerate(settings.runbooks.secrets):
        if names[entry.name] > 1:
            yield ("runbooks", "secrets", index, "name"), f"{entry.name} is taken"


def runbook_secrets(settings: Settings) -> list[tuple[Where, str | None]]:
    """Every secret reference and where it stands."""
    refs: list[tuple[Where, str | None]] = []
    for i, repository in enumerate(settings.runbooks.repositories):
        refs.append((("runbooks", "repositories", i, "token"), repository.token))
        refs.append((("runbooks", "repositories", i, "deploy_key"), repository.deploy_key))
        refs.append((("runbooks", "repositories", i, "webhook"), repository.webhook))
    return refs + [
        (("runbooks", "secrets", i, "secret"), one.secret) for i, one in enumerate(settings.runbooks.secrets)
    ]


def _readable_ca(where: Where, path: Path) -> Iterator[Finding]:
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        yield where, f"{path.name} is not a file of certificates: {getattr(error, 'strerror', None) or error}"


def _repositories(settings: Settings, base: Path) -> Iterator[Finding]:
    names = Counter(entry.name for entry in settings.runbooks.repositories)
    for index, entry in enumerate(settings.runbooks.repositories):
        where: Where = ("runbooks", "repositories", index)
        if names[entry.name] > 1 or entry.name == LIBRARY:
            yield (*where, "name"), f"{entry.name} is taken"
        try:
            scheme = address_of(entry.url).scheme
        except Invalid as wrong:
            yield (*where, "url"), f"cannot be fetched from. {wrong.hint}"
            continue
        if scheme == "ssh" and not (entry.deploy_key and entry.host_keys):
            yield (*where, "url"), "over ssh needs deploy_key and host_keys"
        if scheme != "ssh" and (entry.deploy_key or entry.host_keys):
            yield (*where, "url"), "is not ssh, so deploy_key and host_keys mean nothing"
        if scheme != "https" and entry.token:
            yield (*where, "token"), "is used only with https"
        if entry.ca and scheme != "https":
            yield (*where, "ca"), "is used only with https"
        elif entry.ca:
            yield from _readable_ca((*where, "ca"), base / entry.ca)
        for number, line in enumerate(entry.signers):
            try:
                key_blob(line)
            except ValueError as wrong_key:
                yield (*where, "signers", number), f"is no key: {wrong_key}"
        if entry.compare and not entry.compare.startswith("https://"):
            yield (*where, "compare"), "must start with https://"


def _schedules(settings: Settings, people: Collection[str]) -> Iterator[Finding]:
    names = Counter(entry.name for entry in settings.runbooks.schedules)
    for index, entry in enumerate(settings.runbooks.schedules):
        where: Where = ("runbooks", "schedules", index)
        if names[entry.name] > 1:
            yield (*where, "name"), f"{entry.name} is taken"
        if entry.owner not in people:
            yield (*where, "owner"), f"{entry.owner} is not in people"
        try:
            trigger(entry.cron, entry.time_zone)
        except ValueError as wrong:
            yield (*where, "cron"), f"is not a schedule: {wrong}"
