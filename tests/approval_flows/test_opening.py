"""Access that starts later, and windows: approved ahead, begun then, ended with the window, called off, told once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from access.errors import Conflict, Denied, Invalid
from access.openings import READY
from access.ports import Change
from access.requests import AccessRequest, Grant, RequestState
from access.scopes import Read
from access.windows import Window
from approval_flows.book import GrantBook
from approval_flows.opening import opening_of
from tests.approval_flows.test_clocks import Jumping
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA, DANA_SELF, EVE, OLGA, PLACE, PROD, World

HOUR = timedelta(hours=1)
AUTO = """name: night-work
priority: 500
automatic: true
when:
  asks: [access]
  hours: [{from: "22:00", to: "02:00", zone: Europe/Berlin}]
windows: [{from: "22:00", to: "02:00", zone: Europe/Berlin}]
"""


async def ahead(world: World, *, hours: float = 5, minutes: float = 60) -> AccessRequest:
    start = world.clock.now() + timedelta(hours=hours)
    length = timedelta(minutes=minutes)
    asked = await world.desk.ask_access(DANA_SELF, "prod-db", Read(), length, "INC-42", "", PLACE, start)
    return asked.request


async def kinds(world: World, request: AccessRequest) -> list[str]:
    return [event.kind for event in await world.store.read(lambda tx: tx.events_of(request.id))]


async def test_approved_ahead_begun_then_for_as_long_as_asked(world: World, clock: ManualClock) -> None:
    request = await world.approve(await ahead(world))
    assert request.state is RequestState.APPROVED
    assert await world.grants() == []
    with pytest.raises(Conflict, match="it is too early"):
        await world.desk.begin(request.id, DANA.id)
    clock.advance(5 * 3600 + 1200)
    grant = await world.desk.begin(request.id, DANA.id)
    assert (grant.starts_at, grant.expires_at) == (clock.now(), clock.now() + HOUR)


async def test_it_waits_for_a_decision_until_it_would_start(world: World, clock: ManualClock) -> None:
    request = await ahead(world, hours=9)
    assert request.expires_at == clock.now() + 9 * HOUR
    clock.advance(8 * 3600)
    assert (await world.approve(request)).state is RequestState.APPROVED


async def test_nobody_begins_it(world: World, clock: ManualClock) -> None:
    request = await world.approve(await ahead(world))
    clock.advance(6 * 3600)
    with pytest.raises(Conflict, match="too late"):
        await world.desk.begin(request.id, DANA.id)
    await world.desk.tick()
    await world.desk.tick()
    assert (await kinds(world, request)).count("access.lapsed") == 1
    assert "access.due" not in await kinds(world, request), "nobody is told to begin what is over"
    assert await world.store.read(lambda tx: tx.docs(READY)) == []


async def test_its_person_is_told_once_that_it_is_time(world: World, clock: ManualClock) -> None:
    request = await world.approve(await ahead(world))
    await world.desk.tick()
    assert "access.due" not in await kinds(world, request)
    clock.advance(5 * 3600)
    await asyncio.gather(*(world.desk.tick() for _ in range(5)))
    assert (await kinds(world, request)).count("access.due") == 1
    assert isinstance(await world.desk.begin(request.id, DANA.id), Grant)


async def test_a_clock_that_was_put_back_gives_nothing_earlier_and_tells_nothing_twice() -> None:
    clock = Jumping()
    world = World(MemoryStore(clock), clock)
    request = await world.approve(await ahead(world))
    clock.advance(5 * 3600)
    await world.desk.tick()
    clock.off = -HOUR
    with pytest.raises(Conflict, match="too early"):
        await world.desk.begin(request.id, DANA.id)
    clock.off = timedelta(0)
    await world.desk.tick()
    assert (await kinds(world, request)).count("access.due") == 1


@pytest.mark.parametrize(
    ("who", "allowed"),
    [(DANA, True), (ANN, True), (OLGA, True), (EVE, False)],
    ids=lambda one: getattr(one, "name", ""),
)
async def test_who_calls_it_off(world: World, who: object, allowed: bool) -> None:
    request = await world.approve(await ahead(world))
    if not allowed:
        with pytest.raises(Denied):
            await world.desk.call_off(request.id, who.id, "")  # type: ignore[attr-defined]
        assert (await kinds(world, request))[-1] == "review.refused"
        return
    await world.desk.call_off(request.id, who.id, "not tonight")  # type: ignore[attr-defined]
    with pytest.raises(Conflict, match="called off"):
        await world.desk.call_off(request.id, DANA.id, "")
    world.clock.advance(5 * 3600)
    with pytest.raises(Conflict):
        await world.desk.begin(request.id, DANA.id)


async def test_begun_or_called_off_never_both(world: World, clock: ManualClock) -> None:
    request = await world.approve(await ahead(world))
    clock.advance(5 * 3600)
    tries = [world.desk.begin(request.id, DANA.id), world.desk.call_off(request.id, ANN.id, "")]
    answers = await asyncio.gather(
        *tries, *(world.desk.begin(request.id, DANA.id) for _ in range(5)), return_exceptions=True
    )
    lapsed = (await kinds(world, request)).count("access.lapsed")
    assert len(await world.grants()) + lapsed == 1
    assert sum(not isinstance(one, BaseException) for one in answers) == 1


async def test_who_left_begins_nothing(world: World, clock: ManualClock) -> None:
    request = await world.approve(await ahead(world))
    world.deactivate(DANA)
    await world.desk.tick()
    assert (await kinds(world, request))[-1] == "access.lapsed"


@pytest.mark.parametrize(("hours", "why"), [(-1, "is over"), (24 * 31, "At most 30d ahead")])
async def test_starts_that_are_none(world: World, hours: float, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        await ahead(world, hours=hours)
    assert refused.value.field == "start"
    assert await world.requests() == []


async def test_two_nights_are_two_requests_and_one_night_is_one(world: World) -> None:
    first, again, second = await ahead(world), await ahead(world), await ahead(world, hours=29)
    assert first.id == again.id
    assert second.id != first.id


async def test_a_changed_start_is_a_new_revision_and_voids_votes(world: World, clock: ManualClock) -> None:
    request = await ahead(world)
    later = clock.now() + 8 * HOUR
    changed = await world.desk.change(request.id, DANA.id, Change(starts_at=later))
    assert (changed.revision, changed.starts_at, changed.expires_at) == (2, later, later)
    with pytest.raises(Conflict, match="revision"):
        await world.approve(request)
    with pytest.raises(Invalid, match="is over"):
        await world.desk.change(request.id, DANA.id, Change(starts_at=clock.now() - HOUR))


# ------------------------------------------------------------------------------------------------ windows


def windowed(world: World, start: str, end: str) -> None:
    window = Window(time.fromisoformat(start), time.fromisoformat(end), ZoneInfo("UTC"))
    world.resources["prod-db"] = replace(PROD, windows=(window,))


async def test_outside_of_its_windows_nothing_is_asked_for(world: World, clock: ManualClock) -> None:
    now = clock.now()
    windowed(world, f"{(now + 2 * HOUR):%H:%M}", f"{(now + 4 * HOUR):%H:%M}")
    with pytest.raises(Invalid, match="opens at") as refused:
        await world.ask()
    assert refused.value.field == "start"
    assert f"{now + 2 * HOUR:%Y-%m-%dT%H:%M}Z" in refused.value.hint
    with pytest.raises(Invalid):
        await ahead(world, hours=5)


def test_why_and_who_tell_of_the_window(clock: ManualClock) -> None:
    night = Window(time(22), time(2), ZoneInfo("Europe/Berlin"))
    world = World(MemoryStore(clock), clock, resources={"prod-db": replace(PROD, windows=(night,))})
    by_day = world.desk.outlook(DANA_SELF, world.resources["prod-db"], Read(), datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert by_day.refused.startswith(
        "Access to prod-db is only 22:00-02:00 Europe/Berlin. It opens at 2026-11-20 21:00"
    )
    at_night = world.desk.outlook(DANA_SELF, world.resources["prod-db"], Read(), datetime(2026, 11, 20, 22, tzinfo=UTC))
    assert not at_night.refused
    assert [person.name for person in at_night.progress.deciders] == ["Ann", "Bob"]


async def test_access_ends_with_the_window_extensions_too(world: World, clock: ManualClock) -> None:
    now = clock.now()
    windowed(world, f"{(now + 2 * HOUR):%H:%M}", f"{(now + 4 * HOUR):%H:%M}")
    request = await world.approve(await ahead(world, hours=2, minutes=240))
    clock.advance(2 * 3600 + 1800)
    closed = (now + 4 * HOUR).replace(second=0, microsecond=0)
    grant = await world.desk.begin(request.id, DANA.id)
    assert grant.expires_at == closed
    with pytest.raises(Invalid, match="window closes"):
        await world.desk.ask_extension(grant.id, DANA.id, timedelta(minutes=30), "more", PLACE)
    with pytest.raises(Invalid, match="window closes"):
        await world.desk.extend(grant.id, ANN.id, timedelta(minutes=30))


async def test_the_window_is_the_last_moment_to_begin(world: World, clock: ManualClock) -> None:
    now = clock.now()
    windowed(world, f"{(now + 2 * HOUR):%H:%M}", f"{(now + timedelta(hours=2, minutes=30)):%H:%M}")
    request = await world.approve(await ahead(world, hours=2))
    clock.advance(2.5 * 3600)
    with pytest.raises(Conflict):
        await world.desk.begin(request.id, DANA.id)


async def test_the_operator_does_not_get_around_a_window(world: World, clock: ManualClock) -> None:
    now = clock.now()
    windowed(world, f"{(now + 2 * HOUR):%H:%M}", f"{(now + 4 * HOUR):%H:%M}")
    with pytest.raises(Invalid, match="opens at"):
        await world.desk.grant_directly(DANA, "prod-db", Read(), HOUR, "why", "root")


async def test_a_flow_that_says_yes_by_itself_at_night(world: World, clock: ManualClock) -> None:
    """Its hours are looked at for when the access starts, not for when it is asked for (09:30 UTC)."""
    world.flows = (AUTO,)
    assert world.office.flows.reload()
    assert (await world.ask()).state is RequestState.PENDING
    request = await ahead(world, hours=14.5)  # 01:00 in Berlin, an hour before it closes
    assert (request.state, request.flow) == (RequestState.APPROVED, "night-work")
    kept = await world.store.read(lambda tx: opening_of(tx, request.id))
    assert kept is not None
    closes = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
    assert kept.until == closes
    clock.advance(15 * 3600)
    assert (await world.desk.begin(request.id, DANA.id)).expires_at == closes


async def test_the_book_knows_what_is_ahead_and_allows_nothing_by_it(world: World, clock: ManualClock) -> None:
    request = await world.approve(await ahead(world))
    book = GrantBook(world.store, world.directory, clock)
    await book.refresh()
    assert book.of(DANA_SELF, "prod-db", session=None, only=None) == ()
    kept = book.planned(DANA.id, "prod-db")
    assert kept is not None
    assert "starts at" in kept.said(clock.now())[0]
    assert request.id in kept.said(clock.now())[1]
    assert book.planned(EVE.id, "prod-db") is None
    clock.advance(6 * 3600)
    assert book.planned(DANA.id, "prod-db") is None
