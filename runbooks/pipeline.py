"""The template action `{{ .name | function "argument" … }}`, the part of Go's text/template that runbooks use. Pure.

Anything else between braces (conditions, loops, variables, nested templates) would hide parameters from the form and
from the approver, so it does not load. Strings are Go's: `"…"` with backslash escapes, or back quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPEN, CLOSE = "{{", "}}"
NAME = re.compile(r"[a-zA-Z0-9_]+\Z")
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)|(?P<pipe>\|)|(?P<field>\.[a-zA-Z0-9_]+)|(?P<word>[^\s|"`]+))"""
)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "'": "'"}


class Malformed(Exception):
    """This is not a parameter as a runbook may have them."""


@dataclass(frozen=True, slots=True)
class Call:
    """One function of a pipeline with its arguments."""

    function: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One `{{ … }}`: the parameter and what is piped after it."""

    name: str
    calls: tuple[Call, ...] = ()

    def has(self, function: str) -> bool:
        """Whether the function is in the pipeline."""
        return any(call.function == function for call in self.calls)


#: Function → how many arguments it takes (least, most).
FUNCTIONS: dict[str, tuple[int, int]] = {
    "required": (0, 1),
    "default": (1, 1),
    "pattern": (1, 1),
    "type": (1, 1),
    "options": (1, 200),
    "minlength": (1, 1),
    "maxlength": (1, 1),
    "order": (1, 1),
    "description": (1, 1),
    "placeholder": (1, 1),
    "squote": (0, 0),
    "dquote": (0, 0),
    "quotechar": (1, 1),
    "encodeb64": (0, 0),
    "decodeb64": (0, 0),
    "asenv": (1, 1),
    "identifier": (0, 0),
}


def find_end(text: str, start: int) -> int:
    """The index after the `}}` of the action that starts at `start`; a `}}` in a string does not count. Raises Malformed."""
    index = start + len(OPEN)
    while index < len(text):
        char = text[index]
        if text.startswith(CLOSE, index):
            return index + len(CLOSE)
        if char in '"`':
            index = _after_string(text, index)
            continue
        if text.startswith(OPEN, index):
            raise Malformed("a {{ inside of a {{")
        index += 1
    raise Malformed("a {{ without its }}")


def _after_string(text: str, index: int) -> int:
    quote = text[index]
    index += 1
    while index < len(text):
        if text[index] == "\\" and quote == '"':
            index += 2
            continue
        if text[index] == quote:
            return index + 1
        if text[index] == "\n" and quote == '"':
            break
        index += 1
    raise Malformed("a string that does not end")


def parse_action(inside: str) -> Action:
    """What stands between the braces. Raises Malformed, saying what is not allowed."""
    tokens = _tokens(inside.strip().removeprefix("-").removesuffix("-"))
    if not tokens:
        raise Malformed("an empty {{ }}")
    kind, first = tokens[0]
    if kind != "field":
        raise Malformed(
            f"{{{{ {first} … }}}} is not supported: only {{{{ .name | function … }}}}, no conditions or loops"
        )
    calls: list[Call] = []
    rest = tokens[1:]
    while rest:
        if rest[0][0] != "pipe":
            raise Malformed(f"a | is missing after .{first[1:]}")
        call, rest = _call(rest[1:])
        calls.append(call)
    return Action(first[1:], tuple(calls))


def _call(tokens: list[tuple[str, str]]) -> tuple[Call, list[tuple[str, str]]]:
    if not tokens or tokens[0][0] != "word":
        raise Malformed("a function name is missing after |")
    name = tokens[0][1]
    if name not in FUNCTIONS:
        raise Malformed(f"there is no function {name[:40]}; there are {', '.join(sorted(FUNCTIONS))}")
    arguments: list[str] = []
    index = 1
    while index < len(tokens) and tokens[index][0] != "pipe":
        kind, text = tokens[index]
        if kind == "field" or (kind == "word" and not text.lstrip("-").isdigit()):
            raise Malformed(f"the argument {text[:40]} of {name} must be in double quotes")
        arguments.append(text)
        index += 1
    least, most = FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        raise Malformed(
            f"{name} takes {least if least == most else f'{least} to {most}'} argument{'' if most == 1 else 's'}, not {len(arguments)}"
        )
    return Call(name, tuple(arguments)), tokens[index:]


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    index = 0
    text = text.rstrip()
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            raise Malformed(f"“{text[index : index + 20].strip()}” is not understood")
        kind = match.lastgroup or ""
        raw = match[kind]
        found.append((kind, _unquoted(raw) if kind == "string" else raw))
        index = match.end()
    return found


def _unquoted(raw: str) -> str:
    if raw.startswith("`"):
        return raw[1:-1]
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], "\\" + m[1]), raw[1:-1])
