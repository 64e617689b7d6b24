"""A process that races for things in a shared store: `python racer.py URL SEED HOW_MANY`; prints what it won."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from access.errors import Conflict
from access.ids import GrantId, SessionId
from access.ports import Tx
from access.requests import GrantState
from ledger.sealing import Sealer
from ledger.store import Store
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.ledger.examples import KEY


def use(tx: Tx, number: int, seed: int) -> str:
    grant = tx.grant(GrantId(f"grt_{number}"))
    assert grant is not None
    if grant.state is not GrantState.ACTIVE:
        raise Conflict("used already")
    used = replace(grant, state=GrantState.EXECUTING, used_at=tx.now, used_in=SessionId(f"ses_{seed}"))
    tx.update_grant(used)
    if tx.take_doc("link", str(number)) is None:
        raise AssertionError("the document of a grant that was free is gone")
    return f"grt_{number}"


async def main(url: str, seed: int, how_many: int) -> None:
    entropy = SeededEntropy(seed)
    store = Store(url, ManualClock(), entropy, Sealer(KEY, entropy=entropy))
    await store.start()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    tried = await asyncio.gather(
        *(store.transact(lambda tx, n=n: use(tx, n, seed)) for n in range(how_many)),  # type: ignore[misc]
        return_exceptions=True,
    )
    for outcome in tried:
        if isinstance(outcome, str):
            print(outcome)
        elif not isinstance(outcome, Conflict):
            print(repr(outcome))
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
