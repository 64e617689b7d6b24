"""Reading the server's counters around what a client changes, where changes have a row budget (`spending`).

A change by itself runs in a transaction of the gateway's own (`writable`); in the client's transaction the counters are
read before its first change and again before its COMMIT.
"""

from __future__ import annotations

from collections.abc import Iterable

from access.budget import Budget
from access.statements import Effect
from proxy.admission import Admitted, Refusal, Unit
from proxy.conversation import Steps
from proxy.postgres import hidden, spending
from proxy.postgres import messages as m
from proxy.postgres.exchange import Exchange
from proxy.postgres.reading import Reading
from proxy.postgres.spending import COUNT, IMMEDIATE, MIXED, TRACKED, UNCOUNTED, Spending

_READ_ONLY = frozenset({Effect.READ})


def mixed(conv: Exchange, unit: Unit, reading: Reading) -> Refusal | None:
    """A text whose changes are committed before anybody could count them."""
    if unit.whole.effects <= _READ_ONLY or not spending.ends_or_begins(reading):
        return None
    return MIXED if conv.gate.decide(unit).budgets else None


def in_transaction(conv: Exchange) -> bool:
    """Whether a transaction is open that the client began."""
    return conv.own is None and (conv.responses.status != m.IDLE or conv.state.explicit)


def before_commit(conv: Exchange, unit: Unit, admitted: Admitted) -> Steps[bytes | None]:
    """The client ends its transaction: the error when it may not, which is then rolled back."""
    spent, conv.spending = conv.spending, None
    if spent is None or conv.responses.status == m.FAILED:
        return None
    steps = yield from hidden.run(conv, IMMEDIATE, COUNT)
    failed = next((step.error for step in steps if step.error), None)
    found = None if failed else spending.over(spent, spending.read(steps))
    if failed is None and found is None:
        return None
    yield from hidden.run(conv, "ROLLBACK")
    conv.state.end_unit(m.IDLE, failed=True)
    if found is None:
        return m.fields_message(m.ERROR, conv.reader.masker.error(failed or {}, touched=True))
    hint = "Change fewer rows, or run the change by itself, without BEGIN: then it can be approved with its numbers."
    refusal = found.refusal("this transaction", hint if found.budget.hold else "")
    told = yield from conv.gate.overdrawn(unit, admitted, found.budget, refusal, ask=False)
    return told_as_error(told if isinstance(told, Refusal) else refusal)


def told_as_error(refusal: Refusal) -> bytes:
    return m.error(refusal.code, refusal.message, detail=refusal.detail, hint=refusal.hint)


def within_transaction(conv: Exchange, budgets: Iterable[Budget]) -> Steps[Refusal | None]:
    """A change in the client's transaction: read the counters before the first one."""
    if conv.spending is None:
        steps = yield from hidden.run(conv, TRACKED, COUNT)
        if any(step.error for step in steps) or spending.opened(steps) is not None:
            return UNCOUNTED
        conv.spending = Spending(spending.read(steps))
    conv.spending.also(budgets)
    return None
