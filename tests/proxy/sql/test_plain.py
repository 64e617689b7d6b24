"""What is said of plain SELECTs without walking them is what the judge and lineage say of them, which are asked here about every one."""

from __future__ import annotations

import gc
import json
import os
import threading
import weakref
from collections import Counter
from dataclasses import replace
from typing import Any

import pgparse
import pytest

from access.masking import MaskPolicy
from proxy.masking.plan import Masker
from proxy.native import plain_way
from proxy.postgres.reader import Reader
from proxy.sql import plain as plain_module
from proxy.sql.catalog import Catalog, Column, Function, Relation, Volatility
from proxy.sql.classify import judge
from proxy.sql.forms import form
from proxy.sql.judged import Anew, SqlSession
from proxy.sql.lineage import Lineage, trace
from proxy.sql.lineage_notes import computes, constants
from proxy.sql.names import effective_path
from proxy.sql.parse import json_of, parse
from proxy.sql.plain import plain, plain_text
from proxy.sql.plainly import Plainly, plainly
from tests.proxy.peers.taking_apart import Tally, compare_plain
from tests.proxy.sql.selects import made
from tests.proxy.sql.test_corpus import CORPUS
from tests.proxy.sql.test_forms import POLICIES as OF_FORMS
from tests.proxy.sql.test_forms import same
from tests.proxy.sql.variants import variants
from tests.proxy.sql.worlds import Dice

#: `HOOP_DEEP=20` looks twenty times as long.
DEEP = int(os.environ.get("HOOP_DEEP", "1"))
POLICIES = {**OF_FORMS, "samples": replace(OF_FORMS["rules"], by_sample=True)}
SESSIONS = (
    SqlSession(role="app"),
    SqlSession(search_path=("crm", "public"), role="app"),
    SqlSession(search_path=("public", "pg_catalog"), role="app"),
    SqlSession(search_path=("hidden", "public"), role="app"),
)


def _notes(found: Lineage) -> list[Any]:
    """What the masker asks of notes."""
    said = []
    for node, taint in found.notes:
        literals, parameters = set[int](), set[int]()
        constants(node, literals, parameters)
        exact = any(node is one for one, _ in found.lookups)
        said.append((sorted(taint.touches), taint.unknown, sorted(literals), sorted(parameters), computes(node), exact))
    return sorted(said)


def compare(text: str, catalog: Catalog, session: SqlSession) -> str:
    """Hold the short answer against the long ones; which way it went."""
    parsed = parse(text)
    if form(text) is None or [one.node for one in parsed.statements] != ["SelectStmt"]:
        return "other"
    tree = parsed.statements[0].tree
    found, ways = plain(tree), plainly(catalog, session)
    if found is None or ways is None:
        return "not plain"
    short = ways.read(text, found)
    if short is None:
        return "names that are not plain"
    statement, lineage = short
    (judged,) = judge(parsed, catalog, session).statements
    path = effective_path(session.search_path, session.role)
    traced = trace({"SelectStmt": tree}, catalog, path, {}, session.temporary)
    assert judged.controls == ()
    assert statement == judged.statement, text
    assert (statement.reads, statement.functions) == (judged.statement.reads, judged.statement.functions), text
    assert lineage == traced, text
    assert [touches for _, touches in lineage.lookups] == [touches for _, touches in traced.lookups], text
    assert _notes(lineage) == _notes(traced), text
    assert lineage.reads_bounds == traced.reads_bounds
    return "plain"


def test_the_corpus(catalog: Catalog) -> None:
    ways = Counter[str]()
    dice = Dice(7)
    for case in CORPUS:
        for text in (case.sql, *variants(case.sql, 3 * DEEP, dice)):
            for session in SESSIONS:
                ways[compare(text, catalog, session)] += 1
    assert ways["plain"] > 300


@pytest.mark.parametrize("session", SESSIONS, ids=lambda one: ",".join(one.search_path))
def test_statements_made_by_chance(catalog: Catalog, session: SqlSession) -> None:
    ways = Counter(compare(text, catalog, session) for text in made(1, 400 * DEEP))
    assert ways["plain"] > 80 * DEEP, ways
    assert ways["not plain"] > 20 * DEEP, ways
    assert ways["names that are not plain"] > 20 * DEEP, ways


@pytest.mark.parametrize(
    "text",
    [
        "SELECT c.age - o.id AS x FROM customers c JOIN orders o ON true ORDER BY x",
        "SELECT c.age - o.id, c.id FROM customers c JOIN orders o ON true GROUP BY 1, 2",
        "SELECT c.name AS x, o.id FROM customers c JOIN orders o ON c.id = o.customer_id ORDER BY x, name",
        "SELECT lower(email) AS email FROM customers ORDER BY email",
        "SELECT count(*) FROM customers GROUP BY active LIMIT 100001",
        "SELECT id FROM customers LIMIT 100000",
        "SELECT 1 WHERE true",
        "SELECT c.id FROM customers c JOIN customers o ON true WHERE c.id = 1",
        "SELECT id FROM customers WHERE 1 = id",
        "SELECT id FROM customers WHERE id = 1 AND (age = 2 OR age = 3)",
        "SELECT order_id FROM order_items WHERE order_id = 1 AND (line = 2 AND qty = 3)",
        "SELECT order_id FROM order_items WHERE order_id = 1 AND NOT line = 2",
        "SELECT email IS NULL, nullif(email, 'x') IS NULL FROM customers WHERE email IS NOT NULL",
        "SELECT left(email, 1234), left(email, 12345), left(email, -1234), name::varchar(12345) FROM customers",
        "SELECT id FROM customers ORDER BY -1",
        "SELECT email FROM customers GROUP BY email = 'x', email ORDER BY name = 'y'",
        "SELECT CASE country WHEN 'DE' THEN email END FROM customers",
        "SELECT customers.id FROM customers, customers -- twice",
        "SELECT customers.id, secret FROM customers JOIN crm.customers ON customers.secret = 'x' -- twice",
    ],
)
def test_corners(catalog: Catalog, text: str) -> None:
    way = compare(text, catalog, SESSIONS[0])
    assert way == ("not plain" if text.endswith(("BY -1", "twice")) else "plain")
    assert plain_text(text)[0] == plain(parse(text).statements[0].tree)


def test_what_has_one_meaning_that_is_not_plain(catalog: Catalog) -> None:
    """What is known to compute only may still read what is not in the text, and give many rows."""
    reader = Function("public", "nosy", kind="f", language="sql", builtin=False, volatility=Volatility.STABLE)
    many = Function("pg_catalog", "length", language="internal", returns_set=True)
    own = replace(
        catalog,
        functions={
            **catalog.functions,
            ("public", "nosy"): (reader,),
            ("pg_catalog", "length"): (*catalog.functions["pg_catalog", "length"], many),
        },
        operators={**catalog.operators, ("public", "<#>"): frozenset({("public", "nosy")})},
        types={**catalog.types, ("public", "odd"): frozenset({("public", "nosy")})},
        registered=frozenset({"public.nosy"}),
    )
    for text in (
        "SELECT age <#> 1 FROM customers",
        "SELECT id FROM customers WHERE age <#> 1",
        "SELECT age::odd FROM customers",
        "SELECT length(name) FROM customers",
        "SELECT max(length(name)) FROM customers",
    ):
        assert compare(text, own, SESSIONS[0]) == "names that are not plain", text


def _otherwise(catalog: Catalog, dice: Dice) -> Catalog:
    """The same names, some of which mean something else: tables that run code, functions that hide the server's, views nobody
    can see through."""
    relations, types = dict(catalog.relations), sorted(catalog.type_names)[-12:]
    for name, one in catalog.relations.items():
        if name[0] in {"pg_catalog", "information_schema"} or dice.sometimes(2):
            continue
        columns = tuple(
            replace(column, type_oid=dice.one(types)) if dice.sometimes(12) else column for column in one.columns
        )
        names = [column.name for column in columns]
        changes = (
            {"key": frozenset({dice.one(names)}) if names else frozenset()},
            {
                "runs_on_read": frozenset(
                    {dice.one((("public", "wipe"), ("public", "harmless"), ("pg_catalog", "lower")))}
                )
            },
            {"kind": dice.one("rpfvm")},
            {"kind": "v", "sources": frozenset({dice.one(tuple(catalog.by_oid))}), "origins": None, "definition": None},
            {"columns": columns},
            {"columns": (*columns, replace(columns[0], attnum=99))} if columns else {},
            {"parents": (dice.one(tuple(catalog.by_oid)),)},
        )
        relations[name] = replace(one, **dice.one(changes))  # type: ignore[arg-type]
    functions, operators = dict(catalog.functions), dict(catalog.operators)
    for _ in range(dice.below(3)):
        key = dice.one(("public", "crm", "app")), dice.one(("lower", "count", "max", "abs", "concat", "now", "left"))
        made = Function(
            *key,
            kind=dice.one("fa"),
            language=dice.one(("sql", "c", "internal")),
            returns_set=dice.sometimes(),
            extension=dice.one(("", "pgcrypto")),
            builtin=False,
            row_argument=dice.sometimes(),
        )
        functions[key] = (*functions.get(key, ()), made)
    if dice.sometimes():
        operators["public", dice.one(("<", "||", "~"))] = frozenset({dice.one(tuple(functions))})
    return replace(
        catalog,
        relations=relations,
        by_oid={one.oid: one for one in relations.values()},
        functions=functions,
        operators=operators,
        registered=frozenset(dice.one(((), ("public.*",), ("crm.lower",)))),
    )


def test_catalogs_made_by_chance(catalog: Catalog) -> None:
    dice, ways = Dice(11), Counter[str]()
    for number in range(12 * DEEP):
        own = _otherwise(catalog, dice)
        for text in made(100 + number, 40):
            ways[compare(text, own, SESSIONS[number % len(SESSIONS)])] += 1
    assert ways["plain"] > 40 * DEEP, ways
    assert ways["names that are not plain"] > 40 * DEEP, ways


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_reader_says_the_same_the_short_way(
    catalog: Catalog, policy: MaskPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole reading: verdict, masking, what people see of the text."""
    plainly = Counter[bool]()
    understood = Reader._understood

    def counted(*args: Any, **how: Any) -> Any:
        plainly[False] += 1
        return understood(*args, **how)

    monkeypatch.setattr(Reader, "_understood", counted)
    masker, dice = Masker(policy, catalog, b"k"), Dice(3)
    for text in made(2, 60 * DEEP):
        for other in (text, *variants(text, 2, dice)):
            short = Reader(catalog, masker).read(other, SESSIONS[0], 0)
            plainly[True] += 1
            same(short, Reader(catalog, masker).read(other, SESSIONS[0], 0, fresh=True))
    assert plainly[False] < 2 * plainly[True] - 20 * DEEP  # else all went the long way


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_questions_for_one_value_and_texts_that_are_not_shown_as_they_are(catalog: Catalog, policy: MaskPolicy) -> None:
    masker = Masker(policy, catalog, b"k")
    for text in (
        "SELECT id FROM customers WHERE email = 'x' AND age = 2",
        "SELECT id FROM customers WHERE age = 2 OR $1::text = email",
        "SELECT id\r\nFROM notes\r\nWHERE id = 1",
        f"SELECT {', '.join(['id AS one_of_many'] * 200)} FROM notes WHERE id = 1",
    ):
        long = Reader(catalog, masker).read(text, SESSIONS[0], 0, fresh=True)
        same(Reader(catalog, masker).read(text, SESSIONS[0], 0), long)
        assert not policy.strict or bool(long.parts[0].looked_up) is ("AND age" in text)


@pytest.mark.skipif(plain_way is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")
def test_statements_are_taken_apart_in_c_as_in_python() -> None:
    tally = Tally()
    compare_plain(tally, 1, 500 * DEEP)
    assert tally.differences == []
    assert tally.plain > 200 * DEEP
    assert tally.damaged > 10 * DEEP


@pytest.mark.skipif(plain_way is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")
@pytest.mark.parametrize(
    ("before", "each", "between", "after", "most"),
    [
        ("SELECT concat(", "c{}", ",", ")", 128),
        ("SELECT id FROM t WHERE id IN (", "1{}", ",", ")", 512),
        ("SELECT 1 FROM ", "t{}", ",", "", 128),
        ("SELECT ", "f{}()", ",", "", 128),
        ("SELECT ", "1::t{}", ",", "", 128),
        ("SELECT ", "{}", ",", "", 256),
        ("SELECT ORDER BY ", "{}", ",", "", 256),
        ("SELECT WHERE ", "a={}", " OR ", "", 256),
        ("SELECT $1 IN (", "${}", ",", ")", 511),
    ],
)
def test_how_much_there_is_room_for_in_c(before: str, each: str, between: str, after: str, most: int) -> None:
    """What is one too many makes a statement not plain."""
    for count, fits in ((most, True), (most + 1, False), (most + 20, False)):
        text = f"{before}{between.join(each.format(100 + number) for number in range(count))}{after}"
        known = json_of(text)
        assert known is not None
        found = plain_way.plain(known)
        assert (found is not None) is fits, (text[:40], count)
        assert found is None or found == plain(parse(text).statements[0].tree)


def test_without_the_compiled_part_the_same_is_said(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_module, "plain_way", None)
    masker = Masker(POLICIES["rules"], catalog, b"k")
    for text in made(5, 40):
        same(
            Reader(catalog, masker).read(text, SESSIONS[0], 0),
            Reader(catalog, masker).read(text, SESSIONS[0], 0, fresh=True),
        )


@pytest.mark.parametrize(
    "session",
    [
        SqlSession(role="app", redefined=Anew(frozenset({"customers"}))),
        SqlSession(role="app", temporary=frozenset({"customers"})),
    ],
    ids=["redefined", "temporary"],
)
def test_names_that_mean_something_else_here_are_read_the_long_way(catalog: Catalog, session: SqlSession) -> None:
    assert plainly(catalog, session) is None
    masker = Masker(POLICIES["rules"], catalog, b"k")
    text = "SELECT email FROM customers WHERE id = 1"
    same(Reader(catalog, masker).read(text, session, 0), Reader(catalog, masker).read(text, session, 0, fresh=True))


def test_a_session_that_gives_a_name_another_meaning_is_asked_anew(catalog: Catalog) -> None:
    """What was plain is not plain any more when a table stands in front of it."""
    reader = Reader(catalog, Masker(POLICIES["rules"], catalog, b"k"))
    assert reader.read("SELECT age FROM customers WHERE id = 1", SESSIONS[0], 0).touched
    own = SqlSession(role="app", temporary=frozenset({"customers"}))
    later = reader.read("SELECT age FROM customers WHERE id = 2", own, 1)
    same(later, Reader(catalog, reader.masker).read(later.text, own, 1, fresh=True))
    assert later.judged.combined.reads == ("pg_temp.customers",)


def test_what_the_short_way_trips_over_is_read_the_long_way(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def trips(*_: object) -> None:
        raise LookupError

    monkeypatch.setattr(Plainly, "read", trips)
    masker = Masker(POLICIES["rules"], catalog, b"k")
    text = "SELECT email FROM customers WHERE id = 1"
    same(
        Reader(catalog, masker).read(text, SESSIONS[0], 0),
        Reader(catalog, masker).read(text, SESSIONS[0], 0, fresh=True),
    )


def test_nothing_is_plain_before_the_catalog_was_read() -> None:
    assert plainly(Catalog.empty(), SqlSession()) is None


def test_what_is_remembered_is_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.sql.plainly._REMEMBERED", 8)
    own = replace(catalog)  # with memories of its own
    ways = plainly(own, SESSIONS[0])
    assert ways is not None
    for number in range(50):
        calls = ", ".join(
            f"{one}(c{number}.name)"
            for one in ("lower", "initcap", "length", "reverse", "ascii", "md5", "btrim", "ltrim", "rtrim")
        )
        text = f"SELECT c{number}.id, c{number}.age - c{number}.id, {calls} FROM customers c{number} JOIN orders o{number} ON true"
        found, _ = plain_text(text)
        assert found is not None
        assert ways.read(text, found) is not None
    kept = [one for one in vars(ways).values() if isinstance(one, dict)]
    assert max(map(len, kept)) <= 8


def test_a_memory_that_starts_anew_in_the_middle_of_a_statement(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxy.sql.plainly._REMEMBERED", 1)
    own = replace(catalog)
    for text in (
        "SELECT max(id), lower(max(name)), length(max(email)) FROM customers",
        "SELECT c.id, o.id - c.age, o.id::text FROM customers c JOIN orders o ON o.customer_id = c.id WHERE c.age - 2 > 1::int",
    ):
        assert [compare(text, own, SESSIONS[0]) for _ in range(2)] == ["plain", "plain"]


def test_what_is_remembered_goes_with_its_catalog(catalog: Catalog) -> None:
    own = replace(catalog)
    gone = weakref.ref(own)
    assert compare("SELECT lower(name) FROM customers WHERE id = 1", own, SESSIONS[0]) == "plain"
    ways = plainly(own, SESSIONS[0])
    assert ways is not None
    del own
    gc.collect()
    assert gone() is None
    with pytest.raises(LookupError, match="the catalog is gone"):
        ways.read("", plain_text("SELECT id FROM notes")[0])  # type: ignore[arg-type]


def _nested(before: str, core: str, after: str, depth: int) -> str:
    return before * depth + core + after * depth


@pytest.mark.parametrize(
    ("text", "way"),
    [
        (f"SELECT id{'::text' * 40} FROM customers", "plain"),
        (f"SELECT id{'::text' * 41} FROM customers", "not plain"),
        (f"SELECT {_nested('lower(', 'name', ')', 41)} FROM customers", "not plain"),
        (f"SELECT {_nested('CASE WHEN active THEN 1 ELSE ', 'id', ' END', 40)} FROM customers", "plain"),
        (f"SELECT id FROM customers WHERE {_nested('NOT (', 'id = 1', ')', 40)}", "plain"),
        (f"SELECT id FROM customers WHERE {_nested('NOT (', 'id = 1', ')', 41)}", "not plain"),
        (f"SELECT id FROM customers WHERE {_nested('NOT (', 'id = 1', ')', 200)}", "not plain"),
        (
            f"SELECT 1 FROM notes n0 JOIN notes n1 ON {'NOT ' * 40}{_nested('CASE WHEN ', 'true', ' THEN true END', 40)} "
            + " ".join(f"JOIN notes m{at} ON true" for at in range(39)),
            "plain",
        ),
        (
            f"SELECT 1 FROM notes n0 JOIN notes n1 ON {'NOT ' * 60}{_nested('CASE WHEN ', 'true', ' THEN true END', 60)} "
            + " ".join(f"JOIN notes m{at} ON true" for at in range(59)),
            "not plain",
        ),
    ],
)
def test_how_deep_a_plain_statement_may_be(catalog: Catalog, text: str, way: str) -> None:
    """Never so deep that the judge gives up, and no name is lost on the way."""
    assert compare(text, catalog, SESSIONS[0]) == way
    taken, _ = plain_text(text)
    assert taken is None or taken == plain(parse(text).statements[0].tree)
    assert way == "plain" or taken is None


def test_a_dot_in_a_name_is_no_schema(catalog: Catalog) -> None:
    """The judge takes what is behind the last dot for the name, and so a table for one of the server's."""
    odd = Relation(999_001, "public", "x.pg_stats", columns=(Column(1, "id", 23), Column(2, "most_common_vals", 25)))
    own = replace(
        catalog,
        relations={**catalog.relations, (odd.schema, odd.name): odd},
        by_oid={**catalog.by_oid, odd.oid: odd},
    )
    assert compare('SELECT most_common_vals FROM "x.pg_stats"', own, SESSIONS[0]) == "names that are not plain"


def test_a_table_of_which_nobody_knows_what_it_shows_is_not_plain(catalog: Catalog) -> None:
    odd = Relation(999_002, "public", "odd", columns=(Column(1, "id", 23),))
    own = replace(catalog, relations={**catalog.relations, (odd.schema, odd.name): odd})  # known by its name alone
    assert compare("SELECT id FROM odd", own, SESSIONS[0]) == "names that are not plain"


def test_the_parser_serves_others_meanwhile() -> None:
    """Its JSON is handed over only to the thread that asks for it."""
    expected = pgparse.parse("SELECT 1")
    wrong, done = [], threading.Event()

    def other() -> None:
        while not done.is_set():
            if pgparse.parse("SELECT 1") != expected:
                wrong.append(1)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        for number in range(300):
            found = json_of(f"SELECT {number}")
            assert (
                found is None or json.loads(found)["stmts"][0]["stmt"] == pgparse.parse(f"SELECT {number}")[0]["stmt"]
            )
    finally:
        done.set()
        thread.join()
    assert not wrong
    assert json_of("SELECT FROM FROM") is None


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("SELECT id FROM orders WHERE status = 'open' LIMIT 5", False),
        ("SELECT id FROM orders WHERE status = 'ana@example.com'", True),
        ("SELECT id FROM orders WHERE id = 4111111111111111", True),
        ("SELECT id FROM orders WHERE id = 41111111.11111111", False),
        ('SELECT id AS "ana@example.com" FROM orders', True),
        ("SELECT id FROM orders -- ana@example.com", True),
        ("SELECT id /* ana@example.com */ FROM orders", True),
        ("SELECT id FROM customers WHERE email = 'x'", True),
        ("SELECT email FROM customers WHERE country = 'DE' ORDER BY email LIMIT 5", False),
        ("SELECT email, 12345 FROM customers ORDER BY email LIMIT 5", True),
    ],
)
def test_what_people_see_of_a_literal(catalog: Catalog, text: str, hidden: bool) -> None:
    shown = Reader(catalog, Masker(POLICIES["rules"], catalog, b"k")).read(text, SESSIONS[0], 0).shown
    assert (shown.text != text) is hidden
    assert shown.complete is not hidden
