"""What a person does: types, presses, submits, puts away. POST with JSON in, JSON out; errors are words for a toast.

Every action checks the page it came from (Origin, token), resolves the person anew, and hands over to the conversation,
which judges. The answers go to this person alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from access.ports import Tx
from access.requests import Place
from bot.card_json import form_to_json
from bot.cards import Card, Form, plain
from bot.console import guard, messages
from bot.console.context import Context
from bot.console.guard import Refused, read_json, security_headers, text_of
from bot.console.identity import Me
from bot.console.messages import Message, private_channel
from bot.console.platform import NAME
from bot.console.render_form import form as form_html
from bot.console.replies import Collected
from bot.leaks import ADVICE, looks_secret
from bot.platform import Caller

FIELDS = 40
TEXT_LIMIT = 40_000
_ADDRESSED = ("@hoop",)


@dataclass(frozen=True, slots=True)
class _Action:
    """One action: who, where, and what was sent."""

    me: Me
    channel: str
    thread: str
    data: Mapping[str, Any]
    reply: Collected

    @property
    def caller(self) -> Caller:
        return Caller(self.me.person.id, NAME, Place(NAME, self.channel, self.thread), self.me.zone)


class Actions:
    """Answers POST requests of people who are logged in."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._conversation = context.ports.conversation

    async def say(self, request: web.Request, me: Me) -> web.Response:
        """Something was typed: a command, or a message to the people of the channel."""
        action = await self._action(request, me)
        text = text_of(action.data, "text", TEXT_LIMIT)
        if not text.strip():
            raise Refused(400, "Nothing to send")
        command = command_of(text, alone=not action.channel or action.channel.startswith("@"))
        if command is None:
            await self._post(action, text.strip())
            return _json({"said": True, "answers": [], "form": None})
        await self._conversation.say(command, action.caller, action.reply)
        return self._answer(action, said="" if looks_secret(text) else text.strip())

    async def press(self, request: web.Request, me: Me) -> web.Response:
        """A button was pressed. Whether its token still means anything is the conversation's to say."""
        action = await self._action(request, me)
        await self._conversation.press(text_of(action.data, "token", 200), action.caller, action.reply)
        return self._answer(action)

    async def submit(self, request: web.Request, me: Me) -> web.Response:
        """A form was sent: back it comes with errors, or it was taken."""
        action = await self._action(request, me)
        name, token = text_of(action.data, "name", 100), text_of(action.data, "token", 200)
        again = await self._conversation.submit(name, token, _values(action.data), action.caller, action.reply)
        return self._answer(action, form=again)

    async def dismiss(self, request: web.Request, me: Me) -> web.Response:
        """Put a private answer away, or hide the secret of a private message now."""
        action = await self._action(request, me)
        message = text_of(action.data, "id", 100)
        if not self._context.answers.dismiss(me.person.id, message):
            await self._context.ports.store.transact(lambda tx: _hide(tx, me, message))
        return _json({})

    async def complete(self, request: web.Request, me: Me) -> web.Response:
        """What could be typed next."""
        self._context.actions.check(f"complete {me.person.id}")
        text = request.query.get("text", "")[:2000]
        asked = _as_command(text)
        found = await self._conversation.complete(asked, Caller(me.person.id, NAME, Place(NAME))) if asked else []
        return _json({"suggestions": [{"text": s.text, "label": s.label, "hint": s.hint} for s in found]})

    # -------------------------------------------------------------------------------------------- pieces

    async def _action(self, request: web.Request, me: Me) -> _Action:
        guard.check_same_origin(request, self._context.origins)
        guard.check_csrf(request.headers.get("X-CSRF-Token", ""), me.session, me.person.id)
        self._context.actions.check(me.person.id)
        data = await read_json(request)
        channel, thread = text_of(data, "channel", 300), text_of(data, "thread", 100)
        await self._check_place(me, channel, thread)
        return _Action(me, channel, thread, data, Collected())

    async def _check_place(self, me: Me, channel: str, thread: str) -> None:
        own = {"", private_channel(me.person.id), *(c.id for c in self._context.lists.channels)}
        first = await self._context.ports.store.read(lambda tx: messages.get(tx, thread)) if thread else None
        if channel not in own or (thread and (first is None or first.channel != channel or first.thread)):
            raise Refused(404, "No such place", "The channel or thread is gone. Reload the page.")

    async def _post(self, action: _Action, text: str) -> None:
        """Say something to people. Raises Refused for what looks like a secret or is too long."""
        kind = looks_secret(text)
        if kind is not None:
            raise Refused(422, f"That looks like {kind}", f"It was not posted. {ADVICE}")
        if len(text) > messages.LONGEST_TEXT:
            raise Refused(413, "Too long", f"A message has at most {messages.LONGEST_TEXT:,} characters.")
        name = "p" + self._context.ports.entropy.token(12).hex()
        now, author = self._context.ports.clock.now(), action.me.person.id

        def work(tx: Tx) -> Message:
            return messages.add(tx, Message(name, action.channel, now, action.thread, author, text))

        await self._context.ports.store.transact(work)

    def _answer(self, action: _Action, *, said: str = "", form: Form | None = None) -> web.Response:
        viewer = self._context.identity.viewer(action.me)
        form = form or (action.reply.forms[-1] if action.reply.forms else None)
        instead_of = text_of(action.data, "answer", 100)
        answers = []
        for number, card in enumerate(action.reply.cards):
            place = (action.channel, action.thread) if action.channel else ("", "")
            replaced = instead_of if number == 0 else ""
            answer = self._context.answers.add(action.me.person.id, *place, card, said=said, instead_of=replaced)
            html = self._context.draw.html(self._context.draw.answer(answer, viewer))
            answers.append(
                {"id": answer.id, "html": html, "plain": card.fallback, "short": _short(card), **_line(card)}
            )
        drawn = str(form_html(form_to_json(form), viewer)) if form else None
        return _json({"said": True, "answers": answers, "form": drawn})


def _hide(tx: Tx, me: Me, id: str) -> None:
    message = messages.get(tx, id)
    if message is not None and message.channel == private_channel(me.person.id):
        messages.hide_secret(tx, id)


def command_of(text: str, *, alone: bool) -> str | None:
    """The command somebody typed, or None for a message to people. `alone`: hoop is the only one who listens here."""
    stripped = text.strip()
    first = stripped.partition(" ")[0].lower()
    if stripped.startswith("/"):
        return stripped if first == "/hoop" else stripped[1:].lstrip()
    return stripped if alone or first in _ADDRESSED else None


def _as_command(text: str) -> str:
    """What to complete: `/`, `/req` and `/hoop req` all mean a command; anything else is left alone when it has no slash."""
    lead = text.lstrip()
    if lead.startswith("/") and not lead.lower().startswith("/hoop"):
        return "/hoop " if "/hoop".startswith(lead.lower()) else f"/hoop {lead[1:]}"
    return text


def _values(data: Mapping[str, Any]) -> dict[str, str]:
    values = data.get("values")
    if not isinstance(values, dict) or len(values) > FIELDS:
        raise Refused(400, "Not understood", "The form was not sent as a form.")
    return {str(name)[:100]: text_of(values, name, TEXT_LIMIT) for name in values}


def _short(card: Card) -> bool:
    """A line is enough: nothing to press, copy or read at length."""
    return not (card.blocks or card.items or card.fields or card.buttons)


def _line(card: Card) -> dict[str, str]:
    said = " ".join(plain(line) for line in (card.title, *card.lines) if line)
    return {"tone": card.state.tone.value, "line": said or card.fallback}


def _json(data: Mapping[str, Any]) -> web.Response:
    return web.json_response(data, headers=security_headers())
