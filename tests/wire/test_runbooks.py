"""Runbooks through the gateway, on a real server: the library, what is bound, what stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from access.actors import Actor
from access.errors import Denied, Invalid
from access.ports import Outcome
from access.requests import Choice, Evidence, Grant, GrantState, Place
from access.runs import Run, RunStep
from access.scopes import OfRunbook, Read
from app.embedded_postgres import EmbeddedPostgres
from proxy.masking.plan import Masker
from proxy.postgres.client import Executor, Listener
from proxy.postgres.judge import Judge
from runbooks.model import Part, Runbook
from runbooks.parse import parse
from runbooks.render import check, render
from tests.fakes.world import ANN, DANA
from tests.patience import LONG
from tests.runbooks.attacks import ATTACKS
from tests.wire.conftest import MASK
from tests.wire.site import Site, open_site

SAMPLE = files("app").joinpath("demo", "sample.sql").read_text(encoding="utf-8")
COMMIT = "c" * 40


def shipped(name: str) -> Runbook:
    path = f"{name}.runbook.sql"
    return parse(path, files("runbooks").joinpath("library", path).read_bytes())


@dataclass
class Runs:
    """Ask for a run, have it approved, run it: as the bot does."""

    site: Site
    judge: Judge
    executor: Executor

    async def describe(self, run: Run) -> tuple[Evidence, OfRunbook]:
        return await self.judge.describe_run(Actor(DANA.id), DANA, self.site.resource, run)

    def made(self, runbook: Runbook, part: Part = Part.RUN, **typed: str) -> Run:
        values, wrong = check(runbook, typed)
        assert not wrong, wrong
        return render(runbook, COMMIT, part, values)

    async def granted(self, run: Run) -> Grant:
        evidence, scope = await self.describe(run)
        asked = await self.site.desk.ask_run(
            Actor(DANA.id), self.site.resource.name, scope, evidence, "a test", "", Place()
        )
        await self.site.desk.review(asked.request.id, 1, ANN.id, Choice.APPROVE)
        (grant,) = await self.site.store.read(lambda tx: tx.grants(request=asked.request.id))
        await self.site.book.refresh()
        return grant

    async def execute(self, grant: Grant, steps: tuple[RunStep, ...]) -> list[Outcome]:
        database = self.site.resource.upstream.database
        return [o async for o in self.executor.run_steps(grant, DANA, self.site.resource, database, steps)]

    async def run(self, runbook: Runbook, part: Part = Part.RUN, **typed: str) -> list[Outcome]:
        made = self.made(runbook, part, **typed)
        return await self.execute(await self.granted(made), made.steps)

    async def state(self, grant: Grant, wanted: GrantState) -> Grant:
        async with asyncio.timeout(LONG):
            while True:
                row = await self.site.store.read(lambda tx: tx.grant(grant.id))
                assert row is not None
                if row.state is wanted:
                    return row
                await asyncio.sleep(0.01)

    async def truth(self, query: str) -> list[tuple[object, ...]]:
        async with await self.site.direct() as connection:
            return list(await (await connection.execute(query.encode())).fetchall())


@pytest.fixture
async def runs(postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path) -> AsyncIterator[Runs]:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'hoop_gateway'").fetchone()
        if not exists:
            connection.execute("CREATE ROLE hoop_gateway")
        connection.execute(SAMPLE.encode())
    async with open_site(postgres, postgres_database, tmp_path, mask=MASK) as site:
        mask = MASK
        gateway = site.gateway
        assert gateway.catalogs is not None
        judge = Judge(
            lambda: gateway.catalogs,  # type: ignore[arg-type, return-value]
            lambda _, catalog: Masker(mask, catalog, b"k" * 32),
            gateway.policy,
            gateway.ports.clock,
        )
        executor = Executor(site.credentials, lambda: Listener("127.0.0.1", gateway.port))
        yield Runs(site, judge, executor)


def good(outcomes: list[Outcome]) -> list[str]:
    assert all(o.ok and o.known for o in outcomes), [str(o.message) for o in outcomes]
    return [o.tag for o in outcomes]


async def test_the_shop_runbooks_of_the_library(runs: Runs) -> None:
    refund = shipped("refund-order")
    looked = await runs.run(refund, Part.DRY_RUN, order="81")
    assert good(looked) == ["SELECT 1"]
    email = (await runs.truth("SELECT email FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.id = 81"))[
        0
    ][0]
    assert str(email) not in str(looked[0].rows)
    assert good(await runs.run(refund, order="81")) == ["UPDATE 1", "SELECT 1"]
    assert await runs.truth("SELECT status FROM orders WHERE id = 81") == [("refunded",)]
    assert good(await runs.run(refund, Part.ROLLBACK, order="81")) == ["UPDATE 1"]
    assert await runs.truth("SELECT status FROM orders WHERE id = 81") == [("paid",)]
    forget = shipped("anonymize-customer")
    assert good(await runs.run(forget, Part.DRY_RUN, customer="7")) == ["SELECT 1"]
    assert good(await runs.run(forget, customer="7"))[1] == "UPDATE 1"
    assert await runs.truth("SELECT name, ssn FROM customers WHERE id = 7") == [("Removed", "")]


async def test_the_looking_runbooks_of_the_library(runs: Runs) -> None:
    holder, waiter = await runs.site.direct(), await runs.site.direct()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(holder.close)
        stack.push_async_callback(waiter.close)
        await holder.execute("BEGIN")
        await holder.execute("UPDATE orders SET total = total WHERE id = 1")
        waiting = asyncio.ensure_future(waiter.execute("UPDATE orders SET total = total WHERE id = 1"))
        async with asyncio.timeout(LONG):
            while True:
                (blocked,) = await runs.run(shipped("who-blocks-whom"))
                if blocked.total:
                    break
        assert blocked.rows[0][4] == str(holder.info.backend_pid)
        good(await runs.run(shipped("long-queries"), minutes="0"))
        kill = shipped("kill-backend")
        pid = str(holder.info.backend_pid)
        assert good(await runs.run(kill, Part.DRY_RUN, pid=pid)) == ["SELECT 1"]
        assert (await runs.run(kill, pid=pid))[0].rows == (("t",),)
        await waiting
    (sizes,) = await runs.run(shipped("table-sizes"), most="3")
    assert sizes.total == 3


async def test_the_maintenance_runbooks_of_the_library(runs: Runs) -> None:
    assert good(await runs.run(shipped("analyze-table"), table="orders")) == ["ANALYZE"]
    assert good(await runs.run(shipped("vacuum-table"), table="public.orders")) == ["VACUUM"]
    index = shipped("add-index")
    named = {"table": "orders", "column": "status", "name": "orders_status_idx"}
    good(await runs.run(index, Part.DRY_RUN, **named))
    tags = good(await runs.run(index, Part.RUN, **named))
    assert tags[0] == "CREATE INDEX"
    assert await runs.truth("SELECT count(*) FROM pg_indexes WHERE indexname = 'orders_status_idx'") == [(1,)]
    good(await runs.run(index, Part.ROLLBACK, **named))
    assert await runs.truth("SELECT count(*) FROM pg_indexes WHERE indexname = 'orders_status_idx'") == [(0,)]


TEXT = "---\nparameters:\n  t: {type: lines, max_length: 10000}\n---\nSELECT {{ .t }} AS same, '<{{ .t }}>' AS inside"


async def test_every_attack_comes_back_as_the_text_it_is(runs: Runs) -> None:
    """What a value says is what the server returns: it was never anything but a value."""
    runbook = parse("x.runbook.sql", TEXT.encode())
    said = [value for value in ATTACKS if not check(runbook, {"t": value})[1]]
    assert len(said) >= 20
    for value in said:
        (outcome,) = await runs.run(runbook, t=value)
        assert outcome.ok, str(outcome.message)
        assert outcome.rows[0][1] == f"<{value}>"
    assert await runs.truth("SELECT count(*) FROM customers") == [(200,)]


STEPS = b"-- step: one\nUPDATE orders SET status = 'paid' WHERE id = 1\n-- step: two\nSELECT 1/0\n-- step: three\nDELETE FROM orders WHERE id = 2"


async def test_the_first_step_that_fails_ends_the_run_and_the_grant(runs: Runs) -> None:
    made = runs.made(parse("x.runbook.sql", STEPS))
    grant = await runs.granted(made)
    outcomes = await runs.execute(grant, made.steps)
    assert [o.ok for o in outcomes] == [True, False]
    assert "division by zero" in outcomes[1].message
    await runs.state(grant, GrantState.FAILED)
    (again,) = await runs.execute(grant, made.steps[2:])
    assert not again.ok
    assert await runs.truth("SELECT count(*) FROM orders WHERE id = 2") == [(1,)]


TWO = b"-- step: one\nUPDATE orders SET total = {{ .n }} WHERE id = 1\n-- step: two\nUPDATE orders SET total = {{ .n }} WHERE id = 2"


@pytest.mark.parametrize(
    "change",
    [
        lambda steps: steps[1:],
        lambda steps: steps[::-1],
        lambda steps: (replace(steps[0], values=("8",)),),
        lambda steps: (replace(steps[0], text=steps[0].text + " OR true"),),
        lambda steps: (replace(steps[0], text=steps[0].text.replace("$1", "7"), values=()),),
        lambda steps: (RunStep("", "DELETE FROM orders WHERE id = $1", ("7",)),),
    ],
    ids=["skipped", "swapped", "value", "text", "pasted", "other"],
)
async def test_nothing_but_the_approved_steps_in_their_order_runs(
    runs: Runs, change: Callable[[tuple[RunStep, ...]], tuple[RunStep, ...]]
) -> None:
    before = await runs.truth("SELECT total FROM orders WHERE id IN (1, 2) ORDER BY id")
    made = runs.made(parse("x.runbook.sql", TWO), n="7")
    grant = await runs.granted(made)
    outcomes = await runs.execute(grant, change(made.steps))
    assert [o.ok for o in outcomes] == [False]
    assert await runs.truth("SELECT total FROM orders WHERE id IN (1, 2) ORDER BY id") == before


async def test_a_run_happens_once(runs: Runs) -> None:
    made = runs.made(parse("x.runbook.sql", TWO), n="7")
    grant = await runs.granted(made)
    assert good(await runs.execute(grant, made.steps)) == ["UPDATE 1", "UPDATE 1"]
    row = await runs.state(grant, GrantState.SUCCEEDED)
    assert isinstance(row.scope, OfRunbook)
    assert (row.scope.used, row.scope.done) == (2, 2)
    assert [o.ok for o in await runs.execute(grant, made.steps)] == [False]


async def test_what_policy_refuses_is_refused_before_anybody_is_asked(runs: Runs) -> None:
    text = b"-- step: one\nSELECT 1\n-- step: two\nCOPY orders TO STDOUT"
    with pytest.raises((Denied, Invalid), match=r"Step 2 \(two\)"):
        await runs.describe(runs.made(parse("x.runbook.sql", text)))


async def test_an_approval_that_ends_between_two_steps_stops_the_run(runs: Runs) -> None:
    made = runs.made(parse("x.runbook.sql", TWO), n="7")
    grant = await runs.granted(made)
    database = runs.site.resource.upstream.database
    outcomes = []
    async for outcome in runs.executor.run_steps(grant, DANA, runs.site.resource, database, made.steps):
        outcomes.append(outcome.ok)

        def end(tx: object) -> None:
            row = tx.grant(grant.id)  # type: ignore[attr-defined]
            tx.update_grant(replace(row, expires_at=tx.now))  # type: ignore[attr-defined]

        if len(outcomes) == 1:
            await runs.site.store.transact(end)
            await runs.site.book.refresh()
    assert outcomes == [True, False]
    assert await runs.truth("SELECT total FROM orders WHERE id = 2") != [(7,)]


CHOICES = b"---\nparameters:\n  s: {type: enum, query: SELECT DISTINCT status FROM orders}\n---\nUPDATE orders SET status = {{ .s }} WHERE id = 1"


async def test_a_value_is_one_that_its_query_lists(runs: Runs) -> None:
    runbook = parse("x.runbook.sql", CHOICES)
    assert good(await runs.run(runbook, s="paid")) == ["SELECT 1", "UPDATE 1"]
    made = runs.made(runbook, s="paid' OR true --")
    (looked,) = await runs.execute(await runs.granted(made), made.steps[:1])
    assert (looked.ok, looked.total) == (True, 0)


async def test_a_query_is_listed_under_the_persons_own_read_access_only(runs: Runs) -> None:
    """As the form does: masked, READ ONLY, under one grant, and Dana's own credential stays good."""
    site = runs.site
    grant = await site.desk.grant_directly(DANA, site.resource.name, Read(), timedelta(minutes=5), "a test", "test")
    await site.book.refresh()
    own = await site.credentials.issue(DANA, None, site.resource, grant.expires_at)
    listed = await runs.executor.look(grant, DANA, site.resource, "SELECT DISTINCT status FROM orders ORDER BY 1")
    assert listed.ok, str(listed.message)
    assert ("paid",) in listed.rows
    emails = await runs.executor.look(grant, DANA, site.resource, "SELECT email FROM customers LIMIT 3")
    assert "example" not in str(emails.rows)
    assert not (await runs.executor.look(grant, DANA, site.resource, "DELETE FROM orders")).ok
    assert await site.credentials.find(own.credential.wire_name, site.resource.name) is not None
    sessions = await site.store.read(lambda tx: tx.sessions())
    assert len(sessions) == 3
