"""What a command prints: masked on its way, and as records of what was let through. Pure."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from access.masking import declare_masked
from proxy.masking.detectors import Detectors
from proxy.masking.stream import MAX_HELD, StreamMasker
from proxy.recording import Kind, record

#: Text of one command that is kept; what goes on beyond it is counted and hashed.
KEPT_BYTES = 4 * 1024 * 1024


#: Readable text in what is not text: long enough to hold a value.
_READABLE = re.compile(r"[\x20-\x7e]{6,}")


class BinaryMasker:
    """Masks the readable runs in bytes that are no text; everything else passes. Bytes are characters of the same number."""

    def __init__(self, detectors: Detectors) -> None:
        self._detectors = detectors
        self._held = ""

    #: It never leaves anything for later: most of what is no text passes.
    unfinished = False

    def feed(self, text: str, enough: Callable[[], bool] | None = None) -> str:  # noqa: ARG002 - as StreamMasker
        """What can be given out now: all but a run that may go on."""
        text = self._held + text
        ends = _trailing_run(text)
        body, self._held = text[:ends], text[ends:]
        out = self._masked(body)
        if len(self._held) > MAX_HELD:
            run = StreamMasker(self._detectors)
            out += run.feed(self._held)
            self._held = run.held
        return out

    def flush(self) -> str:
        """The masked form of everything held."""
        held, self._held = self._held, ""
        return self._masked(held)

    def _masked(self, text: str) -> str:
        if self._detectors.quiet(text):
            return text
        return _READABLE.sub(
            lambda run: run[0] if self._detectors.quiet(run[0]) else self._detectors.mask_text(run[0]), text
        )


def _trailing_run(text: str) -> int:
    """Where the readable run at the end begins."""
    at = len(text)
    while at and " " <= text[at - 1] <= "~":
        at -= 1
    return at


class Stream:
    """Masks one stream of bytes. Text is UTF-8; from the first byte that is not, every byte is a character of its own,
    so that whatever the detectors leave alone passes unchanged. On a `terminal` only the bytes that are not UTF-8 are."""

    def __init__(
        self, detectors: Detectors, *, terminal: bool = False, enough: Callable[[], bool] | None = None
    ) -> None:
        """`enough` says when others are to have a turn; then `unfinished` is true until an empty piece was fed, maybe several."""
        self._detectors = detectors
        self._enough = enough
        self._masker: StreamMasker | BinaryMasker | None = StreamMasker(detectors) if detectors else None
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape" if terminal else "strict")
        self._encoding = "utf-8"
        self.binary = False
        #: Something is held back until its line ends.
        self.holding = False

    @property
    def unfinished(self) -> bool:
        """More could be let through at once: `feed(b"")` goes on."""
        return self._masker is not None and self._masker.unfinished

    def feed(self, data: bytes) -> bytes:
        """What can be let through now."""
        if self._masker is None:
            self.binary = self.binary or (b"\0" in data and not self._terminal)
            return data
        self.holding = True
        if self.binary:
            return self._bytes(self._masker.feed(data.decode("latin-1")))
        text, rest = self._decoded(data)
        out = self._bytes(self._masker.feed(text, None if rest else self._enough))
        if rest:
            out += self._to_binary() + self.feed(rest)
        return out

    def _decoded(self, data: bytes) -> tuple[str, bytes]:
        """The text, and what comes from the first byte on that is none: where that is does not depend on the pieces."""
        pending = self._decoder.getstate()[0]
        try:
            text, rest = self._decoder.decode(data), b""
        except UnicodeDecodeError as problem:
            data, pending = pending + data, b""
            text, rest = data[: problem.start].decode(), data[problem.start :]
        at = -1 if self._terminal else text.find("\0")
        if at >= 0:
            text = text[:at]
            rest = (pending + data)[len(text.encode()) :]
        return text, rest

    def flush(self, *, final: bool = False) -> bytes:
        """What was held back: the source pauses or is over. Bytes of an unfinished character wait for the rest."""
        self.holding = False
        if self._masker is None:
            return b""
        out = self._bytes(self._masker.flush())
        if final and not self.binary and (pending := self._decoder.getstate()[0]):
            out += pending
        return out

    def _bytes(self, text: str) -> bytes:
        return text.encode(self._encoding, "surrogateescape" if self._terminal else "replace")

    def _to_binary(self) -> bytes:
        out = self.flush()
        self.binary, self._encoding = True, "latin-1"
        self._masker = BinaryMasker(self._detectors)
        return out


@dataclass(slots=True)
class Tape:
    """Records of one command's output. `number` is the statement's; streams are `o` (output) and `e` (errors)."""

    number: int
    limit: int = KEPT_BYTES
    kept: int = 0
    size: int = 0
    lines: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)
    _hashed_only: int = 0

    def take(self, stream: str, data: bytes, at_ms: int, *, binary: bool) -> bytes | None:
        """The record of output that is let through; None when it is only counted."""
        self.size += len(data)
        self.lines += data.count(b"\n")
        self._hash.update(data)
        if binary or self.kept + len(data) > self.limit:
            self._hashed_only += len(data)
            return None
        self.kept += len(data)
        text = declare_masked(data.decode("utf-8", "replace"))
        return record(Kind.OUTPUT, at_ms, self.number, {"stream": stream, "text": text})

    def end(self, at_ms: int, tag: str, masked: int) -> list[bytes]:
        """The last records: how much there was, and how it ended."""
        done = record(Kind.DONE, at_ms, self.number, {"tag": tag, "rows": self.lines, "masked": masked})
        if not self._hashed_only:
            return [done]
        counted = {"direction": "out", "bytes": self.size, "sha256": self._hash.hexdigest()}
        return [record(Kind.COPY, at_ms, self.number, counted), done]
