"""Reading a recording back: as a timeline of statements, on a terminal, as asciicast v3.

A record is a msgpack array `[kind, at in milliseconds, number of the statement, data]`; `proxy/recording.py` writes them.
Kinds this version does not know are kept and shown as they are. Works on open recordings too: what is not there yet is
just missing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgpack

from access.masking import Masked, declare_masked
from ledger import segments
from ledger.screen import Result, error_text, table
from ledger.terminals import RESTORE, Drawing, as_text
from ledger.visible import visible

COLUMNS, LINES = 120, 32
LONGEST_PAUSE = 2.0


_NOTHING = declare_masked("")


@dataclass(frozen=True, slots=True)
class Moment:
    """One record. `at_ms` counts from the first one; `number` is the statement it belongs to, 0 for the session."""

    at_ms: int
    kind: str
    number: int
    data: dict[str, Any]


@dataclass(slots=True)
class Entry:
    """One statement of the timeline with what came of it, or (number 0) something about the session as a whole.

    All texts are masked and visible (no control characters). `remarks` are notices, holds, decisions and records of
    unknown kinds in words; `outcome` is the command tag or the error; `total` counts all rows, `rows` are those kept.
    """

    number: int
    at_ms: int
    text: Masked = _NOTHING
    verdict: str = ""
    rule: str = ""
    request: str = ""
    effects: tuple[str, ...] = ()
    columns: tuple[Masked, ...] = ()
    rows: list[tuple[Masked | None, ...]] = field(default_factory=list)
    total: int = 0
    masked: int = 0
    outcome: str = ""
    failed: bool = False
    ended_ms: int | None = None
    remarks: list[str] = field(default_factory=list)
    #: What a shell command printed, in pieces as it came; with the sequences of a terminal when it ran in one.
    printed: list[Masked] = field(default_factory=list)
    terminal: bool = False


def moments(recording: bytes) -> list[Moment]:
    """All whole records of a segment (uncompressed bytes). Raises ValueError when it is no segment."""
    found = [moment for record in segments.parse(recording).records for moment in _apart(_moment(record))]
    begin = next((moment.at_ms for moment in found if moment.at_ms), 0)
    return [Moment(max(0, m.at_ms - begin), m.kind, m.number, m.data) for m in found]


def opened_at(recording: bytes) -> float:
    """Unix time in seconds of the first record, 0.0 when there is none."""
    records = segments.parse(recording).records
    return _moment(records[0]).at_ms / 1000 if records else 0.0


def _moment(record: bytes) -> Moment:
    try:
        kind, at_ms, number, data = msgpack.unpackb(record, strict_map_key=False, unicode_errors="replace")
        return Moment(int(at_ms), str(kind), int(number), data if isinstance(data, dict) else {"data": data})
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
        return Moment(0, "unreadable", 0, {"bytes": len(record)})


def _apart(moment: Moment) -> Iterator[Moment]:
    """A `result` as the columns, rows and completion it stands for; anything else as it is."""
    if moment.kind != "result":
        yield moment
        return
    data = moment.data
    yield replace(moment, kind="columns", data={"names": _list(data, "names")})
    for values in _list(data, "values"):
        yield replace(moment, kind="row", data={"values": values})
    yield replace(moment, kind="done", data={name: data.get(name) for name in ("tag", "rows", "masked")})


def timeline(recording: bytes) -> list[Entry]:
    """The statements in order, each with its result, between what is about the session."""
    entries: list[Entry] = []
    statements: dict[int, Entry] = {}
    for moment in moments(recording):
        entry = statements.get(moment.number)
        if entry is None or not moment.number:
            entry = Entry(moment.number, moment.at_ms)
            entries.append(entry)
            if moment.number:
                statements[moment.number] = entry
        _tell(entry, moment)
    for entry in entries:
        if entry.printed:
            entry.columns = (declare_masked("output"),)
            text = as_text("".join(entry.printed)) if entry.terminal else "".join(entry.printed)
            entry.rows = [(declare_masked(line),) for line in text.splitlines()]
    return entries


def _tell(entry: Entry, moment: Moment) -> None:
    data = moment.data
    match moment.kind:
        case "statement":
            entry.at_ms = moment.at_ms
            entry.text = _seen(_text(data, "text"))
            entry.verdict, entry.rule, entry.request = (_line(data, name) for name in ("verdict", "rule", "request"))
            entry.effects = tuple(visible(str(effect)) for effect in _list(data, "effects"))
        case "columns":
            entry.columns = tuple(_seen(str(name)) for name in _list(data, "names"))
        case "row":
            values = _list(data, "values")
            entry.rows.append(tuple(None if v is None else _seen(str(v)) for v in values))
        case "output":
            text = _text(data, "text")
            entry.printed.append(declare_masked(text) if entry.terminal else _seen(text))
        case "terminal":
            entry.terminal = True
        case "resize":
            pass
        case "done":
            entry.outcome, entry.ended_ms = _line(data, "tag"), moment.at_ms
            entry.total, entry.masked = _number(data, "rows"), _number(data, "masked")
        case "error":
            entry.outcome, entry.failed, entry.ended_ms = error_text(data), True, moment.at_ms
        case _:
            entry.remarks.append(remark(moment))


def remark(moment: Moment) -> str:
    """One line for what is not a statement, a row or an end."""
    data = moment.data
    match moment.kind:
        case "open":
            who = _line(data, "person") + (f" via {_line(data, 'agent')}" if data.get("agent") else "")
            place = f"{_line(data, 'resource')}/{_line(data, 'database')}"
            return f"session opened by {who} on {place} with {_line(data, 'application') or 'an unnamed client'}"
        case "close":
            return f"session closed: {_line(data, 'why') or 'no reason given'}"
        case "notice":
            return f"NOTICE:  {visible(_text(data, 'text'))}"
        case "held":
            return f"held for approval as {_line(data, 'request')}"
        case "decided":
            by = f" by {_line(data, 'by')}" if data.get("by") else ""
            return f"{_line(data, 'request')} {_line(data, 'state')}{by}".strip()
        case "copy":
            return f"copied {_number(data, 'bytes')} bytes, SHA-256 {_line(data, 'sha256')}"
        case kind:
            return f"{visible(kind)}: {visible(repr(data))}"


def _seen(text: str) -> Masked:
    """Text of a recording, which holds masked text only, with hidden characters made visible."""
    return declare_masked(visible(text, keep="\n\t"))


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return "" if value is None else str(value)


def _line(data: dict[str, Any], name: str) -> str:
    return visible(_text(data, name))


def _list(data: dict[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    return value if isinstance(value, list) else []


def _number(data: dict[str, Any], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) else 0


# ------------------------------------------------------------------------------------------ as a terminal saw it


def frames(recording: bytes) -> Iterator[tuple[int, str]]:
    """What a psql-like screen shows, as (milliseconds since the first record, text with newlines)."""
    drew = False
    for at_ms, code, text in events(recording):
        if code in "ot":
            drew = drew or code == "t"
            yield at_ms, text
    if drew:
        yield at_ms, RESTORE


def events(recording: bytes) -> Iterator[tuple[int, str, str]]:
    """What a replay is made of, as (milliseconds, code, data): `o` text with newlines, `t` a terminal's own output, `r` its
    new size, `x` the exit status of what ran in it."""
    show = Show()
    last = 0
    for moment in moments(recording):
        last = moment.at_ms
        yield from ((last, code, data) for code, data in show.of(moment))
    yield from ((last, "o", text) for text in show.unfinished())


class Show:
    """What each record adds to a replay, one after the other."""

    def __init__(self) -> None:
        self._prompt = "=> "
        self._results: dict[int, Result] = {}
        self._terminals: dict[int, Drawing] = {}

    def of(self, moment: Moment) -> Iterator[tuple[str, str]]:
        """(code, data) of the events of one record, as in `events`."""
        data, number = moment.data, moment.number
        match moment.kind:
            case "open":
                self._prompt = f"{_line(data, 'database')}=> "
                yield "o", f"-- {remark(moment)}\n"
            case "statement":
                yield "o", _typed(self._prompt, visible(_text(data, "text"), keep="\n\t"))
                if data.get("verdict") == "deny":
                    yield "o", f"-- refused, it did not run: rule {_line(data, 'rule')}\n"
            case "terminal":
                self._terminals[number] = Drawing()
                yield "r", _size(data)
            case "output" if number in self._terminals:
                yield "t", self._terminals[number].feed(_text(data, "text"))
            case "resize":
                yield "r", _size(data)
            case "done" if number in self._terminals:
                yield "x", _line(data, "tag").removeprefix("exit status ")
            case "output":
                yield "o", visible(_text(data, "text"), keep="\n\t")
            case "columns" | "row" | "done" | "error":
                result = self._results.setdefault(number, Result())
                if (text := _grow(result, moment)) is not None:
                    self._results[number] = Result()
                    yield "o", text
            case _:
                yield "o", f"{remark(moment)}\n" if moment.kind == "notice" else f"-- {remark(moment)}\n"

    def unfinished(self) -> Iterator[str]:
        """The tables that did not end."""
        for result in self._results.values():
            if result.columns:
                yield table(result) + "-- the result was not finished\n"


class Tail:
    """A recording that still grows, as events for a player. Feed it the bytes of the file as they come."""

    def __init__(self) -> None:
        self._rest = b""
        self._begin = 0
        self._show = Show()

    def feed(self, more: bytes) -> list[tuple[float, str, str]]:
        """(seconds since the first record, `o` or `r`, data) of every whole record. Raises ValueError when it is no segment."""
        data = self._rest + more
        begun = segments.parse(data)
        if begun.size:
            self._rest = segments.MAGIC + data[begun.size :]
        else:
            self._rest = data
        found = []
        for record in begun.records:
            moment = _moment(record)
            self._begin = self._begin or moment.at_ms
            at = max(0, moment.at_ms - self._begin) / 1000
            for code, text in self._show.of(moment):
                if code in "ot":
                    found.append((at, "o", text.replace("\n", "\r\n") if code == "o" else text))
                elif code == "r":
                    found.append((at, "r", text))
        return found


def _size(data: dict[str, Any]) -> str:
    return f"{_number(data, 'columns') or COLUMNS}x{_number(data, 'rows') or LINES}"


def _typed(prompt: str, text: str) -> str:
    first, *more = text.expandtabs(4).split("\n")
    continued = prompt.replace("=> ", "-> ")
    return "".join(f"{line}\n" for line in (prompt + first, *(continued + line for line in more)))


def _grow(result: Result, moment: Moment) -> str | None:
    """Add a record to a result; the text to show when that ends it."""
    data = moment.data
    match moment.kind:
        case "columns":
            result.columns = [visible(str(name)) for name in _list(data, "names")]
        case "row":
            result.rows.append([None if v is None else visible(str(v)) for v in _list(data, "values")])
        case "error":
            return (table(result) if result.rows else "") + f"ERROR:  {error_text(data)}\n"
        case _:
            result.total = _number(data, "rows")
            tag = _line(data, "tag")
            shown = table(result) if result.columns else ""
            return shown + (f"{tag}\n" if tag and not result.columns else "")
    return None


def asciicast(recording: bytes, *, title: str = "") -> str:
    """The recording as asciicast v3 (https://docs.asciinema.org/manual/asciicast/v3/): one JSON document per line."""
    header: dict[str, Any] = {
        "version": 3,
        "term": _terminal(recording),
        "timestamp": int(opened_at(recording)),
        "idle_time_limit": LONGEST_PAUSE,
    }
    if title:
        header["title"] = visible(title)
    lines = [json.dumps(header, ensure_ascii=False)]
    before = 0
    first = f"{header['term']['cols']}x{header['term']['rows']}"
    for at_ms, code, text in events(recording):
        if (code, text) == ("r", first):
            continue  # the size it has already
        first = text if code == "r" else first
        at = max(at_ms, before)
        shown = text.replace("\n", "\r\n") if code == "o" else text
        lines.append(json.dumps([(at - before) / 1000, "o" if code == "t" else code, shown], ensure_ascii=False))
        before = at
    return "\n".join(lines) + "\n"


def _terminal(recording: bytes) -> dict[str, Any]:
    """The first terminal of a recording, as the header has it."""
    for moment in moments(recording):
        if moment.kind == "terminal":
            columns, rows = _size(moment.data).split("x")
            return {"cols": int(columns), "rows": int(rows), "type": _line(moment.data, "type")}
    return {"cols": COLUMNS, "rows": LINES}


def render_terminal(
    recording: bytes,
    write: Callable[[str], object],
    *,
    speed: float = 1.0,
    wait: bool = True,
    longest_pause: float = LONGEST_PAUSE,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show the recording through `write`, `speed` times as fast as it happened, pauses cut to `longest_pause` seconds.

    With `wait` off it is shown at once. Raises ValueError for a speed that is not positive.
    """
    if speed <= 0:
        raise ValueError("the speed is more than 0")
    for pause, text in _paced(frames(recording), longest_pause):
        if wait and pause:
            sleep(pause / speed)
        write(text)


def _paced(shown: Iterable[tuple[int, str]], longest: float) -> Iterator[tuple[float, str]]:
    before = 0
    for at_ms, text in shown:
        yield min(longest, max(0, at_ms - before) / 1000), text
        before = max(before, at_ms)
