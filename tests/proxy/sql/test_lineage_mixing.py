"""Which comparisons let other data stand for a value: those two items of FROM take part in."""

from __future__ import annotations

import pytest

from access.masking import ColumnRule
from proxy.masking.rules import Rules
from proxy.sql.lineage_mixing import Mix, counted, mixes, stamped

A, B = (1,), (2,)
EMAIL, ID, NONE = ("public.c.email",), ("public.c.id",), ()


@pytest.mark.parametrize(
    ("items", "mixed"),
    [
        ([], []),
        ([(A, EMAIL), (A, ID)], []),
        ([(A, NONE), (B, NONE)], []),
        ([(A, EMAIL), (B, NONE)], [((NONE,), (EMAIL,))]),
        ([(A, EMAIL), (B, ID)], [((EMAIL,), (ID,))]),
        ([(A, EMAIL), (A, ID), (B, EMAIL)], [((EMAIL,), (EMAIL, ID))]),
    ],
)
def test_a_mix_takes_two_items(items: list[tuple[tuple[int, ...], tuple[str, ...]]], mixed: list[Mix]) -> None:
    assert mixes(items) == frozenset(mixed)


def test_a_number_of_rows_is_a_value() -> None:
    assert counted(["public.c.email"]) == {((NONE,), (EMAIL,))}
    assert not counted([])


def test_a_query_that_is_named_twice_is_two_items_and_recursion_ends() -> None:
    inner = stamped(frozenset(), 1, frozenset(EMAIL))
    assert inner == {((1,), EMAIL)}
    one, other = stamped(inner, 7, frozenset()), stamped(inner, 8, frozenset())
    assert mixes(one | other)
    assert stamped(one, 7, frozenset()) == one


@pytest.mark.parametrize(
    ("mix", "told"),
    [
        (((NONE,), (EMAIL,)), True),
        (((NONE,), (ID,)), False),
        (((EMAIL,), (ID,)), True),
        (((EMAIL,), (EMAIL,)), False),
        (((EMAIL,), (EMAIL, ID)), True),
        (((("public.child.email", "public.c.email"),), (EMAIL,)), False),
    ],
)
def test_what_is_protected_on_both_sides_shows_nothing(mix: Mix, told: bool) -> None:
    assert Rules([ColumnRule("c.email", "email")]).told([mix]) is told
    assert not Rules([ColumnRule("c.email", "email")], clear=EMAIL).told([mix])
    assert not Rules([]).told([mix])
