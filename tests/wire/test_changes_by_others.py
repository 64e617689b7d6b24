"""Definitions that somebody else changes, past the gateway: what a name meant before is not what is masked by."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from access.masking import ColumnRule, MaskPolicy
from access.scopes import Admin, Read
from app.embedded_postgres import EmbeddedPostgres
from proxy import catalogs
from proxy.house import Settings
from proxy.masking.strategies import REDACTED
from proxy.upstream import Connected, Dialling
from tests.patience import LONG
from tests.wire.site import open_site
from tests.wire.test_learned import another

TABLES = """
    CREATE TABLE t (id int, email text, note text); INSERT INTO t VALUES (1, 'a secret', 'a note');
    CREATE VIEW v AS SELECT id, note FROM t;
"""
OTHER_MEANING = "CREATE OR REPLACE VIEW v AS SELECT id, email AS note FROM t"
MASK = MaskPolicy(columns=(ColumnRule("public.t.email", "email"),))


async def test_a_view_that_shows_something_else_since_an_older_transaction_committed(
    postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogs, "LOOK_SECONDS", 0.02)

    async def shown() -> tuple[object, ...] | None:
        return await (await session.execute("SELECT note, upper(note) FROM v")).fetchone()

    with psycopg.connect(postgres_database) as older, psycopg.connect(postgres_database, autocommit=True) as newer:
        newer.execute(TABLES)
        older.execute("SELECT txid_current()")
        async with open_site(postgres, postgres_database, tmp_path, mask=MASK) as site:
            options = await site.access(Read())
            session = await another(options)
            newer.execute("CREATE VIEW later AS SELECT 1 AS x")
            assert await shown() == ("a note", "A NOTE")
            older.execute(OTHER_MEANING)
            older.commit()
            async with asyncio.timeout(LONG):
                while await shown() != (REDACTED, REDACTED):  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.01)
            await session.close()


async def test_a_session_that_was_being_opened_while_a_definition_changed(
    postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = Dialling.log_in_for_session

    async def slowly(self: Dialling, settings: dict[str, str]) -> Connected:
        found = await reached(self, settings)
        admin.execute(OTHER_MEANING)
        known = site.gateway.catalogs
        assert known is not None
        known.refresh(site.resource, site.resource.upstream.database)
        await known.get(site.resource, site.resource.upstream.database)
        return found

    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute(TABLES)
        async with open_site(postgres, postgres_database, tmp_path, mask=MASK) as site:
            options = await site.access(Read())
            await (await another(options)).close()
            monkeypatch.setattr(Dialling, "log_in_for_session", slowly)
            session = await another(options)
            assert await (await session.execute("SELECT note, upper(note) FROM v")).fetchone() == (REDACTED, REDACTED)
            await session.close()


async def test_a_gateway_on_the_same_port_hears_of_a_definition_at_once(
    postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path
) -> None:
    settings = Settings(siblings=tmp_path / "s")
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute(TABLES)
    async with (
        open_site(postgres, postgres_database, tmp_path / "1", mask=MASK, settings=settings) as one,
        open_site(postgres, postgres_database, tmp_path / "2", mask=MASK, settings=settings) as two,
    ):
        here, there = await another(await one.access(Admin())), await another(await two.access(Read()))
        assert await (await there.execute("SELECT note, upper(note) FROM v")).fetchone() == ("a note", "A NOTE")
        await here.execute(OTHER_MEANING)
        async with asyncio.timeout(catalogs.LOOK_SECONDS / 2):  # it would find out by itself, later
            while (  # noqa: ASYNC110 - nothing tells
                await (await there.execute("SELECT note, upper(note) FROM v")).fetchone() != (REDACTED, REDACTED)
            ):
                await asyncio.sleep(0.01)
        await here.close()
        await there.close()
