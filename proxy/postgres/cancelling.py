"""Cancels that arrive while the gateway itself is busy with what its client sent: the server would not know of it yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.admission import CANCELLED as QUERY_CANCELED
from proxy.admission import Admitted, Refusal

if TYPE_CHECKING:
    from proxy.postgres.conversation import Conversation

#: What the server says of a command that its client cancelled.
CANCELLED = Refusal("canceling statement due to user request", code=QUERY_CANCELED)


def awaited(conv: Conversation, told: Admitted | Refusal) -> Admitted | Refusal:
    """The end of a wait at the gate. What was let through while its client gave up, or the session ended, does not run."""
    gave_up = conv.gave_up
    if not conv.closing:
        conv.gave_up = ""
    if isinstance(told, Refusal) or not (conv.closing or gave_up):
        return told
    why = "the session was over" if conv.closing else gave_up
    conv.gate.conclude(told, "failed", conv.reader.masker.text(f"not run: {why}"))
    return Refusal(conv.closing) if conv.closing else CANCELLED
