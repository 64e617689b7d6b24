"""Draw the card of a delivery from the rows as they are now. Reads one transaction, changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from access import ssh_logins
from access.actors import PersonId
from access.delegations import Delegation
from access.events import StoredEvent
from access.ids import GrantId, RequestId, SessionId
from access.ports import Tx
from access.proposals import PROPOSAL, proposal_from_json
from access.requests import RequestState
from access.scopes import OfRunbook
from approval_flows.deputising import kept
from approval_flows.opening import openings
from bot.cards import Card
from bot.cases import Case, World, case_of, case_of_grant, usable, visit_of
from bot.deliveries import Delivery, View
from bot.preferences import quiet
from bot.views import access, emergencies, lists, logins, orders, proposals, requests, runs, sessions


def draw(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    """The card without its tokens, or None when there is nothing (more) to show."""
    return _DRAWN[delivery.view](tx, world, delivery)


def _request(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    case = case_of(tx, world, RequestId(delivery.about))
    return requests.request_card(_calling(tx, world, case)) if case else None


def _calling(tx: Tx, world: World, case: Case) -> Case:
    """Where the channel comes first, its card calls those who are asked by name, while they are few and awake."""
    request, notify = case.request, world.notify
    if not notify.dm_after or request.state is not RequestState.PENDING or len(request.approvers) > notify.few:
        return case
    asked = {one for one in request.approvers if not quiet(tx, world.directory, one)}
    called = (replace(one, ping=True) if one.person in asked else one for one in case.deciders)
    return replace(case, deciders=tuple(called))


def _mirror(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    case = case_of(tx, world, RequestId(delivery.about))
    return requests.mirror_card(case) if case else None


def _waiting(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    case = case_of(tx, world, RequestId(delivery.about))
    return requests.waiting_card(case) if case else None


def _decided(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    """A message of its own, because an update in place notifies nobody."""
    case = case_of(tx, world, RequestId(delivery.about))
    if case is None or case.request.state is RequestState.PENDING:
        return None
    return replace(requests.mirror_card(case), kind="decided")


def _vote(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    case, event = case_of(tx, world, RequestId(delivery.about)), _event(tx, delivery)
    if case is None or event is None or event.payload is None:
        return None
    who = world.mention(PersonId(event.actor))
    for_whom = ", ".join(world.mention(PersonId(one)).name for one in event.payload.get("stands_for", []))
    said = [f"for {for_whom}" if for_whom else "", *(str(event.payload.get(name, "")) for name in ("narrowed", "note"))]
    return requests.vote_line(case, who, str(event.payload.get("choice")), " · ".join(filter(None, said)))


def _nudge(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    """Nothing any more when it was decided before the line could be shown."""
    case, event = case_of(tx, world, RequestId(delivery.about)), _event(tx, delivery)
    if case is None or event is None or event.payload is None or case.request.state is not RequestState.PENDING:
        return None
    called = event.payload.get("told", event.payload.get("approvers", []))
    told = [world.mention(who, ping=not quiet(tx, world.directory, who)) for who in map(PersonId, called)]
    said = str(event.payload.get("stage", event.payload.get("revision", "")))
    kind = "text.accepted" if event.payload.get("author") else event.kind
    return requests.nudge_line(case, kind, told, said, private=bool(delivery.audience))


def _proposal(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    """A proposed text: a line in the thread, the card its requester answers, and what became of it."""
    case, event = case_of(tx, world, RequestId(delivery.about)), _event(tx, delivery)
    if case is None or event is None or event.payload is None:
        return None
    said, by = event.payload, world.mention(PersonId(event.actor))
    if event.kind == "proposal.answered":
        if not delivery.audience:
            return proposals.declined_line(case, by, str(said["note"]))
        return proposals.answered_card(case, str(said["answer"]), by, str(said["note"]), str(said["into"]))
    if not delivery.audience:
        return proposals.proposal_line(case, by, str(said["note"]))
    data = tx.doc(PROPOSAL, str(said["proposal"]))
    if data is not None:
        return proposals.proposal_card(case, proposal_from_json(str(said["proposal"]), data), by)
    events = [one for one in tx.events_of(delivery.about) if one.kind == "proposal.answered" and one.payload]
    answers = [one for one in events if (one.payload or {})["proposal"] == said["proposal"]]
    if not answers:
        return None
    last, word = answers[-1], answers[-1].payload or {}
    who = world.mention(PersonId(last.actor))
    return proposals.answered_card(case, str(word["answer"]), who, str(word["note"]), str(word["into"]))


def _alarm(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    case, event = case_of(tx, world, RequestId(delivery.about)), _event(tx, delivery)
    if case is None or event is None or event.payload is None or case.request.emergency is None:
        return None
    mine = (event.actor,) if event.kind != "attestation.due" else (case.request.actor.person,)
    called = event.payload.get("told", mine)
    people = [world.mention(PersonId(one), ping=event.kind != "emergency.closed") for one in called]
    card = emergencies.alarm_line(case, event.kind, people, str(event.payload.get("note", "")))
    if delivery.audience == case.request.actor.person:
        return replace(card, private=True)
    theirs = emergencies.others_buttons(case) if delivery.audience else ()
    return replace(card, buttons=theirs, private=bool(delivery.audience))


def _ready(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    """Nothing any more once it was begun, or is too late."""
    case = case_of(tx, world, RequestId(delivery.about))
    if case is None or case.opening is None or tx.now >= case.opening.until:
        return None
    return access.ready_card(case, case.opening, tx.now)


def _freeze(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    """The freeze that `part` began, as it is now. (After a `+`, what it is told of once more.)"""
    events = [one for one in tx.events_of(delivery.about) if one.position >= int(delivery.part.partition("+")[0])]
    begun = next((one for one in events if one.kind == "resource.frozen"), None)
    if begun is None or begun.payload is None:
        return None
    said = [one for one in events if one.kind in {"thaw.asked", "resource.thawed"}]
    over = next((n for n, one in enumerate(said) if one.kind == "resource.thawed"), len(said))
    people = [world.mention(PersonId(one.actor)) for one in said[: over + 1]]
    by, lifted = world.mention(PersonId(begun.actor)), over < len(said)
    card = orders.freeze_card(
        delivery.about,
        by,
        str(begun.payload["why"]),
        people,
        lifted=lifted,
        confirming=_confirming(world, begun, events),
    )
    return replace(card, private=bool(delivery.audience))


def _confirming(world: World, begun: StoredEvent, events: list[StoredEvent]) -> orders.Confirming:
    """How far the second person's word on this freeze is; what came after its end is another one's."""
    said, until = begun.payload or {}, str((begun.payload or {}).get("confirm_by", ""))
    ends = next((one.position for one in events if one.kind == "resource.thawed"), None)
    mine = {one.kind: one for one in events if ends is None or one.position < ends}
    confirmed, late = mine.get("freeze.confirmed"), mine.get("freeze.unconfirmed")
    told = (late.payload or {}).get("told", ()) if late is not None else said.get("told", ())
    return orders.Confirming(
        tuple(world.mention(PersonId(one), ping=True) for one in told),
        datetime.fromisoformat(until) if until else None,
        world.mention(PersonId(confirmed.actor)) if confirmed is not None else None,
        late is not None,
    )


def _allowance(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    events = tx.events_of(delivery.about)
    said = [one for one in events if one.kind == "allowance.voted" and one.payload]
    if not said:
        return None
    ended = next((one for one in events if one.kind == "allowance.ended"), None)
    last = said[-1].payload or {}
    for_whom = world.mention(PersonId(str(last["person"])))
    by = [world.mention(PersonId(one)) for one in last["by"]]
    card = orders.allowance_card(delivery.about, for_whom, last, by, ended=ended is not None)
    return replace(card, private=bool(delivery.audience))


def _delegation(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    events = {one.kind: one for one in tx.events_of(delivery.about) if one.payload}
    made, ended = events.get("delegation.made"), events.get("delegation.ended")
    if made is None:
        return None
    said = {**(made.payload or {}), "by": made.actor}
    now = Delegation.from_json(delivery.about, said)
    why = str((ended.payload or {}).get("why", "")) if ended else ""
    return orders.delegation_card(now, world.mention(now.by), world.mention(now.to), why)


def _taken_over(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    """What waited already when a delegation began and its taker can decide only because of it; nothing when nothing did."""
    one = next((one for one in kept(tx) if one.id == delivery.about), None)
    if one is None or not one.lasts(tx.now):
        return None
    rows = tx.requests(states=[RequestState.PENDING], limit=DIGEST_MOST)
    waiting = [
        case
        for row in reversed(rows)
        if tx.now < row.expires_at
        and one.by in world.progress(tx, row).stands_for.get(one.to, ())
        and (case := case_of(tx, world, row.id)) is not None
    ]
    return lists.taken_over_card(world.mention(one.by), waiting) if waiting else None


def _digest(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    """What waits for this person and what is theirs now, in one message; nothing when there is nothing."""
    rows = tx.requests(states=[RequestState.PENDING], limit=DIGEST_MOST)
    frozen = [orders.freeze_item(one, world.mention(one.by)) for one in world.freezes(tx, delivery.person)]
    waiting = frozen + [
        lists.pending_item(case)
        for row in reversed(rows)
        if tx.now < row.expires_at
        and any(one.id == delivery.person for one in world.progress(tx, row).deciders)
        and (case := case_of(tx, world, row.id)) is not None
    ]
    grants = usable(tx.grants(live_at=tx.now, person=delivery.person), tx.now)
    ahead = [
        access.opening_item(one, row, tx.now)
        for one in openings(tx, delivery.person)
        if tx.now < one.until and (row := tx.request(one.request)) is not None
    ]
    return lists.digest_card(waiting, grants, ahead) if waiting or grants or ahead else None


DIGEST_MOST = 100_000


def _event(tx: Tx, delivery: Delivery) -> StoredEvent | None:
    return next((event for event in tx.events_of(delivery.about) if str(event.position) == delivery.part), None)


def _expiring(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    case = case_of_grant(tx, world, GrantId(delivery.about))
    live = case is not None and case.grant is not None and case.grant.live(tx.now)
    return access.expiring_card(case) if case is not None and live else None


def _changed(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    case = case_of_grant(tx, world, GrantId(delivery.about))
    by = delivery.arguments.get("by", "")
    mention = world.mention(PersonId(by)) if by else None
    return access.changed_line(case, delivery.arguments.get("word", ""), mention) if case else None


def _session(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    visit = visit_of(tx, world, SessionId(delivery.about))
    return sessions.session_card(visit) if visit else None


def _blocked(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    visit = visit_of(tx, world, SessionId(delivery.about))
    return sessions.blocked_card(visit) if visit else None


def _failure(tx: Tx, _: World, delivery: Delivery) -> Card | None:
    event = _event(tx, delivery)
    if event is None or event.payload is None:
        return None
    payload = event.payload
    return sessions.failure_line(str(payload.get("resource", "")), str(payload.get("why", "")), event.stream)


def _result(tx: Tx, world: World, delivery: Delivery) -> Card | None:
    case, private = case_of(tx, world, RequestId(delivery.about)), delivery.view is View.RESULT_MIRROR
    events = tx.events_of(delivery.about)
    event = next((e for e in events if e.kind == "command.executed"), None)
    if case is not None and isinstance(case.request.scope, OfRunbook):
        return runs.run_card(case, [e for e in events if e.kind == "runbook.stepped"], event, private=private)
    if case is None or event is None or event.payload is None:
        return None
    return requests.result_card(case, event, private=private)


def _login(tx: Tx, _: World, delivery: Delivery) -> Card | None:
    """An SSH login that waits for its person; nothing when it is over before it could be asked."""
    found = ssh_logins.attempt_of(tx, delivery.person, delivery.about)
    if found is not None and found[1]["state"] == ssh_logins.OPEN:
        data = found[1]
        return logins.asked_card(delivery.about, data["resource"], data["client"], data["shown"])
    for event in reversed(tx.events_of(delivery.audience)):
        said = event.payload or {}
        if said.get("attempt") == delivery.about and event.kind in {"login.confirmed", "login.denied"}:
            return logins.answered_card(str(said["resource"]), str(said["client"]), str(said.get("why", "")))
    return None


def _never(_tx: Tx, _world: World, _delivery: Delivery) -> Card | None:
    """The connection is drawn by the sender, which has to issue a credential for it."""
    return None


_DRAWN: dict[View, Callable[[Tx, World, Delivery], Card | None]] = {
    View.REQUEST: _request,
    View.MIRROR: _mirror,
    View.WAITING: _waiting,
    View.DECIDED: _decided,
    View.VOTE: _vote,
    View.NUDGE: _nudge,
    View.ALARM: _alarm,
    View.PROPOSAL: _proposal,
    View.FREEZE: _freeze,
    View.READY: _ready,
    View.ALLOWANCE: _allowance,
    View.DELEGATION: _delegation,
    View.TAKEN_OVER: _taken_over,
    View.DIGEST: _digest,
    View.EXPIRING: _expiring,
    View.CHANGED: _changed,
    View.SESSION: _session,
    View.BLOCKED: _blocked,
    View.FAILURE: _failure,
    View.RESULT: _result,
    View.RESULT_MIRROR: _result,
    View.LOGIN: _login,
    View.CONNECTION: _never,
    View.TOKEN: _never,
}
