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
from dulwich import porcelain

from app.demo.site import Site, Target, gateway, new_home, sample_target
from app.demo.ssh_host import ssh_host
from app.demo.visitor import Seen, Visitor

CHANNEL = "/c/prod-db"
PAGE = Path(__file__).parents[3] / "docs" / "peers" / "runbook-library.md"
INTRO = """# The library, run from chat

Made by `make peers ARGS=tests/runbooks/peers`: every runbook of the library on the demo's database and host. Dana runs it,
Bob approves; what follows is the result in the thread, as the console shows it. `restart-service` and `rotate-log` change a
host, so they run in `tests/wire/ssh/test_runbooks.py`, on an OpenSSH server of the tests; here only their dry runs.
"""
RUNS = (
    ("library/who-blocks-whom --on prod-db", ()),
    ("library/long-queries minutes=0 --on prod-db", ()),
    ("library/table-sizes most=3 --on prod-db", ()),
    ("library/analyze-table table=orders --on prod-db", ()),
    ("library/vacuum-table table=orders --on prod-db", ()),
    ("library/refund-order order=82 --on prod-db", ("apply", "rollback")),
    ("library/anonymize-customer customer=9 --on prod-db", ("apply",)),
    (
        "library/add-index table=orders column=status name=orders_status_idx --on prod-db",
        ("apply", "rollback"),
    ),
    ("library/kill-backend pid=1 --on prod-db", ()),
    ("library/disk-report folder=/usr/share/doc --on web-1", ()),
    ("library/tail-log file=/var/log/dpkg.log lines=3 --on web-1", ()),
    ("library/restart-service service=shop.service --on web-1", ()),
    ("library/rotate-log file=/var/log/dpkg.log --on web-1", ()),
)
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


async def test_the_library_from_chat_and_a_kill_between_two_steps(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    new_home(home)
    with contextlib.ExitStack() as stack:
        target, server = stack.enter_context(sample_target(home))
        async with AsyncExitStack() as hosts:
            host = await hosts.enter_async_context(ssh_host(home))
            async with gateway(home, target, server.psql, host) as site, chat(site.console) as there:
                threads = [await thread(there, command, then) for command, then in RUNS]
            PAGE.parent.mkdir(exist_ok=True)
            PAGE.write_text(INTRO + "\n".join(threads), encoding="utf-8")
            await killed_between_two_steps(home, site, target)


async def thread(there: Chat, command: str, then: tuple[str, ...]) -> str:
    preview = await there.preview(command)
    shown = [f"\n## `/hoop run {command}`\n"]
    while True:
        result = await there.result(await there.asked(preview))
        shown.append(f"> {plain(result.text)}\n")
        if not then:
            return "\n".join(shown)
        assert then[0] in result.buttons, result.text
        answers = await there.person("dana").press(result.buttons[then[0]])
        found = [answer for answer in answers if "start_run" in answer.buttons]
        if not found:  # the demo's rule that nothing is dropped in production holds for the rollback of an index too
            assert "not dropped" in answers[-1].text, answers[-1].text
            return "\n".join([*shown, f"*{then[0].capitalize()}* is refused:\n", f"> {plain(answers[-1].text)}\n"])
        preview = found[-1]
        shown.append(f"*{then[0].capitalize()}*, approved again:\n")
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
            sys.executable, "-m", "app", "--config", str(site.config), "serve", stdout=log, stderr=log
        )
        try:
            async with asyncio.timeout(30), aiohttp.ClientSession() as http:
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
