"""In schemas made by chance, what the judge says is written is never less than what PostgreSQL wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from access.scopes import Level
from access.statements import Effect
from app.embedded_postgres import EmbeddedPostgres
from proxy.sql.classify import judge
from proxy.sql.judged import SqlSession
from proxy.sql.parse import parse
from tests.proxy.sql.conftest import read_catalog
from tests.proxy.sql.server import Server, copy_of
from tests.proxy.sql.worlds import Dice, World

_UNKNOWN = {Effect.OPAQUE, Effect.ADMIN, Effect.DDL}


@pytest.fixture(scope="module")
def universe(shop: str, postgres: EmbeddedPostgres) -> Iterator[str]:
    with copy_of(shop, postgres.dsn(), "shop_worlds") as dsn:
        with psycopg.connect(postgres.dsn("shop_worlds"), autocommit=True) as admin:
            admin.execute("GRANT CREATE ON DATABASE shop_worlds TO app")
        yield dsn


def explore(dsn: str, seed: int, changes: int) -> tuple[int, list[str]]:
    """How many changes the judge was sure of, and those of which it said too little."""
    world = World(f"w{seed}", Dice(seed))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(world.build().encode())
    catalog = asyncio.run(read_catalog(dsn))
    session = SqlSession(search_path=(world.name,), role="app", level=Level.WRITE)
    server, sure, wrong = Server(dsn), 0, []
    for _ in range(changes):
        text = world.change()
        judged = judge(parse(text), catalog, session).combined
        if not judged.understood or judged.effects & _UNKNOWN:
            continue
        server.run(f"SET search_path = {world.name}; BEGIN")
        before = server.changed()
        if not server.run(text) and not server.run("SET CONSTRAINTS ALL IMMEDIATE"):
            sure += 1
            after = server.changed()
            changed = {name for name, count in after.items() if count != before.get(name, 0)}
            if not changed <= set(judged.writes):
                wrong.append(f"seed {seed}: {text}: {sorted(changed - set(judged.writes))} not in {judged.writes}")
        server.run("ROLLBACK")
    server.close()
    return sure, wrong


@pytest.mark.parametrize("seed", range(1, 7))
def test_what_was_written_was_foreseen(universe: str, seed: int) -> None:
    sure, wrong = explore(universe, seed, 60)
    assert not wrong, "\n".join(wrong)
    assert sure >= 10
