"""What a session's own definitions make unknown until the catalog has been read again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from access.scopes import Level
from access.statements import Effect
from proxy.masking.plan import Masker
from proxy.sql import judged as j
from proxy.sql.catalog import Catalog, Column, Function, Relation, Trigger
from proxy.sql.classify import judge
from proxy.sql.following import after
from proxy.sql.judged import SqlSession
from proxy.sql.lineage import trace
from proxy.sql.nodes import SHAPES
from proxy.sql.object_kinds import SORTS, Sort, sort_of
from proxy.sql.parse import Parsed, ParsedStatement, parse
from proxy.sql.redefining import RULES

CATALOG = Catalog.of(
    [
        Relation(1, "public", "t", columns=(Column(1, "id", 23), Column(2, "secret", 25))),
        Relation(2, "public", "u", columns=(Column(1, "id", 23), Column(2, "note", 25))),
        Relation(
            3,
            "other",
            "w",
            triggers=(Trigger("x", frozenset({"INSERT"}), ("public", "fired")),),
            runs_on_read=frozenset({("public", "hides")}),
            runs_on_write=frozenset({("public", "checks")}),
        ),
        Relation(4, "other", "t"),
        Relation(5, "other", "part", parents=(4,)),
        Relation(6, "public", "seen", "v", sources=frozenset({5})),
        Relation(7, "public", "again", "m", sources=frozenset({6})),
    ],
    [
        Function("pg_catalog", "upper", language="internal"),
        Function("public", "fired", builtin=False),
        *(Function("public", name, builtin=False) for name in ("checks", "hides")),
    ],
    operators={("pg_catalog", ">"): frozenset()},
    types={
        ("pg_catalog", "text"): frozenset(),
        ("other", "mood"): frozenset(),
        ("other", "strict"): frozenset({("public", "checks")}),
    },
)
DEFINES = parse("CREATE OR REPLACE VIEW t AS SELECT 1")
SESSION = SqlSession(role="app", level=Level.ADMIN, prepared={"defines": DEFINES})


#: What is written behind a letter: `w` only what runs when it is written, `c` only what a change of its rows changes besides, `s`
#: only what it shows, `h` a type whose values run nothing, `i` what it inherits from. Nothing is known of the others.
DEFINITIONS = [
    ("CREATE VIEW v AS SELECT 1", "s:v w:v"),
    ("CREATE OR REPLACE VIEW public.t AS SELECT 1", "s:t w:t"),
    ("CREATE OR REPLACE VIEW public.t AS SELECT fired()", "t"),
    ("CREATE OR REPLACE VIEW public.t AS SELECT 'x'::other.mood", "s:t w:t"),
    ("CREATE SCHEMA s CREATE VIEW v AS SELECT 1 CREATE TABLE t (id int)", "s:v w:v s:t"),
    ("CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING", "w:t"),
    ('CREATE RULE "_RETURN" AS ON SELECT TO t DO INSTEAD SELECT 1', "t"),
    ("CREATE OR REPLACE TRIGGER r AFTER INSERT ON t EXECUTE FUNCTION f()", "w:t"),
    ("CREATE POLICY p ON t USING (true)", "t"),
    ("ALTER POLICY p ON t USING (true)", "t"),
    ("ALTER TABLE t ENABLE ALWAYS TRIGGER x", "w:t"),
    ("ALTER TABLE t DISABLE TRIGGER x", ""),
    ("ALTER VIEW seen DISABLE TRIGGER x", "w:seen"),
    ("ALTER TABLE t DISABLE RULE x", "w:t"),
    ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "t"),
    ("ALTER TABLE t DISABLE ROW LEVEL SECURITY", ""),
    ("ALTER TABLE t INHERIT u", "t u"),
    ("ALTER TABLE t ATTACH PARTITION u DEFAULT", "t u"),
    ("ALTER TABLE t ALTER id SET EXPRESSION AS (1)", "t"),
    ("ALTER TABLE t ALTER id SET DEFAULT fired()", "w:t s:*"),
    ("CREATE INDEX ON t (fired(id))", "w:t s:*"),
    ("ALTER TABLE new ADD FOREIGN KEY (id) REFERENCES t ON DELETE CASCADE", "c:t"),
    ("CREATE TABLE new (a int REFERENCES t ON DELETE SET NULL, FOREIGN KEY (a) REFERENCES u (id) ON UPDATE CASCADE)", "c:t c:u"),
    ("CREATE TABLE new () INHERITS (u)", "w:new i:new>u"),
    ("CREATE TABLE new PARTITION OF u DEFAULT", "w:new i:new>u"),
    ("CREATE TABLE new PARTITION OF newer DEFAULT", "i:new>newer"),
    ("CREATE TABLE new (LIKE u INCLUDING ALL)", ""),
    ("CREATE TABLE new (LIKE other.w INCLUDING ALL)", "w:new"),
    ("CREATE TABLE new (LIKE nobody INCLUDING DEFAULTS)", "w:new"),
    ("CREATE TABLE new (id int DEFAULT fired())", "w:new"),
    ("CREATE TABLE other.u (id int)", "s:u"),
    ("CREATE TABLE other.mood (id int)", "mood"),
    ("CREATE TABLE IF NOT EXISTS public.u (id int)", ""),
    ("CREATE TABLE IF NOT EXISTS u (id int REFERENCES t ON DELETE CASCADE)", ""),
    ("CREATE TABLE IF NOT EXISTS other.u (id int)", "s:u"),
    ("CREATE TABLE IF NOT EXISTS u AS SELECT 1", ""),
    ("CREATE TABLE other.u AS SELECT 1", "s:u"),
    ("SELECT 1 INTO other.u", "s:u"),
    ("EXPLAIN ANALYZE CREATE TABLE other.u AS SELECT 1", "s:u"),
    ("CREATE SEQUENCE other.u", "s:u"),
    ("CREATE FUNCTION public.upper(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "upper"),
    ("CREATE OR REPLACE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'", "fired w:w"),
    ("CREATE OR REPLACE FUNCTION checks() RETURNS bool LANGUAGE sql AS 'SELECT true'", "checks * w:w"),
    ("CREATE OR REPLACE FUNCTION hides() RETURNS bool LANGUAGE sql AS 'SELECT true'", "hides w"),
    ("ALTER FUNCTION upper(int) STABLE", "upper"),
    ("ALTER FUNCTION mine(int) RENAME TO upper", "mine upper"),
    ("ALTER FUNCTION evil.upper(int) SET SCHEMA public", "upper"),
    ("DROP FUNCTION fired()", "fired w:w"),
    ("CREATE AGGREGATE s.upper(int) (SFUNC = f, STYPE = int)", "upper"),
    ("ALTER TABLE other.t RENAME TO u", "t u"),
    ("ALTER TABLE other.t SET SCHEMA public", "t"),
    ("ALTER SCHEMA other RENAME TO public", "t u w part seen again fired checks hides mood strict"),
    ("DROP TABLE other.t", "t s:part"),
    ("DROP TABLE other.t, u CASCADE", "t s:u s:part s:seen s:again"),
    ("DROP TABLE other.w", "s:w"),
    ("DROP VIEW seen CASCADE", "s:seen s:again"),
    ("DROP SCHEMA other CASCADE", "t w part seen again mood strict"),
    ("DROP TYPE other.mood", "mood"),
    ("DROP TYPE other.mood CASCADE", "mood s:seen s:again"),
    ("DROP DOMAIN other.mood", "mood"),
    ("ALTER TYPE other.mood RENAME TO new", "mood new"),
    ("ALTER DOMAIN other.mood RENAME TO new", "mood new"),
    ("ALTER TYPE other.mood SET SCHEMA public", "mood"),
    ("ALTER TYPE other.mood ADD VALUE 'x'", ""),
    ("ALTER TYPE other.pair ADD ATTRIBUTE x int", "*"),
    ("ALTER TYPE other.pair ALTER ATTRIBUTE x TYPE other.mood", "*"),
    ("ALTER TYPE other.pair DROP ATTRIBUTE x", ""),
    ("ALTER TYPE other.mood SET (STORAGE = plain)", "*"),
    ("ALTER DOMAIN other.mood ADD CHECK (VALUE > 1)", "*"),
    ("ALTER DOMAIN other.mood SET NOT NULL", "*"),
    ("ALTER DOMAIN other.mood DROP CONSTRAINT x", ""),
    ("ALTER DOMAIN other.mood SET DEFAULT 1", ""),
    ("CREATE DOMAIN public.mood AS int", "mood"),
    ("CREATE DOMAIN new AS int CHECK (VALUE > 1)", "h:new"),
    ("CREATE DOMAIN new AS other.mood", "h:new"),
    ("CREATE TYPE new AS ENUM ('a')", "h:new"),
    ("CREATE TYPE new AS (id int)", ""),
    ("CREATE TYPE new AS RANGE (SUBTYPE = int)", ""),
    ("CREATE TYPE public.mood AS ENUM ('a')", "mood"),
    ("CREATE TYPE public.t AS ENUM ('a')", "t"),
    ("DROP FUNCTION upper CASCADE", "upper s:seen s:again"),
    ("DROP RULE r ON other.w", "w:w"),
    ("DROP TRIGGER r ON other.w", "w:w"),
    ("DROP OWNED BY app", "*"),
    ("DROP OPERATOR + (text, text)", "*"),
    ("DROP CAST (text AS int)", "*"),
    ("DROP EXTENSION x", "*"),
    ("DROP LANGUAGE x CASCADE", "*"),
    ("DROP LANGUAGE x", ""),
    ("ALTER EXTENSION x SET SCHEMA public", "*"),
    ("ALTER EXTENSION x UPDATE", "*"),
    ("ALTER EXTENSION x ADD FUNCTION f()", "*"),
    ("ALTER OPERATOR other.+ (text, text) SET SCHEMA public", "*"),
    ("ALTER OPERATOR other.+ (text, text) SET (RESTRICT = NONE)", "*"),
    ("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()", "*"),
    ("ALTER EVENT TRIGGER e ENABLE", "*"),
    ("ALTER TABLE other.part DROP COLUMN note CASCADE", "s:seen s:again"),
    ("CREATE FOREIGN TABLE other.u (id int) SERVER s", "s:u"),
    ("IMPORT FOREIGN SCHEMA a FROM SERVER s INTO public", "*"),
    ("CREATE OPERATOR + (LEFTARG = text, RIGHTARG = text, FUNCTION = f)", "*"),
    ("CREATE CAST (text AS int) WITH INOUT", "*"),
    ("DO 'BEGIN END'", "s:*"),
    ("SELECT fired()", "s:*"),
    ("CALL fired()", "s:*"),
    ("EXECUTE defines", "s:t w:t"),
    # What hides nothing that is known, and changes nothing of it.
    ("CREATE TABLE new (id int REFERENCES t)", ""),
    ("CREATE FOREIGN TABLE new (id int) SERVER s", ""),
    ("CREATE EXTENSION x", ""),
    ("CREATE COLLATION new (LOCALE = 'de')", ""),
    ("DROP SCHEMA nothing", ""),
    ("ALTER TABLE other.part DROP COLUMN note", ""),
    ("CREATE TEMP TABLE t (id int)", ""),
    ("CREATE TEMP VIEW v AS SELECT 1", ""),
    ("CREATE INDEX ON t (id)", ""),
    ("ALTER TABLE t ADD COLUMN more text, ALTER id SET NOT NULL, ADD CHECK (id > 0)", ""),
    ("ALTER TABLE t RENAME id TO number", ""),
    ("COMMENT ON TABLE t IS 'x'", ""),
    ("SECURITY LABEL ON TABLE t IS 'x'", ""),
    ("SELECT * FROM t", ""),
]  # fmt: skip


def _written_down(anew: j.Anew) -> set[str]:
    letters = {"w": anew.written, "c": anew.cascading, "s": anew.shown, "h": anew.harmless}
    said = {f"{letter}:{name}" for letter, names in letters.items() for name in names}
    return {*anew.names, *said, *(f"i:{heir}>{parent}" for heir, parent in anew.heirs)}


def _redefines(text: str, session: SqlSession = SESSION) -> j.Anew:
    controls = judge(parse(text), CATALOG, session).statements[0].controls
    found = [one.anew for one in controls if isinstance(one, j.Redefine)]
    return found[0] if found else j.NOTHING


@pytest.mark.parametrize(("text", "names"), DEFINITIONS)
def test_what_a_definition_makes_unknown(text: str, names: str) -> None:
    assert _written_down(_redefines(text)) == set(names.split())


def test_every_statement_has_a_rule() -> None:
    assert {name for name in SHAPES if name.endswith("Stmt")} == set(RULES)


@pytest.mark.parametrize("node", RULES)
def test_a_statement_of_an_unknown_shape_is_judged_all_the_same(node: str) -> None:
    parsed = Parsed("x", (ParsedStatement(node, {}, "x"),))
    for anew in (j.NOTHING, j.Anew(frozenset({"t"}))):
        judge(parsed, CATALOG, replace(SESSION, redefined=anew))  # never raises


def test_every_kind_of_object_is_sorted() -> None:
    """ObjectType of PostgreSQL 17 (nodes/parsenodes.h)."""
    assert {kind.removeprefix("OBJECT_") for kind in SORTS} == set(OBJECT_TYPE.split())
    assert sort_of("OBJECT_OF_A_LATER_VERSION") is Sort.UNNAMED


OBJECT_TYPE = """
ACCESS_METHOD AGGREGATE AMOP AMPROC ATTRIBUTE CAST COLUMN COLLATION CONVERSION DATABASE DEFAULT DEFACL DOMAIN DOMCONSTRAINT
EVENT_TRIGGER EXTENSION FDW FOREIGN_SERVER FOREIGN_TABLE FUNCTION INDEX LANGUAGE LARGEOBJECT MATVIEW OPCLASS OPERATOR OPFAMILY
PARAMETER_ACL POLICY PROCEDURE PUBLICATION PUBLICATION_NAMESPACE PUBLICATION_REL ROLE ROUTINE RULE SCHEMA SEQUENCE SUBSCRIPTION
STATISTIC_EXT TABCONSTRAINT TABLE TABLESPACE TRANSFORM TRIGGER TSCONFIGURATION TSDICTIONARY TSPARSER TSTEMPLATE TYPE
USER_MAPPING VIEW
"""


def test_a_trigger_of_a_new_heir_runs_for_what_it_inherits_from() -> None:
    session = after(SESSION, [j.Redefine(_redefines("CREATE TABLE part1 PARTITION OF whole DEFAULT"))])
    session = after(session, [j.Redefine(_redefines("CREATE TABLE part11 PARTITION OF part1 DEFAULT"))])
    found = _redefines("CREATE TRIGGER r BEFORE INSERT ON part11 EXECUTE FUNCTION f()", session)
    assert _written_down(found) == {"w:part11", "w:part1", "w:whole"}
    session = after(session, [j.Redefine(found)])
    assert not judge(parse("INSERT INTO whole VALUES (1)"), CATALOG, session).combined.understood
    assert _written_down(_redefines("CREATE TABLE part12 PARTITION OF part1 DEFAULT", session)) == {
        "w:part12",
        "i:part12>part1",
    }


def test_a_view_of_what_nothing_is_known_of_is_one_as_well() -> None:
    session = replace(SESSION, redefined=j.Anew(frozenset({"u"})))
    assert _written_down(_redefines("CREATE VIEW v AS SELECT * FROM u", session)) == {"v"}
    assert _written_down(_redefines("CREATE VIEW v AS SELECT * FROM other.part", session)) == {"s:v", "w:v"}
    session = replace(SESSION, redefined=j.Anew(shown=frozenset({"u"})))
    assert _written_down(_redefines("CREATE VIEW v AS SELECT * FROM u", session)) == {"s:v", "w:v"}


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("SELECT * FROM t", False),
        ("SELECT * FROM other.t", False),
        ("INSERT INTO u SELECT id FROM t", False),
        ("UPDATE t SET id = 1 WHERE id = 2", False),
        ("SELECT upper('x')", False),
        ("SELECT u.upper FROM u", False),
        ("COPY t TO STDOUT", False),
        ("CREATE TABLE more AS TABLE t", False),
        ("SELECT * FROM u", True),
        ("UPDATE u SET id = 1 WHERE id = 2", True),
        ("CREATE INDEX ON t (id)", True),
        ("GRANT SELECT ON t TO app", True),
        ("CREATE OR REPLACE VIEW t AS SELECT 1", True),
        ("CREATE VIEW over AS SELECT upper('x') FROM t", True),
        ("CREATE MATERIALIZED VIEW over AS SELECT * FROM t", False),
    ],
)
def test_nothing_is_understood_that_uses_such_a_name(text: str, understood: bool) -> None:
    session = replace(SESSION, redefined=j.Anew(frozenset({"t", "upper"})))
    found = judge(parse(text), CATALOG, session).combined
    assert found.understood is understood and (understood or Effect.OPAQUE in found.effects)
    assert judge(parse(text), CATALOG, SESSION).combined.understood


def test_a_text_is_judged_by_what_its_beginning_defines() -> None:
    text = "CREATE OR REPLACE VIEW t AS SELECT 1; SELECT * FROM t; UPDATE t SET id = 1 WHERE id = 2; SELECT * FROM u"
    found = judge(parse(text), CATALOG, SESSION)
    assert [one.statement.understood for one in found.statements] == [True, True, False, True]
    assert [one.unsure for one in found.statements] == [
        False,
        True,
        True,
        True,
    ]  # what was not understood may have run anything
    assert after(SESSION, found.statements[0].controls).redefined == j.Anew(
        written=frozenset({"t"}), shown=frozenset({"t"})
    )


@pytest.mark.parametrize(
    ("anew", "text", "understood", "unsure"),
    [
        (j.Anew(written=frozenset({"t"})), "SELECT * FROM t", True, False),
        (j.Anew(written=frozenset({"t"})), "INSERT INTO t VALUES (1)", False, True),
        (j.Anew(written=frozenset({"part"})), "DELETE FROM other.t WHERE id = 1", False, True),
        (j.Anew(cascading=frozenset({"t"})), "SELECT * FROM t", True, False),
        (j.Anew(cascading=frozenset({"t"})), "INSERT INTO t VALUES (1)", True, False),
        (j.Anew(cascading=frozenset({"t"})), "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", True, False),
        (j.Anew(cascading=frozenset({"t"})), "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2", False, True),
        (j.Anew(cascading=frozenset({"t"})), "UPDATE t SET id = 1 WHERE id = 2", False, True),
        (j.Anew(cascading=frozenset({"t"})), "WITH d AS (DELETE FROM t WHERE id = 1) SELECT 1", False, True),
        (j.Anew(cascading=frozenset({"t"})), "WITH d AS (DELETE FROM t WHERE id = 1) INSERT INTO t VALUES (1)", False, True),
        (j.Anew(shown=frozenset({"t"})), "SELECT * FROM t", True, True),
        (j.Anew(shown=frozenset({"t"})), "INSERT INTO t VALUES (1)", True, True),
        (j.Anew(shown=frozenset({"t"})), "SELECT * FROM u", True, False),
        (j.Anew(shown=frozenset({"*"})), "SELECT * FROM u", True, True),
        (j.Anew(shown=frozenset({"*"})), "COMMIT", True, False),
        (j.Anew(frozenset({"*"})), "COMMIT", True, False),
        (j.Anew(frozenset({"*"})), "SET search_path = public", True, False),
        (j.Anew(frozenset({"mood"})), "SELECT 'x'::mood", False, True),
        (j.Anew(frozenset({"mood"})), "SELECT '{x}'::_mood", False, True),
        (j.Anew(frozenset({"mood"})), "SELECT mood('x')", False, True),
        (j.Anew(frozenset({"mood"})), "SELECT x.mood FROM u x", False, True),
        (j.Anew(harmless=frozenset({"new"})), "SELECT 'x'::new", True, False),
        (j.Anew(harmless=frozenset({"new"})), "CREATE TABLE newer (a new[])", True, False),
        (j.NOTHING, "SELECT 'x'::new", True, False),
    ],
)  # fmt: skip
def test_what_uses_it(anew: j.Anew, text: str, understood: bool, unsure: bool) -> None:
    session = replace(SESSION, redefined=anew, search_path=("public", "other"))
    found = judge(parse(text), CATALOG, session).statements[0]
    assert (found.statement.understood, found.unsure) == (understood, unsure)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TYPE new AS (id int)", "CREATE TYPE new AS RANGE (SUBTYPE = int)", "CREATE DOMAIN new AS other.strict", "CREATE TABLE new (id int)",
        "CREATE VIEW new AS SELECT 1", "CREATE TEMP TABLE new (id int)",
    ],
)  # fmt: skip
def test_another_type_of_that_name_may_run_something(text: str) -> None:
    """The first was undone with its savepoint."""
    assert "new" in _redefines(text, replace(SESSION, redefined=j.Anew(harmless=frozenset({"new"}))))


def test_a_new_type_whose_values_run_nothing_is_no_riddle() -> None:
    session = after(SESSION, [j.Redefine(_redefines("CREATE TYPE new AS ENUM ('a')"))])
    assert Effect.OPAQUE in judge(parse("CREATE TABLE newer (a new)"), CATALOG, SESSION).combined.effects
    assert judge(parse("CREATE TABLE newer (a new)"), CATALOG, session).combined.effects == {Effect.DDL}


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TRIGGER r AFTER INSERT ON mine EXECUTE FUNCTION f()",
        "CREATE RULE r AS ON INSERT TO pg_temp.mine DO ALSO NOTHING",
    ],
)
def test_what_a_temporary_table_runs_is_asked_about(text: str) -> None:
    session = replace(SESSION, temporary=frozenset({"mine"}))
    assert Effect.OPAQUE in judge(parse(text), CATALOG, session).combined.effects


def test_operators_and_casts_have_no_names() -> None:
    session = replace(SESSION, redefined=j.Anew(frozenset({"*"})))
    assert not judge(parse("SELECT 'a' || 'b'"), CATALOG, session).combined.understood
    assert judge(parse("CREATE TABLE new (id int)"), CATALOG, session).combined.understood


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("INSERT INTO new SELECT id, secret FROM t", "new.*"),
        ("INSERT INTO new TABLE t", "new.*"),
        ("INSERT INTO pg_temp.new SELECT id, upper(secret) FROM t", "pg_temp.new.*"),
        ("INSERT INTO new (a) SELECT secret FROM t", "new.a"),
        ("MERGE INTO new USING t ON true WHEN NOT MATCHED THEN INSERT VALUES (secret)", "new.*"),
        ("CREATE TEMP VIEW v AS SELECT 1", "v"),
        ("CREATE VIEW pg_temp.v AS SELECT 1", "v"),
        ("CREATE VIEW v AS SELECT secret FROM t", ""),
        ("INSERT INTO new SELECT id, note FROM u", ""),
    ],
)
def test_what_nobody_knows_the_columns_of_is_written_to_as_well(text: str, copied: str) -> None:
    masker = Masker(MaskPolicy(columns=(ColumnRule("public.t.secret", "x", Strategy.REDACT),)), CATALOG, b"")
    statement = parse(text).statements[0]
    moved = masker.copied(trace({statement.node: statement.tree}, CATALOG))
    assert [into for _, into in moved] == ([copied] if copied else [])
    bare = Masker(MaskPolicy(), CATALOG, b"")
    assert not bare.copied(trace({statement.node: statement.tree}, CATALOG))
