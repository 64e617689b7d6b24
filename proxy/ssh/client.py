"""The executor: runs an approved command as an SSH client of the gateway's own listener, so that there is one path.

It logs in with a credential that is good for exactly one grant, asks for the exact text once, and keeps the last lines.
It never tries again: what is lost after it was sent may have run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace

import asyncssh

from access.actors import Person
from access.errors import Invalid
from access.masking import Masked, declare_masked
from access.ports import Credentials, Outcome
from access.requests import AccessRequest, Grant
from access.resources import Resource
from access.runs import RunStep
from proxy.masking.literals import make_visible
from proxy.ssh.messages import CUT, REFUSED, SESSION, UNREACHABLE, login_name

#: Lines of output that are kept, and characters of one.
LINES = 200
LINE_MAX = 500
CONNECT_SECONDS = 10.0
#: Bytes of output that are read for the extract.
KEPT_BYTES = 64 * 1024

_OUTPUT = declare_masked("output")


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the gateway itself is reached, and the public host key it must show."""

    host: str
    port: int
    host_key: str


class Executor:
    """Runs commands and runbooks on SSH targets, as `access.ports.Executor`. `listener` is asked at every run: a port may be chosen late."""

    def __init__(self, credentials: Credentials, listener: Callable[[], Listener]) -> None:
        self._credentials = credentials
        self._listener = listener

    async def run(self, request: AccessRequest, grant: Grant, person: Person, resource: Resource) -> Outcome:
        """Run the request's exact text once. Raises Invalid when the request has none."""
        if request.evidence is None:
            raise Invalid(f"{request.id} has no command to run.")
        text = request.evidence.exact.reveal()
        issued = await self._credentials.issue(person, grant.actor.via, resource, grant.expires_at, grant=grant.id)
        try:
            return await self._run(login_name(issued.credential.wire_name, resource.name), issued.token, text)
        finally:
            await self._credentials.end(issued.credential.id, "the command ran")

    async def run_steps(
        self, grant: Grant, person: Person, resource: Resource, _database: str, steps: Sequence[RunStep]
    ) -> AsyncGenerator[Outcome, None]:
        """Run the steps on one connection, each as a command of its own, an outcome each; ends after the first that did
        not succeed. What is not yet sent when the generator is closed is not run."""
        issued = await self._credentials.issue(person, grant.actor.via, resource, grant.expires_at, grant=grant.id)
        try:
            named = _Named()
            connection = await self._connected(
                login_name(issued.credential.wire_name, resource.name), issued.token, named
            )
            if isinstance(connection, Outcome):
                yield connection
                return
            try:
                for step in steps:
                    outcome = replace(await _exchange(connection, step.text), session=named.session)
                    yield outcome
                    if not (outcome.ok and outcome.known):
                        return
            finally:
                connection.close()
        finally:
            await self._credentials.end(issued.credential.id, "the runbook ran")

    async def _run(self, name: str, token: str, text: str) -> Outcome:
        named = _Named()
        connection = await self._connected(name, token, named)
        if isinstance(connection, Outcome):
            return connection
        try:
            outcome = await _exchange(connection, text)
        finally:
            connection.close()
        return replace(outcome, session=named.session)

    async def _connected(self, name: str, token: str, named: _Named) -> asyncssh.SSHClientConnection | Outcome:
        """Logged in at the gateway itself, or the outcome that says why not."""
        try:
            return await self._connect(name, token, named)
        except (OSError, asyncssh.Error) as problem:
            why = f"The command was not run: the gateway cannot be reached ({type(problem).__name__})."
            return Outcome(ok=False, tag="", message=declare_masked(why))

    async def _connect(self, name: str, token: str, named: _Named) -> asyncssh.SSHClientConnection:
        at = self._listener()
        known = f"[{at.host}]:{at.port} {at.host_key}\n" if at.port != 22 else f"{at.host} {at.host_key}\n"
        return await asyncssh.connect(
            at.host, at.port, client_factory=lambda: named, username=name, password=token, known_hosts=known.encode(), client_keys=None,
            config=None, agent_path=None, gss_host=None, kbdint_auth=False, public_key_auth=False,
            connect_timeout=CONNECT_SECONDS, login_timeout=CONNECT_SECONDS, client_version="hoop-executor",
        )  # fmt: skip


class _Named(asyncssh.SSHClient):
    """Hears which session this is."""

    session = ""

    def debug_msg_received(self, msg: str, lang: str, always_display: bool) -> None:  # noqa: ARG002, FBT001 - asyncssh's signature
        name, _, session = msg.partition("=")
        if name == SESSION:
            self.session = session[:40]


class _Reading(asyncssh.SSHClientSession[bytes]):
    """Keeps the beginning of what is printed, counts the lines of all."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.error = bytearray()
        self.lines = 0
        self.status: int | None = None

    def data_received(self, data: bytes, datatype: int | None) -> None:
        kept = self.out if datatype is None else self.error
        self.lines += data.count(b"\n") if datatype is None else 0
        kept += data[: max(0, KEPT_BYTES - len(kept))]

    def exit_status_received(self, status: int) -> None:
        self.status = status


async def _exchange(connection: asyncssh.SSHClientConnection, text: str) -> Outcome:
    session = _Reading()
    try:
        channel, _ = await connection.create_session(lambda: session, text, encoding=None)
        channel.write_eof()
        await channel.wait_closed()
    except (OSError, asyncssh.Error):
        return _lost(session)
    if session.status is None:
        return _lost(session)
    tag = f"exit status {session.status}"
    rows = tuple((_line(line),) for line in bytes(session.out).splitlines()[:LINES])
    total = session.lines + (not session.out.endswith(b"\n") and bool(session.out))
    # Cut by the gateway, or lost behind it: it may have run.
    known = session.status not in {CUT, UNREACHABLE}
    said = b"\n".join(bytes(session.error).splitlines()[: LINES // 2])
    message = _text(said) if session.status else Masked("")
    if session.status == REFUSED and not message:
        message = declare_masked("The target refused to run this.")
    return Outcome(
        ok=session.status == 0, tag=tag, columns=(_OUTPUT,) if rows else (), rows=rows, total=total, message=message,
        known=known,
    )  # fmt: skip


def _lost(session: _Reading) -> Outcome:
    message = _text(bytes(session.error)) or declare_masked(
        "The connection was lost; whether the command ran is not known."
    )
    return Outcome(ok=False, tag="", message=message, known=False)


def _text(data: bytes) -> Masked:
    return declare_masked(make_visible(data.decode("utf-8", "replace").replace("\r", "")).strip())


def _line(data: bytes) -> Masked:
    return declare_masked(make_visible(data.decode("utf-8", "replace").rstrip("\r"))[:LINE_MAX])
