"""What a terminal shows: masked on its way to the person, without making their typing slow, and kept for the record. Pure.

A line is masked when it ends, or when the program pauses. But what a person types comes back from the target as single
characters of a line that has not ended, and must be on their screen at once. So each byte typed pays for a few bytes of
output that may pass as they are (an echo); Enter ends that, so that nothing a command prints does. The record never has
an echo as it is: its line is masked whole, once it ends or the person stops typing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from access.masking import declare_masked
from proxy.recording import Kind, record
from proxy.ssh.messages import Size, Terminal
from proxy.ssh.output import Stream

#: Bytes of echo that one typed byte may bring, and most at once.
CREDIT, CREDIT_MAX = 8, 256
#: How long typing pays for, in seconds.
CREDIT_SECONDS = 0.25
#: A pause after which an unfinished line is shown, in seconds. A prompt is one.
PAUSE_SECONDS = 0.015
#: A pause after which typing that was not finished is recorded, in seconds.
TYPED_SECONDS = 0.5


@dataclass(slots=True)
class Echo:
    """What typing pays for. Times are monotonic, in seconds."""

    left: int = 0
    until: float = 0.0

    def typed(self, data: bytes, now: float) -> None:
        """The person typed: whatever came before does not count any more after an Enter."""
        if b"\r" in data or b"\n" in data:
            self.left = 0
            return
        self.left = min(CREDIT_MAX, (self.left if now < self.until else 0) + CREDIT * len(data))
        self.until = now + CREDIT_SECONDS

    def pays(self, data: bytes, now: float) -> bool:
        """Whether this output may pass as it is."""
        if now >= self.until or len(data) > self.left or b"\n" in data:
            return False
        self.left -= len(data)
        return True


@dataclass(slots=True)
class Screen:
    """One terminal's output. `shown` masks what the person sees, `kept` what is recorded; both see every byte."""

    shown: Stream
    kept: Stream
    echo: Echo = field(default_factory=Echo)
    #: Echo is in `kept` that was not recorded yet.
    owing: bool = False

    def feed(self, data: bytes, now: float) -> tuple[bytes, bytes]:
        """(What can be shown now, what is to be recorded before that)."""
        if self.echo.pays(data, now):
            before = self.shown.flush()
            record_first = b"" if self.owing else self.kept.flush()
            self.owing = True
            return before + data, record_first + self.kept.feed(data)
        record_first = self.kept.feed(data)
        if record_first:
            self.owing = False
        return self.shown.feed(data), record_first

    @property
    def holding(self) -> bool:
        """Something waits to be shown."""
        return self.shown.holding

    def pause(self) -> tuple[bytes, bytes]:
        """As `feed`, when the program says nothing for a moment."""
        return self.shown.flush(), b"" if self.owing else self.kept.flush()

    def settle(self, *, final: bool = False) -> tuple[bytes, bytes]:
        """As `feed`, when nothing was typed for a while, or at the end."""
        self.owing = False
        return self.shown.flush(final=final), self.kept.flush(final=final)


def opened(terminal: Terminal, at_ms: int, number: int) -> bytes:
    """The record of a terminal that was opened."""
    size = terminal.size
    data = {"type": declare_masked(terminal.type), "columns": size.columns, "rows": size.rows}
    return record(Kind.TERMINAL, at_ms, number, data)


def resized(size: Size, at_ms: int, number: int) -> bytes:
    """The record of a terminal that changed its size."""
    return record(Kind.RESIZE, at_ms, number, {"columns": size.columns, "rows": size.rows})
