"""The clients' own suites: the same tests pass through the gateway as directly, but for those whose pin is written down."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psycopg
import pytest

from tests.fakes.tls_postgres import TlsPostgres, installation, tls_postgres
from tests.wire.peers.arena import open_arena
from tests.wire.peers.lists import Comparison, parse_known
from tests.wire.peers.results import note
from tests.wire.peers.sources import CACHE
from tests.wire.peers.suites import SUITES, Suite, run

KNOWN = Path(__file__).with_name("known")
REPORTS = CACHE / "reports"
SETTINGS = {"max_prepared_transactions": "10", "max_connections": "200"}


@pytest.fixture
def fresh() -> Iterator[TlsPostgres]:
    """A server of the operating system: the one in the wheel has no TLS and no contrib extensions."""
    programs = installation()
    if programs is None:
        pytest.skip("no PostgreSQL of the operating system (apt install postgresql)")
    with tls_postgres(programs, ["host all all all scram-sha-256"], SETTINGS) as server:
        yield server


def _prepare(server: TlsPostgres, suite: Suite) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS test")
        admin.execute("CREATE DATABASE test")
    if suite.prepare:
        with psycopg.connect(server.dsn("test"), autocommit=True) as admin:
            admin.execute(suite.prepare)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES.keys())
async def test_the_same_lists_directly_and_through(suite: Suite, fresh: TlsPostgres, tmp_path: Path):
    if suite.checkout and suite.checkout not in os.environ:
        pytest.skip(f"{suite.checkout} names no checkout")
    REPORTS.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, str]] = {}
    async with open_arena(fresh, tmp_path / "r", databases=suite.databases) as arena:
        for way, address in (("direct", arena.direct), ("through", arena.through)):
            _prepare(fresh, suite)
            found[way] = await run(suite, address, REPORTS / f"{suite.package}-{way}.xml")
    known = parse_known((KNOWN / f"{suite.package}.txt").read_text())
    comparison = Comparison(found["direct"], found["through"], known)
    note(suite.name, version(suite.package), comparison)
    assert comparison.direct, "the suite ran nothing"
    assert comparison.unexplained == {}
