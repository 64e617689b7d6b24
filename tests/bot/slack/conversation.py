"""A conversation through the fake Slack, from the form to the replay, with everything Slack was given on the way.

`python -m tests.bot.slack.conversation FOLDER` writes each message and view as JSON, as it is committed in
`docs/slack/cards`; `tests/bot/slack/test_conversation.py` compares.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from access.requests import Grant, Session
from bot.cases import Notify
from tests.approval_flows.test_break_glass import FLOW as GLASS
from tests.bot.slack.office import Office, said
from tests.bot.stage import FakeJudge
from tests.bot.test_announcer import closed, opened, refused
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack, Member, Message
from tests.fakes.slack.model import View
from tests.fakes.store import MemoryStore
from tests.fakes.world import EVE, EVERYBODY, GROUPS, held_fact

STATEMENT = "DELETE FROM customers\n WHERE email = 'secret-value'\n   AND note = '\u202eevil <!channel>'"
REQUEST = "request prod-db 2h INC-42 checkout is slow, looking at locks & queries <now> --scope write"
COMMAND = "exec prod-db --reason INC-42 -- UPDATE orders SET state = 'new' WHERE id = 7"


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody sees after something happened: a message (and where), a modal or a Home tab."""

    name: str
    says: str
    shown: Message | View

    def content(self) -> dict[str, Any]:
        """What Slack was given, ids and tokens aside, which differ from run to run."""
        one = self.shown
        data = one.content if isinstance(one, View) else {"text": one.text, "blocks": one.blocks}
        return dict(_steady(json.loads(json.dumps(data))))


class Conversation:
    """Plays it step by step; `steps` is what was seen."""

    def __init__(self, office: Office) -> None:
        self.office, self.steps = office, list[Step]()

    async def play(self) -> list[Step]:
        """The whole of it, with people called as they are when nothing is set."""
        self.office.stage.bot = replace(self.office.stage.bot, notify=Notify(5, timedelta(minutes=3)))
        await self.office.stop()
        self.office.clock = ManualClock(
            self.office.stage.clock.now()
        )  # hours that go by at once are no silence of sockets
        await self.office.start(ping=5.0)  # on a busy machine, too
        await self._ask()
        await self._decide()
        grant = (await self.office.store.read(lambda tx: tx.grants()))[0]
        session = await self._connect(grant)
        await self._hold(grant, session)
        await self._end(grant, session)
        await self._command()
        await self._deny()
        await self._ahead()
        await self._delegated()
        await self._emergency()
        await self._attested()
        await self._frozen()
        await self._stepped_up()
        return self.steps

    def _saw(self, name: str, says: str, shown: Message | View | None) -> None:
        assert shown is not None, name
        copy = (
            replace(shown) if isinstance(shown, View) else replace(shown, blocks=json.loads(json.dumps(shown.blocks)))
        )
        self.steps.append(Step(f"{len(self.steps) + 1:02}-{name}", says, copy))

    async def _ask(self) -> None:
        office = self.office
        await office.dana.slash("request", office.channel)
        await office.idle()
        self._saw(
            "form", "Dana typed `/hoop request`: the form, opened before anything was looked up", office.dana.modal
        )
        office.slack.workspace.stacks[office.dana.id].clear()
        card = await office.asked(REQUEST)
        self._saw("request", "She typed everything at once: the card in the channel", card)
        self._saw("asked", "… and what only she sees", office.dana.whispers(office.channel)[-1])
        await office.asked(REQUEST)
        self._saw("still-waits", "She asked the same again", office.dana.whispers(office.channel)[-1])

    async def _decide(self) -> None:
        office, card = self.office, self.office.cards()[-1]
        await office.dana.press(card, "Approve")
        await office.idle()
        self._saw("own-request", "She pressed Approve herself", office.dana.whispers(office.channel)[-1])
        await office.ann.press(card, "Approve less…")
        await office.idle()
        self._saw("approve-less", "Ann pressed *Approve less…*", office.ann.modal)
        state = {"field:duration": "1h", "field:scope": "read", "field:note": ""}
        for block, value in state.items():
            kind = "static_select" if block == "field:scope" else "plain_text_input"
            chosen = {"selected_option": {"value": value}} if block == "field:scope" else {"value": value}
            assert office.ann.modal is not None
            office.ann.modal.state[block] = {"value": {"type": kind, **chosen}}
        await office.ann.submit({})
        await office.settle()
        self._saw("decided", "… and gave one hour of reading: the same card now", card)
        self._saw("vote", "the vote, a line in the thread", self._told("Ann approved"))
        self._saw("connection", "Dana's private message: how to connect", self._private(office.dana, "Connection"))
        self._saw("token", "… and the token, in a message of its own", self._private(office.dana, "Token for"))
        stale = replace(card, blocks=next(s for s in self.steps if s.name.endswith("request")).shown.blocks)  # type: ignore[union-attr]
        await office.bob.press(stale, "Approve")
        await office.settle()
        self._saw("too-late", "Bob pressed Approve on a screen that was not up to date", office.bob.whispers()[-1])

    async def _connect(self, grant: Grant) -> Session:
        office, stage = self.office, self.office.stage
        session = await stage.session(grant, number=90)
        await office.store.transact(lambda tx: tx.append(opened(session)))
        await office.settle()
        self._saw("session", "Dana connected with psql: a line in the thread", self._told("connected to"))
        await office.store.transact(lambda tx: tx.append(refused(session, 1)))
        await office.settle()
        self._saw("blocked", "A statement was refused", self._told("was stopped"))
        return session

    async def _hold(self, grant: Grant, session: Session) -> None:
        office, stage = self.office, self.office.stage
        person = stage.world.directory.person(grant.actor.person)
        assert person is not None
        evidence = await FakeJudge(complete=False).describe(
            grant.actor, person, stage.world.resources["prod-db"], STATEMENT
        )
        fact = replace(held_fact(session.id, evidence.digest), statement=evidence.shown)
        await stage.world.desk.hold(grant.actor, "prod-db", evidence, session.id, (), 900.0, fact)
        await office.settle()
        held = self._told("Held, client")
        self._saw("held", "A risky one waits. Values are masked here, so there is no Approve", held)
        await office.ann.press(held, "Review…")
        await office.idle()
        self._saw("review", "Ann pressed *Review…*: the exact text, only for her, and Approve", office.ann.modal)
        assert office.ann.modal is not None
        await office.ann.press(office.ann.modal, "Approve")
        await office.settle()
        self._saw("held-decided", "… the card in the thread afterwards", held)

    async def _end(self, grant: Grant, session: Session) -> None:
        office = self.office
        office.stage.clock.advance((grant.expires_at - office.stage.clock.now() - timedelta(minutes=9)).total_seconds())
        await office.stage.announcer.tick()
        await office.settle()
        self._saw("expiring", "Nine minutes before the end, to Dana", self._private(office.dana, "Expiring soon"))
        done = closed(session)
        over = replace(
            session, closed_at=office.stage.clock.now(), why_closed="client left", statements=3, rows=41, masked=12
        )

        def work(tx: Any) -> None:
            tx.update_session(replace(over, refused=1))
            tx.append(done)

        await office.store.transact(work)
        await office.settle()
        self._saw(
            "summary", "Dana disconnected: the line becomes the summary, with the replay", self._told("Session of")
        )

    async def _command(self) -> None:
        office = self.office
        await office.dana.slash(COMMAND, office.channel)
        await office.settle()
        self._saw("command", "One command instead of access", office.cards()[-1])
        await office.ann.press(office.cards()[-1], "Approve")
        await office.settle()
        self._saw("result", "… approved: it ran once, the masked result is in its thread", self._told("UPDATE 1"))

    async def _deny(self) -> None:
        office = self.office
        card = await office.asked("request prod-db 4h because --scope admin")
        await office.ann.press(card, "Deny…")
        await office.idle()
        self._saw("deny", "A request for more: Ann pressed *Deny…*", office.ann.modal)
        await office.ann.submit({"value": "use the migration runbook"})
        await office.settle()
        self._saw("denied", "… and Dana reads why, with the way to ask for something else", office.dana.dm.messages[-1])
        await office.dana.slash("my", office.channel)
        await office.idle()
        self._saw("my", "`/hoop my`", office.dana.whispers(office.channel)[-1])
        await office.dana.open_home()
        await office.idle()
        self._saw("home", "Her Home tab", office.dana.home)

    async def _ahead(self) -> None:
        office = self.office
        card = await office.asked("request prod-db 1h from tomorrow 02:00 INC-43 index build --scope write")
        self._saw("ahead", "Dana asked for access that starts later", card)
        await office.ann.press(card, "Approve")
        await office.settle()
        self._saw("ahead-approved", "… approved: the card says from when to when it is to be begun", office.cards()[-1])
        self._saw("planned", "… and so does her private message", await self._soon(office.dana, "It starts"))
        start = (await office.store.read(lambda tx: tx.requests()))[0].starts_at
        assert start is not None
        office.stage.clock.advance((start - office.stage.clock.now()).total_seconds())
        await office.stage.world.desk.tick()
        await office.settle()
        message = await self._soon(office.dana, "Begin it when you are ready")
        self._saw("begin", "Its time has come: a new message with *Begin now*", message)

    async def _delegated(self) -> None:
        office, world = self.office, self.office.stage.world
        await office.join(EVE)
        limits = replace(world.office.limits, delegate_from=("dba",), delegate_to=("helpers",))
        world.office = replace(world.office, limits=limits)
        world.desk._office = world.office
        world.directory.replace(EVERYBODY, {**GROUPS, "helpers": ("eve",), "firefighters": ("dana",)})
        await office.ann.slash("delegate @eve 5d for prod-* on holiday", office.channel)
        await office.settle()
        message = await self._soon(office.eve, "Eve decides for Ann")
        self._saw("delegation", "Ann lets Eve decide in her place: both have this card", message)
        card = await office.asked("request prod-db 1h INC-44 a look at locks")
        self._saw("delegated", "A request that Eve can decide for Ann", card)
        await office.eve.press(card, "Approve")
        await office.settle()
        self._saw("delegated-vote", "… and did", office.cards()[-1])
        await office.eve.slash("settings quiet 22:00-07:00", office.channel)
        await office.idle()
        self._saw("settings", "Her settings, with quiet hours", office.eve.whispers(office.channel)[-1])

    async def _emergency(self) -> None:
        office, world = self.office, self.office.stage.world
        world.flows = (GLASS.replace("on_call: [primary]\n  roles: [incident]", "roles: [firefighters]"),)
        assert world.office.flows.reload(), world.office.flows.problems
        await office.dana.slash("break-glass prod-db 30m checkout is down", office.channel)
        await office.idle()
        self._saw("break-glass-form", "Dana broke glass without all it takes: the form", office.dana.modal)
        office.slack.workspace.stacks[office.dana.id].clear()
        line = "break-glass prod-db 30m INC-7 checkout is down and orders pile up since nine --confirm prod-db"
        await office.dana.slash(line, office.channel)
        await office.settle()
        self._saw("break-glass", "… and with all of it: access at once, and everybody is called", office.cards()[-1])
        await office.bob.press(office.cards()[-1], "Acknowledge")
        await office.settle()
        self._saw("acknowledged", "Bob acknowledged it", office.cards()[-1])

    async def _attested(self) -> None:
        office = self.office
        request = (await office.stage.world.requests())[0].id
        card = next(one for one in office.cards() if str(request) in said(one))
        await office.dana.slash(f"done {request}", office.channel)
        await office.settle()
        due = await self._soon(office.dana, "The access is over")
        self._saw("attestation-due", "The access is over: what was done is to be said by Dana", due)
        await office.dana.press(due, "Attest…")
        await office.idle()
        self._saw("attest", "… in a form that begins with what was recorded", office.dana.modal)
        account = "Checkout waited for a lock; the session that held it was ended, nothing was changed."
        await office.dana.submit({"value": account})
        await office.settle()
        self._saw("attested", "… she did: somebody else closes it", card)
        await office.ann.slash(f"close {request} follow-up add an alert for that lock", office.channel)
        await office.settle()
        self._saw("closed", "Ann closed it, with something to follow", card)

    async def _frozen(self) -> None:
        office = self.office
        await office.ann.slash("deny-all prod-db restoring from backup", office.channel)
        await office.settle()
        self._saw("freeze", "Ann stopped everything", self._told("froze"))
        for one in (office.ann, office.bob):
            await one.slash("lift prod-db", office.channel)
            await office.settle()
        self._saw("lifted", "… and two people let it go on", self._told("Lifted by"))

    async def _stepped_up(self) -> None:
        office, world = self.office, self.office.stage.world
        world.flows = ("name: careful\nstep_up: true\nstages:\n  - {name: approvers, any: {approvers: true}}\n",)
        assert world.office.flows.reload(), world.office.flows.problems
        card = await office.asked("request prod-db 2h INC-45 more --scope admin")
        await office.bob.press(card, "Approve")
        await office.idle()
        self._saw(
            "step-up", "A click alone does not approve: the link to confirm it", office.bob.whispers(office.channel)[-1]
        )

    def _told(self, words: str) -> Message:
        return next(m for m in reversed(self.office.channel.messages) if not m.only_for and words in said(m))

    async def _soon(self, member: Member, words: str) -> Message:
        """A private message, once Slack has it: what was pressed is worked on after it was acknowledged."""
        for _ in range(100):
            await self.office.settle()
            if any(words in said(message) for message in member.dm.messages):
                break
            await asyncio.sleep(0.02)
        return self._private(member, words)

    def _private(self, member: Member, words: str) -> Message:
        return next(m for m in reversed(member.dm.messages) if words in said(m))


#: What a step-up asks to be typed: a digest and a number.
_TYPED = re.compile(r"\A(?:[0-9a-f]{8}|[0-9]{2})\Z")
_IDS = re.compile(r"\b(req|grt|ses|crd|dlg|alw)_[0-9a-z]{8,12}\b")


def _steady(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: "…" if _differs(key, value) else _steady(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_steady(one) for one in value]
    if isinstance(value, str):
        plain = re.sub(r"secret-[0-9]+", "secret-…", _IDS.sub(r"\1_…", value))
        return _TYPED.sub("…", re.sub(r"/confirm/\S+", "/confirm/…", plain))
    return value


def _differs(key: str, element: Mapping[str, Any]) -> bool:
    """Opaque values, different in every run."""
    return key in {"external_id", "private_metadata"} or (key == "value" and element.get("type") == "button")


async def played() -> list[Step]:
    """The steps, on a store in memory."""
    clock = ManualClock()
    async with (
        FakeSlack(now=lambda: clock.now().timestamp()) as slack,
        Office(slack, MemoryStore(clock), clock) as office,
    ):
        return await Conversation(office).play()


def index(steps: list[Step]) -> str:
    """The list of steps, in Markdown."""
    lines = [f"{int(s.name[:2])}. [{s.name[3:]}](cards/{s.name}.json): {s.says}." for s in steps]
    return "\n".join(lines) + "\n"


def drawn(step: Step) -> str:
    """A step as its file."""
    return json.dumps(step.content(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    steps = asyncio.run(played())
    for step in steps:
        (folder / f"{step.name}.json").write_text(drawn(step), encoding="utf-8")
    print(index(steps), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
