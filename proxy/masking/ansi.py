"""Values that are coloured: masking sees the text without the sequences that only change how it looks."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile

#: Select Graphic Rendition and Erase in Line (ECMA-48, 8.3.117 and 8.3.41), choice of letters (`tput sgr0`): nothing moves.
_LOOKS = re.compile(r"(\x1b\[[0-9;:]*m|\x1b\[[0-2]?K|\x1b[()][AB0])")


def mask_through(mask_text: Callable[[str], str], text: str) -> str:
    """`mask_text` of what a line shows, with its colours where they were. Those inside of what was masked come after it."""
    if "\x1b" not in text:
        return mask_text(text)
    pieces = _LOOKS.split(text)
    plain = "".join(pieces[::2])
    masked = mask_text(plain)
    if masked == plain:
        return text
    before = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(plain, masked, strict=False)))
    most = min(len(plain), len(masked)) - before
    after = sum(1 for _ in takewhile(lambda n: plain[-n] == masked[-n], range(1, most + 1)))
    return _woven(pieces, before, len(plain) - after, masked[before : len(masked) - after])


def _woven(pieces: list[str], start: int, end: int, middle: str) -> str:
    """The pieces with the characters from `start` to `end` of their text replaced by `middle`."""
    out: list[str] = []
    at, done, last = 0, False, len(pieces) - 1
    for number, piece in enumerate(pieces):
        if number % 2:
            out.append(piece)
            continue
        out.append(piece[: max(0, start - at)])
        if not done and (at + len(piece) > start or number == last):
            out.append(middle)
            done = True
        out.append(piece[max(0, end - at) :])
        at += len(piece)
    return "".join(out)
