"""Terminal output for replays: what draws stays, what does something else is taken out.

A recorded program may have printed sequences that write to the clipboard (OSC 52), make links (OSC 8), set titles, ask the
terminal for answers or switch its modes; nobody who watches a replay asked for that (ECMA-48; xterm's control sequences).
"""

from __future__ import annotations

import re

from ledger.visible import visible

#: Final bytes of sequences that move the cursor, erase, insert, scroll and colour.
_DRAWS = frozenset("@ABCDEFGHJKLMPSTXZ`adefmrsu")
#: Modes (DECSET) that change how things are drawn: cursor keys stay out, the second screen and the cursor are in.
_MODES = frozenset({"7", "12", "25", "47", "1047", "1048", "1049"})
_CSI = re.compile(r"\x1b\[([<-?]?)([0-9;:]*)([ -/]*)([@-~])")
_SHORT = re.compile(r"\x1b(?:[78DEM]|\([0B])")
#: A sequence that is not complete yet.
_OPEN = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,4}|\()?\Z")
_STRING = re.compile(r"\x1b[\]PX^_]")
_STRING_ENDS = re.compile(r"\x07|\x1b\\|\x9c")
_NEXT = re.compile(r"\x1b")
#: What puts a terminal back after a replay: colours, the cursor, the first screen, wrapping, letters, the whole of it for scrolling.
RESTORE = "\x1b[0m\x1b[?25h\x1b[?1049l\x1b[?7h\x1b(B\x1b[r"


class Drawing:
    """One terminal's output in pieces; what comes back, joined, is safe to show on another terminal."""

    def __init__(self) -> None:
        self._held = ""
        self._in_string = False

    def feed(self, text: str) -> str:
        """What of it draws. The beginning of a sequence waits for its end."""
        text, self._held = self._held + text, ""
        out: list[str] = []
        at = 0
        while at < len(text):
            if self._in_string:
                end = _STRING_ENDS.search(text, at)
                if end is None:
                    self._held = "\x1b" if text.endswith("\x1b") else ""
                    break
                at, self._in_string = end.end(), False
                continue
            found = _NEXT.search(text, at)
            stop = len(text) if found is None else found.start()
            out.append(_plain(text[at:stop]))
            at = stop
            if found is not None:
                at = self._sequence(text, at, out)
        return "".join(out)

    def _sequence(self, text: str, at: int, out: list[str]) -> int:
        """Take in the sequence at `at`; where the text goes on."""
        if _OPEN.match(text, at):
            self._held = text[at:]
            return len(text)
        if _STRING.match(text, at):
            self._in_string = True
            return at + 2
        csi = _CSI.match(text, at)
        if csi is not None:
            if _draws(*csi.groups()):
                out.append(csi[0])
            return csi.end()
        short = _SHORT.match(text, at)
        if short is not None:
            out.append(short[0])
            return short.end()
        return at + 2


def _draws(private: str, numbers: str, between: str, final: str) -> bool:
    if between:
        return False
    if private == "?" and final in "hl":
        return bool(numbers) and set(numbers.split(";")) <= _MODES
    return not private and final in _DRAWS


def _plain(text: str) -> str:
    return visible("".join(char for char in text if char in "\r\n\t\b" or not _control(char)), keep="\r\n\t\b")


def _control(char: str) -> bool:
    return char < " " or "\x7f" <= char <= "\x9f"


_ANY = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\([0B]|[78DEM])")


def as_text(text: str) -> str:
    """A whole terminal's output as lines of text, for lists and threads: without colours, with what was rubbed out gone.

    Programs that draw all over the screen come out as what they drew, in its order.
    """
    lines = []
    for line in _ANY.sub("", Drawing().feed(text)).replace("\r\n", "\n").split("\n"):
        shown: list[str] = []
        at = 0
        for char in line:
            if char == "\r":
                at = 0
            elif char == "\b":
                at = max(0, at - 1)
            else:
                shown[at : at + 1] = char
                at += 1
        lines.append("".join(shown).rstrip())
    return "\n".join(lines)
