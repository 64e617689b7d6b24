"""A short-lived certificate for who logged in (`ssh -s PERSON+RESOURCE@gateway certificate@hoop < KEY.pub`)."""

from __future__ import annotations

import asyncio

from access.errors import HoopError
from proxy.admission import Refusal
from proxy.ssh.admitting import Admitting, Ended
from proxy.ssh.channels import ClientChannel, Sink
from proxy.ssh.house import Surroundings
from proxy.ssh.messages import Asked, spoken
from proxy.ssh.personal import REQUEST_MAX, UnreadableRequest

SUBSYSTEM = "certificate@hoop"
#: How long a client may take to send its key, in seconds.
SEND_SECONDS = 30.0

NONE_HERE = Refusal("This gateway issues no certificates.", "", "Its owner sets listeners.ssh.people.")
NOT_PERSONAL = Refusal(
    "A certificate is for who logged in with a number said in chat, or with a key of their own.",
    "A token is for one resource, an agent is nobody's login, and a certificate makes no other.",
)


class Certifying(Admitting):
    """It reads a public key and answers with its certificate. It gives no access: what may be done is asked again at each
    statement, and whose certificate it is counts like whose key."""

    def __init__(self, session: Surroundings, client: ClientChannel, asked: Asked) -> None:
        super().__init__(session, client, asked)
        self._sent = bytearray()
        self._complete = asyncio.Event()

    @property
    def sink(self) -> Sink | None:
        return self

    def write(self, data: bytes) -> None:
        """The client sends its key."""
        if len(self._sent) <= REQUEST_MAX:
            self._sent += data
        else:
            self._complete.set()

    def write_eof(self) -> None:
        """That was all."""
        self._complete.set()

    def give_up(self, why: str) -> None:
        super().give_up(why)
        self._complete.set()

    async def work(self) -> Ended:
        session, visitor = self.session, self.session.visitor
        certifier, what = session.certifier, "a certificate for this login"
        if certifier is None:
            return await self.refuse("certificates-off", NONE_HERE, what)
        if not visitor.personal or visitor.actor.via is not None:
            return await self.refuse("not-personal", NOT_PERSONAL, what)
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._complete.wait()
            if self.gave_up:
                return 1, ""
            sent = self._sent.decode("utf-8", "replace")
            line, row = await certifier.certificate(sent, visitor.person, session.row.client, visitor.credential)
        except TimeoutError:
            self.say("no key came in time")
        except UnreadableRequest as problem:
            self.say(f"refused: {problem}")
        except HoopError as problem:
            self.say(f"refused: {problem.message}", problem.hint)
        else:
            self.client.error(
                spoken(f"a certificate for {visitor.person.name} until {row.until:%H:%M} UTC: {row.name}")
            )
            self.client.write(line.encode() + b"\n")
            return 0, ""
        return 1, ""
