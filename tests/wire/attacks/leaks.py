"""Looks for a protected value in whatever came back, in every shape somebody could read it out of."""

from __future__ import annotations

import base64
import codecs
import hashlib
from collections.abc import Iterable
from functools import cache

from proxy.postgres import messages as m
from tests.wire.attacks.raw import Said
from tests.wire.attacks.schema import EMAIL, SSN

#: The first customer's values: every leak query is about her, among others.
SECRETS = (EMAIL.format(1), SSN.format(1))
_STEM = "vexly"  # in every e-mail address


@cache
def shapes() -> frozenset[bytes]:
    """The secrets as plain, cased, reversed, hexadecimal, base64 at each offset, hashed and lightly scrambled."""
    found = set()
    for secret in (*SECRETS, _STEM):
        plain = secret.encode()
        for one in {secret, secret.upper(), secret[::-1], codecs.encode(secret, "rot13"), secret.swapcase()}:
            found.add(one.encode())
        found.add(plain.hex().encode())
        found.add(secret.encode("utf-16-be"))
        found.add("".join(f"\\\\x{byte:02x}" for byte in plain).encode())
        for padding in range(3):
            coded = base64.b64encode(b"\0" * padding + plain)
            found.add(coded[(padding * 8 + 5) // 6 : len(plain) * 8 // 6])
    for secret in SECRETS:
        found |= {hashlib.new(name, secret.encode()).hexdigest().encode() for name in ("md5", "sha1", "sha256")}
        found |= {base64.b64encode(hashlib.sha256(secret.encode()).digest())}
    return frozenset(shape for shape in found if len(shape) >= 5)


def leaked(said: Said) -> str:
    """The channel a secret came through; empty when there is none."""
    for frame in said.frames:
        if any(shape in frame for shape in shapes()):
            return chr(frame[0])
    values = [value for row in said.rows for value in row if value is not None]
    return "values put together" if any(_contains(text) for text in _together(values)) else ""


def _contains(text: bytes) -> bool:
    return any(shape in text or shape in text[::-1] for shape in shapes())


def _together(values: list[bytes]) -> Iterable[bytes]:
    """One character a row, codes of characters, bits and pieces in order."""
    yield b"".join(values)
    yield b"".join(value[-1:] for value in values)
    numbers = [int(value) for value in values if value.isdigit()]
    yield bytes(number for number in numbers if number < 256)
    for frame_text in (b" ".join(values),):
        pieces = frame_text.replace(b"{", b" ").replace(b"}", b" ").replace(b",", b" ").replace(b'"', b" ").split()
        yield b"".join(pieces)
        yield bytes(int(piece) for piece in pieces if piece.isdigit() and int(piece) < 256)


def columns(said: Said) -> list[str]:
    return [f.name for frame in said.frames if frame[0] == m.ROW_DESCRIPTION for f in m.parse_row_description(frame)]
