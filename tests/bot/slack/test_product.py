"""The rest of the product in Slack: threads, mentions, shortcuts, forms, Home, private hand-over, bad moments."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from access.requests import GrantState, RequestState
from bot.slack.platform import REMOVED, Janitor
from tests.bot.slack.office import Office, labels, said, words
from tests.bot.stage import FakeJudge
from tests.fakes.clock import ManualClock
from tests.fakes.slack import Message
from tests.fakes.store import MemoryStore
from tests.fakes.world import DANA, PROD, held_fact


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
    copy = replace(card, ts="1.000001")
    office.channel.messages.append(copy)
    await office.ann.press(copy, "Approve")
    await office.settle()
    assert await requests(office) == [RequestState.PENDING]
    told = [said(m) for m in office.ann.whispers(office.channel)]
    assert "not the current one" in told[0]
    assert "Dana asks" in told[1]
    assert labels(copy.blocks) == []
    assert "Approve" in labels(card.blocks)


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


# ------------------------------------------------------------------------------------------------ the thread of a session


async def test_the_thread_tells_the_session_from_request_to_replay(quick_office: Office) -> None:
    office = quick_office
    grant = await office.live()
    head = office.cards()[0]
    await hold(office)
    await office.ann.press(next(m for m in office.thread(head) if "Held" in said(m)), "Review…")
    await office.idle()
    assert office.ann.modal is not None
    await office.ann.press(office.ann.modal, "Approve")
    await office.settle()
    told = [said(m) for m in office.thread(head)]
    assert any("Ann approved" in one for one in told)
    assert all(m.thread == head.ts for m in office.thread(head))
    assert grant.state is GrantState.ACTIVE


async def test_a_wide_result_comes_as_a_file_in_the_thread(quick_office: Office, clock: ManualClock) -> None:
    from access.masking import Masked

    office = quick_office
    executor = office.stage.executor
    names = tuple(Masked(f"column_{n}") for n in range(8))
    rows = tuple(tuple(Masked("v" * 90) for _ in names) for _ in range(20))
    executor.outcome = replace(executor.outcome, columns=names, rows=rows, total=20)
    await office.dana.slash("exec prod-db --reason INC-42 -- UPDATE t SET x = 1", office.channel)
    await office.settle()
    await office.ann.press(office.cards()[-1], "Approve")
    await office.settle()
    files = [m for m in office.channel.messages if m.files]
    assert len(files) == 1
    assert files[0].thread == office.cards()[-1].ts
    stored = office.slack.workspace.files[files[0].files[0]]
    assert stored.data is not None
    assert stored.data.decode().count("v" * 90) == 160
    assert office.app is not None
    clock.advance(7 * 86_400 + 1)
    await Janitor(office.app._api, office.store).step()
    assert office.slack.workspace.files == {}


async def test_a_token_does_not_stay_in_the_conversation(quick_office: Office, clock: ManualClock) -> None:
    office = quick_office
    await office.live()
    assert office.app is not None
    token = next(m for m in office.dana.dm.messages if "secret-1" in said(m))
    janitor = Janitor(office.app._api, office.store)
    assert await janitor.step() == 0
    clock.advance(15 * 60)
    office.slack.faults.rate_limit("chat.update")
    assert await janitor.step() == 0
    clock.advance(60)
    assert await janitor.step() == 1
    assert (token.text, token.blocks) == (REMOVED, [])
    assert await janitor.step() == 0


# ------------------------------------------------------------------------------------------------ Home


async def test_home_shows_what_is_mine_and_what_waits_for_me(quick_office: Office) -> None:
    office = quick_office
    await office.asked()
    await office.ann.open_home()
    await office.idle()
    home = office.ann.home
    assert home is not None
    assert "You are " in words(home.content["blocks"])
    assert "Approve" in labels(home.content["blocks"])
    await office.ann.press(home, "Approve")
    await office.settle()
    assert await requests(office) == [RequestState.APPROVED]
    assert office.ann.modal is not None
    assert "Approved" in words(office.ann.modal.content["blocks"])


async def wait_for(condition: Any) -> None:
    async with asyncio.timeout(8):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in Slack
            await asyncio.sleep(0.02)


async def test_home_follows_decisions_made_anywhere_and_over_a_restart(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    for member in (office.ann, office.dana):
        await member.open_home()
    await office.idle()
    ann, dana = office.ann.home, office.dana.home
    assert ann is not None
    assert dana is not None
    assert "Nothing waits for you" not in words(ann.content["blocks"])
    await office.bob.press(card, "Approve")
    await office.settle()
    await wait_for(lambda: "Nothing waits for you" in words(ann.content["blocks"]))
    await wait_for(lambda: "postgresql://dana@gw:5432/prod-db" in words(dana.content["blocks"]))
    assert "New token" in labels(dana.content["blocks"])
    await office.stop()
    grant = (await office.store.read(lambda tx: tx.grants()))[0]
    await office.stage.world.desk.done(grant.id, DANA.id)
    await office.start()
    await wait_for(lambda: "postgresql://" not in words(dana.content["blocks"]))


async def test_home_is_published_over_a_version_somebody_else_made(quick_office: Office) -> None:
    office = quick_office
    await office.dana.open_home()
    await office.idle()
    home = office.dana.home
    assert home is not None
    home.version += 5
    await office.live()
    await wait_for(lambda: "postgresql://" in words(home.content["blocks"]))
    assert any(c.answer.get("error") == "hash_conflict" for c in office.slack.recorder.of("views.publish"))


async def test_home_of_somebody_unknown_says_how_to_be_linked_and_nothing_else(quick_office: Office) -> None:
    eve = quick_office.slack.person("eve")
    await eve.open_home()
    await quick_office.idle()
    assert eve.home is not None
    assert "hoop link PERSON" in words(eve.home.content["blocks"])
    assert labels(eve.home.content["blocks"]) == []


async def test_home_starts_what_the_shortcuts_start(quick_office: Office) -> None:
    await quick_office.dana.open_home()
    await quick_office.idle()
    assert quick_office.dana.home is not None
    await quick_office.dana.press(quick_office.dana.home, "Request access")
    await quick_office.idle()
    assert quick_office.dana.modal is not None
    assert quick_office.dana.modal.content["title"]["text"] == "Request access"


# ------------------------------------------------------------------------------------------------ bad moments


async def test_a_rate_limited_card_is_posted_later_once(quick_office: Office, clock: ManualClock) -> None:
    office = quick_office
    office.slack.faults.rate_limit("chat.postMessage", retry_after=7, channel=office.channel.id)
    await office.dana.slash("request prod-db 1h INC-42 debugging", office.channel)
    await office.settle()
    assert office.cards() == []
    clock.advance(8)
    await office.settle()
    assert len(office.cards()) == 1


async def test_an_archived_channel_is_answered_in_the_fallback(quick_office: Office) -> None:
    office = quick_office
    other = office.slack.channel("db-team")
    office.stage.world.resources["prod-db"] = replace(PROD, channel=other.id)
    other.archived = True
    await office.dana.slash("request prod-db 1h INC-42 debugging", office.channel)
    await office.settle()
    assert len(office.cards()) == 1


async def test_a_deleted_card_is_posted_again_with_the_next_change(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    card.deleted = True
    await office.ann.slash("approve " + card.text.rpartition("(")[2].rstrip(")"), office.channel)
    await office.settle()
    again = office.cards()[-1]
    assert again is not card
    assert "Approved by" in said(again)


async def test_a_card_posted_by_an_attempt_that_died_is_found_again_and_shows_what_is_meant_now(
    quick_office: Office,
) -> None:
    office = quick_office
    card = await office.asked()
    request = (await office.store.read(lambda tx: tx.requests()))[0]
    assert isinstance(office.store, MemoryStore)
    for key, ref in list(office.store.tables.refs.items()):  # as if it had died before it remembered where
        if ref.subject == request.id and not ref.audience:
            del office.store.tables.refs[key]
    await office.stage.world.approve(request)
    await office.settle()
    assert office.cards() == [card]
    assert "Approved by" in said(card)


async def test_a_broken_slack_loses_no_card(quick_office: Office, clock: ManualClock) -> None:
    office = quick_office
    office.slack.faults.break_down("chat.postMessage", times=4)
    office.slack.faults.fail("conversations.open", times=2)
    await office.dana.slash("request prod-db 1h INC-42 debugging", office.channel)
    for _ in range(8):
        await office.settle()
        clock.advance(30)
    assert len(office.cards()) == 1
    assert len(office.dana.dm.messages) == 1


async def test_somebody_who_left_slack_does_not_hold_anything_up(quick_office: Office) -> None:
    office = quick_office
    office.bob.user.deleted = True
    card = await office.asked()
    await office.ann.press(card, "Approve")
    await office.settle()
    assert "Approved by" in said(card)
    assert (await office.store.read(lambda tx: tx.outbox())) == []


async def test_an_answer_that_cannot_be_given_where_it_was_asked_comes_in_private(quick_office: Office) -> None:
    office = quick_office
    slash = office.slack.responses.issue
    office.slack.responses.issue = lambda user, channel, message=None: slash(user, channel, message) + "x"  # type: ignore[method-assign]
    office.channel.members.discard(office.slack.bot.id)
    await office.dana.slash("whoami", office.channel)
    await office.idle()
    assert any("You are" in said(m) for m in office.dana.dm.messages)


async def test_a_socket_that_slack_renews_costs_nothing(quick_office: Office) -> None:
    office = quick_office
    await wait_for(lambda: len(office.slack.sockets.open) == 2)
    await office.slack.sockets.cut(0)
    assert (await office.dana.slash("my", office.channel)).ok
    await wait_for(lambda: len(office.slack.sockets.open) == 2)
    await office.slack.sockets.disconnect("refresh_requested")
    await wait_for(lambda: len(office.slack.sockets.open) == 2)
    assert (await office.dana.slash("my", office.channel)).ok
    await office.idle()
    assert len(office.dana.whispers(office.channel)) == 2


async def test_a_third_socket_is_reported(quick_office: Office) -> None:
    office = quick_office
    assert office.app is not None
    await wait_for(lambda: len(office.slack.sockets.open) == 2)
    assert office.app.problem() == ""
    assert office.app.hello_age() is not None
    extra = office.slack.sockets.open[0]
    office.slack.sockets.open += [extra, extra]
    await office.slack.sockets.open[1].send_json(office.slack.sockets._hello())
    app = office.app
    await wait_for(lambda: "expected are 2" in app.problem())
    del office.slack.sockets.open[-2:]


async def test_the_store_being_down_stops_nothing_else(quick_office: Office) -> None:
    office = quick_office
    assert isinstance(office.store, MemoryStore)
    office.store.broken = True
    office.slack.sockets.redeliver_after = 0.1
    assert "nothing was done" in str((await office.dana.slash("my", office.channel)).body)
    assert (await office.dana.shortcut("hoop_request")).status == -2
    office.store.broken = False
    assert (await office.dana.slash("my", office.channel)).body is None
