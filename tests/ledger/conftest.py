"""A store on SQLite and on Postgres: every test that takes `store` or `url` runs on both."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio

from app.embedded_postgres import EmbeddedPostgres
from ledger.migrations import upgrade
from ledger.sealing import Sealer
from ledger.store import Store
from ledger.tables import metadata
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.ledger.examples import KEY


@pytest.fixture(scope="session")
def shared_postgres(postgres: EmbeddedPostgres) -> str:
    """One database with the current schema for all tests: making a new one takes longer than most of them."""
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE ledger")
    upgrade(postgres.dsn("ledger"))
    return postgres.dsn("ledger")


@pytest.fixture
def postgres_url(shared_postgres: str) -> str:
    """A store on Postgres, emptied: for that, and only for that, the triggers are switched off."""
    tables = ", ".join(f'"{name}"' for name in metadata.tables)
    with psycopg.connect(shared_postgres, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(f"TRUNCATE {tables} RESTART IDENTITY".encode())
    return shared_postgres


@pytest.fixture
def sqlite_url(empty_database: Path, tmp_path: Path) -> str:
    shutil.copyfile(empty_database, tmp_path / "store.db")
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store with the current schema."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def sealer(entropy: SeededEntropy) -> Sealer:
    return Sealer(KEY, entropy=entropy)


@pytest_asyncio.fixture
async def store(url: str, clock: ManualClock, entropy: SeededEntropy, sealer: Sealer) -> AsyncIterator[Store]:
    made = Store(url, clock, entropy, sealer)
    await made.start()
    yield made
    await made.close()
