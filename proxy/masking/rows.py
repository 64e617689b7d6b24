"""Rewrites DataRow messages by a plan that was made once per result (PostgreSQL, "Message Formats": DataRow)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from copy import copy
from functools import cached_property

from proxy.masking.swift import Cell, columns, here
from proxy.native import native

_INT32 = struct.Struct("!i").pack
_LENGTH = struct.Struct("!i").unpack_from
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
        self._watched = given
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

    @cached_property
    def _cells(self) -> list[Cell | None]:
        return [here(cell) for cell in self._watched]

    def rewrite_here(self, frames: bytes | bytearray | memoryview) -> bytes:
        """`rewrite` in Python. What stays as it is is copied in as few pieces as possible: `data[copied:…]` waits."""
        data = bytes(frames)
        parts: list[bytes] = []
        at = copied = 0
        size = len(data)
        while at + 5 <= size:
            end = at + 1 + _LENGTH(data, at + 1)[0]
            if not at + 5 <= end <= size:
                break
            changes = self._row(data, at, end)
            if changes is None:
                parts += (data[copied:at], self._nulls)
                copied = end
            elif changes:
                copied = self._changed(data, at, end, copied, changes, parts)
            at = end
        parts.append(data[copied:at])
        return b"".join(parts)

    def _row(self, data: bytes, start: int, end: int) -> list[tuple[int, int, bytes | None]] | None:
        """What is to be replaced in a row: where, and by what; None = it cannot be read as a row of this result."""
        at = start + 7
        changes: list[tuple[int, int, bytes | None]] = []
        if end < at or data[start] != 0x44 or (data[start + 5] << 8 | data[start + 6]) != self._count:
            return None
        for cell in self._cells:
            stop = at + 4
            if stop > end:
                return None
            length = _LENGTH(data, at)[0]
            at = stop
            if length < 0:
                continue
            stop += length
            if stop > end:
                return None
            if cell is not None:
                before = data[at:stop]
                after = cell(before)
                if after is not before:
                    changes.append((at, stop, after))
            at = stop
        return changes if self._fits(data, at, end) else None

    def _fits(self, data: bytes, at: int, end: int) -> bool:
        """Whether the columns behind the last watched one fill the message: alignment is proof of what was read."""
        for _ in range(self._count - self._last):
            if at + 4 > end:
                return False
            length = _LENGTH(data, at)[0]
            at += 4 + length if length > 0 else 4
        return at == end

    def _changed(
        self,
        data: bytes,
        start: int,
        end: int,
        copied: int,
        changes: list[tuple[int, int, bytes | None]],
        parts: list[bytes],
    ) -> int:
        """Append what waits and the row with its changes; returns where the rest of the row, which waits now, begins."""
        longer = sum([(0 if after is None else len(after)) - stop + at for at, stop, after in changes])
        if longer:
            parts += (data[copied : start + 1], _INT32(end - start - 1 + longer))
            copied = start + 5
        for at, stop, after in changes:
            if after is None:
                parts += (data[copied : at - 4], _NULL)
            else:
                parts += (data[copied : at - 4], _INT32(len(after)), after)
            copied = stop
        self.masked += len(changes)
        return copied
