"""Grid editors and \\copy round trips: what the gateway masked must not come back as data."""

from __future__ import annotations

import psycopg
import pytest

from access.actors import Actor
from access.errors import Denied
from access.scopes import Write
from proxy.masking.plan import Masker
from proxy.postgres.judge import Judge
from tests.fakes.world import DANA
from tests.wire.conftest import MASK
from tests.wire.site import Site

REFUSED = "this is a masked value"
STATEMENTS = [
    "UPDATE customers SET email = '«masked»' WHERE id = 1",
    "INSERT INTO customers VALUES (900, 'A**** L****', 'x@example.org', 'n')",
    "UPDATE customers SET note = $$before «masked» after$$ WHERE id = 1",
    "UPDATE customers SET note = E'j****@*****.com' WHERE id = 1",
    "WITH changed AS (UPDATE customers SET note = '***-**-4399' WHERE id = 1 RETURNING 1) SELECT * FROM changed",
    "DELETE FROM customers WHERE email = '«masked»'",
]


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_a_literal_that_is_a_mask_is_refused_and_the_session_goes_on(site: Site, statement: str):
    async with await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED):
            await connection.execute(statement)
        assert await (await connection.execute("SELECT count(*) FROM customers")).fetchone() == (50,)


@pytest.mark.parametrize("binary", [False, True])
async def test_a_bind_value_that_is_a_mask_is_refused(site: Site, binary: bool):
    async with await site.connect(Write()) as connection:
        for _ in range(2):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED):
                value = "%b" if binary else "%s"
                await connection.execute(
                    f"UPDATE customers SET email = {value} WHERE id = 1", ("j****@*****.com",), prepare=True
                )
        await connection.execute("UPDATE customers SET email = %s WHERE id = 1", ("real@example.org",))
    async with await site.direct() as direct:
        row = await (await direct.execute("SELECT email FROM customers WHERE id = 1")).fetchone()
        assert row == ("real@example.org",)


async def test_reading_by_a_mask_is_harmless(site: Site):
    async with await site.connect(Write()) as connection:
        assert await (await connection.execute("SELECT 1 WHERE 'x' = '«masked»'")).fetchall() == []


@pytest.mark.parametrize(
    "pieces", [["901\tv\n902\t«masked»\n"], ["901\tv\n902\t«mas", "ked»\n"], ["901\t\\N\n902\ta****", "@*****.com\n"]]
)
async def test_copy_in_of_a_mask_ends_the_copy_and_stores_nothing(site: Site, pieces: list[str]):
    async with await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=REFUSED):
            async with connection.cursor().copy("COPY scratch FROM STDIN") as copy:
                for piece in pieces:
                    await copy.write(piece)
                for index in range(2000):
                    await copy.write(f"{1000 + index}\tlater\n")
        assert await (await connection.execute("SELECT count(*) FROM scratch")).fetchone() == (10,)
        async with connection.cursor().copy("COPY scratch FROM STDIN") as copy:
            await copy.write("903\t2 * 3 ** 4\n")
        assert await (await connection.execute("SELECT value FROM scratch WHERE id = 903")).fetchone() == (
            "2 * 3 ** 4",
        )


async def test_psql_copy_round_trip_is_refused(site: Site):
    script = "\\copy (SELECT id + 5000, name, email, note FROM customers LIMIT 3) to 'masked.csv' csv\n"
    _, out, _ = await site.psql("-At", stdin=script.replace("to 'masked.csv' csv", "to stdout csv"))
    assert "«masked»" in out
    _, _, error = await site.psql("-At", stdin=f"\\copy customers from stdin csv\n{out}\\.\n", scope=Write())
    assert REFUSED in error


async def test_nobody_is_asked_to_approve_a_mask(site: Site):
    gateway = site.gateway
    assert gateway.catalogs is not None
    catalogs = gateway.catalogs
    judge = Judge(
        lambda: catalogs, lambda _, catalog: Masker(MASK, catalog, b"k" * 32), gateway.policy, gateway.ports.clock
    )
    for statement in STATEMENTS:
        with pytest.raises(Denied, match=REFUSED):
            await judge.describe(Actor(DANA.id), DANA, site.resource, statement)
    evidence = await judge.describe(Actor(DANA.id), DANA, site.resource, "UPDATE scratch SET value = 'x' WHERE id = 1")
    assert evidence.complete
