"""`/hoop key` and `/hoop ssh-config`: both steps by the account itself, in private; nobody else's keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import asyncssh
import pytest

from access import ssh_logins
from access.errors import Invalid, Unavailable
from access.resources import Protocol
from access.ssh_certificates import PersonalCertificate
from bot.cards import Card, plain
from bot.grammar import parse
from bot.handlers import Handlers
from bot.intents_ssh import Key, KeyDo, SshConfig
from bot.ssh_side import Place, SshSide
from bot.views import logins
from identity.ssh_keys import KeyBook
from tests.bot.stage import Stage, words
from tests.fakes.world import ANN, DANA


def line() -> str:
    return asyncssh.generate_private_key("ssh-ed25519", comment="dana@laptop").export_public_key().decode().strip()


def said(card: Card) -> str:
    return "\n".join(plain(line) for line in (card.title, *card.lines))


@pytest.fixture
def keys(stage: Stage) -> KeyBook:
    book = KeyBook(stage.store)
    server = replace(stage.world.resources["prod-db"], name="web-1", protocol=Protocol.SSH)
    resources = {**stage.world.resources, "web-1": server}
    world = replace(stage.kit.world, resources=resources)
    place = Place("gate.example.com", 2222, "ssh-ed25519 AAAA", "SHA256:gateway")
    stage.kit = replace(stage.kit, world=world, ssh=SshSide(book, lambda: place))
    stage.handlers = Handlers(stage.kit)
    return book


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("key", Key(KeyDo.LIST)), ("key list", Key(KeyDo.LIST)), ("key add ssh-ed25519 AAAA me", Key(KeyDo.ADD, "ssh-ed25519 AAAA me")),
        ("key confirm SHA256:abc", Key(KeyDo.CONFIRM, "SHA256:abc")), ("key remove SHA256:abc", Key(KeyDo.REMOVE, "SHA256:abc")),
        ("key remove cert:7", Key(KeyDo.REMOVE, "cert:7")), ("key remove certificates", Key(KeyDo.REMOVE, "certificates")),
        ("ssh-config", SshConfig()),
    ],
)  # fmt: skip
def test_the_spelling(text: str, intent: object) -> None:
    assert parse(text) == intent


@pytest.mark.parametrize(
    "text",
    [
        "key add",
        "key list all",
        "key confirm",
        "key confirm abc",
        "key remove SHA256:a b",
        "key confirm cert:7",
        "key remove cert:7 cert:8",
        "key steal x",
    ],
)
def test_what_is_not_understood(text: str) -> None:
    assert "It is: key add" in parse(text).message  # type: ignore[union-attr]


async def test_a_key_logs_in_once_it_is_confirmed(stage: Stage, keys: KeyBook) -> None:
    [card] = (await stage.say(DANA, f"key add {line()}")).cards
    assert card.private
    fingerprint = next(word for word in said(card).split() if word.startswith("SHA256:"))
    fingerprint = fingerprint.rstrip(";")
    assert keys.known(fingerprint) is None
    assert "not confirmed" in said((await stage.say(DANA, "key")).cards[0])
    # nobody else confirms or removes it
    for asked in (f"key confirm {fingerprint}", f"key remove {fingerprint}"):
        assert "no key with this fingerprint" in said((await stage.say(ANN, asked)).cards[0])
    assert "logs in as you" in said((await stage.say(DANA, f"key confirm {fingerprint}")).cards[0])
    assert keys.known(fingerprint) == DANA.id
    assert "dana@laptop" in said((await stage.say(DANA, "key")).cards[0])
    await stage.say(DANA, f"key remove {fingerprint}")
    assert keys.known(fingerprint) is None


async def test_what_is_no_key_is_refused(stage: Stage, keys: KeyBook) -> None:
    for asked, answer in (
        ("key add ssh-dss AAAA", "not accepted"), ("key add hello", "not a public key"), ("key add ssh-ed25519 AAAA", "damaged"),
    ):  # fmt: skip
        assert answer in said((await stage.say(DANA, asked)).cards[0])
    private = "key add -----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXktdjEAAAAA"
    assert "private key" in said((await stage.say(DANA, private)).cards[0])


async def test_the_block_for_ones_configuration(stage: Stage, keys: KeyBook) -> None:
    [card] = (await stage.say(DANA, "ssh-config")).cards
    assert card.private
    shown = said(card)
    for part in (
        "SHA256:gateway",
        "[gate.example.com]:2222 ssh-ed25519 AAAA",
        "Host web-1",
        "Port 2222",
        "User web-1",
        "dana+NAME",
        "Ciphers ^aes128-gcm@openssh.com",
    ):
        assert part in shown

    def broken() -> Place:
        raise Unavailable("The SSH host key is not there.")

    stage.handlers = Handlers(replace(stage.kit, ssh=SshSide(keys, broken)))
    assert "not there" in said((await stage.say(DANA, "ssh-config")).cards[0])


async def test_without_servers_there_is_nothing_to_say(stage: Stage) -> None:
    for asked in ("ssh-config", "key"):
        assert "reached by SSH" in said((await stage.say(DANA, asked)).cards[0])


async def test_a_login_is_let_in_by_its_number(stage: Stage, keys: KeyBook) -> None:
    await stage.store.transact(lambda tx: ssh_logins.ask(tx, asking("407213")))
    assert "no number of a login of yours" in said((await stage.say(ANN, "login 407213")).cards[0])
    assert "web-1, from 10.1.2.3" in said((await stage.say(DANA, "login 407 213")).cards[0])
    assert await state_of(stage, "407213") == ssh_logins.CONFIRMED
    assert "too old" in said((await stage.say(DANA, "login 407213")).cards[0])
    for text in ("login", "login 40721", "login abcdef", "login ４０７２１３"):
        assert "six digits" in parse(text).message  # type: ignore[union-attr]


async def test_only_what_was_confirmed_is_used_and_once(stage: Stage, keys: KeyBook) -> None:
    await stage.store.transact(lambda tx: ssh_logins.ask(tx, asking("407213")))
    assert not await stage.store.transact(lambda tx: ssh_logins.use(tx, "407213")), "open"
    await stage.store.transact(lambda tx: ssh_logins.ask(tx, asking("407213")))
    await stage.store.transact(lambda tx: ssh_logins.choose(tx, "a1", "111111", DANA.id))
    assert not await stage.store.transact(lambda tx: ssh_logins.use(tx, "407213")), (
        "denied between the look and the use"
    )
    await stage.store.transact(lambda tx: ssh_logins.ask(tx, asking("407213")))
    await stage.store.transact(lambda tx: ssh_logins.confirm(tx, "407213", DANA.id))
    assert await stage.store.transact(lambda tx: ssh_logins.use(tx, "407213"))
    assert not await stage.store.transact(lambda tx: ssh_logins.use(tx, "407213")), "a second time"


async def test_after_a_wrong_choice_nothing_new_can_be_chosen_only_typed(stage: Stage, keys: KeyBook) -> None:
    await stage.store.transact(lambda tx: ssh_logins.ask(tx, asking("407213")))
    await stage.store.transact(lambda tx: ssh_logins.choose(tx, "a1", "111111", DANA.id))
    await stage.store.transact(lambda tx: ssh_logins.ask(tx, asking("518324", "a2")))
    with pytest.raises(Invalid, match="over"):
        await stage.store.transact(lambda tx: ssh_logins.choose(tx, "a2", "518324", DANA.id))
    assert await state_of(stage, "518324") == ssh_logins.OPEN
    await stage.say(DANA, "login 518324")
    assert await state_of(stage, "518324") == ssh_logins.CONFIRMED


async def test_certificates_are_listed_and_revoked(stage: Stage, keys: KeyBook) -> None:
    now = stage.clock.now()
    for serial in (7, 8, 9):
        await keys.certificates.issue(
            PersonalCertificate(serial, DANA.id, line(), now, now + timedelta(hours=1), "10.1.2.3", "chat:1")
        )
    assert "cert:7 — a certificate until" in said((await stage.say(DANA, "key")).cards[0])
    assert "no certificate like this" in said((await stage.say(ANN, "key remove cert:7")).cards[0])
    assert "cert:7: revoked" in said((await stage.say(DANA, "key remove cert:7")).cards[0])
    assert "cert:NUMBER" in said((await stage.say(DANA, "key remove cert:x")).cards[0])
    assert "cert:8, cert:9: revoked" in said((await stage.say(DANA, "key remove certificates")).cards[0])
    assert "You have none" in said((await stage.say(DANA, "key")).cards[0])
    assert "no certificate like this" in said((await stage.say(DANA, "key remove certificates")).cards[0])


def asking(number: str, attempt: str = "a1") -> ssh_logins.Ask:
    shown = (number, "111111", "222222")
    return ssh_logins.Ask(number, attempt, shown, DANA.id, "web-1", "10.1.2.3")


async def state_of(stage: Stage, number: str) -> str:
    return (await stage.store.read(lambda tx: ssh_logins.answer(tx, number, DANA.id, "web-1")))[0]


async def asked(stage: Stage, number: str, attempt: str = "a1") -> None:
    assert await stage.store.transact(lambda tx: ssh_logins.ask(tx, asking(number, attempt)))
    await stage.settle()


def number_token(stage: Stage, label: str) -> str:
    card = stage.chat.to(DANA, "login")[-1].card
    return next(button.token for button in card.buttons if button.label == label)


async def test_the_number_of_the_terminal_is_chosen_among_others(stage: Stage) -> None:
    await asked(stage, "407213")
    [sent] = stage.chat.to(DANA, "login")
    assert [button.label for button in sent.card.buttons] == ["111 111", "222 222", "407 213", "This is not me"]
    assert "10.1.2.3" in words(sent.card)
    assert "made for somebody else" in words((await stage.press(ANN, number_token(stage, "407 213"))).last)
    assert "Let in: you, on web-1, from 10.1.2.3." in words(
        (await stage.press(DANA, number_token(stage, "407 213"))).last
    )
    await stage.settle()
    assert await state_of(stage, "407213") == ssh_logins.CONFIRMED
    assert sent.card.state == logins.LET_IN
    assert not sent.card.buttons
    events = await stage.store.read(lambda tx: tx.events(limit=1000))
    assert not any("407213" in str(event.payload) for event in events), "the number is in no event"


@pytest.mark.parametrize(("label", "why"), [("222 222", "another number was chosen"), ("This is not me", "not theirs")])
async def test_one_wrong_choice_ends_all_and_nothing_is_found_by_trying(stage: Stage, label: str, why: str) -> None:
    await asked(stage, "407213")
    right, wrong = number_token(stage, "407 213"), number_token(stage, label)
    await asked(stage, "555555", "a2")
    assert "Nobody was let in" in words((await stage.press(DANA, wrong)).last)
    assert "This login is over" in words((await stage.press(DANA, right)).last)
    assert "This login is over" in words((await stage.press(DANA, number_token(stage, "555 555"))).last)
    with pytest.raises(Invalid):
        await stage.store.transact(lambda tx: ssh_logins.confirm(tx, "407213", DANA.id))
    assert {await state_of(stage, "407213"), await state_of(stage, "555555")} == {ssh_logins.DENIED}
    await stage.settle()
    assert {sent.card.state for sent in stage.chat.to(DANA, "login")} == {logins.NOT_LET_IN}
    denied = [one for one in await stage.store.read(lambda tx: tx.events(limit=1000)) if one.kind == "login.denied"]
    assert len(denied) == 2
    assert all(why in (one.payload or {})["why"] for one in denied)
    # For a while only what is typed counts, and nobody is asked to choose.
    shown = len(stage.chat.to(DANA, "login"))
    await asked(stage, "333333", "a3")
    assert len(stage.chat.to(DANA, "login")) == shown
    await stage.store.transact(lambda tx: ssh_logins.confirm(tx, "333333", DANA.id))
    stage.clock.advance(ssh_logins.TYPED_ONLY.total_seconds() + 1)
    await asked(stage, "444444", "a4")
    assert len(stage.chat.to(DANA, "login")) == shown + 1


async def test_a_message_that_is_too_old_chooses_nothing(stage: Stage) -> None:
    await asked(stage, "407213")
    stage.clock.advance(ssh_logins.GOOD_FOR.total_seconds() + 1)
    assert "This login is over" in words((await stage.press(DANA, number_token(stage, "407 213"))).last)
