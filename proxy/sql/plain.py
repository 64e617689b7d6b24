"""Plain SELECTs, taken apart: stored columns by name, functions, operators and constants, as most statements are.

`plain` says what stands in such a statement, not what it means: names, which of them stand together in an expression, and
where its constants are. `plainly` makes of that what the judge (`classify`) and `lineage` say of the same statement. Anything
but the few node types and fields named here makes a statement not plain: then it is read as every other.
`_plain.h` does the same in C, out of the parser's JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from proxy.native import plain_way
from proxy.sql.lineage_functions import COUNTING
from proxy.sql.parse import Parsed, json_of, parse_anew

Tree = Mapping[str, Any]

#: What an expression is: a bare column, a bare constant, `column = column`, a question for one value (`lineage.lookups`),
#: `column = value` all rows must fulfil; and that a column stands somewhere in it.
COLUMN, CONSTANT, EQUAL, LOOKUP, GIVEN, READS = 1, 2, 4, 8, 16, 32

#: What it is; the columns its value is computed from, and those it only tests (both by number in `Plain.refs`); where its
#: constants begin (bytes); the numbers of its parameters.
Expression = tuple[int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]

#: The name of an output column and what it shows; or the table whose columns it stands for (None = all).
Output = tuple[str, Expression] | tuple[int | None]

#: (schema, name, alias).
TableName = tuple[str | None, str, str | None]
#: The number of the table it is said to be of, and the name of a column.
Ref = tuple[int | None, str]

#: Deeper expressions, conditions and joins are not plain: one in the other, they are less deep than what the judge gives up on
#: (`walk.MAX_DEPTH`, where a CASE counts twice).
MAX_DEPTH = 40


class Plain(NamedTuple):
    """A plain SELECT. Lists of names hold each once."""

    #: In the order of FROM.
    tables: tuple[TableName, ...]
    refs: tuple[Ref, ...]
    #: References that stand alone in GROUP BY, ORDER BY or DISTINCT ON and nowhere else: they may be of output columns.
    alone: tuple[int, ...]
    #: Functions in the order in which the judge meets them; those in the target list or HAVING.
    calls: tuple[tuple[str, ...], ...]
    shown: tuple[tuple[str, ...], ...]
    operators: tuple[str, ...]
    casts: tuple[tuple[str, ...], ...]
    outputs: tuple[Output, ...]
    #: The parts of ON, HAVING and WHERE.
    conditions: tuple[Expression, ...]
    #: GROUP BY, ORDER BY, DISTINCT ON, with the number of an output column (0 = none).
    groups: tuple[tuple[int, Expression], ...]
    #: LIMIT and OFFSET.
    limits: tuple[Expression, ...]
    #: The number of LIMIT (0 = a parameter); None = no rows are counted.
    most: int | None
    #: Whether there is a GROUP BY.
    grouped: bool


class _Other(Exception):
    """Not plain."""


_SELECT = frozenset({
    "distinctClause", "targetList", "fromClause", "whereClause", "groupClause", "havingClause", "sortClause", "limitOffset",
    "limitCount", "limitOption", "op",
})  # fmt: skip
_RANGE = frozenset({"schemaname", "relname", "inh", "relpersistence", "alias", "location"})
_JOIN = frozenset({"jointype", "larg", "rarg", "quals", "rtindex"})
_SORT = frozenset({"node", "sortby_dir", "sortby_nulls", "location"})
_TYPE = frozenset({"names", "typemod", "typmods", "arrayBounds", "location"})
_CALL = frozenset({"funcname", "args", "agg_star", "agg_distinct", "funcformat", "location"})
_OPERATION = frozenset({"kind", "name", "lexpr", "rexpr", "location"})
_CONSTANT = frozenset({"ival", "fval", "sval", "boolval", "isnull", "location"})
_CASE = frozenset({"arg", "args", "defresult", "location"})
_WHEN = frozenset({"expr", "result", "location"})
_BOTH = frozenset({"boolop", "args", "location"})
_NULL = frozenset({"arg", "nulltesttype", "argisrow", "location"})
_CAST = frozenset({"arg", "typeName", "location"})
_REF = frozenset({"fields", "location"})
_PARAMETER = frozenset({"number", "location"})
_SHORT = 4


def plain(tree: Tree) -> Plain | None:
    """The parts of a SELECT (the fields of its node); None when it is not plain."""
    try:
        return _Taken().select(tree)
    except (_Other, LookupError, TypeError, ValueError, AttributeError):
        return None


def plain_text(text: str) -> tuple[Plain | None, Parsed | str | None]:
    """The parts of a text of one SELECT, and what it was parsed to meanwhile (trees of its own, or the parser's JSON)."""
    if plain_way is not None and (known := json_of(text)) is not None:
        return plain_way.plain(known), known
    parsed = parse_anew(text)
    alone = len(parsed.statements) == 1 and parsed.statements[0].node == "SelectStmt"
    return plain(parsed.statements[0].tree) if alone else None, parsed


class _Taken:
    """One statement while it is taken apart, in the judge's order."""

    def __init__(self) -> None:
        self.tables: list[TableName] = []
        self.refs: dict[tuple[str | None, str], int] = {}
        self.numbers: dict[str, int] = {}
        #: References that do not stand alone in GROUP BY and its like.
        self.used: set[int] = set()
        self.stands_alone = False
        self.calls: dict[tuple[str, ...], None] = {}
        self.shown: dict[tuple[str, ...], None] = {}
        self.operators: dict[str, None] = {}
        self.casts: dict[tuple[str, ...], None] = {}
        self.conditions: list[tuple[int, Expression]] = []
        #: Of the expression at hand.
        self.columns: dict[int, None] = {}
        self.tested: dict[int, None] = {}
        self.literals: list[int] = []
        self.parameters: list[int] = []
        self.reads = False
        self.is_shown = False

    def select(self, body: Tree) -> Plain:
        _only(body, _SELECT)
        if body.get("op", "SETOP_NONE") != "SETOP_NONE":
            raise _Other
        distinct = self._groups(body.get("distinctClause", ()))
        self.is_shown = True
        outputs = [self._output(one) for one in body.get("targetList", ())]
        self.is_shown = False
        for one in body.get("fromClause", ()):
            self._item(one, 0)
        joins = len(self.conditions)
        groups = self._groups(body.get("groupClause", ()))
        sorts = self._groups(body.get("sortClause", ()))
        where = self._parts(body.get("whereClause"), top=True)
        self.is_shown = True
        having = self._parts(body.get("havingClause"), top=False)
        self.is_shown = False
        offset, count = body.get("limitOffset"), body.get("limitCount")
        limits = tuple([self._limit(one) for one in (count, offset) if one is not None])
        here = len(self.tables)
        self.conditions += [(here, one) for one in (*reversed(having), *reversed(where))]
        refs = self._placed()
        for visible, (_, columns, tested, *_) in self.conditions[:joins]:
            tables = [refs[at][0] for at in (*columns, *tested)]
            if not all(visible == here if table is None else table < visible for table in tables):
                raise _Other  # it names what is not in scope there
        alone = tuple([at for at in range(len(refs)) if at not in self.used])
        return Plain(
            tuple(self.tables), refs, alone, tuple(self.calls), tuple(self.shown), tuple(self.operators), tuple(self.casts),
            tuple([one if len(one) > 1 else (self._number(one[0]),) for one in outputs]), tuple([one for _, one in self.conditions]), (*reversed(groups), *reversed(sorts), *reversed(distinct)), limits,
            _most(count, body.get("limitOption")), "groupClause" in body,
        )  # fmt: skip

    def _placed(self) -> tuple[Ref, ...]:
        """The references with the numbers of their tables."""
        self.numbers = {alias or name: at for at, (_, name, alias) in enumerate(self.tables)}
        if len(self.numbers) < len(self.tables):
            raise _Other
        return tuple([(self._number(table), name) for table, name in self.refs])

    def _number(self, table: str | None) -> int | None:
        return None if table is None else self.numbers[table]

    def _output(self, node: Tree) -> tuple[str, Expression] | tuple[str | None]:
        target = node["ResTarget"]
        if not target.keys() <= {"name", "val", "location"}:
            raise _Other
        value = target["val"]
        fields = value.get("ColumnRef", {}).get("fields", ())
        if fields and "A_Star" in fields[-1]:
            names = _names(fields[:-1])
            if len(names) > 1:
                raise _Other
            return (names[0] if names else None,)
        return target.get("name") or _called(value), self._expression(value)

    def _item(self, node: Tree, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _Other
        if "RangeVar" in node:
            body = node["RangeVar"]
            _only(body, _RANGE)
            alias = body.get("alias", {})
            if not alias.keys() <= {"aliasname"}:
                raise _Other
            self.tables.append((body.get("schemaname"), body["relname"], alias.get("aliasname")))
            return
        join = node["JoinExpr"]
        _only(join, _JOIN)
        self._item(join["larg"], depth + 1)
        self._item(join["rarg"], depth + 1)
        here = len(self.tables)
        self.conditions += [(here, one) for one in reversed(self._parts(join.get("quals"), top=False))]

    def _parts(self, node: Tree | None, *, top: bool) -> list[Expression]:
        """The parts of AND and OR of a condition; `top`: in WHERE."""
        found: list[Expression] = []
        todo = [(node, True, top, 0)] if node else []
        while todo:
            one, alone, given, level = todo.pop()
            if level > MAX_DEPTH:
                raise _Other
            if "BoolExpr" in one:
                body = one["BoolExpr"]
                _only(body, _BOTH)
                both = body["boolop"] == "AND_EXPR"
                parts = [(each, alone and both, given and both and not level, level + 1) for each in body["args"]]
                todo.extend(reversed(parts))
            else:
                kind, *rest = self._expression(one)
                kind |= LOOKUP if alone and _is_lookup(one) else 0
                kind |= GIVEN if given and _is_given(one) else 0
                found.append((kind, *rest))  # type: ignore[arg-type]
        return found

    def _groups(self, nodes: Sequence[Tree]) -> list[tuple[int, Expression]]:
        found = []
        for one in nodes:
            if not one:  # plain DISTINCT
                continue
            node = one
            if "SortBy" in one:
                _only(one["SortBy"], _SORT)
                node = one["SortBy"]["node"]
            if "BoolExpr" in node:
                raise _Other
            self.stands_alone = "ColumnRef" in node
            kind, *rest = self._expression(node)
            self.stands_alone = False
            kind |= LOOKUP if _is_lookup(node) else 0
            position = node["A_Const"].get("ival", {}).get("ival", 0) if "A_Const" in node else 0
            if position < 0:
                raise _Other
            found.append((position, (kind, *rest)))
        return found  # type: ignore[return-value]

    def _limit(self, node: Tree) -> Expression:
        if not ("A_Const" in node or "ParamRef" in node):
            raise _Other
        return self._expression(node)

    def _expression(self, node: Tree) -> Expression:
        self.columns, self.tested, self.literals, self.parameters, self.reads = {}, {}, [], [], False
        self._walk(node, 0, tested=False)
        kind = READS if self.reads else 0
        if "ColumnRef" in node:
            kind |= COLUMN
        elif "A_Const" in node:
            kind |= CONSTANT
        elif _is_equal(node):
            kind |= EQUAL
        return kind, tuple(self.columns), tuple(self.tested), tuple(self.literals), tuple(self.parameters)

    def _walk(self, node: Tree, depth: int, *, tested: bool) -> None:
        if depth > MAX_DEPTH:
            raise _Other
        ((kind, body),) = node.items()
        if kind == "ColumnRef":
            self._column(body, tested=tested)
        elif kind == "A_Const":
            _only(body, _CONSTANT)
            self.literals.append(body.get("location", 0))
        elif kind == "ParamRef":
            _only(body, _PARAMETER)
            self.parameters.append(body.get("number", 0))
        elif kind == "A_Expr":
            _only(body, _OPERATION)
            (name,) = _names(body["name"])  # not a qualified one
            self.operators[name] = None
            for side in ("rexpr", "lexpr"):
                if side in body:
                    self._walk(body[side], depth + 1, tested=tested)
        elif kind in {"BoolExpr", "CoalesceExpr"}:
            _only(body, _BOTH)
            for one in body["args"]:
                self._walk(one, depth + 1, tested=tested)
        elif kind == "List":
            for one in body["items"]:
                self._walk(one, depth + 1, tested=tested)
        elif kind == "NullTest":
            _only(body, _NULL)
            self._walk(body["arg"], depth + 1, tested=tested or "ColumnRef" in body["arg"])
        elif kind == "FuncCall":
            self._call(body, depth, tested=tested)
        elif kind == "TypeCast":
            _only(body, _CAST)
            self._cast(body["typeName"])
            self._walk(body["arg"], depth + 1, tested=tested)
        elif kind == "CaseExpr":
            self._case(body, depth, tested=tested)
        else:
            raise _Other

    def _column(self, body: Tree, *, tested: bool) -> None:
        _only(body, _REF)
        names = _names(body["fields"])
        if len(names) > 2:
            raise _Other
        ref = (names[-2] if len(names) == 2 else None, names[-1])
        at = self.refs.setdefault(ref, len(self.refs))
        (self.tested if tested else self.columns)[at] = None
        self.reads = True
        if not self.stands_alone or len(names) > 1:
            self.used.add(at)

    def _call(self, body: Tree, depth: int, *, tested: bool) -> None:
        _only(body, _CALL)
        name = tuple(_names(body["funcname"]))
        self.calls[name] = None
        if self.is_shown:
            self.shown[name] = None
        args = body.get("args", ())
        if name[-1] in COUNTING and all("ColumnRef" in one for one in args):
            kept = dict(self.columns), dict(self.tested)
            for one in args:
                self._walk(one, depth + 1, tested=tested)
            self.columns, self.tested = kept
            return
        for one in args:
            before = len(self.literals)
            self._walk(one, depth + 1, tested=tested)
            if "A_Const" in one and _is_short(one["A_Const"]):  # the 6 of `left(phone, 6)` is no value
                del self.literals[before:]

    def _cast(self, body: Tree) -> None:
        _only(body, _TYPE)
        self.casts[tuple(_names(body["names"]))] = None
        self.literals += [one["A_Const"].get("location", 0) for one in body.get("typmods", ())]

    def _case(self, body: Tree, depth: int, *, tested: bool) -> None:
        _only(body, _CASE)
        if "arg" in body:
            self.operators["="] = None
            self._walk(body["arg"], depth + 1, tested=tested)
        for one in body["args"]:
            when = one["CaseWhen"]
            _only(when, _WHEN)
            self._walk(when["expr"], depth + 1, tested=tested)
            self._walk(when["result"], depth + 1, tested=tested)
        if "defresult" in body:
            self._walk(body["defresult"], depth + 1, tested=tested)


def _only(body: Tree, fields: frozenset[str]) -> None:
    if not body.keys() <= fields:
        raise _Other


def _names(nodes: Sequence[Tree]) -> list[str]:
    return [one["String"]["sval"] for one in nodes]


def _most(count: Tree | None, option: object) -> int | None:
    """The rows a LIMIT lets through (see `trees.limited`)."""
    if count is None:
        if option == "LIMIT_OPTION_WITH_TIES":
            raise _Other
        return None
    if option != "LIMIT_OPTION_COUNT":
        raise _Other
    if "ParamRef" in count:
        return 0
    number = count["A_Const"].get("ival")
    return None if number is None else int(number.get("ival", 0))


def _is_equal(node: Tree) -> bool:
    """Whether it is `column = column`."""
    body = node.get("A_Expr", {})
    return (
        body.get("kind") == "AEXPR_OP"
        and _names(body["name"]) == ["="]
        and all("ColumnRef" in body.get(side, {}) for side in ("lexpr", "rexpr"))
    )


def _is_lookup(node: Tree) -> bool:
    """As in `lineage_expressions`."""
    body = node.get("A_Expr", {})
    if body.get("kind") != "AEXPR_OP" or _names(body["name"]) != ["="]:
        return False
    sides = [body.get("lexpr", {}), body.get("rexpr", {})]
    if all("ColumnRef" in side for side in sides):
        return False
    given = [side.get("TypeCast", {}).get("arg", side) for side in sides]
    return any("ColumnRef" in side for side in sides) and any("A_Const" in side or "ParamRef" in side for side in given)


def _is_given(node: Tree) -> bool:
    """Whether it is `column = value`, the column on the left."""
    body = node.get("A_Expr", {})
    if body.get("kind") != "AEXPR_OP" or _names(body["name"]) != ["="] or "ColumnRef" not in body.get("lexpr", {}):
        return False
    value = body.get("rexpr", {})
    while "TypeCast" in value:
        value = value["TypeCast"]["arg"]
    return "A_Const" in value or "ParamRef" in value


def _is_short(constant: Tree) -> bool:
    """As in `masking.literals`: a plain number of a length, a place or a precision."""
    number = constant.get("ival", constant.get("fval"))
    return number is not None and sum(c.isdigit() for c in str(number.get("ival", number.get("fval", "")))) <= _SHORT


def _called(node: Tree) -> str:
    """The name PostgreSQL gives to an output column, see `lineage_functions.column_name`."""
    fallback = ""
    for _ in range(MAX_DEPTH + 1):
        ((kind, body),) = node.items()
        if kind == "ColumnRef":
            return _names(body["fields"])[-1]
        if kind == "FuncCall":
            return _names(body["funcname"])[-1]
        if kind == "CoalesceExpr":
            return "coalesce"
        if kind == "A_Expr" and body.get("kind") == "AEXPR_NULLIF":
            return "nullif"
        if kind == "TypeCast":
            fallback = fallback or _names(body["typeName"]["names"])[-1]
            node = body["arg"]
        elif kind == "CaseExpr" and "defresult" in body:
            fallback = fallback or "case"
            node = body["defresult"]
        elif kind == "CaseExpr":
            return "case"
        else:
            break
    return fallback or "?column?"
