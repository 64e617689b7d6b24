"""Typed, prefixed identifiers.

An id is `<prefix>_<Crockford base32>`, lower case, one spelling everywhere (store, terminal, chat). People type
them on phones, so `parse_id` forgives case, a dash for the underscore and the letters Crockford folds (I, L, O).
Uniqueness is the store's primary key; length only makes collisions rare and guesses useless.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NewType

RequestId = NewType("RequestId", str)
GrantId = NewType("GrantId", str)
SessionId = NewType("SessionId", str)
CredentialId = NewType("CredentialId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_FOLD = str.maketrans({"i": "1", "l": "1", "o": "0"})


class Prefix(StrEnum):
    """What kind of thing an id names."""

    REQUEST = "req"
    GRANT = "grt"
    SESSION = "ses"
    CREDENTIAL = "crd"
    ALLOWANCE = "alw"
    DELEGATION = "dlg"
    PROPOSAL = "prp"


_LENGTH = {
    Prefix.REQUEST: 8,
    Prefix.GRANT: 10,
    Prefix.SESSION: 12,
    Prefix.CREDENTIAL: 12,
    Prefix.ALLOWANCE: 8,
    Prefix.DELEGATION: 8,
    Prefix.PROPOSAL: 8,
}
ENTROPY_BYTES = 8
_SHAPE = re.compile(r"(?ia)\A(req|grt|ses|crd|alw|dlg|prp)[-_]([0-9a-z]{6,12})\Z")


def new_id(prefix: Prefix, entropy: bytes) -> str:
    """Make an id from `ENTROPY_BYTES` random bytes (the caller owns the randomness).

    Raises ValueError when given fewer bytes, so that a short source can not silently weaken ids.
    """
    if len(entropy) < ENTROPY_BYTES:
        raise ValueError(f"new_id needs {ENTROPY_BYTES} random bytes, got {len(entropy)}")
    number = int.from_bytes(entropy[:ENTROPY_BYTES], "big")
    digits = []
    for _ in range(_LENGTH[prefix]):
        number, rest = divmod(number, 32)
        digits.append(_ALPHABET[rest])
    return f"{prefix.value}_{''.join(digits)}"


def parse_id(text: str, *expected: Prefix) -> str | None:
    """The canonical id that `text` spells, or None when it is not one (of the expected kinds)."""
    match = _SHAPE.match(text.strip())
    if match is None:
        return None
    prefix = Prefix(match[1].lower())
    body = match[2].lower().translate(_FOLD)
    if (expected and prefix not in expected) or len(body) != _LENGTH[prefix] or "u" in body:
        return None
    return f"{prefix.value}_{body}"
