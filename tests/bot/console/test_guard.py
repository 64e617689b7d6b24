from __future__ import annotations

from datetime import timedelta

import pytest

from bot.console.guard import (
    BODY_LIMIT,
    PROXY_HEADERS,
    Limiter,
    Origins,
    Refused,
    check_csrf,
    csrf_token,
    is_direct_loopback,
    is_loopback_address,
    is_loopback_host,
    security_headers,
    text_of,
)
from tests.fakes.clock import ManualClock

PUBLIC = Origins("https://hoop.example", frozenset({"other.example:8443"}))
LOCAL = Origins("http://127.0.0.1:8080", demo=True)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8080", True),
        ("127.3.2.1:1", True),
        ("localhost", True),
        ("LocalHost:99", True),
        ("[::1]", True),
        ("[::1]:8080", True),
        ("", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example:127", False),
        ("evil@127.0.0.1", False),
        ("127.0.0.1:8080@evil.example", False),
        ("127.0.0.1:x", False),
        ("127.0.0.1:", False),
        ("[::1", False),
        ("[::1]evil", False),
        ("[::1]:x", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("2130706433", False),
        ("0x7f.1", False),
        ("127.1", False),
        ("localhost ", False),
        ("localhost\t", False),
    ],
)
def test_loopback_hosts(host: str, loopback: bool) -> None:
    assert is_loopback_host(host) is loopback


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("192.168.1.4", False),
        ("::ffff:10.0.0.1", False),
        ("localhost", False),
    ],
)
def test_loopback_addresses(address: str, loopback: bool) -> None:
    assert is_loopback_address(address) is loopback


@pytest.mark.parametrize("header", PROXY_HEADERS)
def test_behind_a_proxy_nobody_is_local(header: str) -> None:
    assert is_direct_loopback("127.0.0.1", "localhost:80", {})
    assert not is_direct_loopback("127.0.0.1", "localhost:80", {header: "1.2.3.4"})


@pytest.mark.parametrize(
    ("origins", "host", "known"),
    [
        (PUBLIC, "hoop.example", True),
        (PUBLIC, "HOOP.example", True),
        (PUBLIC, "other.example:8443", True),
        (PUBLIC, "hoop.example:443", False),
        (PUBLIC, "localhost", False),
        (PUBLIC, "evil.example", False),
        (PUBLIC, "", False),
        (LOCAL, "127.0.0.1:8080", True),
        (LOCAL, "localhost:8080", True),
        (LOCAL, "evil.example:8080", False),
        (Origins("https://hoop.example", demo=True), "localhost:1", True),
    ],
)
def test_only_our_own_names_are_answered(origins: Origins, host: str, known: bool) -> None:
    assert origins.knows(host) is known


@pytest.mark.parametrize(
    ("origins", "origin", "host", "own"),
    [
        (PUBLIC, "https://hoop.example", "hoop.example", True),
        (PUBLIC, "http://hoop.example", "hoop.example", False),
        (PUBLIC, "https://hoop.example:8443", "hoop.example", False),
        (PUBLIC, "https://other.example:8443", "other.example:8443", True),
        (PUBLIC, "https://other.example:8443", "hoop.example", False),
        (PUBLIC, "", "hoop.example", False),
        (PUBLIC, "null", "hoop.example", False),
        (LOCAL, "http://localhost:8080", "localhost:8080", True),
        (LOCAL, "http://localhost:8080", "127.0.0.1:8080", False),
        (LOCAL, "https://localhost:8080", "localhost:8080", False),
        (Origins("https://hoop.example", demo=True), "http://localhost:1", "localhost:1", True),
    ],
)
def test_a_post_comes_from_the_very_page(origins: Origins, origin: str, host: str, own: bool) -> None:
    assert origins.own(origin, host) is own


def test_a_token_is_bound_to_session_and_person() -> None:
    token = csrf_token("session", "ann")
    check_csrf(token, "session", "ann")
    for given, session, person in (
        (token, "other", "ann"),
        (token, "session", "bob"),
        (token, "", "ann"),
        (csrf_token("", "ann"), "", "ann"),
        ("", "session", "ann"),
        (token[:-1], "session", "ann"),
    ):
        with pytest.raises(Refused) as refused:
            check_csrf(given, session, person)
        assert refused.value.status == 403


def test_headers_allow_no_foreign_and_no_inline_code() -> None:
    policy = security_headers()["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert "'wasm-unsafe-eval'" in security_headers(player=True)["Content-Security-Policy"]
    assert security_headers()["Cache-Control"] == "no-store"
    assert "Cache-Control" not in security_headers(private=False)


@pytest.mark.parametrize(
    ("value", "status"), [(7, 400), (None, 400), (["x"], 400), ("x" * 11, 413), ("\ud800", 400), (True, 400)]
)
def test_text_is_text(value: object, status: int) -> None:
    with pytest.raises(Refused) as refused:
        text_of({"name": value}, "name", 10)
    assert refused.value.status == status


def test_missing_text_is_empty() -> None:
    assert text_of({}, "name", 10) == ""


def test_the_limiter_counts_per_key_in_a_sliding_window(clock: ManualClock) -> None:
    limiter = Limiter(clock, 2, timedelta(seconds=10))
    limiter.check("a")
    clock.advance(6)
    limiter.check("a")
    limiter.check("b")
    with pytest.raises(Refused) as refused:
        limiter.check("a")
    assert refused.value.status == 429
    clock.advance(4)
    limiter.check("a")
    assert limiter.full("a")
    clock.advance(10)
    assert not limiter.full("a")


def test_the_limiter_is_bounded_and_forgets_the_least_recent(clock: ManualClock) -> None:
    limiter = Limiter(clock, 1, timedelta(seconds=10), keys=2)
    for key in "abc":
        limiter.hit(key)
    assert [key for key in "abc" if limiter.full(key)] == ["b", "c"]


def test_a_body_has_room_for_the_longest_command() -> None:
    assert BODY_LIMIT >= 4 * 40_000
