"""Lines of text as values: words, moments, people, short pieces of code. Pure; platforms turn them into their own format."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from access.actors import PersonId
from bot.visible import visible_line
from bot.zones import MOMENT


class MomentStyle(StrEnum):
    """How a platform formats a moment, always in the viewer's own time zone."""

    TIME = "time"
    DATE_TIME = "date_time"
    COUNTDOWN = "countdown"


@dataclass(frozen=True, slots=True)
class Moment:
    """An aware UTC instant that the platform shows in the viewer's time zone. COUNTDOWN: time left until it."""

    at: datetime
    style: MomentStyle = MomentStyle.DATE_TIME

    def plain(self) -> str:
        """For fallbacks and plain logs."""
        return self.at.strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True, slots=True)
class Mention:
    """A person by id, with the directory's name. `ping` False: the platform shows the name without notifying."""

    person: PersonId
    name: str
    ping: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A short piece in fixed width: an id, a resource, a command to type. Our own or the person's words, never target data."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Emphasised words."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link of ours."""

    label: str
    url: str


Span = str | Moment | Mention | Code | Strong | Link
Text = tuple[Span, ...]


def text(*spans: Span) -> Text:
    """One line of text; every string in it is made visible (no line breaks, hidden or bidirectional characters)."""
    return tuple(_clean(span) for span in spans if span != "")


def _clean(span: Span) -> Span:
    match span:
        case str():
            return visible_line(span)
        case Mention():
            return replace(span, name=visible_line(span.name))
        case Code():
            return Code(visible_line(span.text))
        case Strong():
            return Strong(visible_line(span.text))
        case Link():
            return replace(span, label=visible_line(span.label))
        case Moment():
            return span


def in_zone(words: str) -> Text:
    """A sentence whose moments (`2026-03-02 10:02 UTC`, as other rooms write them) are shown in the viewer's zone."""
    spans: list[Span] = []
    for number, piece in enumerate(MOMENT.split(words)):
        spans.append(_moment(piece) if number % 2 else piece)
    return text(*spans)


def _moment(words: str) -> Span:
    try:
        return Moment(datetime.strptime(words, "%Y-%m-%d %H:%M").replace(tzinfo=UTC))
    except ValueError:
        return f"{words} UTC"


def plain(line: Text) -> str:
    """A line as plain text, for fallbacks, logs and terminals."""
    return "".join(_plain(span) for span in line)


def _plain(span: Span) -> str:
    match span:
        case str():
            return span
        case Moment():
            return span.plain()
        case Mention():
            return span.name
        case Code() | Strong():
            return span.text
        case Link():
            return f"{span.label} <{span.url}>"
