"""An approval that gives less than was asked for, and never more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.errors import Denied, Invalid
from access.ports import Narrowed
from access.requests import AccessRequest, Choice, RequestState
from access.resources import Protocol
from access.scopes import Admin, Once, Read, Scope, Write
from access.statements import Digest
from tests.fakes.world import ANN, BOB, DANA, EVE, PLACE, PROD, World, two_people

ORDERS = ("public.orders",)
MINUTES = timedelta(minutes=1)


async def approve(world: World, request: AccessRequest, by: Any = ANN.id, **less: Any) -> AccessRequest:
    narrowed = Narrowed(**less)
    return await world.desk.review(request.id, request.revision, by, Choice.APPROVE, "", narrowed)


async def test_shorter_and_less(world: World) -> None:
    request = await world.ask(minutes=60, scope=Write())
    approved = await approve(world, request, duration=15 * MINUTES, scope=Read())
    assert (approved.duration, approved.scope) == (15 * MINUTES, Read())
    (grant,) = await world.grants()
    assert (grant.expires_at - grant.starts_at, grant.scope) == (15 * MINUTES, Read())
    (event,) = await world.events("review.given")
    assert event.payload is not None
    assert event.payload["narrowed"] == "read for 15m instead of write for 1h"


async def test_what_was_asked_for_is_not_less(world: World) -> None:
    request = await world.ask(minutes=60, scope=Write())
    await approve(world, request, duration=60 * MINUTES, scope=Write())
    (event,) = await world.events("review.given")
    assert event.payload is not None
    assert event.payload["narrowed"] == ""


@pytest.mark.parametrize(
    ("duration", "scope"),
    [
        (61 * MINUTES, None),
        (60 * MINUTES + timedelta(microseconds=1), None),
        (timedelta(0), None),
        (-MINUTES, None),
        (timedelta.max, None),
        (None, Write()),
        (None, Admin()),
        (None, Once(Digest("d" * 64))),
        (15 * MINUTES, Write()),
    ],
)
async def test_nothing_wider(world: World, duration: timedelta | None, scope: Scope | None) -> None:
    request = await world.ask(minutes=60)
    with pytest.raises(Invalid):
        await approve(world, request, duration=duration, scope=scope)
    assert await world.request(request.id) == request
    assert "review.given" not in await world.kinds()
    assert (await world.approve(request)).state is RequestState.APPROVED, "no vote was lost"


async def test_a_denial_narrows_nothing(world: World) -> None:
    request = await world.ask()
    with pytest.raises(Invalid, match="Only an approval of access"):
        await world.desk.review(request.id, 1, ANN.id, Choice.DENY, "", Narrowed(15 * MINUTES))
    assert (await world.request(request.id)).state is RequestState.PENDING


async def test_a_statement_has_no_length_to_narrow(world: World) -> None:
    await world.access()
    request = await world.hold(await world.session())
    with pytest.raises(Invalid):
        await approve(world, request, duration=timedelta(seconds=1))


async def test_who_may_not_approve_narrows_nothing(world: World) -> None:
    request = await world.ask(minutes=60)
    for person in (DANA, EVE):
        with pytest.raises(Denied):
            await approve(world, request, by=person.id, duration=MINUTES)
    assert await world.request(request.id) == request


async def test_each_of_two_narrows_and_nobody_widens_again(world: World) -> None:
    world.flows = (two_people(),)
    world.office.flows.reload()
    request = await world.ask(minutes=60, scope=Write())
    assert (await approve(world, request, duration=30 * MINUTES)).state is RequestState.PENDING
    with pytest.raises(Invalid, match="at most what was asked for: 30m"):
        await approve(world, request, by=BOB.id, duration=45 * MINUTES)
    approved = await approve(world, request, by=BOB.id, scope=Read())
    assert (approved.state, approved.duration, approved.scope) == (RequestState.APPROVED, 30 * MINUTES, Read())


async def test_an_extension_may_be_shorter_but_of_no_other_scope(world: World) -> None:
    grant = await world.access(minutes=60, scope=Write())
    asked = await world.desk.ask_extension(grant.id, DANA.id, 60 * MINUTES, "more", PLACE)
    with pytest.raises(Invalid, match="scope that the access has"):
        await approve(world, asked.request, scope=Read())
    await approve(world, asked.request, duration=10 * MINUTES)
    assert (await world.grant(grant.id)).expires_at == grant.expires_at + 10 * MINUTES


async def test_a_narrowed_flow_is_the_flow_it_was_filed_under(world: World) -> None:
    """Write wants two people; narrowing it to read does not make one enough."""
    world.flows = (two_people().replace("name: several", "name: several\nwhen: {scopes: [write]}"),)
    world.office.flows.reload()
    request = await world.ask(scope=Write())
    assert (await approve(world, request, scope=Read())).state is RequestState.PENDING
    assert await world.grants() == []


@pytest.mark.parametrize(
    ("asked", "less", "given"),
    [
        (Write(), {"tables": ORDERS}, Write(ORDERS)),
        (Write(), {"tables": ORDERS, "scope": Read()}, Read(ORDERS)),
        (Admin(), {"tables": ORDERS, "scope": Write()}, Write(ORDERS)),
        (Read(("public.customers", *ORDERS)), {"tables": ORDERS}, Read(ORDERS)),
        # a limit that was asked for stays, whatever else is made less
        (Write(ORDERS), {"scope": Read()}, Read(ORDERS)),
        (Write(ORDERS), {"duration": 15 * MINUTES}, Write(ORDERS)),
    ],
)
async def test_only_some_tables(world: World, asked: Scope, less: dict[str, Any], given: Scope) -> None:
    await approve(world, await world.ask(minutes=60, scope=asked), **less)
    (grant,) = await world.grants()
    assert grant.scope == given
    (issued,) = await world.events("grant.issued")
    assert (issued.payload or {})["scope"]["tables"] == "public.orders"


@pytest.mark.parametrize(
    ("asked", "less", "why"),
    [
        (Admin(), {"tables": ORDERS}, "Only read and write"),
        (Read(ORDERS), {"tables": ("public.customers",)}, "not public.customers"),
        (Read(ORDERS), {"tables": ("public.customers", *ORDERS)}, "not public.customers"),
        (Read(ORDERS), {"scope": Write(), "tables": ORDERS}, "at most what was asked for: read"),
    ],
)
async def test_other_tables_are_not_less(world: World, asked: Scope, less: dict[str, Any], why: str) -> None:
    request = await world.ask(minutes=60, scope=asked)
    with pytest.raises(Invalid, match=why):
        await approve(world, request, **less)
    assert await world.grants() == []
    assert (await world.request(request.id)).state is RequestState.PENDING


async def test_a_server_has_no_tables(world: World) -> None:
    world.resources["prod-db"] = replace(PROD, protocol=Protocol.SSH)
    with pytest.raises(Invalid, match="no tables"):
        await approve(world, await world.ask(scope=Write()), tables=ORDERS)
    with pytest.raises(Invalid, match="no tables"):
        await world.ask(scope=Read(ORDERS))


async def test_two_people_who_limit_it_differently_give_what_both_gave(world: World) -> None:
    world.flows = (two_people(),)
    assert world.office.flows.reload()
    request = await world.ask(scope=Write())
    await approve(world, request, tables=("public.items", *ORDERS))
    await approve(world, await world.request(request.id), by=BOB.id, scope=Read())
    (grant,) = await world.grants()
    assert grant.scope == Read(("public.items", *ORDERS))
