"""The cards and the form of runbooks: pick, fill in, see what will run, watch it run. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from access.events import StoredEvent
from access.extracts import Extract, cut_masked, read_extract
from access.masking import Masked
from access.requests import AccessRequest, Evidence, GrantState, RequestState
from access.resources import Resource
from access.scopes import OfRunbook
from approval_flows.flow import REASON_MAX
from bot.cards import (
    Block,
    Button,
    Card,
    Code,
    CodeBlock,
    Do,
    ExactBlock,
    Field,
    FieldKind,
    Form,
    FormField,
    Item,
    Link,
    Moment,
    MomentStyle,
    Option,
    State,
    Strong,
    Style,
    Table,
    Text,
    plain,
    text,
)
from bot.cases import Case
from bot.markdown import documented
from bot.views import parts
from runbooks.catalog import Entry
from runbooks.model import Kind, Parameter, Part, Problem
from runbooks.render import part_of
from runbooks.values import Refused, accept

MOST = 20
ROWS, COLUMNS, CELL, MESSAGE = 200, 12, 2_000, 1_500
TABLES = 4
RUN = "run"
READY = State("Nothing has run yet", "📖", parts.PRIVATE.tone)
STOPPED = State("Stopped", "⏹", parts.FAILED.tone)


# ------------------------------------------------------------------------------------------------ pick


def picker_card(
    entries: Sequence[Entry],
    stars: Sequence[str],
    ran: Sequence[str],
    problems: Sequence[tuple[str, Problem]],
    search: str,
) -> Card:
    """What can be run, the caller's favourites and own first; then what does not load, with file and line."""
    rank = {name: place for place, name in enumerate(dict.fromkeys((*stars, *ran)))}
    ordered = sorted(entries, key=lambda entry: (rank.get(entry.name, len(rank)), entry.name))
    items = tuple(_pick(entry, star=entry.name in stars, mine=entry.name in ran) for entry in ordered[:MOST])
    notes = (
        [text(f"{len(ordered) - MOST} more: /hoop runbooks and some words find them.")] if len(ordered) > MOST else []
    )
    errors = [(name, problem) for name, problem in problems if problem.severity == "error"]
    notes += [text("Does not load: ", Code(f"{name}/{problem}")) for name, problem in errors[:8]]
    found = f"{len(ordered)} runbook{'s' * (len(ordered) != 1)}" if ordered else "No runbook"
    title = text(found, f" for “{search}”" if search else "")
    return Card("runbooks", parts.PRIVATE, title, plain(title), items=items, notes=tuple(notes), private=True)


def _pick(entry: Entry, *, star: bool, mine: bool) -> Item:
    runbook = entry.runbook
    wants = ", ".join(parameter.name for parameter in runbook.parameters)
    lines = [text(runbook.description)] if runbook.description else []
    lines.append(text(Code(entry.name), f" · {wants}" if wants else "", " · you ran this" if mine else ""))
    start = Button("Run…", Do.RUN, entry.name)
    mark = Button("Unstar" if star else "Star", Do.STAR, entry.name)
    return Item(text("★ " if star else "", Strong(runbook.title)), tuple(lines), (start, mark))


# ------------------------------------------------------------------------------------------------ fill in


def run_form(
    entry: Entry,
    resources: Sequence[Resource],
    given: Mapping[str, str],
    errors: Mapping[str, str],
    choices: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Form:
    """The form that the file's parameters make. Its fields are `p_NAME`, so that no parameter hides one of ours. `choices`
    are what queries listed, by parameter."""
    fields = [
        _field(parameter, given.get(f"p_{parameter.name}", ""), choices.get(parameter.name, parameter.options))
        for parameter in entry.runbook.parameters
    ]
    if len(resources) > 1:
        several = given.get("resource", "")
        options = tuple(Option(resource.name, resource.name) for resource in resources)
        if several and several not in {resource.name for resource in resources}:
            options = (Option(several, several), *options)
        fields.insert(0, FormField("resource", "On", FieldKind.CHOICE, given.get("resource", ""), options=options))
    fields.append(
        FormField("reason", "Reason", FieldKind.LINES, given.get("reason", ""), required=False, max_length=REASON_MAX)
    )
    fields.append(FormField("ticket", "Ticket", value=given.get("ticket", ""), required=False, max_length=64))
    intro = text(entry.runbook.description or "What will run is shown before anybody is asked.")
    form = Form(f"{RUN}:{entry.name}", entry.runbook.title[:60], tuple(fields), "Show what will run", intro=intro)
    return form.with_errors(errors, {})


def _field(parameter: Parameter, value: str, choices: Sequence[str]) -> FormField:
    options = tuple(Option(option, option) for option in choices)
    value = value or parameter.default or ""
    if parameter.kind is Kind.BOOLEAN:
        options = (Option("true", "yes"), Option("false", "no"))
        with contextlib.suppress(Refused):  # `no`, `off` and `0` are one of the two as well
            value = accept(parameter, value) or ""
    kind = FieldKind.CHOICE if options and parameter.kind is not Kind.LIST and len(options) <= 100 else FieldKind.TEXT
    hints = [parameter.description, _bounds(parameter)]
    return FormField(
        f"p_{parameter.name}",
        parameter.name.replace("_", " "),
        FieldKind.LINES if parameter.kind is Kind.LINES else kind,
        value,
        required=parameter.required,
        options=options,
        placeholder=parameter.example,
        hint=" ".join(hint for hint in hints if hint)[:150],
        max_length=min(parameter.max_length, 3_000),
    )


def _bounds(parameter: Parameter) -> str:
    least, most = parameter.minimum, parameter.maximum
    said = {
        (True, True): f"From {least} to {most}.",
        (True, False): f"At least {least}.",
        (False, True): f"At most {most}.",
        (False, False): "",
    }[bool(least), bool(most)]
    return said or {Kind.DATE: "2026-11-20", Kind.LIST: "Separate values with commas."}.get(parameter.kind, "")


# ------------------------------------------------------------------------------------------------ see


@dataclass(frozen=True, slots=True)
class Preview:
    """What would run, exactly: on every resource the same text, judged by each of them. `held`: who has the lock, for which
    request."""

    entry: Entry
    part: Part
    resources: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...]
    draft: str
    held: tuple[tuple[str, str], ...] = ()


def preview_card(preview: Preview) -> Card:
    """Private: the exact statements, equal to what runs, from which commit, and the button that asks."""
    entry, runbook, part = preview.entry, preview.entry.runbook, preview.part
    what = {Part.RUN: "", Part.DRY_RUN: "Dry run of ", Part.ROLLBACK: "Rollback of "}[part]
    title = text(what, Strong(runbook.title), " on ", Code(_names(preview.resources)))
    every = preview.evidence
    verbs = " + ".join(dict.fromkeys(verb for one in every for verb in one.verbs))
    tables = ", ".join(list(dict.fromkeys(table for one in every for table in one.tables))[:6])
    effects = ", ".join(sorted({effect.value for one in every for effect in one.effects}))
    fields = [
        Field("What it does", text(" · ".join(word for word in (verbs, tables, effects) if word))),
        Field("Commit", text(Code(entry.commit[:12]), f" by {entry.head.author}: {entry.head.subject}")),
    ]
    if len(preview.resources) > 1:
        order = " → ".join(preview.resources)
        fields.append(Field("In this order", text(f"{order}; the first that fails stops those after it")))
    notes = [text(note) for note in (*dict.fromkeys(note for one in every for note in one.notes), *preview.notes)]
    notes += documented(runbook.documentation)
    if part is Part.DRY_RUN:
        notes.append(text("This only looks. Its result has the button that applies it."))
    ask, watch = Button("Ask for approval", Do.START, preview.draft, Style.PRIMARY), []
    for who, request in preview.held[:1]:
        notes.insert(
            0, text(f"Already running, started by {who} (", Code(request), "). This one waits until that has ended.")
        )
        ask = Button("Ask, and queue", Do.START, preview.draft, Style.PRIMARY)
        watch = [Button("Watch", Do.WATCH, request)]
    return Card(
        "run_preview", READY, title, f"Ready: {plain(title)}", fields=tuple(fields),
        blocks=(ExactBlock(every[0].exact, "Exactly this runs"),), notes=tuple(notes), buttons=(ask, *watch),
        footer=text(f"digest {every[0].digest[:8]} · {entry.name}"), private=True,
    )  # fmt: skip


def _names(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} resources"


# ------------------------------------------------------------------------------------------------ watch


def run_card(case: Case, steps: Sequence[StoredEvent], final: StoredEvent | None, *, private: bool = False) -> Card:
    """One card per run, edited in place: each step with its mark, what came back masked, what can be done now."""
    request = case.request
    assert isinstance(request.scope, OfRunbook)
    name, part = part_of(request.scope.name)
    said = [step.payload for step in steps if step.payload is not None]
    of = len(request.scope.steps)
    outcome = str((final.payload or {}).get("outcome", "unknown")) if final else ""
    state = {"": parts.RUNNING, "succeeded": parts.SUCCEEDED, "failed": STOPPED}.get(outcome, parts.UNKNOWN)
    good = sum(payload.get("outcome") == "succeeded" for payload in said)
    what = "" if part is Part.RUN else f"{part.value} of "
    title = text(what, Code(name), " on ", Code(request.resource), " for ", case.who, f": {good} of {of} steps done")
    why = str((final.payload or {}).get("why", "")) if final else ""
    lines = [text(why)] if why else []
    blocks = [block for payload in said for block in _blocks(payload)]
    notes = []
    if state is parts.UNKNOWN:
        notes.append(
            text("A step may or may not have happened. Nothing is run again by itself: look before you repeat it.")
        )
    session = next((str(payload["session"]) for payload in said if payload.get("session")), "")
    replay = (" · ", Link("replay", case.links.session(session))) if session else ()
    return Card(
        "result", state, title, f"{state.word}: {plain(title)} ({request.id})", lines=tuple(lines),
        items=tuple(_step(payload) for payload in said), blocks=_few(blocks), notes=tuple(notes),
        buttons=_after(case, said, outcome), footer=text(Code(request.id), *replay), private=private,
    )  # fmt: skip


def _step(payload: Mapping[str, Any]) -> Item:
    mark = {"succeeded": "✅", "failed": "❌"}.get(str(payload.get("outcome")), "⚠")
    tag = str(payload.get("tag", ""))
    return Item(text(f"{mark} {payload.get('number')}. {payload.get('title')}", f" — {tag}" if tag else ""))


def _blocks(payload: Mapping[str, Any]) -> list[Block]:
    title, message, result = str(payload.get("title", "")), payload.get("message"), payload.get("result")
    blocks: list[Block] = []
    if isinstance(message, Masked) and message:
        blocks.append(CodeBlock(cut_masked(message, MESSAGE), title))
    extract = read_extract(result) if isinstance(result, Masked) else Extract()
    if extract.columns and extract.rows:
        rows = tuple(
            tuple(None if cell is None else cut_masked(cell, CELL) for cell in row[:COLUMNS])
            for row in extract.rows[:ROWS]
        )
        total = int(payload.get("rows", 0) or 0)
        shown = f"{len(rows)} of {total} rows" if total > len(rows) else f"{total} row{'s' * (total != 1)}"
        wide = f", {COLUMNS} of {len(extract.columns)} columns" if len(extract.columns) > COLUMNS else ""
        blocks.append(Table(extract.columns[:COLUMNS], rows, f"{title}: {shown}{wide}"))
    return blocks


def _few(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The last ones: what a person looks for when there are many."""
    return tuple(blocks[-TABLES:])


def _after(case: Case, said: Sequence[Mapping[str, Any]], outcome: str) -> tuple[Button, ...]:
    request = case.request
    if not outcome:
        stop = Button(
            "Stop…", Do.STOP, request.id, Style.DANGER, confirm="Cut what runs now? Steps that are done stay done."
        )
        return (stop,)
    offers = said[-1].get("offers", []) if said else []
    good = outcome == "succeeded"
    buttons = []
    if good and "apply" in offers:
        buttons.append(Button("Apply…", Do.APPLY, request.id, Style.PRIMARY))
    buttons += [Button("Run again…", Do.RERUN, request.id), Button("With changes…", Do.CHANGE, request.id)]
    if "rollback" in offers:
        buttons.append(Button("Roll back…", Do.ROLLBACK, request.id, Style.DANGER))
    return tuple(buttons)


def runs_card(cases: Sequence[Case]) -> Card:
    """What was run lately, newest first."""
    items = tuple(_run_item(case) for case in cases[:MOST])
    title = text("Runs" if items else "Nothing was run yet.")
    return Card("runs", parts.PRIVATE, title, plain(title), items=items, private=True)


def _run_item(case: Case) -> Item:
    request: AccessRequest = case.request
    assert isinstance(request.scope, OfRunbook)
    state = parts.state_of(case)
    title = text(f"{state.icon} ", Code(request.scope.name), " on ", Code(request.resource), " by ", case.who)
    line: Text = text(state.word, " · ", Moment(request.created_at, MomentStyle.DATE_TIME), " · ", Code(request.id))
    live = case.grant is not None and case.grant.state is GrantState.EXECUTING
    buttons = [Button("Stop…", Do.STOP, request.id, Style.DANGER)] if live else []
    if not live and request.state is not RequestState.PENDING:
        buttons = [Button("Run again…", Do.RERUN, request.id)]
    return Item(title, (line,), tuple(buttons))
