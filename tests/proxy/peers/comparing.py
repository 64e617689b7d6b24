"""Compiled part and twin over many random texts, rows and lines: what is certain in C must be what the detectors say."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from unittest import mock

from access.masking import MaskPolicy, Strategy, declare_masked
from proxy.masking import certain, literals, sifting
from proxy.masking.context import NO_CONTEXT, Context
from proxy.masking.copyout import CopyFormat, CopyPlan
from proxy.masking.detectors import ENTITIES, Detectors
from proxy.masking.literals import Shown
from proxy.masking.quick import quickly
from proxy.masking.rows import RowPlan
from proxy.masking.swift import looks_for
from proxy.masking.values import Watcher
from proxy.native import native
from proxy.postgres import messages as m
from proxy.postgres.blanks import blank
from proxy.postgres.outlines import outline
from proxy.postgres.units import with_parameters
from proxy.recording import packed
from proxy.sql.forms import MAX_TEXT, form_here
from proxy.ssh.output import Stream
from proxy.ssh.reading import Counting
from tests.proxy.masking.server import data_row
from tests.proxy.peers.near_misses import stream, texts
from tests.proxy.sql.test_forms import mutated, soup
from tests.proxy.sql.worlds import Dice
from tests.proxy.test_native import CONTEXTS, DEFAULT, EVERY, ONE_BY_ONE, runs

SHAPED = MaskPolicy(entities=dict.fromkeys(ENTITIES - {"ip", "mac"}, Strategy.SHAPE))
Values = Sequence[bytes | None]
POLICIES = [EVERY, DEFAULT, DEFAULT, SHAPED, SHAPED, *ONE_BY_ONE]


@dataclass
class Tally:
    """What was compared. `certain` values were decided in C, `found` of them have something in them; `sifted` ones were
    found clean in Python without the detectors; `filled` batches were told in C."""

    texts: int = 0
    certain: int = 0
    sifted: int = 0
    found: int = 0
    rows: int = 0
    streams: int = 0
    forms: int = 0
    batches: int = 0
    filled: int = 0
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


def _streamed(
    data: bytes, policy: MaskPolicy, cuts: list[int], pauses: set[int], *, terminal: bool
) -> tuple[bytes, int]:
    detectors = Counting(policy, b"k")
    masker, out = Stream(detectors, terminal=terminal), b""
    for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(data)], strict=True)):
        out += masker.feed(data[start:end])
        if number in pauses:
            out += masker.flush()
    return out + masker.flush(final=True), detectors.changed


def compare_streams(tally: Tally, seed: int, count: int) -> None:
    """Whole streams in random pieces, with pauses: the same bytes with the compiled part and without it; and in one piece."""
    rng = random.Random(seed)
    for number in range(count):
        data, policy = stream(rng, rng.choice((50, 400, 4_000, 20_000))), rng.choice(POLICIES)
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((0, 1, 3, 20))))
        pauses = {at for at in range(len(cuts)) if rng.random() < 0.1}
        terminal = rng.random() < 0.3
        tally.streams += 1
        swift = _streamed(data, policy, cuts, pauses, terminal=terminal)
        with mock.patch.object(certain, "native", None):
            slow = _streamed(data, policy, cuts, pauses, terminal=terminal)
        if swift != slow or (not pauses and swift[0] != _streamed(data, policy, [], set(), terminal=terminal)[0]):
            tally.differences.append(
                f"stream {seed} {number} with {sorted(policy.entities)}, cut at {cuts}, {terminal}"
            )


def compare_forms(tally: Tally, seed: int, count: int) -> None:
    """Statements of the corpus with things in them that lexers stumble over, and nothing but those."""
    dice = Dice(seed)
    for number in range(count):
        text = (soup if number % 2 else mutated)(dice)
        if len(text) <= MAX_TEXT and text.isascii():
            tally.forms += 1
            found, here = native.form(text), form_here(text)
            if found != (None if here is None else (here.skeleton, here.literals, here.starts)):
                tally.differences.append(f"the form of {text!r}: {found!r}")


_OIDS = (0, 16, 17, 20, 21, 23, 25, 26, 114, 142, 700, 701, 1043, 1082, 1184, 1700, 2950, 3802, 99_999)


def told(statement: Shown, values: Values, types: Sequence[int], formats: Sequence[int], detectors: Detectors) -> bytes:
    """The packed statement as the gate packs it."""
    shown = literals.parameters(values, types, formats, statement, quickly(detectors))
    first = {"text": with_parameters(statement.text, shown), "effects": ["read"], "verdict": "allow"}
    return packed({**first, "rule": "read-scope", "request": "", "parameters": list(shown)})


def _value(rng: random.Random, some: Iterator[str]) -> bytes | None:
    match rng.randrange(6):
        case 0:
            return None
        case 1:
            return rng.randbytes(rng.choice((0, 1, 2, 4, 8, 16, 16)))
        case 2:
            return str(rng.randrange(-(10 ** rng.randrange(1, 19)), 10 ** rng.randrange(1, 19))).encode()
        case 3:
            return struct.pack(rng.choice((">h", ">i", ">q", ">I", ">Q")), rng.choice((0, 1, 100, 2**15 - 1)))
    return next(some).encode("utf-8", "surrogatepass") * rng.choice((1, 1, 1, 30))


def compare_batches(tally: Tally, seed: int, count: int) -> None:
    """Batches of random types, formats and values: where C is certain, the statement is told as the twins tell it."""
    rng, some = random.Random(seed), texts(seed, count * 20)
    detectors = [Detectors(policy, b"k") for policy in POLICIES]
    for number in range(count):
        size = rng.choice((1, 1, 2, 3, 15, 16, 17, 64, 65))
        types = [rng.choice(_OIDS) for _ in range(rng.randrange(size + 1))]
        formats = [rng.randrange(2) for _ in range(rng.choice((0, 1, size)))]
        protected = frozenset(at for at in range(1, size + 1) if rng.random() < 0.05)
        statement = Shown(
            declare_masked("SELECT 'ä'" + "x" * rng.choice((0, 20, 250, 2700))),
            complete=True,
            protected_parameters=protected,
        )
        one, sizes = rng.choice(detectors), (1 if size > 3 else rng.randrange(1, 4))
        values, others = (
            [_value(rng, some) if rng.random() < 0.9 ** (size // sizes - 1) else b"7" for _ in range(size)]
            for _ in "ab"
        )
        first = told(statement, values, types, formats, one)
        shown = literals.parameters(values, types, formats, statement, quickly(one))
        empty = blank(first, shown, types, formats, statement, looks_for(one, NO_CONTEXT))
        frame = m.message(m.BIND, b"\0s\0" + _int16s(formats) + _counted(others) + b"\0\0")
        data = frame + m.message(m.EXECUTE, b"\0" + bytes(4)) + m.SYNC_MESSAGE
        found = outline(data)
        tally.batches += 1
        if found is None or found.values != tuple(others) or native.batch_key(data) != found.key:
            tally.differences.append(f"batch {seed} {number}: {data!r}")
        quick = None if empty is None else native.batch_statement(data, empty)
        tally.filled += quick is not None
        if quick is not None and quick != told(statement, others, types, formats, one):
            tally.differences.append(f"batch {seed} {number} of {types} {formats}: {others} became {quick!r}")
        hurt = _hurt(data, rng)
        found = outline(hurt)
        if native.batch_key(hurt) != (None if found is None else found.key):
            tally.differences.append(f"batch {seed} {number}, hurt: {hurt!r}")
        if empty is not None:
            native.batch_statement(hurt, empty)


def _int16s(numbers: Sequence[int]) -> bytes:
    return struct.pack(f">H{len(numbers)}H", len(numbers), *numbers)


def _counted(values: Values) -> bytes:
    sized = (b"\xff\xff\xff\xff" if one is None else len(one).to_bytes(4, "big") + one for one in values)
    return b"".join((len(values).to_bytes(2, "big"), *sized))


def _hurt(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    noise = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\x05", b"\x7f\xff\xff\xff", b"\0", b"B", b"P", rng.randbytes(2)))
    return rng.choice(
        (data[:at] + noise + data[at + len(noise) :], data[:at], data[:at] + noise + data[at:], data[at:])
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
