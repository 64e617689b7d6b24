from __future__ import annotations

import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from proxy.masking.context import Context
from proxy.masking.detectors_numbers import Span
from proxy.masking.plan import Column, Masker
from proxy.masking.strategies import REDACTED
from proxy.sql import catalog as c
from proxy.sql.lineage import Lineage, OutputColumn, trace
from proxy.sql.parse import parse
from tests.proxy.masking.server import data_row, rows_of

CATALOG = c.Catalog.of(
    [
        c.Relation(20001, "public", "people", columns=(c.Column(1, "id", 23), c.Column(2, "email", 25), c.Column(3, "name", 25), c.Column(4, "phone", 20))),
        c.Relation(20002, "public", "orders", columns=(c.Column(1, "id", 23), c.Column(2, "note", 25))),
        c.Relation(20003, "public", "mails", kind="v", columns=(c.Column(1, "x", 25),), origins={1: frozenset({"public.people.email"})}),
        c.Relation(20004, "public", "staff", columns=(c.Column(2, "email", 25),), parents=(20001,)),
        c.Relation(1259, "pg_catalog", "pg_class", columns=(c.Column(2, "relname", 19),)),
    ]
)  # fmt: skip
RULES = (
    ColumnRule("people.id", "", Strategy.KEEP),
    ColumnRule("people.email", "email"),
    ColumnRule("people.name", "person", Strategy.HASH),
)
MASKER = Masker(MaskPolicy(columns=RULES, entities={"email": Strategy.SHAPE, "phone": Strategy.SHAPE}), CATALOG, b"key")


def masked(
    column: Column, value: bytes, output: OutputColumn | None = None, *, touched: bool = True, masker: Masker = MASKER
) -> bytes | None:
    """What becomes of one value."""
    plan = masker.plan([column], None if output is None else (output,), touched)
    return value if plan is None else rows_of(plan.rewrite(data_row([value])))[0][0]


def lineage(sql: str) -> Lineage:
    (statement,) = parse(sql).statements
    return trace({statement.node: statement.tree}, CATALOG, ("pg_catalog", "public"))


def test_identity_decides_whatever_the_column_is_called() -> None:
    assert masked(Column("id", 20001, 2, 25, 0), b"ada@example.com") == b"a****@*****.com"
    assert (masked(Column("x", 20001, 3, 25, 0), b"Ada") or b"").startswith("«hash:".encode())
    assert masked(Column("x", 20003, 1, 25, 0), b"ada@example.com") == b"a****@*****.com"
    assert masked(Column("x", 20004, 2, 25, 0), b"ada@example.com") == b"a****@*****.com"


def test_a_kept_column_is_not_even_looked_at() -> None:
    assert MASKER.plan([Column("id", 20001, 1, 25, 0)], None, touched=True) is None


def test_other_columns_of_the_table_meet_only_detectors() -> None:
    assert masked(Column("note", 20002, 2, 25, 0), b"plain") == b"plain"
    assert masked(Column("note", 20002, 2, 25, 0), b"to ada@example.com") == b"to a****@*****.com"
    assert masked(Column("phone", 20001, 4, 20, 0), b"4930901820") is None
    assert masked(Column("x", 20001, 4, 20, 0), b"4930901820") is None


def test_the_lineage_can_only_make_it_stricter() -> None:
    column = Column("note", 20002, 2, 25, 0)
    moved = OutputColumn("note", frozenset({"public.orders.note", "public.people.email"}))
    assert masked(column, b"plain", moved) == REDACTED.encode()
    assert (
        masked(column, b"plain", OutputColumn("note", frozenset({"public.orders.note"}), unknown=True))
        == REDACTED.encode()
    )
    innocent = OutputColumn("id", plain=True)
    assert masked(Column("id", 20001, 2, 25, 0), b"ada@example.com", innocent) == b"a****@*****.com"


def test_a_lineage_that_names_other_columns_is_not_believed() -> None:
    columns = [Column("note", 20002, 2, 25, 0), Column("x", 0, 0, 25, 0)]
    output = [OutputColumn("id", frozenset({"public.orders.id"}), plain=True), OutputColumn("x")]
    plan = MASKER.plan(columns, output, touched=True)
    assert plan is not None
    assert rows_of(plan.rewrite(data_row([b"plain", b"x"]))) == [[REDACTED.encode(), REDACTED.encode()]]


@pytest.mark.parametrize(
    ("output", "touched", "expected"),
    [
        (None, True, REDACTED),
        (None, False, "Ada"),
        (OutputColumn("x"), True, "Ada"),
        (OutputColumn("x", frozenset({"public.orders.note"})), True, "Ada"),
        (OutputColumn("x", frozenset({"public.people.name"})), True, REDACTED),
        (OutputColumn("x", frozenset({"public.people.name"})), False, REDACTED),
        (OutputColumn("x", frozenset({"public.people.name", "public.people.email"}), plain=True), True, REDACTED),
        (OutputColumn("x", unknown=True), False, REDACTED),
    ],
)
def test_columns_without_identity(output: OutputColumn | None, touched: bool, expected: str) -> None:
    assert masked(Column("x", 0, 0, 25, 0), b"Ada", output, touched=touched) == expected.encode()


def test_a_union_of_one_protected_column_keeps_its_strategy() -> None:
    plain = OutputColumn("x", frozenset({"public.people.email"}), plain=True)
    assert masked(Column("x", 0, 0, 25, 0), b"ada@example.com", plain) == b"a****@*****.com"


def test_system_columns_and_system_tables_are_readable() -> None:
    assert masked(Column("ctid", 20001, -1, 27, 0), b"(0,1)") == b"(0,1)"
    assert masked(Column("relname", 1259, 2, 19, 0), b"people") == b"people"
    assert (
        masked(Column("x", 2600, 3, 19, 0), b"not loaded, but the server's own") == b"not loaded, but the server's own"
    )


def test_a_whole_row_is_as_protected_as_its_columns() -> None:
    assert masked(Column("p", 20001, 0, 20005, 0), b"(1,ada@example.com)") is None
    assert masked(Column("o", 20002, 0, 20006, 0), b"(1,note)") == b"(1,note)"


def test_without_column_rules_unknown_provenance_is_no_reason() -> None:
    detecting = Masker(MaskPolicy(entities={"email": Strategy.SHAPE}), c.Catalog.empty(), b"key")
    assert masked(Column("x", 99_999, 1, 25, 0), b"plain", masker=detecting) == b"plain"
    assert not detecting.touched(Lineage())
    assert Masker(MaskPolicy(), c.Catalog.empty(), b"key").plan([Column("x", 0, 0, 25, 0)], None, touched=True) is None


def test_touched() -> None:
    for sql in (
        "SELECT id FROM people",
        "SELECT 1 FROM mails",
        "SELECT 1 FROM staff",
        "SELECT own()",
        "SELECT 1 FROM nowhere",
    ):
        assert MASKER.touched(lineage(sql)), sql
    for sql in ("SELECT * FROM orders", "SELECT 1", "SHOW x", "BEGIN", "DROP TABLE people"):
        assert not MASKER.touched(lineage(sql)), sql


def test_strict_mode_and_laundering_are_reported() -> None:
    assert MASKER.tested(
        lineage("SELECT 1 FROM people p, orders o WHERE p.email = 'x' AND o.id = 3 ORDER BY p.name")
    ) == (
        "public.people.email",
        "public.people.name",
    )
    assert MASKER.copied(lineage("INSERT INTO orders (note) SELECT email FROM people")) == (
        ("public.people.email", "public.orders.note"),
    )
    assert MASKER.copied(lineage("UPDATE people SET name = email")) == ()


class Broken:
    entity = "mine"

    def find(self, text: str, context: Context) -> list[Span]:
        raise TimeoutError


def test_a_detector_of_somebody_else_that_fails_redacts_and_is_listed_once_for_the_session() -> None:
    masker = Masker(MaskPolicy(), CATALOG, b"key", extra_detectors=[Broken()])
    for number in range(3):
        column = Column(f"c{number}", 20002, 2, 25, 0)
        assert masked(column, b"plain", masker=masker) == REDACTED.encode()
    assert masker.error({"M": "plain"}, touched=False) == {"M": REDACTED}
    assert masker.failures == [("mine", "TimeoutError")]
    assert MASKER.failures == []


def test_decisions_are_remembered_and_bounded() -> None:
    for number in range(5_000):
        MASKER.plan([Column(f"c{number}", 20002, 2, 25, 0)], None, touched=True)
    assert len(MASKER._cells) <= 2_048
