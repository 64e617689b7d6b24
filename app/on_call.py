"""Who is on call, of a file and of PagerDuty and Opsgenie.

Remote schedules are asked for in the background and believed for a few minutes. What is older, or was never known, is not
known, and then nobody counts as on call: never everybody, never whoever it was last.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import aiohttp

from access.actors import PersonId
from access.duty import NoSchedules, OnCall
from access.errors import Unavailable
from access.ports import Clock, Directory
from approval_flows.on_call_file import OnCallFile

TIMEOUT_SECONDS = 5.0
EVERY = timedelta(seconds=30)
#: What was known so long ago is not known any more.
BELIEVED = timedelta(minutes=5)
MOST_BYTES = 1024 * 1024
MOST_PAGES = 20
PAGE = 100

log = logging.getLogger(__name__)


class Provider(Protocol):
    """One account of an on-call system."""

    @property
    def name(self) -> str:
        """What people call it."""

    async def on_call(self, http: aiohttp.ClientSession, schedule: str, now: datetime) -> set[str]:
        """The e-mails of who is on call now. Raises Unavailable."""


async def get(
    http: aiohttp.ClientSession, url: str, headers: Mapping[str, str], query: Sequence[tuple[str, str]]
) -> Any:
    """The JSON at an address. Raises Unavailable without what was sent."""
    try:
        async with http.get(url, headers=headers, params=list(query), allow_redirects=False) as answer:
            if answer.status != 200:
                raise Unavailable(f"it answered {answer.status}")
            body = bytearray()
            async for chunk in answer.content.iter_chunked(64 * 1024):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Unavailable("its answer is too long")
            return json.loads(body)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError) as error:
        raise Unavailable(f"it does not answer as it should: {type(error).__name__}") from None


@dataclass(frozen=True)
class PagerDuty:
    """https://developer.pagerduty.com/api-reference → On-Calls. Only entries of that very schedule count: an escalation
    policy also names people who are on call by themselves, on any tier."""

    token: Callable[[], str] = field(repr=False)
    url: str = "https://api.pagerduty.com"
    name: str = "PagerDuty"

    async def on_call(self, http: aiohttp.ClientSession, schedule: str, now: datetime) -> set[str]:
        headers = {
            "Authorization": f"Token token={await asyncio.to_thread(self.token)}",
            "Accept": "application/vnd.pagerduty+json;version=2",
            "Content-Type": "application/json",
        }
        found: set[str] = set()
        for page in range(MOST_PAGES):
            query = [
                ("schedule_ids[]", schedule),
                ("include[]", "users"),
                ("limit", str(PAGE)),
                ("offset", str(page * PAGE)),
            ]
            data = await get(http, f"{self.url}/oncalls", headers, query)
            try:
                found |= {email for one in data["oncalls"] if (email := _pagerduty(one, schedule, now))}
                if data.get("more") is not True:
                    return found
            except (KeyError, TypeError, ValueError, AttributeError):
                raise Unavailable("its answer is not a list of who is on call") from None
        raise Unavailable("its answer does not end")


def _pagerduty(one: Mapping[str, Any], schedule: str, now: datetime) -> str:
    of = one.get("schedule")
    if not isinstance(of, Mapping) or of.get("id") != schedule:
        return ""
    start, end = one.get("start"), one.get("end")
    if (start and now < datetime.fromisoformat(start)) or (end and now >= datetime.fromisoformat(end)):
        return ""
    return str(one["user"].get("email") or "")


@dataclass(frozen=True)
class Opsgenie:
    """https://docs.opsgenie.com/docs/who-is-on-call-api → Get on-calls, flat: the e-mails of that schedule's people."""

    token: Callable[[], str] = field(repr=False)
    url: str = "https://api.opsgenie.com"
    name: str = "Opsgenie"

    async def on_call(self, http: aiohttp.ClientSession, schedule: str, now: datetime) -> set[str]:  # noqa: ARG002
        headers = {"Authorization": f"GenieKey {await asyncio.to_thread(self.token)}"}
        query = [("scheduleIdentifierType", "id"), ("flat", "true")]
        if not schedule.replace("-", "").isalnum():
            raise Unavailable("that is no id of a schedule")
        data = await get(http, f"{self.url}/v2/schedules/{schedule}/on-calls", headers, query)
        try:
            return {str(one) for one in data["data"]["onCallRecipients"]}
        except (KeyError, TypeError):
            raise Unavailable("its answer is not a list of who is on call") from None


@dataclass(frozen=True, slots=True)
class _Known:
    """An answer; `heard` is by the clock that nobody sets, which stands still while the machine sleeps."""

    people: frozenset[PersonId]
    at: datetime
    heard: float

    def believed(self, clock: Clock) -> bool:
        """Whether it is recent by both clocks."""
        return abs(clock.now() - self.at) < BELIEVED and clock.monotonic() - self.heard < BELIEVED.total_seconds()


class RemoteOnCall:
    """Implements `access.ports.OnCall`. `schedules` are (provider, id there) by the name they have in flows."""

    def __init__(self, schedules: Mapping[str, tuple[Provider, str]], directory: Directory, clock: Clock) -> None:
        self._schedules = schedules
        self._directory = directory
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._problems: dict[str, str] = {}
        self._asked: float | None = None

    def schedules(self) -> Sequence[str]:
        return tuple(self._schedules)

    def on_call(self, schedule: str, at: datetime) -> frozenset[PersonId]:
        """Raises Unavailable for what was not heard lately, and for other times than now."""
        if schedule not in self._schedules:
            return frozenset()
        name, now = self._schedules[schedule][0].name, self._clock.now()
        if abs(at - now) > BELIEVED:
            raise Unavailable(f"{name} is asked who is on call now, not at other times.")
        known = self._known.get(schedule)
        if known is None or not known.believed(self._clock):
            why = self._problems.get(schedule, "it was not asked yet")
            raise Unavailable(f"{name} does not say who is on call for {schedule}: {why}.")
        # who left in the meantime does not count, whoever is on call there
        active = (self._directory.person(one) for one in known.people)
        return frozenset(one.id for one in active if one is not None and one.active)

    async def refresh(self) -> None:
        """Ask, unless that was done a moment ago. Never raises."""
        now = self._clock.monotonic()
        if self._asked is not None and now - self._asked < EVERY.total_seconds():
            return
        self._asked = now
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            await asyncio.gather(*(self._ask(http, name, *of) for name, of in self._schedules.items()))

    async def _ask(self, http: aiohttp.ClientSession, name: str, provider: Provider, schedule: str) -> None:
        now = self._clock.now()
        try:
            emails = await provider.on_call(http, schedule, now)
        except Unavailable as error:
            if self._problems.get(name) != error.message:
                log.warning("%s does not say who is on call for %s: %s", provider.name, name, error)
            self._problems[name] = error.message
            return
        self._problems.pop(name, None)
        people = {email: self._person(email) for email in emails}
        for email in sorted(email for email, person in people.items() if person is None):
            log.info("%s is on call for %s and is not exactly one active person here", email, name)
        self._known[name] = _Known(
            frozenset(one for one in people.values() if one is not None), now, self._clock.monotonic()
        )

    def _person(self, email: str) -> PersonId | None:
        wanted = email.strip().casefold()
        same = [one for one in self._directory.people() if one.active and one.email.strip().casefold() == wanted]
        return same[0].id if wanted and len(same) == 1 else None


class Roster:
    """Implements `access.ports.OnCall`: the schedules of the owner's file and of on-call systems."""

    def __init__(self, file: OnCallFile | None, remote: RemoteOnCall | None) -> None:
        self._file = file
        self._remote = remote
        self._parts: tuple[OnCall, ...] = tuple(one for one in (file, remote) if one is not None)

    @property
    def text(self) -> str:
        """The text of the owner's file that counts; empty without one."""
        return self._file.text if self._file is not None else ""

    def schedules(self) -> Sequence[str]:
        return tuple(name for one in self._parts for name in one.schedules())

    def on_call(self, schedule: str, at: datetime) -> frozenset[PersonId]:
        holder = next((one for one in self._parts if schedule in one.schedules()), NoSchedules())
        return holder.on_call(schedule, at)

    async def refresh(self) -> None:
        """Read the file again and ask the systems; what can not be had stays as it was, for a while."""
        if self._file is not None:
            await asyncio.to_thread(self._file.reload)
        if self._remote is not None:
            await self._remote.refresh()
