"""Text → libpg_query's trees. Never raises: whatever goes wrong is `Parsed.error`."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pgparse

#: Longer statements are not judged (bytes of UTF-8).
MAX_JUDGED_BYTES = 32 * 1024

#: The lexer's time grows with the square of a run of operator characters (`+-+-…`, `/*/*…`): seconds for 32 KiB.
MAX_OPERATOR_RUN = 512
_OPERATOR_RUN = re.compile(r"[~!@#^&|`?+\-*/%<>=]{" + str(MAX_OPERATOR_RUN + 1) + "}")

_CACHED_TEXTS = 2048
_CACHED_TEXT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class ParsedStatement:
    """One statement. `node` is libpg_query's node name (`SelectStmt`), `tree` that node's fields, `text` its slice.

    `location` and `length` are byte offsets into the UTF-8 of the whole text. Trees are shared: never change one.
    """

    node: str
    tree: dict[str, Any] = field(repr=False)
    text: str = field(repr=False)
    location: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text and its statements. `error` (fit for the requester, no part of the text in it) excludes statements."""

    text: str = field(repr=False)
    statements: tuple[ParsedStatement, ...] = ()
    error: str | None = None


def parse(text: str) -> Parsed:
    """Parse every statement in `text` with the PostgreSQL 17 grammar, `standard_conforming_strings` on.

    An empty text (or only comments and semicolons) has no statements and no error. Results of short texts are cached
    by exact text.
    """
    return _cached(text) if len(text) <= _CACHED_TEXT_BYTES else parse_anew(text)


class _Json:
    """What pgparse reads the parser's JSON with: as `json` does, or handed over as it is to the thread that asks for it."""

    def __init__(self) -> None:
        self._asking = 0

    def loads(self, text: str) -> Any:
        """Called by pgparse."""
        return {"stmts": [text]} if self._asking == threading.get_ident() else json.loads(text)

    def of(self, text: str) -> str | None:
        """The JSON of a text; None when it cannot be had."""
        self._asking = threading.get_ident()
        try:
            found = pgparse.parse(text)
        except Exception:  # noqa: BLE001 - `parse_anew` says why
            return None
        finally:
            self._asking = 0
        return found[0] if len(found) == 1 and isinstance(found[0], str) else None


_json = _Json()
pgparse.json = _json


def json_of(text: str) -> str | None:
    """The parser's JSON of a text that can be parsed; None for any other."""
    if len(text) > _CACHED_TEXT_BYTES or "\0" in text or has_long_run(text):
        return None
    return _json.of(text)


def parse_anew(text: str, known: str | None = None) -> Parsed:
    """As `parse`, with trees of its own; `known` is its `json_of`."""
    try:
        encoded = text.encode()
        if len(encoded) > MAX_JUDGED_BYTES:
            return Parsed(text, error=f"The statement is longer than the {MAX_JUDGED_BYTES} bytes the gateway judges.")
        if b"\0" in encoded:
            return Parsed(text, error="The statement holds a NUL byte.")
        if has_long_run(text):
            return Parsed(text, error="The statement holds a run of operator characters that is too long to be judged.")
        items = pgparse.parse(text) if known is None else json.loads(known)["stmts"]
        return Parsed(text, tuple(_statement(encoded, item) for item in items))
    except pgparse.PGQueryError as error:
        return Parsed(text, error=_syntax_error(text, error))
    except RecursionError:
        return Parsed(text, error="The statement is nested too deeply to be judged.")
    except UnicodeError:
        return Parsed(text, error="The statement is not valid Unicode text.")
    except Exception as error:  # noqa: BLE001 - whatever a native parser throws means the same: not understood
        return Parsed(text, error=f"The statement could not be parsed ({type(error).__name__}).")


def has_long_run(text: str) -> bool:
    """Whether a text is not given to the parser because of how its operators, or dashes in a comment, stand together."""
    return len(text) > MAX_OPERATOR_RUN and _OPERATOR_RUN.search(text) is not None


_cached = lru_cache(maxsize=_CACHED_TEXTS)(parse_anew)


def _statement(encoded: bytes, item: dict[str, Any]) -> ParsedStatement:
    ((node, tree),) = item["stmt"].items()
    location = item.get("stmt_location", 0)
    length = item.get("stmt_len", 0) or len(encoded) - location
    return ParsedStatement(node, tree, encoded[location : location + length].decode(), location, length)


def _syntax_error(text: str, error: pgparse.PGQueryError) -> str:
    """Where it is wrong, not what stands there: the offending token may be a value."""
    position = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], int) else 0
    if not 0 < position <= len(text) + 1:
        return "The statement is not valid SQL for PostgreSQL."
    before = text[: position - 1]
    line = before.count("\n") + 1
    column = position - 1 - (before.rfind("\n") + 1) + 1
    return f"Syntax error at line {line}, column {column}."
