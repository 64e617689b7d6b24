"""A shell script with `{{ … }}` in it: every parameter given its place. Pure.

A value is only ever the text of words that the file has: it is put between single quotes of our own, whichever quotes it
stands in, so that a POSIX shell (sh, dash, bash, ksh, zsh) reads exactly its characters. Where quotes do not hold a value
(arithmetic, names of variables, here-documents, scripts inside of words), a parameter does not load. The script is read
with a real grammar (tree-sitter's bash). (POSIX.1-2024, Shell Command Language, 2.2 Quoting.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

from runbooks.model import Slot, Use
from runbooks.pipeline import OPEN, Action, Malformed, find_end, parse_action
from runbooks.shellwords import reads_again, why_not

Pieces = tuple[str | Slot, ...]
#: Which way a parameter goes, by its action, the quotes it stands in, and whether it begins an argument.
Placing = Callable[[Action, Use, bool, int], Slot]

_BASH = Language(tree_sitter_bash.language())
_STAND_IN = "hoopslot{}end"
_NO_PLACE = {
    "heredoc_body": "a parameter in a here-document; give it by asenv and write $NAME there",
    "heredoc_content": "a parameter in a here-document; give it by asenv and write $NAME there",
    "heredoc_start": "a parameter ends a here-document",
    "heredoc_end": "a parameter ends a here-document",
    "variable_name": "a parameter in the name of a variable",
    "special_variable_name": "a parameter in the name of a variable",
    "simple_expansion": "a parameter in the name of a variable",
    "expansion": "a parameter inside of ${…}; set a variable to it first",
    "arithmetic_expansion": "a parameter in arithmetic, which would run what it says; set a variable to it first",
    "subscript": "a parameter in a subscript, which would run what it says",
    "test_command": "a parameter in [ … ] or [[ … ]]; set a variable to it first and quote that",
    "ansi_c_string": "a parameter in $'…'; use plain quotes",
    "translated_string": 'a parameter in $"…"; use plain quotes',
    "regex": "a parameter in a regular expression; set a variable to it first",
    "ERROR": "the script around this parameter cannot be read",
}
_WORDS = frozenset({"word", "number", "raw_string", "string", "concatenation"})
_SETTING = frozenset({"export", "readonly", "local"})


class NotShell(Exception):
    """The text is not a script that a runbook may have; `line` counts from 1 in the file."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def cut_script(text: str, line: int, place: Placing) -> tuple[Pieces, list[tuple[Action, int]]]:
    """The script with its parameters in their places, and the actions that stand in comments: those are declarations,
    and nothing of their values goes anywhere. `line` is the text's first line. Raises NotShell."""
    if "\x00" in text or "hoopslot" in text:
        raise NotShell("a NUL byte or the word hoopslot may not stand in a script", line)
    plain, found = _without_actions(text, line)
    encoded = plain.encode()
    root = Parser(_BASH).parse(encoded).root_node
    if not plain.strip():
        raise NotShell("there is no command", line)
    if root.has_error:
        raise NotShell(
            "this is not a script that a shell would take, or not one that we can read", line + _first_error(root)
        )
    pieces: list[str | Slot] = []
    idle: list[tuple[Action, int]] = []
    end = 0
    for number, (action, action_line) in enumerate(found):
        stand_in = _STAND_IN.format(number).encode()
        start = encoded.find(stand_in, end)
        pieces.append(encoded[end:start].decode())
        end = start + len(stand_in)
        node = root.descendant_for_byte_range(start, end)
        if node is not None and node.type == "comment" and not action.has("asenv"):
            idle.append((action, action_line))
        elif node is None or action.has("asenv"):
            pieces.append(place(action, Use.ENVIRONMENT, False, action_line))
        else:
            use, leading = _place_of(node, start, encoded, action_line)
            pieces.append(place(action, use, leading, action_line))
    pieces.append(encoded[end:].decode())
    return tuple(piece for piece in pieces if piece != ""), idle


def _without_actions(text: str, line: int) -> tuple[str, list[tuple[Action, int]]]:
    """The text with a word in place of every action, and the actions with their lines."""
    out: list[str] = []
    found: list[tuple[Action, int]] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        here = line + text.count("\n", 0, start)
        try:
            end = find_end(text, start)
            action = parse_action(text[start + len(OPEN) : end - len(OPEN)])
        except Malformed as problem:
            raise NotShell(str(problem), here) from None
        # What goes by the environment leaves a line of its own that does nothing.
        out += [text[at:start], (": " if _alone(text, start, end) and action.has("asenv") else "")]
        out.append(_STAND_IN.format(len(found)))
        found.append((action, here))
        at = end
    return "".join([*out, text[at:]]), found


def _alone(text: str, start: int, end: int) -> bool:
    line = text[text.rfind("\n", 0, start) + 1 : start]
    rest = text[end : None if (stop := text.find("\n", end)) < 0 else stop]
    return not line.strip() and not rest.strip()


def _first_error(root: Node) -> int:
    node = root
    while True:
        inner = next((child for child in node.children if child.has_error or child.is_error or child.is_missing), None)
        if inner is None:
            return node.start_point[0]
        node = inner


def _place_of(node: Node, start: int, text: bytes, line: int) -> tuple[Use, bool]:
    """Which quotes a parameter stands in, and whether it begins an argument. Raises NotShell where quotes do not hold it."""
    use = {"raw_string": Use.IN_SINGLE, "string_content": Use.IN_DOUBLE, "string": Use.IN_DOUBLE}.get(
        node.type, Use.ARGUMENT
    )
    before = text[:start]
    if use is not Use.IN_SINGLE and (len(before) - len(before.rstrip(b"\\"))) % 2:
        raise NotShell("a backslash in front of a parameter", line)
    if _inside(node, "arithmetic_expansion"):
        raise NotShell(_NO_PLACE["arithmetic_expansion"], line)
    if use is not Use.IN_SINGLE and before.endswith((b"$", b"`")):
        raise NotShell("a $ in front of a parameter", line)
    if use is Use.ARGUMENT and node.type not in {"word", "concatenation"}:
        raise NotShell(_NO_PLACE.get(node.type, f"a parameter in a {node.type.replace('_', ' ')}"), line)
    word = node
    above: Node | None = node
    while above is not None:
        if above.type in _NO_PLACE:
            raise NotShell(_NO_PLACE[above.type], line)
        if above.type == "command_substitution" and (above.text or b"").startswith(b"`"):
            raise NotShell("a parameter between backquotes; write $(…)", line)
        if above.type == "command_name":
            raise NotShell("the command itself is part of the file; a value can only be an argument", line)
        if above.type in {"command", "variable_assignment", "file_redirect", "herestring_redirect", "for_statement"}:
            break
        word, above = (above if above.type in _WORDS else word), above.parent
    leading = False
    if above is not None and above.type == "command":
        wrong, leading = why_not(_argv(above, word), starts=_at_start(word, start, use))
        if wrong:
            raise NotShell(wrong, line)
    _nowhere_above(above, line)
    return use, leading


def _inside(node: Node | None, kind: str) -> bool:
    while node is not None and node.type != kind:
        node = node.parent
    return node is not None


def _nowhere_above(node: Node | None, line: int) -> None:
    """The same for what encloses the command: a substitution in arithmetic, in a subscript, between backquotes."""
    while node is not None:
        if node.type == "declaration_command" and (node.text or b"").split(None, 2)[0].decode() not in _SETTING:
            raise NotShell("a parameter in declare or typeset; assign it in a line of its own", line)
        if node.type in _NO_PLACE and node.type not in {"test_command", "expansion"}:
            raise NotShell(_NO_PLACE[node.type], line)
        if node.type == "command_substitution" and (node.text or b"").startswith(b"`"):
            raise NotShell("a parameter between backquotes; write $(…)", line)
        node = node.parent


def _at_start(word: Node, start: int, use: Use) -> bool:
    """Whether nothing of the word comes before the value."""
    return start - word.start_byte <= (0 if use is Use.ARGUMENT else 1)


def _argv(command: Node, word: Node) -> list[str]:
    """The words of a command up to and with the one that holds the parameter, without their quotes."""
    found: list[str] = []
    for child in command.children:
        if child.type in {"variable_assignment", "file_redirect", "herestring_redirect", "heredoc_redirect"}:
            continue
        found.append((child.text or b"").decode().strip("\"'"))
        if child.start_byte <= word.start_byte < child.end_byte:
            break
    return found


def reread_line(pieces: Pieces) -> int:
    """On which line of the script (from 1) something computed is read again as commands (`eval "$X"`, `sh -c "$X"`); else 0.

    There quotes do not hold: a value that went into a variable comes out of it as commands.
    """
    text = "".join(piece if isinstance(piece, str) else "'x'" if piece.use is Use.ARGUMENT else "x" for piece in pieces)
    root = Parser(_BASH).parse(text.encode()).root_node
    lines = [node.start_point[0] + 1 for node in _commands(root) if _rereads(node)]
    return min(lines, default=0)


def _commands(node: Node) -> Iterator[Node]:
    if node.type == "command":
        yield node
    for child in node.named_children:
        yield from _commands(child)


def _rereads(command: Node) -> bool:
    computed = any("expansion" in node.type or "substitution" in node.type for node in _below(command))
    return computed and reads_again(_argv(command, command))


def _below(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        yield child
        yield from _below(child)


# ------------------------------------------------------------------------------------------------ writing values

#: Characters that mean nothing to a shell, wherever they stand.
_CALM = re.compile(r"\A[A-Za-z0-9_./:@%+=,-]*\Z")


def calm(value: str) -> bool:
    """Whether a value stays a value even when a script reads it again as a command."""
    return bool(_CALM.match(value))


def quoted(value: str, use: Use) -> str:
    """The value as it stands in the script: its own characters and nothing else."""
    inner = value.replace("'", "'\\''")
    match use:
        case Use.IN_SINGLE:
            return inner
        case Use.IN_DOUBLE:
            return f"\"'{inner}'\""
        case _:
            return f"'{inner}'"


@lru_cache(maxsize=256)
def shape(text: str) -> tuple[str, ...] | None:
    """Which commands a script has, with how many words each; None when it cannot be read. Values never change it."""
    root = Parser(_BASH).parse(text.encode()).root_node
    return None if root.has_error else tuple(_shape(root))


def _shape(node: Node) -> Iterator[str]:
    if node.type in _WORDS:
        yield "word"
        for child in node.named_children:
            yield from (kind for kind in _shape(child) if kind != "word")
        return
    if node.type in {"string_content", "comment"}:
        return
    yield node.type
    for child in node.named_children:
        yield from _shape(child)


#: Names that change which programs run or how they read what follows: never set from a value.
_NEVER = re.compile(
    r"\A(?:PATH|IFS|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|SHELL|PS[0-9]|PROMPT_COMMAND|HOME|CDPATH|GLOBIGNORE|TMPDIR|TERMINFO|"
    r"HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|NLSPATH|GCONV_PATH|LOCPATH|EDITOR|VISUAL|PAGER|BROWSER|LESS|LESSOPEN|LESSCLOSE|"
    r"MANPAGER|FCEDIT|OPENSSL_CONF|CURL_HOME|WGETRC|KUBECONFIG|NODE_OPTIONS|NODE_PATH|CLASSPATH|JAVA_TOOL_OPTIONS|"
    r"_JAVA_OPTIONS|JDK_JAVA_OPTIONS|PSQLRC|HTTPS?_PROXY|ALL_PROXY|"
    r"(?:LD|DYLD|BASH|GIT|SSH|SUDO|PYTHON|PERL|PERL5|RUBY|LUA|XDG|MALLOC|GLIBC|DOCKER|AWS_CONFIG|LC|PG)_?.*)\Z"
)
_ENVIRONMENT = re.compile(r"\A[A-Z][A-Z0-9_]{0,60}\Z")


def environment_wrong(name: str) -> str:
    """Why a value may not go by this name; empty when it may."""
    if not _ENVIRONMENT.match(name):
        return f"{name[:41]} is not a name for the environment: capital letters, digits and _"
    if _NEVER.match(name):
        return f"{name} changes which programs run or how; a value may not set it"
    return ""
