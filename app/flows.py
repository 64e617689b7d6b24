"""The owner's approval flows of one process: read at the start, read again while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from pathlib import Path

from access.duty import OnCall
from access.errors import Invalid, Unavailable, listed
from access.events import FlowsLoaded
from access.ports import Clock, Directory, Store, Tx, Vault
from access.resources import Resource
from app.last_good import LastGood, keep, kept
from app.on_call import Opsgenie, PagerDuty, Provider, RemoteOnCall, Roster
from app.settings import Settings
from approval_flows.good_parts import good_parts, load_good_parts
from approval_flows.model import FlowProblem
from approval_flows.on_call_file import OnCallFile, parse_schedules, read_schedules
from approval_flows.shelf import FlowSet, FlowShelf, build, load_folder, load_shipped

LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What the flows and schedules of a process are read with."""

    settings: Settings
    base: Path
    directory: Directory
    resources: Mapping[str, Resource]
    vault: Vault
    clock: Clock
    store: Store

    def on_call(self, earlier: str = "") -> Roster:
        """`on_call_of` it."""
        return on_call_of(self.settings, self.base, self.directory, self.vault, self.clock, earlier)

    async def kept(self) -> LastGood:
        """The last good version that the store keeps; nothing where there is none."""
        return await self.store.read(kept) or LastGood()


class FlowsWanted(Enum):
    """How much of the owner's flows something needs, and so what a broken file does to it."""

    ALL = auto()  # refused with any problem: whoever decides, goes by all that the owner wrote
    KEPT = auto()  # else goes on with the last good version: a process of a running gateway that is started again
    GOOD = auto()  # goes on with the files that are good, else with the last good version (`hoop break-glass`)
    NONE = auto()  # looks at none; without flows nothing can be asked for or granted by one


log = logging.getLogger("hoop")


def on_call_of(
    settings: Settings, base: Path, directory: Directory, vault: Vault, clock: Clock, earlier: str = ""
) -> Roster:
    """The schedules of the owner's file and of on-call systems; `refresh` asks those. Raises Invalid with every problem in
    the file, unless it can go by the `earlier` text."""
    approvals = settings.approvals
    file = OnCallFile(base / approvals.on_call, directory, earlier) if approvals.on_call else None
    remote: dict[str, tuple[Provider, str]] = {}
    for system in approvals.on_call_systems:
        token = partial(vault.secret, system.token)
        of: type[PagerDuty | Opsgenie] = PagerDuty if system.provider == "pagerduty" else Opsgenie
        provider = of(token, system.url.rstrip("/")) if system.url else of(token)
        remote |= {name: (provider, there) for name, there in system.schedules.items()}
    return Roster(file, RemoteOnCall(remote, directory, clock) if remote else None)


def shelf_of(
    settings: Settings,
    base: Path,
    directory: Directory,
    resources: Mapping[str, Resource],
    on_call: OnCall,
    earlier: LastGood | None = None,
) -> FlowShelf:
    """The flows that ship and those of the owner's directory, or the `earlier` version of these where they are broken.

    Raises Invalid with every problem: a gateway never starts with less than the owner wrote.
    """
    if not settings.approvals.flows:
        return FlowShelf()
    folder = base / settings.approvals.flows
    shelf = FlowShelf(lambda: load_folder(folder, directory, resources, on_call.schedules()))
    if shelf.problems and earlier is not None and earlier.flows:
        built, wrong = build(earlier.flows, directory, resources, on_call.schedules())
        if not wrong:
            shelf.current = built
            said = f"going by {_instead([str(folder)], earlier)}"
            log.error("%s", listed(shelf.problems, f"the approval flows; {said}"))
            return shelf
    if shelf.problems:
        raise Invalid(listed(shelf.problems, "the approval flows"))
    return shelf


async def flows_and_duty(wanted: FlowsWanted, ground: Ground) -> tuple[Roster, FlowShelf]:
    """The schedules and flows of this process. Raises Invalid with every problem that stands in the way."""
    if wanted is FlowsWanted.NONE:
        return Roster(None, None), FlowShelf(lambda: (FlowSet(), ()))
    if wanted is FlowsWanted.GOOD:
        return await _good(ground)
    earlier = await ground.kept() if wanted is FlowsWanted.KEPT else LastGood()
    on_call = ground.on_call(earlier.on_call)
    await on_call.refresh()
    return on_call, shelf_of(ground.settings, ground.base, ground.directory, ground.resources, on_call, earlier)


async def _good(ground: Ground) -> tuple[Roster, FlowShelf]:
    """The good files. What can not be done without goes by the last good version; a file of schedules that has none, has no
    schedules, and a flow that wants one of them is broken with it."""
    earlier = LastGood()
    troubles: tuple[FlowProblem, ...] = ()
    old: tuple[str, ...] = ()
    try:
        on_call = ground.on_call()
    except Invalid:
        earlier = await ground.kept()
        on_call, troubles, old = _other_schedules(ground, earlier)
    await on_call.refresh()
    directory, resources, folder = ground.directory, ground.resources, ground.settings.approvals.flows
    if not folder:
        flows, problems = load_shipped()
        return on_call, FlowShelf(lambda: (flows, (*problems, *troubles)), _instead(old, earlier) if old else "")
    found = load_good_parts(ground.base / folder, directory, resources, on_call.schedules())
    problems = (*troubles, *found.problems)
    if found.doubtful:
        earlier = await ground.kept()
        again = good_parts(earlier.flows, (), directory, resources, on_call.schedules())
        if not earlier.flows or again.doubtful:
            raise Invalid(
                f"Who may break glass, and how, cannot be told while this is broken:\n  {_lines(problems)}",
                hint=f"Mend or take away: {', '.join(found.doubtful)}. The store has no version that is good.",
            )
        found, problems, old = again, (*problems, *again.problems), (*old, *found.doubtful)
    notice = _instead(old, earlier) if old else "the files that are good"
    return on_call, FlowShelf(lambda: (found.flows, problems), notice)


def _other_schedules(ground: Ground, earlier: LastGood) -> tuple[Roster, tuple[FlowProblem, ...], tuple[str, ...]]:
    """What there is beside a broken file of schedules, what is wrong with that, and its name where its last good version is
    gone by."""
    path = ground.base / ground.settings.approvals.on_call
    _, troubles = read_schedules(path, ground.directory)
    if earlier.on_call and not parse_schedules(str(path), earlier.on_call, ground.directory)[1]:
        return ground.on_call(earlier.on_call), troubles, (str(path),)
    without = ground.settings.approvals.model_copy(update={"on_call": ""})
    settings = ground.settings.model_copy(update={"approvals": without})
    return replace(ground, settings=settings).on_call(), troubles, ()


def _instead(files: Sequence[str], earlier: LastGood) -> str:
    since = f", in force since {earlier.since:%Y-%m-%d %H:%M} UTC" if earlier.since else ""
    return f"THE LAST GOOD VERSION that the store kept{since}, in place of {', '.join(files)}"


def _lines(problems: Sequence[FlowProblem]) -> str:
    return "\n  ".join(map(str, problems))


async def watch(shelf: FlowShelf, on_call: Roster, store: Store, node: str) -> None:
    """Take changed files into force, on record, until cancelled; what can not be read leaves the flows as they are. The
    version in force is kept in the store."""
    recorded, in_store = shelf.current.digest, LastGood(on_call="?")
    while True:
        good = LastGood(shelf.current.texts, on_call.text)
        if good != in_store:
            try:
                await keep(store, good)
            except Unavailable as error:
                log.warning("The approval flows in force are kept in the store later: %s", error)
            else:
                in_store = good
        await asyncio.sleep(LOOK_SECONDS)
        await on_call.refresh()
        await asyncio.to_thread(shelf.reload)
        if shelf.current.digest != recorded:
            try:
                await record(shelf.current, store, node)
            except Unavailable as error:
                log.warning("The change of the approval flows is recorded later: %s", error)
            else:
                recorded = shelf.current.digest


async def record(current: FlowSet, store: Store, node: str) -> None:
    """Write down which flows this process decides by."""
    names = [flow.name for flow in current.flows]
    fact = FlowsLoaded(stream=f"node:{node}", actor="gateway", digest=current.digest, names=names)

    def work(tx: Tx) -> None:
        tx.append(fact)

    await store.transact(work)
    log.info("approval flows in force: %s", ", ".join(names))
