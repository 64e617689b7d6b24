from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import skips

ROOT = Path(__file__).parent.parent


def test_rules_are_a_pattern_and_a_reason() -> None:
    lines = "# comment\n\ntests/wire/* : needs a server  # until then\ntests/a.py::t[x : y] : odd id\n"
    assert skips.expected_skips(lines) == [("tests/wire/*", "needs a server"), ("tests/a.py::t[x : y]", "odd id")]


@pytest.mark.parametrize("line", ["tests/wire/*", "tests/wire/* : ", " : because", "tests/wire/*: no space"])
def test_a_rule_without_both_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="pattern : reason"):
        skips.expected_skips(line)


def test_what_no_rule_matches_is_unexpected() -> None:
    skipped = {"tests/wire/test_a.py::t": "no server", "tests/test_b.py::t": "lazy"}
    assert skips.unexpected(skipped, [("tests/wire/*", "needs a server")]) == {"tests/test_b.py::t": "lazy"}


def test_the_committed_list_can_be_read() -> None:
    skips.expected_skips(skips.EXPECTED_SKIPS.read_text())


@pytest.mark.parametrize(("ci", "code", "said"), [("true", 1, "lazy (NOT EXPECTED"), ("", 0, "lazy (NOT EXPECTED")])
def test_an_unexpected_skip_fails_the_run_in_ci_only(tmp_path: Path, ci: str, code: int, said: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "conftest.py").write_text("from tests.skips import pytest_sessionfinish, pytest_terminal_summary\n")
    (tmp_path / "test_it.py").write_text("import pytest\ndef test_a(): pytest.skip('lazy')\ndef test_b(): pass\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stdout
    assert said in run.stdout
