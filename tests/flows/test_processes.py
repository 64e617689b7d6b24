"""One process a role, on both stores: people, the worker and the data path find each other through the store alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import aiohttp
import psycopg
import pytest

from app.demo.psql import Psql
from app.demo.site import free_port, hoop, new_home
from app.demo.visitor import Seen, Visitor
from app.embedded_postgres import EmbeddedPostgres
from tests.flows.serving import served
from tests.patience import SOON

pytestmark = pytest.mark.wire

CHANNEL = "/c/access"


def configure(home: Path, target: EmbeddedPostgres, database: str, store: str) -> tuple[Path, int, int]:
    new_home(home)
    gateway, web = free_port(0), free_port(0)
    (home / "target.password").write_text(target.password)
    path = home / "hoop.yaml"
    path.write_text(
        f"""
store:
  url: {store}
  key: file:store.key
  {'password: "file:target.password"' if store.startswith("postgresql") else ""}
ledger: {{signing_key: "file:signing.key"}}
listeners: {{postgres: {{port: {gateway}}}, web: {{port: {web}}}}}
chat: {{console: {{demo: true}}}}
people: [{{wire_name: dana, name: Dana}}, {{wire_name: ann, name: Ann}}]
groups: {{dba: [ann]}}
resources:
  - name: prod-db
    upstream: {{host: {target.host}, port: {target.port}, user: {target.user}, database: {database}, password: "file:target.password"}}
    approvers: [dba]
"""
    )
    return path, gateway, web


def with_button(kind: str) -> Callable[[Seen], bool]:
    return lambda message: kind in message.kinds and "approve" in message.buttons


def told(pattern: str) -> Callable[[Seen], bool]:
    return lambda message: re.search(pattern, message.text) is not None


async def connected(dana: Visitor, ann: Visitor) -> tuple[str, str, str]:
    await dana.say("/hoop request prod-db 1h INC-1 checking", "#access")
    card = await ann.wait_for(CHANNEL, with_button("request"), 15)
    await ann.press(card.buttons["approve"], "#access")

    url = await dana.wait_for("/private", told(r"postgresql://\S+"), 15)
    token = await dana.wait_for("/private", told(r"hoop_[0-9a-z]{20,}"), 15)
    return (
        _match(r"postgresql://\S+", url),
        _match(r"hoop_[0-9a-z]{20,}", token),
        _match(r"grt_[0-9a-z]+", url),
    )


def _match(pattern: str, message: Seen) -> str:
    found = re.search(pattern, message.text)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_the_main_job_over_three_processes(
    tmp_path: Path, postgres: EmbeddedPostgres, postgres_database: str, kind: str
) -> None:
    home, target = tmp_path / "home", postgres_database.rpartition("/")[2]
    store = "sqlite:///hoop.db"
    if kind == "postgres":
        async with await psycopg.AsyncConnection.connect(postgres.dsn(), autocommit=True) as admin:
            await admin.execute(f"CREATE DATABASE {target}_store".encode())
        store = f"postgresql+psycopg://{postgres.user}@{postgres.host}:{postgres.port}/{target}_store"
    async with await psycopg.AsyncConnection.connect(postgres_database, autocommit=True) as direct:
        await direct.execute(
            "CREATE TABLE t AS SELECT n AS id, 'a' || n || '@example.com' AS email FROM generate_series(1, 9) n"
        )
        config, gateway, web = configure(home, postgres, target, store)
        async with (
            served(config, "proxy", "worker", "web"),
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
        ):
            dana, ann = (Visitor(http, f"http://127.0.0.1:{web}", name) for name in ("dana", "ann"))
            url, token, grant = await connected(dana, ann)
            assert f":{gateway}/" in url
            async with Psql(postgres.psql, url, token) as psql:
                rows = await psql.run("SELECT email FROM t WHERE id = 1;")
                assert "a1@example.com" not in rows
                assert "(1 row)" in rows
                psql.send("DELETE FROM t WHERE id = 1;")
                await psql.printed_until("req_")
                card = await ann.wait_for("/waiting", lambda m: "approve" in m.buttons, 15)
                await ann.press(card.buttons["approve"], "")
                assert "DELETE 1" in await psql.run("")
                assert (await (await direct.execute("SELECT count(*) FROM t")).fetchone()) == (8,)
                psql.send("SELECT pg_sleep(60);")
                await asyncio.sleep(0.3)
                started = asyncio.get_running_loop().time()
                await ann.say(f"/hoop revoke {grant} --reason over", "#access")
                assert "revoked" in await psql.printed_until("no such line", 10)
                assert asyncio.get_running_loop().time() - started < SOON
    status, printed = await asyncio.to_thread(hoop, config, "ledger", "verify")
    assert status == 0, printed
