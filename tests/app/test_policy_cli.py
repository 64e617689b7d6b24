"""`hoop why` and `hoop simulate`, on a real store and in front of a real server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from access.actors import Actor, Person, PersonId
from access.explain import Understood
from access.ids import CredentialId, SessionId
from access.masking import declare_masked
from access.policy import Action, Policy, Rule
from access.requests import Session
from access.resources import Protocol, Resource, Upstream
from access.scopes import Level
from access.statements import Effect, Flag, Statement
from app.__main__ import main
from app.cli_ledger import recordings
from app.cli_setup import load_or_explain
from app.core import open_core
from app.embedded_postgres import EmbeddedPostgres
from app.simulation import Seen, level_behind, recorded_action, report, simulate
from proxy.recording import Kind, record

CONFIG = """
people: [{{wire_name: ann, name: Ann}}, {{wire_name: dana, name: Dana}}, {{wire_name: pia, name: Pia}}]
groups: {{dba: [ann], platform: [pia]}}
resources:
  - name: shop
    approvers: [dba]
    upstream: {{host: {host}, port: {port}, user: {user}, database: {database}, password: "file:upstream.password"}}
policy:
  max_rows: 20
  rules:
    - {{name: items-stay, then: deny, tables: [items], max_rows: 5}}
    - {{name: orders-four-eyes, then: hold, tables: [orders], effects: [write], approvers: [platform]}}
    {more}
"""


@pytest.fixture
def home(postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path) -> Path:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE orders (id int PRIMARY KEY);"
            "CREATE TABLE items (id int PRIMARY KEY, o int REFERENCES orders ON DELETE CASCADE)"
        )
        database = connection.info.dbname
    (tmp_path / "upstream.password").write_text(postgres.password)
    where = {"host": postgres.host, "port": postgres.port, "user": postgres.user, "database": database}
    stricter = (
        "- {name: reads-are-bounded, then: hold, flags: [unbounded_read]}\n"
        "    - {name: items-are-for-ever, then: deny, tables: [items], effects: [write]}"
    )
    (tmp_path / "hoop.yaml").write_text(CONFIG.format(more="", **where))
    (tmp_path / "new.yaml").write_text(CONFIG.format(more=stricter, **where))
    assert _hoop(tmp_path, "keygen", str(tmp_path / "hoop.key")) == 0
    assert _hoop(tmp_path, "db", "upgrade") == 0
    return tmp_path


def _hoop(home: Path, *arguments: str) -> int:
    return main(["--config", str(home / "hoop.yaml"), *arguments])


def test_why_says_what_and_who(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    delete = "DELETE FROM orders WHERE id = 7"
    assert _hoop(home, "why", delete, "--as", "dana", "--on", "shop") == 1
    said, err = capsys.readouterr()
    assert said.startswith("REFUSED: No live grant on shop."), err
    for line in (
        "changes     public.orders, public.items",
        "flags       cascade",
        "spoke       orders-four-eyes (hold)",
        "row budget  at most 5 rows updated or deleted of items (items-stay)",
        "row budget  at most 20 rows updated or deleted (row-budget)",
        "with write  held (orders-four-eyes)",
    ):
        assert line in said, said
    assert _hoop(home, "grant", "dana", "shop", "--scope", "write", "--for", "1h", "--reason", "test") == 0
    capsys.readouterr()
    assert _hoop(home, "why", delete, "--as", "dana", "--on", "shop") == 0
    said = capsys.readouterr().out
    assert said.startswith("HELD: The rule orders-four-eyes wants this approved first.")
    assert "approve     Pia" in said and "access now  write" in said
    assert _hoop(home, "why", "SELECT 1; SELECT * FROM items", "--as", "dana", "--on", "shop") == 0
    said = capsys.readouterr().out
    assert said.startswith("RUNS") and "unbounded_read" in said
    assert _hoop(home, "why", "SELEC", "--as", "dana", "--on", "shop") == 1
    assert "syntax" in capsys.readouterr().out.lower()
    assert _hoop(home, "why", "SELECT 1", "--as", "nobody", "--on", "shop") == 1
    assert "nobody's wire name" in capsys.readouterr().err


async def _record(home: Path) -> None:
    async with open_core(load_or_explain(home / "hoop.yaml")) as core:
        now = core.clock.now()
        person = core.directory.by_name("dana")
        assert person is not None
        session = Session(
            SessionId("ses_00000000aaaa"), CredentialId("crd_00000000aaaa"), Actor(person.id), "shop", "shop", "postgres",
            "node", "127.0.0.1", "psql", now - timedelta(hours=2), now - timedelta(hours=1),
        )  # fmt: skip
        shelf = recordings(core)
        await shelf.start()
        recording = shelf.open(session)
        at = int((now - timedelta(hours=1)).timestamp() * 1000)
        texts = [
            ("SELECT * FROM items", "read", "allow", "read-scope"),
            ("SELECT * FROM items", "read", "allow", "read-scope"),
            ("SELECT * FROM items LIMIT 5", "read", "allow", "read-scope"),
            ("DROP TABLE items", "ddl", "deny", "read-scope-ddl"),
            ("SELECT 1", "read", "deny", "no-grant"),
            ("UPDATE orders SET id = id WHERE id = 1", "write", "allow", "approved-once"),
            ("DELETE FROM items WHERE id = 1", "write", "allow", "approved-once"),
        ]
        for number, (text, effect, verdict, rule) in enumerate(texts, 1):
            data = {"text": text, "effects": [effect], "verdict": verdict, "rule": rule, "request": ""}
            recording.write(record(Kind.STATEMENT, at + number, number, data))
        await recording.close()
        await shelf.close()
        await core.store.transact(lambda tx: tx.insert_session(replace(session, closed_at=now)))


def test_simulate_lists_what_would_change(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asyncio.run(_record(home))
    assert _hoop(home, "simulate", "--since", "1d") == 0
    assert capsys.readouterr().out.startswith("Nothing would change for 7 recorded statements.")
    assert _hoop(home, "simulate", "--since", "1d", "--config", str(home / "new.yaml")) == 0
    said = capsys.readouterr().out
    assert "3 of 7 recorded statements would be treated otherwise" in said
    assert "held, then approved → refused  1 × DELETE on public.items (shop, 1 person)" in said
    assert "runs → held  2 × SELECT on public.items (shop, 1 person)" in said
    assert "rule reads-are-bounded" in said and "SELECT * FROM items" in said
    assert _hoop(home, "simulate", "--since", "1s") == 0
    assert "0 recorded statements" in capsys.readouterr().out
    assert _hoop(home, "simulate", "--since", "yesterday") == 1


DB = Resource("shop", Protocol.POSTGRES, Upstream("h", 1, "u", "d"))
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def _seen(before: Action, rule: str, *flags: Flag, level: Level = Level.READ, approved: bool = False) -> Seen:
    one = Statement("postgres", "", frozenset({Effect.READ}), ("SELECT",), ("public.t",), flags=frozenset(flags))
    person = Person(PersonId("directory|dana"), "Dana", "dana")
    return Seen(person, DB, NOW, Understood(declare_masked("SELECT x"), (one,)), before, rule, level, approved)


def test_only_what_the_policy_decides_is_compared() -> None:
    bounded = Policy(
        rules=(
            Rule("bounded", Action.HOLD, flags=frozenset({Flag.UNBOUNDED_READ})),
            Rule("no-locks", Action.DENY, flags=frozenset({Flag.LOCK})),
        )
    )
    cases = [
        (_seen(Action.ALLOW, "read-scope", Flag.UNBOUNDED_READ), 1),
        (_seen(Action.HOLD, "bounded", Flag.UNBOUNDED_READ), 0),
        (_seen(Action.HOLD, "bounded"), 1),
        (_seen(Action.DENY, "masking"), 0),
        (_seen(Action.DENY, "no-grant", level=Level.NONE), 0),
        # What people approved would be approved again; it may not need them any more, or nobody can approve it.
        (_seen(Action.HOLD, "approved-once", Flag.UNBOUNDED_READ, approved=True), 0),
        (_seen(Action.HOLD, "approved-once", Flag.UNBOUNDED_READ, level=Level.NONE, approved=True), 0),
        (_seen(Action.HOLD, "approved-once", approved=True), 1),
        (_seen(Action.HOLD, "approved-once", Flag.LOCK, approved=True), 1),
        (_seen(Action.HOLD, "approved-once", Flag.LOCK, level=Level.NONE, approved=True), 1),
    ]
    for seen, changes in cases:
        assert len(simulate(bounded, [seen])) == changes
    assert report([], 3) == ["Nothing would change for 3 recorded statements."]


def test_what_was_recorded_is_read_as_it_was_judged() -> None:
    assert recorded_action("allow", "req_1", "write-scope-danger", held=False) is Action.HOLD
    assert recorded_action("allow", "", "approved-once", held=False) is Action.HOLD
    assert recorded_action("deny", "", "", held=True) is Action.HOLD
    assert recorded_action("deny", "", "", held=False) is Action.DENY
    assert recorded_action("", "", "", held=False) is None
    assert level_behind("write-scope-danger", [Level.READ]) is Level.WRITE
    assert level_behind("own-rule", [Level.READ, Level.WRITE]) is Level.WRITE
    assert level_behind("own-rule", []) is Level.NONE
