"""A freeze: one person stops everything, two let it go on; at the desk, in the book and for live sessions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from access.errors import Conflict, Denied, HoopError, Invalid
from access.ids import SessionId
from access.orders import Freeze
from access.policy import Action, Policy, decide
from access.requests import Choice, RequestState
from access.scopes import Write
from access.statements import Effect, Statement
from approval_flows.book import GrantBook
from approval_flows.desk import Desk
from approval_flows.freezing import waiting_for
from tests.approval_flows.test_break_glass import broken, glass
from tests.fakes.world import ANN, BOB, DANA, DANA_SELF, EVE, IAN, OLGA, PLACE, PROD, SAM, World, evidence_of

WHY = "Restoring from backup"
READ = Statement("postgres", "", frozenset({Effect.READ}), ("SELECT",))


async def freeze(world: World, *, cut: bool = False) -> None:
    await world.desk.freeze("prod-db", OLGA.id, WHY, cut=cut)


async def test_nothing_runs_under_what_was_granted(world: World) -> None:
    await world.access(scope=Write())
    book = GrantBook(world.store, world.directory, world.clock)
    await book.refresh()
    woken: list[int] = []
    book.subscribe(lambda: woken.append(1))
    session = await world.session()

    def verdict() -> tuple[Action, str]:
        grants = book.of(DANA_SELF, "prod-db", session=session, only=None)
        found = decide(Policy(), grants, DANA, PROD, READ, None, world.clock.now())
        return found.action, found.message

    assert verdict()[0] is Action.ALLOW
    await freeze(world)
    await book.refresh()
    assert woken
    assert verdict() == (Action.DENY, f"prod-db is frozen by Olga since 2026-03-02 09:30 UTC: {WHY}")
    await world.desk.lift("prod-db", OLGA.id)
    await world.desk.lift("prod-db", SAM.id)
    await book.refresh()
    assert verdict()[0] is Action.ALLOW


async def test_nothing_is_filed_approved_extended_or_used(world: World) -> None:
    session, once = await world.held_and_approved()
    waiting = await world.ask(scope=Write())
    grant = (await world.grants())[-1]
    await freeze(world)
    tries = [
        world.ask(minutes=200),
        world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(), "x", "", PLACE),
        world.hold(session),
        world.approve(waiting),
        world.desk.consume(once.id, session, once.scope.digest),  # type: ignore[union-attr]
        world.desk.grant_directly(EVE, "prod-db", Write(), grant.expires_at - grant.starts_at, "x", "root"),
        world.desk.extend(grant.id, ANN.id, grant.expires_at - grant.starts_at),
    ]
    for one in tries:
        with pytest.raises(Denied, match="is frozen by Olga") as refused:
            await one
        assert refused.value.rule == "frozen"
    assert (await world.request(waiting.id)).state is RequestState.PENDING


async def test_a_no_and_giving_back_are_always_possible(world: World) -> None:
    grant = await world.access()
    waiting = await world.ask(scope=Write())
    await freeze(world)
    assert (await world.desk.review(waiting.id, 1, ANN.id, Choice.DENY, "not now")).state is RequestState.DENIED
    assert (await world.desk.done(grant.id, DANA.id)).ended_at is not None


async def test_break_glass_does_not_break_a_freeze(world: World) -> None:
    glass(world)
    await freeze(world)
    with pytest.raises(Denied, match="is frozen"):
        await broken(world)


async def test_sessions_stay_or_end_and_hear_why(world: World) -> None:
    stays = await world.session()
    await freeze(world)
    row = await world.store.read(lambda tx: tx.session(stays))
    assert row is not None
    assert row.kill_at is None
    for who in (OLGA, SAM):
        await world.desk.lift("prod-db", who.id)
    await freeze(world, cut=True)
    row = await world.store.read(lambda tx: tx.session(stays))
    assert row is not None
    assert WHY in row.kill_why


async def test_a_shell_is_ended_in_any_case(world: World) -> None:
    """Nothing judges what is typed into it, so nothing else would stop it."""
    stays = await world.session()
    (row,) = await world.store.read(lambda tx: tx.sessions())
    shell = replace(row, id=SessionId("ses_99"), protocol="ssh")
    await world.store.transact(lambda tx: tx.insert_session(shell))
    await freeze(world)
    ended = await world.store.read(lambda tx: [one.id for one in tx.sessions() if one.kill_at is not None])
    assert (ended, stays) == ([shell.id], row.id)


@pytest.mark.parametrize("who", [DANA, EVE, IAN])
async def test_not_by_anybody(world: World, who: object) -> None:
    with pytest.raises(Denied):
        await world.desk.freeze("prod-db", who.id, WHY, cut=False)  # type: ignore[attr-defined]
    await freeze(world)
    with pytest.raises(Denied):
        await world.desk.lift("prod-db", who.id)  # type: ignore[attr-defined]
    assert (await world.kinds()).count("order.refused") == 2


async def test_two_different_people_lift_it(world: World) -> None:
    await freeze(world)
    assert await world.desk.lift("prod-db", OLGA.id) is not None
    with pytest.raises(Conflict, match="second person"):
        await world.desk.lift("prod-db", OLGA.id)
    assert await world.desk.lift("prod-db", ANN.id) is None
    thawed = (await world.events("resource.thawed"))[0]
    assert (thawed.payload or {})["by"] == [OLGA.id, ANN.id]
    with pytest.raises(Conflict, match="not frozen"):
        await world.desk.lift("prod-db", ANN.id)


async def test_whoever_left_after_asking_does_not_count_alone(world: World) -> None:
    """The first yes was given by somebody entitled then; the second must be entitled now."""
    await freeze(world)
    await world.desk.lift("prod-db", BOB.id)
    world.remove_from_group("owners", OLGA)
    with pytest.raises(Denied):
        await world.desk.lift("prod-db", OLGA.id)


async def test_who_asked_to_lift_it_and_left_does_not_count_when_another_does(world: World) -> None:
    await freeze(world)
    await world.desk.lift("prod-db", BOB.id)
    world.remove_from_group("dba", BOB)
    assert await world.desk.lift("prod-db", SAM.id) is not None
    assert await world.desk.lift("prod-db", ANN.id) is None


async def test_whoever_confirms_it_does_not_let_it_be_lifted_by_one_more(world: World) -> None:
    await freeze(world)
    assert await world.desk.lift("prod-db", BOB.id) is not None
    await world.desk.confirm_freeze("prod-db", SAM.id)
    assert await world.desk.lift("prod-db", ANN.id) is not None
    assert await world.desk.lift("prod-db", BOB.id) is None


async def test_it_begins_at_once_and_a_second_person_confirms_it(world: World) -> None:
    await freeze(world)
    (begun,) = await world.events("resource.frozen")
    assert begun.payload is not None
    assert begun.payload["told"] == [SAM.id]
    assert begun.payload["confirm_by"] == "2026-03-02T09:45:00+00:00"
    confirmed = await world.desk.confirm_freeze("prod-db", ANN.id)
    assert (confirmed.confirmed_by, confirmed.alone) == (ANN.id, False)
    with pytest.raises(Conflict, match="frozen already"):
        await world.desk.confirm_freeze("prod-db", SAM.id)
    world.clock.advance(3600)
    await world.desk.tick()
    assert not await world.events("freeze.unconfirmed")


async def test_freezing_it_as_well_confirms_it(world: World) -> None:
    await freeze(world)
    (also,) = await world.desk.freeze("prod-db", SAM.id, "the same", cut=True)
    assert (also.by, also.why, also.confirmed_by) == (OLGA.id, WHY, SAM.id)
    assert (await world.kinds()).count("resource.frozen") == 1


@pytest.mark.parametrize("who", [OLGA, DANA, EVE, IAN])
async def test_nobody_confirms_their_own_or_what_is_not_theirs(world: World, who: object) -> None:
    await freeze(world)
    with pytest.raises((Denied, Conflict)):
        await world.desk.confirm_freeze("prod-db", who.id)  # type: ignore[attr-defined]
    assert not await world.events("freeze.confirmed")


async def waits_for(world: World, who: object) -> list[str]:
    """Whose freeze of what waits for this person's word."""
    office, person = world.office, who.id  # type: ignore[attr-defined]
    resources, security = office.resources, office.limits.security_group
    found = await world.store.read(lambda tx: waiting_for(tx, office.directory, resources, security, person))
    return [one.resource for one in found]


async def test_an_unconfirmed_one_waits_for_everybody_who_may_confirm_it(world: World) -> None:
    await freeze(world)
    for who in (ANN, BOB, SAM):
        assert await waits_for(world, who) == ["prod-db"]
    for who in (OLGA, DANA, EVE, IAN):
        assert await waits_for(world, who) == []
    world.remove_from_group("dba", BOB)
    assert await waits_for(world, BOB) == []
    world.clock.advance(3600)
    await world.desk.tick()
    assert await waits_for(world, ANN) == ["prod-db"], "late is not confirmed"
    await world.desk.confirm_freeze("prod-db", ANN.id)
    assert await waits_for(world, SAM) == []


async def test_one_that_was_lifted_or_whose_resource_is_gone_waits_for_nobody(world: World) -> None:
    await freeze(world)
    kept = world.resources.pop("prod-db")
    assert await waits_for(world, SAM) == []
    world.resources["prod-db"] = kept
    for who in (OLGA, ANN):
        await world.desk.lift("prod-db", who.id)
    assert await waits_for(world, SAM) == []


async def test_nothing_is_confirmed_where_nothing_is_frozen(world: World) -> None:
    with pytest.raises(Conflict, match="not frozen"):
        await world.desk.confirm_freeze("prod-db", SAM.id)


async def test_nobody_confirming_in_time_calls_everybody_once_and_it_stays(world: World) -> None:
    await freeze(world)
    world.clock.advance(15 * 60 - 1)
    await world.desk.tick()
    assert not await world.events("freeze.unconfirmed")
    world.clock.advance(1)
    for _ in range(3):
        await world.desk.tick()
    (late,) = await world.events("freeze.unconfirmed")
    assert (late.payload or {})["told"] == sorted([ANN.id, BOB.id, SAM.id])
    with pytest.raises(Denied, match="is frozen"):
        await world.ask()
    await world.desk.confirm_freeze("prod-db", BOB.id)
    assert len(await world.events("freeze.confirmed")) == 1


async def test_where_nobody_else_could_confirm_nobody_is_asked(world: World) -> None:
    world.resources["lonely"] = replace(PROD, name="lonely", owners=("owners",), approvers=("owners",))
    world.remove_from_group("security", SAM)
    (alone,) = await world.desk.freeze("lonely", OLGA.id, WHY, cut=False)
    assert not alone.alone


async def test_an_owner_may_want_no_second_person(world: World) -> None:
    office = replace(world.office, limits=replace(world.office.limits, freeze_confirmed=timedelta(0)))
    desk = Desk(world.store, office, world.clock)
    (begun,) = await desk.freeze("prod-db", OLGA.id, WHY, cut=False)
    assert not begun.alone
    world.clock.advance(86_400)
    await desk.tick()
    assert not await world.events("freeze.unconfirmed")


async def test_a_freeze_of_an_older_release_is_read() -> None:
    old = {"resource": "prod-db", "by": OLGA.id, "why": WHY, "at": "2026-03-02T09:30:00+00:00", "lift_by": None}
    read = Freeze.from_json(old)
    assert not read.alone
    assert Freeze.from_json(read.to_json()) == read


async def test_twenty_lifting_at_once_lift_it_once(world: World) -> None:
    await freeze(world)
    answers = await asyncio.gather(
        *(world.desk.lift("prod-db", one.id) for one in (OLGA, SAM, ANN, BOB) * 5), return_exceptions=True
    )
    assert len([one for one in answers if one is None]) == 1
    assert len([one for one in answers if isinstance(one, HoopError)]) == 18
    assert (await world.kinds()).count("resource.thawed") == 1


async def test_everything_at_once_freezes_what_one_may_freeze(world: World) -> None:
    world.resources["other"] = replace(PROD, name="other", owners=(), approvers=("oncall",))
    assert [one.resource for one in await world.desk.freeze("*", ANN.id, WHY, cut=False)] == ["prod-db"]
    assert [one.resource for one in await world.desk.freeze("*", SAM.id, WHY, cut=False)] == ["other"]
    with pytest.raises(Invalid, match="one resource at a time"):
        await world.desk.lift("*", SAM.id)


async def test_a_reason_is_wanted_and_the_same_again_is_told(world: World) -> None:
    with pytest.raises(Invalid, match="why"):
        await world.desk.freeze("prod-db", OLGA.id, "  ", cut=False)
    await freeze(world)
    with pytest.raises(Conflict, match="You froze prod-db yourself; another person confirms it") as refused:
        await freeze(world)
    assert "Sam" in refused.value.hint
    await world.desk.confirm_freeze("prod-db", SAM.id)
    with pytest.raises(Conflict, match="frozen already"):
        await freeze(world)
    with pytest.raises(Invalid):
        await world.desk.freeze("prod-bd", OLGA.id, WHY, cut=False)
