"""Transactions of the gateway's own, around what the client sent as a unit by itself.

An approved change in a read-only session gets one that is writable for just this; a change with a row budget one in which
it is counted. The completion is told only when the COMMIT is done: what the client hears is what is durable.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy.admission import Admitted, Refusal, Unit
from proxy.conversation import Steps
from proxy.postgres import admitting, brackets, counting, hidden, spending
from proxy.postgres import messages as m
from proxy.postgres.exchange import Exchange
from proxy.postgres.spending import Over, Own, Piece, Spending
from proxy.postgres.steps import Expect, Run, Step
from proxy.sql import judged as j

NOT_OPENED = "the transaction could not be opened"


def prepare(conv: Exchange, pieces: Sequence[Piece]) -> Steps[Refusal | bytes | None]:
    """Before something is sent: open the transaction that it needs, read the counters, or check them at a COMMIT."""
    budgets = tuple(dict.fromkeys(one for _, admitted, _ in pieces for one in admitted.verdict.budgets))
    if budgets and any(len(reading.parts) > 1 and spending.ends_or_begins(reading) for _, _, reading in pieces):
        return spending.MIXED  # a budget that was not there when it was looked at
    ends = [c for _, _, reading in pieces for c in spending.controls(reading) if isinstance(c, j.Commit | j.Rollback)]
    if conv.own is not None and any(spending.ends_or_begins(reading) for _, _, reading in pieces):
        _becomes_the_clients(conv, conv.own)
    if conv.spending is not None and ends:
        if any(isinstance(control, j.Commit) for control in ends):
            return (yield from counting.before_commit(conv, *pieces[-1][:2]))
        conv.spending = None
    if counting.in_transaction(conv):
        return (yield from counting.within_transaction(conv, budgets)) if budgets else None
    counted = budgets and not any(spending.ends_transactions(unit) for unit, _, _ in pieces)
    if conv.own is None and (counted or any(admitted.wrap for _, admitted, _ in pieces)):
        refusal = yield from begin(conv, Spending(budgets=budgets))
        if refusal is not None:
            return refusal
    if conv.own is not None:
        conv.own.spending.also(budgets)
        conv.own.pieces += pieces
    return None


def _becomes_the_clients(conv: Exchange, own: Own) -> None:
    """BEGIN behind changes that were not synced: the server takes them into the client's transaction."""
    _conclude(conv, own, "succeeded")
    conv.spending, conv.own = own.spending, None


def query(conv: Exchange, frame: bytes, unit: Unit, run: Run, *, bracketed: bool = False) -> Steps[None]:
    """A Query, in the transaction that `prepare` opened. Over its budget it is asked about again, with the numbers.
    `bracketed`: that transaction stands for a BEGIN and a COMMIT of the client (see `brackets`)."""
    if bracketed:
        frame = m.query(run.reading.text)
        conv.out.to_client.append(brackets.BEGUN)
    while conv.own is not None:
        own = conv.own
        belongs(conv, run)
        conv.responses.queue.append(Step(Expect.QUERY, run=run))
        conv.out.to_upstream.append(frame)
        yield from conv.quiet()
        if bracketed and conv.responses.status == m.FAILED:
            _conclude(conv, own, "failed")
            conv.own = None  # the COMMIT behind it never ran: the client is in a failed transaction
            break
        over = yield from end(conv)
        if over is None:
            if bracketed and own.committed and not conv.closing:
                conv.out.to_client.append(brackets.COMMITTED)
            break
        once = len(run.reading.parts) == 1 and not run.shown and not run.copy_bytes
        again = yield from ask_again(conv, unit, run.admitted, over, may_repeat=once)
        if isinstance(again, Refusal):
            yield from admitting.refuse(conv, again)
            return
        refusal = yield from begin_again(conv, again, over)
        if refusal is not None:
            yield from admitting.refuse(conv, refusal)
            return
        run = Run(again, run.reading)
    if not conv.closing:
        conv.out.to_client.append(m.ready(conv.responses.status))


def belongs(conv: Exchange, run: Run) -> None:
    """Inside of a transaction of the gateway's own nothing is done before its COMMIT."""
    if conv.own is not None:
        run.wrapped = True
        conv.own.runs.append(run)


def begin_again(conv: Exchange, again: Admitted, over: Over) -> Steps[Refusal | None]:
    """The transaction of what was approved with its numbers: no table may lose more rows than people saw."""
    budgets = tuple(dict.fromkeys((*again.verdict.budgets, over.budget)))
    refusal = yield from begin(conv, Spending(budgets=budgets, approved=over.changes))
    if refusal is not None:
        conv.gate.conclude(again, "failed", conv.reader.masker.text(NOT_OPENED))
    return refusal


def ask_again(
    conv: Exchange, unit: Unit, admitted: Admitted, over: Over, *, may_repeat: bool
) -> Steps[Admitted | Refusal]:
    """Ask people about what was rolled back, now that its numbers are known; or refuse it."""
    hint = "" if may_repeat or not over.budget.hold else "Run it by itself and without RETURNING to have it approved."
    refusal = over.refusal(hint=hint)
    told: Admitted | Refusal = refusal
    if not conv.closing:
        asking = conv.gate.overdrawn(unit, admitted, over.budget, refusal, ask=may_repeat)
        told = yield from admitting.awaited(conv, asking)
    return told


def begin(conv: Exchange, spent: Spending) -> Steps[Refusal | None]:
    """Open it; a Refusal when the server does not (on a standby, for example)."""
    if not conv.responses.unsynced:
        conv.state.begin_unit(conv.responses.status)
    mode = "BEGIN READ WRITE" if conv.facts.read_only else "BEGIN"
    counting = (spending.TRACKED, spending.COUNT) if spent.budgets else ()
    steps = yield from hidden.run(conv, mode, *counting)
    error = next((step.error for step in steps if step.error), None)
    problem = spending.opened(steps[1:]) if counting and error is None else None
    if error is None and problem is None and conv.responses.status == m.IN_TRANSACTION:
        if counting:
            spent.before = spending.read(steps)
        conv.own = Own(spent)
        return None
    if conv.responses.status != m.IDLE:
        yield from hidden.run(conv, "ROLLBACK")
        conv.state.end_unit(m.IDLE, failed=True)
    error = error or {}
    message = conv.reader.masker.text(error.get("M", NOT_OPENED))
    return problem or Refusal(message, "The statement was not run.", code=error.get("C", "25006"))


def end(conv: Exchange) -> Steps[Over | None]:
    """COMMIT what succeeded and is within its budgets, ROLLBACK everything else; tell the client and the ledger how it
    ended. What is over its budget is told by the caller."""
    own, conv.own = conv.own or Own(), None
    conv.ending = own
    failed = conv.responses.status != m.IN_TRANSACTION or bool(conv.closing)
    failed = failed or any(run.outcome in {"failed", "unknown"} for run in own.runs)
    over = None
    if not failed and own.spending.budgets:
        steps = yield from hidden.run(conv, spending.IMMEDIATE, spending.COUNT)
        failed = _told(conv, steps)
        over = None if failed else spending.over(own.spending, spending.read(steps))
    if failed or over is not None:
        if conv.responses.status != m.IDLE:
            yield from hidden.run(conv, "ROLLBACK")
        conv.state.end_unit(m.IDLE, failed=True)
    else:
        failed = yield from _commit(conv, own)
        own.committed = not failed
    conv.ending = None
    if over is None:
        _conclude(conv, own, "failed" if failed else "succeeded")
    else:
        _conclude(conv, Own(runs=own.runs[:-1]), "failed")
    return over


def _commit(conv: Exchange, own: Own) -> Steps[bool]:
    """Whether it failed."""
    steps = yield from hidden.run(conv, "COMMIT")
    if not _told(conv, steps) and steps[0].tag == "COMMIT":
        conv.out.to_client.extend(run.withheld for run in own.runs if run.withheld)
        return False
    if not steps[0].error:
        conv.out.to_client.append(m.error("40000", "the transaction was rolled back"))
    return True


def _told(conv: Exchange, steps: Sequence[Step]) -> bool:
    """Tell the client the error of a statement of the gateway's own, which is one of the client's statement."""
    error = next((step.error for step in steps if step.error), None)
    if error is not None:
        conv.out.to_client.append(m.fields_message(m.ERROR, conv.reader.masker.error(error, touched=True)))
    return error is not None


def _conclude(conv: Exchange, own: Own, outcome: str) -> None:
    for run in own.runs:
        said = run.outcome if run.outcome in {"unknown", "failed"} else outcome
        conv.gate.conclude(run.admitted, said, conv.reader.masker.text(run.detail))
    own.runs.clear()


def not_prepared(conv: Exchange, admitted: Sequence[Admitted], problem: Refusal | bytes) -> Steps[None]:
    """What was let through does not run after all; the client hears why."""
    for one in admitted:
        conv.gate.conclude(one, "failed", conv.reader.masker.text(NOT_OPENED))
    yield from hidden.fail_transaction(conv)
    if isinstance(problem, Refusal):
        conv.say_refusal(problem)
    elif not conv.closing:
        conv.out.to_client.append(problem)


def lost(conv: Exchange) -> None:
    """The upstream is gone before the COMMIT was answered."""
    for own in (conv.own, conv.ending):
        if own is not None:
            for run in own.runs:
                run.outcome, run.detail = "unknown", "the connection to the server was lost"
            _conclude(conv, own, "unknown")
    conv.own = conv.ending = None
