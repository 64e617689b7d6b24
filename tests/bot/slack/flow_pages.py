"""Every flow once: played through the fake Slack and through the console, with what was said and the event log.

`python -m tests.bot.slack.flow_pages` writes `docs/flows/*.md`; `tests/bot/slack/test_flow_pages.py` compares, and holds that
the console's log is that of Slack.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from access.actors import Actor, Person
from access.events import StoredEvent
from access.requests import Evidence
from access.resources import Resource
from access.statements import Effect
from bot.executing import Runner
from ledger.views import words
from tests.bot.console.scene import Browser, Scene
from tests.bot.slack.office import Office
from tests.bot.stage import FakeExecutor, FakeJudge
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, BOB, DANA, EVE, OLGA, PROD, SAM, World

ROOT = Path(__file__).parents[3]
FLOWS = ROOT / "docs" / "flows"
PEOPLE = {person.wire_name: person for person in (DANA, ANN, BOB, OLGA, SAM, EVE)}
FRIDAY, NIGHT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC), datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIVE = replace(PROD, labels=MappingProxyType({"env": "production"}), description="the shop")


@dataclass(frozen=True)
class Say:
    """Somebody types a line. `$1` is the id of the first request, `$p1` of the first proposed text."""

    who: str
    line: str


@dataclass(frozen=True)
class Wait:
    """Time goes by, and the leader's timer looks."""

    minutes: int


@dataclass(frozen=True)
class Play:
    """One flow, from the question to its end."""

    name: str
    title: str
    about: str
    at: datetime
    steps: tuple[Say | Wait, ...]
    flows: tuple[str, ...] = ()
    note: str = ""


WRITE = "request prod-db 1h INC-42 repair order 7 --scope write"
GLASS = "break-glass prod-db 30m INC-42 checkout is down and orders pile up --scope write --confirm prod-db"
PLAYS = (
    Play(
        "default",
        "The flow that ships",
        "One approver of the resource decides, never the person who asks.",
        FRIDAY,
        (
            Say("dana", "request prod-db 1h INC-42 debugging"),
            Say("dana", "approve $1"),
            Say("eve", "approve $1"),
            Wait(4),
            Say("ann", "approve $1"),
            Say("bob", "approve $1"),
            Say("dana", "done prod-db"),
        ),
    ),
    Play(
        "production-writes",
        "An approver, then an owner",
        "Two different people, in order; a reminder, an escalation, a changed request whose votes are void.",
        FRIDAY,
        (
            Say("dana", "request prod-db 1h repair order 7 --scope write"),
            Say("dana", WRITE),
            Say("olga", "approve $1"),
            Say("ann", "approve $1"),
            Wait(16),
            Say("dana", "change $1 30m"),
            Say("olga", "approve $1"),
            Say("bob", "approve $1"),
            Wait(20),
            Say("sam", "approve $1 --for 15m"),
            Wait(16),
        ),
        ("production-writes",),
    ),
    Play(
        "reads-by-day",
        "Short reads in working hours",
        "Granted at once, as one quiet line; by night and through an agent the next flow is asked.",
        FRIDAY,
        (
            Say("dana", "request prod-db 30m look at order 7"),
            Say("dana", "request prod-db 30m look at order 7 --as-agent claude"),
            Say("ann", "deny $2 not by an agent"),
            Say("dana", "done prod-db"),
        ),
        ("reads-by-day",),
    ),
    Play(
        "danger-at-night",
        "One of each group, at night",
        "At 23:30 in Berlin a dangerous command needs a database administrator and somebody of security; a no of anybody ends it.",
        NIGHT,
        (
            Say("dana", "exec prod-db --reason INC-42 -- TRUNCATE carts"),
            Say("ann", "approve $1"),
            Say("bob", "approve $1"),
            Say("sam", "approve $1"),
            Say("dana", "exec prod-db --reason INC-42 -- TRUNCATE sessions"),
            Say("sam", "deny $2 restore the backup first"),
        ),
        ("danger-at-night",),
    ),
    Play(
        "proposals",
        "Edit and propose",
        "An approver writes less than what was asked for; its requester accepts; another person approves.",
        FRIDAY,
        (
            Say("dana", "exec prod-db --reason INC-42 -- UPDATE customers SET vip = true"),
            Say("ann", "propose $1 --note one -- DROP TABLE customers"),
            Say("ann", "propose $1 --note one -- UPDATE customers SET vip = true WHERE id = 7"),
            Say("bob", "accept $p1"),
            Say("dana", "accept $p1"),
            Say("ann", "approve $1"),
            Say("bob", "approve $1"),
        ),
    ),
    Play(
        "emergency",
        "Break-glass, from the alarm to the closed attestation",
        "Bob is on duty. He takes access, nobody acknowledges in time, security does, he accounts for it, Ann closes it.",
        NIGHT,
        (
            Say("dana", GLASS),
            Say("bob", "break-glass prod-db 30m down --scope write --confirm prod-db"),
            Say("bob", GLASS.replace("--confirm prod-db", "--confirm prod")),
            Say("bob", GLASS),
            Wait(16),
            Say("bob", "ack $1"),
            Say("sam", "ack $1 I watch the session"),
            Say("bob", "done prod-db"),
            Say("bob", GLASS),
            Say("sam", "close $1 justified"),
            Say("bob", "attest $1 Checkout had a lock; ended the session that held it, nothing was changed."),
            Say("bob", "close $1 justified"),
            Say("ann", "close $1 follow-up add an alert for that lock"),
            Say("bob", GLASS),
        ),
        ("emergency", "production-writes"),
        "The private message with the token, the alarms outside of chat (`approvals.alarms`) and the page are tested where they are made.",
    ),
)


class Judge(FakeJudge):
    """As the tests' judge, and TRUNCATE is dangerous."""

    async def describe(self, actor: Actor, person: Person, resource: Resource, text: str) -> Evidence:
        found = await super().describe(actor, person, resource, text)
        return replace(found, effects=frozenset({Effect.DANGER})) if text.startswith("TRUNCATE") else found


class Surface(Protocol):
    """A way to talk with hoop."""

    @property
    def world(self) -> World: ...
    async def say(self, person: Person, line: str) -> str: ...
    async def settle(self) -> None: ...
    def told(self) -> Sequence[str]: ...


@dataclass
class SlackSurface:
    office: Office

    @property
    def world(self) -> World:
        return self.office.stage.world

    async def say(self, person: Person, line: str) -> str:
        member = self.office.member(person)
        before = len(member.whispers(self.office.channel))
        ack = await member.slash(line, self.office.channel)
        assert ack.ok, ack
        await self.office.idle()
        said = member.whispers(self.office.channel)[before:]
        if not said and member.modal is not None:
            return "(a form opens)"
        return " / ".join(one.text for one in said)

    async def settle(self) -> None:
        await self.office.settle()

    def told(self) -> Sequence[str]:
        return [one.text for one in self.office.channel.messages if not one.only_for and one.bot_id]


@dataclass
class ConsoleSurface:
    scene: Scene
    runner: Runner
    browsers: dict[str, Browser]

    @property
    def world(self) -> World:
        return self.scene.world

    async def say(self, person: Person, line: str) -> str:
        await self.browsers[person.wire_name].say(f"/hoop {line}")
        return ""

    async def settle(self) -> None:
        await self.scene.announce()
        while await self.runner.step():
            await self.scene.announce()

    def told(self) -> Sequence[str]:
        return ()


def _office(slack: FakeSlack, clock: ManualClock) -> Office:
    """Slack's sockets live on a clock of their own: sixteen minutes that go by at once are no silence of theirs."""
    office = Office(slack, MemoryStore(clock), clock)
    office.clock = ManualClock(clock.now())
    return office


@asynccontextmanager
async def on_slack(play: Play) -> AsyncIterator[SlackSurface]:
    clock = ManualClock(play.at)
    async with FakeSlack(now=lambda: clock.now().timestamp()) as slack, _office(slack, clock) as office:
        for person in (SAM, EVE):
            await office.join(person)
        office.stage.judge = Judge()
        office.stage.kit = replace(office.stage.kit, judge=office.stage.judge)
        office.stage.handlers._kit = office.stage.kit
        yield SlackSurface(office)


@asynccontextmanager
async def on_console(play: Play) -> AsyncIterator[ConsoleSurface]:
    clock = ManualClock(play.at)
    scene = Scene(MemoryStore(clock), clock, resources={"prod-db": replace(LIVE, channel="#access")})
    scene.kit = replace(scene.kit, judge=Judge())
    scene.conversation._kit = scene.kit  # type: ignore[attr-defined]
    async with scene.server() as server:
        browsers = {name: Browser(server, person) for name, person in PEOPLE.items()}
        try:
            runner = Runner(scene.store, scene.kit.world, FakeExecutor(scene.world), scene.entropy)
            yield ConsoleSurface(scene, runner, browsers)
        finally:
            for browser in browsers.values():
                await browser.client.session.close()


@dataclass
class Record:
    """What was seen."""

    lines: list[str] = field(default_factory=list)
    log: list[StoredEvent] = field(default_factory=list)
    world: World | None = None


async def play_on(play: Play, surface: Surface) -> Record:
    """Every step, and what followed from it."""
    world, record = surface.world, Record(world=surface.world)
    world.resources["prod-db"] = replace(LIVE, channel=world.resources["prod-db"].channel)
    world.flows = tuple((FLOWS / f"{name}.yml").read_text(encoding="utf-8") for name in play.flows)
    world.office.flows.reload()
    start = world.clock.now()
    for step in play.steps:
        seen, at = len(surface.told()), world.clock.now()
        if isinstance(step, Wait):
            world.clock.advance(step.minutes * 60)
            await world.desk.tick()
            record.lines.append(f"\n*{step.minutes} minutes later*\n")
        else:
            line = await _filled(world, step.line)
            answer = await surface.say(PEOPLE[step.who], line)
            record.lines.append(f"**{PEOPLE[step.who].name}** at {_since(at, start)}: `/hoop {line}`\n")
            record.lines += [f"> only {PEOPLE[step.who].name} sees: {answer}\n"] if answer else []
        await surface.settle()
        record.lines += [f"> the channel: {one}\n" for one in surface.told()[seen:]]
    record.log = await world.events()
    return record


async def _filled(world: World, line: str) -> str:
    """`$1` and `$p1` as the ids they stand for."""
    made = await world.events("access.requested")
    proposed = await world.events("proposal.made")
    for number, event in enumerate(made, 1):
        line = line.replace(f"${number}", event.stream)
    for number, event in enumerate(proposed, 1):
        line = line.replace(f"$p{number}", str((event.payload or {})["proposal"]))
    return line


def _since(at: datetime, start: datetime) -> str:
    minutes = int((at - start).total_seconds() // 60)
    return f"+{minutes} min"


#: What differs by surface: who is linked, and where a login came from.
ELSEWHERE = frozenset({"account.linked", "flows.loaded"})


def told_log(record: Record, start: datetime) -> list[str]:
    """The event log in words."""
    world = record.world
    assert world is not None
    kept = [event for event in record.log if event.kind not in ELSEWHERE]

    def name(id: str) -> str:
        person = world.directory.person(id)  # type: ignore[arg-type]
        return person.name if person else id

    return [
        f"{_since(event.at, start):>8}  {event.kind:<24} {name(event.actor):<16} {words(event, name)}" for event in kept
    ]


_ID = re.compile(r"\b(req|grt|ses|crd|prp|alw)_[0-9a-z]{8,12}\b")


def steady(text: str) -> str:
    """Ids by the order in which they are met."""
    met: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        kind = found[1]
        number = 1 + sum(one.startswith(kind) for one in met)
        return met.setdefault(found[0], f"{kind}_{number}")

    return _ID.sub(named, text)


async def page(play: Play) -> str:
    """The document of one flow."""
    async with on_slack(play) as slack:
        record = await play_on(play, slack)
    log = told_log(record, play.at)
    files = [f"[{name}.yml]({name}.yml)" for name in play.flows]
    said = [
        f"# {play.title}",
        "",
        play.about,
        "",
        f"Files: {', '.join(files)}." if files else "No file: this is how hoop decides without any.",
        "",
        "Played by `tests/bot/slack/flow_pages.py` through the fake Slack, and again through the console, which leaves the same log.",
        f"It begins at {play.at:%A, %H:%M} UTC; Ann and Bob are database administrators, Olga owns the database, Sam is security.",
        *([play.note] if play.note else []),
        "",
        "## What was said",
        "",
        *record.lines,
        "",
        "## The event log",
        "",
        "```",
        *log,
        "```",
        "",
    ]
    return re.sub(r"\n{3,}", "\n\n", steady("\n".join(said)))


async def console_log(play: Play) -> list[str]:
    """The log of the same play in the console."""
    async with on_console(play) as console:
        record = await play_on(play, console)
    return steady("\n".join(told_log(record, play.at))).splitlines()


def main() -> None:
    for play in PLAYS:
        (FLOWS / f"{play.name}.md").write_text(asyncio.run(page(play)), encoding="utf-8")


if __name__ == "__main__":
    main()
