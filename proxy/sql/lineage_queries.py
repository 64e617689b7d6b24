"""The output columns of queries: WITH, FROM, set operations, VALUES, and RETURNING of the writing statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from proxy.sql import lineage_functions as functions
from proxy.sql.catalog import Catalog
from proxy.sql.lineage_expressions import Expressions, Tree, Untraceable
from proxy.sql.lineage_from import From
from proxy.sql.lineage_functions import strings
from proxy.sql.lineage_mixing import counted, mixes
from proxy.sql.lineage_scope import ANYTHING, CLEAN, OPEN_CLEAN, Field, Rel, Scope, Table, Taint, combine, union

MAX_DEPTH = 40
#: The columns of a table that is not known, all of them.
_SOME = "*"
MAX_ROUNDS = 16


class Queries(From, Expressions):
    """Traces statements that have columns. Anything it does not know raises `Untraceable`."""

    def __init__(self, catalog: Catalog, search_path: Sequence[str], temporary: Collection[str] = ()) -> None:
        super().__init__(catalog, search_path, temporary)
        self._depth = 0

    def statement(self, tree: Tree, outer: Scope | None) -> Rel:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Untraceable("queries are nested too deeply")
        kind, body = next(iter(tree.items()))
        if kind == "SelectStmt":
            rel = self._select(body, outer)
        elif kind in {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}:
            rel = self._write(body, outer)
        else:
            raise Untraceable(f"{kind} has no columns that can be traced")
        self._depth -= 1
        return rel

    def maintenance(self, body: Tree) -> None:
        """A statement on whole tables: it reads all of them, and its literals stand against their columns."""
        scope = Scope()
        single = [body["relation"]] if "relation" in body else []
        listed = [one.get("RangeVar") for one in body.get("relations", [])]
        vacuumed = [one["VacuumRelation"].get("relation") for one in body.get("rels", [])]
        for relation in (*single, *listed, *vacuumed):
            scope.star.append(self._relation(relation, scope, allow_cte=False))
        everything = [rel.everything() for rel in scope.star]
        self.notes.append((body, union(everything)))

    # -- WITH ----------------------------------------------------------------------------------------------------

    def _with(self, clause: Tree | None, outer: Scope | None) -> Scope | None:
        """A scope with the WITH queries of a statement. With RECURSIVE they may refer to themselves and each other,
        so their taints grow from nothing to a fix-point."""
        if not clause:
            return outer
        queries = [one["CommonTableExpr"] for one in clause["ctes"]]
        known: dict[str, Rel] = {}
        scope = Scope(parent=outer, ctes=known)
        if not clause.get("recursive"):
            for query in queries:
                known[query["ctename"]] = self._cte(query, scope)
            return scope
        known.update((query["ctename"], OPEN_CLEAN) for query in queries)
        for _ in range(MAX_ROUNDS):
            before = dict(known)
            for query in queries:
                known[query["ctename"]] = self._cte(query, scope)
            if known == before:
                return scope
        raise Untraceable("a recursive query does not settle")

    def _cte(self, query: Tree, scope: Scope) -> Rel:
        rel = self.statement(query["ctequery"], scope).renamed(strings(query.get("aliascolnames", ())))
        added = []
        search, cycle = query.get("search_clause"), query.get("cycle_clause")
        if search:
            added += [(search["search_seq_column"], search["search_col_list"])]
        if cycle:
            added += [(cycle["cycle_mark_column"], []), (cycle["cycle_path_column"], cycle["cycle_col_list"])]
        columns = []
        for name, sources in added:
            taints = (rel.named(one) or ANYTHING for one in strings(sources))
            columns.append(Field(name, union(taints)))
        return Rel((*rel.fields, *columns), rel.rest, rel.rows)

    # -- SELECT --------------------------------------------------------------------------------------------------

    def _select(self, body: Tree, outer: Scope | None) -> Rel:
        outer = self._with(body.get("withClause"), outer)
        if body.get("op", "SETOP_NONE") != "SETOP_NONE":
            rel = self._set_operation(body, outer)
            level = Scope(parent=outer)
            self._order(body, rel, level)
            return level.telling(rel)
        if "valuesLists" in body:
            scope = Scope(parent=outer)
            rel = self._values(body["valuesLists"], scope)
            self._order(body, rel, scope)
            return scope.telling(rel)
        scope = self.from_clause(body.get("fromClause", []), outer)
        for one in body.get("windowClause", []):
            scope.windows[one["WindowDef"].get("name", "")] = one["WindowDef"]
        self.predicate([body.get(part, {}) for part in ("whereClause", "havingClause")], scope)
        rel = self.targets(body.get("targetList", []), scope)
        self._order(body, rel, scope)
        return scope.telling(rel)

    def _order(self, body: Tree, rel: Rel, scope: Scope) -> None:
        """GROUP BY, ORDER BY, DISTINCT ON and LIMIT: they may name output columns, by name or by position."""
        for part in ("groupClause", "sortClause", "distinctClause"):
            for node in _grouped(body.get(part, [])):
                named = strings(node["ColumnRef"].get("fields", ())) if "ColumnRef" in node else []
                output = _output_called(node, named, rel.fields)
                if output is not None:
                    self._test(output.taint)
                    scope.mixed |= mixes(output.taint.items)
                if output is None or any(star.called(name) for star in scope.star for name in named):
                    self.predicate(node, scope)
        for part in ("limitCount", "limitOffset"):
            taint = self.noted(body.get(part), scope) if part in body else CLEAN
            self._test(taint)
            scope.mixed |= taint.mixed | counted(taint.touches)

    def _set_operation(self, body: Tree, outer: Scope | None) -> Rel:
        """Chains lean to the left and can be long, so the left side is unrolled."""
        arms: list[Tree] = []
        node = body
        compared = False
        while node.get("op", "SETOP_NONE") != "SETOP_NONE":
            compared |= node["op"] != "SETOP_UNION" or not node.get("all")
            arms.append(node["rarg"])
            node = node["larg"]
            if "withClause" in node:
                break
        rel = self.statement({"SelectStmt": node}, outer)
        for arm in reversed(arms):
            rel = combine(rel, self.statement({"SelectStmt": arm}, outer))
        if compared:
            self._test(rel.everything())  # which rows are left depends on the values of both sides
        return rel

    def _values(self, lists: Sequence[Tree], scope: Scope) -> Rel:
        rows = [one["List"].get("items", []) for one in lists]
        columns: list[Taint] = [Taint()] * len(rows[0])
        for row in rows:
            for index, node in enumerate(row[: len(columns)]):
                columns[index] |= self.noted(node, scope)
        return Rel(tuple(Field(f"column{number}", taint) for number, taint in enumerate(columns, 1)))

    # -- output columns ------------------------------------------------------------------------------------------

    def targets(self, nodes: Sequence[Tree], scope: Scope) -> Rel:
        """A target list or RETURNING list, stars expanded."""
        fields: list[Field] = []
        rest: Taint | None = None
        for node in nodes:
            target = node["ResTarget"]
            value = target["val"]
            rels = self._star(value, scope)
            if rels is None:
                fields.append(self._target(target, scope))
                continue
            for rel in rels:
                fields.extend(rel.fields)
                if rel.rest is not None:
                    rest = (rest or Taint()) | rel.rest
        return Rel(tuple(fields), rest)

    def _star(self, value: Tree, scope: Scope) -> list[Rel] | None:
        """The relations a `*`, `t.*` or `(t).*` stands for; None when the target is no star."""
        if "ColumnRef" in value:
            fields = value["ColumnRef"]["fields"]
            if "A_Star" not in fields[-1]:
                return None
            names = strings(fields)
            return [scope.table(names[-1], *names[-2:-1]) or Rel(rest=ANYTHING)] if names else scope.star
        indirection = value.get("A_Indirection", {})
        if not indirection or "A_Star" not in indirection["indirection"][-1]:
            return None
        reference = strings(indirection["arg"].get("ColumnRef", {}).get("fields", ()))
        if len(reference) == 1 and len(indirection["indirection"]) == 1:
            rel = scope.table(reference[0])
            if rel is not None and not any(reference[0] == one.name for star in scope.star for one in star.fields):
                return [rel]
        return [Rel(rest=self.expression(indirection["arg"], scope))]

    def _target(self, target: Tree, scope: Scope) -> Field:
        value = target["val"]
        name = target.get("name") or functions.column_name(value)
        found: tuple[Taint, Field | None] | None = None
        if "ColumnRef" in value:
            found = self.column(value["ColumnRef"], scope)
        elif "A_Indirection" in value:
            found = self.selected(value["A_Indirection"], scope)
        if found is not None and found[1] is not None:
            source = found[1]
            return Field(name, source.taint, source.plain, source.safe, source.type_oid)
        taint = found[0] if found is not None and "ColumnRef" in value else self.noted(value, scope)
        return Field(name, taint, safe=taint.clean and "A_Const" not in value)

    # -- INSERT, UPDATE, DELETE, MERGE ---------------------------------------------------------------------------

    def _write(self, body: Tree, outer: Scope | None) -> Rel:
        outer = self._with(body.get("withClause"), outer)
        sources = body.get("fromClause", []) + body.get("usingClause", [])
        if "sourceRelation" in body:
            sources = [body["sourceRelation"]]
        scope = self.from_clause([{"RangeVar": body["relation"]}, *sources], outer, written=True)
        target = scope.tables[0]
        if self.catalog.answering and self._is_ruled(body["relation"]):
            self.resolved = False  # the rows that come back may be a rule's
        assigned = self._inserted(body, target.rel, outer)
        scope.tables.append(Table("excluded", target.rel.assigned(assigned)))
        if not self.acting:
            scope.tables.append(Table("old", target.rel))
        conflict = body.get("onConflictClause", {})
        conditions = [body.get("whereClause", {}), body.get("joinCondition", {}), conflict.get("whereClause", {})]
        self.predicate(conditions, scope)
        self._changes([*body.get("targetList", []), *conflict.get("targetList", [])], scope, target.rel, assigned)
        for one in body.get("mergeWhenClauses", []):
            clause = one["MergeWhenClause"]
            self.predicate(clause.get("condition"), scope)
            names = [column["ResTarget"]["name"] for column in clause.get("targetList", [])]
            if clause.get("commandType") == "CMD_INSERT":
                columns = names or [field.name for field in target.rel.fields]
                if target.rel.rest is not None and not names:
                    _assign(assigned, _SOME, union(self.noted(one, scope) for one in clause.get("values", [])))
                for name, value in zip(columns, clause.get("values", []), strict=False):
                    _assign(assigned, name, self.noted(value, scope, target.rel.named(name) or ANYTHING))
            else:
                self._changes(clause.get("targetList", []), scope, target.rel, assigned)
        self._copied(body["relation"], target.rel, assigned)
        # Which rows change, and values that a condition chose, can be looked up afterwards.
        self.chosen |= scope.mixed.union(*(taint.mixed for taint in assigned.values()))
        written = target.rel.assigned(assigned)
        scope.tables[0] = Table(target.alias, written, target.schema)
        if not self.acting:
            scope.tables.append(Table("new", written))
        scope.star[0] = written
        if "sourceRelation" in body:
            scope.star.append(scope.star.pop(0))  # what * means: first the source, then the target
        return scope.telling(self.targets(body.get("returningList", []), scope))

    def _is_ruled(self, named: Tree) -> bool:
        schema, name = named.get("schemaname", ""), named["relname"]
        found = self.catalog.resolve((schema, name) if schema else (name,), self.search_path)
        return found is not None and bool(found.rules or found.is_view)

    def _inserted(self, body: Tree, target: Rel, outer: Scope | None) -> dict[str, Taint]:
        """What INSERT … SELECT or VALUES puts into each column."""
        assigned: dict[str, Taint] = {}
        if "selectStmt" not in body:
            return assigned
        mark = len(self.notes)
        rel = self.statement(body["selectStmt"], outer)
        names = [one["ResTarget"]["name"] for one in body.get("cols", [])] or [one.name for one in target.fields]
        for index, name in enumerate(names):
            positional = rel.rest is None and index < len(rel.fields)
            _assign(assigned, name, rel.fields[index].taint if positional else rel.everything())
        if target.rest is not None and not body.get("cols"):  # into columns that nobody knows the names of
            _assign(assigned, _SOME, rel.everything())
        self._note_inserted(
            body["selectStmt"].get("SelectStmt", {}), [target.named(name) or ANYTHING for name in names], mark
        )
        return assigned

    def _note_inserted(self, select: Tree, against: Sequence[Taint], mark: int) -> None:
        """The values of INSERT … VALUES stand against the columns they are written to."""
        columns = {
            id(value): taint
            for row in select.get("valuesLists", [])
            for value, taint in zip(row["List"].get("items", []), against, strict=False)
        }
        targets = zip(select.get("targetList", []), against, strict=False)
        columns.update((id(one["ResTarget"]["val"]), taint) for one, taint in targets)
        for index in range(mark, len(self.notes)):
            node, taint = self.notes[index]
            self.notes[index] = (node, taint | columns.get(id(node), CLEAN))

    def _changes(
        self, targets: Sequence[Mapping[str, Any]], scope: Scope, into: Rel, assigned: dict[str, Taint]
    ) -> None:
        """What SET clauses put into each column."""
        for one in targets:
            target = one["ResTarget"]
            against = into.named(target["name"]) or ANYTHING
            _assign(assigned, target["name"], self.noted(target.get("val", {}), scope, against))

    def _copied(self, relation: Tree, target: Rel, assigned: Mapping[str, Taint]) -> None:
        name = ".".join(relation[part] for part in ("schemaname", "relname") if part in relation)
        for column, taint in assigned.items():
            into = target.named(column) or ANYTHING
            for source in taint.touches - into.touches:
                self.copies.add((source, next(iter(sorted(into.touches)), f"{name}.{column}")))


def _output_called(node: Tree, named: Sequence[str], fields: Sequence[Field]) -> Field | None:
    """The output column that an entry of GROUP BY and its like names or counts to."""
    if len(named) == 1:
        return next((field for field in fields if field.name == named[0]), None)
    position = node["A_Const"].get("ival", {}).get("ival", 0) if "A_Const" in node else 0
    return next(iter(fields[position - 1 : position]), None)


def _grouped(nodes: Sequence[Tree]) -> list[Tree]:
    """The expressions of a GROUP BY, ORDER BY or DISTINCT list, grouping sets and sort directions taken apart."""
    found: list[Tree] = []
    pending = list(nodes)
    while pending:
        one = pending.pop()
        if "GroupingSet" in one:
            pending.extend(one["GroupingSet"].get("content", []))
        elif one:  # plain DISTINCT is an empty node
            found.append(one["SortBy"]["node"] if "SortBy" in one else one)
    return found


def _assign(assigned: dict[str, Taint], name: str, taint: Taint) -> None:
    assigned[name] = assigned.get(name, CLEAN) | taint
