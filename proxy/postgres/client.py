"""The executor: runs one approved command as a client of the gateway's own listener, so that there is one path.

It logs in with a credential that is good for exactly one grant, sends the exact text once as a simple Query, and keeps
the first rows. It never tries again: what is lost after sending may have run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from access.actors import Person
from access.errors import Invalid
from access.masking import Masked, declare_masked
from access.ports import Credentials, Outcome
from access.requests import AccessRequest, Grant
from access.resources import Resource, Upstream, UpstreamTls
from access.runs import RunStep
from proxy.postgres import messages as m
from proxy.postgres.frames import FrameError, Splitter
from proxy.postgres.scanning import ASKED
from proxy.upstream import Connected, Dialling, DirectDialer, UpstreamUnreachable
from proxy.wire import Lost

ROWS = 200
#: What a look at something costs the server at most; in the startup packet, so that it holds from the first statement on.
LOOKING: Mapping[str, str] = MappingProxyType({"lock_timeout": "500", "statement_timeout": "1000"})
#: Most warnings of the server that are kept.
WARNINGS = 5


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the gateway itself is reached. `tls`: it takes encrypted connections only."""

    host: str
    port: int
    tls: bool = False


@dataclass(slots=True)
class _Result:
    """What has come back so far, masked by the gateway on its way."""

    columns: tuple[Masked, ...] = ()
    rows: list[tuple[Masked | None, ...]] = field(default_factory=list)
    total: int = 0
    tag: str = ""
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    done: bool = False

    def take(self, frame: bytes) -> None:
        kind = frame[0]
        if kind == m.ROW_DESCRIPTION:
            self.columns = tuple(declare_masked(f.name) for f in m.parse_row_description(frame))
        elif kind == m.DATA_ROW:
            self.total += 1
            if len(self.rows) < ROWS:
                self.rows.append(tuple(_text(value) for value in m.row_values(frame)))
        elif kind == m.COMPLETE:
            self.tag = m.parse_tag(frame)
        elif kind == m.NOTICE and len(self.warnings) < WARNINGS:
            # A VACUUM that may not touch a table says so here and succeeds.
            fields = m.parse_fields(frame)
            self.warnings += [fields.get("M", "")] if fields.get("V", fields.get("S")) == "WARNING" else []
        elif kind == m.ERROR:
            fields = m.parse_fields(frame)
            parts = [fields.get("M", ""), fields.get("D", ""), fields.get("H", "")]
            self.error = " ".join(part for part in parts if part)
        elif kind == m.READY:
            self.done = True

    def outcome(self, session: str, *, known: bool) -> Outcome:
        lost = "" if known else "The connection was lost; whether the command ran is not known."
        return Outcome(
            ok=known and not self.error, tag=self.tag, columns=self.columns, rows=tuple(self.rows), total=self.total,
            message=declare_masked(self.error or lost or "\n".join(self.warnings)), session=session, known=known,
        )  # fmt: skip


def _text(value: bytes | None) -> Masked | None:
    return None if value is None else declare_masked(value.decode("utf-8", "replace"))


class Executor:
    """Implements `access.ports.Executor`. `listener` is asked at every run: a port may be chosen late."""

    def __init__(self, credentials: Credentials, listener: Callable[[], Listener]) -> None:
        self._credentials = credentials
        self._listener = listener

    async def run(self, request: AccessRequest, grant: Grant, person: Person, resource: Resource) -> Outcome:
        """Run the request's exact text once. Raises Invalid when the request has none."""
        if request.evidence is None:
            raise Invalid(f"{request.id} has no command to run.")
        issued = await self._credentials.issue(person, grant.actor.via, resource, grant.expires_at, grant=grant.id)
        try:
            return await self._run(
                request.evidence.exact.reveal(),
                request.evidence.database,
                resource,
                issued.credential.wire_name,
                issued.token,
            )
        finally:
            await self._credentials.end(issued.credential.id, "the command ran")

    async def run_steps(
        self, grant: Grant, person: Person, resource: Resource, database: str, steps: Sequence[RunStep]
    ) -> AsyncGenerator[Outcome, None]:
        """Run the steps in one session, an outcome each; ends after the first that did not succeed. What is not yet
        sent when the generator is closed is not run."""
        issued = await self._credentials.issue(person, grant.actor.via, resource, grant.expires_at, grant=grant.id)
        try:
            connected = await self._connected(database, resource, issued.credential.wire_name, issued.token)
            if isinstance(connected, Outcome):
                yield connected
                return
            try:
                for step in steps:
                    outcome = await _exchange(connected, _bound(step))
                    yield outcome
                    if not (outcome.ok and outcome.known):
                        return
                connected.wire.write(m.TERMINATE_MESSAGE)
            finally:
                connected.wire.abort()
        finally:
            await self._credentials.end(issued.credential.id, "the runbook ran")

    async def look(self, grant: Grant, person: Person, resource: Resource, text: str) -> Outcome:
        """One read under a grant, with a credential for that grant alone; the server ends it after a second."""
        issued = await self._credentials.issue(person, grant.actor.via, resource, grant.expires_at, grant=grant.id)
        try:
            name, database = issued.credential.wire_name, resource.upstream.database
            return await self._run(text, database, resource, name, issued.token, LOOKING)
        finally:
            await self._credentials.end(issued.credential.id, "it was looked up")

    async def sample(
        self, grant: Grant, person: Person, resource: Resource, database: str, texts: Sequence[str]
    ) -> AsyncGenerator[Outcome, None]:
        """Have tables sampled in one session (`scanning`), an outcome each, whatever became of the one before."""
        issued = await self._credentials.issue(person, None, resource, grant.expires_at, grant=grant.id)
        try:
            connected = await self._connected(
                database, resource, issued.credential.wire_name, issued.token, {ASKED: "on"}
            )
            if isinstance(connected, Outcome):
                yield connected
                return
            try:
                for text in texts:
                    outcome = await _exchange(connected, m.query(text))
                    yield outcome
                    if not outcome.known:
                        return
                connected.wire.write(m.TERMINATE_MESSAGE)
            finally:
                connected.wire.abort()
        finally:
            await self._credentials.end(issued.credential.id, "the resource was scanned")

    async def _run(
        self,
        text: str,
        database: str,
        resource: Resource,
        user: str,
        token: str,
        settings: Mapping[str, str] | None = None,
    ) -> Outcome:
        connected = await self._connected(database, resource, user, token, settings)
        if isinstance(connected, Outcome):
            return connected
        try:
            outcome = await _exchange(connected, m.query(text))
            if outcome.known:
                connected.wire.write(m.TERMINATE_MESSAGE)
            return outcome
        finally:
            connected.wire.abort()

    async def _connected(
        self, database: str, resource: Resource, user: str, token: str, settings: Mapping[str, str] | None = None
    ) -> Connected | Outcome:
        """Logged in at the gateway itself, or the outcome that says why not."""
        listener = self._listener()
        tls = UpstreamTls.REQUIRE if listener.tls else UpstreamTls.DISABLE
        gateway = Upstream(listener.host, listener.port, user, f"{resource.name}/{database}", tls=tls)
        startup = {"user": user, "database": gateway.database, "application_name": "hoop executor"} | dict(
            settings or {}
        )
        try:
            return await Dialling(gateway, DirectDialer(), token).log_in(startup)
        except UpstreamUnreachable as problem:
            return Outcome(ok=False, tag="", message=declare_masked(f"The command was not run: {problem}"))


def _bound(step: RunStep) -> bytes:
    """One statement in the extended protocol: values travel beside the text, never in it. (Chapter "Message Flow".)"""
    values = tuple(None if value is None else value.encode() for value in step.values)
    parts = [
        m.parse("", step.text),
        m.bind(m.Bind("", "", (), values, ())),
        m.describe("P", ""),
        m.message(m.EXECUTE, bytes(5)),
        m.SYNC_MESSAGE,
    ]
    return b"".join(parts)


async def _exchange(connected: Connected, sent: bytes) -> Outcome:
    session = connected.session.parameters.get("hoop.session", "")
    wire, frames, result = connected.wire, Splitter(m.BACKEND), _Result()
    wire.write(sent)
    try:
        while not result.done:
            for frame in frames.feed(await wire.more()):
                result.take(frame)
            if frames.error is not None:
                raise frames.error
    except (Lost, FrameError):
        return result.outcome(session, known=bool(result.error))
    return result.outcome(session, known=True)
