"""The short way from socket to socket where memory ends: at any allocation, it says so or goes on, and forwards nothing that is
not recorded."""

from __future__ import annotations

import importlib
import random
from typing import Any

from proxy.postgres import messages as m
from tests.proxy.peers.lanes import Tally, Wired
from tests.proxy.playbook import BOUND, IDLE, PARSED, bind, complete, described, execute, row

_TEXT = "SELECT id, secret FROM t"
_ROWS = described("id", "secret") + row("1", "hush") + complete("SELECT 1") + IDLE
_BATCH = m.parse("", _TEXT) + bind() + m.describe("P", "") + execute() + m.SYNC_MESSAGE
_PAIRS = ((m.query(_TEXT), _ROWS), (_BATCH, PARSED + BOUND + _ROWS))
#: More than are made on the way.
_ALLOCATIONS = 60


def compare_memory(tally: Tally, seed: int, count: int) -> None:
    """So many sessions, each without memory for a moment; none where this Python cannot do that (`_testcapi`)."""
    try:
        hooks: Any = importlib.import_module("_testcapi")
    except ImportError:
        return
    again = hooks.remove_mem_hooks
    for number in range(count):
        dice = random.Random(f"memory {seed} {number}")
        (ask, answer), from_client = dice.choice(_PAIRS), dice.random() < 0.5
        play = Wired()
        for _ in range(4):
            play.client(ask).upstream(answer)
        if not from_client:
            play.client(ask)
        receiver, data = (play.express.client, ask) if from_client else (play.express.upstream, answer)
        at = dice.randrange(_ALLOCATIONS)
        try:
            hooks.set_nomemory(at, at + dice.choice((1, 3)))
            receiver(data)
            again()
        except MemoryError:
            again()
        play.perform()
        tally.sessions += 1
        if play.to_upstream.count(ask) > play.kinds().count("statement"):
            tally.differences.append(f"memory {seed} {number}: more forwarded than recorded")
        play.close()
