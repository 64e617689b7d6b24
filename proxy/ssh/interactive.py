"""Shells, and commands in a terminal. What is typed into one cannot be judged, so it is a right of its own: it is
recorded, watched, limited in time and can be cut, and never taken for a list of commands that somebody looked at."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import ClassVar

import asyncssh

from access.errors import HoopError
from access.policy import Action
from access.scopes import Interactive as Scoped
from access.scopes import Level
from access.ssh_shells import watched_by
from access.statements import Effect, Statement
from proxy.admission import Admitted
from proxy.gate import Gate
from proxy.ssh.admitting import Ended
from proxy.ssh.channels import WINDOW, ClientChannel, TargetChannel
from proxy.ssh.execution import Execution
from proxy.ssh.house import Surroundings
from proxy.ssh.messages import Asked, Size
from proxy.ssh.output import Stream, Tape
from proxy.ssh.refusals import NUL, TERMINAL_OFF
from proxy.ssh.terminal import PAUSE_SECONDS, TYPED_SECONDS, Screen, opened, resized

#: What a terminal may print in all; it is recorded whole, so it ends there.
RECORDED_BYTES = 256 * 1024 * 1024
#: How long somebody may take to come and watch, and how often that is looked up, in seconds.
WATCHER_SECONDS, LOOK_SECONDS = 900.0, 0.5

SHELL = Statement(
    "ssh", "an interactive shell", frozenset({Effect.INTERACTIVE}), verbs=("SHELL",),
    problem="An interactive shell needs a grant of its own: it cannot be judged command by command.",
)  # fmt: skip
#: Approvals of a shell are never those of a command line that reads the same.
SHELL_PROTOCOL = "ssh/shell"


class Interactive(Execution):
    """A shell (with or without a terminal, asked for as one or by its name), or a command in a terminal."""

    # A shell does not care for SIGTERM; a terminal that hangs up ends what runs in it.
    ending_signals: ClassVar[tuple[str, str]] = ("HUP", "KILL")

    def __init__(self, session: Surroundings, client: ClientChannel, asked: Asked) -> None:
        super().__init__(session, client, asked)
        self.line = asked.text if asked.kind == "exec" else None
        self._rules = session.visitor.resource.ssh
        self._terminal = asked.terminal
        self._screen: Screen | None = None
        self._began = self._typed = session.clock.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._input: _Typed | None = None

    # ---------------------------------------------------------------------------------------- verdict

    async def admit(self, gate: Gate) -> Admitted | Ended:
        if "\0" in self.asked.text:
            return await self.refuse("not-understood", NUL)
        one = self.statement(SHELL, SHELL_PROTOCOL)
        if self.line is not None:
            if self._terminal is not None and not self._rules.terminal and gate.level() is not Level.INTERACTIVE:
                return await self.refuse("terminal-off", TERMINAL_OFF)
            one = self.command()
            whole = replace(
                one.whole, effects=one.whole.effects | {Effect.OPAQUE},
                problem=one.whole.problem or "What is typed into the terminal of a command cannot be judged.",
            )  # fmt: skip
            one = replace(one, whole=whole, statements=(whole,))
        await self.reach()
        await self.access(Scoped(), self.asked.text)
        await self.lent.ask()
        if self._rules.shell_watched and gate.decide(one).action is not Action.DENY and not await self._watched():
            return 1, ""
        return await self.heard(gate, one)

    async def _watched(self) -> bool:
        """Four eyes: wait until somebody else looks at the live session. False when nobody came."""
        clock, row = self.session.clock, self.session.row
        self.say(
            "this shell starts when somebody watches it",
            f"Ask a colleague to open it in the console: /sessions/{row.id}",
        )
        until = clock.monotonic() + WATCHER_SECONDS
        while clock.monotonic() < until and not self.gave_up:
            try:
                watchers = await self.session.store.read(lambda tx: watched_by(tx, row.id))
            except HoopError:
                watchers = frozenset()
            if watchers - {row.actor.person}:
                self.say("somebody watches now")
                return True
            await asyncio.sleep(LOOK_SECONDS)
        self.say("nobody came to watch; the shell was not started")
        return False

    # ---------------------------------------------------------------------------------------- on the target

    def new_tape(self, number: int) -> Tape:
        return Tape(number, RECORDED_BYTES)

    def stream(self) -> Stream:
        # What a terminal shows is masked twice, in step, so none of it can be left for later.
        enough = self._pace.enough if self._terminal is None else None
        return Stream(self.session.detectors, terminal=True, enough=enough)

    def connection(self, *, fresh: bool = False) -> AbstractAsyncContextManager[asyncssh.SSHClientConnection]:
        """A certificate for one command has no terminal."""
        return self.shared(fresh=fresh)

    async def open_channel(
        self, connection: asyncssh.SSHClientConnection, target: TargetChannel
    ) -> asyncssh.SSHClientChannel[bytes]:
        if self._terminal is None:
            return await super().open_channel(connection, target)
        self._screen = Screen(self.stream(), self.stream())
        session, terminal = self.session, self._terminal
        session.write(opened(terminal, session.at_ms(), self.tape.number))
        channel, _ = await connection.create_session(
            lambda: target, self.line, encoding=None, window=WINDOW, env=list(self.environment.items()), request_pty="force", term_type=terminal.type,
            term_size=terminal.size.whole, term_modes=terminal.modes, **self.lent.prepare(connection),
        )  # fmt: skip
        return channel

    def started(self) -> None:
        self._began = self._typed = self.session.clock.monotonic()

    @property
    def sink(self) -> _Typed | None:
        channel = self.running
        if channel is None or channel.is_closing():
            return None
        if self._input is None or self._input.channel is not channel:
            self._input = _Typed(self, channel)
        return self._input

    def typed(self, data: bytes) -> None:
        """The person typed something that goes to the target."""
        self._typed = self.session.clock.monotonic()
        if self._screen is not None:
            self._screen.echo.typed(data, self._typed)

    def resized(self, size: Size) -> None:
        """The window changed; also while it waits for its verdict."""
        if self._terminal is None:
            return
        self._terminal = replace(self._terminal, size=size)
        if self.running is not None and self.session.write(resized(size, self.session.at_ms(), self.tape.number)):
            self.running.change_terminal_size(*size.whole)

    # ---------------------------------------------------------------------------------------- limits

    def tick(self) -> None:
        super().tick()
        if self.running is None:
            return
        now = self.session.clock.monotonic()
        if now - self._typed > self._rules.shell_idle.total_seconds():
            self.cut("this shell was idle for too long")
        elif now - self._began > self._rules.shell_total.total_seconds():
            self.cut("this shell reached its time limit")
        elif self._screen is not None and self._screen.owing and now - self._typed > TYPED_SECONDS:
            self._show(*self._screen.settle())

    # ---------------------------------------------------------------------------------------- output

    def printed(self, data: bytes, datatype: int | None) -> bool:
        if self._screen is None:
            return super().printed(data, datatype)
        if self.cut_because:
            return False
        self._show(*self._screen.feed(data, self.session.clock.monotonic()))
        if self._screen.holding and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._paused)
        return False

    def _paused(self) -> None:
        self._timer = None
        if self._screen is not None and not self._over:
            self._show(*self._screen.pause())

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._screen is None:
            super().flush()
        else:
            self._show(*self._screen.settle(final=True))

    def _show(self, shown: bytes, kept: bytes) -> None:
        """Recorded, then shown."""
        if kept and not self.taped(kept, None, binary=False):
            return
        self.client.write(shown)
        if self.tape.kept + len(kept) > RECORDED_BYTES:
            self.cut("this shell printed more than can be recorded")


class _Typed:
    """A client's input on its way to the target."""

    def __init__(self, shell: Interactive, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        self._shell = shell
        self.channel = channel

    def write(self, data: bytes) -> None:
        self._shell.typed(data)
        self.channel.write(data)

    def write_eof(self) -> None:
        self.channel.write_eof()
