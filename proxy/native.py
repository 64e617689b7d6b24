"""The compiled parts, when there are any: framing, row walk and detectors (`_native.c`), the short way (`_lane.c`), reading
and writing sockets (`_ends.c`, on Linux).

They are optional. Without it (no compiler at installation, or `HOOP_NATIVE=0`) the same work is done in Python, with the
same output byte by byte, slower.
"""

from __future__ import annotations

import importlib
import os
from typing import Any


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
ends: Any = _load("proxy._ends")
