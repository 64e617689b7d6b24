"""Texts that are almost personal: pieces of what detectors look for, joined, cut and changed at random."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.proxy.masking import samples
from tests.proxy.test_native import PIECES

_WORDS = [
    "call", "tel", "phone:", "mobile", "no.", "card", "SSN", "paid", "with", "order", "born", "on", "IBAN", "visa number", "is",
    "my", "passport", "tax id", "fax", "the customer would like it left with a neighbour at 12:30 on 2026-11-20", "see",
    "https://example.com/a?b=1", "or", "icon@2x.png", "bearer", "key", "=", "sk-",
]  # fmt: skip
_BETWEEN = [" ", " ", " ", ", ", ". ", ": ", "-", "/", ".", "(", ") ", "\t", "\n", "", "+", " – ", "@", "_", '"', "ä"]
_SEPARATORS = [" ", "-", ".", "/", "", " ", "-", "  ", ") ", "_"]


def number(rng: random.Random) -> str:
    """Groups of digits as people write them, and as they do not."""
    between = rng.choice(_SEPARATORS)
    groups = [
        "".join(rng.choices("0123456789", k=rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 6, 7))))
        for _ in range(rng.randrange(1, 6))
    ]
    joined = groups[0]
    for group in groups[1:]:
        joined += (between if rng.random() < 0.9 else rng.choice(_SEPARATORS)) + group
    return rng.choice(("", "", "", "+", "+", "00", "(", "+ ")) + joined


def host(rng: random.Random) -> str:
    labels = [
        "".join(rng.choices("abcxyz019-_", k=rng.choice((1, 2, 3, 5, 62, 63, 64)))) for _ in range(rng.randrange(1, 4))
    ]
    return ".".join([*labels, rng.choice(("com", "c", "png", "de", "c1", "1c", "org.", "example", "x" * 64))])


def address(rng: random.Random) -> str:
    local = "".join(rng.choices("abcXYZ019._-+'/%é", k=rng.choice((1, 2, 3, 8, 20, 63, 64, 65, 70))))
    return f"{local}@{host(rng)}"


def texts(seed: int, count: int) -> Iterator[str]:
    rng = random.Random(seed)
    real = [sample.text for sample in samples.samples(seed, 40)]
    makers = [
        lambda: rng.choice(_WORDS),
        lambda: rng.choice(_WORDS),
        lambda: rng.choice(PIECES),
        lambda: rng.choice(real),
        lambda: number(rng),
        lambda: number(rng),
        lambda: address(rng),
    ]
    for _ in range(count):
        text = ""
        for _ in range(rng.randrange(1, 7)):
            text += rng.choice(makers)() + rng.choice(_BETWEEN)
        if rng.random() < 0.2 and text:
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(("", " ", "0", "x", "@", "\u00a0", "İ", ".")) + text[at + 1 :]
        yield text if rng.random() < 0.7 else text.strip()
