"""Under a policy that allows everything the gateway is the server, message for message."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from access.scopes import Admin
from app.embedded_postgres import EmbeddedPostgres
from tests.wire.attacks.differential import apart, conversation, heard
from tests.wire.attacks.field import Field
from tests.wire.attacks.raw import Raw
from tests.wire.peers.arena import ALLOW_ALL

CLEAN = "DELETE FROM scratch WHERE id >= 7000"


def differences(field: Field, server: EmbeddedPostgres, seeds: Iterable[int]) -> dict[int, str]:
    """Seed → where the gateway's answers differ from the server's."""
    field.policy(ALLOW_ALL)
    field.access(Admin())
    database, found = str(field.oracle.one("SELECT current_database()")), {}
    for seed in seeds:
        pieces = conversation(Random(seed))
        field.oracle.connection.execute(CLEAN)
        with Raw((server.host, server.port)) as client:
            client.log_in_as(server.user, server.password, database)
            direct = heard(client, pieces)
        field.oracle.connection.execute(CLEAN)
        with field.another() as client:
            found[seed] = apart(direct, heard(client, pieces))
    field.oracle.connection.execute(CLEAN)
    return {seed: where for seed, where in found.items() if where}


def test_random_conversations_end_alike(field: Field, postgres: EmbeddedPostgres) -> None:
    assert differences(field, postgres, range(80)) == {}
