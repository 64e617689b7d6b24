"""A delivery → the conversation: who is it, may they, what did they mean. Runs after the acknowledgement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from access.errors import HoopError
from access.events import LoginRefused
from access.ids import Prefix
from access.ports import Clock, Store, Tx
from access.requests import Place
from bot.cards import Card, Code, State, Tone, text
from bot.grammar import parse
from bot.intents import Extend, Incomplete, Show, Verb
from bot.platform import Caller, Conversation
from bot.slack.accounts import Accounts
from bot.slack.home import Home
from bot.slack.inbox import Claimed
from bot.slack.members import Members
from bot.slack.outlet import Outlet
from bot.slack.payloads import Delivery, Kind
from bot.slack.replies import SlackReply, SubmitReply
from bot.slack.spoken import spoken
from bot.tokens import message_of, subject
from bot.views.answers import done_card, error_card

log = logging.getLogger(__name__)

PLATFORM = "slack"
OLD = timedelta(minutes=10)
YOUNG = 60.0
"""Seconds: until then a posted message may not have been remembered yet, because its sender was slow or died."""
PATIENCE = 4
SHORTCUTS = {"hoop_request": "request", "hoop_exec": "exec", "hoop_run": "run", "hoop_break_glass": "break-glass"}
"""What a shortcut of the manifest types."""
ASK = "hoop_ask"
EXTEND_FORM = "extend"
STALE = State("Out of date", "ℹ", Tone.QUIET)
COPY = State("A copy", "ℹ", Tone.QUIET)
MISSED = "hoop was not running when you did this, so nothing was done. Please do it again."
TWICE = "hoop was restarted while it did this. Look whether it is done (/hoop my) before you do it again."


class Worker:
    """The work behind every delivery. Nothing raises: what goes wrong is told to the person and logged."""

    def __init__(
        self,
        conversation: Conversation,
        members: Members,
        accounts: Accounts,
        outlet: Outlet,
        store: Store,
        clock: Clock,
        home: Home,
        bot: str,
    ) -> None:
        self._conversation, self._members, self._accounts = conversation, members, accounts
        self._outlet, self._store, self._clock, self._home, self._bot = outlet, store, clock, home, bot

    async def work(self, claimed: Claimed, reply: SlackReply) -> None:
        """Do what was meant and close the reply."""
        delivery = claimed.delivery
        try:
            caller = await self.admit(delivery)
            await self._do(claimed, caller, reply)
        except HoopError as refused:
            await self._refused(delivery, refused, reply)
        except Exception:
            log.exception("a %s of Slack failed", delivery.kind)
            await _tell(reply, done_card("That did not work. Nothing was decided by it; try again.", good=False))
        finally:
            await _quietly(reply.done)

    async def admit(self, delivery: Delivery) -> Caller:
        """Who it is, now. Raises Denied for whoever may not act, Unavailable when that cannot be found out."""
        member = await self._members.admit(delivery.user)
        person = await self._accounts.person(delivery.tenant, member)
        await self._accounts.met(delivery.tenant, member, person)
        return Caller(person, PLATFORM, Place(PLATFORM, delivery.channel, delivery.thread), member.zone)

    async def _do(self, claimed: Claimed, caller: Caller, reply: SlackReply) -> None:
        delivery = claimed.delivery
        late = _too_late(claimed, self._clock)
        if late:
            await reply.card(done_card(late, good=False))
            return
        match delivery.kind:
            case Kind.COMMAND:
                await self._conversation.say(delivery.text, caller, reply)
            case Kind.MENTION:
                await self._conversation.say(spoken(delivery.text, self._bot), caller, reply)
            case Kind.SHORTCUT:
                await self._shortcut(delivery, caller, reply)
            case Kind.PRESS:
                await self._press(delivery, caller, reply)
                if not (delivery.channel or delivery.view):
                    await self._home.opened(delivery.user, caller)  # what was pressed there shows there
            case Kind.SUBMIT:
                await self._submit(delivery, caller, reply)
            case Kind.HOME:
                await self._home.opened(delivery.user, caller)
            case Kind.CHOICES | Kind.NOTHING:
                return

    async def _shortcut(self, delivery: Delivery, caller: Caller, reply: SlackReply) -> None:
        if delivery.name in SHORTCUTS:
            await self._conversation.say(SHORTCUTS[delivery.name], caller, reply)
        elif delivery.name == ASK:
            about = Incomplete(Verb.REQUEST, {"reason": f"About {delivery.text}"})
            await self._conversation.handle(about, caller, reply)
        else:
            await reply.card(done_card("This shortcut is not one of mine, so nothing was done.", good=False))

    async def _press(self, delivery: Delivery, caller: Caller, reply: SlackReply) -> None:
        """A press counts only on a message that is ours; elsewhere the current state is shown.

        A copy of our own counts too: it was posted by an attempt that died before it could note that down, and says what
        its button's revision says. It is taken away afterwards, so that there is one.
        """
        if delivery.name == "start":
            await self._shortcut(replace(delivery, name=delivery.token), caller, reply)
            return
        if delivery.name == "form":
            form = await self._outlet.offered(delivery.token, delivery.user)
            if form is None:
                await reply.card(done_card("This form is too old. Type the command again.", good=False))
            else:
                await reply.form(form)
            return
        if delivery.message and not delivery.ephemeral:
            about = await self._foreign(delivery)
            if about is not None and delivery.poster != self._bot:
                await self._stale(about, caller, reply)
                return
            await self._conversation.press(delivery.token, caller, reply)
            if about is not None and self._age(delivery) > YOUNG:
                await self._retire(about, delivery)
            return
        await self._conversation.press(delivery.token, caller, reply)

    async def _foreign(self, delivery: Delivery) -> str | None:
        """What the button is about, when its message is none of ours. A new message may not be remembered yet."""
        about = await self._store.read(lambda tx: _foreign(tx, delivery))
        for again in range(PATIENCE):
            if about is None or self._age(delivery) > YOUNG:
                break
            await asyncio.sleep(0.1 * again)
            about = await self._store.read(lambda tx: _foreign(tx, delivery))
        return about

    def _age(self, delivery: Delivery) -> float:
        """Seconds since the message was posted."""
        try:
            return self._clock.now().timestamp() - float(delivery.message)
        except ValueError:
            return 0.0

    async def _stale(self, about: str, caller: Caller, reply: SlackReply) -> None:
        """Tell, and show what is current."""
        title = text("This copy of the message is not the current one, so nothing was done.")
        card = Card("stale", STALE, title, "Out of date: nothing was done.", private=True)
        await reply.card(replace(card, lines=(text("The current state follows."),)))
        await self._conversation.handle(Show(about), caller, reply)

    async def _retire(self, about: str, delivery: Delivery) -> None:
        """What was pressed is done; the copy says that it is one, and where the other is."""
        title = text("This was posted twice. The other message about it goes on; this one is over.")
        lines = (text("See it: ", Code(f"/hoop show {about}")),)
        card = Card("stale", COPY, title, f"Posted twice: see {about}.", lines=lines)
        await self._outlet.strike(delivery.channel, delivery.message, await self._outlet.message(card))

    async def _submit(self, delivery: Delivery, caller: Caller, reply: SlackReply) -> None:
        again = await self._conversation.submit(delivery.name, delivery.token, delivery.values, caller, reply)
        if again is not None and isinstance(reply, SubmitReply):
            await reply.again(again)
        elif again is not None:
            await reply.form(again)

    async def _refused(self, delivery: Delivery, refused: HoopError, reply: SlackReply) -> None:
        rule = getattr(refused, "rule", "")
        if rule:
            await _quietly(lambda: self._store.transact(lambda tx: _record(tx, delivery, refused.message)))
        if delivery.kind is Kind.HOME:
            await _quietly(lambda: self._home.refused(delivery.user, str(refused)))
        else:
            await _tell(reply, error_card(refused))


def _too_late(claimed: Claimed, clock: Clock) -> str:
    """Why a delivery that was left behind is not done now; empty when it is. Pure.

    Decisions are done whenever (the desk makes each once); what was typed long ago may not be wanted any more; giving more
    time twice would add up.
    """
    delivery = claimed.delivery
    if claimed.attempt > 1 and _adds_up(delivery):
        return TWICE
    typed = delivery.kind in {Kind.COMMAND, Kind.MENTION, Kind.SHORTCUT}
    return MISSED if typed and clock.now() - claimed.since > OLD else ""


def _adds_up(delivery: Delivery) -> bool:
    match delivery.kind:
        case Kind.SUBMIT:
            return delivery.name == EXTEND_FORM
        case Kind.COMMAND:
            return isinstance(parse(delivery.text), Extend)
        case Kind.MENTION:
            return isinstance(parse(spoken(delivery.text, "")), Extend)
        case _:
            return False


def _foreign(tx: Tx, delivery: Delivery) -> str | None:
    """What a button is about, when the message it was pressed on is none of ours for that; None when all is well.

    A token nobody knows is left to the conversation, which refuses it.
    """
    row = tx.token(delivery.token) if len(delivery.token) <= 100 else None
    if row is None:
        return None
    places = {(ref.channel, ref.message) for ref in tx.refs(message_of(row)) if ref.platform == PLATFORM}
    if (delivery.channel, delivery.message) in places:
        return None
    about = subject(row)
    return message_of(row) if about.startswith(Prefix.PROPOSAL.value) else about


def _record(tx: Tx, delivery: Delivery, why: str) -> None:
    """Once an hour per account and reason: a stranger cannot fill the ledger."""
    account = f"{delivery.tenant}/{delivery.user}"
    if not tx.seen(f"slack:refused:{account}:{why}:{tx.now:%Y%m%d%H}"):
        tx.append(LoginRefused(stream=PLATFORM, client=account, name="", why=why))


async def _tell(reply: SlackReply, card: Card) -> None:
    await _quietly(lambda: reply.card(card))


async def _quietly(what: Callable[[], Awaitable[object]]) -> None:
    try:
        await what()
    except Exception:
        log.exception("an answer to Slack could not be given")
