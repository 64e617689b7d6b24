"""Masking of a text that arrives in chunks: terminals, logs, server-sent events.

A match never goes over the end of a line, except a private key, whose lines are followed until its last. So a line is
held until it ends, and no more than `MAX_HELD` characters of it: the output is the same for any chunking of the same
text. `flush` gives out what is held when the source pauses (a prompt without a line end).

Lines that are there go through the compiled part first, many at once (`certain.py`); it gives the same text as the
detectors, which are asked about the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from access.masking import Masked, declare_masked
from proxy.masking.ansi import mask_through
from proxy.masking.certain import LONGEST_LINE, Certain
from proxy.masking.context import NO_CONTEXT
from proxy.masking.detectors import Detectors
from proxy.masking.strategies import REDACTED

#: Characters of an unfinished line that are held back.
MAX_HELD = 8_192
#: A longer line is cut before so many of them, and the cut is looked for in the zone before that: the rest is needed
#: to see whether a match goes on behind the cut.
_AHEAD = MAX_HELD - LONGEST_LINE
_CUT_ZONE = 1_024
#: Words so far before a match may be why it is one.
_WORDS_BEFORE = 48
#: From this many characters on it is worth to look at many lines at once first.
_BLOCK = 2_048
#: Lines that only the detectors can tell, before it is asked whether that was enough for now (a line takes up to a third of a millisecond).
_ASKED = 2

_LINE_END = re.compile(r"[\n\r]")
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


class StreamMasker:
    """Masks one stream. Feed it text in any pieces; what comes back, joined, is the masked text."""

    def __init__(self, detectors: Detectors) -> None:
        self._detectors = detectors
        self._certain = Certain(detectors)
        self._held = ""
        self._in_key = False
        #: Text waits that could be looked through at once: `feed("")` goes on with it.
        self.unfinished = False
        self._follow_keys = "secret" in detectors.strategies

    def feed(self, text: str, enough: Callable[[], bool] | None = None) -> Masked:
        """The masked form of what can be given out now (often nothing: the line is not complete). When `enough` says so, the rest
        of it is left for later; nothing may be fed before that but an empty text."""
        self._held += text
        self.unfinished = False
        at = self._quiet_end()
        out = [self._held[:at]]
        while True:
            lines, size = self._lines(at, None if enough is None else _ASKED)
            out.append(lines)
            at += size
            end = self._segment_end(at)
            if end == at:
                break
            out.append(self._masked(self._held[at:end]))
            at = end
            if enough is not None and enough():
                self.unfinished = True
                break
        self._held = self._held[at:]
        return declare_masked("".join(out))

    @property
    def held(self) -> str:
        """What waits for more."""
        return self._held

    def flush(self) -> Masked:
        """The masked form of everything held. What follows is looked at as the start of a new line."""
        before = self.feed("") if self.unfinished else ""
        held, self._held = self._held, ""
        return declare_masked(before + (self._masked(held) if held else ""))

    def _lines(self, start: int, most: int | None) -> tuple[str, int]:
        """The lines from `start` that the compiled part takes, masked, and how long they were."""
        if self._in_key:
            return "", 0
        end = max(self._held.rfind("\n", start), self._held.rfind("\r", start)) + 1
        if not end:
            return "", 0
        return self._certain.lines(self._held[start:end], self._plain, most) or ("", 0)

    def _quiet_end(self) -> int:
        """The end of what need not be looked at line by line: whole lines, or most of a long one, without any sign."""
        held = self._held
        if len(held) < _BLOCK or self._in_key or "\x1b" in held:
            return 0
        end = max(held.rfind("\n"), held.rfind("\r")) + 1
        if end and self._certain.flags is not None:
            return 0
        if not end and len(held) > MAX_HELD:
            # Whatever begins before the part that is kept would have shown a sign in it.
            return len(held) - _AHEAD if self._detectors.quiet(held) else 0
        return end if end and self._detectors.quiet(held[:end]) else 0

    def _segment_end(self, start: int) -> int:
        """The end of the next piece that can be masked on its own; `start` itself when there is none yet.

        It depends only on the text from `start`, never on how it arrived.
        """
        limit = start + MAX_HELD
        end = _LINE_END.search(self._held, start, limit)
        if end is not None and end.end() - start <= MAX_HELD - _AHEAD:
            return end.end()
        if end is None and len(self._held) < limit:
            return start
        return start + self._cut(self._held[start : limit if end is None else end.end()])

    def _cut(self, piece: str) -> int:
        """Where to cut a line that is too long: at a space, never inside a match nor between it and the words before it."""
        most = MAX_HELD - _AHEAD
        space = piece.rfind(" ", most - _CUT_ZONE, most)
        cut = space + 1 if space >= 0 else most
        spans = self._spans(piece)
        earlier = cut
        for start, end in reversed(spans):
            if start - _WORDS_BEFORE < earlier < end:
                earlier = start - _WORDS_BEFORE
        if earlier > 0:
            return earlier
        for start, end in spans:
            if start < cut < end:
                return start or min(end, len(piece))
        return cut

    def _spans(self, piece: str) -> list[tuple[int, int]]:
        found = self._certain.spans(piece)
        if found is not None:
            return found
        try:
            return [(span.start, span.end) for span in self._detectors.find(piece, NO_CONTEXT)]
        except Exception:  # noqa: BLE001 - the detector that failed is noted; the pieces will be redacted
            return []

    def _plain(self, text: str) -> str:
        masked = None if "\x1b" in text else self._certain.masked(text)
        return mask_through(self._detectors.mask_text, text) if masked is None else masked

    def _masked(self, segment: str) -> str:
        """One line or piece of a line; the lines of a private key are one mask at its beginning."""
        if not self._follow_keys:
            return self._plain(segment)
        if self._in_key:
            end = _KEY_ENDS.search(segment)
            if end is None:
                return ""
            self._in_key = False
            return self._masked(segment[end.end() :])
        begin = _KEY_BEGINS.search(segment)
        if begin is None:
            return self._plain(segment)
        before = self._plain(segment[: begin.start()])
        self._in_key = True
        return before + REDACTED + self._masked(segment[begin.end() :])
