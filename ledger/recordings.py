"""Recordings on this node's disk: written before anything is forwarded, sealed into the ledger while they grow.

One file per session, `<directory>/<day>/<session>.seg`. A record is handed to the kernel by one write(2), or by a copy into
the mapped redo log of the process, `<directory>/<random>.redo`, so it survives a kill -9; a thread makes everything durable at
most 100 ms later (`syncing`; at once when strict): in the file itself, or of many sessions together in the redo log. Closed
segments are compressed.
The process that writes a file holds a lock on it; what nobody holds was left behind by a crash and is finished at the next
start (`finishing`). Implements `access.recordings.Recordings`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

from access.errors import HoopError, Invalid, Unavailable
from access.events import Fact
from access.ports import Entropy, SessionLog
from access.requests import Session
from ledger import redo, segments, writeback
from ledger.files import SPACE_HINT, create, lock_if_free, make_directory, sync_directory
from ledger.finishing import compress, finish, left_behind
from ledger.seals import Seal, grown, sealed
from ledger.segments import Pen
from ledger.syncing import ROOM, SYNC_SECONDS, RedoLog, Syncer, Window
from ledger.writeback import Reader

log = logging.getLogger(__name__)

SEAL_SECONDS = 1.0
#: How often a seal looks whether what it is of is durable; what is not is sealed the next time.
SEAL_PATIENCE = 10
#: Bytes of one recording that may wait to be hashed together; a seal hashes them all.
UNHASHED_MOST = 32 * 1024


class Recording:
    """One session's segment while it is open. `write` is called on the event loop only."""

    def __init__(self, path: Path, session: Session, owner: Recordings) -> None:
        self.name = segments.name_of(session)
        self.path = path
        self._session = session.id
        self._owner = owner
        self._hash = hashlib.sha256(segments.MAGIC)
        self.sealed = 0
        self._broken = ""
        #: How much is durable: anywhere, and in the file itself. -1: not even its name.
        self.durable = self._durable_here = -1
        self._lost = False
        self._window: Window | None = None
        self._lock = threading.Lock()
        self._descriptor = self._create()
        self.pen = owner.pen(self._descriptor, UNHASHED_MOST, self._attend, self._trouble)
        self._begin()

    def write(self, *records: bytes) -> None:
        """Append records, all or none; when this returns, the kernel has them. Raises Unavailable: then nothing may be
        forwarded."""
        self.pen.append(*records)

    def _create(self) -> int:
        try:
            return create(self.path, os.O_APPEND)
        except OSError as error:
            raise Unavailable(
                f"The recording {self.path.name} can not be created: {error.strerror}.", hint=SPACE_HINT
            ) from error

    def _begin(self) -> None:
        try:
            written = os.write(self._descriptor, segments.MAGIC)
        except OSError as error:
            raise self._unavailable(error.strerror or "write failed") from error
        if written != len(segments.MAGIC):
            self._trouble(0)
        self.pen.size = written
        self._attend()

    def _attend(self) -> None:
        """Something was written: it is hashed when there is enough of it, and made durable now or soon."""
        if self.pen.unhashed >= UNHASHED_MOST:
            self._hash_all()
        if self._owner.strict:
            self.sync()
            if self._broken:
                raise self._unavailable(self._broken)
        elif not self.pen.quiet:
            self.pen.quiet = True
            self._owner.grown(self)

    def _trouble(self, number: int) -> NoReturn:
        """Nothing, or only a part (0), could be written."""
        if number == errno.EMSGSIZE:
            limits = f"a record has 1 to {segments.MAX_RECORD} bytes"
            raise Unavailable(f"The recording of {self._session} can not take this: {limits}.")
        if number == errno.EBADF:
            raise self._unavailable(self._broken or "it is closed")
        if number == 0:
            self._cut_back()
        raise self._unavailable(os.strerror(number) if number else "the disk is full")

    def _hash_all(self) -> None:
        """Many small pieces are hashed at once, which costs a fraction of hashing each."""
        self._hash.update(self.pen.take())

    def _cut_back(self) -> None:
        """Take back half a record, so that the next one can be read."""
        try:
            os.ftruncate(self._descriptor, self.pen.size - self.pen.unfiled)
        except OSError as error:
            self._break(f"half a record could not be taken back: {error.strerror}")

    def _break(self, why: str) -> None:
        """Nothing is written any more."""
        self._broken, self.pen.descriptor = why, -1

    def begin_sync(self) -> None:
        """Begin what `sync` will wait for: of many recordings all at once, which the file system does together."""
        with self._lock:
            if self._descriptor >= 0:
                writeback.begin(self._descriptor)

    def join(self, window: Window) -> None:
        """Put what is small into this redo log first; `piece` and `sync` write it to the segment."""
        if self._window is not window:
            self._window = window
            self.pen.join(window, self.name.encode(), self)

    def piece(self, reader: Reader) -> redo.Entry | None:
        """What it grew by since it was durable, for the redo log, without what is there already; None when its own file must
        take it: more than can be read at once, or its name is not durable yet. Any thread."""
        with self._lock:
            if self._descriptor < 0 or self._lost or self.durable < 0:
                return None
            self.pen.quiet = False  # what is written from here on is made durable the next time
            size = self.pen.size
            if not self._filed():
                return None
            if self.pen.loose <= self.durable:
                return redo.Entry(self.name, size, b"")
            size -= self.durable
            data = reader.read(self._descriptor, size, self.durable)
            return redo.Entry(self.name, self.durable, data) if len(data) == size else None

    def _filed(self) -> bool:
        """Write what is only in the redo log to the segment; whether nothing is only there."""
        try:
            self.pen.file(self._descriptor)
        except OSError as error:
            log.warning("the recording of %s waits in the redo log: %s", self._session, error.strerror)
            return False
        return True

    def is_kept(self, size: int) -> None:
        """The redo log holds the first `size` bytes as far as the file itself does not."""
        with self._lock:
            self.durable = max(self.durable, size)

    def sync(self) -> bool:
        """Make durable what was written; whether everything that is durable anywhere is so in the file itself. Any thread.
        A failure ends the recording: the kernel may have dropped pages."""
        with self._lock:
            self.pen.quiet = False  # what is written from here on is synced the next time
            size = self.pen.size
            if self._descriptor >= 0 and self._filed() and not self._lost and size > self._durable_here:
                try:
                    os.fdatasync(self._descriptor)
                    if self._durable_here < 0:
                        sync_directory(self.path.parent)
                    self._durable_here = size
                    self.durable = max(self.durable, size)
                except OSError as error:
                    self._lost = True
                    self._break(error.strerror or "sync failed")
                    log.exception("the recording of %s is not durable", self._session)
            return self._durable_here >= self.durable and not self.pen.unfiled

    def head(self) -> Seal | None:
        """What seals what there is; None when it did not grow, or will never be durable."""
        return None if self._lost or self.pen.size == self.sealed else self._head(final=False)

    def _head(self, *, final: bool) -> Seal:
        self._hash_all()
        return Seal(self.name, self.pen.size, self._hash.copy().hexdigest(), final)

    async def close(self, commit: Callable[[Fact], Awaitable[None]] | None = None) -> None:
        """Seal, make durable, compress. Safe to call twice. `commit` records the seal, together with what else it knows.
        Raises Unavailable when that could not be; the segment stays and is finished at the next start."""
        if self._descriptor < 0 or not self._owner.leaves(self):
            return
        try:
            self._break(self._broken or "it is closed")
            await asyncio.to_thread(self.sync)
            if self.pen.unfiled:
                raise self._unavailable("what is in the redo log waits for room")
            fact = sealed(self._session, self._head(final=True))
            await (self._owner.sessions.record if commit is None else commit)(fact)
            await asyncio.to_thread(compress, self.path)
            if self._window is not None:
                self._window.owners.discard(self)  # what is of it there is needed no more
        finally:
            with self._lock:
                descriptor, self._descriptor = self._descriptor, -1
                os.close(descriptor)

    def _unavailable(self, problem: str) -> Unavailable:
        return Unavailable(f"The recording of {self._session} can not be written: {problem}.", hint=SPACE_HINT)


class Recordings:
    """The recordings of this node. `start` finishes what a crash left; `close` ends the background work.

    `strict` makes every record durable before `write` returns (slower by one fsync). `pen` makes what writes a segment.
    `entropy` makes a redo log unlike any other; without it there is none. `map_room` maps it for these pens.
    """

    def __init__(
        self,
        directory: Path,
        sessions: SessionLog,
        *,
        strict: bool = False,
        pen: Callable[..., Pen] = Pen,
        node: str = "",
        entropy: Entropy | None = None,
        map_room: Callable[[int, int], Window] | None = None,
    ) -> None:
        self.directory = directory
        self._node = node
        self.pen = pen
        self.sessions = sessions
        self.strict = strict
        self._open: set[Recording] = set()
        self._syncing = Syncer(None if entropy is None else lambda: RedoLog(directory, entropy, ROOM, map_room))
        self._sealing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Finish segments that no process writes any more, then begin to sync and seal."""
        make_directory(self.directory)
        await self.finish_left_behind()
        self._syncing.start()
        # The one task of this room, owned and awaited by `close`.
        self._sealing = asyncio.get_running_loop().create_task(self._seal_forever())

    async def close(self) -> None:
        """Close what is still open and stop."""
        for recording in list(self._open):
            await recording.close()
        if self._sealing is not None:
            self._sealing.cancel()
            await asyncio.gather(self._sealing, return_exceptions=True)
            await asyncio.to_thread(self._syncing.stop)
            self._sealing = None

    def open(self, session: Session) -> Recording:
        """Begin the recording of a session. Raises Unavailable: then the session can not begin."""
        path = self.directory / segments.name_of(session)
        make_directory(path.parent)
        recording = Recording(path, session, self)
        self._open.add(recording)
        return recording

    def grown(self, recording: Recording) -> None:
        """A recording has bytes that are not durable yet."""
        self._syncing.soon(recording)

    def leaves(self, recording: Recording) -> bool:
        """A recording is being closed; False when it was before."""
        known = recording in self._open
        self._open.discard(recording)
        return known

    async def seal(self) -> int:
        """Put the heads of all recordings that grew into the ledger, as one fact; how many. A head is recorded when what
        it is of is durable: nothing that the ledger knows is lost with the power."""
        heads = [(recording, seal) for recording in self._open if (seal := recording.head()) is not None]
        for _ in range(SEAL_PATIENCE):
            if all(recording.durable >= seal.size for recording, seal in heads):
                break
            await asyncio.sleep(SYNC_SECONDS)
        heads = [(recording, seal) for recording, seal in heads if recording.durable >= seal.size]
        if heads:
            await self.sessions.record(grown(self._node, (seal for _, seal in heads)))
        for recording, seal in heads:
            recording.sealed = seal.size
        return len(heads)

    async def _seal_forever(self) -> None:
        while True:
            await asyncio.sleep(SEAL_SECONDS)
            try:
                await self.seal()
            except HoopError as problem:
                log.warning("recordings were not sealed, trying again: %s", problem)

    async def finish_left_behind(self) -> list[str]:
        """Finish the segments of crashed processes: put back what is in their redo logs, cut a torn last record, seal,
        compress; their names."""
        finished: list[str] = []
        try:
            paths = await asyncio.to_thread(left_behind, self.directory)
        except OSError:
            log.exception("what processes left behind in %s stays as it is until the next start", self.directory)
            return finished
        for path in paths:
            descriptor = lock_if_free(path)
            if descriptor is None:
                continue
            try:
                fact = await asyncio.to_thread(finish, path, descriptor)
                if fact is not None:
                    await self.sessions.record(fact)
                    await asyncio.to_thread(compress, path)
                    finished.append(fact.segment)
            finally:
                os.close(descriptor)
        return finished

    def read(self, name: str) -> bytes:
        """The bytes of a recording, open or closed. Raises Invalid for a name that is none, Unavailable when unreadable."""
        return stored(self.directory, name)

    def read_on(self, name: str, after: int) -> bytes:
        """The bytes of a recording from `after` on, for whoever follows it while it grows. Raises as `read`."""
        path = (self.directory / name).resolve()
        if path.suffix == segments.SUFFIX and self.directory.resolve() in path.parents:
            try:
                with path.open("rb") as file:
                    file.seek(after)
                    return file.read(segments.MAX_RECORD)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise Unavailable(f"The recording {name} can not be read: {error}.") from error
        return self.read(name)[after:]


def stored(directory: Path, name: str) -> bytes:
    """The bytes of a recording, open or closed. Raises Invalid for a name that is none, Unavailable when unreadable."""
    path = (directory / name).resolve()
    if path.suffix != segments.SUFFIX or directory.resolve() not in path.parents:
        raise Invalid(f"{name!r} is not the name of a recording.", field="recording")
    compressed = path.with_name(path.name + segments.COMPRESSED)
    try:
        # The plain file first: it goes away only after the compressed one is whole, perhaps at this moment.
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        return segments.decompress(compressed.read_bytes())
    except FileNotFoundError:
        raise Invalid(f"There is no recording {name} on this node.", field="recording") from None
    except (OSError, ValueError) as error:
        raise Unavailable(f"The recording {name} can not be read: {error}.") from error
