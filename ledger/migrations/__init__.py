"""The schema's history (Alembic), shipped with the program: `upgrade` is what `hoop db upgrade` calls."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection

from ledger.engines import DATABASE_ERRORS, open_engine, translate


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={} if connection is None else {"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head_revision() -> str:
    """The revision this version of the program needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def revision_of(connection: Connection) -> str | None:
    """The revision a database is at, None when it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def current(url: str) -> str | None:
    """The revision of the store at `url`. Raises Invalid or Unavailable."""
    engine = open_engine(url, read_only=True)
    try:
        with engine.connect() as connection:
            return revision_of(connection)
    except DATABASE_ERRORS as error:
        raise translate(error, engine.url.render_as_string(hide_password=True)) from error


def _only_ours(url: URL) -> None:
    """Make the file of a new SQLite store for its owner alone; its journals get the same mode from SQLite."""
    if url.get_backend_name() == "sqlite" and url.database:
        with contextlib.suppress(OSError):  # SQLite says better what is wrong with the place
            Path(url.database).touch(mode=0o600)


def upgrade(url: str) -> str:
    """Bring the store at `url` to this version's schema, in one transaction; the revision it is at then.

    Raises Invalid or Unavailable. Harmless when there is nothing to do.
    """
    engine = open_engine(url)
    try:
        _only_ours(engine.url)
        with engine.begin() as connection:
            command.upgrade(_config(connection), "head")
            return revision_of(connection) or ""
    except DATABASE_ERRORS as error:
        raise translate(error, engine.url.render_as_string(hide_password=True)) from error
