"""The compiled parts, when there are any: framing, row walk and detectors (`_native.c`); the short way, from socket to
segment to socket (`_lane.c`, on Linux with `_ends.h`).

They are optional. Without it (no compiler at installation, or `HOOP_NATIVE=0`) the same work is done in Python, with the
same output byte by byte, slower.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, TypeVar

T = TypeVar("T")


def _load(name: str) -> Any:
    if os.environ.get("HOOP_NATIVE") == "0":
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


#: The modules, or None.
native: Any = _load("proxy._native")
short_way: Any = _load("proxy._lane")
#: What reads and writes sockets by their descriptors.
ends: Any = short_way if hasattr(short_way, "Poller") else None
#: What C and Python both read and set, as it is in Python, by name.
twins: dict[str, type] = {}


def in_c(twin: type[T]) -> type[T]:
    """This type in C with the same fields, where that is there: the short way reads it without asking anybody."""
    twins[twin.__name__] = twin
    made: type[T] = twin if short_way is None else getattr(short_way, twin.__name__)
    return made
