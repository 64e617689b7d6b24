"""What the snapshot says about the names in expressions: functions, operators, types. Answers are remembered."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from access.statements import Effect, Flag
from proxy.sql import functions
from proxy.sql.catalog import INFORMATION_SCHEMA, PG_CATALOG, Catalog, Function, Name, Relation
from proxy.sql.functions import Call

Path = tuple[str, ...]

_SYSTEM = frozenset({PG_CATALOG, INFORMATION_SCHEMA})

#: Column definitions, not types (PostgreSQL, 8.1.4).
_SERIAL = frozenset((name,) for name in ("serial", "serial2", "serial4", "serial8", "smallserial", "bigserial"))

#: Remembered answers per snapshot; beyond that the memory starts anew (statements may make up names without end).
_REMEMBERED = 8192

#: Operators behind the pseudo-names the grammar gives to these constructs.
_BEHIND = {
    "BETWEEN": (">=", "<="),
    "NOT BETWEEN": ("<", ">"),
    "BETWEEN SYMMETRIC": (">=", "<="),
    "NOT BETWEEN SYMMETRIC": ("<", ">"),
}


class Known:
    """The judge's view of one `Catalog`. Get it by `known(catalog)`."""

    def __init__(self, catalog: Catalog) -> None:
        self.relations = catalog.relations
        self.functions = catalog.functions
        self._type_names = catalog.type_names
        self._coded: dict[int, tuple[Call, ...]] = {}
        self.loaded = catalog.loaded
        self.reaches: dict[Any, Any] = {}
        self._operators = catalog.operators
        self._types = catalog.types
        self._registered = catalog.registered
        self._calls: dict[tuple[Path, Path], Call] = {}

    def call(self, name: Path, path: Path) -> Call:
        """What calling `name` (parts as written) does when `path` is searched for functions."""
        key = (name, path)
        found = self._calls.get(key)
        if found is None:
            if len(self._calls) >= _REMEMBERED:
                self._calls.clear()
            found = self._calls[key] = self._call(name, path)
        return found

    def operator(self, name: Path, path: Path) -> Call | None:
        """What an operator does beyond reading; None = nothing. `name` may be qualified."""
        if len(name) == 1 and name[0] in self.plain_operators:
            return None
        symbols = _BEHIND.get(name[-1], (name[-1],))
        schemas = name[-2:-1] or path
        found = [
            call
            for symbol in symbols
            for schema in schemas
            if (call := self._operator_call((schema, symbol))) is not None
        ]
        known = any((schema, symbol) in self._operators for symbol in symbols for schema in schemas)
        if not known:
            problem = f"The operator {name[-1]} is not in the gateway's snapshot of this database."
            return Call((), frozenset({Effect.OPAQUE}), problem=problem)
        return _merged(found) if found else None

    def type(self, name: Path, path: Path) -> Call | None:
        """What a value conversion to a type runs beyond reading; None = nothing. `path` is the relations' path."""
        if name in _SERIAL:
            return None
        key = next(((schema, name[-1]) for schema in (name[-2:-1] or path) if (schema, name[-1]) in self._types), None)
        if key is None:
            problem = f"The type {name[-1]} is not in the gateway's snapshot of this database."
            return Call((), frozenset({Effect.OPAQUE}), problem=problem)
        return self._risk(self._types[key])

    @cached_property
    def plain_operators(self) -> frozenset[str]:
        """Operator names that do nothing but compute, in whatever schema they are found."""
        risky = {name[1] for name in self._operators if self._operator_call(name) is not None}
        plain = {name for _, name in self._operators} - risky
        return frozenset(plain | {name for name, behind in _BEHIND.items() if plain.issuperset(behind)})

    @cached_property
    def risky_attributes(self) -> frozenset[str]:
        """Names after a dot that may call a function with a row, and that function does more than read."""
        return frozenset(
            name
            for (schema, name), overloads in self.functions.items()
            if any(one.row_argument for one in overloads) and self.call((schema, name), ()).effects
        )

    @cached_property
    def risky_scalars(self) -> frozenset[str]:
        """The same with any single value before the dot: `(1).name`, or `x.name` where x is a function in FROM."""
        return frozenset(
            name
            for (schema, name), overloads in self.functions.items()
            if any(one.one_argument for one in overloads) and self.call((schema, name), ()).effects
        )

    def coded(self, relation: Relation) -> tuple[Call, ...]:
        """What turning a value into the type of one of its columns runs."""
        found = self._coded.get(relation.oid)
        if found is None:
            names = (self._type_names.get(column.type_oid) for column in relation.columns)
            calls = (self.type(name, ()) for name in names if name is not None and name[0] not in _SYSTEM)
            found = self._coded[relation.oid] = tuple(dict.fromkeys(call for call in calls if call is not None))
        return found

    def _operator_call(self, name: Name) -> Call | None:
        return self._risk(self._operators.get(name, frozenset()))

    def _risk(self, behind: Iterable[Name]) -> Call | None:
        calls = [call for one in sorted(behind) if (call := self.call(one, ())).effects]
        return _merged(calls) if calls else None

    def _call(self, name: Path, path: Path) -> Call:
        written = ".".join(name)
        if not self.loaded:
            return functions.unknown(written)
        schemas = name[-2:-1] or path
        found = [one for schema in schemas for one in self.functions.get((schema, name[-1]), ())]
        if not found:
            behind = self._types_named(name[-1], schemas)
            return functions.unknown(written) if behind is None else self._risk(behind) or Call()
        shipped = [one for one in found if one.schema in _SYSTEM and one.builtin]
        users = [one for one in found if one.schema not in _SYSTEM or not one.builtin]
        calls = []
        if shipped:
            calls.append(functions.builtin_call(name[-1], shipped))
        if users:
            calls.append(functions.user_call(users, registered=self._are_registered(users)))
        return calls[0] if len(calls) == 1 else _merged(calls)

    def _types_named(self, name: str, schemas: Path) -> frozenset[Name] | None:
        """A call may also be a cast written like a function: `mytype(x)`."""
        return next((self._types[schema, name] for schema in schemas if (schema, name) in self._types), None)

    def _are_registered(self, found: Iterable[Function]) -> bool:
        names = {f"{one.schema}.{one.name}" for one in found}
        return all(any(fnmatchcase(name, pattern) for pattern in self._registered) for name in names)


_KNOWN: WeakKeyDictionary[Catalog, Known] = WeakKeyDictionary()


def known(catalog: Catalog) -> Known:
    """The one `Known` of a snapshot."""
    found = _KNOWN.get(catalog)
    if found is None:
        found = _KNOWN[catalog] = Known(catalog)
    return found


def _merged(calls: list[Call]) -> Call:
    """Several things of one name: all of what any of them does."""
    return Call(
        names=tuple(dict.fromkeys(name for call in calls for name in call.names)),
        effects=frozenset[Effect]().union(*(call.effects for call in calls)),
        flags=frozenset[Flag]().union(*(call.flags for call in calls)),
        problem=next((call.problem for call in calls if call.problem), ""),
        special=next((call.special for call in calls if call.special), ""),
        aggregate=all(call.aggregate for call in calls),
        returns_set=any(call.returns_set for call in calls),
    )
