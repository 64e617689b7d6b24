"""Clear values, end to end: asked for, approved, shown to this person in rows alone, recorded masked, over in time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from access.actors import Actor, Agent
from access.errors import Invalid
from access.ids import GrantId
from access.masking import Audience, ColumnRule, MaskPolicy, Strategy
from access.requests import Choice, Place
from access.scopes import Read, Unmask, unmask_scope
from app.embedded_postgres import EmbeddedPostgres
from identity.directory import StaticDirectory
from proxy.house import Settings
from tests.fakes.world import ANN, DANA, EVERYBODY, GROUPS
from tests.wire.site import Site, open_site

EMAIL = "public.customers.email"
MASK = MaskPolicy(
    columns=(
        ColumnRule("customers.email", "email", Strategy.REDACT),
        ColumnRule("customers.name", "person", Strategy.REDACT),
    ),
    entities={"email": Strategy.REDACT},
)
MASKED = "«masked»"
CLEAR = "person7@example.com"


@pytest.fixture
async def office(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, shop, tmp_path, mask=MASK, settings=Settings(clear_rows=25)) as opened:
        yield opened


async def unmask(site: Site, *columns: str, minutes: float = 10, agent: Agent | None = None) -> GrantId:
    """Ask for clear values and have Ann approve it. Returns the grant's id."""
    actor = Actor(DANA.id, agent, DANA.name)
    scope, length = unmask_scope(columns), timedelta(minutes=minutes)
    asked = await site.desk.ask_access(actor, "prod-db", scope, length, "a customer called", "", Place())
    await site.desk.review(asked.request.id, 1, ANN.id, Choice.APPROVE)
    await site.book.refresh()
    grant = await site.store.read(lambda tx: tx.grants(request=asked.request.id)[0])
    return grant.id


async def one(
    connection: psycopg.AsyncConnection[tuple[object, ...]], query: LiteralString, *, binary: bool = False
) -> object:
    row = await (await connection.execute(query, binary=binary)).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


QUERY = "SELECT email FROM customers WHERE id = 7"


async def test_access_gives_no_clear_values_and_clear_values_give_no_access(office: Site) -> None:
    async with await office.connect(Read()) as connection:
        assert await one(connection, QUERY) == MASKED
    await office.desk.done((await office.store.read(lambda tx: tx.grants()))[0].id, DANA.id)
    await unmask(office, EMAIL)
    issued = await office.issue()
    with pytest.raises(psycopg.OperationalError, match="no live grant"):
        await psycopg.AsyncConnection.connect(
            host="127.0.0.1", port=office.gateway.port, user="dana", password=issued.token, dbname="prod-db"
        )


@pytest.mark.parametrize("binary", [False, True])
async def test_only_the_named_columns_in_open_sessions_and_the_recording_stays_masked(
    office: Site, binary: bool
) -> None:
    async with await office.connect(Read()) as connection:
        assert await one(connection, QUERY, binary=binary) == MASKED
        grant = await unmask(office, EMAIL)
        assert await one(connection, QUERY, binary=binary) == CLEAR
        cursor = await connection.execute("SELECT * FROM customers WHERE id = 7", binary=binary)
        assert await cursor.fetchone() == (7, MASKED, CLEAR, "n")
        await connection.execute("PREPARE p AS SELECT email, name FROM customers WHERE id = 7")
        assert await one(connection, "EXECUTE p") == (CLEAR, MASKED)
        await office.desk.revoke(grant, ANN.id, "enough")
        await office.book.refresh()
        assert await one(connection, QUERY, binary=binary) == MASKED
        assert await one(connection, "EXECUTE p") == (MASKED, MASKED)
    await office.gone()
    shown = str(await office.recorded())
    assert "person7" not in shown
    assert shown.count(MASKED) >= 5
    events = [
        event for event in await office.store.read(lambda tx: tx.events(limit=1000)) if event.kind == "values.unmasked"
    ]
    assert [event.payload["columns"] for event in events if event.payload] == [[EMAIL]] * 3
    assert all(event.payload["grants"] == [grant] for event in events if event.payload)


MASKED_STILL = [
    "SELECT name AS email FROM customers WHERE id = 7",
    "SELECT email FROM (SELECT name AS email FROM customers WHERE id = 7) s",
    "SELECT CASE WHEN name LIKE 'C%' THEN email END FROM customers WHERE id = 7",
    "SELECT email || name FROM customers WHERE id = 7",
    "SELECT max(name) AS email FROM customers WHERE id = 7",
    "SELECT email FROM customers WHERE id = 7 UNION ALL SELECT name FROM customers WHERE id = 7",
    "SELECT c::text FROM customers c WHERE id = 7",
    "SELECT row_to_json(c)::text FROM customers c WHERE id = 7",
    "SELECT (SELECT name FROM customers WHERE id = 7) AS email",
    "WITH email AS (SELECT name AS email FROM customers WHERE id = 7) SELECT email FROM email",
    "SELECT u.email FROM customers c, LATERAL (VALUES (c.name)) u(email) WHERE c.id = 7",
    "SELECT email FROM customers AS c(id, email, name, note) WHERE id = 7",
]


@pytest.mark.parametrize("query", MASKED_STILL)
async def test_other_columns_under_its_name_stay_masked(office: Site, query: LiteralString) -> None:
    async with await office.connect(Read()) as connection:
        await unmask(office, EMAIL)
        rows = await (await connection.execute(query)).fetchall()
        assert "Customer 7" not in str(rows)


async def test_errors_copy_and_cursors_from_before(office: Site) -> None:
    async with await office.connect(Read()) as connection:
        await connection.execute("BEGIN")
        await connection.execute("DECLARE c CURSOR FOR SELECT email FROM customers ORDER BY id")
        assert await one(connection, "FETCH 1 FROM c") == MASKED
        grant = await unmask(office, EMAIL)
        assert await one(connection, "FETCH 1 FROM c") == "person2@example.com"
        await office.desk.done(grant, DANA.id)
        await office.book.refresh()
        assert await one(connection, "FETCH 1 FROM c") == MASKED
        await connection.execute("ROLLBACK")
        await unmask(office, EMAIL)
        with pytest.raises(psycopg.DataError) as failed:
            await connection.execute("SELECT email::int FROM customers WHERE id = 7")
        assert "person7" not in str(failed.value)
        cursor = connection.cursor()
        async with cursor.copy("COPY (SELECT email FROM customers WHERE id = 7) TO STDOUT") as copy:
            assert b"person7" not in b"".join([bytes(piece) async for piece in copy])


async def test_an_agent_a_command_and_another_person_see_none_of_it(office: Site) -> None:
    await unmask(office, EMAIL)
    with pytest.raises(Invalid, match="agent"):
        await unmask(office, EMAIL, agent=Agent("claude"))
    options = await office.access(Read(), agent=Agent("claude"))
    async with await psycopg.AsyncConnection.connect(**options, autocommit=True) as connection:  # type: ignore[arg-type]
        assert await one(connection, QUERY) == MASKED
    async with await office.connect(Read()) as connection:
        assert await one(connection, QUERY) == CLEAR
    grants = office.gateway.ports.grants
    only = next(g for g in await office.store.read(lambda tx: tx.grants()) if isinstance(g.scope, Read))
    assert [type(g.scope) for g in grants.of(Actor(DANA.id), "prod-db", session=None, only=None)] == [Read]
    assert [g.id for g in grants.of(Actor(DANA.id), "prod-db", session=None, only=only.id)] == [only.id]


async def test_its_share_of_rows(office: Site) -> None:
    said: list[str] = []
    async with await office.connect(Read()) as connection:
        await unmask(office, EMAIL)
        connection.add_notice_handler(lambda notice: said.append(notice.message_primary or ""))
        rows = await (await connection.execute("SELECT email FROM customers ORDER BY id")).fetchall()
        assert [row[0] for row in rows[:25]] == [f"person{n}@example.com" for n in range(1, 26)]
        assert {row[0] for row in rows[25:]} == {MASKED}
        assert await one(connection, QUERY) == MASKED
    assert said == ["this session has shown the 25 rows of clear values it may show; the rest is masked"]


async def test_a_copy_of_clear_values_into_another_column_is_a_danger_as_ever(office: Site) -> None:
    async with await office.connect() as connection:
        await unmask(office, EMAIL)
        assert isinstance((await office.store.read(lambda tx: tx.grants()))[0].scope, Unmask)
        await connection.execute("SET statement_timeout = '1s'")
        with pytest.raises(psycopg.Error):
            await connection.execute("UPDATE customers SET note = email WHERE id = 7")


async def test_a_rule_that_keeps_a_column_for_some_people(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path
) -> None:
    mask = MaskPolicy(
        columns=(ColumnRule("customers.email", "email", Strategy.KEEP, Audience(groups=("support",))), *MASK.columns)
    )
    people = [replace(one, groups=frozenset({"support"})) if one.id == DANA.id else one for one in EVERYBODY]
    async with open_site(postgres, shop, tmp_path, mask=mask) as site:
        directory = site.gateway.ports.directory
        assert isinstance(directory, StaticDirectory)
        directory.replace(people, GROUPS)
        async with await site.connect(Read()) as connection:
            assert await one(connection, "SELECT email, name FROM customers WHERE id = 7") == (CLEAR, MASKED)
            assert await one(connection, "SELECT lower(email) FROM customers WHERE id = 7") == CLEAR
            directory.replace(EVERYBODY, GROUPS)
            site.gateway.sessions[next(iter(site.gateway.sessions))].tick()
            assert await one(connection, QUERY) == MASKED
        await site.gone()
        assert "person7" not in str(await site.recorded())
        options = await site.access(Read(), agent=Agent("claude"))
        async with await psycopg.AsyncConnection.connect(**options, autocommit=True) as connection:  # type: ignore[arg-type]
            assert await one(connection, QUERY) == MASKED
