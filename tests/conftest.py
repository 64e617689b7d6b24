"""What every room's tests share: time, randomness, a real PostgreSQL, and the rule about skipped tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from app.embedded_postgres import EmbeddedPostgres
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.skips import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401  hooks, found here by name

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    with EmbeddedPostgres(password="only for tests") as server:
        yield server


@pytest.fixture
def postgres_database(postgres: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """A connection URI of an empty database of this test's own."""
    name = f"t{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield postgres.dsn(name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Set the markers that follow from where a test is and what it uses; leave the peers out unless they are asked for."""
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
