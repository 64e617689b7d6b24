"""From a startup packet to a running session: who is it, what may they do, is the target there."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace

from access.actors import Actor, Agent, Person, PersonId, actor_key
from access.errors import Unavailable
from access.events import UpstreamFailed
from access.ids import ENTROPY_BYTES, Prefix, SessionId, new_id
from access.policy import standing_level
from access.requests import Credential, Grant, Session
from access.resources import Resource
from access.scopes import Level, OfRunbook, reach_of
from access.statements import Effect
from proxy.admission import Bearer
from proxy.apart import Recipe
from proxy.house import House
from proxy.masking.plan import Masker
from proxy.postgres import messages as m
from proxy.postgres.conversation import Conversation
from proxy.postgres.facts import Facts
from proxy.postgres.frames import Splitter
from proxy.postgres.guarded import TRACKED
from proxy.postgres.reader import Reader, Sampled
from proxy.postgres.scanning import ASKED, Scanning
from proxy.postgres.scram import ScramServer
from proxy.postgres.startup import Hello, Refused, find_resource
from proxy.postgres.state import SqlState
from proxy.recording import Kind, record
from proxy.revealing import Revealed, given_any, revealer
from proxy.session import LiveSession, SessionPorts, capped
from proxy.sql.catalog import Catalog
from proxy.sql.judged import SqlSession
from proxy.sql.settings import Answer, change
from proxy.upstream import Connected, Dialling, UpstreamUnreachable
from proxy.verifiers import MECHANISM, AuthenticationFailed, Verifier
from proxy.wire import Lost, Wire

#: What the gateway sets itself on every upstream connection (notes: settings that are pinned).
PINNED = {"client_encoding": "UTF8", "standard_conforming_strings": "on", "backslash_quote": "safe_encoding"}
#: Reported to every client like a setting of the server, so that people and programs can name their session.
SESSION = "hoop.session"
CHECK_INTERVAL = "client_connection_check_interval"
#: The length of a cancel secret by minor version.
KEY_BYTES = {0: 4, 2: 32}
_PASSWORD = frozenset(b"p")
#: References to secrets that are read in less time than it takes to ask another thread for them.
_AT_HAND = ("env:", "file:")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who proved who they are."""

    hello: Hello
    resource: Resource
    database: str
    credential: Credential
    person: Person
    actor: Actor


def _not_in(hello: Hello) -> Refused:
    hint = "Check the user (your wire name) and the database (a resource); /hoop token RESOURCE gives a new token."
    return Refused("28P01", f'password authentication failed for user "{hello.user}"', hint)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One connection on its way in."""

    gateway: House
    wire: Wire

    async def authenticate(self, hello: Hello) -> Visitor:
        """SCRAM against the credential of this name on this resource. Raises Refused; every refusal is recorded."""
        try:
            try:
                resource, database = find_resource(self.gateway.resources, hello.database)
            except Refused:
                # Who cannot log in learns no names: an unknown resource looks like a wrong password.
                await self._prove(hello, hello.database)
                raise
            credential = await self._prove(hello, resource.name)
            return self._visitor(hello, resource, database, credential)
        except Refused as refused:
            name, where = hello.user[:63], hello.database[:63]
            await self.gateway.refused(where, name, self.wire.address, refused.message)
            raise

    async def _prove(self, hello: Hello, resource: str) -> Credential:
        if hello.negotiate is not None:
            self.wire.write(m.negotiate(hello.minor, hello.negotiate))
        credential = await self.gateway.ports.credentials.find(hello.user, resource)
        try:
            if credential is None:
                verifier = Verifier.mock(f"{resource}/{hello.user}", self.gateway.secret)
            else:
                verifier = Verifier.parse(credential.verifier)
            server = ScramServer(verifier, self.gateway.nonce())
            frames = Splitter(_PASSWORD)
            self.wire.write(m.authentication(10, m.cstring(MECHANISM) + b"\0"))
            self.wire.write(m.authentication(11, server.first(await self._answer(frames))))
            final = server.final(await self._answer(frames))
        except AuthenticationFailed:
            raise _not_in(hello) from None
        if credential is None:
            raise _not_in(hello)
        self.wire.write(m.authentication(12, final) + m.authentication(0))
        return credential

    async def _answer(self, frames: Splitter) -> bytes:
        while True:
            found = frames.feed(await self.wire.more())
            if frames.error is not None or len(found) > 1 or (found and frames.buffered):
                raise Refused("08P01", "unexpected message during authentication")
            if found:
                return found[0]

    def _visitor(self, hello: Hello, resource: Resource, database: str, credential: Credential) -> Visitor:
        person = self.gateway.ports.directory.person(credential.person)
        if person is None or not person.active:
            raise Refused("28000", "this person is not active in the directory any more")
        actor = Actor(person.id, Agent(credential.agent) if credential.agent else None, person.name)
        visitor = Visitor(hello, resource, database, credential, person, actor)
        if not self._grants(visitor, None):
            if (planned := self.gateway.ports.grants.planned(person.id, resource.name)) is not None:
                raise Refused("28000", *planned.said(self.gateway.ports.clock.now()))
            hint = f"Ask for access in chat: /hoop request {resource.name} 1h REASON"
            raise Refused("28000", f"no live grant for {hello.user} on {resource.name}", hint)
        return visitor

    def _grants(self, visitor: Visitor, session: SessionId | None) -> Sequence[Grant]:
        only = visitor.credential.only_grant
        return self.gateway.ports.grants.of(visitor.actor, visitor.resource.name, session=session, only=only)

    async def _writes(self, visitor: Visitor, grant: Grant | None) -> bool:
        """Whether the session is the executor's, for an approved run or command that does more than read. Nothing else can
        run in it, and what cannot run in a transaction (VACUUM, CREATE INDEX CONCURRENTLY) runs in no other way."""
        if grant is None or visitor.credential.only_grant != grant.id:
            return False
        if isinstance(grant.scope, OfRunbook):
            return grant.scope.writes
        request = await self.gateway.ports.store.read(lambda tx: tx.request(grant.request))
        return request is not None and request.evidence is not None and not request.evidence.effects <= {Effect.READ}

    # ---------------------------------------------------------------------------------------- the session

    async def live(self, visitor: Visitor) -> None:
        """Open everything in the order that leaves a trace of it, run the session, close everything."""
        if self.gateway.catalogs is None:
            raise Lost
        try:
            catalog = await self.gateway.catalogs.get(visitor.resource, visitor.database)
        except Unavailable as problem:
            again = f"Try again in a moment. Its owner sees why in the gateway's log, or with hoop doctor {visitor.resource.name}."
            raise Refused("57P03", problem.message, again) from None
        now = self.gateway.ports.clock.now()
        grants = self._grants(visitor, None)
        ceiling = standing_level(grants, now)
        opened_under = max(grants, key=lambda grant: (reach_of(grant.scope), grant.expires_at), default=None)
        row = self._row(visitor, opened_under)
        read_only = ceiling <= Level.READ and not await self._writes(visitor, opened_under)
        settings = self._settings(visitor, row, ceiling, read_only=read_only)
        try:
            upstream, dialling = await self._reach(visitor, row, settings)
        except UpstreamUnreachable as problem:
            await self._unreachable(row, str(problem))
            hint = "The owners of the resource know more."
            raise Refused("08001", f"the gateway cannot reach {visitor.resource.name}", hint) from None
        session = None
        try:
            # Definitions may have changed while the target was being reached, and the others were told already.
            catalog = self.gateway.catalogs.newest(visitor.resource, visitor.database) or catalog
            revealed = Revealed() if given_any(opened_under) else None
            session = self._session(visitor, row, catalog, ceiling, upstream, dialling, revealed, read_only=read_only)
            session.opened_under = opened_under
            await self._run(session, visitor)
        finally:
            upstream.wire.abort()
            if session is not None:
                await session.finish()
            else:
                await self.gateway.ports.log.closed(replace(row, closed_at=now, why_closed="could not begin"), "")

    def _row(self, visitor: Visitor, opened_under: Grant | None) -> Session:
        ports = self.gateway.ports
        now = ports.clock.now()
        return Session(
            id=SessionId(new_id(Prefix.SESSION, ports.entropy.token(ENTROPY_BYTES))),
            credential=visitor.credential.id, actor=visitor.actor, resource=visitor.resource.name,
            database=visitor.database, protocol="postgres", node=self.gateway.settings.node,
            client=self.wire.address, application=visitor.hello.application[:63], opened_at=now, heartbeat_at=now,
            request=None if opened_under is None else opened_under.request,
        )  # fmt: skip

    def _settings(self, visitor: Visitor, row: Session, ceiling: Level, *, read_only: bool) -> dict[str, str]:
        """The parameters of the upstream's startup packet, rebuilt from what is allowed."""
        upstream = visitor.resource.upstream
        seen = SqlSession(role=upstream.user, level=ceiling)
        self._scanning(visitor)
        given = {name: value for name, value in visitor.hello.settings.items() if name != ASKED}
        for name, value in given.items():
            answer, why = change(name, value, seen)
            if answer not in {Answer.FREE, Answer.TRACKED}:
                raise Refused("42501", why or f"the setting {name} does not pass the gateway", "Connect without it.")
        settings = {
            **given,
            "user": upstream.user,
            "database": visitor.database,
            "application_name": f"hoop/{row.id}",
            CHECK_INTERVAL: "1000",
            **PINNED,
        }
        if read_only:
            # Given here and never by SET: RESET ALL would drop it.
            settings["default_transaction_read_only"] = "on"
        return settings

    async def _reach(self, visitor: Visitor, row: Session, settings: dict[str, str]) -> tuple[Connected, Dialling]:
        """The row of the session, and at the same time its upstream connection: nobody is let in without both, and none is
        left behind without the other. Raises UpstreamUnreachable, and what the row could not be made for."""
        dialling = asyncio.get_running_loop().create_task(self._dial(visitor, settings))
        try:
            await self.gateway.ports.log.opened(row)
            return await dialling
        except BaseException:
            # Cancelled in the moment it was reached, it is there and nobody has it.
            dialling.cancel()
            (made,) = await asyncio.gather(dialling, return_exceptions=True)
            if not isinstance(made, BaseException):
                made[0].wire.abort()
            raise

    async def _dial(self, visitor: Visitor, settings: dict[str, str]) -> tuple[Connected, Dialling]:
        reference = visitor.resource.upstream.secret
        vault = self.gateway.ports.vault
        try:
            if reference.startswith(_AT_HAND):
                password = vault.secret(reference)
            else:
                password = await asyncio.to_thread(vault.secret, reference) if reference else ""
        except Unavailable as problem:
            raise UpstreamUnreachable(problem.message) from None
        dialling = Dialling(visitor.resource.upstream, self.gateway.ports.dialer, password)
        return await dialling.log_in_for_session(settings), dialling

    async def _unreachable(self, row: Session, why: str) -> None:
        ports = self.gateway.ports
        fact = UpstreamFailed(
            stream=row.id, actor=actor_key(row.actor), resource=row.resource, why=why, request=row.request or ""
        )
        await ports.log.record(fact)
        await ports.log.closed(replace(row, closed_at=ports.clock.now(), why_closed=f"upstream: {why}"), "")

    def _session(
        self,
        visitor: Visitor,
        row: Session,
        catalog: Catalog,
        ceiling: Level,
        upstream: Connected,
        dialling: Dialling,
        revealed: Revealed | None,
        *,
        read_only: bool,
    ) -> LiveSession:
        gateway, ports = self.gateway, self.gateway.ports
        bearer = Bearer(
            session=row.id, actor=visitor.actor, resource=visitor.resource, policy=gateway.policy,
            person=lambda: ports.directory.person(visitor.person.id), name=self._name,
            version=gateway.version,
            grants=lambda: capped(self._grants(visitor, row.id), ceiling),
        )  # fmt: skip
        reported = upstream.session.parameters
        initial = {name.lower(): value for name, value in reported.items() if name.lower() in TRACKED}
        initial["search_path"] = upstream.session.search_path
        given = {k: v for k, v in visitor.hello.settings.items() if k not in PINNED and k != ASKED}
        role = visitor.resource.upstream.user
        conversation = Conversation(
            Facts(
                bearer,
                visitor.database,
                read_only=read_only,
                clear_rows=gateway.settings.clear_rows,
                count_lookups=gateway.lookups.take,
                scanning=self._scanning(visitor),
                reveal=revealer(ports.secrets, bearer),
                revealed=revealed or Revealed(),
            ),
            self._reader(row, catalog, revealed),
            SqlState(role, initial, given=given, unread=gateway.unread(visitor.resource, visitor.database)),
            ports.clock,
            dict(reported),
        )
        recording = ports.recordings.open(row)
        recording.write(_open_record(row, visitor))
        return LiveSession(
            row, conversation, self.wire, upstream, dialling,
            SessionPorts(ports.clock, ports.desk, ports.log, recording, gateway.sweeper, gateway.poller),
            ceiling=ceiling,
            make_reader=lambda newer: self._reader(row, newer, revealed),
            stale_catalog=lambda names: self.gateway.defined(visitor.resource, visitor.database, names),
            audience=lambda: self._audience(row),
        )  # fmt: skip

    def _scanning(self, visitor: Visitor) -> Scanning | None:
        """What a session that samples tables works with; None for any other. Raises Refused: only those who answer for the
        resource may have it sampled, and no agent."""
        resource, samples = visitor.resource, self.gateway.ports.samples
        if ASKED not in visitor.hello.settings:
            return None
        answering = not visitor.person.groups.isdisjoint({*resource.owners, *resource.approvers})
        if samples is None or not answering or visitor.actor.via is not None or visitor.hello.settings[ASKED] != "on":
            raise Refused(
                "42501", f"{ASKED} is for those who own {resource.name} or decide on it", "Connect without it."
            )
        return Scanning(resource, visitor.database, self.gateway.masking[resource.name], samples)

    def _name(self, id: PersonId) -> str:
        person = self.gateway.ports.directory.person(id)
        return id.rpartition("|")[2] if person is None else person.name

    def _reader(self, row: Session, catalog: Catalog, revealed: Revealed | None) -> Reader:
        """Its hashes and pseudonyms are those of every session under the same request, and of no other."""
        extra = (*self.gateway.detectors, *([revealed] if revealed is not None else []))
        key = hmac.digest(self.gateway.secret, f"mask/{row.resource}/{row.request}".encode(), hashlib.sha256)
        policy, seen = self.gateway.masking[row.resource], None
        person = self.gateway.ports.directory.person(row.actor.person)
        name, groups = ("", frozenset[str]()) if person is None else (person.wire_name, person.groups)
        recorded = policy.recorded() if person is None else policy.recorded(name, groups)
        if person is not None:
            seen = policy.seen(name, groups, agent=row.actor.via is not None)
        sampled, impressions, where = None, self.gateway.impressions, (row.resource, row.database)
        if impressions is not None and policy.by_sample:
            resource = self.gateway.resources[row.resource]
            sampled = Sampled(
                impressions, resource, row.database, policy.recorded(), impressions.version(where),
                lambda newer: self._reader(row, newer, revealed),
            )  # fmt: skip
            recorded = impressions.applied(where, recorded)
            seen = None if seen is None else impressions.applied(where, seen)
        masker = Masker(recorded, catalog, key, extra, seen=seen)
        # Detectors of the gateway's own do not exist elsewhere: what they would mask must not be shown by anybody else.
        recipe = Recipe(catalog, recorded, key, seen, shows=not extra)
        far = lambda text, session: self.gateway.apart.read(recipe, text, session)  # noqa: E731 - bound here
        return Reader(catalog, masker, far=far, sampled=sampled, forms=revealed is None, learned=self.gateway.learned)

    def _audience(self, row: Session) -> frozenset[str]:
        """What the rules for this session's person depend on."""
        person = self.gateway.ports.directory.person(row.actor.person)
        return frozenset() if person is None else person.groups

    async def _run(self, session: LiveSession, visitor: Visitor) -> None:
        """Tell the client it is in, and serve it. Its cancel key is the gateway's own; the process id is the server's."""
        gateway, reported = self.gateway, session.upstream.session
        key = (reported.process, gateway.ports.entropy.token(KEY_BYTES[visitor.hello.minor]))
        shown = {**reported.parameters, "application_name": visitor.hello.application, SESSION: session.row.id}
        masker = session.conversation.reader.masker
        greeting = [m.parameter_status(name, masker.parameter_status(name, value)) for name, value in shown.items()]
        self.wire.write(b"".join([*greeting, m.key_data(*key), m.ready(m.IDLE)]))
        gateway.joined(session, key)
        try:
            await session.run()
        finally:
            gateway.left(session, key)


def _open_record(row: Session, visitor: Visitor) -> bytes:
    data = {
        "session": row.id,
        "person": visitor.person.name,
        "agent": visitor.credential.agent,
        "resource": row.resource,
        "database": row.database,
        "application": row.application,
        "client": row.client,
    }
    return record(Kind.OPEN, int(row.opened_at.timestamp() * 1000), 0, data)
