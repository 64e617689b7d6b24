"""COPY … TO STDOUT: the same masking for text, csv and binary, in whatever chunks the server sends.

Formats: PostgreSQL documentation of COPY, "File Formats". What cannot be read as a row leaves as a row of NULLs (text,
csv) or not at all (binary, where the rest of the stream is lost with it).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

from proxy.masking.swift import Cell, columns, here
from proxy.native import native

#: A row is held until it is complete. Longer ones are not read: they leave as NULLs (bytes).
MAX_ROW = 16 << 20

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER = 19
_KINDS = frozenset({"text", "csv", "binary"})
_IGNORED_OPTIONS = frozenset({"force_quote", "force_not_null", "force_null", "freeze"})


@dataclass(frozen=True, slots=True)
class CopyFormat:
    """The options of one COPY TO that change its bytes. `kind` is text, csv or binary; a `problem` refuses it."""

    kind: str = "text"
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    escape: str = '"'
    header: bool = False
    problem: str = ""

    @classmethod
    def of(cls, tree: Mapping[str, Any]) -> CopyFormat:
        """The format of a statement tree (`{"CopyStmt": …}`)."""
        options: dict[str, str] = {}
        for one in tree["CopyStmt"].get("options", []):
            element = one["DefElem"]
            options[element["defname"].lower()] = _option(element.get("arg"))
        kind = options.pop("format", "text").lower()
        csv = kind == "csv"
        quote = options.pop("quote", '"')
        fmt = cls(
            kind=kind,
            delimiter=options.pop("delimiter", "," if csv else "\t"),
            null=options.pop("null", "" if csv else "\\N"),
            quote=quote,
            escape=options.pop("escape", quote),
            header=options.pop("header", "false").lower() not in {"false", "off", "0"},
        )
        encoding = re.sub(r"[^a-z0-9]", "", options.pop("encoding", "utf8").lower())
        if kind not in _KINDS or options.keys() - _IGNORED_OPTIONS or encoding not in {"utf8", "unicode"}:
            return replace(
                fmt,
                problem="COPY with this format, option or encoding cannot be masked. Use text, csv or binary in UTF8.",
            )
        if any(len(one.encode()) != 1 for one in (fmt.delimiter, fmt.quote, fmt.escape)) or "\n" in fmt.null:
            return replace(fmt, problem="COPY delimiter, quote and escape must be single one-byte characters.")
        return fmt


def _option(arg: Mapping[str, Any] | None) -> str:
    """The value of an option; given alone it means true."""
    if arg is None:
        return "true"
    kind, body = next(iter(arg.items()))
    if kind == "Boolean":
        return "true" if body.get("boolval") else "false"
    return str(body.get("sval", body.get("ival", "")))


class CopyPlan:
    """Masks one COPY stream. `refuse` is set when the statement must not run at all; then it is the reason to show.

    `count` columns (None = any number), `cells` by column, `every` for columns nobody counted. `masked` counts
    replaced values.
    """

    def __init__(
        self,
        fmt: CopyFormat,
        count: int | None,
        cells: Mapping[int, Cell],
        *,
        every: Cell | None = None,
        refuse: str = "",
    ) -> None:
        self.refuse = refuse or fmt.problem
        self.masked = 0
        self._fmt = fmt
        self._count = count
        self._cells = cells
        self._every = every
        self._pass = not cells and every is None
        self._buffer = bytearray()
        self._scanned = 0
        self._quoted = False
        self._skipping = False
        self._header = fmt.header
        self._started = False
        self._ended = False
        self._delimiter, self._null = fmt.delimiter.encode(), fmt.null.encode()
        self._quote, self._escape = fmt.quote.encode(), fmt.escape.encode()
        #: What the compiled part is given, when it can read this at all.
        self._columns = columns([cells.get(index) for index in range(count)]) if count and self._plain() else None
        if self._columns is None:
            self._cells = {index: here(cell) or cell for index, cell in cells.items()}
        self._edge = re.compile(b"[\n" + re.escape(self._quote) + re.escape(self._escape) + b"]")

    @property
    def passes(self) -> bool:
        """Whether everything leaves as it comes."""
        return self._pass and not self.refuse

    def twin(self) -> CopyPlan:
        """Another one at the same place of the same stream."""
        other = copy(self)
        other._buffer = bytearray(self._buffer)  # noqa: SLF001 - of its own class
        return other

    def _plain(self) -> bool:
        fmt = self._fmt
        return native is not None and (fmt.kind, fmt.delimiter, fmt.null) == ("text", "\t", "\\N") and not self.refuse

    def messages(self, data: bytes, at: int, after: int) -> tuple[int, bytes, bytes]:
        """As many of the whole CopyData messages `data[at:after]` as can be read at once: where the rest begins, what
        the client gets, and that without headers. The rest is for `feed`, one by one."""
        if self._columns is None or self._buffer or self._header or self._skipping or self._pass:
            return at, b"", b""
        c = self._columns
        stop, frames, payload, masked = native.mask_copy(data, at, after, c.how, c.looks_for, c.cells)
        self.masked += masked
        return stop, frames, payload

    def feed(self, data: bytes) -> bytes:
        """The masked form of the next bytes of CopyData payload (may be empty: a row is not complete yet)."""
        if self.refuse:
            return b""
        if self._pass:
            return data
        self._buffer += data
        if self._fmt.kind == "binary":
            return self._binary()
        out: list[bytes] = []
        taken = 0
        while (end := self._row_end()) >= 0:
            out.append(self._line(bytes(self._buffer[taken:end])))
            taken = end
        del self._buffer[:taken]
        self._scanned -= taken
        if len(self._buffer) > MAX_ROW:
            self._skipping = True
            keep = self._buffer[self._scanned :]
            self._buffer[:] = keep
            self._scanned = 0
        return b"".join(out)

    def finish(self) -> bytes:
        """What is left at CopyDone."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        if not rest or self.refuse or self._fmt.kind == "binary":
            return b""
        return self._line(rest)

    # -- text and csv --------------------------------------------------------------------------------------------

    def _row_end(self) -> int:
        """The offset behind the next complete row in the buffer, -1 = none yet."""
        if self._fmt.kind == "text":
            found = self._buffer.find(b"\n", self._scanned)
            self._scanned = len(self._buffer) if found < 0 else found + 1
            return found + 1 if found >= 0 else -1
        while (edge := self._edge.search(self._buffer, self._scanned)) is not None:
            at = edge.start()
            char = edge[0]
            if not self._quoted:
                self._scanned = at + 1
                self._quoted = char == self._quote
                if char == b"\n":
                    return at + 1
                continue
            if char == self._escape:
                following = bytes(self._buffer[at + 1 : at + 2])
                if not following:
                    self._scanned = at
                    return -1
                if following in {self._quote, self._escape}:
                    self._scanned = at + 2
                    continue
            self._scanned = at + 1
            self._quoted = char != self._quote
        self._scanned = len(self._buffer)
        return -1

    def _line(self, line: bytes) -> bytes:
        """One row with its line end."""
        if self._header:
            self._header = False
            return line
        ending = b"\r\n" if line.endswith(b"\r\n") else b"\n" if line.endswith(b"\n") else b""
        if line[: len(line) - len(ending)] == b"\\." and self._fmt.kind == "text":
            return line
        skipped, self._skipping = self._skipping, False
        body = line[: len(line) - len(ending)]
        fields = None if skipped else self._split_csv(body) if self._fmt.kind == "csv" else self._split_text(body)
        if fields is None or (self._count is not None and len(fields) != self._count):
            return self._delimiter.join([self._null] * (self._count or 1)) + ending
        changed = False
        for index, field in enumerate(fields):
            cell = self._cells.get(index, self._every)
            if cell is None or field == self._null:
                continue
            before = self._read_csv(field) if self._fmt.kind == "csv" else _read_text(field)
            after = cell(before)
            if after is not before:
                fields[index] = self._null if after is None else self._write(after)
                self.masked += 1
                changed = True
        return self._delimiter.join(fields) + ending if changed else line

    def _split_text(self, body: bytes) -> list[bytes]:
        fields = body.split(self._delimiter)
        if b"\\" not in body:
            return fields
        joined: list[bytes] = []
        open_field = False
        for field in fields:
            if open_field:
                joined[-1] += self._delimiter + field
            else:
                joined.append(field)
            trailing = len(joined[-1]) - len(joined[-1].rstrip(b"\\"))
            open_field = trailing % 2 == 1
        return joined

    def _split_csv(self, body: bytes) -> list[bytes] | None:
        if self._quote not in body:
            return body.split(self._delimiter)
        fields, start, at, quoted = [], 0, 0, False
        edge = re.compile(b"[" + re.escape(self._delimiter) + re.escape(self._quote) + re.escape(self._escape) + b"]")
        while (found := edge.search(body, at)) is not None:
            at = found.end()
            char = found[0]
            if not quoted:
                if char == self._delimiter:
                    fields.append(body[start : at - 1])
                    start = at
                quoted = char == self._quote
            elif char == self._escape and body[at : at + 1] in {self._quote, self._escape}:
                at += 1
            elif char == self._quote:
                quoted = False
        fields.append(body[start:])
        return None if quoted else fields

    def _read_csv(self, field: bytes) -> bytes:
        if self._quote not in field:
            return field
        pattern = re.escape(self._escape) + b"([" + re.escape(self._quote + self._escape) + b"])"
        inner = field[1:-1] if field[:1] == self._quote and field[-1:] == self._quote else field
        return re.sub(pattern, rb"\1", inner)

    def _write(self, value: bytes) -> bytes:
        if self._fmt.kind == "text":
            return _write_text(value, self._delimiter)
        special = (self._delimiter, self._quote, b"\n", b"\r")
        if value and value not in {self._null, b"\\."} and not any(one in value for one in special):
            return value
        for one in dict.fromkeys((self._escape, self._quote)):
            value = value.replace(one, self._escape + one)
        return self._quote + value + self._quote

    # -- binary --------------------------------------------------------------------------------------------------

    def _binary(self) -> bytes:
        data = bytes(self._buffer)
        out: list[bytes] = []
        at = 0
        if not self._started:
            at = self._binary_header(data)
            if at == 0:
                return b""
            out.append(data[:at])
            self._started = True
        while not self._ended and (row := self._binary_row(data, at)) is not None:
            end, masked = row
            out.append(masked)
            at = end
        self._buffer[:] = b"" if self._ended else data[at:]
        if len(self._buffer) > MAX_ROW:
            self._ended = True
            self._buffer.clear()
        return b"".join(out)

    def _binary_header(self, data: bytes) -> int:
        """The length of the header, 0 = not complete."""
        if len(data) < _HEADER:
            return 0
        flags, extension = struct.unpack_from("!Ii", data, 11)
        if data[:11] != _SIGNATURE or flags >> 16 or not 0 <= extension <= MAX_ROW:
            self._ended = True
            self._buffer.clear()
            return 0
        return _HEADER + int(extension) if len(data) >= _HEADER + extension else 0

    def _binary_row(self, data: bytes, at: int) -> tuple[int, bytes] | None:
        """The next row as (offset behind it, its masked bytes), None = not complete or not a row."""
        if len(data) < at + 2:
            return None
        (count,) = struct.unpack_from("!h", data, at)
        if count == -1:
            self._ended = True
            return at + 2, data[at : at + 2]
        if count < 0 or (self._count is not None and count != self._count):
            self._ended = True
            return None
        parts = [data[at : at + 2]]
        at += 2
        masked = 0
        for index in range(count):
            if len(data) < at + 4:
                return None
            (length,) = struct.unpack_from("!i", data, at)
            stop = at + 4 + max(length, 0)
            if length < -1 or len(data) < stop:
                self._ended = length < -1
                return None
            cell = self._cells.get(index, self._every)
            before = data[at + 4 : stop]
            after = before if cell is None or length < 0 else cell(before)
            if after is before:
                parts.append(data[at:stop])
            else:
                masked += 1
                parts.append(b"\xff\xff\xff\xff" if after is None else struct.pack("!i", len(after)) + after)
            at = stop
        self.masked += masked
        return at, b"".join(parts)


_ESCAPES = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPED = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))", re.DOTALL)


def _read_text(field: bytes) -> bytes:
    return _ESCAPED.sub(_unescaped, field) if b"\\" in field else field


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes([int(match[1], 8) & 255])
    if match[2]:
        return bytes([int(match[2], 16)])
    return _ESCAPES.get(match[3], match[3])


def _write_text(value: bytes, delimiter: bytes) -> bytes:
    value = value.replace(b"\\", b"\\\\")
    for letter, char in _ESCAPES.items():
        value = value.replace(char, b"\\" + letter)
    return value.replace(delimiter, b"\\" + delimiter)
