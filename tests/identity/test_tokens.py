"""Credentials: one live per name and resource, verifiers only, ended by time, replacement or departure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import pytest
from scramp import ScramClient, ScramMechanism

from access.actors import Agent
from access.errors import Denied, Invalid
from access.ids import GrantId
from access.ports import Credentials, IssuedCredential
from access.resources import Protocol
from identity.directory import StaticDirectory
from identity.tokens import TOKEN_BYTES, Address, CredentialService, connection_url, new_token, scram_verifier
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.store import MemoryStore
from tests.fakes.world import DANA, EVERYBODY, GROUPS, IAN, PROD

TOKEN = re.compile(r"\Ahoop_[0-9a-hjkmnp-tv-z]{26}\Z")
CLAUDE = Agent("claude")


@pytest.fixture
def service(
    store: MemoryStore, clock: ManualClock, entropy: SeededEntropy, directory: StaticDirectory
) -> CredentialService:
    return CredentialService(store, clock, entropy, directory, Address("db.example.com", 15432, "require"))


@pytest.fixture
def later(clock: ManualClock) -> datetime:
    return clock.now() + timedelta(hours=1)


def proves(token: str, verifier: str) -> bool:
    """What the gateway does: a whole SCRAM exchange against the stored verifier."""
    matched = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)", verifier)
    assert matched is not None
    salt, stored, server = (base64.b64decode(part) for part in matched.groups()[1:])
    server_side = ScramMechanism("SCRAM-SHA-256").make_server(lambda _: (salt, stored, server, int(matched[1])))
    client = ScramClient(["SCRAM-SHA-256"], "dana", token)
    try:
        server_side.set_client_first(client.get_client_first())
        client.set_server_first(server_side.get_server_first())
        server_side.set_client_final(client.get_client_final())
        client.set_server_final(server_side.get_server_final())
    except Exception:  # noqa: BLE001 - the library's own error for a wrong password
        return False
    return True


async def test_the_token_proves_itself_against_the_verifier(
    service: CredentialService, store: MemoryStore, later: datetime
) -> None:
    port: Credentials = service
    issued = await port.issue(DANA, None, PROD, later)
    found = await port.find("dana", "prod-db")
    assert found == issued.credential
    assert TOKEN.match(issued.token)
    assert proves(issued.token, found.verifier)
    assert not proves(issued.token[:-1] + ("0" if issued.token[-1] != "0" else "1"), found.verifier)
    assert not proves("", found.verifier)
    assert not proves(found.verifier, found.verifier)


async def test_the_token_is_nowhere_but_in_the_answer(
    service: CredentialService, store: MemoryStore, later: datetime
) -> None:
    issued = await service.issue(DANA, None, PROD, later)
    assert issued.token not in repr(store.tables)
    assert issued.token not in repr(issued)
    assert issued.token not in issued.url
    assert issued.credential.verifier not in repr(issued)
    assert issued.credential.verifier not in repr(list(store.tables.events.values()))


async def test_the_url_names_everything_but_the_password(service: CredentialService, later: datetime) -> None:
    issued = await service.issue(DANA, CLAUDE, PROD, later)
    assert issued.url == "postgresql://dana~claude@db.example.com:15432/prod-db?sslmode=require"
    assert urlsplit(issued.url).password is None


def test_an_ipv6_address_is_bracketed() -> None:
    url = connection_url(Address("::1", 15432), "dana", PROD)
    assert url == "postgresql://dana@[::1]:15432/prod-db?sslmode=prefer"


async def test_person_agent_and_grant_have_names_of_their_own(service: CredentialService, later: datetime) -> None:
    grant = GrantId("grt_0123456789")
    issued = [
        await service.issue(DANA, None, PROD, later),
        await service.issue(DANA, CLAUDE, PROD, later),
        await service.issue(DANA, None, PROD, later, grant=grant),
    ]
    assert [one.credential.wire_name for one in issued] == ["dana", "dana~claude", grant]
    assert [one.credential.agent for one in issued] == ["", "claude", ""]
    assert [one.credential.only_grant for one in issued] == [None, None, grant]
    for one in issued:
        assert await service.find(one.credential.wire_name, "prod-db") == one.credential


async def test_a_new_credential_ends_the_one_before(
    service: CredentialService, store: MemoryStore, later: datetime
) -> None:
    first = await service.issue(DANA, None, PROD, later)
    second = await service.issue(DANA, None, PROD, later)
    found = await service.find("dana", "prod-db")
    assert found == second.credential
    assert not proves(first.token, found.verifier)
    kinds = [(event.kind, event.stream) for event in store.tables.events.values()]
    assert kinds == [
        ("credential.issued", first.credential.id),
        ("credential.ended", first.credential.id),
        ("credential.issued", second.credential.id),
    ]


async def test_another_resource_is_another_credential(service: CredentialService, later: datetime) -> None:
    await service.issue(DANA, None, PROD, later)
    await service.issue(DANA, None, replace(PROD, name="other"), later)
    assert await service.find("dana", "prod-db") is not None
    assert await service.find("dana", "nothing") is None


async def test_it_ends_with_its_time_without_a_timer(
    service: CredentialService, clock: ManualClock, later: datetime
) -> None:
    await service.issue(DANA, None, PROD, later)
    clock.advance(3599.999)
    assert await service.find("dana", "prod-db") is not None
    clock.advance(0.001)
    assert await service.find("dana", "prod-db") is None


async def test_ending_it_is_recorded_once(service: CredentialService, store: MemoryStore, later: datetime) -> None:
    issued = await service.issue(DANA, None, PROD, later)
    await service.end(issued.credential.id, "laptop lost")
    await service.end(issued.credential.id, "again")
    assert await service.find("dana", "prod-db") is None
    ended = [event for event in store.tables.events.values() if event.kind == "credential.ended"]
    assert [event.payload for event in ended] == [{"credential": issued.credential.id, "why": "laptop lost"}]


async def test_somebody_who_left_has_no_credential(
    service: CredentialService, directory: StaticDirectory, later: datetime
) -> None:
    await service.issue(DANA, None, PROD, later)
    directory.replace([replace(one, active=one.active and one.id != DANA.id) for one in EVERYBODY], GROUPS)
    assert await service.find("dana", "prod-db") is None
    for person in (DANA, IAN):
        with pytest.raises(Denied, match="not an active person"):
            await service.issue(person, None, PROD, later)


@pytest.mark.parametrize("name", ["", "Claude", "a~b", "a b", "grt_0123456789", "аgent", "a" * 32, "a\n"])
async def test_bad_agent_names_are_refused(service: CredentialService, later: datetime, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await service.issue(DANA, Agent(name), PROD, later)
    assert refused.value.field == "agent"


async def test_what_can_not_be_issued(service: CredentialService, store: MemoryStore, clock: ManualClock) -> None:
    for until in (clock.now(), clock.now() - timedelta(seconds=1)):
        with pytest.raises(Invalid, match="before it begins"):
            await service.issue(DANA, None, PROD, until)
    assert store.tables.events == {}


async def test_a_server_s_address(service: CredentialService, later: datetime) -> None:
    server = replace(PROD, name="web-1", protocol=Protocol.SSH)
    issued = await service.issue(DANA, Agent("claude"), server, later)
    assert issued.url.startswith("ssh://dana~claude+web-1@")
    assert "?" not in issued.url


@pytest.mark.parametrize("name", ["", "dana\0", "dаna", "x" * 64, "dana\n", "DANA", "dana~", "~", "dana~claude"])
async def test_odd_names_find_nothing(service: CredentialService, later: datetime, name: str) -> None:
    await service.issue(DANA, None, PROD, later)
    assert await service.find(name, "prod-db") is None


async def test_the_directorys_wire_name_counts_not_the_callers(service: CredentialService, later: datetime) -> None:
    issued: IssuedCredential = await service.issue(replace(DANA, wire_name="ann"), None, PROD, later)
    assert issued.credential.wire_name == "dana"


def test_tokens_need_their_randomness() -> None:
    assert len({new_token(bytes([number]) * TOKEN_BYTES) for number in range(256)}) == 256
    with pytest.raises(ValueError, match="17 random bytes"):
        new_token(b"short")


def test_the_verifier_is_what_rfc_5802_says() -> None:
    salted = hashlib.pbkdf2_hmac("sha256", b"hoop_token", b"salt" * 4, 4096)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (b"salt" * 4, stored, server)]
    assert scram_verifier("hoop_token", b"salt" * 4) == f"SCRAM-SHA-256$4096:{parts[0]}${parts[1]}:{parts[2]}"
