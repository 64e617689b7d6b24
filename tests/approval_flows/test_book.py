"""The live grants in memory: what is offered to whom, and silence when in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

import pytest

from access.actors import Actor
from access.ids import GrantId, SessionId
from access.ports import Grants
from access.requests import EXECUTOR, GrantState
from access.scopes import Read, Write
from approval_flows import book as module
from approval_flows.book import STALE_SECONDS, GrantBook
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import CLAUDE, DANA_SELF, DELETE, EVE, EVERYBODY, GROUPS, PLACE, SAM, World, evidence_of
from tests.patience import LONG


@pytest.fixture
def book(world: World) -> GrantBook:
    return GrantBook(world.store, world.directory, world.clock)


def ids(
    book: GrantBook, actor: Actor = DANA_SELF, session: SessionId | None = None, only: GrantId | None = None
) -> list[str]:
    return [grant.id for grant in book.of(actor, "prod-db", session=session, only=only)]


def test_the_book_is_the_port(book: GrantBook) -> None:
    port: Grants = book
    assert port is book


async def test_a_book_nobody_refreshed_is_empty(world: World, book: GrantBook) -> None:
    await world.access()
    assert ids(book) == []
    assert not book.healthy


async def test_standing_access_is_for_its_person_and_their_agents(world: World, book: GrantBook) -> None:
    grant = await world.access()
    await book.refresh()
    assert ids(book) == ids(book, CLAUDE) == [grant.id]
    assert ids(book, Actor(EVE.id)) == []
    assert list(book.of(DANA_SELF, "other-db", session=None, only=None)) == []


async def test_what_an_agent_was_granted_is_not_for_its_person_nor_another_agent(world: World, book: GrantBook) -> None:
    grant = await world.access(CLAUDE)
    await book.refresh()
    assert ids(book, CLAUDE) == [grant.id]
    assert ids(book) == []
    assert ids(book, replace(CLAUDE, via=replace(CLAUDE.via, name="other"))) == []  # type: ignore[type-var]


async def test_a_single_use_grant_is_for_its_session_only(world: World, book: GrantBook) -> None:
    session, grant = await world.held_and_approved()
    other = await world.session()
    await book.refresh()
    assert grant.id in ids(book, session=session)
    for elsewhere in (other, None):
        assert grant.id not in ids(book, session=elsewhere)
    assert grant.id not in ids(book, CLAUDE, session=session)


async def test_an_approved_command_is_for_the_credential_issued_for_it(world: World, book: GrantBook) -> None:
    asked = await world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(), "fix", "", PLACE)
    await world.approve(asked.request)
    standing = await world.access()
    await book.refresh()
    (grant,) = await world.grants(asked.request.id)
    assert ids(book, session=SessionId("ses_any"), only=grant.id) == [grant.id]
    assert ids(book, session=SessionId("ses_any")) == [standing.id]
    assert ids(book, session=SessionId(EXECUTOR)) == [standing.id]
    assert ids(book, CLAUDE, only=grant.id) == []
    assert ids(book, only=GrantId("grt_other00000")) == []


async def test_a_used_grant_is_not_offered_again(world: World, book: GrantBook) -> None:
    session, grant = await world.held_and_approved()
    await world.desk.consume(grant.id, session, DELETE)
    await book.refresh()
    assert (await world.grant(grant.id)).state is GrantState.EXECUTING
    assert grant.id not in ids(book, session=session)
    assert ids(book, session=session, only=grant.id) == []


async def test_the_end_counts_without_a_refresh(world: World, book: GrantBook) -> None:
    await world.access(minutes=0.1)
    await book.refresh()
    world.clock.advance(5.999)
    assert len(ids(book)) == 1
    world.clock.advance(0.001)
    assert ids(book) == []


@pytest.fixture
def memory(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def small(memory: MemoryStore, clock: ManualClock) -> World:
    return World(memory, clock)


async def test_without_the_store_it_answers_for_a_moment_then_not_at_all(memory: MemoryStore, small: World) -> None:
    book = GrantBook(memory, small.directory, small.clock)
    await small.access()
    await book.refresh()
    memory.broken = True
    small.clock.advance(STALE_SECONDS)
    assert await book.refresh() is False
    assert (book.healthy, len(ids(book))) == (True, 1)
    small.clock.advance(0.001)
    assert (book.healthy, ids(book)) == (False, [])
    memory.broken = False
    assert await book.refresh() is True
    assert (book.healthy, len(ids(book))) == (True, 1)


async def test_subscribers_hear_of_changes_only(memory: MemoryStore, small: World) -> None:
    book = GrantBook(memory, small.directory, small.clock)
    heard: list[str] = []
    unsubscribe = book.subscribe(lambda: heard.append("changed"))

    async def after(what: object) -> int:
        heard.clear()
        if asyncio.iscoroutine(what):
            await what
        await book.refresh()
        return len(heard)

    assert await after(None) == 1  # healthy from now on
    assert await after(None) == 0
    assert await after(small.access()) == 1
    assert await after(None) == 0
    session = await small.session()
    assert await after(None) == 0
    assert await after(small.desk.kill(session, SAM.id, "stop")) == 1
    small.directory.replace(EVERYBODY[:-1], {**GROUPS, "dba": ("ann", "bob")})
    assert await after(None) == 1
    memory.broken = True
    small.clock.advance(STALE_SECONDS + 1)
    assert await after(None) == 1  # not to be believed any more
    assert await after(None) == 0
    memory.broken = False
    unsubscribe()
    assert await after(None) == 0


async def test_sessions_to_cut(world: World, book: GrantBook) -> None:
    session, other = await world.session(), await world.session()
    await world.desk.kill(session, SAM.id, "stop")
    await book.refresh()
    assert list(book.killed()) == [session]
    assert book.killed()[session].kill_why == "stop"
    await world.close(session)
    await book.refresh()
    assert list(book.killed()) == []
    assert other not in book.killed()


@asynccontextmanager
async def running(book: GrantBook) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(book.run())
    await asyncio.sleep(0.01)
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def offers(book: GrantBook, grant: GrantId) -> bool:
    return grant in ids(book)


async def until(book: GrantBook, true: Callable[[], bool]) -> None:
    seen = asyncio.Event()
    unsubscribe = book.subscribe(seen.set)
    async with asyncio.timeout(LONG):
        while not true():
            await seen.wait()
            seen.clear()
    unsubscribe()


@pytest.fixture
def by_commits_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not look by itself meanwhile: what is seen in time was heard of."""
    monkeypatch.setattr(module, "POLL_SECONDS", 3600.0)


@pytest.mark.usefixtures("by_commits_only")
async def test_running_it_follows_the_store(world: World, book: GrantBook) -> None:
    async with running(book):
        for scope in (Read(), Write()):
            grant = await world.access(scope=scope)
            await until(book, partial(offers, book, grant.id))


@pytest.mark.usefixtures("by_commits_only")
async def test_what_ends_access_is_heard_of_at_once(world: World, book: GrantBook) -> None:
    session, grant = await world.session(), await world.access()
    async with running(book):
        await until(book, partial(offers, book, grant.id))
        await world.desk.kill(session, SAM.id, "stop")
        await until(book, lambda: session in book.killed())
        await world.desk.freeze("prod-db", SAM.id, "looking", cut=False)
        await until(book, lambda: all(one.barred for one in book.of(DANA_SELF, "prod-db", session=None, only=None)))
        await world.desk.revoke(grant.id, SAM.id, "over")
        await until(book, lambda: not ids(book))


async def test_a_stopped_book_lets_go_of_the_store(memory: MemoryStore, small: World) -> None:
    book = GrantBook(memory, small.directory, small.clock)
    async with running(book):
        assert memory.subscribers == 1
    assert memory.subscribers == 0


async def test_many_commits_at_once_are_few_refreshes(memory: MemoryStore, small: World) -> None:
    book = GrantBook(memory, small.directory, small.clock)
    refreshed = 0
    original = book.refresh

    async def counting() -> bool:
        nonlocal refreshed
        refreshed += 1
        return await original()

    book.refresh = counting  # type: ignore[method-assign]
    async with running(book):
        before = refreshed
        for _ in range(50):
            memory._committed()
        await asyncio.sleep(0.05)
        assert refreshed - before <= 2
        book.wake()
        await asyncio.sleep(0.01)
        assert refreshed - before <= 3
