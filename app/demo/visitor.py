"""A person at the web console, for the tour: the very pages and requests a browser uses, read as text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import aiohttp

from access.errors import Unavailable

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "use", "path", "circle", "rect", "line", "polyline"})
POLL_SECONDS = 0.05


#: What begins and ends a part of a message, and what goes between the parts where they are shown one after the other.
_BEGINS = frozenset({"div", "h3", "p", "li", "pre", "tr", "table"})
_ENDS = _BEGINS | {"dd"}
_WORDS = frozenset({"bdi", "code", "strong", "time"})
_AFTER = {"button": "]\0", "dt": ": ", "td": " | ", "th": " | "}
_BETWEEN = " · "
#: What frames a message: who, when, threads.
_FRAME = frozenset({"message-head", "replies", "card-foot"})


@dataclass(slots=True)
class Seen:
    """One message of a page: its id, all of its text, the same as it is told (`shown`: its parts apart, buttons in brackets,
    without its frame), and its buttons (what they do → token)."""

    id: str
    text: str = ""
    shown: str = ""
    kinds: list[str] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """What a page of the console shows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.csrf = ""
        self.messages: list[Seen] = []
        self.text = ""
        self._depth = 0
        self._inside = 0
        self._frame = 0
        self.feed(html)
        for message in self.messages:
            message.text = " ".join(message.text.split())
            parts = (" ".join(part.split()).removesuffix(" |") for part in message.shown.split("\0"))
            message.shown = _BETWEEN.join(part for part in parts if part not in {"", "[ ]"})
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.csrf = given.get("data-csrf", self.csrf)
        if tag not in _VOID:
            self._depth += 1
        if "data-message" in given:
            self.messages.append(Seen(given["data-message"]))
            self._inside = self._depth
        if self._inside:
            self._note(tag, given)
            if not self._frame and not _FRAME.isdisjoint(given.get("class", "").split()):
                self._frame = self._depth
            self._tell("\0[" if tag == "button" else "\0" if tag in _BEGINS else "")

    def _note(self, tag: str, given: dict[str, str]) -> None:
        message = self.messages[-1]
        if "data-press" in given:
            message.buttons[given.get("data-do", "")] = given["data-press"]
        if "data-kind" in given:
            message.kinds.append(given["data-kind"])
        if tag == "a" and given.get("href"):
            message.links.append(given["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        self._tell(_AFTER.get(tag, "\0" if tag in _ENDS else "" if tag in _WORDS else " "))
        if self._frame == self._depth:
            self._frame = 0
        if self._inside and self._depth == self._inside:
            self._inside = 0
        self._depth -= 1
        self.text += " "
        if self.messages:
            self.messages[-1].text += " "

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._inside:
            self.messages[-1].text += data
            self._tell(data)

    def _tell(self, what: str) -> None:
        if self._inside and not self._frame:
            self.messages[-1].shown += what


class Visitor:
    """One person's browser."""

    def __init__(self, http: aiohttp.ClientSession, base: str, wire_name: str) -> None:
        self._http = http
        self._base = base
        self.wire_name = wire_name

    async def page(self, path: str = "/") -> Page:
        """Load a page as this person. Raises Unavailable when the console does not show it."""
        async with self._http.get(f"{self._base}/~{self.wire_name}{path}") as response:
            html = await response.text()
            if response.status != 200:
                raise Unavailable(f"{path} answered {response.status}: {Page(html).text[:200]}")
            return Page(html)

    async def say(self, text: str, channel: str = "#prod-db", thread: str = "") -> list[Seen]:
        """Type something; what only this person is answered."""
        return await self._post("/say", {"text": text, "channel": channel, "thread": thread})

    async def press(self, token: str, channel: str = "#prod-db", thread: str = "") -> list[Seen]:
        """Press a button."""
        return await self._post("/press", {"token": token, "channel": channel, "thread": thread})

    async def _post(self, path: str, body: dict[str, str]) -> list[Seen]:
        headers = {"X-CSRF-Token": (await self.page()).csrf, "Origin": self._base}
        async with self._http.post(f"{self._base}/~{self.wire_name}{path}", json=body, headers=headers) as response:
            data: dict[str, Any] = await response.json()
        if "error" in data:
            said = f"{data['error']}. {data.get('message', '')}"
            return [Seen("", said, said)]
        return [message for answer in data["answers"] for message in Page(answer["html"]).messages]

    async def wait_for(self, path: str, wanted: Callable[[Seen], bool], seconds: float = 10.0) -> Seen:
        """The newest message of a page for which `wanted` holds, as soon as there is one. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            shown = await self.page(path)
            found = [message for message in shown.messages if wanted(message)]
            if found:
                return found[-1]
            if loop.time() > deadline:
                last = shown.messages[-1].text[:300] if shown.messages else "nothing"
                raise Unavailable(f"{path} did not show what was expected within {seconds:g} s; it ends with: {last}")
            await asyncio.sleep(POLL_SECONDS)
