"""Signing the heads of all chains and exporting the signature elsewhere.

A hash chain alone can not tell that its end was cut off. A checkpoint kept outside the database can.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import bindparam, insert, select

from access.errors import Invalid, Unavailable
from access.ports import Tx
from ledger import tables
from ledger.chain import Head, canonical, micros
from ledger.notes import ORIGIN, Note, parse_notes, root_of, signed
from ledger.store import Store, as_transaction
from ledger.transaction import Transaction

log = logging.getLogger(__name__)

SEED_BYTES = 32
# More than the longest note: one line for each process that wrote since the note before.
_TAIL_BYTES = 1 << 20
_CHECKPOINT = tables.checkpoint.c
_LATEST = select(tables.checkpoint).order_by(_CHECKPOINT.number.desc()).limit(1)
_INSERT = insert(tables.checkpoint)
_SINCE = select(_CHECKPOINT.note).where(_CHECKPOINT.number > bindparam("number")).order_by(_CHECKPOINT.number)
_EVENT = tables.event.c
_NEW_EVENTS = (
    select(_EVENT.position, _EVENT.writer, _EVENT.sequence, _EVENT.hash)
    .where(_EVENT.position > bindparam("position"))
    .order_by(_EVENT.position)
)


def public_key_of(seed: bytes) -> bytes:
    """What `verify` needs of a signing key: 32 bytes, not secret."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


class Checkpoints:
    """Signs with an Ed25519 key given as its 32-byte seed; appends every note to the file `export` when there is one.

    Keep the file where the gateway's administrators can not rewrite it (another host, write-once storage).
    """

    def __init__(self, store: Store, seed: bytes, *, export: Path | None = None) -> None:
        if len(seed) != SEED_BYTES:
            raise Invalid(
                f"A signing key is a seed of {SEED_BYTES} bytes, this one has {len(seed)}.", field="signing_key"
            )
        self._store = store
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self._export = export
        self._exporting = asyncio.Lock()

    @property
    def public_key(self) -> bytes:
        """What `verify` needs: 32 bytes, not secret."""
        return self._key.public_key().public_bytes_raw()

    async def sign(self) -> Note | None:
        """Sign where all chains stand; None when nothing happened since the last time. Then export what is not exported.

        Raises Unavailable when the store or the file does not take it.
        """
        async with self._exporting:
            note = await self._store.transact(lambda tx: self._sign(as_transaction(tx)))
            if self._export is not None:
                await self._bring_up_to_date(self._export)
        return note

    async def _bring_up_to_date(self, path: Path) -> None:
        """Append what the file lacks. It is locked meanwhile: several gateways on one host may share it."""
        try:
            file = await asyncio.to_thread(_open_locked, path)
            with file:
                exported = await asyncio.to_thread(_last_number, file)
                new = await self._store.read(lambda tx: _notes_since(tx, exported))
                await asyncio.to_thread(_append, file, new)
        except OSError as error:
            raise Unavailable(
                f"The checkpoint file {path} can not be written: {error.strerror}.",
                hint="Check its directory and free space.",
            ) from error

    async def run(self, seconds: float = 60.0) -> None:
        """Sign every `seconds` until cancelled. A failure is logged and tried again."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.sign()
            except Unavailable as problem:
                log.warning("the checkpoint was not signed: %s", problem)

    def _sign(self, tx: Transaction) -> Note | None:
        latest = tx.connection.execute(_LATEST).first()
        heads = {} if latest is None else heads_from(latest.heads)
        position = 0 if latest is None else latest.position
        moved: dict[str, Head] = {}
        for row in tx.connection.execute(_NEW_EVENTS, {"position": position}):
            moved[row.writer] = Head(row.writer, row.sequence, row.hash)
            position = row.position
        if not moved:
            return None
        heads |= moved
        before = None if latest is None else parse_notes(latest.note)[0]
        note = Note(
            number=1 if before is None else before.number + 1,
            at=tx.now.isoformat(),
            size=sum(head.sequence for head in heads.values()),
            root=root_of(heads),
            previous="" if before is None else before.digest(),
            moved=tuple(moved[writer] for writer in sorted(moved)),
        )
        note = signed(note, self._key)
        values = {
            "number": note.number,
            "at": micros(tx.now),
            "position": position,
            "note": note.text(),
            "heads": canonical({head.writer: [head.sequence, head.hash] for head in heads.values()}),
        }
        tx.connection.execute(_INSERT, values)
        return note


def heads_from(stored: str) -> dict[str, Head]:
    """The heads of all writers as a checkpoint row keeps them."""
    return {writer: Head(writer, sequence, hash_) for writer, (sequence, hash_) in json.loads(stored).items()}


def _notes_since(tx: Tx, number: int) -> list[str]:
    return [row.note for row in as_transaction(tx).connection.execute(_SINCE, {"number": number})]


def _open_locked(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    file = os.fdopen(descriptor, "r+b")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return file


def _last_number(file: BinaryIO) -> int:
    """The number of the last note in the file, 0 when there is none. Reads only the end of a long file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read()
    begin = tail.rfind(f"\n{ORIGIN}\n".encode()) + 1
    notes = parse_notes(tail[begin:].decode(errors="replace"))
    return notes[-1].number if notes else 0


def _append(file: BinaryIO, notes: list[str]) -> None:
    if notes:
        file.write("".join(f"{note}\n" for note in notes).encode())
        file.flush()
        os.fsync(file.fileno())
