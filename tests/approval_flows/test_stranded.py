"""A request that nobody is left to decide: said once, to whom can mend it, and not while somebody could still come."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from access.requests import RequestState
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import EVERYBODY, GROUPS, OLGA, SAM, World, two_people

ESCALATING = """
name: escalating
priority: 5
stages:
  - {name: approvers, any: {approvers: true}}
waits: 10h
escalate:
  - {after: 3h, to: {people: [eve]}}
"""
ON_CALL = """
name: duty
priority: 5
stages:
  - {name: duty, any: {approvers: true, on_call: [primary]}}
"""


def without(world: World, names: Iterable[str]) -> None:
    """These people left all groups, and the company."""
    left = {group: tuple(one for one in members if one not in names) for group, members in GROUPS.items()}
    world.directory.replace(tuple(one for one in EVERYBODY if one.wire_name not in names), left)


async def told(world: World) -> list[object]:
    return [(event.payload or {})["told"] for event in await world.events("request.stranded")]


async def test_it_is_said_once_to_owners_and_security(world: World) -> None:
    request = await world.ask()
    await world.desk.tick()
    assert await told(world) == []
    without(world, ["ann", "bob"])
    for _ in range(3):
        await world.desk.tick()
    assert await told(world) == [[OLGA.id, SAM.id]]
    assert (await world.request(request.id)).state is RequestState.PENDING, "somebody may be added"
    without(world, [])
    assert (await world.approve(request)).state is RequestState.APPROVED


@pytest.mark.parametrize(
    ("flow", "leave", "said"),
    [
        (two_people(), ["ann"], 1),  # who is left is not enough
        (two_people(), [], 0),
        (two_people(1), ["ann"], 0),
        (ESCALATING, ["ann", "bob"], 0),  # somebody will be asked in three hours
        (ESCALATING, ["ann", "bob", "eve"], 1),
        (ON_CALL, ["ann", "bob"], 0),  # the next one on call may be about to begin
        (two_people(1), ["ann", "bob", "olga", "sam"], 1),  # nobody can mend it, and its requester is told all the same
    ],
)
async def test_when_it_is_said(flow: str, leave: list[str], said: int) -> None:
    clock = ManualClock()
    world = World(MemoryStore(clock), clock, flows=(flow,))
    await world.ask()
    without(world, leave)
    await world.desk.tick()
    assert len(await told(world)) == said


async def test_what_is_decided_is_not_said_to_be_that(world: World) -> None:
    await world.approve(await world.ask())
    without(world, ["ann", "bob"])
    await world.desk.tick()
    assert await told(world) == []
