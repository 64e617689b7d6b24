"""Cards out to Slack. Implements `bot.platform.Platform`; the sender decides when and what is tried again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from access.actors import PersonId
from access.ids import SessionId
from access.ports import MessageRef, Store, Tx
from bot.cards import Card, Do
from bot.platform import MessageGone, Posted, RetryLater, Undeliverable
from bot.results import Attachment
from bot.slack.api import Api, SlackRefused, SlackUnreachable
from bot.slack.config import SlackConfig
from bot.slack.outlet import Outlet
from bot.slack.render import Rendered
from bot.slack.rooms import Rooms

log = logging.getLogger(__name__)

NAME = "slack"
POSTED = "slack.posted"
POSTED_KEPT = timedelta(days=7)
TIDY = "slack.tidy"
TIDY_KEPT = timedelta(days=30)
REMOVED = "A token stood here. It was taken out of this conversation; /hoop token gives a new one."

Recording = Callable[[SessionId], Awaitable[bytes | None]]


class SlackPlatform:
    """Posts, updates, private messages, files. `recording` gives the masked recording of a closed session (asciicast),
    which goes below its summary."""

    def __init__(
        self, outlet: Outlet, rooms: Rooms, store: Store, config: SlackConfig, recording: Recording | None = None
    ) -> None:
        self._outlet, self._rooms, self._store = outlet, rooms, store
        self._config, self._recording = config, recording

    @property
    def name(self) -> str:
        """`slack`."""
        return NAME

    async def post(self, channel: str, thread: str, card: Card, *, key: str) -> Posted:
        """Post a card, once per key as far as Slack's answer was heard. Raises as the protocol says, Undeliverable for a
        private card in a channel."""
        _fits(card, channel)
        rendered = await self._outlet.message(card)
        known = await self._again(key, rendered)
        if known is not None:
            return known
        posted = Posted(*await self._outlet.post(channel, thread, rendered))
        await self._remember(key, posted, card)
        await self._attach(posted, thread or posted.message, card, rendered)
        return posted

    async def update(self, ref: MessageRef, card: Card) -> None:
        """Change a posted card in place. Raises as the protocol says, Undeliverable for a private card in a channel."""
        _fits(card, ref.channel)
        rendered = await self._outlet.message(card)
        await self._change(Posted(ref.channel, ref.message), rendered)
        if closed_session(card):
            await self._attach(Posted(ref.channel, ref.message), ref.thread or ref.message, card, rendered)

    async def direct(self, person: PersonId, card: Card, *, key: str) -> Posted | None:
        """A private message; None when the person has no account here or it takes no messages."""
        rendered = await self._outlet.message(card)
        known = await self._again(key, rendered)
        if known is not None:
            return known
        user = (await self._outlet.accounts.users(frozenset({person}))).get(person)
        if user is None:
            return None
        try:
            posted = Posted(*await self._outlet.direct(user, rendered))
        except Undeliverable as problem:
            log.warning("a private message on Slack cannot be delivered: %s", problem)
            return None
        await self._remember(key, posted, card)
        await self._attach(posted, posted.message, card, rendered)
        return posted

    async def reached(self, channel: str, people: frozenset[PersonId]) -> Mapping[PersonId, bool]:
        """Whose account is a member of the channel. Raises RetryLater when Slack does not tell now."""
        users = await self._outlet.accounts.users(people)
        if not users or not channel:
            return dict.fromkeys(users, False)
        try:
            members = await self._rooms.members(channel)
        except SlackUnreachable as problem:
            log.info("who is in %s can not be known now: %s", channel, problem)
            raise RetryLater(1) from None
        return {person: user in members for person, user in users.items()}

    # ------------------------------------------------------------------------------------------------ keys

    async def _again(self, key: str, rendered: Rendered) -> Posted | None:
        """The message of this key, when it was posted by an attempt that died after that; it then shows what is meant now.
        None when there is none, or it was deleted."""
        known = await self._known(key)
        if known is None:
            return None
        try:
            await self._change(known, rendered)
        except MessageGone:
            return None
        return known

    async def _change(self, posted: Posted, rendered: Rendered) -> None:
        def call(client: Any) -> Any:
            return client.chat_update(
                channel=posted.channel, ts=posted.message, text=rendered.text, blocks=rendered.blocks or []
            )

        await self._outlet.api.do("chat.update", call, posted.channel)

    async def _known(self, key: str) -> Posted | None:
        row = await self._store.read(lambda tx: tx.doc(POSTED, key))
        return Posted(str(row["channel"]), str(row["message"])) if row else None

    async def _remember(self, key: str, posted: Posted, card: Card) -> None:
        row = {"channel": posted.channel, "message": posted.message}

        def work(tx: Tx) -> None:
            tx.put_doc(POSTED, key, row, expires_at=tx.now + POSTED_KEPT)
            if card.holds_secret:
                due = tx.now + self._config.secrets_stay
                tx.put_doc(TIDY, f"{posted.channel}/{posted.message}", _due(due, **row), expires_at=due + TIDY_KEPT)

        await self._store.transact(work)

    # ------------------------------------------------------------------------------------------------ files

    async def _attach(self, posted: Posted, thread: str, card: Card, rendered: Rendered) -> None:
        """Files of a card go into its thread, once. One that cannot be uploaded never holds a message back."""
        for file in (*rendered.files, *await self._replay(card)):
            key = f"file/{posted.channel}/{posted.message}/{file.name}"
            try:
                if await self._known(key) is None:
                    await self._upload(posted.channel, thread, file)
                    await self._remember(key, posted, card)
            except (RetryLater, Undeliverable, SlackRefused, SlackUnreachable) as problem:
                log.warning("the file %s was not uploaded: %s", file.name, problem)

    async def _replay(self, card: Card) -> tuple[Attachment, ...]:
        session = closed_session(card)
        data = await self._recording(session) if session and self._recording else None
        return (Attachment(f"{session}.cast", "Replay (asciicast, masked)", data),) if data else ()

    async def _upload(self, channel: str, thread: str, file: Attachment) -> None:
        def call(client: Any) -> Any:
            return client.files_upload_v2(
                filename=file.name, title=file.title, content=file.data, channel=channel, thread_ts=thread
            )

        answer = await self._outlet.api.do("files.completeUploadExternal", call, channel)
        for one in answer["files"]:
            name = str(one["id"])

            def work(tx: Tx, name: str = name) -> None:
                due = tx.now + self._config.files_stay
                tx.put_doc(TIDY, name, _due(due, file=name), expires_at=due + TIDY_KEPT)

            await self._store.transact(work)


def _fits(card: Card, channel: str) -> None:
    """A private card may hold exact text or a secret: it only goes to a conversation with one person (D…)."""
    if card.private and not channel.startswith("D"):
        raise Undeliverable(f"the {card.kind} card is private and cannot go to {channel}")


def closed_session(card: Card) -> SessionId | None:
    """The session whose summary a card is."""
    replay = next((b for b in card.buttons if b.do is Do.REPLAY and b.url), None)
    return SessionId(replay.subject) if card.kind == "session" and replay else None


def _due(at: datetime, **what: str) -> dict[str, str]:
    return {"at": at.isoformat(), **what}


class Janitor:
    """Takes out of Slack what is only there for a while: messages with a token, files with results."""

    def __init__(self, api: Api, store: Store) -> None:
        self._api, self._store = api, store

    async def step(self) -> int:
        """Remove what is due; how much went. What cannot be removed now is tried again, what is gone is done."""
        rows = await self._store.read(lambda tx: [(k, r) for k, r in tx.docs(TIDY) if _over(r, tx.now)])
        removed = 0
        for key, row in rows:
            try:
                await self._remove(row)
            except (MessageGone, Undeliverable) as gone:
                log.info("%s is gone already: %s", key, gone)
            except (RetryLater, SlackUnreachable) as later:
                log.info("%s is removed later: %s", key, later)
                continue
            except SlackRefused as refused:
                log.warning("%s cannot be removed: %s", key, refused)
            await self._store.transact(partial(_settled, key=key))
            removed += 1
        return removed

    async def _remove(self, row: Any) -> None:
        if "file" in row:
            await self._api.do("files.delete", lambda c: c.files_delete(file=str(row["file"])))
            return
        channel, ts = str(row["channel"]), str(row["message"])
        await self._api.do(
            "chat.update", lambda c: c.chat_update(channel=channel, ts=ts, text=REMOVED, blocks=[]), channel
        )


def _settled(tx: Tx, key: str) -> None:
    tx.take_doc(TIDY, key)


def _over(row: Any, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(row["at"])) <= now
    except (KeyError, TypeError, ValueError):
        return True
