"""Small readings of libpg_query's trees: constants, the relations in them, the columns they could show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proxy.sql import settings

Fields = Mapping[str, Any]
Tree = Mapping[str, Any]

#: The answer of `constant` for anything but a constant.
UNCERTAIN: Any = object()


def constant(node: Tree) -> Any:
    """The value of a constant, a text cast of one included: str, int, float text, bool, None; else UNCERTAIN."""
    if "TypeCast" in node:
        names = [one["String"]["sval"] for one in node["TypeCast"]["typeName"].get("names", ())]
        inner = constant(node["TypeCast"]["arg"])
        if names[-1] in {"text", "varchar", "unknown"} and isinstance(inner, str):
            return inner
        if names[-1] == "bool" and isinstance(inner, str):
            return settings.parse_bool(inner)
        return UNCERTAIN
    fields = node.get("A_Const")
    if fields is None:
        return UNCERTAIN
    if fields.get("isnull"):
        return None
    if "sval" in fields:
        return fields["sval"].get("sval", "")
    if "ival" in fields:
        return fields["ival"].get("ival", 0)
    if "boolval" in fields:
        return fields["boolval"].get("boolval", False)
    if "fval" in fields:
        return fields["fval"]["fval"]
    return UNCERTAIN


def range_vars(tree: Any) -> list[Fields]:
    """Every RangeVar anywhere in a tree."""
    found: list[Fields] = []
    todo: list[Any] = [tree]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, Mapping):
            if "relname" in one:
                found.append(one)
            todo.extend(value for value in one.values() if isinstance(value, list | dict))
    return found


def _aliases(tree: Any) -> set[str]:
    """The names under which single FROM items stand in a tree; not those of whole joins."""
    found: set[str] = set()
    todo: list[Any] = [tree]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, Mapping):
            if "aliasname" not in one.get("alias", {}):
                found.update([one["relname"]] if "relname" in one else [])
            elif "jointype" not in one:
                found.add(one["alias"]["aliasname"])
            todo.extend(value for value in one.values() if isinstance(value, list | dict))
    return found


def tables_called(tree: Tree, alias: str) -> list[Fields]:
    """The RangeVars that stand under a name in a statement; none when that name may also mean something else (a
    subquery, a function, a join, a WITH query)."""
    found = [one for one in range_vars(tree) if one.get("alias", {}).get("aliasname", one["relname"]) == alias]
    others = _other_names(tree)
    return (
        [] if alias in others or any("schemaname" not in one and one["relname"] in others for one in found) else found
    )


def _other_names(tree: Any) -> set[str]:
    """The names of FROM items that are no tables, and of WITH queries."""
    found: set[str] = set()
    todo: list[Any] = [tree]
    while todo:
        one = todo.pop()
        if isinstance(one, list):
            todo.extend(one)
        elif isinstance(one, Mapping):
            if "relname" not in one and isinstance(one.get("alias"), Mapping):
                found.add(one["alias"].get("aliasname", ""))
            if "ctename" in one:
                found.add(one["ctename"])
            todo.extend(value for value in one.values() if isinstance(value, list | dict))
    return found


class Mentions:
    """Whether a statement could show one of `columns` of the relation called `names`: by its name anywhere, by a star
    that is not another relation's, by the whole row."""

    def __init__(self, root: Tree, names: set[str], columns: frozenset[str]) -> None:
        self._names = names
        self._columns = columns
        self._others = _aliases(root) - names
        self.any = self._in(root)

    def _in(self, tree: Any) -> bool:
        todo: list[Any] = [tree]
        while todo:
            one = todo.pop()
            if isinstance(one, list):
                todo.extend(one)
            elif isinstance(one, Mapping):
                if "ColumnRef" in one and self._shows(one["ColumnRef"]["fields"]):
                    return True
                if "A_Indirection" in one and self._shows(one["A_Indirection"].get("indirection", [])):
                    return True
                if "CopyStmt" in one and "attlist" not in one["CopyStmt"] and "relation" in one["CopyStmt"]:
                    return True
                if "String" in one and one["String"].get("sval") in self._columns:
                    return True
                todo.extend(value for value in one.values() if isinstance(value, list | dict))
        return False

    def _shows(self, parts: list[Tree]) -> bool:
        last = parts[-1] if parts else {}
        if "A_Star" in last:
            return len(parts) < 2 or parts[-2].get("String", {}).get("sval") not in self._others
        name = last.get("String", {}).get("sval")
        return name in self._columns or name in self._names


def cte_queries(select: Fields) -> dict[str, Fields]:
    """The CommonTableExprs of a statement's own WITH, by name."""
    with_clause = select.get("withClause", {})
    return {one["CommonTableExpr"]["ctename"]: one["CommonTableExpr"] for one in with_clause.get("ctes", ())}


def limited(select: Fields, most: int) -> bool:
    """Whether a SELECT has a LIMIT of at most `most` rows (a parameter counts as one)."""
    limit = select.get("limitCount")
    if limit is None or select.get("limitOption") != "LIMIT_OPTION_COUNT":
        return False
    if "ParamRef" in limit:
        return True
    value = constant(limit)
    return isinstance(value, int) and not isinstance(value, bool) and value <= most


def output_names(query: Tree, alias: Fields, colnames: Sequence[Tree] = ()) -> frozenset[str] | None:
    """The column names of a subquery in FROM; None when they are not all written out."""
    select = query.get("SelectStmt", {})
    while "larg" in select:
        select = select["larg"]
    targets = [one["ResTarget"] for one in select.get("targetList", ())]
    names = [one.get("name") or _last_name(one.get("val", {})) for one in targets]
    count = len(select["valuesLists"][0]["List"].get("items", ())) if "valuesLists" in select else len(names)
    renamed = [one["String"]["sval"] for one in (*colnames, *alias.get("colnames", ()))]
    if len(renamed) >= count > 0:
        return frozenset(renamed)
    if not names or not all(names):
        return None
    return frozenset([*names, *renamed])


def _last_name(value: Tree) -> str:
    parts = value.get("ColumnRef", {}).get("fields", ())
    return str(parts[-1].get("String", {}).get("sval", "")) if parts else ""
