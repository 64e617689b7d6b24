"""The use cases behind every verb, button and form, shared by the console, Slack and Teams.

Nothing here raises: a refusal is one clear private message, an error nobody foresaw a card with a number that finds it
in the log. Authority is never here: the desk judges it, anew, for every action.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from access.errors import Conflict, HoopError, Invalid
from bot import (
    asking,
    deciding,
    delegating,
    guarding,
    keys,
    looking,
    ordering,
    pressing,
    proposing,
    rerunning,
    running,
    submitting,
)
from bot.cards import Form
from bot.completion import Suggestion
from bot.grammar import parse
from bot.intents import (
    Accept,
    Acknowledge,
    AgentToken,
    Allow,
    Approve,
    Attest,
    Begin,
    BreakGlass,
    Cancel,
    Change,
    Close,
    Confirm,
    Console,
    Decline,
    Delegate,
    Delegations,
    Deny,
    DenyAll,
    Disallow,
    Done,
    Exec,
    Extend,
    Help,
    Incomplete,
    Key,
    Kill,
    Lift,
    Login,
    Mistake,
    My,
    Parsed,
    Pending,
    Propose,
    Replay,
    Request,
    Rerun,
    Revoke,
    Run,
    Runbooks,
    Runs,
    Sessions,
    Settings,
    Show,
    SshConfig,
    Token,
    Undelegate,
    Who,
    WhoAmI,
    Why,
)
from bot.kit import Kit
from bot.platform import Caller, Reply
from bot.preferences import settings
from bot.views.answers import error_card, failure_card, failure_words, mistake_card

log = logging.getLogger(__name__)

UseCase = Callable[[Kit, Any, Caller, Reply], Awaitable[None]]

_USE_CASES: Mapping[type, UseCase] = {
    Request: asking.request,
    Exec: asking.execute,
    Run: running.run,
    Runbooks: running.runbooks,
    Runs: running.runs,
    Rerun: rerunning.rerun,
    Extend: asking.extend,
    Token: asking.token,
    AgentToken: asking.agent_token,
    Console: asking.console,
    Approve: deciding.approve,
    Change: asking.change,
    Propose: proposing.propose,
    Accept: proposing.accept,
    Decline: proposing.decline,
    Deny: deciding.deny,
    Cancel: rerunning.cancel,
    Done: deciding.done,
    Revoke: deciding.revoke,
    Kill: deciding.kill,
    My: looking.my,
    Pending: looking.pending,
    Sessions: looking.sessions,
    Show: looking.show_one,
    Replay: looking.replay,
    Who: looking.who_can,
    Why: looking.why,
    WhoAmI: looking.whoami,
    Settings: settings,
    Key: keys.key,
    SshConfig: keys.config,
    Login: keys.login,
    Help: looking.help_,
    BreakGlass: guarding.break_glass,
    Acknowledge: guarding.acknowledge,
    Attest: guarding.attest,
    Close: guarding.close,
    Begin: ordering.begin,
    DenyAll: ordering.deny_all,
    Lift: ordering.lift,
    Allow: ordering.allow,
    Confirm: ordering.confirm,
    Disallow: ordering.disallow,
    Delegate: delegating.delegate,
    Delegations: delegating.delegations,
    Undelegate: delegating.undelegate,
}


class Handlers:
    """Implements `bot.platform.Conversation`."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def say(self, text: str, who: Caller, reply: Reply) -> None:
        """Somebody typed a command (without the mention)."""
        await self.handle(parse(text), who, reply)

    async def handle(self, parsed: Parsed, who: Caller, reply: Reply) -> None:
        """Do what was meant; an incomplete command opens its form, a mistake is explained."""

        async def work() -> None:
            match parsed:
                case Mistake():
                    await reply.card(mistake_card(parsed))
                case Incomplete():
                    await submitting.ask(self._kit, parsed, who, reply)
                case _:
                    await self._do(parsed, who, reply)

        await self._guarded(type(parsed).__name__, reply, work)

    async def _do(self, intent: Any, who: Caller, reply: Reply) -> None:
        try:
            await _USE_CASES[type(intent)](self._kit, intent, who, reply)
        except Conflict:
            raise
        except Invalid as wrong:
            zone = self._kit.person(who).time_zone
            form = submitting.form_for(self._kit, intent, wrong, zone)
            if form is None:
                raise
            await reply.form(form.in_zone(zone))

    async def press(self, token: str, who: Caller, reply: Reply) -> None:
        """Somebody pressed a button."""
        await self._guarded("press", reply, lambda: pressing.press(self._kit, token, who, reply))

    async def submit(self, name: str, token: str, values: Mapping[str, str], who: Caller, reply: Reply) -> Form | None:
        """Somebody submitted a form: the form again with its errors and all that was typed, or None when it was taken and
        answered."""
        again: list[Form | None] = [None]

        async def work() -> None:
            form, take = await submitting.opened(self._kit, name, token, values, who, self._perform)
            try:
                wrong = await submitting.taken(form, values, take(self._kit, reply))
                again[0] = wrong and wrong.in_zone(self._kit.person(who).time_zone)
            except HoopError:
                raise
            except Exception:
                number = self._number()
                log.exception("error %s in form %s", number, name)
                again[0] = form.with_errors({"": failure_words(number)}, values)

        await self._guarded(f"form {name}", reply, work)
        return again[0]

    async def _perform(self, kit: Kit, intent: Any, who: Caller, reply: Reply) -> None:
        await _USE_CASES[type(intent)](kit, intent, who, reply)

    async def complete(self, text: str, who: Caller) -> list[Suggestion]:
        """What could follow in the composer; nothing when that cannot be found out."""
        try:
            return await looking.suggest(self._kit, text, who)
        except HoopError:
            return []

    async def _guarded(self, what: str, reply: Reply, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except HoopError as error:
            await self._tell(reply, error_card(error))
        except Exception:
            number = self._number()
            log.exception("error %s in %s", number, what)
            await self._tell(reply, failure_card(number))

    def _number(self) -> str:
        """By which an error nobody foresaw is found in the log."""
        return f"E-{self._kit.entropy.token(4).hex()}"

    async def _tell(self, reply: Reply, card: Any) -> None:
        try:
            await reply.card(card)
        except Exception:
            log.exception("an answer could not be shown")
