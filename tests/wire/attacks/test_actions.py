"""Rules and triggers that copy what is protected to where nothing protects it: people are asked when they are defined, because
nobody is when something sets them off."""

from __future__ import annotations

import pytest

from access.scopes import Admin
from proxy.postgres import messages as m
from tests.wire.attacks.field import PATIENT, Field
from tests.wire.attacks.leaks import leaked
from tests.wire.attacks.raw import Raw, Said, bind, execute, parse


def _function(body: str, row: str = "NEW") -> str:
    return (
        f"CREATE OR REPLACE FUNCTION carry() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {body} RETURN {row}; END $f$"
    )


ON_CUSTOMERS = "CREATE TRIGGER carried AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION carry()"
BEFORE_ORDERS = ON_CUSTOMERS.replace("AFTER", "BEFORE").replace("customers", "orders")
CHANGE = "UPDATE customers SET note = note WHERE id = 1"
ORDER = "UPDATE orders SET customer = customer WHERE id = 1"
LOOK = "SELECT value || '' FROM scratch WHERE id < 31 ;; SELECT note || '' FROM orders ;; SELECT note || '', name || '' FROM customers"
PLACE = "UPDATE scratch SET value = {} WHERE id = 1;"


def _carried(body: str) -> str:
    return f"{_function(body)} ;; {ON_CUSTOMERS} ;; {CHANGE} ;; {LOOK}"


def _ordered(body: str) -> str:
    return f"{_function(body)} ;; {BEFORE_ORDERS} ;; {ORDER} ;; {LOOK}"


def _rule(action: str, on: str = "UPDATE TO orders", change: str = ORDER) -> str:
    return f"CREATE RULE carried AS ON {on} DO ALSO {action} ;; {change} ;; {LOOK}"


#: Every step is committed by itself; each showed an address that nobody had been asked about.
ATTACKS = {
    "a rule that reads": _rule("UPDATE scratch SET value = (SELECT email FROM customers WHERE id = 1) WHERE id = 1"),
    "a rule that takes NEW": _rule("UPDATE scratch SET value = NEW.email WHERE id = 1", "UPDATE TO customers", CHANGE),
    "a rule that selects": "CREATE RULE carried AS ON UPDATE TO orders DO ALSO SELECT email || '' FROM customers ;; " + ORDER,
    "a rule by EXECUTE": "PARSE-PROTOCOL CREATE RULE carried AS ON UPDATE TO orders DO ALSO UPDATE scratch SET value = (SELECT email FROM customers WHERE id = 1) WHERE id = 1 ;; EXECUTE s1 ;; " + ORDER + " ;; " + LOOK,
    "a trigger that takes NEW": _carried(PLACE.format("NEW.email")),
    "into the row of another": _ordered("NEW.note := (SELECT email FROM customers WHERE id = 1);"),
    "by a table of changes with a known name": f"{_function(PLACE.format('(SELECT o::text FROM orders o)'), row='NULL')} ;; CREATE TRIGGER carried AFTER UPDATE ON customers REFERENCING NEW TABLE AS orders EXECUTE FUNCTION carry() ;; {CHANGE} ;; {LOOK}",
    "another body, later": f"{_function('')} ;; {ON_CUSTOMERS} ;; SELECT 1 ;; {_function(PLACE.format('NEW.email'))} ;; {CHANGE} ;; {LOOK}",
}  # fmt: skip

#: In one transaction that is committed: what set it off is asked for after it only.
TOGETHER = {
    "a function and its trigger": f"{_function(PLACE.format('NEW.email'))} ;; {ON_CUSTOMERS}",
    "a trigger and its function": f"{_function('')} ;; {ON_CUSTOMERS} ;; {_function(PLACE.format('NEW.email'))}",
    "a view that was defined anew": "CREATE OR REPLACE VIEW innocent AS SELECT id, email AS name FROM customers ;; CREATE RULE carried AS ON UPDATE TO orders DO ALSO UPDATE scratch SET value = (SELECT name FROM innocent WHERE id = 1) WHERE id = 1",
}  # fmt: skip

UNDO = (
    "DROP RULE IF EXISTS carried ON orders ;; DROP RULE IF EXISTS carried ON customers ;; "
    "DROP FUNCTION IF EXISTS carry() CASCADE ;; CREATE OR REPLACE VIEW innocent AS SELECT id, name FROM customers"
)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_runs_by_itself_takes_nothing_along(field: Field, name: str) -> None:
    _attack(field, ATTACKS[name].split(" ;; "))


@pytest.mark.parametrize("name", TOGETHER)
def test_definitions_of_one_transaction_know_of_each_other(field: Field, name: str) -> None:
    _attack(field, ["BEGIN", *TOGETHER[name].split(" ;; "), "COMMIT", CHANGE, ORDER, *LOOK.split(" ;; ")])


def _attack(field: Field, steps: list[str]) -> None:
    with field.connect(Admin()) as client:
        try:
            said = [_step(client, step) for step in steps]
            assert not any(map(leaked, said))
            assert any(one.refusals for one in said)
        finally:
            client.query("ROLLBACK")
            for undone in UNDO.split(" ;; "):
                field.oracle.connection.execute(undone)
            field.oracle.restore({"scratch", "orders", "customers", "victims"})


def test_a_rule_that_somebody_said_yes_to_answers_with_masks(field: Field) -> None:
    """The rows of a rule come back as the answer to a change, whose own columns they are not."""
    field.policy(PATIENT)
    rule = "CREATE RULE carried AS ON UPDATE TO orders DO ALSO SELECT email || '' FROM customers"
    by_protocol = parse("", ORDER) + bind("", "") + m.describe("P", "") + execute("") + m.SYNC_MESSAGE
    with field.connect(Admin()) as client:
        said = []
        for sent in (m.query(rule), m.query(ORDER), m.query(ORDER), by_protocol):
            client.send(sent)
            said.append(field.approving(client))
    field.oracle.connection.execute("DROP RULE carried ON orders")
    assert not any(map(leaked, said))
    assert said[0].status is not None
    assert not said[0].errors
    assert said[2].rows == [[b"\xc2\xabmasked\xc2\xbb"]] * 20


#: What is made every day under access that may define: nobody is asked.
USUAL = {
    "the time of a change": f"{_function('NEW.note := now()::text;')} ;; {ON_CUSTOMERS.replace('AFTER', 'BEFORE')}",
    "a check": f"{_function('IF NEW.email IS NULL THEN RAISE EXCEPTION $e$no$e$; END IF;')} ;; {ON_CUSTOMERS}",
    "a rule on what is not protected": "CREATE RULE carried AS ON UPDATE TO orders DO ALSO INSERT INTO scratch VALUES (-1, NEW.note)",
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_what_copies_nothing_is_not_asked_about(field: Field, name: str) -> None:
    with field.connect(Admin()) as client:
        client.query("BEGIN")
        said = [client.query(step) for step in USUAL[name].split(" ;; ")]
        client.query("ROLLBACK")
    assert [one.refusals for one in said] == [[]] * len(said)
    assert [one.errors for one in said] == [[]] * len(said)


def _step(client: Raw, step: str) -> Said:
    kind, _, text = step.partition("-PROTOCOL ")
    if not text:
        return client.query(step)
    client.send(parse("s1", text))
    if kind == "PREPARE":
        client.send(bind("", "s1") + execute(""))
    return client.send(m.SYNC_MESSAGE).until_ready()
