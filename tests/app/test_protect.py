"""`hoop scan` and `hoop doctor` against a real server."""

from __future__ import annotations

import contextlib
import io
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from app.__main__ import main
from app.embedded_postgres import EmbeddedPostgres
from tests.patience import STARTED

pytestmark = pytest.mark.wire

ROOT = Path(__file__).parents[2]
PEOPLE = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov", "Donald Knuth")
SCHEMA = """
CREATE TABLE customers (id int PRIMARY KEY, label text, "Kontakt Mail" text, tel text, plan text, note text, born date,
  passport_no text, national text);
CREATE TABLE orders (id int PRIMARY KEY, customer int, "number" text, total numeric, internal uuid DEFAULT gen_random_uuid(),
  paid numeric(20,2), reference bigint);
CREATE VIEW mails AS SELECT "Kontakt Mail" AS m FROM customers;
CREATE FUNCTION all_mails() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT "Kontakt Mail" FROM customers';
"""


def card(index: int) -> int:
    """The test card number with this many added before its Luhn digit."""
    body = 411111111111111 + index
    doubled = [int(d) * 2 if i % 2 == 0 else int(d) for i, d in enumerate(reversed(str(body)))]
    return body * 10 + -sum(d // 10 + d % 10 for d in doubled) % 10


@pytest.fixture
def home(postgres: EmbeddedPostgres, postgres_database: str, tmp_path: Path) -> Iterator[Path]:
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(SCHEMA)
        for index in range(60):
            person = PEOPLE[index % 6]
            connection.execute(
                "INSERT INTO customers VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (index, f"{person} {'abcdefghij'[index // 6]}", f"p{index}@example.org", f"+49 30 {9000000 + index}",
                 ("gold", "free")[index % 2], "write to p@example.org" if index % 9 == 0 else "called, no answer",
                 "1980-01-02", f"C01X{index:05}", "536-90-4399"),
            )  # fmt: skip
            connection.execute(
                "INSERT INTO orders (id, customer, number, total, paid, reference) VALUES (%s, %s, %s, 9.5, %s, %s)",
                (index, index, f"ORD-{400000000 + index}", card(index), 4000000000000000 + index),
            )
        database = connection.info.dbname
    (tmp_path / "upstream.password").write_text(postgres.password)
    (tmp_path / "hoop.yaml").write_text(
        f"""
people: [{{wire_name: ann, name: Ann}}, {{wire_name: dana, name: Dana}}]
groups: {{dba: [ann]}}
listeners: {{postgres: {{port: {free_port()}}}, web: {{port: {free_port()}}}}}
resources:
  - name: shop
    approvers: [dba]
    upstream: {{host: {postgres.host}, port: {postgres.port}, user: {postgres.user}, database: {database},
      password: "file:upstream.password"}}
masking:
  columns: [{{columns: [customers.tel], entity: phone}}]
"""
    )
    hoop(tmp_path, "keygen", str(tmp_path / "hoop.key"))
    hoop(tmp_path, "db", "upgrade")
    yield tmp_path
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        if admin.execute("SELECT FROM pg_roles WHERE rolname = 'hoop_reader_test'").fetchone() is not None:
            admin.execute("DROP OWNED BY hoop_reader_test")
            admin.execute("DROP ROLE hoop_reader_test")


def hoop(home: Path, *arguments: str) -> tuple[int, str]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        status = main(["--config", str(home / "hoop.yaml"), *arguments])
    assert "unexpected" not in printed.getvalue(), printed.getvalue()
    return status, printed.getvalue()


@pytest.fixture
def served(home: Path) -> Iterator[Path]:
    """With the gateway running."""
    port = yaml.safe_load((home / "hoop.yaml").read_text())["listeners"]["postgres"]["port"]
    command = [sys.executable, "-m", "app", "--config", str(home / "hoop.yaml"), "serve", "--only", "proxy"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    deadline = time.monotonic() + STARTED
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
            break
        time.sleep(0.05)
    yield home
    process.terminate()
    assert process.wait(STARTED) == 0, (home / "log").read_text()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_scan_finds_columns_shows_no_value_and_is_recorded(served: Path, postgres_database: str):
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute("CREATE MATERIALIZED VIEW never AS SELECT id FROM orders WITH NO DATA")
    code, out = hoop(served, "scan", "shop", "--as", "ann")
    assert code == 0
    lines = {line.split("  ")[0]: line for line in out.splitlines() if line.startswith("public.")}
    assert "email" in lines["public.customers.Kontakt Mail"] and "no rule" in lines["public.customers.Kontakt Mail"]
    assert "a rule" in lines["public.customers.tel"]
    assert "person" in lines["public.customers.label"]
    assert "birth_date" in lines["public.customers.born"]
    assert "ssn" in lines["public.customers.national"]
    assert "detectors" in lines["public.customers.note"] and "inside" in lines["public.customers.note"]
    assert not any(
        column in lines
        for column in (
            "public.customers.plan",
            *(f"public.orders.{one}" for one in ("number", "internal", "total", "reference")),
        )
    )
    assert "check digit of 60 of 60" in lines["public.orders.paid"] and "no rule" in lines["public.orders.paid"]
    for value in (str(card(7)), "Ada", "Hopper", "example.org", "9000001", "536-90", "C01X"):
        assert value not in out
    assert '+    - {columns: ["public.customers.Kontakt Mail"], entity: email, strategy: shape}' in out
    assert "customers.tel]" not in out
    assert "Could not be sampled" in out and "public.never (its sample failed (55000))" in out
    # It went through the gateway: a session with its statements, under a grant that is over.
    _, events = hoop(served, "ledger", "events")
    assert "personal data" in events and "Ada" not in events and "hoop scan" in events
    _, sessions = hoop(served, "sessions")
    assert "Ann" in sessions and "3 statements" in sessions and "no masked values" in sessions
    replay = next(served.glob("recordings/*/*")).read_bytes()
    assert b"Ada" not in replay and b"example.org" not in replay


def test_scan_says_what_it_cannot_do(home: Path):
    assert "There is no resource nope" in hoop(home, "scan", "nope")[1]
    assert "has no database other" in hoop(home, "scan", "shop/other")[1]
    assert "--rows" in hoop(home, "scan", "shop", "--rows", "0")[1]
    assert "--as NAME" in hoop(home, "scan", "shop")[1]
    assert "dana neither owns shop nor decides on it" in hoop(home, "scan", "shop", "--as", "dana")[1]
    code, out = hoop(home, "scan", "shop", "--as", "ann")
    assert code != 0 and "`hoop serve` must be running" in out


def test_why_says_what_is_masked_and_by_which_rule(home: Path):
    def masked(statement: str) -> list[str]:
        out = hoop(home, "why", statement, "--as", "ann", "--on", "shop")[1]
        return [line.split(None, 1)[1] for line in out.splitlines() if line.startswith("  masked")]

    assert masked("SELECT id, tel AS t, upper(tel), count(tel) FROM customers GROUP BY 1, 2") == [
        "t shape: public.customers.tel, by the rule customers.tel (phone)",
        "upper redacted: computed from public.customers.tel",
    ]
    assert masked("SELECT id, plan FROM customers") == []
    assert masked("SELECT mystery(1) FROM customers") != []


def test_doctor_names_what_weakens_and_its_role_holds(home: Path, postgres: EmbeddedPostgres, postgres_database: str):
    code, out = hoop(home, "doctor", "shop", "--fix", "--role", "hoop_reader_test")
    assert code == 1
    assert "a superuser" in out and "all_mails" in out and "public.customers.tel" in out
    fix = out[out.index("BEGIN;") :]
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute(fix)
        admin.execute("ALTER ROLE hoop_reader_test PASSWORD 'held'")
    as_reader = psycopg.conninfo.make_conninfo(postgres_database, user="hoop_reader_test", password="held")
    with psycopg.connect(as_reader, autocommit=True) as reader:
        assert len(reader.execute("SELECT id, plan FROM customers").fetchall()) == 60
        assert reader.execute("SELECT tel FROM masked.customers LIMIT 1").fetchone() == ("«masked»",)
        for leaking in ("SELECT tel FROM customers", "SELECT * FROM customers", "SELECT 1 FROM customers WHERE tel > ''",
                        "SELECT c::text FROM customers c", "TABLE customers", "COPY customers TO STDOUT"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(leaking)
    text = (home / "hoop.yaml").read_text().replace(f"user: {postgres.user}", "user: hoop_reader_test")
    (home / "hoop.yaml").write_text(text)
    (home / "upstream.password").write_text("held")
    _, out = hoop(home, "doctor", "shop")
    assert "superuser" not in out and "public.customers.tel" not in out and "all_mails" in out
    with psycopg.connect(postgres_database, autocommit=True) as admin:
        admin.execute("REVOKE EXECUTE ON FUNCTION all_mails() FROM PUBLIC")
    code, out = hoop(home, "doctor", "shop")
    assert code == 0, out
    assert "can do no more" in out


def test_a_target_that_cannot_be_asked_is_said_in_its_servers_words(home: Path, postgres: EmbeddedPostgres):
    (home / "upstream.password").write_text("not this one")
    for command in (["doctor", "shop"], ["scan", "shop", "--as", "ann"]):
        code, out = hoop(home, *command)
        assert code == 1
        assert f'password authentication failed for user "{postgres.user}"' in out
        assert f"{postgres.host}:{postgres.port}/" in out and "upstream in hoop.yaml" in out
        assert "not this one" not in out
    text = (home / "hoop.yaml").read_text().replace(f"port: {postgres.port}", "port: 1")
    (home / "hoop.yaml").write_text(text)
    code, out = hoop(home, "doctor", "shop")
    assert code == 1 and "127.0.0.1:1/" in out and "Connection refused" in out
