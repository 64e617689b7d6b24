"""The card of a person's settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from access.actors import Person
from bot.cards import Button, Card, Code, Do, Field, Item, Strong, text
from bot.views import parts

ON = "on"
_SAYS = {
    "waiting": "Private message when something waits for my decision",
    "expiring": "Warning some minutes before my access ends",
}


def settings_card(person: Person, values: Mapping[str, bool], quiet: str = "", digest: str = "") -> Card:
    """What the person is written to about, each with its switch, and the zone their `until 17:00` is read in."""
    return Card(
        kind="settings",
        state=parts.PRIVATE,
        title=text("My settings"),
        fallback="Settings: " + ", ".join(f"{name} {_word(on=on)}" for name, on in values.items()),
        fields=(
            Field("Time zone", text(person.time_zone, ", in which times are shown and read")),
            Field("Quiet hours", text(quiet or "none", " · set them: ", Code("/hoop settings quiet 22:00-07:00"))),
            Field("One message a day", text(digest or "none", " · set it: ", Code("/hoop settings digest 09:00"))),
        ),
        items=tuple(
            Item(text(_SAYS[name], ": ", Strong(_word(on=on))), (), (_switch(name, on=on),))
            for name, on in values.items()
        ),
        private=True,
    )


def _word(*, on: bool) -> str:
    return "on" if on else "off"


def _switch(name: str, *, on: bool) -> Button:
    return Button("Turn off" if on else "Turn on", Do.SETTING, name, arguments={ON: "no" if on else "yes"})
