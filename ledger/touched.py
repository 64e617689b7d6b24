"""Waiting until a file is written to, by Linux' inotify(7): no looking again and again, and sooner known."""

from __future__ import annotations

import ctypes
import os
import select
import struct
from pathlib import Path

_MODIFIED, _DELETED, _MOVED, _GONE = 0x2, 0x400, 0x800, 0x2000 | 0x8000
_EVENT = struct.Struct("iIII")


class FileWatch:
    """Watches one file. Raises OSError where that cannot be done, and in `wait` when the file is not there any more."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            raise OSError("this system has no inotify")
        self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._events < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._interrupted, self._interrupt = os.pipe()
        if libc.inotify_add_watch(self._events, os.fsencode(path), _MODIFIED | _DELETED | _MOVED) < 0:
            number = ctypes.get_errno()
            self.close()
            raise OSError(number, "inotify_add_watch")
        self._poll = select.poll()
        for descriptor in (self._events, self._interrupted):
            self._poll.register(descriptor, select.POLLIN)

    def wait(self, seconds: float) -> bool:
        """Whether it was written to since the last time; False after `seconds` and after an interruption."""
        if all(descriptor != self._events for descriptor, _ in self._poll.poll(seconds * 1000)):
            return False
        data, at = os.read(self._events, 65536), 0
        while at < len(data):
            _, mask, _, length = _EVENT.unpack_from(data, at)
            if mask & (_DELETED | _MOVED | _GONE):
                raise FileNotFoundError("the watched file is gone")
            at += _EVENT.size + length
        return True

    def interrupt(self) -> None:
        """End a `wait`, from any thread."""
        os.write(self._interrupt, b"\0")

    def close(self) -> None:
        for descriptor in (self._events, self._interrupted, self._interrupt):
            os.close(descriptor)
