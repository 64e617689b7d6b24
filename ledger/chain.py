"""The hash chain, as pure functions: what is hashed, in which bytes, and the head that moves.

Every writer (one process from start to stop) has its own chain. A link covers the salted digest of the payload, not the
payload, so that a payload can be erased without breaking the chain.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

GENESIS = ""
SALT_BYTES = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: Any) -> str:
    """The one JSON spelling of `value`: sorted keys, no spaces, ASCII. Raises TypeError or ValueError on other data."""
    return _ENCODER.encode(value)


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware instant: the only form in which times are stored. Raises ValueError if naive."""
    if at.tzinfo is None:
        raise ValueError("a stored time must be aware")
    return (at - _EPOCH) // _MICROSECOND


def moment(stored: int) -> datetime:
    """The inverse of `micros`, in UTC."""
    return _EPOCH + timedelta(microseconds=stored)


def payload_digest(salt: bytes, payload: str) -> str:
    """SHA-256 over salt and canonical payload; the salt keeps an erased payload from being guessed."""
    return hashlib.sha256(salt + payload.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """The part of an event that is hashed. `at` in microseconds since 1970; hashes are lower-case hex."""

    writer: str
    sequence: int
    at: int
    kind: str
    stream: str
    version: int
    actor: str
    payload_digest: str
    prev_hash: str

    def hash(self) -> str:
        """SHA-256 over the canonical JSON array of the fields in order."""
        fields = [
            self.writer,
            self.sequence,
            self.at,
            self.kind,
            self.stream,
            self.version,
            self.actor,
            self.payload_digest,
            self.prev_hash,
        ]
        return hashlib.sha256(canonical(fields).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """Where a writer's chain stands: its last sequence (0 = nothing yet) and hash."""

    writer: str
    sequence: int = 0
    hash: str = GENESIS
