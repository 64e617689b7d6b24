"""System calls that Python does not have, or has in another way."""

from __future__ import annotations

import ctypes

_BEGIN = 2
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
# Keeps the GIL: getting it back from a busy thread takes two futex calls and a change of threads, more than the copy.
_library = ctypes.PyDLL(None)
_pread = getattr(_library, "pread64", _library.pread)
_pread.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64)
_pread.restype = ctypes.c_ssize_t


def begin(descriptor: int) -> None:
    """Tell Linux to begin with what will be made durable in a moment (sync_file_range(2)); elsewhere nothing. Promises
    nothing: an fsync that comes later waits for less, and finds what went wrong."""
    if _sync_file_range is not None:
        _sync_file_range(descriptor, 0, 0, _BEGIN)


class Reader:
    """Reads back what was written a moment ago, which is in memory still. For one thread."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._buffer = ctypes.create_string_buffer(most)

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        """So many bytes from there, at most `most`; fewer, perhaps none, when they can not be read."""
        count = _pread(descriptor, self._buffer, min(size, self.most), offset)
        return ctypes.string_at(self._buffer, max(count, 0))
