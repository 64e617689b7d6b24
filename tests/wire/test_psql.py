"""The client people have open: psql."""

from __future__ import annotations

import asyncio
import signal

from access.requests import Choice
from access.scopes import Admin, Write
from tests.patience import LONG
from tests.wire.site import Site


async def test_a_query_and_a_refusal_and_the_session_goes_on(site: Site):
    code, out, error = await site.psql(
        "-c",
        "SELECT id, name FROM customers WHERE id < 3",
        "-c",
        "DROP TABLE orders",
        "-c",
        "SELECT 'still ' || 'here'",
    )
    assert "Customer 2" in out and "still here" in out
    assert "ERROR" in error and "DETAIL" in error and "/hoop" in error
    assert code == 0  # psql's exit code is that of its last command


async def test_errors_of_the_server_keep_their_position_and_the_session(site: Site):
    _, out, error = await site.psql("-At", "-c", "SELECT nothing FROM customers", "-c", "SELECT 7")
    assert 'column "nothing" does not exist' in error and "LINE 1" in error
    assert out == "7\n"


async def test_several_statements_in_one_query_are_judged_as_one(site: Site):
    _, out, error = await site.psql("-At", "-c", "SELECT 1; DROP TABLE orders; SELECT 2")
    assert out == "" and "ERROR" in error
    _, out, error = await site.psql("-At", "-c", "SELECT 1; SELECT 2")
    assert (out, error) == ("1\n2\n", "")


async def test_an_empty_query_is_answered(site: Site):
    assert await site.psql("-At", "-c", ";", "-c", "", "-c", "-- nothing", "-c", "SELECT 3") == (0, "3\n", "")


async def test_a_result_of_many_rows_arrives_whole(site: Site):
    _, out, error = await site.psql("-At", "-c", "SELECT n, filler FROM numbers ORDER BY n")
    lines = out.splitlines()
    assert len(lines) == 20000 and lines[-1] == f"20000|{'x' * 50}" and error == ""


async def test_transactions_report_their_status(site: Site):
    script = "\\set VERBOSITY verbose\nBEGIN;\nSELECT 1;\nSELECT 1/0;\nSELECT 2;\nROLLBACK;\nSELECT 3;\n"
    _, out, error = await site.psql("-At", stdin=script)
    assert out.split() == ["BEGIN", "1", "ROLLBACK", "3"]
    assert "22012" in error and "25P02" in error


async def test_a_refusal_inside_a_transaction_takes_all_of_it_back(site: Site):
    script = "BEGIN;\nINSERT INTO scratch VALUES (100, 'half');\nGRANT SELECT ON orders TO PUBLIC;\nCOMMIT;\n"
    _, out, _ = await site.psql("-At", stdin=script, scope=Write())
    assert out.split() == ["BEGIN", "INSERT", "0", "1", "ROLLBACK"]
    async with await site.direct() as connection:
        rows = await (await connection.execute("SELECT count(*) FROM scratch WHERE id = 100")).fetchone()
    assert rows == (0,)


async def test_rollback_to_a_savepoint_recovers_from_a_refusal(site: Site):
    script = (
        "BEGIN;\nINSERT INTO scratch VALUES (101, 'kept');\nSAVEPOINT s;\nGRANT SELECT ON orders TO PUBLIC;\nSELECT 1;\n"
        "ROLLBACK TO s;\nINSERT INTO scratch VALUES (102, 'kept');\nCOMMIT;\n"
    )
    _, out, _ = await site.psql("-At", stdin=script, scope=Write())
    assert out.split()[-1] == "COMMIT" and "25P02" not in out
    async with await site.direct() as connection:
        rows = await (await connection.execute("SELECT count(*) FROM scratch WHERE id > 100")).fetchone()
    assert rows == (2,)


async def test_copy_out_and_in(site: Site):
    _, out, _ = await site.psql("-c", "COPY scratch TO STDOUT")
    assert out.splitlines()[0] == "1\tv1" and len(out.splitlines()) == 10
    script = "COPY scratch FROM STDIN;\n200\tin\n201\tin\n\\.\nSELECT count(*) FROM scratch;\n"
    _, out, error = await site.psql("-At", stdin=script, scope=Write())
    assert out == "COPY 2\n12\n" and error == ""
    assert "copied 14 bytes" in str(await _closed(site))


async def test_a_bad_line_in_copy_is_an_error_and_no_more(site: Site):
    script = "COPY scratch FROM STDIN;\nno number\tin\n202\tin\n\\.\nSELECT count(*) FROM scratch;\n"
    _, out, error = await site.psql("-At", stdin=script, scope=Write())
    assert out == "10\n" and "invalid input syntax" in error


async def test_copy_in_is_a_write(site: Site):
    for choice, count in ((Choice.DENY, 10), (Choice.APPROVE, 11)):
        process = await site.start_psql("-At")
        assert process.stdin is not None
        process.stdin.write(b"COPY scratch FROM STDIN;\n203\tin\n\\.\n")
        process.stdin.write_eof()
        await site.decide(choice, "not now")
        _, error = await asyncio.wait_for(process.communicate(), 10)
        assert (b"not now" in error) is (choice is Choice.DENY)
        async with await site.direct() as connection:
            assert await (await connection.execute("SELECT count(*) FROM scratch")).fetchone() == (count,)


async def test_ctrl_c_ends_a_running_statement(site: Site):
    process = await site.start_psql("-c", "SELECT pg_sleep(30)")
    await _running(site, "pg_sleep(30)")
    process.send_signal(signal.SIGINT)
    _, error = await asyncio.wait_for(process.communicate(), LONG)
    assert b"canceling statement due to user request" in error
    await _idle(site, "pg_sleep(30)")


async def test_ctrl_c_while_held_withdraws_the_request(site: Site):
    process = await site.start_psql("-c", "DELETE FROM scratch WHERE id = 1")
    request = await site.pending()
    await asyncio.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = await asyncio.wait_for(process.communicate(), LONG)
    assert b"canceling statement" in error and request.id.encode() in error
    assert (await site.desk.wait(request.id, 1)).state.value == "cancelled"


async def test_ddl_in_an_admin_session(site: Site):
    _, out, error = await site.psql(
        "-At", "-c", "CREATE TABLE fresh (id int)", "-c", "INSERT INTO fresh VALUES (1)", "-c", "SELECT * FROM fresh",
        scope=Admin(),
    )  # fmt: skip
    assert (out, error) == ("CREATE TABLE\nINSERT 0 1\n1\n", "")


async def test_psql_describes_tables(site: Site):
    _, out, error = await site.psql("-c", "\\d orders")
    assert error == "" and "total" in out


async def _running(site: Site, text: str) -> None:
    async with await site.direct() as connection, asyncio.timeout(LONG):
        while True:
            query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND state = 'active' AND pid <> pg_backend_pid()"
            row = await (await connection.execute(query, [f"%{text}%"])).fetchone()
            if row and row[0]:
                return
            await asyncio.sleep(0.01)


async def _idle(site: Site, text: str) -> None:
    async with await site.direct() as connection, asyncio.timeout(LONG):
        while True:
            query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE %s AND state = 'active' AND pid <> pg_backend_pid()"
            row = await (await connection.execute(query, [f"%{text}%"])).fetchone()
            if row and not row[0]:
                return
            await asyncio.sleep(0.01)


async def _closed(site: Site) -> object:
    await site.gone()
    return await site.recorded()
