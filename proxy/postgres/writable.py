"""An approved write in a read-only session: alone, in a transaction that is writable for just this.

The completion is told only when the COMMIT is done: what the client hears is what is durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.admission import Refusal
from proxy.conversation import Steps
from proxy.postgres import messages as m
from proxy.postgres.steps import Expect, Run, Step

if TYPE_CHECKING:
    from proxy.postgres.conversation import Conversation

NOT_OPENED = "the transaction could not be opened"


def query(conv: Conversation, frame: bytes, run: Run) -> Steps[None]:
    """A Query, between a BEGIN and a COMMIT that the client hears nothing of."""
    opened = yield from begin(conv)
    if opened is not None:
        conv.gate.conclude(run.admitted, "failed", conv.reader.masker.text(NOT_OPENED))
        yield from conv.refuse_simple(opened)
        return
    conv.responses.queue.append(Step(Expect.QUERY, run=run))
    conv.out.to_upstream.append(frame)
    yield from conv.quiet()
    yield from end(conv, run)
    conv.out.to_client.append(m.ready(conv.responses.status))


def begin(conv: Conversation) -> Steps[Refusal | None]:
    """Open it; a Refusal when the server does not (on a standby, for example)."""
    conv.state.begin_unit(conv.responses.status)
    step = yield from conv.hidden_query("BEGIN READ WRITE")
    if not step.error and conv.responses.status == m.IN_TRANSACTION:
        return None
    message = conv.reader.masker.text(step.error.get("M", NOT_OPENED))
    return Refusal(message, "The approved statement was not run.", code=step.error.get("C", "25006"))


def end(conv: Conversation, run: Run) -> Steps[None]:
    """COMMIT what succeeded, ROLLBACK what did not; tell the client and the ledger how it ended."""
    failed = run.outcome == "failed" or conv.responses.status != m.IN_TRANSACTION
    step = yield from conv.hidden_query("ROLLBACK" if failed else "COMMIT")
    if not failed and (step.error or step.tag != "COMMIT"):
        failed = True
        fields = step.error or {"S": "ERROR", "C": "40000", "M": "the transaction was rolled back"}
        conv.out.to_client.append(m.fields_message(m.ERROR, conv.reader.masker.error(fields, touched=True)))
    elif not failed:
        conv.out.to_client.append(run.withheld)
    outcome = run.outcome if run.outcome == "unknown" else ("failed" if failed else "succeeded")
    conv.gate.conclude(run.admitted, outcome, conv.reader.masker.text(run.detail))
