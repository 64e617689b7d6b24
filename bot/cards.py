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
from enum import StrEnum
from types import MappingProxyType

from access.masking import ForApprover, Masked
from bot.fields import FieldKind, Form, FormField, Option
from bot.inline import Code, Link, Mention, Moment, MomentStyle, Span, Strong, Text, in_zone, plain, text
from bot.visible import visible

# defined in `bot.inline` and `bot.fields`, and part of this vocabulary like the classes below
__all__ = [
    "Block",
    "Button",
    "Card",
    "Code",
    "CodeBlock",
    "Do",
    "ExactBlock",
    "Field",
    "FieldKind",
    "Form",
    "FormField",
    "Item",
    "Link",
    "Mention",
    "Moment",
    "MomentStyle",
    "Option",
    "SecretBlock",
    "Snippet",
    "Span",
    "State",
    "Strong",
    "Style",
    "Table",
    "Text",
    "Tone",
    "in_zone",
    "plain",
    "text",
    "with_tokens",
]

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
