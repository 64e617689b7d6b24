"""The only place that reads the machine's clock and randomness (rule 9); everything else is given these."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime


class SystemClock:
    """`access.ports.Clock` of the machine."""

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return datetime.now(UTC)

    #: Seconds that never go back; Unix time in seconds. Without a frame of Python: they are asked for at every query.
    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


class SystemEntropy:
    """`access.ports.Entropy` of the operating system."""

    def token(self, nbytes: int) -> bytes:
        """`nbytes` cryptographically strong random bytes."""
        return secrets.token_bytes(nbytes)
