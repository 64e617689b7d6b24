"""What a plain SELECT (`plain`) does and shows, without walking its tree: the same as `classify` and `lineage` say of it.

Every name is asked about once, of the code that all other statements go through, and remembered: a table is plain when
reading it does nothing but read, a function, operator or type when it does nothing but compute. One name that is not makes the
statement one like any other. What is decided here is only how a plain statement's parts come together; that it is decided as
there is tested by comparison (`tests/proxy/sql/test_plain.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar
from weakref import ReferenceType, WeakKeyDictionary

from access.statements import Effect, Flag, Statement
from proxy.sql import relations
from proxy.sql.catalog import PG_CATALOG, Catalog, Relation
from proxy.sql.functions import COLLECTING
from proxy.sql.judged import SqlSession
from proxy.sql.known import known
from proxy.sql.lineage import Lineage, OutputColumn
from proxy.sql.lineage_functions import KEEPERS, SHOWS_DEFINITIONS, meanings
from proxy.sql.lineage_mixing import NONE, Item, Mix, mixes
from proxy.sql.lineage_scope import ANYTHING, CLEAN, Field, Taint, stored, union
from proxy.sql.names import effective_path, function_path
from proxy.sql.plain import COLUMN, CONSTANT, EQUAL, GIVEN, LOOKUP, Expression, Output, Plain, Ref, TableName
from proxy.sql.rows import MAX_LIMIT
from proxy.sql.statements import StatementWalk

K = TypeVar("K")
V = TypeVar("V")

_READ = frozenset({Effect.READ})
_NO_FLAGS: frozenset[Flag] = frozenset()
_UNBOUNDED = frozenset({Flag.UNBOUNDED_READ})
_SELECT = ("SELECT",)
#: Functions that more is asked about than what they compute.
_NOT_PLAIN = COLLECTING | KEEPERS | SHOWS_DEFINITIONS
#: Remembered names of each kind; beyond that the memory starts anew.
_REMEMBERED = 4096
#: In the place of a column that is none: an unknown one, if anybody looks at it.
NO_COLUMN = Field("", ANYTHING)
#: Remembered search paths of a catalog.
_PATHS = 64


@dataclass(frozen=True, slots=True)
class _Table:
    """A relation that may be read without a second thought. `reads` is what the judge says reading it reads."""

    relation: Relation
    reads: tuple[str, ...]


class _Tables:
    """What stands in a FROM: its columns, and what is known of references to them."""

    def __init__(self, columns: Sequence[Mapping[str, Field]], tables: Sequence[_Table]) -> None:
        self._columns = columns
        self.count = len(tables)
        self.key = tables[0].relation.key if len(tables) == 1 else frozenset[str]()
        self.relations = frozenset([one.relation.qualified for one in tables])
        self.reads = tuple(dict.fromkeys(name for one in tables for name in one.reads))
        #: Columns by reference, as they are asked for.
        self.known: dict[Ref, Field] = {}

    def column(self, ref: Ref) -> Field | None:
        """The one column that is meant; `NO_COLUMN` when there is none, None when there are several."""
        number, name = ref
        places = self._columns if number is None else self._columns[number : number + 1]
        found = [fields[name] for fields in places if name in fields]
        if not found:
            return NO_COLUMN
        return _remember(self.known, ref, found[0]) if len(found) == 1 else None

    def every(self, number: int | None) -> Sequence[Field]:
        """The columns a star stands for."""
        places = self._columns if number is None else self._columns[number : number + 1]
        return [one for fields in places for one in fields.values()]


class Plainly:
    """The plain statements of one catalog under one search path."""

    def __init__(self, catalog: Catalog, path: tuple[str, ...]) -> None:
        self._weak = ReferenceType(catalog)  # it is remembered by its catalog, which would never go
        self._path = path
        self._function_path = function_path(path)
        self._known = known(catalog)
        self._means = meanings(catalog, path if PG_CATALOG in path else (PG_CATALOG, *path))
        self._risky = self._known.risky_attributes | self._known.risky_scalars
        self._tables: dict[tuple[str | None, str], _Table | None] = {}
        self._froms: dict[tuple[TableName, ...], _Tables | None] = {}
        self._columns: dict[tuple[int, int], Mapping[str, Field]] = {}
        self._calls: dict[tuple[str, ...], tuple[tuple[str, ...], bool] | None] = {}
        self._operators: dict[str, bool] = {}
        self._casts: dict[tuple[str, ...], bool] = {}
        #: By identity of columns, which are kept with it: what several are together, and how one is shown.
        self._together: dict[tuple[int, ...], tuple[Sequence[Field], Taint, frozenset[Mix]]] = {}
        self._shown: dict[int, tuple[Field, OutputColumn]] = {}

    @property
    def _catalog(self) -> Catalog:
        catalog = self._weak()
        if catalog is None:
            raise LookupError("the catalog is gone")
        return catalog

    def read(self, text: str, found: Plain) -> tuple[Statement, Lineage] | None:
        """What `judge` and `trace` say of the statement; None when something in it is not plain."""
        tables, refs, alone, calls, shown, operators, casts, outputs, conditions, groups, limits, most, grouped = found
        try:
            named = self._froms[tables]
        except KeyError:
            named = self._from(tables)
        if named is None:
            return None
        functions = self._computed(calls, operators, casts)
        fields = self._fields(named, refs, alone)
        if functions is None or fields is None:
            return None
        scope = _Scope(self, named, refs, fields)
        scope.conditions(conditions)
        scope.outputs(outputs)
        if not scope.groups(groups):
            return None
        for one in limits:
            scope.note(one)
        flags = _NO_FLAGS
        if most is None or most > MAX_LIMIT:  # see `rows.unbounded`
            one_row = not grouped and any(call[1] for name in shown if (call := self._called(name)) is not None)
            if not one_row and named.count and not _by_key(named, refs, conditions):
                flags = _UNBOUNDED
        statement = Statement("postgres", text, _READ, _SELECT, named.reads, (), functions, flags)
        return statement, scope.lineage()

    def _fields(self, named: _Tables, refs: Sequence[Ref], alone: Sequence[int]) -> Sequence[Field] | None:
        """The columns that are named; `NO_COLUMN` where only an output column can be meant. None = one is not there."""
        known, fields = named.known, []
        for at, ref in enumerate(refs):
            field = known.get(ref) or named.column(ref)
            if (
                field is None
                or (field is NO_COLUMN and at not in alone)
                or (ref[0] is not None and ref[1] in self._risky)
            ):
                return None
            fields.append(field)
        return fields

    def together(self, fields: Sequence[Field]) -> tuple[Sequence[Field], Taint, frozenset[Mix]]:
        """What several columns are together, and what comparing them tells."""
        key = tuple([id(one) for one in fields])
        found = self._together.get(key)
        if found is None:
            taint = union(one.taint for one in fields)
            found = _remember(self._together, key, (fields, taint, mixes(taint.items)))
        return found

    def shown(self, field: Field) -> OutputColumn:
        """An output column that is a stored one."""
        found = self._shown.get(id(field))
        if found is None:
            found = _remember(self._shown, id(field), (field, _output(field, NONE)))
        return found[1]

    def _computed(
        self, calls: Sequence[tuple[str, ...]], operators: Sequence[str], casts: Sequence[tuple[str, ...]]
    ) -> tuple[str, ...] | None:
        """The judge's names of what is called; None when it may do anything but compute."""
        functions: list[str] = []
        for name in calls:
            call = self._called(name)
            if call is None:
                return None
            functions += call[0]
        for operator in operators:
            if not (self._operators[operator] if operator in self._operators else self._operator(operator)):
                return None
        for cast in casts:
            if not (self._casts[cast] if cast in self._casts else self._cast(cast)):
                return None
        return tuple(dict.fromkeys(functions))

    def _called(self, name: tuple[str, ...]) -> tuple[tuple[str, ...], bool] | None:
        return self._calls[name] if name in self._calls else self._call(name)

    # -- what names mean, asked of the code that everything else goes through

    def _from(self, tables: tuple[TableName, ...]) -> _Tables | None:
        columns, found = [], []
        for item, (schema, name, _) in enumerate(tables):
            key = (schema, name)
            table = self._tables[key] if key in self._tables else self._table(key)
            if table is None:
                return _remember(self._froms, tables, None)
            columns.append(self._columns_of(item, table.relation))
            found.append(table)
        return _remember(self._froms, tables, _Tables(columns, found))

    def _columns_of(self, item: int, relation: Relation) -> Mapping[str, Field]:
        """Its columns as an item of FROM, the same for all statements: tables may be wide."""
        key = (item, relation.oid)
        if key in self._columns:
            return self._columns[key]
        fields = stored(self._catalog, relation, item, generated=True).fields
        return _remember(self._columns, key, {one.name: one for one in fields})

    def _table(self, key: tuple[str | None, str]) -> _Table | None:
        schema, name = key
        fields = {"relname": name} if schema is None else {"relname": name, "schemaname": schema}
        walk = StatementWalk(self._catalog, SqlSession())
        walk.path = self._path
        relation = walk.resolve(fields)[1]
        found = None
        if relation is not None and relation is self._catalog.resolve(
            (name,) if schema is None else (schema, name), self._path
        ):
            walk.root = {"RangeVar": fields}
            walk.range_var(fields)
            rel = stored(self._catalog, relation, 0, generated=True)
            names = {one.name for one in rel.fields}
            if (
                walk.effects == _READ
                and walk.understood
                and not (walk.flags or walk.problems or walk.functions or walk.writes or walk.controls or walk.coded)
                and not relations.is_system(relation.schema)
                and relations.partly(relation.qualified.rpartition(".")[2]) is None  # as the judge takes it
                and rel.rest is None
                and len(names) == len(rel.fields)
                and not any(one.taint.unknown or one.taint.mixed for one in rel.fields)
            ):
                found = _Table(relation, tuple(walk.reads))
        return _remember(self._tables, key, found)

    def _call(self, name: tuple[str, ...]) -> tuple[tuple[str, ...], bool] | None:
        """The names the judge has for a function, and whether it is an aggregate; None when it is not plain."""
        call = self._known.call(name, self._function_path)
        plain = (
            not (call.effects or call.flags or call.problem or call.special or call.returns_set)
            and name[-1] not in _NOT_PLAIN
            and self._means.contained(*name)
            and not self._means.returns_set(*name)
        )
        return _remember(self._calls, name, (call.names, call.aggregate) if plain else None)

    def _operator(self, name: str) -> bool:
        return _remember(self._operators, name, name in self._known.plain_operators and self._means.operator(name))

    def _cast(self, name: tuple[str, ...]) -> bool:
        own = len(name) == 2 and name[0] == PG_CATALOG
        plain = (own or self._known.type(name, self._path) is None) and self._means.cast(*name)
        return _remember(self._casts, name, plain)


class _Scope:
    """One statement while its parts are put together: what `lineage_queries` does, for one level of stored columns."""

    __slots__ = ("fields", "lookups", "made", "marks", "mixed", "named", "notes", "predicates", "refs", "shown", "ways")

    def __init__(self, ways: Plainly, named: _Tables, refs: Sequence[Ref], fields: Sequence[Field]) -> None:
        self.ways = ways
        self.named = named
        self.refs = refs
        self.fields = fields
        self.notes: list[tuple[Expression, Taint]] = []
        self.lookups: list[tuple[Expression, frozenset[str]]] = []
        self.predicates: set[str] = set()
        self.mixed: frozenset[Mix] = NONE
        self.marks: dict[Item, frozenset[Mix]] = {}
        self.shown: list[Field] = []
        #: Those of them that were made for this statement, by identity.
        self.made: set[int] = set()

    def conditions(self, conditions: Iterable[Expression]) -> None:
        """`Expressions.predicate` of conditions that have no parts."""
        for one in conditions:
            kind, columns, tested, _, _ = one
            if len(columns) == 1 and not tested:  # most of them
                taint = self.fields[columns[0]].taint
                self.notes.append((one, taint))
            else:
                taint = self.note(one)
                if len(columns) > 1:
                    self._compared(kind, taint, self.ways.together([self.fields[at] for at in columns])[2])
            if kind & LOOKUP:
                self.lookups.append((one, taint.touches))
            else:
                self.predicates |= taint.touches

    def _compared(self, kind: int, taint: Taint, mixed: frozenset[Mix]) -> None:
        """`Expressions.compared`."""
        if not kind & EQUAL:
            self.mixed |= mixed
        elif mixed:
            for item in taint.items:
                self.marks[item] = self.marks.get(item, NONE) | mixed

    def note(self, one: Expression) -> Taint:
        """`Expressions.noted`."""
        _, columns, tested, _, _ = one
        taint = self._union(columns)
        if tested:
            also = self._union(tested)
            self.predicates |= also.touches
            self.notes.append((one, taint | also))
        else:
            self.notes.append((one, taint))
        return taint

    def _union(self, columns: Sequence[int]) -> Taint:
        if len(columns) == 1:
            return self.fields[columns[0]].taint
        return self.ways.together([self.fields[at] for at in columns])[1] if columns else CLEAN

    def outputs(self, outputs: Iterable[Output]) -> None:
        """`Queries.targets`."""
        for output in outputs:
            if len(output) == 1:
                self.shown += self.named.every(output[0])
                continue
            name, one = output
            if one[0] & COLUMN:
                source = self.fields[one[1][0]]
                if source.name == name:
                    self.shown.append(source)
                    continue
                field = replace(source, name=name)
            else:
                taint = self.note(one)
                field = Field(name, taint, safe=taint.clean and not one[0] & CONSTANT)
            self.shown.append(field)
            self.made.add(id(field))

    def groups(self, groups: Iterable[tuple[int, Expression]]) -> bool:
        """`Queries._order`: entries of GROUP BY, ORDER BY and DISTINCT ON. False: one of them is neither an output nor a column."""
        for position, one in groups:
            if one[0] & COLUMN:
                number, name = self.refs[one[1][0]]
                output = None
                if number is None:
                    output = next((field for field in self.shown if field.name == name), None)
                column = self.fields[one[1][0]] is not NO_COLUMN
                if output is None and not column:
                    return False
            else:
                output = next(iter(self.shown[position - 1 : position]), None) if position else None
                column = output is None
            if output is not None:
                self.predicates |= output.taint.touches
                self.mixed |= mixes(output.taint.items)
            if column:
                self.conditions((one,))
        return True

    def lineage(self) -> Lineage:
        """What was found."""
        output = []
        marks = self.marks
        for one in self.shown:
            told = self.mixed
            if marks:
                for item in one.taint.items:
                    if item in marks:
                        told |= marks[item]
            output.append(_output(one, told) if told or id(one) in self.made else self.ways.shown(one))
        return Lineage(
            output=tuple(output),
            relations=self.named.relations,
            tested=frozenset(self.predicates),
            lookups=tuple(self.lookups),
            resolved=True,
            notes=tuple(self.notes),
        )


def _output(one: Field, told: frozenset[Mix]) -> OutputColumn:
    """An output column as `lineage` says it; `told` is what conditions tell through it (`Scope.telling`)."""
    return OutputColumn(one.name, one.taint.touches, one.plain, one.safe, type_oid=one.type_oid, mixed=told)


def _by_key(named: _Tables, refs: Sequence[Ref], conditions: Sequence[Expression]) -> bool:
    """Whether the statement asks for one row by the whole primary key of its one table."""
    return bool(named.key) and named.key <= {refs[one[1][0]][1] for one in conditions if one[0] & GIVEN}


def _remember(memory: dict[K, V], key: K, value: V) -> V:
    if len(memory) >= _REMEMBERED:
        memory.clear()
    memory[key] = value
    return value


_PLAINLY: WeakKeyDictionary[Catalog, dict[tuple[str, ...], Plainly]] = WeakKeyDictionary()


def plainly(catalog: Catalog, session: SqlSession) -> Plainly | None:
    """The one `Plainly` of a snapshot for this session; None where names may mean what the snapshot does not say."""
    if session.redefined or session.temporary or not catalog.loaded:
        return None
    path = effective_path(session.search_path, session.role)
    known = _PLAINLY.setdefault(catalog, {})
    found = known.get(path)
    if found is None:
        if len(known) >= _PATHS:
            known.clear()
        found = known[path] = Plainly(catalog, path)
    return found
