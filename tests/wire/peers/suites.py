"""The clients' own test suites, and how each is run against an address."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from tests.wire.peers.arena import Address
from tests.wire.peers.lists import outcomes
from tests.wire.peers.sources import extra, sdist

#: Longer than any suite takes, in seconds.
SUITE_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Suite:
    """`home` fetches it; `arguments` are pytest's, in that folder; `needs` are packages beside it. `prepare` is SQL that
    it expects to have run in the database `test`; `databases` are those it makes and opens itself."""

    name: str
    package: str
    home: Callable[[], Path]
    arguments: Callable[[Address], tuple[str, ...]]
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    databases: tuple[str, ...] = ("test",)
    prepare: str = ""
    #: The environment variable that names its checkout, of a suite that no package carries.
    checkout: str = ""


#: A checkout of psycopg: its package carries no tests.
_PSYCOPG = "HOOP_PEERS_PSYCOPG"
_SCHEMAS = "CREATE SCHEMA test_schema; CREATE SCHEMA test_schema_2"


def _asyncpg(_: Address) -> tuple[str, ...]:
    # One of its tests makes 1,000 tables one by one, and the gateway reads the definitions after each.
    left_out = () if "HOOP_PEERS_FULL" in os.environ else ("-k", "not test_introspection_on_large_db")
    # The clusters and standbys that some tests start themselves are the same on both ways.
    return "tests", "--deselect", "tests/test__sourcecode.py", "--deselect", "tests/test__environment.py", *left_out


def _sqlalchemy(driver: str) -> Callable[[Address], tuple[str, ...]]:
    def arguments(address: Address) -> tuple[str, ...]:
        who = f"{address.user}:{quote(address.password, safe='')}"
        url = f"postgresql+{driver}://{who}@{address.host}:{address.port}/test"
        # Its test_types.py makes and drops tables for each of 9,358 round trips, which takes hours through anything that
        # follows definitions.
        left_out = () if "HOOP_PEERS_FULL" in os.environ else ("--deselect", "test/dialect/postgresql/test_types.py")
        offline = ("--deselect", "test/dialect/postgresql/test_compiler.py")
        return "test/dialect/postgresql", "--dburi", url, "-p", "no:xdist", "--maxfail=100000", *offline, *left_out

    return arguments


def _psycopg(address: Address) -> tuple[str, ...]:
    # It waits for the error of a batch that it never ends with a Sync or Flush: the gateway judges a batch when it is whole.
    left_out = ("--deselect", "tests/test_generators.py::test_pipeline_communicate_uniqviol")
    # Its asynchronous tests are anyio's, which finds them only without pytest-asyncio.
    markers = ("-m", "not slow and not mypy", "-p", "no:asyncio")
    return "tests", "--test-dsn", replace(address, database="test").url, *markers, *left_out


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "asyncpg", "asyncpg", lambda: sdist("asyncpg", without="asyncpg"), _asyncpg,
            needs=("distro",), databases=("testdb", "asyncpg_intro_test"),
        ),
        Suite(
            "pg8000", "pg8000", lambda: sdist("pg8000"),
            # Its own settings, which are none: otherwise pytest takes those of a folder above.
            lambda _: ("-c", "pyproject.toml", "test", "--ignore-glob=*/auth/*", "--ignore=test/test_readme.py", "--benchmark-disable"),
            needs=("pytest-mock", "pytest-benchmark", "py-cpuinfo", "pytz"),
        ),
        Suite(
            "SQLAlchemy PostgreSQL dialect (psycopg)", "sqlalchemy", lambda: sdist("sqlalchemy"), _sqlalchemy("psycopg"),
            prepare=_SCHEMAS,
        ),
        Suite(
            "SQLAlchemy PostgreSQL dialect (asyncpg)", "sqlalchemy", lambda: sdist("sqlalchemy"), _sqlalchemy("asyncpg"),
            needs=("greenlet",), prepare=_SCHEMAS,
        ),
        Suite(
            "psycopg", "psycopg", lambda: Path(os.environ[_PSYCOPG]),
            _psycopg,
            needs=("anyio", "idna", "pproxy", "sniffio"), checkout=_PSYCOPG,
        ),
    )
}  # fmt: skip


async def run(suite: Suite, address: Address, report: Path) -> dict[str, str]:
    """Run it against an address; its report and output stay beside `report`. Raises TimeoutError."""
    home = await asyncio.to_thread(suite.home)
    paths = [str(home), *([str(await asyncio.to_thread(extra, *suite.needs))] if suite.needs else [])]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("PG", "PYTEST"))},
        **address.environment, **suite.environment, "PYTHONPATH": os.pathsep.join(paths), "TZ": "UTC",
    }  # fmt: skip
    command = (
        sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "--cache-clear", "-o", f"cache_dir={report.with_suffix('.cache')}",
        "--tb=short", f"--junitxml={report}", *suite.arguments(address),
    )  # fmt: skip
    with report.with_suffix(".out").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=home, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            async with asyncio.timeout(SUITE_SECONDS):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
    return outcomes(await asyncio.to_thread(report.read_text))
