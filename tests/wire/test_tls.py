"""Encryption on both sides: offered to clients, demanded of upstreams, never quietly dropped."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import asyncpg
import psycopg
import pytest

from access.resources import Upstream, UpstreamTls
from app.embedded_postgres import EmbeddedPostgres
from proxy.house import Settings
from proxy.postgres import messages as m
from proxy.tls import ServerTls
from proxy.upstream import Dialling, DirectDialer, UpstreamUnreachable
from proxy.wire import Lost, Wire
from tests.fakes.certificates import self_signed
from tests.wire.site import open_site

PARAMETERS = {"user": "postgres", "database": "postgres"}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    return self_signed(tmp_path / "gateway.pem")


def _server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_clients_may_encrypt_and_verify(postgres: EmbeddedPostgres, shop: str, tmp_path: Path, certificate: Path):
    settings = Settings(tls=ServerTls(certificate, certificate))
    async with open_site(postgres, shop, tmp_path / "r", settings=settings) as site:
        options = await site.access()
        for mode in ("require", "verify-full", "prefer", "disable"):
            secure = {"sslmode": mode, "sslrootcert": str(certificate)}
            connection = await psycopg.AsyncConnection.connect(**options, **secure, autocommit=True)  # type: ignore[arg-type]
            async with connection:
                assert connection.pgconn.ssl_in_use is (mode != "disable")
                rows = await (await connection.execute("SELECT n, filler FROM numbers")).fetchall()
                assert len(rows) == 20000
        trusting = ssl.create_default_context(cafile=str(certificate))
        connection2 = await asyncpg.connect(
            host="127.0.0.1", port=site.gateway.port, user=options["user"], password=options["password"],
            database="prod-db", ssl=trusting,
        )  # fmt: skip
        assert await connection2.fetchval("SELECT 1") == 1
        await connection2.close()


async def test_encryption_can_be_demanded(postgres: EmbeddedPostgres, shop: str, tmp_path: Path, certificate: Path):
    settings = Settings(tls=ServerTls(certificate, certificate), require_tls=True)
    async with open_site(postgres, shop, tmp_path / "r", settings=settings) as site:
        options = await site.access()
        with pytest.raises(psycopg.OperationalError, match="encryption"):
            await psycopg.AsyncConnection.connect(**options, sslmode="disable")  # type: ignore[arg-type]
        async with await psycopg.AsyncConnection.connect(**options, sslmode="require") as connection:  # type: ignore[arg-type]
            await connection.execute("SELECT 1")


async def test_clear_text_behind_the_request_is_never_read_as_encrypted(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path, certificate: Path
):
    settings = Settings(tls=ServerTls(certificate, certificate))
    async with open_site(postgres, shop, tmp_path / "r", settings=settings) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.gateway.port)
        writer.write(m.special_request(m.SSL_REQUEST) + m.startup(PARAMETERS))
        assert await asyncio.wait_for(reader.read(), 3) in {b"", b"S"}
        writer.close()


async def test_direct_tls_with_real_clients(postgres: EmbeddedPostgres, shop: str, tmp_path: Path, certificate: Path):
    """No SSLRequest: the first byte is TLS, and ALPN says which protocol is meant."""
    settings = Settings(tls=ServerTls(certificate, certificate), require_tls=True)
    async with open_site(postgres, shop, tmp_path / "r", settings=settings) as site:
        options = await site.access()
        secure = {"sslmode": "verify-full", "sslnegotiation": "direct", "sslrootcert": str(certificate)}
        connection = await psycopg.AsyncConnection.connect(**options, **secure, autocommit=True)  # type: ignore[arg-type]
        async with connection:
            assert connection.pgconn.ssl_in_use
            assert len(await (await connection.execute("SELECT n, filler FROM numbers")).fetchall()) == 20000
            running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(30)"))
            await asyncio.sleep(0.2)
            await connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                await running


@pytest.mark.parametrize("protocols", [[], ["http/1.1"], ["h2", "http/1.1"]])
async def test_direct_tls_of_another_protocol_is_refused(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path, certificate: Path, protocols: list[str]
):
    settings = Settings(tls=ServerTls(certificate, certificate))
    async with open_site(postgres, shop, tmp_path / "r", settings=settings) as site:
        context = ssl.create_default_context(cafile=str(certificate))
        if protocols:
            context.set_alpn_protocols(protocols)
        reader, writer = await asyncio.open_connection("127.0.0.1", site.gateway.port, ssl=context)
        writer.write(m.startup({"user": "dana", "database": "prod-db"}))
        assert b"ALPN" in await asyncio.wait_for(reader.read(), 3)
        writer.close()


async def test_tls_inside_of_tls_and_half_a_handshake(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path, certificate: Path
):
    settings = Settings(tls=ServerTls(certificate, certificate), handshake=1.0)
    async with open_site(postgres, shop, tmp_path / "r", settings=settings) as site:
        context = ssl.create_default_context(cafile=str(certificate))
        context.set_alpn_protocols(["postgresql"])
        reader, writer = await asyncio.open_connection("127.0.0.1", site.gateway.port, ssl=context)
        writer.write(m.special_request(m.SSL_REQUEST))
        assert await asyncio.wait_for(reader.read(1), 3) == b"N"
        writer.write(m.startup({"user": "dana", "database": "prod-db"}))
        assert (await asyncio.wait_for(reader.read(1), 3)) == b"R"
        writer.close()
        for began in (b"\x16", b"\x16\x03\x01\x02\x00", b"\x16" * 200):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.gateway.port)
            writer.write(began)
            with suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 3)
            writer.close()
        async with await psycopg.AsyncConnection.connect(**await site.access(), sslmode="require") as connection:  # type: ignore[arg-type]
            await connection.execute("SELECT 1")


async def test_a_certificate_is_replaced_while_sessions_go_on(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path, certificate: Path
):
    settings = Settings(tls=ServerTls(certificate, certificate))
    async with open_site(postgres, shop, tmp_path / "r", settings=settings) as site:
        options = await site.access()

        async def trusting(root: Path) -> psycopg.AsyncConnection[tuple[object, ...]]:
            secure = {"sslmode": "verify-full", "sslrootcert": str(root), "autocommit": True}
            return await psycopg.AsyncConnection.connect(**options, **secure)  # type: ignore[arg-type]

        def put(data: bytes) -> None:
            certificate.write_bytes(data)
            site.gateway.reload_certificate()

        old, new = tmp_path / "old.pem", self_signed(tmp_path / "new.pem")
        shutil.copy(certificate, old)
        async with await trusting(old) as before:
            put(b"half of a certificate")
            await (await trusting(old)).close()
            put(await asyncio.to_thread(new.read_bytes))
            with pytest.raises(psycopg.OperationalError, match="certificate"):
                await trusting(old)
            await (await trusting(new)).close()
            assert await (await before.execute("SELECT 1")).fetchone() == (1,)


# ------------------------------------------------------------------------------------------------ the upstream's side


@asynccontextmanager
async def _terminator(server: EmbeddedPostgres, certificate: Path, answer: bytes = b"S") -> AsyncIterator[int]:
    """A server that speaks TLS the way PostgreSQL does, in front of one that does not."""

    done = asyncio.Event()

    async def serve(near: Wire) -> None:
        with suppress(Lost, OSError):
            await near.more()
            if answer != b"S":
                near.write(answer)
                return
            await near.encrypt(_server_context(certificate), server_side=True, first=b"S")
            _, far = await asyncio.get_running_loop().create_connection(Wire, server.host, server.port)
            near.peer, far.peer = far, near
            near.take_over(far.write, far.close)
            far.take_over(near.write, near.close)
            await done.wait()

    async with asyncio.TaskGroup() as tasks:

        def accepted() -> Wire:
            wire = Wire()
            tasks.create_task(serve(wire))
            return wire

        listener = await asyncio.get_running_loop().create_server(accepted, "127.0.0.1", 0)
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
            done.set()


def _dialling(port: int, server: EmbeddedPostgres, tls: UpstreamTls, ca: str = "", host: str = "127.0.0.1") -> Dialling:
    return Dialling(Upstream(host, port, "postgres", "postgres", tls=tls, tls_ca=ca), DirectDialer(), server.password)


@pytest.mark.parametrize("tls", [UpstreamTls.REQUIRE, UpstreamTls.VERIFY_FULL])
async def test_an_encrypted_upstream(postgres: EmbeddedPostgres, certificate: Path, tls: UpstreamTls):
    async with _terminator(postgres, certificate) as port:
        connected = await _dialling(port, postgres, tls, str(certificate)).log_in(dict(PARAMETERS))
        assert connected.session.process and connected.wire.encrypted
        connected.wire.close()
        await connected.wire.wait_closed()


@pytest.mark.parametrize(
    ("answer", "ca", "host", "said"),
    [
        (b"N", True, "127.0.0.1", "does not offer TLS"),
        (b"E", True, "127.0.0.1", "wrong answer"),
        (b"SE\0\0", True, "127.0.0.1", "wrong answer"),
        (b"S", False, "127.0.0.1", "certificate"),
        (b"S", True, "localhost", "certificate"),
    ],
)
async def test_no_downgrade_and_no_stranger(
    postgres: EmbeddedPostgres, certificate: Path, answer: bytes, ca: bool, host: str, said: str
):
    async with _terminator(postgres, certificate, answer) as port:
        dialling = _dialling(port, postgres, UpstreamTls.VERIFY_FULL, str(certificate) if ca else "", host)
        with pytest.raises(UpstreamUnreachable, match=said) as failure:
            await dialling.log_in(dict(PARAMETERS))
        assert postgres.password not in str(failure.value)


async def test_a_whole_session_over_an_encrypted_upstream_with_cancel(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path, certificate: Path
):
    async with _terminator(postgres, certificate) as port, open_site(postgres, shop, tmp_path / "r") as site:
        upstream = replace(site.resource.upstream, port=port, tls=UpstreamTls.VERIFY_FULL, tls_ca=str(certificate))
        site.gateway.resources = {"prod-db": replace(site.resource, upstream=upstream)}
        async with await site.connect() as connection:
            assert len(await (await connection.execute("SELECT n, filler FROM numbers")).fetchall()) == 20000
            running = asyncio.ensure_future(connection.execute("SELECT pg_sleep(30)"))
            await asyncio.sleep(0.2)
            await connection.cancel_safe()
            with pytest.raises(psycopg.errors.QueryCanceled):
                await running


async def test_an_upstream_that_is_down_is_a_clear_error_and_an_event(
    postgres: EmbeddedPostgres, shop: str, tmp_path: Path
):
    async with open_site(postgres, shop, tmp_path) as site:
        await (await site.connect()).close()
        await site.gone()
        site.gateway.resources = {
            "prod-db": replace(site.resource, upstream=replace(site.resource.upstream, port=1)),
        }
        with pytest.raises(psycopg.OperationalError, match="cannot reach prod-db"):
            await site.connect()
        assert "upstream.failed" in await site.kinds()
        rows = await site.store.read(lambda tx: tx.sessions(open_only=True))
        assert rows == []
