"""sftp (which is scp too, since OpenSSH 9): each file operation is judged and recorded, then passed on; contents are counted
and hashed, never kept and never masked.

Paths are resolved by the target first, so that a link is judged by where it leads; what is forwarded is the resolved path.
Requests are taken one after the other; those on an open file do not wait for anything.
"""

from __future__ import annotations

import asyncio
import posixpath

import asyncssh

from access.scopes import Read
from access.statements import Effect, Statement
from proxy.admission import Admitted, Refusal
from proxy.ssh import files
from proxy.ssh import messages as m
from proxy.ssh import sftp_messages as wire
from proxy.ssh.admitting import Ended
from proxy.ssh.channels import WINDOW
from proxy.ssh.passing import ANSWER_SECONDS, WAITING_MAX, Denied, Opened, Passing, Pending
from proxy.ssh.refusals import TRANSFER_OFF
from proxy.ssh.sftp_messages import Fxp, Reader, Status
from proxy.ssh.upstream import UpstreamUnreachable

#: Open files and directories of one channel.
OPEN_MAX = 128

#: Extensions that are understood here, and so may be offered.
EXTENSIONS = (
    b"posix-rename@openssh.com",
    b"hardlink@openssh.com",
    b"fsync@openssh.com",
    b"limits@openssh.com",
    b"lsetstat@openssh.com",
)
_ON_HANDLE = frozenset({Fxp.CLOSE, Fxp.READ, Fxp.WRITE, Fxp.FSTAT, Fxp.READDIR})

SESSION = Statement("ssh", "sftp", frozenset({Effect.READ}), verbs=("SFTP",), functions=("sftp",))


class Transfer(Passing):
    """One sftp subsystem."""

    # ---------------------------------------------------------------------------------------- life

    async def work(self) -> Ended:
        if not self._rules.files:
            return await self.refuse("transfer-off", TRANSFER_OFF, "sftp")
        await self.reach()
        gate = self._gate
        await self.access(Read(), "sftp")
        answer = await self.ask(gate, gate.admit(self.statement(SESSION, files.PROTOCOL)))
        if isinstance(answer, Refusal):
            self.client.error(m.refused(answer))
            return m.REFUSED, ""
        self.session.in_use(answer.verdict.level)
        try:
            async with self.session.pool.lease(self.session.visitor.resource) as connection:
                return await self._through(connection, answer)
        except UpstreamUnreachable as problem:
            await self.unreachable(problem)
            raise

    async def _through(self, connection: asyncssh.SSHClientConnection, admitted: Admitted) -> Ended:
        target = self._target
        try:
            channel, _ = await connection.create_session(lambda: target, subsystem="sftp", encoding=None, window=WINDOW)
            self._version = asyncio.get_running_loop().create_future()
            channel.write(wire.message(Fxp.INIT, wire.u32(wire.VERSION)))
            async with asyncio.timeout(ANSWER_SECONDS):
                offered = await self._version
                self._home = self._first_name(await self._own(Fxp.REALPATH, wire.text(".")))
        except (asyncssh.Error, OSError, TimeoutError, ValueError, Denied):
            self.say("the target has no sftp")
            return m.UNREACHABLE, ""
        self._extensions = _common(offered)
        self.client.hand_over(self)
        await target.over.wait()
        for opened in list(self._opened.values()):
            self._close(opened, "not closed")
        self._record_done(admitted.number, "ended" if not self.gave_up else f"ended: {self.gave_up}")
        self.perform(self._gate)
        channel.close()
        return (m.CUT, "") if self.cut_because else (target.status or 0, "")

    # ---------------------------------------------------------------------------------------- the client's requests

    @property
    def sink(self) -> Transfer | None:
        """Itself, once the target is there."""
        return None if self._extensions is None else self

    def write(self, data: bytes) -> None:
        """Bytes of the client."""
        try:
            for message in self._from_client.feed(data):
                self._take(message)
        except ValueError as problem:
            self._broken(str(problem))

    def write_eof(self) -> None:
        """The client is done; what waits is still served."""
        self._ended = True
        if not self._serving:
            self._finish()

    def _finish(self) -> None:
        if self._target.channel is not None and not self._target.channel.is_closing():
            self._target.channel.write_eof()

    def _take(self, message: bytes) -> None:
        if not self._serving and self._at_once(message):
            return
        self._waiting.append(message)
        self._waiting_size += len(message)
        if self._waiting_size > WAITING_MAX:
            self.client.hold_input()
        if not self._serving:
            self._serving = True
            _ = self.session.spawn(self._serve())

    def _at_once(self, message: bytes) -> bool:
        """Pass on what belongs to an open file; False for what needs a verdict."""
        kind = message[0]
        if kind not in _ON_HANDLE:
            return False
        reader = Reader(message, 1)
        number, handle = reader.number(), reader.string()
        opened = self._opened.get(handle)
        if opened is None:
            self._answer(number, Status.FAILURE, "no such handle")
            return True
        pending = Pending(number, kind, opened)
        if kind in {Fxp.READ, Fxp.WRITE}:
            pending.offset = reader.long()
            if not self._within(pending, reader, opened):
                return True
        if kind == Fxp.CLOSE:
            del self._opened[handle]
        self._send(pending, message[5:])
        return True

    def _within(self, pending: Pending, reader: Reader, opened: Opened) -> bool:
        """Whether a read or write stays within the size of a file that may be transferred."""
        assert pending.number is not None
        size = reader.number()
        if pending.offset + (size if pending.kind == Fxp.WRITE else 0) > self._rules.file_max:
            self._answer(pending.number, Status.FAILURE, "this file is larger than may be transferred here")
            return False
        if pending.kind == Fxp.WRITE:
            data = reader.rest()
            if len(data) != size:
                raise ValueError("a write of another length than it says")
            opened.bytes_in += size
            opened.digest.update(data)
        return True

    async def _serve(self) -> None:
        """What waits, in order."""
        try:
            while self._waiting and not self.gave_up:
                message = self._waiting.popleft()
                self._waiting_size -= len(message)
                if not self._at_once(message):
                    await self._judged(message)
                if self._waiting_size <= WAITING_MAX:
                    self.client.release_input()
        except (ValueError, UnicodeDecodeError) as problem:
            self._broken(str(problem))
        except Exception:
            self._broken("an internal error of the gateway")
            raise
        finally:
            self._serving = False
        if self._ended:
            self._finish()

    async def _judged(self, message: bytes) -> None:
        kind = message[0]
        if kind == Fxp.INIT:
            extensions = b"".join(
                wire.text(name) + wire.text("1") for name in EXTENSIONS if name in (self._extensions or ())
            )
            self.client.write(wire.message(Fxp.VERSION, wire.u32(wire.VERSION), extensions))
            return
        reader = Reader(message, 1)
        number = reader.number()
        try:
            await self._one(kind, number, reader)
        except Denied as denied:
            self._answer(number, denied.code, denied.words)

    async def _one(self, kind: int, number: int, reader: Reader) -> None:
        """One operation by name. Raises Denied, ValueError."""
        match kind:
            case Fxp.OPEN:
                await self._open(number, reader)
            case Fxp.OPENDIR:
                path = await self._real(reader.path())
                await self._do(number, kind, files.operation("LS", path), wire.text(path))
            case Fxp.STAT:
                path = await self._real(reader.path())
                await self._do(number, kind, files.operation("STAT", path), wire.text(path))
            case Fxp.LSTAT | Fxp.READLINK:
                path = await self._place(reader.path())
                verb = "STAT" if kind == Fxp.LSTAT else "READLINK"
                await self._do(number, kind, files.operation(verb, path), wire.text(path))
            case Fxp.REALPATH:
                self.client.write(wire.name(number, files.absolute(reader.path(), self._home)))
            case Fxp.REMOVE | Fxp.RMDIR:
                path = await self._place(reader.path())
                await self._do(
                    number, kind, files.operation("RM" if kind == Fxp.REMOVE else "RMDIR", path), wire.text(path)
                )
            case Fxp.MKDIR:
                path = await self._place(reader.path())
                await self._do(number, kind, files.operation("MKDIR", path), wire.text(path) + reader.rest())
            case Fxp.SETSTAT:
                await self._setstat(number, reader, await self._real(reader.path()))
            case Fxp.FSETSTAT:
                await self._fsetstat(number, reader)
            case Fxp.RENAME:
                await self._two(number, kind, "RENAME", reader, b"")
            case Fxp.SYMLINK:
                await self._symlink(number, reader)
            case Fxp.EXTENDED:
                await self._extended(number, reader)
            case _:
                raise Denied("this is not done here", Status.UNSUPPORTED)

    async def _open(self, number: int, reader: Reader) -> None:
        path = await self._real(reader.path())
        flags, rest = reader.number(), reader.rest()
        if len(self._opened) >= OPEN_MAX:
            raise Denied("too many open files", Status.FAILURE)
        changes = flags & (wire.WRITES | wire.APPENDS | wire.CREATES | wire.TRUNCATES)
        statement = files.operation("PUT" if changes else "GET", path)
        await self._do(number, Fxp.OPEN, statement, wire.text(path) + wire.u32(flags) + rest)

    async def _setstat(self, number: int, reader: Reader, path: str) -> None:
        at = reader.rest()
        verb, detail = files.change(wire.attributes(reader))
        await self._do(number, Fxp.SETSTAT, files.operation(verb, path, detail=detail), wire.text(path) + at)

    async def _fsetstat(self, number: int, reader: Reader) -> None:
        handle = reader.string()
        opened, at = self._opened.get(handle), reader.rest()
        if opened is None:
            raise Denied("no such handle", Status.FAILURE)
        verb, detail = files.change(wire.attributes(reader))
        await self._do(number, Fxp.FSETSTAT, files.operation(verb, opened.path, detail=detail), wire.text(handle) + at)

    async def _two(self, number: int, kind: int, verb: str, reader: Reader, before: bytes) -> None:
        old, new = await self._place(reader.path()), await self._place(reader.path())
        await self._do(number, kind, files.operation(verb, old, new), before + wire.text(old) + wire.text(new))

    async def _symlink(self, number: int, reader: Reader) -> None:
        """OpenSSH's order: where it leads, then the link (PROTOCOL, 4.1)."""
        leads, link = reader.path(), await self._place(reader.path())
        to = await self._real(posixpath.join(posixpath.dirname(link), leads))
        await self._do(number, Fxp.SYMLINK, files.operation("SYMLINK", to, link), wire.text(leads) + wire.text(link))

    async def _extended(self, number: int, reader: Reader) -> None:
        name = reader.string()
        if name not in (self._extensions or ()):
            raise Denied("this extension is not offered", Status.UNSUPPORTED)
        head = wire.text(name)
        match name:
            case b"posix-rename@openssh.com":
                await self._two(number, Fxp.EXTENDED, "RENAME", reader, head)
            case b"hardlink@openssh.com":
                await self._two(number, Fxp.EXTENDED, "LINK", reader, head)
            case b"lsetstat@openssh.com":
                path = await self._place(reader.path())
                at = reader.rest()
                verb, detail = files.change(wire.attributes(reader))
                await self._do(
                    number, Fxp.EXTENDED, files.operation(verb, path, detail=detail), head + wire.text(path) + at
                )
            case b"fsync@openssh.com":
                handle = reader.string()
                if handle not in self._opened:
                    raise Denied("no such handle", Status.FAILURE)
                self._send(Pending(number, Fxp.EXTENDED), head + wire.text(handle))
            case _:
                self._send(Pending(number, Fxp.EXTENDED), head)

    # ---------------------------------------------------------------------------------------- verdicts

    async def _do(self, number: int, kind: int, statement: Statement, body: bytes) -> None:
        """Judge an operation on resolved paths, record it, pass it on. Raises Denied."""
        gate, paths = self._gate, (*statement.reads, *statement.writes)
        one = self.statement(statement, files.PROTOCOL)
        why = files.outside(statement, self._rules, paths)
        answer = await self.ask(gate, gate.refuse(one, "files", Refusal(why, files.LISTED)) if why else gate.admit(one))
        if isinstance(answer, Refusal):
            # A client that is refused one file asks for it in other ways too; the person reads it once.
            said, self._said = self._said, m.refused(answer)
            if said != self._said:
                self.client.error(self._said)
            raise Denied(f"hoop: {answer.message}")
        self.session.in_use(answer.verdict.level)
        self._send(Pending(number, kind, admitted=answer, path=paths[0]), body)

    async def _real(self, path: str) -> str:
        """Where a path leads, links followed; by the target itself. Raises Denied with its words."""
        return self._first_name(await self._own(Fxp.REALPATH, wire.text(files.absolute(path, self._home))))

    async def _place(self, path: str) -> str:
        """As `_real` for what acts on a link itself: only the directory is followed."""
        whole = files.absolute(path, self._home)
        parent, base = posixpath.split(whole)
        return whole if not base else posixpath.join(await self._real(parent), base)


def _common(version: bytes) -> frozenset[bytes]:
    """The extensions of a VERSION message that are understood here. Raises ValueError."""
    reader = Reader(version, 1)
    if version[0] != Fxp.VERSION or reader.number() < wire.VERSION:
        raise ValueError("another version")
    found = set()
    while reader.rest():
        found.add(reader.string())
        reader.string()
    return frozenset(found & set(EXTENSIONS))
