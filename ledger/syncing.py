"""The thread that makes recordings durable at most `SYNC_SECONDS` after they grew, many writes and sessions at a time.

One fdatasync for each session is what costs most: the file system commits each by itself. So when several grew a little,
all these pieces go into one redo log by one write and one fdatasync, which changes no metadata because the log's room is
used again and again. Their own files are made durable when that room is used up, and when they are closed.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from access.ports import Entropy
from ledger import redo
from ledger.files import create, sync_directory, write_all
from ledger.finishing import REDO_SUFFIX
from ledger.writeback import Reader

log = logging.getLogger(__name__)

SYNC_SECONDS = 0.1
#: From so many recordings on the redo log is the cheaper way.
FEWEST = 3
#: More than this of one recording at once is no cheaper there than in the file itself.
PIECE_MOST = 128 * 1024
ROOM = 8 * 1024 * 1024
_NAME_BYTES = 8


class Grown(Protocol):
    """What this thread wants of a recording; any thread may ask."""

    def piece(self, reader: Reader) -> redo.Entry | None:
        """What it grew by since it was durable, perhaps nothing; None when only its own file can take that."""

    def is_kept(self, size: int) -> None:
        """Its first `size` bytes are durable elsewhere."""

    def begin_sync(self) -> None:
        """Begin what `sync` will wait for."""

    def sync(self) -> bool:
        """Make its own file durable; whether everything that was made durable anywhere is so there."""


class RedoLog:
    """The redo log of this process, in preallocated room. Raises OSError."""

    def __init__(self, directory: Path, entropy: Entropy, room: int = ROOM) -> None:
        self._entropy = entropy
        self._room = room
        self._path = directory / f"{entropy.token(_NAME_BYTES).hex()}{REDO_SUFFIX}"
        self._descriptor = create(self._path)
        try:
            # Written, not only allocated: the first pass must not change metadata either.
            write_all(self._descriptor, bytes(room), 0)
            os.fsync(self._descriptor)
            sync_directory(directory)
        except OSError:
            self.remove()
            raise
        self.begin()

    def begin(self) -> None:
        """Use the room from its beginning: nothing in it is needed any more."""
        self._token, self._at = self._entropy.token(redo.TOKEN_BYTES), 0

    def put(self, entries: Collection[redo.Entry]) -> bool:
        """Make entries durable; False, and nothing is done, when the room is used up."""
        data = redo.batch(self._token, entries)
        if self._at + len(data) > self._room:
            return False
        write_all(self._descriptor, data, self._at)
        os.fdatasync(self._descriptor)
        self._at += len(data)
        return True

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


class Syncer:
    """`make` makes the redo log when it is needed first; without one every recording is made durable by itself."""

    def __init__(self, make: Callable[[], RedoLog] | None) -> None:
        self._make = make
        self._log: RedoLog | None = None
        self._in_log: set[Grown] = set()
        self._reader = Reader(PIECE_MOST)
        self._waiting: queue.SimpleQueue[Grown | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hoop-recordings-sync", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def soon(self, recording: Grown) -> None:
        """A recording has bytes that are not durable yet."""
        self._waiting.put(recording)

    def stop(self) -> None:
        """After the recordings were closed."""
        self._ended.set()
        self._waiting.put(None)
        self._thread.join()
        if self._log is not None and self._settled():
            self._log.remove()

    def _run(self) -> None:
        while not self._ended.is_set():
            batch = [self._waiting.get()]
            # Most of the promised time to let more writes join the fsync, the rest for the fsyncs.
            self._ended.wait(SYNC_SECONDS * 0.7)
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            grown = {recording for recording in batch if recording is not None}
            try:
                self.flush(grown)
            except Exception:  # whatever it is, memory or a mistake: this thread must go on
                log.exception("recordings were not made durable together, now each by itself")
                _sync(grown)

    def flush(self, grown: set[Grown]) -> None:
        """Make durable what these recordings hold."""
        pieces = {recording: piece for recording in grown if self._log and (piece := recording.piece(self._reader))}
        grown = grown - {recording for recording, piece in pieces.items() if not piece.data}
        pieces = {recording: piece for recording, piece in pieces.items() if piece.data}
        if len(pieces) >= FEWEST and self._logged(pieces):
            grown = grown - pieces.keys()
        _sync(grown)
        if len(grown) >= FEWEST and self._log is None and self._make is not None:
            self._begin(self._make)

    def _begin(self, make: Callable[[], RedoLog]) -> None:
        self._make = None
        try:
            self._log = make()
        except OSError as problem:
            log.warning("there is no redo log, each recording is made durable by itself: %s", problem)

    def _logged(self, pieces: dict[Grown, redo.Entry]) -> bool:
        """Whether these are durable in the redo log now."""
        assert self._log is not None
        try:
            if self._log.put(pieces.values()):
                for recording, piece in pieces.items():
                    recording.is_kept(piece.offset + len(piece.data))
                self._in_log |= pieces.keys()
                return True
        except OSError:
            log.exception("the redo log can not be written any more, each recording is made durable by itself")
            _sync(self._in_log)
            self._log = None
            return False
        if self._settled():
            self._log.begin()
        else:
            self._log = None  # never written again: the next start may need it
        return False

    def _settled(self) -> bool:
        """Whether the files themselves hold everything that is in the redo log, durably."""
        settled = _sync(self._in_log)
        self._in_log = set()
        return settled


def _sync(recordings: Collection[Grown]) -> bool:
    for recording in recordings if len(recordings) > 1 else ():
        recording.begin_sync()
    settled = [recording.sync() for recording in recordings]  # every one, whatever the first says
    return all(settled)
