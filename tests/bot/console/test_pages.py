from __future__ import annotations

from datetime import timedelta

import pytest

from access.delegations import DELEGATION, Delegation
from access.ports import Tx
from access.requests import RequestState
from access.scopes import Write
from bot.console import messages
from bot.console.messages import Message, private_channel
from bot.console.pages import SHOWN
from tests.approval_flows.test_break_glass import broken, glass
from tests.bot.console.conftest import Open
from tests.bot.console.scene import CHANNEL, HOUR, Scene, masked_evidence
from tests.fakes.world import ANN, BOB, DANA, EVE, OLGA, SAM, two_people


async def test_the_first_page_is_the_first_channel(opened: Open) -> None:
    response = await opened(DANA).get("/")
    assert response.status == 303
    assert response.headers["Location"] == "/~dana/c/access"


async def test_an_empty_channel_suggests_what_to_type(opened: Open) -> None:
    page = await opened(DANA).page("/c/access")
    assert "Reach production from right here" in page
    assert "/hoop request prod-db 1h INC-42 debugging" in page


async def test_a_long_channel_shows_its_newest_messages_first(scene: Scene, opened: Open) -> None:
    def talk(tx: Tx) -> None:
        for number in range(SHOWN + 5):
            messages.add(tx, Message(f"p{number}", CHANNEL, tx.now, author=DANA.id, text=f"number {number}."))

    dana = opened(DANA)
    await scene.store.transact(talk)
    page = await dana.page("/c/access")
    assert "number 84." in page
    assert "number 4." not in page
    assert 'href="/~dana/c/access?show=more"' in page
    page = await dana.page("/c/access?show=more")
    assert "number 4." in page
    assert "show=more" not in page


async def test_private_messages_are_for_their_own_person(scene: Scene, opened: Open) -> None:
    await scene.world.access()
    await scene.announce()
    mine = await scene.store.read(lambda tx: messages.listed(tx, private_channel(DANA.id)))
    page = await opened(DANA).page("/private")
    assert all(message.id in page for message in mine)
    for somebody in (ANN, EVE):
        page = await opened(somebody).page("/private")
        assert not any(message.id in page for message in mine)
    for address in (f"/c/@{DANA.id}", f"/c/%40{DANA.id.replace('|', '%7C')}", f"/private?thread={mine[0].id}"):
        assert (await opened(EVE).get(address)).status == 404


async def test_a_private_message_is_not_a_thread_of_a_channel(scene: Scene, opened: Open) -> None:
    await scene.world.access()
    await scene.announce()
    secret = (await scene.store.read(lambda tx: messages.listed(tx, private_channel(DANA.id))))[0]
    assert (await opened(EVE).get(f"/c/access?thread={secret.id}")).status == 404


async def test_a_thread_opens_beside_its_channel_or_alone(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    await scene.world.approve(request)
    await scene.announce()
    first = (await scene.store.read(lambda tx: messages.listed(tx, CHANNEL)))[0]
    ann = opened(ANN)
    whole = await ann.page(f"/c/access?thread={first.id}")
    part = await ann.page(f"/c/access?thread={first.id}&part=thread")
    assert "<!doctype html>" in whole
    assert "<!doctype html>" not in part
    for page in (whole, part):
        assert "Ann</bdi></strong> (you) approved" in page
        assert f'data-stream="{first.id}"' in page


@pytest.mark.parametrize("thread", ["x", "m" * 500, "%00", "<script>", "m-none"])
async def test_a_thread_that_is_not_there(opened: Open, thread: str) -> None:
    response = await opened(DANA).get(f"/c/access?thread={thread}")
    assert response.status == 404
    assert "<script>" not in await response.text()


async def test_waiting_shows_what_this_person_may_decide_with_its_buttons(scene: Scene, opened: Open) -> None:
    await scene.asked()
    for somebody in (ANN, BOB):
        page = await opened(somebody).page("/waiting")
        assert 'data-do="approve"' in page
        assert 'data-waiting="1"' in page
    for somebody in (DANA, EVE, OLGA):
        page = await opened(somebody).page("/waiting")
        assert "Nothing waits for you" in page
        assert "data-waiting=" not in page


async def test_what_one_voted_on_waits_for_others(scene: Scene, opened: Open) -> None:
    scene.world.flows = (two_people(),)
    assert scene.world.office.flows.reload()
    request = await scene.asked()
    await scene.world.approve(request, ANN)
    assert "Nothing waits" in await opened(ANN).page("/waiting")
    assert 'data-do="approve"' in await opened(BOB).page("/waiting")


async def test_broken_glass_waits_for_who_looks_after_it(scene: Scene, opened: Open) -> None:
    request = await broken(glass(scene.world))
    await scene.announce()
    listed = await opened(OLGA).page("/requests")
    assert "Break-glass" in listed
    assert "Approved" not in listed
    page = await opened(OLGA).page("/waiting")
    assert 'data-do="acknowledge"' in page
    assert 'data-waiting="1"' in page
    assert "Nothing waits" in await opened(DANA).page("/waiting")
    await scene.world.desk.acknowledge(request.id, OLGA.id)
    assert "Nothing waits" in await opened(OLGA).page("/waiting")
    (grant,) = await scene.world.grants(request.id)
    await scene.world.desk.done(grant.id, DANA.id)
    await scene.announce()
    assert 'data-do="attest"' in await opened(DANA).page("/waiting")


async def test_a_freeze_waits_for_whoever_may_confirm_it(scene: Scene, opened: Open) -> None:
    """Sam was written to, Ann was not: both see it, each the copy that is theirs to see, and whoever begins again sees the new one."""
    for _ in range(2):
        await scene.world.desk.freeze("prod-db", OLGA.id, "restoring from backup", cut=False)
        await scene.announce()
        for somebody in (ANN, SAM):
            page = await opened(somebody).page("/waiting")
            assert page.count('data-do="confirm_freeze"') == 1
            assert "restoring from backup" in page
            assert 'data-waiting="1"' in page
        for somebody in (DANA, OLGA):
            assert "Nothing waits" in await opened(somebody).page("/waiting")
        await scene.world.desk.confirm_freeze("prod-db", ANN.id)
        assert "Nothing waits" in await opened(SAM).page("/waiting")
        for somebody in (OLGA, SAM):
            await scene.world.desk.lift("prod-db", somebody.id)


async def test_what_is_over_waits_for_nobody(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    ann = opened(ANN)
    await scene.world.approve(request, BOB)
    assert "Nothing waits" in await ann.page("/waiting")
    other = await scene.asked(reason="another", scope=Write())
    scene.clock.advance((other.expires_at - scene.clock.now()).total_seconds())
    assert "Nothing waits" in await ann.page("/waiting"), "expired, before any timer noticed"


async def test_my_access_counts_down_with_its_connection_string(scene: Scene, opened: Open) -> None:
    grant = await scene.world.access(minutes=60)
    page = await opened(DANA).page("/access")
    assert page.count("postgresql://dana@gw:5432/prod-db") == 2, "in the list and in the navigation"
    assert f'data-say="extend {grant.id}"' in page
    assert "1 h 00 min" in page
    assert "no access right now" in await opened(ANN).page("/access")
    scene.clock.advance(HOUR.total_seconds())
    assert "no access right now" in await opened(DANA).page("/access")


async def test_requests_are_listed_with_their_states(scene: Scene, opened: Open) -> None:
    first = await scene.asked(reason="<i>first</i>")
    await scene.world.approve(first)
    await scene.asked(reason="second", scope=Write())
    page = await opened(EVE).page("/requests")
    assert "Approved" in page
    assert "Waiting" in page
    assert "&lt;i&gt;first&lt;/i&gt;" in page


async def test_a_request_has_its_own_page_with_card_history_and_thread(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    await scene.world.approve(request)
    await scene.announce()
    page = await opened(EVE).page(f"/requests/{request.id}")
    assert "Active" in page
    assert "access.requested" in page
    assert "grant.issued" in page
    assert "(you) approved" not in page
    assert "Ann" in page


async def test_a_request_page_never_shows_exact_text(scene: Scene, opened: Open) -> None:
    request = await scene.command(masked_evidence())
    for somebody in (DANA, ANN, EVE):
        assert "lovelace" not in await opened(somebody).page(f"/requests/{request.id}")


@pytest.mark.parametrize("id", ["req_00000000", "x", "grt_0000000000", "..%2f", "req_<b>", "REQ-00000000"])
async def test_an_unknown_request(opened: Open, id: str) -> None:
    assert (await opened(DANA).get(f"/requests/{id}")).status == 404


async def test_a_request_id_is_forgiving(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    assert (await opened(DANA).get(f"/requests/{request.id.upper().replace('_', '-')}")).status == 200


async def test_sessions_are_seen_by_their_person_and_who_answers_for_the_resource(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    for somebody in (DANA, ANN, OLGA):
        page = await opened(somebody).page("/sessions")
        assert session in page
        assert f'data-say="kill {session}"' in page
    assert session not in await opened(EVE).page("/sessions")
    await scene.world.close(session)
    page = await opened(DANA).page("/sessions")
    assert "Ended" in page
    assert "data-say" not in page


async def test_losing_the_group_loses_the_sight(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    ann = opened(ANN)
    assert session in await ann.page("/sessions")
    scene.world.remove_from_group("dba", ANN)
    assert session not in await ann.page("/sessions")


async def test_killing_from_the_list_is_a_command_like_any_other(scene: Scene, opened: Open) -> None:
    session = await scene.world.session()
    await opened(EVE).say(f"/hoop kill {session} because", "")
    row = await scene.store.read(lambda tx: tx.session(session))
    assert row is not None
    assert row.kill_at is None
    await opened(OLGA).say(f"/hoop kill {session} because", "")
    row = await scene.store.read(lambda tx: tx.session(session))
    assert row is not None
    assert row.kill_by == OLGA.id


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_the_chosen_theme_is_there_from_the_first_paint(opened: Open, theme: str) -> None:
    dana = opened(DANA)
    dana.cookies["hoop-theme"] = theme
    assert f'<html lang="en" data-theme="{theme}">' in await dana.page("/private")


async def test_a_made_up_theme_is_not_drawn(opened: Open) -> None:
    dana = opened(DANA)
    dana.cookies["hoop-theme"] = "x><script>"
    assert '<html lang="en">' in await dana.page("/private")


@pytest.mark.parametrize("path", ["/nothing", "/c/", "/c/nowhere", "/requests/", "/%3Cscript%3E", "/~"])
async def test_an_unknown_address_is_a_page_in_words(opened: Open, path: str) -> None:
    response = await opened(DANA).get(path)
    text = await response.text()
    assert response.status == 404
    assert "Traceback" not in text
    assert "<script>" not in text


async def test_the_frame_of_the_person_switcher_keeps_the_place(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    page = await opened(DANA).page(f"/requests/{request.id}")
    assert f'href="/~ann/requests/{request.id}"' in page


async def test_a_pending_request_of_mine_is_counted(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    assert 'title="Yours, waiting">1<' in await opened(DANA).page("/private")
    await scene.world.approve(request)
    assert (await scene.world.request(request.id)).state is RequestState.APPROVED
    assert "Yours, waiting" not in await opened(DANA).page("/private")


async def test_who_decides_in_anothers_place_has_what_waits_for_that_one(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    assert request.id not in await opened(EVE).page("/waiting")
    now = scene.clock.now()
    taken = Delegation("dlg_1", ANN.id, EVE.id, "prod-*", now, now + timedelta(days=1))
    await scene.store.transact(lambda tx: tx.put_doc(DELEGATION, taken.id, taken.to_json()))
    assert request.id in await opened(EVE).page("/waiting")
    scene.clock.advance(86_400)
    assert request.id not in await opened(EVE).page("/waiting")


async def test_access_that_is_to_be_begun_is_listed_with_its_buttons(scene: Scene, opened: Open) -> None:
    dana = opened(DANA)
    await dana.say("/hoop request prod-db 1h from 22:00 UTC INC-42 build an index")
    await scene.announce()
    (request,) = await scene.world.requests()
    await opened(ANN).say(f"/hoop approve {request.id}")
    page = await dana.page("/access")
    assert "Approved, not begun yet" in page
    assert f'data-say="begin {request.id}"' not in page
    assert f'data-say="cancel {request.id}"' in page
    scene.clock.advance(13 * 3600)
    assert f'data-say="begin {request.id}"' in await dana.page("/access")
    await dana.say(f"/hoop begin {request.id}")
    assert "not begun yet" not in await dana.page("/access")
