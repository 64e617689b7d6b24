"""What Python rules out without the detectors is what they would not find, and what it replaces is what they would write."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.masking import MaskPolicy, Strategy
from proxy.masking import sifting
from proxy.masking.context import of_names
from proxy.masking.detectors import ENTITIES, Detectors
from proxy.masking.swift import Swift, here, looks_for
from proxy.masking.values import Watcher, replaced
from tests.proxy.masking import samples
from tests.proxy.peers import near_misses

CONTEXTS = [of_names((name,)) for name in ("note", "phone", "order_id", "ssn", "ip")]
POLICIES = [
    MaskPolicy(entities=dict.fromkeys(entities, strategy))
    for entities in (ENTITIES, ENTITIES - {"ip", "mac"}, *({entity} for entity in sorted(ENTITIES)))
    for strategy in (Strategy.SHAPE, Strategy.REDACT)
]


def twins(policy: MaskPolicy, context: object) -> tuple[Swift, object] | None:
    cell = Watcher(Detectors(policy, b"k")).text(context)  # type: ignore[arg-type]
    return (cell, here(cell)) if isinstance(cell, Swift) else None


def test_near_misses_and_hits_are_masked_as_the_detectors_mask_them():
    rng = random.Random(1)
    cells = [pair for policy in POLICIES for context in CONTEXTS if (pair := twins(policy, context))]
    texts = [*near_misses.texts(3, 2500), *(sample.text for sample in samples.samples(5, 6))]
    for text in texts:
        value = text.encode("utf-8", "surrogatepass")
        for cell, quick in [*cells[:4], *rng.sample(cells, 3)]:
            assert quick(value) == cell.cell(value), text  # type: ignore[operator]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(POLICIES[:4]))
def test_any_bytes(value: bytes, policy: MaskPolicy):
    pair = twins(policy, CONTEXTS[0])
    assert pair is not None
    assert pair[1](value) == pair[0].cell(value)  # type: ignore[operator]


@pytest.mark.parametrize("entity", ["email", "phone"])
def test_shapes_of_columns(entity: str):
    cell = replaced(25, False, entity, Strategy.SHAPE, b"k")
    assert isinstance(cell, Swift)
    quick = here(cell)
    assert quick is not None and quick is not cell.cell
    rng = random.Random(2)
    made = [near_misses.address(rng) for _ in range(400)] + [near_misses.number(rng) for _ in range(400)]
    for text in [
        *made,
        "",
        "@",
        "a@b.cd",
        "abc@x.yz",
        " abc@x.yz",
        "abc@x.y1",
        "a@b@c.de",
        "+1 2 3 4 5 6 7 8",
        "+4917012345678",
    ]:
        value = text.encode()
        assert quick(value) == cell.cell(value), text


def test_ordinary_values_need_no_detector():
    flags = looks_for(Detectors(POLICIES[2], b"k"), CONTEXTS[0])
    assert flags is not None
    suspect = sifting.suspects(flags)
    for text in ("Berlin", "München", "order 123456 shipped in 4 parts", "2026-11-20", "12.50", "a-1/22", "#12345"):
        assert not suspect(text.encode()), text
    for text in (
        "+49 170 1234567",
        "tel 12345",
        "ada@example.com",
        "key=abc",
        "Привет 1",
        "X1234567L",
        "born 1980-01-01",
    ):
        assert suspect(text.encode()), text
    assert suspect(b"\xc3") and suspect(b"1" + b"x" * 200_000)
