"""Connections of one application learn from each other what its statements mean, and nothing that holds for one alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest

from access.masking import ColumnRule, MaskPolicy
from access.policy import Policy
from access.scopes import Admin, Read
from app.embedded_postgres import EmbeddedPostgres
from proxy.masking.strategies import REDACTED
from proxy.postgres import reader
from proxy.sql.parse import parse_anew
from proxy.sql.plain import plain_text
from tests.wire.site import Site, open_site

TABLES = """
    CREATE SCHEMA open;
    CREATE TABLE public.t (id int, email text); INSERT INTO public.t VALUES (1, 'one secret'), (2, 'two secrets');
    CREATE TABLE open.t (id int, email text); INSERT INTO open.t VALUES (1, 'one'), (2, 'two'), (3, 'three');
"""
MASK = MaskPolicy(columns=(ColumnRule("public.t.email", "email"),))
ASKED = "SELECT upper(email), email FROM t WHERE id = {}"


async def ask(connection: psycopg.AsyncConnection[tuple[object, ...]], number: int) -> tuple[object, ...] | None:
    cursor = await connection.execute(ASKED.format(number).encode())
    return await cursor.fetchone()


async def another(access: dict[str, str | int], **more: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
    return await psycopg.AsyncConnection.connect(autocommit=True, **access, **more)  # type: ignore[arg-type]


async def test_what_the_connections_of_an_application_learn_from_each_other(
    postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute(TABLES.encode())
    parsed: list[str] = []

    def counted(parsing: Callable[..., object], text: str, *known: object) -> object:
        parsed.append(text)
        return parsing(text, *known)

    for parsing in (parse_anew, plain_text):
        monkeypatch.setattr(reader, parsing.__name__, partial(counted, parsing))
    async with open_site(postgres, postgres_database, tmp_path, mask=MASK, policy=Policy(hold_seconds=1)) as site:
        options = await site.access(Read())
        first = await another(options)
        for number in (1, 2):
            found = await ask(first, number)
            assert found is not None and found[0] == REDACTED and "secret" not in repr(found)
        parsed.clear()
        second = await another(options)
        found = await ask(second, 1)
        assert found is not None and found[0] == REDACTED and "secret" not in repr(found) and not parsed
        # What is open there must not be known here, and what is masked here must not be shown because it was there.
        elsewhere = await another(options, options="-c search_path=open")
        assert [await ask(elsewhere, number) for number in (1, 2, 3)] == [
            ("ONE", "one"),
            ("TWO", "two"),
            ("THREE", "three"),
        ]
        third = await another(options)
        found = await ask(third, 2)
        assert found is not None and found[0] == REDACTED and "secret" not in repr(found)
        await third.execute("SET search_path TO open, public")
        assert await ask(third, 2) == ("TWO", "two")
        await third.execute("RESET search_path")
        found = await ask(third, 1)
        assert found is not None and found[0] == REDACTED and "secret" not in repr(found)
        for one in (first, second, third, elsewhere):
            await one.close()
        await _with_its_own_table(site, parsed)


async def _with_its_own_table(site: Site, parsed: list[str]) -> None:
    """A temporary table of the same name is another table, whatever others learned; and it is nobody else's."""
    options = await site.access(Admin())
    owner = await another(options, options="-c search_path=open")
    assert [await ask(owner, number) for number in (1, 2)] == [("ONE", "one"), ("TWO", "two")]
    await owner.execute("CREATE TEMP TABLE t (id int, email text)")
    parsed.clear()
    assert await ask(owner, 1) is None and parsed
    other = await another(options, options="-c search_path=open")
    parsed.clear()
    assert await ask(other, 1) == ("ONE", "one")
    for one in (owner, other):
        await one.close()
