"""Does a condition hold an UPDATE, DELETE or MERGE to some rows, or may it touch the whole table?

The table is bounded when one of its columns must equal, or be compared with, something that does not come from the
table itself: a constant, a parameter, another table. Anything else is no bound: a tautology in whatever spelling, a
negation, a column compared with itself, a subquery that walks the same table. The rules are an allow-list: a shape
that is not known does not bound. What no tree can tell (`created_at > '2001-01-01'`) is left to the row budget.

Relations in scope are *ranges*. The ones that do not come from the table are *grounded* from the start; the table, what
repeats it, and the parents all of its rows point to become grounded when a condition ties them to something grounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.sql import comparisons
from proxy.sql.catalog import PG_CATALOG, Catalog, Relation
from proxy.sql.comparisons import EQUALITY, ORDER
from proxy.sql.trees import UNCERTAIN, Fields, Tree, cte_queries, limited, output_names, range_vars

Resolve = Callable[[Fields], tuple[str, Relation | None]]


@dataclass(frozen=True, eq=False, slots=True)
class Range:
    """One relation in scope. `columns` None = not known. `derived` = it comes from the table that is changed."""

    alias: str
    columns: frozenset[str] | None = None
    derived: bool = False
    key: frozenset[str] = frozenset()


Scopes = list[list[Range]]
Grounded = frozenset[Range]

#: A LIMIT up to this many rows bounds a subquery over the table itself.
MAX_LIMIT = 10_000

_MAX_LEVELS = 24

#: A condition that takes more steps than this to understand bounds nothing: the judge's time is everybody's.
_MAX_STEPS = 8_000
_SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "oid"})
_ROWS_OF_THE_STATEMENT = frozenset({"new", "old", "excluded"})

#: What a reference means when nobody can tell (never grounded), and when it is a value from outside the statement.
_NOBODY = Range("", derived=True)
_OUTSIDE = Range("")
_NOTHING: Grounded = frozenset()


class _TooLong(Exception):
    """Too many steps."""


class Bounds:
    """The question about one statement. `target` is the changed relation (its RangeVar), `resolve` how names are looked
    up, `ctes` the WITH queries in scope; `body` = the statement stands in a function, where a name may be a variable."""

    def __init__(
        self, catalog: Catalog, resolve: Resolve, ctes: Mapping[str, Tree], target: Fields, *, body: bool = False
    ) -> None:
        self._resolve = resolve
        self._functions = catalog.functions
        self._ctes = dict(ctes)
        self._body = body
        self._levels = 0
        self._steps = 0
        self._cte_known: dict[int, bool] = {}
        self._queries_known: dict[tuple[int, Grounded, bool], bool] = {}
        self._solid = False  # while set, only equality grounds
        name, relation = resolve(target)
        self._derived = {name}
        if relation is not None:
            kin = catalog.ancestors(relation.oid) | catalog.descendants(relation.oid)
            kin |= relation.sources | catalog.views_over(relation.oid)
            self._derived |= {catalog.by_oid[oid].qualified for oid in kin if oid in catalog.by_oid}
            self._derived |= {
                ".".join(key.parent) for key in catalog.references.get((relation.schema, relation.name), ())
            }
        self._target = self._range(target)

    def bounded(self, conditions: Sequence[Tree], others: Sequence[Tree] = ()) -> bool:
        """Whether `conditions` (all of them hold) bound the target, which is joined with the FROM items `others`."""
        try:
            ranges, quals = self._from(others)
            scope = [self._target, *ranges]
            return self._target in self._all([*quals, *conditions], [scope], _given(scope))
        except _TooLong:
            return False

    def source_bounded(self, query: Tree) -> bool:
        """Whether a query (of INSERT … SELECT) does not walk the whole table it is inserted into."""
        try:
            return self._query_ok(query, [], frozenset({_OUTSIDE}))
        except _TooLong:
            return False

    # -- conditions: which ranges are grounded when they hold

    def _all(self, quals: Sequence[Tree], scopes: Scopes, given: Grounded) -> Grounded:
        """All of them hold: repeat until nothing new is grounded. Subqueries come last: they cost most, and what the
        others ground does not change for them any more."""
        quals = sorted(quals, key=lambda qual: "SubLink" in qual or "BoolExpr" in qual)
        while True:
            now = given
            for qual in quals:
                now |= self._ground(qual, scopes, now, positive=True)
            if now == given:
                return now
            given = now

    def _ground(self, node: Tree, scopes: Scopes, given: Grounded, *, positive: bool) -> Grounded:
        """`given` and what is grounded besides when `node` is true (`positive`) or false."""
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise _TooLong
        for kind, fields in node.items():
            if kind == "BoolExpr":
                return self._bool(fields, scopes, given, positive=positive)
            fixed = comparisons.truth(node)
            if fixed is not UNCERTAIN and fixed is not positive:
                return given.union(*scopes)  # never holds: touches nothing
            if kind == "A_Expr":
                return given | self._comparison(fields, scopes, given, positive=positive)
            if kind == "NullTest" and (fields["nulltesttype"] == "IS_NULL") is positive:
                return given | self._column(fields["arg"], scopes)
            if kind == "BooleanTest":
                return self._boolean_test(fields, scopes, given, positive=positive)
            if kind == "SubLink" and positive:
                return given | self._sub_link(fields, scopes, given)
            if kind == "ColumnRef" and not self._solid:
                return given | self._column(node, scopes)
            if kind == "CurrentOfExpr":
                return given | {self._target}
        return given

    def _bool(self, fields: Fields, scopes: Scopes, given: Grounded, *, positive: bool) -> Grounded:
        args = fields["args"]
        if fields["boolop"] == "NOT_EXPR":
            return self._ground(args[0], scopes, given, positive=not positive)
        if (fields["boolop"] == "AND_EXPR") is not positive:
            return self._any(args, scopes, given, positive=positive)
        if positive:
            return self._all(args, scopes, given)
        return given.union(*(self._ground(arg, scopes, given, positive=False) for arg in args))

    def _any(self, args: Sequence[Tree], scopes: Scopes, given: Grounded, *, positive: bool) -> Grounded:
        """One of them holds. Arms that only open a range may together cover everything: `x > 5 OR x <= 5`."""
        grounded = frozenset.intersection(*(self._ground(arg, scopes, given, positive=positive) for arg in args))
        if grounded == given or self._solid:
            return grounded
        self._solid = True
        try:
            weak = [arg for arg in args if not self._ground(arg, scopes, given, positive=positive) >= grounded]
        finally:
            self._solid = False
        sides = frozenset().union(*(comparisons.sides(arg, positive=positive) for arg in weak))
        return given if comparisons.cover(sides) else grounded

    def _boolean_test(self, fields: Fields, scopes: Scopes, given: Grounded, *, positive: bool) -> Grounded:
        test = fields["booltesttype"]
        if test in {"IS_TRUE", "IS_FALSE"} and positive:
            return self._ground(fields["arg"], scopes, given, positive=test == "IS_TRUE")
        if (test == "IS_NOT_UNKNOWN" and positive) or (test == "IS_UNKNOWN" and not positive):
            return given
        return given if self._solid else given | self._column(fields["arg"], scopes)

    def _comparison(self, fields: Fields, scopes: Scopes, given: Grounded, *, positive: bool) -> Grounded:
        kind = fields["kind"]
        name = fields["name"][-1]["String"]["sval"]
        left, right = fields.get("lexpr"), fields.get("rexpr")
        if left is None or right is None or kind == "AEXPR_OP_ALL" or (kind == "AEXPR_OP_ANY" and not positive):
            return _NOTHING
        if "BETWEEN" in kind:
            return _NOTHING if ("NOT" in kind) is positive else self._between(left, right, scopes, given)
        if kind in {"AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT"}:
            name = "=" if (kind == "AEXPR_NOT_DISTINCT") is positive else "<>"
        elif not positive:
            name = comparisons.negated(name)
        return self._compared(name, left, right, scopes, given)

    def _compared(self, name: str, left: Tree, right: Tree, scopes: Scopes, given: Grounded) -> Grounded:
        """The ranges that `left name right` ties to something grounded."""
        if "RowExpr" in left and "RowExpr" in right and name in EQUALITY | ORDER:
            pairs = zip(left["RowExpr"].get("args", ()), right["RowExpr"].get("args", ()), strict=False)
            found = [self._compared(name, one, other, scopes, given) for one, other in pairs]
            return _NOTHING.union(*(found if name == "=" else found[:1]))
        if "RowExpr" in left and "List" in right and name == "=":
            rows = [item.get("RowExpr", {}).get("args", []) for item in right["List"]["items"]]
            columns = enumerate(left["RowExpr"].get("args", ()))
            found = [
                self._compared(name, one, {"List": {"items": [row[at] for row in rows]}}, scopes, given)
                for at, one in columns
                if all(at < len(row) for row in rows)
            ]
            return _NOTHING.union(*found)
        grounded = set()
        for column, value, operator in ((left, right, name), (right, left, comparisons.flipped(name))):
            if self._solid and comparisons.boolean(value) is not None:
                continue
            found_range = self._shape(column, operator, scopes, given)
            if (
                found_range is not None
                and self._value_ok(value, scopes, given)
                and not _open_ended(found_range, column, operator, value)
            ):
                grounded.add(found_range)
        return frozenset(grounded)

    def _between(self, left: Tree, right: Tree, scopes: Scopes, given: Grounded) -> Grounded:
        ends = right.get("List", {}).get("items", [])
        found = self._shape(left, ">=", scopes, given)
        if found is None or len(ends) != 2 or not all(self._value_ok(end, scopes, given) for end in ends):
            return _NOTHING
        low, high = ends
        everything = _open_ended(found, left, ">=", low) and _open_ended(found, left, "<=", high)
        return _NOTHING if everything else frozenset({found})

    def _shape(self, node: Tree, operator: str, scopes: Scopes, given: Grounded) -> Range | None:
        """The not yet grounded range whose one column `node` is, or is built from in a way that `operator` can bound."""
        for _ in range(_MAX_LEVELS):
            kind, fields = next(iter(node.items()), ("", {}))
            if kind == "ColumnRef":
                break
            inner = comparisons.informative(kind, fields, operator)
            if inner is None or not all(self._value_ok(rest, scopes, given) for rest in inner[1]):
                return None
            node = inner[0]
        if operator not in (EQUALITY if self._solid else EQUALITY | ORDER) or "ColumnRef" not in node:
            return None
        name = _last(node)
        if name in _SYSTEM_COLUMNS and not (name == "ctid" and operator == "="):
            return None
        owner = self._owner(node["ColumnRef"]["fields"], scopes)
        return None if owner is _NOBODY or owner in given or not _has(owner, name) else owner

    def _column(self, node: Tree, scopes: Scopes) -> Grounded:
        """The range of a bare column."""
        name = _last(node)
        if not name or name in _SYSTEM_COLUMNS:
            return _NOTHING
        owner = self._owner(node["ColumnRef"]["fields"], scopes)
        return frozenset({owner}) if owner is not _NOBODY and _has(owner, name) else _NOTHING

    # -- values and subqueries

    def _value_ok(self, node: Any, scopes: Scopes, given: Grounded) -> bool:
        """Whether a value comes only from grounded ranges."""
        todo: list[Any] = [node]
        while todo:
            one = todo.pop()
            if isinstance(one, list):
                todo.extend(item for item in one if "A_Const" not in item)
            elif "ColumnRef" in one:
                if self._owner(one["ColumnRef"]["fields"], scopes) not in given:
                    return False
            elif "FuncCall" in one and not self._is_builtin(one["FuncCall"]["funcname"]):
                return False
            elif "SubLink" in one:
                link = one["SubLink"]
                if not self._query_ok(link["subselect"], scopes, given):
                    return False
                todo.append(link.get("testexpr", {}))
            else:
                todo.extend(value for value in one.values() if isinstance(value, list | dict))
        return True

    def _is_builtin(self, name: Sequence[Tree]) -> bool:
        """Whether a function came with the server: a user's own may give back the whole table."""
        parts = [one["String"]["sval"] for one in name]
        return (PG_CATALOG, parts[-1]) in self._functions and parts[:-1] in ([], [PG_CATALOG])

    def _sub_link(self, fields: Fields, scopes: Scopes, given: Grounded) -> Grounded:
        query = fields["subselect"]
        if fields["subLinkType"] == "EXISTS_SUBLINK":
            return self._exists(query.get("SelectStmt", {}), scopes, given)
        if fields["subLinkType"] != "ANY_SUBLINK":
            return _NOTHING
        name = fields["operName"][-1]["String"]["sval"] if "operName" in fields else "="
        if name not in {"="} | ORDER or not self._query_ok(query, scopes, given):
            return _NOTHING
        test = fields["testexpr"]
        tested = test["RowExpr"].get("args", []) if "RowExpr" in test else [test]
        return frozenset(found for one in tested if (found := self._shape(one, name, scopes, given)) is not None)

    def _exists(self, select: Fields, scopes: Scopes, given: Grounded) -> Grounded:
        """EXISTS ties an outer range to the inner ones; an aggregate without GROUP BY always has its one row."""
        shown = [target.get("ResTarget", {}).get("val", {}) for target in select.get("targetList", ())]
        if select.keys() & {"larg", "valuesLists", "groupClause", "havingClause", "withClause"} or any(
            not one.keys() <= {"A_Const", "ColumnRef"} for one in shown
        ):
            return _NOTHING
        inner, quals = self._from(select.get("fromClause", ()))
        grounded = self._within(select, inner, quals, scopes, given)
        return grounded.intersection(*([one for scope in scopes for one in scope],))

    def _query_ok(self, query: Tree, scopes: Scopes, given: Grounded) -> bool:
        """Whether a subquery's rows are not simply all rows of the table that is changed."""
        select = query.get("SelectStmt")
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise _TooLong
        key = (id(select), given, self._solid)
        if select is None or self._levels >= _MAX_LEVELS:
            return False
        if key in self._queries_known:
            return self._queries_known[key]
        saved = self._ctes
        self._ctes = {**saved, **cte_queries(select)}
        self._levels += 1
        try:
            answer = self._queries_known[key] = self._select_ok(select, scopes, given)
        finally:
            self._levels -= 1
            self._ctes = saved
        return answer

    def _select_ok(self, select: Fields, scopes: Scopes, given: Grounded) -> bool:
        if "larg" in select:
            arms = ({"SelectStmt": select["larg"]}, {"SelectStmt": select["rarg"]})
            return all(self._query_ok(arm, scopes, given) for arm in arms)
        inner, quals = self._from(select.get("fromClause", ()))
        grounded = self._within(select, inner, quals, scopes, given)
        if limited(select, MAX_LIMIT):
            grounded = grounded.union(inner)
        shown = [select.get("targetList", []), select.get("valuesLists", [])]
        return grounded.issuperset(inner) and self._value_ok(shown, [inner, *scopes], grounded)

    def _within(
        self, select: Fields, inner: list[Range], quals: list[Tree], scopes: Scopes, given: Grounded
    ) -> Grounded:
        """What is grounded for the rows that come out of a SELECT's FROM and WHERE."""
        where = [select["whereClause"]] if "whereClause" in select else []
        return self._all([*quals, *where], [inner, *scopes], given | _given(inner))

    # -- names

    def _from(self, items: Sequence[Tree]) -> tuple[list[Range], list[Tree]]:
        """The ranges of FROM items, and the conditions of the inner joins among them."""
        ranges: list[Range] = []
        quals: list[Tree] = []
        todo = list(items)
        while todo:
            ((kind, fields),) = todo.pop().items()
            if kind == "JoinExpr":
                todo += [fields["larg"], fields["rarg"]]
                if fields["jointype"] == "JOIN_INNER" and "quals" in fields:
                    quals.append(fields["quals"])
            elif kind == "RangeVar":
                ranges.append(self._range(fields))
            elif kind == "RangeTableSample":
                todo.append(fields["relation"])
            else:
                inside = fields.get("subquery", {kind: fields})
                plain = (
                    self._query_ok(inside, [], frozenset({_OUTSIDE}))
                    if "SelectStmt" in inside
                    else (self._value_ok(inside, [], frozenset({_OUTSIDE})))
                )
                alias = fields.get("alias", {})
                ranges.append(Range(alias.get("aliasname", ""), output_names(inside, alias), derived=not plain))
        return ranges, quals

    def _range(self, fields: Fields) -> Range:
        alias = fields.get("alias", {}).get("aliasname", fields["relname"])
        if "schemaname" not in fields and fields["relname"] in self._ctes:
            cte = self._ctes[fields["relname"]]
            query = cte.get("ctequery", {})
            columns = output_names(query, fields.get("alias", {}), cte.get("aliascolnames", ()))
            if id(cte) not in self._cte_known:
                self._cte_known[id(cte)] = self._cte_ok(query)
            return Range(alias, columns, derived=not self._cte_known[id(cte)])
        name, relation = self._resolve(fields)
        columns = None
        if relation is not None and "colnames" not in fields.get("alias", {}):
            columns = frozenset(column.name for column in relation.columns)
        key = relation.key if relation is not None else frozenset()
        return Range(alias, columns, name in self._derived, key)

    def _cte_ok(self, query: Tree) -> bool:
        """Whether a WITH query's rows do not come from the table that is changed."""
        if "SelectStmt" in query:
            return self._query_ok(query, [], frozenset({_OUTSIDE}))
        return all(self._resolve(one)[0] not in self._derived for one in range_vars(query))

    def _owner(self, parts: Sequence[Tree], scopes: Scopes) -> Range:
        """The range a column reference belongs to."""
        names = [one["String"]["sval"] for one in parts if "String" in one]
        if len(names) != len(parts):
            return _NOBODY
        if len(names) > 1:
            found = next((one for scope in scopes for one in scope if one.alias == names[-2]), None)
            outside = self._body or names[-2] in _ROWS_OF_THE_STATEMENT
            return found or (_OUTSIDE if outside else _NOBODY)
        return self._owner_of_bare(names[0], scopes)

    def _owner_of_bare(self, name: str, scopes: Scopes) -> Range:
        for level, scope in enumerate(scopes):
            candidates = [one for one in scope if _has(one, name) or one.alias == name]
            if len(candidates) > 1:
                return _NOBODY
            if candidates:
                found = candidates[0]
                sure = found.columns is not None or found.alias == name
                outer = [one for further in scopes[level + 1 :] for one in further if one.derived and _has(one, name)]
                return found if sure or not outer else _NOBODY  # an inner column nobody is sure of may be an outer one
        return _OUTSIDE if self._body else _NOBODY


def _given(ranges: Sequence[Range]) -> Grounded:
    return frozenset([_OUTSIDE, *(one for one in ranges if not one.derived)])


def _has(owner: Range, name: str) -> bool:
    return owner.columns is None or name in owner.columns or name in _SYSTEM_COLUMNS


def _last(node: Tree) -> str:
    """The column name of a ColumnRef; empty for anything else."""
    parts = node.get("ColumnRef", {}).get("fields", ())
    return str(parts[-1].get("String", {}).get("sval", "")) if parts else ""


def _open_ended(found: Range, column: Tree, operator: str, value: Tree) -> bool:
    name = _last(column)
    is_key = name in found.key or (not found.key and name == "id")
    return comparisons.open_ended(operator, value, is_key=is_key, computed="FuncCall" in column)
