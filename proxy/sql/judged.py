"""The judge's answer: access Statements, and what the wire must follow of a session's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from access.scopes import Level
from access.statements import Statement
from proxy.sql.parse import Parsed


@dataclass(frozen=True, slots=True)
class Begin:
    """BEGIN / START TRANSACTION. `read_write`: True READ WRITE, False READ ONLY, None not said."""

    read_write: bool | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """COMMIT / END; `chain` starts the next transaction at once."""

    chain: bool = False


@dataclass(frozen=True, slots=True)
class Rollback:
    """ROLLBACK / ABORT of the whole transaction."""

    chain: bool = False


@dataclass(frozen=True, slots=True)
class Savepoint:
    name: str


@dataclass(frozen=True, slots=True)
class RollbackTo:
    name: str


@dataclass(frozen=True, slots=True)
class Release:
    name: str


@dataclass(frozen=True, slots=True)
class Prepare:
    """SQL PREPARE. `body` is the one statement it prepares: put it under `SqlSession.prepared[name]`."""

    name: str
    body: Parsed


@dataclass(frozen=True, slots=True)
class Execute:
    """SQL EXECUTE of a prepared statement (SQL or protocol: one name space)."""

    name: str


@dataclass(frozen=True, slots=True)
class Deallocate:
    """DEALLOCATE; None = ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class DeclareCursor:
    """DECLARE. `query` is the SELECT: put it under `SqlSession.cursors[name]`."""

    name: str
    query: Parsed
    hold: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH, or MOVE (`move`: no rows come back)."""

    name: str
    move: bool = False


@dataclass(frozen=True, slots=True)
class CloseCursor:
    """CLOSE; None = ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class SetSetting:
    """SET, SET LOCAL or a constant set_config(). `name` is lower case; `value` as text (a list joined as PostgreSQL
    would show it), None = DEFAULT."""

    name: str
    value: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """RESET; None = ALL."""

    name: str | None


@dataclass(frozen=True, slots=True)
class DiscardAll:
    """DISCARD ALL: settings, prepared statements, cursors, temporary tables, listens, advisory locks."""


@dataclass(frozen=True, slots=True)
class DiscardTemp:
    """DISCARD TEMP: the session's temporary tables are gone."""


@dataclass(frozen=True, slots=True)
class CreateTemp:
    """A temporary relation was created: put `name` into `SqlSession.temporary`."""

    name: str


_NO_NAMES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Anew:
    """What definitions gave another meaning that the catalog does not show, by bare names, and as far as that matters to what
    uses them. `"*"` stands for every name.

    `names`: nothing is known of them any more. `written`: only what runs when they are written. `cascading`: only what a
    change or removal of their rows changes besides. `shown`: they run nothing, but nobody knows which values they show.
    `harmless` are new types whose values run nothing, `heirs` new tables with what they inherit from. `rowless` are functions of
    triggers that take no value of their row anywhere else, `carrying` those that may.
    """

    names: frozenset[str] = _NO_NAMES
    written: frozenset[str] = _NO_NAMES
    cascading: frozenset[str] = _NO_NAMES
    shown: frozenset[str] = _NO_NAMES
    harmless: frozenset[str] = _NO_NAMES
    heirs: frozenset[tuple[str, str]] = frozenset()
    rowless: frozenset[str] = _NO_NAMES
    carrying: frozenset[str] = _NO_NAMES

    def __bool__(self) -> bool:
        return self != NOTHING

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __or__(self, other: Anew) -> Anew:
        return Anew(*(getattr(self, one) | getattr(other, one) for one in self.__slots__))

    @property
    def every(self) -> frozenset[str]:
        """All names that must be read again."""
        return self.names | self.written | self.cascading | (self.shown - {"*"})


NOTHING = Anew()


@dataclass(frozen=True, slots=True)
class Redefine:
    """A definition changed what names mean: add it to `SqlSession.redefined` until the catalog has been read again."""

    anew: Anew


@dataclass(frozen=True, slots=True)
class CopyIn:
    """COPY … FROM STDIN into `table`."""

    table: str
    format: str = "text"


@dataclass(frozen=True, slots=True)
class CopyOut:
    """COPY … TO STDOUT. Exactly one of `table` (resolved like `Statement.reads`) and `query` is given.

    `columns` are the named ones (empty = all). Defaults are those of the format (PostgreSQL, COPY); None = default.
    """

    table: str | None = None
    columns: tuple[str, ...] = ()
    query: Parsed | None = None
    format: str = "text"
    delimiter: str | None = None
    null: str | None = None
    header: bool = False
    quote: str | None = None
    escape: str | None = None


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN; with `analyze` the body is executed. `body` is the explained statement."""

    analyze: bool
    body: Parsed


Control = (
    Begin
    | Commit
    | Rollback
    | Savepoint
    | RollbackTo
    | Release
    | Prepare
    | Execute
    | Deallocate
    | DeclareCursor
    | Fetch
    | CloseCursor
    | SetSetting
    | Reset
    | DiscardAll
    | DiscardTemp
    | CreateTemp
    | Redefine
    | CopyIn
    | CopyOut
    | Explain
)


@dataclass(frozen=True, slots=True)
class JudgedOne:
    """One statement of a text. `controls` are in the order they take effect (a SELECT may set several settings)."""

    statement: Statement
    controls: tuple[Control, ...] = ()
    #: It uses what its own session defined anew: nobody can tell which values it shows, or what the server's identities of
    #: tables and columns stand for.
    unsure: bool = False

    @property
    def control(self) -> Control | None:
        """The first control, for the kinds that come alone (all but SetSetting and CreateTemp)."""
        return self.controls[0] if self.controls else None


@dataclass(frozen=True, slots=True)
class Judged:
    """A whole text. `combined` is the union of its statements: what the text as one unit does.

    A text that could not be parsed has no `statements`, and `combined.understood` is False.
    """

    statements: tuple[JudgedOne, ...]
    combined: Statement


@dataclass(frozen=True, slots=True)
class SqlSession:
    """What the judge must know of a session.

    `search_path` as set, in order, without the implicit entries; `"$user"` may stand in it and means `role`, the
    upstream role. `prepared` and `cursors` hold the texts behind the names (SQL or protocol, portals included): they
    are judged again at EXECUTE and FETCH. `temporary` are the bare names of relations the session created in pg_temp.
    `redefined` is what its own definitions gave another meaning, which the catalog does not show yet.
    `level` is the session's ceiling: under READ nothing may lift read only. `pinned` overrides the built-in pinned
    values; `timeouts` are ceilings in milliseconds by setting; `free_settings` are names the owner lets clients set.
    """

    search_path: tuple[str, ...] = ('"$user"', "public")
    role: str = ""
    prepared: Mapping[str, Parsed] = field(default_factory=lambda: MappingProxyType({}))
    cursors: Mapping[str, Parsed] = field(default_factory=lambda: MappingProxyType({}))
    temporary: frozenset[str] = frozenset()
    redefined: Anew = NOTHING
    level: Level = Level.READ
    timeouts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    free_settings: frozenset[str] = frozenset()
