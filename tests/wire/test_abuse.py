"""What is no client: garbage, half-open and slow connections, giants, floods, wrong keys, and a client that does not read."""

from __future__ import annotations

import asyncio
import os
import resource
import struct
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from app.embedded_postgres import EmbeddedPostgres
from proxy.house import Settings
from proxy.postgres import messages as m
from proxy.postgres.login import Login, LoginFailed
from tests.wire.conftest import MASK
from tests.wire.site import Site, open_site

HTTP = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
TLS_HELLO = bytes.fromhex("160301020001000 1fc0303".replace(" ", "")) + b"\0" * 200
GARBAGE = [HTTP, TLS_HELLO, b"\0" * 64, b"\xff" * 64, struct.pack(">I", 64 * 1024 * 1024), struct.pack(">II", 8, 12345)]

#: In seconds. How long the gateway lets a login take, but where that is tested: nothing here ends because of it.
PATIENCE = 300.0
#: What a busy machine may need for what is done at once: far less than what waits for somebody's login to time out.
AT_ONCE = 20.0


@pytest.fixture
async def site(postgres: EmbeddedPostgres, shop: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(postgres, shop, tmp_path, settings=Settings(handshake=PATIENCE), mask=MASK) as opened:
        yield opened


async def _open(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", site.gateway.port)


async def _said(reader: asyncio.StreamReader, seconds: float = AT_ONCE) -> bytes:
    async with asyncio.timeout(seconds):
        return await reader.read()


async def _usable(site: Site) -> None:
    async with await site.connect() as connection:
        assert await (await connection.execute("SELECT 1")).fetchone() == (1,)


@pytest.mark.parametrize("data", GARBAGE, ids=["http", "tls", "zeros", "ones", "64 MB packet", "unknown protocol"])
async def test_garbage_is_answered_with_an_error_and_closed(site: Site, data: bytes):
    reader, writer = await _open(site)
    writer.write(data)
    answer = await _said(reader)
    assert answer[:1] == b"E" and m.parse_fields(answer)["S"] == "FATAL"
    writer.close()
    await _usable(site)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"user": "dana", "database": "prod-db", "replication": "database"}, "replication"),
        ({"user": "dana", "database": "prod-db", "options": "-c role=postgres"}, "password authentication failed"),
        ({"user": "dana", "database": "prod-db", "options": "-B 100"}, "option"),
        ({"user": "dana", "database": "nowhere"}, "password authentication failed"),
        ({"user": "dana", "database": "prod-db/secret"}, "password authentication failed"),
        ({"database": "prod-db"}, "no PostgreSQL user"),
        ({"user": "nobody", "database": "prod-db"}, "password authentication failed"),
        ({"user": "dana", "database": "prod-db"}, "password authentication failed"),
    ],
)
async def test_startup_packets_that_go_nowhere(site: Site, parameters: dict[str, str], said: str):
    await site.access()
    reader, writer = await _open(site)
    login = Login({"user": "", **parameters}, "wrong", encrypted=False)
    body = b"".join(m.cstring(k) + m.cstring(v) for k, v in parameters.items()) + b"\0"
    writer.write(struct.pack(">Ii", len(body) + 8, m.PROTOCOL) + body)
    with pytest.raises(LoginFailed, match=said):
        while not login.done:
            writer.write(login.feed(await asyncio.wait_for(reader.read(65536), AT_ONCE)))
    writer.close()


async def test_duplicate_startup_keys_are_refused(site: Site):
    reader, writer = await _open(site)
    body = b"user\0dana\0database\0prod-db\0User\0postgres\0\0"
    writer.write(struct.pack(">Ii", len(body) + 8, m.PROTOCOL) + body)
    assert "given twice" in m.parse_fields(await _said(reader))["M"]
    writer.close()


async def test_a_role_or_a_guarded_setting_at_the_door_is_refused_after_login(site: Site):
    options = await site.access()
    for setting in ("-c role=somebody", "-c default_transaction_read_only=off", "-c standard_conforming_strings=off"):
        with pytest.raises(psycopg.OperationalError):
            await psycopg.AsyncConnection.connect(**options, options=setting)  # type: ignore[arg-type]
    fine = {"options": "-c search_path=pg_catalog -c statement_timeout=5000", "client_encoding": "utf-8"}
    async with await psycopg.AsyncConnection.connect(**options, **fine) as connection:  # type: ignore[arg-type]
        assert await (await connection.execute("SHOW search_path")).fetchone() == ("pg_catalog",)


async def test_a_connection_that_says_nothing_times_out(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(site.gateway, "settings", replace(site.gateway.settings, handshake=0.3))
    silent, half = await _open(site), await _open(site)
    half[1].write(b"\0\0\0\x50\0\x03\0\0user\0")
    for reader, writer in (silent, half):
        assert m.parse_fields(await _said(reader))["C"] == "08P01"
        writer.close()


async def test_a_slow_loris_gets_no_more_time_than_others(site: Site, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(site.gateway, "settings", replace(site.gateway.settings, handshake=0.5))
    reader, writer = await _open(site)
    packet = m.startup({"user": "dana", "database": "prod-db"})
    with pytest.raises((ConnectionError, TimeoutError, AssertionError)):
        async with asyncio.timeout(2):
            for byte in packet:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
                assert not reader.at_eof()
    writer.close()
    await _usable(site)


async def test_a_flood_of_half_open_connections_makes_room_for_who_comes_after(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path
):
    """Those who stay longest without saying who they are make room; sessions go on and people get in at once."""
    settings = Settings(connections=20, arriving=15, arriving_per_address=10, handshake=PATIENCE)
    async with open_site(postgres, shop, tmp_path, settings=settings) as site:
        options = await site.access()
        async with await psycopg.AsyncConnection.connect(**options, autocommit=True) as connection:  # type: ignore[arg-type]
            flood = [await _open(site) for _ in range(60)]
            evicted = await asyncio.gather(*(asyncio.wait_for(reader.read(), AT_ONCE) for reader, _ in flood[:50]))
            # One that was evicted before anybody looked at it hears nothing.
            assert all(said == b"" or b"53300" in said for said in evicted)
            assert sum(map(bool, evicted)) > 25
            assert not any(reader.at_eof() for reader, _ in flood[50:])
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
            async with asyncio.timeout(AT_ONCE):
                await (await psycopg.AsyncConnection.connect(**options)).close()  # type: ignore[arg-type]
            await _close(writer for _, writer in flood)


async def test_a_client_gets_in_while_others_keep_coming(postgres: EmbeddedPostgres, shop: str, tmp_path: Path):
    settings = Settings(arriving_per_address=50, handshake=PATIENCE)
    async with open_site(postgres, shop, tmp_path, settings=settings) as site:
        options, open_ones = await site.access(), list[asyncio.StreamWriter]()

        async def pour() -> None:
            while True:
                for begin in (
                    b"",
                    b"\0",
                    struct.pack(">II", 9000, m.PROTOCOL),
                    struct.pack(">II", 64 << 20, m.PROTOCOL),
                ):
                    _, writer = await _open(site)
                    writer.write(begin)
                    open_ones.append(writer)

        pouring = asyncio.ensure_future(pour())
        slowest, logins = 0.0, 0
        while logins < 5 or len(open_ones) <= 100:
            # The flood, the gateway and the client are this process: its CPU time is what they took from each other,
            # and no other program's doing.
            began = time.process_time()
            async with asyncio.timeout(AT_ONCE):
                async with await psycopg.AsyncConnection.connect(**options, autocommit=True) as connection:  # type: ignore[arg-type]
                    assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
            slowest, logins = max(slowest, time.process_time() - began), logins + 1
        pouring.cancel()
        assert slowest < 1
        await _close(open_ones)


async def _close(writers: Iterable[asyncio.StreamWriter]) -> None:
    for writer in list(writers):
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_who_finds_only_sessions_is_refused_with_a_reason(postgres: EmbeddedPostgres, shop: str, tmp_path: Path):
    async with open_site(postgres, shop, tmp_path, settings=Settings(connections=1)) as site:
        options = await site.access()
        async with await psycopg.AsyncConnection.connect(**options) as connection:  # type: ignore[arg-type]
            with pytest.raises(psycopg.OperationalError, match="too many connections to the gateway"):
                await psycopg.AsyncConnection.connect(**options)  # type: ignore[arg-type]
            await connection.execute("SELECT 1")


async def test_one_person_has_a_cap_of_their_own(postgres: EmbeddedPostgres, shop: str, tmp_path: Path):
    async with open_site(postgres, shop, tmp_path, settings=Settings(connections_per_person=2)) as site:
        options = await site.access()
        first = await psycopg.AsyncConnection.connect(**options)  # type: ignore[arg-type]
        second = await psycopg.AsyncConnection.connect(**options)  # type: ignore[arg-type]
        with pytest.raises(psycopg.OperationalError, match="too many connections of this person"):
            await psycopg.AsyncConnection.connect(**options)  # type: ignore[arg-type]
        await first.close()
        await second.close()


async def test_a_cancel_with_a_wrong_key_is_ignored(site: Site):
    async with await site.connect() as connection:
        running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(0.5)"))
        await asyncio.sleep(0.1)
        process = connection.info.backend_pid
        upstream = next(iter(site.gateway.sessions.values())).upstream.session
        assert upstream.process == process
        for key in (b"\0\0\0\0", upstream.secret, b"x" * 32):
            reader, writer = await _open(site)
            writer.write(m.special_request(m.CANCEL_REQUEST, process.to_bytes(4, "big") + key))
            assert await _said(reader) == b""
            writer.close()
        await running


async def test_long_cancel_keys_and_newer_minor_versions_are_negotiated(site: Site):
    options = await site.access()
    reader, writer = await _open(site)
    body = b"user\0dana\0database\0prod-db\0_pq_.something\0on\0\0"
    writer.write(struct.pack(">II", len(body) + 8, (3 << 16) | 2) + body)
    first = await asyncio.wait_for(reader.read(65536), AT_ONCE)
    assert first[:1] == b"v" and b"_pq_.something" in first and first[5:9] == b"\0\3\0\2"
    writer.close()
    assert options


async def test_bytes_ahead_of_the_tls_answer_are_not_believed(site: Site):
    reader, writer = await _open(site)
    writer.write(m.special_request(m.SSL_REQUEST) + m.startup({"user": "dana", "database": "prod-db"}))
    assert await _said(reader) == b""
    writer.close()


async def test_gss_is_declined_and_the_connection_goes_on(site: Site):
    reader, writer = await _open(site)
    for request in (m.GSS_REQUEST, m.SSL_REQUEST):
        writer.write(m.special_request(request))
        assert await asyncio.wait_for(reader.readexactly(1), AT_ONCE) == b"N"
    writer.write(b"x" * 8)
    assert (await _said(reader))[:1] == b"E"
    writer.close()


async def test_garbage_after_login_ends_the_session_with_a_protocol_error(site: Site):
    async with await site.connect() as connection:
        os.write(connection.fileno(), b"Q\0\0\0\x02")
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("SELECT 1")
    await site.gone()


async def test_a_client_that_does_not_read_costs_little_memory(site: Site):
    async with await site.direct() as direct:
        await direct.execute(
            "CREATE TABLE big AS SELECT g, repeat('x', 1000) AS filler FROM generate_series(1, 1000) g"
        )
    options = await site.access()
    reader, writer = await _open(site)
    login = Login({"user": str(options["user"]), "database": "prod-db"}, str(options["password"]), encrypted=False)
    writer.write(login.begin())
    while not login.done:
        writer.write(login.feed(await reader.read(65536)))
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    writer.write(m.query("SELECT filler FROM big, generate_series(1, 300) g"))  # 300 MB
    await asyncio.sleep(1.5)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 32, f"{grown:.0f} MB"
    await _usable(site)
    writer.transport.abort()
    await site.gone()


async def test_many_sessions_at_once(site: Site):
    options = await site.access()
    connections = await asyncio.gather(
        *(psycopg.AsyncConnection.connect(**options, autocommit=True) for _ in range(30))  # type: ignore[arg-type]
    )
    results = await asyncio.gather(*(c.execute("SELECT count(*) FROM customers") for c in connections))
    assert [await r.fetchone() for r in results] == [(50,)] * 30
    await asyncio.gather(*(c.close() for c in connections))
    await site.gone()
