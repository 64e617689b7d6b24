"""Statements of the gateway's own, between those of the client, which hears nothing of them.

They go by the extended protocol under a name of their own: a Query would drop the client's unnamed statement.
(Documentation, "Extended Query": "an unnamed prepared statement lasts only until the next … simple Query message".)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.conversation import Steps
from proxy.postgres import messages as m
from proxy.postgres.steps import Expect, Step

if TYPE_CHECKING:
    from proxy.postgres.conversation import Conversation

#: The gateway's statements and portals. A client that takes the name makes its own session's changes fail.
NAME = "hoop"

_BIND = m.message(m.BIND, m.cstring(NAME) * 2 + b"\0\0" * 3)
_EXECUTE = m.message(m.EXECUTE, m.cstring(NAME) + b"\0\0\0\0")
_CLOSE = m.message(m.CLOSE, b"P" + m.cstring(NAME)) + m.message(m.CLOSE, b"S" + m.cstring(NAME))


def run(conv: Conversation, *statements: str) -> Steps[list[Step]]:
    """Run statements one after the other up to a Sync. Returns the Execute of each, with its rows, tag or error."""
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
    yield from conv.quiet()
    return executes


def _close(conv: Conversation) -> None:
    conv.responses.queue.extend((Step(Expect.CLOSE, hidden=True), Step(Expect.CLOSE, hidden=True)))
    conv.out.to_upstream.append(_CLOSE)
