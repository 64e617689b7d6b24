"""Another text for a command: the form to write it, the card that its requester answers, the lines about it. Pure."""

from __future__ import annotations

import difflib
from dataclasses import replace

from access.extracts import cut_masked
from access.masking import ForApprover
from access.ports import Proposal
from access.requests import AccessRequest, Ask
from bot.cards import (
    Button,
    Card,
    Code,
    CodeBlock,
    Do,
    ExactBlock,
    FieldKind,
    Form,
    FormField,
    Mention,
    State,
    Style,
    Tone,
    plain,
    text,
)
from bot.cases import Case
from bot.views import forms

PROPOSE = "propose"
PROPOSED = State("Another text is proposed", "✏", Tone.WAITING)
TAKEN = State("Text accepted", "✅", Tone.GOOD)
NOT_TAKEN = State("Text not taken", "⏹", Tone.QUIET)
_ANSWERED = {"accepted": TAKEN}
CONTEXT = 3
SHOWN_MAX = 2_800


def propose_form(request: AccessRequest, who: str, token: str) -> Form:
    """The exact text, to be edited: only for somebody who decides, in private."""
    assert request.evidence is not None
    values = " Write values in place of $1, $2, …" if request.evidence.parameters else ""
    fields = (
        FormField(
            "command", "Text you would approve", FieldKind.LINES, request.evidence.exact.reveal(),
            hint=f"Less than was asked for, or the same in other words.{values}", max_length=forms.MAX_COMMAND,
        ),
        FormField("note", "Why", FieldKind.LINES, required=False, max_length=500),
    )  # fmt: skip
    intro = text(f"{who} is shown what you changed and accepts it or not. You do not approve your own text: others do.")
    return Form(PROPOSE, "Propose another text", fields, "Propose", token, intro)


def proposal_card(case: Case, proposal: Proposal, by: Mention) -> Card:
    """The requester's message. It is kept by its platform, so the exact text is not on it, and neither is Accept."""
    card = _asking(case, proposal, by)
    compare = Button("Compare…", Do.COMPARE, proposal.id, Style.PRIMARY)
    return replace(
        card,
        blocks=(CodeBlock(cut_masked(proposal.evidence.shown, SHOWN_MAX)),),
        notes=(*card.notes, text("Values may be masked here: compare the exact texts to accept it.")),
        buttons=(compare, _decline(proposal)),
    )


def comparison_card(case: Case, proposal: Proposal, by: Mention) -> Card:
    """The private view: what would change, exactly what would run, and Accept."""
    old = case.request.evidence.exact.reveal() if case.request.evidence else ""
    changes = difference(old, proposal.evidence.exact.reveal())
    accept = Button("Accept", Do.ACCEPT, proposal.id, Style.PRIMARY)
    return replace(
        _asking(case, proposal, by),
        kind="comparison",
        blocks=(
            ExactBlock(ForApprover(changes), "What changes (- yours, + proposed)"),
            ExactBlock(proposal.evidence.exact, "Exactly this would run"),
        ),
        buttons=(accept, _decline(proposal)),
    )


def _asking(case: Case, proposal: Proposal, by: Mention) -> Card:
    request = case.request
    title = text(by, " proposes another text for ", _whose(request), " on ", Code(request.resource))
    notes = [text("Accepted, it is decided anew by others than ", by, ": votes so far are void.")]
    if request.ask is Ask.STATEMENT:
        notes.append(
            text(
                "Your client's statement is never changed: it gets an error, and this text runs once by itself, in a "
                "session of its own, when it is approved."
            )
        )
    return Card(
        kind="proposal",
        state=PROPOSED,
        title=title,
        fallback=f"{PROPOSED.word}: {plain(title)} ({request.id})",
        lines=(text("Why: ", proposal.note),) if proposal.note else (),
        notes=tuple(notes),
        footer=text(Code(request.id), " · ", Code(proposal.id)),
        private=True,
    )


def _decline(proposal: Proposal) -> Button:
    return Button("Decline", Do.DECLINE, proposal.id)


def answered_card(case: Case, answer: str, who: Mention, note: str, into: str, *, kind: str = "proposal") -> Card:
    """What became of a proposed text, in place of the card that asked, and for its author. `answer` as it is on record."""
    state = _ANSWERED.get(answer, NOT_TAKEN)
    said = {
        "accepted": " accepted the proposed text",
        "declined": " declined the proposed text",
        "took back": " took the proposed text back",
        "replaced": " proposes a newer text in place of this one",
    }[answer]
    title = text(who, said, f": {note}" if note else "")
    lines = (text("It is decided now as ", Code(into), ", by others than its author."),) if answer == "accepted" else ()
    footer = text(Code(case.request.id))
    return Card(kind, state, title, f"{plain(title)} ({case.request.id})", lines=lines, footer=footer, private=True)


def proposal_line(case: Case, by: Mention, note: str) -> Card:
    """The thread's line: nobody else is called, and nothing of the text is shown."""
    title = text(by, " proposes another text, which waits for ", case.who, f": {note}" if note else "")
    footer = text(Code(case.request.id))
    return Card("nudge", PROPOSED, title, f"{plain(title)} ({case.request.id})", footer=footer)


def declined_line(case: Case, who: Mention, note: str) -> Card:
    """The thread's line when it was not taken: the first text still waits."""
    title = text(who, " declined the proposed text; it waits as it was", f": {note}" if note else "")
    return Card("nudge", NOT_TAKEN, title, f"{plain(title)} ({case.request.id})", footer=text(Code(case.request.id)))


def difference(old: str, new: str) -> str:
    """What changes, line by line, each with its sign; long runs of lines that stay are left out."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[str] = []
    for number, group in enumerate(
        difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT)
    ):
        lines += ["…"] if number else []
        for tag, a, b, c, d in group:
            if tag == "equal":
                lines += [f"  {line}" for line in before[a:b]]
                continue
            lines += [f"- {line}" for line in before[a:b]]
            lines += [f"+ {line}" for line in after[c:d]]
    return "\n".join(lines) or "Only line ends or blanks at the end change."


def _whose(request: AccessRequest) -> str:
    return "your held statement" if request.ask is Ask.STATEMENT else "your command"
