"""The way in: packets before a login, names and passwords of others, floods, stalls, and what they cost everybody else."""

from __future__ import annotations

import resource
import socket
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from struct import pack

import pytest

from access.actors import Agent
from access.scopes import Read, Write
from proxy.postgres import messages as m
from proxy.postgres.login import Login, LoginFailed
from tests.fakes.world import EVE
from tests.patience import SOON
from tests.wire.attacks.field import DENY, Field, verdict
from tests.wire.attacks.raw import Raw, bind, execute, parse, startup

GOOD = [("user", "dana"), ("database", "prod-db")]


def said_to(field: Field, *data: bytes) -> tuple[str, dict[str, str]]:
    """The kinds of messages that answer these bytes, and the fields of the last error."""
    with Raw(field.address, 5) as client:
        client.send(*data)
        frames = []
        while (frame := client.frame()) is not None:
            frames.append(frame)
            if frame[0] == m.AUTHENTICATION:
                break
        errors = [m.parse_fields(frame) for frame in frames if frame[0] == m.ERROR]
        return "".join(chr(frame[0]) for frame in frames), errors[-1] if errors else {}


PACKETS = {
    "user twice": startup([*GOOD, ("user", "postgres")]),
    "database twice in another case": startup([*GOOD, ("DATABASE", "template1")]),
    "replication": startup([*GOOD, ("replication", "database")]),
    "replication as true": startup([*GOOD, ("replication", "true")]),
    "replication in another case": startup([*GOOD, ("Replication", "1")]),
    "a switch of the command line": startup([*GOOD, ("options", "-f x")]),
    "a setting twice": startup([*GOOD, ("options", "-c jit=on --jit=off")]),
    "a setting here and in options": startup([*GOOD, ("jit", "on"), ("options", "-cjit=off")]),
    "no user": startup([("database", "prod-db")]),
    "empty user": startup([("user", ""), ("database", "prod-db")]),
    "protocol 2": startup(GOOD, 2 << 16),
    "protocol 4": startup(GOOD, 4 << 16),
    "length 4": pack(">I", 4),
    "length 0": pack(">I", 0),
    "length 7": pack(">I", 7) + b"\0\3\0",
    "length of 64 MB": pack(">II", 64 << 20, m.PROTOCOL) + b"user\0",
    "length of 2 GB": pack(">II", 2**31 - 1, m.PROTOCOL),
    "negative length": pack(">iI", -1, m.PROTOCOL),
    "a name that is not text": pack(">II", 20, m.PROTOCOL) + b"user\0\xff\xfe\0\0\0\0\0",
    "not terminated": pack(">II", 13, m.PROTOCOL) + b"user\0",
    "bytes behind the end": pack(">II", 22, m.PROTOCOL) + b"user\0dana\0\0xxx",
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query before a login": m.query("DELETE FROM victims"),
}


@pytest.mark.parametrize("packet", PACKETS.values(), ids=PACKETS.keys())
def test_packets_that_open_no_door(field: Field, packet: bytes) -> None:
    kinds, error = said_to(field, packet)
    assert kinds.endswith("E")
    assert error["S"] == "FATAL"


# Who has not logged in learns no names: these look like a wrong password.
NO_SUCH_RESOURCE = {
    "another database of the server": startup([("user", "dana"), ("database", "prod-db/template1")]),
    "the maintenance database": startup([("user", "dana"), ("database", "postgres")]),
    "a path as database": startup([("user", "dana"), ("database", "prod-db/../postgres")]),
    "a connection string as database": startup([("user", "dana"), ("database", "host=evil dbname=prod-db")]),
}


@pytest.mark.parametrize("packet", NO_SUCH_RESOURCE.values(), ids=NO_SUCH_RESOURCE)
def test_an_unknown_resource_looks_like_a_wrong_password(field: Field, packet: bytes) -> None:
    with Raw(field.address, 5) as client:
        client.send(packet)
        assert (client.frame() or b" ")[0] == m.AUTHENTICATION
        said = client.send(m.password(b"SCRAM-SHA-256\0\0\0\0\5xxxxx")).rest(3)
        assert b"FATAL" in said
        assert b"resource" not in said.replace(b"(a resource)", b"")


def test_messages_in_place_of_a_password(field: Field) -> None:
    for message in (
        m.query("SELECT 1"),
        m.password(b"secret\0"),
        m.SYNC_MESSAGE,
        m.password(b"SCRAM-SHA-256\0\0\0\0\5xxxxx"),
    ):
        with Raw(field.address, 5) as client:
            client.send(startup(GOOD))
            assert (client.frame() or b" ")[0] == m.AUTHENTICATION
            assert b"FATAL" in client.send(message, m.query("DELETE FROM victims")).rest(3)


def test_negotiations(field: Field) -> None:
    ssl, gss = m.special_request(m.SSL_REQUEST), m.special_request(m.GSS_REQUEST)
    with Raw(field.address, 5) as client:
        for request in (ssl, ssl, gss, gss, ssl):
            client.send(request)
            assert client.socket.recv(10) == b"N"
        client.send(startup(GOOD))
        assert (client.frame() or b" ")[0] == m.AUTHENTICATION
    for early in (ssl + startup(GOOD), gss + startup(GOOD), ssl + m.query("SELECT 1"), ssl + b"\x16\x03\x01"):
        with Raw(field.address, 5) as client:
            assert client.send(early).rest(3) == b""


@pytest.mark.parametrize(
    "settings",
    [
        {"role": "pg_monitor"}, {"options": "-c role=pg_monitor"}, {"session_authorization": "nobody"},
        {"options": "-c default_transaction_read_only=off"}, {"DEFAULT_TRANSACTION_READ_ONLY": "no"},
        {"options": "--default-transaction-read-only=off"}, {"transaction_read_only": "off"},
        {"standard_conforming_strings": "off"}, {"client_encoding": "SQL_ASCII"}, {"client_encoding": "latin1"},
        {"options": "-c\\ search_path=pg_temp"}, {"search_path": "pg_temp,public"}, {"session_replication_role": "replica"},
        {"options": "-c session_preload_libraries=x"}, {"my.secret": "x"}, {"backslash_quote": "on"},
        {"options": "-csearch_path=pg_temp"}, {"local_preload_libraries": "x"}, {"log_statement": "none"},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_do_not_pass_the_door(field: Field, settings: dict[str, str]) -> None:
    with pytest.raises(LoginFailed, match=r"SQLSTATE (42501|08P01)"):
        field.connect(Read(), **settings)


def test_settings_at_the_door_do_not_lift_read_only(field: Field) -> None:
    with field.connect(
        Read(), options="-c default_transaction_read_only=on -c jit=off", application_name="x" * 300
    ) as client:
        assert client.query("SHOW transaction_read_only").rows == [[b"on"]]


def test_credentials_of_others_and_of_the_past(field: Field) -> None:
    site = field.site
    good = field.access(Read())
    user, password = str(good["user"]), str(good["password"])
    eve = field.call(site.issue(person=EVE))
    agent = field.call(site.issue(agent=Agent("claude")))
    wire, token = eve.credential.wire_name, eve.token
    attempts = [
        ("postgres", password), ("", password), (user.upper(), password), (user + " ", password), (user, ""),
        (user, password + "x"), (user, password[:-1]), (user, password.upper()), (user, "hoop_" + "0" * 26),
        (wire, password), (user, token), (wire, token), (agent.credential.wire_name, password), (user, agent.token),
        (user + "~claude", password), (user + "~", password), ("~" + user, password), (user + "\u200b", password),
        ("dan\u0430", password), (user + "~other", agent.token), ("grt_000000000000", password), ("bob", password),
    ]  # fmt: skip
    for name, secret in attempts:
        with Raw(field.address) as client, pytest.raises(LoginFailed):
            client.log_in_as(name, secret, "prod-db")
    for database in ("prod-db/", "prod-db/postgres", "PROD-DB", "prod-db ", "template1", "", "prod-db\u200b"):
        with Raw(field.address) as client, pytest.raises(LoginFailed):
            client.log_in_as(user, password, database)
    with field.another() as client:
        assert client.query("SELECT 1").rows
    newer = field.call(site.issue())
    with pytest.raises(LoginFailed):  # the one before it ended
        field.another()
    with Raw(field.address) as client:
        client.log_in_as(user, newer.token, "prod-db")
    now = site.gateway.ports.clock.now()
    short = field.call(site.credentials.issue(site.person, None, site.resource, now + timedelta(seconds=0.2)))
    time.sleep(0.3)
    with Raw(field.address) as client, pytest.raises(LoginFailed):
        client.log_in_as(user, short.token, "prod-db")
    field.call(site.credentials.end(newer.credential.id, "left"))
    with Raw(field.address) as client, pytest.raises(LoginFailed):
        client.log_in_as(user, newer.token, "prod-db")


def test_somebody_who_does_not_exist_is_asked_like_everybody_else(field: Field) -> None:
    """Same messages, same iterations, a salt that stays: nobody learns which names there are."""

    def challenge(user: str) -> tuple[bytes, bytes, bytes]:
        with Raw(field.address, 5) as client:
            login = Login({"user": user, "database": "prod-db"}, "wrong", encrypted=False)
            client.send(login.begin())
            offer = client.frame() or b""
            client.send(login.feed(offer))
            challenge = client.frame() or b""
            client.send(login.feed(challenge))
            parts = dict(part.split(b"=", 1) for part in challenge[9:].split(b","))
            return parts[b"s"], parts[b"i"], (client.frame() or b"").replace(user.encode(), b"?")

    field.access(Read())
    real, made_up, again = challenge("dana"), challenge("nope"), challenge("nope")
    assert made_up[0] == again[0]
    assert len(real[0]) == len(made_up[0])
    assert real[1:] == made_up[1:]


def test_a_login_cut_at_every_byte(field: Field) -> None:
    """A startup packet byte by byte, and connections that end after each of its bytes: neither hurts anybody."""
    good = field.access(Read())
    packet = m.startup({"user": str(good["user"]), "database": "prod-db"})
    for size in range(0, len(packet), 3):
        with Raw(field.address) as client:
            client.send(packet[:size])
    with Raw(field.address) as client:
        login = Login({"user": str(good["user"]), "database": "prod-db"}, str(good["password"]), encrypted=False)
        todo = login.begin()
        while not login.done:
            for at in range(len(todo)):
                client.send(todo[at : at + 1])
            todo = login.feed(client.socket.recv(65536))
        assert client.query("SELECT 1").rows == [[b"1"]]


def test_cancel_requests_of_others_do_nothing(field: Field) -> None:
    with field.connect(Read()) as victim, field.another() as attacker:
        victim.send(m.query("SELECT pg_sleep(0.4)"))
        own = attacker.secret
        upstream = [s.upstream.session for s in field.site.gateway.sessions.values()]
        keys = [
            own,
            b"\0" * 4,
            victim.secret[::-1],
            victim.secret[:3],
            victim.secret + b"\0",
            *(u.secret for u in upstream),
        ]
        for process in (victim.process, attacker.process, 0, -1):
            for key in keys:
                if key != victim.secret and (process, key) != (attacker.process, own):
                    with Raw(field.address) as client:
                        client.send(m.special_request(m.CANCEL_REQUEST, pack(">i", process) + key))
        assert victim.until_ready().rows == [[b""]]


def test_floods_and_stalls_hurt_nobody_else(field: Field) -> None:
    """Half-open connections, unfinished startup packets and logins, bytes without end: a session does not notice."""
    with field.connect(Read()) as client, ExitStack() as stack:
        for number in range(300):
            one = stack.enter_context(Raw(field.address))
            one.send([b"", b"\0", pack(">II", 9000, m.PROTOCOL), startup(GOOD)][number % 4])
        slowest = 0.0
        for _ in range(50):
            began = time.monotonic()
            assert client.query("SELECT 1").rows == [[b"1"]]
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < SOON
        with field.another() as newcomer:
            assert newcomer.query("SELECT 1").rows


def memory() -> float:
    """MB of this process at its highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize(
    "flood",
    [
        m.query("SELECT repeat('x', 1000) FROM generate_series(1, 200000)"),
        (parse("", "SELECT repeat('x', 1000) FROM generate_series(1, 200000)") + bind("", "") + execute(""))
        + m.SYNC_MESSAGE,
        m.query("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 200000)) TO STDOUT"),
        m.query("SELECT repeat(name, 1000) FROM customers, generate_series(1, 2000)"),
    ],
    ids=["query", "extended", "copy", "masked"],
)
def test_a_client_that_does_not_read_costs_little(field: Field, flood: bytes) -> None:
    with field.connect(Read()) as slow, field.another() as other:
        before = memory()
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(flood)
        time.sleep(0.6)
        assert other.query("SELECT 1").rows
        assert memory() - before < 32


@pytest.mark.parametrize(
    "message",
    [m.SYNC_MESSAGE, m.FLUSH_MESSAGE, m.describe("S", "x"), parse("", ""), m.query(""), m.query("SELECT 1")],
    ids=["sync", "flush", "describe", "parse", "empty query", "query"],
)
def test_a_client_that_only_writes_costs_little(field: Field, message: bytes) -> None:
    """Eight megabytes of the smallest messages, never reading an answer."""
    with field.connect(Read()) as client, field.another() as other:
        before = memory()
        client.send(parse("x", "SELECT 1"))
        client.socket.settimeout(1.0)
        flood = message * (8_000_000 // len(message))

        def pour() -> None:
            try:
                client.send(flood)
            except OSError:
                return

        thread = threading.Thread(target=pour)
        thread.start()
        slowest = 0.0
        for _ in range(10):
            began = time.monotonic()
            assert other.query("SELECT 1").rows
            slowest = max(slowest, time.monotonic() - began)
        thread.join()
        assert memory() - before < 32, f"{memory() - before:.0f} MB"
        assert slowest < SOON, f"{slowest:.1f} s"


def test_a_giant_statement_stalls_nobody(field: Field) -> None:
    with field.connect(Read()) as client, field.another() as other:
        client.send(m.query("SELECT '" + "x@y.zz " * 4_000_000 + "'"))
        slowest = 0.0
        for _ in range(40):
            began = time.monotonic()
            assert other.query("SELECT 1").rows
            slowest = max(slowest, time.monotonic() - began)
        assert verdict(client.until_ready()) == DENY
        assert slowest < SOON, f"{slowest:.1f} s"


def test_a_session_ends_when_its_access_does(field: Field) -> None:
    with field.connect(Write()) as client:
        client.query("BEGIN; DELETE FROM victims WHERE id = 1")
        before = field.oracle.state()
        field.access(Read())  # revokes the other
        said = client.query("COMMIT")
        assert said.status is None
        assert field.oracle.changed(before) == set()
