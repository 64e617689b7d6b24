"""Long tables as one test: an item of pytest's own, in three workers, costs more than most of the cases check."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import pytest

T = TypeVar("T")

#: So many of the cases that fail are shown; all are counted.
SHOWN = 20


def every(cases: Iterable[T], check: Callable[[T], object], named: Callable[[T], str] = ascii) -> None:
    """Check all cases, also after one failed; what fails is told with its case. An empty table is a mistake."""
    failed: list[BaseException] = []
    count = 0
    for count, case in enumerate(cases, 1):  # noqa: B007  how many there were is told below
        try:
            check(case)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  every failure of every case is told
            error.add_note(f"the case: {named(case)}")
            failed.append(error)
    assert count, "a table without cases"
    if failed:
        raise BaseExceptionGroup(f"{len(failed)} of {count} cases", failed[:SHOWN])
