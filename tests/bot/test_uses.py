"""A card that waits says how often the very same was approved and run before."""

from __future__ import annotations

import pytest

from access.masking import Masked
from access.policy import Policy
from access.requests import AccessRequest, GrantState
from access.statements import Digest
from bot.cards import plain
from bot.cases import World as Cards
from bot.cases import case_of
from bot.links import Links
from bot.views.requests import request_card
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import DELETE, OTHER, PROD, World


@pytest.fixture
async def world(clock: ManualClock) -> World:
    made = World(MemoryStore(clock), clock)
    await made.access()
    return made


async def ask(world: World, digest: Digest = DELETE) -> AccessRequest:
    """A statement held in a session of Dana's."""
    return await world.hold(await world.session(), digest=digest)


async def run(world: World, request: AccessRequest, outcome: str) -> None:
    await world.approve(request)
    (grant,) = await world.grants(request.id)
    assert request.evidence is not None
    assert request.session is not None
    await world.desk.consume(grant.id, request.session, request.evidence.digest)
    await world.desk.outcome(grant.id, outcome, Masked("DELETE 1"))
    world.clock.advance(60)


async def notes(world: World, request: AccessRequest) -> str:
    cards = Cards(world.directory, {PROD.name: PROD}, Policy(), Links(""), world.desk)
    case = await world.store.read(lambda tx: case_of(tx, cards, request.id))
    assert case is not None
    return " ".join(plain(note) for note in request_card(case).notes)


async def test_the_same_is_counted_and_the_last_one_told(world: World) -> None:
    first = await ask(world)
    assert "before" not in await notes(world, first)
    await run(world, first, "succeeded")
    assert "before" not in await notes(world, first)  # decided: nothing to weigh any more
    second = await ask(world)
    assert "The same ran here once before, last for Dana at" in await notes(world, second)
    assert "it succeeded." in await notes(world, second)
    await run(world, second, "failed")
    third = await notes(world, await ask(world))
    assert "The same ran here 2 times before" in third
    assert "it failed." in third


async def test_another_digest_or_one_that_never_ran_is_not_counted(world: World) -> None:
    await run(world, await ask(world, OTHER), "succeeded")
    await world.approve(await ask(world))
    assert "before" not in await notes(world, await ask(world))


async def test_what_nobody_knows_the_end_of_says_so(world: World) -> None:
    request = await ask(world)
    await run(world, request, "unknown")
    assert (await world.grants(request.id))[0].state is GrantState.UNKNOWN
    assert "its outcome is unknown." in await notes(world, await ask(world))
