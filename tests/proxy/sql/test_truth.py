"""The judge against PostgreSQL itself: what it calls a read changes nothing, what it says is written covers what was."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from access.statements import Effect, Flag
from app.embedded_postgres import EmbeddedPostgres
from proxy.sql.catalog import Catalog
from proxy.sql.classify import judge
from proxy.sql.judged import SqlSession
from proxy.sql.parse import parse
from tests.proxy.sql.corpus.case import Case
from tests.proxy.sql.server import Server, copy_of
from tests.proxy.sql.test_corpus import CORPUS
from tests.tables import every

READ = frozenset({Effect.READ})

_TABLES = """
    SELECT c.oid::regclass::text FROM pg_class c
     WHERE c.relnamespace::regnamespace::text IN ('public', 'crm', 'hidden') AND c.relkind IN ('r', 'm') ORDER BY 1"""
_DEFINITIONS = """
    SELECT (SELECT sum(hashtext(proname || prosrc)) FROM pg_proc), (SELECT count(*) FROM pg_class),
           (SELECT count(*) FROM pg_largeobject_metadata), (SELECT last_value FROM public.ids),
           (SELECT string_agg(r::text, ',' ORDER BY rolname) FROM pg_roles r)"""


def everything_that_lasts(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, object]:
    """Contents of tables, positions of sequences, definitions."""
    found: dict[str, object] = {"definitions": connection.execute(_DEFINITIONS).fetchone()}
    for (table,) in connection.execute(_TABLES).fetchall():
        rows = sql.SQL("SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)), count(*) FROM ONLY {} t")
        found[str(table)] = connection.execute(rows.format(sql.SQL(str(table)))).fetchone()
    return found


@pytest.fixture(scope="module")
def scratch(shop: str, postgres: EmbeddedPostgres) -> Iterator[str]:
    """A copy of the test database that may be changed."""
    with copy_of(shop, postgres.dsn(), "shop_scratch") as dsn:
        yield dsn


@pytest.fixture(scope="module")
def server(scratch: str) -> Iterator[Server]:
    """The ordinary role on that copy."""
    server = Server(scratch)
    yield server
    server.close()


@pytest.fixture
def state(postgres: EmbeddedPostgres, scratch: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres.dsn("shop_scratch"), autocommit=True) as connection:
        yield connection


def test_what_is_called_a_read_changes_nothing(
    state: psycopg.Connection[tuple[object, ...]], server: Server, catalog: Catalog
) -> None:
    before = everything_that_lasts(state)
    for case in CORPUS:
        judged = judge(parse(case.sql), catalog, SqlSession(role="app", level=case.level)).combined
        if judged.understood and judged.effects == READ and case.runs:
            server.run(case.sql)
            server.fresh()
    assert everything_that_lasts(state) == before


def test_every_table_that_changes_is_named(server: Server, catalog: Catalog) -> None:
    run = [case for case in CORPUS if case.runs and Flag.MULTI not in (case.flags or ())]
    every(run, lambda case: _every_table_that_changes_is_named(case, server, catalog), str)


def _every_table_that_changes_is_named(case: Case, server: Server, catalog: Catalog) -> None:
    judged = judge(parse(case.sql), catalog, SqlSession(role="app", level=case.level)).combined
    if (
        not judged.understood
        or judged.effects & {Effect.OPAQUE, Effect.ADMIN, Effect.DDL}
        or ";" in case.sql.strip(";")
    ):
        return
    server.run("BEGIN")
    before = server.changed()
    server.run("SAVEPOINT s")
    if server.run(case.sql):
        server.run("ROLLBACK TO s")
    after = server.changed()
    server.fresh()
    changed = {name for name, count in after.items() if count != before.get(name, 0)}
    assert {name for name in changed if not name.startswith("pg_temp")} <= set(judged.writes)


def test_the_parser_says_what_the_server_says(server: Server) -> None:
    every(CORPUS, lambda case: _the_parser_says_what_the_server_says(case, server), str)


def _the_parser_says_what_the_server_says(case: Case, server: Server) -> None:
    parsed = parse(case.sql)
    if len(parsed.statements) > 1 or len(case.sql) > 2_000:
        return  # the server prepares one statement at a time; beyond its limits the parser may refuse more
    assert server.syntax_error(case.sql) == (parsed.error is not None)
