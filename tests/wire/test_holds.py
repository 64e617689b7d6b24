"""A statement that waits for people."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from access.actors import Agent
from access.errors import Denied
from access.policy import Policy
from access.requests import Choice
from access.scopes import Write
from access.statements import Digest
from app.embedded_postgres import EmbeddedPostgres
from tests.fakes.world import ANN, BOB, DANA, evidence_of
from tests.patience import LONG
from tests.wire.site import Site, open_site

DELETE = "DELETE FROM scratch WHERE id = 1"


async def _count(site: Site, where: str = "true") -> int:
    async with await site.direct() as connection:
        row = await (await connection.execute(f"SELECT count(*) FROM scratch WHERE {where}")).fetchone()
        assert row is not None
        return int(str(row[0]))


async def test_approved_once_runs_once(site: Site):
    async with await site.connect() as connection:
        said: list[str] = []
        connection.add_notice_handler(lambda d: said.append(d.message_primary or ""))
        running = asyncio.ensure_future(connection.execute(DELETE))
        request = await site.pending()
        assert request.evidence is not None
        assert request.evidence.exact.reveal() == DELETE and request.evidence.tables is not None
        assert await _count(site) == 10
        await site.decide()
        assert (await running).statusmessage == "DELETE 1"
        assert await _count(site) == 9
        assert said and request.id in said[0]
        again = asyncio.ensure_future(connection.execute(DELETE))
        second = await site.pending()
        assert second.id != request.id
        await site.decide(Choice.DENY, "that was enough", by=BOB)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="denied by Bob: that was enough"):
            await again
        cursor = await connection.execute("SELECT 1")
        assert await cursor.fetchone() == (1,)
    kinds = await site.kinds()
    assert kinds.index("statement.held") < kinds.index("grant.used") < kinds.index("statement.completed")


async def test_disconnecting_withdraws_and_a_late_approval_runs_nothing(site: Site):
    connection = await site.connect()
    running = asyncio.ensure_future(connection.execute(DELETE))
    request = await site.pending()
    await connection.close()
    await asyncio.gather(running, return_exceptions=True)
    row = await site.desk.wait(request.id, 3)
    assert row.state.value == "cancelled"
    with pytest.raises(Exception, match="cancelled"):
        await site.desk.review(request.id, request.revision, BOB.id, Choice.APPROVE)
    await site.gone()
    assert await _count(site) == 10


async def test_nobody_decides(postgres: EmbeddedPostgres, shop: str, tmp_path: Path):
    async with open_site(postgres, shop, tmp_path, policy=Policy(hold_seconds=0.3)) as site:
        async with await site.connect() as connection:
            with pytest.raises(psycopg.errors.QueryCanceled, match="not approved in time"):
                await connection.execute(DELETE)
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
        assert await _count(site) == 10


async def test_in_a_transaction_a_hold_is_short_or_refused(postgres: EmbeddedPostgres, shop: str, tmp_path: Path):
    policy = Policy(hold_seconds=20, hold_in_transaction=0)
    async with open_site(postgres, shop, tmp_path, policy=policy) as site, await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with connection.transaction():
                await connection.execute("INSERT INTO scratch VALUES (900, 'x')")
                await connection.execute("TRUNCATE orders")
        assert await _count(site, "id = 900") == 0


async def test_held_in_a_transaction_of_a_writer_and_approved(site: Site):
    async with await site.connect(Write()) as connection:
        async with connection.transaction():
            await connection.execute("INSERT INTO scratch VALUES (901, 'x')")
            running = asyncio.ensure_future(connection.execute("TRUNCATE orders"))
            request = await site.pending()
            assert request.evidence is not None and request.evidence.in_transaction
            await site.decide()
            await running
        assert await _count(site, "id = 901") == 1


async def test_a_write_in_a_read_only_transaction_is_refused_without_asking(site: Site):
    async with await site.connect() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            async with connection.transaction():
                await connection.execute("SELECT 1")
                await connection.execute(DELETE)
        assert "write access" in (refused.value.diag.message_hint or "")
    assert "access.requested" not in (await site.kinds())[6:]
    assert await _count(site) == 10


async def test_an_approved_statement_that_fails_is_rolled_back_and_told(site: Site):
    async with await site.connect() as connection:
        running = asyncio.ensure_future(connection.execute("INSERT INTO scratch VALUES (1, 'twice')"))
        await site.decide()
        with pytest.raises(psycopg.errors.UniqueViolation):
            await running
        assert connection.info.transaction_status.name == "IDLE"
        assert await (await connection.execute("SHOW transaction_read_only")).fetchone() == ("on",)
    events = await site.store.read(lambda tx: tx.events(limit=1000, kinds=["statement.completed"]))
    assert [e.payload and e.payload["outcome"] for e in events] == ["failed"]


async def test_a_deferred_constraint_that_fails_at_commit_is_an_error(site: Site):
    async with await site.direct() as direct:
        await direct.execute("ALTER TABLE orders ALTER CONSTRAINT orders_customer_fkey DEFERRABLE INITIALLY DEFERRED")
    async with await site.connect() as connection:
        for statement, values in (
            ("INSERT INTO orders VALUES (99, 999, 1)", None),
            ("INSERT INTO orders VALUES (98, %s, 1)", [999]),
        ):
            running = asyncio.ensure_future(connection.execute(statement, values))
            await site.decide()
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                await running
            assert connection.info.transaction_status.name == "IDLE"


async def test_returning_rows_of_an_approved_write(site: Site):
    async with await site.connect() as connection:
        running = asyncio.ensure_future(connection.execute("DELETE FROM scratch WHERE id = %s RETURNING value", [7]))
        await site.decide()
        assert await (await running).fetchall() == [("v7",)]


async def test_an_agent_is_named(site: Site):
    options = await site.access(agent=Agent("claude"))
    async with await psycopg.AsyncConnection.connect(**options, autocommit=True) as connection:  # type: ignore[arg-type]
        running = asyncio.ensure_future(connection.execute(DELETE))
        request = await site.pending()
        assert request.actor.via == Agent("claude")
        await site.decide()
        assert (await running).statusmessage == "DELETE 1"


async def test_two_connections_hold_the_same_statement_and_each_runs_its_own(site: Site):
    options = await site.access()
    first = await psycopg.AsyncConnection.connect(**options, autocommit=True)  # type: ignore[arg-type]
    second = await psycopg.AsyncConnection.connect(**options, autocommit=True)  # type: ignore[arg-type]
    async with first, second:
        one = asyncio.ensure_future(first.execute(DELETE))
        request = await site.pending()
        two = asyncio.ensure_future(second.execute(DELETE))
        await site.desk.review(request.id, request.revision, BOB.id, Choice.APPROVE)
        assert (await one).statusmessage == "DELETE 1"
        other = await site.pending()
        assert other.id != request.id and not two.done()
        await site.decide(Choice.DENY)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await two


async def test_a_revoke_while_held_ends_the_session_and_the_request(site: Site):
    async with await site.connect() as connection:
        running = asyncio.ensure_future(connection.execute(DELETE))
        request = await site.pending()
        grant = (await site.store.read(lambda tx: tx.grants(states=["active"])))[0]
        await site.desk.revoke(grant.id, BOB.id, "end of shift")
        with pytest.raises(psycopg.OperationalError, match=r"taken back|end of shift"):
            await running
        with pytest.raises(psycopg.OperationalError, match="revoked by Bob: end of shift"):
            await asyncio.sleep(0.3)
            await connection.execute("SELECT 1")
    assert (await site.desk.wait(request.id, 3)).state.value == "cancelled"


async def test_a_store_that_is_down_forwards_no_write(site: Site):
    async with await site.connect(Write()) as connection:
        site.store.broken = True
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="could not record"):
            await connection.execute(DELETE)
        site.store.broken = False
        assert await _count(site) == 10


async def test_a_hold_in_a_transaction_names_whom_it_keeps_waiting(site: Site):
    async with (
        await site.connect(Write()) as connection,
        await site.connect(Write()) as other,
        await site.direct() as direct,
    ):
        said: list[str] = []
        connection.add_notice_handler(lambda d: said.append(d.message_primary or ""))
        async with connection.transaction():
            await connection.execute("UPDATE scratch SET value = 'mine' WHERE id < 3")
            running = asyncio.ensure_future(connection.execute("TRUNCATE orders"))
            request = await site.pending()
            waiting = [
                asyncio.ensure_future(one.execute("UPDATE scratch SET value = 'theirs' WHERE id = %s", (row,)))
                for row, one in enumerate((other, direct), 1)
            ]
            async with asyncio.timeout(LONG):
                while not (events := await _blocks(site, request.id)) or len(events[-1]) < 2:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.02)
            name = other.info.parameter_status("hoop.session") or "?"
            assert name in events[-1] and any(one.startswith("postgres (") for one in events[-1])
            await site.decide()
            await running
        for one in waiting:
            await one
    assert any("holding locks" in line and name in line for line in said)


async def _blocks(site: Site, request: str) -> list[list[str]]:
    events = await site.store.read(lambda tx: tx.events_of(request))
    return [list((event.payload or {})["blocked"]) for event in events if event.kind == "statement.blocks"]


@pytest.mark.parametrize("setting", ["idle_in_transaction_session_timeout", "idle_session_timeout"])
async def test_the_servers_idle_timeouts_do_not_end_a_hold(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path, setting: str
):
    locking = setting.startswith("idle_in")
    with psycopg.connect(shop, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE \"{admin.info.dbname}\" SET {setting} = '1500ms'")
    async with open_site(postgres, shop, tmp_path) as site, await site.connect(Write()) as connection:
        if locking:
            await connection.execute("BEGIN")
        running = asyncio.ensure_future(connection.execute("TRUNCATE orders"))
        await site.pending()
        await asyncio.sleep(2.0)
        await site.decide()
        await running
        if locking:
            await connection.execute("COMMIT")


async def test_an_accepted_text_never_takes_the_place_of_the_client_s(site: Site):
    """The client is told, its session goes on, and the text is somebody else's to run: the gateway's, when it is approved."""
    evidence = replace(evidence_of(Digest("1" * 64), f"{DELETE} AND value IS NULL"), tables=("public.scratch",))
    async with await site.connect() as connection:
        running = asyncio.ensure_future(connection.execute(DELETE))
        request = await site.pending()
        evidence = replace(evidence, database=request.evidence.database if request.evidence else "")
        proposal = await site.desk.propose(request.id, request.revision, BOB.id, evidence, "only this")
        with pytest.raises(Denied):
            await site.desk.accept(proposal.id, BOB.id)
        asked = await site.desk.accept(proposal.id, DANA.id)
        with pytest.raises(psycopg.errors.QueryCanceled, match=f"Bob's text was accepted instead.*{asked.id}"):
            await running
        await site.desk.review(asked.id, 1, ANN.id, Choice.APPROVE)
        await site.book.refresh()
        again = asyncio.ensure_future(connection.execute(f"{DELETE} AND value IS NULL"))
        second = await site.pending()
        assert second.id != asked.id, "an approval for the gateway's run is none for the client"
        await site.decide(Choice.DENY, "no")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await again
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
    assert await _count(site) == 10
