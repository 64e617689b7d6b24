"""Whether events stand where they belong: each stream counts its own, across all writers, and checkpoints say between which times an
event came.

A chain does not say this: who may write to the database can begin a chain of their own, and date what is in it as they like.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from ledger.chain import Link, moment
from ledger.notes import Note

#: So much may the clocks of several gateways differ, and a transaction last.
SKEW = timedelta(minutes=5)


class Order:
    """The state of one verification: first all checkpoints, in order, then all events in order of their positions."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        #: By checkpoint: when it was signed. By writer: (last sequence, checkpoint), as they grew.
        self._when: dict[int, datetime] = {}
        self._covered: dict[str, list[tuple[int, int]]] = {}
        self._at: dict[str, int] = {}
        self._odd: list[tuple[int, str]] = []
        self._backwards: list[Note] = []

    def checkpoint(self, note: Note) -> None:
        """Take a checkpoint, stored or exported; one of a number that is known says nothing new."""
        if note.number in self._when:
            return
        try:
            when = datetime.fromisoformat(note.at)
        except ValueError:
            return
        if when.tzinfo is None:
            return
        before = self._when.get(note.number - 1)
        if before is not None and when < before - SKEW:
            self._backwards.append(note)
        self._when[note.number] = when
        for head in note.moved:
            self._covered.setdefault(head.writer, []).append((head.sequence, note.number))

    def event(self, position: int, link: Link) -> str:
        """What is wrong with the place of an event in its stream; empty when nothing is."""
        last = self._versions.get(link.stream, 0)
        self._versions[link.stream] = max(last, link.version)
        self._timed(position, link)
        if link.version == last + 1:
            return ""
        if link.version <= last:
            return f"it is number {link.version} of its stream and comes after number {last}: events were moved"
        missing = f"numbers {last + 1} to {link.version - 1}" if link.version > last + 2 else f"number {last + 1}"
        return f"{missing} of its stream, before it, was deleted"

    def _timed(self, position: int, link: Link) -> None:
        """Compare its time with the first checkpoint that has it, and the one before that."""
        heads, at = self._covered.get(link.writer, []), self._at.get(link.writer, 0)
        while at < len(heads) and heads[at][0] < link.sequence:
            at += 1
        self._at[link.writer] = at
        number = heads[at][1] if at < len(heads) else max(self._when, default=0) + 1
        when, after, until = moment(link.at), self._when.get(number - 1), self._when.get(number)
        if after is not None and when < after - SKEW:
            self._odd.append(
                (position, f"says {when:%Y-%m-%d %H:%M:%S}Z and was not there at {after:%Y-%m-%d %H:%M:%S}Z")
            )
        elif until is not None and when > until + SKEW:
            self._odd.append((position, f"says {when:%Y-%m-%d %H:%M:%S}Z and was there at {until:%Y-%m-%d %H:%M:%S}Z"))

    def caveats(self) -> list[str]:
        """What the times of events and checkpoints leave open."""
        found = []
        if self._odd:
            position, what = self._odd[0]
            many = f" (and {len(self._odd) - 1} more)" if len(self._odd) > 1 else ""
            found.append(
                f"event {position} {what}{many}: a clock was changed, or it was put in later with another time"
            )
        if self._backwards:
            note = self._backwards[0]
            found.append(
                f"checkpoint {note.number} of {note.at} is dated before the one before it: a clock was set back"
            )
        return found
