"""The cards about one request: asked, held, decided, ended, reviewed in private, its result. Pure."""

from __future__ import annotations

from dataclasses import replace

from access.events import StoredEvent
from access.extracts import Extract, cut_masked, read_extract
from access.masking import Masked
from access.requests import AccessRequest, Ask, Choice, Evidence, GrantState, RequestState
from access.scopes import scope_said
from bot.cards import (
    Block,
    Button,
    Card,
    Code,
    CodeBlock,
    Do,
    ExactBlock,
    Field,
    Link,
    Mention,
    Moment,
    MomentStyle,
    Snippet,
    State,
    Strong,
    Style,
    Table,
    Text,
    in_zone,
    plain,
    text,
)
from bot.cases import Case, Use
from bot.durations import format_duration
from bot.views import parts
from bot.views.access import opening_buttons
from bot.views.emergencies import glass_card, own_buttons

SHOWN_MAX = 2_800
RUNBOOK = "runbook"
AUTOMATIC = "flow|"
ROWS = 20
COLUMNS = 8
CELL = 120


def request_card(case: Case) -> Card:
    """The channel's card: the same before and after the decision, except for state and buttons."""
    request = case.request
    if request.emergency is not None:
        return glass_card(case)
    title = parts.headline(case)
    automatic = request.decided_by is not None and request.decided_by.startswith(AUTOMATIC)
    if automatic and request.ask is Ask.ACCESS:
        return _quiet(case, title)
    state = parts.state_of(case)
    return Card(
        kind=_kind(request),
        state=state,
        title=title,
        fallback=_fallback(case, state, title),
        lines=_outcome(case),
        fields=_fields(case),
        blocks=_shown(request.evidence),
        notes=_notes(case),
        buttons=parts.decision_buttons(case, exact=False) if fits(request) else _review_only(request),
        footer=parts.footer(request, case),
    )


def _quiet(case: Case, title: Text) -> Card:
    """What a flow approved by itself: one line that heads the thread, for nobody to decide."""
    state = parts.state_of(case)
    why = " ".join(part for part in (case.request.ticket, case.request.reason) if part)
    return Card(
        kind=_kind(case.request),
        state=state,
        title=title,
        fallback=_fallback(case, state, title),
        lines=(text(*([why, " · "] if why else []), "automatic, by the flow ", Code(case.request.flow)),),
        footer=parts.footer(case.request, case),
    )


def fits(request: AccessRequest) -> bool:
    """Whether a channel can show the whole statement; what does not fit is never approved from the channel card."""
    return request.evidence is None or len(request.evidence.shown) <= SHOWN_MAX


def approvable_in_channel(request: AccessRequest) -> bool:
    """Rule 8: nothing was masked and nothing cut."""
    return request.evidence is None or (request.evidence.complete and fits(request))


def _review_only(request: AccessRequest) -> tuple[Button, ...]:
    if request.state is not RequestState.PENDING:
        return ()
    review = parts.button("Review…", Do.REVIEW, request.id, Style.PRIMARY)
    return (review, parts.button("Deny…", Do.DENY, request.id, Style.DANGER))


def mirror_card(case: Case) -> Card:
    """The requester's private copy: who is asked, and Cancel while it waits."""
    card = request_card(case)
    if case.request.emergency is not None:
        return replace(card, buttons=own_buttons(case), private=True)
    waiting = case.request.state is RequestState.PENDING
    cancel = (parts.button("Cancel", Do.CANCEL, case.request.id),) if waiting else ()
    over = case.request.state in {RequestState.DENIED, RequestState.EXPIRED, RequestState.CANCELLED}
    again = (parts.button("Request again", Do.AGAIN, case.request.id),) if over and _repeatable(case.request) else ()
    ahead = opening_buttons(case.opening) if case.opening else ()
    return replace(card, buttons=(*cancel, *again, *ahead), private=True)


def waiting_already(case: Case) -> Card:
    """The answer to somebody who asks the same again: no second request was filed, the first still waits."""
    card, request = mirror_card(case), case.request
    said = text("You asked for this before and it still waits, so nothing new was filed.")
    change = text("To ask for something else in it: ", Code(f"/hoop change {request.id} 30m"))
    other = (change,) if _repeatable(request) else ()
    return replace(card, lines=(said, *other, *card.lines), fallback=f"Still waiting: {card.fallback}")


def _repeatable(request: AccessRequest) -> bool:
    return request.ask is Ask.ACCESS and request.parent is None


def waiting_card(case: Case) -> Card:
    """An approver's private notice; the same rules for Approve as in the channel."""
    card = request_card(case)
    lead = (text("This waits for you."),) if case.request.state is RequestState.PENDING else ()
    return replace(card, lines=(*lead, *card.lines), private=True)


def review_card(case: Case, *, may_decide: bool, estimates: bool = False) -> Card:
    """The private view with the exact text, parameters and database; Approve lives here when the channel cut or masked."""
    request = case.request
    card = request_card(case)
    look = (parts.button("What would it do?", Do.ESTIMATE, request.id),) if estimates else ()
    look = look if parts.editable(request) and case.postgres else ()
    return replace(
        card,
        kind="review",
        blocks=_exact(request.evidence) if request.evidence else (),
        notes=_notes(case, exact=True),
        buttons=(*parts.decision_buttons(case, exact=True), *look) if may_decide else look,
        private=True,
    )


def vote_line(case: Case, who: Mention, choice: str, note: str) -> Card:
    """One vote, as one immutable line of the thread."""
    yes = choice == Choice.APPROVE.value
    state = parts.APPROVED if yes else parts.DENIED
    title = text(who, " approved" if yes else " denied", f": {note}" if note else "")
    footer = text(Code(case.request.id))
    return Card("vote", state, title, f"{plain(title)} ({case.request.id})", footer=footer)


def nudge_line(case: Case, kind: str, told: list[Mention], what: str, *, private: bool = False) -> Card:
    """A reminder, an escalation, the next stage or a change, as one line of the thread that calls people by name; in
    private with the way to decide. `what` is the stage or the revision."""
    says = {
        "request.reminded": "This still waits for ",
        "request.stranded": "Nobody is left who could decide this, it only waits to expire. Who can add somebody: ",
        "request.escalated": "Nobody decided yet. Now also asked: ",
        "stage.reached": f"Enough approvals so far. Asked next ({what}): ",
        "text.accepted": f"Another text was accepted (revision {what}); earlier votes are void. It waits for ",
        "request.revised": f"Changed by the requester (revision {what}); earlier votes are void. It waits for ",
    }[kind]
    title = text(says, *parts.people(told))
    footer = text(Code(case.request.id), " · asking ends ", Moment(case.request.expires_at, MomentStyle.TIME))
    said, look = f"{plain(title)} ({case.request.id})", (parts.button("Review…", Do.REVIEW, case.request.id),)
    buttons = look if private and kind != "request.stranded" else ()
    return Card("nudge", parts.WAITING, title, said, buttons=buttons, footer=footer, private=private)


# ------------------------------------------------------------------------------------------------ pieces


def _kind(request: AccessRequest) -> str:
    return {Ask.ACCESS: "request", Ask.COMMAND: "command", Ask.STATEMENT: "held"}[request.ask]


def _fallback(case: Case, state: State, title: Text) -> str:
    request = case.request
    length = f" for {format_duration(request.duration)}" if request.ask is Ask.ACCESS else ""
    length += f" from {request.starts_at:%Y-%m-%d %H:%M} UTC" if request.starts_at else ""
    what = _evidence_line(request.evidence) if request.evidence else ""
    why = ": ".join(part for part in (request.ticket, request.reason) if part)
    details = " · ".join(part for part in (what, why) if part)
    return plain(text(f"{state.word}: {plain(title)}{length}", f" · {details}" if details else "", f" ({request.id})"))


def _fields(case: Case) -> tuple[Field, ...]:
    request = case.request
    fields = [parts.who_field(case), Field("Resource", _resource(case))]
    if request.ask is Ask.ACCESS:
        fields.append(Field("Scope", text(Strong(scope_said(request.scope)))))
        starts = ", from the approval on" if request.state is RequestState.PENDING and not request.parent else ""
        starts = ", counted from when it is begun" if request.starts_at else starts
        fields.append(Field("How long", text(format_duration(request.duration), starts)))
        if request.starts_at is not None:
            fields.append(Field("Starts", text("not before ", Moment(request.starts_at))))
        if case.resource is not None and case.resource.windows:
            fields.append(
                Field("Only", text(f"{' or '.join(map(str, case.resource.windows))}; it ends with the window"))
            )
    if request.reason or request.ticket:
        ticket = (Code(request.ticket), " ") if request.ticket else ()
        fields.append(Field("Why", text(*ticket, request.reason)))
    risk, because = parts.risk_of(request)
    fields.append(Field("Risk", text(f"{risk.value}: {because}")))
    if case.authors:
        fields.append(Field("Text by", text(*parts.people(case.authors), ", who did not ask for it")))
    effect = _evidence_line(request.evidence) if request.evidence else case.allows
    if effect:
        fields.append(Field("What it does" if request.evidence else "What it allows", text(effect)))
    if request.state is RequestState.PENDING:
        fields.append(Field("Can decide", parts.people(case.deciders, case.stands_for)))
        fields += parts.stages_field(case) + parts.unknown_field(case.unknown)
        fields.append(Field("Asking ends", text(Moment(request.expires_at, MomentStyle.TIME))))
    return tuple(fields)


def _resource(case: Case) -> Text:
    request = case.request
    database = request.evidence.database if request.evidence else ""
    description = case.resource.description if case.resource else ""
    where = f"{request.resource}/{database}" if database and database != request.resource else request.resource
    return text(Code(where), f" · {description}" if description else "")


def _evidence_line(evidence: Evidence) -> str:
    """Verbs and tables, effects, flags: what the judge understood."""
    verbs = " + ".join(dict.fromkeys(evidence.verbs)) or "statement"
    tables = f" on {', '.join(evidence.tables[:6])}" if evidence.tables else ""
    effects = ", ".join(sorted(effect.value for effect in evidence.effects))
    flags = ", ".join(sorted(flag.value.replace("_", " ") for flag in evidence.flags))
    return " · ".join(part for part in (f"{verbs}{tables}", effects, flags) if part)


def _shown(evidence: Evidence | None) -> tuple[Block, ...]:
    return (CodeBlock(cut_masked(evidence.shown, SHOWN_MAX)),) if evidence else ()


def _exact(evidence: Evidence) -> tuple[Block, ...]:
    blocks: list[Block] = [ExactBlock(evidence.exact, "Exactly this runs")]
    if evidence.rule == RUNBOOK:  # its parameters are its values, which the exact text shows where they are bound
        return tuple(blocks)
    for number, value in enumerate(evidence.parameters, 1):
        if value is None:
            blocks.append(Snippet("NULL", f"${number}"))
        else:
            blocks.append(ExactBlock(value, f"${number}"))
    return tuple(blocks)


def _notes(case: Case, *, exact: bool = False) -> tuple[Text, ...]:
    request, evidence = case.request, case.request.evidence
    if evidence is None:
        return ()
    notes = [text("Why it is asked: ", evidence.message)] if evidence.message else []
    pending = request.state is RequestState.PENDING
    if pending and evidence.in_transaction:
        notes.append(text("⚠ Holding locks: a transaction is open, and while this waits its locks block others."))
        if case.blocked:
            notes.append(text("⚠ Waiting for its locks now: ", ", ".join(case.blocked)))
    if pending and not exact and not approvable_in_channel(request):
        reason = "Values are masked here" if fits(request) else "The text is longer than this card"
        notes.append(text(f"{reason}: review the exact text in private to approve it."))
    if pending and case.uses:
        notes.append(_uses(case.uses))
    notes += [text(note) for note in evidence.notes]
    return tuple(notes)


_CAME_OF_IT = {GrantState.SUCCEEDED: "it succeeded", GrantState.FAILED: "it failed", GrantState.EXECUTING: "it runs"}


def _uses(uses: tuple[Use, ...]) -> Text:
    """How often the very same ran before."""
    last = uses[0]
    times = "once" if len(uses) == 1 else f"{len(uses)} times"
    what = _CAME_OF_IT.get(last.state, "its outcome is unknown")
    return text(f"The same ran here {times} before, last for ", last.who, " at ", Moment(last.at), f": {what}.")


def _outcome(case: Case) -> tuple[Text, ...]:
    """What was decided by whom, and what came of it."""
    request, grant = case.request, case.grant
    lines: list[Text] = []
    note = f": {request.note}" if request.note else ""
    if request.state is RequestState.APPROVED:
        lines.append((*_how_approved(case), *in_zone(note)))
    elif request.state is RequestState.DENIED and case.decided_by:
        lines.append(text("Denied by ", *parts.people([case.decided_by], case.stands_for), note))
    elif request.state is not RequestState.PENDING and request.note:
        lines.append(in_zone(request.note))
    elif case.reviews:
        lines.append(text("Approved so far by ", *parts.people([who for who, _ in case.reviews], case.stands_for)))
    if case.narrowed:
        lines.append(text("Less than was asked for: ", case.narrowed))
    if case.opening is not None:
        lines.append(text("To be begun from ", Moment(case.opening.start), " to ", Moment(case.opening.until)))
    if case.lapsed:
        lines.append(text(f"It was never begun: {case.lapsed}."))
    if grant is not None and request.ask is Ask.ACCESS:
        lines.append(_window(case))
    return tuple(lines)


def _how_approved(case: Case) -> Text:
    request, by = case.request, parts.people(_approvers(case), case.stands_for)
    if request.emergency is not None:
        return text("Taken without approval")
    how = "Given without approval, on the gateway's host, by " if parts.by_operator(request) else "Approved by "
    return text(how, *by)


def _approvers(case: Case) -> list[Mention]:
    """Everybody whose yes it took, the deciding one last; who said yes ahead, or the operator, where nobody voted."""
    said = sorted((one for one in case.reviews if one[1].choice is Choice.APPROVE), key=lambda one: one[1].at)
    return [who for who, _ in said] or ([case.decided_by] if case.decided_by else [])


def _window(case: Case) -> Text:
    grant = case.grant
    assert grant is not None
    if grant.state is GrantState.ACTIVE:
        return text("Until ", Moment(grant.expires_at), " · ", Code(grant.id))
    return text(*parts.ended(case), " · ", Code(grant.id))


# ------------------------------------------------------------------------------------------------ result


def result_card(case: Case, event: StoredEvent, *, private: bool = False) -> Card:
    """What an approved command gave: a masked table of at most `ROWS` × `COLUMNS`, or why it did not run."""
    payload = event.payload or {}
    outcome = str(payload.get("outcome", "unknown"))
    state = {"succeeded": parts.SUCCEEDED, "failed": parts.FAILED}.get(outcome, parts.UNKNOWN)
    tag = str(payload.get("tag", ""))
    said = (
        tag or str(payload.get("why", "")) or {"succeeded": "ran", "failed": "failed"}.get(outcome, "outcome unknown")
    )
    whose = (" for ", case.who, parts.via(case.request))
    title = text("Command on ", Code(case.request.resource), *whose, ": ", Strong(said))
    blocks = _result_blocks(payload.get("result"), payload.get("message"), int(payload.get("rows", 0) or 0))
    notes: list[Text] = []
    if state is parts.UNKNOWN:
        notes.append(
            text("It may or may not have happened. It will not be run again by itself: look before you repeat it.")
        )
    session = str(payload.get("session", ""))
    replay = (" · ", Link("replay", case.links.session(session))) if session else ()
    return Card(
        kind="result",
        state=state,
        title=title,
        fallback=f"{state.word}: {plain(title)} ({case.request.id})",
        blocks=tuple(blocks),
        notes=tuple(notes),
        footer=text(Code(case.request.id), *replay),
        private=private,
    )


def _result_blocks(result: object, message: object, total: int) -> list[Block]:
    blocks: list[Block] = []
    if isinstance(message, Masked) and message:
        blocks.append(CodeBlock(cut_masked(message, SHOWN_MAX)))
    extract = read_extract(result) if isinstance(result, Masked) else Extract()
    if extract.columns:
        rows = tuple(
            tuple(None if cell is None else cut_masked(cell, CELL) for cell in row[:COLUMNS])
            for row in extract.rows[:ROWS]
        )
        blocks.append(Table(extract.columns[:COLUMNS], rows, _cut_note(len(rows), total, len(extract.columns))))
    return blocks


def _cut_note(rows: int, total: int, columns: int) -> str:
    shown = f"{rows} of {total} rows" if total > rows else f"{rows} row{'s' * (rows != 1)}"
    return f"{shown}, {COLUMNS} of {columns} columns" if columns > COLUMNS else shown
