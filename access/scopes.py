"""What a grant allows: a standing level, exactly one approved thing, or the clear values of named columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from access.statements import Digest

#: How a column is named in an `Unmask` scope: `schema.table.column`, each part as it is spelled in the catalog.
_COLUMN = re.compile(r"[^\s.,;*?\[\]\"'`«»\x00-\x1f]{1,63}(?:\.[^\s.,;*?\[\]\"'`«»\x00-\x1f]{1,63}){1,2}")
MAX_COLUMNS = 10
MAX_TABLES = 20
_DEFAULT_SCHEMA = "public"


class Level(IntEnum):
    """How far a standing scope reaches; ordered, so the ceiling of a session is a `max`."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3
    INTERACTIVE = 4


@dataclass(frozen=True, slots=True)
class Read:
    """Reads only; the upstream connection itself is READ ONLY. With `tables` (`schema.table`, sorted), only of these."""

    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """Reads and bounded writes; dangerous statements are still held. With `tables`, only on these."""

    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admin:
    """Also schema changes; deny-rules stay deny."""


@dataclass(frozen=True, slots=True)
class Interactive:
    """A shell on a server: whatever is typed into it runs unjudged, recorded and watched. It includes what Admin allows."""


@dataclass(frozen=True, slots=True)
class Once:
    """Exactly one execution of exactly what `digest` binds."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class SecretUse:
    """Step `step` (from 0) is given the secret of this name: as its bind value `place` (from 0), or, in a script, as line
    `place` of its input."""

    step: int
    place: int
    name: str


@dataclass(frozen=True, slots=True)
class OfRunbook:
    """One run of a runbook at a pinned commit with exactly these parameters.

    `steps` are the digests of its statements in order, each to run once; `used` of them were consumed, `done` succeeded.
    `writes`: some step does more than read, so its session must not be READ ONLY (VACUUM and CREATE INDEX CONCURRENTLY
    cannot run in the transaction that would lift it for one statement). `secrets`: which of them is given which secret, by
    name; the gateway puts the value in its place when the step is on its way to the target, and nowhere else.
    """

    commit: str
    name: str
    parameters: Digest
    steps: tuple[Digest, ...] = ()
    used: int = 0
    done: int = 0
    writes: bool = False
    secrets: tuple[SecretUse, ...] = ()

    @property
    def left(self) -> tuple[Digest, ...]:
        """What may still run: first the next step."""
        return self.steps[self.used :]


@dataclass(frozen=True, slots=True)
class Unmask:
    """The values of exactly these columns (`schema.table.column`, sorted) in rows of results, as they are.

    It allows no statement and is never part of another scope: access is asked for beside it, and gives none of it.
    """

    columns: tuple[str, ...]


Scope = Read | Write | Admin | Interactive | Once | OfRunbook | Unmask

_STANDING: dict[str, Scope] = {"read": Read(), "write": Write(), "admin": Admin(), "interactive": Interactive()}
_LEVELS: dict[type, Level] = {
    Read: Level.READ, Write: Level.WRITE, Admin: Level.ADMIN, Interactive: Level.INTERACTIVE,
}  # fmt: skip


def standing_scope(name: str) -> Scope:
    """The standing scope called `read`, `write`, `admin` or `interactive`. Raises KeyError for another name."""
    return _STANDING[name]


def unmask_scope(columns: Iterable[str]) -> Unmask:
    """The scope for these columns; a name of two parts is one of the schema public. Raises ValueError for anything that
    is not one column: a wildcard would cover what the approver can not see."""
    found = {_column(name.strip()) for name in columns if name.strip()}
    if not found:
        raise ValueError("Name the columns: customers.email or schema.table.column.")
    if len(found) > MAX_COLUMNS:
        raise ValueError(f"At most {MAX_COLUMNS} columns at a time.")
    return Unmask(tuple(sorted(found)))


def _column(name: str) -> str:
    if not _COLUMN.fullmatch(name):
        raise ValueError("Columns are named one by one, without wildcards: customers.email or schema.table.column.")
    schema = name.lower().partition(".")[0] if name.count(".") == 2 else _DEFAULT_SCHEMA
    if schema.startswith("pg_") or schema == "information_schema":
        raise ValueError("The server's own catalogs hold copies of everybody's values: they are not unmasked.")
    return name if name.count(".") == 2 else f"{_DEFAULT_SCHEMA}.{name}"


def table_names(tables: Iterable[str]) -> tuple[str, ...]:
    """The tables as a limited scope names them; a bare name is one of the schema public. Raises ValueError for anything
    that is not one table: a wildcard would cover what the approver can not see."""
    found = {name.strip() for name in tables if name.strip()}
    if not found:
        raise ValueError("Name the tables: orders or schema.table, with commas between.")
    if len(found) > MAX_TABLES:
        raise ValueError(f"At most {MAX_TABLES} tables at a time.")
    wrong = next((name for name in sorted(found) if name.count(".") > 1 or not _COLUMN.fullmatch(f"{name}.x")), None)
    if wrong is not None:
        raise ValueError("Tables are named one by one, without wildcards: orders or schema.table.")
    return tuple(sorted(name if "." in name else f"{_DEFAULT_SCHEMA}.{name}" for name in found))


def limited_to(scope: Scope) -> tuple[str, ...]:
    """The tables a standing scope is limited to; empty for all of them."""
    return scope.tables if isinstance(scope, Read | Write) else ()


def limited(scope: Scope, tables: tuple[str, ...]) -> Scope:
    """The scope on these tables only. Raises ValueError for one that is not about the rows of tables."""
    if isinstance(scope, Read | Write):
        return type(scope)(tables)
    raise ValueError("Only read and write access can be limited to tables.")


def unmasked(scopes: Iterable[Scope]) -> frozenset[str]:
    """The columns that these scopes unmask."""
    return frozenset(column for scope in scopes if isinstance(scope, Unmask) for column in scope.columns)


def standing(scope: Scope) -> bool:
    """Whether it lasts for a time, however often it is used."""
    return level_of(scope) is not Level.NONE or isinstance(scope, Unmask)


def scope_name(scope: Scope) -> str:
    """One word for cards and lists."""
    match scope:
        case Once():
            return "once"
        case OfRunbook():
            return "runbook"
        case _:
            return type(scope).__name__.lower()


def scope_said(scope: Scope) -> str:
    """The scope in words: its name, and what it is limited to."""
    tables = limited_to(scope)
    return f"{scope_name(scope)} (only {_shown(tables)})" if tables else scope_name(scope)


def _shown(names: Iterable[str]) -> str:
    return ", ".join(name.removeprefix(f"{_DEFAULT_SCHEMA}.") for name in names)


def scope_asked(scope: Scope) -> str:
    """The scope as what people ask for, with its preposition: `read access to`, `the clear values of … on`."""
    if isinstance(scope, Unmask):
        return f"the clear values of {_shown(scope.columns)} on"
    tables = limited_to(scope)
    return f"{scope_name(scope)} access to {_shown(tables)} on" if tables else f"{scope_name(scope)} access to"


def level_of(scope: Scope) -> Level:
    """The standing level of a scope; single-use scopes have none."""
    return _LEVELS.get(type(scope), Level.NONE)


def reach_of(scope: Scope) -> tuple[Level, bool]:
    """How far a scope reaches, to compare by: its level, and all tables after some of them."""
    return level_of(scope), not limited_to(scope)


def scope_to_json(scope: Scope) -> dict[str, str]:
    """A scope as plain data for the store and events."""
    match scope:
        case Unmask(columns):
            return {"kind": "unmask", "columns": " ".join(columns)}
        case Once(digest):
            return {"kind": "once", "digest": digest}
        case OfRunbook(commit, name, parameters, steps, used, done, writes, secrets):
            run = {"kind": "runbook", "commit": commit, "name": name, "parameters": parameters}
            progress = {"steps": " ".join(steps), "used": str(used), "done": str(done)}
            given = {"secrets": " ".join(f"{s.step}:{s.place}:{s.name}" for s in secrets)} if secrets else {}
            return run | progress | {"writes": "yes" if writes else "no"} | given
        case Read(tables) | Write(tables) if tables:
            return {"kind": scope_name(scope), "tables": " ".join(tables)}
        case _:
            return {"kind": scope_name(scope)}


def scope_from_json(data: Mapping[str, str]) -> Scope:
    """The inverse of `scope_to_json`. Raises KeyError on an unknown kind: an unknown scope allows nothing."""
    match data["kind"]:
        case "unmask":
            return Unmask(tuple(data["columns"].split(" ")))
        case "once":
            return Once(Digest(data["digest"]))
        case "runbook":
            steps = tuple(Digest(step) for step in data["steps"].split())
            parameters = Digest(data["parameters"])
            used, done, writes = int(data["used"]), int(data["done"]), data["writes"] == "yes"
            given = tuple(_secret_use(word) for word in data.get("secrets", "").split())
            return OfRunbook(data["commit"], data["name"], parameters, steps, used, done, writes, given)
        case kind:
            scope = _STANDING[kind]
            return limited(scope, tuple(data["tables"].split(" "))) if data.get("tables") else scope


def _secret_use(word: str) -> SecretUse:
    step, place, name = word.split(":", 2)
    return SecretUse(int(step), int(place), name)
