"""What is refused because of masking: masks on their way back into a table."""

from __future__ import annotations

from collections.abc import Sequence

from access.statements import Effect
from proxy.gate import Refusal
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
