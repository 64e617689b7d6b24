"""A small model for names of people, addresses and organisations: decides per column, by a sample of its values.

A value alone is often nobody's guess (`Paris`, `Baker`), a column hardly ever is. So this proposes rules (`hoop scan`)
and never masks by itself. Multinomial logistic regression over hashed character n-grams and the shape of the words,
weights of one byte; `tools/train_names.py` makes `names_weights.py` from generated data. Nothing is downloaded.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from proxy.masking import names_weights
from proxy.masking.strategies import looks_masked

OTHER = "other"
CLASSES = (OTHER, "person", "address", "organisation")
BUCKETS = 4096
#: Longer values are free text, not a name (characters).
MAX_LENGTH = 120
#: The share of a column's values that must look like one kind before the column is said to hold it.
ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a column seems to hold. `share` of `judged` values look like it, `confidence` is their mean probability."""

    entity: str
    share: float
    confidence: float
    judged: int


def features(text: str) -> list[int]:
    """The buckets of a value: character n-grams of its words, the shape of each and of all."""
    words = text.split()
    found = [f"n{min(len(words), 6)}", "shape " + " ".join(map(_shape, words[:6]))]
    for index, word in enumerate(words[:8]):
        low = f"^{word.lower()}$"
        found.append(f"{_shape(word)}{min(index, 2)}{index == len(words) - 1}")
        found.append(low)
        found.append("end " + low[-4:])
        found.extend(low[at : at + size] for size in (2, 3, 4) for at in range(len(low) - size + 1))
    return sorted({zlib.crc32(one.encode("utf-8", "surrogatepass")) % BUCKETS for one in found})


def _shape(word: str) -> str:
    kinds = ["d" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word[:24]]
    return "".join(kind for at, kind in enumerate(kinds) if at == 0 or kinds[at - 1] != kind)


def probabilities(scores: Sequence[float]) -> list[float]:
    """Softmax."""
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


@lru_cache(maxsize=1)
def _weights() -> bytes:
    """One signed byte a class and bucket, class by class."""
    return zlib.decompress(base64.b85decode("".join(names_weights.WEIGHTS)))


def judge(text: str) -> dict[str, float]:
    """Entity → probability for one value."""
    weights, buckets = _weights(), features(text)
    scores = []
    for number, bias in enumerate(names_weights.BIAS):
        base = number * BUCKETS
        total = sum((weights[base + bucket] ^ 0x80) - 0x80 for bucket in buckets)
        scores.append(bias + names_weights.SCALE * total / math.sqrt(max(len(buckets), 1)))
    return dict(zip(CLASSES, probabilities(scores), strict=True))


def column(values: Iterable[str]) -> Opinion | None:
    """What the values of a column are, by majority; None = nothing of these, or too few to say."""
    distinct = {value.strip() for value in values if not looks_masked(value)}
    sample = [value for value in sorted(distinct) if 2 <= len(value) <= MAX_LENGTH and any(map(str.isalpha, value))]
    if len(sample) < 3 or len(sample) * 2 < len(distinct):
        return None
    judged = [judge(value) for value in sample]
    means = {entity: sum(one[entity] for one in judged) / len(judged) for entity in CLASSES}
    entity = max(means, key=means.__getitem__)
    share = sum(max(one, key=one.__getitem__) == entity for one in judged) / len(judged)
    if entity == OTHER or share < ENOUGH:
        return None
    return Opinion(entity, share, means[entity], len(judged))
