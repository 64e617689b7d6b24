"""What every role of the gateway and every operator command shares: store, people, desk, credentials.

Built from valid settings in one place; the roles (`app/serve.py`) add what they run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from access.actors import PersonId
from access.policy import Policy
from access.ports import Clock, Entropy
from access.resources import Protocol, Resource
from access.tickets import NoTickets
from app import config_build
from app.clock import SystemClock, SystemEntropy
from app.config_file import Loaded
from app.flows import FlowsWanted, Ground, flows_and_duty
from app.keys import key_bytes
from app.on_call import Roster
from app.settings import Settings
from app.telemetry import filtered_logs
from approval_flows.book import GrantBook
from approval_flows.desk import Desk
from approval_flows.flow import Limits
from approval_flows.office import Office
from approval_flows.shelf import FlowShelf
from identity.directory import StaticDirectory
from identity.links import WebLogins
from identity.ssh_keys import KeyBook
from identity.tokens import Address, CredentialService
from identity.vault import RedactingFilter, SecretVault
from ledger.sealing import Sealer
from ledger.store import Store

if TYPE_CHECKING:
    from app.jira.side import JiraSide


@dataclass(frozen=True, slots=True)
class Core:
    """The shared services of one process."""

    settings: Settings
    base: Path
    clock: Clock
    entropy: Entropy
    vault: SecretVault
    store: Store
    directory: StaticDirectory
    resources: Mapping[str, Resource]
    policy: Policy
    flows: FlowShelf
    on_call: Roster
    desk: Desk
    book: GrantBook
    credentials: CredentialService
    ssh_keys: KeyBook
    logins: WebLogins
    jira: JiraSide | None

    @property
    def public_url(self) -> str:
        """How browsers reach the console."""
        web = self.settings.listeners.web
        return web.public_url.rstrip("/") or f"http://{web.host}:{web.port}"

    def name_of(self, id: str) -> str:
        """A person's display name for lists; other ids as they are."""
        person = self.directory.person(PersonId(id))
        return person.name if person else id


def store_url(settings: Settings, base: Path, vault: SecretVault) -> str:
    """The store's URL with its password filled in and a relative SQLite path made absolute."""
    url = make_url(settings.store.url)
    if url.drivername.startswith("sqlite") and url.database and not url.database.startswith((":", "/")):
        url = url.set(database=str(base / url.database))
    if settings.store.password:
        url = url.set(password=vault.secret(settings.store.password))
    return url.render_as_string(hide_password=False)


def gateway_address(settings: Settings) -> Address:
    """What connection strings say."""
    listener = settings.listeners.postgres
    sslmode = "require" if listener.tls_required else "prefer"
    return Address(listener.public_host or listener.host, listener.port, sslmode)


def ssh_address(settings: Settings) -> Address:
    """What people give to `ssh`."""
    listener = settings.listeners.ssh
    return Address(listener.public_host or listener.host, listener.port)


def address_of(settings: Settings, resource: Resource) -> Address:
    """Where the gateway listens for the protocol of this resource."""
    return ssh_address(settings) if resource.protocol is Protocol.SSH else gateway_address(settings)


def limits(settings: Settings) -> Limits:
    """The owner's limits for asking."""
    return Limits(
        ask_for=settings.limits.pending_expires,
        pending_per_person=settings.limits.pending_requests,
        per_hour=settings.limits.requests_per_hour,
        cool_down=settings.limits.cool_down,
        ahead=settings.limits.ask_ahead,
        delegate_from=tuple(settings.approvals.delegation.groups),
        delegate_to=tuple(settings.approvals.delegation.to),
        delegate_longest=settings.approvals.delegation.longest,
        freeze_confirmed=settings.approvals.freeze_confirmed_within,
        begin_within=settings.limits.begin_within,
        unmask_usual=settings.limits.unmask_usual,
        unmask_longest=settings.limits.unmask_longest,
        security_group=settings.security_group,
        estimates=config_build.estimates(settings),
    )


def jira_of(settings: Settings, vault: SecretVault, directory: StaticDirectory, clock: Clock) -> JiraSide | None:
    """Jira, where it is configured."""
    if settings.jira is None:
        return None
    from app.jira.side import JiraSide  # its library costs start-up time that only its users should pay

    return JiraSide(settings, settings.jira, vault, directory, clock)


@asynccontextmanager
async def open_core(
    loaded: Loaded, clock: Clock | None = None, *, flows: FlowsWanted = FlowsWanted.ALL
) -> AsyncIterator[Core]:
    """Build everything and open the store; closes it at the end. No secret that is read meanwhile is logged. Raises
    Unavailable with what to do."""
    vault = SecretVault(base=loaded.base)
    with filtered_logs(RedactingFilter(vault)):
        async with _opened(loaded, vault, clock or SystemClock(), flows) as core:
            yield core


@asynccontextmanager
async def _opened(loaded: Loaded, vault: SecretVault, clock: Clock, flows: FlowsWanted) -> AsyncIterator[Core]:
    settings, entropy = loaded.settings, SystemEntropy()
    directory = StaticDirectory(config_build.people(settings), {})
    resources = config_build.resources(settings)
    sealer = Sealer(key_bytes(vault, settings.store.key), entropy=entropy)
    url = store_url(settings, loaded.base, vault)
    store = Store(url, clock, entropy, sealer, synchronous=settings.store.durability.upper())
    jira = jira_of(settings, vault, directory, clock)
    await store.start()
    try:
        ground = Ground(settings, loaded.base, directory, resources, vault, clock, store)
        on_call, shelf = await flows_and_duty(flows, ground)
        tickets = jira.tickets if jira else NoTickets()
        office = Office(directory, resources, entropy, limits(settings), shelf, on_call, tickets)
        yield Core(
            settings=settings,
            base=loaded.base,
            clock=clock,
            entropy=entropy,
            vault=vault,
            store=store,
            directory=directory,
            resources=resources,
            policy=config_build.policy(settings),
            flows=shelf,
            on_call=on_call,
            desk=Desk(store, office, clock),
            book=GrantBook(store, directory, clock),
            credentials=CredentialService(
                store, clock, entropy, directory, gateway_address(settings), ssh=ssh_address(settings)
            ),
            ssh_keys=KeyBook(store),
            logins=WebLogins(store, clock, entropy, directory),
            jira=jira,
        )
    finally:
        await store.close()
        if jira is not None:
            jira.close()
