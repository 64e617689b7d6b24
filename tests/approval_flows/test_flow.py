"""Who counts, and the arithmetic of limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.actors import PersonId
from access.errors import Denied, Invalid
from access.ids import GrantId, RequestId
from access.requests import AccessRequest, Ask, Choice, Grant, RequestState, Review
from access.scopes import Read
from approval_flows import flow
from approval_flows.flow import Limits
from identity.directory import StaticDirectory
from tests.fakes.world import ANN, DANA_SELF, EVERYBODY, GROUPS, IAN, PROD

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
    assert "the gateway's operator" in flow.nobody(DIRECTORY, replace(PROD, owners=()), "why").hint
    assert "for prod-db: why" in str(flow.nobody(DIRECTORY, PROD, "why"))


def test_an_unlikely_name_is_cut_in_the_message() -> None:
    found = flow.find_resource({}, "x" * 10_000)
    assert isinstance(found, Invalid)
    assert len(str(found)) < 200


def test_a_person_is_who_the_directory_says() -> None:
    assert flow.active_person(DIRECTORY, ANN.id) == DIRECTORY.person(ANN.id)
    assert isinstance(flow.active_person(DIRECTORY, IAN.id), Denied)
