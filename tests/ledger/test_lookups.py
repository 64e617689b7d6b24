"""Questions for exact values are counted over all processes that share a store."""

from __future__ import annotations

import asyncio

from access.actors import PersonId
from ledger.sealing import Sealer
from ledger.store import Store
from proxy.lookups import Lookups
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy

DANA = PersonId("local|dana")


async def test_two_gateways_count_together(url: str, clock: ManualClock, sealer: Sealer) -> None:
    stores = [Store(url, clock, SeededEntropy(seed), sealer) for seed in (1, 2)]
    for store in stores:
        await store.start()
    try:
        asked = (Lookups(stores[number % 2]).take(DANA, "db", 1, 7) for number in range(40))
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    finally:
        for store in stores:
            await store.close()
    assert sum(outcome is None for outcome in outcomes) == 7
