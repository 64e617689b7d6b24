"""Requests as issues, through the real `jira` library: what is written, once, and what happens when Jira does not take it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.errors import Invalid, Unavailable
from access.ids import GrantId
from access.ports import Change
from access.requests import Choice, RequestState
from access.scopes import Read, Write
from app.jira.client import Client, Login
from app.jira.mirror import KIND, OF_REQUEST
from app.settings_jira import JiraTemplate, JiraTransitions
from tests.app.jira.conftest import Desk
from tests.approval_flows.test_break_glass import broken, glass
from tests.fakes.world import ANN, DANA, DANA_SELF, PLACE, evidence_of


async def test_a_request_becomes_an_issue_and_its_end_is_told(desk: Desk) -> None:
    request = await desk.world.ask(reason="look at {code}orders{code} [~admin]")
    await desk.told()
    issue = desk.jira.issues["OPS-1"]
    assert issue["summary"] == "Dana asks for read access to prod-db"
    assert "\\{code\\}orders\\{code\\} \\[\\~admin\\]" in issue["description"]
    assert issue["labels"] == [f"hoop-{request.id}"]
    assert f"https://hoop/requests/{request.id}" in issue["description"]

    await desk.world.approve(request)
    await desk.told()
    said = desk.jira.comments["OPS-1"]
    assert any("Ann: voted approve" in one for one in said)
    assert issue["status"] == "In Progress"

    grant = (await desk.world.grants(request.id))[0]
    await desk.world.desk.done(GrantId(grant.id), DANA.id)
    await desk.told()
    assert desk.jira.issues["OPS-1"]["status"] == "Done"
    assert len(desk.jira.comments["OPS-1"]) == len(set(desk.jira.comments["OPS-1"])) == 3


async def test_what_was_taken_under_break_glass_is_not_told_as_approved(desk: Desk) -> None:
    await broken(glass(desk.world))
    await desk.told()
    issue = desk.jira.issues["OPS-1"]
    assert issue["summary"].startswith("Break-glass, without approval: Dana")
    assert "*Approval:* none" in issue["description"]
    said = "\n".join(desk.jira.comments["OPS-1"])
    assert "Dana: granted without approval: break\\-glass" in said
    assert "approved by" not in said


async def test_the_statement_is_the_masked_one_and_cannot_leave_its_block(desk: Desk) -> None:
    text = "SELECT '{noformat} h1. approved'"
    await desk.world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(text=text), "why", "", PLACE)
    await desk.told()
    description = desk.jira.issues["OPS-1"]["description"]
    assert description.count("{noformat}") == 2
    assert "public.customers" in description.replace("\\", "")


async def test_while_jira_is_down_requests_go_on_and_are_told_later(desk: Desk) -> None:
    desk.jira.broken = 503
    request = await desk.world.ask()
    await desk.told()
    assert (await desk.world.approve(request)).state is RequestState.APPROVED
    await desk.told()
    pauses = []
    for _ in range(5):
        before = await desk.world.store.read(lambda tx: tx.outbox(kind=KIND))
        assert before == []  # waits
        desk.clock.advance(40)
        due = await desk.world.store.read(lambda tx: tx.outbox(kind=KIND))
        pauses.append(len(due))
        await desk.told()
    assert sum(pauses) < 5  # the pauses grow
    desk.jira.broken = 0
    desk.clock.advance(4000)
    await desk.told()
    assert list(desk.jira.issues) == ["OPS-1"]
    assert any("voted approve" in one for one in desk.jira.comments["OPS-1"])


async def test_an_answer_that_was_lost_does_not_make_a_second_issue(desk: Desk) -> None:
    desk.jira.lose = True
    await desk.world.ask()
    await desk.told()
    desk.clock.advance(60)
    await desk.told()
    assert list(desk.jira.issues) == ["OPS-1"]
    assert "GET /search/jql" in desk.jira.calls


async def test_a_change_rewrites_the_issue(desk: Desk) -> None:
    request = await desk.world.ask()
    await desk.told()
    await desk.world.desk.change(request.id, DANA.id, Change(reason="something else"))
    await desk.told()
    assert "something else" in desk.jira.issues["OPS-1"]["description"]
    assert "revision 2" in desk.jira.issues["OPS-1"]["description"]


async def test_a_deleted_issue_stays_deleted(desk: Desk) -> None:
    request = await desk.world.ask()
    await desk.told()
    del desk.jira.issues["OPS-1"], desk.jira.comments["OPS-1"]
    await desk.world.approve(request)
    await desk.told()
    desk.clock.advance(10_000)
    await desk.told()
    assert desk.jira.issues == {}
    doc = await desk.world.store.read(lambda tx: tx.doc(OF_REQUEST, request.id))
    assert doc is not None and doc["gone"]


async def test_what_jira_will_never_take_is_given_up_at_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.templates[:] = [JiraTemplate(project="OPS", type="Epic")]
    await desk.world.ask()
    await desk.told()
    assert "valid issue type is required" in caplog.text
    assert not await desk.world.store.read(lambda tx: tx.outbox(kind=KIND))


async def test_the_issue_that_was_named_is_used_and_a_wrong_name_is_not(desk: Desk) -> None:
    desk.templates[:] = [JiraTemplate(project="OPS", use_ticket=True)]
    desk.jira.add("INC-7")
    await desk.world.desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "INC-7", PLACE)
    await desk.told()
    assert "Dana asks: read access to prod\\-db" in desk.jira.comments["INC-7"][0]
    assert list(desk.jira.issues) == ["INC-7"]


async def test_two_requests_that_name_one_issue_each_say_their_part(desk: Desk) -> None:
    desk.templates[:] = [JiraTemplate(project="OPS", use_ticket=True, transitions=JiraTransitions(denied="Declined"))]
    desk.jira.add("OPS-7")
    for scope in (Read(), Write()):
        await desk.world.desk.ask_access(DANA_SELF, "prod-db", scope, None, "why", "OPS-7", PLACE)
        await desk.told()
    assert [one.splitlines()[0] for one in desk.jira.comments["OPS-7"]] == [
        f"Dana asks: {what} access to prod\\-db (https://hoop/requests/{row.id.replace('_', chr(92) + '_')})"
        for what, row in zip(("read", "write"), reversed(await desk.world.requests()), strict=True)
    ]
    body = desk.jira.moved("OPS-7", "Approved", "acc-ann", desk.clock.now().timestamp())
    assert await desk.hook.take(body) == "not an issue of a request", "people's issues decide nothing"
    await desk.world.desk.review((await desk.world.requests())[0].id, 1, ANN.id, Choice.DENY)
    await desk.told()
    assert desk.jira.issues["OPS-7"]["status"] == "Declined"
    assert [row.state for row in await desk.world.requests()] == [RequestState.DENIED, RequestState.PENDING]


async def test_an_issue_of_another_project_is_commented_and_not_moved(desk: Desk) -> None:
    desk.templates[:] = [JiraTemplate(project="OPS", use_ticket=True, transitions=JiraTransitions(cancelled="Done"))]
    desk.jira.add("LEGAL-1")
    asked = await desk.world.desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "LEGAL-1", PLACE)
    await desk.world.desk.cancel(asked.request.id, DANA.id)
    await desk.told()
    assert (len(desk.jira.comments["LEGAL-1"]), desk.jira.issues["LEGAL-1"]["status"]) == (2, "To Do")


async def test_what_only_made_other_access_longer_is_over_with_its_approval(desk: Desk) -> None:
    grant = await desk.world.access()
    await desk.told()
    asked = await desk.world.desk.ask_extension(grant.id, DANA.id, timedelta(hours=1), "still at it", PLACE)
    await desk.world.approve(asked.request)
    await desk.told()
    assert [desk.jira.issues[key]["status"] for key in ("OPS-1", "OPS-2")] == ["In Progress", "Done"]


async def test_what_was_approved_and_never_begun_or_run_ends_too(desk: Desk) -> None:
    start = desk.clock.now() + timedelta(hours=1)
    ahead = await desk.world.desk.ask_access(DANA_SELF, "prod-db", Read(), None, "why", "", PLACE, start)
    await desk.world.approve(ahead.request)
    await desk.told()
    command = await desk.world.desk.ask_command(DANA_SELF, "prod-db", evidence_of(), "why", "", PLACE)
    await desk.world.approve(command.request)
    await desk.told()
    assert [desk.jira.issues[key]["status"] for key in ("OPS-1", "OPS-2")] == ["In Progress", "In Progress"]
    desk.clock.advance(3 * 3600)
    await desk.world.desk.tick()
    await desk.told()
    assert [desk.jira.issues[key]["status"] for key in ("OPS-1", "OPS-2")] == ["Done", "Done"]


async def test_what_no_template_fits_is_not_told(desk: Desk) -> None:
    desk.templates[:] = [JiraTemplate(project="OPS", resources=["stage-*"])]
    await desk.world.ask()
    await desk.told()
    assert desk.jira.issues == {}


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (401, Unavailable, "token"),
        (403, Unavailable, "may not"),
        (429, Unavailable, "429"),
        (500, Unavailable, "500"),
        (400, Invalid, "down for maintenance"),
    ],
)
async def test_errors_are_one_of_two(desk: Desk, status: int, error: type[Exception], said: str) -> None:
    desk.jira.broken = status
    with pytest.raises(error, match=said) as raised:
        await desk.client.myself()
    assert desk.jira.token not in str(raised.value)


async def test_nobody_there_and_nobody_in_time(desk: Desk) -> None:
    nobody = Client(Login("http://127.0.0.1:9", "", str, 0.2))
    with pytest.raises(Unavailable):
        await nobody.myself()
    nobody.close()
    desk.jira.slow = 0.6
    slow = Client(Login(desk.jira.url, "bot@example.com", lambda: desk.jira.token, 0.1))
    with pytest.raises(Unavailable):
        await slow.myself()
    slow.close()
    assert "token" not in repr(Login("u", "", str))


async def test_two_mirrors_say_everything_once(desk: Desk) -> None:
    other = Desk(desk.jira, desk.world, desk.client, desk.templates)
    request = await desk.world.ask()
    await desk.world.approve(request, ANN)
    for _ in range(6):
        await desk.mirror.step()
        await other.mirror.step()
        await desk.mirror.send()
        await other.mirror.send()
    assert list(desk.jira.issues) == ["OPS-1"]
    assert len(desk.jira.comments["OPS-1"]) == 2
