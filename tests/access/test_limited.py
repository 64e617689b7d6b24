"""Access to some tables only: what stays within them, what does not, and that nothing makes it more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.policy import Action, Policy, covers, decide
from access.requests import Grant
from access.scopes import (
    Admin,
    Level,
    Once,
    Read,
    Scope,
    Write,
    limited,
    scope_asked,
    scope_from_json,
    scope_said,
    scope_to_json,
    table_names,
)
from access.statements import Digest, Effect, Flag, Statement
from proxy.session import capped
from tests.access.test_policy import DANA, DB, NOW, a_grant, a_statement

ORDERS = ("public.orders",)
R, W = Effect.READ, Effect.WRITE
ALLOW, HOLD, DENY = Action.ALLOW, Action.HOLD, Action.DENY


def about(*effects: Effect, reads: tuple[str, ...] = (), writes: tuple[str, ...] = (), **more: object) -> Statement:
    return a_statement(*effects, reads=reads, writes=writes, **more)


READ_ORDERS = about(R, reads=ORDERS)
READ_CUSTOMERS = about(R, reads=("public.customers",))
UPDATE_ORDERS = about(W, reads=ORDERS, writes=ORDERS)


@pytest.mark.parametrize(
    ("statement", "within"),
    [
        (READ_ORDERS, True),
        (UPDATE_ORDERS, True),
        (about(R), True),  # SELECT 1
        (about(R, reads=("pg_catalog.pg_class", "information_schema.columns", "public.orders")), True),
        (READ_CUSTOMERS, False),
        (about(R, reads=("public.orders", "public.customers")), False),
        (about(W, reads=("public.customers",), writes=ORDERS), False),
        (about(W, writes=("public.orders", "audit.log")), False),
        (about(R, reads=("public.orders_2026",)), False),  # a partition, a view: named by itself
        (about(R, reads=("Public.orders",)), False),
        (about(R, reads=("pg_catalog.pg_statistic",)), False),
        (about(R, reads=("pg_catalog.pg_stats",)), False),
        (about(R, reads=("pg_catalog.pg_largeobject",)), False),
        (about(W, writes=("pg_catalog.pg_class",)), False),
        (about(W), False),  # a write that names no table
        (about(R, W, writes=ORDERS, functions=("pg_catalog.setval",)), False),
        (about(Effect.DANGER, writes=ORDERS, flags=frozenset({Flag.TRUNCATE})), True),  # still held, by the matrix
        (about(Effect.DANGER, writes=ORDERS, flags=frozenset({Flag.TRUNCATE, Flag.CASCADE})), False),
        (about(Effect.DDL, writes=ORDERS), False),
        (about(Effect.ADMIN), False),
        (about(Effect.OPAQUE, reads=ORDERS), False),
        (about(Effect.INTERACTIVE), False),
        (replace(READ_ORDERS, understood=False), False),
    ],
)
def test_what_stays_within_the_tables(statement: Statement, within: bool) -> None:
    assert covers(Write(ORDERS), statement) is within
    assert covers(Write(), statement)


def verdict(statement: Statement, *scopes: Scope) -> tuple[Action, str]:
    found = decide(Policy(), [a_grant(one) for one in scopes], DANA, DB, statement, Digest("d" * 64), NOW)
    return found.action, found.rule


@pytest.mark.parametrize(
    ("statement", "scopes", "action", "rule"),
    [
        (READ_ORDERS, (Read(ORDERS),), ALLOW, "read-scope"),
        (UPDATE_ORDERS, (Write(ORDERS),), ALLOW, "write-scope"),
        (UPDATE_ORDERS, (Read(ORDERS),), HOLD, "read-scope-write"),
        (READ_CUSTOMERS, (Read(ORDERS),), DENY, "outside-tables"),
        (READ_CUSTOMERS, (Write(ORDERS),), DENY, "outside-tables"),
        # what is held beside it keeps its own reach
        (READ_CUSTOMERS, (Read(), Write(ORDERS)), ALLOW, "read-scope"),
        (about(W, writes=("public.customers",)), (Read(), Write(ORDERS)), HOLD, "read-scope-write"),
        (about(R, reads=("public.customers", "public.orders")), (Read(ORDERS), Read(("public.customers",))), DENY, "outside-tables"),
        # an approval of exactly this statement is one
        (READ_CUSTOMERS, (Read(ORDERS), Once(Digest("d" * 64))), ALLOW, "approved-once"),
    ],
)  # fmt: skip
def test_the_verdict(statement: Statement, scopes: tuple[Scope, ...], action: Action, rule: str) -> None:
    assert verdict(statement, *scopes) == (action, rule)


def test_the_refusal_names_both() -> None:
    found = decide(Policy(), [a_grant(Read(ORDERS))], DANA, DB, READ_CUSTOMERS, None, NOW)
    assert "limited to public.orders" in found.message
    assert "touches public.customers" in found.message


def test_broken_glass_on_other_tables_lifts_nothing() -> None:
    glass = replace(a_grant(Write(("public.customers",))), emergency=True)
    found = decide(Policy(), [glass, a_grant(Read(ORDERS))], DANA, DB, UPDATE_ORDERS, None, NOW)
    assert found.action is HOLD


def test_a_session_that_keeps_its_ceiling_keeps_the_tables() -> None:
    higher: list[Grant] = [a_grant(Write(ORDERS))]
    assert [one.scope for one in capped(higher, Level.READ)] == [Read(ORDERS)]


def test_an_expired_limit_is_nothing() -> None:
    over = a_grant(Read(ORDERS), expires_at=NOW - timedelta(minutes=1))
    assert decide(Policy(), [over], DANA, DB, READ_ORDERS, None, NOW).rule == "no-grant"


@pytest.mark.parametrize("scope", [Read(), Write(), Read(ORDERS), Write(("crm.leads", "public.orders")), Admin()])
def test_stored_and_read_back(scope: Scope) -> None:
    assert scope_from_json(scope_to_json(scope)) == scope


def test_in_words() -> None:
    assert scope_said(Read(ORDERS)) == "read (only orders)"
    assert scope_asked(Write(("crm.leads", "public.orders"))) == "write access to crm.leads, orders on"
    assert table_names(["orders", " crm.leads ", "orders"]) == ("crm.leads", "public.orders")


@pytest.mark.parametrize("names", [[], [" "], ["*"], ["public.*"], ["a.b.c"], ["or ders"], ['"x"'], ["x;"]])
def test_names_that_are_none(names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"tables|Tables"):
        table_names(names)


def test_at_most_so_many() -> None:
    with pytest.raises(ValueError, match="At most"):
        table_names([f"t{number}" for number in range(21)])


def test_only_read_and_write_are_limited() -> None:
    with pytest.raises(ValueError, match="Only read and write"):
        limited(Admin(), ORDERS)
