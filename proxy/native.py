"""The compiled part, when there is one: framing, row walk and detectors in C (`native.c`).

It is optional. Without it (no compiler at installation, or `HOOP_NATIVE=0`) the same work is done in Python, with the
same output byte by byte, slower.
"""

from __future__ import annotations

import importlib
import os
from typing import Any


def _load() -> Any:
    if os.environ.get("HOOP_NATIVE") == "0":
        return None
    try:
        return importlib.import_module("proxy._native")
    except ImportError:
        return None


#: The module, or None.
native: Any = _load()
