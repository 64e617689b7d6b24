"""Rewriting the leaves of a JSON text in place: numbers, spacing, key order and duplicate keys stay as they were.

No recursion and no tree, so depth and size cost only time linear in the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

#: (value, is it a string, the keys it is under) → its replacement (a string, or None = null); the same object = keep.
Leaf = Callable[[str, bool, Sequence[str]], str | None]
#: key → its replacement; the same object = keep.
Key = Callable[[str], str]

_TOKEN = re.compile(
    r'[ \t\r\n]*(?:("[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*")|([{}\[\],:])|(-?[0-9][0-9.eE+-]*)|true|false|null)[ \t\r\n]*'
)


def rewrite(text: str, leaf: Leaf, key: Key) -> str:
    """`text` with its leaves and keys replaced; the same object when all were kept. Raises `ValueError` if not JSON."""
    parts: list[str] = []
    copied = at = 0
    stack: list[str] = []  # "{" or "[" for each open container
    keys: list[str] = []  # the key each open object is at
    key_next = False
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError("not JSON")
        at = token.end()
        string, mark, number = token.groups()
        if mark is not None:
            key_next = _step(mark, stack, keys)
            continue
        if string is None and number is None:
            continue
        old = number if string is None else _unquoted(string)
        if key_next and string is not None:
            keys[-1] = old
            key_next = False
            new: str | None = key(old)
        else:
            new = leaf(old, string is not None, keys)
        if new is not old:
            group = 3 if string is None else 1
            parts += (text[copied : token.start(group)], "null" if new is None else json.dumps(new, ensure_ascii=False))
            copied = token.end(group)
    if stack:
        raise ValueError("not JSON")
    if not parts:
        return text
    parts.append(text[copied:])
    return "".join(parts)


def _unquoted(string: str) -> str:
    return str(json.loads(string)) if "\\" in string else string[1:-1]


def _step(mark: str, stack: list[str], keys: list[str]) -> bool:
    """Follow a structural character; True when a key comes next."""
    if mark in "{[":
        stack.append(mark)
        if mark == "{":
            keys.append("")
        return mark == "{"
    if mark in "}]":
        opened = stack.pop() if stack else ""
        if opened + mark not in {"{}", "[]"}:
            raise ValueError("not JSON")
        if mark == "}":
            keys.pop()
        return False
    return mark == "," and bool(stack) and stack[-1] == "{"
