"""Use cases of runbooks: pick, run, see what will run, ask. What comes afterwards is in `rerunning`.

A file and values become exact statements (`runbooks.render`); the gate's own judge describes them; what was seen is
kept as a draft, and asking uses the draft up: two clicks are one request. The approval binds to the commit, the values
and every statement, so nothing else can run under it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from access.actors import Person
from access.approvals import Asked
from access.errors import Conflict, Denied, HoopError, Invalid, Unavailable
from access.masking import ForApprover
from access.ports import ActionToken, Tx
from access.requests import Evidence, Place
from access.resources import Resource
from access.runs import Run as Made
from access.scopes import OfRunbook
from bot.asking import told
from bot.cards import Card, Form
from bot.cases import case_of
from bot.intents import Run, Runbooks, Runs
from bot.kit import Kit, actor_of, show
from bot.platform import Caller, Reply
from bot.targets import chosen
from bot.tokens import SUBJECT, new_token
from bot.turns import LOCK, put_turns
from bot.views import runs as views
from runbooks.catalog import Entry, where
from runbooks.model import Kind, Known, Part, Runbook, Slot, Use
from runbooks.render import canonical, check, lock_key, part_of, render, scope_name, written

DRAFT, FAVOURITE = "run-draft", "run-favourite"
DRAFT_FOR = timedelta(minutes=15)
HISTORY = 200


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody was shown and may ask for. `resource` and `others` (comma-separated) are run on one after the other;
    `digest` has one word for each; `follows` is the dry run it applies or the run it takes back; `queues` says that it was
    locked when it was shown."""

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
    others: str = ""
    queues: str = ""

    def each(self) -> list[Draft]:
        """One draft a resource, in order."""
        return [
            replace(self, resource=name, others="") for name in (self.resource, *filter(None, self.others.split(",")))
        ]


# ------------------------------------------------------------------------------------------------ looking


async def runbooks(kit: Kit, intent: Runbooks, who: Caller, reply: Reply) -> None:
    """The list, favourites and the caller's own first, or what matches all words."""
    person = kit.person(who)
    words = intent.search.lower().split()
    entries = [entry for entry in offered(kit, person) if all(word in _searched(entry) for word in words)]
    problems = [] if words else kit.runbooks.problems()

    def build(tx: Tx) -> Card:
        mine = [row.scope for row in tx.requests(person=who.person, limit=HISTORY)]
        ran = dict.fromkeys(part_of(scope.name)[0] for scope in mine if isinstance(scope, OfRunbook))
        stars = [str(row["name"]) for _, row in tx.docs(FAVOURITE, group=who.person)]
        return views.picker_card(entries, stars, list(ran), problems, intent.search)

    await show(kit, who, reply, build)


async def star(kit: Kit, name: str, who: Caller, reply: Reply) -> None:
    """Mark a runbook, or unmark it; favourites come first in the person's list."""
    kit.person(who)

    def toggle(tx: Tx) -> None:
        key = f"{who.person}/{name}"
        if tx.take_doc(FAVOURITE, key) is None:
            tx.put_doc(FAVOURITE, key, {"name": name}, group=who.person)

    await kit.store.transact(toggle)
    await runbooks(kit, Runbooks(), who, reply)


def offered(kit: Kit, person: Person) -> list[Entry]:
    """The runbooks this person may run, by the rules of their repositories."""
    return [entry for entry in kit.runbooks.entries() if entry.rule.admits(person.groups)]


def found(kit: Kit, typed: str, person: Person) -> Entry:
    """The runbook meant. Raises Invalid for one that does not exist, or that this person may not run."""
    entry = kit.runbooks.find(typed)
    if not entry.rule.admits(person.groups):
        raise Denied(f"{entry.name} is for {', '.join(entry.rule.groups)}.", rule="runbook-groups", hint="/hoop who")
    return entry


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
    entry = found(kit, intent.runbook, person)
    values, wrong = check(entry.runbook, intent.values, known(kit, entry, person))
    resources = where(entry, kit.resources())
    if not resources:
        raise Invalid(f"{entry.name} fits no resource of this gateway.", field="runbook")
    targets = _targets(intent, resources, wrong)
    if wrong:
        unknown = [name for name in wrong if entry.runbook.parameter(name) is None and name != "resource"]
        if intent.from_form:
            raise _all_wrong({_field(entry, name): said for name, said in wrong.items()})
        if unknown or ("resource" in wrong and intent.resource):
            raise _all_wrong({name: f"{name}: {said}" for name, said in wrong.items()})
        given = wrong if intent.values or intent.resource else {}
        form = await form_with(kit, entry, intent, person)
        await reply.form(form.with_errors({_field(entry, name): said for name, said in given.items()}, {}))
        return
    part = Part.DRY_RUN if entry.runbook.has(Part.DRY_RUN) else Part.RUN
    names = [resource.name for resource in targets]
    draft = Draft(
        entry.name, entry.commit, part.value, names[0], written(values), "", person.id, intent.reason, intent.ticket,
        intent.agent, others=",".join(names[1:]),
    )  # fmt: skip
    await preview(kit, entry, draft, person, who, reply)


def _all_wrong(found: Mapping[str, str]) -> Invalid:
    first, *_ = found
    return Invalid(found[first], field=first, others={name: said for name, said in found.items() if name != first})


def _targets(intent: Run, resources: Sequence[Resource], wrong: dict[str, str]) -> list[Resource]:
    """What it runs on; what is wrong with that is added to `wrong`."""
    try:
        targets = chosen(intent.resource, resources)
    except Invalid as error:
        wrong["resource"] = error.message
        return []
    if not targets:
        wrong["resource"] = f"It runs on {', '.join(one.name for one in resources[:8])}."
    return targets


def known(kit: Kit, entry: Entry, person: Person) -> Known:
    """What people, resources, and secrets, a value of this person may name in this runbook."""
    people = frozenset(person.wire_name for person in kit.world.directory.people() if person.active)
    secrets = kit.runbooks.secrets
    named = secrets.names(entry.name, person.groups) if secrets is not None else frozenset[str]()
    return Known(people, frozenset(kit.world.resources), named)


def _field(entry: Entry, name: str) -> str:
    return f"p_{name}" if entry.runbook.parameter(name) else name


async def form_with(kit: Kit, entry: Entry, intent: Run, person: Person) -> Form:
    """The form of a runbook, filled in as far as is known."""
    given = {f"p_{name}": value for name, value in intent.values.items()}
    given |= {"resource": intent.resource, "reason": intent.reason, "ticket": intent.ticket}
    resources = where(entry, kit.resources())
    one = next((resource for resource in resources if intent.resource == resource.name or len(resources) == 1), None)
    listed = await kit.choices.of(entry.runbook, person, one) if kit.choices is not None and one is not None else {}
    secrets = tuple(sorted(known(kit, entry, person).secrets))
    listed |= {one.name: secrets for one in entry.runbook.parameters if one.kind is Kind.SECRET and secrets}
    return views.run_form(entry, resources, given, {}, listed)


def form_of(kit: Kit, name: str, values: Mapping[str, str]) -> Form:
    """The form of a runbook by its full name, as it was submitted. Raises Invalid when the runbook is gone."""
    entry = kit.runbooks.find(name)
    return views.run_form(entry, where(entry, kit.resources()), values, {})


def intent_of(name: str, values: Mapping[str, str]) -> Run:
    """What a submitted form means; empty fields are left out."""
    typed = {key[2:]: value for key, value in values.items() if key.startswith("p_") and value.strip()}
    resource, reason, ticket = (values.get(key, "").strip() for key in ("resource", "reason", "ticket"))
    return Run(name, typed, resource, reason, ticket, from_form=True)


async def preview(kit: Kit, entry: Entry, draft: Draft, person: Person, who: Caller, reply: Reply) -> None:
    """Show exactly what would run, on every resource, with the button that asks for it."""
    drafts = draft.each()
    described = [(await describe(kit, entry.runbook, one, person))[0] for one in drafts]
    held = [holder for one in drafts if (holder := await _holder(kit, entry.runbook, one))]
    draft = replace(draft, digest=" ".join(one.digest for one in described), queues="yes" if held else "")
    notes = await _notes(kit, entry, draft)
    key = new_token(kit.entropy)
    data = {name: getattr(draft, name) for name in Draft.__slots__}
    shown = views.Preview(
        entry, Part(draft.part), tuple(one.resource for one in drafts), tuple(described), notes, key, tuple(held)
    )

    def build(tx: Tx) -> Card:
        tx.put_doc(DRAFT, key, data, expires_at=tx.now + DRAFT_FOR)
        return views.preview_card(shown)

    await show(kit, who, reply, build)


async def describe(kit: Kit, runbook: Runbook, draft: Draft, person: Person) -> tuple[Evidence, OfRunbook]:
    """The exact statements, judged as of now. Raises what the judge raises, and Invalid for a table nobody knows."""
    resource, values = kit.resource(draft.resource), canonical(draft.values)
    rule = kit.runbooks.rule(draft.name)
    if not rule.admits(person.groups) or not rule.reaches(resource.name):
        raise Denied(f"{draft.name} may not be run by you on {resource.name}.", rule="runbook-rule", hint="/hoop who")
    made = render(runbook, draft.commit, Part(draft.part), values)
    made = replace(made, name=scope_name(draft.name, Part(draft.part)))
    _may_have(kit, made, draft, person)
    evidence, scope = await kit.judge.describe_run(actor_of(person, draft.agent), person, resource, made)
    for parameter in runbook.parameters:
        table = values.get(parameter.name)
        known = {name for full in evidence.tables for name in (full, full.rpartition(".")[2])}
        if (
            parameter.kind is Kind.TABLE
            and table
            and table not in known
            and _named(runbook, draft.part, parameter.name)
        ):
            raise Invalid("There is no such table there.", field=f"p_{parameter.name}")
    return replace(evidence, parameters=(ForApprover(draft.values),)), scope


def _may_have(kit: Kit, made: Made, draft: Draft, person: Person) -> None:
    """Whether its secrets are for this person in this runbook, there. Raises Denied."""
    for name in dict.fromkeys(name for step in made.steps for _, name in step.secrets):
        if kit.runbooks.secrets is None:
            raise Denied(f"There is no secret {name}.", rule="runbook-secret")
        kit.runbooks.secrets.check(name, draft.name, draft.resource, person.groups)


def _named(runbook: Runbook, part: str, name: str) -> bool:
    pieces = [piece for step in runbook.steps_of(Part(part)) for piece in step.pieces]
    return any(isinstance(piece, Slot) and piece.parameter == name and piece.use is Use.IDENTIFIER for piece in pieces)


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
        link = kit.runbooks.compare(draft.name, before.commit, draft.commit)
        notes += [f"What changed: {link}"] if link else []
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
    """Use a draft up and file the request, or one for each resource. Everything is judged again: a minute may have
    changed it."""
    person = kit.person(who)
    data = await kit.store.transact(lambda tx: tx.take_doc(DRAFT, row.arguments[SUBJECT]))
    if data is None:
        raise Conflict("This was asked already, or is too old.", hint="Look at /hoop runs, or run it again.")
    draft = Draft(**{name: str(data[name]) for name in Draft.__slots__})
    if draft.person != person.id:
        raise Denied("This was made for somebody else, so nothing was done.", rule="foreign-button")
    runbook = await kit.runbooks.at(draft.commit, draft.name)
    drafts = draft.each()
    described = [await describe(kit, runbook, one, person) for one in drafts]
    if " ".join(evidence.digest for evidence, _ in described) != draft.digest:
        raise Conflict("What would run changed since you saw it, so nothing was asked.", hint="Run it again.")
    if not draft.queues:
        await _not_locked(kit, runbook, drafts)
    await _not_applied(kit, draft)
    for asked in await file_requests(kit, runbook, draft, described, person, who.place):
        await told(kit, asked, who, reply)


async def file_requests(
    kit: Kit, runbook: Runbook, draft: Draft, described: Sequence[tuple[Evidence, OfRunbook]], person: Person, place: Place
) -> list[Asked]:  # fmt: skip
    """One request a resource, in order; all of them or, when one is refused, none."""
    drafts = draft.each()
    notes = await _notes_again(kit, runbook, draft)
    turns = [(one.resource, evidence.digest) for one, (evidence, _) in zip(drafts, described, strict=True)]
    await kit.store.transact(lambda tx: put_turns(tx, turns, queues=bool(draft.queues)))
    asked: list[Asked] = []
    try:
        for number, (one, (evidence, scope)) in enumerate(zip(drafts, described, strict=True), 1):
            noted = replace(evidence, notes=(*evidence.notes, *notes, *_place_of(number, drafts)))
            asked.append(
                await kit.desk.ask_run(
                    actor_of(person, one.agent), one.resource, scope, noted, _reason(one, runbook), one.ticket, place,
                    groups=runbook.approvers, flow=runbook.flow,
                )
            )  # fmt: skip
    except HoopError:
        for before in asked:  # half of what was meant is not what was meant
            with contextlib.suppress(HoopError):
                await kit.desk.cancel(before.request.id, person.id, "another of its resources could not be asked for")
        raise
    return asked


def _reason(draft: Draft, runbook: Runbook) -> str:
    return draft.reason.strip() or f"{runbook.title} (runbook)"


def _place_of(number: int, drafts: Sequence[Draft]) -> tuple[str, ...]:
    """What approvers of one of several resources must know."""
    if len(drafts) == 1:
        return ()
    names = ", ".join(one.resource for one in drafts)
    return (f"{number} of {len(drafts)} resources ({names}); each runs after those before it succeeded.",)


async def _notes_again(kit: Kit, runbook: Runbook, draft: Draft) -> tuple[str, ...]:
    head = next((entry for entry in kit.runbooks.entries() if entry.name == draft.name), None)
    return () if head is None else await _notes(kit, replace(head, runbook=runbook), draft)


async def _not_applied(kit: Kit, draft: Draft) -> None:
    """A dry run is applied once."""
    if draft.follows and Part(draft.part) is Part.RUN:
        key = f"applied:{draft.follows}"
        if await kit.store.transact(lambda tx: tx.seen(key)):
            raise Conflict(f"{draft.follows} was applied already.", hint="Make a new dry run.")


async def _not_locked(kit: Kit, runbook: Runbook, drafts: Sequence[Draft]) -> None:
    """Say at once that it runs already; the runner takes the lock itself, whatever is said here."""
    for draft in drafts:
        held = await _holder(kit, runbook, draft)
        if held:
            who, request = held
            raise Conflict(
                f"Already running, started by {who} ({request}).",
                hint="Watch it in its thread, or run this again to queue.",
            )


async def _holder(kit: Kit, runbook: Runbook, draft: Draft) -> tuple[str, str] | None:
    """Who holds the lock that this would take, and for which request."""
    key = lock_key(runbook, draft.resource, canonical(draft.values))
    held = await kit.store.read(lambda tx: tx.doc(LOCK, key)) if key else None
    return (str(held["who"]), str(held["request"])) if held is not None else None
