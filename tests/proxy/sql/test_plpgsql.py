from __future__ import annotations

import pytest

from proxy.sql.plpgsql import statements


def function(body: str, declare: str = "") -> str:
    return f"CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $function$\n{declare}\nBEGIN\n{body}\nRETURN NEW;\nEND $function$"


def kinds(definition: str) -> list[str] | None:
    trees = statements(definition)
    return None if trees is None else sorted(node for tree in trees for node in tree if node != "SelectStmt")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("NEW.x := lower(NEW.x);", []),
        ("NEW.x = 5; NEW.y := (SELECT max(id) FROM t);", []),
        ("INSERT INTO a VALUES (NEW.id);", ["InsertStmt"]),
        ("IF TG_OP = 'DELETE' THEN DELETE FROM a; ELSIF true THEN UPDATE b SET x = 1; ELSE INSERT INTO c VALUES (1); END IF;",
         ["DeleteStmt", "InsertStmt", "UpdateStmt"]),
        ("FOR r IN SELECT * FROM q LOOP DELETE FROM a WHERE id = r.id; END LOOP;", ["DeleteStmt"]),
        ("FOR i IN 1..3 LOOP DELETE FROM a WHERE id = i; END LOOP;", ["DeleteStmt"]),
        ("WHILE true LOOP DELETE FROM a; EXIT; END LOOP;", ["DeleteStmt"]),
        ("LOOP DELETE FROM a; EXIT WHEN true; END LOOP;", ["DeleteStmt"]),
        ("BEGIN DELETE FROM a; EXCEPTION WHEN others THEN INSERT INTO err VALUES (1); END;", ["DeleteStmt", "InsertStmt"]),
        ("PERFORM pg_notify('x', NEW.id::text);", []),
        ("SELECT count(*) INTO n FROM t; INSERT INTO a VALUES (n) RETURNING id INTO n;", ["InsertStmt"]),
        ("CALL public.purge();", ["CallStmt"]),
        ("TRUNCATE a;", ["TruncateStmt"]),
        ("RAISE NOTICE 'deleted %', OLD.id;", []),
        ("-- DELETE FROM a\n/* UPDATE b */ NULL;", []),
    ],
)  # fmt: skip
def test_every_statement_is_found(body: str, expected: list[str]) -> None:
    assert kinds(function(body, "DECLARE r record; n int; i int;")) == expected


@pytest.mark.parametrize(
    "definition",
    [
        function("EXECUTE 'DELETE FROM a';"),
        function("EXECUTE format('INSERT INTO %I VALUES (1)', TG_TABLE_NAME);"),
        function("FOR r IN EXECUTE 'SELECT 1' LOOP NULL; END LOOP;", "DECLARE r record;"),
        function("OPEN c FOR EXECUTE 'DELETE FROM a RETURNING 1';", "DECLARE c refcursor;"),
        function("RETURN QUERY EXECUTE 'SELECT 1';"),
        function("this is not PL/pgSQL"),
        function("DELETE FROM;"),
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE c AS 'x'",
        "DELETE FROM a",
        "",
    ],
)
def test_what_is_built_as_it_runs_is_unknown(definition: str) -> None:
    assert not statements(definition)
    assert statements(definition) is None or not definition.startswith("CREATE FUNCTION public")


def test_a_body_the_parser_leaves_out_is_unknown() -> None:
    """libpg_query does not hand out every branch; a change that stands in the text must be among what was found."""
    hidden = function("CASE NEW.x WHEN 1 THEN NULL; ELSE DELETE FROM a; END CASE;")
    found = kinds(hidden)
    assert found is None or "DeleteStmt" in found
    looped = function("FOREACH n IN ARRAY ARRAY[1, 2] LOOP DELETE FROM a WHERE id = n; END LOOP;", "DECLARE n int;")
    found = kinds(looped)
    assert found is None or "DeleteStmt" in found
