"""Recorded sessions and histories as the console shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from access.errors import HoopError
from access.ids import RequestId, SessionId
from access.masking import Masked
from access.statements import Effect
from app.core import Core
from bot.console.context import LogLine
from bot.kit import Ran
from ledger import views
from ledger.recordings import Recordings
from ledger.replay import Entry, Tail, asciicast, timeline
from ledger.segments import name_of


@dataclass(frozen=True, slots=True)
class Shown:
    """One statement of a recording (`bot.console.context.ReplayEntry`)."""

    entry: Entry

    @property
    def number(self) -> int:
        return self.entry.number

    @property
    def offset(self) -> float:
        return self.entry.at_ms / 1000

    @property
    def statement(self) -> Masked:
        return self.entry.text

    @property
    def verdict(self) -> str:
        return self.entry.verdict

    @property
    def rule(self) -> str:
        return self.entry.rule

    @property
    def message(self) -> str:
        return "; ".join([*self.entry.remarks, *([self.entry.outcome] if self.entry.failed else [])])

    @property
    def request(self) -> str:
        return self.entry.request

    @property
    def tag(self) -> str:
        return "" if self.entry.failed else self.entry.outcome

    @property
    def columns(self) -> Sequence[Masked]:
        return self.entry.columns

    @property
    def rows(self) -> Sequence[Sequence[Masked | None]]:
        return self.entry.rows

    @property
    def total(self) -> int:
        return self.entry.total

    @property
    def seconds(self) -> float | None:
        return None if self.entry.ended_ms is None else (self.entry.ended_ms - self.entry.at_ms) / 1000


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recording for the replay page."""

    timeline: Sequence[Shown]
    asciicast: str


def _ran(entry: Entry) -> Ran:
    refused = entry.verdict == "deny"
    reads = set(entry.effects) == {Effect.READ.value}
    return Ran(entry.text, f"rule {entry.rule}" if refused else entry.outcome, refused, reads)


class Following:
    """A recording from its beginning, as it grows (`bot.console.context.Following`)."""

    def __init__(self, recordings: Recordings, name: str) -> None:
        self._recordings = recordings
        self._name = name
        self._at = 0
        self._tail = Tail()

    async def more(self) -> list[tuple[float, str, str]]:
        """What came since the last call. Raises Unavailable, Invalid."""
        found = await asyncio.to_thread(self._recordings.read_on, self._name, self._at)
        self._at += len(found)
        return await asyncio.to_thread(self._tail.feed, found) if found else []


class Replays:
    """What the console asks for; whoever asks was checked by the console before."""

    def __init__(self, core: Core, recordings: Recordings) -> None:
        self._core = core
        self._recordings = recordings

    async def load(self, id: SessionId) -> Replayed | None:
        """The recording of a session; None when there is none on this node."""
        session = await self._core.store.read(lambda tx: tx.session(id))
        if session is None:
            return None
        try:
            recording = await asyncio.to_thread(self._recordings.read, name_of(session))
        except HoopError:
            return None
        entries = [Shown(entry) for entry in timeline(recording) if entry.number]
        return Replayed(entries, asciicast(recording, title=f"{session.resource} · {session.id}"))

    async def statements(self, id: SessionId) -> list[Ran]:
        """What was asked for in a session, as recorded; nothing when its recording is not on this node."""
        replayed = await self.load(id)
        return [_ran(shown.entry) for shown in replayed.timeline] if replayed else []

    async def follow(self, id: SessionId) -> Following | None:
        """A session's recording as it grows; None when there is none on this node."""
        session = await self._core.store.read(lambda tx: tx.session(id))
        if session is None:
            return None
        following = Following(self._recordings, name_of(session))
        try:
            await following.more()
        except HoopError:
            return None
        return Following(self._recordings, name_of(session))

    async def log(self, id: RequestId) -> list[LogLine]:
        """What happened to a request, in words."""
        lines = await self._core.store.read(lambda tx: views.request_history(tx, id, self._core.name_of))
        return [LogLine(line.at, f"{line.actor} {line.text}".strip()) for line in lines]
