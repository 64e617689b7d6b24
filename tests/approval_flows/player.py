"""Plays at the desk: a file of what people do, each followed by what came of it. Read as a document, compared as a test.

A scenario starts with `## title`; lines that begin with `| ` are a flow file, `window {…}` is one of prod-db, other
lines are what somebody does, and what is indented came of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from access.actors import Actor, Agent, Person, PersonId
from access.emergencies import Finding
from access.errors import HoopError
from access.ids import RequestId
from access.masking import ForApprover, declare_masked
from access.ports import Allow, BreakGlass, Change, Delegate, Narrowed, StepUp, Store
from access.requests import AccessRequest, Choice, Evidence, Grant, RequestState
from access.scopes import OfRunbook, Scope, level_of, limited, scope_said, standing_scope, table_names
from access.statements import Digest, Effect, Flag
from access.windows import Window
from approval_flows.deputising import kept
from approval_flows.flow import Limits
from approval_flows.parse_parts import read_window
from approval_flows.yaml_lines import Reader
from bot.durations import parse_duration
from tests.fakes.clock import ManualClock
from tests.fakes.store import MemoryStore
from tests.fakes.world import EVERYBODY, GROUPS, OLGA, PLACE, PROD, World, held_fact

_IDS = re.compile(r"\b(req|grt|ses|alw|dlg|prp)_[0-9a-z]+")
_EFFECTS = {one.value for one in Effect}
_FLAGS = {one.value for one in Flag}
PEOPLE = {person.wire_name: person for person in EVERYBODY}
OUT = "      "


@dataclass
class Stage:
    """One scenario while it is played."""

    world: World
    zone: ZoneInfo
    request: RequestId | None = None
    allowance: str = ""
    delegation: str = ""
    proposal: str = ""
    link: StepUp | None = None

    def shown(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%a %H:%M %Z}"


def _scope(words: list[str]) -> Scope:
    scope = standing_scope(words[0])
    return limited(scope, table_names(_after(words, "tables", "").split(","))) if "tables" in words else scope


def _after(words: list[str], key: str, otherwise: str) -> str:
    return words[words.index(key) + 1] if key in words else otherwise


def _length(words: list[str], key: str, otherwise: str) -> timedelta:
    return parse_duration(_after(words, key, otherwise))


def _evidence(words: list[str]) -> Evidence:
    """`UPDATE write unbounded_write …`: the first word names the text, the others are effects and flags."""
    text = words[0]
    return Evidence(
        shown=declare_masked(text),
        exact=ForApprover(text),
        complete=True,
        digest=Digest(f"{text.lower():x<64}"[:64]),
        database="app",
        effects=frozenset(Effect(word) for word in words[1:] if word in _EFFECTS),
        flags=frozenset(Flag(word) for word in words[1:] if word in _FLAGS),
        verbs=(text,),
    )


class Player:
    """What each verb does at the desk, and what it says came of it."""

    def __init__(
        self,
        at: datetime,
        zone: ZoneInfo,
        flows: Sequence[str],
        resource: str = "",
        store: Store | None = None,
        clock: ManualClock | None = None,
    ) -> None:
        clock = clock or ManualClock(at)
        prod = replace(PROD, labels=MappingProxyType({"env": "production"}))
        if resource:
            prod = replace(prod, windows=_windows(resource))
        limits = Limits(
            delegate_from=("dba", "owners"), delegate_to=("dba", "helpers"), begin_within=timedelta(hours=1)
        )
        world = World(store or MemoryStore(clock), clock, limits=limits, resources={"prod-db": prod})
        self.stage, self.clock = Stage(world, zone), clock
        self._left: set[tuple[str, ...]] = set()
        self._company()
        world.on_call.now = {"primary": frozenset()}
        world.flows = tuple(flows)
        world.office.flows.reload()
        assert not world.office.flows.problems, world.office.flows.problems

    async def play(self, line: str) -> list[str]:
        """What came of one line."""
        first, *words = line.split()
        try:
            said = await self._said(first, words)
        except HoopError as error:
            rule = getattr(error, "rule", "")
            said = [f"refused{f' ({rule})' if rule else ''}: {error.message}"]
        return [_IDS.sub(r"\1_…", one) for one in said]

    async def _said(self, first: str, words: list[str]) -> list[str]:
        if first in PEOPLE:
            verb: Callable[[Person, list[str]], Coroutine[Any, Any, list[str]]] = getattr(self, f"_{words[0]}")
            return await verb(PEOPLE[first], words[1:])
        plain: Callable[[list[str]], Coroutine[Any, Any, list[str]]] = getattr(self, f"do_{first}")
        return await plain(words)

    # ---------------------------------------------------------------------------- the world

    async def do_at(self, words: list[str]) -> list[str]:
        """`at 2026-03-29 03:30`: the wall clock of the scenario's zone moves on to then, and the timers run."""
        to = datetime.fromisoformat(f"{words[0]}T{words[1]}").replace(tzinfo=self.stage.zone)
        self.clock.advance((to.astimezone(UTC) - self.clock.now()).total_seconds())
        before = len(await self.stage.world.events())
        await self.stage.world.desk.tick()
        return [event.kind for event in (await self.stage.world.events())[before:]]

    async def do_oncall(self, words: list[str]) -> list[str]:
        """`oncall bob`, `oncall nobody`, `oncall unreachable`."""
        self.stage.world.on_call.down = words == ["unreachable"]
        people = frozenset(PEOPLE[one].id for one in words if one in PEOPLE)
        self.stage.world.on_call.now["primary"] = people
        return []

    async def do_leaves(self, words: list[str]) -> list[str]:
        """`leaves ann dba`: out of a group; `leaves ann`: out of the company."""
        self._left.add(tuple(words))
        self._company()
        return []

    def _company(self) -> None:
        """Who is there now, in which groups."""
        people = [replace(one, active=one.active and (one.wire_name,) not in self._left) for one in EVERYBODY]
        managed = [replace(one, manager=OLGA.id) if one.wire_name == "dana" else one for one in people]
        everywhere = {**GROUPS, "helpers": ("eve",), "firefighters": ("bob", "dana")}
        groups = {
            group: tuple(one for one in members if (one, group) not in self._left)
            for group, members in everywhere.items()
        }
        self.stage.world.directory.replace(managed, groups)

    async def do_flow(self, words: list[str]) -> list[str]:
        """`flow s/OLD/NEW`: the owner changes the file of a flow."""
        old, new = " ".join(words).removeprefix("s/").split("/")
        world = self.stage.world
        assert any(old in one for one in world.flows), old
        world.flows = tuple(one.replace(old, new) for one in world.flows)
        return ["in force" if world.office.flows.reload() else "not in force"]

    # ---------------------------------------------------------------------------- asking

    async def _asks(self, who: Person, words: list[str]) -> list[str]:
        """`asks read 1h [from 22:30] [tables a,b] [ticket K] [through AGENT]`."""
        world = self.stage.world
        start = self._day(_after(words, "from", "")) if "from" in words else None
        scope, length = _scope(words), parse_duration(words[1])
        ticket = _after(words, "ticket", "")
        asked = await world.desk.ask_access(
            self._actor(who, words), "prod-db", scope, length, "repair order 7", ticket, PLACE, start
        )
        return await self._filed(asked.request)

    async def _runs(self, who: Person, words: list[str]) -> list[str]:
        """`runs UPDATE write`: one command; `runs runbook NAME read`: a runbook."""
        world, actor = self.stage.world, self._actor(who, words)
        if words[0] == "runbook":
            evidence = _evidence([words[1], *words[2:]])
            scope = OfRunbook("c" * 40, words[1], Digest("p" * 64), (evidence.digest,))
            asked = await world.desk.ask_run(actor, "prod-db", scope, evidence, "by plan", "", PLACE)
        else:
            asked = await world.desk.ask_command(actor, "prod-db", _evidence(words), "repair order 7", "", PLACE)
        return await self._filed(asked.request)

    async def _holds(self, who: Person, words: list[str]) -> list[str]:
        """`holds DELETE write`: a statement of theirs is held on the wire."""
        world, actor, evidence = self.stage.world, self._actor(who, words), _evidence(words)
        session = await world.session(actor)
        fact = held_fact(session, evidence.digest)
        return await self._filed(await world.desk.hold(actor, "prod-db", evidence, session, (), 900, fact))

    async def _changes(self, who: Person, words: list[str]) -> list[str]:
        """`changes write 2h`."""
        change = Change(duration=parse_duration(words[1]), scope=_scope(words))
        return await self._filed(await self.stage.world.desk.change(self._id, who.id, change))

    async def _extends(self, who: Person, words: list[str]) -> list[str]:
        """By its person it is asked for; by an approver it is done."""
        world, live, add = self.stage.world, await self._live(), parse_duration(words[0])
        if not live:
            return ["there is no access to extend"]
        grant = live[0]
        if who.id == grant.actor.person:
            asked = await world.desk.ask_extension(grant.id, who.id, add, "still at it", PLACE)
            return await self._filed(asked.request)
        await world.desk.extend(grant.id, who.id, add)
        return await self._access()

    # ---------------------------------------------------------------------------- deciding

    async def _approves(self, who: Person, words: list[str]) -> list[str]:
        """`approves [for 15m] [scope read] [tables a] [again 1h] [old]`; `old`: by the card of the first revision."""
        less = Narrowed(
            _length(words, "for", "1h") if "for" in words else None,
            standing_scope(_after(words, "scope", "read")) if "scope" in words else None,
            _length(words, "again", "1h") if "again" in words else None,
            table_names(_after(words, "tables", "").split(",")) if "tables" in words else (),
        )
        row = await self._row()
        revision = 1 if "old" in words else row.revision
        await self.stage.world.desk.review(row.id, revision, who.id, Choice.APPROVE, "", less)
        return await self._now()

    async def _denies(self, who: Person, _: list[str]) -> list[str]:
        row = await self._row()
        await self.stage.world.desk.review(row.id, row.revision, who.id, Choice.DENY, "no")
        return await self._now()

    async def _confirms(self, who: Person, words: list[str]) -> list[str]:
        """By step-up (`confirms`, or `confirms wrongly`), or a yes ahead (`confirms allowance`)."""
        world, row = self.stage.world, await self._row() if words != ["allowance"] else None
        if row is None:
            return self._allowed((await world.desk.confirm(self.stage.allowance, who.id)).given)
        link = await world.desk.begin_step_up(row.id, row.revision, who.id)
        number = "00" if words == ["wrongly"] else link.number
        await world.desk.finish_step_up(link.secret, link.code, number)
        return await self._now()

    async def _opens(self, who: Person, _: list[str]) -> list[str]:
        """`opens link`: of step-up, kept for later."""
        row = await self._row()
        self.stage.link = await self.stage.world.desk.begin_step_up(row.id, row.revision, who.id)
        return ["kept"]

    async def do_link(self, _: list[str]) -> list[str]:
        """`link`: whoever has it uses it."""
        link = self.stage.link
        assert link is not None
        await self.stage.world.desk.finish_step_up(link.secret, link.code, link.number)
        return await self._now()

    async def _proposes(self, who: Person, words: list[str]) -> list[str]:
        """`proposes UPDATE write`: another text for a command."""
        row = await self._row()
        made = await self.stage.world.desk.propose(row.id, row.revision, who.id, _evidence(words), "better")
        self.stage.proposal = made.id
        return ["proposed"]

    async def _accepts(self, who: Person, _: list[str]) -> list[str]:
        return await self._filed(await self.stage.world.desk.accept(self.stage.proposal, who.id))

    async def _cancels(self, who: Person, _: list[str]) -> list[str]:
        await self.stage.world.desk.cancel(self._id, who.id)
        return await self._now()

    async def _begins(self, who: Person, _: list[str]) -> list[str]:
        await self.stage.world.desk.begin(self._id, who.id)
        return await self._access()

    async def _revokes(self, who: Person, _: list[str]) -> list[str]:
        await self.stage.world.desk.revoke((await self._live())[0].id, who.id, "enough")
        return await self._access()

    # ---------------------------------------------------------------------------- orders

    async def _freezes(self, who: Person, words: list[str]) -> list[str]:
        await self.stage.world.desk.freeze(" ".join(words) or "prod-db", who.id, "restoring", cut=True)
        return ["frozen"]

    async def _lifts(self, who: Person, _: list[str]) -> list[str]:
        left = await self.stage.world.desk.lift("prod-db", who.id)
        return ["lifted" if left is None else "a second person lifts it"]

    async def _allows(self, who: Person, words: list[str]) -> list[str]:
        """`allows dana read 2h for 5d`."""
        length = _length(words, "for", "5d")
        wanted = Allow(words[0], "prod-db", standing_scope(words[1]), length, parse_duration(words[2]), "on duty")
        made = await self.stage.world.desk.allow(wanted, who.id)
        self.stage.allowance = made.id
        return self._allowed(made.given)

    async def _disallows(self, who: Person, _: list[str]) -> list[str]:
        await self.stage.world.desk.disallow(self.stage.allowance, who.id)
        return ["taken back"]

    async def _delegates(self, who: Person, words: list[str]) -> list[str]:
        """`delegates eve 5d`."""
        until = self.clock.now() + parse_duration(words[1])
        made = await self.stage.world.desk.delegate(who.id, Delegate(words[0], "*", until))
        self.stage.delegation = made.id
        return [f"until {self.stage.shown(made.until)}"]

    async def _undelegates(self, who: Person, _: list[str]) -> list[str]:
        await self.stage.world.desk.undelegate(self.stage.delegation, who.id)
        return ["ended"]

    # ---------------------------------------------------------------------------- break-glass

    async def _breaks(self, who: Person, words: list[str]) -> list[str]:
        """`breaks write 30m [typing NAME]`."""
        reason = "The checkout is down since 02:10, orders pile up."
        typed = _after(words, "typing", "prod-db")
        wanted = BreakGlass("prod-db", typed, _scope(words), parse_duration(words[1]), reason, "INC-7", PLACE)
        request = await self.stage.world.desk.break_glass(self._actor(who, words), wanted)
        self.stage.request = request.id
        told = request.emergency.told if request.emergency else ()
        return [*await self._access(), f"told by name: {self._names(told)}"]

    async def _acknowledges(self, who: Person, _: list[str]) -> list[str]:
        await self.stage.world.desk.acknowledge(self._id, who.id)
        return ["acknowledged"]

    async def _attests(self, who: Person, _: list[str]) -> list[str]:
        await self.stage.world.desk.attest(self._id, who.id, "Restarted the worker of the checkout.")
        return ["attested"]

    async def _closes(self, who: Person, _: list[str]) -> list[str]:
        await self.stage.world.desk.close(self._id, who.id, Finding.JUSTIFIED)
        return ["closed"]

    # ---------------------------------------------------------------------------- what came of it

    async def _filed(self, request: AccessRequest) -> list[str]:
        self.stage.request = request.id
        return await self._now()

    async def _now(self) -> list[str]:
        """Where the request stands, and the access there is."""
        row, world = await self._row(), self.stage.world
        said = [f"{row.flow}: {row.state.value}{f', revision {row.revision}' if row.revision > 1 else ''}"]
        if row.state is RequestState.PENDING:
            votes = await world.store.read(lambda tx: tx.reviews(row.id, row.revision))
            now = world.desk.progress(row, votes, await world.store.read(kept))
            stages = ", ".join(f"{name} {have} of {want}" for name, have, want in now.stages)
            who = ", ".join(person.name for person in now.deciders) or "nobody"
            said = [f"{said[0]} — {stages}; can decide now: {who}; until {self.stage.shown(row.expires_at)}"]
        opening = await world.store.read(lambda tx: tx.doc("ready", row.id))
        if opening is not None:
            first, last = (datetime.fromisoformat(str(opening[key])) for key in ("start", "until"))
            said.append(f"to be begun from {self.stage.shown(first)} to {self.stage.shown(last)}")
        return [*said, *(await self._access() if row.state is RequestState.APPROVED else [])]

    async def access(self) -> list[str]:
        """All access there is now."""
        return [self._granted(one) for one in await self._live()]

    async def _access(self) -> list[str]:
        return [f"access: {one}" for one in await self.access()] or ["access: none"]

    def _granted(self, grant: Grant) -> str:
        via = f" via {grant.actor.via.name}" if grant.actor.via else ""
        kind = scope_said(grant.scope) if level_of(grant.scope) else f"one {scope_said(grant.scope)}"
        return f"{kind}{via} until {self.stage.shown(grant.expires_at)}"

    async def _live(self) -> list[Grant]:
        """Live grants, the newest first."""
        world, now = self.stage.world, self.clock.now()
        return [one for one in await world.store.read(lambda tx: tx.grants(live_at=now)) if one.live(now)]

    async def _row(self) -> AccessRequest:
        return await self.stage.world.request(self._id)

    @property
    def _id(self) -> RequestId:
        assert self.stage.request is not None
        return self.stage.request

    def _actor(self, who: Person, words: list[str]) -> Actor:
        agent = _after(words, "through", "")
        return Actor(who.id, Agent(agent) if agent else None, who.name)

    def _day(self, clock: str) -> datetime:
        """The next time the clock of the zone shows this."""
        now = self.clock.now().astimezone(self.stage.zone)
        hour, minute = map(int, clock.split(":"))
        found = now.replace(hour=hour, minute=minute, second=0)
        found = found if found > now else found + timedelta(days=1)
        return found.astimezone(UTC)

    def _allowed(self, given: bool) -> list[str]:
        return ["in force" if given else "another person has to say yes"]

    def _names(self, people: tuple[PersonId, ...]) -> str:
        return ", ".join(self.stage.world.office.name(one) for one in people) or "nobody"


def _windows(text: str) -> tuple[Window, ...]:
    reader = Reader("window")
    node = reader.document(text)
    assert node is not None
    found = read_window(reader, node, "window")
    assert not reader.problems, reader.problems
    return (found,)


async def played(script: str) -> str:
    """The script with what comes of each line now."""
    out: list[str] = []
    player: Player | None = None
    flow: list[str] = []
    flows: list[str] = []
    zone, resource = ZoneInfo("UTC"), ""
    for line in script.splitlines():
        if line.startswith(OUT):
            continue
        out.append(line)
        if line.startswith("## "):
            player, flow, flows, zone, resource = None, [], [], ZoneInfo("UTC"), ""
        elif line.startswith("| "):
            flow.append(line[2:])
        elif not line or line.startswith("#"):
            flows, flow = [*flows, "\n".join(flow)] if flow else flows, []
        elif line.startswith("zone "):
            zone = ZoneInfo(line.split()[1])
        elif line.startswith("window "):
            resource = line.removeprefix("window ")
        elif line.startswith("at ") and player is None:
            flows, flow = [*flows, "\n".join(flow)] if flow else flows, []
            _, day, clock = line.split()
            at = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).astimezone(UTC)
            player = Player(at, zone, flows, resource)
        else:
            assert player is not None, f"no time yet: {line}"
            out += [OUT + said for said in await player.play(line)]
    return "\n".join(out) + "\n"
