"""Cards and forms: platform-neutral chat messages as values. Pure.

A card says what it shows, in order: state word and icon, title, lines, fields, blocks, items, notes, buttons, footer.
Platforms turn it into their own format and escape every string in it; nothing here is markup.

Three kinds of text are told apart by type:

- `Text`, made by `text(…)`: our own words and what people typed. Hidden and bidirectional characters are already visible.
- `CodeBlock`, `Table`: text from a protected target; they take only `Masked`.
- `ExactBlock`, `SecretBlock`: exact statement text (`ForApprover`) and credentials. A card that has one is private, or
  cannot be built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

from access.actors import PersonId
from access.masking import ForApprover, Masked
from bot.visible import visible, visible_line
from bot.zones import MOMENT, said_in

# ------------------------------------------------------------------------------------------------ inline text


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


# ------------------------------------------------------------------------------------------------ blocks


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Text from a protected target (a statement, a message), masked."""

    text: Masked
    label: str = ""


@dataclass(frozen=True, slots=True)
class ExactBlock:
    """The exact statement for somebody who decides. Only on private cards; platforms never store or log it."""

    text: ForApprover
    label: str = ""

    def shown(self) -> str:
        """The exact text with hidden characters made visible. Call it only while drawing the private view."""
        return visible(self.text.reveal())


@dataclass(frozen=True, slots=True)
class Snippet:
    """Our own text to copy: a connection URL without password, a command line."""

    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class SecretBlock:
    """A credential or login link at its only moment in clear. Only on private cards; platforms never log it."""

    text: str = field(repr=False)
    label: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A masked extract. None is SQL NULL; `note` says what was cut."""

    columns: tuple[Masked, ...]
    rows: tuple[tuple[Masked | None, ...], ...]
    note: str = ""


Block = CodeBlock | ExactBlock | Snippet | SecretBlock | Table

# ------------------------------------------------------------------------------------------------ buttons


class Do(StrEnum):
    """What a button does. The platform never reads it to act: it sends the opaque token back to `Handlers.press`."""

    APPROVE = "approve"
    NARROW = "narrow"
    DENY = "deny"
    REVIEW = "review"
    SHOW = "show"
    SETTING = "setting"
    CANCEL = "cancel"
    EXTEND = "extend"
    DONE = "done"
    REVOKE = "revoke"
    KILL = "kill"
    REPLAY = "replay"
    AGAIN = "request_again"
    TOKEN = "token"  # noqa: S105 - an action
    RUN = "run"
    STAR = "star"
    WATCH = "watch"
    START = "start_run"
    RERUN = "rerun"
    CHANGE = "rerun_changed"
    APPLY = "apply"
    ROLLBACK = "rollback"
    STOP = "stop_run"
    ACKNOWLEDGE = "acknowledge"
    ATTEST = "attest"
    JUSTIFIED = "justified"
    UNJUSTIFIED = "unjustified"
    FOLLOW_UP = "follow_up"
    LIFT = "lift"
    CONFIRM_FREEZE = "confirm_freeze"
    BEGIN = "begin"
    CALL_OFF = "call_off"
    UNDELEGATE = "undelegate"
    CONFIRM = "confirm"
    DISALLOW = "disallow"
    PROPOSE = "propose"
    ACCEPT = "accept"
    DECLINE = "decline"
    ESTIMATE = "estimate"
    COMPARE = "compare"
    CHOOSE = "choose_number"


class Style(StrEnum):
    """How loud a button is."""

    PRIMARY = "primary"
    DANGER = "danger"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Button:
    """One button. `token` is the opaque value the platform sends back; with `url` it is a plain link and has no token.

    `subject` is what the action is about (a request, grant or session id) and `confirm` a question the platform asks first.
    """

    label: str
    do: Do
    subject: str
    style: Style = Style.PLAIN
    arguments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    token: str = ""
    confirm: str = ""
    url: str = ""


# ------------------------------------------------------------------------------------------------ card


class Tone(StrEnum):
    """The colour family of a state; never the only carrier of meaning (word and icon say the same)."""

    WAITING = "waiting"
    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class State:
    """The state word with its icon."""

    word: str
    icon: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Field:
    """A labelled value."""

    label: str
    value: Text


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list card, with its own buttons."""

    title: Text
    lines: tuple[Text, ...] = ()
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A chat message. `fallback` is what a notification or a screen reader gets, never empty.

    Raises ValueError when exact text or a secret is put on a card that is not private.
    """

    kind: str
    state: State
    title: Text
    fallback: str
    lines: tuple[Text, ...] = ()
    fields: tuple[Field, ...] = ()
    blocks: tuple[Block, ...] = ()
    items: tuple[Item, ...] = ()
    notes: tuple[Text, ...] = ()
    buttons: tuple[Button, ...] = ()
    footer: Text = ()
    private: bool = False

    def __post_init__(self) -> None:
        if not self.fallback.strip():
            raise ValueError(f"the {self.kind} card needs a fallback text")
        if not self.private and any(isinstance(block, ExactBlock | SecretBlock) for block in self.blocks):
            raise ValueError(f"the {self.kind} card holds exact text or a secret and is not private")

    @property
    def holds_secret(self) -> bool:
        """True when it shows a credential: platforms keep such a message as short as they can and never store it in clear."""
        return any(isinstance(block, SecretBlock) for block in self.blocks)

    def all_buttons(self) -> tuple[Button, ...]:
        """Its own buttons and those of its items."""
        return (*self.buttons, *(button for item in self.items for button in item.buttons))


def with_tokens(card: Card, mint: Callable[[Button], str]) -> Card:
    """The card with a token in every button that is not a link. `mint` makes (or finds) the token of a button."""

    def fill(button: Button) -> Button:
        return button if button.url or button.token else replace(button, token=mint(button))

    items = tuple(replace(item, buttons=tuple(fill(b) for b in item.buttons)) for item in card.items)
    return replace(card, buttons=tuple(fill(b) for b in card.buttons), items=items)


# ------------------------------------------------------------------------------------------------ forms


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
