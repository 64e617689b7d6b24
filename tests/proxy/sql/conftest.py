"""The database the judge is tested on, and its catalog as an ordinary role reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from app.embedded_postgres import EmbeddedPostgres
from proxy.sql.catalog import Catalog
from proxy.sql.catalog_loader import load_catalog

SCHEMA = Path(__file__).with_name("shop.sql").read_text()
REGISTERED = frozenset({"public.registered_fn"})


@pytest.fixture(scope="session")
def shop(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A connection string to the test database as the ordinary role `app`."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("CREATE ROLE app LOGIN PASSWORD 'app'")
        admin.execute("CREATE DATABASE shop")
    with psycopg.connect(postgres.dsn("shop"), autocommit=True) as admin:
        admin.execute(SCHEMA.encode())
    yield make_conninfo(postgres.dsn("shop"), user="app", password="app")
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("DROP DATABASE shop WITH (FORCE)")
        admin.execute("DROP ROLE app")


async def read_catalog(dsn: str) -> Catalog:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return await load_catalog(connection)


@pytest.fixture(scope="session")
def catalog(shop: str) -> Catalog:
    """The snapshot of that database, one function registered."""
    return replace(asyncio.run(read_catalog(shop)), registered=REGISTERED)
