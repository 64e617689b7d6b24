"""Votes and places: people are counted, each once, and nobody's vote is in somebody's way."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.actors import PersonId
from approval_flows.model import Escalation, Flow, Sources, Stage
from approval_flows.stages import Course, Step, course
from identity.directory import StaticDirectory
from tests.fakes.world import ANN, BOB, DANA, EVERYBODY, GROUPS, IAN, OLGA, PROD, SAM

DIRECTORY = StaticDirectory(EVERYBODY, GROUPS)
A, B, C, D = (PersonId(f"x|{letter}") for letter in "abcd")
PEOPLE = st.sampled_from([A, B, C, D])


def way(*steps: tuple[str, int], distinct: bool = True) -> Course:
    """Steps as ("ab", 2): two of a and b."""
    made = [
        Step(str(index), (frozenset(PersonId(f"x|{letter}") for letter in who),) * need)
        for index, (who, need) in enumerate(steps)
    ]
    return Course(tuple(made), distinct)


@pytest.mark.parametrize(
    ("steps", "votes", "taken", "complete"),
    [
        ([("a", 1)], [], (0,), False),
        ([("a", 1)], [A], (1,), True),
        ([("a", 1)], [B], (0,), False),
        ([("ab", 2)], [A, A], (1,), False),
        ([("ab", 2)], [A, B], (2,), True),
        ([("abc", 2)], [A, B, C], (2,), True),
        ([("ab", 1), ("a", 1)], [A], (1, 0), False),
        ([("ab", 1), ("a", 1)], [A, B], (1, 1), True),
        ([("ab", 1), ("cd", 1)], [C], (0, 1), False),
        ([("ab", 1), ("cd", 1)], [C, A], (1, 1), True),
        ([("", 1)], [A], (0,), False),
        ([("a", 0)], [A], (0,), False),
        ([], [A], (), False),
    ],
)
def test_places(steps: list[tuple[str, int]], votes: list[PersonId], taken: tuple[int, ...], complete: bool) -> None:
    assert way(*steps).taken(votes) == taken
    assert way(*steps).complete(votes) is complete


def test_whoever_can_free_somebody_for_the_current_step_counts() -> None:
    steps = way(("ab", 1), ("a", 1))
    assert steps.open_to([]) == {A, B}
    assert steps.open_to([A]) == {B}, "Ann moves on to the second stage when Bob takes the first"
    assert steps.open_to([B]) == {A}


def test_a_later_stage_waits_for_its_turn() -> None:
    assert way(("a", 1), ("b", 1)).open_to([]) == {A}


def test_where_stages_need_not_be_distinct_one_vote_counts_in_each() -> None:
    assert way(("ab", 1), ("bc", 1), distinct=False).complete([B])
    assert not way(("ab", 1), ("bc", 1)).complete([B])


WAYS = st.lists(st.tuples(st.frozensets(st.sampled_from("abcd")).map("".join), st.integers(1, 3)), max_size=4)


@given(WAYS, st.lists(PEOPLE, max_size=4), PEOPLE)
def test_another_vote_never_undoes_anything(
    steps: list[tuple[str, int]], votes: list[PersonId], more: PersonId
) -> None:
    course_ = way(*steps)
    assert sum(course_.taken([*votes, more])) >= sum(course_.taken(votes))
    assert course_.current([*votes, more]) >= course_.current(votes)


@given(WAYS, st.lists(PEOPLE, unique=True, max_size=4))
def test_the_order_of_votes_does_not_matter(steps: list[tuple[str, int]], votes: list[PersonId]) -> None:
    course_ = way(*steps)
    assert len({course_.taken(order) for order in permutations(votes)}) == 1


@given(WAYS)
def test_what_is_feasible_is_reached_by_those_it_is_open_to(steps: list[tuple[str, int]]) -> None:
    course_, votes = way(*steps), list[PersonId]()
    while open_to := sorted(course_.open_to(votes)):
        votes.append(open_to[0])
    assert course_.complete(votes) is course_.feasible()


@given(WAYS, st.lists(PEOPLE, max_size=4))
def test_never_complete_with_fewer_people_than_places(steps: list[tuple[str, int]], votes: list[PersonId]) -> None:
    course_ = way(*steps)
    if course_.complete(votes):
        assert len(set(votes)) >= sum(need for _, need in steps)


def flow(*stages: Stage, escalate: tuple[Escalation, ...] = ()) -> Flow:
    return Flow("f", stages=stages, escalate=escalate)


def test_people_groups_owners_and_approvers_are_looked_up_now() -> None:
    sources = Sources(people=("sam", "ian", "nobody"), groups=("oncall",), owners=True, approvers=True)
    found = course(flow(Stage("s", sources)), DIRECTORY, PROD, PROD.approvers).people
    assert found == {SAM.id, BOB.id, OLGA.id, ANN.id}
    assert IAN.id not in found, "who left decides nothing, wherever they are still listed"


def test_the_person_who_asks_is_in_no_stage() -> None:
    everywhere = Sources(people=("dana", "ann"), groups=("dba",))
    steps = course(flow(Stage("s", everywhere)), DIRECTORY, PROD, (), asker=ANN.id)
    assert steps.people == {DANA.id, BOB.id}


def test_all_wants_one_person_of_each() -> None:
    steps = course(flow(Stage("s", Sources(groups=("dba", "oncall")), every=True)), DIRECTORY, PROD, ())
    assert not steps.complete([BOB.id]), "Bob is in both groups and is one person"
    assert steps.complete([BOB.id, ANN.id])
    assert steps.open_to([BOB.id]) == {ANN.id}


def test_quiet_people_decide_and_are_not_told() -> None:
    steps = course(flow(Stage("s", Sources(groups=("dba",)), quiet=Sources(groups=("owners",)))), DIRECTORY, PROD, ())
    (step,) = steps.steps
    assert step.told == {ANN.id, BOB.id}
    assert steps.complete([OLGA.id])


def test_an_escalation_adds_people_from_its_time_on() -> None:
    written = flow(
        Stage("s", Sources(groups=("dba",)), need=2),
        escalate=(Escalation(timedelta(minutes=30), Sources(groups=("security",))),),
    )

    def at(minutes: float) -> Course:
        return course(written, DIRECTORY, PROD, (), since=timedelta(minutes=minutes))

    assert SAM.id not in at(29.99).people
    assert at(30).complete([SAM.id, ANN.id])
    assert not at(30).complete([SAM.id]), "an escalation lowers no number"
