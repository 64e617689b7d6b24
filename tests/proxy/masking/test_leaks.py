"""The leak table: no query gets a protected value out, in whatever encoding; everyday queries come through as they are.

The proof is non-interference: two databases differ only in their protected values, and after masking the results of
every query must be the same bytes. A number of rows may differ (a value split into rows tells its length); that is
inference, like a condition in WHERE, and is reported as `predicates`, not masked.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from access.masking import MaskPolicy, Strategy
from app.embedded_postgres import EmbeddedPostgres
from proxy.masking.detectors import ENTITIES
from proxy.masking.plan import Column, Masker
from proxy.sql.catalog import Catalog
from proxy.sql.lineage import trace
from proxy.sql.parse import parse
from tests.proxy.masking import server
from tests.proxy.masking.leaks import BENIGN, ESCAPES, FILL, MORE_ESCAPES, POLICY, SCHEMA, VALUES
from tests.proxy.masking.leaks_fresh import FAILING_BY_VALUE, FRESH
from tests.proxy.masking.leaks_more import BENIGN_COMPARISONS, LAST_ESCAPES, LEAVING_NOTHING, LEFT_BEHIND, MORE_SCHEMA
from tests.tables import every

EVERY_DETECTOR = MaskPolicy(columns=POLICY.columns, entities=dict.fromkeys(ENTITIES, Strategy.SHAPE))

EVERY_ESCAPE = (*ESCAPES, *((query, query) for query in (*MORE_ESCAPES, *LAST_ESCAPES, *FRESH)))
EVERYDAY = (*BENIGN, *((query, query) for query in BENIGN_COMPARISONS))

#: The state code of an error is shown, and here it depends on the value (a text with a dot in it is a qualified name).
CODE_DEPENDS_ON_VALUE = {"error: cast to regclass"}


@dataclass
class Side:
    connection: psycopg.Connection
    catalog: Catalog
    masker: Masker

    def run(self, query: str, *, binary: bool, masker: Masker | None = None) -> server.Seen:
        return server.run(self.connection, masker or self.masker, self.catalog, query, binary=binary)


@pytest.fixture(scope="module")
def sides(postgres: EmbeddedPostgres) -> Iterator[tuple[Side, Side]]:
    """Two databases that differ only in the values of the protected columns."""
    made = []
    for index, values in enumerate(VALUES):
        with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE leaks_{index}")
        connection = psycopg.connect(postgres.dsn(f"leaks_{index}"), autocommit=True)
        connection.execute(SCHEMA)
        connection.execute(MORE_SCHEMA)
        connection.execute(FILL.format(**values))
        catalog = server.load(postgres.dsn(f"leaks_{index}"))
        made.append(Side(connection, catalog, Masker(POLICY, catalog, b"key")))
    yield made[0], made[1]
    for index, side in enumerate(made):
        side.connection.close()
        with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE leaks_{index} WITH (FORCE)")


def test_there_are_enough_cases() -> None:
    assert len(ESCAPES) >= 60
    assert len(BENIGN) >= 30


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_nothing_depends_on_a_protected_value(sides: tuple[Side, Side], binary: bool) -> None:
    every(EVERY_ESCAPE, lambda case: _nothing_depends_on_a_protected_value(sides, *case, binary=binary))


def _nothing_depends_on_a_protected_value(sides: tuple[Side, Side], name: str, query: str, *, binary: bool) -> None:
    one, other = (side.run(query, binary=binary) for side in sides)
    assert one.rows or one.copied or one.errors or one.refused
    assert {tuple(row) for row in one.rows} == {tuple(row) for row in other.rows}
    assert one.copied == other.copied
    if name in CODE_DEPENDS_ON_VALUE:
        for error in (*one.errors, *other.errors):
            error.pop("C")
    assert one.errors == other.errors
    assert one.refused == other.refused


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_everyday_queries_stay_as_they_are(sides: tuple[Side, Side], binary: bool) -> None:
    every(EVERYDAY, lambda case: _everyday_queries_stay_as_they_are(sides[0], case[1], binary=binary))


def _everyday_queries_stay_as_they_are(side: Side, query: str, *, binary: bool) -> None:
    for masker in (side.masker, Masker(EVERY_DETECTOR, side.catalog, b"key")):
        seen = side.run(query, binary=binary, masker=masker)
        assert not seen.errors
        assert not seen.refused
        assert seen.rows == seen.raw
        assert b"masked" not in seen.copied
        assert seen.raw or seen.copied


@pytest.mark.parametrize("query", FAILING_BY_VALUE)
def test_an_error_tells_no_more_than_its_code(sides: tuple[Side, Side], query: str) -> None:
    for side in sides:
        seen = side.run(query, binary=False)
        assert {value for row in seen.rows for value in row} <= {None, "«masked»".encode()}
        assert {error["M"] for error in seen.errors} <= {"the server reports a condition of this class", "syntax error"}


def _copied(side: Side, query: str) -> tuple[tuple[str, str], ...]:
    statement = parse(query).statements[0]
    return side.masker.copied(trace({statement.node: statement.tree}, side.catalog, server.PATH))


@pytest.mark.parametrize("query", LEFT_BEHIND)
def test_values_are_not_left_where_they_can_be_looked_up(sides: tuple[Side, Side], query: str) -> None:
    assert _copied(sides[0], query)


@pytest.mark.parametrize("query", LEAVING_NOTHING)
def test_what_leaves_no_protected_value_behind(sides: tuple[Side, Side], query: str) -> None:
    assert not _copied(sides[0], query)


def test_every_masked_value_is_valid_for_its_type(sides: tuple[Side, Side], postgres: EmbeddedPostgres) -> None:
    """Drivers and exports must not trip over a mask: each one is read back by the server as the column's own type."""
    side = sides[0]
    seen = side.run("SELECT * FROM customers", binary=False)
    names = [column.name for column in seen.columns]
    with psycopg.connect(postgres.dsn("leaks_0"), autocommit=True) as reader:
        for row in seen.rows:
            for name, column, value in zip(names, seen.columns, row, strict=True):
                if value is not None:
                    cast = f"SELECT %s::{reader.adapters.types[column.type_oid].regtype or 'text'} IS NOT NULL"
                    assert reader.execute(cast, (value.decode(),)).fetchone() == (True,), name


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_detectors_alone_find_what_no_rule_names(sides: tuple[Side, Side], binary: bool) -> None:
    """Without column rules the values themselves decide: e-mail, phone and SSN never pass, in arrays and json either."""
    policy = MaskPolicy(entities=dict.fromkeys(("email", "phone", "ssn", "card"), Strategy.SHAPE))
    side = sides[0]
    seen = side.run(
        "SELECT id, email, phone, ssn, aliases, profile, to_jsonb(c), c, array_agg(email) OVER (), plan FROM customers c",
        binary=binary,
        masker=Masker(policy, side.catalog, b"key"),
    )
    for value in ("ada.lovelace@example.com", "7946 0958", "536-90-4399", "ada@a.org"):
        assert value.encode() not in seen.frames
    assert seen.rows[0][-1] == b"gold"
    assert b"countess" in seen.frames


def test_a_result_that_contradicts_the_lineage_is_not_believed(sides: tuple[Side, Side]) -> None:
    side = sides[0]
    column = Column("plan", 0, 0, 25, 0)
    assert side.masker.plan([column], (), touched=False) is None
    plan = side.masker.plan([column], (), touched=True)
    assert plan is not None
    assert b"gold" not in plan.rewrite(server.data_row([b"gold"]))


def test_a_table_nobody_knows_is_masked_whole(sides: tuple[Side, Side]) -> None:
    """A temporary table filled from a protected one has an OID the catalog never saw."""
    side = sides[0]
    plan = side.masker.plan([Column("note", 99_999_999, 1, 25, 0)], None, touched=False)
    assert plan is not None
    assert server.rows_of(plan.rewrite(server.data_row([b"Ada"]))) == [["«masked»".encode()]]


def test_what_psql_asks_the_server_for_itself_stays_as_it_is(
    sides: tuple[Side, Side], postgres: EmbeddedPostgres
) -> None:
    commands = [
        r"\d",
        r"\d+~customers",
        r"\d+~contact",
        r"\d+~readings",
        r"\dt+",
        r"\di+",
        r"\dv+",
        r"\dm+",
        r"\df+",
        r"\dT+",
        r"\dn+",
        r"\du",
        r"\l",
        r"\dp",
        r"\dx",
        r"\dd",
        r"\sf~one_email",
    ]
    arguments = [part for command in commands for part in ("-c", command.replace("~", " "))]
    shown = subprocess.run(
        [str(postgres.psql), "-X", "-E", postgres.dsn("leaks_0"), *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    queries = re.findall(r"/\*+ QUERY \*+/\n(.*?);?\n/\*{10,}/", shown, re.DOTALL)
    assert len(queries) > 40
    for query in queries:
        seen = sides[0].run(query.strip().rstrip(";"), binary=False)
        assert seen.rows == seen.raw, query
        assert not seen.errors, query
