"""Who counts, and the arithmetic of limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.actors import Actor, PersonId
from access.errors import Denied, Invalid
from access.ids import GrantId, RequestId
from access.requests import AccessRequest, Ask, Choice, Grant, RequestState, Review
from access.scopes import Read
from approval_flows import flow
from approval_flows.flow import Limits
from identity.directory import StaticDirectory
from tests.fakes.world import ANN, BOB, DANA, DANA_SELF, EVERYBODY, GROUPS, IAN, PROD

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DIRECTORY = StaticDirectory(EVERYBODY, GROUPS)
PEOPLE = st.sampled_from([person.id for person in EVERYBODY])
REQUEST = AccessRequest(
    id=RequestId("req_00000000"),
    actor=DANA_SELF,
    resource="prod-db",
    ask=Ask.ACCESS,
    scope=Read(),
    duration=timedelta(hours=1),
    reason="x",
    created_at=NOW,
    expires_at=NOW + timedelta(hours=2),
    groups=("dba",),
)
GRANT = Grant(
    GrantId("grt_0000000000"), REQUEST.id, DANA_SELF, "prod-db", Read(), NOW, NOW + timedelta(hours=1), (ANN.id,)
)


def vote(person: PersonId, choice: Choice = Choice.APPROVE) -> Review:
    return Review(REQUEST.id, 1, person, choice, "", NOW)


def test_deciders_are_distinct_active_people_without_the_actor() -> None:
    assert set(flow.deciders(DIRECTORY, ("dba", "oncall", "dba", "nothing"), DANA_SELF)) == {ANN.id, BOB.id}
    assert set(flow.deciders(DIRECTORY, ("dba",), Actor(ANN.id))) == {BOB.id}
    assert flow.deciders(DIRECTORY, (), DANA_SELF) == {}


@given(st.lists(st.sampled_from([*GROUPS, "nothing"])), PEOPLE)
def test_nobody_ever_decides_for_themselves_or_after_leaving(groups: list[str], asker: PersonId) -> None:
    found = flow.deciders(DIRECTORY, groups, Actor(asker))
    assert asker not in found
    assert IAN.id not in found
    assert all(person.active for person in found.values())


@pytest.mark.parametrize(
    ("votes", "need", "enough"),
    [
        ([], 1, False),
        ([vote(ANN.id)], 1, True),
        ([vote(ANN.id, Choice.DENY)], 1, False),
        ([vote(ANN.id), vote(ANN.id)], 2, False),
        ([vote(ANN.id), vote(BOB.id)], 2, True),
        ([vote(ANN.id), vote(BOB.id)], 1, True),
        ([vote(DANA.id)], 1, False),
        ([], 0, False),
        ([], -1, False),
    ],
)
def test_enough_distinct_eligible_people(votes: list[Review], need: int, enough: bool) -> None:
    assert flow.satisfied(votes, need, {ANN.id, BOB.id}) is enough


@given(st.lists(st.builds(vote, PEOPLE, st.sampled_from(Choice))), st.integers(-2, 5), st.frozensets(PEOPLE))
def test_more_votes_never_undo_an_approval(votes: list[Review], need: int, eligible: frozenset[PersonId]) -> None:
    if flow.satisfied(votes, need, eligible):
        assert flow.satisfied([*votes, vote(ANN.id)], need, eligible)
    assert not flow.satisfied(votes, max(need, len(eligible) + 1), eligible)


@pytest.mark.parametrize(
    ("asked", "given"),
    [(None, "1h"), (timedelta(minutes=1), "1m"), (timedelta(hours=8), "8h"), (timedelta(microseconds=1), "0s")],
)
def test_durations_that_are_fine(asked: timedelta | None, given: str) -> None:
    wanted = flow.check_duration(PROD, asked)
    assert isinstance(wanted, timedelta)
    assert flow.shown_duration(wanted) == given


@pytest.mark.parametrize(
    "asked", [timedelta(0), timedelta(seconds=-1), timedelta(hours=8, microseconds=1), timedelta.max]
)
def test_durations_that_are_not(asked: timedelta) -> None:
    assert isinstance(flow.check_duration(PROD, asked), Invalid)


@pytest.mark.parametrize(
    ("duration", "shown"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=90), "1m 30s"),
        (timedelta(hours=1, minutes=30), "1h 30m"),
        (timedelta(days=2, hours=1), "2d 1h"),
        (timedelta(minutes=-5), "-5m"),
    ],
)
def test_durations_as_people_write_them(duration: timedelta, shown: str) -> None:
    assert flow.shown_duration(duration) == shown


@given(st.integers(0, 600), st.integers(1, 600), st.integers(1, 600), st.booleans(), st.integers(1, 480))
def test_an_extension_never_shortens_and_never_passes_the_cap(
    later: int, length: int, asked: int, extension: bool, most: int
) -> None:
    resource = replace(PROD, max_duration=timedelta(minutes=most))
    grant = replace(GRANT, expires_at=NOW + timedelta(minutes=min(length, most)))
    request = replace(REQUEST, duration=timedelta(minutes=asked), parent=GRANT.request if extension else None)
    end = flow.extended_end(grant, request, resource, NOW + timedelta(minutes=later))
    assert grant.expires_at <= end <= max(grant.expires_at, flow.latest_end(grant, resource))


def test_what_waits_is_pending_and_in_time() -> None:
    assert flow.waits(REQUEST, NOW)
    assert not flow.waits(REQUEST, REQUEST.expires_at)
    assert not flow.waits(replace(REQUEST, state=RequestState.APPROVED), NOW)


def test_expired_requests_do_not_count_towards_the_burst() -> None:
    pending = [REQUEST] * 3
    assert flow.check_pending(pending, NOW, Limits(pending_per_person=3)) is not None
    assert flow.check_pending(pending, NOW, Limits(pending_per_person=4)) is None
    assert flow.check_pending(pending, REQUEST.expires_at, Limits(pending_per_person=3)) is None


def test_nobody_says_whom_to_ask() -> None:
    assert "the gateway's operator" in flow.nobody(DIRECTORY, replace(PROD, owners=()), ()).hint
    assert "no approver group is set" in str(flow.nobody(DIRECTORY, PROD, ()))


def test_an_unlikely_name_is_cut_in_the_message() -> None:
    found = flow.find_resource({}, "x" * 10_000)
    assert isinstance(found, Invalid)
    assert len(str(found)) < 200


def test_a_person_is_who_the_directory_says() -> None:
    assert flow.active_person(DIRECTORY, ANN.id) == DIRECTORY.person(ANN.id)
    assert isinstance(flow.active_person(DIRECTORY, IAN.id), Denied)
