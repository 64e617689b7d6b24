"""The SQL statements inside a PL/pgSQL function, when all of them stand in its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pgparse

from proxy.sql.parse import parse

Trees = tuple[Mapping[str, Any], ...]

#: libpg_query's parse modes (`RawParseMode`): a statement, an expression; the rest are assignments.
_STATEMENT, _EXPRESSION = 0, 2

_DYNAMIC = frozenset({"PLpgSQL_stmt_dynexecute", "PLpgSQL_stmt_dynfors", "dynquery"})
_NODES = frozenset(
    f"PLpgSQL_{name}"
    for name in [
        "case_when",
        "condition",
        "diag_item",
        "exception",
        "exception_block",
        "expr",
        "function",
        "if_elsif",
        "nsitem",
        "raise_option",
        "rec",
        "recfield",
        "row",
        "stmt_assert",
        "stmt_assign",
        "stmt_block",
        "stmt_call",
        "stmt_case",
        "stmt_close",
        "stmt_commit",
        "stmt_execsql",
        "stmt_exit",
        "stmt_fetch",
        "stmt_forc",
        "stmt_foreach_a",
        "stmt_fori",
        "stmt_fors",
        "stmt_getdiag",
        "stmt_if",
        "stmt_loop",
        "stmt_open",
        "stmt_perform",
        "stmt_raise",
        "stmt_return",
        "stmt_return_next",
        "stmt_return_query",
        "stmt_rollback",
        "stmt_while",
        "type",
        "var",
        "variable",
    ]
)
_ASSIGNMENT = re.compile(r"[^:=]*:?=")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_CHANGE = re.compile(r"\b(insert|update|delete|merge|truncate|execute|copy|call|do|create|drop|alter)\b", re.IGNORECASE)


def statements(definition: str) -> Trees | None:
    """The trees ({node name: fields}) of every statement and expression of a `CREATE FUNCTION … LANGUAGE plpgsql`.

    None when the function builds statements as it runs, or when any part of it could not be read.
    """
    try:
        queries = _queries(pgparse.parse_pgsql(definition))
    except Exception:  # noqa: BLE001 - a native parser; whatever it throws means that nobody can tell
        return None
    if queries is None or _changes(_COMMENT.sub(" ", _body(definition))) > sum(_changes(text) for text, _ in queries):
        return None
    trees: list[Mapping[str, Any]] = []
    for text, mode in queries:
        if mode == _STATEMENT:
            parsed = parse(text)
        else:
            parsed = parse("SELECT " + (text if mode == _EXPRESSION else _ASSIGNMENT.sub("", text, count=1)))
        if parsed.error is not None:
            return None
        trees += [{one.node: one.tree} for one in parsed.statements]
    return tuple(trees)


def _queries(tree: Any) -> list[tuple[str, int]] | None:
    """Every piece of SQL with its parse mode; None when some of it is not in the text or a node is not known."""
    found: list[tuple[str, int]] = []
    todo = [tree]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, dict):
            for key, value in one.items():
                if key in _DYNAMIC or (key.startswith("PLpgSQL_") and key not in _NODES):
                    return None
                if key == "PLpgSQL_expr":
                    found.append((value["query"], value.get("parseMode", _STATEMENT)))
                else:
                    todo.append(value)
    return found


def _body(definition: str) -> str:
    """What stands between the outermost dollar quotes (pg_get_functiondef always uses them)."""
    quote = re.search(r"\$[A-Za-z_]*\$", definition)
    if quote is None:
        return definition
    return definition[quote.end() : definition.rfind(quote[0])]


def _changes(text: str) -> int:
    return len(_CHANGE.findall(text))
