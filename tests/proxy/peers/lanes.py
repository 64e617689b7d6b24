"""The short way in C and in Python over random sessions: known reads, damaged bytes both ways, in any pieces.

Both must show both sides the same bytes and record the same facts, whatever was sent; so must a session that knows no
short way, as far as bytes go.
"""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, ClassVar

from access.errors import Unavailable
from access.scopes import Read, Write
from ledger import segments
from proxy import express as express_module
from proxy import native as native_module
from proxy.express import Moves
from proxy.postgres import messages as m
from proxy.recording import unpack
from tests.proxy.playbook import (
    BOUND,
    BROKEN,
    IDLE,
    OPEN,
    PARSED,
    Play,
    bind,
    complete,
    described,
    execute,
    failed,
    row,
)

_TEXTS = ("SELECT id, secret FROM t", "SELECT 1", "SELECT secret FROM t", "BEGIN", "ROLLBACK", "DELETE FROM t", "é", "")
_NAMES = (("id", "secret"), ("id",), ("secret",), (), ("ID", "ä"))
_VALUES = (b"1", b"2", b"7", None, b"", b"\xff", b"\n", b"\0", b"\xc3\xa9", b"x" * 300, b"x" * 2801, b"a@example.com")
_ENDS = (IDLE, IDLE, IDLE, OPEN, BROKEN)
_LENGTHS = (0, 1, 3, 4, 5, 6, 0x7FFF, 0x8000, 2**31 - 1, 2**31, 2**32 - 5, 2**32 - 1)


@dataclass
class Tally:
    """What was compared. `short` answers went the short way in C, `wired` of them from socket to socket."""

    sessions: int = 0
    steps: int = 0
    short: int = 0
    wired: int = 0
    damaged: int = 0
    differences: list[str] = field(default_factory=list)


class Compiled(Play):
    """The short way in C."""

    compiled: ClassVar[bool] = True


class Long(Play):
    """Without a short way."""

    def perform(self) -> Play:
        self.conversation.lane.exact.clear()
        self.conversation.lane.alike.clear()
        return super().perform()


class Wire:
    """A socket in a poller and what its peer hears; ours has hardly any room, and a transport that keeps the rest."""

    def __init__(self, poller: Any, *, answers: bool) -> None:
        self.ours, self.theirs = socket.socketpair()
        for one in (self.ours, self.theirs):
            one.setblocking(False)
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        self.queue = bytearray()
        self.end = poller.add(
            self.ours.fileno(), self.queue.extend, int, self.raised, self.queue.extend, lambda: len(self.queue), answers
        )
        self.end.resume()

    def raised(self, problem: BaseException) -> None:
        raise AssertionError from problem

    def heard(self) -> bytes:
        """All that was written since the last look."""
        heard = b""
        while True:
            with suppress(BlockingIOError):
                heard += self.theirs.recv(1 << 20)
                continue
            if not self.queue:
                return heard
            del self.queue[: self.ours.send(self.queue)]

    def close(self) -> None:
        self.end.leave()
        self.ours.close()
        self.theirs.close()


class Wired(Play):
    """The short way from socket to segment to socket: all of it in C."""

    compiled: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.poller = native_module.ends.Poller()
        self.wires = Wire(self.poller, answers=False), Wire(self.poller, answers=True)
        self.segment, self.read = os.memfd_create("segment"), 0
        self.ink = native_module.short_way.Pen(self.segment, 1 << 20, int, self.raised)
        self.ink.quiet = True
        super().__post_init__()

    def raised(self, problem: object) -> None:
        raise AssertionError(problem)

    def moves(self) -> Moves:
        ours, theirs = (one.end for one in self.wires)
        return replace(super().moves(), pen=self.ink, forward=theirs.write, reply=ours.write)

    def client(self, *frames: bytes) -> Play:
        return self.came(0, self.express.client, b"".join(frames))

    def upstream(self, *frames: bytes) -> Play:
        return self.came(1, self.express.upstream, b"".join(frames))

    def came(self, side: int, receiver: Callable[[bytes], object], data: bytes) -> Play:
        """In one piece, as a turn of the poller receives it."""
        wire = self.wires[side]
        wire.end.hand_to(receiver)
        while data:
            data = data[wire.theirs.send(data) :]
            if data:
                raise AssertionError("a piece has no room in a socket")
            self.poller.turn()
        return self.perform()

    def perform(self) -> Play:
        self.ink.flush()
        written = os.pread(self.segment, self.ink.size, self.read)
        self.read += len(written)
        self.records += [unpack(one) for one in segments.parse(segments.MAGIC + written).records]
        self.to_client += self.wires[0].heard()
        self.to_upstream += self.wires[1].heard()
        return super().perform()

    def close(self) -> None:
        for one in self.wires:
            one.close()
        self.poller.close()
        os.close(self.segment)


def _value(dice: random.Random) -> str | None:
    return dice.choice(
        (None, "", "1", "hush", "a@example.com", "ä\U0001f600", "x" * dice.choice((31, 32, 255, 256, 3000)))
    )


def _answer(dice: random.Random, begins: bytes, names: tuple[str, ...]) -> bytes:
    """A small result, mostly as it should be."""
    names = names if dice.random() < 0.95 else dice.choice(_NAMES)
    form = int(dice.random() < 0.03)
    head = b"" if dice.random() < 0.05 else described(*names, form=form)
    width = len(names) if dice.random() < 0.97 else dice.randrange(4)
    rows = [row(*(_value(dice) for _ in range(width))) for _ in range(dice.choice((0, 1, 1, 2, 5, 60)))]
    tag = complete(dice.choice((f"SELECT {len(rows)}", f"SELECT {len(rows)}", "é", "", "x" * 200, "SELECT 4294967296")))
    end = dice.choice(_ENDS) if dice.random() < 0.2 else IDLE
    whole = begins + head + b"".join(rows) + tag + end
    match dice.randrange(60):
        case 0:
            return begins + failed() + end
        case 1:
            return m.parameter_status("TimeZone", "UTC") + whole
        case 2:
            return whole + m.parameter_status("TimeZone", "UTC")
        case 3:
            return begins + head + b"".join(rows) + failed() + end
        case 4:
            return whole + whole
        case 5:
            return begins + tag + end
    return whole


@dataclass(frozen=True)
class Asked:
    """A question that comes again and again, each time with other values; `begins` is what its answer begins with."""

    before: bytes
    values: int = 0
    behind: bytes = b""
    results: tuple[int, ...] = ()
    begins: bytes = b""

    def data(self, dice: random.Random) -> bytes:
        if not self.behind:
            return self.before
        values = [dice.choice((*_VALUES, dice.randbytes(4))) for _ in range(self.values)]
        return self.before + bind("", "", values, self.results) + self.behind


def _batch(dice: random.Random, *, describes: bool) -> Asked:
    """A series of messages."""
    parses = dice.random() < 0.8
    before = m.parse("", dice.choice(_TEXTS[:3])) if parses else b""
    behind = (m.describe("P", "") if describes else b"") + execute() + m.SYNC_MESSAGE
    results = dice.choice(((), (), (0,), (1,)))
    return Asked(before, dice.choice((0, 0, 1, 1, 2, 17)), behind, results, (PARSED if parses else b"") + BOUND)


def _damaged(data: bytes, dice: random.Random) -> bytes:
    """A byte or a length changed, something cut out, doubled or put in."""
    if not data:
        return dice.randbytes(dice.randrange(9))
    at = dice.randrange(len(data))
    match dice.randrange(7):
        case 0:
            return data[:at] + dice.randbytes(1) + data[at + 1 :]
        case 1:
            return data[:at] + struct.pack(">I", dice.choice(_LENGTHS)) + data[at + 4 :]
        case 2:
            return data[:at]
        case 3:
            return data[:at] + data[at + dice.randrange(1, 9) :]
        case 4:
            return data[:at] + data[max(0, at - dice.randrange(1, 40)) :]
        case 5:
            return data[:at] + dice.randbytes(dice.randrange(1, 9)) + data[at:]
    near = [i for i, one in enumerate(data) if one in b"TDCZ12" and i + 5 <= len(data)] or [0]
    at = dice.choice(near)  # a length, most likely
    old = int.from_bytes(data[at + 1 : at + 5], "big")
    new = dice.choice((*_LENGTHS, max(0, old - 1), old + 1, old + 5)) & 0xFFFFFFFF
    return data[: at + 1] + struct.pack(">I", new) + data[at + 5 :]


def _chunks(data: bytes, dice: random.Random, often: float) -> list[bytes]:
    """Mostly whole: only that is for the short way."""
    if dice.random() >= often or len(data) < 2:
        return [data] if data else []
    most = dice.choice((1, 7, len(data)))
    parts, at = [], 0
    while at < len(data):
        size = dice.randrange(1, most + 1) if most > 1 else 1
        parts.append(data[at : at + size])
        at += size
    return parts if len(parts) < 400 else [data]


def script(dice: random.Random, tally: Tally, *, describes: bool) -> list[tuple[str, bytes]]:
    """Who says what. A few questions come again and again: the short way is for those."""
    few = [
        (_batch(dice, describes=describes) if dice.random() < 0.5 else Asked(m.query(dice.choice(_TEXTS[:3]))), dice.choice(_NAMES))
        for _ in range(2)
    ]  # fmt: skip
    hurt, cut = dice.choice((0.0, 0.05, 0.3)), dice.choice((0.0, 0.1, 0.4))
    said: list[tuple[str, bytes]] = []
    for _ in range(dice.randrange(4, 14)):
        asked, names = dice.choice(few) if dice.random() < 0.9 else (Asked(m.query(dice.choice(_TEXTS))), _NAMES[0])
        ask, answer = asked.data(dice), _answer(dice, asked.begins, names)
        if len(said) > 6:
            for_client = dice.random() < hurt / 3
            ask = _damaged(ask, dice) if for_client else ask
            harmed = dice.random() < hurt
            answer = _damaged(answer, dice) if harmed else answer
            tally.damaged += for_client + harmed
        pair = (
            [("client", one) for one in _chunks(ask, dice, cut)],
            [("upstream", one) for one in _chunks(answer, dice, cut)],
        )
        said += [*pair[0], *pair[1]] if dice.random() < 0.97 else [*pair[1], *pair[0]]
        match dice.randrange(40):
            case 0:
                said.append(("tick", b""))
            case 1:
                said.append(("touch", b""))
            case 2:
                said.append(("cancel", b""))
            case 3:
                said.append(("client", ask))
            case 4:
                said.append(("version", b""))
    if dice.random() < 0.1:
        said.insert(dice.randrange(len(said)), (dice.choice(("cut", "lost", "left")), b""))
    return said


def _do(play: Play, what: str, data: bytes) -> None:
    match what:
        case "client":
            play.client(data)
        case "upstream":
            play.upstream(data)
        case "tick":
            play.tick(0.4)
        case "touch":
            play.conversation.state.touch()
        case "cancel":
            play.cancel()
        case "version":
            play.version += 1
        case "cut":
            play.conversation.cut("access ended")
            play.perform()
        case "lost":
            play.conversation.upstream_closed()
            play.perform()
        case _:
            play.conversation.client_closed()
            play.perform()


def _state(play: Play) -> tuple[object, ...]:
    """All that can be seen of a session."""
    conv, counters = play.conversation, play.conversation.gate.counters
    return (
        play.to_client, play.to_upstream, play.closed, play.cancelled, conv.busy, conv.responses.short, conv.responses.status,
        play.records, (counters.statements, counters.rows, counters.masked), play.facts(), sorted(conv.portals),
        sorted(conv.state.prepared),
    )  # fmt: skip


def _apart(states: list[tuple[object, ...]]) -> list[tuple[str, ...]]:
    return [
        tuple(repr(one)[-200:] for one in seen)
        for seen in zip(*states, strict=True)
        if any(one != seen[0] for one in seen)
    ]


def compare_lanes(tally: Tally, seed: int, count: int) -> None:
    """So many sessions, each in C, in Python and the long way."""
    for number in range(count):
        dice = random.Random(f"{seed} {number}")
        # Without Describe the long way asks the server itself, each time: what goes there is not the same.
        describes = dice.random() < 0.8
        said, scope = script(dice, tally, describes=describes), dice.choice((Read(), Read(), Write()))
        first: Play = Wired(scope) if native_module.ends and dice.random() < 0.5 else Compiled(scope)
        ways: tuple[Play, ...] = (first, Play(scope), Long(scope))
        tally.sessions += 1
        for at, (what, data) in enumerate(said):
            if ways[0].closed is not None:
                break
            tally.steps += 1
            ends = []
            for play in ways:
                try:
                    _do(play, what, data)
                    ends.append("")
                except Exception as problem:  # noqa: BLE001 - it must be the same, and it must be none
                    ends.append(repr(problem))
            states = [_state(play) for play in ways]
            seen = [state[:5] for state in states]
            if any(ends) or states[0] != states[1] or (describes and seen[0] != seen[2]):
                tally.differences.append(f"session {seed} {number}, step {at} {what} {data!r}: {ends} {_apart(states)}")
                break
        tally.short += first.kinds().count("result")
        if isinstance(first, Wired):
            tally.wired += first.kinds().count("result")
            first.close()


# ------------------------------------------------------------------------------------------------ ports that fail


class Fault(Exception):
    """What a port raises."""


class Stop(BaseException):
    """As KeyboardInterrupt."""


_PORTS = ("version", "monotonic", "wall", "pen", "forward", "reply", "soon", "settle", "batch_key", "batch_statement", "tag", "tell_failures", "kept")  # fmt: skip
_WRONG: tuple[Any, ...] = (None, -1, 1 << 70, float("nan"), float("inf"), -1.0, "", b"", b"\xc0", object(), [])


def _failing(real: Callable[..., Any], dice: random.Random, often: float) -> Callable[..., Any]:
    def port(*given: Any) -> Any:
        if dice.random() < often:
            what = dice.randrange(8)
            if what < 3:
                raise (Fault, Stop, Unavailable)[what]("a port")
            return dice.choice(_WRONG)
        return real(*given)

    return port


def compare_faults(tally: Tally, seed: int, count: int) -> None:
    """Ports that raise, or return what they never would: what is forwarded was recorded before, whatever happened."""
    for number in range(count):
        dice = random.Random(f"faults {seed} {number}")
        chosen = set(dice.sample(_PORTS, dice.choice((1, 1, 2, len(_PORTS)))))
        play = _faulty(dice, chosen, dice.choice((0.05, 0.5)))
        asked = dice.choice((Asked(m.query(_TEXTS[0])), _batch(dice, describes=True)))
        tally.sessions += 1
        for _ in range(dice.randrange(3, 10)):
            for what, data in (("client", asked.data(dice)), ("upstream", _answer(dice, asked.begins, _NAMES[0]))):
                tally.steps += 1
                with suppress(
                    Fault, Stop, Unavailable, TypeError, ValueError, OverflowError, RuntimeError, AttributeError
                ):
                    _do(play, what, data)
        if "pen" in chosen:
            continue  # a port that lies about it is not recording
        written = play.kinds().count("statement")
        if play.to_upstream.count(b"SELECT id, secret FROM t") > written:
            tally.differences.append(f"faults {seed} {number}: {written} recorded, more forwarded; {sorted(chosen)}")


def _faulty(dice: random.Random, chosen: set[str], often: float) -> Play:
    real = native_module.short_way

    def make(*limits: int, **ports: Any) -> Any:
        wrapped = {name: _failing(port, dice, often) if name in chosen else port for name, port in ports.items()}
        if "pen" in chosen:
            pen = ports["pen"]
            wrapped["pen"] = SimpleNamespace(
                append=_failing(pen.append, dice, often), hold=_failing(pen.hold, dice, often)
            )
        return real.Short(*limits, **wrapped)

    vars(express_module)["short_way"] = SimpleNamespace(Short=make)
    try:
        return Compiled(Read())
    finally:
        vars(express_module)["short_way"] = real


def compare_pens(tally: Tally, seed: int, count: int) -> None:
    """Random records into files that may not take them: both write, count and say the same."""
    for number in range(count):
        dice = random.Random(f"pens {seed} {number}")
        calls = [
            (
                dice.choice(("append", "append", "hold", "hold", "flush", "take", "quiet", "file")),
                [
                    dice.randbytes(dice.choice((0, 1, 9, 300, 70_000)) if dice.random() < 0.3 else 20)
                    for _ in range(dice.randrange(4))
                ],
            )
            for _ in range(12)
        ]
        where = dice.choice(("file", "logged", "logged", "full", "pipe", "closed"))
        told = [_written(make, where, calls) for make in (segments.Pen, native_module.short_way.Pen)]
        tally.sessions += 1
        if told[0] != told[1]:
            tally.differences.append(f"pens {seed} {number}: {where}")


def _joined(pen: Any) -> Any:
    log = os.memfd_create("redo")
    os.truncate(log, 4 * 4096)
    window = native_module.short_way.Window(log, 4 * 4096)
    os.close(log)
    window.begin(b"t" * 16)
    pen.join(window, b"day/session.seg", pen)
    return window


def _written(make: Callable[..., Any], where: str, calls: list[tuple[str, list[bytes]]]) -> tuple[object, ...]:
    ours, theirs = os.pipe2(os.O_NONBLOCK)
    descriptor = -1 if where == "closed" else theirs
    if where in {"file", "logged", "full"}:
        descriptor = os.open("/dev/full", os.O_WRONLY) if where == "full" else os.memfd_create("pen")
    said: list[int] = []

    def trouble(number: int) -> None:
        said.append(number)
        raise Fault

    pen = make(descriptor, 90, lambda: said.append(-1), trouble)
    taken = []
    window = _joined(pen) if where == "logged" and make is not segments.Pen else None
    for move, records in calls:
        with suppress(Fault):
            if move == "take":
                taken.append(pen.take())
            elif move == "quiet":
                pen.quiet = not pen.quiet
            elif move == "flush":
                pen.flush()
            elif move == "file":
                if descriptor >= 0:
                    pen.file(descriptor)
                if window is not None and not window.open:
                    window.begin(b"u" * 16)
            else:
                (pen.hold if move == "hold" else pen.append)(*records)
        said += [pen.size, pen.unhashed, pen.held, pen.turns]
    if where == "logged":
        pen.file(descriptor)
    there = (
        os.pread(descriptor, 1 << 20, 0)
        if where in {"file", "logged"}
        else os.read(ours, 1 << 20)
        if where == "pipe" and pen.size
        else b""
    )
    for one in {ours, theirs, descriptor} - {-1}:
        os.close(one)
    return said, taken, pen.take(), there
