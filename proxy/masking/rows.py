"""Rewrites DataRow messages by a plan that was made once per result."""

from __future__ import annotations


class RowPlan:
    """How the rows of one result are rewritten. `masked` counts replaced values."""

    masked: int = 0

    def rewrite(self, frames: bytes | bytearray | memoryview) -> bytes:
        """Whole DataRow messages ('D', Int32 length, Int16 count, fields) in; the same number of messages out.

        Never raises: what cannot be read as a row of this result leaves as a row of NULLs.
        """
        raise NotImplementedError
