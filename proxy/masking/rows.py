"""Rewrites DataRow messages by a plan that was made once per result (PostgreSQL, "Message Formats": DataRow)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from copy import copy

from proxy.masking.swift import Cell, columns, here
from proxy.native import native

_INT32 = struct.Struct("!i")
_HEADER = struct.Struct("!ciH")
_NULL = b"\xff\xff\xff\xff"


class RowPlan:
    """How the rows of one result are rewritten: a cell for each column that needs one.

    `masked` counts replaced values. Columns without a cell are copied as slices; nothing else of a row is looked at.
    """

    def __init__(self, count: int, cells: Mapping[int, Cell]) -> None:
        self.masked = 0
        self._count = count
        self._last = max(cells, default=-1) + 1
        given = [cells.get(index) for index in range(self._last)]
        self._cells = [here(cell) for cell in given]
        self._given = columns(given)
        self._nulls = _HEADER.pack(b"D", 6 + 4 * count, count) + _NULL * count

    def twin(self) -> RowPlan:
        """Another one that decides the same, with a count of its own."""
        other = copy(self)
        other.masked = 0
        return other

    def rewrite(self, frames: bytes | bytearray | memoryview) -> bytes:
        """Whole DataRow messages ('D', Int32 length, Int16 count, fields) in; the same number of messages out.

        Never raises: what cannot be read as a row of this result leaves as a row of NULLs. Bytes behind the last
        whole message cannot be a row and are dropped.
        """
        if native is None:
            return self.rewrite_here(frames)
        c = self._given
        masked: int
        rows: bytes
        rows, masked = native.mask_rows(frames, self._count, c.how, c.looks_for, c.cells, self._nulls)
        self.masked += masked
        return rows

    def rewrite_here(self, frames: bytes | bytearray | memoryview) -> bytes:
        """`rewrite` in Python."""
        data = bytes(frames)
        parts: list[bytes] = []
        at, size = 0, len(data)
        copied = 0
        while at + 5 <= size:
            end = at + 1 + _INT32.unpack_from(data, at + 1)[0]
            if not at + 5 <= end <= size:
                break
            row = self._row(data, at, end)
            if row is not None:
                if copied < at:
                    parts.append(data[copied:at])
                parts.append(row)
                copied = end
            at = end
        if copied < at:
            parts.append(data[copied:at])
        return b"".join(parts)

    def _row(self, data: bytes, start: int, end: int) -> bytes | None:
        """The rewritten message, None = it may stay as it is."""
        unpack = _INT32.unpack_from
        at = start + 7
        changes: list[tuple[int, int, bytes | None]] = []
        if end < at or data[start] != 0x44 or (data[start + 5] << 8 | data[start + 6]) != self._count:
            return self._nulls
        for cell in self._cells:
            if at + 4 > end:
                return self._nulls
            length = unpack(data, at)[0]
            at += 4
            if length < 0:
                continue
            stop = at + length
            if stop > end:
                return self._nulls
            if cell is not None:
                before = data[at:stop]
                after = cell(before)
                if after is not before:
                    changes.append((at, stop, after))
            at = stop
        if not changes:
            return None if self._fits(data, at, end) else self._nulls
        return self._changed(data, start, end, changes) if self._fits(data, at, end) else self._nulls

    def _fits(self, data: bytes, at: int, end: int) -> bool:
        """Whether the columns behind the last watched one fill the message: alignment is proof of what was read."""
        unpack = _INT32.unpack_from
        for _ in range(self._count - self._last):
            if at + 4 > end:
                return False
            length = unpack(data, at)[0]
            at += 4 + (max(0, length))
        return at == end

    def _changed(self, data: bytes, start: int, end: int, changes: list[tuple[int, int, bytes | None]]) -> bytes:
        parts = []
        copied = start + 5
        for at, stop, after in changes:
            parts.append(data[copied : at - 4])
            parts.append(_NULL if after is None else _INT32.pack(len(after)) + after)
            copied = stop
        parts.append(data[copied:end])
        self.masked += len(changes)
        body = b"".join(parts)
        return b"D" + _INT32.pack(len(body) + 4) + body
