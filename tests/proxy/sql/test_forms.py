"""Statements that differ in their literals: what is remembered of one is what judging the other by itself says."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import pickle
from functools import partial
from typing import Any

import pytest

from access.masking import ColumnRule, MaskPolicy
from access.scopes import Level
from app.config_build import DEFAULT_DETECTION
from proxy.masking import sqltext
from proxy.masking.plan import Masker
from proxy.native import native
from proxy.postgres import learned as learned_of
from proxy.postgres.learned import Learned
from proxy.postgres.reader import Reader
from proxy.postgres.reading import Reading
from proxy.postgres.templates import Template
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.forms import MAX_LITERAL, MAX_TEXT, Form, FormMemory, Given, Hiding, form, form_here, within
from proxy.sql.judged import SqlSession
from proxy.sql.parse import parse
from tests.proxy.sql.test_corpus import CORPUS
from tests.proxy.sql.variants import variants
from tests.proxy.sql.worlds import Dice

#: `HOOP_DEEP=20` looks twenty times as long.
DEEP = int(os.environ.get("HOOP_DEEP", "1"))

POLICIES = {
    "rules": MaskPolicy(
        columns=(ColumnRule("*.email", "email"), ColumnRule("*.name", "person")), entities=DEFAULT_DETECTION
    ),
    "strict": MaskPolicy(
        columns=(ColumnRule("*.email", "email"),), entities=DEFAULT_DETECTION, strict=True, lookups_per_hour=5
    ),
    "words": MaskPolicy(entities=DEFAULT_DETECTION, words={"project": ("DE", "zz")}, patterns={"code": ("[0-9]{5}",)}),
}


def same(one: Reading, other: Reading) -> None:
    assert one.judged == other.judged
    assert one.shown == other.shown
    assert one.parts == other.parts
    assert (one.text, one.touched, one.stable) == (other.text, other.touched, other.stable)
    assert [(s.node, s.tree, s.text, s.location, s.length) for s in one.parsed.statements] == [
        (s.node, s.tree, s.text, s.location, s.length) for s in other.parsed.statements
    ]


def test_what_is_remembered_is_what_judging_it_says(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every statement of the corpus, and others of its form, by memories that know all of them, and by sessions that know
    nothing but what those learned."""
    maskers = [Masker(policy, catalog, b"k") for policy in POLICIES.values()]
    learned = Learned()
    monkeypatch.setattr(learned_of, "Shelf", partial(FormMemory[Template], patience=0))
    trios = [
        (Reader(catalog, masker, learned=learned), Reader(catalog, masker, learned=learned), Reader(catalog, masker))
        for masker in maskers
    ]
    dice = Dice(7)
    session = SqlSession(role="app", level=Level.WRITE)
    for number, case in enumerate(CORPUS):
        chosen = trios if DEEP > 1 else trios[number % 3 : number % 3 + 1]
        for text in (case.sql, *variants(case.sql, 2 * DEEP, dice)):
            for reader, heir, alone in chosen:
                expected = alone.read(text, session, 0, fresh=True)
                same(reader.read(text, session, 0), expected)
                same(heir.read(text, session, 0), expected)
    for _, heir, _ in trios:
        assert heir.forms is not None
        assert len(heir.forms) > 100


#: What tracing tools write, and what somebody might to get around them.
COMMENTS = (
    "/*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',route='%2Fpolls'*/", "/* app:shop,line:app/models/a.rb:12 */", "/**/",
    "/* ana@example.com */", "/* 4111 1111 1111 1111 */", "/* ; DROP TABLE customers */", "/* it's */", '/* "a */', "/* $1 $$ */", "/* -- */",
    "/* /* */", "/* /* */ */", "/* a */ /* b */", "/*", "*/", "/*/", "/* \u202e */", "/* é */", "/* \n */", "/*+ IndexScan(a) */", "/* a **/", "-- /* x */",
    "-- x\n/* y */", "/* " + "-" * 600 + " */", "/* " + "x" * 1100 + " */", "/* " + "x y " * 200 + " */", "'/* x */", '"/* x */', "$$/* x */", "/", "-", "*", "+",
)  # fmt: skip


def commented(text: str, dice: Dice) -> str:
    first, last = (dice.one(COMMENTS[:10] if dice.below(2) else COMMENTS) if dice.below(3) else "" for _ in range(2))
    space, end = dice.one(("", " ", "\n", "\r\n", "\t")), dice.one(("", "", ";", " ;\n", ";;", "\r"))
    return f"{space if dice.below(2) else ''}{first}{space}{text}{space}{last}{end}"


def test_comments_at_its_ends_change_nothing_of_a_statement(catalog: Catalog) -> None:
    """Every statement of the corpus between comments, judged by what is known of it without them, and by itself."""
    maskers = [Masker(policy, catalog, b"k") for policy in POLICIES.values()]
    pairs = [(Reader(catalog, masker), Reader(catalog, masker)) for masker in maskers]
    for reader, _ in pairs:
        reader.forms = FormMemory(patience=0)
    dice, session, known = Dice(11), SqlSession(role="app", level=Level.WRITE), 0
    for number, case in enumerate(CORPUS if DEEP > 1 else CORPUS[::2]):
        reader, alone = pairs[number % 3]
        for _ in range(DEEP):
            text = commented(case.sql, dice)
            same(reader.read(text, session, 0), alone.read(text, session, 0, fresh=True))
            known += reader._within(text, session) is not None
    assert known > 70


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("SELECT 1 /* a */", ("", "SELECT 1 ", "/* a */")),
        ("/* a */ SELECT 1", ("/* a */ ", "SELECT 1", "")),
        (" /* a */\nSELECT 1/* b */ ;\n", (" /* a */\n", "SELECT 1", "/* b */ ;\n")),
        ("/* a */SELECT /* b */ 1", ("/* a */", "SELECT /* b */ 1", "")),
        ("/* a */ /* b */ SELECT 1", None),
        ("SELECT /* a */ 1", None),
        ("SELECT 1 -- /* a */", None),
        ("SELECT 1 /* /* a */ */", None),
        ("SELECT 1 /* \u202e */", None),
        ("SELECT 1 /* \n */", None),
        ("/* a */", None),
        ("BEGIN /* a */", None),
        ("SELECT 1; SELECT 2 /* a */", None),
        ("SELECT 1 /* " + "-" * 600 + " */", None),
    ],
)
def test_where_comments_begin(text: str, pieces: tuple[str, str, str] | None) -> None:
    assert within(text) == pieces
    assert pieces is None or "".join(pieces) == text


def test_another_comment_each_time_is_no_other_form(catalog: Catalog) -> None:
    reader = Reader(catalog, Masker(POLICIES["rules"], catalog, b"k"))
    session = SqlSession(role="app", level=Level.WRITE)
    for number in range(5):
        text = f"SELECT name FROM customers WHERE id = $1 /*trace='{number:032x}',who='ana@example.com'*/"
        found = reader.read(text, session, 0)
        assert found.text == text and found.judged.combined.text == text and "ana@" not in found.shown.text
    assert reader.forms is not None
    assert len(reader.forms) == 1


#: One text, another of its form, and whether the other's values were judged as well.
PAIRS = [
    ("SELECT name FROM customers WHERE id = 5", "SELECT name FROM customers WHERE id = 6", True),
    ("SELECT name FROM customers LIMIT 5", "SELECT name FROM customers LIMIT 999999999", False),
    ("DELETE FROM staging WHERE id = 5", "DELETE FROM staging WHERE id = 77", True),
    ("DELETE FROM staging WHERE id > 5", "DELETE FROM staging WHERE id > 0", False),
    ("DELETE FROM staging WHERE 1 = 2", "DELETE FROM staging WHERE 1 = 1", False),
    ("UPDATE customers SET name = 'x' WHERE name = 'a'", "UPDATE customers SET name = 'yy' WHERE name = ''", True),
    ("UPDATE customers SET name = 'x' WHERE name LIKE 'a%'", "UPDATE customers SET name = 'x' WHERE name LIKE '%'", False),
    ("UPDATE customers SET name = 'x' WHERE 'f'::bool", "UPDATE customers SET name = 'x' WHERE 't'::bool", False),
    ("INSERT INTO stock (id, qty) VALUES (1, 2)", "INSERT INTO stock (id, qty) VALUES (3, -4)", None),
    ("INSERT INTO stock (id, qty) VALUES (1, -2)", "INSERT INTO stock (id, qty) VALUES (3, -4)", True),
    ("SELECT current_setting('work_mem')", "SELECT current_setting('app.key')", False),
    ("SELECT name FROM customers ORDER BY 1", "SELECT name FROM customers ORDER BY 9", False),
    ("SELECT 1::float(24)", "SELECT 1::float(53)", False),
    ("SELECT nextval('a')", "SELECT nextval('b')", True),
    ("SELECT 'a'\n'b'", "SELECT 'c'\n'd'", None),
    ("SELECT 123456789", "SELECT 2147483648", None),
    ("SELECT 12345678901", "SELECT 00000000001", None),
    ("SELECT 'a'", "SELECT 'a\u202e'", None),
    ("SELECT 'a'", "SELECT E'a'", None),
    ('SELECT "a"', 'SELECT "b"', None),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "free"), PAIRS)
def test_what_was_looked_at_counts(catalog: Catalog, first: str, second: str, free: bool | None) -> None:
    """`free`: the second is known once the first is; None: they are not of one form, or have none."""
    one, other = form(first), form(second)
    if free is None:
        assert one is None or other is None or one.skeleton != other.skeleton or "\n" in first
        return
    assert one is not None
    assert other is not None
    assert one.skeleton == other.skeleton
    masker = Masker(POLICIES["rules"], catalog, b"k")
    reader = Reader(catalog, masker)
    reader.forms = FormMemory(patience=0)
    session = SqlSession(role="app", level=Level.WRITE)
    reader.read(first, session, 0)
    same(reader.read(second, session, 0), Reader(catalog, masker).read(second, session, 0, fresh=True))
    assert len(reader.forms) == (1 if free else 2)


@pytest.mark.parametrize(
    "text",
    ["SELECT 'a", 'SELECT "a', "SELECT E'a'", "SELECT U&'a'", "SELECT B'1'", "SELECT N'a'", "SELECT $$a$$", "SELECT $a$1$a$", "SELECT a$b",
     "SELECT é", "SELECT '\0'", "SELECT '\udc80'", "SELECT 1 /* /* */ */", "SELECT \\", "SELECT '" + "x" * 300 + "'", "SELECT 1" + " " * 4096,
     "SELECT\u00a01", "SELECT 'a\u200b'", 'SELECT U&"a"'],
)  # fmt: skip
def test_what_is_not_wholly_understood_has_no_form(text: str) -> None:
    assert form(text) is None


LOOKS: list[Any] = [
    lambda given: given["sval"], lambda given: given.get("sval"), lambda given: "sval" in given, len, bool, list, dict, str, repr,
    lambda given: given == {"sval": "x"}, lambda given: given == {"sval": "x"}, lambda given: given != Given({}), lambda given: {**given},
    lambda given: given.items(), lambda given: given.keys(), lambda given: given.values(), copy.deepcopy, pickle.dumps, json.dumps,
]  # fmt: skip


@pytest.mark.parametrize("look", LOOKS)
def test_nobody_looks_at_a_value_unnoticed(look: Any) -> None:
    given = Given({"sval": "x"})
    assert not given.seen
    with contextlib.suppress(TypeError):  # what cannot look has not seen anything
        look(given)
        assert given.seen


def test_a_value_put_back_is_what_it_was() -> None:
    text = "SELECT a FROM t WHERE b = 'x' AND c = -5 LIMIT 10"
    found = form(text)
    assert found is not None
    statement = parse(text).statements[0]
    before = repr(statement.tree)
    with Hiding(found, text, statement.tree) as hiding:
        assert hiding.looked_at() == ()
        assert statement.tree["limitCount"]["A_Const"]["ival"]["ival"] == 10
    assert hiding.looked_at() == (2,)
    assert repr(statement.tree) == before


NAMED = Catalog.of(
    [
        Relation(20001, "public", "t", columns=(Column(1, "id", 23), Column(2, "email", 25))),
        Relation(20002, "other", "t", columns=(Column(1, "id", 23), Column(2, "email", 25))),
    ]
)


def test_another_session_is_another_memory() -> None:
    """The same text under another path, level, or with a temporary table of that name."""
    reader = Reader(NAMED, Masker(POLICIES["rules"], NAMED, b"k"))
    text = "SELECT id FROM t WHERE email = '{}'"
    for number, session in enumerate([
        SqlSession(role="app", search_path=("public",)), SqlSession(role="app", search_path=("other",)),
        SqlSession(role="app", search_path=("public",), temporary=frozenset({"t"})), SqlSession(role="app", search_path=("public",)),
    ]):  # fmt: skip
        for value in ("a", "b", "c"):
            found = reader.read(text.format(value), session, number)
            same(found, Reader(NAMED, reader.masker).read(text.format(value), session, 0, fresh=True))


def test_names_of_the_session_do_not_count_where_none_is_asked_for() -> None:
    reader = Reader(NAMED, Masker(POLICIES["rules"], NAMED, b"k"))
    body = parse("SELECT id FROM t")
    bare, named = SqlSession(role="app"), SqlSession(role="app", prepared={"p": body})
    plain = reader.read("SELECT id FROM t", bare, 1)
    assert reader.read("SELECT id FROM t", named, 2) is plain
    assert reader.read("SELECT id FROM t", SqlSession(role="app", level=Level.WRITE), 3) is not plain
    run = reader.read("EXECUTE p", bare, 4)
    assert not run.judged.combined.understood
    assert reader.read("EXECUTE p", named, 5).judged.combined.reads == ("public.t",)


def test_a_memory_is_bounded() -> None:
    memory = FormMemory[int](forms=3, each=2, patience=2)
    for number in range(10):
        for value in range(5):
            one = form(f"SELECT a{number}, {value}")
            assert one is not None
            memory.keep(one, (0,), value)
    assert len(memory) == 6
    kept = form("SELECT a9, 4")
    gone = form("SELECT a9, 1")
    assert kept is not None
    assert gone is not None
    assert (memory.find(kept), memory.find(gone)) == (4, None)
    new = form("SELECT a10, 4")
    assert new is not None
    assert [memory.worthwhile(new) for _ in range(4)] == [False, False, True, False]
    memory.give_up(kept)
    assert (memory.find(kept), memory.worthwhile(kept)) == (None, False)


# -- the text: what has the same form is the same tree but for the literals

#: What lexers stumble over.
FRAGMENTS = (
    "'", "''", "'''", '"', '""', "'a'", "'a''b'", "'a'\n'b'", "'a' 'b'", "'a'--x\n'b'", "E'a\\'", "e'", "U&'d\\0061'", "u&'", 'U&"d"', "N'a'", "B'01'",
    "X'1F'", "$$", "$a$", "$1", "$", "a$1", "1", "1.5", ".5", "5.", "1e5", "1E+5", "0x1F", "0b1", "0o7", "1_000", "12345678901",
    "2147483648", "4294967296", "--", "-- 'x\n", "--'", "/*", "*/", "/* 'x' */", "/* /* */ */", "/**/", "/", "*", "-", "- ", "--1\n", "- -1", "-1", "+1",
    "::", ":", "\\", ";", ",", "(", ")", "[1]", "[1:2]", "é", "\xa0", "\u2028", "\x0b", "\x0c", "\r", "\n", "\t", "\0", " ", "@", "#", "?", "<>", "!=",
    "LIMIT 5", "float(24)", "float(25)", "::float(53)", "::numeric(10,2)", "::bit(3)", "interval '1' second(3)", "interval(3) '1'", "date '2026-01-01'",
    "regclass 'pg_class'", "UESCAPE '!'", "LIKE 'a' ESCAPE '!'", "extract('year' FROM now())", "extract(year FROM now())", "AT TIME ZONE 'UTC'", "IN (1, 2)",
    "BETWEEN 1 AND 2", "BETWEEN SYMMETRIC 1 AND 2", "OVERLAY('abc' PLACING 'x' FROM 1)", "position('a' IN 'b')", "TABLESAMPLE system (5)", "FETCH FIRST 5 ROWS ONLY",
    "CASE WHEN 1=1 THEN 'a' END", "JSON_VALUE('{}', '$.a')", "XMLPARSE(CONTENT '<a/>')", "GROUP BY 1", "ORDER BY 1", "GROUPING SETS (1)", "VALUES (1, 'a')", "OFFSET 5",
    "SET a = 1", 'COLLATE "C"', "a'b'", 'a"b"', "1a", "1'a'", "'a'1", '1"a"', "ROWS 1 PRECEDING", "RETURNING 1", "ARRAY[1,'a']", "ROW(1,'a')", "(1,'a')", "IS NULL",
)  # fmt: skip


def shape(tree: Any) -> Any:
    """A tree without places; hidden values as their kind."""
    if isinstance(tree, Given):
        return "?"
    if isinstance(tree, dict):
        return {key: shape(value) for key, value in tree.items() if key != "location"}
    return [shape(one) for one in tree] if isinstance(tree, list) else tree


def hidden(text: str, found: Form) -> tuple[Any, tuple[int, ...]] | None:
    """The tree without the literals it leaves alone, and the others."""
    parsed = parse(text)
    if len(parsed.statements) != 1:
        return None
    with Hiding(found, text, parsed.statements[0].tree) as hiding:
        return shape({parsed.statements[0].node: parsed.statements[0].tree}), hiding.looked_at()


def check_trees(text: str, dice: Dice) -> int:
    """Compare a text with others of its form; how many there were."""
    found = form(text)
    if found is None or (mine := hidden(text, found)) is None:
        return 0
    plain = reads_alike(text, found)
    count = 0
    for other in variants(text, 3, dice):
        its = form(other)
        if its is None:
            continue
        assert its.skeleton == found.skeleton
        assert reads_alike(other, its) == plain
        if all(its.literals[index] == found.literals[index] for index in mine[1]):
            assert hidden(other, its) == mine, other
            count += 1
    return count


def reads_alike(text: str, found: Form) -> bool:
    """Whether those who show the text see the same literals (a string that goes on in the next line is one for them)."""
    encoded = text.encode()
    places = {len(text[:start].encode()): literal for start, literal in zip(found.starts, found.literals, strict=True)}
    seen = {part.start: encoded[part.start : part.end].decode() for part in sqltext.parts(encoded)}
    return places.items() <= seen.items()


def mutated(dice: Dice) -> str:
    text: str = dice.one(CORPUS).sql
    for _ in range(1 + dice.below(3)):
        at = dice.below(len(text) + 1)
        text = text[:at] + dice.one(("", " ")) + dice.one(FRAGMENTS) + dice.one(("", " ")) + text[at:]
    return text


def test_texts_of_one_form_are_one_tree() -> None:
    dice = Dice(5)
    assert sum(check_trees(case.sql, dice) for case in CORPUS) > 500
    assert sum(check_trees(mutated(dice), dice) for _ in range(1_000 * DEEP)) > 30


# -- in C


def soup(dice: Dice) -> str:
    """Fragments and single characters, all of ASCII."""
    pieces = (dice.one(FRAGMENTS) if dice.below(4) else chr(dice.below(128)) for _ in range(1 + dice.below(12)))
    return "".join(pieces).encode("ascii", "ignore").decode()


EDGES = (
    "", "'", "''", "'a'", "'a''", "'a'''", "x'a'", "$'a'", "&'a'", "_'a'", ")'a'", '"', '"a"', '"a""b"', '"a""b', 'x"a"', "1", "0", "00", "1.", ".1", "1.1",
    "1.1.1", "1e5", "1x", "1_0", "$1", "$", "a$", "a1", "a.1", "1$", "--", "-", "--\n1", "--\r1", "/**/", "/*/", "/***/", "/* / */", "/*/*", "/", "/*", "\\",
    "\0", "\x7f", "\x1f", "\t\n\r", *("1" * size for size in (9, 10, 11, 18, 19)), *("0" * size for size in (9, 10, 11)), "1" * 18 + "." + "1" * 18,
    "1" * 19 + ".1", "1." + "1" * 19, *(f"'{'x' * size}'" for size in (MAX_LITERAL - 2, MAX_LITERAL - 1)), *("1," * (size // 2) for size in (MAX_TEXT, MAX_TEXT + 2)),
)  # fmt: skip


@pytest.mark.skipif(native is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")
def test_forms_are_the_same_in_c() -> None:
    dice = Dice(9)
    made = (make(dice) for make in (mutated, soup) for _ in range(2_000 * DEEP))
    for text in (*EDGES, *(case.sql for case in CORPUS), *made):
        if len(text) <= MAX_TEXT:
            assert form(text) == form_here(text), text
        else:
            assert form(text) is None
    for odd in ("é", b"SELECT 1", None):
        with pytest.raises(TypeError):
            native.form(odd)
    assert native.form("1," * MAX_TEXT) is None
