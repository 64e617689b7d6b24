"""Who an account is, asked anew at every action: links, the directory, e-mail; guests, strangers, bots, other workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from access.errors import Conflict, Denied, Invalid
from access.ports import Store
from bot.slack.accounts import Accounts, account_key, link, parse_account, unlink
from bot.slack.config import API, SlackConfig, Source, Transport
from bot.slack.members import Member, member
from tests.bot.slack.office import Office, said
from tests.fakes.clock import ManualClock
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN
from tests.fakes.store import MemoryStore
from tests.fakes.world import ANN, DANA, EVERYBODY, IAN, World

HUMAN: Mapping[str, Any] = {
    "id": "U1", "team_id": "T1", "deleted": False, "is_bot": False, "is_restricted": False, "is_ultra_restricted": False,
    "is_email_confirmed": True, "profile": {"email": "dana@example.org"},
}  # fmt: skip


# ------------------------------------------------------------------------------------------------ the account itself


def test_a_full_member_is_let_in() -> None:
    assert member(HUMAN) == Member("U1", frozenset({"T1"}), "dana@example.org", email_confirmed=True)


@pytest.mark.parametrize(
    "change",
    [
        {"deleted": True}, {"deleted": None}, {"is_bot": True}, {"is_restricted": True}, {"is_ultra_restricted": True},
        {"is_stranger": True}, {"is_invited_user": True}, {"is_workflow_bot": True}, {"id": "USLACKBOT"},
        {"is_restricted": "false"}, {"is_bot": None},
    ],
)  # fmt: skip
def test_everybody_else_is_refused_and_what_is_not_said_counts_against_them(change: dict[str, Any]) -> None:
    assert member({**HUMAN, **change}).refused


@pytest.mark.parametrize("missing", ["deleted", "is_bot", "is_restricted", "is_ultra_restricted"])
def test_an_answer_without_an_attribute_is_a_refusal(missing: str) -> None:
    assert member({k: v for k, v in HUMAN.items() if k != missing}).refused


def test_an_organisation_counts_as_a_home() -> None:
    got = member({**HUMAN, "enterprise_user": {"enterprise_id": "E1", "teams": ["T1", "T2"]}})
    assert got.teams == {"T1", "T2", "E1"}


@pytest.mark.parametrize(
    "text", ["", "dana", "T1", "T1/", "/U1", "X1/U1", "T1/C1", "T1/U1/U2", "T1/ü", "T1/U1 ", "t1/u1"]
)
def test_accounts_are_written_one_way(text: str) -> None:
    if text.strip().upper() == "T1/U1":
        assert parse_account(text) == "T1/U1"
        return
    with pytest.raises(Invalid):
        parse_account(text)


# ------------------------------------------------------------------------------------------------ links


async def test_a_link_is_one_to_one_and_recorded(store: Store, clock: ManualClock) -> None:
    world = World(store, clock)
    await link(store, world.directory, "T1/U1", DANA.id, by="operator|root")
    with pytest.raises(Conflict, match="account"):
        await link(store, world.directory, "T1/U1", ANN.id, by="operator|root")
    with pytest.raises(Conflict, match="person"):
        await link(store, world.directory, "T1/U2", DANA.id, by="operator|root")
    assert await unlink(store, "T1/U1", by="operator|root") == DANA.id
    with pytest.raises(Invalid, match="not linked"):
        await unlink(store, "T1/U1", by="operator|root")
    await link(store, world.directory, "T1/U2", DANA.id, by="operator|root")
    events = await store.read(lambda tx: tx.events())
    assert [(e.kind, e.stream, e.actor, (e.payload or {})["account"]) for e in events] == [
        ("account.linked", DANA.id, "operator|root", "T1/U1"),
        ("account.unlinked", DANA.id, "operator|root", "T1/U1"),
        ("account.linked", DANA.id, "operator|root", "T1/U2"),
    ]


@pytest.mark.parametrize("person", [IAN.id, "directory|nobody"])
async def test_only_active_people_are_linked(clock: ManualClock, person: Any) -> None:
    store = MemoryStore(clock)
    with pytest.raises(Invalid):
        await link(store, World(store, clock).directory, "T1/U1", person, by="operator|root")


def accounts(store: Store, clock: ManualClock, people: Any = EVERYBODY, **config: Any) -> Accounts:
    from identity.directory import StaticDirectory

    return Accounts(SlackConfig(bot_token=BOT_TOKEN, **config), store, StaticDirectory(people, {}))


async def test_the_same_user_id_in_another_workspace_is_somebody_else(clock: ManualClock) -> None:
    store = MemoryStore(clock)
    found = accounts(store, clock)
    await link(store, World(store, clock).directory, "T1/U1", DANA.id, by="operator|root")
    one = member(HUMAN)
    assert await found.person("T1", one) == DANA.id
    for tenant in ("T2", "E1"):
        with pytest.raises(Denied, match="not linked"):
            await found.person(tenant, one)
    assert await found.users(frozenset({DANA.id, ANN.id})) == {DANA.id: "U1"}


async def test_the_directory_is_the_only_source_when_it_is_the_source(clock: ManualClock) -> None:
    store = MemoryStore(clock)
    await link(store, World(store, clock).directory, "T1/U1", ANN.id, by="operator|root")
    found = accounts(store, clock, identify=Source.DIRECTORY, accounts={"T1/U1": DANA.id})
    assert await found.person("T1", member(HUMAN)) == DANA.id
    assert await found.users(frozenset({DANA.id, ANN.id})) == {DANA.id: "U1"}
    with pytest.raises(Denied, match="not linked"):
        await found.person("T1", member({**HUMAN, "id": "U2"}))


async def test_email_counts_only_when_configured_confirmed_and_unique(clock: ManualClock) -> None:
    store = MemoryStore(clock)
    people = [replace(DANA, email="Dana@Example.org"), replace(ANN, email=""), replace(IAN, email="dana@example.org")]
    by_email = accounts(store, clock, people, identify=Source.EMAIL)
    assert await by_email.person("T1", member(HUMAN)) == DANA.id
    with pytest.raises(Denied):
        await accounts(store, clock, people).person("T1", member(HUMAN))
    changes: list[dict[str, Any]] = [
        {"is_email_confirmed": False},
        {"is_email_confirmed": None},
        {"profile": {}},
        {"profile": {"email": ""}},
    ]
    for change in changes:
        with pytest.raises(Denied):
            await by_email.person("T1", member({**HUMAN, **change}))
    twice = [people[0], replace(ANN, email="dana@example.org")]
    with pytest.raises(Denied):
        await accounts(store, clock, twice, identify=Source.EMAIL).person("T1", member(HUMAN))
    assert await by_email.users(frozenset({DANA.id})) == {}
    await by_email.met("T1", member(HUMAN), DANA.id)
    assert await by_email.users(frozenset({DANA.id})) == {DANA.id: "U1"}


def test_keys_are_ids_never_names() -> None:
    with pytest.raises(Invalid):
        account_key("T1", "dana")


# ------------------------------------------------------------------------------------------------ at the click


async def test_somebody_who_is_not_linked_is_told_what_an_owner_types(quick_office: Office) -> None:
    office = quick_office
    eve = office.slack.person("eve")
    await eve.slash("request prod-db 1h because", office.channel)
    await office.settle()
    (told,) = eve.whispers(office.channel)
    assert f"hoop link PERSON {office.slack.workspace.team}/{eve.id}" in said(told)
    assert await office.store.read(lambda tx: tx.requests()) == []
    refused = [e for e in await office.store.read(lambda tx: tx.events()) if e.kind == "login.refused"]
    assert [(e.payload or {})["client"] for e in refused] == [f"{office.slack.workspace.team}/{eve.id}"]


async def test_a_stranger_cannot_fill_the_ledger(quick_office: Office) -> None:
    office = quick_office
    eve = office.slack.person("eve")
    for _ in range(30):
        await eve.slash("my", office.channel)
    await office.idle()
    events = await office.store.read(lambda tx: tx.events())
    assert sum(e.kind == "login.refused" for e in events) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"deleted": True},
        {"restricted": True},
        {"ultra_restricted": True},
        {"stranger": True},
        {"bot": True},
        {"team": "T0OTHER"},
    ],
    ids=str,
)
async def test_an_approver_who_lost_their_standing_is_refused_within_a_minute(
    quick_office: Office, clock: ManualClock, change: dict[str, Any]
) -> None:
    office = quick_office
    card = await office.asked()
    await office.ann.slash("pending", office.channel)
    await office.idle()
    for name, value in change.items():
        setattr(office.ann.user, name, value)
    clock.advance(61)
    await office.slack.person(office.ann.id).press(card, "Approve")
    await office.settle()
    assert await office.store.read(lambda tx: tx.grants()) == []
    refused = [e for e in await office.store.read(lambda tx: tx.events()) if e.kind == "login.refused"]
    assert len(refused) == 1


async def test_nothing_is_done_while_slack_does_not_say_who_it_is(quick_office: Office, clock: ManualClock) -> None:
    office = quick_office
    card = await office.asked()
    clock.advance(61)
    office.slack.faults.fail("users.info", times=1)
    await office.ann.press(card, "Approve")
    await office.settle()
    assert await office.store.read(lambda tx: tx.grants()) == []
    assert "does not say who you are" in said(office.ann.whispers(office.channel)[-1])
    await office.ann.press(card, "Approve")
    await office.settle()
    assert len(await office.store.read(lambda tx: tx.grants())) == 1


async def test_users_info_is_asked_at_most_once_a_minute_per_person(quick_office: Office, clock: ManualClock) -> None:
    office = quick_office
    for _ in range(5):
        await office.dana.slash("my", office.channel)
    await office.idle()
    assert len(office.slack.recorder.of("users.info")) == 1
    clock.advance(60)
    await office.dana.slash("my", office.channel)
    await office.idle()
    assert len(office.slack.recorder.of("users.info")) == 2


async def test_a_link_taken_away_counts_at_once(quick_office: Office) -> None:
    office = quick_office
    card = await office.asked()
    await unlink(office.store, f"{office.slack.workspace.team}/{office.ann.id}", by="operator|root")
    await office.ann.press(card, "Approve")
    await office.settle()
    assert await office.store.read(lambda tx: tx.grants()) == []


# ------------------------------------------------------------------------------------------------ the configuration


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"bot_token": "xoxp-user"}, "bot_token"), ({"app_token": ""}, "app_token"), ({"app_token": "xoxb-no"}, "app_token"),
        ({"transport": Transport.HTTP}, "signing_secret"), ({"transport": Transport.HTTP, "signing_secrets": ("",)}, "signing_secret"),
        ({"identify": Source.DIRECTORY}, "identify"),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_work_says_why(change: dict[str, Any], word: str) -> None:
    good: dict[str, Any] = {"bot_token": BOT_TOKEN, "app_token": APP_TOKEN}
    assert SlackConfig(**good).problems() == []
    (problem,) = SlackConfig(**(good | change)).problems()
    assert word in problem


def test_secrets_are_in_no_repr() -> None:
    shown = repr(SlackConfig("xoxb-secret-1", "xapp-secret-2", ("secret-3",)))
    assert "secret-" not in shown
    assert API in shown
