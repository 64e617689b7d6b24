"""Names of people, addresses and organisations: by column, on places and forms that training never saw."""

from __future__ import annotations

from collections import Counter

import pytest

from proxy.masking import names
from tests.proxy.masking.held_out import CHECKED, UNSEEN, columns


def measured(places: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Entity → (precision, recall) over columns."""
    right: Counter[str] = Counter()
    claimed: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for entity, _, values in columns(places, 1):
        opinion = names.column(values)
        found = opinion.entity if opinion else ""
        there[entity] += 1
        claimed[found] += 1
        right[entity] += found == entity
    return {entity: (right[entity] / claimed[entity], right[entity] / there[entity]) for entity in names.CLASSES[1:]}


@pytest.mark.parametrize("places", [CHECKED, UNSEEN])
def test_columns_of_other_places_are_recognised(places: tuple[str, ...]) -> None:
    for entity, (precision, recall) in measured(places).items():
        assert precision >= 0.9, (entity, precision)
        assert recall >= 0.8, (entity, recall)


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["Ada Lovelace"],
        ["1", "2", "3", "4"],
        ["", "  ", "x"],
        ["2026-11-20", "2026-11-21", "2026-11-22"],
        ["2f1c4a", "77ab01", "c0ffee", "deadbe"],
        ["a" * 500, "b" * 500, "c" * 500],
        ["open", "closed", "shipped"],
        ["«masked»", "A**** L****", "G**** H****"],
    ],
)
def test_nothing_is_said_of_what_is_no_name(values: list[str]) -> None:
    assert names.column(values) is None


def test_the_same_values_give_the_same_opinion_in_any_order() -> None:
    people = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov"]
    opinion = names.column(people)
    assert opinion is not None and opinion.entity == "person" and opinion.judged == 5
    assert names.column([*reversed(people), *people]) == opinion


def test_hostile_values_cost_little_and_never_raise() -> None:
    for value in ("\ud800 \x00", "x" * 100_000, " ".join("ab" for _ in range(10_000)), "🦜 🦜", "-", "'"):
        assert abs(sum(names.judge(value[: names.MAX_LENGTH].encode("utf-8", "replace").decode()).values()) - 1) < 1e-9
        names.column([value] * 5)
