"""Compiled part and twin over many random texts, rows and lines: what is certain in C must be what the detectors say."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from access.masking import MaskPolicy, Strategy
from proxy.masking import sifting
from proxy.masking.context import Context
from proxy.masking.copyout import CopyFormat, CopyPlan
from proxy.masking.detectors import ENTITIES, Detectors
from proxy.masking.rows import RowPlan
from proxy.masking.swift import looks_for
from proxy.masking.values import Watcher
from proxy.native import native
from proxy.postgres import messages as m
from tests.proxy.masking.server import data_row
from tests.proxy.peers.near_misses import texts
from tests.proxy.test_native import CONTEXTS, DEFAULT, EVERY, ONE_BY_ONE, runs

SHAPED = MaskPolicy(entities=dict.fromkeys(ENTITIES - {"ip", "mac"}, Strategy.SHAPE))
POLICIES = [EVERY, DEFAULT, DEFAULT, SHAPED, SHAPED, *ONE_BY_ONE]


@dataclass
class Tally:
    """What was compared. `certain` values were decided in C, `found` of them have something in them; `sifted` ones were
    found clean in Python without the detectors."""

    texts: int = 0
    certain: int = 0
    sifted: int = 0
    found: int = 0
    rows: int = 0
    differences: list[str] = field(default_factory=list)


def compare_texts(tally: Tally, seed: int, count: int) -> None:
    rng = random.Random(seed)
    detectors = [Detectors(policy, b"k") for policy in POLICIES]
    known: dict[tuple[int, Context], int | None] = {}
    for text in texts(seed, count):
        tally.texts += 1
        number = rng.randrange(5) if rng.random() < 0.9 else rng.randrange(len(POLICIES))
        context = CONTEXTS[0] if rng.random() < 0.6 else rng.choice(CONTEXTS)
        one, key = detectors[number], (number, context)
        if key not in known:
            known[key] = looks_for(one, context)
        flags = known[key]
        if flags is None:
            continue
        before = text.encode("utf-8", "surrogatepass")
        found, clean = native.look(before, flags), not sifting.suspects(flags)(before)
        if found is None and not clean:
            continue
        tally.certain += found is not None
        tally.sifted += clean
        tally.found += found not in {None, before}
        masked = one.mask(text, context)
        shown = None if masked is None else masked.encode("utf-8", "surrogatepass")
        if (found is not None and found != shown) or (clean and before != shown):
            tally.differences.append(
                f"{text!r} with {sorted(one.strategies)} in {context}: {found!r}, {clean}, not {masked!r}"
            )


def compare_rows(tally: Tally, seed: int, count: int) -> None:
    """Whole rows and lines; damaged rows too."""
    for number, columns, data in runs(seed, count):
        quick, slow = RowPlan(number, columns), RowPlan(number, columns)
        tally.rows += 1
        if quick.rewrite(data) != slow.rewrite_here(data) or quick.masked != slow.masked:
            tally.differences.append(f"rows {data!r}")
    watcher = Watcher(Detectors(SHAPED, b"k"))
    cells = {0: watcher.text(CONTEXTS[0]), 1: watcher.text(CONTEXTS[2])}
    for text in texts(seed, count):
        tally.rows += 1
        value = text.encode("utf-8", "surrogatepass")
        row = data_row([value, value])
        if RowPlan(2, cells).rewrite(row) != RowPlan(2, cells).rewrite_here(row):
            tally.differences.append(f"row {value!r}")
        line = value.replace(b"\t", b" ").replace(b"\n", b" ") + b"\tx\n"
        copied, fed = CopyPlan(CopyFormat(), 2, cells), CopyPlan(CopyFormat(), 2, cells)
        frame = m.message(m.COPY_DATA, line)
        stop, frames, payload = copied.messages(frame, 0, len(frame))
        if stop and (payload != fed.feed(line) or frames != m.message(m.COPY_DATA, payload)):
            tally.differences.append(f"line {line!r}")
