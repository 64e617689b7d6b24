from __future__ import annotations

import asyncio
import json

import pytest

from access.requests import RequestState
from bot.console import messages
from bot.console.actions import command_of
from bot.console.messages import private_channel
from tests.bot.console.conftest import Open
from tests.bot.console.scene import CHANNEL, Browser, Scene, masked_evidence, token_of
from tests.fakes.world import ANN, BOB, DANA, EVE


@pytest.mark.parametrize(
    ("text", "alone", "command"),
    [
        ("/hoop request prod-db", False, "/hoop request prod-db"),
        ("  /HOOP my", False, "/HOOP my"),
        ("/my", False, "my"),
        ("/", False, ""),
        ("/hoopla", False, "hoopla"),
        ("@hoop my", False, "@hoop my"),
        ("hello", False, None),
        ("hoop is great", False, None),
        ("hello", True, "hello"),
        ("a /hoop b", False, None),
    ],
)
def test_a_slash_or_hoop_itself_makes_a_command(text: str, alone: bool, command: str | None) -> None:
    assert command_of(text, alone=alone) == command


async def test_a_request_is_asked_approved_and_handed_over_by_three_pages(scene: Scene, opened: Open) -> None:
    dana, ann = opened(DANA), opened(ANN)
    answer = await dana.say("/hoop request prod-db 1h INC-42 debugging")
    assert "Ann, Bob can decide" in answer["answers"][0]["html"]
    assert answer["form"] is None
    await scene.announce()

    page = await ann.page("/c/access")
    assert "Waiting for approval" in page
    await ann.press(page, "approve")
    await scene.announce()

    assert "Active" in await dana.page("/c/access")
    private = await dana.page("/private")
    assert "postgresql://dana@gw:5432/prod-db" in private
    assert "secret-1" in private, "the token is shown to its person"
    assert "secret-1" not in await ann.page("/private")


async def test_an_incomplete_command_opens_its_form_and_errors_come_back_at_their_fields(
    scene: Scene, opened: Open
) -> None:
    dana = opened(DANA)
    form = (await dana.say("/hoop request"))["form"]
    assert 'data-form="request"' in form
    values = {"resource": "prod-db", "scope": "read", "duration": "-5m", "reason": "<b>why</b>", "ticket": ""}
    again = (await dana.act("/submit", {"name": "request", "token": "", "values": values, "channel": CHANNEL}))["form"]
    assert 'id="field-duration-error"' in again
    assert "&lt;b&gt;why&lt;/b&gt;" in again, "what was typed is kept, escaped"
    taken = await dana.act(
        "/submit", {"name": "request", "token": "", "values": values | {"duration": "30m"}, "channel": CHANNEL}
    )
    assert taken["form"] is None
    assert "can decide" in taken["answers"][0]["plain"]


async def test_the_requester_cannot_approve_their_own(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    dana = opened(DANA)
    answer = await dana.press(await dana.page("/c/access"), "approve")
    assert "Not possible" in answer["answers"][0]["html"]
    assert (await scene.world.request(request.id)).state is RequestState.PENDING


async def test_simultaneous_presses_decide_once(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    ann, bob = opened(ANN), opened(BOB)
    pages = [await ann.page("/c/access"), await bob.page("/c/access")]
    await asyncio.gather(
        *(who.press(page, "approve") for who, page in zip((ann, bob), pages, strict=True) for _ in "ab")
    )
    assert (await scene.world.request(request.id)).state is RequestState.APPROVED
    assert len(await scene.world.grants(request.id)) == 1


async def test_a_stale_button_says_what_happened(scene: Scene, opened: Open) -> None:
    request = await scene.asked()
    ann = opened(ANN)
    page = await ann.page("/c/access")
    await scene.world.approve(request, BOB)
    answer = await ann.press(page, "approve")
    assert "Approved by" in answer["answers"][0]["html"]
    assert "Bob" in answer["answers"][0]["html"]


@pytest.mark.parametrize("token", ["", "x", "0" * 32, "x" * 200, "⟨token⟩", "../../etc", "' OR 1=1 --"])
async def test_a_forged_button_does_nothing(scene: Scene, opened: Open, token: str) -> None:
    request = await scene.asked()
    ann = opened(ANN)
    answer = await ann.act("/press", {"token": token, "channel": CHANNEL})
    assert "nothing was done" in answer["answers"][0]["plain"]
    assert (await scene.world.request(request.id)).state is RequestState.PENDING


async def test_exact_text_is_seen_by_deciders_in_private_and_never_stored(scene: Scene, opened: Open) -> None:
    request = await scene.command(masked_evidence())
    ann, eve = opened(ANN), opened(EVE)
    page = await ann.page("/c/access")
    assert "lovelace" not in page
    assert 'data-do="approve"' not in page, "what was masked is not approved from the channel"

    review = (await ann.press(page, "review"))["answers"][0]
    assert "ada@lovelace.example" in review["html"]
    assert "lovelace" in await ann.page("/c/access"), "it stays with its person"
    assert "lovelace" not in await eve.page("/c/access")
    assert "lovelace" not in json.dumps([doc.data for doc in scene.store.tables.docs.values()])  # type: ignore[attr-defined]

    refused = (await eve.press(await eve.page("/c/access"), "review"))["answers"][0]
    assert "lovelace" not in refused["html"]

    again = await ann.act(
        "/press", {"token": token_of(review["html"], "approve"), "channel": CHANNEL, "answer": review["id"]}
    )
    assert again["answers"][0]["id"] == review["id"], "the private view is replaced in its place"
    assert (await scene.world.request(request.id)).state is RequestState.APPROVED


async def test_somebody_elses_private_button_does_nothing(scene: Scene, opened: Open) -> None:
    request = await scene.command(masked_evidence())
    ann, eve = opened(ANN), opened(EVE)
    review = (await ann.press(await ann.page("/c/access"), "review"))["answers"][0]
    stolen = await eve.act("/press", {"token": token_of(review["html"], "approve"), "channel": CHANNEL})
    assert "somebody else" in stolen["answers"][0]["plain"]
    assert (await scene.world.request(request.id)).state is RequestState.PENDING


async def test_answers_are_dismissed_by_their_own_person_only(scene: Scene, opened: Open) -> None:
    ann, eve = opened(ANN), opened(EVE)
    answer = (await ann.say("/hoop whoami"))["answers"][0]
    await eve.act("/dismiss", {"id": answer["id"]})
    assert answer["id"] in await ann.page("/c/access")
    await ann.act("/dismiss", {"id": answer["id"], "channel": CHANNEL})
    assert answer["id"] not in await ann.page("/c/access")


async def test_a_secret_is_hidden_by_its_own_person_only(scene: Scene, opened: Open) -> None:
    await scene.world.access()
    await scene.announce()
    dana, eve = opened(DANA), opened(EVE)
    token = next(m for m in await _private(scene) if m.card and m.card["kind"] == "token")
    await eve.act("/dismiss", {"id": token.id})
    assert "secret-1" in await dana.page("/private")
    await dana.act("/dismiss", {"id": token.id})
    page = await dana.page("/private")
    assert "secret-1" not in page
    assert "always get a new one" in page


async def _private(scene: Scene) -> list[messages.Message]:
    return await scene.store.read(lambda tx: messages.listed(tx, private_channel(DANA.id)))


# ------------------------------------------------------------------------------------------------ talking


async def test_people_talk_in_channels_and_threads(scene: Scene, opened: Open) -> None:
    await scene.asked()
    dana, ann = opened(DANA), opened(ANN)
    await dana.say("see `users` <script>alert(1)</script>")
    page = await ann.page("/c/access")
    assert "&lt;script&gt;" in page
    assert "<code>users</code>" in page
    first = (await scene.store.read(lambda tx: messages.listed(tx, CHANNEL)))[0]
    await ann.say("why?", thread=first.id)
    assert "1 reply" in await dana.page("/c/access")
    assert "why?" in await dana.page(f"/c/access?thread={first.id}")


async def test_a_message_that_looks_like_a_secret_is_not_posted(opened: Open, scene: Scene) -> None:
    dana = opened(DANA)
    answer = await dana.say("try postgresql://app:hunter22@db/app", status=422)
    assert "hunter22" not in json.dumps(answer)
    assert await scene.store.read(lambda tx: messages.listed(tx, CHANNEL)) == []


async def test_a_command_that_looks_like_a_secret_is_not_repeated(opened: Open) -> None:
    dana = opened(DANA)
    answer = await dana.say("/hoop request prod-db 1h postgresql://app:hunter22@db/app")
    assert "hunter22" not in json.dumps(answer)
    assert "hunter22" not in await dana.page("/c/access")


@pytest.mark.parametrize(("text", "status"), [("", 400), ("  \n ", 400), ("x" * 4001, 413), ("x" * 40_001, 413)])
async def test_nothing_and_too_much_are_refused(opened: Open, text: str, status: int) -> None:
    await opened(DANA).say(text, status=status)


@pytest.mark.parametrize(
    ("channel", "thread"),
    [("#nowhere", ""), (f"@{ANN.id}", ""), (CHANNEL, "m-none"), ("@", ""), (f"@{DANA.id}", "m-none"), ("", "m-none")],
)
async def test_nobody_speaks_where_they_may_not(opened: Open, channel: str, thread: str) -> None:
    await opened(DANA).say("hello", channel, thread, status=404)


async def test_a_reply_to_a_reply_is_not_a_thread(scene: Scene, opened: Open) -> None:
    await scene.asked()
    ann = opened(ANN)
    first = (await scene.store.read(lambda tx: messages.listed(tx, CHANNEL)))[0]
    await ann.say("one", thread=first.id)
    reply = (await scene.store.read(lambda tx: messages.listed(tx, CHANNEL, first.id)))[0]
    await ann.say("two", thread=reply.id, status=404)


async def test_in_private_everything_is_a_command(opened: Open) -> None:
    answer = await opened(DANA).say("whoami", private_channel(DANA.id))
    assert "You are" in answer["answers"][0]["plain"]


async def test_on_list_pages_commands_work_too(opened: Open) -> None:
    answer = await opened(DANA).say("my", "")
    assert answer["answers"][0]["line"].startswith("My access")


async def test_short_answers_are_marked_for_a_toast(opened: Open) -> None:
    answer = (await opened(DANA).say("/hoop show req_00000000"))["answers"][0]
    assert answer["short"]
    assert answer["tone"] in {"bad", "warning", "quiet"}


# ------------------------------------------------------------------------------------------------ attacks


@pytest.mark.parametrize("path", ["/say", "/press", "/submit", "/dismiss"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-CSRF-Token": None}, 403),
        ({"X-CSRF-Token": "0" * 64}, 403),
        ({"X-CSRF-Token": "é"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_a_post_from_elsewhere_is_refused(
    opened: Open, path: str, headers: dict[str, str | None], status: int
) -> None:
    dana = opened(DANA)
    await dana.page("/private")
    response = await dana.post(path, {"text": "/hoop my"}, headers)
    assert response.status == status
    assert set(await response.json()) == {"error", "message"}


async def test_the_token_of_another_person_or_browser_is_worth_nothing(opened: Open) -> None:
    dana, ann, other = opened(DANA), opened(ANN), opened(DANA)
    for browser in (dana, ann, other):
        await browser.page("/private")
    for stolen in (ann.csrf, other.csrf):
        response = await dana.post("/say", {"text": "/hoop my"}, {"X-CSRF-Token": stolen})
        assert response.status == 403


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"[" * 100_000, 400),
        (b'{"text": 7}', 400),
        (b'{"text": ["/hoop my"]}', 400),
        (b'{"text": "\\ud800"}', 400),
        (b"\xff\xfe{}", 400),
        (b'{"text": "hi", "channel": {}}', 400),
        (b'{"text": "' + b"x" * 300_000 + b'"}', 413),
    ],
)
async def test_a_broken_body_is_refused_in_words(opened: Open, raw: bytes, status: int) -> None:
    dana = opened(DANA)
    await dana.page("/private")
    response = await dana.post("/say", None, raw=raw)
    assert response.status == status, await response.text()
    assert (await response.json())["error"]


@pytest.mark.parametrize("values", [None, [], "x", {str(n): "" for n in range(41)}, {"reason": 1}])
async def test_a_broken_form_is_refused(opened: Open, values: object) -> None:
    await opened(DANA).act("/submit", {"name": "request", "token": "", "values": values}, status=400)


async def test_a_large_body_without_a_length_is_cut_off(opened: Open) -> None:
    dana = opened(DANA)
    await dana.page("/private")

    async def endless() -> object:
        for _ in range(40):
            yield b"x" * 16_384

    headers = dana.headers({"Origin": dana.origin, "Content-Type": "application/json", "X-CSRF-Token": dana.csrf})
    response = await dana.client.post(f"{dana.prefix}/say", data=endless(), headers=headers)
    assert response.status == 413


async def test_too_many_actions_are_slowed_down(scene: Scene, opened: Open) -> None:
    dana = opened(DANA)
    await dana.page("/private")
    statuses = [(await dana.post("/dismiss", {"id": "x"})).status for _ in range(125)]
    assert statuses.count(200) == 120
    assert statuses[-1] == 429
    scene.clock.advance(61)
    await dana.act("/dismiss", {"id": "x"})


async def test_somebody_who_left_can_do_nothing_more(scene: Scene, opened: Open) -> None:
    dana = opened(DANA)
    await dana.page("/private")
    scene.world.deactivate(DANA)
    assert (await dana.post("/say", {"text": "/hoop my"})).status == 404


async def test_a_store_that_does_not_answer_is_told_in_words(scene: Scene, opened: Open) -> None:
    dana = opened(DANA)
    await dana.page("/private")
    scene.store.broken = True  # type: ignore[attr-defined]
    response = await dana.post("/say", {"text": "hello", "channel": CHANNEL})
    assert response.status == 503
    assert "store" in (await response.json())["error"]


async def test_an_error_nobody_foresaw_has_a_number_and_no_traceback(
    scene: Scene, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    dana = opened(DANA)
    await dana.page("/private")

    async def broken(*_: object) -> None:
        raise RuntimeError("password is hunter22")

    monkeypatch.setattr(scene.conversation, "say", broken)
    response = await dana.post("/say", {"text": "/hoop my"})
    text = await response.text()
    assert response.status == 500
    assert "number" in text
    assert "hunter22" not in text


async def test_a_browser_that_went_away_is_no_error_in_the_log(
    scene: Scene, opened: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dana = opened(DANA)
    await dana.page("/private")

    async def gone(*_: object) -> None:
        raise ConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(scene.conversation, "say", gone)
    response = await dana.post("/say", {"text": "/hoop my"})
    assert response.status == 499
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


# ------------------------------------------------------------------------------------------------ completion


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("/", "/hoop request"),
        ("/ho", "/hoop request"),
        ("/hoop ", "/hoop request"),
        ("/hoop req", "/hoop request"),
        ("/req", "/hoop request"),
        ("/hoop request p", "/hoop request prod-db"),
        ("req", "request"),
    ],
)
async def test_completion_follows_the_grammar(opened: Open, text: str, first: str) -> None:
    assert (await _suggested(opened(DANA), text))[0].strip() == first


@pytest.mark.parametrize("text", ["", "/hoop exec prod-db -- SELECT ", "\x00" * 50, "/hoop zzz"])
async def test_there_is_nothing_to_complete(opened: Open, text: str) -> None:
    assert await _suggested(opened(DANA), text) == []


async def _suggested(browser: Browser, text: str) -> list[str]:
    response = await browser.client.get(f"{browser.prefix}/complete", params={"text": text}, headers=browser.headers())
    assert response.status == 200
    return [suggestion["text"] for suggestion in (await response.json())["suggestions"]]


async def test_a_message_keeps_its_place_after_a_restart(scene: Scene, opened: Open) -> None:
    request = await scene.asked(reason="to be <kept>")
    again = Scene(scene.store, scene.clock)
    async with again.server() as server, Browser(server, ANN) as ann:
        page = await ann.page("/c/access")
        assert "to be &lt;kept&gt;" in page
        await ann.press(page, "approve")
    assert (await scene.world.request(request.id)).state is RequestState.APPROVED


async def test_nobody_acts_without_a_demo_session(opened: Open) -> None:
    dana = opened(DANA)
    await dana.page("/private")
    dana.cookies = {}
    dana.client.session.cookie_jar.clear()
    response = await dana.post("/say", {"text": "/hoop my"})
    assert response.status == 403
