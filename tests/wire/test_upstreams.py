"""How the gateway logs in at a target: every way there is, at real servers, and what it refuses to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cryptography.hazmat.primitives import serialization

from access.resources import Upstream, UpstreamTls
from app.embedded_postgres import EmbeddedPostgres
from proxy.arrival import CHECK_INTERVAL
from proxy.postgres import messages as m
from proxy.postgres.login import Login
from proxy.upstream import Connected, Dialling, DirectDialer, UpstreamUnreachable
from tests.fakes.certificates import Authority, authority
from tests.fakes.tls_postgres import TlsPostgres, installation, tls_postgres

PASSWORD = "a long password, ünïcode"
OFF, REQUIRE, FULL = UpstreamTls.DISABLE, UpstreamTls.REQUIRE, UpstreamTls.VERIFY_FULL
ROLES = f"""
SET password_encryption = 'scram-sha-256';
CREATE ROLE by_trust LOGIN; CREATE ROLE by_cert LOGIN; CREATE ROLE by_both LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE by_password LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE by_scram LOGIN PASSWORD '{PASSWORD}';
SET password_encryption = 'md5'; CREATE ROLE by_md5 LOGIN PASSWORD '{PASSWORD}';
"""
HBA = (
    "host all by_trust all trust",
    "local all by_trust trust",
    "host all by_password all password",
    "host all by_md5 all md5",
    "host all by_scram all scram-sha-256",
    "local all by_scram scram-sha-256",
)
HBA_TLS = (
    "hostssl all by_cert all cert",
    "hostssl all by_both all scram-sha-256 clientcert=verify-ca",
    "hostssl all by_trust all trust",
    "hostssl all by_password all password",
    "hostssl all by_md5 all md5",
    "hostssl all by_scram all scram-sha-256",
)


def _loopback6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def plain() -> Iterator[EmbeddedPostgres]:
    hosts = {"listen_addresses": "127.0.0.1, ::1"} if _loopback6() else {}
    with EmbeddedPostgres(password="only for tests", hba=HBA, settings=hosts) as server:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(ROLES)
        yield server


@pytest.fixture(scope="module")
def secure() -> Iterator[TlsPostgres]:
    programs = installation()
    if programs is None:
        pytest.skip("no PostgreSQL of the operating system (apt install postgresql)")
    with tls_postgres(programs, HBA_TLS) as server:
        with psycopg.connect(
            host=server.socket_dir, port=server.port, user="postgres", dbname="postgres", autocommit=True
        ) as admin:
            admin.execute(ROLES)
        yield server


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs, and nobody trusts it."""
    return authority(tmp_path_factory.mktemp("stranger"))


async def _log_in(upstream: Upstream, password: str = PASSWORD) -> Connected:
    return await Dialling(upstream, DirectDialer(), password).log_in({"user": upstream.user, "database": "postgres"})


async def _works(upstream: Upstream, password: str = PASSWORD) -> Connected:
    """Logged in, and cancelled from outside as the gateway does."""
    connected = await _log_in(upstream, password)
    dialling = Dialling(upstream, DirectDialer(), password)
    await dialling.cancel(connected.session)
    assert connected.session.process
    connected.wire.close()
    await connected.wire.wait_closed()
    return connected


@pytest.mark.parametrize("user", ["by_trust", "by_md5", "by_scram"])
@pytest.mark.parametrize("where", ["127.0.0.1", "::1", "socket"])
async def test_without_encryption(plain: EmbeddedPostgres, user: str, where: str):
    if where == "socket" and user == "by_md5":
        return  # a local connection asks for scram there, which this role cannot
    if where == "::1" and not _loopback6():
        pytest.skip("no IPv6 on this machine")
    host = str(plain.socket_dir) if where == "socket" else where
    await _works(Upstream(host, plain.port, user, "postgres"))


@dataclass(frozen=True, slots=True)
class Case:
    """A login that must fail, and what is said of it."""

    user: str
    said: str
    password: str = PASSWORD
    tls: UpstreamTls = OFF
    host: str = "127.0.0.1"
    ca: str = ""
    certificate: str = ""


REFUSED = [
    Case("by_password", "in clear over an unencrypted connection"),
    Case("by_scram", "password authentication failed", password="wrong"),
    Case("by_md5", "password authentication failed", password="wrong"),
    Case("by_scram", "the resource has no secret", password=""),
    Case("by_scram", "does not offer TLS", tls=REQUIRE),
    Case("by_trust", "does not offer TLS", tls=FULL),
    Case("nobody_here", "password authentication failed|no pg_hba|does not exist"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case.user}-{case.said[:20]}")
async def test_what_is_refused_without_encryption(plain: EmbeddedPostgres, case: Case):
    upstream = Upstream(case.host, plain.port, case.user, "postgres", tls=case.tls)
    with pytest.raises(UpstreamUnreachable, match=case.said) as failure:
        await _log_in(upstream, case.password)
    assert PASSWORD not in str(failure.value)


@pytest.mark.parametrize("tls", [REQUIRE, FULL])
@pytest.mark.parametrize("user", ["by_trust", "by_password", "by_md5", "by_scram", "by_cert", "by_both"])
async def test_with_encryption(secure: TlsPostgres, user: str, tls: UpstreamTls, monkeypatch: pytest.MonkeyPatch):
    logins: list[Login] = []
    begin = Login.begin

    def noted(login: Login) -> bytes:
        logins.append(login)
        return begin(login)

    monkeypatch.setattr(Login, "begin", noted)
    certificate = str(secure.ca.sign(user)) if user in {"by_cert", "by_both"} else ""
    ca = str(secure.ca.path) if tls is FULL else ""
    upstream = Upstream(
        "127.0.0.1", secure.port, user, "postgres", tls=tls, tls_ca=ca, tls_certificate=certificate, tls_key=certificate
    )
    connected = await _works(upstream)
    assert connected.wire.closed.is_set()
    if user in {"by_scram", "by_both"}:
        assert logins[0]._scram is not None
        assert logins[0]._scram.mechanism_name == "SCRAM-SHA-256-PLUS"


async def test_what_is_refused_with_encryption(secure: TlsPostgres, stranger: Authority):
    trusted, foreign = str(secure.ca.path), str(stranger.path)
    own, others = str(secure.ca.sign("by_cert")), str(stranger.sign("by_cert"))
    cases = [
        Case("by_scram", "certificate", tls=FULL),
        Case("by_scram", "certificate", tls=FULL, ca=foreign),
        Case("by_scram", "certificate", tls=FULL, ca=trusted, host="localhost"),
        Case("by_cert", "certificate", tls=FULL, ca=trusted),
        Case("by_cert", "certificate|closed|unknown ca|reset", tls=FULL, ca=trusted, certificate=others),
        Case("by_cert", "certificate", tls=FULL, ca=trusted, certificate=str(secure.ca.sign("by_scram"))),
        Case("by_both", "certificate", tls=FULL, ca=trusted),
        Case("by_both", "password", tls=FULL, ca=trusted, certificate=own, password="wrong"),
        Case("by_trust", "pg_hba", tls=OFF),
        Case("by_scram", "No such file", tls=FULL, ca=trusted + ".gone"),
        Case("by_cert", "No such file", tls=FULL, ca=trusted, certificate=own + ".gone"),
    ]
    for case in cases:
        upstream = Upstream(
            case.host, secure.port, case.user, "postgres", tls=case.tls, tls_ca=case.ca, tls_certificate=case.certificate,
            tls_key=case.certificate,
        )  # fmt: skip
        with pytest.raises(UpstreamUnreachable, match=case.said) as failure:
            await _log_in(upstream, case.password)
        assert PASSWORD not in str(failure.value)


async def test_a_server_that_stops_in_the_middle_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch):
    """Accepted and silent, silent after the TLS answer, garbage: none is waited for longer than the dial may take."""
    monkeypatch.setattr("proxy.upstream.DIAL_SECONDS", 0.3)
    for answer in (b"", b"S", b"N", b"E", b"\x16\x03\x03", b"S" * 10):
        open_ones: list[asyncio.StreamWriter] = []

        async def serve(
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            answer: bytes = answer,
            open_ones: list[asyncio.StreamWriter] = open_ones,
        ) -> None:
            open_ones.append(writer)
            await reader.read(100)
            writer.write(answer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for tls in (OFF, REQUIRE):
            with pytest.raises(UpstreamUnreachable):
                await _log_in(Upstream("127.0.0.1", port, "u", "postgres", tls=tls))
        server.close()
        for writer in open_ones:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def test_the_gateway_binds_scram_to_the_channel_even_where_nobody_offers_it(tmp_path: Path):
    """Somebody in between who hides SCRAM-SHA-256-PLUS is found out by a server that offers it (RFC 5802, flag `y`)."""
    der = authority(tmp_path).certificate.public_bytes(serialization.Encoding.DER)
    offer = m.authentication(10, m.cstring("SCRAM-SHA-256") + b"\0")
    said = Login({"user": "u"}, "p", encrypted=True, certificate=der).feed(offer)
    assert b"SCRAM-SHA-256\0" in said
    assert b"y,," in said


@pytest.mark.parametrize("known", [True, False])
async def test_the_check_of_the_connection_is_left_out_where_the_server_has_none(known: bool):
    """PostgreSQL before 14 refuses the setting in the startup packet: everything else is asked for again without it."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packet = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
        asked.append(packet)
        if CHECK_INTERVAL.encode() in packet and not known:
            writer.write(m.error("42704", f'unrecognized configuration parameter "{CHECK_INTERVAL}"', severity="FATAL"))
        else:
            writer.write(m.authentication(0) + m.message(m.READY, b"I"))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        upstream = Upstream("127.0.0.1", server.sockets[0].getsockname()[1], "u", "postgres")
        settings = {"user": "u", "default_transaction_read_only": "on", CHECK_INTERVAL: "1000"}
        connected = await Dialling(upstream, DirectDialer(), "").log_in(settings)
        connected.wire.abort()
    assert [CHECK_INTERVAL.encode() in packet for packet in asked] == ([True] if known else [True, False])
    assert all(b"default_transaction_read_only\0on\0" in packet for packet in asked)
