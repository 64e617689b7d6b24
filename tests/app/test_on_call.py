"""Who is on call in PagerDuty and Opsgenie, and what happens when that is not known; pages for alarms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.duty import Alarm
from access.errors import Denied, Unavailable
from access.policy import Policy
from access.scopes import Read
from app.on_call import BELIEVED, Opsgenie, PagerDuty, Provider, RemoteOnCall, Roster
from app.paging import OpsgenieAlerts, PagerDutyEvents
from approval_flows.desk import Desk
from approval_flows.explain import explain, parse_wish
from approval_flows.on_call_file import OnCallFile
from approval_flows.shelf import FlowShelf, build
from bot.cases import World as Cards
from bot.cases import case_of
from bot.links import Links
from bot.views.lists import Way
from bot.views.requests import request_card
from identity.directory import StaticDirectory
from tests.approval_flows.test_clocks import Jumping
from tests.fakes.clock import START, ManualClock
from tests.fakes.paging import FakePaging
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, BOB, DANA, DANA_SELF, EVE, GROUPS, PLACE, PROD, SAM, World, a_person

PEOPLE = (
    DANA,
    SAM,
    replace(ANN, email="ann@example.com"),
    replace(BOB, email="bob@example.com"),
    replace(EVE, email="twins@example.com"),
    a_person("ivy", email="twins@example.com"),
    a_person("ian", active=False, email="ian@example.com"),
    a_person("olga"),
)
DIRECTORY = StaticDirectory(PEOPLE, GROUPS)
FLOW = """
name: duty
stages:
  - name: on-duty
    any: {on_call: [primary]}
"""
ESCALATES = """
name: either
stages: [{name: dba, any: {groups: [dba]}}]
escalate: [{after: 10m, to: {on_call: [primary]}}]
"""


def key() -> str:
    return "t0"


@pytest.fixture
async def paging() -> AsyncIterator[FakePaging]:
    server = FakePaging(on_call={"P1": ["Bob@example.com"]})
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(params=[PagerDuty, Opsgenie])
def provider(request: pytest.FixtureRequest, paging: FakePaging) -> Provider:
    made: Provider = request.param(key, paging.url)
    return made


@pytest.fixture
def duty(provider: Provider, clock: ManualClock) -> RemoteOnCall:
    return RemoteOnCall({"primary": (provider, "P1")}, DIRECTORY, clock)


async def test_who_is_on_call_there_counts_here(paging: FakePaging, duty: RemoteOnCall) -> None:
    await duty.refresh()
    assert duty.on_call("primary", START) == {BOB.id}
    assert duty.on_call("other", START) == frozenset()
    assert list(duty.schedules()) == ["primary"]
    await duty.refresh()
    assert len(paging.asked) == 1
    assert "t0" not in repr(duty._schedules)


async def test_addresses_that_are_not_one_active_person_s_are_nobody(paging: FakePaging, duty: RemoteOnCall) -> None:
    paging.on_call["P1"] = ["twins@example.com", "ian@example.com", "who@example.com", ""]
    await duty.refresh()
    assert duty.on_call("primary", START) == frozenset()


async def test_a_token_that_can_not_be_had_is_no_answer_and_stops_nothing(
    paging: FakePaging, clock: ManualClock
) -> None:
    def gone() -> str:
        raise Unavailable("The secret env:PD cannot be used: the environment variable is not set.")

    duty = RemoteOnCall({"primary": (PagerDuty(gone, paging.url), "P1")}, DIRECTORY, clock)
    await duty.refresh()
    with pytest.raises(Unavailable, match="env:PD"):
        duty.on_call("primary", START)


async def test_an_empty_schedule_is_nobody_and_known(paging: FakePaging, duty: RemoteOnCall) -> None:
    paging.on_call["P1"] = []
    await duty.refresh()
    assert duty.on_call("primary", START) == frozenset()


@pytest.mark.parametrize("broken", [302, 401, 403, 404, 429, 500])
async def test_what_does_not_answer_is_not_known(paging: FakePaging, duty: RemoteOnCall, broken: int) -> None:
    with pytest.raises(Unavailable, match="not asked yet"):
        duty.on_call("primary", START)
    paging.broken = broken
    await duty.refresh()
    with pytest.raises(Unavailable, match=str(broken)):
        duty.on_call("primary", START)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"oncalls": 1, "data": 1}',
        b'{"oncalls": [1], "data": {}}',
        b'{"oncalls": [{"schedule": {"id": "P1"}}], "data": {"onCallRecipients": null}}',
        b'{"oncalls": [{"schedule": {"id": "P1"}, "start": "soon", "user": {}}], "data": []}',
        b" " * 1_100_000 + b"{}",
    ],
)
async def test_answers_of_another_shape_are_no_answer(paging: FakePaging, duty: RemoteOnCall, answer: bytes) -> None:
    paging.answer = answer
    await duty.refresh()
    with pytest.raises(Unavailable):
        duty.on_call("primary", START)


async def test_the_last_answer_is_believed_for_minutes_and_not_longer(
    paging: FakePaging, duty: RemoteOnCall, clock: ManualClock
) -> None:
    await duty.refresh()
    paging.broken = 503
    clock.advance(BELIEVED.total_seconds() - 1)
    await duty.refresh()
    assert duty.on_call("primary", clock.now()) == {BOB.id}
    clock.advance(1)
    with pytest.raises(Unavailable, match="503"):
        duty.on_call("primary", clock.now())
    paging.broken = 0
    paging.on_call["P1"] = ["ann@example.com"]
    clock.advance(30)
    await duty.refresh()
    assert duty.on_call("primary", clock.now()) == {ANN.id}


@pytest.mark.parametrize("off", [timedelta(hours=-2), timedelta(hours=2)], ids=["put back", "slept"])
async def test_a_clock_that_jumps_makes_no_old_answer_fresh(
    paging: FakePaging, provider: Provider, off: timedelta
) -> None:
    """Put back, an answer would be believed for hours; asleep, hours are seconds. And it is asked again all the same."""
    jumping = Jumping()
    duty = RemoteOnCall({"primary": (provider, "P1")}, DIRECTORY, jumping)
    await duty.refresh()
    jumping.off = off
    with pytest.raises(Unavailable):
        duty.on_call("primary", jumping.now())
    jumping.advance(30)
    await duty.refresh()
    assert duty.on_call("primary", jumping.now()) == {BOB.id}


async def test_who_left_since_the_last_answer_does_not_count(paging: FakePaging, clock: ManualClock) -> None:
    directory = StaticDirectory(PEOPLE, GROUPS)
    duty = RemoteOnCall({"primary": (Opsgenie(key, paging.url), "P1")}, directory, clock)
    await duty.refresh()
    directory.replace([replace(one, active=one.id != BOB.id) for one in PEOPLE], GROUPS)
    assert duty.on_call("primary", START) == frozenset()


async def test_other_times_than_now_are_not_known(duty: RemoteOnCall) -> None:
    await duty.refresh()
    for at in (START - timedelta(hours=6), START + timedelta(hours=6)):
        with pytest.raises(Unavailable, match="now, not at other times"):
            duty.on_call("primary", at)


async def test_only_entries_of_the_very_schedule_and_of_now_count(paging: FakePaging, clock: ManualClock) -> None:
    ann = {"email": "ann@example.com"}
    paging.more = [
        {"user": ann, "schedule": None, "escalation_level": 3},
        {"user": ann, "schedule": {"id": "P2"}},
        {"user": ann, "schedule": {"id": "P1"}, "start": "2026-03-02T10:00:00Z"},
        {"user": ann, "schedule": {"id": "P1"}, "end": "2026-03-02T09:30:00Z"},
    ] * 60
    duty = RemoteOnCall({"primary": (PagerDuty(key, paging.url), "P1")}, DIRECTORY, clock)
    await duty.refresh()
    assert duty.on_call("primary", START) == {BOB.id}
    assert len(paging.asked) == 3  # pages


async def test_an_id_is_no_path(paging: FakePaging, clock: ManualClock) -> None:
    duty = RemoteOnCall({"primary": (Opsgenie(key, paging.url), "../alerts")}, DIRECTORY, clock)
    await duty.refresh()
    with pytest.raises(Unavailable, match="no id"):
        duty.on_call("primary", START)
    assert paging.asked == []


async def test_a_file_and_a_system_side_by_side(paging: FakePaging, duty: RemoteOnCall, tmp_path: Path) -> None:
    path = tmp_path / "on-call.yml"
    path.write_text("office: [{person: ann}]\n")
    roster = Roster(OnCallFile(path, DIRECTORY), duty)
    await roster.refresh()
    assert list(roster.schedules()) == ["office", "primary"]
    assert roster.on_call("office", START) == {ANN.id}
    assert roster.on_call("primary", START) == {BOB.id}
    assert roster.on_call("neither", START) == frozenset()
    assert Roster(None, None).on_call("primary", START) == frozenset()


# ------------------------------------------------------------------------------------------------ what people see


def company(clock: ManualClock, duty: RemoteOnCall, flow: str) -> tuple[World, Desk]:
    world = World(MemoryStore(clock), clock, directory=DIRECTORY)
    shelf = FlowShelf(lambda: build({"f.yml": flow}, DIRECTORY, {PROD.name: PROD}, ["primary"]))
    assert not shelf.problems
    world.office = replace(world.office, flows=shelf, on_call=duty)
    world.desk = Desk(world.store, world.office, clock)
    return world, world.desk


async def test_when_it_is_not_known_nobody_may_and_everybody_is_told_why(
    paging: FakePaging, duty: RemoteOnCall, clock: ManualClock
) -> None:
    paging.broken = 500
    await duty.refresh()
    _, desk = company(clock, duty, FLOW)
    with pytest.raises(Denied, match="it is not known now who is on call for primary"):
        await desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "", PLACE)
    outlook = desk.outlook(DANA_SELF, PROD, Read())
    assert "not known now who is on call for primary" in outlook.refused
    wish, _ = parse_wish("r.yml", "person: dana\nresource: prod-db\nscope: read\nduration: 1h\nreason: x\n")
    flows = company(clock, duty, FLOW)[0].office.flows.current.flows
    lines = explain(flows, DIRECTORY, DANA, PROD, wish, START, duty)
    assert any(line.startswith("nobody counts as on call for primary: ") for line in lines)


async def test_cards_and_who_say_which_schedule_does_not_answer(
    paging: FakePaging, duty: RemoteOnCall, clock: ManualClock
) -> None:
    paging.broken = 500
    world, desk = company(clock, duty, ESCALATES)
    request = (await desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "", PLACE)).request
    progress = desk.progress(request)
    assert progress.unknown == ("primary",)
    assert {person.id for person in progress.deciders} == {ANN.id, BOB.id}
    field = Way("read", desk.outlook(DANA_SELF, PROD, Read())).field()
    assert "not known now: who is on call for primary" in str(field.value)
    cards = Cards(DIRECTORY, {PROD.name: PROD}, Policy(), Links(""), desk)
    case = await world.store.read(lambda tx: case_of(tx, cards, request.id))
    assert case is not None
    assert "who is on call for primary" in str(request_card(case).fields)
    paging.broken = 0
    clock.advance(31)
    await duty.refresh()
    assert desk.progress(request).unknown == ()


# ------------------------------------------------------------------------------------------------ pages

ALARM = Alarm("w-1", "emergency.opened", START, "req_1", "prod-db", "Dana", "BROKE GLASS on prod-db")


async def test_an_alarm_pages_once_whatever_is_repeated(paging: FakePaging) -> None:
    pagers = (PagerDutyEvents("r0uting", paging.url), OpsgenieAlerts("k0", paging.url, "dba"))
    for pager in pagers:
        await pager.page(ALARM)
        await pager.page(replace(ALARM, kind="attestation.overdue", link="https://hoop.example.com/requests/req_1"))
    first, quiet, alert, low = paging.paged
    assert (first["routing_key"], first["event_action"], first["dedup_key"]) == ("r0uting", "trigger", "w-1")
    assert first["payload"]["summary"] == "Dana: BROKE GLASS on prod-db"
    assert [one["payload"]["severity"] for one in (first, quiet)] == ["critical", "info"]
    assert (alert["key"], alert["alias"], alert["priority"]) == ("GenieKey k0", "w-1", "P1")
    assert alert["responders"] == [{"type": "team", "name": "dba"}]
    assert low["priority"] == "P4"
    assert quiet["links"][0]["href"] == low["details"]["link"] == "https://hoop.example.com/requests/req_1"
    assert "links" not in first


@pytest.mark.parametrize("pager", [PagerDutyEvents, OpsgenieAlerts])
async def test_what_is_not_taken_is_tried_again(
    paging: FakePaging, pager: type[PagerDutyEvents | OpsgenieAlerts]
) -> None:
    paging.broken = 500
    with pytest.raises(Unavailable, match="500") as refused:
        await pager("s3cret", paging.url).page(ALARM)
    assert "s3cret" not in str(refused.value)
    with pytest.raises(Unavailable, match="does not answer"):
        await pager("s3cret", "http://127.0.0.1:9").page(ALARM)
    await paging.stop()
