"""Definitions a session makes itself: its transaction sees them at once, and what they mean must not be guessed from before."""

from __future__ import annotations

import pytest

from access.scopes import Admin
from proxy.postgres import messages as m
from tests.wire.attacks.field import Field
from tests.wire.attacks.leaks import leaked
from tests.wire.attacks.raw import bind, execute, parse

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
    "a temporary view, copied": "CREATE TEMP VIEW tv AS SELECT id, name FROM innocent ;; INSERT INTO scratch SELECT id + 900, name FROM tv ;; SELECT value || '' FROM scratch",
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_what_it_defined_itself_is_not_what_it_was(field: Field, name: str) -> None:
    before = field.oracle.state()
    with field.connect(Admin()) as client:
        said = [client.query(step) for step in ("BEGIN", *ATTACKS[name].split(" ;; "))]
        assert not any(map(leaked, said))
        assert any(one.refusals for one in said)
        assert client.query("COMMIT").status == "I"
    assert not field.oracle.changed(before)


def test_nor_in_a_pipeline(field: Field) -> None:
    with field.connect(Admin()) as client:
        for text in ("BEGIN", REPLACED, "SELECT name || '' FROM innocent"):
            client.send(parse("", text), bind("", ""), execute(""))
        said = client.send(m.SYNC_MESSAGE).until_ready()
        assert not leaked(said) and said.refusals


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
