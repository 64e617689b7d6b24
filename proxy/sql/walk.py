"""One walk over a statement's tree: collects what it reads, writes, calls and sets.

Only the node types in `nodes.SHAPES` are walked, with only the fields listed there; anything else makes the statement
not understood. Constants are skipped, never visited: a list of 2,000 of them costs next to nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from access.statements import Effect, Flag
from proxy.sql import relations
from proxy.sql.catalog import INFORMATION_SCHEMA, PG_CATALOG, PG_TEMP, Catalog, Relation
from proxy.sql.functions import COLLECTING, Call
from proxy.sql.judged import Control, SqlSession
from proxy.sql.known import Path, known
from proxy.sql.names import effective_path, function_path
from proxy.sql.nodes import NODE, NODES, SCALAR, SHAPES
from proxy.sql.trees import Fields, Names, Tree

#: Deeper trees are not judged: Python's own stack must never decide.
MAX_DEPTH = 180

#: More problems than this say no more.
_MANY = 16

_LEAVES = frozenset({
    "A_Const", "A_Star", "BitString", "Boolean", "CurrentOfExpr", "Float", "Integer", "MergeSupportFunc", "ParamRef",
    "SQLValueFunction", "SetToDefault", "String",
})  # fmt: skip

_SELECT = SHAPES["SelectStmt"].keys()
_SELECT_LISTS = (
    "distinctClause", "targetList", "fromClause", "groupClause", "windowClause", "valuesLists", "sortClause",
)  # fmt: skip
_SELECT_NODES = ("whereClause", "havingClause", "limitOffset", "limitCount")
_A_EXPR = SHAPES["A_Expr"].keys()
_EQUALS = ("=",)
_EQUALITY = frozenset({"=", "<>", "!="})


class TooDeep(Exception):
    """The tree is nested deeper than is judged."""


class Walk(ABC):
    """The state of one walk. After it, the public attributes say what was found; `problems` why it matters."""

    handlers: ClassVar[dict[str, Callable[[Any, Fields], None]]]

    def __init__(self, catalog: Catalog, session: SqlSession) -> None:
        self.catalog = catalog
        self.session = session
        self.known = known(catalog)
        self.path: Path = effective_path(session.search_path, session.role)
        self.function_path: Path = function_path(self.path)
        self.effects: set[Effect] = set()
        self.flags: set[Flag] = set()
        self.verbs: list[str] = []
        self.reads: dict[str, None] = {}
        self.writes: dict[str, None] = {}
        self.functions: dict[str, None] = {}
        self.problems: list[str] = []
        self.controls: list[Control] = []
        self.understood = True
        self.ctes: Mapping[str, Tree] = {}
        self.root: Tree = {}
        self.sure: frozenset[int] = frozenset()
        self.open_queries: dict[int, bool] = {}
        self.compared: set[int] = set()  # calls whose result is only compared for equality
        self.in_body = False
        self.coded: dict[Call, None] = {}  # what the types of the columns it reads run
        self.collects = False  # array_agg and its like, or ARRAY(SELECT …), was seen
        self.gathers = False  # an aggregate or ARRAY(SELECT …) was seen: one value may hold many rows
        self.visiting: frozenset[Any] = frozenset()
        self._depth = 0
        self._names: tuple[Tree, Names] | None = None
        self._columns: dict[tuple[str, str, int], bool] = {}

    # -- findings

    def found(self, *effects: Effect) -> None:
        self.effects.update(effects)

    @property
    def names(self) -> Names:
        """The names in the statement that is walked."""
        if self._names is None or self._names[0] is not self.root:
            self._names = (self.root, Names(self.root))
        return self._names[1]

    def problem(self, text: str) -> None:
        if text and len(self.problems) < _MANY and text not in self.problems:
            self.problems.append(text)

    def refuse(self, text: str) -> None:
        """The statement cannot be judged, or must not run whatever policy says."""
        self.understood = False
        self.effects.add(Effect.OPAQUE)
        self.problems.insert(0, text)

    def called(self, call: Call) -> None:
        """Add what a call, cast or operator does."""
        for name in call.names:
            self.functions[name] = None
        if call.effects:
            self.effects |= call.effects
        if call.flags:
            self.flags |= call.flags
        if call.problem:
            self.problem(call.problem)

    # -- walking

    def statement(self, node: str, fields: Fields) -> None:
        """One whole statement."""
        self.root = {node: fields}
        self.node(self.root)

    def node(self, wrapped: Tree) -> None:
        """One wrapped node; `{}` is PostgreSQL's NULL in a list."""
        for name, fields in wrapped.items():
            if name in _LEAVES:
                return
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise TooDeep
            handler = self.handlers.get(name)
            if handler is not None:
                handler(self, fields)
            else:
                self.generic(name, fields)
            self._depth -= 1

    def nodes(self, items: Iterable[Tree]) -> None:
        for item in items:
            if "A_Const" not in item:
                self.node(item)

    def generic(self, name: str, fields: Fields) -> None:
        """Any node that has no meaning of its own: its children are what matters."""
        shape = SHAPES.get(name)
        if shape is None:
            self.refuse(f"The gateway does not know the construct {name}.")
            return
        for key, value in fields.items():
            kind = shape.get(key)
            if kind == SCALAR:
                continue
            if kind == NODES:
                self.nodes(value)
            elif kind == NODE:
                self.node(value)
            elif kind is None:
                self.refuse(f"The gateway does not know {key} of the construct {name}.")
            elif kind not in _LEAVES:
                self.node({kind: value})

    # -- queries

    def select(self, fields: Fields) -> None:
        if not fields.keys() <= _SELECT:
            self.refuse("The gateway does not know a part of this SELECT.")
        outer = self.ctes
        while "larg" in fields:  # a chain of UNIONs leans to the left
            self._select_parts(fields)
            self.node({"SelectStmt": fields["rarg"]})
            fields = fields["larg"]
        self._select_parts(fields)
        self.ctes = outer

    def _select_parts(self, fields: Fields) -> None:
        get = fields.get
        if "withClause" in fields:
            self.with_clause(fields["withClause"])
        for key in _SELECT_LISTS:
            value = get(key)
            if value:
                self.nodes(value)
        for key in _SELECT_NODES:
            value = get(key)
            if value:
                self.node(value)
        if "lockingClause" in fields:
            self.found(Effect.WRITE)
            self.flags.add(Flag.LOCK)
            self.problem("It locks rows (FOR UPDATE or FOR SHARE) until its transaction ends.")
        if "intoClause" in fields:
            self.node({"IntoClause": fields["intoClause"]})

    def with_clause(self, fields: Fields) -> None:
        """Bring the names of a WITH into scope; RECURSIVE lets them see each other."""
        named = {item["CommonTableExpr"]["ctename"]: item["CommonTableExpr"] for item in fields.get("ctes", ())}
        if fields.get("recursive"):
            self.ctes = {**self.ctes, **named}
        for name, cte in named.items():
            self.generic("CommonTableExpr", cte)
            self.ctes = {**self.ctes, name: cte}

    def sub_link(self, fields: Fields) -> None:
        if fields["subLinkType"] == "ARRAY_SUBLINK":
            self.gathers = self.collects = True
        if "testexpr" in fields:
            name = tuple(one["String"]["sval"] for one in fields.get("operName", ())) or _EQUALS
            self.operator(name)
        self.generic("SubLink", fields)

    # -- relations

    def resolve(self, fields: Fields) -> tuple[str, Relation | None]:
        """The qualified name of a RangeVar that is not a CTE, and what the snapshot knows of it.

        A bare name that is nowhere in the snapshot stays bare.
        """
        name = fields["relname"]
        schema = fields.get("schemaname")
        if schema is not None:
            return f"{schema}.{name}", self.catalog.relations.get((schema, name))
        for schema in self.path:
            if schema == PG_TEMP:
                if name in self.session.temporary:
                    return f"{PG_TEMP}.{name}", None
                continue
            found = self.catalog.relations.get((schema, name))
            if found is not None:
                return found.qualified, found
        if name.startswith("pg_"):
            return f"{PG_CATALOG}.{name}", None
        return name, None

    def range_var(self, fields: Fields) -> None:
        """A relation that is read."""
        if "schemaname" not in fields and fields["relname"] in self.ctes:
            return
        name, relation = self.resolve(fields)
        self.found(Effect.READ)
        self.read(name, relation, fields)

    def read(self, name: str, relation: Relation | None, fields: Fields) -> None:
        self.reads[name] = None
        schema, _, bare = name.rpartition(".")
        if relations.is_system(schema):
            secret = relations.closed(schema, bare)
            if secret:
                self.found(Effect.ADMIN)
                self.problem(f"{name} shows {secret}.")
        part = relations.partly(bare)
        if part is not None:
            self._read_partly(name, fields, *part)
        if relation is not None and schema not in {PG_CATALOG, INFORMATION_SCHEMA}:
            self.reading(relation)

    @abstractmethod
    def setting_shown(self, call: Fields) -> None:
        """Judge a call of current_setting()."""

    @abstractmethod
    def setting_called(self, call: Fields) -> None:
        """Judge a call of set_config()."""

    @abstractmethod
    def reading(self, relation: Relation) -> None:
        """Add what reading a user's relation reads and runs besides: partitions, what a view is made of."""

    def _read_partly(self, name: str, fields: Fields, columns: frozenset[str], what: str) -> None:
        alias = fields.get("alias", {})
        called = {alias.get("aliasname", fields["relname"]), fields["relname"]}
        if "colnames" in alias or self.names.may_show(called, columns):
            self.found(Effect.ADMIN)
            self.problem(f"{name} shows {what}; name the columns you need, without {', '.join(sorted(columns))}.")

    # -- expressions

    def a_expr(self, fields: Fields) -> None:
        while True:
            if not fields.keys() <= _A_EXPR:
                self.refuse("The gateway does not know a part of this expression.")
            name = fields["name"]
            if len(name) != 1 or name[0]["String"]["sval"] not in self.known.plain_operators:
                self.operator(tuple(one["String"]["sval"] for one in name))
            right = fields.get("rexpr")
            left = fields.get("lexpr")
            if name[-1]["String"]["sval"] in _EQUALITY:
                for side in (left, right):
                    if side is not None and "FuncCall" in side:
                        self.compared.add(id(side["FuncCall"]))
            if right is not None and "A_Const" not in right:
                self.node(right)
            if left is None:
                return
            if "A_Expr" not in left:
                self.node(left)
                return
            fields = left["A_Expr"]  # a sum of many terms leans to the left

    def operator(self, name: Path) -> None:
        call = self.known.operator(name, self.function_path)
        if call is not None:
            self.called(call)

    def case_expr(self, fields: Fields) -> None:
        if "arg" in fields:
            self.operator(_EQUALS)
        self.generic("CaseExpr", fields)

    def join_expr(self, fields: Fields) -> None:
        if "usingClause" in fields or fields.get("isNatural"):
            self.operator(_EQUALS)
        self.generic("JoinExpr", fields)

    def sort_by(self, fields: Fields) -> None:
        if "useOp" in fields:
            self.operator(tuple(one["String"]["sval"] for one in fields["useOp"]))
        self.generic("SortBy", fields)

    def table_sample(self, fields: Fields) -> None:
        method = tuple(one["String"]["sval"] for one in fields["method"])
        self.called(self.known.call(method, self.function_path))
        self.generic("RangeTableSample", fields)

    def res_target(self, fields: Fields) -> None:
        if "indirection" in fields:
            self.generic("ResTarget", fields)
        elif "val" in fields:
            self.nodes((fields["val"],))

    def bool_expr(self, fields: Fields) -> None:
        self.nodes(fields["args"])

    def column_ref(self, fields: Fields) -> None:
        parts = fields["fields"]
        if len(parts) > 1:
            self.attribute(parts[-1], parts[-2])

    def indirection(self, fields: Fields) -> None:
        for part in fields.get("indirection", ()):
            if "String" in part:
                self.attribute(part, None)
        self.generic("A_Indirection", fields)

    def attribute(self, part: Tree, of: Tree | None) -> None:
        """`x.name` is a column, or a call of name(x): only the catalog can tell (PostgreSQL, 8.16.5)."""
        if "String" not in part:
            return
        name = part["String"]["sval"]
        if name in self.session.redefined:
            self.functions[name] = None
        if not self.known.loaded:
            self.refuse("The gateway has no snapshot of this database yet.")
        elif name in self.known.risky_attributes or (name in self.known.risky_scalars and self._is_value(of)):
            call = self.known.call((name,), self.function_path)
            if call.effects and not self._is_column(name, of):
                self.called(call)

    def _is_value(self, of: Tree | None) -> bool:
        """Whether what stands before the dot may be a single value: an expression, or a function in FROM."""
        return of is None or "String" not in of or of["String"]["sval"] in self.names.functions

    def _is_column(self, name: str, of: Tree | None) -> bool:
        """Whether every relation in the statement that could be meant by `of` has a column of that name."""
        alias = of["String"]["sval"] if of is not None and "String" in of else ""
        key = (name, alias, id(self.root))
        if key not in self._columns:
            meant = [self.resolve(one)[1] for one in self.names.tables_called(alias)]
            self._columns[key] = bool(meant) and all(one is not None and one.column(name) is not None for one in meant)
        return self._columns[key]

    def func_call(self, fields: Fields) -> None:
        name = fields["funcname"]
        parts = (name[0]["String"]["sval"],) if len(name) == 1 else tuple(one["String"]["sval"] for one in name)
        call = self.known.call(parts, self.function_path)
        if call.names or call.effects:
            self.called(call)
        if call.aggregate:
            self.gathers = True
        if parts[-1] in COLLECTING:
            self.collects = True
        if call.special == "current_setting":
            self.setting_shown(fields)
        elif call.special:
            self.setting_called(fields)
        args = fields.get("args")
        if args is not None:
            self.nodes(args)
        if fields.keys() - _PLAIN_CALL:
            self.generic("FuncCall", {key: value for key, value in fields.items() if key != "args"})

    def type_name(self, fields: Fields) -> None:
        names = fields.get("names", ())
        if len(names) != 2 or names[0]["String"]["sval"] != PG_CATALOG:
            call = self.known.type(tuple(one["String"]["sval"] for one in names), self.path)
            if call is not None:
                self.called(call)
        if "typmods" in fields:
            self.nodes(fields["typmods"])

    def type_cast(self, fields: Fields) -> None:
        self.type_name(fields["typeName"])
        arg = fields["arg"]
        if "A_Const" not in arg:
            self.node(arg)


_PLAIN_CALL = {"funcname", "args", "funcformat", "location", "agg_star", "agg_distinct", "func_variadic"}


Walk.handlers = {
    "A_Expr": Walk.a_expr,
    "A_Indirection": Walk.indirection,
    "BoolExpr": Walk.bool_expr,
    "CaseExpr": Walk.case_expr,
    "ColumnRef": Walk.column_ref,
    "FuncCall": Walk.func_call,
    "JoinExpr": Walk.join_expr,
    "RangeTableSample": Walk.table_sample,
    "RangeVar": Walk.range_var,
    "ResTarget": Walk.res_target,
    "SelectStmt": Walk.select,
    "SortBy": Walk.sort_by,
    "SubLink": Walk.sub_link,
    "TypeCast": Walk.type_cast,
    "TypeName": Walk.type_name,
}
