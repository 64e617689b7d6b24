"""The rows of a result as a recording keeps them: walked, read as text, packed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct

from proxy.native import native
from proxy.postgres.messages import Field
from proxy.postgres.values import kept_row
from proxy.recording import VALUE_KEPT, packed

_LENGTH = Struct(">I").unpack_from


def each_row(frames: bytes, at: int, most: int, columns: Sequence[Field]) -> Iterator[bytes]:
    """The first `most` DataRows of a run of them that starts at `at`, each as a packed list of texts.

    The frames are what the client sees, so they are masked.
    """
    while at < len(frames) and most > 0:
        behind = at + 1 + _LENGTH(frames, at + 1)[0]
        yield packed(kept_row(frames[at:behind], columns))
        at = behind
        most -= 1


def kept_values(rows: bytes, columns: Sequence[Field]) -> bytes:
    """All of a run of DataRows as `each_row` packs them, one behind the other."""
    if native is not None and not any(column.format for column in columns):
        quick: bytes | None = native.pack_texts(rows, VALUE_KEPT)
        if quick is not None:
            return quick
    return b"".join(each_row(rows, 0, len(rows), columns))
