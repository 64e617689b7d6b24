"""Changes that touch more rows than their budget: rolled back, told with the true numbers, asked about again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from access.actors import Actor
from access.policy import Action, Policy, Rule
from access.ports import Outcome
from access.requests import Choice
from access.scopes import Write
from access.statements import Effect
from app.embedded_postgres import EmbeddedPostgres
from proxy.masking.plan import Masker
from proxy.postgres.client import Executor, Listener
from proxy.postgres.judge import Judge
from tests.fakes.world import ANN, DANA, PLACE
from tests.wire.conftest import MASK
from tests.wire.site import Site, open_site

ITEMS = """
CREATE TABLE order_items (id int PRIMARY KEY, order_id int REFERENCES orders ON DELETE CASCADE, note text DEFAULT 'n');
INSERT INTO order_items SELECT g, 1 + g % 2, 'n' FROM generate_series(1, 60) g;
CREATE TABLE "Audit" (at int);
INSERT INTO "Audit" SELECT generate_series(1, 30);
CREATE TABLE child (id int REFERENCES scratch DEFERRABLE INITIALLY DEFERRED);
"""
NEVER = Rule("items-stay", Action.DENY, "Order items are never removed in bulk.", tables=("order_items",), max_rows=40)
POLICY = Policy(hold_seconds=15, max_rows=10, rules=(NEVER,))
ALL = "DELETE FROM scratch WHERE id IN (SELECT id FROM scratch WHERE id < 500)"
MORE = "INSERT INTO scratch SELECT g, 'w' || g FROM generate_series(100, 150) g"


@pytest.fixture
async def site(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> AsyncIterator[Site]:
    with psycopg.connect(shop, autocommit=True) as connection:
        connection.execute(ITEMS)
    async with open_site(postgres, shop, tmp_path, policy=POLICY) as opened:
        yield opened


async def _rows(site: Site, table: str = "scratch") -> int:
    async with await site.direct() as connection:
        row = await (await connection.execute(f"SELECT count(*) FROM {table}")).fetchone()
        assert row is not None
        return int(str(row[0]))


async def test_within_the_budget_nothing_is_noticed(site: Site):
    async with await site.connect(Write()) as connection:
        assert (await connection.execute(MORE)).statusmessage == "INSERT 0 51"  # new rows destroy nothing
        for prepare in (False, True):
            done = await connection.execute(
                "UPDATE scratch SET value = %s WHERE id < %s RETURNING id", ("z", 4), prepare=prepare
            )
            assert done.statusmessage == "UPDATE 3" and len(await done.fetchall()) == 3
        async with connection.cursor() as cursor:
            await cursor.executemany("DELETE FROM scratch WHERE id = %s", [(1,), (2,), (3,)])
            async with cursor.copy("COPY scratch FROM STDIN") as copy:
                await copy.write_row((1, "again"))
        assert await _rows(site) == 59
        held = await connection.execute("SELECT name FROM pg_prepared_statements WHERE name = 'hoop'")
        assert await held.fetchall() == []


@pytest.mark.parametrize("prepare", [None, True], ids=["simple", "extended"])
async def test_a_cascade_is_counted_and_no_approval_lifts_a_deny(site: Site, prepare: bool | None):
    """`DELETE 1` says the tag; thirty rows went with it."""
    with psycopg.connect(site.direct_dsn, autocommit=True) as direct:
        direct.execute("INSERT INTO order_items SELECT g, 1, 'n' FROM generate_series(100, 149) g")
    async with await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            await connection.execute("DELETE FROM orders WHERE id = 1", prepare=prepare)
        told = refused.value.diag
        assert told.message_primary == (
            "this would have deleted 80 rows of order_items and deleted 1 row of orders. "
            "Order items are never removed in bulk."
        )
        assert "At most 40 rows of order_items" in (told.message_detail or "") and told.message_hint
        assert told.source_function is None
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert await _rows(site, "order_items") == 110 and await _rows(site, "orders") == 20
    events = [e for e in await site.store.read(lambda tx: tx.events(limit=100)) if e.kind == "statement.refused"]
    assert [(e.payload or {})["rule"] for e in events] == ["items-stay"]


@pytest.mark.parametrize("prepare", [None, True], ids=["simple", "extended"])
async def test_people_who_saw_the_numbers_may_lift_it_once(site: Site, prepare: bool | None):
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        running = asyncio.ensure_future(connection.execute(ALL, prepare=prepare))
        request = await site.pending()
        assert request.evidence is not None and request.evidence.rule == "row-budget"
        assert request.evidence.message == "this would have deleted 61 rows of scratch"
        assert await _rows(site) == 61
        await site.decide()
        assert (await running).statusmessage == "DELETE 61"
        assert await _rows(site) == 0
        await connection.execute(MORE)
        again = asyncio.ensure_future(connection.execute(ALL, prepare=prepare))
        await site.decide(Choice.DENY, "once was enough")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="once was enough"):
            await again
        assert await _rows(site) == 51
    kinds = await site.kinds()
    assert kinds.count("grant.used") == 1 and kinds.count("statement.held") == 2


async def test_more_than_what_people_saw_is_asked_again(site: Site):
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        running = asyncio.ensure_future(connection.execute(ALL))
        await site.pending()
        with psycopg.connect(site.direct_dsn, autocommit=True) as direct:
            direct.execute("INSERT INTO scratch SELECT g, 'new' FROM generate_series(200, 220) g")
        await site.decide()
        second = await site.pending()
        assert second.evidence is not None and "deleted 82 rows" in second.evidence.message
        await site.decide(Choice.DENY)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await running
        assert await _rows(site) == 82


async def test_rows_that_were_told_cannot_be_told_twice(site: Site):
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="deleted 61 rows") as refused:
            await connection.execute(ALL + " RETURNING id")
        assert "without RETURNING" in (refused.value.diag.message_hint or "")
        assert await _rows(site) == 61


@pytest.mark.parametrize("end", ["commit", "pipeline", "sql"])
async def test_in_the_clients_transaction_it_is_checked_at_commit(site: Site, end: str):
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="this transaction would have deleted 12 rows"):
            if end == "sql":
                for text in ("BEGIN", "DELETE FROM scratch WHERE id < 7", "DELETE FROM scratch WHERE id < 102", "END"):
                    await connection.execute(text)
            elif end == "commit":
                async with connection.transaction():
                    await connection.execute("DELETE FROM scratch WHERE id IN (1, 2, 3, 4)")
                    await connection.execute("DELETE FROM scratch WHERE id BETWEEN 5 AND 101")
            else:
                async with connection.pipeline(), connection.transaction():
                    await connection.execute("DELETE FROM scratch WHERE id BETWEEN %s AND %s", (1, 6))
                    await connection.execute("DELETE FROM scratch WHERE id BETWEEN %s AND %s", (7, 101))
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert await _rows(site) == 61
        async with connection.transaction():
            await connection.execute("DELETE FROM scratch WHERE id = 1")
        assert await _rows(site) == 60


async def test_small_changes_do_not_add_up_over_transactions(site: Site):
    """The server's counters go on over several transactions; a budget is for one."""
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        for first in range(100, 132, 8):
            async with connection.transaction():
                await connection.execute("DELETE FROM scratch WHERE id BETWEEN %s AND %s", (first, first + 7))
            await connection.execute("UPDATE scratch SET value = 'y' WHERE id < 9")
        assert await _rows(site) == 29


async def test_a_deferred_constraint_is_the_servers_error(site: Site):
    async with await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            await connection.execute("INSERT INTO child VALUES (4711)")
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            async with connection.transaction():
                await connection.execute("INSERT INTO child VALUES (4711)")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        await connection.execute("INSERT INTO child VALUES (1)")


@pytest.mark.parametrize(
    "text",
    [
        f"{ALL}; COMMIT", f"BEGIN; {ALL}", f"COMMIT; {ALL}", f"SELECT 1; ROLLBACK; {ALL}", f"BEGIN; {ALL}; COMMIT; BEGIN; COMMIT",
        f"BEGIN; {ALL}; COMMIT AND CHAIN", f"BEGIN ISOLATION LEVEL SERIALIZABLE; {ALL}; COMMIT", f"BEGIN; SAVEPOINT s; {ALL}; COMMIT",
        f"BEGIN; COMMIT; {ALL}; COMMIT", f"BEGIN; {ALL}; ROLLBACK; COMMIT", f"BEGIN; SET LOCAL work_mem = '1MB'; {ALL}; COMMIT",
        f"BEGIN; DO $$BEGIN DELETE FROM scratch; COMMIT; END$$; {ALL}; COMMIT",
    ],
)  # fmt: skip
async def test_a_text_that_ends_its_own_transaction_is_refused(site: Site, text: str):
    async with await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"cannot be counted|DO "):
            await connection.execute(text)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert await _rows(site) == 10


def _answers(dsn: str, text: str) -> list[object]:
    """Everything a client hears of a text and of what it sends behind it."""
    told: list[object] = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for one in (text, "SELECT count(*) FROM scratch", "ROLLBACK", "SELECT count(*) FROM scratch"):
            results: list[object] = []
            try:
                cursor = connection.execute(one.encode())
                while True:
                    results.append((cursor.statusmessage, cursor.fetchall() if cursor.description else None))
                    if not cursor.nextset():
                        break
            except psycopg.Error as error:
                results.append((error.sqlstate, error.diag.message_primary))
            told.append((results, connection.info.transaction_status.name))
    return told


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN; DELETE FROM scratch WHERE id < 3; COMMIT", "begin;;delete from scratch where id = 4 returning id, 'é';select 1;end;",
        "BEGIN; DELETE FROM scratch WHERE id = 5; SELECT 1/0; SELECT 2; COMMIT", "BEGIN; SELECT 1; SELECT 1/0; COMMIT",
        "BEGIN; INSERT INTO child VALUES (4711); COMMIT", "/* é */ BEGIN -- é\n; /* ; */ DELETE FROM scratch WHERE value = 'é'; COMMIT",
        "BEGIN; DELETE FROM scratch WHERE id = 6; SELECT no_such_column; COMMIT",
    ],
)  # fmt: skip
async def test_a_whole_transaction_in_one_text_is_as_without_the_gateway(site: Site, shop: str, text: str):
    """Within its budget: the same results, errors and states, and the same rows behind it."""
    access = make_conninfo(**await site.access(Write()))  # type: ignore[arg-type]  # ports are numbers
    through = await asyncio.to_thread(_answers, access, text)
    left = await _rows(site)
    with psycopg.connect(site.direct_dsn, autocommit=True) as direct:
        direct.execute("TRUNCATE scratch, child; INSERT INTO scratch SELECT g, 'v' || g FROM generate_series(1, 10) g")
    assert through == await asyncio.to_thread(_answers, site.direct_dsn, text)
    assert left == await _rows(site)


async def test_people_may_lift_it_for_a_whole_transaction_in_one_text(site: Site):
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        running = asyncio.ensure_future(connection.execute(f"BEGIN; {ALL}; COMMIT"))
        request = await site.pending()
        assert request.evidence is not None
        assert request.evidence.message == "this would have deleted 61 rows of scratch"
        await site.decide()
        done = await running
        assert [done.statusmessage, done.nextset(), done.statusmessage, done.nextset(), done.statusmessage] == [
            "BEGIN", True, "DELETE 61", True, "COMMIT",
        ]  # fmt: skip
        assert await _rows(site) == 0


async def test_a_whole_transaction_in_one_text_over_its_budget_leaves_nothing(site: Site):
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        text = f"BEGIN; INSERT INTO scratch VALUES (4711, 'x'); {ALL}; COMMIT"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="deleted 61 rows"):
            await connection.execute(text)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert await _rows(site) == 61
        await connection.execute("BEGIN; DELETE FROM scratch WHERE id = 1; COMMIT")
        assert await _rows(site) == 60


async def test_several_changes_in_one_text_count_together(site: Site):
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        text = "DELETE FROM scratch WHERE id < 6; DELETE FROM scratch WHERE id BETWEEN 6 AND 101"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="deleted 12 rows"):
            await connection.execute(text)
        await connection.execute("DELETE FROM scratch WHERE id = 1; SELECT 1; DELETE FROM scratch WHERE id = 2")
        assert await _rows(site) == 59


async def test_a_pipeline_is_one_transaction(site: Site):
    async with await site.connect(Write()) as connection:
        await connection.execute(MORE)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="deleted 12 rows"):
            async with connection.pipeline():
                for first in (1, 100):
                    await connection.execute(
                        "DELETE FROM scratch WHERE id BETWEEN %s AND %s", (first, first + (9 if first == 1 else 1))
                    )
        assert await _rows(site) == 61
        async with connection.pipeline() as pipeline:
            await connection.execute("DELETE FROM scratch WHERE id = %s", (1,))
            await pipeline.sync()
            await connection.execute("DELETE FROM scratch WHERE id = %s", (2,))
        assert await _rows(site) == 59


async def test_what_is_not_counted_is_judged_before(site: Site):
    """TRUNCATE leaves no count, so the budget's rule speaks at once."""
    async with await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never removed in bulk"):
            await connection.execute("TRUNCATE order_items")
        assert await _rows(site, "order_items") == 60


async def test_a_server_that_does_not_count_is_no_way_around(postgres: EmbeddedPostgres, shop: str, tmp_path: Path):
    with psycopg.connect(shop, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f'ALTER DATABASE "{name}" SET track_counts = off')
    async with open_site(postgres, shop, tmp_path, policy=POLICY) as site, await site.connect(Write()) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="does not count rows"):
            await connection.execute("DELETE FROM scratch WHERE id = 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="does not count rows"):
            async with connection.transaction():
                await connection.execute("DELETE FROM scratch WHERE id = 1")
        assert await _rows(site) == 10


async def test_an_allow_rule_raises_the_budget_for_its_tables(postgres: EmbeddedPostgres, shop: str, tmp_path: Path):
    more = Rule("cleaning", Action.ALLOW, tables=("scratch",), max_rows=60, effects=frozenset({Effect.WRITE}))
    policy = Policy(hold_seconds=0, max_rows=5, rules=(more,))
    async with open_site(postgres, shop, tmp_path, policy=policy) as site, await site.connect(Write()) as connection:
        assert (await connection.execute(ALL)).statusmessage == "DELETE 10"
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="would have updated 6 rows of orders"):
            await connection.execute("UPDATE orders SET total = 0 WHERE id < 7")


async def _executed(site: Site, text: str) -> tuple[str, Outcome]:
    gateway = site.gateway
    assert gateway.catalogs is not None
    catalogs = gateway.catalogs
    judge = Judge(lambda: catalogs, lambda _, c: Masker(MASK, c, b"k" * 32), gateway.policy, gateway.ports.clock)
    evidence = await judge.describe(Actor(DANA.id), DANA, site.resource, text)
    asked = await site.desk.ask_command(Actor(DANA.id), site.resource.name, evidence, "INC-1", "", PLACE)
    await site.desk.review(asked.request.id, 1, ANN.id, Choice.APPROVE)
    grant = (await site.store.read(lambda tx: tx.grants(request=asked.request.id)))[0]
    await site.book.refresh()
    executor = Executor(site.credentials, lambda: Listener("127.0.0.1", gateway.port))
    outcome = await executor.run(asked.request, grant, DANA, site.resource)
    row = await site.store.read(lambda tx: tx.grant(grant.id))
    assert row is not None
    return row.state.value, outcome


async def test_an_approved_command_over_its_budget_is_rolled_back_and_its_thread_gets_the_numbers(site: Site):
    state, outcome = await _executed(site, "DELETE FROM scratch")
    assert (state, outcome.ok) == ("succeeded", True)  # ten rows: that is what a budget is for
    with psycopg.connect(site.direct_dsn, autocommit=True) as direct:
        direct.execute(MORE)
    state, outcome = await _executed(site, "DELETE FROM scratch")
    assert (state, outcome.ok, outcome.known) == ("failed", False, True)
    assert "this would have deleted 51 rows of scratch" in outcome.message
    assert await _rows(site) == 51
    state, outcome = await _executed(site, "VACUUM scratch")
    assert (state, outcome.ok) == ("succeeded", True)


async def test_an_approved_change_in_a_read_session_has_the_budget_too(site: Site):
    with psycopg.connect(site.direct_dsn, autocommit=True) as direct:
        direct.execute(MORE)
    async with await site.connect() as connection:
        running = asyncio.ensure_future(connection.execute(ALL))
        first = await site.pending()
        await site.decide()
        while (second := await site.pending()).id == first.id:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        assert second.evidence is not None and "deleted 61 rows" in second.evidence.message
        await site.decide()
        assert (await running).statusmessage == "DELETE 61"
        assert connection.info.parameter_status("default_transaction_read_only") == "on"
    states = [grant.state.value for grant in await site.store.read(lambda tx: tx.grants())]
    assert sorted(states) == ["active", "failed", "succeeded"]


async def test_what_a_rule_lets_through_in_a_read_session_runs_in_a_writable_transaction(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path
):
    free = Rule("free", Action.ALLOW, tables=("scratch",), effects=frozenset({Effect.WRITE}))
    async with open_site(postgres, shop, tmp_path, policy=Policy(rules=(free,))) as site:
        async with await site.connect() as connection:
            assert (await connection.execute("DELETE FROM scratch WHERE id = 1")).statusmessage == "DELETE 1"
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="read only"):
                async with connection.transaction():
                    await connection.execute("DELETE FROM scratch WHERE id = 2")
        assert await _rows(site) == 9
