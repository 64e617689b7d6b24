"""Credentials people and their agents connect with: short-lived, one per wire name and resource, kept as verifiers.

The token exists in clear only in the `IssuedCredential` returned once. What is stored is the verifier PostgreSQL itself
would store (RFC 5802, RFC 7677; PostgreSQL documentation, pg_authid.rolpassword). Tokens carry 130 random bits, so the
iteration count needs to slow nobody down and stays at PostgreSQL's default.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from urllib.parse import quote

from scramp import ScramMechanism

from access.actors import AGENT_NAME, Actor, Agent, Person, actor_key, wire_name
from access.errors import Denied, Invalid
from access.events import CredentialEnded, CredentialIssued
from access.ids import ENTROPY_BYTES, CredentialId, GrantId, Prefix, new_id
from access.ports import Clock, Directory, Entropy, IssuedCredential, Store, Tx
from access.requests import Credential
from access.resources import Protocol, Resource

TOKEN_PREFIX = "hoop_"  # noqa: S105 - lets secret scanners find a leaked token
TOKEN_LETTERS = 26  # of 5 bits each
TOKEN_BYTES = 17
SALT_BYTES = 16
ITERATIONS = 4096
NAME_MAX = 63  # PostgreSQL's longest user name
SCHEMES = MappingProxyType({Protocol.POSTGRES: "postgresql", Protocol.SSH: "ssh"})
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Address:
    """How clients reach the gateway: the public host and port, and the sslmode to write into connection strings."""

    host: str
    port: int
    sslmode: str = "prefer"


def new_token(random: bytes) -> str:
    """`hoop_` and 26 Crockford letters (130 bits) from at least `TOKEN_BYTES` random bytes."""
    if len(random) < TOKEN_BYTES:
        raise ValueError(f"a token needs {TOKEN_BYTES} random bytes, got {len(random)}")
    number = int.from_bytes(random[:TOKEN_BYTES], "big")
    return TOKEN_PREFIX + "".join(_ALPHABET[number >> (5 * place) & 31] for place in range(TOKEN_LETTERS))


def scram_verifier(token: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """`SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, as PostgreSQL writes it."""
    salt, stored_key, server_key, count = ScramMechanism("SCRAM-SHA-256").make_auth_info(
        token, iteration_count=iterations, salt=salt
    )
    salted, stored, server = (base64.b64encode(part).decode("ascii") for part in (salt, stored_key, server_key))
    return f"SCRAM-SHA-256${count}:{salted}${stored}:{server}"


def connection_url(address: Address, user: str, resource: Resource) -> str:
    """The connection string without the password; `~` in an agent's name needs no escape.

    Raises KeyError for a protocol that is not in `SCHEMES`.
    """
    scheme = SCHEMES[resource.protocol]
    host = f"[{address.host}]" if ":" in address.host else address.host
    if resource.protocol is Protocol.SSH:
        return f"{scheme}://{quote(user, safe='~')}+{resource.name}@{host}:{address.port}"
    database = quote(resource.name, safe="")
    return f"{scheme}://{quote(user, safe='~')}@{host}:{address.port}/{database}?sslmode={address.sslmode}"


class CredentialService:
    """Implements `access.ports.Credentials`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        directory: Directory,
        address: Address,
        *,
        ssh: Address | None = None,
    ) -> None:
        """`address` is the PostgreSQL listener's, `ssh` the SSH listener's."""
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._directory = directory
        self._addresses = {Protocol.POSTGRES: address, Protocol.SSH: ssh or address}

    async def issue(
        self, person: Person, agent: Agent | None, resource: Resource, until: datetime, *, grant: GrantId | None = None
    ) -> IssuedCredential:
        """A new credential until `until`; the one before it of the same wire name and resource ends.

        With `grant` it is good for that single-use grant only, and its user name is the grant's id. Raises Denied for a
        person who is not active, Invalid for a bad agent name or a time that is over.
        """
        if agent is not None and not AGENT_NAME.match(agent.name):
            hint = "Lower-case letters, digits and '-', at most 31, starting with a letter."
            raise Invalid("This is no name for an agent.", field="agent", hint=hint)
        if resource.protocol not in SCHEMES:
            raise Invalid(f"{resource.name} is not reached with a token.", field="resource")
        token = new_token(self._entropy.token(TOKEN_BYTES))
        verifier = scram_verifier(token, self._entropy.token(SALT_BYTES))
        name = CredentialId(new_id(Prefix.CREDENTIAL, self._entropy.token(ENTROPY_BYTES)))

        def work(tx: Tx) -> Credential:
            known = self._directory.person(person.id)
            if known is None or not known.active:
                raise Denied(f"{person.name} is not an active person of the directory.", rule="person-inactive")
            if until <= tx.now:
                raise Invalid("A credential can not end before it begins.", field="until")
            user = grant or wire_name(known, agent)
            through = agent.name if agent else ""
            credential = Credential(
                name, known.id, through, resource.name, user, verifier, tx.now, until, only_grant=grant
            )
            _insert(tx, credential, actor_key(Actor(known.id, agent)))
            return credential

        credential = await self._store.transact(work)
        return IssuedCredential(credential, token, self._url(credential.wire_name, resource))

    def url(self, person: Person, agent: Agent | None, resource: Resource) -> str:
        """The connection string of a person, or of their agent, without the token."""
        return self._url(wire_name(person, agent), resource)

    def _url(self, user: str, resource: Resource) -> str:
        return connection_url(self._addresses[resource.protocol], user, resource)

    async def find(self, wire_name: str, resource: str) -> Credential | None:
        """The live credential, whatever the client sent as its name; None when there is none or it expired."""
        if not wire_name.isascii() or not wire_name.isprintable() or not 0 < len(wire_name) <= NAME_MAX:
            return None
        found = await self._store.read(lambda tx: tx.credential(wire_name, resource))
        if found is None or found.ended_at is not None or found.expires_at <= self._clock.now():
            return None
        person = self._directory.person(found.person)
        return found if person is not None and person.active else None

    async def end(self, id: CredentialId, why: str) -> None:
        """End a credential; ending it twice changes nothing."""

        def work(tx: Tx) -> None:
            if tx.end_credential(id):
                tx.append(CredentialEnded(stream=id, credential=id, why=why))

        await self._store.transact(work)


def _insert(tx: Tx, credential: Credential, actor: str) -> None:
    replaced = tx.credential(credential.wire_name, credential.resource)
    tx.insert_credential(credential)
    if replaced is not None:
        tx.append(CredentialEnded(stream=replaced.id, actor=actor, credential=replaced.id, why="replaced by a new one"))
    tx.append(
        CredentialIssued(
            stream=credential.id,
            actor=actor,
            credential=credential.id,
            resource=credential.resource,
            wire_name=credential.wire_name,
            expires_at=credential.expires_at.isoformat(),
        )
    )
