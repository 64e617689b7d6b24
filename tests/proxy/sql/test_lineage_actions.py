"""What rules and triggers copy, told by their definitions."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.sql import plpgsql
from proxy.sql.catalog import Catalog, Column, Function, Relation, Trigger
from proxy.sql.classify import judge
from proxy.sql.judged import NOTHING, Anew, SqlSession
from proxy.sql.lineage import UNSEEN, trace
from proxy.sql.parse import parse

PATH = ("pg_catalog", "public")
EMAIL = "public.customers.email"
FROM_ANOTHER = "(SELECT email FROM customers LIMIT 1)"


def table(oid: int, name: str, *columns: str, **more: Any) -> Relation:
    return Relation(oid, "public", name, columns=tuple(Column(n, one, 25) for n, one in enumerate(columns, 1)), **more)


def catalog(
    body: str = "", declare: str = "", *, used_by: tuple[str, ...] = (), transitions: tuple[str, ...] = ()
) -> Catalog:
    """Tables of a shop, and a function `carry` that triggers may call, or do."""
    actions = plpgsql.statements(plpgsql.as_definition(f"{declare} BEGIN {body} RETURN NEW; END"))
    calling = (Trigger("t", frozenset({"UPDATE"}), ("public", "carry"), False, actions, transitions),)
    tables = {"customers": ("id", "name", "email", "note"), "orders": ("id", "note"), "scratch": ("id", "value")}
    return Catalog.of(
        [table(n, name, *columns, triggers=calling if name in used_by else ()) for n, (name, columns) in enumerate(tables.items(), 20000)],
        [Function("public", "carry"), Function("pg_catalog", "tsvector_update_trigger")],
        trigger_bodies={("public", "carry"): actions},
    )  # fmt: skip


def copies(text: str, known: Catalog, anew: Anew = NOTHING) -> set[tuple[str, str]]:
    statement = parse(text).statements[0]
    return set(trace({statement.node: statement.tree}, known, PATH, {}, (), anew).copies)


def carried(moved: set[tuple[str, str]]) -> list[str]:
    return sorted(into for source, into in moved if source == EMAIL)


def trigger(on: str, more: str = "FOR EACH ROW", call: str = "carry()") -> str:
    return f"CREATE TRIGGER t BEFORE UPDATE ON {on} {more} EXECUTE FUNCTION {call}"


VALUE = "public.scratch.value"


@pytest.mark.parametrize(
    ("on", "action", "expected"),
    [
        ("UPDATE TO customers", "UPDATE scratch SET value = NEW.email", [VALUE]),
        ("UPDATE TO customers", "UPDATE scratch SET value = OLD.email", [VALUE]),
        ("UPDATE TO customers", "INSERT INTO scratch VALUES (1, lower(NEW.email))", [VALUE]),
        ("UPDATE TO customers", "INSERT INTO scratch VALUES (1, NEW::text)", [VALUE]),
        ("UPDATE TO customers", "INSERT INTO scratch SELECT 1, e FROM (SELECT NEW.email AS e) x", [VALUE]),
        ("UPDATE TO customers", "(NOTHING_TO_DO; INSERT INTO scratch VALUES (1, NEW.email))".replace("NOTHING_TO_DO", "NOTIFY x"), [VALUE]),
        ("UPDATE TO customers", "INSERT INTO scratch VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET value = NEW.email", [VALUE]),
        ("UPDATE TO customers", "INSERT INTO nowhere VALUES (NEW.email)", ["nowhere.*"]),
        ("UPDATE TO customers", "WITH w AS (INSERT INTO scratch VALUES (1, NEW.email)) INSERT INTO orders VALUES (1)", [VALUE]),
        ("UPDATE TO orders", f"UPDATE scratch SET value = {FROM_ANOTHER}", [VALUE]),
        ("UPDATE TO orders", "SELECT email FROM customers", ["the answer to whatever sets it off"]),
        ("UPDATE TO orders", "UPDATE customers SET note = note RETURNING email", ["the answer to whatever sets it off"]),
        ("UPDATE TO customers", "INSERT INTO scratch VALUES (1, NEW.name)", []),
        ("UPDATE TO customers", "UPDATE customers SET email = lower(NEW.email) WHERE id = NEW.id", []),
        ("UPDATE TO orders", "INSERT INTO scratch VALUES (1, NEW.note)", []),
        ("UPDATE TO orders", "NOTHING", []),
    ],
)  # fmt: skip
def test_a_rule(on: str, action: str, expected: list[str]) -> None:
    assert carried(copies(f"CREATE RULE r AS ON {on} DO ALSO {action}", catalog())) == expected


PLACE = "UPDATE scratch SET value = {};"
NOTE = "public.customers.note"
BODIES = [
    (PLACE.format("NEW.email"), "", [VALUE]),
    (PLACE.format("OLD.email"), "", [VALUE]),
    (PLACE.format("NEW::text"), "", [VALUE]),
    (PLACE.format("to_jsonb(NEW)::text"), "", [VALUE]),
    (PLACE.format("NEW.later"), "", [VALUE]),
    (PLACE.format('"new"."email"'), "", [VALUE]),
    (PLACE.format("carry.new.email"), "", [VALUE]),
    (PLACE.format("(NEW).email"), "", [VALUE]),
    (PLACE.format(FROM_ANOTHER), "", [VALUE]),
    ("INSERT INTO archived SELECT NEW.*;", "", ["archived.*"]),
    (f"v := NEW.email; {PLACE.format('v')}", "DECLARE v text;", [VALUE]),
    (f"v := NEW.email; w := v; {PLACE.format('w')}", "DECLARE v text; w text;", [VALUE]),
    (f"{PLACE.format('v')} v := NEW.email;", "DECLARE v text;", [VALUE]),
    (PLACE.format("v"), "DECLARE v text := NEW.email;", [VALUE]),
    (f"SELECT NEW.email INTO v; {PLACE.format('v')}", "DECLARE v text;", [VALUE]),
    (f"SELECT * INTO r FROM customers; {PLACE.format('r.email')}", "DECLARE r record;", [VALUE]),
    (f"SELECT * INTO r FROM customers; {PLACE.format('(r).email')}", "DECLARE r record;", [VALUE]),
    (f"FOR r IN SELECT * FROM customers LOOP {PLACE.format('r.email')} END LOOP;", "DECLARE r record;", [VALUE]),
    (f"FOREACH v IN ARRAY ARRAY[NEW.email] LOOP {PLACE.format('v')} END LOOP;", "DECLARE v text;", [VALUE]),
    (f"OPEN c; FETCH c INTO v; {PLACE.format('v')}", "DECLARE c CURSOR FOR SELECT email FROM customers; v text;", [VALUE]),
    (f"OPEN c FOR SELECT email FROM customers; FETCH c INTO v; {PLACE.format('v')}", "DECLARE c refcursor; v text;", [VALUE]),
    (f"UPDATE customers SET note = note RETURNING email INTO v; {PLACE.format('v')}", "DECLARE v text;", [VALUE]),
    (f"CASE NEW.email WHEN 'x' THEN NULL; ELSE v := NEW.email; END CASE; {PLACE.format('v')}", "DECLARE v text;", [VALUE]),
    (PLACE.format("fresh.email"), "DECLARE fresh ALIAS FOR NEW;", [VALUE]),
    ("UPDATE scratch SET value = name FROM customers c;", "#variable_conflict use_variable\nDECLARE name text := NEW.email;", [VALUE]),
    ("CREATE TABLE made AS SELECT NEW.email AS e;", "", ["made.e"]),
    ("NEW.note := NEW.email;", "", [NOTE]),
    ("NEW.note = 'x' || NEW.email;", "", [NOTE]),
    ("OLD.note := NEW.email;", "", [NOTE]),
    ("SELECT NEW.email INTO NEW.note;", "", [NOTE]),
    ('SELECT NEW.email AS " test" INTO NEW.note;', "", [NOTE]),
    ("UPDATE orders SET note = NEW.email RETURNING note INTO NEW.note;", "", [NOTE, "public.orders.note"]),
    ("SELECT id, email, email, email INTO NEW FROM customers;", "", ["public.customers.*"]),
    ("FOR NEW IN SELECT * FROM customers LOOP NULL; END LOOP;", "", ["public.customers.*"]),
    ("r := NEW; RETURN r;", "DECLARE r customers;", ["public.customers.*"]),
    ("RETURN ROW(NEW.id, NEW.email, 'x', 'y');", "", ["public.customers.*"]),
    # --- nothing is copied
    ("NEW.note := now()::text;", "", []),
    ("NEW.email := lower(NEW.email);", "", []),
    ("IF NEW.email IS DISTINCT FROM OLD.email THEN INSERT INTO scratch VALUES (1, TG_OP); END IF;", "", []),
    ("INSERT INTO scratch VALUES (NEW.id, NEW.name || TG_OP);", "", []),
    ("SELECT count(*) INTO n FROM orders; INSERT INTO scratch VALUES (n, NEW.name);", "DECLARE n int;", []),
    ("UPDATE customers SET email = NEW.email WHERE id = NEW.id;", "", []),
    ("IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN coalesce(NEW, OLD);", "", []),
]  # fmt: skip


@pytest.mark.parametrize(("body", "declare", "expected"), BODIES)
def test_a_trigger_of_a_function_that_is_there(body: str, declare: str, expected: list[str]) -> None:
    assert carried(copies(trigger("customers"), catalog(body, declare))) == expected


@pytest.mark.parametrize(("body", "declare", "expected"), BODIES)
def test_a_function_of_triggers_that_are_there(body: str, declare: str, expected: list[str]) -> None:
    text = f"CREATE OR REPLACE FUNCTION carry() RETURNS trigger LANGUAGE plpgsql AS $f$ {declare} BEGIN {body} RETURN NEW; END $f$"
    found = carried(copies(text, catalog(used_by=("customers",))))
    assert [one for one in found if not one.startswith("its table")] == expected
    if not any(one.split(".")[0] in {"new", "old"} for one in body.lower().replace("(", " ").split()) and expected == [
        VALUE
    ]:
        assert UNSEEN not in dict(copies(text, catalog()))


@pytest.mark.parametrize(
    ("body", "text", "expected"),
    [
        (PLACE.format("(SELECT email FROM changed)"), trigger("customers", "REFERENCING NEW TABLE AS changed"), [VALUE]),
        (PLACE.format("(SELECT o::text FROM orders o)"), trigger("customers", "REFERENCING OLD TABLE AS orders"), [VALUE]),
        (PLACE.format("(SELECT o::text FROM orders o)"), trigger("customers"), []),
        (PLACE.format("NEW.note"), trigger("orders"), []),
        (f"NEW.note := {FROM_ANOTHER};", trigger("orders"), ["public.orders.note"]),
        ("EXECUTE 'UPDATE scratch SET value = 1';", trigger("customers"), []),  # asked about whenever it runs
        ("", trigger("customers", call="unknown()"), ["what unknown() writes"]),
        ("", trigger("customers", call="tsvector_update_trigger(note, 'pg_catalog.simple', name, email)"), [NOTE]),
        ("", trigger("customers", call="tsvector_update_trigger(note, 'pg_catalog.simple', name)"), []),
        ("", trigger("orders", call="unknown()"), []),
    ],
)  # fmt: skip
def test_a_trigger_by_its_table(body: str, text: str, expected: list[str]) -> None:
    assert carried(copies(text, catalog(body))) == expected


def function(body: str, name: str = "carry") -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {body} RETURN NEW; END $f$"
    )


TAKES = PLACE.format("NEW.email")


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        ([function(TAKES)], trigger("customers"), ["what carry() writes"]),
        ([function("NEW.note := now();")], trigger("customers"), []),
        ([function("NEW.note := now();"), function(TAKES)], trigger("customers"), ["what carry() writes"]),
        ([function(TAKES), function("NEW.note := now();")], trigger("customers"), ["what carry() writes"]),
        ([function("", "other"), function(TAKES), "ALTER FUNCTION carry() RENAME TO other"], trigger("customers", call="other()"), ["what other() writes"]),
        ([function("EXECUTE 'x';")], trigger("customers"), ["what carry() writes"]),
        ([trigger("customers")], function(TAKES), [VALUE]),
        ([trigger("orders")], function(TAKES), []),
    ],
)  # fmt: skip
def test_definitions_that_the_catalog_does_not_show_yet(before: list[str], text: str, expected: list[str]) -> None:
    known, session = catalog(), SqlSession()
    for one in before:
        controls = judge(parse(one), known, session).statements[0].controls
        for control in controls:
            session = SqlSession(redefined=session.redefined | control.anew) if hasattr(control, "anew") else session
    assert carried(copies(text, known, session.redefined)) == expected


def test_a_view_that_was_defined_anew_may_show_anything() -> None:
    text = "CREATE RULE r AS ON UPDATE TO orders DO ALSO UPDATE scratch SET value = (SELECT note FROM customers)"
    assert copies(text, catalog(), Anew(names=frozenset({"customers"}))) == {(UNSEEN, VALUE)}
    assert copies(text, catalog()) == {(NOTE, VALUE)}


def test_a_table_of_changes_of_a_trigger_that_is_there() -> None:
    body = function(PLACE.format("(SELECT email FROM changed)"))
    assert carried(copies(body, catalog(used_by=("customers",), transitions=("changed",)))) == [VALUE]
