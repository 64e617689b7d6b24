"""The tour: the main job, step by step, with real clients. Also the first end-to-end test.

Every step does what a person would do (pages and buttons of the console, psql), shows what came back, and proves it
against the target itself over a second, direct connection.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from access.errors import HoopError
from app.demo.psql import Psql
from app.demo.report import Failed, Report
from app.demo.site import Site, Target
from app.demo.visitor import Seen, Visitor

CHANNEL = "/c/prod-db"
PEOPLE = ("dana", "ann", "bob")


@dataclass
class Tour:
    """What the steps share."""

    site: Site
    target: Target
    report: Report
    http: aiohttp.ClientSession
    people: dict[str, Visitor] = field(default_factory=dict)
    request: str = ""
    card: str = ""
    url: str = ""
    token: str = ""
    agent_url: str = ""
    agent_token: str = ""
    session: str = ""

    def __post_init__(self) -> None:
        self.people = {name: Visitor(self.http, self.site.console, name) for name in PEOPLE}

    @property
    def thread(self) -> str:
        """The page of the request's thread."""
        return f"{CHANNEL}?thread={self.card}"

    def psql(self, *, agent: bool = False) -> Psql:
        """A psql as Dana, or as her agent."""
        url, token = (self.agent_url, self.agent_token) if agent else (self.url, self.token)
        return Psql(Path(self.site.psql), url, token)

    async def truth(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the target itself, past the gateway."""
        async with await psycopg.AsyncConnection.connect(self.target.conninfo, autocommit=True) as connection:
            return list(await (await connection.execute(query.encode())).fetchall())

    async def held(self, words: str, *, after: Sequence[str] = ()) -> Seen:
        """The card of a statement that waits, in the thread."""

        def waits(message: Seen) -> bool:
            return (
                "held" in message.kinds
                and "approve" in message.buttons
                and words in message.text
                and message.id not in after
            )

        return await self.people["ann"].wait_for(self.thread, waits)


Step = tuple[str, Callable[[Tour], Awaitable[None]]]


async def play(site: Site, target: Target, report: Report, steps: Sequence[Step]) -> bool:
    """Play all steps in order; stops at the first that fails. True when every step did what it says."""
    report.say("The tour: real psql, real PostgreSQL, the web console as chat. What you read is what happened.")
    jar = aiohttp.CookieJar(unsafe=True)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        tour = Tour(site, target, report, http)
        for title, step in steps:
            report.step(title)
            problem = await _problem(step(tour))
            if problem:
                report.bad(problem)
                report.say(
                    f"\nThe tour stopped at step {report.number} of {len(steps)}. The gateway's log: {site.home / 'gateway.log'}"
                )
                return False
    report.say(f"\nAll {len(steps)} steps did what they say.")
    return True


async def _problem(step: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(90):
            await step
    except Failed as failed:
        return f"expected {failed}"
    except (HoopError, TimeoutError, aiohttp.ClientError, psycopg.Error, OSError) as error:
        return f"{type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - a defect of the tour itself must fail it, readably
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
    return ""
