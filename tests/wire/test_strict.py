"""Strict mode: a protected column may not decide which rows there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from access.scopes import Write
from app.embedded_postgres import EmbeddedPostgres
from tests.wire.conftest import MASK
from tests.wire.site import Site, open_site

INFERRING = [
    "SELECT id FROM customers WHERE email LIKE 'a%'",
    "SELECT count(*) FROM customers WHERE email = 'person1@example.com'",
    "SELECT id FROM customers ORDER BY email",
    "SELECT count(*) FROM customers GROUP BY email",
    "SELECT count(*) FROM customers GROUP BY lower(email) HAVING count(*) > 1",
    "SELECT id FROM (SELECT id, email AS e FROM customers) s WHERE e > 'm'",
    "WITH c AS (SELECT email || '' AS e, id FROM customers) SELECT id FROM c WHERE e ~ '^a'",
    "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer AND c.email < 'm'",
    "SELECT id FROM orders WHERE customer IN (SELECT id FROM customers WHERE email < 'm')",
    "SELECT DISTINCT ON (email) id FROM customers",
    "SELECT id, row_number() OVER (ORDER BY email) FROM customers",
    "SELECT count(*) FILTER (WHERE email < 'm') FROM customers",
    "SELECT CASE WHEN email < 'm' THEN 1 END FROM customers WHERE (email IS NOT NULL AND email < 'm')",
    "SELECT id FROM customers c WHERE c::text LIKE '%a%'",
    "SELECT 1/(CASE WHEN email < 'm' THEN 0 ELSE 1 END) FROM customers WHERE email < 'm'",
    "EXPLAIN ANALYZE SELECT 1 FROM customers WHERE email < 'm'",
    "SELECT email FROM customers UNION SELECT 'person1@example.com'",
    "SELECT count(*) FROM (SELECT email FROM customers INTERSECT SELECT 'person1@example.com') s",
    "SELECT email FROM customers EXCEPT ALL SELECT 'person1@example.com'",
    "SELECT DISTINCT email = 'person1@example.com' FROM customers",
    "SELECT count(x) FROM (SELECT NULLIF(email = 'person1@example.com', false) AS x FROM customers) s",
    "SELECT CASE WHEN email < 'm' THEN 1/0 ELSE 1 END FROM customers",
    "SELECT id FROM (SELECT id, 1 / (length(email) - 5) FROM customers OFFSET 0) s",
    "SELECT generate_series(1, length(email)) FROM customers",
    "SELECT id FROM orders LIMIT (SELECT length(email) FROM customers WHERE id = 1)",
    "COPY (SELECT id FROM customers ORDER BY email) TO STDOUT",
    "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM customers WHERE email < 'm'",
    "UPDATE customers SET note = 'x' WHERE email < 'm'",
    "UPDATE customers SET email = CASE WHEN email < 'm' THEN (1/0)::text END WHERE id = 1",
    "DELETE FROM orders USING customers c WHERE c.id = customer AND c.email < 'm'",
]
USEFUL = [
    "SELECT * FROM customers WHERE id = 7",
    "SELECT id, email FROM customers ORDER BY id LIMIT 3",
    "SELECT count(*), count(email) FROM customers",
    "SELECT c.name, o.total FROM customers c JOIN orders o ON o.customer = c.id ORDER BY o.total",
    "UPDATE customers SET note = 'called' WHERE id = 7",
    "UPDATE customers SET email = lower('NEW@example.org') WHERE id = 7",
    "INSERT INTO customers VALUES (700, 'New', 'new@example.org', 'n')",
    "SELECT id, name FROM customers UNION SELECT id, 'order' FROM orders",
    "SELECT email FROM customers UNION ALL SELECT email FROM customers",
    "SELECT DISTINCT email FROM customers",
    "SELECT note, count(*) FROM customers GROUP BY note ORDER BY 2",
    "SELECT * FROM customers c",
]


@pytest.fixture
async def strict(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, shop, tmp_path, mask=replace(MASK, strict=True)) as opened:
        yield opened


async def test_questions_about_protected_values_are_refused(strict: Site):
    async with await strict.connect(Write()) as connection:
        for query in INFERRING:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="this statement tests"):
                await connection.execute(query)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="this statement tests"):
            await connection.execute(
                "SELECT id FROM customers WHERE email = %s", ("person1@example.com",), prepare=True
            )
        await connection.execute("PREPARE p AS SELECT id FROM customers WHERE id = $1")
        assert await (await connection.execute("EXECUTE p(3)")).fetchall() == [(3,)]


async def test_what_people_work_with_goes_on(strict: Site):
    async with await strict.connect(Write()) as connection:
        for query in USEFUL:
            await connection.execute(query)


async def test_psql_can_describe(strict: Site):
    _, out, error = await strict.psql("-c", "\\d customers", "-c", "\\dt", "-c", "\\l", "-c", "\\df")
    assert error == "" and "email" in out


async def test_without_it_conditions_are_free(site: Site):
    async with await site.connect() as connection:
        for query in INFERRING[:4]:
            await connection.execute(query)


EXACT = "SELECT id FROM customers WHERE email = 'person7@example.com'"


async def test_exact_values_may_be_asked_for_so_often(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> None:
    mask = replace(MASK, strict=True, lookups_per_hour=3)
    async with open_site(postgres, shop, tmp_path, mask=mask) as site:
        async with await site.connect() as connection:
            assert await (await connection.execute(EXACT)).fetchall() == [(7,)]
            one = "SELECT id FROM customers WHERE id > 1 AND %s = email"
            assert await (await connection.execute(one, ["person8@example.com"])).fetchall() == [(8,)]
            for query in INFERRING:
                if "= 'person1@example.com'" not in query or "SELECT DISTINCT" in query or "NULLIF" in query:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="tests"):
                        await connection.execute(query.encode())
            for query in ("email = 'a' OR email = 'b'", "NOT email = 'a'", "email IN ('a', 'b')", "email = lower('A')",
                          "lower(email) = 'a'", "email = name", "email <> 'a'"):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="tests"):
                    await connection.execute(f"SELECT id FROM customers WHERE {query}".encode())
        async with await site.connect() as another:
            await another.execute(EXACT)
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="At most 3 exact values"):
                await another.execute(EXACT)
            assert await (await another.execute("SELECT id FROM customers WHERE id = 7")).fetchall() == [(7,)]
        kinds = await site.kinds()
        assert kinds.count("values.looked_up") == 3
