"""A transaction that needs a ticket nobody looked up is begun again once it is known; on both stores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from access.errors import Conflict, Invalid, Unavailable
from access.ports import Change, Store
from access.requests import Choice, RequestState
from access.scopes import Read
from access.tickets import Ticket
from approval_flows.desk import Desk
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, DANA, DANA_SELF, PLACE, World

FLOW = """
name: with-ticket
priority: 50
stages: [{name: approvers, any: {approvers: true}}]
ticket: {is: [open, assigned]}
"""


@dataclass
class Board:
    """Implements `access.ports.Tickets`; forgets everything with `deaf`."""

    there: dict[str, Ticket]
    looked: list[str] = field(default_factory=list)
    deaf: bool = False
    _known: dict[str, Ticket] = field(default_factory=dict)

    async def look(self, key: str) -> None:
        self.looked.append(key)
        if not self.deaf:
            self._known[key] = self.there.get(key, Ticket(key))

    def known(self, key: str) -> Ticket | None:
        return self._known.get(key)


@pytest.fixture
def board() -> Board:
    mine = Ticket("INC-1", found=True, open=True, status="To Do", assignee=DANA.id)
    return Board({"INC-1": mine, "INC-2": replace(mine, key="INC-2", open=False, status="Done")})


@pytest.fixture
def desk(store: Store, clock: ManualClock, board: Board) -> Desk:
    world = World(store, clock, flows=(FLOW,))
    return Desk(store, replace(world.office, tickets=board), clock)


async def test_it_is_looked_up_once_and_the_request_filed_once(desk: Desk, board: Board, store: Store) -> None:
    asked = await desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-1", PLACE)
    assert asked.request.flow == "with-ticket"
    assert board.looked == ["INC-1"]
    assert len(await store.read(lambda tx: tx.requests(states=[RequestState.PENDING]))) == 1
    assert [event.kind for event in await store.read(lambda tx: tx.events())] == ["access.requested"]


async def test_a_change_is_looked_at_too_and_the_old_revision_stays(desk: Desk, board: Board) -> None:
    asked = await desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-1", PLACE)
    with pytest.raises(Invalid, match=r"INC-2 is not open \(Done\)"):
        await desk.change(asked.request.id, DANA.id, Change(ticket="INC-2"))
    assert board.looked == ["INC-1", "INC-2"]


async def test_what_can_never_be_known_ends(desk: Desk, board: Board, store: Store) -> None:
    board.deaf = True
    with pytest.raises(Unavailable, match="INC-1 could not be looked up"):
        await desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-1", PLACE)
    assert board.looked == ["INC-1"]
    assert await store.read(lambda tx: tx.requests()) == []


async def test_without_a_ticket_system_the_condition_does_not_hold(store: Store, clock: ManualClock) -> None:
    world = World(store, clock, flows=(FLOW,))
    with pytest.raises(Invalid, match="INC-1 is not known: no ticket system is configured"):
        await world.desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-1", PLACE)


AT_THE_CLICK = """
name: with-ticket
priority: 50
when: {ticket_is: [open]}
stages: [{name: approvers, any: {approvers: true}}]
"""


@pytest.mark.parametrize("text", [FLOW, AT_THE_CLICK], ids=["wanted", "condition"])
@pytest.mark.parametrize(
    ("now", "said"),
    [
        (Ticket("INC-1", found=True, open=False, status="Done", assignee=DANA.id), r"INC-1 is not open \(Done\)"),
        (Ticket("INC-1"), "[Tt]here is no ticket INC-1"),
        (Ticket("INC-1", problem="Jira does not answer"), "INC-1 is not known: Jira does not answer"),
    ],
    ids=["closed", "deleted", "unknown"],
)
async def test_the_ticket_is_looked_at_again_at_the_click(
    store: Store, clock: ManualClock, board: Board, text: str, now: Ticket, said: str
) -> None:
    desk = Desk(store, replace(World(store, clock, flows=(text,)).office, tickets=board), clock)
    request = (await desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-1", PLACE)).request
    board.there["INC-1"] = now
    await board.look("INC-1")
    with pytest.raises(Conflict, match=said):
        await desk.review(request.id, 1, ANN.id, Choice.APPROVE)
    with pytest.raises(Conflict, match=said):
        await desk.begin_step_up(request.id, 1, ANN.id)
    assert await store.read(lambda tx: tx.grants(live_at=tx.now, person=DANA.id, resource="prod-db")) == []
    assert (await desk.review(request.id, 1, ANN.id, Choice.DENY, "no")).state is RequestState.DENIED


async def test_a_ticket_that_was_handed_on_while_its_request_waited(desk: Desk, board: Board) -> None:
    request = (await desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-1", PLACE)).request
    board.there["INC-1"] = replace(board.there["INC-1"], assignee=ANN.id)
    await board.look("INC-1")
    with pytest.raises(Conflict, match="INC-1 is not assigned to Dana") as refused:
        await desk.review(request.id, 1, ANN.id, Choice.APPROVE)
    assert "/hoop change" in refused.value.hint
    board.there["INC-1"] = replace(board.there["INC-1"], assignee=DANA.id)
    await board.look("INC-1")
    assert (await desk.review(request.id, 1, ANN.id, Choice.APPROVE)).state is RequestState.APPROVED


async def test_a_ticket_that_closed_before_the_access_was_begun(store: Store, clock: ManualClock, board: Board) -> None:
    text = FLOW + "activate_within: 1h\n"
    desk = Desk(store, replace(World(store, clock, flows=(text,)).office, tickets=board), clock)
    request = (await desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-1", PLACE)).request
    assert (await desk.review(request.id, 1, ANN.id, Choice.APPROVE)).state is RequestState.APPROVED
    board.there["INC-1"] = replace(board.there["INC-1"], open=False, status="Done")
    await board.look("INC-1")
    with pytest.raises(Conflict, match="INC-1 is not open"):
        await desk.begin(request.id, DANA.id)
