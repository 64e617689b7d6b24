"""Telling Linux to begin with what will be made durable in a moment (sync_file_range(2)); elsewhere nothing."""

from __future__ import annotations

import ctypes

_BEGIN = 2
_call = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _call is not None:
    _call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def begin(descriptor: int) -> None:
    """Begin to write the pages of a file. Promises nothing: an fsync that comes later waits for less, and finds what went
    wrong."""
    if _call is not None:
        _call(descriptor, 0, 0, _BEGIN)
