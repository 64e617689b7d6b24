"""The protected targets as this process reaches them by itself: reading catalogs, and judging a command before it is
asked for. The gateway reaches them on behalf of people; this is not that path."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from access.errors import Unavailable
from access.resources import Resource, UpstreamTls
from app import config_build
from app.by_protocol import Judges
from app.core import Core
from app.keys import key_bytes
from proxy.catalogs import Catalogs
from proxy.masking.detectors import Detectors
from proxy.masking.literals import make_visible
from proxy.masking.plan import Masker
from proxy.postgres.judge import Judge
from proxy.sql import sampling
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.catalog_loader import catalog_mark, load_catalog
from proxy.ssh.judge import Judge as SshJudge

CONNECT_SECONDS = 5
_SSLMODE = {UpstreamTls.DISABLE: "disable", UpstreamTls.REQUIRE: "require", UpstreamTls.VERIFY_FULL: "verify-full"}


def server_words(error: psycopg.Error) -> str:
    """What a server (or the way to it) said, in one line, for its owner: hosts and roles may be in it, secrets never are."""
    said = str(error).rpartition("failed: ")[2].partition("\n\tIs the server running")[0]
    return make_visible(" ".join(said.split())).rstrip(".?")


def place_of(resource: Resource, database: str) -> str:
    """Whom the gateway logs in as, and where."""
    upstream = resource.upstream
    return f"{resource.name}: {upstream.user} at {upstream.host}:{upstream.port}/{database}"


class Targets:
    """Catalogs and masking of every resource."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._registered = config_build.registered_functions(core.settings)
        self.masking = {name: config_build.mask_policy(core.settings, name) for name in core.resources}

    @property
    def mask_key(self) -> bytes:
        """The key of hashes and pseudonyms; derived from the store's when none is configured."""
        settings = self._core.settings
        if settings.masking.key:
            return key_bytes(self._core.vault, settings.masking.key)
        return hmac.digest(key_bytes(self._core.vault, settings.store.key), b"hoop masking key", hashlib.sha256)

    async def load(self, resource: Resource, database: str) -> Catalog:
        """Read one database's catalog as the gateway's own role. Raises Unavailable; its hint has the server's words, for the log."""
        try:
            async with await self.connect(resource, database) as connection:
                catalog = await load_catalog(connection)
        except psycopg.Error as error:
            words = server_words(error)
            answered = error.sqlstate or words.startswith("FATAL")
            said = "its server refuses the gateway." if answered else "its server does not answer."
            raise Unavailable(said, hint=f"{place_of(resource, database)}: {words}.") from None
        return replace(catalog, registered=self._registered[resource.name])

    async def mark(self, resource: Resource, database: str) -> str:
        """What differs when a definition of the database has changed. Raises `psycopg.Error`."""
        async with await self.connect(resource, database) as connection:
            return await catalog_mark(connection)

    async def connect(self, resource: Resource, database: str) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        """A read-only connection as the gateway's own role. Raises `psycopg.Error`."""
        return await psycopg.AsyncConnection.connect(
            self._conninfo(resource, database), autocommit=True, connect_timeout=CONNECT_SECONDS
        )

    async def sample(
        self, resource: Resource, database: str, relation: Relation, columns: Sequence[Column], rows: int
    ) -> Mapping[str, Sequence[str | None]]:
        """Values of a table's columns, for the masker. Raises Unavailable without anything secret in it."""
        try:
            async with await self.connect(resource, database) as connection:
                return await sampling.texts(connection, relation, columns, rows)
        except psycopg.Error as error:
            raise Unavailable(f"its sample failed ({error.sqlstate or 'no answer'})") from None

    def _conninfo(self, resource: Resource, database: str) -> str:
        upstream = resource.upstream
        tls_ca = str(self._core.base / upstream.tls_ca) if upstream.tls_ca else "system"
        return make_conninfo(
            host=upstream.host,
            port=upstream.port,
            user=upstream.user,
            dbname=database,
            password=self._core.vault.secret(upstream.secret) if upstream.secret else None,
            sslmode=_SSLMODE[upstream.tls],
            sslrootcert=tls_ca if upstream.tls is UpstreamTls.VERIFY_FULL else None,
            sslcert=_path(self._core.base, upstream.tls_certificate),
            sslkey=_path(self._core.base, upstream.tls_key),
            application_name="hoop catalog",
            options="-c default_transaction_read_only=on -c statement_timeout=30s",
        )

    def judge(self, catalogs: Callable[[], Catalogs]) -> Judges:
        """The judge of `/hoop exec`, on the same catalogs and masking as the wire."""
        core = self._core

        def masker(resource: Resource, catalog: Catalog) -> Masker:
            return Masker(self.masking[resource.name].recorded(), catalog, self.mask_key)

        def detectors(resource: Resource) -> Detectors:
            return Detectors(self.masking[resource.name].recorded(), self.mask_key)

        return Judges(Judge(catalogs, masker, core.policy, core.clock), SshJudge(detectors, core.policy, core.clock))

    def catalogs(self, tasks: asyncio.TaskGroup) -> Catalogs:
        """Catalogs of a process without a gateway."""
        return Catalogs(self.load, lambda _key, _catalog: None, tasks, self.mark)


def absolute(resource: Resource, base: Path) -> Resource:
    """The resource with the paths of its certificates and host keys made absolute."""
    upstream = resource.upstream
    upstream = replace(
        upstream,
        tls_ca=_path(base, upstream.tls_ca) or "",
        tls_certificate=_path(base, upstream.tls_certificate) or "",
        tls_key=_path(base, upstream.tls_key) or "",
        known_hosts=_path(base, upstream.known_hosts) or "",
    )
    return replace(resource, upstream=upstream)


def _path(base: Path, path: str) -> str | None:
    return str(base / path) if path else None
