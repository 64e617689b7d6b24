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


def logged(rng: random.Random) -> str:
    """What servers write: addresses, versions, times, counters."""
    four = ".".join(
        str(rng.choice((0, 1, 9, 10, 25, 99, 192, 255, 256, 999))) for _ in range(rng.choice((3, 4, 4, 4, 5)))
    )
    return rng.choice((
        four, f"v{four}", f"curl/{four}", f"[{four}]:8080", f"release {four}", f"09:{rng.randrange(60):02}:12.{rng.randrange(999)}",
        f"pid={rng.randrange(99999)} rss={rng.randrange(9**9)}", f"{rng.getrandbits(64):x}", f"::{rng.getrandbits(16):x}",
        " ".join(str(rng.randrange(9**rng.randrange(1, 6))) for _ in range(rng.randrange(1, 14))),
    ))  # fmt: skip


def stream(rng: random.Random, size: int) -> bytes:
    """Output of a program: lines of such texts, some coloured, some endless, keys over many lines, damaged bytes."""
    some = list(texts(rng.randrange(1 << 30), max(2, size // 60)))
    out = b""
    while some and len(out) < size:
        match rng.randrange(24):
            case 0:
                out += b"x" * rng.choice((100, 7_000, 7_166, 7_168, 7_170, 9_000))
            case 1:
                out += " ".join(rng.choices(some, k=200)).replace("\n", " ").encode("utf-8", "replace")[:12_000]
            case 2:
                out += b"-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n" + rng.choice(
                    (b"-----END RSA PRIVATE KEY-----\n", b"")
                )
            case 3:
                out += rng.choice(
                    (b"\xff", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80", b"\x00" if rng.random() < 0.1 else b"\x1b[")
                )
            case 4 | 5 | 6:
                text, colour = (
                    some.pop(),
                    rng.choice(
                        ("\x1b[31m", "\x1b[0m", "\x1b[K", "\x1b(B", "\x1b[1;3", "\x1b[2J", "\x1b", "\x1b[38:2:1m")
                    ),
                )
                at = rng.randrange(len(text) + 1)
                out += (text[:at] + colour + text[at:]).encode("utf-8", "replace")
            case _:
                out += some.pop().encode("utf-8", "replace")
        out += rng.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r", b"", b" "))
    return out


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
        lambda: logged(rng),
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
