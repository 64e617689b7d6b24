"""Which kind of work a channel was opened for."""

from __future__ import annotations

from collections.abc import Callable

from proxy.ssh.admitting import Admitting, Ended
from proxy.ssh.certifying import SUBSYSTEM, Certifying
from proxy.ssh.channels import ClientChannel
from proxy.ssh.classify import is_shell, is_transfer
from proxy.ssh.copies import Copying
from proxy.ssh.execution import Execution
from proxy.ssh.house import Surroundings
from proxy.ssh.interactive import Interactive
from proxy.ssh.messages import Asked
from proxy.ssh.refusals import NOT_READ, SUBSYSTEM_OFF
from proxy.ssh.transfer import Transfer


class NotOffered(Admitting):
    """What nobody gets here: refused in words, and recorded."""

    late = True

    async def work(self) -> Ended:
        if self.asked.kind:
            return await self.refuse("subsystem-off", SUBSYSTEM_OFF, f"the subsystem {self.asked.text[:40]}")
        return await self.refuse("not-understood", NOT_READ, "a request that cannot be read")


def opened_for(session: Surroundings) -> Callable[[ClientChannel, Asked], Admitting]:
    """What begins with what a channel of this session asks for."""

    def begin(client: ClientChannel, asked: Asked) -> Admitting:
        work = _kind(asked)(session, client, asked)
        session.begin(work)
        return work

    return begin


def _kind(asked: Asked) -> type[Admitting]:
    match asked.kind:
        case "exec" if asked.terminal is None and not is_shell(asked.text):
            return Copying if is_transfer(asked.text) else Execution
        case "exec" | "shell":
            return Interactive
        case "subsystem" if asked.text == "sftp":
            return Transfer
        case "subsystem" if asked.text == SUBSYSTEM:
            return Certifying
        case _:
            return NotOffered
