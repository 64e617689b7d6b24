"""The long run of `tests/proxy/sql/test_worlds.py`: hundreds of schemas, ten thousands of changes."""

from __future__ import annotations

import pytest

from tests.proxy.sql.test_worlds import explore, universe

__all__ = ["universe"]


@pytest.mark.parametrize("first", range(1000, 1300, 10))
def test_what_was_written_was_foreseen_in_many_worlds(universe: str, first: int) -> None:
    for seed in range(first, first + 10):
        _, wrong = explore(universe, seed, 150)
        assert not wrong, "\n".join(wrong)
