from __future__ import annotations

from pathlib import Path

import pytest

from runbooks.model import Kind
from tests.runbooks import tables
from tests.runbooks.attacks import ATTACKS, PLAIN

PAGE = Path(__file__).parents[2] / "docs" / "runbook-checks.md"
#: Kinds that hold any words: what they take is bound or quoted. All others refuse every one of the values.
FREE = {Kind.TEXT, Kind.LINES, Kind.LIST}


def test_the_page_says_what_the_code_does() -> None:
    assert PAGE.read_text(encoding="utf-8") == tables.page(), "python -m tests.runbooks.tables > docs/runbook-checks.md"


def test_every_broken_file_is_told_with_its_line() -> None:
    lines = tables.lint_output().splitlines()
    assert [line.partition(".runbook.")[0] for line in lines[:-1]] == [
        name.partition(".")[0] for name in sorted(tables.BROKEN)
    ]
    assert all(line.split(":")[1].isdigit() for line in lines[:-1])


@pytest.mark.parametrize("language", ["sql", "sh"])
def test_shaped_kinds_take_none_of_the_values(language: str) -> None:
    for kind in set(tables.kinds_of(language)) - FREE:
        taken = {attack for attack in ATTACKS if tables.fate(kind, language, attack) == "="}
        assert taken <= PLAIN, kind
        assert not taken or kind in {Kind.TABLE, Kind.NAME, Kind.DECIMAL}
