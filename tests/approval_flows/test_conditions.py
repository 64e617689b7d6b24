"""Conditions and sources beyond groups: risk, on call, the manager of who asks."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from access.errors import Denied
from access.requests import Ask, RequestState
from access.statements import Effect, Flag
from approval_flows.choose import Facts, choose, risk_of
from approval_flows.model import Flow, Risk, When
from approval_flows.parse import parse
from approval_flows.shelf import build
from identity.directory import StaticDirectory
from tests.approval_flows.test_matrix import HOUR
from tests.fakes.clock import START
from tests.fakes.world import ANN, BOB, DANA, EVE, EVERYBODY, GROUPS, PROD, World

FACTS = Facts(DANA, "prod-db", MappingProxyType({}), Ask.ACCESS, "read", HOUR, START)


@pytest.mark.parametrize(
    ("change", "risk"),
    [
        ({}, Risk.LOW),
        ({"scope": "write"}, Risk.MEDIUM),
        ({"scope": "admin"}, Risk.HIGH),
        ({"scope": "unmask"}, Risk.HIGH),
        ({"scope": "interactive"}, Risk.CRITICAL),
        ({"scope": "once"}, Risk.CRITICAL),  # nothing is known of it
        ({"scope": "once", "effects": frozenset({Effect.READ})}, Risk.LOW),
        ({"scope": "once", "effects": frozenset({Effect.READ, Effect.DDL})}, Risk.HIGH),
        ({"scope": "once", "effects": frozenset({Effect.OPAQUE})}, Risk.CRITICAL),
        (
            {"scope": "once", "effects": frozenset({Effect.WRITE}), "flags": frozenset({Flag.UNBOUNDED_WRITE})},
            Risk.HIGH,
        ),
        ({"agent": True}, Risk.MEDIUM),
        ({"agent": True, "effects": frozenset({Effect.DANGER})}, Risk.CRITICAL),
    ],
)
def test_risk_is_what_is_known(change: dict[str, object], risk: Risk) -> None:
    assert risk_of(replace(FACTS, **change)) is risk  # type: ignore[arg-type]


def test_risk_and_duty_are_conditions() -> None:
    risky = Flow("risky", 2, when=When(risk=frozenset({Risk.LOW})))
    duty = Flow("duty", 1, when=When(on_call=("primary",)))
    assert choose([risky, duty], FACTS) is risky
    assert choose([risky, duty], replace(FACTS, scope="write")) is None
    assert choose([risky, duty], replace(FACTS, scope="write", on_call=frozenset({"primary"}))) is duty
    assert choose([duty], replace(FACTS, on_call=frozenset({"secondary"}))) is None


def with_flow(world: World, text: str) -> World:
    world.on_call.now["primary"] = frozenset({BOB.id})
    world.flows = (text,)
    assert world.office.flows.reload(), world.office.flows.problems
    return world


DUTY = "name: duty\npriority: 5\nstages:\n  - {name: primary, any: {on_call: [primary]}}\n"


async def test_whoever_is_on_call_decides_now(world: World) -> None:
    request = await with_flow(world, DUTY).ask()
    with pytest.raises(Denied, match="not an approver"):
        await world.approve(request, ANN)
    world.on_call.now["primary"] = frozenset({ANN.id})
    with pytest.raises(Denied, match="not an approver"):  # told, and off duty when they click
        await world.approve(request, BOB)
    assert (await world.approve(request, ANN)).state is RequestState.APPROVED


async def test_an_on_call_system_that_is_down_is_nobody_and_never_everybody(world: World) -> None:
    with_flow(world, DUTY).on_call.down = True
    with pytest.raises(Denied, match="Nobody could decide"):
        await world.ask()
    world.on_call.down = False
    request = await world.ask()
    world.on_call.down = True
    for person in (ANN, BOB):
        with pytest.raises(Denied):
            await world.approve(request, person)


async def test_an_automatic_flow_for_those_on_duty_asks_when_that_is_not_known(world: World) -> None:
    with_flow(world, "name: firstline\npriority: 5\nautomatic: true\nwhen: {on_call: [primary]}\n")
    world.on_call.now["primary"] = frozenset({DANA.id})
    assert (await world.ask()).state is RequestState.APPROVED
    world.on_call.down = True
    assert (await world.ask(minutes=90)).state is RequestState.PENDING


MANAGER = "name: boss\npriority: 5\nstages:\n  - {name: manager, any: {manager: true}}\n"


async def test_the_manager_of_who_asks_decides(world: World) -> None:
    with_flow(world, MANAGER)
    with pytest.raises(Denied, match="Nobody could decide"):
        await world.ask()
    people = tuple(replace(one, manager=EVE.id) if one.id == DANA.id else one for one in EVERYBODY)
    world.directory.replace(people, GROUPS)
    request = await world.ask()
    with pytest.raises(Denied):
        await world.approve(request, ANN)
    assert (await world.approve(request, EVE)).state is RequestState.APPROVED


async def test_nobody_is_their_own_manager(world: World) -> None:
    with_flow(world, MANAGER)
    people = tuple(replace(one, manager=DANA.id) if one.id == DANA.id else one for one in EVERYBODY)
    world.directory.replace(people, GROUPS)
    with pytest.raises(Denied, match="Nobody could decide"):
        await world.ask()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "name: a\nstages:\n  - {name: s, any: {on_call: [primry]}}\n",
            "x:3: stages.s: there is no on-call schedule primry",
        ),
        ("name: a\nwhen: {on_call: [secondary]}\nautomatic: true\n", "there is no on-call schedule secondary"),
        ("name: a\nwhen: {risk: [huge]}\nautomatic: true\n", "x:2: when.risk: huge is not one of low"),
        ("name: a\nautomatic: true\nwhen: {scopes: [read]}\nstep_up: true\n", "has nobody who clicks"),
    ],
)
def test_what_a_file_may_not_say(text: str, said: str) -> None:
    _, problems = build({"x": text}, StaticDirectory(EVERYBODY, GROUPS), {"prod-db": PROD}, ("primary",))
    assert any(said in str(problem) for problem in problems), problems


GLASS = """name: a
break_glass: {{groups: [dba], {more}}}
stages:
  - {{name: lookout, any: {{groups: [dba]}}}}
max_duration: 1h
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GLASS.format(more="blocks: true"), "needs on_call or roles"),
        (GLASS.format(more="roles: [security]").replace("max_duration: 1h\n", ""), "needs max_duration"),
        (GLASS.format(more="roles: [security]").replace("any:", "need: 2, any:"), "needs one stage of any"),
        (GLASS.format(more="roles: [security]") + "waits: 1h\n", "does not go with break_glass"),
        (GLASS.format(more="roles: [security]") + "automatic: true\n", "does not go with break_glass"),
        (GLASS.format(more="roles: [security]") + "when: {asks: [command]}\n", "does not go with break_glass"),
        (GLASS.format(more="roles: [security], reason_at_least: 3"), "from 10 to 500"),
        (GLASS.replace("groups: [dba], ", "", 1).format(more="roles: [security]"), "nobody may break glass"),
    ],
)
def test_what_break_glass_may_not_say(text: str, said: str) -> None:
    flow, problems = parse("x", text)
    assert flow is None
    assert any(said in str(problem) for problem in problems), problems
