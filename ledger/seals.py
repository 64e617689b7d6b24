"""Heads of recordings in the ledger: what they say, and whether the files still are what they were."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from access.errors import Invalid, Unavailable
from access.events import RecordingSealed, RecordingsSealed

SEALS = frozenset({RecordingSealed.kind, RecordingsSealed.kind})


@dataclass(frozen=True, slots=True)
class Seal:
    """Everything of a segment up to `size` bytes has this SHA-256; when `final`, there is nothing behind it."""

    segment: str
    size: int
    head: str
    final: bool = False


def sealed(session: str, seal: Seal, *, cut: int = 0) -> RecordingSealed:
    """The fact of a recording's last head."""
    return RecordingSealed(
        stream=session, actor="gateway", segment=seal.segment, size=seal.size, head=seal.head, final=seal.final, cut=cut
    )


def grown(node: str, seals: Iterable[Seal]) -> RecordingsSealed:
    """The fact of the heads of all recordings of a process that grew."""
    heads: list[list[str | int]] = [[seal.segment, seal.size, seal.head] for seal in seals]
    return RecordingsSealed(stream=f"recordings:{node}", actor="gateway", heads=heads)


def seals_in(kind: str, payload: dict[str, Any] | None) -> Iterator[Seal]:
    """What an event says of recordings; nothing when it was erased, or is about something else."""
    if payload is not None and kind == RecordingSealed.kind:
        yield Seal(payload["segment"], payload["size"], payload["head"], payload["final"])
    elif payload is not None and kind == RecordingsSealed.kind:
        for segment, size, head in payload["heads"]:
            yield Seal(segment, size, head)


def telling(seals: Iterable[Seal], new: Seal) -> tuple[Seal, ...]:
    """Of the heads of one recording those that say all: the greatest made while it grew, and the final ones.

    A later head made while it grew is of all before it. A final one need not be: after a crash it is of what was found on
    the disk, and may be of less than was sealed before.
    """
    every = dict.fromkeys((*seals, new))
    growing = max((seal for seal in every if not seal.final), key=lambda seal: seal.size, default=None)
    return (*(() if growing is None else (growing,)), *(seal for seal in every if seal.final))


def check(data: bytes, seals: Iterable[Seal]) -> list[str]:
    """What in a recording's bytes contradicts the heads the ledger holds of it, in words; empty when nothing does."""
    problems = []
    hashed, at = hashlib.sha256(), 0
    for seal in sorted(seals, key=lambda seal: seal.size):
        if seal.size > len(data):
            problems.append(f"{seal.segment} had {seal.size} bytes when it was sealed, now it has {len(data)}")
            continue
        hashed.update(memoryview(data)[at : seal.size])
        at = seal.size
        if hashed.hexdigest() != seal.head:
            problems.append(f"the first {seal.size} bytes of {seal.segment} are not what was sealed")
        elif seal.final and seal.size != len(data):
            problems.append(f"{seal.segment} was closed with {seal.size} bytes, now it has {len(data)}")
    return problems


@dataclass(slots=True)
class Checked:
    """What comparing recordings with their seals found. `missing` are not on this node: moved away, or somebody else's."""

    recordings: int = 0
    missing: int = 0
    problems: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For a person, in lines."""
        lines = [f"recordings: {self.recordings} compared with what was sealed"]
        lines += [f"NOT INTACT: {problem}" for problem in self.problems] or ["intact: every one is what was sealed"]
        lines += [f"note: {self.missing} recordings are not on this node"] if self.missing else []
        return "\n".join(lines)


def check_all(recordings: Iterable[Sequence[Seal]], read: Callable[[str], bytes]) -> Checked:
    """Compare every sealed recording that is here with its heads. `read` raises Invalid for one that is not."""
    checked = Checked()
    for seals in recordings:
        try:
            data = read(seals[0].segment)
        except Invalid:
            checked.missing += 1
            continue
        except Unavailable as problem:
            checked.problems.append(problem.message)
            continue
        checked.recordings += 1
        checked.problems += check(data, seals)
    return checked
