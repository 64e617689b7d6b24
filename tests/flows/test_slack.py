"""`hoop serve` with Slack: asked in a channel, approved with a button there, used with psql, held in the thread."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from app.demo.psql import Psql
from app.demo.site import free_port, hoop, new_home
from app.embedded_postgres import EmbeddedPostgres
from tests.fakes.slack import FakeSlack, Message
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN
from tests.flows.serving import served

pytestmark = pytest.mark.wire


def configure(
    home: Path, target: EmbeddedPostgres, database: str, slack: FakeSlack, room: str, accounts: dict[str, str]
) -> Path:
    new_home(home)
    for name, secret in (("target", target.password), ("bot", BOT_TOKEN), ("app", APP_TOKEN)):
        (home / f"{name}.secret").write_text(secret)
    team = slack.workspace.team
    people = [{"wire_name": name, "name": name.title(), "slack": f"{team}/{user}"} for name, user in accounts.items()]
    config = {
        "store": {"key": "file:store.key"},
        "ledger": {"signing_key": "file:signing.key"},
        "listeners": {"postgres": {"port": free_port(0)}, "web": {"port": free_port(0)}},
        "chat": {
            "dm_after": "0s",
            "slack": {
                "bot_token": "file:bot.secret",
                "app_token": "file:app.secret",
                "identify": "directory",
                "api_url": slack.api_url,
                "channels": {"#access": room},
            },
        },
        "people": people,
        "groups": {"dba": ["ann"]},
        "resources": [
            {
                "name": "prod-db",
                "upstream": {
                    "host": target.host,
                    "port": target.port,
                    "user": target.user,
                    "database": database,
                    "password": "file:target.secret",
                },
                "approvers": ["dba"],
            }
        ],
    }
    path = home / "hoop.yaml"
    path.write_text(json.dumps(config))
    return path


async def seen(
    messages: Callable[[], list[Message]], wanted: Callable[[Message], bool], seconds: float = 15
) -> Message:
    """The newest message for which `wanted` holds, as soon as there is one."""
    async with asyncio.timeout(seconds):
        while True:
            found = [message for message in messages() if wanted(message)]
            if found:
                return found[-1]
            await asyncio.sleep(0.02)


def words(message: Message) -> str:
    return json.dumps(message.blocks, ensure_ascii=False) + message.text


async def test_the_main_job_in_slack(tmp_path: Path, postgres: EmbeddedPostgres, postgres_database: str) -> None:
    async with (
        FakeSlack() as slack,
        await psycopg.AsyncConnection.connect(postgres_database, autocommit=True) as direct,
    ):
        await direct.execute(
            "CREATE TABLE t AS SELECT n AS id, 'a' || n || '@example.com' AS email FROM generate_series(1, 9) n"
        )
        dana, ann = slack.person("dana"), slack.person("ann")
        channel = slack.channel("access")
        database = postgres_database.rpartition("/")[2]
        config = configure(tmp_path / "home", postgres, database, slack, channel.id, {"dana": dana.id, "ann": ann.id})
        async with served(config):
            status, printed = await asyncio.to_thread(hoop, config, "slack", "check")
            assert status == 0, printed
            assert (await dana.slash("request prod-db 1h INC-7 refund", channel)).ok
            card = await seen(lambda: ann.sees(channel), lambda m: "INC-7" in words(m) and "Approve" in words(m))
            # Chat goes before the console, where nobody looks who has Slack.
            await seen(lambda: ann.sees(ann.dm), lambda m: "This waits for you" in words(m))
            await dana.press(card, "Approve")
            await seen(dana.whispers, lambda m: "own request" in words(m))
            await ann.press(card, "Approve")
            told = await seen(lambda: dana.sees(dana.dm), lambda m: "postgresql://" in words(m))
            secret = await seen(
                lambda: dana.sees(dana.dm), lambda m: re.search(r"hoop_[0-9a-z]{20,}", words(m)) is not None
            )
            assert told.ts != secret.ts
            await seen(lambda: ann.sees(channel), lambda m: m.ts == card.ts and "Approved by" in words(m))
            url = re.search(r"postgresql://[^\s\"\\]+", words(told))
            token = re.search(r"hoop_[0-9a-z]{20,}", words(secret))
            assert url is not None
            assert token is not None
            async with Psql(postgres.psql, url[0].replace("&amp;", "&"), token[0]) as psql:
                assert "a1@example.com" not in await psql.run("SELECT email FROM t WHERE id = 1;")
                psql.send("DELETE FROM t WHERE id = 1;")
                await psql.printed_until("req_")
                held = await seen(
                    lambda: ann.sees(channel),
                    lambda m: m.thread == card.ts and "DELETE FROM t" in words(m) and "Approve" in words(m),
                )
                await ann.press(held, "Approve")
                assert "DELETE 1" in await psql.run("")
            assert (await (await direct.execute("SELECT count(*) FROM t")).fetchone()) == (8,)
            await seen(lambda: ann.sees(channel), lambda m: m.thread == card.ts and "Session closed" in words(m))
        everything = "".join(words(m) for m in channel.messages)
        assert "example.com" not in everything
        assert token[0] not in everything
