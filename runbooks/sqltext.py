"""SQL with `{{ … }}` in it: cut into statements, every parameter given its place. Pure.

A value never becomes text of the statement. Where a template stands alone, or in a literal ('{{ .x }}', '%{{ .x }}%'),
it becomes a bind parameter; the quotes of the file are the file's, not the value's. Where PostgreSQL takes no parameter
(names, ASC or DESC), only a word of the file's own closed list can stand, or a table name that is quoted.
(PostgreSQL documentation, "Lexical Structure".)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from runbooks.model import Slot
from runbooks.pipeline import OPEN, Action, Malformed, find_end, parse_action

Pieces = tuple[str | Slot, ...]
#: Which way a parameter goes, by its action and where it stands: `bare`, `literal` or `name`.
Placing = Callable[[Action, str, int], Slot]

_DOLLAR = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$")
_TYPED = re.compile(r"\b(interval|date|time|timestamp|timestamptz)\s+\Z", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"[A-Za-z0-9_$]\Z")


class NotSql(Exception):
    """The text is not SQL that a runbook may have; `line` counts from 1 in the file."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement of a text, with the line it starts on."""

    pieces: Pieces
    line: int


@dataclass
class Cutter:
    """Reads one text from its start to its end."""

    text: str
    line: int
    place: Placing
    at: int = 0
    found: list[Piece] = field(default_factory=list)
    out: list[str | Slot] = field(default_factory=list)
    begun: int = 0

    def cut(self) -> list[Piece]:
        """The statements. Raises NotSql."""
        while self.at < len(self.text):
            self._next()
        self._end()
        return self.found

    def _next(self) -> None:
        text, at = self.text, self.at
        if text.startswith(OPEN, at):
            self._put(self._slot("bare"))
        elif text.startswith("--", at):
            end = text.find("\n", at)
            self._comment(len(text) if end < 0 else end)
        elif text.startswith("/*", at):
            self._comment(self._end_of_block())
        elif text[at] == "'":
            self._literal()
        elif text[at] == '"':
            self._name()
        elif text[at] == "$" and not self._in_word() and (tag := _DOLLAR.match(text, at)):
            self._dollar(tag[0])
        elif text[at] == "$" and not self._in_word() and text[at + 1 : at + 2].isdigit():
            raise NotSql("write {{ .name }}, not $1: the numbers are given here", self._line(at))
        elif text[at] == ";":
            self.at += 1
            self._end()
        elif text[at] in "\x00\\":
            raise NotSql("psql's own commands and NUL bytes are not SQL", self._line(at))
        else:
            self._put(text[at])
            self.at += 1

    def _in_word(self) -> bool:
        """Whether a name or number goes on here: `a$1` is a name."""
        return bool(self.out) and isinstance(self.out[-1], str) and bool(_WORD_BEFORE.search(self.out[-1]))

    # ------------------------------------------------------------------------------------------------ pieces

    def _line(self, at: int) -> int:
        return self.line + self.text.count("\n", 0, at)

    def _put(self, piece: str | Slot) -> None:
        if not self.out and isinstance(piece, str) and piece.isspace():
            return
        if not self.out:
            self.begun = self._line(self.at)
        if isinstance(piece, str) and self.out and isinstance(self.out[-1], str):
            self.out[-1] += piece
        else:
            self.out.append(piece)

    def _end(self) -> None:
        if self.out and isinstance(self.out[-1], str):
            self.out[-1] = self.out[-1].rstrip()
        pieces = tuple(piece for piece in self.out if piece != "")
        if pieces:
            self.found.append(Piece(pieces, self.begun))
        self.out = []

    def _slot(self, where: str) -> Slot:
        start = self.at
        line = self._line(start)
        try:
            end = find_end(self.text, start)
            action = parse_action(self.text[start + len(OPEN) : end - len(OPEN)])
        except Malformed as problem:
            raise NotSql(str(problem), line) from None
        slot = self.place(action, where, line)
        self.at = end
        return slot

    # ------------------------------------------------------------------------------------------------ lexical elements

    def _comment(self, end: int) -> None:
        if OPEN in self.text[self.at : end]:
            raise NotSql("a parameter in a comment does nothing; take it out", self._line(self.at))
        self.at = end

    def _end_of_block(self) -> int:
        depth, at = 1, self.at + 2
        while at < len(self.text):
            if self.text.startswith("/*", at):
                depth, at = depth + 1, at + 2
            elif self.text.startswith("*/", at):
                depth, at = depth - 1, at + 2
                if depth == 0:
                    return at
            else:
                at += 1
        raise NotSql("a comment that does not end", self._line(self.at))

    def _dollar(self, tag: str) -> None:
        end = self.text.find(tag, self.at + len(tag))
        if end < 0:
            raise NotSql(f"a {tag} that does not end", self._line(self.at))
        body = self.text[self.at : end + len(tag)]
        if OPEN in body:
            raise NotSql(
                "a parameter inside of $$ cannot be bound; take the body out of the dollar quotes", self._line(self.at)
            )
        self._put(body)
        self.at = end + len(tag)

    def _literal(self) -> None:
        """A literal; with parameters in it, the concatenation of its parts."""
        start = self.at
        before = self.out[-1] if self.out and isinstance(self.out[-1], str) else ""
        prefixed = bool(_WORD_BEFORE.search(before)) or before[-2:].upper() == "U&"
        escapes = before[-1:] in {"e", "E"} and prefixed
        self.at += 1
        parts: list[str | Slot] = []
        kept: list[str] = []
        while True:
            if self.at >= len(self.text):
                raise NotSql("a literal that does not end", self._line(start))
            if self.text.startswith(OPEN, self.at):
                if prefixed:
                    raise NotSql(
                        "a parameter in an E'', U&'', B'' or X'' literal; use a plain one", self._line(self.at)
                    )
                parts += ["".join(kept), self._slot("literal")]
                kept = []
                continue
            char = self.text[self.at]
            if escapes and char == "\\":
                kept.append(self.text[self.at : self.at + 2])
                self.at += 2
                continue
            if char == "'" and self.text.startswith("''", self.at):
                kept.append("''")
                self.at += 2
                continue
            self.at += 1
            if char == "'":
                break
            kept.append(char)
        parts.append("".join(kept))
        self._put_literal([part for part in parts if part != ""], whole=len(parts) == 1)

    def _put_literal(self, parts: list[str | Slot], *, whole: bool) -> None:
        if whole:
            self._put("'" + "".join(str(part) for part in parts) + "'")
            return
        typed = _TYPED.search(self.out[-1]) if self.out and isinstance(self.out[-1], str) else None
        if typed is not None and isinstance(self.out[-1], str):
            self.out[-1] = self.out[-1][: typed.start()]
            self._put("CAST(")
        if len(parts) == 1:
            self._put(parts[0])
        else:
            self._put("(")
            for index, part in enumerate(parts):
                self._put(" || " if index else "")
                self._put(f"'{part}'" if isinstance(part, str) else part)
                self._put("" if isinstance(part, str) else "::text")
            self._put(")")
        if typed is not None:
            self._put(f" AS {typed[1]})")

    def _name(self) -> None:
        """A quoted name. A parameter in it must be all of it."""
        start = self.at
        if self.text.startswith(OPEN, self.at + 1):
            self.at += 1
            slot = self._slot("name")
            if self.text[self.at : self.at + 1] != '"':
                raise NotSql("a parameter must be all of a quoted name", self._line(start))
            self.at += 1
            self._put(slot)
            return
        end = self.text.find('"', self.at + 1)
        while end >= 0 and self.text.startswith('""', end):
            end = self.text.find('"', end + 2)
        if end < 0:
            raise NotSql("a quoted name that does not end", self._line(start))
        if OPEN in self.text[start:end]:
            raise NotSql("a parameter must be all of a quoted name", self._line(start))
        self._put(self.text[start : end + 1])
        self.at = end + 1


def cut_statements(text: str, line: int, place: Placing) -> list[Piece]:
    """The statements of a text whose first line is `line` of its file. Raises NotSql."""
    return Cutter(text, line, place).cut()
