from __future__ import annotations

import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.masking import ColumnRule, Masked, MaskPolicy, Strategy
from proxy.masking.literals import SHOWN_LIMIT, Shown, make_visible
from proxy.masking.plan import Column as Result
from proxy.masking.plan import Masker
from proxy.masking.strategies import REDACTED, looks_masked
from proxy.sql.catalog import Catalog, Column, Function, Relation
from proxy.sql.lineage import OutputColumn
from proxy.sql.parse import parse
from tests.proxy.masking.server import data_row, rows_of

CATALOG = Catalog.of(
    [
        Relation(
            20001,
            "public",
            "people",
            columns=(Column(1, "id", 23), Column(2, "email", 25), Column(3, "name", 25), Column(4, "age", 23)),
        ),
        Relation(20002, "public", "orders", columns=(Column(1, "id", 23), Column(2, "note", 25))),
    ],
    [Function("pg_catalog", name, language="internal") for name in ("lower", "count", "now")],
)
POLICY = MaskPolicy(
    columns=(ColumnRule("people.email", "email"), ColumnRule("people.name", "person"), ColumnRule("people.age", "age")),
    entities={"email": Strategy.SHAPE, "card": Strategy.SHAPE, "secret": Strategy.REDACT},
)
MASKER = Masker(POLICY, CATALOG, b"key")


def show(text: str, masker: Masker = MASKER) -> Shown:
    return masker.statement(text, parse(text), ("pg_catalog", "public"))


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM orders WHERE id = 3",
        "UPDATE orders SET note = 'call first' WHERE id = 3",
        "SELECT * FROM people WHERE id = 17",
        "SELECT count(*) FROM people",
        "SELECT id, note FROM orders WHERE note LIKE '%door%' ORDER BY id LIMIT 10",
        "INSERT INTO orders (id, note) VALUES (1, 'x'), (2, 'y')",
        "DROP TABLE orders",
        "SELECT 'Ada'",
        "BEGIN",
        "SELECT left(email, 6), round(age, 2), substring(name from 1 for 3) FROM people",
        "SELECT * FROM people WHERE length(left(name, 10)) IS NOT NULL",
        "SELECT * FROM people WHERE id IN (1, 2, 3) AND email IS NOT NULL",
        "SELECT\n\t'tabs and lines'",
        "UPDATE people SET id = 4 WHERE id = 123456789",
        "VACUUM orders",
        "CREATE TABLE t (a text DEFAULT 'open')",
        "ALTER TABLE orders ADD CHECK (note <> 'x')",
        "CREATE INDEX ON orders (id) WHERE note = 'x'",
        "COMMENT ON TABLE people IS 'those we sell to'",
        "SET statement_timeout = '5s'",
        "",
    ],
)
def test_harmless_statements_are_complete_and_exact(text: str) -> None:
    shown = show(text)
    assert shown.complete
    assert shown.text == text
    assert type(shown.text) is Masked


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("SELECT id FROM people WHERE email = 'ada@x.io'", ["ada@x.io"]),
        ("SELECT id FROM people WHERE name = 'Lovelace'", ["Lovelace"]),
        ("SELECT id FROM people WHERE 'Lovelace' = name", ["Lovelace"]),
        ("SELECT id FROM people WHERE lower(name) LIKE lower('Love%')", ["Love"]),
        ("SELECT id FROM people WHERE name IN ('Ada', 'Bob')", ["Ada", "Bob"]),
        ("SELECT id FROM people WHERE name BETWEEN 'Ada' AND 'Bob'", ["Ada", "Bob"]),
        ("SELECT id FROM people WHERE name = ANY (ARRAY['Ada'])", ["Ada"]),
        ("SELECT id FROM people WHERE name = ANY ('{Ada,Bob}')", ["Ada", "Bob"]),
        ("SELECT id FROM people WHERE (id, name) = (1, 'Ada')", ["Ada"]),
        ("SELECT id FROM people WHERE NOT (name <> 'Ada' OR id = 3)", ["Ada"]),
        ("SELECT CASE WHEN name = 'Ada' THEN 1 END FROM people", ["Ada"]),
        ("SELECT name = 'Ada' FROM people", ["Ada"]),
        ("SELECT count(*) FILTER (WHERE name = 'Ada') FROM people", ["Ada"]),
        ("SELECT x FROM (SELECT name AS x FROM people) t WHERE x = 'Ada'", ["Ada"]),
        ("WITH t AS (SELECT name AS x FROM people) SELECT 1 FROM t WHERE x = 'Ada'", ["Ada"]),
        ("SELECT 1 FROM people WHERE name IN (SELECT 'Ada')", ["Ada"]),
        ("SELECT 1 FROM people WHERE (name) IN (VALUES ('Ada'), ('Bob'))", ["Ada", "Bob"]),
        ("SELECT 1 FROM people JOIN (VALUES ('Ada')) v(n) ON n = name", ["Ada"]),
        ("WITH v(n) AS (SELECT 'Ada') SELECT 1 FROM people, v WHERE n = name", ["Ada"]),
        ("SELECT 1 FROM people JOIN orders ON people.name = 'Ada'", ["Ada"]),
        ("SELECT 1 FROM people ORDER BY name = 'Ada'", ["Ada"]),
        ("SELECT 1 FROM people GROUP BY id HAVING max(name) = 'Ada'", ["Ada"]),
        ("UPDATE people SET name = 'Ada' WHERE id = 3", ["Ada"]),
        ("UPDATE people SET (name, id) = ('Ada', 3)", ["Ada"]),
        ("UPDATE people p SET id = 3 WHERE p.name = 'Ada'", ["Ada"]),
        ("DELETE FROM people WHERE name = 'Ada'", ["Ada"]),
        ("INSERT INTO people (id, name) VALUES (1, 'Ada')", ["Ada"]),
        ("INSERT INTO people VALUES (1, 'x@y.zz', 'Ada')", ["x@y.zz", "Ada"]),
        ("INSERT INTO people (id, name) SELECT 1, 'Ada'", ["Ada"]),
        ("INSERT INTO people (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'Ada'", ["Ada"]),
        (
            "MERGE INTO people p USING orders o ON o.id = p.id WHEN NOT MATCHED THEN INSERT (id, name) VALUES (1, 'Ada')",
            ["Ada"],
        ),
        ("MERGE INTO people p USING orders o ON o.id = p.id WHEN MATCHED AND name = 'Ada' THEN DELETE", ["Ada"]),
        ("DELETE FROM people WHERE name = 'A' -- c\n 'da'", ["'A'", "'da'"]),
        ("SELECT id FROM people WHERE name = E'A\\'da'", ["da"]),
        ("SELECT id FROM people WHERE name = $x$Ada$x$", ["Ada"]),
        ("SELECT id FROM people WHERE name = U&'Ad\\0061'", ["Ad\\0061"]),
        ("SELECT id FROM people WHERE age = 47", ["47"]),
        ("SELECT id FROM people WHERE age > -47", ["47"]),
        ("EXPLAIN SELECT id FROM people WHERE name = 'Ada'", ["Ada"]),
        ("COPY (SELECT id FROM people WHERE name = 'Ada') TO STDOUT", ["Ada"]),
        ("PREPARE q AS SELECT id FROM people WHERE name = 'Ada'", ["Ada"]),
        ("DECLARE c CURSOR FOR SELECT id FROM people WHERE name = 'Ada'", ["Ada"]),
        ("CREATE TABLE t AS SELECT id FROM people WHERE name = 'Ada'", ["Ada"]),
        ("SELECT 1; DELETE FROM people WHERE name = 'Ada'", ["Ada"]),
        ("ALTER TABLE people ADD CHECK (name <> 'Ada')", ["Ada"]),
        ("CREATE INDEX ON people (id) WHERE name = 'Ada'", ["Ada"]),
        ("CREATE VIEW v AS SELECT id FROM people WHERE name = 'Ada'", ["Ada"]),
        # what nobody can resolve
        ("SELECT * FROM nowhere WHERE x = 'Ada'", ["Ada"]),
        ("SELECT own('Ada')", ["Ada"]),
        ("SELECT FROM WHERE 'Ada'", ["Ada"]),
        ("DO $$ BEGIN DELETE FROM people WHERE name = 'Ada'; END $$", ["Ada"]),
        ("EXECUTE q('Ada')", ["Ada"]),
        # secrets and detectors
        ("ALTER ROLE bob PASSWORD 'hunter2'", ["hunter2"]),
        ("CREATE USER bob PASSWORD 'hunter2'", ["hunter2"]),
        ("CREATE SUBSCRIPTION s CONNECTION 'host=x password=hunter2' PUBLICATION p", ["hunter2"]),
        ("SELECT 1 -- for ada@example.com", ["ada@example.com"]),
        ("SELECT 1 /* card 4111 1111 1111 1111 */", ["4111 1111"]),
        ('SELECT 1 AS "ada@example.com"', ["ada@example.com"]),
        ("UPDATE orders SET note = 'mail ada@example.com'", ["ada@example.com"]),
        ("SELECT * FROM orders WHERE id = 4111111111111111", ["4111111111111111"]),
        ("COMMENT ON TABLE orders IS 'ask ada@example.com'", ["ada@example.com"]),
    ],
)
def test_what_stands_against_protected_columns_is_not_shown(text: str, secrets: list[str]) -> None:
    shown = show(text)
    assert not shown.complete
    for secret in secrets:
        assert secret not in shown.text
    assert looks_masked(shown.text)


def test_only_the_protected_part_is_hidden() -> None:
    shown = show("SELECT id FROM people WHERE name = 'Ada' AND id = 42 LIMIT 5")
    assert shown.text == f"SELECT id FROM people WHERE name = '{REDACTED}' AND id = 42 LIMIT 5"


def test_offsets_count_bytes() -> None:
    shown = show("SELECT 'äöü€', id FROM people WHERE name = 'Größe' /* ✓ */ AND id = 7")
    assert shown.text.endswith(f"name = '{REDACTED}' /* ✓ */ AND id = 7")


def test_parameters_against_protected_columns_are_known() -> None:
    shown = show("SELECT id FROM people WHERE name = $1 AND id = $2 AND lower(email) = lower($3)")
    assert shown.complete
    assert shown.protected_parameters == {1, 3}
    assert show("INSERT INTO people (id, name) VALUES ($1, $2)").protected_parameters == {2}
    assert show("UPDATE people SET name = $1 WHERE id = $2").protected_parameters == {1}


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\u202e", "⟨U+202E⟩"), ("\u200b", "⟨U+200B⟩"), ("\u2066", "⟨U+2066⟩"), ("\ufeff", "⟨U+FEFF⟩"), ("\x1b", "⟨U+001B⟩"),
        ("\x07", "⟨U+0007⟩"), ("\x7f", "⟨U+007F⟩"), ("\x9b", "⟨U+009B⟩"), ("\u00a0", "⟨U+00A0⟩"), ("\u3164", "⟨U+3164⟩"),
        ("\u2800", "⟨U+2800⟩"), ("\u00ad", "⟨U+00AD⟩"), ("\u2028", "⟨U+2028⟩"), ("\ufe0f", "⟨U+FE0F⟩"), ("\r", "⟨U+000D⟩"),
        ("\U000e0041", "⟨U+E0041⟩"), ("\ue000", "⟨U+E000⟩"), ("\u034f", "⟨U+034F⟩"), ("\u3000", "⟨U+3000⟩"),
    ],
)  # fmt: skip
def test_hidden_characters_are_made_visible(char: str, shown: str) -> None:
    seen = show(f"SELECT 'a{char}b' FROM orders")
    assert seen.text == f"SELECT 'a{shown}b' FROM orders"
    assert not seen.complete


def test_visible_text_stays() -> None:
    for text in ("SELECT 'naïve café — 日本語 ✓ 🎉'", "a\n\tb"):
        assert make_visible(text) == text
    assert make_visible("a\r\nb") == "a\nb"


def test_windows_line_ends_do_not_pass_as_complete() -> None:
    """The shown bytes are not the exact ones, so the decision is made where the exact text is shown."""
    assert not show("SELECT 1\r\nFROM orders").complete


def test_long_statements_are_cut_and_say_so() -> None:
    shown = show("SELECT " + ", ".join("id" for _ in range(2_000)) + " FROM orders")
    assert len(shown.text) == SHOWN_LIMIT
    assert shown.text.endswith("…")
    assert not shown.complete


def test_a_secret_at_the_cut_is_masked_before_it_is_cut() -> None:
    text = "SELECT " + "1, " * 925 + "'ada.lovelace@example.com' FROM orders"
    assert "ada.love" not in show(text).text


def test_without_column_rules_only_detectors_count() -> None:
    masker = Masker(MaskPolicy(entities={"email": Strategy.SHAPE}), Catalog.empty(), b"key")
    assert show("SELECT * FROM anywhere WHERE name = 'Ada'", masker).complete
    assert "ada@" not in show("SELECT 'ada@example.com'", masker).text


@given(st.text(alphabet="'\"$-/*\\\n aE1;é\u202e", max_size=60))
def test_any_text_can_be_shown(text: str) -> None:
    shown = show(text)
    assert len(shown.text) <= SHOWN_LIMIT
    assert "\u202e" not in shown.text
    if shown.complete:
        assert shown.text == text


@given(st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=5, max_size=30))
def test_no_literal_against_a_protected_column_survives(secret: str) -> None:
    quoted = secret.replace("'", "''")
    shown = show(f"DELETE FROM people WHERE name = '{quoted}'")
    assert f"'{quoted}'" not in shown.text
    assert shown.text == f"DELETE FROM people WHERE name = '{REDACTED}'"


@pytest.mark.parametrize(
    ("text", "parameters", "carries"),
    [
        ("UPDATE people SET email = 'a****@*****.com' WHERE id = 1", [], True),
        (f"UPDATE people SET name = '{REDACTED}'", [], True),
        ("INSERT INTO people VALUES (1, E'****-****-****-1111')", [], True),
        ("UPDATE people SET name = $1", [b"A**** L****"], True),
        ("UPDATE people SET name = $1", ["«person:abcdefgh»".encode()], True),
        ("UPDATE people SET name = $1", [b"Ada", None, b"\xff\x00"], False),
        ("UPDATE people SET name = 'Ada' /* a****@*****.com */", [], False),
        ("SELECT 2 * 3, '**bold**'", [], False),
    ],
)
def test_masks_on_their_way_back_are_noticed(text: str, parameters: list[bytes | None], carries: bool) -> None:
    assert MASKER.carries_mask(text, parameters) is carries


def test_other_peoples_statements_lose_their_literals() -> None:
    catalog = Catalog.of(
        [Relation(12_000, "pg_catalog", "pg_stat_activity", "v", (Column(1, "pid", 23), Column(2, "query", 25)))]
    )
    masker = Masker(POLICY, catalog, b"key")
    plan = masker.plan([Result("query", 12_000, 2, 25, 0), Result("left", 0, 0, 25, 0)],
                       [OutputColumn("query", frozenset({"pg_catalog.pg_stat_activity.query"}), plain=True),
                        OutputColumn("left", frozenset({"pg_catalog.pg_stat_activity.query"}))], touched=True)  # fmt: skip
    assert plan is not None
    query = b"SELECT * FROM people WHERE name = 'Ada' AND id = 12 AND n = 123456"
    shown = f"SELECT * FROM people WHERE name = '{REDACTED}' AND id = 12 AND n = {REDACTED}"
    assert rows_of(plan.rewrite(data_row([query, query]))) == [[shown.encode(), REDACTED.encode()]]


def test_parameters_are_shown_as_text() -> None:
    shown = Shown(Masked(""), complete=True, protected_parameters=frozenset({2}))
    identifier = uuid.UUID(int=5)
    values = [
        b"open",
        b"Ada",
        None,
        struct.pack("!i", 7),
        identifier.bytes,
        b"\x01{}",
        b"\0\1",
        b"ada@example.com",
        b"\x01",
    ]
    types = [25, 25, 25, 23, 2950, 3802, 0, 25, 16]
    formats = [0, 0, 0, 1, 1, 1, 1, 0, 1]
    assert MASKER.parameters(values, types, formats, shown) == (
        "open", REDACTED, None, "7", str(identifier), "{}", "(2 bytes in binary format)", "a****@*****.com", "true",
    )  # fmt: skip


def test_parameter_formats_follow_bind() -> None:
    shown = Shown(Masked(""), complete=True)
    number = struct.pack("!q", 5)
    assert MASKER.parameters([number, number], [20, 20], [1], shown) == ("5", "5")
    assert MASKER.parameters([b"5", b"6"], [], [], shown) == ("5", "6")
    assert MASKER.parameters([b"\x00\x00"], [20], [1], shown) == ("(2 bytes in binary format)",)
    assert MASKER.parameters([b"\xff\xfe"], [25], [0], shown) == ("\ufffd\ufffd",)
    (long,) = MASKER.parameters([b"x" * 10_000], [25], [0], shown)
    assert long is not None
    assert len(long) == SHOWN_LIMIT
    assert type(long) is Masked


@pytest.mark.parametrize(
    "text",
    [
        "SELECT left(email, 6) FROM people WHERE age = 37",
        "SELECT count(*) FILTER (WHERE age = 37) FROM people",
        "SELECT replace(name, 'Ada', 'x') FROM people",
        "SELECT age - 37, left(name, 2) FROM people",
        "SELECT int4eq(age, 31337) FROM people",
        "SELECT greatest(age, 37) FROM people",
        "UPDATE people SET age = 37 WHERE left(name, 3) = 'Ada'",
    ],
)
def test_a_number_in_a_function_is_shown_and_what_is_compared_is_not(text: str) -> None:
    shown = show(text)
    assert not shown.complete
    assert "37" not in shown.text and "Ada" not in shown.text
    for length in ("email, 6", "name, 2", "name, 3"):
        assert (length in text) == (length in shown.text)
