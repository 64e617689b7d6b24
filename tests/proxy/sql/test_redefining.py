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
from proxy.sql.parse import parse

CATALOG = Catalog.of(
    [
        Relation(1, "public", "t", columns=(Column(1, "id", 23), Column(2, "secret", 25))),
        Relation(2, "public", "u", columns=(Column(1, "id", 23), Column(2, "note", 25))),
        Relation(3, "other", "w", triggers=(Trigger("x", frozenset({"INSERT"}), ("public", "fired")),)),
        Relation(4, "other", "t"),
        Relation(5, "other", "part", parents=(4,)),
        Relation(6, "public", "seen", "v", sources=frozenset({5})),
        Relation(7, "public", "again", "m", sources=frozenset({6})),
    ],
    [Function("pg_catalog", "upper", language="internal"), Function("public", "fired", builtin=False)],
)
SESSION = SqlSession(role="app", level=Level.ADMIN)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CREATE VIEW v AS SELECT 1", "v"),
        ("CREATE OR REPLACE VIEW public.t AS SELECT 1", "t"),
        ("CREATE SCHEMA s CREATE VIEW v AS SELECT 1 CREATE TABLE t (id int)", "v t"),
        ("CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING", "t"),
        ("CREATE OR REPLACE TRIGGER r AFTER INSERT ON t EXECUTE FUNCTION f()", "t"),
        ("CREATE POLICY p ON t USING (true)", "t"),
        ("ALTER TABLE t ENABLE ALWAYS TRIGGER x", "t"),
        ("ALTER TABLE t INHERIT u", "t u"),
        ("ALTER TABLE t ATTACH PARTITION u DEFAULT", "t u"),
        ("ALTER TABLE t ALTER id SET EXPRESSION AS (1)", "t"),
        ("ALTER TABLE new ADD FOREIGN KEY (id) REFERENCES t ON DELETE CASCADE", "t"),
        ("CREATE TABLE new (a int REFERENCES t ON DELETE SET NULL, FOREIGN KEY (a) REFERENCES u (id) ON UPDATE CASCADE)", "t u"),
        ("CREATE TABLE new () INHERITS (u)", "new u"),
        ("CREATE TABLE new PARTITION OF u DEFAULT", "new u"),
        ("CREATE TABLE other.u (id int)", "u"),
        ("CREATE TABLE other.u AS SELECT 1", "u"),
        ("SELECT 1 INTO other.u", "u"),
        ("EXPLAIN ANALYZE CREATE TABLE other.u AS SELECT 1", "u"),
        ("CREATE FUNCTION public.upper(int) RETURNS int LANGUAGE sql AS 'SELECT 1'", "upper"),
        ("CREATE OR REPLACE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'", "fired w"),
        ("ALTER FUNCTION upper(int) STABLE", "upper"),
        ("ALTER FUNCTION mine(int) RENAME TO upper", "mine upper"),
        ("ALTER FUNCTION evil.upper(int) SET SCHEMA public", "upper"),
        ("DROP FUNCTION fired()", "fired w"),
        ("CREATE AGGREGATE s.upper(int) (SFUNC = f, STYPE = int)", "upper"),
        ("ALTER TABLE other.t RENAME TO u", "t u"),
        ("ALTER TABLE other.t SET SCHEMA public", "t"),
        ("ALTER SCHEMA other RENAME TO public", "t u w part seen again fired"),
        ("DROP TABLE other.t", "t part"),
        ("DROP TABLE other.t, u CASCADE", "t u part seen again"),
        ("DROP VIEW seen CASCADE", "seen again"),
        ("DROP SCHEMA other CASCADE", "t w part seen again"),
        ("DROP TYPE other.mood CASCADE", "seen again"),
        ("DROP FUNCTION upper CASCADE", "upper seen again"),
        ("DROP RULE r ON other.w", "r w"),
        ("DROP OWNED BY app", "*"),
        ("DROP OPERATOR + (text, text)", "*"),
        ("DROP CAST (text AS int)", "*"),
        ("DROP EXTENSION x", "*"),
        ("ALTER EXTENSION x SET SCHEMA public", "*"),
        ("ALTER OPERATOR other.+ (text, text) SET SCHEMA public", "*"),
        ("ALTER TABLE other.part DROP COLUMN note CASCADE", "seen again"),
        ("CREATE FOREIGN TABLE other.u (id int) SERVER s", "u"),
        ("IMPORT FOREIGN SCHEMA a FROM SERVER s INTO public", "*"),
        ("CREATE OPERATOR + (LEFTARG = text, RIGHTARG = text, FUNCTION = f)", "*"),
        ("CREATE CAST (text AS int) WITH INOUT", "*"),
        # What hides nothing that is known, and changes nothing of it.
        ("CREATE TABLE new (id int REFERENCES t)", ""),
        ("CREATE FOREIGN TABLE new (id int) SERVER s", ""),
        ("CREATE EXTENSION x", ""),
        ("DROP SCHEMA nothing", ""),
        ("ALTER TABLE other.part DROP COLUMN note", ""),
        ("CREATE TEMP TABLE t (id int)", ""),
        ("CREATE TEMP VIEW v AS SELECT 1", ""),
        ("CREATE INDEX ON t (id)", ""),
        ("ALTER TABLE t ADD COLUMN more text, ALTER id SET NOT NULL, ADD CHECK (id > 0)", ""),
        ("ALTER TABLE t RENAME id TO number", ""),
        ("COMMENT ON TABLE t IS 'x'", ""),
        ("SELECT * FROM t", ""),
    ],
)  # fmt: skip
def test_what_a_definition_makes_unknown(text: str, names: str) -> None:
    found = [one for one in judge(parse(text), CATALOG, SESSION).statements[0].controls if isinstance(one, j.Redefine)]
    assert frozenset().union(*(one.names for one in found)) == set(names.split())


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
    session = replace(SESSION, redefined=frozenset({"t", "upper"}))
    found = judge(parse(text), CATALOG, session).combined
    assert found.understood is understood and (understood or Effect.OPAQUE in found.effects)
    assert judge(parse(text), CATALOG, SESSION).combined.understood


def test_a_text_is_judged_by_what_its_beginning_defines() -> None:
    found = judge(parse("CREATE OR REPLACE VIEW t AS SELECT 1; SELECT * FROM t; SELECT * FROM u"), CATALOG, SESSION)
    assert [one.statement.understood for one in found.statements] == [True, False, True]
    assert after(SESSION, found.statements[0].controls).redefined == {"t"}


def test_operators_and_casts_have_no_names() -> None:
    session = replace(SESSION, redefined=frozenset({"*"}))
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
