from __future__ import annotations

import pytest

from access.scopes import Level
from proxy.sql.judged import SqlSession
from proxy.sql.settings import Answer, change, milliseconds, parse_bool, readable

READER = SqlSession(role="app", level=Level.READ)
WRITER = SqlSession(role="app", level=Level.WRITE)


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("client_encoding", "utf-8", Answer.FREE),
        ("client_encoding", "'utf-8'", Answer.FREE),
        ("client_encoding", "UNICODE", Answer.FREE),
        ("client_encoding", None, Answer.FREE),
        ("client_encoding", "utf8mb4", Answer.REFUSED),
        ("client_encoding", "SQL_ASCII", Answer.REFUSED),
        ("standard_conforming_strings", "ON", Answer.FREE),
        ("standard_conforming_strings", "t", Answer.FREE),
        ("standard_conforming_strings", "0", Answer.REFUSED),
        ("standard_conforming_strings", "", Answer.REFUSED),
        ("backslash_quote", "safe_encoding", Answer.FREE),
        ("backslash_quote", "on", Answer.REFUSED),
        ("role", "none", Answer.FREE),
        ("role", "app", Answer.FREE),
        ("role", "APP", Answer.REFUSED),
        ("role", "postgres", Answer.REFUSED),
        ("session_authorization", "app", Answer.FREE),
        ("session_authorization", "none", Answer.REFUSED),
        ("search_path", "crm, public", Answer.TRACKED),
        ("search_path", "public, pg_temp", Answer.TRACKED),
        ("search_path", "pg_temp", Answer.REFUSED),
        ("search_path", '"pg_temp", public', Answer.REFUSED),
        ("search_path", "PG_TEMP, public", Answer.REFUSED),
        ("search_path", "public, pg_temp_3", Answer.REFUSED),
        ("search_path", "pg_toast", Answer.REFUSED),
        ("search_path", 'a"b', Answer.REFUSED),
        ("timezone", "UTC", Answer.TRACKED),
        ("work_mem", "1GB", Answer.FREE),
        ("enable_something_new", "off", Answer.FREE),
        ("client_connection_check_interval", "0", Answer.ADMIN),
        ("session_replication_role", "replica", Answer.ADMIN),
        ("my.setting", "x", Answer.ADMIN),
        ("no_such_setting", "x", Answer.ADMIN),
        ("default_transaction_read_only", "on", Answer.FREE),
        ("default_transaction_read_only", None, Answer.FREE),
        ("default_transaction_read_only", "off", Answer.ADMIN),
        ("default_transaction_read_only", "nonsense", Answer.ADMIN),
        ("transaction_read_only", None, Answer.ADMIN),
        ("transaction_read_only", "f", Answer.ADMIN),
        ("statement_timeout", "0", Answer.FREE),
    ],
)
def test_changes_under_a_read_grant(name: str, value: str | None, answer: Answer) -> None:
    found, why = change(name, value, READER)
    assert found is answer
    assert bool(why) is (answer in {Answer.ADMIN, Answer.REFUSED})


def test_a_write_grant_may_leave_read_only() -> None:
    assert change("default_transaction_read_only", "off", WRITER)[0] is Answer.FREE


@pytest.mark.parametrize(
    ("value", "allowed"), [("5s", True), ("10000", True), ("10s", True), ("11s", False), ("0", False), ("1h", False), ("x", False), ("-1", False), (None, True)]
)  # fmt: skip
def test_a_timeout_only_goes_down_from_its_ceiling(value: str | None, allowed: bool) -> None:
    session = SqlSession(timeouts={"statement_timeout": 10_000})
    assert (change("statement_timeout", value, session)[0] is Answer.FREE) is allowed


def test_the_owner_may_free_a_setting() -> None:
    session = SqlSession(free_settings=frozenset({"my.setting"}))
    assert change("my.setting", "x", session)[0] is Answer.FREE


@pytest.mark.parametrize(
    ("text", "expected"),
    [("on", True), ("TRUE", True), ("tr", True), ("y", True), ("1", True), ("off", False), ("of", False), ("n", False), ("0", False),
     ("o", None), ("", None), ("2", None), ("onn", None), (" yes ", True)],
)  # fmt: skip
def test_booleans_as_the_server_reads_them(text: str, expected: bool | None) -> None:
    assert parse_bool(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("100", 100), ("1s", 1000), ("1.5 s", 1500), ("2min", 120_000), ("1h", 3_600_000), ("1d", 86_400_000), ("500us", 0.5), ("5 weeks", None), ("", None)],
)  # fmt: skip
def test_times_as_the_server_reads_them(text: str, expected: float | None) -> None:
    assert milliseconds(text) == expected


@pytest.mark.parametrize(
    ("name", "shown"),
    [("work_mem", True), ("server_version", True), ("primary_conninfo", False), ("app.secret", False), ("plpgsql.variable_conflict", True), ("hnsw.ef_search", True)],
)  # fmt: skip
def test_settings_that_may_hold_secrets_are_not_shown(name: str, shown: bool) -> None:
    assert (readable(name) == "") is shown
