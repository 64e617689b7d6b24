"""Use cases of break-glass: take access, acknowledge, attest, close. The desk judges who may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from access import ports
from access.emergencies import EmergencyState, Finding
from access.errors import Conflict, Invalid, many
from access.ids import RequestId, SessionId
from access.masking import Masked
from access.ports import ActionToken
from access.requests import AccessRequest
from access.scopes import standing_scope
from bot.cards import Do, Form
from bot.durations import resolve
from bot.filled import Filled
from bot.intents import Acknowledge, Attest, BreakGlass, Close
from bot.kit import Kit, Ran, actor_of, found_request
from bot.platform import Caller, Reply
from bot.tokens import mint, subject
from bot.views import emergencies
from bot.views.answers import done_card
from bot.views.parts import button

MOST_STATEMENTS = 30
_STATEMENT, _OUTCOME = 200, 120
#: Command tags of what changes rows; the last word of a tag is their number.
_CHANGES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "COPY"})


async def break_glass(kit: Kit, intent: BreakGlass, who: Caller, reply: Reply) -> None:
    """Take access at once. Raises what the desk raises; Invalid names the field that must change."""
    person = kit.person(who)
    length = intent.duration
    wanted = ports.BreakGlass(
        intent.resource,
        intent.confirmed,
        standing_scope(intent.scope),
        resolve(length, kit.clock.now(), person.time_zone) if length is not None else None,
        intent.reason,
        intent.ticket,
        who.place,
    )
    request = await kit.desk.break_glass(actor_of(person), wanted)
    told = ", ".join(kit.world.mention(one).name for one in request.approvers[:8])
    said = f"You have {intent.scope} access to {request.resource} now. How to connect comes in a private message."
    await reply.card(done_card(said, hint=f"Called: {told}. It is {request.id}; you account for it when it has ended."))


async def acknowledge(kit: Kit, intent: Acknowledge, who: Caller, reply: Reply) -> None:
    """Look after somebody's use of it."""
    kit.person(who)
    request = await kit.desk.acknowledge(intent.request, who.person, intent.note)
    name = kit.world.mention(request.actor.person, request.actor.display).name
    await reply.card(done_card(f"Acknowledged: you look after {name}'s access to {request.resource} ({request.id})."))


async def attest(kit: Kit, intent: Attest, who: Caller, reply: Reply) -> None:
    """Say what was done; without words the form opens, prefilled from what was recorded."""
    kit.person(who)
    if not intent.account.strip():
        opener = button("Attest…", Do.ATTEST, intent.request)
        token = await kit.store.transact(lambda tx: mint(tx, kit.entropy, opener, who.person))
        await reply.form(await _attest_form(kit, intent.request, token))
        return
    request = await kit.desk.attest(intent.request, who.person, intent.account)
    await reply.card(done_card(f"Attested: {request.id}.", hint="Another person closes it now."))


async def close(kit: Kit, intent: Close, who: Caller, reply: Reply) -> None:
    """Review somebody's attestation."""
    kit.person(who)
    request = await kit.desk.close(intent.request, who.person, intent.finding, intent.note)
    await reply.card(done_card(f"Closed as {intent.finding.value}: {request.id}."))


# ------------------------------------------------------------------------------------------------ what was recorded


async def recorded(kit: Kit, request: AccessRequest) -> str:
    """What was done under a request, as its sessions recorded it (masked), in lines: what was refused and what changed
    something is always among them, plain reads as far as there is room."""
    sessions = await kit.store.read(lambda tx: tx.sessions(request=request.id))
    lines: list[tuple[bool, str]] = []
    for session in reversed(sessions):
        ran = await kit.recorded(session.id) or await _in_ledger(kit, session.id)
        changed = sum(_changed(one.outcome) for one in ran if not (one.refused or one.reads))
        counts = f"{many(session.statements, 'statement')}, {session.refused} refused, {many(session.rows, 'row')} read"
        lines.append((True, f"{session.id}: {counts}, {changed} changed"))
        lines += [(one.refused or not one.reads, _line(one)) for one in ran]
    kept = _fitting(lines)
    if len(lines) > len(kept):
        kept.append(f"… and {len(lines) - len(kept)} more, in the recording")
    return "\n".join(kept)


def _fitting(lines: Sequence[tuple[bool, str]]) -> list[str]:
    """As many as there is room for, in their order; those that matter first."""
    room, chosen = emergencies.ACCOUNT_SHOWN - _OUTCOME, set[int]()
    for at in sorted(range(len(lines)), key=lambda at: not lines[at][0]):
        room -= len(lines[at][1]) + 1
        if room < 0 or len(chosen) >= MOST_STATEMENTS:
            break
        chosen.add(at)
    return [line for at, (_, line) in enumerate(lines) if at in chosen]


def _line(one: Ran) -> str:
    shown, outcome = " ".join(one.statement.split())[:_STATEMENT], " ".join(one.outcome.split())[:_OUTCOME]
    if one.refused:
        return f"- REFUSED ({outcome}): {shown}" if outcome else f"- REFUSED: {shown}"
    return f"- {shown} → {outcome}" if outcome else f"- {shown}"


def _changed(outcome: str) -> int:
    """How many rows a command changed, by its tag (`UPDATE 3`, `INSERT 0 2`)."""
    words = outcome.split()
    return int(words[-1]) if words and words[0] in _CHANGES and words[-1].isdigit() else 0


async def _in_ledger(kit: Kit, session: SessionId) -> list[Ran]:
    """Where the recording is not at hand: the ledger has everything but plain reads."""
    events = await kit.store.read(lambda tx: tx.events_of(session))
    told = [(event.kind, event.payload) for event in events if event.payload]
    tags = {said.get("number"): str(said["detail"]) for kind, said in told if kind == "statement.completed"}
    found = []
    for kind, said in told:
        statement = said.get("statement")
        if kind in {"statement.allowed", "statement.held", "statement.refused"} and isinstance(statement, Masked):
            refused = kind == "statement.refused"
            held = "held" if kind == "statement.held" else ""
            outcome = f"rule {said.get('rule')}" if refused else tags.get(said.get("number"), held)
            found.append(Ran(statement, outcome, refused))
    return found


async def _attest_form(kit: Kit, id: str, token: str) -> Form:
    request = await kit.store.read(lambda tx: found_request(tx, RequestId(id)))
    if request.emergency is None:
        raise Invalid(f"{request.id} is no use of break-glass.", field="id")
    if request.emergency.ended_at is None:
        raise Conflict("It still lasts.", hint=f"Give it back first: /hoop done {request.id}")
    if request.emergency.state is not EmergencyState.DUE:
        raise Conflict(f"{request.id} was attested already.", hint=f"See it: /hoop show {request.id}")
    done = await recorded(kit, request) or "Nothing was run."
    return emergencies.attest_form(request.id, token, done)


# ------------------------------------------------------------------------------------------------ buttons and forms


async def _acknowledged(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await acknowledge(kit, Acknowledge(RequestId(subject(row))), who, reply)


async def _justified(kit: Kit, row: ActionToken, _: str, who: Caller, reply: Reply) -> None:
    await close(kit, Close(RequestId(subject(row)), Finding.JUSTIFIED), who, reply)


async def _opened(kit: Kit, row: ActionToken, token: str, _: Caller, reply: Reply) -> None:
    form = next(one for one in FORMS.values() if one.do.value == row.action)
    await reply.form(await form.open(kit, subject(row), token))


async def _take_account(kit: Kit, id: str, values: Mapping[str, str], who: Caller, reply: Reply) -> None:
    filled = Filled(values)
    account = filled.line("account", required=True, most=emergencies.MAX_ACCOUNT)
    await filled.act(kit, reply, lambda kit, reply: attest(kit, Attest(RequestId(id), account), who, reply))


def _finding(name: str, do: Do, finding: Finding) -> TokenForm:
    async def open_(_kit: Kit, id: str, token: str) -> Form:
        return emergencies.finding_form(name, id, token)

    async def take(kit: Kit, id: str, values: Mapping[str, str], who: Caller, reply: Reply) -> None:
        filled = Filled(values)
        note = filled.line("reason", required=True)
        await filled.act(kit, reply, lambda kit, reply: close(kit, Close(RequestId(id), finding, note), who, reply))

    return TokenForm(do, open_, take)


@dataclass(frozen=True, slots=True)
class TokenForm:
    """A form behind a button: the action that opens it, how it is drawn for a subject, what it does when submitted."""

    do: Do
    open: Callable[[Kit, str, str], Awaitable[Form]]
    take: Callable[[Kit, str, Mapping[str, str], Caller, Reply], Awaitable[None]]


FORMS: Mapping[str, TokenForm] = {
    emergencies.ATTEST: TokenForm(Do.ATTEST, _attest_form, _take_account),
    emergencies.UNJUSTIFIED: _finding(emergencies.UNJUSTIFIED, Do.UNJUSTIFIED, Finding.UNJUSTIFIED),
    emergencies.FOLLOW_UP: _finding(emergencies.FOLLOW_UP, Do.FOLLOW_UP, Finding.FOLLOW_UP),
}
PRESSED: Mapping[Do, Callable[[Kit, ActionToken, str, Caller, Reply], Awaitable[None]]] = {
    Do.ACKNOWLEDGE: _acknowledged,
    Do.JUSTIFIED: _justified,
    **{form.do: _opened for form in FORMS.values()},
}
