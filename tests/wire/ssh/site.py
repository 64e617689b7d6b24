"""A whole SSH gateway in one process: the real rooms on a store in memory, in front of a real OpenSSH server."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh

from access.actors import Agent, Person
from access.ids import GrantId
from access.masking import MaskPolicy, Strategy
from access.policy import Policy
from access.ports import IssuedCredential, Secrets
from access.requests import EXECUTOR, AccessRequest, Choice, Grant, GrantState, RequestState
from access.resources import Protocol, Resource, Upstream
from access.scopes import Once, Read, Scope
from access.statements import binding_digest
from app.clock import SystemClock, SystemEntropy
from approval_flows.book import GrantBook
from approval_flows.desk import Desk
from approval_flows.office import Office
from identity.directory import StaticDirectory
from identity.ssh_keys import KeyBook
from identity.tokens import Address, CredentialService
from ledger.recordings import Recordings
from ledger.replay import Entry, timeline
from ledger.sessions import SessionLog
from proxy.ssh.house import Settings
from proxy.ssh.login import actor_of
from proxy.ssh.reading import bound
from proxy.ssh.server import SshGateway
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA, EVERYBODY, GROUPS
from tests.patience import LONG

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
ACCOUNT = pwd.getpwuid(os.getuid()).pw_name
MASK = MaskPolicy(entities={"email": Strategy.REDACT})


@dataclass(frozen=True)
class Ports:
    """What the gateway needs of the other rooms."""

    clock: SystemClock
    entropy: SystemEntropy
    store: MemoryStore
    directory: StaticDirectory
    credentials: CredentialService
    vault: Files
    grants: GrantBook
    desk: Desk
    log: SessionLog
    recordings: Recordings
    secrets: Secrets | None = None


class Files:
    """A vault of files."""

    def secret(self, ref: str) -> str:
        return Path(ref.removeprefix("file:")).read_text()


@dataclass
class Target:
    """An OpenSSH server of its own, for the account that runs the tests."""

    directory: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    #: Variables of the server itself, besides those of the tests.
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known_hosts"

    @property
    def key(self) -> Path:
        return self.directory / "gateway_key"

    def start(self, *lines: str, path: str = "") -> None:
        """Commands find no start-up files of this machine's account (bash reads ~/.bashrc under sshd), only an empty home.

        sshd heeds the first SetEnv line alone, so `path`, the commands' PATH where a test needs its own, goes here.
        """
        home = self.directory / "home"
        home.mkdir(parents=True, exist_ok=True)
        for name in ("host_key", "gateway_key"):
            if not (self.directory / name).exists():
                keygen(self.directory / name)
        with __import__("socket").socket() as found:
            found.bind(("127.0.0.1", self.port))
            self.port = found.getsockname()[1]
        authorized = self.directory / "authorized_keys"
        authorized.write_text((self.directory / "gateway_key.pub").read_text())
        authorized.chmod(0o600)
        host = (self.directory / "host_key.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host}")
        config = self.directory / "sshd_config"
        config.write_text(
            "\n".join(
                (
                    f"Port {self.port}", "ListenAddress 127.0.0.1", f"HostKey {self.directory}/host_key", "UsePAM no",
                    f"AuthorizedKeysFile {authorized}", "StrictModes no", "PasswordAuthentication no", "PidFile none",
                    "PermitRootLogin prohibit-password", "Subsystem sftp internal-sftp", "AcceptEnv *",
                    f"SetEnv HOME={home}" + (f" PATH={path}" if path else ""), "PermitUserRC no", *lines, "",
                )
            )
        )  # fmt: skip
        Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL, env={**os.environ, **self.environment}
        )
        for _ in range(200):
            try:
                __import__("socket").create_connection(("127.0.0.1", self.port), 0.2).close()
                return
            except OSError:
                __import__("time").sleep(0.02)
        raise AssertionError("sshd does not listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def keygen(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


@dataclass
class Site:
    """What a test needs: the gateway, the rooms, and short ways to get access and to decide."""

    gateway: SshGateway
    store: MemoryStore
    desk: Desk
    book: GrantBook
    keys: KeyBook
    credentials: CredentialService
    recordings: Recordings
    resource: Resource
    target: Target
    directory: Path
    host_key: str

    async def grant(self, scope: Scope | None = None, *, minutes: float = 30, person: Person = DANA) -> Grant:
        grant = await self.desk.grant_directly(
            person, self.resource.name, scope or Read(), timedelta(minutes=minutes), "a test", "test"
        )
        await self.book.refresh()
        return grant

    async def once(self, line: str) -> tuple[str, str]:
        """A single-use grant for a line of Dana's, as the executor gets it: login name and token."""
        digest = binding_digest(bound(self.resource, actor_of(DANA, ""), line))
        standing = await self.grant()
        await self.desk.revoke(standing.id, DANA.id, "only to have a request")
        once = replace(
            standing,
            id=GrantId("grt_0nce0nce00"),
            scope=Once(digest),
            state=GrantState.ACTIVE,
            version=1,
            holder=EXECUTOR,
        )
        await self.store.transact(lambda tx: tx.insert_grant(once))
        await self.book.refresh()
        issued = await self.credentials.issue(DANA, None, self.resource, once.expires_at, grant=once.id)
        return f"{once.id}+web-1", issued.token

    async def issue(self, person: Person = DANA, agent: Agent | None = None) -> IssuedCredential:
        until = self.gateway.ports.clock.now() + timedelta(hours=1)
        return await self.credentials.issue(person, agent, self.resource, until)

    async def key(self, person: Person = DANA, *, confirmed: bool = True) -> Path:
        """A registered key of a person."""
        path = self.directory / f"id_{person.wire_name}"
        if not path.exists():
            keygen(path)
            key = await self.keys.add(person.id, path.with_suffix(".pub").read_text())
            if confirmed:
                await self.keys.confirm(person.id, key.fingerprint)
        return path

    async def options(self, *more: str) -> list[str]:
        known = self.directory / "gateway_known_hosts"
        known.write_text(f"[127.0.0.1]:{self.gateway.port} {self.host_key}\n")
        return [
            "-F", "none", "-p", str(self.gateway.port), "-i", str(await self.key()), "-o", "IdentitiesOnly=yes",
            "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", *more,
        ]  # fmt: skip

    async def start(self, *command: str, options: tuple[str, ...] = (), user: str = "") -> asyncio.subprocess.Process:
        """The real client with Dana's key."""
        login = user or self.resource.name
        return await asyncio.create_subprocess_exec(
            "ssh", *await self.options(*options), f"{login}@127.0.0.1", *command,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def ssh(
        self, *command: str, options: tuple[str, ...] = (), stdin: bytes = b"", user: str = "", seconds: float = 20
    ) -> tuple[int, bytes, str]:
        process = await self.start(*command, options=options, user=user)
        out, error = await asyncio.wait_for(process.communicate(stdin), seconds)
        return process.returncode or 0, out, error.decode()

    async def connect(self, user: str, password: str) -> asyncssh.SSHClientConnection:
        return await asyncssh.connect(
            "127.0.0.1", self.gateway.port, username=user, password=password, client_keys=None, config=None,
            known_hosts=f"[127.0.0.1]:{self.gateway.port} {self.host_key}\n".encode(), agent_path=None,
        )  # fmt: skip

    async def pending(self, seconds: float = LONG) -> AccessRequest:
        async with asyncio.timeout(seconds):
            while True:
                found = await self.store.read(lambda tx: tx.requests(states=[RequestState.PENDING]))
                if found:
                    return found[0]
                await asyncio.sleep(0.005)

    async def decide(self, choice: Choice = Choice.APPROVE, note: str = "", by: Person = ANN) -> AccessRequest:
        request = await self.pending()
        return await self.desk.review(request.id, request.revision, by.id, choice, note)

    async def facts(self, *kinds: str) -> list[Any]:
        return list(await self.store.read(lambda tx: tx.events(limit=1000, kinds=kinds)))

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.store.read(lambda tx: tx.events(limit=1000))]

    async def gone(self, seconds: float = LONG) -> None:
        async with asyncio.timeout(seconds):
            while self.gateway.sessions or self.gateway.doors:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)

    async def recorded(self) -> list[Entry]:
        """The timeline of the newest session, after it closed."""
        await self.gone()
        session = (await self.store.read(lambda tx: tx.sessions()))[0]
        while not (  # noqa: ASYNC110 - nothing tells
            found := [path for path in self.recordings.directory.glob(f"*/{session.id}*") if path.suffix != ".part"]
        ):
            await asyncio.sleep(0.01)
        name = found[0].relative_to(self.recordings.directory)
        return timeline(self.recordings.read(str(name).removesuffix(".zst")))


@asynccontextmanager
async def open_site(
    target: Target, directory: Path, *, policy: Policy | None = None, mask: MaskPolicy = MASK,
    settings: Settings | None = None,
) -> AsyncIterator[Site]:  # fmt: skip
    upstream = Upstream(
        "127.0.0.1", target.port, ACCOUNT, "", private_key=f"file:{target.key}", known_hosts=str(target.known_hosts)
    )
    resource = Resource("web-1", Protocol.SSH, upstream, approvers=("dba",), owners=("owners",))
    clock, entropy = SystemClock(), SystemEntropy()
    store = MemoryStore(clock)
    people = StaticDirectory(EVERYBODY, GROUPS)
    desk = Desk(store, Office(people, {resource.name: resource}, entropy), clock)
    book = GrantBook(store, people, clock)
    log = SessionLog(store)
    recordings = Recordings(directory / "recordings", log)
    await recordings.start()
    credentials = CredentialService(store, clock, entropy, people, Address("127.0.0.1", 0))
    keys = KeyBook(store)
    host_key = asyncssh.generate_private_key("ssh-ed25519")

    ports = Ports(
        clock=clock, entropy=entropy, store=store, directory=people, credentials=credentials, vault=Files(), grants=book,
        desk=desk, log=log, recordings=recordings,
    )  # fmt: skip
    given = replace(
        settings or Settings(login_seconds=3, greeting_seconds=3),
        drain=0.2,
        host_key=host_key.export_private_key().decode(),
    )
    gateway = SshGateway(
        ports, keys, given, {resource.name: resource}, policy or Policy(hold_seconds=20), {resource.name: mask}
    )
    loop = asyncio.get_running_loop()
    following = [loop.create_task(book.run()), loop.create_task(keys.run())]
    await gateway.start()
    try:
        yield Site(
            gateway, store, desk, book, keys, credentials, recordings, resource, target, directory,
            host_key.export_public_key().decode().strip(),
        )  # fmt: skip
    finally:
        await gateway.stop()
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        await recordings.close()
