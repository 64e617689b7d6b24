"""Values that become a column's type without the text naming it: `coalesce(column, '(1)')`, `array_append(column, '5')`,
`jsonb_populate_record(row, …)`. Where that type is a domain whose check runs code, so does the statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.sql.trees import Tree

#: Constructs that settle on one type for several values (PostgreSQL, 10.5).
_SETTLING = frozenset({"CoalesceExpr", "MinMaxExpr", "CaseExpr", "A_ArrayExpr", "JsonFuncExpr"})
#: The type parameter that operators share with their values: arrays grow by it.
_GROWING = "||"


def coerces(root: Tree) -> bool:
    """Whether anything in a statement may turn a value into the type of something else."""
    todo: list[Any] = [root]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, Mapping):
            if any(_settles(name, fields) for name, fields in one.items() if isinstance(fields, Mapping)):
                return True
            todo.extend(value for value in one.values() if isinstance(value, list | dict))
    return False


def _settles(name: str, fields: Mapping[str, Any]) -> bool:
    if name == "FuncCall":
        return len(fields.get("args", ())) > 1
    if name == "SelectStmt":
        return "larg" in fields or len(fields.get("valuesLists", ())) > 1
    if name == "A_Expr":
        return any(part.get("String", {}).get("sval") == _GROWING for part in fields.get("name", ()))
    return name in _SETTLING
