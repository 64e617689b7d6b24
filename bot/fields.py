"""Forms as values: fields, what they hold and what is wrong with them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.inline import Text
from bot.zones import said_in


class FieldKind(StrEnum):
    """What input a form field takes. DURATION is text like `30m`, with `options` as one-tap suggestions."""

    TEXT = "text"
    LINES = "lines"
    CHOICE = "choice"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class Option:
    """One choice."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class FormField:
    """One input. `value` is prefilled; `error` says what is wrong with it and what would be right."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    value: str = ""
    required: bool = True
    options: tuple[Option, ...] = ()
    placeholder: str = ""
    hint: str = ""
    error: str = ""
    max_length: int = 500


@dataclass(frozen=True, slots=True)
class Form:
    """A form. The platform sends `name`, `token` and the values back to `Handlers.submit`."""

    name: str
    title: str
    fields: tuple[FormField, ...]
    submit: str
    token: str = ""
    intro: Text = ()
    error: str = ""

    def with_errors(self, errors: Mapping[str, str], values: Mapping[str, str]) -> Form:
        """The form again, with what was typed and what is wrong per field; errors of no field go to the top."""
        fields = tuple(replace(f, value=values.get(f.name, f.value), error=errors.get(f.name, "")) for f in self.fields)
        names = {f.name for f in self.fields}
        rest = " ".join(message for name, message in errors.items() if name not in names)
        return replace(self, fields=fields, error=rest)

    def in_zone(self, zone: str) -> Form:
        """The form, with the moments of its errors on the clock of who fills it in: a platform shows these as they are."""
        fields = tuple(replace(f, error=said_in(f.error, zone)) for f in self.fields)
        return replace(self, fields=fields, error=said_in(self.error, zone))
