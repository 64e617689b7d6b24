"""A server and, in front of it, a gateway that allows everything and masks nothing: what a client sees of it is the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from access.policy import Action, Policy
from access.scopes import Admin, Level, Scope
from access.statements import Effect
from proxy.house import Settings
from tests.fakes.world import EVERYBODY, a_person
from tests.wire.site import Server, Site, open_site

#: Named like the upstream's role, so that `current_user` is who the client logged in as.
POSTGRES = a_person("postgres")

ALLOW_ALL = Policy(
    matrix=MappingProxyType(
        {level: MappingProxyType(dict.fromkeys(Effect, Action.ALLOW)) for level in Level if level is not Level.NONE}
    ),
    hold_seconds=0,
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a client connects, and as whom."""

    host: str
    port: int
    user: str
    password: str
    database: str

    @property
    def environment(self) -> Mapping[str, str]:
        """As libpq and most drivers read it."""
        return {
            "PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user, "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
        }  # fmt: skip

    @property
    def url(self) -> str:
        return f"postgresql://{self.user}:{quote(self.password)}@{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class Arena:
    """The same server twice: `direct`, and `through` the gateway."""

    direct: Address
    through: Address
    site: Site


@asynccontextmanager
async def open_arena(
    server: Server, directory: Path, *, databases: tuple[str, ...] = (), scope: Scope | None = None,
    policy: Policy = ALLOW_ALL,
) -> AsyncIterator[Arena]:  # fmt: skip
    """The database of the resource is `postgres`; `databases` are the others that may be opened."""
    settings = Settings(connections_per_person=500)
    async with open_site(
        server, server.dsn("postgres"), directory, policy=policy, settings=settings, people=(*EVERYBODY, POSTGRES),
        databases=databases,
    ) as site:  # fmt: skip
        await site.grant(Admin() if scope is None else scope, person=POSTGRES, minutes=180)
        until = site.gateway.ports.clock.now() + timedelta(hours=3)
        issued = await site.credentials.issue(POSTGRES, None, site.resource, until)
        yield Arena(
            Address(server.host, server.port, server.user, server.password, "postgres"),
            Address(server.host, site.gateway.port, issued.credential.wire_name, issued.token, "postgres"),
            site,
        )
