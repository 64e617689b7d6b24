"""COPY … TO STDOUT: the same masking for text, csv and binary, in whatever chunks the server sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class CopyFormat:
    """The options of one COPY TO that change its bytes (documentation of COPY). `kind` is text, csv or binary."""

    kind: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    escape: str = '"'
    header: bool = False

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> CopyFormat:
        """The format of a statement tree (`{"CopyStmt": …}`). Raises `access.errors.Invalid` on an unknown option."""
        raise NotImplementedError


class CopyPlan(Protocol):
    """Masks one COPY stream. `refuse` is set when the statement must not run at all; then it is the reason to show."""

    refuse: str
    masked: int

    def feed(self, data: bytes) -> bytes:
        """The masked form of the next bytes of CopyData payload (may be empty: a row is not complete yet)."""
        ...

    def finish(self) -> bytes:
        """What is left at CopyDone."""
        ...
