"""Asking for clear values: shorter than access, apart from it, for people alone, by flows that mean it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.errors import Conflict, Invalid
from access.ports import Change
from access.requests import GrantState, RequestState
from access.scopes import Read, standing_scope, unmask_scope
from tests.fakes.world import ANN, CLAUDE, DANA, DANA_SELF, PLACE, World

EMAIL = unmask_scope(["customers.email"])
FREE = "name: free\npriority: 9\nautomatic: true\nwhen: {resources: [prod-db]}\n"
FREE_BY_NAME = "name: free\npriority: 9\nautomatic: true\nwhen: {scopes: [unmask]}\n"
TWO = """
name: two
priority: 9
when: {scopes: [unmask]}
stages: [{name: both, any: {approvers: true}, need: 2}]
"""


async def test_it_has_its_own_lengths(world: World) -> None:
    asked = await world.desk.ask_access(DANA_SELF, "prod-db", EMAIL, None, "INC-42", "", PLACE)
    assert asked.request.duration == timedelta(minutes=15)
    with pytest.raises(Invalid, match="31m is more") as longer:
        await world.ask(scope=EMAIL, minutes=31)
    assert "30m" in longer.value.hint
    await world.approve(asked.request)
    (grant,) = await world.grants(asked.request.id)
    with pytest.raises(Invalid, match="30m at a stretch"):
        await world.desk.extend(grant.id, ANN.id, timedelta(minutes=16))
    assert (await world.desk.extend(grant.id, ANN.id, timedelta(minutes=15))).scope == EMAIL
    assert (await world.desk.done(grant.id, DANA.id)).state is GrantState.DONE


async def test_it_is_decided_apart_from_access_whatever_that_was(world: World) -> None:
    await world.access(scope=standing_scope("admin"))
    request = await world.ask(scope=EMAIL, minutes=10)
    assert request.state is RequestState.PENDING
    with pytest.raises(Invalid, match="2h is more"):
        await world.desk.change(request.id, DANA.id, Change(timedelta(hours=2), None, None, None))
    assert all(grant.scope != EMAIL for grant in await world.grants())


async def test_a_waiting_request_for_access_does_not_turn_into_it_unseen(world: World) -> None:
    request = await world.ask(scope=Read(), minutes=20)
    changed = await world.desk.change(request.id, DANA.id, Change(None, EMAIL, None, None))
    assert (changed.revision, changed.scope) == (2, EMAIL)
    with pytest.raises(Conflict, match="revision 2 now"):
        await world.approve(request)


async def test_agents_and_the_operators_door_have_none(world: World) -> None:
    with pytest.raises(Invalid, match="agent is never shown"):
        await world.ask(CLAUDE, scope=EMAIL, minutes=10)
    with pytest.raises(Invalid, match="read, write or admin"):
        await world.desk.grant_directly(DANA, "prod-db", EMAIL, timedelta(minutes=5), "why", "root")


@pytest.mark.parametrize(("flow", "at_once"), [(FREE, False), (FREE_BY_NAME, True)])
async def test_a_flow_that_asks_nobody_must_name_it(world: World, flow: str, at_once: bool) -> None:
    world.flows = (flow,)
    assert world.office.flows.reload()
    request = await world.ask(scope=EMAIL, minutes=10)
    assert (request.state is RequestState.APPROVED) is at_once
    assert request.flow == ("free" if at_once else "default")


async def test_a_flow_of_its_own(world: World) -> None:
    world.flows = (TWO,)
    assert world.office.flows.reload()
    request = await world.ask(scope=EMAIL, minutes=10)
    assert request.flow == "two"
    assert (await world.approve(request)).state is RequestState.PENDING
    assert (await world.ask(scope=Read())).flow == "default"
