"""One gateway process among two: votes on every request it is given, as half of a crowd, as soon as it is told to go."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from access.emergencies import Finding
from access.errors import HoopError
from access.ids import RequestId
from access.requests import Choice
from ledger.sealing import Sealer
from ledger.store import Store
from tests.approval_flows.peers.crowd import CROWD, prepared
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.world import OLGA, SAM


async def main(url: str, scenario: str, side: int) -> None:
    clock, entropy = ManualClock(), SeededEntropy(os.getpid())
    store = Store(url, clock, entropy, Sealer(b"k" * 32, entropy=entropy), synchronous="NORMAL")
    await store.start()
    world = prepared(store, clock, scenario, seed=-os.getpid())
    print("ready", flush=True)
    asked = json.loads(await asyncio.to_thread(sys.stdin.readline))
    won = lost = 0
    for name in asked:
        id_ = RequestId(name)
        voters = [*CROWD[side::2], *([OLGA] if side else [SAM])]
        if scenario == "closing broken glass":
            tries = [world.desk.close(id_, one.id, Finding.JUSTIFIED) for one in voters]
        else:
            deny = scenario == "approve against deny" and side == 1
            choice = Choice.DENY if deny else Choice.APPROVE
            tries = [world.desk.review(id_, 1, one.id, choice, "no" if deny else "") for one in voters]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        broken = [one for one in answers if isinstance(one, BaseException) and not isinstance(one, HoopError)]
        if broken:
            raise broken[0]
        lost += len([one for one in answers if isinstance(one, HoopError)])
        won += len([one for one in answers if not isinstance(one, BaseException)])
    print(json.dumps({"won": won, "lost": lost}), flush=True)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
