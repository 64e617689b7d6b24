"""What the parts of a transaction share: the connection, the time, the sealer, whether anything changed and what about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ClauseElement, Connection, Executable, Row, Table, TextClause, text

from ledger.sealing import Sealer


class Part:
    """Base of the parts. One instance lives for one unit of work on one thread."""

    def __init__(self, connection: Connection, now: datetime, sealer: Sealer) -> None:
        self._connection = connection
        self._now = now
        self._sealer = sealer
        self.changed = False
        #: Kinds of events and `Topic`s: who waits for one of them is woken.
        self.about: set[str] = set()

    @property
    def now(self) -> datetime:
        """The time of this unit of work."""
        return self._now

    def _one(self, statement: Executable, **values: Any) -> Row[Any] | None:
        return self._connection.execute(statement, values).first()

    def _all(self, statement: Executable, **values: Any) -> Sequence[Row[Any]]:
        return self._connection.execute(statement, values).all()

    def _change(self, statement: Executable, values: Mapping[str, Any], about: str = "") -> int:
        """Run a statement that writes, `about` a topic somebody may wait for; how many rows it touched."""
        count = self._connection.execute(statement, values).rowcount
        if count:
            self._touched(about)
        return count

    def _touched(self, about: str = "") -> None:
        self.changed = True
        if about:
            self.about.add(about)


def inserting(table: Table, *columns: str, otherwise: str) -> TextClause:
    """INSERT with an ON CONFLICT clause, in the words SQLite and Postgres share. All columns but `number` by default.

    An exception would abort a Postgres transaction; a row count lets the unit of work go on.
    """
    names = columns or tuple(column.name for column in table.columns if column.name != "number")
    listed = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f":{name}" for name in names)
    return text(f'INSERT INTO "{table.name}" ({listed}) VALUES ({values}) ON CONFLICT {otherwise}')  # noqa: S608  our own names, no data


NOTHING = "DO NOTHING"


class Direct:
    """A statement on the driver's own cursor: what is done for every event skips the machinery made for all cases.

    `names` are its parameters. Errors are the driver's own (`engines.translate` knows them).
    """

    def __init__(self, statement: ClauseElement, *names: str) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Any:
        """The cursor after execution."""
        sql, order = self._compiled.get(connection.dialect.name) or self._compile(connection)
        cursor = connection.connection.cursor()
        cursor.execute(sql, values if order is None else [values[name] for name in order])
        return cursor

    def _compile(self, connection: Connection) -> tuple[str, tuple[str, ...] | None]:
        compiled: Any = self._statement.compile(dialect=connection.dialect, column_keys=list(self._names))
        made = (str(compiled), tuple(compiled.positiontup) if compiled.positional else None)
        self._compiled[connection.dialect.name] = made
        return made
