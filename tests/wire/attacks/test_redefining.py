"""Definitions a session makes itself: its transaction sees them at once, and what they mean must not be guessed from before."""

from __future__ import annotations

import pytest

from access.scopes import Admin
from proxy.postgres import messages as m
from tests.wire.attacks.field import PATIENT, Field
from tests.wire.attacks.leaks import leaked
from tests.wire.attacks.raw import Raw, Said, bind, execute, parse

REPLACED = "CREATE OR REPLACE VIEW innocent AS SELECT id, email AS name FROM customers"
RESTORED = "CREATE OR REPLACE VIEW innocent AS SELECT id, name FROM customers"
SHOUTED = "CREATE FUNCTION public.upper(int) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers WHERE id = $1'"
DELETES = (
    "CREATE FUNCTION public.upper(int) RETURNS text LANGUAGE plpgsql AS 'BEGIN DELETE FROM victims; RETURN 1; END'"
)

#: In a transaction, under access that may define; each showed secrets, or removed rows that nobody was asked about.
ATTACKS = {
    "a view": f"{REPLACED} ;; SELECT name || '' FROM innocent",
    "a view, prepared before": f"PREPARE p AS SELECT name || '' FROM innocent ;; {REPLACED} ;; EXECUTE p",
    "a view, by a cursor": f"{REPLACED} ;; DECLARE c CURSOR FOR SELECT name || '' FROM innocent ;; FETCH ALL FROM c",
    "a view, copied out": f"{REPLACED} ;; COPY (SELECT name || '' FROM innocent) TO STDOUT",
    "a view, in one text": f"{REPLACED}; SELECT name || '' FROM innocent",
    "a new view, copied": "CREATE VIEW vx AS SELECT id, email AS e FROM customers ;; INSERT INTO scratch SELECT id + 900, e FROM vx ;; SELECT value || '' FROM scratch",
    "an overload of a function": f"{SHOUTED} ;; SELECT upper(1)",
    "a function, in one text": f"{SHOUTED}; SELECT upper(1)",
    "a function that deletes": f"{DELETES} ;; SELECT upper(1)",
    "a function, as an attribute": f"{DELETES.replace('(int)', '(scratch)')} ;; SELECT scratch.upper FROM scratch",
    "a parent": "ALTER TABLE customers INHERIT archive.customers ;; SELECT email || '' FROM archive.customers",
    "a child": "CREATE TABLE kid () INHERITS (archive.customers) ;; INSERT INTO kid SELECT id, name, email FROM public.customers ;; SELECT email || '' FROM archive.customers",
    "a table that hides another": "SET LOCAL search_path = archive, public ;; CREATE TABLE archive.orders AS SELECT 1 AS id, ''::text AS note ;; INSERT INTO archive.orders SELECT id, email FROM customers ;; SELECT note || '' FROM orders",
    "the other behind it": "SET LOCAL search_path = archive, public ;; ALTER TABLE archive.customers RENAME TO gone ;; SELECT email || '' FROM customers",
    "a rule": "CREATE RULE rr AS ON UPDATE TO orders DO ALSO UPDATE scratch SET value = (SELECT email FROM customers WHERE id = 1) WHERE id = 3 ;; UPDATE orders SET note = 'x' WHERE id = 1 ;; SELECT value || '' FROM scratch",
    "a trigger": "CREATE TRIGGER tg AFTER INSERT ON scratch EXECUTE FUNCTION fired() ;; INSERT INTO scratch VALUES (1000, 'x')",
    "a table of its own": "CREATE TABLE t9 (id int, note text) ;; INSERT INTO t9 SELECT id, email FROM customers ;; SELECT note FROM t9 ;; ALTER TABLE scratch RENAME TO s2 ;; ALTER TABLE t9 RENAME TO scratch ;; SELECT note || '' FROM scratch",
    "a view, by its identity": f"{REPLACED} ;; SELECT name FROM innocent",
    "a view over a view": f"{REPLACED} ;; CREATE VIEW over AS SELECT name FROM innocent ;; SELECT name FROM over",
    "a view, where it is read with a join": f"{REPLACED} ;; SELECT i.name FROM orders o JOIN innocent i ON i.id = o.id",
    "a view, copied as it is": f"{REPLACED} ;; COPY innocent TO STDOUT",
    "a view, into a new table": f"{REPLACED} ;; CREATE TABLE mine AS SELECT name FROM innocent ;; SELECT name || '' FROM mine",
    "a view, into a table": f"{REPLACED} ;; UPDATE scratch SET value = name FROM innocent i WHERE scratch.id = i.id ;; SELECT value || '' FROM scratch",
    "a view, into a materialized one": f"CREATE MATERIALIZED VIEW mv AS SELECT name FROM innocent WITH NO DATA ;; {REPLACED} ;; REFRESH MATERIALIZED VIEW mv ;; SELECT name || '' FROM mv",
    "a view, dropped first": "DROP VIEW innocent ;; CREATE VIEW innocent AS SELECT id, email AS name FROM customers ;; SELECT name FROM innocent ;; SELECT name || '' FROM innocent",
    "a view that is written": "CREATE OR REPLACE VIEW deep_trap AS SELECT id AS n FROM victims ;; DELETE FROM deep_trap WHERE n = 1",
    "a view that runs": "CREATE VIEW runs AS SELECT as_text(c) AS n FROM customers c ;; SELECT * FROM runs",
    "a table, dropped and made again": "DROP TABLE archive.customers ;; CREATE TABLE archive.customers AS SELECT id, name, email FROM public.customers ;; SELECT email FROM archive.customers",
    "another domain of that name": "CREATE DOMAIN plain AS int ;; COMMIT ;; BEGIN ;; ALTER DOMAIN plain RENAME TO gone ;; ALTER DOMAIN checked RENAME TO plain ;; SELECT 1::plain",
    "a type of other parts": "CREATE TYPE pair AS (d int) ;; COMMIT ;; BEGIN ;; ALTER TYPE pair ALTER ATTRIBUTE d TYPE checked ;; SELECT ROW(1)::pair",
    "a type that is dropped": "CREATE TYPE evil.odd AS ENUM ('1') ;; CREATE DOMAIN odd AS checked ;; COMMIT ;; BEGIN ;; SET LOCAL search_path = evil, public ;; DROP TYPE evil.odd ;; SELECT 1::odd",
    "a trigger of a new partition": "CREATE TABLE whole (id int) PARTITION BY LIST (id) ;; CREATE TABLE piece PARTITION OF whole DEFAULT ;; CREATE TRIGGER tg BEFORE INSERT ON piece FOR EACH ROW EXECUTE FUNCTION fired() ;; INSERT INTO whole VALUES (1)",
    "a trigger of a temporary table": "CREATE TEMP TABLE mine (id int) ;; CREATE TRIGGER tg BEFORE INSERT ON pg_temp.mine FOR EACH ROW EXECUTE FUNCTION fired() ;; INSERT INTO mine VALUES (1)",
    "a partition of a table with a trigger": "CREATE TABLE part_of () INHERITS (triggered) ;; CREATE TRIGGER tg BEFORE INSERT ON part_of FOR EACH ROW EXECUTE FUNCTION fired() ;; INSERT INTO part_of VALUES (1)",
    "what a copy of a table runs": "CREATE TABLE copied (LIKE defaulted INCLUDING DEFAULTS) ;; INSERT INTO copied (id) VALUES (1)",
    "a column of a domain, copied": "CREATE TABLE copied AS SELECT d FROM domained ;; INSERT INTO copied VALUES (1)",
    "a column of a domain, copied to a temporary table": "CREATE TEMP TABLE copied AS SELECT d FROM domained ;; INSERT INTO copied VALUES (1)",
    "a type that was undone": "SAVEPOINT s ;; CREATE TYPE odd AS ENUM ('a') ;; ROLLBACK TO s ;; CREATE TYPE odd AS (d checked) ;; SELECT ROW(1)::odd",
    "a column made of another": "ALTER TABLE customers ADD COLUMN made text GENERATED ALWAYS AS (email) STORED ;; SELECT made || '' FROM customers ;; SELECT made FROM customers",
    "a row that is removed with another": "ALTER TABLE victims ADD FOREIGN KEY (id) REFERENCES orders ON DELETE CASCADE NOT VALID ;; DELETE FROM orders WHERE id = 1",
    "a table that was there, or was not": "DROP TABLE archive.customers ;; SET LOCAL search_path = archive, public ;; CREATE TABLE IF NOT EXISTS customers (id int, name text, email text) ;; INSERT INTO customers SELECT id, name, email FROM public.customers ;; SELECT email FROM customers",
    "a definition by EXECUTE": f"PREPARE-PROTOCOL {REPLACED} ;; EXECUTE s1 ;; SELECT name FROM innocent",
    "a temporary view, copied": "CREATE TEMP VIEW tv AS SELECT id, name FROM innocent ;; INSERT INTO scratch SELECT id + 900, name FROM tv ;; SELECT value || '' FROM scratch",
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_what_it_defined_itself_is_not_what_it_was(field: Field, name: str) -> None:
    before = field.oracle.state()
    with field.connect(Admin()) as client:
        said = [_step(client, step) for step in ("BEGIN", *ATTACKS[name].split(" ;; "))]
        assert not any(map(leaked, said))
        assert any(one.refusals or _is_masked(one) for one in said)
        assert client.query("ROLLBACK").status == "I"
    assert field.oracle.changed(before) <= {"(types)", "(others)", "(relations)", "(columns)"}


def _step(client: Raw, step: str) -> Said:
    prepared = step.partition("PREPARE-PROTOCOL ")[2]
    if not prepared:
        return client.query(step)
    client.send(parse("s1", prepared))
    return client.send(m.SYNC_MESSAGE).until_ready()


def _is_masked(said: Said) -> bool:
    return bool(said.rows) and all(value in {None, "«masked»".encode()} for row in said.rows for value in row)


#: What nobody could approve as it is: people who say yes see masked rows, and nothing runs that they were not asked about.
APPROVED = {
    "code that nobody looked into": f"DO $$ BEGIN EXECUTE '{REPLACED}'; END $$ ;; SELECT name FROM innocent ;; SELECT name || '' FROM innocent",
    "a function that redefines": f"CREATE FUNCTION redo() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE '{REPLACED}'; RETURN 1; END $$ ;; COMMIT ;; BEGIN ;; SELECT redo() ;; SELECT name FROM innocent",
    "what is not understood": f"{REPLACED} ;; CREATE OR REPLACE FUNCTION leak(int) RETURNS text LANGUAGE sql AS 'SELECT email FROM customers' ;; SELECT name, leak(1) FROM innocent ;; SELECT id, name FROM innocent",
    "a rename": "ALTER VIEW innocent RENAME TO gone ;; ALTER VIEW contacts RENAME TO innocent ;; SELECT * FROM innocent",
}  # fmt: skip


@pytest.mark.parametrize("name", APPROVED)
def test_an_approval_unmasks_nothing(field: Field, name: str) -> None:
    field.policy(PATIENT)
    with field.connect(Admin()) as client:
        for step in ("BEGIN", *APPROVED[name].split(" ;; ")):
            client.send(m.query(step))
            said = field.approving(client)
            assert not leaked(said) and not said.errors
        assert client.query("ROLLBACK").status == "I"


#: Under access that may define: nobody is asked, and what is shown is what it is.
MIGRATIONS = {
    "a view that is used at once": (f"{REPLACED} ;; SELECT count(*) FROM innocent ;; {RESTORED} ;; GRANT SELECT ON innocent TO PUBLIC", ["GRANT"]),
    "a table that is there": ("CREATE TABLE IF NOT EXISTS orders (id int) ;; SELECT note FROM orders WHERE id = 1", b"o1"),
    "a child of a table that is then filled": (
        "CREATE TABLE lines (id int PRIMARY KEY, o int REFERENCES orders ON DELETE CASCADE) ;; INSERT INTO orders VALUES (900, 1, 1, 'x') ;; INSERT INTO lines VALUES (1, 900) ;; SELECT note FROM orders WHERE id = 900", b"x"),
    "partitions": (
        "CREATE TABLE log (id int, what text) PARTITION BY RANGE (id) ;; CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (1) TO (9) ;; INSERT INTO log VALUES (1, 'x') ;; CREATE INDEX ON log (id)", None),
    "an enumeration": ("CREATE TYPE feeling AS ENUM ('good') ;; CREATE TABLE felt (f feeling DEFAULT 'good') ;; INSERT INTO felt VALUES ('good'::feeling)", None),
    "a trigger on what is read": ("CREATE TRIGGER tg AFTER INSERT ON scratch EXECUTE FUNCTION fired() ;; SELECT value FROM scratch WHERE id = 1", b"v1"),
    "an operator class, and its end": ("ALTER TABLE orders ADD COLUMN more text ;; UPDATE orders SET more = 'y' WHERE id = 1 ;; SELECT note FROM orders WHERE id = 1", b"o1"),
}  # fmt: skip


@pytest.mark.parametrize("name", MIGRATIONS)
def test_what_is_known_is_not_asked_about(field: Field, name: str) -> None:
    steps, expected = MIGRATIONS[name]
    with field.connect(Admin()) as client:
        said = client.query("BEGIN")
        for step in steps.split(" ;; "):
            said = client.query(step)
            asked = [one.get("M", "") for one in said.refusals if "GRANT" not in step]
            assert not asked, step
        if isinstance(expected, bytes):
            assert said.rows == [[expected]]
        assert client.query("ROLLBACK").status == "I"


def test_nor_in_a_pipeline(field: Field) -> None:
    with field.connect(Admin()) as client:
        for text in ("BEGIN", REPLACED, "SELECT name || '' FROM innocent"):
            client.send(parse("", text), bind("", ""), execute(""))
        said = client.send(m.SYNC_MESSAGE).until_ready()
        assert not leaked(said) and (said.refusals or _is_masked(said))


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN; {}; COMMIT; SELECT pg_sleep(9)", "{}; COMMIT; SELECT 1", "BEGIN; {}; COMMIT AND CHAIN; CREATE TABLE more (id int)",
        "BEGIN; {}; COMMIT; BEGIN; LOCK TABLE orders", "BEGIN ;; {} ;; COMMIT; SELECT pg_sleep(9)",
        "BEGIN; {}; COMMIT; DO 'BEGIN END'", "BEGIN; {}; COMMIT; SELECT set_config('jit', 'off', false), pg_sleep(9)",
    ],
)  # fmt: skip
def test_a_text_does_not_go_on_behind_the_commit_of_a_definition(field: Field, text: str) -> None:
    """What the server has committed in the middle of a text is told at its end only: others would see it by its old meaning."""
    before = field.oracle.state()
    with field.connect(Admin()) as client:
        said = [client.query(step) for step in text.format(REPLACED).split(" ;; ")]
        assert said[-1].refusals and "goes on" in said[-1].refusals[0]["M"]
        client.query("ROLLBACK")
        # What takes no time, and what gives no known name another meaning, is no matter.
        assert not client.query("BEGIN; COMMENT ON TABLE orders IS NULL; COMMIT; SELECT 1").errors
        assert not client.query(f"BEGIN; {RESTORED}; COMMIT; BEGIN; ROLLBACK").errors
    assert not field.oracle.changed(before)


@pytest.mark.parametrize("steps", ["{}", "BEGIN ;; {} ;; COMMIT AND CHAIN", "BEGIN ;; {} ;; COMMIT; BEGIN"])
def test_another_session_waits_until_it_is_known(field: Field, steps: str) -> None:
    with field.connect(Admin()) as client, field.another() as other:
        for _ in range(3):
            assert other.query("SELECT name || '' FROM innocent WHERE id = 1").rows == [[b"Customer 1"]]
        try:
            assert not any(client.query(step).errors for step in steps.format(REPLACED).split(" ;; "))
            said = other.query("SELECT name || '' FROM innocent WHERE id = 1")
            assert said.rows and not leaked(said)
        finally:
            client.query("COMMIT")
            assert not client.query(RESTORED).errors
        assert other.query("SELECT name || '' FROM innocent WHERE id = 1").rows == [[b"Customer 1"]]
