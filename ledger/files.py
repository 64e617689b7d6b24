"""Files that one process owns: held by a lock as long as it lives, free for others to finish when it is gone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from access.errors import Unavailable

SPACE_HINT = "Free some space; until then nothing is forwarded unrecorded."


def make_directory(path: Path) -> None:
    """With all above it, readable by the gateway alone. Raises Unavailable."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"The directory of recordings {path} can not be made: {error.strerror}.",
            hint="Check the configured path, its owner and the free space.",
        ) from error


def sync_directory(path: Path) -> None:
    """Make the names in it durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create(path: Path, flags: int = 0) -> int:
    """A new file, locked, to be read and written. Raises OSError, also when somebody took it for one left behind."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink == 0:
            raise BlockingIOError(None, "another process removed it")
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def lock_if_free(path: Path) -> int | None:
    """Open a file that nobody owns any more, locked; None when a living process holds it or it is gone."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if os.fstat(descriptor).st_nlink == 0:  # another process finished it while we opened it
        os.close(descriptor)
        return None
    return descriptor


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write at a place, all of it. Raises OSError."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
