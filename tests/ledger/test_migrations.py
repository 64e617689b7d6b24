"""The migrations make exactly what `tables` says, and `tables` is what the code uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from access.errors import Invalid, Unavailable
from ledger import tables
from ledger.engines import database_url
from ledger.migrations import current, head_revision, upgrade


def sqlite_objects(connection: Connection) -> dict[str, str]:
    query = text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    found = connection.execute(query).all()
    return {name: _in_one_order(sql) for name, sql in found if "alembic" not in name}


def _in_one_order(sql: str) -> str:
    """A statement in one line, constraints sorted: their order means nothing."""
    head, *constraints = re.sub(r"\s+", " ", sql).removesuffix(")").strip().split(", CONSTRAINT ")
    return ", CONSTRAINT ".join([head, *sorted(constraints)])


def postgres_objects(connection: Connection) -> dict[str, str]:
    queries = (
        (
            "SELECT table_name || '.' || column_name, data_type || ' ' || is_nullable || ' ' || is_identity || ' '"
            " || COALESCE(column_default, '') FROM information_schema.columns WHERE table_schema = 'public'"
        ),
        (
            "SELECT conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace"
        ),
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    )
    found = [row for query in queries for row in connection.execute(text(query)).all()]
    return {name: definition for name, definition in found if "alembic" not in name}


def test_on_sqlite_the_migration_equals_the_tables(tmp_path: Path) -> None:
    migrated, made = f"sqlite:///{tmp_path / 'migrated.db'}", f"sqlite:///{tmp_path / 'made.db'}"
    upgrade(migrated)
    found = []
    for url in (made, migrated):
        engine = create_engine(url)
        with engine.begin() as connection:
            if url == made:
                tables.metadata.create_all(connection)
                for statement in tables.triggers("sqlite"):
                    connection.exec_driver_sql(statement)
            found.append(sqlite_objects(connection))
        engine.dispose()
    assert found[0] == found[1]
    assert len([name for name in found[0] if name.endswith(("_update", "_delete", "_replace", "_once"))]) == 9


def test_on_postgres_the_migration_equals_the_tables(postgres_database: str) -> None:
    engine = create_engine(database_url(postgres_database))
    with engine.begin() as connection:
        tables.metadata.create_all(connection)
        for statement in tables.triggers("postgresql"):
            connection.execute(text(statement))
        made = postgres_objects(connection)
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    upgrade(postgres_database)
    with engine.connect() as connection:
        assert postgres_objects(connection) == made
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    engine.dispose()
    assert len([name for name in made if "_no_" in name]) == 8


def test_upgrading_twice_changes_nothing(url: str) -> None:
    assert current(url) == head_revision()
    assert upgrade(url) == head_revision()


def test_an_empty_database_has_no_revision(tmp_path: Path) -> None:
    assert current(f"sqlite:///{tmp_path / 'new.db'}") is None


def test_a_failed_upgrade_leaves_nothing_behind(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE event (x)")
    with pytest.raises(Unavailable, match="already exists"):
        upgrade(url)
    with engine.connect() as connection:
        assert list(sqlite_objects(connection)) == ["event"]
    engine.dispose()


def test_problems_are_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        upgrade("mysql://x/y")
    with pytest.raises(Unavailable):
        upgrade(f"sqlite:///{tmp_path / 'none' / 'x.db'}")
    (tmp_path / "text.db").write_text("this is no database, it is only some text that is long enough to be read")
    with pytest.raises(Unavailable, match="not a store"):
        current(f"sqlite:///{tmp_path / 'text.db'}")


def test_a_new_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    upgrade(f"sqlite:///{path}")
    assert path.stat().st_mode & 0o777 == 0o600
