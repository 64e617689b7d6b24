from __future__ import annotations

import pytest

from access.masking import Masked
from bot.cards import Table
from bot.slack.tables import draw_table


@pytest.mark.parametrize(
    ("note", "name"),
    [
        ("The order now: 3 rows", "the-order-now.csv"),
        ("../../etc/passwd: 1 row", "etc-passwd.csv"),
        ("«»: 1 row", "result.csv"),
        ("", "result.csv"),
        ("x" * 200, f"{'x' * 40}.csv"),
    ],
)
def test_every_table_of_a_run_has_a_file_of_its_own(note: str, name: str) -> None:
    rows = tuple((Masked(f"line {number}"),) for number in range(200))
    drawn, file = draw_table(Table((Masked("id"),), rows, note), 500)
    assert drawn.endswith("…")
    assert file is not None
    assert file.name == name
    assert file.data.count(b"\n") == 201
