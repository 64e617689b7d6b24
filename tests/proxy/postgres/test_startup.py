"""The first packet: what is read, what is refused, and which resource a database name means."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.resources import Protocol, Resource, Upstream
from proxy.postgres import messages as m
from proxy.postgres.startup import (
    STARTUP_CAP,
    Cancel,
    Hello,
    Refused,
    WantGss,
    WantTls,
    find_resource,
    first_packet,
    parse_options,
)


def _packet(*pairs: str, minor: int = 0) -> bytes:
    body = b"".join(m.cstring(part) for part in pairs) + b"\0"
    return struct.pack(">II", len(body) + 8, (3 << 16) | minor) + body


def _hello(*pairs: str, minor: int = 0) -> Hello:
    found = first_packet(_packet(*pairs, minor=minor))
    assert found is not None and isinstance(found[0], Hello)
    return found[0]


def test_a_usual_packet():
    hello = _hello("user", "dana", "database", "prod-db", "application_name", "psql", "client_encoding", "UTF8")
    assert (hello.user, hello.database, hello.application) == ("dana", "prod-db", "psql")
    assert hello.settings == {"client_encoding": "UTF8"} and hello.negotiate is None


def test_the_database_is_the_user_by_default_and_options_are_settings():
    hello = _hello("user", "dana", "options", "-c DateStyle=ISO --search-path=a\\ b -cwork_mem=1MB", "TimeZone", "UTC")
    assert hello.database == "dana"
    assert hello.settings == {"datestyle": "ISO", "search_path": "a b", "work_mem": "1MB", "timezone": "UTC"}


def test_negotiation_is_asked_for_by_minor_or_unknown_options():
    spoken = {
        minor: (hello.minor, hello.negotiate) for minor in range(5) if (hello := _hello("user", "d", minor=minor))
    }
    assert spoken == {0: (0, None), 1: (0, ()), 2: (2, None), 3: (2, ()), 4: (2, ())}
    assert _hello("user", "d", minor=9999).negotiate == ()
    assert _hello("user", "d", "_pq_.x", "1").negotiate == ("_pq_.x",)
    assert _hello("user", "d", "_pq_.x", "1", minor=2).minor == 2


def test_the_requests_before_it():
    assert first_packet(m.special_request(m.SSL_REQUEST)) == (WantTls(), 8)
    assert first_packet(m.special_request(m.GSS_REQUEST) + b"x") == (WantGss(), 8)
    assert first_packet(m.special_request(m.CANCEL_REQUEST, b"\0\0\0\x07abcd")) == (Cancel(7, b"abcd"), 16)
    assert first_packet(m.special_request(m.CANCEL_REQUEST, b"\0\0\0\x07" + b"k" * 32)) == (Cancel(7, b"k" * 32), 44)
    assert "abcd" not in repr(Cancel(7, b"abcd"))


def test_incomplete_packets_wait():
    packet = _packet("user", "dana")
    for end in range(len(packet)):
        assert first_packet(packet[:end]) is None


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (struct.pack(">I", 7), "08P01"),
        (struct.pack(">I", STARTUP_CAP + 1), "08P01"),
        (struct.pack(">I", 64 << 20), "08P01"),
        (struct.pack(">II", 8, 2 << 16), "0A000"),
        (struct.pack(">II", 8, 4 << 16), "0A000"),
        (struct.pack(">II", 9, m.SSL_REQUEST) + b"x", "08P01"),
        (m.special_request(m.CANCEL_REQUEST, b"\0\0\0\x07"), "08P01"),
        (m.special_request(m.CANCEL_REQUEST, b"\0\0\0\x07" + b"k" * 257), "08P01"),
        (_packet("user", "a", "user", "b"), "08P01"),
        (_packet("user", "a", "USER", "b"), "08P01"),
        (_packet("user", "a", "options", "-c work_mem=1", "work_mem", "2"), "08P01"),
        (_packet("user", "a", "replication", "database"), "0A000"),
        (_packet("user", "a", "replication", "true"), "0A000"),
        (_packet("database", "a"), "28000"),
        (_packet("user", ""), "28000"),
        (_packet("user", "a")[:-1] + b"x", "08P01"),
        (struct.pack(">II", 11, 3 << 16) + b"\xff\0\0", "08P01"),
    ],
)
def test_what_is_refused(packet: bytes, code: str):
    with pytest.raises(Refused) as refused:
        first_packet(packet)
    assert refused.value.code == code


@pytest.mark.parametrize("options", ["-B 100", "-c", "-c work_mem", "-c =1", "--x", "-d5", "postgres", "-c a=1 -c A=2"])
def test_options_that_are_refused(options: str):
    with pytest.raises(Refused):
        parse_options(options)


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_waited_for(data: bytes):
    try:
        first_packet(data)
    except Refused:
        return


def _resource(name: str, database: str, *others: str) -> Resource:
    return Resource(name, Protocol.POSTGRES, Upstream("h", 1, "u", database), databases=others)


RESOURCES = {
    r.name: r
    for r in (
        _resource("prod", "app", "stats"),
        _resource("stage", "app"),
        _resource("lab", "lab_db"),
        Resource("box", Protocol.SSH, Upstream("h", 22, "u", "box_db")),
    )
}


@pytest.mark.parametrize(
    ("database", "found"),
    [
        ("prod", ("prod", "app")),
        ("prod/stats", ("prod", "stats")),
        ("lab_db", ("lab", "lab_db")),
        ("stats", ("prod", "stats")),
    ],
)
def test_what_a_database_name_means(database: str, found: tuple[str, str]):
    resource, name = find_resource(RESOURCES, database)
    assert (resource.name, name) == found


@pytest.mark.parametrize("database", ["app", "prod/other", "prod/", "box", "box_db", "nothing", "", "/app", "PROD"])
def test_names_that_mean_nothing_or_too_much(database: str):
    with pytest.raises(Refused):
        find_resource(RESOURCES, database)
