"""Characters a reader does not see, or sees in another order: bidirectional controls, zero-width and control characters
(Unicode TR36 and TR39; CVE-2021-42574)."""

from __future__ import annotations

import re

_ASCII = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ANY = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # C0 and C1 controls, but not tab and line ends
    "\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f"  # blanks and joiners of single scripts
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f"  # spaces, zero width, line ends, bidirectional controls
    "\u2800\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"  # blank letters, variation selectors, specials
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # format controls, tags
    "]"
)


def has_hidden_text(text: str) -> bool:
    """Whether a text holds a character that does not show what it is."""
    return (_ASCII if text.isascii() else _ANY).search(text) is not None
