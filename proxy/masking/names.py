"""A small model for names of people, addresses and organisations: decides per column, by a sample of its values.

A value alone is often nobody's guess (`Paris`, `Baker`), a column hardly ever is. So this proposes rules (`hoop scan`) and
masks columns of tables it has seen a sample of (`impressions`), never single values. Multinomial logistic regression over hashed character n-grams and the shape of the words,
weights of one byte; `tools/train_names.py` makes `names_weights.py` from generated data. Nothing is downloaded.
"""

from __future__ import annotations

import base64
import math
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from proxy.masking import names_weights
from proxy.masking.context import normalised
from proxy.masking.strategies import looks_masked

OTHER = "other"
CLASSES = (OTHER, "person", "address", "organisation")
BUCKETS = 4096
#: Longer values are free text, not a name (characters).
MAX_LENGTH = 120
#: The share of a column's values that must look like one kind before the column is said to hold it.
ENOUGH = 0.5
#: With fewer different values than this a column says little; then each of them must look like it, and that surely.
FEWEST, SURELY = 3, 0.85
#: What is asked of a column whose own name says that it holds something else (`brand`, `currency`).
ELSE_SHARE, ELSE_CONFIDENCE = 0.8, 0.75

_ELSE = re.compile(
    r"(?:^|_)(?:product|item|article|brand|make|model|currenc(?:y|ies)|cit(?:y|ies)|town|countr(?:y|ies)|state|region|language|locale|categor(?:y|ies)|status|type|kind"
    r"|class|plan|tier|colou?r|size|genre|role|method|carrier|department|team|tag|label|unit|instrument|course|subject|skill"
    r"|species|animal|dish|ingredient|drink|sport|game|song|album|movie|film|book|feature|setting|key|event|action|job|queue"
    r"|host|server|service|device|project|campaign|channel|source|medium|holiday|month|weekday)(?:e?s)?(?:_names?|_titles?)?$"
)
#: Such a column is what its table is.
_GENERIC = frozenset({"name", "title", "label", "value", "text", "description"})


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a column seems to hold. `share` of `judged` values look like it, `confidence` is their mean probability."""

    entity: str
    share: float
    confidence: float
    judged: int


#: The words of a column's values that were met, each with its shape and buckets: words repeat, values do not.
Words = dict[str, tuple[str, frozenset[int]]]


def features(text: str, known: Words | None = None) -> list[int]:
    """The buckets of a value: character n-grams of its words, the shape of each and of all."""
    known = {} if known is None else known
    words = text.split()
    told = [known.get(word) or known.setdefault(word, _word(word)) for word in words[:8]]
    found = [f"n{min(len(words), 6)}", "shape " + " ".join([shape for shape, _ in told[:6]])]
    found += [f"{shape}{min(index, 2)}{index == len(words) - 1}" for index, (shape, _) in enumerate(told)]
    return sorted(_buckets(found).union(*[buckets for _, buckets in told]))


def _word(word: str) -> tuple[str, frozenset[int]]:
    low = f"^{word.lower()}$"
    grams = [low[at : at + size] for size in (2, 3, 4) for at in range(len(low) - size + 1)]
    return _shape(word), _buckets([low, "end " + low[-4:], *grams])


def _buckets(found: Iterable[str]) -> frozenset[int]:
    return frozenset([zlib.crc32(one.encode("utf-8", "surrogatepass")) % BUCKETS for one in found])


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
def _weights() -> tuple[tuple[int, ...], ...]:
    """The weight of each bucket, class by class."""
    signed = memoryview(zlib.decompress(base64.b85decode("".join(names_weights.WEIGHTS)))).cast("b")
    return tuple(tuple(signed[at : at + BUCKETS]) for at in range(0, len(signed), BUCKETS))


def judge(text: str, known: Words | None = None) -> dict[str, float]:
    """Entity → probability for one value. `known` is that of the values next to it."""
    buckets = features(text, known)
    root = math.sqrt(max(len(buckets), 1))
    scores = [
        bias + names_weights.SCALE * sum(map(weights.__getitem__, buckets)) / root
        for bias, weights in zip(names_weights.BIAS, _weights(), strict=True)
    ]
    return dict(zip(CLASSES, probabilities(scores), strict=True))


def column(values: Iterable[str], name: str = "", table: str = "", *, few: bool = False) -> Opinion | None:
    """What the values of a column are, by majority; None = nothing of these, or too few to say.

    The column's name, or its table's where that says nothing, raises the bar when it is that of something else. With
    `few` even one or two values say something, when they surely are names.
    """
    sample, known = telling(values, few=few), Words()
    return opinion(sample, [judge(value, known) for value in sample], name, table)


def telling(values: Iterable[str], *, few: bool = False) -> list[str]:
    """Those of a column's values that say what it is; none when they are too few to say it. `few` as in `column`."""
    distinct = {value.strip() for value in values if not looks_masked(value)}
    sample = [value for value in sorted(distinct) if 2 <= len(value) <= MAX_LENGTH and any(map(str.isalpha, value))]
    return [] if (len(sample) < FEWEST and not few) or len(sample) * 2 < len(distinct) else sample


def opinion(
    sample: Sequence[str], judged: Sequence[dict[str, float]], name: str = "", table: str = ""
) -> Opinion | None:
    """`column` of these values, each of which was judged."""
    if not sample:
        return None
    means = {entity: sum(one[entity] for one in judged) / len(judged) for entity in CLASSES}
    entity = max(means, key=means.__getitem__)
    share = sum(max(one, key=one.__getitem__) == entity for one in judged) / len(judged)
    if entity == OTHER or share < ENOUGH:
        return None
    if len(sample) < FEWEST and not all(
        one[entity] >= SURELY and " " in text for one, text in zip(judged, sample, strict=True)
    ):
        return None
    if is_else(name, table) and (share < ELSE_SHARE or means[entity] < ELSE_CONFIDENCE):
        return None
    return Opinion(entity, share, means[entity], len(judged))


def is_else(name: str, table: str) -> bool:
    """Whether the names say that a column holds something else than names of people, addresses or organisations."""
    own = normalised(name)
    return _ELSE.search(normalised(table) if own in _GENERIC else own) is not None
