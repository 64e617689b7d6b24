"""What flows want of a ticket, looked up in Jira: unknown is no, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from access.errors import Invalid
from access.requests import AccessRequest, Ask, RequestState
from access.scopes import Read, Write
from app.jira.tickets import JiraTickets
from approval_flows.desk import Desk as Approvals
from approval_flows.parse import parse
from approval_flows.ticketing import LookUp, TicketIs, ticket_of, unmet
from tests.app.jira.conftest import Desk
from tests.fakes.world import DANA, DANA_SELF, EVE, PLACE

MINE = """
name: with-ticket
priority: 50
when: {scopes: [read], ticket_is: [open, assigned]}
automatic: true
"""
WANTED = """
name: needs-ticket
priority: 40
when: {scopes: [write]}
stages: [{name: approvers, any: {approvers: true}}]
ticket: {is: [open, assigned]}
"""


@pytest.fixture
async def approvals(desk: Desk, tickets: JiraTickets) -> Approvals:
    desk.world.flows = (MINE, WANTED)
    desk.world.office.flows.reload()
    assert not desk.world.office.flows.problems
    return Approvals(desk.world.store, replace(desk.world.office, tickets=tickets), desk.clock)


async def ask(approvals: Approvals, ticket: str, scope: Read | Write | None = None) -> AccessRequest:
    return (await approvals.ask_access(DANA_SELF, "prod-db", scope or Read(), None, "why", ticket, PLACE)).request


async def test_a_ticket_that_is_open_and_mine_is_enough(desk: Desk, approvals: Approvals) -> None:
    desk.jira.add("INC-7", "In Progress", "acc-dana")
    request = await ask(approvals, "INC-7")
    assert (request.flow, request.state) == ("with-ticket", RequestState.APPROVED)
    assert (await ask(approvals, f"{desk.jira.url}/browse/INC-7", Write())).flow == "needs-ticket"


@pytest.mark.parametrize(
    ("status", "assignee", "ticket", "said"),
    [
        ("Done", "acc-dana", "INC-7", "INC-7 is not open (Done)"),
        ("To Do", "acc-ann", "INC-7", "INC-7 is not assigned to Dana"),
        ("To Do", "", "INC-7", "INC-7 is not assigned to Dana"),
        ("To Do", "acc-stranger", "INC-7", "not assigned"),
        ("To Do", "acc-dana", "INC-8", "There is no ticket INC-8"),
        ("To Do", "acc-dana", "../../myself", "not the key"),
        ("To Do", "acc-dana", "https://evil.example/browse/INC-7", "not the key"),
        ("To Do", "acc-dana", "", "wants a ticket"),
    ],
)
async def test_everything_else_is_not(
    desk: Desk, approvals: Approvals, status: str, assignee: str, ticket: str, said: str
) -> None:
    desk.jira.add("INC-7", status, assignee)
    request = await ask(approvals, ticket)
    assert (request.flow, request.state) == ("default", RequestState.PENDING)
    with pytest.raises(Invalid) as refused:
        await ask(approvals, ticket, Write())
    assert said in refused.value.message
    assert refused.value.field == "ticket"


@pytest.mark.parametrize("broken", [401, 403, 429, 500, 503])
async def test_an_unreachable_jira_opens_nothing(desk: Desk, approvals: Approvals, broken: int) -> None:
    desk.jira.add("INC-7", "To Do", "acc-dana")
    desk.jira.broken = broken
    assert (await ask(approvals, "INC-7")).state is RequestState.PENDING
    with pytest.raises(Invalid, match="INC-7 is not known: "):
        await ask(approvals, "INC-7", Write())


async def test_it_is_asked_once_and_believed_for_a_moment(desk: Desk, tickets: JiraTickets) -> None:
    desk.jira.add("INC-7", "To Do", "acc-dana")
    for _ in range(3):
        await tickets.look("INC-7")
    assert desk.jira.calls.count("GET /issue/INC-7") == 1
    desk.clock.advance(31)
    assert tickets.known("INC-7") is None
    desk.jira.broken = 500
    await tickets.look("INC-7")
    known = tickets.known("INC-7")
    assert known is not None
    assert known.problem
    assert unmet({TicketIs.EXISTS}, known, DANA).startswith("INC-7 is not known")
    desk.clock.advance(4)
    assert tickets.known("INC-7") is None


async def test_a_flood_of_keys_does_not_grow_the_memory(desk: Desk, tickets: JiraTickets) -> None:
    for number in range(1100):
        await tickets.look(f"nonsense {number}")
    assert len(tickets._found) == 1000


async def test_what_is_not_known_yet_asks_to_be_looked_up(tickets: JiraTickets) -> None:
    with pytest.raises(LookUp):
        ticket_of(tickets, "INC-7")
    assert unmet({TicketIs.OPEN}, ticket_of(tickets, ""), EVE) == "no ticket is named"
    assert unmet((), ticket_of(tickets, ""), EVE) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when: {ticket_is: [closed]}", "when.ticket_is"),
        ("when: {ticket_is: []}", "when.ticket_is"),
        ("ticket: {is: [open], required: false}", "needs required: true"),
        ("reason: {is: [open]}", "reason"),
        (
            "when: {ticket_is: [open]}\nmax_duration: 1h\nbreak_glass: {groups: [a], roles: [b]}",
            "does not wait for another system",
        ),
    ],
)
def test_flow_files_with_mistakes_are_refused(text: str, said: str) -> None:
    stages = "stages: [{name: approvers, any: {approvers: true}}]"
    flow, problems = parse("f.yml", f"name: x\n{stages}\n{text}\n")
    assert flow is None
    assert any(said in str(problem) for problem in problems), problems


def test_a_command_can_want_one_too(tickets: JiraTickets) -> None:
    flow, problems = parse("f.yml", WANTED.replace("scopes: [write]", "asks: [command]"))
    assert not problems
    assert flow is not None
    assert flow.ticket.ticket_is == {TicketIs.OPEN, TicketIs.ASSIGNED}
    assert flow.when.asks == {Ask.COMMAND}
