"""Statements of the gateway's own, between those of the client, which hears nothing of them.

They go by the extended protocol under a name of their own: a Query would drop the client's unnamed statement.
(Documentation, "Extended Query": "an unnamed prepared statement lasts only until the next … simple Query message".)
"""

from __future__ import annotations

from proxy.conversation import Steps
from proxy.postgres import messages as m
from proxy.postgres.exchange import Exchange
from proxy.postgres.steps import Expect, Step

#: The gateway's statements and portals. A client that takes the name makes its own session's changes fail.
NAME = "hoop"

_BIND = m.message(m.BIND, m.cstring(NAME) * 2 + b"\0\0" * 3)
_EXECUTE = m.message(m.EXECUTE, m.cstring(NAME) + b"\0\0\0\0")
_CLOSE = m.message(m.CLOSE, b"P" + m.cstring(NAME)) + m.message(m.CLOSE, b"S" + m.cstring(NAME))

#: A statement that no server executes: it fails the open transaction, which is what a refusal inside of one must do.
FAIL_TRANSACTION = "hoop refused"


def fail_transaction(conv: Exchange) -> Steps[None]:
    """Make the upstream fail whatever transaction is open, and swallow its error."""
    if conv.responses.status != m.IN_TRANSACTION and not conv.responses.unsynced:
        return
    conv.responses.queue.append(Step(Expect.QUERY, hidden=True))
    conv.out.to_upstream.append(m.query(FAIL_TRANSACTION))
    yield from conv.quiet()


def run(conv: Exchange, *statements: str) -> Steps[list[Step]]:
    """Run statements one after the other up to a Sync. Returns the Execute of each, with its rows, tag or error."""
    executes = send(conv, *statements)
    yield from conv.quiet()
    return executes


def send(conv: Exchange, *statements: str) -> list[Step]:
    """The same without waiting: the steps are complete when everything was answered."""
    queue, out = conv.responses.queue, conv.out.to_upstream
    executes = []
    _close(conv)  # one that failed was left behind
    for statement in statements:
        step = Step(Expect.EXECUTE, hidden=True)
        executes.append(step)
        queue.extend((Step(Expect.PARSE, hidden=True), Step(Expect.BIND, hidden=True), step))
        out.extend((m.parse(NAME, statement), _BIND, _EXECUTE))
        _close(conv)
    queue.append(Step(Expect.SYNC, hidden=True))
    out.append(m.SYNC_MESSAGE)
    return executes


#: Who waits for the locks of this session. What a session is called is the gateway's own where it is one of its own.
BLOCKED = (
    "SELECT waiting.pid, waiting.usename, waiting.application_name FROM pg_catalog.pg_stat_activity waiting"
    " WHERE pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) ANY (pg_catalog.pg_blocking_pids(waiting.pid))"
)
#: A statement that costs nothing, for a session that would be idle too long.
AWAKE = "SHOW server_version_num"
_NAMED, _NAME_SHOWN = 5, 40


class Pulse:
    """Keeps the server from ending a session that waits for people (idle_session_timeout and
    idle_in_transaction_session_timeout begin anew with every statement). Nobody waits for its answers."""

    def __init__(self, conv: Exchange) -> None:
        self._conv = conv
        self._asked: Step | None = None
        self._blocked: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """One beat. Returns whom the session kept waiting for its locks at the one before."""
        conv = self._conv
        if conv.closing or conv.responses.unsynced or not conv.responses.quiet:
            return self._blocked  # a Sync would commit what is not meant to be yet
        if self._asked is not None and not self._asked.error:
            self._blocked = tuple(_waiting(conv, row) for row in self._asked.rows[:_NAMED])
        if conv.responses.status == m.IN_TRANSACTION:
            (self._asked,) = send(conv, BLOCKED)
        else:
            send(conv, AWAKE)
        return self._blocked


def _waiting(conv: Exchange, row: list[bytes | None]) -> str:
    pid, user, application = (conv.reader.masker.text((value or b"").decode("utf-8", "replace")) for value in row)
    if application.startswith("hoop/ses_"):
        return application.removeprefix("hoop/")[:_NAME_SHOWN]
    return f"{user[:_NAME_SHOWN]} ({application[:_NAME_SHOWN] or 'no name'}, pid {pid})"


def _close(conv: Exchange) -> None:
    conv.responses.queue.extend((Step(Expect.CLOSE, hidden=True), Step(Expect.CLOSE, hidden=True)))
    conv.out.to_upstream.append(_CLOSE)


def settle(conv: Exchange) -> Steps[None]:
    """End the transaction that only a Parse has opened: it would hold locks while people decide."""
    conv.responses.queue.append(Step(Expect.SYNC, hidden=True))
    conv.out.to_upstream.append(m.SYNC_MESSAGE)
    yield from conv.quiet()
