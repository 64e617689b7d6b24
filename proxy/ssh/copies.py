"""`scp -O` and rsync on their way: admitted by their files, passed on byte by byte, counted and hashed."""

from __future__ import annotations

import asyncio

import asyncssh

from access.scopes import Read
from proxy.admission import Admitted, Refusal
from proxy.gate import Gate
from proxy.ssh import files
from proxy.ssh.admitting import Ended
from proxy.ssh.copying import read_copy, statement_of
from proxy.ssh.execution import Execution
from proxy.ssh.output import Stream
from proxy.ssh.refusals import NUL, RUN_ONE, TRANSFER_OFF

RESOLVE_SECONDS = 10.0


class Plain(Stream):
    """A stream that is a file, not something to read: passed on as it is."""

    def feed(self, data: bytes) -> bytes:
        self.binary = True
        return data

    def flush(self, *, final: bool = False) -> bytes:  # noqa: ARG002 - the interface
        return b""


class Copying(Execution):
    """One copy. Its channel carries files, so nothing of it is masked or kept."""

    async def admit(self, gate: Gate) -> Admitted | Ended:
        rules = self.session.visitor.resource.ssh
        if "\0" in self.asked.text:
            return await self.refuse("not-understood", NUL)
        if not rules.files:
            return await self.refuse("transfer-off", TRANSFER_OFF)
        copy = read_copy(self.asked.text)
        if copy.problem:
            return await self.refuse("not-understood", Refusal(copy.problem, "", RUN_ONE))
        await self.reach()
        try:
            real = await self._resolved(copy.paths)
        except (asyncssh.Error, OSError, ValueError, TimeoutError):
            return await self.refuse("files", Refusal("The target does not say where these files are."))
        statement = statement_of(self.asked.text, copy, real)
        why = files.outside(statement, rules, real)
        if why:
            return await self.refuse("files", Refusal(why, files.LISTED))
        await self.access(Read(), self.asked.text)
        return await self.heard(gate, self.statement(statement, "ssh"))

    async def _resolved(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Where the paths lead on the target. Raises what asyncssh raises."""
        async with (
            asyncio.timeout(RESOLVE_SECONDS),
            self.session.pool.lease(self.session.visitor.resource) as connection,
            connection.start_sftp_client() as client,
        ):
            found = [await client.realpath(path) for path in paths]
        return tuple(files.absolute(str(path), "/") for path in found)

    def stream(self) -> Stream:
        return Plain(self.session.detectors)
