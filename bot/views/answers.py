"""Private one-line answers: what went wrong, what was done. Pure."""

from __future__ import annotations

from access.errors import Conflict, Denied, HoopError, Invalid, Unavailable
from bot.cards import Card, Code, State, Tone, in_zone, text
from bot.intents import Mistake
from bot.views import parts

TRY = State("Not understood", "❔", Tone.WARNING)
SECRET = State("Looks like a secret", "🔑", Tone.BAD)
LATER = State("Not available", "⚠", Tone.WARNING)
MOVED_ON = State("Nothing changed", "ℹ", Tone.QUIET)
WENT_WRONG = State("Something went wrong", "⚠", Tone.BAD)


def mistake_card(mistake: Mistake) -> Card:
    """What was not understood, with one example."""
    example = (text("For example ", Code(f"/hoop {mistake.example}")),) if mistake.example else ()
    state = SECRET if mistake.secret else TRY
    return Card("mistake", state, text(mistake.message), text_of(mistake.message), lines=example, private=True)


def error_card(error: HoopError) -> Card:
    """A refusal, a conflict or an outage, in the error's own words."""
    state = parts.REFUSED if isinstance(error, Denied) else TRY
    state = MOVED_ON if isinstance(error, Conflict) else LATER if isinstance(error, Unavailable) else state
    others = error.others.values() if isinstance(error, Invalid) else ()
    lines = tuple(in_zone(said) for said in (error.hint, *others) if said)
    return Card("error", state, in_zone(error.message), text_of(str(error)), lines=lines, private=True)


_OUR_FAULT = "That did not work, and it is our fault."


def failure_card(number: str) -> Card:
    """An error nobody foresaw; the number finds it in the log."""
    title = text(f"{_OUR_FAULT} Nothing was decided by it.")
    note = text("Tell the gateway's operator this number: ", Code(number))
    return Card("failure", WENT_WRONG, title, f"Something went wrong. Error {number}.", lines=(note,), private=True)


def failure_words(number: str) -> str:
    """The same at the top of a form that comes back."""
    return f"{_OUR_FAULT} Try again, or tell the gateway's operator this number: {number}"


def done_card(message: str, *, good: bool = True, hint: str = "") -> Card:
    """It was done."""
    state = parts.SUCCEEDED if good else parts.NOTE
    lines = (in_zone(hint),) if hint else ()
    return Card("done", state, in_zone(message), text_of(message), lines=lines, private=True)


def text_of(message: str) -> str:
    """A fallback is never empty."""
    return message.strip() or "…"
