"""The gate, with a client in front of it: it may cancel while the gateway itself waits, and the server would not know."""

from __future__ import annotations

from access.policy import Action
from proxy.admission import CANCELLED as QUERY_CANCELED
from proxy.admission import Admitted, Refusal, Unit
from proxy.conversation import Steps
from proxy.postgres import hidden
from proxy.postgres import messages as m
from proxy.postgres.exchange import Exchange

#: What the server says of a command that its client cancelled.
CANCELLED = Refusal("canceling statement due to user request", code=QUERY_CANCELED)
#: And of one in a transaction that has failed.
FAILED = Refusal("current transaction is aborted, commands ignored until end of transaction block", code="25P02")


def admit(conv: Exchange, unit: Unit) -> Steps[Admitted | Refusal]:
    """What the gate says of a unit."""
    verdict = conv.gate.decide(unit)
    single = verdict.action is Action.HOLD or verdict.consumes is not None
    if single and conv.responses.unsynced and not conv.responses.working:
        yield from hidden.settle(conv)
    if single and conv.responses.status == m.FAILED:
        return FAILED  # the server would not run it either, so nobody needs to be asked
    return (yield from awaited(conv, conv.gate.admit(unit)))


def awaited(conv: Exchange, asking: Steps[Admitted | Refusal]) -> Steps[Admitted | Refusal]:
    """Wait at the gate. What was let through while its client gave up, or the session ended, does not run."""
    conv.holding = True
    told = yield from asking
    yield from conv.quiet()  # what kept the upstream awake
    conv.holding = False
    gave_up = conv.gave_up
    if not conv.closing:
        conv.gave_up = ""
    if isinstance(told, Refusal) or not (conv.closing or gave_up):
        return told
    why = "the session was over" if conv.closing else gave_up
    conv.gate.conclude(told, "failed", conv.reader.masker.text(f"not run: {why}"))
    return Refusal(conv.closing) if conv.closing else CANCELLED


def refuse(conv: Exchange, refusal: Refusal) -> Steps[None]:
    """The answer to a Query that is refused: an error and the right ReadyForQuery; an open transaction is really failed first."""
    yield from hidden.fail_transaction(conv)
    conv.say_refusal(refusal)
    conv.out.to_client.append(m.ready(conv.responses.status))
