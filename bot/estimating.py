"""What somebody who decides may look at before they do: the server's plan for a waiting command, how many rows it touches.

Only the one who asks is shown it, in private, and only where they are shown the exact text. Whatever goes wrong is an answer
("not known", and why), never a reason to wait: the request goes on waiting as it was.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from access.actors import Person
from access.errors import Conflict, Denied, HoopError
from access.explain import Estimate
from access.ports import ActionToken, Outcome, Tx
from access.requests import AccessRequest
from bot.cards import Do
from bot.kit import Kit, actor_of, found_request
from bot.platform import Caller, Reply
from bot.views.estimates import Node, estimate_card

log = logging.getLogger(__name__)

#: The server ends a look after a second; connecting and judging may take as long again.
SECONDS = 3.0
_DEEPEST = 12


async def estimate(kit: Kit, row: ActionToken, who: Caller, reply: Reply) -> None:
    """Look at what the owner lets people look at, one after the other, and show it to the one who asked."""
    person = kit.person(who)
    request = await kit.store.read(lambda tx: _shown_to(kit, tx, row, who))
    found = {what: await _known(kit, request, row.revision, person, what) for what in Estimate if what in kit.looks.on}
    await reply.card(estimate_card(request, found.get(Estimate.PLAN), found.get(Estimate.ROWS)))


def _shown_to(kit: Kit, tx: Tx, row: ActionToken, who: Caller) -> AccessRequest:
    """The request, for those who are shown its exact text because they decide."""
    request = found_request(tx, row.request)
    if request.actor.person == who.person or who.person not in kit.world.progress(tx, request).deniers:
        raise Denied("This is only for those who decide.", rule="not-an-approver")
    if request.evidence is None or request.revision != row.revision:
        raise Conflict(f"{request.id} changed meanwhile.", hint="Read it again before you decide.")
    return request


async def _known(kit: Kit, request: AccessRequest, revision: int, person: Person, what: Estimate) -> Node | int | str:
    """The plan, the number of rows, or in words why it is not known."""
    try:
        async with asyncio.timeout(SECONDS):
            outcome = await _looked(kit, request, revision, person, what)
    except HoopError as problem:
        return problem.message
    except TimeoutError:
        return "it took too long"
    except Exception:
        log.exception("a look at %s failed", request.id)
        return "the gateway failed; the log says how"
    if not (outcome.ok and outcome.known) or not outcome.rows or outcome.rows[0][0] is None:
        return str(outcome.message) or "the server gave no answer"
    try:
        return int(outcome.rows[0][0]) if what is Estimate.ROWS else _plan(outcome.rows)
    except (ValueError, KeyError, TypeError, IndexError):
        return "the server's answer could not be read"


async def _looked(kit: Kit, request: AccessRequest, revision: int, person: Person, what: Estimate) -> Outcome:
    evidence = request.evidence
    assert evidence is not None
    resource = kit.resource(request.resource)
    if evidence.parameters:
        raise Conflict("it has parameters, whose values change it")
    if evidence.database != resource.upstream.database:
        raise Conflict(f"it is for the database {evidence.database}")
    if evidence.in_transaction:
        raise Conflict("it is part of an open transaction, whose changes nobody else sees")
    read = await kit.judge.estimate(actor_of(person), person, resource, evidence.exact.reveal(), what)
    probe, grant = await kit.desk.look(request.id, revision, person.id, what, read)
    assert probe.evidence is not None
    return await kit.looks.run(grant, person, resource, probe.evidence.exact.reveal())


def _plan(rows: Sequence[Sequence[Any]]) -> Node:
    document = json.loads("\n".join(str(row[0]) for row in rows))
    return _node(document[0]["Plan"], 0)


def _node(plan: Mapping[str, Any], depth: int) -> Node:
    """The parts of a plan that hold no value of anybody: what is done, to which table, how many rows, at what cost."""
    below = plan.get("Plans", []) if depth < _DEEPEST else []
    return Node(
        what=str(plan.get("Operation", plan["Node Type"])),
        table=str(plan.get("Relation Name", "")),
        index=str(plan.get("Index Name", "")),
        rows=int(plan["Plan Rows"]),
        cost=float(plan["Total Cost"]),
        below=tuple(_node(one, depth + 1) for one in below),
    )


async def _pressed(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await estimate(kit, row, who, reply)


PRESSED: Mapping[Do, Callable[[Kit, ActionToken, str, Caller, Reply], Awaitable[None]]] = {Do.ESTIMATE: _pressed}
