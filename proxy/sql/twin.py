"""The row-count twin of a change: a SELECT that counts, up to a limit, the rows it would touch. Pure.

The condition is cut out of the text and the result parsed again: it stands only if its table and condition are, tree for
tree, those of the change. What cannot be cut out like that has no twin.
"""

from __future__ import annotations

import re
from typing import Any

from access.errors import Invalid
from proxy.sql.parse import ParsedStatement, parse

#: Rows are counted up to here.
MOST = 100_000
_UNKNOWN = "Rows are counted for one UPDATE, DELETE or SELECT"
#: Strings, quoted names, dollar quotes, comments, words, and single characters.
_TOKEN = re.compile(
    r"""(?P<escape>[eE]'(?:[^'\\]|\\.|'')*')|(?P<string>'(?:[^']|'')*')|(?P<name>"(?:[^"]|"")*")
    |(?P<dollar>\$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$)|(?P<line>--[^\n]*)|(?P<comment>/\*)
    |(?P<word>[^\W\d][\w$]*)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


def twin(text: str) -> str:
    """The SELECT that counts. Raises Invalid saying why there is none."""
    found = parse(text)
    if found.error is not None or len(found.statements) != 1:
        raise Invalid(f"{_UNKNOWN} alone.")
    one = found.statements[0]
    if one.node == "SelectStmt":
        return _counting(f"({one.text}\n) AS chosen")
    if one.node not in {"UpdateStmt", "DeleteStmt"}:
        raise Invalid(f"{_UNKNOWN} only.")
    if one.tree.keys() & {"withClause", "usingClause", "fromClause"}:
        raise Invalid(f"{_UNKNOWN} without WITH, USING or FROM.")
    if "CurrentOfExpr" in one.tree.get("whereClause", {}):
        raise Invalid("The row of a cursor is not counted.")
    table = _table(one.tree["relation"])
    if "whereClause" not in one.tree:
        return _counting(table)
    made = _counting(f"{table} WHERE {_condition(one.text)}\n")
    if _inside(made) != (_bare(one.tree["relation"]), _bare(one.tree["whereClause"])):
        raise Invalid("Its condition could not be told from the rest of its text.")
    return made


def _counting(rows: str) -> str:
    # judged like any text before it runs
    return f"SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT {MOST + 1}) AS counted"  # noqa: S608 - see above


def _inside(text: str) -> tuple[Any, Any] | None:
    """Table and condition of a twin, as trees without places."""
    found = parse(text)
    if found.error is not None or len(found.statements) != 1:
        return None
    one: ParsedStatement = found.statements[0]
    try:
        inner = one.tree["fromClause"][0]["RangeSubselect"]["subquery"]["SelectStmt"]
        return _bare(inner["fromClause"][0]["RangeVar"]), _bare(inner["whereClause"])
    except (KeyError, IndexError):
        return None


def _bare(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _bare(value) for key, value in tree.items() if key != "location"}
    return [_bare(one) for one in tree] if isinstance(tree, list) else tree


def _table(relation: dict[str, Any]) -> str:
    parts = [relation[key] for key in ("catalogname", "schemaname", "relname") if relation.get(key)]
    only = "" if relation.get("inh") else "ONLY "
    alias = relation.get("alias", {}).get("aliasname")
    return only + ".".join(map(_quoted, parts)) + (f" AS {_quoted(alias)}" if alias else "")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _condition(text: str) -> str:
    """What stands between the WHERE and the RETURNING that are in no brackets; empty when there is no such WHERE."""
    depth, start, at = 0, -1, 0
    while (token := _TOKEN.match(text, at)) is not None:
        at = token.end()
        if token["comment"]:
            at = _after_comment(text, at)
        elif token["other"] in {"(", "["}:
            depth += 1
        elif token["other"] in {")", "]"}:
            depth -= 1
        elif depth == 0 and token["word"]:
            word = token["word"].upper()
            if word == "WHERE" and start < 0:
                start = at
            elif word == "RETURNING" and start >= 0:
                return text[start : token.start()]
    return text[start:] if start >= 0 else ""


def _after_comment(text: str, at: int) -> int:
    """The end of a comment, which may hold others."""
    depth = 1
    while depth and (mark := re.compile(r"/\*|\*/").search(text, at)) is not None:
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return at if not depth else len(text)
