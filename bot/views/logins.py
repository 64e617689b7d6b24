"""SSH logins that are confirmed by choosing the number that a terminal shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.cards import Card, Code, Do, State, Style, Tone, plain, text
from bot.views import parts

IS_IT_YOU = State("Is this you?", "🔑", Tone.WAITING)
LET_IN = State("Let in", "✅", Tone.GOOD)
NOT_LET_IN = State("Not let in", "⛔", Tone.BAD)


def asked_card(attempt: str, resource: str, client: str, shown: Sequence[str]) -> Card:
    """Where it comes from, and the numbers; only who sees the terminal knows which."""
    title = text("An SSH login as you: ", Code(resource), " from ", Code(client))
    numbers = (
        parts.button(f"{number[:3]} {number[3:]}", Do.CHOOSE, f"{attempt} {number}", Style.PLAIN) for number in shown
    )
    return Card(
        kind="login",
        state=IS_IT_YOU,
        title=title,
        fallback=f"{plain(title)}. Is this you?",
        lines=(
            text("Choose the number that your terminal shows. It is good for two minutes, and you have one choice."),
        ),
        notes=(
            text(
                "You are not logging in? Then somebody else is: say so. Never choose a number that somebody tells you."
            ),
        ),
        buttons=(*numbers, parts.button("This is not me", Do.CHOOSE, f"{attempt} ", Style.DANGER)),
        private=True,
    )


def answered_card(resource: str, client: str, why: str) -> Card:
    """What became of it: `why` it was not let in, empty when it was."""
    state = NOT_LET_IN if why else LET_IN
    title = text("An SSH login as you: ", Code(resource), " from ", Code(client))
    hint = "Was that not you? /hoop sessions lists it, with Kill."
    return Card(
        kind="login",
        state=state,
        title=title,
        fallback=f"{state.word}: {plain(title)}",
        lines=(text(why[0].upper() + why[1:] + "." if why else hint),),
        private=True,
    )
