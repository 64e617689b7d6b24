"""The SQL statements inside a PL/pgSQL function, when all of them stand in its text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pgparse

from proxy.sql.parse import parse

Trees = tuple[Mapping[str, Any], ...]
#: A piece of SQL, how it is parsed, what becomes of it.
Query = tuple[str, int, str]

#: libpg_query's parse modes (`RawParseMode`): a statement, an expression; the rest are assignments.
_STATEMENT, _EXPRESSION = 0, 2

#: What becomes of the value of an expression is the name of its first column: it decides, it goes to columns of the row that
#: is written (all of them: `*`), or, as with every other name, it may be in any variable from then on.
TEST, INTO_ROW, _KEPT = " test", " row.", " kept"
#: A name that is a column and a variable is the variable.
VARIABLES_WIN = " variables win"

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
_ALIAS = re.compile(r"\balias\b", re.IGNORECASE)
_VARIABLES_WIN = re.compile(r"use_variable", re.IGNORECASE)
_ROW_ITSELF = frozenset({"new", "old", "null", "coalesce"})
_SEVERAL = re.compile(r"\b(union|intersect|except|values|with)\b", re.IGNORECASE)
_ASSIGNMENT = re.compile(r"[^:=]*:?=")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_CHANGE = re.compile(r"\b(insert|update|delete|merge|truncate|execute|copy|call|do|create|drop|alter)\b", re.IGNORECASE)


def statements(definition: str) -> Trees | None:
    """The trees ({node name: fields}) of every statement and expression of a `CREATE FUNCTION … LANGUAGE plpgsql`.

    What becomes of the value of an expression is told by the name of its first column (`TEST`). None when the function builds statements as it runs, or when any part of it could not be read.
    """
    try:
        queries = _queries(pgparse.parse_pgsql(definition))
    except Exception:  # noqa: BLE001 - a native parser; whatever it throws means that nobody can tell
        return None
    if queries is None or _changes(_COMMENT.sub(" ", _body(definition))) > sum(_changes(text) for text, *_ in queries):
        return None
    trees: list[Mapping[str, Any]] = []
    for text, mode, role in (*queries, *_pragmas(_body(definition))):
        if mode == _STATEMENT:
            parsed = parse(text)
        else:
            parsed = parse("SELECT " + (text if mode == _EXPRESSION else _ASSIGNMENT.sub("", text, count=1)))
        if parsed.error is not None:
            return None
        trees += [{one.node: _named(one.tree, role)} for one in parsed.statements]
    return tuple(trees)


def as_definition(body: str) -> str:
    """A function of triggers with that body."""
    quote = "q"
    while f"${quote}$" in body:
        quote += "q"
    return f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS ${quote}${body}${quote}$"


def _pragmas(body: str) -> list[Query]:
    """What no expression says: other names of the row, and which of two things a name is."""
    found: list[Query] = []
    if _ALIAS.search(body):
        found.append(("new, old", _EXPRESSION, _KEPT))
    if _VARIABLES_WIN.search(body):
        found.append(("true", _EXPRESSION, VARIABLES_WIN))
    return found


def _named(tree: Mapping[str, Any], role: str) -> Mapping[str, Any]:
    targets = tree.get("targetList", ())
    if not targets or tree.get("valuesLists") or "ResTarget" not in targets[0] or "op" not in tree:
        return tree
    return {**tree, "targetList": [{"ResTarget": {**targets[0]["ResTarget"], "name": role}}, *targets[1:]]}


def _queries(tree: Any) -> list[Query] | None:
    """Every piece of SQL with its parse mode and role; None when some of it is not in the text or a node is not known."""
    found: list[Query] = []
    row: dict[int, str] = {}
    todo: list[tuple[Any, str]] = [(tree, _KEPT)]
    while todo:
        one, role = todo.pop()
        if isinstance(one, list):
            todo.extend((inner, role) for inner in one)
        elif isinstance(one, dict):
            for key, value in one.items():
                if key in _DYNAMIC or (key.startswith("PLpgSQL_") and key not in _NODES):
                    return None
                if key == "PLpgSQL_function":
                    row = _row(value)
                if key == "PLpgSQL_expr":
                    found.append((value["query"], value.get("parseMode", _STATEMENT), role))
                    continue
                given, more = _given(key, value, role, row)
                found += [("_", _EXPRESSION, into) for into in more]
                todo.append((value, given))
    return found


def _row(function: Mapping[str, Any]) -> dict[int, str]:
    """The variables that are the row which is written, or a column of it, with their roles."""
    rows: list[int] = [function[key] for key in ("new_varno", "old_varno") if key in function]
    found = dict.fromkeys(rows, INTO_ROW + "*")
    for number, datum in enumerate(function.get("datums", ())):
        part = datum.get("PLpgSQL_recfield", {}) if datum else {}
        if part.get("recparentno") in rows:
            found[number] = INTO_ROW + part["fieldname"]
    return found


def _given(key: str, value: Any, role: str, row: Mapping[int, str]) -> tuple[str, list[str]]:
    """The role of the expression behind a key, and those that what is in variables has then."""
    if key == "PLpgSQL_stmt_assign":
        into = row.get(value.get("varno", -1), _KEPT)
        several = into != _KEPT and _SEVERAL.search(str(value.get("expr")))
        return into, [into] if several else []
    if key == "PLpgSQL_stmt_return":
        text = value.get("expr", {}).get("PLpgSQL_expr", {}).get("query", "")
        itself = set(re.findall(r"[^\s(),]+", text.lower())) <= _ROW_ITSELF
        return TEST if itself else INTO_ROW + "*", []
    if key in {"target", "var"}:
        return _KEPT, [row[number] for number in _numbers(value) if number in row]
    if key == "PLpgSQL_stmt_foreach_a":
        return _KEPT, [row[value["varno"]]] if value.get("varno") in row else []
    return TEST if key == "cond" else role if key == "expr" else _KEPT, []


def _numbers(target: Any) -> list[int]:
    """The variables that a query's columns go to."""
    if "PLpgSQL_rec" in target:
        return [target["PLpgSQL_rec"].get("dno", -1)]
    return [one.get("varno", -1) for one in target.get("PLpgSQL_row", {}).get("fields", ())]


def _body(definition: str) -> str:
    """What stands between the outermost dollar quotes (pg_get_functiondef always uses them)."""
    quote = re.search(r"\$[A-Za-z_]*\$", definition)
    if quote is None:
        return definition
    return definition[quote.end() : definition.rfind(quote[0])]


def _changes(text: str) -> int:
    return len(_CHANGE.findall(text))
