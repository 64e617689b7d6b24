"""Clear values end with their grant, in the middle of a result as well."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from access.actors import Actor, PersonId
from access.ids import GrantId, RequestId
from access.masking import ColumnRule, MaskPolicy, Strategy
from access.requests import Grant, GrantState
from access.scopes import Unmask, unmask_scope
from access.statements import Effect, Statement
from proxy.admission import Bearer
from proxy.masking.plan import Masker
from proxy.postgres.messages import Field
from proxy.postgres.reading import Part
from proxy.postgres.unmasking import BELIEVED, Lens, Unmasking
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.judged import JudgedOne
from tests.fakes.clock import ManualClock
from tests.proxy.playbook import row

CLEAR, MASKED = row("a@example.com"), row("«masked»")
COLUMNS = frozenset({"public.customers.email"})
LENS = Lens(COLUMNS, None)


class Held:
    """Grants as a session's bearer sees them."""

    def __init__(self, clock: ManualClock) -> None:
        person = PersonId("directory|dana")
        starts = clock.now()
        self.version = 1
        self.grant = Grant(
            GrantId("grt_1"), RequestId("req_1"), Actor(person), "prod-db", unmask_scope(["customers.email"]),
            starts, starts + timedelta(minutes=15), (PersonId("directory|ann"),),
        )  # fmt: skip

    def bearer(self) -> Bearer:
        return cast("Bearer", SimpleNamespace(grants=lambda: [self.grant], version=lambda: self.version))


@pytest.fixture
def held(clock: ManualClock) -> Held:
    return Held(clock)


def unmasking(held: Held, clock: ManualClock, rows: int = 10) -> Unmasking:
    return Unmasking(held.bearer(), clock, rows)


def test_clear_while_the_grant_lives(held: Held, clock: ManualClock) -> None:
    assert unmasking(held, clock).show(LENS, CLEAR, MASKED) == CLEAR


def test_revoked_in_the_middle_of_a_result(held: Held, clock: ManualClock) -> None:
    showing = unmasking(held, clock)
    assert showing.show(LENS, CLEAR, MASKED) == CLEAR
    held.grant = replace(held.grant, state=GrantState.REVOKED)
    held.version += 1
    assert showing.show(LENS, CLEAR, MASKED) == MASKED


def test_revoked_without_a_word_is_found_out_soon(held: Held, clock: ManualClock) -> None:
    showing = unmasking(held, clock)
    showing.show(LENS, CLEAR, MASKED)
    held.grant = replace(held.grant, state=GrantState.REVOKED)
    clock.advance(BELIEVED)
    assert showing.show(LENS, CLEAR, MASKED) == MASKED


def test_expired_in_the_middle_of_a_result(held: Held, clock: ManualClock) -> None:
    showing = unmasking(held, clock)
    assert showing.show(LENS, CLEAR, MASKED) == CLEAR
    clock.advance(15 * 60)
    assert showing.show(LENS, CLEAR, MASKED) == MASKED


def test_another_column_than_was_granted_stays_masked(held: Held, clock: ManualClock) -> None:
    more = Lens(COLUMNS | {"public.customers.phone"}, None)
    assert unmasking(held, clock).show(more, CLEAR, MASKED) == MASKED


def test_the_share_of_a_session_ends_in_the_middle_of_a_piece(held: Held, clock: ManualClock) -> None:
    shown = unmasking(held, clock, rows=2).show(LENS, CLEAR * 3, MASKED * 3)
    assert shown.startswith(CLEAR * 2)
    assert shown.endswith(MASKED)
    assert shown.count(b"a@example.com") == 2


def test_the_scope_names_its_columns_in_full(held: Held) -> None:
    assert isinstance(held.grant.scope, Unmask)
    assert set(held.grant.scope.columns) == COLUMNS


def test_who_may_see_more_sees_no_more_of_what_was_defined_anew(held: Held, clock: ManualClock) -> None:
    """The identities the server gives are those of columns that mean something else by now."""
    catalog = Catalog.of([Relation(20001, "public", "t", columns=(Column(1, "name", 25), Column(2, "email", 25)))])
    mine = MaskPolicy(columns=(ColumnRule("public.t.email", "x", Strategy.REDACT),))
    masker = Masker(
        replace(mine, columns=(*mine.columns, ColumnRule("public.t.name", "x", Strategy.REDACT))),
        catalog,
        b"",
        seen=mine,
    )
    showing, columns = unmasking(held, clock), (Field("name", 20001, 1, 25, -1, -1, 0),)
    statement = Statement("postgres", "SELECT name FROM t", frozenset({Effect.READ}))
    for unsure, shown in ((False, "a@example.com"), (True, "«masked»")):
        part = Part(JudgedOne(statement, unsure=unsure), None, touched=True)
        lens = showing.lens(None, masker, part, columns)
        assert lens is not None and lens.rewrite(CLEAR) == row(shown)
