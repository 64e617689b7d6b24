"""Votes at the same moment, in one process and in two."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from access.actors import Person
from access.errors import Conflict, HoopError
from access.ports import Tx
from access.requests import AccessRequest, Choice, RequestState
from tests.fakes.store import MemoryStore
from tests.fakes.world import (
    ANN,
    BOB,
    DANA,
    EVERYBODY,
    GROUPS,
    World,
    a_person,
)

# ---------------------------------------------------------------------------------------------- at the same time


def crowd(world: World, size: int) -> list[Person]:
    people = [a_person(f"p{number}") for number in range(size)]
    world.directory.replace((*EVERYBODY, *people), {**GROUPS, "dba": tuple(one.wire_name for one in people)})
    return people


async def test_twenty_approvals_at_once_give_one_grant(world: World) -> None:
    people = crowd(world, 20)
    request = await world.ask()
    answers = await asyncio.gather(*(world.approve(request, by=one) for one in people), return_exceptions=True)
    won = [one for one in answers if isinstance(one, AccessRequest)]
    lost = [one for one in answers if isinstance(one, Conflict)]
    assert (len(won), len(lost)) == (1, 19)
    assert all("already approved by P" in str(one) for one in lost)
    assert len(await world.grants()) == 1
    kinds = await world.kinds()
    assert [kinds.count(kind) for kind in ("request.decided", "grant.issued", "review.refused")] == [1, 1, 19]


async def test_one_person_clicking_twenty_times_is_one_vote(world: World) -> None:
    request = await world.ask()
    answers = await asyncio.gather(*(world.approve(request) for _ in range(20)), return_exceptions=True)
    assert len([one for one in answers if isinstance(one, HoopError)]) == 19
    assert len(await world.grants()) == 1


@pytest.mark.parametrize("first", list(Choice))
async def test_approve_and_deny_at_once_have_one_winner(world: World, first: Choice) -> None:
    request = await world.ask()
    second = Choice.DENY if first is Choice.APPROVE else Choice.APPROVE
    answers = await asyncio.gather(
        world.desk.review(request.id, 1, ANN.id, first),
        world.desk.review(request.id, 1, BOB.id, second),
        return_exceptions=True,
    )
    (won,) = [one for one in answers if isinstance(one, AccessRequest)]
    assert len(await world.grants()) == (1 if won.state is RequestState.APPROVED else 0)
    assert (await world.request(request.id)).state is won.state


async def test_cancel_and_approve_at_once_have_one_winner(world: World) -> None:
    session = await world.session()
    request = await world.hold(session)
    await asyncio.gather(
        world.desk.cancel(request.id, DANA.id, "client left"), world.approve(request), return_exceptions=True
    )
    state = (await world.request(request.id)).state
    assert len(await world.grants()) == (1 if state is RequestState.APPROVED else 0)


async def test_another_process_that_was_first_is_named(raced: tuple[World, MemoryStore]) -> None:
    """The compare-and-swap fails in the middle; the work is done again and tells the loser who won."""
    world, store = raced
    request = await world.ask()

    def rival(tx: Tx) -> None:
        tx.update_request(replace(request, state=RequestState.DENIED, decided_by=BOB.id, decided_at=world.clock.now()))

    store.before_update = rival
    with pytest.raises(Conflict, match="already denied by Bob"):
        await world.approve(request)
    assert await world.grants() == []
    assert "review.given" not in await world.kinds()
