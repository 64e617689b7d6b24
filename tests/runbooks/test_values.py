from __future__ import annotations

import json

import pytest

from runbooks.model import Kind, Known, Parameter
from runbooks.values import Refused, accept, declared_wrong
from tests.runbooks.attacks import ATTACKS, PLAIN
from tests.tables import every

SECRETS = frozenset({"billing/api-token", "prod.db_password:latest"})
PEOPLE = Known(frozenset({"dana", "ann"}), frozenset({"prod-db"}), SECRETS)


def one(kind: Kind, **more: object) -> Parameter:
    options = ("new", "paid") if kind is Kind.ENUM else ()
    return Parameter("x", kind, **{"options": options, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "typed", "canonical"),
    [
        (Kind.TEXT, " O'Brien ", "O'Brien"),
        (Kind.LINES, "one\ntwo", "one\ntwo"),
        (Kind.INTEGER, "0042", "42"),
        (Kind.INTEGER, "-7", "-7"),
        (Kind.DECIMAL, "12.50", "12.50"),
        (Kind.BOOLEAN, "Yes", "true"),
        (Kind.BOOLEAN, "off", "false"),
        (Kind.DATE, "2024-02-29", "2024-02-29"),
        (Kind.TIME, "17:30", "17:30:00"),
        (Kind.DATETIME, "2026-11-20T17:30Z", "2026-11-20T17:30:00+00:00"),
        (Kind.EMAIL, "ada+x@mail.example.com", "ada+x@mail.example.com"),
        (Kind.URL, "https://example.com/a?b=1", "https://example.com/a?b=1"),
        (Kind.ENUM, "paid", "paid"),
        (Kind.TABLE, "public.orders", "public.orders"),
        (Kind.NAME, "orders_idx", "orders_idx"),
        (Kind.PERSON, "dana", "dana"),
        (Kind.RESOURCE, "prod-db", "prod-db"),
        (Kind.SECRET, "billing/api-token", "billing/api-token"),
        (Kind.SECRET, "prod.db_password:latest", "prod.db_password:latest"),
        (Kind.LIST, "a, b", '["a", "b"]'),
    ],
)
def test_a_value_has_one_canonical_form(kind: Kind, typed: str, canonical: str) -> None:
    value = accept(one(kind), typed, PEOPLE)
    assert value == canonical
    again = ", ".join(json.loads(canonical)) if kind is Kind.LIST else canonical
    assert accept(one(kind), again, PEOPLE) == canonical


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        (Kind.INTEGER, "1.0"),
        (Kind.INTEGER, "1_000"),
        (Kind.INTEGER, "9223372036854775808"),
        (Kind.INTEGER, "+1"),
        (Kind.DECIMAL, "NaN"),
        (Kind.DECIMAL, "1e400"),
        (Kind.DECIMAL, ".5"),
        (Kind.BOOLEAN, "maybe"),
        (Kind.DATE, "2026-02-30"),
        (Kind.DATE, "20260230"),
        (Kind.DATE, "2026-W01-1"),
        (Kind.TIME, "25:00"),
        (Kind.DATETIME, "2025-01-02T03:04"),
        (Kind.EMAIL, "ada@localhost"),
        (Kind.EMAIL, "ada@example.com, eve@example.com"),
        (Kind.EMAIL, "'--@example.com"),
        (Kind.URL, "javascript:alert(1)"),
        (Kind.URL, "https://user:secret@example.com"),
        (Kind.URL, "https://"),
        (Kind.URL, "file:///etc/passwd"),
        (Kind.ENUM, "PAID"),
        (Kind.TABLE, "a.b.c"),
        (Kind.TABLE, 'orders"'),
        (Kind.NAME, "public.orders"),
        (Kind.PERSON, "mallory"),
        (Kind.RESOURCE, "web-9"),
        (Kind.SECRET, "hunter 2"),
        (Kind.SECRET, "another/token"),
        (Kind.SECRET, "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
        (Kind.SECRET, "AKIAIOSFODNN7EXAMPLE"),
        (Kind.SECRET, "0123456789abcdef0123456789abcdef"),
        (Kind.SECRET, "Zq8kLw3vNp5tRx7yBm2c"),
        (Kind.SECRET, "eyJhbGciOiJIUzI1NiJ9.e30.x"),
        (Kind.SECRET, "-rf"),
        (Kind.LIST, "a,,b"),
    ],
)
def test_a_value_of_another_shape_is_refused_without_repeating_it(kind: Kind, typed: str) -> None:
    with pytest.raises(Refused) as refused:
        accept(one(kind), typed, PEOPLE)
    assert len(typed) < 9 or typed not in str(refused.value)


FREE = {Kind.TEXT, Kind.LINES, Kind.LIST}


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in FREE])
def test_no_attack_is_a_value_of_a_shaped_kind(kind: Kind) -> None:
    every(ATTACKS, lambda attack: _no_attack_is_a_value(kind, attack))


def _no_attack_is_a_value(kind: Kind, attack: str) -> None:
    if attack in PLAIN and kind in {Kind.TABLE, Kind.NAME, Kind.DECIMAL}:
        return  # a plain word or number; it is quoted or bound, so it is that and nothing else
    with pytest.raises(Refused):
        accept(one(kind), attack, PEOPLE)


@pytest.mark.parametrize(
    "attack", ["nul\x00byte", "bidi\u202ex", "zero\u200bwidth", "soft\u00adhyphen", "sep\u2028x", "cr\rx"]
)
@pytest.mark.parametrize("kind", sorted(FREE))
def test_free_text_has_no_hidden_characters(kind: Kind, attack: str) -> None:
    with pytest.raises(Refused, match="must not contain"):
        accept(one(kind), attack)


def test_only_lines_may_have_line_breaks() -> None:
    with pytest.raises(Refused, match="line breaks"):
        accept(one(Kind.TEXT), "a\nb")


def test_a_pattern_matches_the_whole_value() -> None:
    digits = one(Kind.TEXT, pattern="[0-9]+")
    assert accept(digits, "42") == "42"
    for typed in ("42; DROP", "x42", "42x"):
        with pytest.raises(Refused, match="whole value"):
            accept(digits, typed)


def test_a_pattern_that_is_slow_elsewhere_is_not_here() -> None:
    with pytest.raises(Refused):
        accept(one(Kind.TEXT, pattern="(a+)+", max_length=10_000), "a" * 9_000 + "!")


def test_bounds_lengths_and_options_hold() -> None:
    with pytest.raises(Refused, match="At least 1"):
        accept(one(Kind.INTEGER, minimum="1"), "0")
    with pytest.raises(Refused, match="At most 2026-01-01"):
        accept(one(Kind.DATE, maximum="2026-01-01"), "2026-01-02")
    with pytest.raises(Refused, match="At most 3 characters"):
        accept(one(Kind.TEXT, max_length=3), "abcd")
    with pytest.raises(Refused, match="At least 2 characters"):
        accept(one(Kind.DECIMAL, min_length=2), "7")
    with pytest.raises(Refused, match="one of new, paid"):
        accept(one(Kind.TEXT, options=("new", "paid")), "old")
    with pytest.raises(Refused, match="one of a, b"):
        accept(one(Kind.LIST, options=("a", "b")), "a, c")


def test_required_default_and_left_out() -> None:
    with pytest.raises(Refused, match="who\\?"):
        accept(one(Kind.TEXT, missing="who?"), "  ")
    assert accept(one(Kind.TEXT, required=False), "") is None
    assert accept(one(Kind.TEXT, default="x"), None) == "x"


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        (Parameter("x", Kind.ENUM), "needs its options"),
        (Parameter("x", Kind.TEXT, pattern="("), "not a valid RE2"),
        (Parameter("x", Kind.TEXT, pattern="(?=a)"), "not a valid RE2"),
        (Parameter("x", Kind.TEXT, minimum="1"), "no minimum"),
        (Parameter("x", Kind.INTEGER, minimum="one"), "bound one"),
        (Parameter("x", Kind.INTEGER, default="many"), "default"),
        (Parameter("x", Kind.ENUM, options=("a", "a")), "twice"),
    ],
)
def test_a_declaration_nothing_could_satisfy_does_not_load(parameter: Parameter, wrong: str) -> None:
    assert wrong in declared_wrong(parameter)
