"""What is refused because of masking: masks on their way back into a table, and tests of protected columns."""

from __future__ import annotations

from collections.abc import Sequence

from access.statements import Effect
from proxy.admission import Refusal
from proxy.masking.plan import Masker
from proxy.masking.strategies import looks_masked
from proxy.postgres.reading import Reading

_READ_ONLY = frozenset({Effect.READ})
#: Bytes kept of one piece of COPY data, so that a mask cut in two by a message is still seen. No mask is longer.
_TAIL = 64

WRITTEN_BACK = Refusal(
    "this is a masked value: writing it would destroy the real one",
    "What the gateway shows in place of protected data cannot be stored.",
    "Leave the masked columns out of the change, or write the real value.",
)


def refused(reading: Reading, masker: Masker, values: Sequence[bytes | None] = ()) -> Refusal | None:
    """Everything masking refuses about a text and the values it is bound with."""
    return _tests(reading) or mask_written_back(reading, masker, values)


def _tests(reading: Reading) -> Refusal | None:
    """Strict mode: rows that are chosen, grouped or sorted by a protected column tell its values one question at a time."""
    tested = next((part.tested for part in reading.parts if part.tested), ())
    if not tested:
        return None
    what = "what cannot be traced to columns" if "?" in tested else ", ".join(tested)
    return Refusal(
        f"this statement tests {what}",
        "Protected columns of this resource may not decide which rows are shown, nor in which order.",
        "Find the rows by other columns: an id, a date, a status.",
    )


def mask_written_back(reading: Reading, masker: Masker, values: Sequence[bytes | None] = ()) -> Refusal | None:
    """The refusal of a change with a mask in a literal or a bind value; None when there is none."""
    if reading.judged.combined.effects <= _READ_ONLY:
        return None
    return WRITTEN_BACK if masker.carries_mask(reading.text, values) else None


class CopyWatch:
    """Looks for masks in what a client sends during COPY FROM STDIN, whatever the format."""

    def __init__(self) -> None:
        self._tail = b""

    def found(self, data: bytes) -> bool:
        """Whether a mask ends in this piece."""
        seen = self._tail + data
        self._tail = seen[-_TAIL:]
        return (b"*" in seen or "«".encode() in seen) and looks_masked(seen.decode("utf-8", "replace"))
