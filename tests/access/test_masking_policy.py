"""Rules for some people: what they see, and what may be written down for others to read."""

from __future__ import annotations

import pytest

from access.masking import Audience, ColumnRule, EntityRule, MaskPolicy, Strategy

KEEP, REDACT, NULL = Strategy.KEEP, Strategy.REDACT, Strategy.NULL
SUPPORT, CONTRACTORS = Audience(groups=("support",)), Audience(people=("eve",), groups=("contractors",))

POLICY = MaskPolicy(
    columns=(
        ColumnRule("customers.email", "email", KEEP, SUPPORT),
        ColumnRule("orders.total", "money", NULL, CONTRACTORS),
        ColumnRule("customers.*", "person", REDACT),
    ),
    entities={"ip": KEEP, "email": REDACT},
    entity_rules=(
        EntityRule({"email": KEEP}, SUPPORT),
        EntityRule({"ip": REDACT}, CONTRACTORS),
    ),
)


def shown(policy: MaskPolicy) -> tuple[list[str], dict[str, Strategy]]:
    return [rule.pattern for rule in policy.columns], dict(policy.entities)


@pytest.mark.parametrize(
    ("name", "groups", "agent", "columns", "entities"),
    [
        ("dana", [], False, ["customers.*"], {"ip": KEEP, "email": REDACT}),
        ("dana", ["support"], False, ["customers.email", "customers.*"], {"ip": KEEP, "email": KEEP}),
        ("dana", ["support"], True, ["customers.*"], {"ip": KEEP, "email": REDACT}),
        ("eve", [], False, ["orders.total", "customers.*"], {"ip": REDACT, "email": REDACT}),
        ("eve", ["support"], False, ["customers.email", "orders.total", "customers.*"], {"ip": REDACT, "email": KEEP}),
    ],
)
def test_what_a_person_sees(
    name: str, groups: list[str], agent: bool, columns: list[str], entities: dict[str, Strategy]
) -> None:
    assert shown(POLICY.seen(name, groups, agent=agent)) == (columns, entities)


@pytest.mark.parametrize(
    ("name", "groups", "columns", "ip"),
    [
        ("dana", ["support"], ["customers.*"], KEEP),
        ("eve", ["support"], ["orders.total", "customers.*"], REDACT),
        ("", [], ["orders.total", "customers.*"], REDACT),
    ],
)
def test_what_is_written_down_keeps_nothing_for_some(name: str, groups: list[str], columns: list[str], ip: str) -> None:
    assert shown(POLICY.recorded(name, groups)) == (columns, {"ip": ip, "email": REDACT})


def test_without_such_rules_both_are_the_policy() -> None:
    plain = MaskPolicy(columns=(ColumnRule("a", "e"),), entities={"ip": KEEP})
    assert plain.seen("dana", ["x"]) == plain.recorded("dana", ["x"])
