"""A store on SQLite and on Postgres: every test that takes `store` or `url` runs on both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ledger.migrations import upgrade
from ledger.sealing import Sealer
from ledger.store import Store
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.ledger.examples import KEY


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store with the current schema."""
    if request.param == "sqlite":
        made = f"sqlite:///{tmp_path / 'store.db'}"
    else:
        made = request.getfixturevalue("postgres_database")
    upgrade(made)
    return made


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path / 'store.db'}"
    upgrade(made)
    return made


@pytest.fixture
def sealer(entropy: SeededEntropy) -> Sealer:
    return Sealer(KEY, entropy=entropy)


@pytest_asyncio.fixture
async def store(url: str, clock: ManualClock, entropy: SeededEntropy, sealer: Sealer) -> AsyncIterator[Store]:
    made = Store(url, clock, entropy, sealer)
    await made.start()
    yield made
    await made.close()
