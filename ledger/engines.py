"""Connections to the store's database, and what to tell people when it does not take a statement."""

from __future__ import annotations

import logging
import sqlite3
from time import sleep
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from access.errors import Conflict, Invalid, Unavailable

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
#: How soon to look again for a write lock that another process has, at first and at last, in seconds.
_FIRST_LOOK, _LAST_LOOK = 0.0002, 0.005
# One writer at a time also on Postgres (as SQLite does by itself): positions then appear in commit order, a cursor misses
# nothing, and two batches can not deadlock on each other's rows. The number spells "hoop" in ASCII.
WRITER_LOCK = 0x686F6F70
CHANNEL = "hoop_ledger"
# What a statement can raise: wrapped by SQLAlchemy, or the driver's own where we use its cursor.
DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error, psycopg.Error)
_SYNCHRONOUS = frozenset({"FULL", "NORMAL", "EXTRA"})


def database_url(url: str) -> URL:
    """Parse a store URL: `sqlite:///file` or `postgresql://…` (psycopg). Raises Invalid on anything else."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Invalid("The store's URL can not be read.", field="store.url", hint=_URL_HINT) from None
    backend = parsed.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise Invalid(
            f"A store can not be kept at {parsed.render_as_string(hide_password=True)}.",
            field="store.url",
            hint=_URL_HINT,
        )
    return parsed


_URL_HINT = "Write sqlite:////absolute/path/hoop.db or postgresql://user@host/database."


def open_engine(url: str, *, synchronous: str = "FULL", read_only: bool = False) -> Engine:
    """An engine without a pool: who connects owns the connection. Parameters never appear in its errors.

    `synchronous` is SQLite's: FULL survives power loss, NORMAL only a crash of the process.
    """
    if synchronous not in _SYNCHRONOUS:
        raise Invalid(f"synchronous is one of {sorted(_SYNCHRONOUS)}, not {synchronous!r}.", field="store.synchronous")
    parsed = database_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, synchronous, read_only=read_only)
    options = f"-c lock_timeout={int(BUSY_SECONDS * 1000)} -c statement_timeout=30000"
    options += " -c idle_in_transaction_session_timeout=60000"
    if read_only:
        options += " -c default_transaction_read_only=on"
    arguments = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "application_name": "hoop", "options": options}
    engine = create_engine(parsed, poolclass=NullPool, hide_parameters=True, connect_args=arguments)
    return engine.execution_options(isolation_level="REPEATABLE READ") if read_only else engine


def _sqlite(url: URL, synchronous: str, *, read_only: bool) -> Engine:
    arguments: dict[str, Any] = {"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
    engine = create_engine(url, poolclass=NullPool, hide_parameters=True, connect_args=arguments)

    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "journal_size_limit=67108864",
            f"query_only={'ON' if read_only else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    def begin(connection: Connection) -> None:
        cursor = connection.connection.cursor()
        if read_only:
            cursor.execute("BEGIN")
        else:
            _begin_writing(cursor)

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def _begin_writing(cursor: Any) -> None:
    """IMMEDIATE: take the write lock before reading, so that what was read is still true when we write.

    Other processes hold it for a millisecond or so. SQLite itself would look again after 1, 2, 5, 10, 15, 20, 25 ms, while
    somebody waits to be let in.
    """
    cursor.execute("PRAGMA busy_timeout = 0")
    try:
        waited, pause = 0.0, _FIRST_LOOK
        while True:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or waited >= BUSY_SECONDS:
                    raise
            else:
                return
            sleep(pause)
            waited, pause = waited + pause, min(pause * 1.2, _LAST_LOOK)
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def translate(error: Exception, where: str) -> Exception:
    """What the caller of the store is told: one of our errors, or the error itself when it is a bug of ours.

    `where` names the database without secrets.
    """
    if isinstance(error, UnicodeEncodeError):
        return Invalid("A name contains characters that can not be stored.")
    problem = error.orig if isinstance(error, DBAPIError) else error
    match problem:
        case sqlite3.IntegrityError() | psycopg.IntegrityError():
            return Conflict(f"The store refused a change that contradicts what it holds: {_first_line(problem)}.")
        case sqlite3.DataError() | psycopg.DataError():
            return Invalid("A value does not fit into the store.")
        case sqlite3.ProgrammingError():
            return error
        case psycopg.ProgrammingError() if not isinstance(problem, psycopg.errors.UndefinedTable):
            return error
        case sqlite3.Error() | psycopg.Error() | SQLAlchemyError():
            return _unavailable(_first_line(problem), where)
        case _:
            return error


def is_outage(error: Exception) -> bool:
    """Whether the database itself failed (then nothing of a whole batch can be kept), not one unit of work."""
    return isinstance(error, DATABASE_ERRORS) and isinstance(translate(error, ""), Unavailable)


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


_HINTS = (
    ("locked", "Another program holds the database for long: end it, then try again."),
    ("lock timeout", "Another gateway process holds the store for long: look at it, then try again."),
    ("full", "Free some space; the store works again by itself."),
    ("no space", "Free some space; the store works again by itself."),
    ("disk i/o", "Look at the disk and its free space; the store works again by itself."),
    ("no such table", "Run `hoop db upgrade` once."),
    ("does not exist", "Run `hoop db upgrade` once."),
    ("unable to open", "Check that the directory exists and that the gateway may write there."),
    ("readonly", "The gateway may not write this file: correct its owner or mode."),
    ("malformed", "The file is damaged: restore a backup, then run `hoop ledger verify`."),
    ("not a database", "The file is not a store: check the configured path."),
)


def _unavailable(problem: str, where: str) -> Unavailable:
    lowered = problem.lower()
    hint = next((hint for words, hint in _HINTS if words in lowered), "Check that the database runs and is reachable.")
    # the address is for the operator's log, not for whoever happens to be connected
    log.error("the store %s: %s", where, problem)
    return Unavailable(f"The store did not take it, nothing was changed: {problem.rstrip('.')}.", hint=hint)
