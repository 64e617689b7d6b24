"""Logging in with a number that is said in chat: once, by that person, for that resource, not too often."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest

from access import ssh_logins
from access.errors import Invalid
from access.scopes import Read
from proxy.ssh import confirming
from proxy.ssh.door import Door
from proxy.ssh.house import Settings
from proxy.ssh.login import Failures
from tests.fakes.clock import ManualClock
from tests.fakes.world import ANN, DANA
from tests.patience import LONG
from tests.wire.ssh.site import Site


class Waiting(asyncssh.SSHClient):
    """A client that shows the number, and answers the prompt when told to."""

    def __init__(self, answer: str = "") -> None:
        self.shown: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._tries = 1
        self.banners = ""

    def auth_banner_received(self, msg: str, lang: str) -> None:
        self.banners += msg

    def kbdint_auth_requested(self) -> str | None:
        self._tries -= 1
        return "" if self._tries >= 0 else None

    def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: object) -> list[str]:
        if prompts and not self.shown.done():
            self.shown.set_result(instructions)
        return [self._answer] if prompts else []


async def number_of(client: Waiting) -> str:
    found = re.search(r"/hoop login (\d{6})", await asyncio.wait_for(client.shown, LONG))
    assert found is not None
    return found[1]


def connecting(site: Site, client: Waiting, user: str = "dana+web-1") -> asyncio.Task[asyncssh.SSHClientConnection]:
    known = f"[127.0.0.1]:{site.gateway.port} {site.host_key}\n".encode()
    return asyncio.ensure_future(
        asyncssh.connect(
            "127.0.0.1", site.gateway.port, username=user, client_factory=lambda: client, client_keys=None, config=None,
            known_hosts=known, agent_path=None, preferred_auth="keyboard-interactive", public_key_auth=False, password_auth=False,
        )
    )  # fmt: skip


async def say(site: Site, number: str, person: object = DANA) -> None:
    await site.store.transact(lambda tx: ssh_logins.confirm(tx, number, person.id))  # type: ignore[attr-defined]


async def test_the_number_said_in_chat_lets_in_once(site: Site) -> None:
    await site.grant(Read())
    client = Waiting()
    coming = connecting(site, client)
    number = await number_of(client)
    await asyncio.sleep(0.1)
    assert not coming.done()
    with pytest.raises(Invalid):
        await say(site, number, ANN)  # it is Dana's
    await say(site, number)
    async with await asyncio.wait_for(coming, LONG) as connection:
        assert (await connection.run("echo in")).stdout == "in\n"
    with pytest.raises(Invalid):
        await say(site, number)  # used up
    [said] = await site.facts("login.confirmed")
    assert (said.payload["resource"], said.payload["client"], said.actor) == ("web-1", "127.0.0.1", DANA.id)
    [opened] = await site.facts("session.opened")
    assert opened.payload["credential"] == f"chat:{number}"


async def test_the_number_is_chosen_and_a_wrong_choice_ends_it(site: Site) -> None:
    """The terminal shows the number; the store has what chat shows it among."""
    await site.grant(Read())
    client = Waiting()
    coming = connecting(site, client)
    number = await number_of(client)
    assert f"Choose {number} in chat" in client.shown.result()
    [(_, data)] = await site.store.read(lambda tx: tx.docs(ssh_logins.KIND))
    assert number in data["shown"]
    assert len(set(data["shown"])) == ssh_logins.SHOWN
    assert (await site.store.transact(lambda tx: ssh_logins.choose(tx, data["attempt"], number, DANA.id)))[0]
    async with await asyncio.wait_for(coming, LONG) as connection:
        assert (await connection.run("echo in")).stdout == "in\n"
    again = Waiting()
    coming = connecting(site, again)
    await number_of(again)
    [(_, data)] = await site.store.read(lambda tx: tx.docs(ssh_logins.KIND))
    await site.store.transact(lambda tx: ssh_logins.choose(tx, data["attempt"], "none of them", DANA.id))
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncio.wait_for(coming, LONG)
    assert "hoop: refused: another number was chosen in chat" in again.banners
    await site.gone()
    [refused] = await site.facts("login.refused")
    assert refused.payload["why"] == "another number was chosen in chat"
    third = Waiting()
    coming = connecting(site, third)
    assert "Say in chat" in await asyncio.wait_for(third.shown, LONG)
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)


async def test_a_token_works_at_the_same_prompt(site: Site) -> None:
    await site.grant(Read())
    async with await connecting(site, Waiting((await site.issue()).token)) as connection:
        assert (await connection.run("echo in")).stdout == "in\n"
    with pytest.raises(asyncssh.PermissionDenied):
        await connecting(site, Waiting("hoop_wrong"))


@pytest.mark.parametrize("user", ["dana+web-1", "nobody+web-1", "dana+web-9"])
async def test_without_the_word_nobody_comes_in(site: Site, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name or a resource that does not exist looks the same, and its number is nobody's."""
    monkeypatch.setattr(confirming, "WAIT_SECONDS", 0.5)
    client = Waiting()
    coming = connecting(site, client, user)
    number = await number_of(client)
    if user != "dana+web-1":
        with pytest.raises(Invalid):
            await say(site, number)
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncio.wait_for(coming, LONG)
    assert not await site.facts("session.opened")


@pytest.mark.parametrize("user", ["web-1", "dana~claude+web-1"])
async def test_who_is_not_offered_a_number(site: Site, user: str) -> None:
    client = Waiting()
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncio.wait_for(connecting(site, client, user), LONG)
    assert not client.shown.done()


async def test_numbers_are_few(site: Site) -> None:
    clients = [Waiting() for _ in range(ssh_logins.OPEN_MAX + 1)]
    coming = [connecting(site, client) for client in clients]
    async with asyncio.timeout(LONG):
        while sum(client.shown.done() for client in clients) < ssh_logins.OPEN_MAX:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        done, _ = await asyncio.wait(coming, return_when=asyncio.FIRST_COMPLETED)
    assert isinstance(done.pop().exception(), asyncssh.PermissionDenied)
    for task in coming:
        task.cancel()
    await asyncio.gather(*coming, return_exceptions=True)


def test_asking_is_slowed_down_by_name_and_by_address() -> None:
    clock = ManualClock()
    asked = confirming.Asked(clock)
    assert [asked.may("dana", f"10.0.0.{n}") for n in range(confirming.PER_NAME + 1)] == [
        True
    ] * confirming.PER_NAME + [False]
    assert [asked.may(f"p{n}", "10.9.9.9") for n in range(confirming.PER_ADDRESS + 1)][-2:] == [True, False]
    clock.advance(confirming.WINDOW + 1)
    assert asked.may("dana", "10.9.9.9")


def test_no_name_buys_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway: Any = SimpleNamespace(settings=Settings())
    hurried: list[float] = []
    monkeypatch.setattr(Door, "_hurry", lambda _, seconds: hurried.append(seconds))
    door = Door(gateway, set(), Failures(ManualClock()), confirming.Asked(ManualClock()))
    for name in ("dana", "", "dana", "", "kim"):
        door.begin_auth(name)
    assert hurried == [Settings().login_seconds]


async def test_who_looks_up_the_host_key_has_longer_than_who_logs_in(site: Site) -> None:
    site.gateway.settings = replace(site.gateway.settings, login_seconds=0.05, greeting_seconds=0.4)
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.gateway.port)
    begun = loop.time()
    try:
        writer.write(b"SSH-2.0-x\r\n")
        async with asyncio.timeout(LONG):
            while await reader.read(1 << 16):
                pass
    except ConnectionError:
        pass
    finally:
        writer.close()
    assert loop.time() - begun > 0.3
