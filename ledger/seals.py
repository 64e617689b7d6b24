"""Heads of recordings in the ledger: what they say, and whether the files still are what they were."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Any

from access.errors import Invalid, Unavailable
from access.events import RecordingSealed, RecordingsSealed
from ledger.segments import SUFFIX

SEALS = frozenset({RecordingSealed.kind, RecordingsSealed.kind})
#: So many of the recordings that are missing are named; all are counted.
NAMED = 50


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
    """What comparing recordings with their seals found. `missing` are gone and nothing says why, `removed` by policy."""

    recordings: int = 0
    removed: int = 0
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems and not self.missing

    def text(self) -> str:
        """For a person, in lines."""
        lines = [f"recordings: {self.recordings} compared with what was sealed"]
        lines += [f"NOT INTACT: {problem}" for problem in self.problems]
        lines += [f"MISSING: {name} was sealed and is not here" for name in self.missing[:NAMED]]
        more = len(self.missing) - NAMED
        lines += [f"MISSING: and {more} more"] if more > 0 else []
        if self.missing:
            hint = (
                "other nodes' and archived recordings are looked for with --also-in DIR, retention is recordings.keep"
            )
            lines.append(f"{len(self.missing)} missing: {hint}")
        lines += ["intact: every one is what was sealed"] if self.ok else []
        lines += [f"note: {self.removed} recordings are gone by policy: past recordings.keep, or erased on record"] * (
            self.removed > 0
        )
        return "\n".join(lines)


def gone_by_policy(segment: str, erased: Collection[str], keep: timedelta | None, today: date) -> bool:
    """Whether it is right that a recording is not there: past its time, or what its session did was erased on record."""
    path = PurePosixPath(segment)
    if path.name.removesuffix(SUFFIX) in erased:
        return True
    try:
        day = date.fromisoformat(path.parent.name)
    except ValueError:
        return False
    return keep is not None and day < today - keep


def check_all(
    recordings: Iterable[Sequence[Seal]], read: Callable[[str], bytes], gone: Callable[[str], bool] = lambda _: False
) -> Checked:
    """Compare every sealed recording with its heads. `read` raises Invalid for one that is not there, `gone` explains."""
    checked = Checked()
    for seals in recordings:
        name = seals[0].segment
        try:
            data = read(name)
        except Invalid:
            if gone(name):
                checked.removed += 1
            else:
                checked.missing.append(name)
            continue
        except Unavailable as problem:
            checked.problems.append(problem.message)
            continue
        checked.recordings += 1
        checked.problems += check(data, seals)
    return checked
