"""The HTTP door: attacks get 401 and nothing happens; what is Slack's is served as over a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.slack import limits
from bot.slack.guard import signature_of
from bot.slack.limits import BODY
from tests.bot.slack.office import SECRET, Office, said
from tests.fakes.slack.deliveries import Ack, encode
from tests.fakes.store import MemoryStore

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def send(office: Office, body: bytes, headers: dict[str, str] | None = None, **forged: str) -> Ack:
    return await office.slack.deliveries.post(body, headers or FORM, **forged)


def command(office: Office, **changes: Any) -> bytes:
    team, dana = office.slack.workspace.team, office.dana
    values = {
        "command": "/hoop", "text": "request prod-db 1h because", "team_id": team, "api_app_id": office.slack.workspace.app,
        "user_id": dana.id, "channel_id": office.channel.id, "trigger_id": office.slack.triggers.issue(dana.id),
        "response_url": office.slack.responses.issue(dana.id, office.channel.id),
    }  # fmt: skip
    return urlencode(values | changes).encode()


async def filed(office: Office) -> int:
    await office.idle()
    return len(await office.store.read(lambda tx: tx.requests()))


async def test_the_whole_way_works_over_http(http_office: Office) -> None:
    office = http_office
    card = await office.asked()
    await office.ann.press(card, "Approve")
    await office.settle()
    assert "Approved by" in said(card)
    await office.dana.slash("request", office.channel)
    await office.idle()
    ack = await office.dana.submit({"value": ""})
    assert ack.body["response_action"] in {"errors", "update"}


@pytest.mark.parametrize(
    "forged",
    [
        {"signature": "v0=" + "0" * 64}, {"signature": "junk"}, {"timestamp": "abc"}, {"timestamp": "1e9"},
        {"timestamp": "99999999999999999999"}, {"timestamp": "1"}, {"timestamp": "-1"},
    ],
    ids=str,
)  # fmt: skip
async def test_forged_stale_and_malformed_requests_get_401(http_office: Office, forged: dict[str, str]) -> None:
    assert (await send(http_office, command(http_office), None, **forged)).status == 401
    assert await filed(http_office) == 0


async def test_a_request_without_any_header_gets_401(http_office: Office) -> None:
    async with aiohttp.ClientSession() as session:
        for body in (b"", b"ssl_check=1", command(http_office), b"\xff\xfe"):
            async with session.post(http_office.slack.deliveries.address, data=body) as answer:
                assert answer.status == 401
    assert await filed(http_office) == 0


async def test_a_replay_gets_401_and_runs_nothing_twice(http_office: Office) -> None:
    body = command(http_office)
    assert (await send(http_office, body)).status == 200
    assert (await send(http_office, body)).status == 401
    assert await filed(http_office) == 1


async def test_the_same_delivery_signed_anew_is_acknowledged_and_not_run_again(http_office: Office) -> None:
    body = command(http_office)
    assert (await send(http_office, body)).status == 200
    http_office.clock.advance(1)
    assert (await send(http_office, body)).status == 200
    assert await filed(http_office) == 1


async def test_a_replayed_click_after_the_nonce_is_forgotten_is_still_known_by_the_inbox(http_office: Office) -> None:
    office = http_office
    card = await office.asked()
    block, element = next((b, e) for b in card.blocks if b["type"] == "actions" for e in b["elements"][:1])
    body, kind = encode("interactive", office.ann.press_payload(card, block, element))
    for _ in range(3):
        assert (await send(office, body, {"Content-Type": kind})).status == 200
        office.clock.advance(700)
    await office.settle()
    assert len(await office.store.read(lambda tx: tx.grants())) == 1
    assert len(office.ann.whispers(office.channel)) == 1


@pytest.mark.parametrize("change", [{"team_id": "T0OTHER"}, {"api_app_id": "A0OTHER"}, {"api_app_id": ""}], ids=str)
async def test_another_team_or_app_gets_401_whatever_its_signature(http_office: Office, change: dict[str, str]) -> None:
    assert (await send(http_office, command(http_office, **change))).status == 401
    assert await filed(http_office) == 0


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"), (b"{", "application/json"), (b"[]", "application/json"), (b'"x"', "application/json"),
        (b"null", "application/json"), (b"payload=%7B", "application/x-www-form-urlencoded"), (b"payload=[]", "application/x-www-form-urlencoded"),
        (b"payload=null", "application/x-www-form-urlencoded"), (b"\xff\xfe\x00", "application/octet-stream"),
        (b"[" * 60_000, "application/json"), (b'{"a":' * 20_000, "application/json"), (b"payload=" + b"[" * 50_000, "application/x-www-form-urlencoded"),
        (b'{"type":"event_callback"}', "application/json"), (b"command=%2Fhoop", "application/x-www-form-urlencoded"),
    ],
    ids=range(14),
)  # fmt: skip
async def test_signed_nonsense_is_refused_without_a_500(http_office: Office, body: bytes, kind: str) -> None:
    ack = await send(http_office, body, {"Content-Type": kind})
    assert ack.status in {400, 401}, ack


async def test_a_body_over_the_cap_is_not_read_to_its_end(http_office: Office) -> None:
    assert (await send(http_office, b"x" * (BODY + 1))).status == 413

    async def endless() -> Any:
        for _ in range(200):
            yield b"x" * 10_000

    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            async with session.post(http_office.slack.deliveries.address, data=endless()) as answer:
                assert answer.status == 413
                raise aiohttp.ClientError
    assert await filed(http_office) == 0


async def test_a_body_that_does_not_arrive_is_not_waited_for(
    http_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)

    async def stuck() -> Any:
        yield b"command="
        await asyncio.sleep(30)

    async with (
        aiohttp.ClientSession() as session,
        session.post(http_office.slack.deliveries.address, data=stuck()) as answer,
    ):
        assert answer.status == 408


async def test_the_address_proves_itself_to_slack(http_office: Office) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c-123", "token": "x"}).encode()
    ack = await send(http_office, body, {"Content-Type": "application/json"})
    assert (ack.status, ack.body) == (200, {"challenge": "c-123"})
    assert (
        await send(http_office, body, {"Content-Type": "application/json"}, signature="v0=" + "0" * 64)
    ).status == 401


async def test_both_secrets_work_while_one_is_replaced(http_office: Office) -> None:
    await http_office.stop()
    http_office.config = type(http_office.config)(
        **{
            **{name: getattr(http_office.config, name) for name in http_office.config.__slots__},
            "signing_secrets": ("the new one", SECRET),
        }
    )
    await http_office.start()
    for secret in (SECRET, "the new one"):
        body, stamp = command(http_office), str(int(http_office.slack.now()))
        assert (await send(http_office, body, signature=signature_of(secret, stamp, body))).status == 200


async def test_events_that_could_not_be_kept_are_delivered_again(
    http_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = http_office
    store = office.store
    assert isinstance(store, MemoryStore)
    store.broken = True
    office.slack.deliveries.retry_delays = (0.05, 0.1)
    transact = store.transact

    async def refuses_once(work: Any) -> Any:
        try:
            return await transact(work)
        finally:
            store.broken = False

    monkeypatch.setattr(store, "transact", refuses_once)
    ack = await office.dana.mention(office.channel, "request prod-db 1h because")
    assert (ack.status, ack.attempt) == (200, 1)
    assert await filed(office) == 1


async def test_a_command_that_could_not_be_kept_says_so(http_office: Office) -> None:
    assert isinstance(http_office.store, MemoryStore)
    http_office.store.broken = True
    ack = await http_office.dana.slash("request prod-db 1h because", http_office.channel)
    assert "nothing was done" in str(ack.body)
    http_office.store.broken = False
    assert await filed(http_office) == 0


async def test_a_click_that_could_not_be_kept_is_not_acknowledged(http_office: Office) -> None:
    office = http_office
    card = await office.asked()
    assert isinstance(office.store, MemoryStore)
    office.store.broken = True
    assert (await office.ann.press(card, "Approve")).status == 503
    office.store.broken = False


async def test_before_and_after_its_life_the_address_says_503(http_office: Office) -> None:
    await http_office.stop()
    assert (await send(http_office, command(http_office))).status == 503
