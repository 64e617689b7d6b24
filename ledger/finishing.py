"""What processes left behind when they ended without closing: put back what a power loss took, cut, seal, compress."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from access.events import RecordingSealed
from ledger import redo, segments
from ledger.files import lock_if_free, sync_directory, write_all
from ledger.seals import Seal, sealed

log = logging.getLogger(__name__)

REDO_SUFFIX = ".redo"
LOCK = "finishing.lock"
#: How often, and seconds apart, it is looked whether a process that ends has given up all of its files.
PATIENCE, PAUSE = 20, 0.1


def left_behind(directory: Path) -> list[Path]:
    """The segments that no process writes any more, with everything that was recorded in them. Raises OSError.

    A process that ends gives up its files one after the other: a segment may be free while its redo log is not yet. So
    what could not be put back is waited for a moment, and left to the next start then.
    """
    with _alone(directory):
        free = [path for path in sorted(directory.glob(f"*/*{segments.SUFFIX}")) if _is_free(path)]
        lacking = _put_back(directory)
    for _ in range(PATIENCE):
        if lacking.isdisjoint(map(_name, free)):
            break
        time.sleep(PAUSE)
        lacking = put_back(directory)
    return [path for path in free if _name(path) not in lacking]


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Of all processes: whoever only looks whether a file is free holds it in that moment, and it would not be put back."""
    descriptor = os.open(directory / LOCK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_free(path: Path) -> bool:
    descriptor = lock_if_free(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def put_back(directory: Path) -> set[str]:
    """Bring the segments of processes that are gone up to what their redo logs hold, and remove these logs; the names of those
    that lack something still, because a process holds them or the log.

    Before anything is finished, because afterwards nothing can be put back; so only one process does this at a time.
    May be interrupted at any point and done again. Raises OSError: then nothing may be finished.
    """
    with _alone(directory):
        return _put_back(directory)


def _put_back(directory: Path) -> set[str]:
    logs = sorted(directory.glob(f"*{REDO_SUFFIX}"))
    lacking = set[str]().union(*(_lacking(directory, path) for path in logs))
    if any(not path.exists() for path in logs):
        sync_directory(directory)
    return lacking


def _lacking(directory: Path, path: Path) -> set[str]:
    """The segments that this log could not be put into; it is gone when there are none."""
    descriptor = lock_if_free(path)
    if descriptor is None:  # a process holds it, or has just removed it
        with contextlib.suppress(FileNotFoundError):
            return {entry.name for entry in redo.parse(path.read_bytes())}
        return set()
    try:
        pieces: dict[str, list[redo.Entry]] = {}
        for entry in redo.parse(path.read_bytes()):
            pieces.setdefault(entry.name, []).append(entry)
        lacking = {name for name, entries in pieces.items() if not _put_into(directory, name, entries)}
        if not lacking:
            path.unlink()
        return lacking
    finally:
        os.close(descriptor)


def _put_into(directory: Path, name: str, entries: list[redo.Entry]) -> bool:
    """Whether a segment needs its entries no more: it has them, or it was finished long ago, or can not take them."""
    path = directory / name
    if not redo.is_name(name) or not path.exists():
        return True  # closed and compressed, perhaps erased since: it was made durable before
    descriptor = lock_if_free(path)
    if descriptor is None:
        return not path.exists()
    try:
        written = sum(_put(descriptor, entry) for entry in sorted(entries, key=lambda entry: entry.offset))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if written:
        log.warning("%s: %d bytes that were not on the disk yet were put back", name, written)
    return True


def _put(descriptor: int, entry: redo.Entry) -> int:
    """Put an entry where it belongs; how many bytes had to be written."""
    if entry.offset > os.fstat(descriptor).st_size:
        log.error("%s ends before byte %d: what follows can not be put back", entry.name, entry.offset)
        return 0
    lacks = redo.missing(entry, os.pread(descriptor, len(entry.data), entry.offset))
    if lacks is None:
        return 0
    if lacks.differs:
        log.error("%s: bytes from %d on were not what was recorded; replaced", entry.name, entry.offset)
    write_all(descriptor, lacks.data, lacks.offset)
    return len(lacks.data)


def finish(path: Path, descriptor: int) -> RecordingSealed | None:
    """Cut a torn end; the final head. None when it holds nothing or is no segment (then it is left alone)."""
    data = path.read_bytes()
    try:
        size = segments.parse(data).size
    except ValueError:
        log.warning("%s is not a recording segment; left alone", path)
        return None
    if size == 0:
        path.unlink()
        return None
    os.ftruncate(descriptor, size)
    os.fsync(descriptor)
    head = hashlib.sha256(data[:size]).hexdigest()
    seal = Seal(_name(path), size, head, final=True)
    return sealed(path.name.removesuffix(segments.SUFFIX), seal, cut=len(data) - size)


def compress(path: Path) -> None:
    """Replace a segment by its compressed form; at every moment one of the two is whole and durable."""
    target = path.with_name(path.name + segments.COMPRESSED)
    partial = target.with_name(target.name + ".part")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(segments.compress(path.read_bytes()))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        path.unlink()
    except OSError:
        # The segment itself is whole and sealed: it only takes more room. The next start tries again.
        log.warning("%s could not be compressed", path, exc_info=True)
        partial.unlink(missing_ok=True)
