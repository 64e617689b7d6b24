"""What a chat platform must be able to do, and where each resource talks.

Two directions, two Protocols. `Platform` is outbound: the announcer posts and updates cards through it, at its own pace.
`Reply` is the answer to one thing a person just did (typed, pressed, submitted); the platform makes one per action.

Inbound is the platform's own business: it resolves the chat account to a `PersonId` (refusing strangers), builds a
`Caller`, and calls the `Conversation` (implemented by `handlers.Handlers`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from access.actors import PersonId
from access.ports import MessageRef, Tx
from access.requests import Place
from access.resources import Resource
from bot.cards import Card, Form
from bot.completion import Suggestion
from bot.intents import Parsed

DEFAULT_CHANNEL = "#access"


class Undeliverable(Exception):
    """This can never be delivered there: the channel is archived, the bot was removed. Anything else is retried."""


class MessageGone(Exception):
    """The message to be updated was deleted; a new one may be posted."""


class RetryLater(Exception):
    """The platform asks to wait `seconds` (a rate limit)."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"retry after {seconds:g} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message went: the platform's own channel and message ids, as `MessageRef` keeps them."""

    channel: str
    message: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who did something, resolved by the platform's adapter to a person, and where; `zone` is the time zone of their account
    or browser, as far as the platform tells."""

    person: PersonId
    platform: str
    place: Place
    zone: str = ""


class Platform(Protocol):
    """One chat platform, outbound. Raises Undeliverable, MessageGone, RetryLater, or anything else (retried with backoff).

    `key` names the message for good: posting the same key again (a retry after a crash) must return the first message
    instead of a second one wherever the platform can know.
    """

    @property
    def name(self) -> str:
        """`console`, `slack`, `teams`."""

    async def post(self, channel: str, thread: str, card: Card, *, key: str) -> Posted:
        """Post in a channel; with `thread` (a message id) as a reply to it."""

    async def update(self, ref: MessageRef, card: Card) -> None:
        """Replace a posted card in place."""

    async def direct(self, person: PersonId, card: Card, *, key: str) -> Posted | None:
        """A private message; None when the person has no account here."""

    async def reached(self, channel: str, people: frozenset[PersonId]) -> Mapping[PersonId, bool]:
        """Of these, who have an account here, and whether a message that calls them in this channel (the platform's own id;
        empty: none) reaches them. What the platform does not tell is False."""


@runtime_checkable
class Indoor(Protocol):
    """A platform whose messages are in the store: what `Platform` does, in a transaction of the caller's.

    Raises what `Platform` raises; then nothing of the transaction may be kept.
    """

    def post_in(self, tx: Tx, channel: str, thread: str, card: Card, *, key: str) -> Posted:
        """As `Platform.post`."""

    def update_in(self, tx: Tx, ref: MessageRef, card: Card) -> None:
        """As `Platform.update`."""

    def direct_in(self, tx: Tx, person: PersonId, card: Card, *, key: str) -> Posted | None:
        """As `Platform.direct`."""


class Reply(Protocol):
    """How one action is answered, visible only to the person who acted, in the place where they acted."""

    async def card(self, card: Card) -> None:
        """Show a private card (ephemeral message, modal or panel). The first may replace the private view that was acted
        on; a second one is a message of its own."""

    async def form(self, form: Form) -> None:
        """Open a form. Called before any slow look-up: chat platforms allow it only within seconds."""


class Conversation(Protocol):
    """What a platform's adapter calls. None of these raises: what goes wrong is told to the person through `reply`."""

    async def say(self, text: str, who: Caller, reply: Reply) -> None:
        """Somebody typed a command (without `/hoop` or the mention)."""

    async def handle(self, parsed: Parsed, who: Caller, reply: Reply) -> None:
        """As `say`, already parsed."""

    async def press(self, token: str, who: Caller, reply: Reply) -> None:
        """Somebody pressed a button with this token."""

    async def submit(self, name: str, token: str, values: Mapping[str, str], who: Caller, reply: Reply) -> Form | None:
        """Somebody submitted a form: the form again with its errors, or None when it was taken (and answered)."""

    async def complete(self, text: str, who: Caller) -> list[Suggestion]:
        """What could follow in the composer."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where each resource talks. Every platform gets a copy of the card; a person's decision counts from any.

    `channels` maps (platform, channel as configured) to the platform's own channel id where they differ.
    """

    platforms: Sequence[str]
    default: str = DEFAULT_CHANNEL
    channels: Mapping[tuple[str, str], str] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, resource: Resource | None) -> list[Place]:
        """One place per platform, in the configured order."""
        channel = (resource.channel if resource else "") or self.default
        return [Place(platform, self.channels.get((platform, channel), channel)) for platform in self.platforms]

    def fallback(self, platform: str) -> str:
        """The channel for what could not be delivered elsewhere."""
        return self.channels.get((platform, self.default), self.default)
