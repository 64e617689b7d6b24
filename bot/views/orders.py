"""Freezes and allowances: a card each, which changes while people say yes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from access.delegations import Delegation
from access.orders import Freeze
from bot.cards import (
    Card,
    Code,
    Do,
    Field,
    Item,
    Mention,
    Moment,
    MomentStyle,
    State,
    Strong,
    Style,
    Text,
    Tone,
    plain,
    text,
)
from bot.durations import format_duration
from bot.views import parts

THAWED = State("Freeze lifted", "💧", Tone.GOOD)
PROPOSED = State("Proposed, needs another yes", "⏳", Tone.WAITING)
IN_FORCE = State("Allowed ahead", "✅", Tone.GOOD)
OVER = State("Taken back", "⏹", Tone.QUIET)
CONFIRMERS = "Another owner, approver or member of security"


@dataclass(frozen=True, slots=True)
class Confirming:
    """What became of the second person's word on a freeze: wanted until when, who was called for it in private (others may
    give it as well), who gave it, or that it is late."""

    called: tuple[Mention, ...] = ()
    until: datetime | None = None
    by: Mention | None = None
    late: bool = False


def freeze_card(
    resource: str,
    by: Mention,
    why: str,
    lifting: Sequence[Mention],
    *,
    lifted: bool,
    confirming: Confirming | None = None,
) -> Card:
    """Who stopped what and why, and who stands behind it; with Lift, which two people press."""
    state = THAWED if lifted else parts.FROZEN
    title = text(by, " froze ", Code(resource), f": {why}")
    now = confirming or Confirming()
    lines = [text("Lifted by ", *parts.people(lifting))] if lifted else _confirming(now)
    if lifting and not lifted:
        lines.append(text(*parts.people(lifting), " wants to lift it; another person has to agree."))
    note = text("No statement runs, nothing is granted, break-glass included, until two people lift it.")
    yes = (parts.button("Confirm", Do.CONFIRM_FREEZE, resource, Style.PRIMARY),)
    button = () if lifted else (*(yes if now.until and not now.by else ()), parts.button("Lift", Do.LIFT, resource))
    return Card(
        kind="freeze",
        state=state,
        title=title,
        fallback=f"{state.word}: {plain(title)}",
        lines=tuple(lines),
        notes=() if lifted else (note,),
        buttons=button,
    )


def _confirming(now: Confirming) -> list[Text]:
    if now.by is not None:
        return [text("Confirmed by ", now.by)]
    if now.until is None:
        return []
    if now.late:
        return [text("Nobody confirmed it in time; it stays. Called now: ", *parts.people(now.called))]
    called = [text("Called now: ", *parts.people(now.called))] if now.called else []
    return [_wanted(now.until), *called]


def _wanted(until: datetime) -> Text:
    return text(f"{CONFIRMERS} confirms it by ", Moment(until, MomentStyle.TIME))


def freeze_item(freeze: Freeze, by: Mention) -> Item:
    """A freeze among what waits for the viewer, who can confirm it."""
    lines = [text(freeze.why)]
    if freeze.confirm_by is not None:
        late = text("Nobody confirmed it in time; it stays until two people lift it.")
        lines.append(late if freeze.reported else _wanted(freeze.confirm_by))
    yes = parts.button("Confirm", Do.CONFIRM_FREEZE, freeze.resource, Style.PRIMARY)
    return Item(text(by, " froze ", Code(freeze.resource)), tuple(lines), (yes,))


def allowance_card(id: str, who: Mention, said: Mapping[str, Any], by: Sequence[Mention], *, ended: bool) -> Card:
    """What is allowed to whom ahead, and who said yes."""
    given = bool(said["given"])
    state = OVER if ended else IN_FORCE if given else PROPOSED
    longest = format_duration(timedelta(seconds=float(said["longest_s"])))
    what = (
        f"the same command ({said['digest'][:8]})" if said["digest"] else f"{said['scope']} access, {longest} at a time"
    )
    title = text(who, " may have ", Strong(what), " on ", Code(str(said["resource"])))
    buttons = () if given or ended else (parts.button("Say yes", Do.CONFIRM, id, Style.PRIMARY),)
    if given and not ended:
        buttons = (parts.button("Take back", Do.DISALLOW, id, Style.DANGER),)
    return Card(
        kind="allowance",
        state=state,
        title=title,
        fallback=f"{state.word}: {plain(title)} ({id})",
        fields=(
            Field("Until", text(Moment(datetime.fromisoformat(str(said["until"]))))),
            Field("Said yes", parts.people(by)),
            Field("Why", text(str(said["why"]))),
        ),
        buttons=buttons,
        footer=text(Code(id)),
    )


STANDS_IN = State("Decides in somebody's place", "🤝", Tone.GOOD)
STOOD_IN = State("Delegation over", "⏹", Tone.QUIET)


def delegation_card(now: Delegation, by: Mention, to: Mention, ended: str) -> Card:
    """Who decides in whose place, on what and until when; `ended` why not any more."""
    state = STOOD_IN if ended else STANDS_IN
    title = text(to, " decides for ", by, " on ", Code(now.resources))
    note = text("The two are one voice: whoever votes first has voted for both. It is not handed on.")
    return Card(
        kind="delegation",
        state=state,
        title=title,
        fallback=f"{state.word}: {plain(title)} ({now.id})",
        lines=(text(ended),) if ended else (),
        fields=(
            Field("From", text(Moment(now.start))),
            Field("Until", text(Moment(now.until))),
            *((Field("Why", text(now.why)),) if now.why else ()),
        ),
        notes=() if ended else (note,),
        buttons=() if ended else (parts.button("End it", Do.UNDELEGATE, now.id, Style.DANGER),),
        footer=text(Code(now.id)),
        private=True,
    )


def delegations_card(found: Sequence[tuple[Delegation, Mention, Mention]]) -> Card:
    """Those one has to do with."""
    items = tuple(
        Item(
            text(to, " for ", by, " on ", Code(one.resources)),
            (text("from ", Moment(one.start), " to ", Moment(one.until), " · ", Code(one.id)),),
            (parts.button("End it", Do.UNDELEGATE, one.id, Style.DANGER),),
        )
        for one, by, to in found[:_MOST]
    )
    empty = text("Nobody decides in your place, and you in nobody's: /hoop delegate @PERSON 5d")
    return Card(
        kind="delegations",
        state=parts.PRIVATE,
        title=text("Delegations"),
        fallback=f"Delegations: {len(items)}",
        lines=() if items else (empty,),
        items=items,
        private=True,
    )


_MOST = 15
