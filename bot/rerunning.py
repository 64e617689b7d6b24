"""Use cases of runs that were asked for: the same again, with changes, apply a dry run, roll back, stop, take back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from access.errors import Conflict, Denied, Invalid
from access.ids import RequestId
from access.ports import Tx
from access.requests import AccessRequest, Grant, GrantState, RequestState
from access.scopes import OfRunbook
from bot import deciding
from bot.intents import Cancel, Rerun, Run
from bot.kit import Kit, found_request
from bot.platform import Caller, Reply
from bot.running import Draft, form_with, found, preview, run
from bot.views.answers import done_card
from runbooks.model import Part
from runbooks.render import part_of, read_back

APPLY_WITHIN = timedelta(minutes=30)


async def rerun(kit: Kit, intent: Rerun, who: Caller, reply: Reply, *, change: bool = False) -> None:
    """The same runbook and values with the file of now: shown again, or as the form."""
    old, scope = await _own(kit, intent.request, who)
    name, part = part_of(scope.name)
    entry = found(kit, name, kit.person(who))
    again = Run(entry.name, read_back(_values(old)), old.resource, old.reason, old.ticket, _agent(old))
    if change or part is Part.ROLLBACK:
        await reply.form(await form_with(kit, entry, again, kit.person(who)))
        return
    await run(kit, again, who, reply)


async def follow_up(kit: Kit, id: RequestId, part: Part, who: Caller, reply: Reply) -> None:
    """Apply a dry run, or roll a run back: the same commit and values, another part of the file."""
    old, scope = await _own(kit, id, who)
    person = kit.person(who)
    name, before = part_of(scope.name)
    if (before, part) not in {(Part.DRY_RUN, Part.RUN), (Part.RUN, Part.ROLLBACK)}:
        raise Conflict(f"{id} has nothing of that kind.")
    if part is Part.RUN:
        await _fresh(kit, old)
    runbook = await kit.runbooks.at(scope.commit, name)
    entry = replace(found(kit, name, person), runbook=runbook)
    entry = replace(entry, head=replace(entry.head, commit=scope.commit))
    draft = Draft(
        name,
        scope.commit,
        part.value,
        old.resource,
        _values(old),
        "",
        person.id,
        old.reason,
        old.ticket,
        _agent(old),
        id,
    )
    await preview(kit, entry, draft, person, who, reply)


async def _fresh(kit: Kit, dry_run: AccessRequest) -> None:
    """A plan is good for half an hour after it was made, and only when it succeeded."""

    def ended(tx: Tx) -> tuple[datetime | None, str]:
        found = [event for event in tx.events_of(dry_run.id) if event.kind == "command.executed"]
        return (found[-1].at, str((found[-1].payload or {}).get("outcome"))) if found else (None, "")

    at, outcome = await kit.store.read(ended)
    if at is None or outcome != "succeeded":
        raise Conflict(f"{dry_run.id} did not succeed, so there is nothing to apply.")
    if kit.clock.now() - at > APPLY_WITHIN:
        raise Conflict(f"{dry_run.id} is older than 30 minutes.", hint="Make a new dry run.")


async def stop(kit: Kit, id: RequestId, who: Caller, reply: Reply) -> None:
    """Cut the session of a run. The desk judges who may; steps that are done stay done."""
    kit.person(who)
    grant = await _grant(kit, id)
    if grant is None or grant.state is not GrantState.EXECUTING or grant.used_in is None:
        raise Conflict(f"{id} is not running.", hint="Look at /hoop runs.")
    await kit.desk.kill(grant.used_in, who.person, "run stopped")
    await reply.card(done_card(f"Stopping {id}.", hint="Its card says how far it came."))


async def cancel(kit: Kit, intent: Cancel, who: Caller, reply: Reply) -> None:
    """Take one's own request back; a run that was approved is given back while it waits and stopped while it runs."""
    row = await kit.store.read(lambda tx: found_request(tx, intent.request))
    grant = (
        await _grant(kit, row.id) if isinstance(row.scope, OfRunbook) and row.state is RequestState.APPROVED else None
    )
    if grant is not None and grant.state is GrantState.EXECUTING:
        await stop(kit, row.id, who, reply)
    elif grant is not None and grant.state is GrantState.ACTIVE:
        await kit.desk.revoke(grant.id, who.person, "taken back before it ran")
        await reply.card(done_card(f"Cancelled: {row.id}. It does not run."))
    else:
        await deciding.cancel(kit, intent, who, reply)


async def _grant(kit: Kit, id: RequestId) -> Grant | None:
    return await kit.store.read(lambda tx: next(iter(tx.grants(request=id, limit=1)), None))


async def _own(kit: Kit, id: RequestId, who: Caller) -> tuple[AccessRequest, OfRunbook]:
    """The run and its scope. Its values are its requester's, so nobody else starts from them."""
    row = await kit.store.read(lambda tx: found_request(tx, id))
    if not isinstance(row.scope, OfRunbook):
        raise Invalid(f"{id} is not a run of a runbook.", field="id", hint="Runs are listed by /hoop runs.")
    if row.actor.person != who.person:
        raise Denied("Only the person who ran it starts from its values.", rule="not-yours", hint="/hoop runbooks")
    return row, row.scope


def _values(row: AccessRequest) -> str:
    """The sealed values of a run."""
    sealed = row.evidence.parameters if row.evidence else ()
    if len(sealed) != 1 or sealed[0] is None:
        raise Conflict(f"The values of {row.id} are not kept any more.")
    return sealed[0].reveal()


def _agent(row: AccessRequest) -> str:
    return row.actor.via.name if row.actor.via else ""
