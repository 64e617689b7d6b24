"""The private lists and answers: my, pending, sessions, who, why, whoami, help. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from access.actors import Person
from access.emergencies import EmergencyState
from access.policy import Policy
from access.ports import Outlook
from access.requests import AccessRequest, Ask, Grant, RequestState, Session
from access.resources import Resource
from access.scopes import scope_name, scope_said
from bot.aims import AIM_OF, AIMS, grouped
from bot.cards import (
    Button,
    Card,
    Code,
    Do,
    Field,
    Item,
    Mention,
    Moment,
    MomentStyle,
    Strong,
    Style,
    Text,
    in_zone,
    plain,
    text,
)
from bot.cases import Case, allows
from bot.intents import Verb
from bot.links import Links
from bot.usage import SYNONYMS, USAGE
from bot.views import parts
from bot.views.access import grant_buttons
from bot.views.emergencies import glass_card, own_buttons
from bot.views.requests import approvable_in_channel
from bot.views.sessions import session_line

MOST = 15


@dataclass(frozen=True, slots=True)
class Mine:
    """What is mine: live access, access that can be begun now or later (`ahead`), open sessions, requests that wait, requests decided lately."""

    grants: Sequence[Grant] = ()
    sessions: Sequence[Session] = ()
    waiting: Sequence[Case] = ()
    recent: Sequence[AccessRequest] = ()
    ahead: Sequence[Item] = ()


def my_card(mine: Mine) -> Card:
    """My live access with countdown, my sessions, what I asked for."""
    items = [_grant_item(grant) for grant in mine.grants] + list(mine.ahead)
    items += [Item(session_line(session), buttons=(_kill(session),)) for session in mine.sessions]
    items += [_waiting_item(case) for case in mine.waiting]
    items += [_recent_item(request) for request in mine.recent]
    empty = "You have no access right now. Ask for some: /hoop request RESOURCE"
    return _list("my", "My access", items, empty)


def _grant_item(grant: Grant) -> Item:
    via = f" via {grant.actor.via.name}" if grant.actor.via else ""
    title = text(Strong(scope_said(grant.scope)), " on ", Code(grant.resource), via)
    left = text("ends ", Moment(grant.expires_at, MomentStyle.COUNTDOWN), " · ", Code(grant.id))
    return Item(title, (left,), grant_buttons(grant))


def _kill(session: Session) -> Button:
    return Button("Cut session", Do.KILL, session.id, Style.DANGER, confirm="Cut this session now?")


def _waiting_item(case: Case) -> Item:
    request = case.request
    title = text(
        "⏳ ", f"{parts.asked_for(request)} ", Code(request.resource), f": {request.reason}" if request.reason else ""
    )
    line = text("waits for ", *parts.people(case.deciders), " · ", Code(request.id))
    return Item(title, (line,), (parts.button("Cancel", Do.CANCEL, request.id),))


def _recent_item(request: AccessRequest) -> Item:
    title = text(f"{scope_said(request.scope)} on ", Code(request.resource), f": {parts.became(request)}")
    note = (in_zone(request.note),) if request.note else ()
    return Item(title, note, (parts.button("Request again", Do.AGAIN, request.id),))


def pending_card(items: Sequence[Item], total: int | None = None, page: int = 1) -> Card:
    """What waits for the viewer: one page of `total`."""
    title = "Waiting for your decision"
    card = _list("pending", title, items, "Nothing waits for you.")
    if total is None or total <= len(items):
        return card
    left = total - page * MOST
    more = f"Page {page} of {-(-total // MOST)}, {total} in all." + (
        f" Next: /hoop pending {page + 1}" if left > 0 else ""
    )
    return replace(card, fallback=f"{title}: {total}", notes=(text(more),))


def digest_card(waiting: Sequence[Item], grants: Sequence[Grant], ahead: Sequence[Item]) -> Card:
    """The day's one message: what waits for a decision, what access there is and what can be begun."""
    items = [*waiting, *ahead, *map(_grant_item, grants)]
    said = f"{len(waiting)} for my decision, {len(grants) + len(ahead)} of my own"
    return replace(_list("digest", "Today", items, "Nothing."), fallback=f"Today: {said}", lines=(text(f"{said}."),))


def taken_over_card(giver: Mention, waiting: Sequence[Case]) -> Card:
    """What waits already for somebody who decides in another's place from now on."""
    said = f"{len(waiting)} already {'waits' if len(waiting) == 1 else 'wait'} for you in {giver.name}'s place"
    card = _list("taken_over", "Now yours to decide", [*map(pending_item, waiting)], "Nothing.")
    return replace(card, fallback=f"{said}.", lines=(text(f"{said}."),))


def pending_item(case: Case) -> Item:
    """A request, or a use of break-glass, that waits for the viewer."""
    request = case.request
    if request.emergency is not None:
        card = glass_card(case)
        own = own_buttons(case) if request.emergency.state is EmergencyState.DUE else ()
        return Item(card.title, (text(card.state.word, " · ", Code(request.id)),), own or card.buttons)
    title = text(case.who, parts.via(request), f" {parts.asks(request)} ", Code(request.resource))
    why = ": ".join(part for part in (request.ticket, request.reason) if part)
    lines: list[Text] = [text(why)] if why else []
    if request.evidence:
        verbs = " + ".join(dict.fromkeys(request.evidence.verbs)) or "statement"
        lines.append(text(verbs, f" on {', '.join(request.evidence.tables[:6])}" if request.evidence.tables else ""))
    lines.append(text(Code(request.id), " · until ", Moment(request.expires_at, MomentStyle.TIME)))
    first = parts.button("Approve", Do.APPROVE, request.id, Style.PRIMARY)
    if not approvable_in_channel(request) or parts.risky(case):
        first = parts.button("Review…", Do.REVIEW, request.id, Style.PRIMARY)
    return Item(title, tuple(lines), (first, parts.button("Deny…", Do.DENY, request.id, Style.DANGER)))


def sessions_card(sessions: Sequence[tuple[Mention, Session]], links: Links) -> Card:
    """Open sessions, each to be watched and to be cut."""

    def item(who: Mention, session: Session) -> Item:
        watch = Button("Watch", Do.REPLAY, session.id, url=links.session(session.id))
        lines = (session_line(session), text("since ", Moment(session.opened_at)))
        return Item(text(who, " "), lines, (watch, _kill(session)))

    items = [item(who, session) for who, session in sessions]
    return _list("sessions", "Open sessions", items, "No session is open.")


def _list(kind: str, title: str, items: Sequence[Item], empty: str) -> Card:
    shown = tuple(items[:MOST])
    more = len(items) - len(shown)
    return Card(
        kind=kind,
        state=parts.PRIVATE,
        title=text(title),
        fallback=f"{title}: {len(items)}" if items else empty,
        lines=() if items else (text(empty),),
        items=shown,
        notes=(text(f"… and {more} more."),) if more > 0 else (),
        private=True,
    )


# ------------------------------------------------------------------------------------------------ who and why


@dataclass(frozen=True, slots=True)
class Way:
    """How a request for one scope would be decided for the viewer now."""

    scope: str
    outlook: Outlook
    deciders: Sequence[Mention] = ()

    def field(self) -> Field:
        """`read access: Ann, Bob (default)`, the stages where there are several."""
        outlook = self.outlook
        flow = f" ({outlook.flow})" if outlook.flow else ""
        label = f"Decides {self.scope} access for you"
        if outlook.refused:
            return Field(label, text(f"refused: {outlook.refused}{flow}"))
        if outlook.automatic:
            return Field(label, text(f"granted at once{flow}"))
        unknown = outlook.progress.unknown
        unheard = f" · not known now: who is on call for {', '.join(unknown)}" if unknown else ""
        steps = [f"{name} {wants}" for name, _, wants in outlook.progress.stages]
        several = sum(wants for _, _, wants in outlook.progress.stages) > 1
        first = text(*parts.people(self.deciders), flow)
        shown = f" · stages: {' → '.join(steps)}" if several else ""
        more = f"{shown}{unheard}"
        return Field(label, text(*first, more) if more else first)


def who_card(resource: Resource, ways: Sequence[Way], holders: Sequence[tuple[Mention, Grant]]) -> Card:
    """Who can decide for the viewer, and who has access now."""
    items = [
        Item(text(who, f" · {scope_said(grant.scope)} until ", Moment(grant.expires_at, MomentStyle.TIME)))
        for who, grant in holders
    ]
    decide = ways[0].field().value if ways else parts.people(())
    return Card(
        kind="who",
        state=parts.PRIVATE,
        title=text("Who has to do with ", Code(resource.name)),
        fallback=f"{resource.name}: decided by {plain(decide)}; {len(holders)} have access now.",
        lines=(text(resource.description),) if resource.description else (),
        fields=(*(way.field() for way in ways), Field("Have access now", text(str(len(holders))))),
        items=tuple(items[:MOST]),
        private=True,
    )


def why_card(resource: Resource, policy: Policy, grants: Sequence[Grant], ways: Sequence[Way]) -> Card:
    """What the viewer may do there now, and how to get more."""
    lines = [
        text(
            Strong(scope_said(grant.scope)), f" — {allows(policy, grant.scope)}", " · until ", Moment(grant.expires_at)
        )
        for grant in grants
    ]
    if not lines:
        lines = [text("You have no live access there, so everything is refused.")]
    rules = [rule.name for rule in policy.rules if rule.name]
    return Card(
        kind="why",
        state=parts.PRIVATE,
        title=text("What you may do on ", Code(resource.name)),
        fallback=f"What you may do on {resource.name}: {len(grants)} live grants.",
        lines=tuple(lines),
        fields=(
            *(way.field() for way in ways),
            Field("Ask", text(Code(f"/hoop request {resource.name} 30m …"))),
        ),
        notes=(text("The owner's rules come on top: ", ", ".join(rules[:12])),) if rules else (),
        private=True,
    )


def then_card(resource: Resource, at: datetime, ways: Sequence[Way]) -> Card:
    """Who would decide at another time."""
    return Card(
        kind="why",
        state=parts.PRIVATE,
        title=text("Asking for ", Code(resource.name), " at ", Moment(at)),
        fallback=f"What would become of a request for {resource.name} at {at:%Y-%m-%d %H:%M} UTC.",
        lines=(text("By the flows and the people of now; groups and schedules may have changed by then."),),
        fields=tuple(way.field() for way in ways),
        private=True,
    )


def whoami_card(person: Person, platform: str) -> Card:
    """The person behind this chat account."""
    groups = ", ".join(sorted(person.groups)) or "none"
    return Card(
        kind="whoami",
        state=parts.PRIVATE,
        title=text("You are ", Strong(person.name)),
        fallback=f"You are {person.name} ({person.wire_name}).",
        fields=(
            Field("Connects as", text(Code(person.wire_name))),
            Field("Groups", text(groups)),
            Field("Here", text(platform)),
            Field("Identity", text(Code(str(person.id)))),
        ),
        private=True,
    )


def help_card(verb: Verb | None, verbs: Sequence[Verb] = tuple(Verb)) -> Card:
    """The viewer's verbs under what they are for, or one with its example."""
    if verb is not None:
        return _help_of(verb, verbs)
    items = tuple(
        Item(text(Strong(aim.value)), tuple(text(Code(one.value), f" {says}") for one, says in said))
        for aim, said in grouped(verbs)
    )
    return Card(
        kind="help",
        state=parts.PRIVATE,
        title=text("What you can say"),
        fallback="/hoop " + " · ".join(one.value for _, said in grouped(verbs) for one, _ in said),
        items=items,
        notes=(
            text("Most asked: ", Code(f"/hoop {USAGE[Verb.REQUEST].example}")),
            text("More about one, with an example: ", Code("/hoop help request")),
        ),
        private=True,
    )


def _help_of(verb: Verb, verbs: Sequence[Verb]) -> Card:
    usage = USAGE[verb]
    also = [word for word, meant in SYNONYMS.items() if meant is verb and word[0].isalpha()]
    beside = [one.value for one in AIMS[AIM_OF[verb]] if one is not verb and one in verbs]
    fields = [
        Field("For example", text(Code(f"/hoop {usage.example}"))),
        *([Field("Also understood", text(", ".join(also)))] if also else []),
        *([Field("See also", text(", ".join(beside)))] if beside else []),
    ]
    return Card(
        kind="help",
        state=parts.PRIVATE,
        title=text(Code(f"/hoop {usage.form}")),
        fallback=f"/hoop {usage.form}: {usage.says}",
        lines=(text(usage.says),),
        fields=tuple(fields),
        notes=() if verb in verbs else (text("There is nothing you could do with this here right now."),),
        private=True,
    )


def recent_of(requests: Iterable[AccessRequest]) -> list[AccessRequest]:
    """One of each kind of access asked for and over, for 'request again'."""
    seen: dict[tuple[str, str, str], AccessRequest] = {}
    for request in requests:
        over = request.state is not RequestState.PENDING
        agent = request.actor.via.name if request.actor.via else ""
        if over and request.ask is Ask.ACCESS and request.parent is None:
            seen.setdefault((request.resource, scope_name(request.scope), agent), request)
    return list(seen.values())[:3]


def replay_card(session: Session, who: Mention, links: Links) -> Card:
    """The link to a session's recording."""
    return Card(
        kind="replay",
        state=parts.PRIVATE,
        title=text("Session of ", who, " on ", Code(session.resource)),
        fallback=f"Replay of {session.id}: {links.session(session.id)}",
        buttons=(Button("Replay", Do.REPLAY, session.id, url=links.session(session.id)),),
        footer=text(Code(session.id)),
        private=True,
    )
