"""Lengths of time as files and the operator's commands spell them. (What people type in chat: `bot.durations`.)"""

from __future__ import annotations

import re
from datetime import timedelta

#: No setting means more; a time of today stays one when this is added or taken away.
LONGEST = timedelta(days=36_500)

_SPELLED = re.compile(r"\A([0-9]{1,10})([smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_of(text: str) -> timedelta | None:
    """`90s`, `30m`, `2h`, `1d`; None for anything else, for zero, and for more than LONGEST."""
    match = _SPELLED.match(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    return timedelta(seconds=seconds) if 0 < seconds <= LONGEST.total_seconds() else None
