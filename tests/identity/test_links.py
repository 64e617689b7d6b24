"""Login links are good once, for five minutes, for one person; sessions end by time, idleness, logout or departure."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from access.actors import PersonId
from access.errors import Denied
from access.ports import LoginLinks
from identity.directory import StaticDirectory
from identity.links import WebLogins
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.store import MemoryStore
from tests.fakes.world import DANA, EVERYBODY, GROUPS, IAN

MINUTE, HOUR = 60, 3600


@pytest.fixture
def logins(store: MemoryStore, clock: ManualClock, entropy: SeededEntropy, directory: StaticDirectory) -> WebLogins:
    return WebLogins(store, clock, entropy, directory)


async def test_a_link_logs_its_person_in(logins: WebLogins, store: MemoryStore) -> None:
    port: LoginLinks = logins
    secret = await port.issue(DANA.id, by="operator|root")
    assert await port.peek(secret) == DANA.id
    session = await port.redeem(secret)
    assert session is not None
    assert await port.who(session) == DANA.id
    events = [(event.kind, event.actor, event.payload) for event in store.tables.events.values()]
    assert events == [
        ("login.linked", "operator|root", {"person": DANA.id, "used": False}),
        ("login.linked", DANA.id, {"person": DANA.id, "used": True}),
    ]


async def test_looking_is_not_using(logins: WebLogins) -> None:
    secret = await logins.issue(DANA.id, by="x")
    for _ in range(3):
        assert await logins.peek(secret) == DANA.id
    assert await logins.redeem(secret) is not None


async def test_a_link_is_good_once_also_when_opened_twice_at_once(logins: WebLogins) -> None:
    secret = await logins.issue(DANA.id, by="x")
    sessions = await asyncio.gather(*(logins.redeem(secret) for _ in range(10)))
    assert len([one for one in sessions if one is not None]) == 1
    assert await logins.redeem(secret) is None
    assert await logins.peek(secret) is None


async def test_a_link_lasts_five_minutes(logins: WebLogins, clock: ManualClock) -> None:
    secret = await logins.issue(DANA.id, by="x")
    clock.advance(5 * MINUTE)
    assert await logins.peek(secret) is None
    assert await logins.redeem(secret) is None


@pytest.mark.parametrize(
    "forged", ["", "x", "a" * 43, "a" * 44, "é" * 43, "a" * 42 + "\n", "../" * 14 + "a", "\0" * 43]
)
async def test_forged_secrets_are_nobody(logins: WebLogins, forged: str) -> None:
    await logins.issue(DANA.id, by="x")
    assert await logins.peek(forged) is None
    assert await logins.redeem(forged) is None
    assert await logins.who(forged) is None
    await logins.logout(forged)


async def test_a_link_is_not_a_session_nor_the_other_way_round(logins: WebLogins) -> None:
    secret = await logins.issue(DANA.id, by="x")
    assert await logins.who(secret) is None
    session = await logins.redeem(secret)
    assert session is not None
    assert await logins.redeem(session) is None
    assert await logins.peek(session) is None


async def test_what_is_stored_logs_nobody_in(logins: WebLogins, store: MemoryStore) -> None:
    secret = await logins.issue(DANA.id, by="x")
    assert secret not in repr(store.tables)
    ((_, stored),) = store.tables.docs
    assert await logins.peek(stored) is None
    session = await logins.redeem(secret)
    assert session is not None
    assert session not in repr(store.tables)


async def test_only_active_people_get_links(logins: WebLogins, store: MemoryStore) -> None:
    for person in (IAN.id, PersonId("dba"), PersonId("directory|zoe")):
        with pytest.raises(Denied):
            await logins.issue(person, by="x")
    assert store.tables.docs == {}
    assert store.tables.events == {}


def leave(directory: StaticDirectory) -> None:
    directory.replace([replace(one, active=one.active and one.id != DANA.id) for one in EVERYBODY], GROUPS)


async def test_somebody_who_left_is_not_let_in(
    logins: WebLogins, directory: StaticDirectory, store: MemoryStore
) -> None:
    secret = await logins.issue(DANA.id, by="x")
    leave(directory)
    assert await logins.peek(secret) is None
    assert await logins.redeem(secret) is None
    assert [event.kind for event in store.tables.events.values()] == ["login.linked", "login.refused"]
    directory.replace(EVERYBODY, GROUPS)
    assert await logins.redeem(secret) is None


async def opened(logins: WebLogins) -> str:
    session = await logins.redeem(await logins.issue(DANA.id, by="x"))
    assert session is not None
    return session


async def test_somebody_who_left_is_nobody_at_once(logins: WebLogins, directory: StaticDirectory) -> None:
    session = await opened(logins)
    leave(directory)
    assert await logins.who(session) is None


async def test_an_unused_session_ends_after_an_hour(logins: WebLogins, clock: ManualClock) -> None:
    session = await opened(logins)
    clock.advance(HOUR - 1)
    assert await logins.who(session) == DANA.id
    clock.advance(HOUR - 1)
    assert await logins.who(session) == DANA.id
    clock.advance(HOUR)
    assert await logins.who(session) is None


async def test_a_busy_session_ends_after_twelve_hours(logins: WebLogins, clock: ManualClock) -> None:
    session = await opened(logins)
    for _ in range(23):
        clock.advance(HOUR / 2)
        assert await logins.who(session) == DANA.id
    clock.advance(HOUR / 2)
    assert await logins.who(session) is None


async def test_use_is_noted_at_most_once_a_minute(logins: WebLogins, clock: ManualClock, store: MemoryStore) -> None:
    session = await opened(logins)
    before = store.commits
    for _ in range(59):
        clock.advance(1)
        await logins.who(session)
    assert store.commits == before
    clock.advance(1)
    await logins.who(session)
    await logins.who(session)
    assert store.commits == before + 1


async def test_a_logout_is_for_good_also_against_a_late_touch(logins: WebLogins, clock: ManualClock) -> None:
    session = await opened(logins)
    clock.advance(MINUTE)
    who, _ = await asyncio.gather(logins.who(session), logins.logout(session))
    assert who in {DANA.id, None}
    assert await logins.who(session) is None


async def test_sessions_are_separate(logins: WebLogins) -> None:
    one, two = await opened(logins), await opened(logins)
    await logins.logout(one)
    assert await logins.who(one) is None
    assert await logins.who(two) == DANA.id
