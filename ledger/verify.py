"""Is the ledger what it was? Walks every chain and names the first event that is not, in words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Row, select

from access.errors import Invalid, Unavailable
from access.events import PayloadsErased
from ledger import tables
from ledger.chain import Head, Link, payload_digest
from ledger.checkpoints import heads_from
from ledger.engines import DATABASE_ERRORS, open_engine, translate
from ledger.journal import EVENTS
from ledger.notes import Note, is_signed_by, parse_notes, root_of
from ledger.order import Order
from ledger.seals import SEALS, Seal, seals_in, telling

MANY = 100
_CHECKPOINTS = select(tables.checkpoint).order_by(tables.checkpoint.c.number)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not what it was. `position` is 0 when no stored event can be pointed at."""

    what: str
    position: int = 0
    kind: str = ""
    stream: str = ""

    def __str__(self) -> str:
        if not self.position:
            return self.what
        return f"event {self.position} ({self.kind} of {self.stream}): {self.what}"


@dataclass(slots=True)
class VerifyReport:
    """What was checked and what was found. `caveats` say what could not be checked."""

    events: int = 0
    writers: int = 0
    erased: int = 0
    checkpoints: int = 0
    exported: int = 0
    problems: list[Problem] = field(default_factory=list)
    #: The heads of each recording that say all (`seals.telling`).
    seals: dict[str, tuple[Seal, ...]] = field(default_factory=dict)
    #: What was erased as a whole, on record: requests, grants, sessions.
    erased_streams: set[str] = field(default_factory=set)
    caveats: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def first_bad(self) -> Problem | None:
        """The problem at the lowest position; what no event stands for (a cut tail) comes last."""
        return min(self.problems, key=lambda problem: problem.position or float("inf"), default=None)

    def text(self) -> str:
        """The report for a person."""
        checked = f"{self.events} events of {self.writers} writers, {self.checkpoints} checkpoints"
        checked += f" ({self.exported} in the exported file)" if self.exported else ""
        lines = [f"ledger: {checked}, {self.erased} payloads erased by policy"]
        if self.first_bad is None:
            lines.append("intact: every event is what it was when it was recorded")
        else:
            lines.append(f"NOT INTACT, first bad: {self.first_bad}")
            others = [problem for problem in self.problems if problem is not self.first_bad]
            lines += [f"also: {problem}" for problem in others[:MANY]]
            lines += [f"and {len(others) - MANY} more"] if len(others) > MANY else []
        return "\n".join([*lines, *(f"note: {caveat}" for caveat in self.caveats)])


def verify(url: str, *, public_key: bytes | None = None, exported: Path | None = None) -> VerifyReport:
    """Check the store at `url`, with the checkpoint file `exported` when given. Blocking; reads one snapshot.

    Raises Unavailable when the store can not be read, Invalid when the key or the URL is not one.
    """
    engine = open_engine(url, read_only=True)
    try:
        with engine.begin() as connection:
            return verify_connection(connection, public_key=public_key, exported=exported)
    except DATABASE_ERRORS as error:
        raise translate(error, engine.url.render_as_string(hide_password=True)) from error


def verify_connection(
    connection: Connection, *, public_key: bytes | None = None, exported: Path | None = None
) -> VerifyReport:
    """The same on an open connection."""
    check = _Check(None if public_key is None else _key(public_key))
    check.checkpoints(connection)
    if exported is None:
        check.report.caveats.append("no exported checkpoints were given: a cut tail would not be seen")
    else:
        check.exported(exported)
    for row in connection.execute(
        EVENTS.execution_options(yield_per=1000)
    ):  # of the statement: a connection would keep it
        check.event(row)
    check.finish()
    return check.report


def _key(raw: bytes) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise Invalid("A checkpoint key has 32 bytes.", field="public_key") from None


class _Check:
    """The state of one verification."""

    def __init__(self, key: Ed25519PublicKey | None) -> None:
        self.report = VerifyReport()
        self._key = key
        self._heads: dict[str, Head] = {}
        self._claims: dict[tuple[str, int], tuple[str, str]] = {}
        self._missing: list[tuple[str, int, Problem]] = []
        self._erased: dict[str, list[tuple[int, int]]] = {}
        self._notes: dict[int, Note] = {}
        self._order = Order()
        if key is None:
            self.report.caveats.append("no public key was given: signatures of checkpoints were not checked")

    def checkpoints(self, connection: Connection) -> None:
        """Read the stored checkpoints: each is signed, follows the one before and binds all heads."""
        heads: dict[str, Head] = {}
        previous: Note | None = None
        for row in connection.execute(_CHECKPOINTS):
            self.report.checkpoints += 1
            try:
                note = parse_notes(row.note)[0]
            except (Invalid, IndexError):
                self._bad(f"checkpoint {row.number} can not be read: it was changed")
                continue
            heads |= {head.writer: head for head in note.moved}
            if row.number != note.number or heads_from(row.heads) != heads or note.root != root_of(heads):
                self._bad(f"checkpoint {row.number} does not say what it was signed for: it was changed")
            self._note(note, previous, f"checkpoint {note.number}")
            self._notes[note.number] = previous = note

    def exported(self, path: Path) -> None:
        """Read the exported file: it must hold what the database holds, and nothing the database lost."""
        try:
            notes = parse_notes(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"The checkpoint file {path} can not be read: {error}.") from error
        previous: Note | None = None
        for note in notes:
            self.report.exported += 1
            where = f"exported checkpoint {note.number}"
            stored = self._notes.get(note.number)
            if stored is None:
                self._bad(f"{where} of {note.at} is not in the database: checkpoints were deleted there")
            elif stored.body() != note.body():
                self._bad(f"{where} of {note.at} differs from the one in the database")
            self._note(note, previous, where)
            previous = note
        self._lagging(previous)

    def _lagging(self, last: Note | None) -> None:
        """Say what an exported file leaves open that holds nothing, or ends before the database's own checkpoints."""
        newer = sum(last is not None and number > last.number for number in self._notes)
        if last is None:
            said = "the exported file holds no checkpoint: a cut tail would not be seen"
        elif newer > 1:  # one may be on its way into the file
            said = f"{newer} checkpoints are only in the database, the exported file ends at {last.at}: a tail cut after that"
            said += " would not be seen"
        else:
            return
        self.report.caveats.append(said)

    def _note(self, note: Note, previous: Note | None, where: str) -> None:
        if self._key is not None and not is_signed_by(note, self._key):
            self._bad(f"{where} is not signed by the given key")
        if note.previous != ("" if previous is None else previous.digest()):
            self._bad(f"{where} does not follow the checkpoint before it: one was changed or removed")
        for head in note.moved:
            self._claims.setdefault((head.writer, head.sequence), (head.hash, f"{where} of {note.at}"))
        self._order.checkpoint(note)

    def event(self, row: Row[Any]) -> None:
        """Check one event against its own hash, its predecessor, its payload and the checkpoints."""
        self.report.events += 1
        before = self._heads.get(row.writer, Head(row.writer))
        if row.sequence != before.sequence + 1:
            self._bad(_gap(before, row), row)
        elif row.prev_hash != before.hash:
            self._bad("it does not follow the event before it: its previous hash differs", row)
        link = _link(row)
        if link.hash() != row.hash:
            self._bad("it does not match its own hash: its time, kind, stream, actor or hash was changed", row)
        self._payload(row)
        claimed, where = self._claims.pop((row.writer, row.sequence), (row.hash, ""))
        if claimed != row.hash:
            self._bad(f"{where} signed another hash for it: the chain was rewritten", row)
        self._heads[row.writer] = Head(row.writer, row.sequence, row.hash)
        if misplaced := self._order.event(row.position, link):
            self._bad(misplaced, row)

    def _payload(self, row: Row[Any]) -> None:
        if row.payload is None:
            what = "its payload is gone and no event says that it was erased"
            self._missing.append((row.writer, row.sequence, _problem(what, row)))
        elif payload_digest(row.salt, row.payload) != row.payload_digest:
            self._bad("its payload is not the one that was recorded: the digest differs", row)
        elif row.kind == PayloadsErased.kind:
            self.report.erased_streams.add(row.stream)
            for writer, pairs in json.loads(row.payload)["events"].items():
                self._erased.setdefault(writer, []).extend((first, last) for first, last in pairs)
        elif row.kind in SEALS:
            for seal in seals_in(row.kind, json.loads(row.payload)):
                self.report.seals[seal.segment] = telling(self.report.seals.get(seal.segment, ()), seal)

    def finish(self) -> None:
        """What can be said only at the end: erasures and cut tails."""
        for writer, sequence, problem in self._missing:
            if any(first <= sequence <= last for first, last in self._erased.get(writer, ())):
                self.report.erased += 1
            else:
                self.report.problems.append(problem)
        for (writer, sequence), (_, where) in self._claims.items():
            there = self._heads.get(writer, Head(writer)).sequence
            if there < sequence:
                lost = f"events {there + 1} to {sequence}" if there + 1 < sequence else f"event {sequence}"
                self._bad(f"the end of the chain of writer {writer} was cut off: {where} saw {lost}, gone now")
        self.report.writers = len(self._heads)
        self.report.caveats += self._order.caveats()
        self.report.problems.sort(key=lambda problem: problem.position or float("inf"))

    def _bad(self, what: str, row: Row[Any] | None = None) -> None:
        self.report.problems.append(Problem(what) if row is None else _problem(what, row))


def _problem(what: str, row: Row[Any]) -> Problem:
    return Problem(what, row.position, row.kind, row.stream)


def _link(row: Row[Any]) -> Link:
    return Link(**{name: getattr(row, name) for name in Link.__slots__})


def _gap(before: Head, row: Row[Any]) -> str:
    if row.sequence <= before.sequence:
        return f"it comes after event {before.sequence} of its writer but is number {row.sequence}: events were moved"
    first, last = before.sequence + 1, row.sequence - 1
    missing = f"events {first} to {last}" if first < last else f"event {first}"
    return f"{missing} of its writer ({row.writer}), right before it, was deleted"
