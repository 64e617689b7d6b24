"""Use cases of runbooks: pick, run, see what will run, ask; again, apply, roll back, stop.

A file and values become exact statements (`runbooks.render`); the gate's own judge describes them; what was seen is
kept as a draft, and asking uses the draft up: two clicks are one request. The approval binds to the commit, the values
and every statement, so nothing else can run under it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from access.actors import Person
from access.errors import Conflict, Denied, Invalid, Unavailable
from access.ids import RequestId
from access.masking import ForApprover
from access.ports import ActionToken, Tx
from access.requests import AccessRequest, Evidence, GrantState
from access.scopes import OfRunbook
from bot.asking import told
from bot.cards import Card, Form
from bot.cases import case_of
from bot.intents import Rerun, Run, Runbooks, Runs
from bot.kit import Kit, actor_of, found_request, show
from bot.platform import Caller, Reply
from bot.tokens import SUBJECT, new_token
from bot.views import runs as views
from bot.views.answers import done_card
from runbooks.catalog import Entry, where
from runbooks.model import Kind, Known, Part, Runbook
from runbooks.render import canonical, check, lock_key, part_of, read_back, render, scope_name, written

DRAFT, LOCK = "run-draft", "run-lock"
DRAFT_FOR = timedelta(minutes=15)
APPLY_WITHIN = timedelta(minutes=30)
HISTORY = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody was shown and may ask for. `follows` is the dry run it applies or the run it takes back."""

    name: str
    commit: str
    part: str
    resource: str
    values: str
    digest: str
    person: str
    reason: str
    ticket: str
    agent: str
    follows: str = ""


# ------------------------------------------------------------------------------------------------ looking


async def runbooks(kit: Kit, intent: Runbooks, who: Caller, reply: Reply) -> None:
    """The list, the caller's own first, or what matches all words."""
    kit.person(who)
    words = intent.search.lower().split()
    entries = [entry for entry in kit.runbooks.entries() if all(word in _searched(entry) for word in words)]
    problems = [] if words else kit.runbooks.problems()

    def build(tx: Tx) -> Card:
        mine = [row.scope for row in tx.requests(person=who.person, limit=HISTORY)]
        names = dict.fromkeys(part_of(scope.name)[0] for scope in mine if isinstance(scope, OfRunbook))
        return views.picker_card(entries, list(names), problems, intent.search)

    await show(kit, who, reply, build)


def _searched(entry: Entry) -> str:
    return f"{entry.name} {entry.runbook.title} {entry.runbook.description}".lower()


async def runs(kit: Kit, _: Runs, who: Caller, reply: Reply) -> None:
    """What was run lately, by anybody: who ran what where is no secret here, with which values is."""
    kit.person(who)

    def build(tx: Tx) -> Card:
        rows = [row for row in tx.requests(limit=HISTORY) if isinstance(row.scope, OfRunbook)][: views.MOST]
        return views.runs_card([case for row in rows if (case := case_of(tx, kit.world, row.id))])

    await show(kit, who, reply, build)


# ------------------------------------------------------------------------------------------------ running


async def run(kit: Kit, intent: Run, who: Caller, reply: Reply) -> None:
    """Complete: show what will run. Incomplete or wrong: the form, prefilled, with what is wrong at its field."""
    person = kit.person(who)
    entry = kit.runbooks.find(intent.runbook)
    form = _form(kit, entry, intent)
    values, wrong = check(entry.runbook, intent.values, known(kit))
    resources = where(entry.runbook, kit.resources())
    if not resources:
        raise Invalid(f"{entry.name} fits no resource of this gateway.", field="runbook")
    resource = resources[0] if len(resources) == 1 else kit.world.resources.get(intent.resource)
    if intent.resource and resource is not None and intent.resource != resource.name:
        resource = None
    if resource is None or resource not in resources:
        names = ", ".join(one.name for one in resources[:8])
        wrong["resource"] = f"It runs on {names}."
    if wrong or resource is None:
        unknown = [name for name in wrong if entry.runbook.parameter(name) is None and name != "resource"]
        if intent.from_form:
            first = next(iter(wrong))
            raise Invalid(wrong[first], field=_field(entry, first))
        if unknown or ("resource" in wrong and intent.resource):
            first = unknown[0] if unknown else "resource"
            raise Invalid(f"{first}: {wrong[first]}", field=first)
        given = wrong if intent.values or intent.resource else {}
        await reply.form(form.with_errors({_field(entry, name): said for name, said in given.items()}, {}))
        return
    part = Part.DRY_RUN if entry.runbook.has(Part.DRY_RUN) else Part.RUN
    draft = Draft(
        entry.name, entry.commit, part.value, resource.name, written(values), "", person.id, intent.reason, intent.ticket,
        intent.agent,
    )  # fmt: skip
    await _preview(kit, entry, draft, person, who, reply)


def known(kit: Kit) -> Known:
    """What people, and resources, a value may name."""
    people = frozenset(person.wire_name for person in kit.world.directory.people() if person.active)
    return Known(people, frozenset(kit.world.resources))


def _field(entry: Entry, name: str) -> str:
    return f"p_{name}" if entry.runbook.parameter(name) else name


def _form(kit: Kit, entry: Entry, intent: Run) -> Form:
    given = {f"p_{name}": value for name, value in intent.values.items()}
    given |= {"resource": intent.resource, "reason": intent.reason, "ticket": intent.ticket}
    return views.run_form(entry, where(entry.runbook, kit.resources()), given, {})


def form_of(kit: Kit, name: str, values: Mapping[str, str]) -> Form:
    """The form of a runbook by its full name, as it was submitted. Raises Invalid when the runbook is gone."""
    entry = kit.runbooks.find(name)
    return views.run_form(entry, where(entry.runbook, kit.resources()), values, {})


def intent_of(name: str, values: Mapping[str, str]) -> Run:
    """What a submitted form means; empty fields are left out."""
    typed = {key[2:]: value for key, value in values.items() if key.startswith("p_") and value.strip()}
    resource, reason, ticket = (values.get(key, "").strip() for key in ("resource", "reason", "ticket"))
    return Run(name, typed, resource, reason, ticket, from_form=True)


async def _preview(kit: Kit, entry: Entry, draft: Draft, person: Person, who: Caller, reply: Reply) -> None:
    evidence, _ = await _described(kit, entry.runbook, draft, person)
    await _not_locked(kit, entry.runbook, draft)
    draft = replace(draft, digest=evidence.digest)
    evidence = replace(evidence, notes=await _notes(kit, entry, draft))
    key = new_token(kit.entropy)
    data = {name: getattr(draft, name) for name in Draft.__slots__}
    preview = views.Preview(entry, Part(draft.part), kit.resource(draft.resource), evidence, key)

    def build(tx: Tx) -> Card:
        tx.put_doc(DRAFT, key, data, expires_at=tx.now + DRAFT_FOR)
        return views.preview_card(preview)

    await show(kit, who, reply, build)


async def _described(kit: Kit, runbook: Runbook, draft: Draft, person: Person) -> tuple[Evidence, OfRunbook]:
    """The exact statements, judged as of now. Raises what the judge raises, and Invalid for a table nobody knows."""
    resource, values = kit.resource(draft.resource), canonical(draft.values)
    made = render(runbook, draft.commit, Part(draft.part), values)
    made = replace(made, name=scope_name(draft.name, Part(draft.part)))
    evidence, scope = await kit.judge.describe_run(actor_of(person, draft.agent), person, resource, made)
    for parameter in runbook.parameters:
        table = values.get(parameter.name)
        known = {name for full in evidence.tables for name in (full, full.rpartition(".")[2])}
        if parameter.kind is Kind.TABLE and table and table not in known and _uses(runbook, draft.part, parameter.name):
            raise Invalid("There is no such table there.", field=f"p_{parameter.name}")
    return replace(evidence, parameters=(ForApprover(draft.values),)), scope


def _uses(runbook: Runbook, part: str, name: str) -> bool:
    pieces = [piece for step in runbook.steps_of(Part(part)) for piece in step.pieces]
    return any(not isinstance(piece, str) and piece.parameter == name for piece in pieces)


async def _notes(kit: Kit, entry: Entry, draft: Draft) -> tuple[str, ...]:
    """Where it comes from, and whether the file changed since it last ran there."""
    head = entry.head
    notes = [f"{entry.name} at commit {draft.commit[:12]} by {head.author}, {head.at:%Y-%m-%d}: {head.subject}"]
    name = scope_name(draft.name, Part(draft.part))

    def last(tx: Tx) -> OfRunbook | None:
        rows = tx.requests(resource=draft.resource, limit=HISTORY)
        ran = [row.scope for row in rows if row.decided_at is not None and isinstance(row.scope, OfRunbook)]
        return next((scope for scope in ran if scope.name == name), None)

    before = await kit.store.read(last)
    if before is None:
        notes.append(f"It has not run on {draft.resource} before.")
    elif before.commit != draft.commit:
        notes.append(await _changed(kit, entry.runbook, before, draft))
    if draft.follows:
        notes.append(f"It follows {draft.follows}.")
    return tuple(notes)


async def _changed(kit: Kit, runbook: Runbook, before: OfRunbook, draft: Draft) -> str:
    old = before.commit[:12]
    try:
        same = (await kit.runbooks.at(before.commit, draft.name)) == runbook
    except Unavailable:
        return f"The commit of its last run ({old}) is gone, so it cannot be compared."
    return f"The same file as at its last run ({old})." if same else f"⚠ Changed since its last run at {old}."


# ------------------------------------------------------------------------------------------------ asking


async def start(kit: Kit, row: ActionToken, who: Caller, reply: Reply) -> None:
    """Use a draft up and file the request. Everything is judged again: a minute may have changed it."""
    person = kit.person(who)
    data = await kit.store.transact(lambda tx: tx.take_doc(DRAFT, row.arguments[SUBJECT]))
    if data is None:
        raise Conflict("This was asked already, or is too old.", hint="Look at /hoop runs, or run it again.")
    draft = Draft(**{name: str(data[name]) for name in Draft.__slots__})
    if draft.person != person.id:
        raise Denied("This was made for somebody else, so nothing was done.", rule="foreign-button")
    runbook = await kit.runbooks.at(draft.commit, draft.name)
    evidence, scope = await _described(kit, runbook, draft, person)
    if evidence.digest != draft.digest:
        raise Conflict("What would run changed since you saw it, so nothing was asked.", hint="Run it again.")
    await _not_locked(kit, runbook, draft)
    await _not_applied(kit, draft)
    head = next((entry for entry in kit.runbooks.entries() if entry.name == draft.name), None)
    if head is not None:
        evidence = replace(evidence, notes=await _notes(kit, replace(head, runbook=runbook), draft))
    reason = draft.reason.strip() or f"{runbook.title} (runbook)"
    asked = await kit.desk.ask_run(
        actor_of(person, draft.agent), draft.resource, scope, evidence, reason, draft.ticket, who.place,
        groups=runbook.approvers,
    )  # fmt: skip
    await told(kit, asked, who, reply)


async def _not_applied(kit: Kit, draft: Draft) -> None:
    """A dry run is applied once."""
    if draft.follows and Part(draft.part) is Part.RUN:
        key = f"applied:{draft.follows}"
        if await kit.store.transact(lambda tx: tx.seen(key)):
            raise Conflict(f"{draft.follows} was applied already.", hint="Make a new dry run.")


async def _not_locked(kit: Kit, runbook: Runbook, draft: Draft) -> None:
    """Say at once that it runs already; the runner takes the lock itself, whatever is said here."""
    key = lock_key(runbook, draft.resource, canonical(draft.values))
    held = await kit.store.read(lambda tx: tx.doc(LOCK, key)) if key else None
    if held is not None:
        raise Conflict(
            f"Already running, started by {held['who']} ({held['request']}).", hint="Watch it in its thread."
        )


# ------------------------------------------------------------------------------------------------ afterwards


async def rerun(kit: Kit, intent: Rerun, who: Caller, reply: Reply, *, change: bool = False) -> None:
    """The same runbook and values with the file of now: shown again, or as the form."""
    old, scope = await _own(kit, intent.request, who)
    name, part = part_of(scope.name)
    entry = kit.runbooks.find(name)
    again = Run(entry.name, read_back(_values(old)), old.resource, old.reason, old.ticket, _agent(old))
    if change or part is Part.ROLLBACK:
        await reply.form(_form(kit, entry, again))
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
    entry = replace(kit.runbooks.find(name), runbook=runbook)
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
    await _preview(kit, entry, draft, person, who, reply)


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
    grant = await kit.store.read(lambda tx: next(iter(tx.grants(request=id, limit=1)), None))
    if grant is None or grant.state is not GrantState.EXECUTING or grant.used_in is None:
        raise Conflict(f"{id} is not running.", hint="Look at /hoop runs.")
    await kit.desk.kill(grant.used_in, who.person, "run stopped")
    await reply.card(done_card(f"Stopping {id}.", hint="Its card says how far it came."))


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


def lock_doc(request: AccessRequest, name: str) -> dict[str, Any]:
    """What others are told while it runs."""
    return {"who": name, "request": request.id}
