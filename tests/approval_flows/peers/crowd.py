"""The world in which a crowd of twenty decides, the same in every process."""

from __future__ import annotations

from access.ports import Store
from approval_flows.flow import Limits
from tests.approval_flows.test_break_glass import FLOW as GLASS
from tests.fakes.clock import ManualClock
from tests.fakes.entropy import SeededEntropy
from tests.fakes.world import DANA, EVERYBODY, GROUPS, World, a_person, two_people

CROWD = [a_person(f"p{number}") for number in range(20)]
STAGED = "name: staged\npriority: 9\nstages:\n  - {name: dba, any: {approvers: true}, need: 2}\n  - {name: owners, any: {owners: true}}\n"
SCENARIOS = {
    "one approval": "",
    "two people of one stage": two_people().replace("stages:", "priority: 9\nstages:"),
    "two of one stage, then an owner": STAGED,
    "approve against deny": "",
    "closing broken glass": GLASS,
}


def prepared(store: Store, clock: ManualClock, scenario: str, *, seed: int) -> World:
    """The small company with twenty database administrators and the scenario's flow."""
    world = World(store, clock, SeededEntropy(seed), Limits(pending_per_person=10_000))
    groups = {**GROUPS, "dba": ("ann", "bob", *(one.wire_name for one in CROWD)), "firefighters": ("dana",)}
    world.directory.replace((*EVERYBODY, *CROWD), groups)
    world.on_call.now["primary"] = frozenset({DANA.id})
    if SCENARIOS[scenario]:
        world.flows = (SCENARIOS[scenario],)
        assert world.office.flows.reload(), world.office.flows.problems
    return world
