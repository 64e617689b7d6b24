"""What every room's tests share: time, randomness, a real PostgreSQL, and the rule about skipped tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.embedded_postgres import EmbeddedPostgres
from ledger import migrations
from ledger.sealing import Sealer
from ledger.store import Store as LedgerStore
from tests.databases import new_database
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.store import MemoryStore
from tests.skips import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401  hooks, found here by name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from access.ports import Store

TESTS = Path(__file__).parent


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def entropy() -> SeededEntropy:
    return SeededEntropy()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A running PostgreSQL 18 with its `psql`; the superuser's password is on the object. Create your own databases."""
    with EmbeddedPostgres(password="only for tests", settings={"autovacuum": "off"}) as server:
        yield server


@pytest.fixture
def postgres_database(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """A connection URI of an empty database of this test's own."""
    with new_database(postgres, f"t{abs(hash(request.node.nodeid)):x}") as dsn:
        yield dsn


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty store on SQLite, to be copied: making it takes longer than most tests that need one."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    migrations.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
    """The store in memory, and the real one on SQLite."""
    if request.param == "memory":
        yield MemoryStore(clock)
        return
    path = tmp_path / "store.db"
    shutil.copyfile(request.getfixturevalue("empty_database"), path)
    entropy = SeededEntropy(1)
    real = LedgerStore(f"sqlite:///{path}", clock, entropy, Sealer(b"k" * 32, entropy=entropy), synchronous="NORMAL")
    await real.start()
    yield real
    await real.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Set the markers that follow from where a test is and what it uses; leave the peers out unless they are asked for.

    Files with real clients or browsers come first: the long ones are among them, and a long one that begins last keeps
    one worker busy while the others have nothing left to do.
    """
    for item in items:
        if item.path.is_relative_to(TESTS / "wire"):
            item.add_marker(pytest.mark.wire)
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)
        if "peers" in item.path.relative_to(TESTS).parts:
            item.add_marker(pytest.mark.peers)
    if "peers" not in config.option.markexpr:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("peers")])
        items[:] = [item for item in items if not item.get_closest_marker("peers")]
    real = {item.path for item in items if item.get_closest_marker("wire") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in real)
