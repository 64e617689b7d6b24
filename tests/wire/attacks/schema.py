"""The database under attack: a shop with secrets, and every kind of trap a schema can hold."""

from __future__ import annotations

from access.masking import ColumnRule, MaskPolicy, Strategy

#: What must never reach a client, in whatever shape. `{}` is the number of the customer.
EMAIL = "zq{}vexly@corp.invalid"
SSN = "536-90-43{:02d}"

POLICY = MaskPolicy(
    columns=(
        ColumnRule("public.customers.email", "email", Strategy.REDACT),
        ColumnRule("public.customers.ssn", "ssn", Strategy.REDACT),
    ),
    entities={},
)

SCHEMA = """
CREATE SCHEMA archive;
CREATE SCHEMA evil;
CREATE TABLE customers (id int PRIMARY KEY, name text, email text UNIQUE, ssn text, active bool DEFAULT true, note text);
INSERT INTO customers
SELECT g, 'Customer ' || g, 'zq' || g || 'vexly@corp.invalid', '536-90-43' || lpad(g::text, 2, '0'), g % 2 = 0, 'n'
  FROM generate_series(1, 20) g;
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE, total numeric, note text);
INSERT INTO orders SELECT g, g, g * 1.5, 'o' || g FROM generate_series(1, 20) g;
CREATE TABLE scratch (id int PRIMARY KEY, value text);
INSERT INTO scratch SELECT g, 'v' || g FROM generate_series(1, 30) g;
CREATE TABLE victims (id int PRIMARY KEY, value text);
INSERT INTO victims SELECT g, 'x' || g FROM generate_series(1, 30) g;
CREATE TABLE archive.customers (id int PRIMARY KEY, name text, email text);
INSERT INTO archive.customers VALUES (1, 'nobody', 'public knowledge');
CREATE SEQUENCE ids;
SELECT lo_create(4242);

CREATE FUNCTION wipe() RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN 1; END';
CREATE FUNCTION wipe(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN $1; END';
CREATE FUNCTION wipe(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN $1; END';
CREATE FUNCTION lies() RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM wipe(); RETURN 1; END';
CREATE FUNCTION lies(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM wipe(); RETURN $1; END';
CREATE FUNCTION leak(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM customers WHERE id = $1';
CREATE FUNCTION shadow(customers) RETURNS text LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN $1.name; END';
CREATE FUNCTION rows_of() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM customers';
CREATE FUNCTION ok(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM wipe(); RETURN true; END';
CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN $1 = $2; END';
CREATE FUNCTION step(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN $1 + $2; END';
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN $1; END';
CREATE PROCEDURE purge() LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; COMMIT; END';
CREATE AGGREGATE total(int) (SFUNC = step, STYPE = int, INITCOND = '0');
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = same);
CREATE FUNCTION evil.glue(text, text) RETURNS text LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN $1; END';
CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.glue);
"""

TRAPS = """
CREATE DOMAIN checked AS int CHECK (ok(VALUE));
CREATE TYPE boxed AS (d checked);
CREATE TYPE token AS (n int);
CREATE FUNCTION as_token(int) RETURNS token LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN ROW($1)::token; END';
CREATE CAST (int AS token) WITH FUNCTION as_token(int);
CREATE VIEW innocent AS SELECT id, name FROM customers;
CREATE VIEW contacts AS SELECT id, email AS reach, upper(email) AS shout FROM customers;
CREATE VIEW trap AS SELECT id, wipe(id) AS n FROM scratch;
CREATE VIEW deep_trap AS SELECT n + 1 AS n FROM trap;
CREATE MATERIALIZED VIEW frozen AS SELECT id, email FROM customers;
CREATE VIEW stats AS SELECT tablename, attname, most_common_vals::text AS v, histogram_bounds::text AS h FROM pg_stats;
CREATE TABLE ruled (id int);
CREATE RULE also AS ON INSERT TO ruled DO ALSO DELETE FROM victims;
CREATE TABLE triggered (id int);
CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN EXECUTE ''DELETE FROM victims''; RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION fired();
CREATE TABLE defaulted (id int, n int DEFAULT wipe());
CREATE TABLE constrained (id int CHECK (ok(id)));
CREATE TABLE indexed (id int);
CREATE INDEX ON indexed (lies(id));
CREATE TABLE domained (id int, d checked);
CREATE TABLE generated (id int, n int GENERATED ALWAYS AS (lies(id)) STORED);
CREATE TABLE guarded (id int);
INSERT INTO guarded VALUES (1), (2);
CREATE POLICY p ON guarded USING (wipe(id) > 0);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE TABLE holder (b boxed);
CREATE FUNCTION as_text(customers) RETURNS text LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN $1.id; END';
ANALYZE;
"""

TABLES = (
    "customers", "orders", "scratch", "victims", "archive.customers", "ruled", "triggered", "defaulted", "constrained",
    "indexed", "domained", "generated", "guarded", "holder", "frozen",
)  # fmt: skip
