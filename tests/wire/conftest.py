"""A gateway for each test, in front of the embedded PostgreSQL, with a small shop in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from app.embedded_postgres import EmbeddedPostgres
from tests.databases import new_database
from tests.wire.site import Site, open_site

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, name text, email text, note text);
INSERT INTO customers SELECT g, 'Customer ' || g, 'person' || g || '@example.com', 'n' FROM generate_series(1, 50) g;
CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, total numeric);
INSERT INTO orders SELECT g, g, g * 1.5 FROM generate_series(1, 20) g;
CREATE TABLE scratch (id int PRIMARY KEY, value text);
INSERT INTO scratch SELECT g, 'v' || g FROM generate_series(1, 10) g;
CREATE TABLE numbers AS SELECT g AS n, repeat('x', 50) AS filler FROM generate_series(1, 20000) g;
"""

MASK = MaskPolicy(columns=(ColumnRule("customers.email", "email", Strategy.REDACT),), entities={})


@pytest.fixture(scope="session")
def filled(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The name of a database with the shop in it, to be copied."""
    name = "filled_shop"
    with new_database(postgres, name) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(SHOP)
        yield name


@pytest.fixture
def shop(postgres: EmbeddedPostgres, filled: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The DSN of a database with data in it, as its superuser."""
    with new_database(postgres, f"s{abs(hash(request.node.nodeid)):x}", filled) as dsn:
        yield dsn


@pytest.fixture
async def site(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, shop, tmp_path, mask=MASK) as opened:
        yield opened
