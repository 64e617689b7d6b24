from __future__ import annotations

from datetime import datetime, timedelta

import psycopg
import pytest

from access.ports import Clock, Entropy
from tests.fakes.clock import START, ManualClock
from tests.fakes.entropy import SeededEntropy


def test_time_moves_only_when_told(clock: ManualClock) -> None:
    port: Clock = clock
    assert (port.now(), port.monotonic()) == (START, 0.0)
    clock.advance(90)
    assert (port.now(), port.monotonic()) == (START + timedelta(seconds=90), 90.0)


def test_time_is_aware_and_never_runs_backwards(clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="-1"):
        clock.advance(-1)


def test_randomness_is_fresh_in_a_run_and_the_same_in_the_next(entropy: SeededEntropy) -> None:
    port: Entropy = entropy
    first, second = port.token(16), port.token(16)
    assert len(first) == 16
    assert first != second
    assert SeededEntropy().token(16) == first
    assert SeededEntropy(seed=1).token(16) != first


def test_each_test_gets_a_database_of_its_own(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
