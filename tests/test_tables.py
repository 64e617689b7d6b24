from __future__ import annotations

import pytest

from tests.tables import SHOWN, every


def _even(number: int) -> None:
    if number == 5:
        with pytest.raises(ValueError, match="odd"):
            int(f"{number}")
    assert number % 2 == 0, "odd"


def test_every_case_is_checked_and_those_that_fail_are_named() -> None:
    seen: list[int] = []

    def check(number: int) -> None:
        seen.append(number)
        _even(number)

    with pytest.raises(BaseExceptionGroup, match="3 of 6 cases") as group:
        every([1, 2, 3, 4, 5, 6], check)
    assert seen == [1, 2, 3, 4, 5, 6]
    assert [error.__notes__ for error in group.value.exceptions] == [[f"the case: {n}"] for n in (1, 3, 5)]


def test_what_holds_says_nothing_and_what_fails_everywhere_says_not_everything() -> None:
    every([2, 4], _even)
    with pytest.raises(ExceptionGroup, match="100 of 100 cases") as group:
        every(range(7, 207, 2), _even)
    assert len(group.value.exceptions) == SHOWN


def test_a_table_without_cases_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="without cases"):
        every([], _even)


def test_a_skip_and_an_interrupt_are_not_failures_of_a_case() -> None:
    with pytest.raises(pytest.skip.Exception):
        every([1], lambda _: pytest.skip("not here"))
    with pytest.raises(KeyboardInterrupt):
        every([1], lambda _: (_ for _ in ()).throw(KeyboardInterrupt()))
