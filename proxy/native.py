"""The compiled parts, when there are any: framing, row walk and detectors (`_native.c`); the short way, from socket to
segment to socket (`_lane.c`, on Linux with `_ends.h`); plain statements taken apart (`_plain.c`).

They are optional. Without one (no compiler at installation, or `HOOP_NATIVE=0`) the same work is done in Python, with the
same output byte by byte, slower. `missing` says which, and why.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any, TypeVar

T = TypeVar("T")

#: Module → what is slower without it.
PARTS = {
    "proxy._native": "rows are masked in Python, 10 to 50 times slower",
    "proxy._lane": "every statement goes the long way, and sockets are read and written in Python",
    "proxy._plain": "a statement of a kind that nobody sent before is judged two times slower",
}

#: What Python and C expect of each other (`_bytes.h`).
AGREEMENT = 1

_failed: dict[str, str] = {}


def _load(name: str) -> Any:
    if os.environ.get("HOOP_NATIVE") == "0":
        _failed[name] = "switched off by HOOP_NATIVE=0"
        return None
    try:
        part = importlib.import_module(name)
        if getattr(part, "AGREEMENT", None) == AGREEMENT:
            return part
        _failed[name] = "it was compiled from other sources than these: install again"
    except ModuleNotFoundError:
        _failed[name] = "it was not compiled"
    except ImportError as error:
        _failed[name] = f"it does not load: {error}"
    return None


#: The modules, or None.
native: Any = _load("proxy._native")
short_way: Any = _load("proxy._lane")
plain_way: Any = _load("proxy._plain")
#: What reads and writes sockets by their descriptors.
ends: Any = short_way if hasattr(short_way, "Poller") else None
#: What C and Python both read and set, as it is in Python, by name.
twins: dict[str, type] = {}


def in_c(twin: type[T]) -> type[T]:
    """This type in C with the same fields, where that is there: the short way reads it without asking anybody."""
    twins[twin.__name__] = twin
    made: type[T] = twin if short_way is None else getattr(short_way, twin.__name__)
    return made


def missing() -> Iterator[str]:
    """Each part that should be there and is not, with its reason and what that means."""
    for name, cost in PARTS.items():
        if name in _failed:
            yield f"{name} ({_failed[name]}): {cost}."
