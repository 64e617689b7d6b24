"""Database browsers under a read grant: what they ask at start and while browsing answers as it does without a gateway."""

from __future__ import annotations

import asyncio
import os

import psycopg

from tests.wire.browsing import REFUSED, asked
from tests.wire.site import Site

#: psql's own queries about everything there is, without `\\dRs+` and `\\deu+`, which show secrets, and `\\dconfig`, whose
#: values arrive masked: a setting whose name comes out of a column may be any setting.
BACKSLASHES = """
\\d \\dt+ \\d+_orders \\d+_customers \\d+_dear \\d+_counter \\l \\l+ \\dn+ \\df \\df+_lower \\du+ \\dT+ \\dx \\dp \\ddp \\di+ \\ds \\dv+ \\dm
\\dE \\dA+ \\dAc \\dAf \\dAo \\dAp \\da \\db+ \\dc \\dC \\dd \\dD \\des \\det \\deu \\dew \\dF+ \\dFd \\dFp \\dFt \\dg
\\dL+ \\do \\dO \\dP+ \\drds \\drg \\dRp+ \\dRs \\dX \\dy \\dS \\sf_lower(text) \\sv_dear \\encoding \\z
"""
MORE = "CREATE VIEW dear AS SELECT id, total FROM orders WHERE total > 10; CREATE SEQUENCE counter; CREATE INDEX ON orders (total)"
Answer = tuple[list[str], str] | str


async def _answer(
    connection: psycopg.AsyncConnection[tuple[object, ...]], text: str, *, prepare: bool = False
) -> Answer:
    """The names of the columns and the command's tag without its count; the error's text when there is one."""
    try:
        cursor = await connection.execute(text, prepare=prepare)
    except psycopg.Error as error:
        return f"{error.sqlstate} {error}"
    return [column.name for column in cursor.description or ()], (cursor.statusmessage or "").split()[0]


async def test_what_browsers_ask_answers_as_without_a_gateway(site: Site):
    wrong = []
    async with await site.connect() as simple, await site.connect() as extended, await site.direct() as direct:
        for tool, text in asked():
            expected, *found = await asyncio.gather(
                _answer(direct, text), _answer(simple, text), _answer(extended, text, prepare=True)
            )
            if found != [expected, expected] or isinstance(expected, str):
                wrong.append(f"{tool}: {text}\n    {found}\n    {expected}")
    assert not wrong, "\n".join(wrong)


async def test_what_browsers_may_not_have_is_refused_and_they_go_on(site: Site):
    async with await site.connect() as through:
        for prepare in (False, True):
            for tool, text, why in REFUSED:
                said = await _answer(through, text, prepare=prepare)
                assert str(said).startswith("42501 "), f"{tool} reads {why}: {said}"
                assert await _answer(through, "SELECT 1 AS one", prepare=prepare) == (["one"], "SELECT")


async def test_psql_describes_everything_as_without_a_gateway(site: Site):
    async with await site.direct() as direct:
        await direct.execute(MORE)
    script = "".join(command.replace("_", " ", 1) + "\n" for command in BACKSLASHES.split())
    process = await asyncio.create_subprocess_exec(
        str(site.bindir / "psql"), "-X", "-d", site.direct_dsn, env=os.environ,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    expected, complaints = await asyncio.wait_for(process.communicate(script.encode()), 20)
    _, out, error = await site.psql(stdin=script)
    assert out.splitlines() == expected.decode().splitlines()
    assert error == complaints.decode() and "ERROR" not in error
