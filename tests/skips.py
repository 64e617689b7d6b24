"""What did not run was not tested: in CI a skipped test fails the run unless `expected-skips.txt` says why it may.

The two hooks are imported by `conftest.py`.
"""

from __future__ import annotations

import os
from fnmatch import fnmatch
from pathlib import Path

import pytest

EXPECTED_SKIPS = Path(__file__).with_name("expected-skips.txt")


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
