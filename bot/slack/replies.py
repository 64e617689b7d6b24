"""Answers to one delivery: in the modal that was opened for it, else where the person acted, only for them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from bot.cards import Card, Form
from bot.slack import modals, render, rich
from bot.slack.outlet import FAILURES, Outlet
from bot.slack.payloads import Delivery
from bot.slack.render import Rendered
from bot.slack.rich import Json

log = logging.getLogger(__name__)


class SlackReply:
    """Implements `bot.platform.Reply`.

    `modal` tells whether a modal with the delivery's id was opened for it (awaited before the first answer); without one,
    a press inside a modal changes that modal.
    """

    def __init__(self, outlet: Outlet, delivery: Delivery, modal: asyncio.Future[bool] | None = None) -> None:
        self._outlet, self._delivery, self._modal = outlet, delivery, modal
        self._shown = 0

    async def card(self, card: Card) -> None:
        """Show a private card."""
        first = self._shown == 0
        self._shown += 1
        if first and await self._has_modal() and await self._in_modal(await self._outlet.view(card)):
            return
        await self._say(await self._outlet.message(card), replace=first and self._delivery.ephemeral)

    async def form(self, form: Form) -> None:
        """Open a form, or offer a button that does."""
        self._shown += 1
        view = self._outlet.form_view(form)
        if await self._has_modal() and await self._in_modal(view):
            return
        if self._delivery.trigger and await self._outlet.open_modal(self._delivery.trigger, view):
            return
        await self._say(await self._outlet.offer(form, self._delivery.user))

    async def _say(self, rendered: Rendered, *, replace: bool = False) -> None:
        """What was decided is decided and shown on the cards, whether or not its answer can be given: that never raises."""
        try:
            await self._outlet.whisper(self._delivery, rendered, replace=replace)
        except FAILURES as problem:
            log.warning("an answer on Slack was not given: %s", problem)

    async def done(self) -> None:
        """The work is over: a modal that waits for an answer does not wait any longer."""
        if not self._shown and await self._opened():
            await self._in_modal(_finished())

    async def _opened(self) -> bool:
        return self._modal is not None and await self._modal

    async def _has_modal(self) -> bool:
        return bool(self._delivery.view) or await self._opened()

    async def _in_modal(self, view: Json) -> bool:
        """False when the modal is not open any more, or shows something else than what was acted on."""
        if await self._opened():
            return await self._outlet.update_modal(view, external=self._delivery.id)
        return await self._outlet.update_modal(view, view_id=self._delivery.view, hash_=self._delivery.hash)


class SubmitReply(SlackReply):
    """The answer to a submitted modal. While Slack waits, it is part of the acknowledgement (`answer`); later it changes
    the modal, which meanwhile shows that work goes on."""

    def __init__(self, outlet: Outlet, delivery: Delivery) -> None:
        super().__init__(outlet, delivery)
        self._answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def answer(self, seconds: float) -> dict[str, Any]:
        """The acknowledgement, at most `seconds` from now."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), seconds)
        except TimeoutError:
            if not self._answer.done():
                self._answer.set_result({})
            return {"response_action": "update", "view": modals.busy_view("Working on it …")}

    async def again(self, form: Form) -> None:
        """The form with what is wrong in it, at its fields where that is possible."""
        self._shown += 1
        errors = modals.field_errors(form)
        if errors and not self._answer.done():
            self._answer.set_result({"response_action": "errors", "errors": errors})
            return
        await self._in_modal(self._outlet.form_view(form))

    async def done(self) -> None:
        """Nothing more comes: the modal closes, or says so where it is too late to close it."""
        if not self._answer.done():
            self._answer.set_result({})
        elif not self._shown:
            await self._in_modal(_finished())

    async def _in_modal(self, view: Json) -> bool:
        if not self._answer.done():
            self._answer.set_result({"response_action": "update", "view": view})
            return True
        return await self._outlet.update_modal(view, view_id=self._delivery.view)


def _finished() -> Json:
    return render.modal("hoop", rich.section([[rich.plain_part("Done.")]]), callback=f"{render.PREFIX}:done")
