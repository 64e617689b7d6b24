"""The rest of the product in Slack: private reviews, ways to ask, forms, buttons (`test_product_life`: what goes on by itself)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.requests import RequestState
from tests.bot.slack.office import Office, labels, said, words
from tests.bot.stage import FakeJudge
from tests.fakes.clock import ManualClock
from tests.fakes.slack import Message
from tests.fakes.world import EVE, PROD, held_fact


async def requests(office: Office) -> list[RequestState]:
    return [row.state for row in await office.store.read(lambda tx: tx.requests())]


async def hold(
    office: Office, text: str = "DELETE FROM customers WHERE email = 'secret-value'", *, complete: bool = False
) -> Message:
    """A statement held on the wire inside live access; its card in the thread."""
    stage = office.stage
    grant = (await office.store.read(lambda tx: tx.grants()))[0]
    session = await stage.session(grant, number=90)
    person = stage.world.directory.person(grant.actor.person)
    assert person is not None
    evidence = await FakeJudge(complete).describe(grant.actor, person, PROD, text)
    fact = replace(held_fact(session.id, evidence.digest), statement=evidence.shown)
    await stage.world.desk.hold(grant.actor, "prod-db", evidence, session.id, (), 900.0, fact)
    await office.settle()
    return next(m for m in office.channel.messages if m.thread and "Held" in said(m))


# ------------------------------------------------------------------------------------------------ rule 8


async def test_rule_8_a_masked_statement_is_approved_only_in_the_private_review(quick_office: Office) -> None:
    office = quick_office
    await office.live()
    held = await hold(office)
    assert "secret-value" not in said(held)
    assert labels(held.blocks) == ["Review…", "Deny…"]
    assert not any("secret-value" in said(m) for m in office.channel.messages)
    await office.ann.press(held, "Review…")
    await office.idle()
    modal = office.ann.modal
    assert modal is not None
    assert "secret-value" in words(modal.content["blocks"])
    await office.ann.press(modal, "Approve")
    await office.settle()
    assert "Approved" in words(modal.content["blocks"])
    assert "Approved" in said(held)
    assert labels(held.blocks) == []


async def test_rule_8_a_token_of_the_review_is_no_good_to_somebody_else(quick_office: Office) -> None:
    office = quick_office
    await office.live()
    held = await hold(office)
    await office.ann.press(held, "Review…")
    await office.idle()
    modal = office.ann.modal
    assert modal is not None
    await office.bob.press(modal, "Approve")
    await office.settle()
    assert (await requests(office))[0] is RequestState.PENDING


async def test_rule_8_a_100_kilobyte_command_is_reviewed_in_full(quick_office: Office) -> None:
    office = quick_office
    text = "\n".join(f"INSERT INTO t VALUES ({n}, 'x');" for n in range(3_300))
    await office.live()
    held = await hold(office, text, complete=True)
    assert "Approve" not in labels(held.blocks)
    await office.ann.press(held, "Review…")
    await office.idle()
    modal = office.ann.modal
    assert modal is not None
    shown = "".join(
        b["elements"][0]["elements"][0]["text"] for b in modal.content["blocks"]
        if b["type"] == "rich_text" and b["elements"][0]["type"] == "rich_text_preformatted"
    )  # fmt: skip
    assert shown == text
    assert "Approve" in labels(modal.content["blocks"])


# ------------------------------------------------------------------------------------------------ ways to ask


async def test_a_mention_in_a_thread_speaks_the_same_grammar(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    await office.ann.mention(
        office.channel, "show " + said(card).rpartition("req_")[2].split()[0].join(["req_", ""]), card.ts
    )
    await office.idle()
    (told,) = office.ann.whispers(office.channel)
    assert told.thread == card.ts
    assert "Dana asks" in said(told)


async def test_a_mention_that_needs_a_form_offers_a_button_that_opens_it(quick_office: Office) -> None:
    office = quick_office
    await office.dana.mention(office.channel, "request")
    await office.idle()
    (told,) = office.dana.whispers(office.channel)
    assert labels(told.blocks) == ["Open the form"]
    await office.dana.press(told, "Open the form")
    await office.idle()
    assert office.dana.modal is not None
    assert office.dana.modal.content["callback_id"] == "hoop:form:request"
    await office.ann.press(told, "Open the form")
    await office.idle()
    assert office.ann.modal is not None
    assert "too old" in words(office.ann.modal.content["blocks"])


@pytest.mark.parametrize(
    ("name", "title"),
    [("hoop_request", "Request access"), ("hoop_exec", "Run one command"), ("hoop_break_glass", "Break glass")],
)
async def test_global_shortcuts_open_their_form(quick_office: Office, name: str, title: str) -> None:
    await quick_office.dana.shortcut(name)
    await quick_office.idle()
    assert quick_office.dana.modal is not None
    assert quick_office.dana.modal.content["title"]["text"] == title


async def test_an_unknown_shortcut_does_nothing_and_says_so(quick_office: Office) -> None:
    await quick_office.dana.shortcut("somebody_elses")
    await quick_office.idle()
    assert quick_office.dana.modal is not None
    assert "not one of mine" in words(quick_office.dana.modal.content["blocks"])


async def test_the_message_shortcut_works_in_threads_and_points_back(quick_office: Office) -> None:
    office = quick_office
    await office.ann.mention(office.channel, "something is slow", "")
    message = office.channel.messages[0]
    await office.dana.message_shortcut("hoop_ask", message)
    await office.idle()
    assert office.dana.modal is not None
    reason = next(b for b in office.dana.modal.content["blocks"] if b["block_id"] == "field:reason")
    assert f"/archives/{office.channel.id}/p" in reason["element"]["initial_value"]
    assert "something is slow" not in reason["element"]["initial_value"]


async def test_a_form_is_filled_in_corrected_and_taken(quick_office: Office) -> None:
    office = quick_office
    office.stage.world.resources.update({f"db-{n:03}": replace(PROD, name=f"db-{n:03}") for n in range(120)})
    await office.dana.slash("request", office.channel)
    await office.idle()
    modal = office.dana.modal
    assert modal is not None
    options = await office.dana.suggest(modal, "hoop:choices", "prod")
    assert [o["value"] for o in options] == ["prod-db"]
    await office.dana.choose(modal, "hoop:choices", "prod-db")
    fields = {b["block_id"]: b["element"]["action_id"] for b in modal.content["blocks"] if b["type"] == "input"}
    assert fields["field:resource"] == "hoop:choices"
    modal.state["field:reason"] = {"value": {"type": "plain_text_input", "value": "checkout is slow"}}
    modal.state["field:scope"] = {"value": {"type": "static_select", "selected_option": {"value": "read"}}}
    modal.state["field:ticket"] = {"value": {"type": "plain_text_input", "value": None}}
    modal.state["field:duration"] = {"value": {"type": "plain_text_input", "value": "99h"}}
    ack = await office.dana.submit({})
    assert ack.body["response_action"] == "errors", ack.body
    assert set(ack.body["errors"]) == {"field:duration"}
    modal.state["field:duration"] = {"value": {"type": "plain_text_input", "value": "1h"}}
    await office.dana.submit({})
    await office.settle()
    assert await requests(office) == [RequestState.PENDING]
    assert "Asked" in words(modal.content["blocks"])


async def test_a_complete_command_with_a_wrong_field_opens_the_form_with_the_error(quick_office: Office) -> None:
    await quick_office.dana.slash("request prod-dbb 1h because", quick_office.channel)
    await quick_office.idle()
    assert quick_office.dana.modal is not None
    assert "Did you mean prod-db" in words(quick_office.dana.modal.content["blocks"])


async def test_when_the_trigger_is_too_old_the_form_is_offered_instead(
    quick_office: Office, clock: ManualClock
) -> None:
    office = quick_office
    office.slack.faults.slow("users.info", 0.05)
    await office.dana.slash("request prod-dbb 1h because", office.channel)
    clock.advance(4)
    await office.idle()
    assert office.dana.modal is None
    assert labels(office.dana.whispers(office.channel)[-1].blocks) == ["Open the form"]


@pytest.mark.parametrize(
    "secret", ["xoxb-123456789012-abcdefghijkl", "postgres://u:hunter22@h/db", "password=Tr0ub4dor&3"]
)
async def test_a_secret_typed_into_a_command_is_never_echoed(quick_office: Office, secret: str) -> None:
    office = quick_office
    await office.dana.slash(f"request prod-db 1h my {secret}", office.channel)
    await office.dana.mention(office.channel, f"request prod-db 1h my {secret}")
    await office.settle()
    told = office.dana.whispers(office.channel)
    assert len(told) == 2
    assert all("rotate" in said(m) for m in told)
    posted = [m for m in office.channel.messages if m.user == office.slack.bot.id]
    assert not any(secret in said(m) or secret.replace("&", "&amp;") in said(m) for m in posted)
    assert await requests(office) == []


async def test_what_a_person_types_cannot_call_the_channel(quick_office: Office) -> None:
    card = await quick_office.asked("request prod-db 1h <!channel> <@U0ADMIN> *bold* `x` <http://evil.test|click>")
    assert "<!channel>" not in card.text
    assert "&lt;!channel&gt;" in card.text
    assert "<!channel>" in words(card.blocks)
    assert '"mrkdwn"' not in str(card.blocks)


# ------------------------------------------------------------------------------------------------ buttons


async def test_a_copy_that_is_not_ours_does_nothing_and_shows_what_is(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    copy = replace(card, ts="1.000001", user=office.bob.id)
    office.channel.messages.append(copy)
    await office.ann.press(copy, "Approve")
    await office.settle()
    assert await requests(office) == [RequestState.PENDING]
    told = [said(m) for m in office.ann.whispers(office.channel)]
    assert "not the current one" in told[0]
    assert "Dana asks" in told[1]
    assert "Approve" in labels(card.blocks)


async def test_a_copy_of_our_own_counts_and_says_that_it_is_one(quick_office: Office) -> None:
    """Posted, and the process died before it could note that down: the message was posted once more."""
    office = quick_office
    card = await office.asked()
    copy = replace(card, ts="1.000001")
    office.channel.messages.append(copy)
    await office.ann.press(copy, "Approve")
    await office.settle()
    assert await requests(office) == [RequestState.APPROVED]
    assert labels(copy.blocks) == []
    assert "posted twice" in said(copy)
    assert "Approved by" in said(card)


async def test_a_copy_of_an_older_revision_decides_nothing(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    copy = replace(card, ts="1.000001", blocks=[*card.blocks])
    office.channel.messages.append(copy)
    (request,) = await office.store.read(lambda tx: tx.requests())
    await office.dana.slash(f"change {request.id} 8h --scope admin", office.channel)
    await office.settle()
    await office.ann.press(copy, "Approve")
    await office.settle()
    assert await requests(office) == [RequestState.PENDING]
    assert "asked as revision 1" in said(office.ann.whispers(office.channel)[-1])


async def test_a_press_that_comes_before_the_card_is_remembered_waits_for_it(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    request = (await office.store.read(lambda tx: tx.requests()))[0]
    ref = (await office.store.read(lambda tx: tx.refs(request.id, kind="request")))[0]
    await office.store.transact(lambda tx: tx.put_ref(replace(ref, message="0.1")))
    await office.ann.press(card, "Approve")
    await asyncio.sleep(0.05)
    await office.store.transact(lambda tx: tx.put_ref(ref))
    await office.settle()
    assert await requests(office) == [RequestState.APPROVED]


async def test_a_button_with_an_invented_token_does_nothing(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    for element in card.blocks[-2]["elements"]:
        element["value"] = "A" * 22
    await office.ann.press(card, "Approve")
    await office.settle()
    assert await requests(office) == [RequestState.PENDING]
    assert "not one of mine" in said(office.ann.whispers(office.channel)[-1])


async def test_the_loser_of_two_clicks_is_told_by_whom(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    stale = replace(card, blocks=[*card.blocks])
    await office.ann.press(card, "Approve")
    await office.settle()
    await office.bob.press(stale, "Deny…")
    await office.settle()
    assert (await requests(office)) == [RequestState.APPROVED]
    modal = office.bob.modal
    assert modal is not None
    assert "Ann" in words(modal.content["blocks"])


async def test_a_double_click_on_one_button_is_one_vote(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    await asyncio.gather(office.ann.press(card, "Approve"), office.ann.press(card, "Approve"))
    await office.settle()
    assert len(await office.store.read(lambda tx: tx.grants())) == 1


async def test_a_denial_for_a_request_that_was_decided_meanwhile_is_refused(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    await office.ann.press(card, "Deny…")
    await office.idle()
    await office.bob.press(card, "Approve")
    await office.settle()
    await office.ann.submit({"value": "no"})
    await office.settle()
    assert await requests(office) == [RequestState.APPROVED]
    assert office.ann.modal is not None
    assert "Bob" in words(office.ann.modal.content["blocks"])


# ------------------------------------------------------------------------------------------------ everybody's own clock


async def test_times_are_read_in_the_zone_of_the_slack_account(quick_office: Office) -> None:
    office = quick_office
    eve = await office.join(EVE, tz="Asia/Tokyo")
    await eve.slash("request prod-db", office.channel)
    await office.idle()
    assert eve.modal is not None
    assert "Without a zone it is Asia/Tokyo." in str(eve.modal.content["blocks"])
    tonight = (office.clock.now() + timedelta(hours=10)).strftime("%H:%M")
    await eve.slash(f"request prod-db until {tonight} because", office.channel)
    await office.settle()
    (row,) = await office.store.read(lambda tx: tx.requests())
    assert timedelta(minutes=59) <= row.duration <= timedelta(minutes=61)


def written(**fields: str) -> dict[str, Any]:
    """The state of a modal's text fields."""
    return {f"field:{name}": {"value": {"type": "plain_text_input", "value": said}} for name, said in fields.items()}


async def test_a_modal_says_all_that_is_wrong_at_once_and_stays_open(quick_office: Office) -> None:
    office = quick_office
    await office.dana.slash("request prod-db --scope root x", office.channel)
    await office.idle()
    modal = office.dana.modal
    assert modal is not None
    modal.state |= written(duration="99h", start="25:61", reason=" ")
    ack = await office.dana.submit({})
    assert ack.body["response_action"] == "errors", ack.body
    assert set(ack.body["errors"]) == {"field:duration", "field:start", "field:reason"}
    assert office.dana.modal is modal, "with all that was typed"
    assert await requests(office) == []
