"""What goes on by itself in Slack: the thread of a session, the Home tab, and bad moments."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from access.requests import GrantState, RequestState
from bot.slack.platform import REMOVED, Janitor
from tests.bot.slack.office import Office, labels, said, words
from tests.bot.slack.test_product import hold, requests
from tests.fakes.clock import ManualClock
from tests.fakes.slack.interactions import Member
from tests.fakes.slack.model import View
from tests.fakes.store import MemoryStore
from tests.fakes.world import DANA, OLGA, PROD

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


async def opened(office: Office, member: Member) -> View:
    """Their Home, which they have just opened."""
    await member.open_home()
    await office.idle()
    assert member.home is not None
    return member.home


async def test_home_shows_what_is_mine_and_what_waits_for_me(quick_office: Office) -> None:
    office = quick_office
    await office.asked()
    home = await opened(office, office.ann)
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


async def test_home_shows_a_freeze_to_whoever_may_confirm_it(quick_office: Office) -> None:
    office = quick_office
    home = await opened(office, office.ann)
    await office.stage.world.desk.freeze("prod-db", OLGA.id, "restoring from backup", cut=False)
    await wait_for(lambda: "Confirm" in labels(home.content["blocks"]))
    await office.ann.press(home, "Confirm")
    await office.settle()
    await wait_for(lambda: "Nothing waits for you" in words(home.content["blocks"]))


async def test_home_is_published_over_a_version_somebody_else_made(quick_office: Office) -> None:
    office = quick_office
    home = await opened(office, office.dana)
    home.version += 5
    await office.live()
    await wait_for(lambda: "postgresql://" in words(home.content["blocks"]))
    assert any(c.answer.get("error") == "hash_conflict" for c in office.slack.recorder.of("views.publish"))


async def test_home_of_somebody_unknown_says_how_to_be_linked_and_nothing_else(quick_office: Office) -> None:
    eve = quick_office.slack.person("eve")
    home = await opened(quick_office, eve)
    assert "hoop link PERSON" in words(home.content["blocks"])
    assert labels(home.content["blocks"]) == []


async def test_home_starts_what_the_shortcuts_start(quick_office: Office) -> None:
    home = await opened(quick_office, quick_office.dana)
    await quick_office.dana.press(home, "Request access")
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
