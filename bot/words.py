"""Cut what somebody typed into words, knowing where each word was. Pure, linear, never raises.

Quotes start a quoted word at its beginning or right after `=`; curly quotes count (phones and macOS write them), and an
em or en dash at the beginning of a word counts as `--`. A quote that never ends is an ordinary character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLOSING = {'"': '"', "'": "'", "“": "”", "”": "”", "„": "“", "‘": "’", "’": "’", "«": "»"}
_DASHES = re.compile(r"\A[—–―]")
_SAFE = re.compile(r"\A[A-Za-z0-9_./:@+*][A-Za-z0-9_./:@+*-]*\Z")


@dataclass(frozen=True, slots=True)
class Word:
    """One word: `text` without quotes and with plain dashes, `start:end` its place in the input."""

    text: str
    start: int
    end: int
    quoted: bool = False

    @property
    def flag(self) -> bool:
        """`--something`, not quoted."""
        return not self.quoted and len(self.text) > 2 and self.text.startswith("--")

    @property
    def separator(self) -> bool:
        """A lone `--`, not quoted."""
        return not self.quoted and self.text == "--"


def first_word(text: str, start: int = 0) -> Word | None:
    """The first word at or after `start`; None when only space is left."""
    length = len(text)
    while start < length and text[start].isspace():
        start += 1
    if start >= length:
        return None
    quoted = _quoted(text, start)
    if quoted is not None and (quoted[1] == length or text[quoted[1]].isspace()):
        return Word(quoted[0], start, quoted[1], quoted=True)
    return _bare(text, start)


def split_words(text: str, *, stop_at_separator: bool = False) -> list[Word]:
    """All words; with `stop_at_separator` the last one is the first lone `--` (what follows is somebody's command)."""
    words: list[Word] = []
    position = 0
    while (word := first_word(text, position)) is not None:
        words.append(word)
        position = word.end
        if stop_at_separator and word.separator:
            break
    return words


def _quoted(text: str, start: int) -> tuple[str, int] | None:
    """The content of the quoted piece at `start` and where it ends, or None when nothing is quoted there."""
    closing = _CLOSING.get(text[start])
    if closing is None:
        return None
    ends = {closing, '"'} if closing in "”“" else {closing}
    kept: list[str] = []
    position = start + 1
    while position < len(text):
        char = text[position]
        if char == "\\" and position + 1 < len(text) and text[position + 1] in {"\\", '"', "'"}:
            kept.append(text[position + 1])
            position += 2
            continue
        if char in ends:
            return "".join(kept), position + 1
        kept.append(char)
        position += 1
    return None


def _bare(text: str, start: int) -> Word:
    kept: list[str] = []
    position = start
    dashes = _DASHES.match(text[start : start + 1])
    if dashes:
        kept.append("--")
        position += dashes.end()
    while position < len(text) and not text[position].isspace():
        if position > start and text[position - 1] == "=" and kept[:1] in (["--"], ["-"]):
            quoted = _quoted(text, position)
            if quoted is not None:
                kept.append(quoted[0])
                position = quoted[1]
                break
        kept.append(text[position])
        position += 1
    return Word("".join(kept), start, position)


def quote(text: str) -> str:
    """`text` as one word that `split_words` reads back unchanged."""
    if _SAFE.match(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'")
    return f'"{escaped}"'


_RUN = re.compile(r"`+")
_LANGUAGES = frozenset({"sql", "psql", "postgres", "postgresql", "pgsql", "plpgsql", "bash", "sh", "shell", "console"})


def unwrap_code(text: str) -> str:
    """Without the back quotes or code fence around it, if they wrap all of it; otherwise `text` unchanged.

    The content of a fence loses the line break next to each fence and a language name on the fence's own line.
    """
    stripped = text.strip()
    runs = [match.group() for match in _RUN.finditer(stripped)]
    if len(runs) < 2 or runs[0] != runs[-1] or not (stripped.startswith("`") and stripped.endswith("`")):
        return text
    fence = runs[0]
    if fence in runs[1:-1]:
        return text
    inner = stripped[len(fence) : -len(fence)]
    if len(fence) >= 3:
        head, newline, rest = inner.partition("\n")
        if newline and (not head.strip() or head.strip().lower() in _LANGUAGES):
            inner = rest
            inner = inner.removesuffix("\n")
    return inner if inner.strip() else text


def wrap_code(text: str) -> str:
    """`text` so that `unwrap_code` gives it back exactly."""
    if unwrap_code(text) == text:
        return text
    fence = "`" * max(3, 1 + max(len(run) for run in _RUN.findall(text)))
    return f"{fence}\n{text}\n{fence}"
