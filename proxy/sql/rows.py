"""May a SELECT hand over a whole table? True when nothing in the text holds the number of rows it returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxy.sql import relations
from proxy.sql.catalog import Relation
from proxy.sql.functions import COLLECTING, Call
from proxy.sql.trees import Fields, Tree, cte_queries, limited
from proxy.sql.walk import Walk

#: A LIMIT beyond this is none.
MAX_LIMIT = 100_000

_MAX_LEVELS = 24


def unbounded(select: Fields, walk: Walk) -> bool:
    """Whether a SELECT over a user's relation has no LIMIT (PostgreSQL, 7.6), is no plain aggregate, and does not ask
    for one row by the whole primary key. GROUP BY counts as unbounded: it may return as many rows as there are."""
    return _open(select, walk, walk.ctes, 0)


def _open(select: Fields, walk: Walk, ctes: Mapping[str, Tree], level: int) -> bool:
    """Remembered by query: one may be named many times over in a WITH."""
    known = walk.open_queries.get(id(select))
    if known is None:
        known = walk.open_queries[id(select)] = level > _MAX_LEVELS or _is_open(select, walk, ctes, level)
    return known


def _is_open(select: Fields, walk: Walk, ctes: Mapping[str, Tree], level: int) -> bool:
    if "withClause" in select:
        ctes = {**ctes, **cte_queries(select)}
    targets = [one["ResTarget"].get("val", {}) for one in select.get("targetList", ())] if walk.gathers else []
    if walk.collects and any(_collects(one, walk, ctes, level) for one in targets):
        return True
    if limited(select, MAX_LIMIT):
        return False
    if "larg" in select:
        return any(_open(select[arm], walk, ctes, level + 1) for arm in ("larg", "rarg"))
    if "groupClause" not in select and any(
        _aggregates(one, walk) for one in (*targets, select.get("havingClause", {}))
    ):
        return False
    return any(_open_item(one, walk, ctes, level, select) for one in select.get("fromClause", ()))


def _open_item(item: Tree, walk: Walk, ctes: Mapping[str, Tree], level: int, select: Fields) -> bool:
    ((kind, fields),) = item.items()
    if kind == "RangeVar":
        if "schemaname" not in fields and fields["relname"] in ctes:
            query = ctes[fields["relname"]].get("ctequery", {})
            outside = {name: cte for name, cte in ctes.items() if name != fields["relname"]}
            return "SelectStmt" in query and _open(query["SelectStmt"], walk, outside, level + 1)
        name, relation = walk.resolve(fields)
        if relations.is_system(name.rpartition(".")[0]):
            return False
        return relation is None or not _one_row(relation, select)
    if kind == "RangeSubselect":
        query = fields["subquery"]
        return "SelectStmt" not in query or _open(query["SelectStmt"], walk, ctes, level + 1)
    if kind == "JoinExpr":
        return any(_open_item(fields[side], walk, ctes, level, {}) for side in ("larg", "rarg"))
    if kind == "RangeTableSample":
        return _open_item(fields["relation"], walk, ctes, level, {})
    if kind == "RangeFunction" and walk.gathers and walk.collects and _collects(fields["functions"], walk, ctes, level):
        return True
    if kind == "RangeFunction":
        calls = [
            one["FuncCall"]
            for function in fields["functions"]
            for one in function["List"]["items"]
            if "FuncCall" in one
        ]
        return any(not name.startswith("pg_catalog.") for one in calls for name in _call(one, walk).names)
    return False


def _aggregates(value: Any, walk: Walk) -> bool:
    """Whether a plain aggregate stands in an expression (not in a subquery or a window): then there is one row."""
    todo = [value]
    found = False
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, dict):
            if "SubLink" in one:
                continue
            if "FuncCall" in one and "over" not in one["FuncCall"]:
                call = _call(one["FuncCall"], walk)
                if call.returns_set:
                    return False
                found = found or call.aggregate
            todo.extend(one.values())
    return found


def _collects(value: Any, walk: Walk, ctes: Mapping[str, Tree], level: int) -> bool:
    """Whether an output value may hold many rows of a user's table: array_agg and its like, ARRAY(SELECT …)."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, dict):
            if "FuncCall" in one and one["FuncCall"]["funcname"][-1]["String"]["sval"] in COLLECTING:
                return _over_users(walk)
            if "SubLink" in one:
                link = one["SubLink"]
                select = link["subselect"].get("SelectStmt", {})
                targets = [target["ResTarget"].get("val", {}) for target in select.get("targetList", ())]
                if link["subLinkType"] == "ARRAY_SUBLINK" and _open(select, walk, ctes, level + 1):
                    return True
                todo.extend(targets)
                continue
            todo.extend(one.values())
    return False


def _over_users(walk: Walk) -> bool:
    """Whether the statement reads anything but system relations."""
    return any(not relations.is_system(name.rpartition(".")[0]) for name in walk.reads)


def _call(fields: Fields, walk: Walk) -> Call:
    name = tuple(part["String"]["sval"] for part in fields["funcname"])
    return walk.known.call(name, walk.function_path)


def _one_row(relation: Relation, select: Fields) -> bool:
    """The whole primary key equals constants or parameters."""
    if not relation.key or len(select.get("fromClause", ())) != 1 or "whereClause" not in select:
        return False
    where = select["whereClause"]
    conditions = [where]
    if where.get("BoolExpr", {}).get("boolop") == "AND_EXPR":
        conditions = where["BoolExpr"]["args"]
    given = set()
    for one in conditions:
        fields = one.get("A_Expr", {})
        names = [part["String"]["sval"] for part in fields.get("name", ())]
        parts: Sequence[Tree] = fields.get("lexpr", {}).get("ColumnRef", {}).get("fields", ())
        if fields.get("kind") == "AEXPR_OP" and names == ["="] and parts and _is_given(fields.get("rexpr", {})):
            given.add(parts[-1].get("String", {}).get("sval", ""))
    return relation.key <= given


def _is_given(value: Tree) -> bool:
    return "A_Const" in value or "ParamRef" in value or ("TypeCast" in value and _is_given(value["TypeCast"]["arg"]))
