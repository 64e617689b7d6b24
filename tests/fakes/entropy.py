"""Randomness that is the same in every run."""

from __future__ import annotations

import hashlib


class SeededEntropy:
    """Implements `access.ports.Entropy`: every call returns new bytes, the same sequence for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._calls = 0

    def token(self, nbytes: int) -> bytes:
        self._calls += 1
        return hashlib.shake_256(f"{self._seed}:{self._calls}".encode()).digest(nbytes)
