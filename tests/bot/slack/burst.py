"""How fast a burst is acknowledged: `python -m tests.bot.slack.burst [COMMANDS]`, over sockets and over HTTP.

The gateway's side is a process of its own (SQLite, every commit synced), the fake Slack this one.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import sys
import tempfile
from pathlib import Path

from bot.slack.accounts import link
from identity.directory import StaticDirectory
from ledger import migrations
from tests.bot.slack.victim import open_store
from tests.fakes.slack import FakeSlack
from tests.fakes.world import ANN, BOB, DANA, EVERYBODY, GROUPS

ROOT = Path(__file__).parents[3]
TEXTS = ("request prod-db 1h INC-42 burst", "my", "who prod-db", "request", "pending")
STRANGERS = 47


async def burst(commands: int, *, http: bool, database: str) -> list[float]:
    """Milliseconds until each acknowledgement, of `commands` typed at once by 50 people."""
    port = str(_free_port()) if http else ""
    async with FakeSlack() as slack:
        slack.deliveries.budget = slack.sockets.redeliver_after = 30.0
        channel = slack.channel("access")
        people = [slack.person(person.wire_name) for person in (DANA, ANN, BOB)]
        store = open_store(database)
        await store.start()
        for person, member in zip((DANA, ANN, BOB), people, strict=True):
            account = f"{slack.workspace.team}/{member.id}"
            await link(store, StaticDirectory(EVERYBODY, GROUPS), account, person.id, by="operator|root")
        await store.close()
        people += [slack.person(f"p{number}") for number in range(STRANGERS)]
        if http:
            slack.use_http(f"http://127.0.0.1:{port}/slack/events")
        arguments = [slack.api_url, database, channel.id, *([port] if port else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bot.slack.victim", *arguments,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"up\n"
            await asyncio.gather(*(one.slash("my", channel) for one in people))
            await asyncio.sleep(2)
            acks = await asyncio.gather(*(people[n % 50].slash(TEXTS[n % 5], channel) for n in range(commands)))
        finally:
            process.kill()
            await process.wait()
    assert all(ack.ok for ack in acks)
    return sorted(ack.seconds * 1000 for ack in acks)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def main(arguments: list[str]) -> None:
    commands = int(arguments[0]) if arguments else 200
    for http in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            database = str(Path(folder) / "store.db")
            migrations.upgrade(f"sqlite:///{database}")
            times = asyncio.run(burst(commands, http=http, database=database))
        p50, p99 = statistics.median(times), times[int(len(times) * 0.99) - 1]
        way = "HTTP" if http else "sockets"
        print(
            f"{way}: {commands} commands at once, acknowledged p50 {p50:.0f} ms, p99 {p99:.0f} ms, max {times[-1]:.0f} ms"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
