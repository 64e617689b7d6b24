"""Cancelling: with keys of every length, and whichever of the gateways that share a port the request reaches."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from struct import pack

import asyncpg
import psycopg
import pytest

from app.embedded_postgres import EmbeddedPostgres
from proxy.house import Settings
from proxy.postgres import messages as m
from proxy.postgres.login import Upstreamed
from proxy.server import Gateway
from proxy.upstream import Dialling
from tests.patience import SOON
from tests.wire.site import Site, open_site


@pytest.mark.parametrize("version", ["3.0", "3.2", "latest"])
async def test_libpq_of_every_version_cancels(site: Site, version: str):
    options = await site.access()
    connection = await psycopg.AsyncConnection.connect(**options, max_protocol_version=version, autocommit=True)  # type: ignore[arg-type]
    async with connection:
        [key] = site.gateway.keys
        assert len(key[1]) == (4 if version == "3.0" else 32)
        assert key[0] == connection.pgconn.backend_pid
        running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.2)
        await connection.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await running


async def test_who_cancels_waits_until_the_server_was_told(site: Site, monkeypatch: pytest.MonkeyPatch):
    """Otherwise the cancel could hit what the client sends next."""
    told = Dialling.cancel

    async def late(dialling: Dialling, session: Upstreamed) -> None:
        await asyncio.sleep(0.3)
        await told(dialling, session)

    monkeypatch.setattr(Dialling, "cancel", late)
    async with await site.connect() as connection:
        running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(0.2)"))
        await asyncio.sleep(0.05)
        await connection.cancel_safe()
        await running  # it was over before the server heard of the cancel
        assert await (await connection.execute("SELECT pg_sleep(0.5), 7")).fetchone() == ("", 7)


async def test_the_process_id_is_the_servers_and_the_secret_is_not(site: Site):
    async with await site.connect() as connection:
        row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
        assert row == (connection.pgconn.backend_pid,)
        [(process, secret)] = site.gateway.keys
        [session] = site.gateway.sessions.values()
        assert process == session.upstream.session.process
        assert secret != session.upstream.session.secret


async def test_two_gateways_on_one_port_hear_each_others_cancels(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The system hands the request to either; clients that connect often enough have sessions in both."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(port=port, reuse_port=True, siblings=tmp_path / "s")
    handed: list[tuple[int, bytes]] = []
    placed = Gateway._cancel_here

    def place(gateway: Gateway, process: int, secret: bytes) -> bool:
        found = placed(gateway, process, secret)
        if not found:
            handed.append((process, secret))
        return found

    monkeypatch.setattr(Gateway, "_cancel_here", place)
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(open_site(postgres, shop, tmp_path / "1", settings=settings))
        two = await stack.enter_async_context(
            open_site(postgres, shop, tmp_path / "2", settings=replace(settings, node="other"))
        )
        # The other knows the same people, grants and credentials, as processes on one store do.
        two.gateway.ports = replace(
            one.gateway.ports, recordings=two.gateway.ports.recordings, log=two.gateway.ports.log
        )
        options = await one.access()
        connections = [
            await stack.enter_async_context(
                await psycopg.AsyncConnection.connect(**options, autocommit=True)  # type: ignore[arg-type]
            )
            for _ in range(12)
        ]
        assert one.gateway.sessions and two.gateway.sessions
        for connection in connections:
            running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(30)"))
            await asyncio.sleep(0.03)
            await connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                await asyncio.wait_for(running, SOON)
        assert handed  # some of them went to the wrong one first
        assert await (await connections[0].execute("SELECT 1")).fetchone() == (1,)


async def test_a_wrong_key_reaches_nobody_through_a_sibling(postgres: EmbeddedPostgres, shop: str, tmp_path: Path):
    async with (
        open_site(postgres, shop, tmp_path / "1", settings=Settings(siblings=tmp_path / "s")) as one,
        open_site(postgres, shop, tmp_path / "2", settings=Settings(siblings=tmp_path / "s")) as two,
        await one.connect() as connection,
    ):
        running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(0.5), 7"))
        await asyncio.sleep(0.1)
        [(process, secret)] = one.gateway.keys
        for wrong in (b"\0" * 4, secret[:3], secret + b"\0", secret[::-1]):
            _, writer = await asyncio.open_connection("127.0.0.1", two.gateway.port)
            writer.write(m.special_request(m.CANCEL_REQUEST, pack(">i", process) + wrong))
            await writer.drain()
            writer.close()
        assert await (await running).fetchone() == ("", 7)


async def test_asyncpg_compares_process_ids_and_cancels_by_a_sibling(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path
):
    async with (
        open_site(postgres, shop, tmp_path / "1", settings=Settings(siblings=tmp_path / "s")) as one,
        open_site(postgres, shop, tmp_path / "2", settings=Settings(siblings=tmp_path / "s")) as two,
    ):
        options = await one.access()
        connection = await asyncpg.connect(
            host="127.0.0.1", port=one.gateway.port, user=options["user"], password=options["password"],
            database="prod-db",
        )  # fmt: skip
        assert await connection.fetchval("SELECT pg_backend_pid()") == connection.get_server_pid()
        connection._addr = ("127.0.0.1", two.gateway.port)
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch("SELECT pg_sleep(30)", timeout=0.3)
        assert await asyncio.wait_for(connection.fetchval("SELECT 1"), 3) == 1
        await connection.close()
