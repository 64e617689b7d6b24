"""Big results and long fuzz: too much for every run."""

from __future__ import annotations

import resource
import socket
import time

import pytest

from access.scopes import Read
from app.embedded_postgres import EmbeddedPostgres
from proxy.postgres import messages as m
from tests.wire.attacks.conftest import battlefield, field  # noqa: F401 - fixtures
from tests.wire.attacks.field import Field
from tests.wire.attacks.test_differential import differences

GIGABYTE = 1 << 30
#: What the server itself does not survive, on a direct connection (PostgreSQL 18).
DEADLY = {2376}


def _memory() -> float:
    """MB of this process, gateway and client, at its highest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize(
    "text",
    [
        "SELECT repeat('x', 1000) FROM generate_series(1, 1070000)",
        "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1070000)) TO STDOUT",
    ],
    ids=["rows", "copy"],
)
def test_a_slow_client_of_a_gigabyte_costs_little(field: Field, text: str) -> None:  # noqa: F811 - the fixture
    with field.connect(Read()) as client, field.another() as other:
        before = _memory()
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        client.socket.settimeout(120)
        client.send(m.query(text))
        time.sleep(2)
        assert other.query("SELECT 1").rows
        total, buffer = 0, bytearray(1 << 20)
        while total < GIGABYTE:
            total += client.socket.recv_into(buffer)
        assert _memory() - before < 32, f"{_memory() - before:.0f} MB"


def test_many_random_conversations_end_alike(field: Field, postgres: EmbeddedPostgres) -> None:  # noqa: F811 - the fixture
    found = differences(field, postgres, [seed for seed in range(80, 3000) if seed not in DEADLY])
    assert found == {}
