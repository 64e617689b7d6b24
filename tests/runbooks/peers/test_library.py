"""Every runbook of the library, run from chat on the demo, with its thread; and a gateway that is killed between two steps.

Writes docs/peers/runbook-library.md. Run with `make peers ARGS=tests/runbooks/peers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psycopg
import pytest
from dulwich import porcelain

from access.errors import Unavailable
from app.demo import site as site_module
from app.demo.site import Site, Target, gateway, new_home, sample_target
from app.demo.ssh_host import SshHost, ssh_host
from app.demo.visitor import Seen, Visitor

CHANNEL = "/c/prod-db"
PAGE = Path(__file__).parents[3] / "docs" / "peers" / "runbook-library.md"
INTRO = """# The library, run from chat

Made by `make peers ARGS=tests/runbooks/peers`: every runbook of the library on the demo's database and host, whole: dry run,
*Apply*, *Roll back* where there is one. Dana runs it, Bob approves. Of each thread: what Dana is shown before anybody is asked,
the card in the channel, and the result, as the console shows them. While it runs, two sessions of the shop's own account
stand in each other's way, and a slow query goes on: that is who blocks whom, and whose session is ended. `shop.service` is
the demo's web server; it was restarted when its process is another one afterwards.
"""
SQL, HOST = "prod-db", "web-1"
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"


def busy_runs(shop: Shop) -> list[tuple[str, tuple[str, ...]]]:
    """What is run while two sessions stand in each other's way."""
    return [
        (f"library/who-blocks-whom --on {SQL}", ()),
        (f"library/long-queries minutes=0 --on {SQL}", ()),
        (f"library/kill-backend pid={shop.holder} --on {SQL}", ("apply",)),
    ]


def runs(host: SshHost) -> list[tuple[str, tuple[str, ...]]]:
    """Commands, and which buttons of their results are pressed."""
    log = host.folder / "shop.log"
    return [
        (f"library/table-sizes most=3 --on {SQL}", ()),
        (f"library/analyze-table table=orders --on {SQL}", ()),
        (f"library/vacuum-table table=orders --on {SQL}", ()),
        (f"library/refund-order order=82 --on {SQL}", ("apply", "rollback")),
        (f"library/anonymize-customer customer=9 --on {SQL}", ("apply",)),
        (f"library/add-index table=orders column=status name=orders_status_idx --on {SQL}", ("apply", "rollback")),
        (f"library/disk-report folder={host.folder} --on {HOST}", ()),
        (f"library/tail-log file={log} lines=3 --on {HOST}", ()),
        (f"library/restart-service service=shop.service health={host.health} --on {HOST}", ("apply",)),
        (f"library/rotate-log file={log} --on {HOST}", ("apply",)),
    ]


SLOW = """---
title: Slow
resource: prod-db
---
-- step: One
UPDATE orders SET status = 'refunded' WHERE id = 83
-- step: Two
SELECT pg_sleep(30)
-- step: Three
UPDATE orders SET status = 'paid' WHERE id = 83
"""


@dataclass
class Shop:
    """What goes on at the database meanwhile, under the shop's own account: `holder` blocks another session."""

    target: Target
    holder: int = 0
    _open: list[psycopg.Connection[tuple[object, ...]]] = field(default_factory=list)

    def begin(self) -> None:
        with psycopg.connect(self.target.conninfo, autocommit=True) as direct:
            direct.execute("ALTER ROLE shop_app LOGIN PASSWORD 'shop_app'")
        first, second, third = (self._connected() for _ in range(3))
        first.execute("UPDATE orders SET total = total WHERE id = 1")
        self.holder = first.info.backend_pid
        second.pgconn.send_query(b"UPDATE orders SET total = total WHERE id = 1")
        third.pgconn.send_query(b"SELECT pg_sleep(120)")

    def _connected(self) -> psycopg.Connection[tuple[object, ...]]:
        one = psycopg.connect(self.target.conninfo, user="shop_app", password="shop_app", application_name="shop")
        self._open.append(one)
        return one

    def truth(self, query: str) -> object:
        with psycopg.connect(self.target.conninfo) as direct:
            row = direct.execute(query.encode()).fetchone()
        return None if row is None else row[0]

    def end(self) -> None:
        """A server runs pg_sleep on when its client is gone, and an index that is built waits for it."""
        if self._open:
            self.truth("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'shop_app'")
        while self._open:
            self._open.pop().pgconn.finish()


@dataclass
class Chat:
    """Dana and Bob at the console."""

    base: str
    http: aiohttp.ClientSession
    seen: set[str] = field(default_factory=set)

    def person(self, name: str) -> Visitor:
        return Visitor(self.http, self.base, name)

    async def preview(self, command: str) -> Seen:
        answers = await self.person("dana").say(f"/hoop run {command}")
        found = [answer for answer in answers if "start_run" in answer.buttons]
        assert found, f"{command}: {[answer.text for answer in answers]}"
        return found[-1]

    async def asked(self, preview: Seen) -> Seen:
        """Ask for it; the card in the channel."""
        await self.person("dana").press(preview.buttons["start_run"])
        card = await self.person("bob").wait_for(
            CHANNEL,
            lambda m: bool({"approve", "review"} & m.buttons.keys()) and "command" in m.kinds and m.id not in self.seen,
        )
        self.seen.add(card.id)
        return card

    async def approved(self, card: Seen) -> None:
        """On the card, or in the private view where it shows less than all."""
        bob = self.person("bob")
        if "approve" not in card.buttons:
            shown = await bob.press(card.buttons["review"])
            found = [m for m in shown if "approve" in m.buttons]
            assert found, [m.text for m in shown]
            card = found[-1]
        await bob.press(card.buttons["approve"])

    async def result(self, card: Seen) -> Seen:
        """Approve, and wait for the end in the thread."""
        await self.approved(card)
        thread = f"{CHANNEL}?thread={card.id}"
        return await self.person("dana").wait_for(thread, lambda m: "result" in m.kinds and "rerun" in m.buttons, 30)


@contextlib.asynccontextmanager
async def chat(base: str) -> AsyncIterator[Chat]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Chat(base, http)


async def test_the_library_from_chat(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    new_home(home)
    with contextlib.ExitStack() as stack:
        target, server = stack.enter_context(sample_target(home))
        shop = Shop(target)
        stack.callback(shop.end)
        async with AsyncExitStack() as hosts:
            host = await hosts.enter_async_context(ssh_host(home))
            async with gateway(home, target, server.psql, host) as site, chat(site.console) as there:
                shop.begin()
                before = (host.folder / "service.pid").read_text()
                threads = [await thread(there, command, then) for command, then in busy_runs(shop)]
                assert shop.truth(BLOCKED) == 0
                assert shop.truth(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {shop.holder}") == 0
                shop.end()
                threads += [await thread(there, command, then) for command, then in runs(host)]
                assert (host.folder / "service.pid").read_text() != before
            PAGE.parent.mkdir(exist_ok=True)
            page = INTRO + "\n".join(threads)
            page = page.replace(str(host.folder), "/srv/web-1").replace(f"={shop.holder} ", "=4711 ")
            PAGE.write_text(page.replace(host.health, "http://127.0.0.1:8000/healthz"), encoding="utf-8")
            assert [path.name for path in host.folder.glob("shop.log.*.gz")]
            assert shop.truth("SELECT count(*) FROM pg_indexes WHERE indexname = 'orders_status_idx'") == 0
            assert shop.truth(
                "SELECT last_vacuum IS NOT NULL AND last_analyze IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'orders'"
            )


async def test_a_gateway_that_is_killed_between_two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_module, "free_port", lambda _, free=site_module.free_port: free(0))  # it starts twice
    home = tmp_path / "demo"
    new_home(home)
    with sample_target(home) as (target, server):
        async with gateway(home, target, server.psql) as site:
            pass
        await killed_between_two_steps(home, site, target)


async def thread(there: Chat, command: str, then: tuple[str, ...]) -> str:
    """Run it, press what is to be pressed; all of it must succeed."""
    preview = await there.preview(command)
    shown = [f"\n## `/hoop run {command}`\n"]
    while True:
        card = await there.asked(preview)
        try:
            result = await there.result(card)
        except Unavailable as problem:
            raise AssertionError(f"{command}: {problem}") from problem
        for who, text in (("Dana sees", preview.text), ("The channel", card.text), ("The thread", result.text)):
            shown.append(f"**{who}**\n\n> {plain(text)}\n")
        assert result.text.partition("Done")[1], result.text
        assert "permission denied" not in result.text
        if not then:
            return "\n".join(shown)
        assert then[0] in result.buttons, result.text
        answers = await there.person("dana").press(result.buttons[then[0]])
        found = [answer for answer in answers if "start_run" in answer.buttons]
        assert found, answers[-1].text
        preview = found[-1]
        shown.append(f"### *{ {'apply': 'Apply…', 'rollback': 'Roll back…'}[then[0]] }*\n")
        then = then[1:]


def plain(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"^hoop \d\d:\d\d ", "", re.sub(r"\breq_[a-z0-9]+", "req_…", text))
    return re.sub(r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?\S*", "…", text)


async def killed_between_two_steps(home: Path, site: Site, target: Target) -> None:
    """SIGKILL while step two runs: step one happened once, step three never, and the run says that nobody knows."""
    (home / "shop-runbooks" / "slow.runbook.sql").write_text(SLOW)
    porcelain.add(str(home / "shop-runbooks"), [str(home / "shop-runbooks" / "slow.runbook.sql")])
    ann = b"Ann Admin <ann@example.com>"
    porcelain.commit(str(home / "shop-runbooks"), message=b"Slow", author=ann, committer=ann)
    async with served(home, site) as process, chat(site.console) as there:
        there.seen = {m.id for m in (await there.person("bob").page(CHANNEL)).messages}
        card = await there.asked(await there.preview("shop/slow"))
        await there.approved(card)
        await there.person("dana").wait_for(
            f"{CHANNEL}?thread={card.id}", lambda m: "result" in m.kinds and "1 of 3 steps done" in m.text
        )
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    async with served(home, site), chat(site.console) as there:
        said = await there.person("dana").wait_for(
            CHANNEL, lambda m: m.id == card.id and "nknown" in m.text, seconds=90
        )
        assert "nknown" in said.text
        await asyncio.sleep(3)
    with psycopg.connect(target.conninfo) as direct:
        assert direct.execute("SELECT status FROM orders WHERE id = 83").fetchone() == ("refunded",)
        queries = direct.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"
        )
        assert queries.fetchone() is not None


@contextlib.asynccontextmanager
async def served(home: Path, site: Site) -> AsyncIterator[asyncio.subprocess.Process]:
    """`hoop serve` on the demo's folder."""
    with (home / "again.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app",
            "--config",
            str(site.config),
            "serve",
            "--only",
            "web,proxy,worker",
            stdout=log,
            stderr=log,
        )
        try:
            async with asyncio.timeout(90), aiohttp.ClientSession() as http:
                while True:
                    with contextlib.suppress(aiohttp.ClientError):
                        async with http.get(f"{site.console}/readyz") as answer:
                            if answer.status == 200:
                                break
                    await asyncio.sleep(0.1)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
