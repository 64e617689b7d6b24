"""The compiled part against its twin, for long, and under sanitizers."""

from __future__ import annotations

import pytest

from proxy.native import native
from tests.proxy.peers import comparing, sanitized

pytestmark = pytest.mark.skipif(native is None, reason="the compiled part is not installed (or HOOP_NATIVE=0)")


def test_a_million_texts_are_masked_alike() -> None:
    tally = comparing.Tally()
    comparing.compare_texts(tally, 20261130, 1_000_000)
    comparing.compare_rows(tally, 20261130, 50_000)
    assert tally.differences == []
    assert tally.certain > 200_000 and tally.found > 20_000


def test_nothing_is_read_or_written_beside_its_buffer() -> None:
    done = sanitized.run(7, 100_000)
    assert done.returncode == 0, done.stderr[-4000:] + done.stdout
    assert " 0 differences" in done.stdout
