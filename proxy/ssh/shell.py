"""Reading a command line with a real grammar (tree-sitter's bash): which simple commands are in it, with which words.

The far side runs `$SHELL -c <line>`, so this reads text, not an argument vector. What the grammar skips over or forgives
(ERROR nodes, control characters that count as blanks) makes the line not understood; what is computed when the line runs
(variables, substitutions, brace expansion) is marked, because nobody knows its value now.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

#: Longest line that is read, in bytes.
MAX_BYTES = 32 * 1024
#: Deepest nesting of a line that is followed.
MAX_DEPTH = 60

_BASH = Language(tree_sitter_bash.language())
_GLOB = re.compile(r"(?<!\\)[*?\[]")
_SUSPICIOUS = re.compile(r"(?<!\\)[\"'`$]")
#: A test that only looks. To a shell `[ a > b ]` writes a file and `[[ a > b ]]` does in some; numbers are computed first
#: (`[[ X -eq 0 ]]` runs what is in `$X`), and so are names of variables.
_TERM = (
    r"(?:! +)?(?:-[bcdefghknprsuwxzGLNOS] +{0}|{0} +(?:=|==|!=|-nt|-ot|-ef) +{0}|-?[0-9]+ +-(?:eq|ne|lt|le|gt|ge) +-?[0-9]+|{0})"
).format(r"""(?:'[^'\[\n]*'|"[^"$`\\\[\n]*"|[\w./:@%+,][\w./:@%+,=-]*)""")
_TEST = re.compile(
    rf"\A(?:\[ +{_TERM}(?: +-[ao] +{_TERM})* +\]|\[\[ +{_TERM}(?: +(?:&&|\|\|) +{_TERM})* +\]\])\Z", re.ASCII
)
_CHAIN = frozenset({"&&", "||", ";", "\n", "(", ")", "{", "}", "|", "|&", ";;"})
_CONTROL = frozenset(
    {
        "if_statement", "while_statement", "for_statement", "c_style_for_statement", "case_statement", "case_item",
        "elif_clause", "else_clause", "do_group", "function_definition", "extglob_pattern",
    }
)  # fmt: skip
_ON_ONE_LINE = frozenset(
    {"command", "redirected_statement", "file_redirect", "herestring_redirect", "variable_assignment", "concatenation"}
)
_PLAIN_BLOCKS = frozenset({"program", "list", "subshell", "compound_statement", "negated_command"})


@dataclass(frozen=True, slots=True)
class Word:
    """One word. `text` is what the command gets, when that is known now (`static`); `glob`: file names replace it."""

    text: str
    static: bool = True
    glob: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """`operator` as written (`>`, `>>`, `<`, `&>` …); `target` is None for a here-document."""

    operator: str
    target: Word | None


@dataclass(frozen=True, slots=True)
class Simple:
    """One simple command. `fed`: its input comes from a pipe, a file or a here-document."""

    words: tuple[Word, ...]
    fed: bool = False


@dataclass(slots=True)
class Line:
    """What was found in a line. `doubts`: what makes its effect unknown; `problem`: why it could not be read at all."""

    text: str = field(repr=False)
    commands: list[Simple] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    problem: str = ""


@lru_cache(maxsize=512)
def read(text: str) -> Line:
    """Read a line. Never raises: what goes wrong is a `problem`."""
    line = Line(text)
    line.problem = _unreadable(text)
    if line.problem:
        return line
    try:
        root = Parser(_BASH).parse(text.encode()).root_node
        if root.has_error:
            line.problem = "This is not a command line that a shell would take, or not one that we can read."
        else:
            _walk(root, line, 0, fed=False)
            _between(root, line.text.encode(), line)
            if "\\\n" in text:
                line.doubts.append("a line that goes on in the next one")
    except (RecursionError, ValueError, UnicodeError):
        line.problem = "This command line is nested too deeply to be read."
    if not line.problem and not line.commands and not line.redirects and not line.doubts:
        line.problem = "There is no command in this line."
    return line


def _between(node: Node, data: bytes, line: Line) -> None:
    """What the grammar passed over. A shell ends a command at each newline, and to it a `#` behind an escaped blank is no comment."""
    before = data[: node.start_byte]
    if node.type == "comment" and before and (before[-1:] not in b" \n" or before[-2:-1] == b"\\"):
        line.doubts.append("a comment behind something")
    at = node.start_byte
    for child in node.children:
        passed = data[at : child.start_byte]
        if b"\\" in passed or (b"\n" in passed and node.type in _ON_ONE_LINE):
            line.doubts.append("something between its words")
        at = child.end_byte
        _between(child, data, line)


def _unreadable(text: str) -> str:
    if not text.strip():
        return "There is no command in this line."
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        return f"This command line is longer than {MAX_BYTES // 1024} KiB. Put it into a script and have that reviewed."
    for character in text:
        if character in " \t\n":
            continue
        if character.isspace() or not character.isprintable():
            return f"This command line contains a character that does not show (U+{ord(character):04X})."
    return ""


def _walk(node: Node, line: Line, depth: int, *, fed: bool) -> None:
    if depth > MAX_DEPTH:
        raise RecursionError
    kind = node.type
    if kind in _PLAIN_BLOCKS:
        _chain(node, line, depth, fed=fed)
    elif kind == "pipeline":
        for number, child in enumerate(node.named_children):
            _walk(child, line, depth + 1, fed=fed or number > 0)
    elif kind == "command":
        _command(node, line, depth, fed=fed)
    elif kind == "redirected_statement":
        _redirected(node, line, depth, fed=fed)
    elif kind == "comment":
        return
    elif kind == "test_command":
        if not _inside(node, line, depth) and not _TEST.match(_text(node)):
            line.doubts.append("a test in brackets that writes, or whose words are computed")
    else:
        named = kind.replace("_", " ")
        line.doubts.append(f"a {named}" if kind in _CONTROL else f"the {named} in it")
        _everything(node, line, depth)


def _chain(node: Node, line: Line, depth: int, *, fed: bool) -> None:
    for child in node.children:
        if child.is_named:
            _walk(child, line, depth + 1, fed=fed)
        elif child.type == "&":
            line.doubts.append("something that goes on in the background")
        elif child.type not in _CHAIN and child.type != "!":
            line.doubts.append(f"'{child.type}'")


def _everything(node: Node, line: Line, depth: int) -> None:
    """All commands anywhere below, for structures whose flow is not followed."""
    if depth > MAX_DEPTH:
        raise RecursionError
    for child in node.named_children:
        if child.type in {"command", "pipeline", "redirected_statement", "list"}:
            _walk(child, line, depth + 1, fed=True)
        else:
            _everything(child, line, depth + 1)


def _inside(node: Node, line: Line, depth: int) -> bool:
    """Follow substitutions in a word or test; True when its value is computed when it runs."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if node.type in {"command_substitution", "process_substitution"}:
        for inner in node.named_children:
            _walk(inner, line, depth + 1, fed=False)
        return True
    computed = "expansion" in node.type or node.type == "variable_name"
    for child in node.named_children:
        computed |= _inside(child, line, depth + 1)
    if computed and node.type == "test_command":
        line.doubts.append("a test of a computed value")
    return computed


def _redirected(node: Node, line: Line, depth: int, *, fed: bool) -> None:
    redirects = node.children_by_field_name("redirect")
    reading = any(_operator(r) in {"<", "<<", "<<-", "<<<"} for r in redirects)
    body = node.child_by_field_name("body")
    if body is not None:
        _walk(body, line, depth + 1, fed=fed or reading)
    for redirect in redirects:
        _redirect(redirect, line, depth)


def _operator(redirect: Node) -> str:
    if redirect.type == "heredoc_redirect":
        return "<<"
    if redirect.type == "herestring_redirect":
        return "<<<"
    return next((child.type for child in redirect.children if not child.is_named), "?")


def _redirect(node: Node, line: Line, depth: int) -> None:
    operator = _operator(node)
    if operator == "<<":
        start = next((c for c in node.named_children if c.type == "heredoc_start"), None)
        quoted = start is not None and _text(start)[:1] in {"'", '"', "\\"}
        body = next((_text(c) for c in node.named_children if c.type == "heredoc_body"), "")
        # The grammar does not see backquotes in a body, so whatever could be computed there counts.
        if not quoted and (_inside(node, line, depth + 1) or "`" in body or "$" in body):
            line.doubts.append("a here-document that is computed when it runs")
        for child in node.named_children:
            if child.type not in {"heredoc_start", "heredoc_body", "heredoc_end"}:
                # The rest of the line behind `<<EOF`: a pipe, another redirection, more arguments.
                line.doubts.append("what follows a here-document")
                _walk(child, line, depth + 1, fed=True) if "redirect" not in child.type else _redirect(
                    child, line, depth + 1
                )
        line.redirects.append(Redirect("<<", None))
        return
    targets = [child for child in node.named_children if child.type != "file_descriptor"]
    line.redirects.append(Redirect(operator, word(targets[0], line, depth) if targets else None))
    for more in targets[1:]:
        # The grammar counts words behind the file as more files; a shell gives them to the command.
        line.doubts.append("words behind a redirection")
        word(more, line, depth)


def _command(node: Node, line: Line, depth: int, *, fed: bool) -> None:
    words = []
    for child in node.children:
        if child.type == "variable_assignment":
            line.doubts.append("a variable set for the command")
            _inside(child, line, depth + 1)
        elif child.type in {"herestring_redirect", "file_redirect", "heredoc_redirect"}:
            fed = fed or _operator(child).startswith("<")
            _redirect(child, line, depth + 1)
        elif child.type == "command_name":
            inner = child.named_children
            words.append(word(inner[0], line, depth) if len(inner) == 1 else Word("", static=False))
        elif child.is_named:
            words.append(word(child, line, depth))
        else:
            # Operators of regular expressions and the like; not part of a simple command.
            line.doubts.append(f"'{child.type}'")
    if words:
        line.commands.append(Simple(tuple(words), fed))


def word(node: Node, line: Line, depth: int = 0) -> Word:
    """The word a node stands for; substitutions in it are followed."""
    computed = _inside(node, line, depth + 1)
    raw = _text(node)
    if raw == "{}":
        return Word(raw)
    if computed or "\\\n" in raw:
        return Word("", static=False)
    return _literal(node, raw)


def _literal(node: Node, raw: str) -> Word:
    match node.type:
        case "word" | "number":
            braces = re.search(r"(?<!\\)[{}]", raw) is not None
            if braces or _SUSPICIOUS.search(raw):
                return Word("", static=False)
            return Word(re.sub(r"\\(.)", r"\1", raw), glob=_GLOB.search(raw) is not None)
        case "raw_string":
            return Word(raw[1:-1])
        case "string":
            if raw[:1] != '"' or raw[-1:] != '"' or re.search(r"(?<!\\)[$`]", raw[1:-1]):
                return Word("", static=False)
            return Word(re.sub(r'\\([$`"\\])', r"\1", raw[1:-1]))
        case "concatenation":
            parts = [_literal(child, _text(child)) for child in node.children]
            whole = sum(child.end_byte - child.start_byte for child in node.children)
            if whole != node.end_byte - node.start_byte or re.search(r"(?<!\\)\{.*(,|\.\.)", raw, re.DOTALL):
                return Word("", static=False)
            if not all(part.static for part in parts):
                return Word("", static=False)
            return Word("".join(part.text for part in parts), glob=any(part.glob for part in parts))
    return Word("", static=False)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
