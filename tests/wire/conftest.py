"""A gateway for each test, in front of the embedded PostgreSQL, with a small shop in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from app.embedded_postgres import EmbeddedPostgres
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


@pytest.fixture
def shop(postgres_database: str) -> str:
    """The DSN of a database with data in it, as its superuser."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(SHOP)
    return postgres_database


@pytest.fixture
async def site(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, shop, tmp_path, mask=MASK) as opened:
        yield opened
