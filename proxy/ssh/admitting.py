"""What everything on a client's channel has in common: the gate it passes, the ways it ends. Subclasses do the work."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from access.actors import Actor
from access.errors import HoopError, Unavailable
from access.requests import AccessRequest, Place, RequestState
from access.resources import Resource
from access.scopes import Scope
from access.statements import Statement
from proxy.admission import Admitted, Refusal, Unit
from proxy.conversation import Outputs, Steps
from proxy.gate import Gate
from proxy.masking.detectors import Detectors
from proxy.ssh import messages as m
from proxy.ssh.asking import Driver
from proxy.ssh.channels import ClientChannel, Sink
from proxy.ssh.house import Surroundings
from proxy.ssh.messages import Asked, Size
from proxy.ssh.reading import request_unit, shown, statement_unit, unit, with_environment
from proxy.ssh.upstream import UpstreamUnreachable

#: Signals that take back what waits for a decision.
ENDING = frozenset({"INT", "TERM", "HUP", "KILL", "QUIT"})

#: Characters of what was asked for that are the reason of a request for access.
ASKED_MAX = 200
#: How long an approval may take to reach this process, and how often is looked whether the client still waits, in seconds.
GRANT_SECONDS, LOOK_SECONDS = 5.0, 0.25

log = logging.getLogger(__name__)

Ended = tuple[int, str]


class Admitting:
    """One request on a channel, from its verdict to its end. It is the gate's `Client` and the channel's `Work`."""

    #: It is only to be recorded, so it may come when its session is over already.
    late = False

    def __init__(self, session: Surroundings, client: ClientChannel, asked: Asked) -> None:
        self.session = session
        self.client = client
        self.asked = asked
        self.cut_because = ""
        self._gave_up = ""
        self._driver: Driver | None = None
        self._over = False
        allowed = session.visitor.resource.ssh.environment
        self.environment: Mapping[str, str] = m.may_pass(asked.environment, allowed)

    # ---------------------------------------------------------------------------------------- the gate's client

    @property
    def gave_up(self) -> str:
        return self.cut_because or self._gave_up

    def say(self, text: str, hint: str = "") -> None:
        self.client.error(m.spoken(text, hint))

    def hear(self, words: bytes) -> bool:
        """Words for the person, as they are; False when the channel is gone."""
        if self._over or self.client.gone.is_set():
            return False
        self.client.error(words)
        return True

    # ---------------------------------------------------------------------------------------- what happens to it

    @property
    def sink(self) -> Sink | None:
        return None

    def signal(self, name: str) -> None:
        """The client sent a signal: here, to the waiting."""
        if name in ENDING:
            self.give_up("cancelled by the client")

    def resized(self, size: Size) -> None:
        """The client's terminal changed."""

    def client_gone(self) -> None:
        self.give_up("the client went away")

    def cut(self, why: str) -> None:
        """End it now; the client hears why."""
        if not self.cut_because and not self._over:
            self.cut_because = why
            self.client.error(m.spoken(why))
            self.give_up(why)

    def give_up(self, why: str) -> None:
        """Nobody wants it any more, or may have it."""
        self._gave_up = self._gave_up or why
        if self._driver is not None:
            self._driver.wake()

    def slow(self) -> None:
        """The client does not read as fast as it is written to."""

    def keep_up(self) -> None:
        """It does again."""

    def tick(self) -> None:
        """Time passed: a hold looks around."""
        if self._driver is not None:
            self._driver.wake()

    # ---------------------------------------------------------------------------------------- from verdict to end

    async def run(self) -> None:
        """Everything, whatever happens: the client always gets an end."""
        status, signal = m.REFUSED, ""
        try:
            await self.session.ready(late=self.late)
            status, signal = await self.work()
        except Unavailable as problem:
            self.say(f"refused: {problem.message}", problem.hint)
        except UpstreamUnreachable:
            status = m.UNREACHABLE
        except Exception:
            log.exception("a channel failed")
            self.say("internal error of the gateway")
        finally:
            self._over = True
            self._driver = None
        await self.client.end(status, signal)

    async def work(self) -> Ended:
        """What it is for; exit status and signal. Raises Unavailable, UpstreamUnreachable."""
        raise NotImplementedError

    def gate(self) -> Gate:
        session = self.session
        return Gate(session.bearer, session.clock, Outputs(), self, counters=session.counters)

    async def ask(self, gate: Gate, steps: Steps[Admitted | Refusal] | Steps[Refusal]) -> Admitted | Refusal:
        """Run a gate's steps. Raises Unavailable when something could not be recorded."""
        session = self.session
        self._driver = driver = Driver(gate, session.asker, session.recording, session.tell, session.spawn)
        try:
            answer: Admitted | Refusal = await driver.run(steps)
        finally:
            self._driver = None
        return answer

    def perform(self, gate: Gate) -> None:
        """What a gate wants done after its steps: records and facts that nobody waits for."""
        session = self.session
        Driver(gate, session.asker, session.recording, session.tell, session.spawn).perform()

    async def access(self, scope: Scope, what: str) -> None:
        """Whoever comes without any access asks for it by coming, and waits here until that is decided."""
        session, visitor = self.session, self.session.visitor
        if not visitor.resource.ssh.asks or visitor.only_grant is not None or session.bearer.grants():
            return
        name = visitor.resource.name
        planned = session.planned()
        if planned is not None:
            self.say(*planned.said(session.clock.now()))
            return
        try:
            asked = await session.asker.desk.ask_access(
                visitor.actor,
                name,
                scope,
                None,
                f"by ssh: {shown(what, session.detectors).text[:ASKED_MAX]}",
                "",
                Place(),
            )
            self.say(f"no access to {name} yet: asked for it as {asked.request.id}", "Waiting. Ctrl-C takes it back.")
            decided = await self._decided(asked.request)
        except HoopError as problem:
            self.say(f"no access to {name}: {problem.message}", problem.hint)
            return
        self.say(f"{decided.id}: {decided.state.value}")
        until = session.clock.monotonic() + GRANT_SECONDS
        while decided.state is RequestState.APPROVED and session.clock.monotonic() < until:
            if session.bearer.grants():
                return
            await asyncio.sleep(0.02)

    async def _decided(self, filed: AccessRequest) -> AccessRequest:
        """A request once it is decided; taken back when the client goes away or nobody decides for too long."""
        session = self.session
        desk, until = session.asker.desk, session.clock.monotonic() + session.bearer.policy.hold_seconds
        row = filed
        while row.state is RequestState.PENDING:
            if self.gave_up or session.clock.monotonic() > until:
                return await desk.cancel(filed.id, filed.actor.person, self.gave_up or "nobody decided in time")
            row = await desk.wait(filed.id, LOOK_SECONDS)
        return row

    async def refuse(self, rule: str, refusal: Refusal, text: str = "") -> Ended:
        """Refuse for a reason of the wire's own; recorded, and said."""
        gate = self.gate()
        visitor = self.session.visitor
        asked = request_unit(text or self.asked.text, visitor.resource, visitor.actor, self.session.detectors)
        answer = await self.ask(gate, gate.refuse(asked, rule, refusal))
        assert isinstance(answer, Refusal)
        self.client.error(m.refused(answer))
        return m.REFUSED, ""

    def command(self) -> Unit:
        """The command line that was asked for, with the variables that go with it."""
        return with_environment(unit(self.asked.text, *self._about()), self.environment, self.session.detectors)

    def statement(self, statement: Statement, protocol: str) -> Unit:
        """Something that is no command line, to be admitted under a name of its own."""
        one = statement_unit(statement, protocol, *self._about())
        return with_environment(one, self.environment, self.session.detectors)

    def _about(self) -> tuple[Resource, Actor, Detectors]:
        visitor = self.session.visitor
        return visitor.resource, visitor.actor, self.session.detectors

    async def reach(self) -> None:
        """Make sure that the target answers, before anybody is asked about anything. Raises UpstreamUnreachable."""
        try:
            await self.session.pool.reach(self.session.visitor.resource)
        except UpstreamUnreachable as problem:
            await self.unreachable(problem)
            raise

    async def unreachable(self, problem: UpstreamUnreachable) -> None:
        self.say(f"the gateway cannot reach {self.session.visitor.resource.name}", "Its owners know more.")
        await self.session.unreachable(str(problem))
