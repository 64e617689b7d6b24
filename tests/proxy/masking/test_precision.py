"""Precision and recall on generated values and on look-alikes (order numbers, hashes, ids, timestamps, versions)."""

from __future__ import annotations

from collections import Counter

import pytest

from access.masking import MaskPolicy, Strategy
from proxy.masking.context import of_names
from proxy.masking.detectors import ENTITIES, Detectors
from tests.proxy.masking.samples import CHECKSUMMED, KINDS, samples


def table(seed: int, each: int) -> dict[str, tuple[float, float]]:
    """Entity → (precision, recall). A value found as another entity counts against that other one."""
    detectors = Detectors(MaskPolicy(entities=dict.fromkeys(ENTITIES, Strategy.REDACT)), b"key")
    right: Counter[str] = Counter()
    claimed: Counter[str] = Counter()
    there = Counter[str]()
    for sample in samples(seed, each):
        there[sample.entity] += 1
        found = {span.entity for span in detectors.find(sample.text, of_names((sample.column,)))}
        claimed.update(found)
        right[sample.entity] += sample.entity in found
    return {entity: (right[entity] / max(claimed[entity], 1), right[entity] / there[entity]) for entity in KINDS}


@pytest.mark.parametrize("seed", [1, 2])
def test_precision_and_recall(seed: int) -> None:
    results = table(seed, 400)
    for entity, (precision, recall) in results.items():
        print(f"{entity:10} precision {precision:.3f}  recall {recall:.3f}")
    for entity, (precision, recall) in results.items():
        least = 0.99 if entity in CHECKSUMMED else 0.95
        assert precision >= least, (entity, precision)
        assert recall >= least, (entity, recall)
