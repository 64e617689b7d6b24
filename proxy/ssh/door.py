"""asyncssh's questions about one connection, each answered by the rules of the house. None of them decides by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress

import asyncssh

from access.actors import AGENT_NAME
from access.errors import HoopError
from access.events import LoginRefused
from access.ids import CredentialId
from access.resources import Resource
from proxy.conversation import Outputs
from proxy.gate import Gate
from proxy.ssh import messages as m
from proxy.ssh.asking import Driver
from proxy.ssh.channels import ClientChannel
from proxy.ssh.confirming import PROMPT, WAIT_SECONDS, Asked, Confirming
from proxy.ssh.forwarding import OFF, PROHIBITED, Forward
from proxy.ssh.house import House, Visitor
from proxy.ssh.login import ATTEMPTS, Failures, actor_of, fingerprint, knows_token, verifier_of
from proxy.ssh.opening import opened_for
from proxy.ssh.personal import Doubt, doubt, presented
from proxy.ssh.reading import request_unit
from proxy.ssh.remote import RemoteForward, forgive_taking_back
from proxy.ssh.session import BROKEN, GONE, LiveSession

#: Channels open on one connection at once.
CHANNELS = 32
PASSWORD_MAX = 256

#: Title, words, language, and (prompt, echoed) each; False: this way is not offered (asyncssh).
Challenge = bool | tuple[str, str, str, Sequence[tuple[str, bool]]]


class Door(asyncssh.SSHServer):
    """One client connection. `_visitor` is who the last successful proof was of; it counts once login is complete."""

    def __init__(self, gateway: House, doors: set[Door], failures: Failures, numbers: Asked) -> None:
        self._gateway = gateway
        self._doors = doors
        self._failures = failures
        self._numbers = numbers
        self._confirming: Confirming | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._connection: asyncssh.SSHServerConnection | None = None
        self._visitor: Visitor | None = None
        self._session: LiveSession | None = None
        self._greeted = False
        self._failed = 0
        self._open = 0
        self._name = ""
        self._address = ""
        self._why = ""

    # ---------------------------------------------------------------------------------------- arriving

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._gateway.cork.hasten(conn)
        # asyncssh tells the server nothing of a certificate but its authority, and would want the login name among its principals.
        # Were it not called, no certificate would be let in at all.
        setattr(conn, "_validate_openssh_certificate", self._judge_certificate)  # noqa: B010 - a method of the library
        forgive_taking_back(conn)
        peer = conn.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        gateway = self._gateway
        self._doors.add(self)
        if len(self._doors) > gateway.settings.connections or self._failures.too_many(self._address):
            conn.abort()
            return
        self._hurry(max(gateway.settings.greeting_seconds, gateway.settings.login_seconds))

    def _hurry(self, seconds: float) -> None:
        """Give whoever is at the door this long to come in."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort_unless_in)

    def connection_lost(self, exc: Exception | None) -> None:
        gateway = self._gateway
        self._doors.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._session is not None:
            gateway.people[self._session.visitor.person.id] -= 1
            # What a client says when it goes is asyncssh's exception too; its words are its own, and not kept.
            self._session.lost(BROKEN if isinstance(exc, asyncssh.ProtocolError) else GONE)
        elif self._failed:
            gateway.later(self._note_failure())

    def abort_unless_in(self) -> None:
        """The gateway stops: nobody comes in any more."""
        if self._session is None and self._connection is not None:
            self._connection.abort()

    async def _note_failure(self) -> None:
        login = m.parse_login(self._name)
        stream = login.resource if login is not None and login.resource in self._gateway.resources else "ssh"
        with suppress(HoopError):
            await self._gateway.ports.log.record(
                LoginRefused(
                    stream=stream, client=self._address, name=self._name[:63], why=self._why or "no valid key or token"
                )
            )

    # ---------------------------------------------------------------------------------------- proving

    def begin_auth(self, username: str) -> bool:
        if not self._greeted:  # the person has looked at the host key, if they were asked about it
            self._greeted = True
            self._hurry(self._gateway.settings.login_seconds)
        self._name = username
        self._visitor = None
        return True

    def password_auth_supported(self) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def kbdint_auth_supported(self) -> bool:
        return True

    async def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Challenge:  # noqa: ARG002 - asyncssh's signature
        """A number to be said in chat. The same for a name that does not exist."""
        self._visitor = None
        gateway, login = self._gateway, m.parse_login(username)
        resource = self._resource(login)
        if login is None or not login.name or login.agent or not self._numbers.may(login.name, self._address):
            self._refuse_proof()
            return False
        person = gateway.ports.directory.by_name(login.name) if resource is not None else None
        known = person if person is not None and person.active else None
        self._confirming = Confirming(gateway, known, login.resource, self._address)
        shown = await self._confirming.begin()
        if not shown:
            self._refuse_proof()
            return False
        self._hurry(WAIT_SECONDS + gateway.settings.login_seconds)
        return "", shown, "", [(PROMPT, False)]

    async def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        """A token is taken like a password; without one, the number decides."""
        self._visitor = None
        confirming, login = self._confirming, m.parse_login(username)
        if responses and responses[0].strip():
            return await self.validate_password(username, responses[0].strip())
        resource = self._resource(login)
        if confirming is None or not await confirming.said():
            if confirming is not None and confirming.why:
                self._why = confirming.why
                if self._connection is not None:
                    self._connection.send_auth_banner(f"hoop: refused: {confirming.why}\r\n")
            self._refuse_proof()
            return False
        person = confirming.person
        if person is None or resource is None or resource.name != confirming.resource:
            self._refuse_proof()
            return False
        self._visitor = Visitor(
            person, actor_of(person, ""), resource, CredentialId(f"chat:{confirming.number}"), personal=True
        )
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Asked for an offer and again for the signature, which the library checks right after this returns. Without
        side effects: only `auth_completed` may act on the visitor noted here."""
        self._visitor = None
        login = m.parse_login(username)
        resource = self._resource(login)
        name = fingerprint(key.public_data)
        registered = self._gateway.keys.known(name)
        if login is None or resource is None or registered is None or not _agent_ok(login):
            self._failed = max(self._failed, 1)
            return False
        person = self._gateway.ports.directory.person(registered)
        claimed = login.name.partition("~")[0]
        if person is None or not person.active or claimed not in {"", person.wire_name}:
            self._failed = max(self._failed, 1)
            return False
        self._visitor = Visitor(
            person, actor_of(person, login.agent), resource, CredentialId(name), key=name, personal=True
        )
        return True

    async def _judge_certificate(self, username: str, certificate: asyncssh.SSHCertificate) -> asyncssh.SSHKey | None:
        """As `validate_public_key`, for a certificate: its key, when it may come in. Without side effects but words."""
        self._visitor = None
        gateway, one, login = self._gateway, presented(certificate), m.parse_login(username)
        authority = "" if gateway.certifier is None else gateway.certifier.authority.fingerprint
        known = gateway.keys.certificates.known(one.serial)
        problem = doubt(one, authority, known, self._address, gateway.ports.clock.now())
        person = gateway.ports.directory.person(known.person) if known is not None else None
        resource = self._resource(login)
        if problem is None and (person is None or not person.active):
            problem = Doubt("a certificate of somebody who is not here any more", "this account is not active")
        elif problem is None and person is not None and one.principals != (person.wire_name,):
            problem = Doubt(
                "a certificate with other principals than its person", "this certificate names somebody else"
            )
        elif problem is None and person is not None and login is not None and login.name not in {"", person.wire_name}:
            problem = Doubt(f"a certificate of {person.wire_name}", f"this certificate is for {person.wire_name}")
        elif problem is None and resource is None:
            problem = Doubt("no such resource", "there is no resource with this name")
        if problem is not None or person is None or resource is None or known is None:
            self._refuse_certificate(problem)
            return None
        self._visitor = Visitor(
            person, actor_of(person, ""), resource, CredentialId(known.name), certificate=known.serial
        )
        key: asyncssh.SSHKey = certificate.key
        return key

    def _refuse_certificate(self, problem: Doubt | None) -> None:
        self._failed = max(self._failed, 1)
        if problem is not None and problem.why != self._why:
            self._why = problem.why
            if problem.said and self._connection is not None:
                self._connection.send_auth_banner(f"hoop: refused: {problem.said}\r\n")

    async def validate_password(self, username: str, password: str) -> bool:
        """The password is a hoop token. As much work for a name that does not exist."""
        self._visitor = None
        gateway = self._gateway
        if self._failures.too_many(self._address) or len(password) > PASSWORD_MAX:
            self._refuse_proof()
            return False
        login = m.parse_login(username)
        resource = self._resource(login)
        credential = None
        if login is not None and resource is not None and login.name:
            try:
                credential = await gateway.ports.credentials.find(login.name, resource.name)
            except HoopError:
                self._refuse_proof()
                return False
        verifier = verifier_of(credential.verifier if credential else None, username, gateway.secret)
        known = knows_token(password, verifier)
        person = gateway.ports.directory.person(credential.person) if credential else None
        if not known or credential is None or resource is None or person is None or not person.active:
            self._refuse_proof()
            return False
        actor = actor_of(person, credential.agent)
        self._visitor = Visitor(person, actor, resource, credential.id, credential.only_grant)
        return True

    def _resource(self, login: m.Login | None) -> Resource | None:
        return None if login is None else self._gateway.resources.get(login.resource)

    def _refuse_proof(self) -> None:
        self._failed += 1
        self._failures.note(self._address)
        if self._failed >= ATTEMPTS and self._connection is not None:
            self._connection.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "Too many attempts")

    def auth_completed(self) -> None:
        visitor, connection = self._visitor, self._connection
        if visitor is None or connection is None:
            if connection is not None:
                connection.abort()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._gateway.people[visitor.person.id] += 1
        self._session = LiveSession(self._gateway, visitor, connection, self._address)
        self._gateway.later(self._session.run())

    # ---------------------------------------------------------------------------------------- asking for channels

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        session = self._session
        if session is None:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "hoop: not logged in")
        if self._open >= CHANNELS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "hoop: too many channels")
        self._open += 1
        return ClientChannel(opened_for(session), self._closed)

    def _closed(self) -> None:
        self._open -= 1

    def connection_requested(
        self,
        dest_host: str,
        dest_port: int,
        orig_host: str,  # noqa: ARG002 - asyncssh's signature
        orig_port: int,  # noqa: ARG002 - asyncssh's signature
    ) -> Awaitable[asyncssh.SSHTCPSession[bytes]]:
        """A local forward: the channel opens once it is admitted and connected."""
        session = self._session
        if session is None or len(session.works) >= CHANNELS:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_RESOURCE_SHORTAGE, "hoop: too many channels")
        return Forward(self._gateway, session, dest_host[:255], dest_port).opened()

    def unix_connection_requested(self, dest_path: str) -> bool:
        self._refuse(f"a forward to {dest_path[:100]}")
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, PROHIBITED)

    def server_requested(self, listen_host: str, listen_port: int) -> Awaitable[asyncssh.SSHListener | bool] | bool:
        """A remote forward: it listens on the target once it is admitted."""
        session = self._session
        if session is None or len(session.works) >= CHANNELS:
            return False
        return RemoteForward(session, listen_host[:255], listen_port).opened()

    def unix_server_requested(self, listen_path: str) -> bool:
        self._refuse(f"a remote forward from {listen_path[:100]}")
        return False

    def _refuse(self, what: str) -> None:
        if self._session is not None:
            self._gateway.later(self._record_refusal(self._session, what))

    @staticmethod
    async def _record_refusal(session: LiveSession, what: str) -> None:
        await session.ready()
        gate = Gate(session.bearer, session.clock, Outputs(), _Nobody(), counters=session.counters)
        driver = Driver(gate, session.asker, session.recording, session.tell, session.spawn)
        unit = request_unit(what, session.visitor.resource, session.visitor.actor, session.detectors)
        answer = await driver.run(gate.refuse(unit, "forwarding-off", OFF))
        session.remark(m.spoken(f"refused: {unit.shown}", answer.message))


class _Nobody:
    """A gate's client that is not there to hear."""

    gave_up = ""

    def say(self, text: str, hint: str = "") -> None:
        """Nothing to say it to."""


def _agent_ok(login: m.Login) -> bool:
    return "~" not in login.name or AGENT_NAME.match(login.agent) is not None
