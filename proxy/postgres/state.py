"""What a session has become through its statements: settings, names, cursors. Pure; follows what the server confirmed.

PostgreSQL keeps one name space for SQL PREPARE and protocol statements, and one for cursors and portals; settings and
temporary tables follow transactions and savepoints, prepared statements do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from access.scopes import Level
from proxy.admission import Version
from proxy.postgres.messages import IDLE, Field
from proxy.sql import judged as j
from proxy.sql.names import split_search_path
from proxy.sql.parse import Parsed

SEARCH_PATH = "search_path"
#: What names are resolved by: the search path, and the temporary tables that come before it.
Context = tuple[tuple[str, ...] | None, frozenset[str]]
#: Names of settings that a client sets and that change nothing about what a text means.
_HARMLESS = frozenset({"application_name", "client_encoding", "standard_conforming_strings", "extra_float_digits"})


@dataclass(slots=True)
class Prepared:
    """A prepared statement. `columns` are those of its last Describe, None while nobody asked."""

    parsed: Parsed
    types: tuple[int, ...] = ()
    columns: tuple[Field, ...] | None = None
    described: bool = False


@dataclass(frozen=True, slots=True)
class _Snapshot:
    settings: Mapping[str, str]
    local: Mapping[str, str]
    temporary: frozenset[str]


@dataclass(slots=True)
class SqlState:
    """`initial` are the tracked settings as the session started with them, `given` what the client asked for then;
    `changes` counts every change that may alter what a text means."""

    role: str
    initial: Mapping[str, str]
    given: Mapping[str, str] = field(default_factory=dict)
    level: Level = Level.NONE
    settings: dict[str, str] = field(default_factory=dict)
    prepared: dict[str, Prepared] = field(default_factory=dict)
    cursors: dict[str, Parsed] = field(default_factory=dict)
    temporary: frozenset[str] = frozenset()
    #: What the open transaction defined anew, and the names of committed ones that the catalog does not show yet.
    redefined: j.Anew = j.NOTHING
    unread: frozenset[str] = frozenset()
    #: Some of these were committed by this session, and it has begun another transaction since.
    published: bool = False
    changes: Version = field(default_factory=Version)
    #: The client began a transaction, also where no ReadyForQuery has said so yet.
    explicit: bool = False
    _local: dict[str, str] = field(default_factory=dict)
    _start: _Snapshot | None = None
    _savepoints: list[tuple[str, _Snapshot]] = field(default_factory=list)
    _seen: j.SqlSession | None = None
    #: What each cursor and portal was opened under: its names keep meaning what they meant then.
    _opened_under: dict[str, Context] = field(default_factory=dict)

    # ---------------------------------------------------------------------------------------- what the judge sees

    def session(self) -> j.SqlSession:
        if self._seen is None:
            path = split_search_path(self.setting(SEARCH_PATH))
            self._seen = j.SqlSession(
                # A path that cannot be read finds nothing, so nothing is taken for what it is not.
                search_path=path if path is not None else (),
                role=self.role,
                prepared={name: p.parsed for name, p in self.prepared.items() if name},
                cursors={name: query for name, query in self.cursors.items() if self.cursor(name) is query},
                temporary=self.temporary,
                redefined=self.redefined | j.Anew(self.unread) if self.unread else self.redefined,
                level=self.level,
            )
        return self._seen

    def cursor(self, name: str) -> Parsed | None:
        """The query of an open cursor or named portal; None also when its names would be looked up otherwise now: nobody
        could tell what comes out of it."""
        return self.cursors.get(name) if self._opened_under.get(name) == self._context() else None

    def opened(self, name: str, query: Parsed) -> bool:
        """Whether a portal is still the one that was opened with this query, and means what it meant."""
        same = self.cursors.get(name) is query if name else True
        return same and self._opened_under.get(name) == self._context()

    def _context(self) -> Context:
        return split_search_path(self.setting(SEARCH_PATH)), self.temporary

    @property
    def unsettled(self) -> bool:
        """Whether the end of the open transaction, or of a part of it, changes what names mean."""
        settled = {**self.initial, **self.settings}.get(SEARCH_PATH, "")
        paths = [settled, *(self._path_of(one) for one in [self._start, *(s for _, s in self._savepoints)] if one)]
        hidden = [one.temporary for one in [self._start, *(s for _, s in self._savepoints)] if one]
        return any(path != self.setting(SEARCH_PATH) for path in paths) or any(one != self.temporary for one in hidden)

    def _path_of(self, snapshot: _Snapshot) -> str:
        both = {**self.initial, **snapshot.settings, **snapshot.local}
        return both.get(SEARCH_PATH, "")

    def setting(self, name: str) -> str:
        return self._local.get(name, self.settings.get(name, self.initial.get(name, "")))

    def binding(self) -> tuple[tuple[str, str], ...]:
        """The settings that are not the server's own, for the digest of an approval."""
        now = {**self.settings, **self._local}
        changed = {k: v for k, v in now.items() if v != self.initial.get(k)}
        return tuple(sorted((k, v) for k, v in {**self.given, **changed}.items() if k not in _HARMLESS))

    def touch(self) -> None:
        self._seen = None
        self.changes.grow()

    @property
    def epoch(self) -> int:
        return self.changes.value

    def transaction_over(self) -> None:
        """What it defined is there for the gateway to read, or is gone."""
        self.unread, self.redefined = self.unread | self.redefined.every, j.NOTHING
        self.published = False

    def redefined_elsewhere(self, names: frozenset[str]) -> None:
        """Another session gave these names another meaning, which the catalog does not show yet."""
        self.unread |= names
        self.touch()

    def read_anew(self) -> None:
        """The catalog was read since the last transaction ended."""
        if self.unread:
            self.unread = frozenset()
            self.touch()

    def set_level(self, level: Level) -> None:
        if level is not self.level:
            self.level = level
            self.touch()

    # ---------------------------------------------------------------------------------------- transactions

    def begin_unit(self, status: int) -> None:
        """A unit of work starts; outside of a transaction it is a transaction of its own."""
        if status == IDLE:
            self._start = self._snapshot()
            self._savepoints.clear()

    def end_unit(self, status: int, *, failed: bool) -> None:
        """ReadyForQuery: outside of a transaction what a failed unit set is gone, and so is what was LOCAL."""
        self.explicit = status != IDLE
        if status != IDLE:
            return
        if failed:
            self._roll_back()
        else:
            self._settle()

    def _snapshot(self) -> _Snapshot:
        return _Snapshot(dict(self.settings), dict(self._local), self.temporary)

    def _restore(self, snapshot: _Snapshot) -> None:
        self.settings, self._local = dict(snapshot.settings), dict(snapshot.local)
        self.temporary = snapshot.temporary
        self.touch()

    def _roll_back(self) -> None:
        changed = self._start is not None and self._start != self._snapshot()
        if self._start is not None and changed:
            self._restore(replace(self._start, local={}))
        self._savepoints.clear()

    def _settle(self) -> None:
        if self._local:
            self._local.clear()
            self.touch()
        self._savepoints.clear()

    # ---------------------------------------------------------------------------------------- statements

    def apply(self, control: j.Control, tag: str) -> None:
        """The server completed a statement with this command tag."""
        match control:
            case j.Begin():
                self.explicit = True
            case j.Commit(chain) | j.Rollback(chain):
                self.explicit = chain
                self._end_transaction(committed=tag == "COMMIT")
            case j.Savepoint(name):
                self._savepoints.append((name, self._snapshot()))
            case j.RollbackTo(name):
                self._to_savepoint(name)
            case j.Release(name):
                self._release(name)
            case j.SetSetting(name, value, local):
                self._set(name, value, local=local)
            case j.Reset(name):
                self._reset(name)
            case _:
                self._name(control)

    def _end_transaction(self, *, committed: bool) -> None:
        if committed:
            self._settle()
            if self.redefined:
                self.transaction_over()
                self.published = True
        else:
            self._roll_back()
        self._start = self._snapshot()

    def _to_savepoint(self, name: str) -> None:
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index][0] == name:
                self._restore(self._savepoints[index][1])
                del self._savepoints[index + 1 :]
                return

    def _release(self, name: str) -> None:
        for index in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[index][0] == name:
                del self._savepoints[index:]
                return

    def _set(self, name: str, value: str | None, *, local: bool) -> None:
        target = self._local if local else self.settings
        if not local:
            self._local.pop(name, None)
        if value is None:
            value = self.initial.get(name, "")
        target[name] = value
        self.touch()

    def _reset(self, name: str | None) -> None:
        for one in [*self.settings, *self._local] if name is None else [name]:
            self.settings.pop(one, None)
            self._local.pop(one, None)
        self.touch()

    def _name(self, control: j.Control) -> None:
        match control:
            case j.Prepare(name, body):
                self.prepared[name] = Prepared(body)
            case j.Deallocate(None):
                self._deallocate_all()
            case j.Deallocate(str(name)):
                self.prepared.pop(name, None)
            case j.DeclareCursor(name, query):
                self._open(name, query)
            case j.CloseCursor(None):
                self.cursors.clear()
            case j.CloseCursor(str(name)):
                self.cursors.pop(name, None)
            case j.DiscardAll():
                self._deallocate_all()
                self.cursors.clear()
                self.temporary = frozenset()
                self._reset(None)
            case j.DiscardTemp():
                self.temporary = frozenset()
            case j.CreateTemp(name):
                self.temporary |= {name}
            case j.Redefine(anew):
                self.redefined |= anew
            case _:
                return
        self.touch()

    def _deallocate_all(self) -> None:
        """All but the unnamed statement, which SQL does not know."""
        self.prepared = {name: one for name, one in self.prepared.items() if not name}

    def observe(self, name: str, value: str) -> None:
        """The server reported a setting: that is how it is, whatever was followed."""
        if self.setting(name) != value:
            self._local.pop(name, None)
            self.settings[name] = value
            self.touch()

    def define(self, name: str, prepared: Prepared) -> None:
        """ParseComplete. The unnamed statement changes nothing about what a text means: SQL has no name for it."""
        self.prepared[name] = prepared
        if name:
            self.touch()

    def forget(self, name: str) -> None:
        """CloseComplete of a statement."""
        if self.prepared.pop(name, None) is not None and name:
            self.touch()

    def open_portal(self, name: str, parsed: Parsed) -> None:
        """BindComplete: a portal can be fetched from by name like a cursor. The unnamed one cannot."""
        self._opened_under[name] = self._context()
        if name:
            self._open(name, parsed)
            self.touch()

    def _open(self, name: str, query: Parsed) -> None:
        self.cursors[name] = query
        self._opened_under[name] = self._context()

    def close_portal(self, name: str) -> None:
        if self.cursors.pop(name, None) is not None:
            self.touch()
