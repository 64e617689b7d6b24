"""What every room's tests share: time, randomness, a real PostgreSQL, and the rule about skipped tests."""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from app.embedded_postgres import EmbeddedPostgres
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent
EXPECTED_SKIPS = TESTS / "expected-skips.txt"


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the markers that follow from where a test is and what it uses."""
    for item in items:
        if item.path.is_relative_to(TESTS / "wire"):
            item.add_marker(pytest.mark.wire)
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgres)


def expected_skips(text: str) -> list[tuple[str, str]]:
    """Parse `pattern of test ids : reason` lines; `#` starts a comment. A line without a reason is an error."""
    rules = []
    for line in text.splitlines():
        content = line.partition("#")[0].strip()
        if content:
            pattern, separator, reason = (part.strip() for part in content.rpartition(" : "))
            if not (pattern and separator and reason):
                raise ValueError(f"{EXPECTED_SKIPS.name}: write 'pattern : reason', not {line!r}")
            rules.append((pattern, reason))
    return rules


def unexpected(skipped: dict[str, str], rules: list[tuple[str, str]]) -> dict[str, str]:
    """The skipped tests (id → reason given) that no rule expects."""
    return {test: why for test, why in skipped.items() if not any(fnmatch(test, pattern) for pattern, _ in rules)}


def _skipped(config: pytest.Config) -> dict[str, str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    reasons = {}
    for report in reports:
        detail = report.longrepr
        reasons[report.nodeid] = detail[2].removeprefix("Skipped: ") if isinstance(detail, tuple) else str(detail)
    return reasons


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a skip that nobody decided on fails the run: what did not run was not tested."""
    wrong = unexpected(_skipped(session.config), expected_skips(EXPECTED_SKIPS.read_text()))
    if os.environ.get("CI") == "true" and wrong and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    skipped = _skipped(config)
    wrong = unexpected(skipped, expected_skips(EXPECTED_SKIPS.read_text()))
    if skipped:
        terminalreporter.section("skipped tests")
    for test, why in sorted(skipped.items()):
        mark = f"NOT EXPECTED, see {EXPECTED_SKIPS.name}" if test in wrong else "expected"
        terminalreporter.line(f"{test}: {why} ({mark})", yellow=test not in wrong, red=test in wrong)
