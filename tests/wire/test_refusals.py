"""Every kind of refusal: its SQLSTATE, what would be allowed, what to do next, no routine field, one event with its rule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from access.policy import Action, Policy, Rule
from access.scopes import Admin, Read, Scope, Write
from access.statements import Effect, Flag
from app.embedded_postgres import EmbeddedPostgres
from proxy.postgres import messages as m
from proxy.postgres.frames import Splitter
from proxy.postgres.login import Login
from tests.wire.site import Site, open_site

POLICY = Policy(
    hold_seconds=0,
    hold_in_transaction=0,
    max_rows=3,
    rules=(
        Rule("no-notes", Action.DENY, "Nobody reads notes.", tables=("numbers",)),
        Rule("no-drop", Action.DENY, flags=frozenset({Flag.DROP})),
        Rule(
            "four-eyes",
            Action.HOLD,
            "Orders need a second pair of eyes.",
            tables=("orders",),
            effects=frozenset({Effect.WRITE}),
        ),
    ),
)
MASK = MaskPolicy(columns=(ColumnRule("customers.email", "email", Strategy.REDACT),), entities={})
LONG = "SELECT '" + "x" * 300_000 + "'"

CASES: list[tuple[str, Scope, str, str]] = [
    ("no-notes", Read(), "SELECT * FROM numbers", "42501"),
    ("no-drop", Admin(), "DROP TABLE scratch", "42501"),
    ("read-scope-ddl", Read(), "CREATE TABLE x (a int)", "42501"),
    ("read-scope-danger", Read(), "DELETE FROM scratch", "42501"),
    ("write-scope-admin", Write(), "CREATE ROLE x", "42501"),
    ("read-scope-write", Read(), "DELETE FROM scratch WHERE id = 1", "42501"),
    ("four-eyes", Write(), "DELETE FROM orders WHERE id = 1", "42501"),
    ("write-scope-danger", Write(), "TRUNCATE scratch", "42501"),
    ("not-understood", Read(), "SELEC 1", "42501"),
    ("not-understood", Read(), "PREPARE TRANSACTION 'x'", "42501"),
    ("read-scope-opaque", Read(), "DO $$ BEGIN END $$", "42501"),
    ("row-budget", Write(), "DELETE FROM scratch WHERE id BETWEEN 1 AND 9", "42501"),
    ("wire", Write(), "UPDATE customers SET note = '«masked»' WHERE id = 1", "42501"),
    ("too-long", Read(), LONG, "54000"),
]


@pytest.fixture
async def site(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, shop, tmp_path, policy=POLICY, mask=MASK) as opened:
        yield opened


async def _refusals(site: Site) -> list[dict[str, object]]:
    events = await site.store.read(lambda tx: tx.events(limit=1000))
    return [dict(event.payload or {}) for event in events if event.kind == "statement.refused"]


async def test_every_refusal_says_what_is_allowed_and_what_next(site: Site):
    wrong, seen = [], 0
    for rule, scope, text, code in CASES:
        for prepare in (None, True):
            for grant in await site.store.read(lambda tx: tx.grants(states=["active"])):
                await site.desk.revoke(grant.id, grant.actor.person, "next")
            async with await site.connect(scope) as connection:
                try:
                    await connection.execute(text, prepare=prepare)
                    wrong.append(f"{text[:50]}: ran")
                    continue
                except psycopg.Error as error:
                    told = error.diag
                assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
            events = (await _refusals(site))[seen:]
            seen += len(events)
            found = (told.sqlstate, [event["rule"] for event in events])
            complete = bool(told.message_primary and told.message_detail and told.message_hint)
            if found != (code, [rule]) or not complete or told.source_function or told.severity != "ERROR":
                wrong.append(
                    f"{text[:50]} ({prepare}): {found}, {told.message_primary} / {told.message_detail} / {told.message_hint}"
                )
    assert not wrong, "\n".join(wrong)


async def test_a_function_call_message_is_one_event_with_its_rule(site: Site):
    """Outside and inside of a transaction, for a function everybody may call in SQL: lower(text)."""
    options = await site.access()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(options["port"]))
    login = Login({"user": str(options["user"]), "database": "prod-db"}, str(options["password"]), encrypted=False)
    writer.write(login.begin())
    while not login.done:
        writer.write(login.feed(await reader.read(65536)))
    call = m.message(m.FUNCTION_CALL, bytes.fromhex("00000366 0000 0001 00000001 78 0000"))
    frames, splitter = list[bytes](), Splitter(m.BACKEND)
    writer.write(call + m.query("BEGIN") + call + m.query("ROLLBACK"))
    async with asyncio.timeout(10):
        while sum(frame[0] == m.READY for frame in frames) < 4:
            frames += splitter.feed(await reader.read(65536))
    writer.close()
    told = [m.parse_fields(frame) for frame in frames if frame[0] == m.ERROR]
    assert [(one["S"], one["C"], "R" in one) for one in told] == [("ERROR", "42501", False)] * 2
    assert all("function calls" in one["M"] and one["D"] and "SELECT function" in one["H"] for one in told)
    assert [chr(m.parse_ready(frame)) for frame in frames if frame[0] == m.READY] == ["I", "T", "E", "I"]
    assert [event["rule"] for event in await _refusals(site)] == ["wire", "wire"]
