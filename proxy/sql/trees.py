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


class Names:
    """What names stand in a statement's FROM items and expressions; gathered once, asked often."""

    def __init__(self, root: Tree) -> None:
        self._tables: dict[str, list[Fields]] = {}
        self._others: set[str] = set()
        self._items: set[str] = set()
        self._strings: set[str] = set()
        self._last: set[str] = set()
        self._stars: set[str] = set()
        #: The names of functions in FROM, which stand for what they return.
        self.functions: set[str] = set()
        todo: list[Any] = [root]
        while todo:
            one = todo.pop()
            if isinstance(one, list):
                todo.extend(one)
            elif isinstance(one, Mapping):
                self._gather(one)
                todo.extend(value for value in one.values() if isinstance(value, list | dict))

    def tables_called(self, alias: str) -> list[Fields]:
        """The RangeVars that stand under a name; none when it may also mean something else (a subquery, a function, a
        join, a WITH query)."""
        found = self._tables.get(alias, [])
        hidden = any("schemaname" not in one and one["relname"] in self._others for one in found)
        return [] if hidden or alias in self._others else found

    @property
    def tables(self) -> list[str]:
        """Every name under which a table stands."""
        return list(self._tables)

    def may_show(self, names: set[str], columns: frozenset[str]) -> bool:
        """Whether the statement could show one of `columns` of the relation called `names`: by its name anywhere, by a
        star that is not another relation's, by the whole row."""
        others = self._items - names
        return (
            not columns.isdisjoint(self._strings)
            or not names.isdisjoint(self._last)
            or any(star not in others for star in self._stars)
        )

    def _gather(self, one: Mapping[str, Any]) -> None:
        alias = one.get("alias")
        name = alias.get("aliasname", "") if isinstance(alias, Mapping) else ""
        if "relname" in one:
            self._tables.setdefault(name or one["relname"], []).append(one)
            self._items.add(name or one["relname"])
        elif name:
            self._others.add(name)
            if "jointype" not in one:
                self._items.add(name)
        if "RangeFunction" in one:
            self.functions |= _called(one["RangeFunction"])
        if "ctename" in one:
            self._others.add(one["ctename"])
        if "String" in one:
            self._strings.add(one["String"].get("sval", ""))
        for kind, parts in (("ColumnRef", "fields"), ("A_Indirection", "indirection")):
            if kind in one:
                self._refer(one[kind].get(parts, []))
        if "CopyStmt" in one and "attlist" not in one["CopyStmt"] and "relation" in one["CopyStmt"]:
            self._stars.add("")

    def _refer(self, parts: list[Tree]) -> None:
        names = [one.get("String", {}).get("sval", "") for one in parts]
        if parts and "A_Star" in parts[-1]:
            self._stars.add(names[-2] if len(parts) > 1 else "")
        elif names:
            self._last.add(names[-1])


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


def _called(item: Mapping[str, Any]) -> set[str]:
    """What a function in FROM may be called: its alias, or its own name."""
    alias = item.get("alias", {}).get("aliasname")
    if alias:
        return {alias}
    calls = (
        part["FuncCall"] for one in item.get("functions", ()) for part in one["List"]["items"] if "FuncCall" in part
    )
    return {call["funcname"][-1]["String"]["sval"] for call in calls}
