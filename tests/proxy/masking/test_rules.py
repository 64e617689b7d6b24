from __future__ import annotations

import pytest

from access.masking import ColumnRule, Strategy
from proxy.masking.rules import Rules


def matches(pattern: str, column: str) -> bool:
    return Rules([ColumnRule(pattern, "x")]).of(column) is not None


@pytest.mark.parametrize(
    ("pattern", "column"),
    [
        ("public.customers.email", "public.customers.email"),
        ("customers.email", "public.customers.email"),
        ("email", "public.customers.email"),
        ("*email*", "public.customers.work_email_2"),
        ("customers.*", "public.customers.id"),
        ("*.customers.*", "crm.customers.id"),
        ("crm.*.*", "crm.customers.id"),
        ("CUSTOMERS.Email", "public.Customers.EMAIL"),
        ("customers.e?ail", "public.customers.email"),
        ("email", "public.a.b.email"),
        ("public.*.email", "public.odd.name.email"),
        ("customers.phone (work)", "public.customers.phone (work)"),
    ],
)
def test_matches(pattern: str, column: str) -> None:
    assert matches(pattern, column)


@pytest.mark.parametrize(
    ("pattern", "column"),
    [
        ("customers.email", "public.old_customers.email"),
        ("email", "public.customers.email_sent"),
        ("customers.*", "customers.orders.id"),
        ("public.customers.email", "crm.customers.email"),
        ("customers.e.ail", "public.customers.email"),
        ("customers.[e]mail", "public.customers.email"),
        ("customers", "public.customers.email"),
    ],
)
def test_does_not_match(pattern: str, column: str) -> None:
    assert not matches(pattern, column)


def test_the_first_rule_decides_so_exceptions_come_first() -> None:
    rules = Rules([ColumnRule("customers.id", "", Strategy.KEEP), ColumnRule("customers.*", "person", Strategy.NULL)])
    assert rules.kept(["public.customers.id"])
    assert not rules.kept(["public.customers.id", "public.customers.name"])
    assert not rules.kept([])
    assert rules.protecting_rules(["public.customers.id"]) == []
    (rule,) = rules.protecting_rules(["public.customers.id", "public.customers.name", "public.customers.email"])
    assert rule.strategy is Strategy.NULL


def test_rules_come_in_the_owners_order() -> None:
    first, second = ColumnRule("a", "a"), ColumnRule("b", "b")
    assert Rules([first, second]).protecting_rules(["s.t.b", "s.t.a"]) == [first, second]


def test_statistics_are_protected_as_soon_as_anything_is() -> None:
    statistics = "pg_catalog.pg_statistic.stavalues1"
    assert Rules([ColumnRule("x", "x")]).protecting_rules([statistics])
    assert not Rules([]).protecting_rules([statistics])
    keep = Rules([ColumnRule("x", "x", Strategy.KEEP)])
    assert not keep.protecting
    assert not keep.protecting_rules([statistics])
