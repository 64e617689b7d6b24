"""What the compiled part knows for certain about the texts of a stream; everything else is left to the detectors.

A stream has no names around its values, so one set of flags (`swift.looks_for`) holds for all of it. Detectors can be
added while it runs (a secret that a step was given), and then nothing is certain any more.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.masking import swift
from proxy.masking.context import NO_CONTEXT
from proxy.masking.detectors import Detectors
from proxy.native import native

#: Bytes of a line that is looked at as one. A stream's masker takes lines of so many characters whole.
LONGEST_LINE = 7_168


class Certain:
    """The compiled part for the texts of one stream. Without it, or where only detectors can tell, every answer is None."""

    def __init__(self, detectors: Detectors) -> None:
        self._detectors = detectors
        self._own: object = None
        self._flags: int | None = None

    @property
    def flags(self) -> int | None:
        """What is to be ruled out; None = nothing can be."""
        if self._own is not self._detectors.own:
            self._own = self._detectors.own
            self._flags = None if native is None else swift.looks_for(self._detectors, NO_CONTEXT)
        return self._flags

    def masked(self, text: str) -> str | None:
        """The masked text."""
        flags = self.flags
        if flags is None:
            return None
        before = text.encode("utf-8", "surrogatepass")
        after = native.look(before, flags)
        if after is None or after is before:
            return None if after is None else text
        self._detectors.noted(1)
        return str(after, "utf-8")

    def spans(self, text: str) -> list[tuple[int, int]] | None:
        """Where something is, as (start, end) in characters."""
        flags = self.flags
        if flags is None or not text.isascii():
            return None
        found = native.spans(text.encode(), flags)
        return None if found is None else list(found)

    def lines(self, text: str, cell: Callable[[str], str], most: int | None = None) -> tuple[str, int] | None:
        """The whole lines of a text, masked, and how many characters they were. What is not certain is asked of `cell`, line by
        line, `most` lines when that is given; where a line is too long or begins a private key, the rest of the text is not looked at."""
        flags = self.flags
        if flags is None:
            return None

        def asked(line: bytes) -> bytes:
            before = line.decode("utf-8", "surrogatepass")
            after = cell(before)
            return line if after is before else after.encode("utf-8", "surrogatepass")

        data = text.encode("utf-8", "surrogatepass")
        masked, consumed, changed = native.mask_lines(data, flags, LONGEST_LINE, most or len(data), asked)
        if changed:
            self._detectors.noted(changed)
        size = consumed if len(data) == len(text) else len(data[:consumed].decode("utf-8", "surrogatepass"))
        return masked.decode("utf-8", "surrogatepass"), size
