"""Messages, answers and forms as HTML fragments: the page's first drawing and every live update come from here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bot.console import render
from bot.console.icons import icon
from bot.console.lists import Lists
from bot.console.messages import Message
from bot.console.render import Viewer
from bot.console.replies import Answer

TEMPLATES = Path(__file__).parent / "templates"
_CODE = re.compile(r"```(?:\w*\n)?(.+?)```|`([^`\n]+)`", re.DOTALL)


def environment() -> Environment:
    """Templates with every value escaped; an unknown name is an error, not an empty string."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(icon=icon, avatar=render.avatar, words=render.words)
    return templates


@dataclass(frozen=True, slots=True)
class Drawn:
    """One message as the template wants it."""

    id: str
    name: str
    avatar: Markup
    when: Markup
    html: Markup
    anchor: str = ""
    only_you: bool = False
    edited: Markup | str = ""
    said: str = ""
    replies: str = ""
    repliers: Markup = Markup("")  # noqa: RUF009 - immutable
    last_reply: Markup | str = ""
    can_thread: bool = False
    thread_url: str = ""
    changed: str = ""
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """The messages of one day."""

    day: str
    messages: list[Drawn]


class Draw:
    """Draws for one viewer at a time; holds only the templates and where names come from."""

    def __init__(self, templates: Environment, lists: Lists) -> None:
        self._message = templates.get_template("_message.html")
        self._lists = lists

    def message(self, message: Message, viewer: Viewer, *, anchor: bool = False, in_thread: bool = False) -> Drawn:
        """A stored message; `in_thread` leaves the line about its answers away."""
        bot = not message.author
        name = "hoop" if bot else self._lists.name_of(message.author)
        threads = not in_thread and not message.private and not message.thread
        return Drawn(
            message.id,
            name,
            render.bot_avatar() if bot else render.avatar(message.author, name),
            render.moment(message.at, "time", viewer),
            self._body(message, viewer),
            anchor=message.id if anchor else "",
            edited=render.moment(message.edited_at, "time", viewer) if message.edited_at and not bot else "",
            replies=_answers(message.replies) if threads and message.replies else "",
            repliers=self._repliers(message.repliers),
            last_reply=render.moment(message.last_reply_at, "date_time", viewer) if message.last_reply_at else "",
            can_thread=threads,
            thread_url=thread_url(message, viewer),
            secret=message.card is not None and any(block["type"] == "secret" for block in message.card["blocks"]),
            changed=message.edited_at.isoformat() if message.edited_at else "",
        )

    def answer(self, answer: Answer, viewer: Viewer) -> Drawn:
        """An answer that only the viewer sees."""
        return Drawn(
            answer.id,
            "hoop",
            render.bot_avatar(),
            render.moment(answer.at, "time", viewer),
            self._card(answer.card, viewer),
            only_you=True,
            said=answer.said,
        )

    def html(self, drawn: Drawn) -> str:
        """The fragment."""
        return self._message.render(m=drawn)

    def _repliers(self, people: Sequence[str]) -> Markup:
        return Markup("").join(
            render.avatar(person, self._lists.name_of(person), tiny=True) if person else _tiny_bot()
            for person in people
        )

    def _body(self, message: Message, viewer: Viewer) -> Markup:
        if message.card is None:
            return typed(message.text)
        return self._card(message.card, viewer, f"/files/{message.id}")

    def _card(self, card: Mapping[str, Any], viewer: Viewer, files: str = "") -> Markup:
        try:
            return render.card(card, viewer, files)
        except (KeyError, ValueError, TypeError):
            # stored by another release; what it is about is on its request page
            return Markup('<p class="notice wait">{}<span>{}</span></p>').format(
                icon("warning"), "This message cannot be shown by this version."
            )


def typed(text: str) -> Markup:
    """What a person wrote: their words, with `code` and ``` blocks."""
    parts: list[Markup] = []
    end = 0
    for match in _CODE.finditer(text):
        parts.append(render.words(text[end : match.start()]))
        block, inline = match.groups()
        parts.append(
            render.code(block, "") if block is not None else Markup("<code>{}</code>").format(render.words(inline))
        )
        end = match.end()
    return Markup('<div class="text">{}</div>').format(Markup("").join([*parts, render.words(text[end:])]))


def days(drawn: Iterable[tuple[datetime, Drawn]], viewer: Viewer) -> list[Day]:
    """Messages under the headings of their days."""
    named = ((render.day_name(at, viewer), one) for at, one in drawn)
    return [Day(day, [one for _, one in group]) for day, group in groupby(named, key=lambda pair: pair[0])]


def channel_path(channel: str) -> str:
    """The path of a channel's page (or of the private messages), without the viewer's prefix."""
    return "/private" if channel.startswith("@") else f"/c/{quote(channel.removeprefix('#'), safe='')}"


def thread_url(message: Message, viewer: Viewer) -> str:
    """The page of a message's thread."""
    return f"{viewer.base}{channel_path(message.channel)}?thread={message.thread or message.id}"


def _answers(count: int) -> str:
    return "1 reply" if count == 1 else f"{count} replies"


def _tiny_bot() -> Markup:
    return Markup('<span class="avatar bot tiny" aria-hidden="true">{}</span>').format(icon("hoop"))
