"""The taint of an expression: which base columns its value is computed from.

Expressions are walked with an explicit stack, so their size cannot exhaust Python's; the whole walk of a statement has
a budget of nodes. Passing a limit raises `Untraceable`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from proxy.sql import lineage_functions as functions
from proxy.sql.catalog import PG_CATALOG, Catalog
from proxy.sql.lineage_functions import strings
from proxy.sql.lineage_mixing import NONE, Mix, mixes
from proxy.sql.lineage_scope import ANYTHING, CLEAN, Field, Rel, Scope, Taint, union

Tree = Mapping[str, Any]

MAX_NODES = 400_000

_INNER = frozenset({dict, list})
_SKIPPED = frozenset(
    {"A_Const", "String", "ParamRef", "TypeName", "typeName", "SetToDefault", "CurrentOfExpr", "alias"}
)


class Untraceable(Exception):
    """The statement is too deep, too large or of a shape nobody knows."""


class _Work:
    """One expression being walked: what is left to visit, and what was found.

    What is `tested` only decides which rows there are; its taint goes to `predicates`.
    """

    __slots__ = ("predicates", "stack", "taint", "tested")

    def __init__(self, node: Any) -> None:
        self.stack: list[tuple[Any, bool]] = [(node, False)] if node else []
        self.tested = False
        self.taint = CLEAN
        self.predicates = CLEAN

    def push(self, node: Any, *, tested: bool) -> None:
        if node:
            self.stack.append((node, tested))

    def add(self, taint: Taint) -> None:
        if self.tested:
            self.predicates |= taint
        else:
            self.taint |= taint


class Expressions(ABC):
    """Traces one statement. `predicates` and `relations` collect what it tests and reads; `resolved` and `chosen` see `Lineage`.

    `notes` are the expressions that stood on their own (a condition, an output column, an assigned value) with what
    they touch: a literal inside one stands against those columns.
    """

    def __init__(self, catalog: Catalog, search_path: Sequence[str], temporary: Collection[str] = ()) -> None:
        self.catalog = catalog
        self.search_path = (*search_path,) if PG_CATALOG in search_path else (PG_CATALOG, *search_path)
        self._means = functions.meanings(catalog, self.search_path)
        self.temporary = temporary
        self.relations: set[str] = set()
        self.predicates: set[str] = set()
        self.copies: set[tuple[str, str]] = set()
        self.chosen: frozenset[Mix] = NONE
        self.lookups: list[tuple[Any, frozenset[str]]] = []
        self.tested_unknown = False
        self.resolved = True
        #: Whether NEW and OLD are what a rule or trigger is run for.
        self.acting = False
        self.notes: list[tuple[Any, Taint]] = []
        self._nodes = 0
        self._items: dict[int, int] = {}
        self._handlers: Mapping[str, Callable[[Any, Scope, _Work], None]] = {
            "ColumnRef": self._column,
            "FuncCall": self._call,
            "SubLink": self._sublink,
            "SelectStmt": self._subquery,
            "NullTest": self._null_test,
            "A_Indirection": self._indirection,
            "A_Expr": self._operator,
            "TypeCast": self._cast,
        }

    def item(self, body: Tree) -> int:
        """A node of FROM by number: whatever is named there twice is two items."""
        return self._items.setdefault(id(body), len(self._items))

    @abstractmethod
    def statement(self, tree: Tree, outer: Scope | None) -> Rel:
        """The output columns of a nested statement (`{"SelectStmt": …}`)."""

    def expression(self, node: Any, scope: Scope) -> Taint:
        """What an expression's value is computed from. Conditions inside it that only select rows are predicates."""
        return self._walked(node, scope).taint

    def _walked(self, node: Any, scope: Scope) -> _Work:
        work = _Work(node)
        stack, handlers, nodes = work.stack, self._handlers, self._nodes
        while stack:
            item, tested = stack.pop()
            nodes += 1
            if nodes > MAX_NODES:
                raise Untraceable("the statement has too many parts")
            if type(item) is list:
                stack.extend([(one, tested) for one in item if type(one) in _INNER and "A_Const" not in one])
                continue
            for kind, body in item.items():
                handler = handlers.get(kind)
                if handler is not None:
                    work.tested, self._nodes = tested, nodes
                    handler(body, scope, work)
                    nodes = self._nodes
                elif type(body) in _INNER and kind not in _SKIPPED:
                    stack.append((body, tested))
        self._nodes = nodes
        if work.predicates is not CLEAN:
            self._test(work.predicates)
        return work

    def predicate(self, node: Any, scope: Scope) -> None:
        """An expression that decides which rows there are, not what is in them. The parts of AND and OR are noted
        one by one."""
        pending: list[tuple[Any, bool]] = [(node, True)]
        while pending:
            one, alone = pending.pop()
            if isinstance(one, list):
                pending.extend((each, alone) for each in one)
            elif one and "BoolExpr" in one:
                alone = alone and one["BoolExpr"].get("boolop") == "AND_EXPR"
                pending.extend([(each, alone) for each in one["BoolExpr"]["args"]])
            elif one:
                taint = self.noted(one, scope)
                if alone and _is_lookup(one):
                    self.lookups.append((one, taint.touches))
                else:
                    self._test(taint)
                if taint.mixed or len(taint.items) > 1:
                    self.compared(one, taint, scope)

    def compared(self, node: Tree, taint: Taint, scope: Scope) -> None:
        """A comparison decides about rows: what it tells through the other items that take part in it."""
        columns = self._equal_columns(node, scope)
        if columns is not None:
            self.equal(*columns, scope)
        else:
            scope.mixed |= taint.mixed | mixes(taint.items)

    def equal(self, one: Taint, other: Taint, scope: Scope) -> None:
        """Two stored columns are the same in every row: each shows the other, and nothing else of its item does."""
        mixed = mixes(one.items | other.items)
        for item in one.items | other.items if mixed else ():
            scope.marks[item] = scope.marks.get(item, NONE) | mixed

    def _equal_columns(self, node: Tree, scope: Scope) -> tuple[Taint, Taint] | None:
        """Both sides of `a.x = b.y`, stored columns as they are; None for any other condition."""
        body = node.get("A_Expr")
        if body is None or body.get("kind") != "AEXPR_OP" or functions.operator(body) != "=":
            return None
        sides = []
        for side in (body.get("lexpr", {}), body.get("rexpr", {})):
            found = self.column(side["ColumnRef"], scope)[1] if "ColumnRef" in side else None
            if found is None or not found.plain or found.taint.mixed:
                return None
            sides.append(found.taint)
        return sides[0], sides[1]

    def _filtered(self, node: Any, scope: Scope) -> Taint:
        """What a FILTER tells through an aggregate."""
        mixed: frozenset[Mix] = NONE
        pending = [node]
        while pending:
            one = pending.pop()
            if isinstance(one, dict) and "BoolExpr" in one:
                pending.extend(one["BoolExpr"]["args"])
            elif one:
                taint = self._walked(one, scope).taint
                mixed |= taint.mixed | mixes(taint.items)
        return Taint(mixed=mixed)

    def noted(self, node: Any, scope: Scope, against: Taint = CLEAN) -> Taint:
        """An expression that stands on its own; `against` is what it is written to or compared with."""
        if node and "ColumnRef" in node and type(node) is dict:  # most of them are just that
            taint = self.column(node["ColumnRef"], scope)[0]
            self.notes.append((node, taint | against))
            return taint
        simple = self._compared(node, scope) if type(node) is dict and "A_Expr" in node else None
        if simple is not None:
            self.notes.append((node, simple | against))
            return simple
        work = self._walked(node, scope)
        self.notes.append((node, work.taint | work.predicates | against))
        return work.taint

    def _compared(self, node: Tree, scope: Scope) -> Taint | None:
        """A column next to another, a constant or a parameter, as most conditions are; None for anything else."""
        body = node["A_Expr"]
        name = functions.operator(body)
        if body.get("kind") != "AEXPR_OP" or not name or not self._means.operator(name):
            return None
        taint = CLEAN
        for side in (body.get("lexpr"), body.get("rexpr")):
            if side is None or "A_Const" in side or "ParamRef" in side:
                continue
            if "ColumnRef" not in side:
                return None
            taint |= self.column(side["ColumnRef"], scope)[0]
        return taint

    def _test(self, taint: Taint) -> None:
        self.predicates.update(taint.touches)
        self.tested_unknown |= taint.unknown

    def _column(self, body: Tree, scope: Scope, work: _Work) -> None:
        work.add(self.column(body, scope)[0])

    def column(self, body: Tree, scope: Scope) -> tuple[Taint, Field | None]:
        """What a column reference means (PostgreSQL's order: column, then whole row, then attribute notation)."""
        fields = body.get("fields", [])
        if len(fields) == 2 and "String" in fields[1] and "String" in fields[0]:  # most of them
            return self._qualified(fields[0]["String"].get("sval", ""), "", fields[1]["String"].get("sval", ""), scope)
        names = strings(fields)
        if len(names) < len(fields) and "A_Star" in fields[-1]:
            rels = [scope.table(names[-1], *names[-2:-1])] if names else scope.star
            return union(rel.everything() if rel else ANYTHING for rel in rels), None
        if len(names) == 1:
            return scope.column(names[0])
        if len(names) < 2:
            return ANYTHING, None
        return self._qualified(names[-2], (names[-3:-2] or [""])[0], names[-1], scope)

    def _qualified(self, alias: str, schema: str, name: str, scope: Scope) -> tuple[Taint, Field | None]:
        rel = scope.table(alias, schema)
        if rel is None:
            return ANYTHING, None
        found = rel.called(name)
        if len(found) == 1 and rel.rest is None:
            return found[0].taint, found[0]
        taint = rel.named(name)
        return (self._attribute(name, rel.everything()) if taint is None else taint), None

    def _attribute(self, name: str, row: Taint) -> Taint:
        """`row.name` where name is no column: a function call in attribute notation."""
        return row if self._contained([name]) else row | ANYTHING

    def _contained(self, name: Sequence[str]) -> bool:
        return self._means.contained(*name)

    def _call(self, body: Tree, scope: Scope, work: _Work) -> None:
        name = strings(body["funcname"])
        args = body.get("args", [])
        work.push(body.get("agg_filter"), tested=True)
        if "agg_filter" in body:
            work.add(self._filtered(body["agg_filter"], scope))
        over = body.get("over")
        work.push(body.get("agg_order"), tested=work.tested or not body.get("agg_within_group"))
        if over is not None:
            self._window(over, scope, work)
        if name[-1] in functions.TELLS_BOUNDS:
            self.relations.add(functions.HAS_BOUNDS)
            work.add(Taint(frozenset({functions.BOUNDS})).at(self.item(body)))
        if name[-1] in functions.KEEPERS:
            self._kept(name[-1], args, scope)
        if not self._contained(name) or functions.reads_session(name, args):
            self._anything(work)
        elif name[-1] in functions.COUNTING and all("ColumnRef" in one for one in args):
            return
        if self._means.returns_set(*name):
            work.push(args, tested=True)  # the number of rows it gives is a condition, too
        work.push(args, tested=work.tested)

    def _kept(self, name: str, args: Any, scope: Scope) -> None:
        """What a function keeps of its arguments counts as written."""
        taint = self.expression(args, scope)
        self.copies.update((source, f"{name}()") for source in taint.touches)
        self.chosen |= taint.mixed | mixes(taint.items)

    def _window(self, over: Tree, scope: Scope, work: _Work) -> None:
        """Groups are like GROUP BY; the order and the frame show in the value itself."""
        windows = [over]
        seen: set[str] = set()
        while windows:
            one = windows.pop()
            work.push(one.get("partitionClause"), tested=True)
            # Rows leave the last window in its order, so that it is tested as well as computed with.
            work.push(one.get("orderClause"), tested=True)
            for part in ("orderClause", "startOffset", "endOffset"):
                work.push(one.get(part), tested=work.tested)
            for name in (one.get("name"), one.get("refname")):
                if name and name not in seen:
                    seen.add(name)
                    windows.extend(level.windows[name] for level in scope.levels() if name in level.windows)

    def _sublink(self, body: Tree, scope: Scope, work: _Work) -> None:
        rel, tested = self._inner(body["subselect"], scope)
        work.add(tested | Taint(mixed=rel.rows))
        if body.get("subLinkType") != "EXISTS_SUBLINK":
            work.add(rel.everything())
        work.push(body.get("testexpr"), tested=work.tested)

    def _subquery(self, body: Tree, scope: Scope, work: _Work) -> None:
        rel, tested = self._inner({"SelectStmt": body}, scope)
        work.add(rel.everything() | tested | Taint(mixed=rel.rows))

    def _inner(self, tree: Tree, scope: Scope) -> tuple[Rel, Taint]:
        """A query inside an expression: its rows become one value, so its conditions are part of that value."""
        outer, outer_unknown = self.predicates, self.tested_unknown
        self.predicates, self.tested_unknown = set(), False
        before = len(self.lookups)
        rel = self.statement(tree, scope)
        asked = (touches for _, touches in self.lookups[before:])
        tested = Taint(frozenset(self.predicates).union(*asked), self.tested_unknown)
        self.predicates |= outer
        self.tested_unknown |= outer_unknown
        return rel, tested

    def _null_test(self, body: Tree, _scope: Scope, work: _Work) -> None:
        """`column IS NULL` gives no value away; `NULLIF(column, 'x') IS NULL` does."""
        work.push(body["arg"], tested=work.tested or "ColumnRef" in body["arg"])

    def _operator(self, body: Tree, scope: Scope, work: _Work) -> None:
        name = functions.operator(body)
        if name:
            contained = self._means.operator(name)
        else:
            qualified = strings(body.get("name", ()))
            contained = not qualified or self._means.operator(*qualified)
        if not contained:
            self._anything(work)
        if name in {"=", ""} and self._asks_for_default(body, scope):
            return
        for side in (body.get("lexpr"), body.get("rexpr")):
            if side and "A_Const" not in side:
                work.stack.append((side, work.tested))

    def _asks_for_default(self, body: Tree, scope: Scope) -> bool:
        """`pg_get_expr(relpartbound, oid) = 'DEFAULT'`, by which psql sorts partitions: it tells no bound."""
        shown = body.get("lexpr", {})
        if strings(body.get("name", ()))[-1:] != ["="] or not functions.shows_bounds(shown):
            return False
        # The literal comes last: who looks at one makes what was understood depend on it (`forms.Given`).
        if body.get("rexpr", {}).get("A_Const", {}).get("sval", {}).get("sval") != "DEFAULT":
            return False
        call = shown["FuncCall"]
        first = self.expression(call["args"][0], scope) if call.get("args") else CLEAN
        return first.touches == {functions.BOUNDS} and self._contained(strings(call["funcname"]))

    def _cast(self, body: Tree, _scope: Scope, work: _Work) -> None:
        """A cast to a user's type may run a user's function (its domain check, its CREATE CAST)."""
        name = strings(body["typeName"].get("names", ()))
        if name and not self._means.cast(*name):
            self._anything(work)
        work.push(body["arg"], tested=work.tested)

    def _anything(self, work: _Work) -> None:
        """Something runs here that may read whatever it likes."""
        self.resolved = False
        work.add(ANYTHING)

    def _indirection(self, body: Tree, scope: Scope, work: _Work) -> None:
        """`(row).column`, `(row).*`, `(array)[i]`."""
        steps = body.get("indirection", [])
        work.push([one for one in steps if "A_Indices" in one], tested=work.tested)
        found = self.selected(body, scope)
        if found is not None:
            work.add(found[0])
            return
        for name in strings(steps):
            if self._means.named(name) and not self._means.contained(name):
                self._anything(work)
        work.push(body["arg"], tested=work.tested)

    def selected(self, body: Tree, scope: Scope) -> tuple[Taint, Field | None] | None:
        """The field that `(alias).column` selects from a whole row; None when it is something else."""
        names = strings(body.get("indirection", []))
        reference = strings(body["arg"].get("ColumnRef", {}).get("fields", ()))
        if len(names) != 1 or len(reference) != 1:
            return None
        rel = scope.table(reference[0])
        if rel is None or any(star.called(reference[0]) for star in scope.star):
            return None
        return self.column({"fields": [{"String": {"sval": reference[0]}}, {"String": {"sval": names[0]}}]}, scope)


def _is_lookup(node: Tree) -> bool:
    """`column = 'value'` or `column = $1`, either way round: it asks for one value."""
    body = node.get("A_Expr")
    if body is None:
        return False
    if body.get("kind") != "AEXPR_OP" or functions.operator(body) != "=":
        return False
    sides = [body.get("lexpr", {}), body.get("rexpr", {})]
    if "ColumnRef" in sides[0] and "ColumnRef" in sides[1]:
        return False
    given = [side.get("TypeCast", {}).get("arg", side) for side in sides]
    return any("ColumnRef" in side for side in sides) and any("A_Const" in side or "ParamRef" in side for side in given)
