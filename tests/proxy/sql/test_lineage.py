from __future__ import annotations

import time
from typing import Any

import pytest

from proxy.sql.catalog import Catalog, Column, Function, Relation
from proxy.sql.lineage import Lineage, OutputColumn, output_columns, trace
from proxy.sql.parse import parse

BUILT_IN = [
    "array_agg",
    "avg",
    "coalesce",
    "concat",
    "count",
    "format",
    "generate_series",
    "jsonb_each",
    "jsonb_object_agg",
    "jsonb_populate_record",
    "jsonb_to_record",
    "lag",
    "length",
    "lower",
    "max",
    "md5",
    "now",
    "num_nulls",
    "percentile_disc",
    "pg_typeof",
    "query_to_xml",
    "reverse",
    "row_number",
    "row_to_json",
    "string_agg",
    "sum",
    "to_jsonb",
    "unnest",
    "upper",
]

PEOPLE = Relation(
    20001,
    "public",
    "people",
    columns=(Column(1, "id", 23), Column(2, "email", 25), Column(3, "name", 25), Column(5, "born", 1082)),
)
ORDERS = Relation(
    20002, "public", "orders", columns=(Column(1, "id", 23), Column(2, "person", 23), Column(3, "note", 25))
)
ARCHIVE = Relation(
    20003, "archive", "people", columns=(Column(1, "id", 23), Column(2, "email", 25), Column(3, "reason", 25))
)
CONTACT = Relation(
    20004,
    "public",
    "contact",
    kind="v",
    columns=(Column(1, "id", 23), Column(2, "mail", 25), Column(3, "seen", 1184)),
    origins={1: frozenset({"public.people.id"}), 2: frozenset({"public.people.email"}), 3: frozenset()},
)
CATALOG = Catalog.of(
    [PEOPLE, ORDERS, ARCHIVE, CONTACT],
    [
        *(Function("pg_catalog", name, language="internal") for name in BUILT_IN),
        Function("public", "own", language="sql"),
        Function("public", "digest", language="c", extension="pgcrypto", builtin=False),
        Function("public", "replace", language="sql", extension="citext", builtin=False),
        Function("public", "spy", language="c", builtin=False),
        Function("public", "peek", language="c", extension="home_made", builtin=False),
        Function("pg_catalog", "sneaky", language="sql", builtin=False),
        Function("pg_catalog", "current_setting", language="internal"),
        Function("pg_catalog", "regexp_split_to_table", language="internal", returns_set=True),
        Function("public", "upper", language="sql"),
    ],
)
PATH = ("pg_temp", "pg_catalog", "public")


def traced(sql: str, **more: Any) -> Lineage:
    (statement,) = parse(sql).statements
    return trace({statement.node: statement.tree}, CATALOG, more.pop("path", PATH), **more)


def shown(one: OutputColumn) -> str:
    """`name=table.column+…` with marks: `.` plain, `!` safe, `?` unknown."""
    touches = "+".join(sorted(touch.removeprefix("public.") for touch in one.touches))
    return f"{one.name}={touches}{'.' * one.plain}{'!' * one.safe}{'?' * one.unknown}"


CASES = (
    # plain columns, aliases, stars
    ("SELECT email FROM people", "email=people.email."),
    ("SELECT email AS id FROM people p", "id=people.email."),
    ("SELECT p.email, public.people.id FROM people p, people", "email=people.email. id=people.id."),
    ("SELECT * FROM people", "id=people.id. email=people.email. name=people.name. born=people.born."),
    ("SELECT o.*, 1 FROM orders o", "id=orders.id. person=orders.person. note=orders.note. ?column?="),
    ("TABLE orders", "id=orders.id. person=orders.person. note=orders.note."),
    ("SELECT b FROM people AS x(a, b)", "b=people.email."),
    ("SELECT archive.people.email FROM archive.people", "email=archive.people.email."),
    ("SELECT ctid, xmin, tableoid FROM people", "ctid=! xmin=! tableoid=!"),
    # expressions
    ("SELECT lower(email) FROM people", "lower=people.email"),
    ("SELECT email || name FROM people", "?column?=people.email+people.name"),
    ("SELECT email::bytea, CAST(name AS varchar(3)) FROM people", "email=people.email name=people.name"),
    ("SELECT email = 'x', NOT email LIKE 'a%' FROM people", "?column?=people.email ?column?=people.email"),
    ("SELECT CASE WHEN email = 'x' THEN id END FROM people", "case=people.email+people.id"),
    ("SELECT ARRAY[email], ROW(name, 1), (ARRAY[email])[1] FROM people", "array=people.email row=people.name array=people.email"),
    ("SELECT coalesce(email, name), greatest(id, 2), nullif(email, '') FROM people", "coalesce=people.email+people.name greatest=people.id nullif=people.email"),
    ('SELECT email COLLATE "C", extract(year FROM born) FROM people', "email=people.email extract=people.born?"),
    ("SELECT email BETWEEN 'a' AND name, email IN (name) FROM people", "?column?=people.email+people.name ?column?=people.email+people.name"),
    # the safe list
    ("SELECT count(*), count(email), count(DISTINCT email) FROM people", "count=! count=! count=!"),
    ("SELECT email IS NULL, num_nulls(email, name), pg_typeof(email) FROM people", "?column?=! num_nulls=! pg_typeof=!"),
    ("SELECT count(*) FILTER (WHERE email = 'x') FROM people", "count=!"),
    ("SELECT now(), current_user", "now=! current_user=!"),
    ("SELECT count(nullif(email, 'x')), nullif(email, 'x') IS NULL FROM people", "count=people.email ?column?=people.email"),
    # whole rows
    ("SELECT p FROM people p", "p=people.born+people.email+people.id+people.name"),
    ("SELECT p::text, row_to_json(p), to_jsonb(p) -> 'id' FROM people p", "p=people.born+people.email+people.id+people.name row_to_json=people.born+people.email+people.id+people.name ?column?=people.born+people.email+people.id+people.name"),
    ("SELECT (p).email, (p).* FROM people p", "email=people.email. id=people.id. email=people.email. name=people.name. born=people.born."),
    ("SELECT p.md5 FROM people p", "md5=people.born+people.email+people.id+people.name"),
    ("SELECT p.own FROM people p", "own=people.born+people.email+people.id+people.name?"),
    # subqueries
    ("SELECT x FROM (SELECT lower(email) AS x FROM people) t", "x=people.email"),
    ("SELECT t.lower FROM (SELECT lower(email) FROM people) t", "lower=people.email"),
    ("SELECT (SELECT email FROM people LIMIT 1) AS e, o.id FROM orders o", "e=people.email id=orders.id."),
    ("SELECT (SELECT max(id) FROM people WHERE email = 'x')", "max=people.email+people.id"),
    ("SELECT EXISTS (SELECT email FROM people), EXISTS (SELECT 1 FROM people WHERE email = 'x')", "exists=! exists=people.email"),
    ("SELECT ARRAY(SELECT name FROM people)", "array=people.name"),
    ("SELECT id IN (SELECT person FROM orders) FROM people", "?column?=orders.person+people.id"),
    ("SELECT (SELECT p.email) FROM people p", "email=people.email"),
    ("SELECT (SELECT email FROM orders LIMIT 1) FROM people", "email=people.email"),
    # WITH
    ("WITH t AS (SELECT lower(email) AS e, id FROM people) SELECT e, id FROM t", "e=people.email id=people.id."),
    ("WITH orders AS (SELECT email AS note FROM people) SELECT note FROM orders", "note=people.email."),
    ("WITH orders AS (SELECT email AS note FROM people) SELECT note FROM public.orders", "note=orders.note."),
    ("WITH t(a) AS (VALUES (1)) SELECT a FROM t", "a="),
    ("WITH RECURSIVE t(n, e) AS (SELECT 1, email FROM people UNION ALL SELECT n + 1, e FROM t) SELECT * FROM t", "n= e=people.email"),
    ("WITH RECURSIVE t(a, b, c) AS (SELECT email, name, note FROM people, orders UNION ALL SELECT b, c, a FROM t) SELECT a FROM t", "a=orders.note+people.email+people.name"),
    ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT lower(name) AS n FROM people) SELECT n FROM a", "n=people.name"),
    ("WITH RECURSIVE t(e) AS (SELECT email FROM people UNION SELECT e FROM t) SEARCH DEPTH FIRST BY e SET o CYCLE e SET m USING p SELECT o, m, p FROM t", "o=people.email m= p=people.email"),
    ("WITH t AS (DELETE FROM people RETURNING email) SELECT email || '' FROM t", "?column?=people.email"),
    # set operations and VALUES
    ("SELECT id, email FROM people UNION SELECT 1, note FROM orders", "id=people.id email=orders.note+people.email."),
    ("SELECT note FROM orders EXCEPT SELECT 'x'", "note=orders.note"),
    ("(SELECT id FROM people) UNION ALL (SELECT id FROM orders) UNION ALL SELECT 3", "id=orders.id+people.id"),
    ("VALUES (1, 'a'), (2, (SELECT email FROM people))", "column1= column2=people.email"),
    # joins
    ("SELECT * FROM people p JOIN orders USING (id)", "id=orders.id+people.id email=people.email. name=people.name. born=people.born. person=orders.person. note=orders.note."),
    ("SELECT * FROM people NATURAL JOIN archive.people a", "id=archive.people.id+people.id email=archive.people.email+people.email name=people.name. born=people.born. reason=archive.people.reason."),
    ("SELECT j.b FROM (people p JOIN orders o ON true) AS j(a, b)", "b=people.email."),
    ("SELECT u.id FROM people JOIN orders USING (id) AS u", "id=orders.id+people.id"),
    ("SELECT (SELECT p.email FROM (orders p JOIN orders q ON true) AS j) FROM people p", "email=people.email"),
    ("SELECT v FROM people p, LATERAL (SELECT p.email AS v) l", "v=people.email."),
    ("SELECT x FROM people p CROSS JOIN LATERAL (VALUES (p.email)) v(x)", "x=people.email"),
    # functions in FROM
    ("SELECT g FROM generate_series(1, 3) g", "g="),
    ("SELECT u FROM people, unnest(ARRAY[email]) u", "u=people.email"),
    ("SELECT a, b, ordinality FROM people, unnest(ARRAY[id], ARRAY[email]) WITH ORDINALITY AS t(a, b)", "a=people.id b=people.email ordinality=people.email+people.id"),
    ("SELECT key, value FROM people p, jsonb_each(to_jsonb(p))", "key=people.born+people.email+people.id+people.name value=people.born+people.email+people.id+people.name"),
    ("SELECT r.x FROM people, jsonb_to_record(to_jsonb(email)) AS r(x text)", "x=people.email"),
    ("SELECT o.note FROM people p, jsonb_populate_record(NULL::orders, to_jsonb(p.email)) o", "note=people.email"),
    ("SELECT j.a FROM people, JSON_TABLE(email, '$' COLUMNS (a text PATH '$', n FOR ORDINALITY, NESTED PATH '$' COLUMNS (b int))) j", "a=people.email"),
    ("SELECT x.a FROM people, XMLTABLE('/r' PASSING name COLUMNS a text) x", "a=people.name"),
    ("SELECT email FROM people TABLESAMPLE system (1)", "email=people.email."),
    # aggregates and windows
    ("SELECT string_agg(name, ',' ORDER BY email), max(born) FROM people", "string_agg=people.name max=people.born"),
    ("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY email) FROM people", "percentile_disc=people.email"),
    ("SELECT lag(email) OVER (), row_number() OVER (PARTITION BY email) FROM people", "lag=people.email row_number=!"),
    ("SELECT row_number() OVER (ORDER BY email), count(*) OVER w FROM people WINDOW w AS (v), v AS (ORDER BY born)", "row_number=people.email count=people.born"),
    # views
    ("SELECT mail, seen, lower(mail) FROM contact", "mail=contact.mail+people.email. seen=contact.seen. lower=contact.mail+people.email"),
    # user code can read anything; compiled extensions depend on their arguments
    ("SELECT own(1), own(email) FROM people", "own=? own=people.email?"),
    ("SELECT digest(email), nowhere(1) FROM people", "digest=people.email nowhere=?"),
    ("SELECT replace(email, 'a', 'b'), spy(1), peek(1), sneaky(1) FROM people", "replace=people.email spy=? peek=? sneaky=?"),
    ("SELECT current_setting('search_path'), current_setting('my.x'), current_setting(name) FROM people", "current_setting=! current_setting=? current_setting=people.name?"),
    ("SHOW my.x", "my.x=?"),
    ("SHOW application_name", "application_name=?"),
    ("SELECT query_to_xml('SELECT 1', true, true, '')", "query_to_xml=?"),
    ("SELECT upper(email) FROM people", "upper=people.email?"),
    ("SELECT pg_catalog.upper(email) FROM people", "upper=people.email"),
    ("SELECT missing FROM people", "missing=?"),
    # RETURNING
    ("DELETE FROM people USING orders o WHERE o.person = people.id RETURNING people.name, o.note", "name=people.name. note=orders.note."),
    ("INSERT INTO orders (note) VALUES ('x') RETURNING *", "id=orders.id. person=orders.person. note=orders.note."),
    ("INSERT INTO orders (note) SELECT email FROM people RETURNING note, id", "note=orders.note+people.email id=orders.id."),
    ("UPDATE orders SET note = name FROM people RETURNING orders.note, new.note, old.note", "note=orders.note+people.name note=orders.note+people.name note=orders.note."),
    ("UPDATE orders SET (person, note) = (SELECT id, email FROM people) RETURNING note", "note=orders.note+people.email+people.id"),
    ("UPDATE people SET email = lower(email) RETURNING email", "email=people.email."),
    ("INSERT INTO orders (note) VALUES ('x') ON CONFLICT (id) DO UPDATE SET note = (SELECT name FROM people) RETURNING note", "note=orders.note+people.name"),
    ("MERGE INTO orders o USING people p ON o.person = p.id WHEN MATCHED THEN UPDATE SET note = p.name WHEN NOT MATCHED THEN INSERT (note) VALUES (p.email) RETURNING o.note, merge_action()", "note=orders.note+people.email+people.name merge_action=!"),
    ("WITH orders AS (SELECT 1) UPDATE orders SET note = 'x' RETURNING note", "note=orders.note."),
    ("MERGE INTO orders o USING people p ON o.person = p.id WHEN MATCHED THEN UPDATE SET note = 'x' RETURNING *", "id=people.id. email=people.email. name=people.name. born=people.born. id=orders.id. person=orders.person. note=orders.note."),
    # other statements
    ("COPY people TO STDOUT", "id=people.id. email=people.email. name=people.name. born=people.born."),
    ("COPY people (email, id) TO STDOUT", "email=people.email. id=people.id."),
    ("COPY (SELECT lower(email) FROM people) TO STDOUT", "lower=people.email"),
    ("SHOW search_path", "search_path="),
    ("BEGIN", ""),
    ("CREATE TABLE t AS SELECT * FROM people", ""),
    ("CREATE VIEW v AS SELECT email FROM people", ""),
    ("ALTER TABLE people ADD CHECK (name <> 'x')", ""),
    ("SELECT lower(email) AS e, count(*) FROM people GROUP BY ROLLUP (e)", "e=people.email count=!"),
)  # fmt: skip


@pytest.mark.parametrize(("sql", "expected"), CASES, ids=[sql[:60] for sql, _ in CASES])
def test_output(sql: str, expected: str) -> None:
    output = traced(sql).output
    assert output is not None
    assert " ".join(shown(one) for one in output) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM nowhere",
        "SELECT * FROM own(1)",
        "SELECT n.* FROM nowhere n",
        "SELECT * FROM people NATURAL JOIN nowhere",
        "SELECT (own(1)).*",
        "CALL own(1)",
        "FETCH 3 FROM nothing",
        "EXECUTE nothing",
        "DO 'BEGIN END'",
    ],
)
def test_columns_nobody_can_count(sql: str) -> None:
    lineage = traced(sql)
    assert lineage.output is None
    assert not lineage.resolved
    (statement,) = parse(sql).statements
    assert output_columns({statement.node: statement.tree}, CATALOG, PATH) is None


def test_a_column_of_an_unknown_table_is_unknown_and_others_stay_known() -> None:
    lineage = traced("SELECT p.email, n.x, x FROM people p, nowhere n")
    assert lineage.output is not None
    assert [shown(one) for one in lineage.output] == ["email=people.email.", "x=?", "x=?"]
    assert not lineage.resolved


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id FROM people WHERE email LIKE 'a%' AND id > 3", {"people.email", "people.id"}),
        ("SELECT count(*) FROM people GROUP BY name HAVING max(born) > '2000-01-01'", {"people.name", "people.born"}),
        ("SELECT id FROM people ORDER BY born", {"people.born"}),
        ("SELECT email AS x FROM people ORDER BY x", {"people.email"}),
        ("SELECT email FROM people GROUP BY 1", {"people.email"}),
        ("SELECT DISTINCT ON (name) id FROM people", {"people.name"}),
        ("SELECT 1 FROM people p JOIN orders o ON o.note = p.email", {"people.email", "orders.note"}),
        ("SELECT 1 FROM people JOIN archive.people a USING (email)", {"people.email", "archive.people.email"}),
        ("SELECT count(*) FILTER (WHERE email = 'x') FROM people", {"people.email"}),
        ("SELECT email IS NULL FROM people", {"people.email"}),
        ("DELETE FROM people WHERE name = 'x'", {"people.name"}),
        ("SELECT id FROM orders LIMIT (SELECT count(*) FROM people WHERE email = 'x')", {"people.email"}),
        ("SELECT regexp_split_to_table(email, '') FROM people", {"people.email"}),
        ("SELECT 1 FROM people, regexp_split_to_table(name, '')", {"people.name"}),
        ("SELECT id FROM people", set()),
    ],
)
def test_predicates(sql: str, expected: set[str]) -> None:
    assert {one.removeprefix("public.") for one in traced(sql).predicates} == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("INSERT INTO orders (note) SELECT email FROM people", {("people.email", "orders.note")}),
        ("UPDATE orders SET note = p.name FROM people p", {("people.name", "orders.note")}),
        ("CREATE TABLE t AS SELECT email AS x FROM people", {("people.email", "t.x")}),
        ("SELECT name INTO t FROM people", {("people.name", "t.name")}),
        ("CREATE MATERIALIZED VIEW s.t AS SELECT email FROM people", {("people.email", "s.t.email")}),
        ("UPDATE people SET email = lower(email)", set()),
        ("INSERT INTO orders (note) VALUES ('x')", set()),
    ],
)
def test_copies(sql: str, expected: set[tuple[str, str]]) -> None:
    copies = {(a.removeprefix("public."), b.removeprefix("public.")) for a, b in traced(sql).copies}
    assert copies == expected


def test_values_that_were_moved_make_an_uncountable_output_contradict_the_server() -> None:
    """Identity says orders.note, the value is an e-mail: an answer of the wrong length makes the masker distrust it."""
    lineage = traced(
        "WITH w AS (UPDATE orders SET note = email FROM people RETURNING note) "
        "SELECT w.note, o.* FROM w, jsonb_populate_record(NULL::orders, '{}') o"
    )
    assert lineage.output == ()


def test_execute_and_fetch_follow_the_body() -> None:
    body = {"SelectStmt": parse("SELECT lower(email) FROM people").statements[0].tree}
    for sql in ("EXECUTE q", "FETCH ALL FROM q", "EXPLAIN EXECUTE q"):
        output = traced(sql, bodies={"q": body}).output
        assert output is not None
        assert output[0].touches == {"public.people.email"}
    declared = {"DeclareCursorStmt": parse("DECLARE q CURSOR FOR SELECT name FROM people").statements[0].tree}
    output = traced("FETCH q", bodies={"q": declared}).output
    assert output is not None
    assert shown(output[0]) == "name=people.name."


def test_a_body_that_names_itself_ends() -> None:
    body = {"ExecuteStmt": parse("EXECUTE q").statements[0].tree}
    assert traced("EXECUTE q", bodies={"q": body}).output is None


def test_explain_touches_conditions_too() -> None:
    (one,) = traced("EXPLAIN SELECT id FROM people WHERE email = 'x'").output or ()
    assert one.explain
    assert one.touches == {"public.people.id", "public.people.email"}


def test_relations_and_resolution() -> None:
    lineage = traced("SELECT 1 FROM people, contact WHERE EXISTS (SELECT 1 FROM archive.people)")
    assert lineage.relations == {"public.people", "public.contact", "archive.people"}
    assert lineage.resolved
    assert not traced("SELECT own(1)").resolved
    assert not traced("SELECT 1 FROM nowhere").resolved


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE people ALTER name TYPE int USING name::int", "CREATE UNIQUE INDEX ON people (email)", "VACUUM people",
        "TRUNCATE people, orders", "REFRESH MATERIALIZED VIEW people", "LOCK TABLE people", "CLUSTER people",
    ],
)  # fmt: skip
def test_statements_on_whole_tables_read_them(sql: str) -> None:
    lineage = traced(sql)
    assert "public.people" in lineage.relations
    assert lineage.resolved
    assert not traced(sql.replace("people", "nowhere")).resolved


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE t (a text DEFAULT 'x')", "DROP TABLE people", "GRANT SELECT ON people TO bob"]
)
def test_definitions_read_nothing(sql: str) -> None:
    assert traced(sql) == Lineage(output=(), resolved=True)


def test_names_resolve_by_the_search_path() -> None:
    assert [shown(one) for one in traced("SELECT email FROM people", path=("archive", "public")).output or ()] == [
        "email=archive.people.email."
    ]
    assert not traced("SELECT email FROM people", path=("elsewhere",)).resolved


def test_a_temporary_table_hides_the_one_the_catalog_knows() -> None:
    lineage = traced("SELECT note || '' FROM orders", temporary={"orders"})
    assert lineage.output is not None
    assert lineage.output[0].unknown
    assert not lineage.resolved
    assert traced("SELECT note FROM public.orders", temporary={"orders"}).resolved


def test_an_empty_catalog_resolves_nothing() -> None:
    (statement,) = parse("SELECT lower(email) FROM people").statements
    lineage = trace({statement.node: statement.tree}, Catalog.empty(), PATH)
    assert not lineage.resolved
    assert lineage.output is not None
    assert lineage.output[0].unknown


def test_user_operators_and_casts_are_user_code() -> None:
    catalog = Catalog.of(
        [PEOPLE],
        [Function("public", "own", language="sql")],
        operators={("public", "~~~"): frozenset({("public", "own")})},
        types={("public", "checked"): frozenset({("public", "own")})},
    )
    for sql in ("SELECT id ~~~ 1 FROM people", "SELECT id::checked FROM people", "SELECT 1 OPERATOR(public.~~~) 2"):
        (statement,) = parse(sql).statements
        lineage = trace({statement.node: statement.tree}, catalog, PATH)
        assert lineage.output is not None
        assert lineage.output[0].unknown, sql
        assert not lineage.resolved


DEEP = (
    "SELECT " + "+".join(["id"] * 9_000) + " FROM people",
    "SELECT " + "(" * 400 + "id" + ")" * 400 + " FROM people",
    "SELECT * FROM " + "(SELECT * FROM " * 200 + "people" + ") t" * 200,
    "SELECT id FROM people" + " UNION SELECT id FROM people" * 900,
    "SELECT people.id FROM people" + "".join(f" JOIN orders o{n} ON true" for n in range(600)),
    "SELECT id FROM people WHERE id IN (" + ",".join(map(str, range(5_000))) + ")",
    "SELECT " + "lower(" * 300 + "email" + ")" * 300 + " FROM people",
    "SELECT " + "CASE WHEN true THEN " * 300 + "email" + " END" * 300 + " FROM people",
    "SELECT id FROM people WHERE " + "NOT " * 2_000 + "true",
    "WITH " + ", ".join(f"t{n} AS (SELECT * FROM {'people' if not n else f't{n - 1}'})" for n in range(300)) + " SELECT email FROM t299",
    "WITH RECURSIVE " + ", ".join(f"t{n} AS (SELECT * FROM {'people' if n == 59 else f't{n + 1}'})" for n in range(60)) + " SELECT email FROM t0",
    "INSERT INTO orders (id) VALUES " + ",".join(f"({n})" for n in range(3_000)),
)  # fmt: skip


@pytest.mark.parametrize("sql", DEEP, ids=[sql[:40] for sql in DEEP])
def test_size_and_depth_are_bounded(sql: str) -> None:
    """No RecursionError, no seconds; where the limits end the tracing, nothing is claimed to be resolved."""
    parsed = parse(sql)
    if parsed.error is not None:
        return
    started = time.thread_time()
    lineage = trace({parsed.statements[0].node: parsed.statements[0].tree}, CATALOG, PATH)
    assert time.thread_time() - started < 2
    assert lineage.resolved or lineage.output is None
    if lineage.output:
        assert not lineage.output[0].unknown


@pytest.mark.parametrize("tree", [{}, {"SelectStmt": None}, {"SelectStmt": {"targetList": [{}]}}, {"Nonsense": {}}])
def test_trees_of_unknown_shape_are_unresolved(tree: dict[str, object]) -> None:
    lineage = trace(tree, CATALOG, PATH)
    assert lineage.output is None
    assert not lineage.resolved
