"""FROM: tables, joins, subqueries, functions, XMLTABLE and JSON_TABLE as relations of tainted columns."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence

from proxy.sql import lineage_functions as functions
from proxy.sql.lineage_expressions import Expressions, Tree, Untraceable
from proxy.sql.lineage_functions import strings
from proxy.sql.lineage_mixing import counted, mixes
from proxy.sql.lineage_scope import (
    ANYTHING,
    OPAQUE,
    Field,
    Rel,
    Scope,
    Table,
    common_names,
    join_rels,
    stored,
    union,
)

MAX_NESTED_JOINS = 60


class From(Expressions, ABC):
    """The FROM part of the walk."""

    def from_clause(self, nodes: Sequence[Tree], outer: Scope | None, *, written: bool = False) -> Scope:
        """A scope with everything in a FROM list; `written`: the first is the target of a write, never a CTE."""
        scope = Scope(parent=outer)
        for index, node in enumerate(nodes):
            if written and index == 0:
                scope.star.append(self._relation(node["RangeVar"], scope, allow_cte=False))
            else:
                scope.star.append(self._item(node, scope, 0))
        return scope

    def _item(self, node: Tree, scope: Scope, depth: int) -> Rel:
        if depth > MAX_NESTED_JOINS:
            raise Untraceable("joins are nested too deeply")
        kind, body = next(iter(node.items()))
        if kind == "RangeVar":
            return self._relation(body, scope, allow_cte=True)
        if kind == "JoinExpr":
            return self._join(body, scope, depth)
        if kind == "RangeSubselect":
            inner = scope if body.get("lateral") else scope.parent
            return self._named(
                self.statement(body["subquery"], inner).at(self.item(body)), body.get("alias"), scope, ""
            )
        if kind == "RangeFunction":
            return self._function(body, scope)
        if kind == "RangeTableSample":
            self.predicate([body.get("args", []), body.get("repeatable", {})], scope)
            return self._item(body["relation"], scope, depth + 1)
        if kind == "RangeTableFunc":
            return self._xml_table(body, scope)
        if kind == "JsonTable":
            return self._json_table(body, scope)
        raise Untraceable(f"{kind} in FROM is not known")

    def _named(self, rel: Rel, alias: Tree | None, scope: Scope, name: str, schema: str = "") -> Rel:
        """Enter a relation into the scope under its alias, or its own name."""
        scope.rows |= rel.rows
        if alias:
            name, schema = alias["aliasname"], ""
            rel = rel.renamed(strings(alias.get("colnames", ())))
        scope.tables.append(Table(name, rel, schema))
        return rel

    def _relation(self, body: Tree, scope: Scope, *, allow_cte: bool, generated: bool = True) -> Rel:
        name = body["relname"]
        schema = body.get("schemaname", "")
        cte = scope.cte(name) if allow_cte and not schema else None
        if cte is not None:
            return self._named(cte.at(self.item(body)), body.get("alias"), scope, name)
        relation = self.catalog.resolve((schema, name) if schema else (name,), self.search_path)
        if relation is None or (not schema and name in self.temporary):
            self.resolved = False
            return self._named(OPAQUE, body.get("alias"), scope, name, schema)
        self.relations.add(relation.qualified)
        rel = stored(self.catalog, relation, self.item(body), generated=generated)
        return self._named(rel, body.get("alias"), scope, name, relation.schema)

    def named_relation(self, body: Tree, scope: Scope) -> Rel:
        """A stored relation as an item of a scope."""
        return self._relation(body, scope, allow_cte=False)

    def stored_columns(self, body: Tree) -> Rel:
        """The columns COPY writes of a table when none are named: all but generated ones."""
        return self._relation(body, Scope(), allow_cte=False, generated=False)

    # -- joins ---------------------------------------------------------------------------------------------------

    def _join(self, body: Tree, scope: Scope, depth: int) -> Rel:
        """Chains lean to the left and can be long, so the left side is unrolled."""
        chain = [body]
        marks = [len(scope.tables)]
        while "JoinExpr" in chain[-1]["larg"]:
            chain.append(chain[-1]["larg"]["JoinExpr"])
        rel = self._item(chain[-1]["larg"], scope, depth + 1)
        for join in reversed(chain):
            rel = self._join_one(join, rel, scope, depth, marks[0])
        return rel

    def _join_one(self, join: Tree, left: Rel, scope: Scope, depth: int, mark: int) -> Rel:
        scope.star.append(left)  # what a LATERAL right side and the condition can name without qualifying
        right = self._item(join["rarg"], scope, depth + 1)
        scope.star.append(right)
        self.predicate(join.get("quals"), scope)
        del scope.star[-2:]
        merged: list[str] | None = strings(join.get("usingClause", ()))
        if join.get("isNatural"):
            merged = common_names(left, right)
        if merged is None:
            everything = left.everything() | right.everything()
            self._test(everything)
            rel = Rel((*left.fields, *right.fields), everything)
        else:
            rel = join_rels(left, right, merged)
            for field in rel.fields[: len(merged)]:
                self._test(field.taint)
                self._merged(left, right, field.name, scope)
        using = join.get("join_using_alias")
        if using:
            scope.tables.append(Table(using["aliasname"], Rel(rel.fields[: len(merged or ())], rel.rest)))
        if join.get("alias"):
            # The alias hides the names of what was joined.
            del scope.tables[mark:]
            return self._named(rel, join["alias"], scope, "")
        return rel

    def _merged(self, left: Rel, right: Rel, name: str, scope: Scope) -> None:
        """USING compares the columns of that name."""
        sides = [[one for one in rel.fields if one.name == name] for rel in (left, right)]
        if all(len(side) == 1 and side[0].plain and not side[0].taint.mixed for side in sides):
            self.equal(sides[0][0].taint, sides[1][0].taint, scope)
        else:
            both = (left.named(name) or ANYTHING) | (right.named(name) or ANYTHING)
            scope.mixed |= both.mixed | mixes(both.items)

    # -- functions -----------------------------------------------------------------------------------------------

    def _function(self, body: Tree, scope: Scope) -> Rel:
        """`f(…)`, `ROWS FROM (f(…), g(…))`, WITH ORDINALITY, and column definition lists."""
        alias = body.get("alias")
        parts = []
        for one in body["functions"]:
            items = one["List"]["items"]
            definitions = items[1].get("List", {}).get("items", []) if len(items) > 1 else []
            parts.append(self._result(items[0], definitions or body.get("coldeflist", []), alias, scope))
        rests = [part.rest for part in parts if part.rest is not None]
        fields = [one for part in parts for one in part.fields]
        given = union([*(one.taint for one in fields), *rests])
        if body.get("ordinality"):
            fields.append(Field("ordinality", given, safe=given.clean))
        scope.rows |= counted(given.touches)
        rel = Rel(tuple(fields), union(rests) if rests else None)
        if not given.items:
            rel = rel.at(self.item(body))
        return self._named(rel, alias, scope, functions.column_name(body["functions"][0]["List"]["items"][0]))

    def _result(self, call: Tree, definitions: Sequence[Tree], alias: Tree | None, scope: Scope) -> Rel:
        taint = self.expression(call, scope)
        name = functions.column_name(call)
        if definitions:
            return Rel(tuple(Field(one["ColumnDef"]["colname"], taint) for one in definitions))
        if taint.unknown or "FuncCall" not in call:
            return Rel(rest=taint)
        if name in functions.RESULT_COLUMNS:
            return Rel(tuple(Field(column, taint) for column in functions.RESULT_COLUMNS[name]))
        shown = alias["aliasname"] if alias else name
        args = call["FuncCall"].get("args", [])
        if name == "unnest" and len(args) > 1:
            return Rel(tuple(Field(shown, self.expression(one, scope)) for one in args))
        if name in functions.SINGLE_COLUMN:
            return Rel((Field(shown, taint),))
        return Rel(rest=taint)

    # -- SQL/XML and SQL/JSON ------------------------------------------------------------------------------------

    def _xml_table(self, body: Tree, scope: Scope) -> Rel:
        taint = self.expression([body.get("docexpr", {}), body.get("rowexpr", {}), body.get("namespaces", [])], scope)
        fields = []
        for one in body.get("columns", []):
            column = one["RangeTableFuncCol"]
            own = self.expression([column.get("colexpr", {}), column.get("coldefexpr", {})], scope)
            fields.append(Field(column["colname"], own if column.get("for_ordinality") else taint | own))
        scope.rows |= counted(taint.touches)
        rel = Rel(tuple(fields))
        return self._named(rel if taint.items else rel.at(self.item(body)), body.get("alias"), scope, "xmltable")

    def _json_table(self, body: Tree, scope: Scope) -> Rel:
        taint = self.expression(
            [body.get("context_item", {}), body.get("passing", []), body.get("pathspec", {})], scope
        )
        fields = []
        pending = list(reversed(body.get("columns", [])))
        while pending:
            column = pending.pop()["JsonTableColumn"]
            nested = column.get("columns", [])
            pending.extend(reversed(nested))
            if not nested:
                own = self.expression([column.get("on_empty", {}), column.get("on_error", {})], scope)
                ordinality = column.get("coltype") == "JTC_FOR_ORDINALITY"
                fields.append(Field(column["name"], own if ordinality else taint | own))
        scope.rows |= counted(taint.touches)
        rel = Rel(tuple(fields))
        return self._named(rel if taint.items else rel.at(self.item(body)), body.get("alias"), scope, "json_table")
