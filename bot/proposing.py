"""Use cases of edit and propose: write another text for somebody's command, accept or decline it. The desk judges who may."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from access.actors import Person
from access.errors import Conflict, Denied, Invalid
from access.ids import RequestId
from access.ports import ActionToken, Proposal, Tx
from access.proposals import PROPOSAL, proposal_from_json
from access.requests import AccessRequest, Choice, RequestState
from bot import deciding
from bot.cards import Card, Do, Form
from bot.cases import case_of
from bot.filled import Filled, at_the_text
from bot.intents import Accept, Decline, Propose
from bot.kit import Kit, found_request, show
from bot.platform import Caller, Reply
from bot.tokens import mint, subject
from bot.views import proposals
from bot.views.answers import done_card
from bot.views.parts import button, editable
from bot.visible import has_hidden, visible

_PLACE = re.compile(r"\$[0-9]")


async def propose(kit: Kit, intent: Propose, who: Caller, reply: Reply) -> None:
    """Typed: with the text, or a form with the exact text to edit."""
    request = await _decided_by(kit, intent.request, who)
    if not intent.command.strip():
        opener = button("Propose other text…", Do.PROPOSE, request.id)
        token = await kit.store.transact(lambda tx: mint(tx, kit.entropy, opener, who.person))
        await reply.form(proposals.propose_form(request, _name(kit, request), token))
        return
    await _propose(kit, request, request.revision, intent.command, intent.note, who, reply)


async def compare(kit: Kit, id: str, who: Caller, reply: Reply) -> None:
    """Both texts side by side, for the requester and for the author: nobody else is shown what is exact in them."""

    def build(tx: Tx) -> Card:
        data = tx.doc(PROPOSAL, id)
        case = case_of(tx, kit.world, RequestId(data["request"])) if data else None
        if data is None or case is None:
            raise Conflict(f"The proposal {id} is not open any more.")
        proposal = proposal_from_json(id, data)
        if who.person not in {case.request.actor.person, proposal.by}:
            raise Denied("The exact texts are for its requester.", rule="not-yours")
        card = proposals.comparison_card(case, proposal, kit.world.mention(proposal.by))
        return card if who.person == case.request.actor.person else replace(card, buttons=())

    kit.person(who)
    await show(kit, who, reply, build)


async def accept(kit: Kit, intent: Accept, who: Caller, reply: Reply) -> None:
    """Typed: what its message could not show whole is compared first, with Accept below (rule 8)."""
    kit.person(who)
    data = await kit.store.read(lambda tx: tx.doc(PROPOSAL, intent.proposal))
    evidence = proposal_from_json(intent.proposal, data).evidence if data else None
    if evidence is not None and not (evidence.complete and len(evidence.shown) <= proposals.SHOWN_MAX):
        await compare(kit, intent.proposal, who, reply)
        return
    await _take(kit, intent.proposal, who, reply)


async def _take(kit: Kit, proposal: str, who: Caller, reply: Reply) -> None:
    """The requester takes the text."""
    kit.person(who)
    row = await kit.desk.accept(proposal, who.person)
    if row.state is RequestState.APPROVED:
        await reply.card(done_card(f"Accepted, and granted at once by the flow {row.flow}.", hint=f"It is {row.id}."))
        return
    progress = await kit.store.read(lambda tx: kit.world.progress(tx, row))
    names = ", ".join(person.name for person in progress.deciders[:6])
    said = f"revision {row.revision} of {row.id}" if row.revision > 1 else f"{row.id}; your client gets an error now"
    await reply.card(done_card(f"Accepted: it is {said}.", hint=f"{names} can decide."))


async def decline(kit: Kit, intent: Decline, who: Caller, reply: Reply) -> None:
    """The requester does not take it, or its author takes it back."""
    kit.person(who)
    row = await kit.desk.decline(intent.proposal, who.person, intent.note)
    await reply.card(done_card(f"Not taken. {row.id} waits as it was asked."))


# ------------------------------------------------------------------------------------------------ pieces


async def _decided_by(kit: Kit, id: RequestId, who: Caller) -> AccessRequest:
    """The request, for somebody with a say in it who has not voted: nobody else is shown its exact text."""
    kit.person(who)

    def found(tx: Tx) -> tuple[AccessRequest, bool]:
        row = found_request(tx, id)
        return row, who.person in kit.world.progress(tx, row).deniers

    request, involved = await kit.store.read(found)
    if who.person == request.actor.person:
        hint = f"Cancel it and ask anew: /hoop cancel {id}"
        raise Denied("You can not propose a text for your own request.", rule="own-request", hint=hint)
    if request.state is not RequestState.PENDING:
        raise Conflict(f"{id} does not wait any more.")
    if not involved:
        raise Denied(f"You are not an approver of {id}.", rule="not-an-approver")
    if not editable(request):
        part = request.evidence is not None and request.evidence.in_transaction
        what = "It is a part of an open transaction." if part else "Another text is proposed for one command only."
        raise Conflict(what, hint="Deny it and say what you would approve.")
    return request


async def _propose(
    kit: Kit, request: AccessRequest, revision: int, command: str, note: str, who: Caller, reply: Reply
) -> None:
    """Judge the text as its requester's, then offer it. Raises what the judge and the desk raise."""
    proposal = await _judged(kit, request, revision, command, note, who)
    names = _name(kit, request)
    hint = f"It is {proposal.id}. Accepted, others than you decide it; until then {request.id} waits as it was asked."
    await reply.card(done_card(f"Proposed: {names} is asked to accept it.", hint=hint))


async def _judged(kit: Kit, request: AccessRequest, revision: int, command: str, note: str, who: Caller) -> Proposal:
    command = command.replace("\r\n", "\n")
    if has_hidden(command):
        shown = next(piece for piece in re.findall("⟨U\\+[0-9A-F]+⟩", visible(command)))
        raise Invalid(f"It has characters that nobody sees: {shown}.", field="command", hint="Write it without them.")
    old = request.evidence
    if old is not None and old.parameters and _PLACE.search(command):
        raise Invalid("Write the values themselves in place of $1, $2, …", field="command")
    requester = _requester(kit, request)
    evidence = await kit.judge.describe(request.actor, requester, kit.resource(request.resource), command)
    return await kit.desk.propose(request.id, revision, who.person, evidence, note)


def _requester(kit: Kit, request: AccessRequest) -> Person:
    person = kit.world.directory.person(request.actor.person)
    if person is None or not person.active:
        raise Conflict("Its requester is not active any more.")
    return person


def _name(kit: Kit, request: AccessRequest) -> str:
    return kit.world.mention(request.actor.person, request.actor.display).name


# ------------------------------------------------------------------------------------------------ buttons and the form


async def _pressed(kit: Kit, row: ActionToken, token: str, who: Caller, reply: Reply) -> None:
    request = await kit.store.read(lambda tx: found_request(tx, row.request))
    if request.state is not RequestState.PENDING:
        await deciding.vote(kit, row.request, row.revision, Choice.DENY, "", who, reply)
        return
    await reply.form(await form_of(kit, row, token, who))


async def form_of(kit: Kit, row: ActionToken, token: str, who: Caller) -> Form:
    """The form behind the button; only for those with a say."""
    request = await _decided_by(kit, row.request, who)
    return proposals.propose_form(request, _name(kit, request), token)


async def take(kit: Kit, row: ActionToken, values: Mapping[str, str], who: Caller, reply: Reply) -> None:
    """The submitted form. The revision is the one whose card was pressed: a text for an older one is refused."""
    filled = Filled(values)
    command, note = filled.command(), filled.line("note", most=500)
    request = await _decided_by(kit, row.request, who)

    async def act(kit: Kit, reply: Reply) -> None:
        if not command:
            return
        try:
            await _propose(kit, request, row.revision, command, note, who, reply)
        except Denied as denied:
            raise at_the_text(denied) from denied

    await filled.act(kit, reply, act)


async def _compared(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await compare(kit, subject(row), who, reply)


async def _accepted(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await _take(kit, subject(row), who, reply)


async def _declined(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await decline(kit, Decline(subject(row)), who, reply)


PRESSED: Mapping[Do, Callable[[Kit, ActionToken, str, Caller, Reply], Awaitable[None]]] = {
    Do.PROPOSE: _pressed,
    Do.COMPARE: _compared,
    Do.ACCEPT: _accepted,
    Do.DECLINE: _declined,
}
