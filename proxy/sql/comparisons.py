"""Which comparisons hold a column to some values: pure facts about operators, functions and literals."""

from __future__ import annotations

import re
from typing import Any

from proxy.sql import settings
from proxy.sql.names import words
from proxy.sql.trees import UNCERTAIN, Fields, Tree, constant

#: Operators that hold a column to few values when the other side is given.
EQUALITY = frozenset({"=", "~~", "~~*", "~", "~*", "@>", "&&", "?", "?|", "@@", "^@"})
ORDER = frozenset({"<", "<=", ">", ">="})
_PATTERNS = frozenset({"~~", "~~*", "^@"})
_REGULAR = frozenset({"~", "~*"})

_NEGATED = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "!~~": "~~", "!~~*": "~~*"}
_FLIPPED = {"=": "=", "<": ">", ">": "<", "<=": ">=", ">=": "<=", "&&": "&&", "<@": "@>"}

#: Functions of one column that still tell its values apart: which argument is the column.
_FOR_EQUALITY = dict.fromkeys(words("lower upper btrim ltrim rtrim date md5 left right substr substring " "split_part json_extract_path_text jsonb_extract_path_text"), 0)  # fmt: skip
_FOR_ORDER = dict.fromkeys(words("lower upper date age"), 0) | {"date_trunc": 1, "extract": 1, "date_part": 1}
_FOR_ORDER["timezone"] = 1
_PATTERN_BUILDERS = words("like_escape similar_to_escape lower upper concat")
_JSON_STEPS = frozenset({"->", "->>", "#>", "#>>"})

_NUMBER_TYPES = words("int2 int4 int8 numeric float4 float8")
_TEXT_TYPES = words("text varchar bpchar date timestamp timestamptz time timetz uuid name unknown jsonb json")
_EARLY = re.compile(r"\s*(-infinity|epoch|0\d{3}-|1[0-8]\d\d-|19[0-6]\d-|1970-)")
_LATE = re.compile(r"\s*(infinity|2[1-9]\d\d-|[3-9]\d{3}-|\d{5,}-|~|zz)", re.IGNORECASE)
_PLAIN_EXPRESSION = re.compile(r"\^?[\w@ -]+\$?")
_CLOCKS = words("now transaction_timestamp statement_timestamp clock_timestamp timeofday")
_EVERY_INTEGER = 2_147_483_647
_EVERY_KEY = 100_000_000
_FEW = 16  # nobody needs more to name both truth values


def negated(operator: str) -> str:
    """The operator that holds when this one does not; empty when there is none that is known."""
    return _NEGATED.get(operator, "")


def flipped(operator: str) -> str:
    """The operator with its sides exchanged; empty when there is none that is known."""
    return _FLIPPED.get(operator, "")


def literal(node: Tree) -> Any:
    """The value of a literal, whatever plain type it is cast to: number, str, bool, None; else UNCERTAIN."""
    cast = node.get("TypeCast")
    if cast is None:
        value = constant(node)
        return _number(value) if "fval" in node.get("A_Const", {}) else value
    name = cast["typeName"]["names"][-1]["String"]["sval"]
    value = literal(cast["arg"])
    if name in _NUMBER_TYPES and isinstance(value, str):
        return _number(value)
    if name == "bool" and isinstance(value, str):
        return settings.parse_bool(value)
    return value if name in _NUMBER_TYPES | _TEXT_TYPES | {"bool"} else UNCERTAIN


def truth(node: Tree) -> Any:
    """True, False or None (NULL) when a condition is the same for every row; UNCERTAIN when nobody can tell."""
    value = literal(node)
    if value is None or isinstance(value, bool):
        return value
    if "NullTest" in node:
        value = literal(node["NullTest"]["arg"])
        null = node["NullTest"]["nulltesttype"] == "IS_NULL"
        return UNCERTAIN if value is UNCERTAIN else (value is None) is null
    fields = node.get("A_Expr")
    if fields is None or fields["kind"] != "AEXPR_OP" or "lexpr" not in fields or "rexpr" not in fields:
        return UNCERTAIN
    left, right = fields["lexpr"], fields["rexpr"]
    if not (_is_fixed(left) and _is_fixed(right)):  # a value is only looked at where it can matter (see `forms`)
        return None if _is_null(left) or _is_null(right) else UNCERTAIN
    return _compared(fields["name"][-1]["String"]["sval"], literal(left), literal(right))


def boolean(node: Tree) -> bool | None:
    """The truth value of a literal that is one, else None."""
    cast = node.get("TypeCast")
    if cast is None:
        fields = node.get("A_Const", {})
        return constant(node) if "boolval" in fields else None
    name = cast["typeName"]["names"][-1]["String"]["sval"]
    if name == "bool":
        value = literal(node)
        return value if isinstance(value, bool) else None
    return boolean(cast["arg"]) if name in _NUMBER_TYPES | _TEXT_TYPES else None


def _is_fixed(node: Tree) -> bool:
    """Whether this is a literal, whatever it is cast to."""
    while "TypeCast" in node:
        node = node["TypeCast"]["arg"]
    return "A_Const" in node


def _is_null(node: Tree) -> bool:
    cast = node.get("TypeCast")
    if cast is None:
        return bool(node.get("A_Const", {}).get("isnull"))
    name = cast["typeName"]["names"][-1]["String"]["sval"]
    if name == "bool":
        return literal(node) is None
    return name in _NUMBER_TYPES | _TEXT_TYPES and _is_null(cast["arg"])


def informative(kind: str, fields: Fields, operator: str) -> tuple[Tree, list[Tree]] | None:
    """The argument that must be the column in an expression that `operator` can bound, and the others, which must be
    values. None: the expression says too little about the column (`id * 0`, `length(name)`, `id::bool`)."""
    if operator not in EQUALITY | ORDER:
        return None
    if kind == "TypeCast":
        return None if fields["typeName"]["names"][-1]["String"]["sval"] == "bool" else (fields["arg"], [])
    if kind == "CollateClause":
        return fields["arg"], []
    if kind == "CoalesceExpr":
        return fields["args"][0], fields["args"][1:]
    if kind == "A_Indirection" and all(part.keys() <= {"String"} for part in fields["indirection"]):
        return fields["arg"], []
    if kind == "FuncCall":
        return _informative_call(fields, operator)
    if kind == "A_Expr" and "lexpr" in fields and "rexpr" in fields:
        return _informative_expression(fields, operator)
    return None


def open_ended(operator: str, value: Tree, *, is_key: bool, computed: bool) -> bool:
    """Whether a column compared so holds for practically every row: `id > 0`, `name >= ''`, `LIKE '%'`.

    `is_key`: the column is the table's key (numbered from 1); `computed`: it stands inside a function.
    """
    if operator == "=" and "List" in value:
        given = [boolean(one) for one in value["List"]["items"][:_FEW]]
        return any(one is True for one in given) and any(one is False for one in given)
    if operator in _PATTERNS:
        return not any(_specific(one) for one in _elements(value))
    if operator in _REGULAR:
        return not _plain_expression(value)
    if operator == "@>":
        return literal(value) in {"{}", "[]", ""}
    if operator not in ORDER and not computed:
        return False
    bound = literal(value)
    if operator in ORDER and bound is UNCERTAIN and (is_key or "A_Expr" in value) and not _comes_from_outside(value):
        return True
    if operator in {">", ">="}:
        if isinstance(bound, str):
            return not bound or _EARLY.match(bound) is not None
        return _is_number(bound) and (bound < 0 or (bound <= 1 and (is_key or computed)))
    if operator in {"<", "<="}:
        if isinstance(bound, str):
            return _LATE.match(bound) is not None
        return _is_number(bound) and bound >= (_EVERY_KEY if is_key else _EVERY_INTEGER)
    return computed and not bound and isinstance(bound, str)


def sides(node: Tree, *, positive: bool) -> frozenset[tuple[str, str]]:
    """The open sides of columns in a condition: (column, side), a side being `<`, `>`, `true` or `false`."""
    for kind, fields in node.items():
        if kind == "BoolExpr":
            inner = positive is not (fields["boolop"] == "NOT_EXPR")
            return frozenset().union(*(sides(arg, positive=inner) for arg in fields["args"]))
        if kind == "BooleanTest":
            true = fields["booltesttype"] in {"IS_TRUE", "IS_NOT_FALSE"}
            return sides(fields["arg"], positive=positive is true)
        if kind == "ColumnRef":
            return frozenset({(_column_name(node), "true" if positive else "false")})
        if kind == "A_Expr":
            return _sides_of_comparison(fields, positive=positive)
        if kind == "SubLink":
            where = fields["subselect"].get("SelectStmt", {}).get("whereClause")
            return sides(where, positive=positive) if where is not None else frozenset()
    return frozenset()


def cover(found: frozenset[tuple[str, str]]) -> bool:
    """Whether the open sides of some column may be everything there is."""
    opposite = {"<": ">", "true": "false"}
    return any((column, opposite[side]) in found for column, side in found if side in opposite)


def _sides_of_comparison(fields: Fields, *, positive: bool) -> frozenset[tuple[str, str]]:
    operator = fields["name"][-1]["String"]["sval"]
    operator = operator if positive else negated(operator)
    found = set()
    for node, sign in ((fields.get("lexpr", {}), operator), (fields.get("rexpr", {}), flipped(operator))):
        value = boolean(fields["rexpr"]) if node is fields.get("lexpr") and "rexpr" in fields else None
        for column in _columns(node):
            if sign in ORDER:
                found.add((column, sign[0]))
            if sign == "=" and value is not None:
                found.add((column, "true" if value else "false"))
    return frozenset(found)


def _informative_call(fields: Fields, operator: str) -> tuple[Tree, list[Tree]] | None:
    name = fields["funcname"]
    if len(name) > 1 and name[0]["String"]["sval"] != "pg_catalog":
        return None
    where = _FOR_ORDER.get(name[-1]["String"]["sval"])
    if where is None and operator in EQUALITY:
        where = _FOR_EQUALITY.get(name[-1]["String"]["sval"])
    args = fields.get("args", [])
    if where is None or where >= len(args) or fields.keys() & {"over", "agg_filter", "agg_order", "agg_star"}:
        return None
    return args[where], [arg for at, arg in enumerate(args) if at != where]


def _informative_expression(fields: Fields, operator: str) -> tuple[Tree, list[Tree]] | None:
    left, right = fields["lexpr"], fields["rexpr"]
    if fields["kind"] == "AEXPR_NULLIF":
        return (left, [right]) if operator in EQUALITY else None
    name = fields["name"][-1]["String"]["sval"]
    if fields["kind"] != "AEXPR_OP" or name not in _JSON_STEPS | {"+", "-"}:
        return None
    if name in _JSON_STEPS:
        return left, [right]
    column, other = (left, right) if _columns(left) else (right, left)
    return (column, [other]) if operator in EQUALITY or _is_span(other) else None


def _is_span(node: Tree) -> bool:
    """An interval, or a parameter: shifting a column by one still leaves a range. By a number, it may be all."""
    return "ParamRef" in node or any(
        one["typeName"]["names"][-1]["String"]["sval"] == "interval" for one in _nodes(node, "TypeCast")
    )


def _comes_from_outside(value: Tree) -> bool:
    """Whether a value is not just made of constants: a parameter, another table's column, a clock."""
    kinds = ("ParamRef", "ColumnRef", "SQLValueFunction")
    clocks = any(one["funcname"][-1]["String"]["sval"] in _CLOCKS for one in _nodes(value, "FuncCall"))
    return clocks or any(_nodes(value, kind) for kind in kinds)


def _plain_expression(pattern: Tree) -> bool:
    """A regular expression that is a plain text, maybe anchored; or a parameter."""
    value = literal(pattern)
    return "ParamRef" in pattern or (isinstance(value, str) and _PLAIN_EXPRESSION.fullmatch(value) is not None)


def _nodes(node: Any, kind: str) -> list[Fields]:
    """Every node of a kind in an expression."""
    found = []
    todo = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, dict):
            if kind in one:
                found.append(one[kind])
            todo.extend(one.values())
    return found


def _columns(node: Any) -> set[str]:
    """The last names of the columns anywhere in an expression."""
    return {_column_name({"ColumnRef": one}) for one in _nodes(node, "ColumnRef")}


def _column_name(node: Tree) -> str:
    return str(node["ColumnRef"]["fields"][-1].get("String", {}).get("sval", ""))


def _elements(value: Tree) -> list[Tree]:
    """The patterns in `LIKE ANY (ARRAY[…])`, or the one pattern. Each must hold for ANY to bound: callers ask any()."""
    elements: list[Tree] = value.get("A_ArrayExpr", {}).get("elements", [value])
    wild = [one for one in elements if not _specific(one)]
    return wild[:1] or elements


def _specific(pattern: Tree) -> bool:
    """Whether a pattern asks for something in particular: a character that is no wildcard, or a value from outside."""
    ((kind, fields),) = pattern.items()
    if kind in {"ParamRef", "ColumnRef"}:
        return True
    if kind == "A_Expr" and fields.get("name", [{}])[-1].get("String", {}).get("sval") == "||":
        return any(_specific(one) for one in (fields["lexpr"], fields["rexpr"]))
    if kind == "FuncCall":
        known = fields["funcname"][-1]["String"]["sval"] in _PATTERN_BUILDERS
        return known and any(_specific(one) for one in fields.get("args", [])[:1])
    value = literal(pattern)
    return isinstance(value, str) and bool(value.strip("%_"))


def _compared(operator: str, left: Any, right: Any) -> Any:
    numbers = _is_number(left) and _is_number(right)
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        return None if left is None or right is None else UNCERTAIN
    if operator == "=":
        return left == right
    if operator == "<>":
        return left != right
    if not numbers:
        return UNCERTAIN
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}.get(operator, UNCERTAIN)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return UNCERTAIN
