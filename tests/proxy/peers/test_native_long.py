"""The compiled part against its twin, for long, and under sanitizers."""

from __future__ import annotations

import pytest

from proxy.native import ends, native
from tests.proxy.peers import comparing, lanes, sanitized, sockets

pytestmark = pytest.mark.skipif(native is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")


def test_a_million_texts_are_masked_alike() -> None:
    tally = comparing.Tally()
    comparing.compare_texts(tally, 20261130, 1_000_000)
    comparing.compare_rows(tally, 20261130, 50_000)
    comparing.compare_streams(tally, 20261130, 3_000)
    comparing.compare_forms(tally, 20261130, 200_000)
    comparing.compare_batches(tally, 20261130, 50_000)
    assert tally.differences == []
    assert tally.certain > 200_000 and tally.found > 20_000 and tally.filled > 10_000


def test_the_short_way_is_the_same_in_c_over_many_sessions() -> None:
    tally = lanes.Tally()
    lanes.compare_lanes(tally, 20261130, 10_000)
    lanes.compare_faults(tally, 20261130, 5_000)
    lanes.compare_pens(tally, 20261130, 2_000)
    assert tally.differences == []
    assert tally.short > 3_000 and tally.damaged > 3_000 and (ends is None or tally.wired > 1_000)


def test_sockets_that_are_read_together_lose_nothing() -> None:
    tally = lanes.Tally()
    sockets.compare_sockets(tally, 20261130, 5_000)
    assert tally.differences == []


def test_nothing_is_read_or_written_beside_its_buffer() -> None:
    done = sanitized.run(7, 100_000)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    assert done.stdout.count(" 0 differences") == 2
