"""The product in Slack, end to end: people click in the fake Slack, everything behind it is real."""

from __future__ import annotations

import asyncio

from access.requests import GrantState, RequestState
from tests.bot.slack.office import Office, labels, said, words


async def test_access_is_asked_for_and_approved_without_leaving_slack(office: Office) -> None:
    card = await office.asked()
    assert "Waiting for approval" in said(card)
    assert labels(card.blocks) == ["Approve", "Approve less…", "Deny…"]
    assert [said(m) for m in office.dana.whispers(office.channel)] != []

    await office.ann.press(card, "Approve")
    await office.settle()
    assert "Approved by" in said(card)
    assert labels(card.blocks) == ["Revoke…"]
    thread = [said(m) for m in office.thread(card)]
    assert any("Ann approved" in text for text in thread)
    direct = [said(m) for m in office.dana.dm.messages]
    assert any("postgresql://dana@gw:5432/prod-db" in text for text in direct)
    assert any("secret-1" in text for text in direct)
    assert not any("secret-1" in text and "postgresql://" in text for text in direct)
    grants = await office.store.read(lambda tx: tx.grants())
    assert [g.state for g in grants] == [GrantState.ACTIVE]


async def test_an_incomplete_command_opens_the_form_and_errors_stand_at_their_fields(office: Office) -> None:
    await office.dana.slash("request", office.channel)
    await office.idle()
    modal = office.dana.modal
    assert modal is not None
    assert modal.content["title"]["text"] == "Request access"
    ack = await office.dana.submit({"value": "x"})
    await office.idle()
    assert ack.body["response_action"] == "errors", ack.body
    assert set(modal.state["errors"]) <= {b["block_id"] for b in modal.content["blocks"] if b["type"] == "input"}


async def test_a_denial_asks_for_the_reason_in_a_modal(office: Office) -> None:
    card = await office.asked()
    await office.ann.press(card, "Deny…")
    await office.idle()
    assert office.ann.modal is not None
    assert words(office.ann.modal.content["blocks"]).startswith("Why?")
    await office.ann.submit({"value": "use the replica"})
    await office.settle()
    assert "use the replica" in said(card)
    rows = await office.store.read(lambda tx: tx.requests())
    assert [row.state for row in rows] == [RequestState.DENIED]
    assert any("use the replica" in said(m) for m in office.dana.dm.messages)


async def test_the_requester_cannot_approve(office: Office) -> None:
    card = await office.asked()
    await office.dana.press(card, "Approve")
    await office.settle()
    rows = await office.store.read(lambda tx: tx.requests())
    assert [row.state for row in rows] == [RequestState.PENDING]
    assert any("own" in said(m) for m in office.dana.whispers(office.channel)), [
        said(m) for m in office.dana.whispers()
    ]


async def test_twenty_clicks_make_one_grant_and_tell_the_others(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    await asyncio.gather(*(m.press(card, "Approve") for m in [office.ann, office.bob] * 10))
    await office.settle()
    assert len(await office.store.read(lambda tx: tx.grants())) == 1
    told = [said(m) for m in [*office.ann.whispers(), *office.bob.whispers()]]
    assert len(told) == 20
