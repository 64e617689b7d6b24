"""Masked results as files, for whoever may read the message they stand in."""

from __future__ import annotations

from aiohttp import web

from bot.console import messages
from bot.console.context import Context
from bot.console.guard import Refused, security_headers
from bot.console.identity import Me
from bot.console.lists import may_see_message
from bot.results import as_file


class Files:
    """`GET /files/MESSAGE/NUMBER`: the table that is block NUMBER of the message's card."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def result(self, request: web.Request, me: Me) -> web.Response:
        """The file. Raises Refused 404, the same for what does not exist and for what is not theirs."""
        message = await self._context.ports.store.read(lambda tx: messages.get(tx, request.match_info["message"]))
        place = request.match_info["number"]
        blocks = message.card["blocks"] if message is not None and message.card is not None else []
        number = int(place) if place.isascii() and place.isdigit() and len(place) < 4 else len(blocks)
        if message is None or not may_see_message(message, me.person.id) or number >= len(blocks):
            raise Refused(404, "No such result", "It does not exist any more, or it is not for you to see.")
        block = blocks[number]
        if block["type"] != "table":
            raise Refused(404, "No such result", "It does not exist any more, or it is not for you to see.")
        file = as_file(block["columns"], block["rows"], block["note"])
        headers = security_headers() | {"Content-Disposition": f'attachment; filename="{file.name}"'}
        kind = "text/csv" if file.name.endswith(".csv") else "text/plain"
        return web.Response(body=file.data, content_type=kind, charset="utf-8", headers=headers)
