"""Ways around the rules of approval, each played against the real store. What is attacked never comes: the last line is refused or
still waits, and nobody has what they should not have.

The lines are those of `player.py`. A line that should be refused is marked with `! ` and says what the refusal must say.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ledger.sealing import Sealer
from ledger.store import Store
from tests.approval_flows.player import Player
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy

TWO = "name: two\npriority: 50\nstages: [{name: s, any: {approvers: true}, need: 2}]\n"
STEPS = "name: careful\npriority: 50\nstep_up: true\nstages: [{name: s, any: {approvers: true}}]\n"
AGAIN = "name: again\npriority: 50\nrepeat: 1h\nstages: [{name: s, any: {approvers: true}}]\n"
TOTAL = "name: total\npriority: 50\nmax_duration: 2h\nmax_total: 3h\nstages: [{name: s, any: {approvers: true}}]\n"
NIGHT = (
    "name: night\npriority: 50\nwindows: [{from: '22:00', to: '02:00', zone: Europe/Berlin}]\n"
    "stages: [{name: s, any: {approvers: true}}]\n"
)
DAY = (
    "name: day\npriority: 50\nautomatic: true\n"
    "when: {asks: [access], scopes: [read], hours: [{from: '08:00', to: '18:00', zone: Europe/Berlin}]}\n"
)
LATER = (
    "name: later\npriority: 50\nescalate: [{after: 30m, to: {people: [eve]}}]\n"
    + TWO.partition("\n")[2].partition("\n")[2]
)
ALL = "name: everybody\npriority: 50\nstages: [{name: s, all: {groups: [dba, oncall]}}]\n"
BOSS = "name: boss\npriority: 50\nstages: [{name: s, any: {manager: true}}]\n"
GLASS = (
    "name: glass\npriority: 900\nbreak_glass: {groups: [firefighters], on_call: [primary]}\nmax_duration: 1h\n"
    "stages: [{name: s, any: {approvers: true}}]\n"
)

#: name: (flow, what is played). The clock starts at 2026-11-20 10:00 in Berlin.
ATTACKS: dict[str, tuple[str, str]] = {
    "one's own agent's request": ("", "ann asks read 1h through claude\n! ann approves -> your agent claude's"),
    "one's own request where two are wanted": (TWO, "! ann asks read 1h -> wants 2 other active people"),
    "by taking an approver's place": ("", "ann delegates eve 5d\neve asks read 1h\n! eve approves -> your own request"),
    "by handing one's own place to somebody": ("", "ann delegates eve 5d\nann asks read 1h\n! eve approves -> not an approver"),
    "by a chain of places": (
        "", "ann delegates bob 5d\n! bob delegates eve 5d -> not handed on\ndana asks read 1h\n! eve approves -> not an approver"),
    "two people who are one voice": (TWO, "ann delegates bob 5d\n! dana asks read 1h -> not enough different people"),
    "two people who became one voice": (
        TWO, "dana asks read 1h\nann delegates bob 5d\nbob approves\n! ann approves -> also for you"),
    "the vote of a place that was taken back": (
        TWO,
        "ann delegates eve 5d\ndana asks read 1h\neve approves\nann undelegates\nann approves",
    ),
    "one person in both groups": (ALL, "dana asks read 1h\nbob approves\n! bob approves -> voted on"),
    "an approver who left the group since": ("", "dana asks read 1h\nleaves ann dba\n! ann approves -> not an approver"),
    "an approver who left the company since": ("", "dana asks read 1h\nleaves ann\n! ann approves -> no longer active"),
    "a vote of somebody who left before the second": (TWO, "dana asks read 1h\nann approves\nleaves ann dba\nbob approves"),
    "a manager who asks through their report's agent": (BOSS, "dana asks read 1h through claude\n! dana approves -> your agent"),
    "more after the first of two votes": (TWO, "dana asks read 1h\nann approves\ndana changes admin 8h\nbob approves"),
    "the old card after a change": ("", "dana asks read 1h\ndana changes admin 8h\n! ann approves old -> asked as revision 1"),
    "the old link of step-up after a change": (STEPS, "dana asks read 1h\nann opens link\ndana changes admin 8h\n! link -> not the one on the card"),
    "the link of step-up after its approver left": (STEPS, "dana asks read 1h\nann opens link\nleaves ann dba\n! link -> not an approver"),
    "step-up stepped around by an extension": (
        STEPS, "dana asks read 30m\nann opens link\nlink\n! ann extends 30m -> more than a click\n! ann allows dana read 1h -> more than a click"),
    "an escalation that waited for something else": (LATER, "dana asks read 15m\nat 2026-11-20 10:31\ndana changes admin 8h\n! eve approves -> not an approver"),
    "more time than there is in all, twice at once": (
        TOTAL, "dana asks read 2h\nann approves\ndana extends 1h\nann extends 1h\nann approves\n! dana extends 1m -> at a stretch"),
    "more time by a total that was lowered": (
        TOTAL, "dana asks read 2h\nann approves\nflow s/max_total: 3h/max_total: 2h\n! dana extends 30m -> at a stretch"),
    "more time for an agent by its person": ("", "ann asks read 1h through claude\nbob approves\nann extends 1h\n! ann approves -> your agent claude's"),
    "less that is more: another table": ("", "dana asks read 1h tables orders\n! ann approves tables customers -> not public.customers"),
    "less that is more: all tables": ("", "dana asks read 1h tables orders\nann approves scope read"),
    "less that is more: another level": ("", "dana asks read 1h\n! ann approves scope write -> at most what was asked for"),
    "tables of a scope that has none": ("", "dana asks admin 1h\n! ann approves tables orders -> can be limited to tables"),
    "more time than a window": (NIGHT, "at 2026-11-21 01:50\ndana asks read 1h\nat 2026-11-21 01:59\nann approves\n! ann extends 1m -> window closes\nat 2026-11-21 02:00"),
    "a window that closed while it waited": (NIGHT, "at 2026-11-21 01:30\ndana asks read 1h\nat 2026-11-21 02:00\n! ann approves -> only 22:00-02:00"),
    "a start in the very moment a window closes": (NIGHT, "! dana asks read 1h from 02:00 -> only 22:00-02:00"),
    "a start in another day's hours": (DAY, "dana asks read 1h from 17:59\nat 2026-11-20 18:30\n! dana begins -> by the flow day alone"),
    "the same command again: another one": (AGAIN, "dana runs UPDATE write\nann approves again 1h\ndana runs UPDATE2 write\n! dana begins -> can not be begun"),
    "the same command again: after its approver left": (AGAIN, "dana runs UPDATE write\nann approves again 1h\nleaves ann dba\ndana runs UPDATE write"),
    "the same command again: by somebody else": (AGAIN, "dana runs UPDATE write\nann approves again 1h\neve runs UPDATE write"),
    "the same command again: for longer": (AGAIN, "dana runs UPDATE write\n! ann approves again 61m -> at most 1h"),
    "a yes ahead by one person twice": ("", "ann allows dana read 1h for 5d\n! ann confirms allowance -> another person has to\ndana asks read 1h"),
    "a yes ahead by who is one voice with the first": (
        "", "ann delegates eve 5d\nann allows dana read 1h for 5d\n! eve confirms allowance -> do not decide\ndana asks read 1h"),
    "a yes ahead to oneself": ("", "! ann allows ann read 1h for 5d -> do not decide\n! dana allows dana read 1h -> do not decide"),
    "an author who approves the own text": ("", "dana runs UPDATE write\nann proposes DELETE write\ndana accepts\n! ann approves -> wrote the text"),
    "an author whose place is taken": (
        "", "ann delegates eve 5d\ndana runs UPDATE write\nann proposes DELETE write\ndana accepts\n! eve approves -> does not wait for your approval"),
    "a text that does more than was asked for": ("", "dana runs UPDATE write\n! ann proposes DROP ddl drop -> more than was asked for"),
    "a freeze lifted by one": ("", "dana asks read 1h\nsam freezes\nsam lifts\n! sam lifts -> second person\n! ann approves -> is frozen"),
    "a freeze lifted together with somebody who left": (
        "", "dana asks read 1h\nsam freezes\nsam lifts\nleaves sam security\nolga lifts\n! ann approves -> is frozen"),
    "one voice twice, by handing one's place over after the vote": (
        TWO, "dana asks read 1h\nann approves\nann delegates bob 5d\n! bob approves -> also for you"),
    "a link of step-up after another took their yes back": (
        STEPS.replace("true}}", "true}, need: 2}"),
        "dana asks read 1h\nann opens link\nlink\nbob opens link\nann denies\n! link -> already denied by Ann"),
    "a no of somebody who said yes and left": (TWO, "dana asks read 1h\nann approves\nleaves ann dba\n! ann denies -> not an approver"),
    "broken glass made longer by an ordinary request": (
        GLASS, "oncall dana\ndana breaks read 30m\n! ann extends 30m -> not extended\ndana asks read 8h"),
    "broken glass in the name of an agent": (GLASS, "oncall dana\n! dana breaks read 30m through claude -> agent does not"),
    "broken glass by who decides about it": (GLASS, "oncall dana\ndana breaks read 30m\n! dana acknowledges -> Another person"),
    "a flow made easier while it waits": (TWO, "dana asks read 1h\nann approves\nflow s/, need: 2/\n! ann approves -> voted on"),
    "a cancelled request": ("", "dana asks read 1h\ndana cancels\n! ann approves -> cancelled"),
    "a request that ran out": ("", "dana asks read 1h\nat 2026-11-20 12:00\n! ann approves -> expired"),
}  # fmt: skip
#: What somebody may have at the end, because it was given by the rules.
GIVEN = {
    "step-up stepped around by an extension": ["read until Fri 10:30 CET"],
    "more time than there is in all, twice at once": ["read until Fri 13:00 CET"],
    "more time by a total that was lowered": ["read until Fri 12:00 CET"],
    "more time for an agent by its person": ["read via claude until Fri 11:00 CET"],
    "less that is more: all tables": ["read (only orders) until Fri 11:00 CET"],
    "the same command again: another one": ["one once until Fri 10:10 CET"],
    "the same command again: after its approver left": ["one once until Fri 10:10 CET"],
    "the same command again: by somebody else": ["one once until Fri 10:10 CET"],
    "broken glass made longer by an ordinary request": ["read until Fri 10:30 CET"],
    "broken glass by who decides about it": ["read until Fri 10:30 CET"],
}
#: There was access by the rules, and it is over.
OVER = {"more time than a window"}


@pytest.fixture
async def real(empty_database: Path, tmp_path: Path) -> AsyncIterator[tuple[Store, ManualClock]]:
    path, clock = tmp_path / "store.db", ManualClock(datetime(2026, 11, 20, 9, tzinfo=UTC))
    shutil.copyfile(empty_database, path)
    entropy = SeededEntropy(1)
    store = Store(f"sqlite:///{path}", clock, entropy, Sealer(b"k" * 32, entropy=entropy), synchronous="NORMAL")
    await store.start()
    yield store, clock
    await store.close()


@pytest.mark.parametrize("name", ATTACKS)
async def test_no_way_around(name: str, real: tuple[Store, ManualClock]) -> None:
    flow, script = ATTACKS[name]
    store, clock = real
    player = Player(clock.now(), ZoneInfo("Europe/Berlin"), [flow] if flow else [], store=store, clock=clock)
    for line in script.splitlines():
        step, _, wanted = line.removeprefix("! ").partition(" -> ")
        said = "\n".join(await player.play(step))
        if line.startswith("! "):
            assert said.startswith("refused"), (step, said)
            assert wanted in said, (step, said)
        else:
            assert not said.startswith("refused"), (step, said)
    assert await player.access() == GIVEN.get(name, []), name
    events = await store.read(lambda tx: tx.events(limit=1_000))
    issued = sum(event.kind == "grant.issued" for event in events)
    assert issued == len(GIVEN.get(name, [])) + (name in OVER), name
