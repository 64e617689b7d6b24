"""A Jira on loopback, a client of it, and a company whose requests it mirrors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from access.actors import PersonId
from app.jira.client import Client, Login
from app.jira.hook import JiraHook
from app.jira.mirror import Mirror
from app.jira.people import Accounts
from app.jira.tickets import JiraTickets
from app.settings_jira import JiraDecisions, JiraTemplate, JiraTransitions
from bot.links import Links
from tests.fakes.clock import ManualClock
from tests.fakes.jira.server import FakeJira
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, BOB, DANA, EVE, World

SECRET = "hook-secret"
LINKED = {f"acc-{one.wire_name}": one.id for one in (DANA, ANN, BOB, EVE)}
TEMPLATE = JiraTemplate(
    project="OPS",
    transitions=JiraTransitions(approved="In Progress", denied="Declined", ended="Done"),
    decide=JiraDecisions(approve=["Approved"], deny=["Declined"]),
)


@dataclass
class Desk:
    """Everything together."""

    jira: FakeJira
    world: World
    client: Client
    templates: list[JiraTemplate] = field(default_factory=lambda: [TEMPLATE])

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.world.directory, LINKED)
        self.clock = self.world.clock
        store, name = self.world.store, lambda one: self.world.office.name(PersonId(one))
        self.mirror = Mirror(store, self.client, self.templates, self.jira.url, Links("https://hoop"), name)
        self.hook = JiraHook(
            store, self.world.desk, self.client, self.accounts, self.templates, self.clock, lambda: SECRET
        )

    async def told(self) -> None:
        """Until there is nothing more to be said now."""
        while await self.mirror.step() or await self.mirror.send():
            pass

    async def moved(self, key: str, status: str, by: str, **more: object) -> str:
        return await self.hook.take(self.jira.moved(key, status, by, self.clock.now().timestamp(), **more))


@pytest.fixture
async def jira() -> AsyncIterator[FakeJira]:
    server = FakeJira()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(jira: FakeJira) -> AsyncIterator[Client]:
    one = Client(Login(jira.url, "bot@example.com", lambda: jira.token, 2.0))
    yield one
    one.close()


@pytest.fixture
async def desk(jira: FakeJira, client: Client, clock: ManualClock) -> Desk:
    return Desk(jira, World(MemoryStore(clock), clock), client)


@pytest.fixture
def tickets(desk: Desk) -> JiraTickets:
    return JiraTickets(desk.client, desk.jira.url, desk.accounts, desk.clock, 30.0)
