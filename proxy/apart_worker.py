"""The other end of `proxy.apart`: understands one text after the other until its input ends."""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import struct
import sys
from collections import OrderedDict
from dataclasses import replace
from typing import IO, Any

from proxy.apart import MEMORY
from proxy.masking.plan import Masker
from proxy.postgres.reader import Reader
from proxy.postgres.reading import Reading
from proxy.sql import judged as j
from proxy.sql.catalog import Catalog
from proxy.sql.judged import SqlSession
from proxy.sql.parse import Parsed, ParsedStatement

#: Catalogs and readers kept.
_CATALOGS, _READERS = 4, 64
#: Texts longer than this come back without their trees: unpacking those would cost what judging elsewhere saves.
TREE_BYTES = 4096
#: What stands for a tree that stayed here. No judge knows such nodes, so whoever judges them refuses; the two names
#: differ because what PREPARE names must never be taken for the PREPARE itself.
UNREAD, UNREAD_INSIDE = "Unread", "UnreadInside"
_LENGTH = struct.Struct(">I")
_NAMING = (j.Prepare, j.DeclareCursor)


def bare(reading: Reading) -> Reading:
    """The reading as it goes back."""
    controls = [control for part in reading.parts for control in part.judged.controls]
    if len(reading.text) <= TREE_BYTES or any(isinstance(control, _NAMING) for control in controls):
        return reading
    parts = tuple(
        replace(part, judged=replace(part.judged, controls=tuple(_bare(one) for one in part.judged.controls)))
        for part in reading.parts
    )
    judged = j.Judged(tuple(part.judged for part in parts), reading.judged.combined)
    return replace(reading, parsed=_without_trees(reading.parsed, UNREAD), parts=parts, judged=judged)


def _bare(control: j.Control) -> j.Control:
    if isinstance(control, j.Explain):
        return replace(control, body=_without_trees(control.body, UNREAD_INSIDE))
    if isinstance(control, j.CopyOut) and control.query is not None:
        return replace(control, query=_without_trees(control.query, UNREAD_INSIDE))
    return control


def _without_trees(parsed: Parsed, name: str) -> Parsed:
    return replace(parsed, statements=tuple(ParsedStatement(name, {}, "") for _ in parsed.statements))


class Room:
    """The catalogs and readers at hand."""

    def __init__(self) -> None:
        self._catalogs: OrderedDict[tuple[int, str], Catalog] = OrderedDict()
        self._readers: OrderedDict[int, Reader] = OrderedDict()

    def answer(
        self, at: int, version: str, packed: bytes | None, recipe: int, made_of: tuple[Any, Any, Any, bool], text: str,
        session: SqlSession,
    ) -> Reading | None:  # fmt: skip
        """None when the catalog is needed."""
        reader = self._readers.pop(recipe, None)
        if reader is None:
            if packed is not None:
                self._catalogs[at, version] = pickle.loads(packed)  # noqa: S301 - from the gateway that started this
            catalog = self._catalogs.get((at, version))
            if catalog is None:
                return None
            policy, key, seen, _ = made_of
            reader = Reader(catalog, Masker(policy, catalog, key, seen=seen))
        self._readers[recipe] = reader
        for shelf, most in ((self._catalogs, _CATALOGS), (self._readers, _READERS)):
            while len(shelf) > most:
                shelf.popitem(last=False)
        if made_of[-1]:
            return bare(reader.read(text, session, 0, fresh=True))
        reading, standing = reader.understand(text, session, show=False)
        return replace(bare(reading), standing=standing)


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Until the source ends."""
    room = Room()
    _say(sink, True)
    while len(head := source.read(_LENGTH.size)) == _LENGTH.size:
        question = source.read(_LENGTH.unpack(head)[0])
        _say(sink, room.answer(*pickle.loads(question)))  # noqa: S301


def _say(sink: IO[bytes], value: object) -> None:
    answer = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    sink.write(_LENGTH.pack(len(answer)) + answer)
    sink.flush()


if __name__ == "__main__":
    os.nice(1)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    serve(sys.stdin.buffer, sys.stdout.buffer)
