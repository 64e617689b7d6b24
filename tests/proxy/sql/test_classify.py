from __future__ import annotations

from dataclasses import replace

import pytest

from access.scopes import Level
from access.statements import Effect, Flag
from proxy.sql import judged as j
from proxy.sql.catalog import Catalog
from proxy.sql.classify import MAX_STATEMENTS, judge
from proxy.sql.following import after
from proxy.sql.judged import Judged, SqlSession
from proxy.sql.parse import Parsed, parse

SESSION = SqlSession(role="app", level=Level.WRITE)


def judging(text: str, catalog: Catalog, session: SqlSession = SESSION) -> Judged:
    return judge(parse(text), catalog, session)


def controls(text: str, catalog: Catalog, session: SqlSession = SESSION) -> list[j.Control]:
    return [control for one in judging(text, catalog, session).statements for control in one.controls]


# ---------------------------------------------------------------------------------------------- what the wire follows


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BEGIN", [j.Begin()]),
        ("START TRANSACTION READ ONLY", [j.Begin(False)]),
        ("BEGIN READ WRITE", [j.Begin(True)]),
        ("BEGIN READ WRITE, READ ONLY", [j.Begin(False)]),
        ("COMMIT AND CHAIN", [j.Commit(chain=True)]),
        ("END", [j.Commit()]),
        ("ABORT", [j.Rollback()]),
        ("ROLLBACK AND CHAIN", [j.Rollback(chain=True)]),
        ("SAVEPOINT a", [j.Savepoint("a")]),
        ("ROLLBACK TO SAVEPOINT a", [j.RollbackTo("a")]),
        ("RELEASE a", [j.Release("a")]),
        ("SET application_name = 'x'", [j.SetSetting("application_name", "x")]),
        ("SET LOCAL DateStyle = ISO, DMY", [j.SetSetting("datestyle", "iso, dmy", local=True)]),
        ("SET work_mem = 64", [j.SetSetting("work_mem", "64")]),
        ("SET jit TO DEFAULT", [j.SetSetting("jit", None)]),
        ("SET search_path = a, 'B c'", [j.SetSetting("search_path", '"a", "B c"')]),
        ("SET search_path = ''", [j.SetSetting("search_path", '""')]),
        ("SET TIME ZONE INTERVAL '2' HOUR", [j.SetSetting("timezone", "2")]),
        ("RESET jit", [j.Reset("jit")]),
        ("RESET ALL", [j.Reset(None)]),
        ("DISCARD ALL", [j.DiscardAll()]),
        ("DISCARD TEMP", [j.DiscardTemp()]),
        ("DISCARD PLANS", []),
        ("SELECT set_config('jit', 'off', false), set_config('search_path', 'x', true)",
         [j.SetSetting("jit", "off"), j.SetSetting("search_path", "x", local=True)]),
        ("SELECT set_config('jit', NULL, false)", [j.SetSetting("jit", None)]),
        ("DEALLOCATE p", [j.Deallocate("p")]),
        ("DEALLOCATE ALL", [j.Deallocate(None)]),
        ("CLOSE c", [j.CloseCursor("c")]),
        ("CLOSE ALL", [j.CloseCursor(None)]),
        ("FETCH 5 FROM c", [j.Fetch("c")]),
        ("MOVE ALL FROM c", [j.Fetch("c", move=True)]),
        ("CREATE TEMP TABLE x (a int)", [j.CreateTemp("x")]),
        ("CREATE TABLE pg_temp.x (a int)", [j.CreateTemp("x")]),
        ("SELECT 1 AS a INTO TEMPORARY x", [j.CreateTemp("x")]),
        ("CREATE TEMP VIEW x AS SELECT 1", [j.CreateTemp("x")]),
        ("CREATE TEMP SEQUENCE x", [j.CreateTemp("x")]),
        ("COPY staging FROM STDIN CSV", [j.CopyIn("public.staging", "csv")]),
        ("COPY staging (id) TO STDOUT", [j.CopyOut("public.staging", ("id",))]),
        ("COPY staging TO STDOUT WITH (FORMAT csv, HEADER, DELIMITER ';', NULL 'x', QUOTE '$', ESCAPE '!')",
         [j.CopyOut("public.staging", format="csv", delimiter=";", null="x", header=True, quote="$", escape="!")]),
        ("COPY staging TO STDOUT (FORMAT binary)", [j.CopyOut("public.staging", format="binary")]),
        ("COPY staging TO STDOUT CSV HEADER DELIMITER ','", [j.CopyOut("public.staging", format="csv", header=True, delimiter=",")]),
        ("COPY staging TO STDOUT (FORMAT csv, HEADER off)", [j.CopyOut("public.staging", format="csv")]),
        ("SELECT 1", []),
        ("LISTEN x", []),
    ],
)  # fmt: skip
def test_controls(text: str, expected: list[j.Control], catalog: Catalog) -> None:
    assert controls(text, catalog) == expected


def test_bodies_can_be_judged_again(catalog: Catalog) -> None:
    (prepared,) = controls("PREPARE p (int) AS DELETE FROM staging WHERE id = $1", catalog)
    assert isinstance(prepared, j.Prepare)
    assert judge(prepared.body, catalog, SESSION).combined.writes == ("public.staging",)
    (cursor,) = controls("DECLARE c BINARY SCROLL CURSOR WITH HOLD FOR SELECT * FROM customers", catalog)
    assert isinstance(cursor, j.DeclareCursor)
    assert (cursor.name, cursor.hold, cursor.binary) == ("c", True, True)
    assert judge(cursor.query, catalog, SESSION).combined.reads == ("public.customers",)
    (explain,) = controls("EXPLAIN (ANALYZE off) DELETE FROM staging", catalog)
    assert isinstance(explain, j.Explain)
    assert not explain.analyze
    assert [one.node for one in explain.body.statements] == ["DeleteStmt"]
    (copied,) = controls("COPY (SELECT name FROM customers) TO STDOUT", catalog)
    assert isinstance(copied, j.CopyOut)
    assert copied.table is None
    assert copied.query is not None


# ---------------------------------------------------------------------------------------------- names the session gives


def prepared_as(text: str) -> SqlSession:
    return replace(SESSION, prepared={"p": parse(text)})


@pytest.mark.parametrize(
    ("body", "effects"),
    [
        ("SELECT 1", {"read"}),
        ("DELETE FROM staging WHERE id = $1", {"read", "write"}),
        ("DELETE FROM staging", {"read", "write", "danger"}),
        ("SELECT wipe()", {"read", "opaque"}),
        ("DROP TABLE staging", {"read", "ddl", "danger"}),
        ("", {"read"}),
    ],
)
def test_execute_is_what_it_executes(body: str, effects: set[str], catalog: Catalog) -> None:
    judged = judging("EXECUTE p(1)", catalog, prepared_as(body)).combined
    assert judged.effects == effects
    assert judged.understood


def test_execute_means_what_its_body_means_now(catalog: Catalog) -> None:
    session = replace(prepared_as("DELETE FROM customers WHERE id = 1"), search_path=("crm",))
    assert judging("EXECUTE p", catalog, session).combined.writes == ("crm.customers",)


@pytest.mark.parametrize("body", ["EXECUTE p", "EXPLAIN ANALYZE EXECUTE p", "SELECT 1; SELECT 2", "SELEC 1"])
def test_an_execute_that_cannot_be_followed_is_refused(body: str, catalog: Catalog) -> None:
    assert not judging("EXECUTE p", catalog, prepared_as(body)).combined.understood


def test_arguments_of_execute_are_judged(catalog: Catalog) -> None:
    assert Effect.OPAQUE in judging("EXECUTE p(wipe())", catalog, prepared_as("SELECT $1::int")).combined.effects


def test_transaction_control_behind_execute_is_followed(catalog: Catalog) -> None:
    assert controls("EXECUTE p", catalog, prepared_as("ROLLBACK")) == [j.Execute("p"), j.Rollback()]
    assert controls("EXECUTE p", catalog, prepared_as("SET search_path = x")) == [
        j.Execute("p"),
        j.SetSetting("search_path", '"x"'),
    ]


def test_fetch_reads_what_its_cursor_reads(catalog: Catalog) -> None:
    session = replace(SESSION, cursors={"c": parse("SELECT * FROM customers")})
    judged = judging("FETCH ALL FROM c", catalog, session).combined
    assert judged.effects == {Effect.READ}
    assert judged.reads == ("public.customers",)


def test_temporary_tables_hide_others(catalog: Catalog) -> None:
    session = replace(SESSION, temporary=frozenset({"customers"}))
    assert judging("SELECT * FROM customers", catalog, session).combined.reads == ("pg_temp.customers",)
    assert judging("SELECT * FROM public.customers", catalog, session).combined.reads == ("public.customers",)
    late = replace(session, search_path=("public", "pg_temp"))
    assert judging("SELECT * FROM customers", catalog, late).combined.reads == ("public.customers",)
    renamed = [j.CreateTemp("orders"), j.Redefine(j.Anew(frozenset({"customers", "orders"})))]
    assert controls("ALTER TABLE customers RENAME TO orders", catalog, session) == renamed


def test_the_session_is_followed(catalog: Catalog) -> None:
    session = SESSION
    for text in (
        "SET search_path = crm, public",
        "PREPARE p AS SELECT 1",
        "CREATE TEMP TABLE t (a int)",
        "DECLARE c CURSOR FOR SELECT 2",
    ):
        session = after(session, controls(text, catalog, session))
    assert session.search_path == ("crm", "public")
    assert session.prepared.keys() == {"p"}
    assert session.cursors.keys() == {"c"}
    assert session.temporary == {"t"}
    for text in ("SET search_path = other", "CREATE TEMP TABLE u (a int)", "DISCARD TEMP"):
        # What it fetches was looked up by the path of then.
        assert after(session, controls(text, catalog, session)).cursors == {}
    session = after(session, [j.Deallocate("p"), j.CloseCursor("c"), j.DiscardTemp()])
    assert (dict(session.prepared), dict(session.cursors), session.temporary) == ({}, {}, frozenset())
    full = after(SESSION, [j.Prepare("p", parse("")), j.DeclareCursor("c", parse("")), j.CreateTemp("t")])
    assert after(full, [j.DiscardAll()]).prepared == {}
    assert after(full, [j.Deallocate(None), j.CloseCursor(None)]).cursors == {}
    assert after(full, [j.SetSetting("search_path", None)]) == full


# ---------------------------------------------------------------------------------------------- levels


@pytest.mark.parametrize("text", ["BEGIN READ WRITE", "SET TRANSACTION READ WRITE", "SET default_transaction_read_only = off",
                                  "SELECT set_config('transaction_read_only', 'off', false)"])  # fmt: skip
def test_only_a_write_grant_leaves_read_only(text: str, catalog: Catalog) -> None:
    for level, allowed in [(Level.NONE, False), (Level.READ, False), (Level.WRITE, True), (Level.ADMIN, True)]:
        judged = judging(text, catalog, replace(SESSION, level=level)).combined
        assert (judged.effects == {Effect.READ}) is allowed
        assert ("write access" in judged.problem or "read only" in judged.problem) is not allowed


# ---------------------------------------------------------------------------------------------- fail closed


def test_without_a_catalog_nothing_that_needs_one_passes() -> None:
    empty = Catalog.empty()
    for text in ("SELECT lower('x')", "SELECT 1 + 1", "SELECT 'x'::mood", "SELECT t.a FROM t", "CALL p()"):
        judged = judging(text, empty).combined
        assert Effect.OPAQUE in judged.effects, text
    for text in (
        "SELECT 1",
        "SELECT a FROM t",
        "BEGIN",
        "SHOW work_mem",
        "SET application_name = 'x'",
        "SELECT 'x'::text",
    ):
        judged = judging(text, empty).combined
        assert judged.understood, text
    assert judging("DELETE FROM t", empty).combined.effects == {Effect.WRITE, Effect.DANGER}
    assert Effect.ADMIN in judging("SELECT rolpassword FROM pg_authid", empty).combined.effects


def test_a_text_that_cannot_be_parsed_has_no_statements(catalog: Catalog) -> None:
    judged = judging("SELECT 1; SELEC 2", catalog)
    assert judged.statements == ()
    assert (judged.combined.understood, judged.combined.problem) == (False, "Syntax error at line 1, column 11.")
    assert judge(Parsed("x", error="No."), catalog, SESSION).combined.problem == "No."


def test_a_broken_tree_is_not_understood(catalog: Catalog) -> None:
    (one,) = parse("SELECT 1").statements
    broken = replace(one, tree={"targetList": [{"ResTarget": {"val": {"FuncCall": {}}}}]})
    judged = judge(Parsed("SELECT 1", (broken,)), catalog, SESSION)
    assert not judged.combined.understood
    assert len(judged.statements) == 1


def test_as_many_answers_as_statements(catalog: Catalog) -> None:
    many = judging(";".join(["SELECT 1"] * (MAX_STATEMENTS + 1)), catalog)
    assert len(many.statements) == MAX_STATEMENTS + 1
    assert not many.combined.understood
    assert len(judging(";".join(["SELECT 1"] * MAX_STATEMENTS), catalog).statements) == MAX_STATEMENTS
    assert judging("", catalog).statements == ()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + "(SELECT " * 60 + "1" + ")" * 60,
        "SELECT " + "NOT " * 250 + "true",
        "SELECT " + " + ".join(["a"] * 300) + " FROM t",
        "DELETE FROM t WHERE " + "NOT " * 250 + "(id = 1)",
        "DELETE FROM t WHERE " + " OR ".join(f"(id = {i} AND x = 1)" for i in range(500)),
        "DELETE FROM t WHERE " + "(" * 100 + "id = 1" + " OR id = 2)" * 100,
        "SELECT " + " UNION ALL ".join(["SELECT 1"] * 200)[7:],
        "WITH " + ", ".join(f"c{i} AS (SELECT * FROM c{i - 1})" for i in range(1, 300)) + " SELECT * FROM c299",
        "DELETE FROM t WHERE id IN (WITH "
        + ", ".join(f"c{i} AS (SELECT * FROM c{i - 1})" for i in range(1, 100))
        + " SELECT * FROM c99)",
        "SELECT * FROM " + ", ".join(f"t{i}" for i in range(1500)),
        "SELECT 1 FROM " + ", ".join(["pg_stats"] * 2500),
        "SELECT " + ", ".join(["c.email"] * 2500) + " FROM customers c",
        "WITH c0 AS (SELECT 1 AS id), "
        + ", ".join(f"c{i} AS (SELECT a.id FROM c{i - 1} a, c{i - 1} b)" for i in range(1, 60))
        + " SELECT * FROM c59",
        "WITH c0 AS (SELECT 1 AS id), "
        + ", ".join(f"c{i} AS (SELECT a.id FROM c{i - 1} a, c{i - 1} b)" for i in range(1, 60))
        + " DELETE FROM staging WHERE id IN (SELECT id FROM c59)",
        "DELETE FROM staging WHERE id IN (SELECT id FROM staging WHERE qty = 1 AND " * 20 + "id = 1" + ")" * 20,
        "SELECT " + ", ".join(f"no_such_{i}()" for i in range(2000)),
        "SELECT " + "coalesce(" * 100 + "1" + ")" * 100,
    ],
    ids=lambda text: text[:30],
)
def test_big_statements_are_judged_or_refused_but_never_raise(text: str, catalog: Catalog) -> None:
    judged = judging(text, catalog).combined
    assert judged.understood or judged.problem


def test_constants_cost_nothing(catalog: Catalog) -> None:
    """The walk must not visit them: a list of any length takes as many steps as an empty one."""
    from proxy.sql.walk import Walk

    steps = []
    for size in (10, 5_000):
        visited = 0
        plain = Walk.node

        def counting(self: Walk, wrapped: object, plain: object = plain) -> None:
            nonlocal visited
            visited += 1
            plain(self, wrapped)  # type: ignore[operator]

        Walk.node = counting  # type: ignore[method-assign]
        try:
            text = f"DELETE FROM staging WHERE id IN ({', '.join(map(str, range(size)))})"
            assert judging(text, catalog).combined.effects == {Effect.WRITE}
        finally:
            Walk.node = plain  # type: ignore[method-assign]
        steps.append(visited)
    assert steps[0] == steps[1]


# ---------------------------------------------------------------------------------------------- what is said


def test_several_statements_are_judged_each_and_together(catalog: Catalog) -> None:
    judged = judging("SELECT * FROM orders LIMIT 1; DELETE FROM staging WHERE id = 1; DROP TABLE audit", catalog)
    assert [one.statement.text.strip() for one in judged.statements] == [
        "SELECT * FROM orders LIMIT 1",
        "DELETE FROM staging WHERE id = 1",
        "DROP TABLE audit",
    ]
    combined = judged.combined
    assert combined.verbs == ("SELECT", "DELETE", "DROP TABLE")
    assert combined.effects == {Effect.READ, Effect.WRITE, Effect.DDL, Effect.DANGER}
    assert combined.flags == {Flag.MULTI, Flag.DROP}
    assert (combined.reads, combined.writes) == (("public.orders",), ("public.staging", "public.audit"))


def test_the_problem_is_that_of_the_worst(catalog: Catalog) -> None:
    judged = judging("DELETE FROM staging; SET ROLE postgres", catalog).combined
    assert "role" in judged.problem
    assert not judged.understood


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("DELETE FROM staging", "DELETE on public.staging has no WHERE"),
        ("UPDATE staging SET qty = 0 WHERE id = id", "does not hold it to some rows"),
        ("SELECT wipe()", "public.wipe()"),
        ("SELECT * FROM v_wipe", "view public.v_wipe"),
        ("INSERT INTO crm.leads VALUES (1)", "trigger dynamic on crm.leads"),
        ("SELECT * FROM pg_stat_activity", "query"),
        ("SELECT 'x' === 'y'", "public.same()"),
        ("SELECT no_such()", "no_such()"),
        ("DROP TABLE staging", "cannot be undone"),
        ("DO 'x'", "DO"),
    ],
)
def test_the_problem_names_what_and_why(text: str, words: str, catalog: Catalog) -> None:
    assert words in judging(text, catalog).combined.problem


def test_the_problem_shows_no_values(catalog: Catalog) -> None:
    for text in (
        "DELETE FROM staging WHERE 's3cr3t' = 's3cr3t'",
        "SELECT query_to_xml('s3cr3t', true, true, '')",
        "SELECT set_config('role', 's3cr3t', false)",
        "SET ROLE s3cr3t",
        "SET client_encoding = 's3cr3t'",
        "UPDATE customers SET name = 's3cr3t' WHERE name LIKE '%' OR name = 's3cr3t'",
        "COPY staging FROM PROGRAM 's3cr3t'",
        "DO $$ s3cr3t $$",
        "ALTER USER app PASSWORD 's3cr3t'",
    ):
        judged = judging(text, catalog).combined
        assert judged.problem
        assert "s3cr3t" not in judged.problem
        assert "s3cr3t" not in repr(judged)


@pytest.mark.parametrize(
    ("text", "functions"),
    [
        ("SELECT lower('x'), now()", ("pg_catalog.lower", "pg_catalog.now")),
        ("SELECT public.wipe()", ("public.wipe",)),
        ("SELECT pg_sleep(1)", ("pg_catalog.pg_sleep",)),
        ("SELECT upper(5)", ("pg_catalog.upper", "public.upper")),
        ("UPDATE stock SET qty = 1 WHERE id = 1", ("public.log_stock", "pg_catalog.int4")),
    ],
)
def test_functions_are_named_with_their_schema(text: str, functions: tuple[str, ...], catalog: Catalog) -> None:
    named = set(judging(text, catalog).combined.functions)
    assert named >= set(functions) - {"pg_catalog.int4"}


def test_hidden_characters_are_flagged_wherever_they_stand(catalog: Catalog) -> None:
    for hidden in "\u202e\u2066\u200b\u200d\ufeff\u00ad\u00a0\u2028\u0085\x01\x1b\x7f\u3164\U000e0041\u061c":
        for text in (
            f"SELECT 'a{hidden}b'",
            f'SELECT 1 AS "a{hidden}"',
            f"SELECT 1 -- {hidden}",
            f"/* {hidden} */ SELECT 1",
        ):
            assert Flag.HIDDEN_TEXT in judging(text, catalog).combined.flags, repr(text)
    for plain in ("é", "日本", "Ω", "😀", "\t", "\r\n", "ß", "ع"):
        assert Flag.HIDDEN_TEXT not in judging(f"SELECT '{plain}'", catalog).combined.flags
    assert Flag.HIDDEN_TEXT in judging("SELEC \u202e", catalog).combined.flags
