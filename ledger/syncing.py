"""The thread that makes recordings durable at most `SYNC_SECONDS` after they grew, many writes and sessions at a time.

One fdatasync for each session is what costs most: the file system commits each by itself. So when several grew a little,
all these pieces go into one redo log by one write and one fdatasync, which changes no metadata because the log's room is
used again and again. Their own files are made durable when that room is used up, and when they are closed.

Where the log's room can be mapped (`Window`, in C), recordings put what they grow by there themselves, and this thread writes
it to their own files before it makes the log durable. They write their own files as long as the room is not free.
"""

from __future__ import annotations

import errno
import logging
import os
import queue
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol

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


class Window(Protocol):
    """The room of a redo log, mapped; made of its descriptor and size."""

    @property
    def open(self) -> bool:
        """Whether recordings put something there; not any more when there was no room for it."""

    @property
    def lost(self) -> bool:
        """Whether the file under it went away: nothing is put there any more."""

    @property
    def owners(self) -> set[Any]:
        """Those that did since it was begun."""

    def begin(self, token: bytes, /) -> None:
        """Use it from its beginning."""

    def shut(self) -> None:
        """Take nothing any more."""

    def reserve(self, size: int, /) -> int | None:
        """Where so many bytes may be written, on a page of their own."""


class Grown(Protocol):
    """What this thread wants of a recording; any thread may ask."""

    durable: int

    def join(self, window: Window) -> None:
        """Put what it grows by there, from now on."""

    def piece(self, reader: Reader) -> redo.Entry | None:
        """What it grew by since it was durable, without what is in the log already; None when only its own file can take
        that. Its end is that of all that will be durable with it."""

    def is_kept(self, size: int) -> None:
        """Its first `size` bytes are durable elsewhere."""

    def begin_sync(self) -> None:
        """Begin what `sync` will wait for."""

    def sync(self) -> bool:
        """Make its own file durable; whether everything that was made durable anywhere is so there."""


class RedoLog:
    """The redo log of this process, in preallocated room. Raises OSError."""

    def __init__(
        self, directory: Path, entropy: Entropy, room: int = ROOM, map_room: Callable[[int, int], Window] | None = None
    ) -> None:
        self._entropy = entropy
        self._room = room
        self._path = directory / f"{entropy.token(_NAME_BYTES).hex()}{REDO_SUFFIX}"
        self._descriptor = create(self._path)
        try:
            # Written, not only allocated: the first pass must not change metadata either, and what is mapped must be there.
            write_all(self._descriptor, bytes(room), 0)
            os.fsync(self._descriptor)
            sync_directory(directory)
        except OSError:
            self.remove()
            raise
        self.window = self._mapped(map_room)
        self.begin()

    def _mapped(self, map_room: Callable[[int, int], Window] | None) -> Window | None:
        try:
            return None if map_room is None else map_room(self._descriptor, self._room)
        except OSError as problem:
            log.info("the redo log is not mapped, each recording writes its own file: %s", problem)
            return None

    def begin(self) -> None:
        """Use the room from its beginning: nothing in it is needed any more."""
        self._token, self._at = self._entropy.token(redo.TOKEN_BYTES), 0
        if self.window is not None:
            self.window.begin(self._token)

    @property
    def is_full(self) -> bool:
        """Whether a recording did not find room."""
        return self.window is not None and not self.window.open

    @property
    def is_whole(self) -> bool:
        """Whether the room is still there: somebody may have made the file shorter."""
        lost = self.window is not None and self.window.lost
        return not lost and os.fstat(self._descriptor).st_size >= self._room

    def put(self, entries: Collection[redo.Entry]) -> bool:
        """Make entries durable, and what recordings put there; False, and nothing is done, when the room is used up."""
        data = redo.batch(self._token, entries) if entries else b""
        at = self._reserve(len(data))
        if at is None:
            return False
        if not self.is_whole:
            raise OSError(errno.EIO, "somebody made it shorter")
        write_all(self._descriptor, data, at)
        os.fdatasync(self._descriptor)
        return True

    def _reserve(self, size: int) -> int | None:
        if self.window is not None:
            return self.window.reserve(size) if self.window.open else None
        at = self._at
        if at + size > self._room:
            return None
        self._at += size
        return at

    def shut(self) -> set[Grown]:
        """Take nothing from recordings any more; which of them have something there."""
        if self.window is None:
            return set()
        self.window.shut()
        return self.window.owners.copy()

    def sync(self) -> None:
        """Make durable what is there."""
        os.fdatasync(self._descriptor)

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
        if self._log is not None and self._settled(self._log):
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
                self._each(grown)

    def _each(self, grown: set[Grown]) -> None:
        for recording in grown:
            try:
                recording.sync()
            except Exception:
                log.exception("a recording was not made durable, trying again")
                self.soon(recording)

    def flush(self, grown: set[Grown]) -> None:
        """Make durable what these recordings hold."""
        if self._log is not None and self._log.is_full:
            self._use_again(self._log)
        pieces = {} if self._log is None else self._pieces(grown, self._log)
        same = {recording for recording, piece in pieces.items() if piece.end <= recording.durable}
        pieces = {recording: piece for recording, piece in pieces.items() if recording not in same}
        # Where the log must be made durable for one of them anyway, the others go along.
        together = len(pieces) >= FEWEST or not all(piece.data for piece in pieces.values())
        if together and self._logged(pieces):
            grown = grown - pieces.keys()
        grown = grown - same
        if not _sync(grown) and self._log is not None:
            _keep(self._log)
        if len(grown) >= FEWEST and self._log is None and self._make is not None:
            self._begin(self._make)

    def _pieces(self, grown: set[Grown], redo_log: RedoLog) -> dict[Grown, redo.Entry]:
        if redo_log.window is not None:
            for recording in grown:
                recording.join(redo_log.window)
        return {recording: piece for recording in grown if (piece := recording.piece(self._reader))}

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
            if self._log.put([piece for piece in pieces.values() if piece.data]):
                for recording, piece in pieces.items():
                    recording.is_kept(piece.end)
                self._in_log |= pieces.keys()
                return True
        except OSError:
            log.exception("the redo log can not be written any more, each recording is made durable by itself")
            _sync(self._in_log | self._log.shut())
            self._log = None
            return False
        self._use_again(self._log)
        return False

    def _use_again(self, redo_log: RedoLog) -> None:
        if not self._settled(redo_log):
            self._log = None  # never written again: the next start may need it
        elif redo_log.is_whole:
            redo_log.begin()
        else:
            log.error("the redo log is gone, each recording is made durable by itself: somebody made it shorter")
            self._log = None
            redo_log.remove()

    def _settled(self, redo_log: RedoLog) -> bool:
        """Whether the files themselves hold everything that is in the redo log, durably."""
        settled = _sync(self._in_log | redo_log.shut())
        self._in_log = set()
        if not settled:
            _keep(redo_log)
        return settled


def _keep(redo_log: RedoLog) -> None:
    """Make durable what only the redo log can hold now."""
    try:
        redo_log.sync()
    except OSError:
        log.exception("what is only in the redo log is not durable")


def _sync(recordings: Collection[Grown]) -> bool:
    for recording in recordings if len(recordings) > 1 else ():
        recording.begin_sync()
    settled = [recording.sync() for recording in recordings]  # every one, whatever the first says
    return all(settled)
