"""How answers reach one person: a modal, an ephemeral message, a private message. Rendering, checking and calling in one place."""

from __future__ import annotations

import base64
import logging
from datetime import timedelta
from typing import Any

import aiohttp
from slack_sdk.webhook.async_client import AsyncWebhookClient

from access.actors import PersonId
from access.ports import Entropy, Store
from bot.cards import Card, Form
from bot.platform import MessageGone, RetryLater, Undeliverable
from bot.slack import limits, modals, render, rich
from bot.slack.accounts import Accounts
from bot.slack.api import TIMEOUT, Api, SlackRefused, SlackUnreachable, quiet
from bot.slack.checked import Invalid, checked_blocks, checked_view
from bot.slack.payloads import Delivery
from bot.slack.render import Rendered
from bot.slack.rich import Json

log = logging.getLogger(__name__)

FORM = "slack.form"
FORM_KEPT = timedelta(hours=1)
OPEN_FORM = render.action_id("form", 0, opens=True)
FAILURES = (RetryLater, Undeliverable, MessageGone, SlackRefused, SlackUnreachable)


class Outlet:
    """The ways out to a person, shared by replies, the platform and the Home tab."""

    def __init__(
        self, api: Api, accounts: Accounts, store: Store, entropy: Entropy, session: aiohttp.ClientSession
    ) -> None:
        self.api, self.accounts, self._store, self._entropy = api, accounts, store, entropy
        self._session = session

    # ------------------------------------------------------------------------------------------------ rendering

    async def message(self, card: Card) -> Rendered:
        """A card as a message that Slack takes. Should one ever be refused by Slack's models, its bare text goes out:
        a message without buttons is better than none."""
        rendered = render.message(card, await self.accounts.users(render.pinged(card)))
        try:
            checked_blocks(rendered.blocks)
        except Invalid as problem:
            log.error("a %s card cannot be shown in full: %s", card.kind, problem)  # noqa: TRY400 - no traceback wanted
            return Rendered([], rendered.text)
        return rendered

    async def view(self, card: Card) -> Json:
        """A card as a modal that Slack takes; else its bare text."""
        view = render.view(card, await self.accounts.users(render.pinged(card)))
        return _or_plain(view, card.state.word, card.fallback)

    def form_view(self, form: Form) -> Json:
        """A form as a modal."""
        return _or_plain(modals.form_view(form), form.title, "This form cannot be shown here; use the console.")

    # ------------------------------------------------------------------------------------------------ modals

    async def open_modal(self, trigger: str, view: Json, *, external: str = "") -> str:
        """Open a modal: its id, or empty when Slack does not (the trigger was used or is older than three seconds)."""
        content = view | ({"external_id": external} if external else {})
        try:
            answer = await self.api.do("views.open", lambda c: c.views_open(trigger_id=trigger, view=content))
        except FAILURES as problem:
            log.info("a modal was not opened: %s", problem)
            return ""
        return str(answer["view"]["id"])

    async def update_modal(self, view: Json, *, view_id: str = "", external: str = "", hash_: str = "") -> bool:
        """Change an open modal; False when it is not open any more or, with `hash_`, when it was changed since."""
        content = view | ({"external_id": external} if external else {})
        which: dict[str, Any] = {"view_id": view_id} if view_id else {"external_id": external}
        which |= {"hash": hash_} if hash_ else {}
        try:
            await self.api.do("views.update", lambda c: c.views_update(view=content, **which))
        except FAILURES as problem:
            log.info("a modal was not changed: %s", problem)
            return False
        return True

    # ------------------------------------------------------------------------------------------------ messages

    async def whisper(self, delivery: Delivery, rendered: Rendered, *, replace: bool = False) -> None:
        """Say something only the person sees, where they acted: by the delivery's own address, as an ephemeral message, or
        in private. Raises what posting raises when all three fail."""
        if delivery.answer and await self._respond(delivery, rendered, replace=replace):
            return
        if delivery.channel and not delivery.channel.startswith("D") and await self._ephemeral(delivery, rendered):
            return
        await self.direct(delivery.user, rendered)

    async def _respond(self, delivery: Delivery, rendered: Rendered, *, replace: bool) -> bool:
        body: Json = {
            "response_type": "ephemeral",
            "replace_original": replace,
            "text": rendered.text,
            "blocks": rendered.blocks,
        }
        if delivery.thread and not replace:
            body["thread_ts"] = delivery.thread
        webhook = AsyncWebhookClient(
            delivery.answer, timeout=TIMEOUT, session=self._session, logger=quiet, retry_handlers=[]
        )
        try:
            return bool((await webhook.send_dict(body)).status_code == 200)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _ephemeral(self, delivery: Delivery, rendered: Rendered) -> bool:
        def call(client: Any) -> Any:
            return client.chat_postEphemeral(
                channel=delivery.channel,
                user=delivery.user,
                thread_ts=delivery.thread or None,
                text=rendered.text,
                blocks=rendered.blocks or None,
            )

        try:
            await self.api.do("chat.postEphemeral", call, delivery.channel)
        except FAILURES as problem:
            log.info("an ephemeral message was not shown: %s", problem)
            return False
        return True

    async def direct(self, user: str, rendered: Rendered) -> tuple[str, str]:
        """A private message: channel and ts. Raises what posting raises."""
        opened = await self.api.do("conversations.open", lambda c: c.conversations_open(users=[user]), user)
        channel = str(opened["channel"]["id"])
        return await self.post(channel, "", rendered)

    async def post(self, channel: str, thread: str, rendered: Rendered) -> tuple[str, str]:
        """A message: channel id and ts. Raises what `Api.do` raises."""

        def call(client: Any) -> Any:
            return client.chat_postMessage(
                channel=channel,
                thread_ts=thread or None,
                text=rendered.text,
                blocks=rendered.blocks or None,
                unfurl_links=False,
                unfurl_media=False,
            )

        answer = await self.api.do("chat.postMessage", call, channel)
        return str(answer["channel"]), str(answer["ts"])

    async def strike(self, channel: str, ts: str, rendered: Rendered) -> None:
        """Replace a message that should not be there, if it is ours; otherwise nothing happens."""

        def call(client: Any) -> Any:
            return client.chat_update(channel=channel, ts=ts, text=rendered.text, blocks=rendered.blocks)

        try:
            await self.api.do("chat.update", call, channel)
        except FAILURES as problem:
            log.info("an outdated copy was not changed: %s", problem)

    # ------------------------------------------------------------------------------------------------ forms for later

    async def offer(self, form: Form, user: PersonId | str) -> Rendered:
        """A message with a button that opens the form, for where no modal can be opened now."""
        key = base64.urlsafe_b64encode(self._entropy.token(16)).rstrip(b"=").decode()
        data = {"form": modals.form_to_json(form), "user": user}
        await self._store.transact(
            lambda tx: tx.put_doc(FORM, key, data, expires_at=tx.now + FORM_KEPT),
        )
        wrong = " ".join(
            part for part in (form.error, *(f"{f.label}: {f.error}" for f in form.fields if f.error)) if part
        )
        words = wrong or f"{form.title}: a few things are missing."
        label = render.plain_text("Open the form", limits.BUTTON)
        button = {"type": "button", "action_id": OPEN_FORM, "value": key, "style": "primary", "text": label}
        blocks = [*rich.section([[rich.plain_part(words)]]), {"type": "actions", "elements": [button]}]
        return Rendered(blocks, limits.escape(limits.fit(words, limits.MESSAGE_TEXT // 5)))

    async def offered(self, key: str, user: str) -> Form | None:
        """The form behind such a button; None when it is too old or somebody else's."""
        row = await self._store.read(lambda tx: tx.doc(FORM, key))
        return modals.form_from_json(row["form"]) if row is not None and row["user"] == user else None


def _or_plain(view: Json, title: str, words: str) -> Json:
    try:
        return checked_view(view)
    except Invalid as problem:
        log.error("a modal cannot be shown in full: %s", problem)  # noqa: TRY400 - no traceback wanted
        return render.modal(title, rich.section([[rich.plain_part(words)]]), callback=f"{render.PREFIX}:plain")
