"""A transition in Jira counts as the click of the person who made it, or not at all."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import ClientSession, web

from access.actors import PersonId
from access.errors import Unavailable
from access.ports import Change
from access.requests import AccessRequest, RequestState
from app.jira.issues import Account
from app.jira.people import Accounts
from app.runbook_hook import MOST_BYTES
from identity.directory import StaticDirectory
from tests.app.jira.conftest import SECRET, Desk
from tests.fakes.jira.server import signature
from tests.fakes.world import ANN, BOB, DANA, DANA_SELF, EVE, EVERYBODY, PLACE, a_person, evidence_of

Post = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
async def asked(desk: Desk) -> AccessRequest:
    request = await desk.world.ask()
    await desk.told()
    desk.clock.advance(5)
    return request


async def state(desk: Desk, request: AccessRequest) -> RequestState:
    return (await desk.world.request(request.id)).state


async def last_word(desk: Desk) -> str:
    await desk.told()
    return desk.jira.comments["OPS-1"][-1].replace("\\", "")


async def test_an_approver_s_transition_approves(desk: Desk, asked: AccessRequest) -> None:
    assert await desk.moved("OPS-1", "Approved", "acc-ann") == "counted"
    row = await desk.world.request(asked.id)
    assert (row.state, row.decided_by, row.note) == (RequestState.APPROVED, ANN.id, "in Jira, OPS-1")


async def test_and_denies(desk: Desk, asked: AccessRequest) -> None:
    assert await desk.moved("OPS-1", "Declined", "acc-bob") == "counted"
    assert await state(desk, asked) is RequestState.DENIED


@pytest.mark.parametrize(
    ("by", "why"),
    [
        ("acc-dana", "your own request"),
        ("acc-eve", "not an approver"),
        ("acc-nobody", "nobody's here"),
        ("ann", "nobody's here"),
    ],
)
async def test_the_rules_are_those_of_a_click(desk: Desk, asked: AccessRequest, by: str, why: str) -> None:
    assert await desk.moved("OPS-1", "Approved", by) == "did not count"
    assert await state(desk, asked) is RequestState.PENDING
    assert why in await last_word(desk)
    (refused,) = await desk.world.events("review.refused")
    assert why in str((refused.payload or {})["why"])


async def test_somebody_who_left_the_group_decides_nothing(desk: Desk, asked: AccessRequest) -> None:
    desk.world.remove_from_group("dba", ANN)
    assert await desk.moved("OPS-1", "Approved", "acc-ann") == "did not count"
    desk.world.deactivate(BOB)
    assert await desk.moved("OPS-1", "Approved", "acc-bob") == "did not count"
    assert await state(desk, asked) is RequestState.PENDING


async def test_what_the_gateway_itself_moves_is_no_decision(desk: Desk, asked: AccessRequest) -> None:
    assert await desk.moved("OPS-1", "Approved", "bot") == "nothing to decide"
    assert await desk.moved("OPS-1", "In Progress", "acc-ann") == "nothing to decide"
    assert await state(desk, asked) is RequestState.PENDING


async def test_an_edited_issue_approves_nothing_and_may_still_deny(desk: Desk, asked: AccessRequest) -> None:
    desk.jira.issues["OPS-1"]["description"] = "Only reads one row, please approve"
    assert await desk.moved("OPS-1", "Approved", "acc-ann") == "did not count"
    assert "was edited" in await last_word(desk)
    assert await desk.moved("OPS-1", "Declined", "acc-ann") == "counted"
    assert await state(desk, asked) is RequestState.DENIED


async def test_words_that_were_other_words_for_a_while_approve_nothing(desk: Desk, asked: AccessRequest) -> None:
    """Who asks makes the issue look harmless, waits for the transition, and puts it right before the notice comes."""
    right = desk.jira.issues["OPS-1"]["description"]
    desk.jira.edit("OPS-1", "acc-dana", description="Only reads one row")
    body = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp())
    desk.jira.edit("OPS-1", "acc-dana", description=right)
    assert await desk.hook.take(body) == "did not count"
    assert "was edited" in await last_word(desk)
    assert await state(desk, asked) is RequestState.PENDING


@pytest.mark.parametrize("cloud", [True, False])
async def test_a_notice_is_not_believed_where_jira_s_history_says_otherwise(
    desk: Desk, asked: AccessRequest, cloud: bool
) -> None:
    """Whoever has the secret of the web hook moves the issue as themselves, and says it was Ann."""
    desk.jira.cloud = cloud
    forged = json.loads(desk.jira.moved("OPS-1", "Approved", "acc-eve", desk.clock.now().timestamp()))
    forged["user"] = {"accountId": "acc-ann"}
    assert await desk.hook.take(json.dumps(forged).encode()) == "did not count"
    assert "does not show that transition" in await last_word(desk)
    forged["changelog"]["items"][0]["toString"] = "Declined"
    assert await desk.hook.take(json.dumps(forged).encode()) == "did not count", "it is not there"
    desk.jira.history["OPS-1"].clear()
    forged["changelog"]["items"][0]["toString"] = "Approved"
    assert await desk.hook.take(json.dumps({**forged, "x": 1}).encode()) == "did not count", "no history, no approval"
    assert await state(desk, asked) is RequestState.PENDING


async def test_whose_address_it_is_says_jira_and_not_the_notice(desk: Desk, asked: AccessRequest) -> None:
    """With `identify: email`: moved as oneself, and told with Ann's address."""
    people = tuple(replace(one, email=f"{one.wire_name}@example.com") for one in (DANA, ANN, BOB, EVE))
    desk.hook._accounts = Accounts(StaticDirectory(people), None)
    desk.jira.users = {"acc-eve": {"emailAddress": "eve@example.com"}, "acc-ann": {"emailAddress": "ann@example.com"}}
    forged = json.loads(desk.jira.moved("OPS-1", "Approved", "acc-eve", desk.clock.now().timestamp()))
    forged["user"]["emailAddress"] = "ann@example.com"
    assert await desk.hook.take(json.dumps(forged).encode()) == "did not count"
    assert "not an approver" in await last_word(desk)
    assert await desk.moved("OPS-1", "Approved", "acc-ann") == "counted"


async def test_a_clock_that_is_ahead_moves_no_transition_behind_a_change(desk: Desk, asked: AccessRequest) -> None:
    """Ann approved the first revision; Jira's clock is a minute ahead, and the notice comes after the second was written."""
    body = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp() + 60)
    await desk.world.desk.change(asked.id, DANA.id, Change(reason="something else"))
    await desk.told()
    assert await desk.hook.take(body) == "did not count"
    assert await state(desk, asked) is RequestState.PENDING


async def test_a_notice_whose_vote_could_not_be_stored_may_come_again(
    desk: Desk, asked: AccessRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp())
    real = desk.world.desk.review

    async def down(*_: object) -> AccessRequest:
        raise Unavailable("The store does not answer.")

    monkeypatch.setattr(desk.world.desk, "review", down)
    with pytest.raises(Unavailable):
        await desk.hook.take(body)
    monkeypatch.setattr(desk.world.desk, "review", real)
    assert await desk.hook.take(body) == "counted"
    assert await desk.hook.take(body) == "seen before"
    assert await state(desk, asked) is RequestState.APPROVED


async def test_after_the_decision_nothing_changes_anything(desk: Desk, asked: AccessRequest) -> None:
    await desk.moved("OPS-1", "Approved", "acc-ann")
    grants = await desk.world.grants(asked.id)
    desk.jira.issues["OPS-1"]["summary"] = "write access for a year"
    assert await desk.moved("OPS-1", "Declined", "acc-bob") == "did not count"
    assert await desk.moved("OPS-1", "Approved", "acc-bob") == "did not count"
    del desk.jira.issues["OPS-1"]
    assert await desk.world.grants(asked.id) == grants
    assert await state(desk, asked) is RequestState.APPROVED


async def test_a_request_that_was_changed_is_decided_anew(desk: Desk, asked: AccessRequest) -> None:
    body = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp())
    desk.clock.advance(5)
    await desk.world.desk.change(asked.id, DANA.id, Change(reason="something else"))
    assert await desk.hook.take(body) == "did not count"  # Jira shows the old revision
    await desk.told()
    later = body.replace(b'"id": "1"', b'"id": "2"')
    assert await desk.hook.take(later) == "did not count"  # made before the new one was shown
    assert await state(desk, asked) is RequestState.PENDING
    desk.clock.advance(5)
    assert await desk.moved("OPS-1", "Approved", "acc-ann") == "counted"


async def test_a_transition_that_was_undone_counts_no_more(desk: Desk, asked: AccessRequest) -> None:
    body = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp())
    desk.jira.issues["OPS-1"]["status"] = "To Do"
    assert await desk.hook.take(body) == "did not count"
    assert await state(desk, asked) is RequestState.PENDING


async def test_what_the_issue_does_not_show_whole_is_not_approved_there(desk: Desk) -> None:
    evidence = replace(evidence_of(), complete=False)
    asked = await desk.world.desk.ask_command(DANA_SELF, "prod-db", evidence, "why", "", PLACE)
    await desk.told()
    assert await desk.moved("OPS-1", "Approved", "acc-ann") == "did not count"
    assert "exact text" in await last_word(desk)
    assert await state(desk, asked.request) is RequestState.PENDING


async def test_two_person_flows_want_two_people(desk: Desk) -> None:
    desk.world.flows = ("name: several\nstages: [{name: approvers, any: {approvers: true}, need: 2}]\n",)
    desk.world.office.flows.reload()
    request = await desk.world.ask()
    await desk.told()
    assert await desk.moved("OPS-1", "Approved", "acc-ann") == "counted"
    assert await desk.moved("OPS-1", "Approved", "acc-ann", again=1) == "did not count"
    assert await state(desk, request) is RequestState.PENDING
    assert await desk.moved("OPS-1", "Approved", "acc-bob") == "counted"
    assert await state(desk, request) is RequestState.APPROVED


async def test_where_more_than_a_click_is_wanted_a_transition_is_not_enough(desk: Desk) -> None:
    desk.world.flows = ("name: careful\nstep_up: true\nstages: [{name: approvers, any: {approvers: true}}]\n",)
    desk.world.office.flows.reload()
    request = await desk.world.ask()
    await desk.told()
    assert await desk.moved("OPS-1", "Approved", "acc-ann") == "did not count"
    assert "wants more than a click" in await last_word(desk)
    assert await state(desk, request) is RequestState.PENDING
    assert await desk.moved("OPS-1", "Declined", "acc-ann") == "counted"


async def test_a_notice_counts_once_and_for_an_hour(desk: Desk, asked: AccessRequest) -> None:
    body = desk.jira.moved("OPS-1", "Approved", "acc-eve", desk.clock.now().timestamp())
    assert await desk.hook.take(body) == "did not count"
    assert await desk.hook.take(body) == "seen before"
    old = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp() - 3601)
    early = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp() + 301)
    assert [await desk.hook.take(one) for one in (old, early)] == ["too old", "too old"]
    assert await state(desk, asked) is RequestState.PENDING


async def test_while_jira_does_not_answer_the_notice_may_come_again(desk: Desk, asked: AccessRequest) -> None:
    body = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp())
    desk.jira.broken = 503
    with pytest.raises(Unavailable):
        await desk.hook.take(body)
    desk.jira.broken = 0
    assert await desk.hook.take(body) == "counted"


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhookEvent": "jira:issue_deleted"},
        {"user": None},
        {"user": {"displayName": "Ann"}},
        {"issue": {"key": "../../rest"}},
        {"issue": {"key": "OPS-99"}},
        {"changelog": {"items": "status"}},
        {"changelog": {"items": [{"field": "summary", "toString": "Approved"}]}},
        {"timestamp": "now"},
        {"timestamp": True},
        {"timestamp": 1 << 60},
    ],
)
async def test_notices_of_another_shape_decide_nothing(
    desk: Desk, asked: AccessRequest, wrong: dict[str, object]
) -> None:
    data = json.loads(desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp()))
    assert await desk.hook.take(json.dumps({**data, **wrong}).encode()) != "counted"
    assert [await desk.hook.take(body) for body in (b"[]", b"{", b"[" * 50_000)] == ["too old"] * 3
    assert await state(desk, asked) is RequestState.PENDING


# ------------------------------------------------------------------------------------------------ over HTTP


@pytest.fixture
async def post(desk: Desk) -> AsyncIterator[Post]:
    app = web.Application()
    app.add_routes(desk.hook.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/jira"
    async with ClientSession() as http:

        async def send(body: bytes, **headers: str) -> tuple[int, str]:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            async with http.post(url, data=io.BytesIO(body), headers=named) as answer:
                return answer.status, (await answer.text()).strip()

        yield send
    await runner.cleanup()


async def test_only_jira_s_signature_is_heard(desk: Desk, asked: AccessRequest, post: Post) -> None:
    body = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp())
    for signed in (
        "",
        signature("another secret", body),
        signature(SECRET, body + b" "),
        signature(SECRET, body).removeprefix("sha256="),
        signature(SECRET, body).upper(),
        "sha1=" + "0" * 40,
    ):
        assert (await post(body, X_Hub_Signature=signed))[0] == 403
    assert (await post(b"x" * (MOST_BYTES + 1), X_Hub_Signature=signature(SECRET, b"")))[0] == 403
    assert await state(desk, asked) is RequestState.PENDING
    assert await post(body, X_Hub_Signature=signature(SECRET, body)) == (200, "counted")
    assert await post(body, X_Hub_Signature=signature(SECRET, body)) == (200, "seen before")


async def test_without_its_secret_or_jira_the_hook_says_later(desk: Desk, asked: AccessRequest, post: Post) -> None:
    body = desk.jira.moved("OPS-1", "Approved", "acc-ann", desk.clock.now().timestamp())
    desk.jira.broken = 500
    assert (await post(body, X_Hub_Signature=signature(SECRET, body)))[0] == 503

    def gone() -> str:
        raise Unavailable("The secret env:JIRA_HOOK is not set.")

    desk.hook._secret = gone
    assert (await post(body, X_Hub_Signature=signature(SECRET, body)))[0] == 503
    desk.hook._secret = str
    assert (await post(body, X_Hub_Signature=signature("", body)))[0] == 403


# ------------------------------------------------------------------------------------------------ whose account


def test_an_e_mail_is_somebody_s_only_if_it_is_one_active_person_s() -> None:
    people = (
        replace(ANN, email="Ann@example.com"),
        replace(BOB, email="shared@example.com"),
        replace(EVE, email="shared@example.com"),
        a_person("ian", active=False, email="ian@example.com"),
        a_person("kim"),
    )
    accounts = Accounts(StaticDirectory(people, {}), None)

    def of(email: str) -> PersonId | None:
        return accounts.person(Account("x", email))

    assert of("ann@example.com ") == ANN.id
    assert [of(one) for one in ("shared@example.com", "ian@example.com", "", "who@example.com")] == [None] * 4
    assert accounts.person(None) is None
    linked = Accounts(StaticDirectory(EVERYBODY, {}), {"acc-ann": ANN.id, "acc-ian": PersonId("directory|ian")})
    assert linked.person(Account("acc-ann", "")) == ANN.id
    assert linked.person(Account("acc-ian", "")) is None
    assert linked.person(Account("", "ann@example.com")) is None
