"""The twin that counts the rows of a change: it has the very table and condition, or there is none."""

from __future__ import annotations

import pytest

from access.errors import Invalid
from proxy.sql.parse import parse
from proxy.sql.twin import MOST, twin

HEAD, TAIL = "SELECT count(*) FROM (SELECT 1 FROM ", f" LIMIT {MOST + 1}) AS counted"

TWINS = [
    ("DELETE FROM orders", '"orders"'),
    ("DELETE FROM shop.orders WHERE id = 7", '"shop"."orders" WHERE  id = 7\n'),
    ("delete from only orders as o where o.id=7 returning *", 'ONLY "orders" AS "o" WHERE  o.id=7 \n'),
    ("UPDATE orders SET note = 'a WHERE b' WHERE id = 7;", '"orders" WHERE  id = 7\n'),
    ("UPDATE orders SET note = $$ WHERE $$ WHERE id = 7", '"orders" WHERE  id = 7\n'),
    ("UPDATE orders SET note = $x$ $$ WHERE $x$ WHERE id = 7", '"orders" WHERE  id = 7\n'),
    (r"UPDATE orders SET note = E'\' WHERE' WHERE id = 7", '"orders" WHERE  id = 7\n'),
    ('UPDATE orders SET "WHERE" = 1 WHERE id = 7', '"orders" WHERE  id = 7\n'),
    ("UPDATE orders SET note = (SELECT n FROM x WHERE x.id = 1) WHERE id = 7", '"orders" WHERE  id = 7\n'),
    ("DELETE FROM orders -- WHERE id = 1\nWHERE id = 7 -- all", '"orders" WHERE  id = 7 -- all\n'),
    ("DELETE FROM orders /* WHERE /* x */ id = 1 */ WHERE id = 7", '"orders" WHERE  id = 7\n'),
    ("DELETE FROM orders WHERE note = 'x RETURNING y' RETURNING id", "\"orders\" WHERE  note = 'x RETURNING y' \n"),
    ('DELETE FROM "odd ""name"""', '"odd ""name"""'),
    ("SELECT * FROM orders WHERE total > 5 LIMIT 3", "(SELECT * FROM orders WHERE total > 5 LIMIT 3\n) AS chosen"),
]


@pytest.mark.parametrize(("text", "rows"), TWINS)
def test_what_is_counted(text: str, rows: str) -> None:
    found = twin(text)
    assert found == HEAD + rows + TAIL
    assert parse(found).error is None


NONE = [
    "",
    "DELETE FROM orders; DELETE FROM customers",
    "INSERT INTO orders VALUES (1)",
    "TRUNCATE orders",
    "DROP TABLE orders",
    "not SQL",
    "EXPLAIN DELETE FROM orders",
    "DELETE FROM orders USING customers c WHERE c.id = customer",
    "UPDATE orders SET total = 0 FROM customers c WHERE c.id = customer",
    "WITH gone AS (DELETE FROM orders RETURNING *) DELETE FROM customers WHERE id = 7",
    "DELETE FROM orders WHERE CURRENT OF c",
    "MERGE INTO orders USING x ON true WHEN MATCHED THEN DELETE",
]


@pytest.mark.parametrize("text", NONE)
def test_what_has_no_twin(text: str) -> None:
    with pytest.raises(Invalid):
        twin(text)
