"""Freezes and allowances: a card each, which changes while people say yes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.cards import Card, Code, Do, Field, Mention, Moment, State, Strong, Style, Tone, plain, text
from bot.durations import format_duration
from bot.views import parts

FROZEN = State("Frozen, nothing runs", "🧊", Tone.BAD)
THAWED = State("Freeze lifted", "💧", Tone.GOOD)
PROPOSED = State("Proposed, needs another yes", "⏳", Tone.WAITING)
IN_FORCE = State("Allowed ahead", "✅", Tone.GOOD)
OVER = State("Taken back", "⏹", Tone.QUIET)


def freeze_card(resource: str, by: Mention, why: str, lifting: Sequence[Mention], *, lifted: bool) -> Card:
    """Who stopped what and why; with Lift, which two people press."""
    state = THAWED if lifted else FROZEN
    title = text(by, " froze ", Code(resource), f": {why}")
    lines = (text("Lifted by ", *parts.people(lifting)),) if lifted else ()
    if lifting and not lifted:
        lines = (text(*parts.people(lifting), " wants to lift it; another person has to agree."),)
    note = text("No statement runs, nothing is granted, break-glass included, until two people lift it.")
    button = () if lifted else (parts.button("Lift", Do.LIFT, resource),)
    return Card(
        kind="freeze",
        state=state,
        title=title,
        fallback=f"{state.word}: {plain(title)}",
        lines=lines,
        notes=() if lifted else (note,),
        buttons=button,
    )


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
