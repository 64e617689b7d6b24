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
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import urlencode

from access.actors import Actor, Person
from access.errors import HoopError
from access.events import StoredEvent
from access.ports import StepUp
from access.requests import Evidence
from access.resources import Resource
from access.statements import Effect
from bot.executing import Runner
from ledger.views import words
from tests.bot.console.scene import Browser, Scene
from tests.bot.slack.flow_plays import PLAYS, Confirm, Play, Say, Wait
from tests.bot.slack.office import Office
from tests.bot.stage import FakeExecutor, FakeJudge
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, BOB, DANA, EVE, OLGA, PROD, SAM, World

ROOT = Path(__file__).parents[3]
FLOWS = ROOT / "docs" / "flows"
PEOPLE = {person.wire_name: person for person in (DANA, ANN, BOB, OLGA, SAM, EVE)}
LIVE = replace(PROD, labels=MappingProxyType({"env": "production"}), description="the shop")


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
    async def confirm(self, step: StepUp, code: str) -> str: ...
    async def settle(self) -> None: ...
    async def look(self) -> None: ...
    def told(self) -> Sequence[str]: ...
    def written(self, person: Person) -> Sequence[str]: ...


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

    async def confirm(self, step: StepUp, code: str) -> str:
        """What its page does: Slack itself has no part in it."""
        try:
            row = await self.world.desk.finish_step_up(step.secret, code, step.number)
        except HoopError as refused:
            return refused.message
        return f"Approved: {row.id}"

    async def settle(self) -> None:
        await self.office.settle()

    async def look(self) -> None:
        await self.office.stage.announcer.digest()

    def written(self, person: Person) -> Sequence[str]:
        return [one.text for one in self.office.member(person).dm.messages if one.bot_id and not one.only_for]

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

    async def confirm(self, step: StepUp, code: str) -> str:
        fields = urlencode({"secret": step.secret, "code": code, "number": step.number})
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        await self.browsers["nobody"].post("/confirm", None, form, raw=fields.encode())
        return ""

    async def look(self) -> None:
        await self.scene.announcer.digest()

    def written(self, _: Person) -> Sequence[str]:
        return ()

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
        office.channel.members -= {office.member(PEOPLE[name]).id for name in play.absent}
        office.stage.bot = replace(office.stage.bot, notify=play.calls)
        assert office.app is not None
        office._use(office.app)
        office.stage.judge = Judge()
        office.stage.kit = replace(office.stage.kit, judge=office.stage.judge, world=office.stage.bot)
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
        browsers["nobody"] = Browser(server, None)
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
    world.flows = (*((FLOWS / f"{name}.yml").read_text(encoding="utf-8") for name in play.flows), *play.texts)
    assert world.office.flows.reload() or not world.flows, world.office.flows.problems
    play.before(world)
    links, start = _links(world), world.clock.now()
    for step in play.steps:
        seen, at = len(surface.told()), world.clock.now()
        had = {name: len(surface.written(PEOPLE[name])) for name in play.private}
        record.lines += await _act(step, surface, links, at - start)
        await surface.settle()
        record.lines += [f"> the channel: {one}\n" for one in surface.told()[seen:]]
        for name in play.private:
            new = surface.written(PEOPLE[name])[had[name] :]
            record.lines += [f"> {PEOPLE[name].name} in private: {one}\n" for one in new]
    record.log = await world.events()
    return record


async def _act(step: Say | Wait | Confirm, surface: Surface, links: list[StepUp], since: timedelta) -> list[str]:
    """Do one step; what is written down of it."""
    world = surface.world
    if isinstance(step, Wait):
        world.clock.advance(step.minutes * 60)
        await world.desk.tick()
        await surface.look()
        return [f"\n*{_long(step.minutes)} later*\n"]
    who = PEOPLE[step.who]
    if isinstance(step, Confirm):
        what, code = ("something else", "00000000") if step.wrong else ("the digest and the number", links[-1].code)
        answer = await surface.confirm(links[-1], code)
        did = f"opens the link and types {what}"
    else:
        line = await _filled(world, step.line)
        answer = await surface.say(who, line)
        did = f"`/hoop {line}`"
    said = [f"**{who.name}** at {_minutes(since)}: {did}\n"]
    return [*said, f"> only {who.name} sees: {answer}\n"] if answer else said


def _long(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours and rest else f"{hours} hours" if hours > 1 else f"{minutes} minutes"


def _links(world: World) -> list[StepUp]:
    """The links that are given from now on."""
    given: list[StepUp] = []
    begin = world.desk.begin_step_up

    async def begun(*arguments: Any, **more: Any) -> StepUp:
        given.append(await begin(*arguments, **more))
        return given[-1]

    world.desk.begin_step_up = begun  # type: ignore[method-assign]
    return given


async def _filled(world: World, line: str) -> str:
    """`$1`, `$p1` and `$d1` as the ids they stand for: a request, a proposed text, a delegation."""
    made = await world.events("access.requested")
    proposed = await world.events("proposal.made")
    for number, event in enumerate(made, 1):
        line = line.replace(f"${number}", event.stream)
    for number, event in enumerate(proposed, 1):
        line = line.replace(f"$p{number}", str((event.payload or {})["proposal"]))
    for number, event in enumerate(await world.events("delegation.made"), 1):
        line = line.replace(f"$d{number}", event.stream)
    return line


def _minutes(since: timedelta) -> str:
    return f"+{int(since.total_seconds() // 60)} min"


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
        f"{_minutes(event.at - start):>8}  {event.kind:<24} {name(event.actor):<16} {words(event, name)}"
        for event in kept
    ]


_ID = re.compile(r"\b(req|grt|ses|crd|prp|alw|dlg)_[0-9a-z]{8,12}\b")


def steady(text: str) -> str:
    """Ids by the order in which they are met."""
    met: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        kind = found[1]
        number = 1 + sum(one.startswith(kind) for one in met)
        return met.setdefault(found[0], f"{kind}_{number}")

    return _ID.sub(named, text)


NO_FILE = "No file: this is how hoop decides without any."


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
        f"Files: {', '.join(files)}." if files else "The flow:" if play.texts else NO_FILE,
        *(part for one in play.texts for part in ("", "```yaml", one.rstrip(), "```")),
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
