"""A gateway's Slack side as a process of its own, to be killed or measured:
`python -m tests.bot.slack.victim API_URL DATABASE CHANNEL [PORT]`, over HTTP with a port, else over sockets.

Real store on SQLite, real desk, announcer and sender; says `up` when Slack can reach it. People are linked by the caller.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import timedelta

from aiohttp import web

from app.clock import SystemClock, SystemEntropy
from bot import sender
from bot.announcer import Announcer
from bot.cases import World as Bot
from bot.handing import Hander
from bot.handlers import Handlers
from bot.kit import Kit
from bot.links import Links
from bot.planning import Plan
from bot.platform import Places
from bot.sender import Sender
from bot.slack.app import SlackApp
from bot.slack.config import SlackConfig, Transport
from ledger.sealing import Sealer
from ledger.store import Store
from tests.bot.stage import POLICY, FakeCredentials, FakeJudge, FakeLinks
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN
from tests.fakes.world import World

KEY = b"k" * 32


def open_store(database: str) -> Store:
    entropy = SystemEntropy()
    return Store(f"sqlite:///{database}", SystemClock(), entropy, Sealer(KEY, entropy=entropy))


async def main(url: str, database: str, channel: str, port: str = "") -> None:
    sender.LEASE = timedelta(
        seconds=1
    )  # there is never a second one, and the test need not wait for the first one's claims
    clock, entropy, store = SystemClock(), SystemEntropy(), open_store(database)
    await store.start()
    world = World(store, clock, entropy=entropy)  # type: ignore[arg-type]
    credentials = FakeCredentials(clock)  # type: ignore[arg-type]
    bot = Bot(world.directory, world.resources, POLICY, Links("https://hoop.test"), world.desk)
    kit = Kit(bot, store, world.desk, FakeJudge(), credentials, FakeLinks(), clock, entropy)
    way = Transport.HTTP if port else Transport.SOCKET
    config = SlackConfig(BOT_TOKEN, APP_TOKEN, ("fake signing secret",), way, api_url=url)
    app = SlackApp(config, Handlers(kit), store, world.directory, world.resources, clock, entropy)
    places = Places(("slack",), "#access", {("slack", "#access"): channel})
    platforms = {"slack": app.platform}
    hander = Hander(store, bot, platforms, credentials, entropy)
    async with asyncio.TaskGroup() as group:
        group.create_task(app.run(ping=0.2))
        group.create_task(Announcer(store, Plan(bot, places), entropy).run())
        group.create_task(Sender(store, bot, platforms, places, hander).run())
        if port:
            served = web.Application()
            served.router.add_post("/slack/events", app.handle_http)
            runner = web.AppRunner(served)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", int(port), backlog=1024).start()
        while app.problem():  # noqa: ASYNC110 - what is waited for happens in Slack
            await asyncio.sleep(0.01)
        print("up", flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(*sys.argv[1:]))
