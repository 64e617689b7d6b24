"""What a submitted form says: its fields are read one by one, and all that is wrong with them is told at once.

Where a field is wrong nothing is done. What the rest of the form says is rehearsed then, so that the desk's objections to
it come in the same answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from access.actors import AGENT_NAME
from access.errors import Conflict, Denied, HoopError, Invalid, together
from access.scopes import table_names
from bot.cards import Card, Form
from bot.durations import parse_span
from bot.grammar_asking import AGENT_RULE, MAX_REASON, SCOPES, unmask_errors
from bot.intents import Span, Start
from bot.kit import Kit
from bot.leaks import ADVICE, looks_secret
from bot.platform import Reply
from bot.starts import parse_start
from bot.views.forms import MAX_COMMAND, USUAL

T = TypeVar("T")
#: What is said where something needed is missing.
_MISSING = {
    "resource": "Choose a resource.",
    "command": "Write the command.",
    "agent": "Give the agent a name.",
    "confirmed": "Type the name of the resource.",
    "duration": "Say how long: 30m, 2h, 1d or until 17:00.",
    "account": "Say what you did, and why.",
    "reason": "Say why.",
}
_NOT_THE_TEXT = frozenset(
    {"not-an-approver", "own-request", "no-approver", "person-inactive", "unknown-person", "frozen"}
)


class Filled:
    """The values of one submitted form. `wrong` collects what is wrong, by field."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.wrong: dict[str, str] = {}

    def line(self, name: str, *, required: bool = False, most: int = MAX_REASON) -> str:
        """A field's text; empty where it is missing, too long, or looks like a secret."""
        value = self._values.get(name, "").strip()
        said = _wrong_line(name, value, required=required, most=most)
        if said:
            self.wrong.setdefault(name, said)
            return ""
        return value

    def command(self) -> str:
        """The command exactly as typed (only the checks of a field, never its stripping)."""
        return self._values["command"] if self.line("command", required=True, most=MAX_COMMAND) else ""

    def scope(self, default: str = "") -> str:
        """The scope, or `default` where none is given."""
        scope = self.line("scope", most=40).lower() or default
        if scope and scope not in SCOPES:
            self.wrong.setdefault("scope", "The scope is read, write, admin or interactive.")
            return default
        return scope

    def span(self, *, required: bool = False) -> Span | None:
        """How long."""
        value = self.line("duration", required=required, most=60)
        return self._read("duration", lambda: parse_span(value.split())) if value else None

    def start(self) -> Start | None:
        """From when."""
        value = self.line("start", most=60)
        return self._read("start", lambda: parse_start(value.split()))

    def agent(self, *, required: bool = False) -> str:
        """The name of an agent."""
        name = self.line("agent", required=required, most=60)
        if name and not AGENT_NAME.match(name):
            self.wrong.setdefault("agent", AGENT_RULE)
            return ""
        return name

    def columns(self) -> str:
        """The columns whose clear values are asked for."""
        columns = self.line("unmask")
        if columns and (wrong := unmask_errors(columns)):
            self.wrong |= {name: said for name, said in wrong.items() if name not in self.wrong}
            return ""
        return columns

    def tables(self) -> str:
        """The tables that access is limited to."""
        tables = self.line("tables")
        if tables:
            try:
                table_names(tables.split(","))
            except ValueError as wrong:
                self.wrong.setdefault("tables", str(wrong))
                return ""
        return tables

    def denial(self) -> str:
        """Why somebody denies: a usual reason, their own words, or both."""
        own, chosen = self.line("reason"), self.line("usual", most=40)
        usual = next((option.label for option in USUAL if option.value == chosen), "")
        if not own and not usual:
            self.wrong.setdefault("reason", "Say why, or choose a reason: the requester will read it.")
        return f"{usual}: {own}" if own and usual else own or usual

    def _read(self, name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except Invalid as invalid:
            self.wrong.setdefault(name, str(invalid))
            return None

    async def act(self, kit: Kit, reply: Reply, act: Callable[[Kit, Reply], Awaitable[None]]) -> None:
        """Do it when all fields are right. Raises Invalid with all that is wrong, what the desk says of the rest included."""
        if not self.wrong:
            await act(kit, reply)
            return
        rehearsed: Invalid | None = None
        try:
            await act(kit.rehearsing(), Unheard())
        except Conflict:
            pass  # of a state that the wrong fields may have made
        except Invalid as error:
            rehearsed = error
        except HoopError:
            pass  # who may not do it hears so when the fields are right
        wrong = together(*(Invalid(said, field=name) for name, said in self.wrong.items()), rehearsed)
        assert wrong is not None
        raise wrong


def _wrong_line(name: str, value: str, *, required: bool, most: int) -> str:
    if required and not value:
        return _MISSING.get(name, "Fill this in.")
    if len(value) > most:
        return f"At most {most:,} characters; this has {len(value):,}."
    kind = looks_secret(value)
    return f"That looks like {kind}, so it was not used. {ADVICE}" if kind is not None else ""


class Unheard:
    """Implements `bot.platform.Reply` for a rehearsal: nobody is answered."""

    async def card(self, card: Card) -> None:
        """Not shown."""

    async def form(self, form: Form) -> None:
        """Not opened."""


def at_the_text(denied: Denied) -> HoopError:
    """What policy says about a command is shown at its field; who may ask is no mistake of the text."""
    if denied.rule in _NOT_THE_TEXT:
        return denied
    return Invalid(denied.message, field="command", hint=denied.hint)
