"""What stands in the expressions that `Lineage.notes` holds: a tree, or the parts of a plain one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxy.sql import lineage_functions
from proxy.sql.plain import COLUMN, READS, Expression

Noted = Mapping[str, Any] | Expression

#: A number of so many digits is a length, a place or a precision where it is an argument.
SHORT_NUMBER = 4


def constants(node: Noted, literals: set[int], parameters: set[int]) -> None:
    """The places of all constants and the numbers of all parameters under a node. Conditions of queries inside it are
    notes of their own, and the 6 of `left(phone, 6)` is no value."""
    if isinstance(node, tuple):
        literals.update(node[3])
        parameters.update(node[4])
        return
    pending: list[Any] = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, list):
            pending.extend(one)
        elif isinstance(one, dict):
            for kind, body in one.items():
                if kind == "FuncCall":
                    pending.extend(arg for arg in body.get("args", []) if not _is_short_number(arg))
                    pending.extend(part for key, part in body.items() if key != "args")
                elif kind == "A_Const":
                    literals.add(body.get("location", 0))
                elif kind == "ParamRef":
                    parameters.add(body.get("number", 0))
                elif kind == "SelectStmt":
                    pending += (body.get("targetList", []), body.get("valuesLists", []))
                elif isinstance(body, (dict, list)):
                    pending.append(body)


def computes(node: Noted) -> bool:
    """Whether an expression computes something of a column or subquery: `email = lower('X@Y.ORG')` in a SET only writes one."""
    if isinstance(node, tuple):
        return bool(node[0] & READS) and not node[0] & COLUMN
    if "ColumnRef" in node:
        return False
    pending: list[object] = [node]
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            if "ColumnRef" in one or "SubLink" in one:
                return True
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)
    return False


def shows_bounds(node: Noted) -> bool:
    """`lineage_functions.shows_bounds`; what is plain reads none."""
    return not isinstance(node, tuple) and lineage_functions.shows_bounds(node)


def _is_short_number(node: Any) -> bool:
    """Whether this is a plain number of a length, a place or a precision."""
    constant = node.get("A_Const", {}) if isinstance(node, dict) else {}
    number = constant.get("ival", constant.get("fval"))
    if number is None:
        return False
    return sum(char.isdigit() for char in str(number.get("ival", number.get("fval", "")))) <= SHORT_NUMBER
