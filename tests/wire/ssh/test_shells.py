"""Shells: a right of their own, with a real terminal on both sides; masked, recorded with sizes, limited, cut, watched."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from access.policy import Action, Policy, Rule
from access.resources import SshRules
from access.scopes import Admin, Interactive
from access.ssh_shells import watch
from access.statements import Effect
from ledger.replay import asciicast
from tests.fakes.world import ANN, DANA
from tests.patience import LONG, SOON
from tests.wire.ssh.site import Site


class Typist:
    """Somebody at a terminal: types, and reads what the screen shows."""

    def __init__(self, process: asyncssh.SSHClientProcess[str]) -> None:
        self.process = process
        self.screen = ""

    async def sees(self, words: str, seconds: float = LONG) -> str:
        async with asyncio.timeout(seconds):
            while words not in self.screen:
                piece = await self.process.stdout.read(4096)
                assert piece, self.screen
                self.screen += piece
        before, _, self.screen = self.screen.partition(words)
        return before + words

    def types(self, text: str) -> None:
        self.process.stdin.write(text)


async def shell(site: Site, command: str | None = None, **options: Any) -> tuple[asyncssh.SSHClientConnection, Typist]:
    connection = await site.connect("dana+web-1", (await site.issue()).token)
    terminal = {"term_type": "xterm-256color", "term_size": (90, 30)} | options
    return connection, Typist(await connection.create_process(command, **terminal))


def rules(site: Site, **changes: Any) -> None:
    resource = replace(site.resource, ssh=SshRules(**changes))
    site.gateway.resources = {resource.name: resource}


async def recording(site: Site) -> bytes:
    await site.gone()
    session = (await site.store.read(lambda tx: tx.sessions()))[0]
    name = next(iter(site.recordings.directory.glob(f"*/{session.id}*"))).relative_to(site.recordings.directory)
    return site.recordings.read(str(name).removesuffix(".zst"))


async def test_a_shell_with_its_terminal(site: Site) -> None:
    await site.grant(Interactive())
    connection, typist = await shell(site)
    async with connection:
        typist.types("PS1='ready> '; stty size\r")
        await typist.sees("30 90")
        await typist.sees("ready> ")
        typist.process.change_terminal_size(120, 40)
        typist.types("stty size\r")
        await typist.sees("40 120")
        await typist.sees("ready> ")
        for letter in "echo mail someone@example.com":
            typist.types(letter)
            await asyncio.sleep(0.005)
        typist.types("\r")
        shown = await typist.sees("ready> ")
        assert shown.count("someone@example.com") == 1  # what was typed; what the command printed is masked
        typist.types("sleep 20\r")
        await asyncio.sleep(0.2)
        typist.types("\x03")
        await typist.sees("ready> ")
        typist.types("exit 7\r")
        await asyncio.wait_for(typist.process.wait_closed(), LONG)
        assert typist.process.exit_status == 7
    cast = [json.loads(line) for line in asciicast(await recording(site)).splitlines()]
    assert cast[0]["term"] == {"cols": 90, "rows": 30, "type": "xterm-256color"}
    assert [event[2] for event in cast[1:] if event[1] == "r"] == ["120x40"]
    assert [event[2] for event in cast[1:] if event[1] == "x"] == ["7"]
    played = "".join(event[2] for event in cast[1:] if event[1] == "o")
    assert "ready> " in played
    assert "someone@example.com" not in played  # not even as it was typed
    assert "shell.opened" not in await site.kinds()
    [allowed] = await site.facts("statement.allowed")
    assert allowed.payload["effects"] == ["interactive"]


async def test_echo_does_not_wait_for_the_end_of_the_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.grant(Interactive())
    connection, typist = await shell(site)
    async with connection:
        typist.types("PS1='ready> '; cat\r")
        await asyncio.sleep(0.3)
        monkeypatch.setattr("proxy.ssh.interactive.PAUSE_SECONDS", 600)  # a line that is held is never seen
        for letter in "abcdefghij":
            typist.types(letter)
            await typist.sees(letter)


@pytest.mark.parametrize("scope", [None, Admin()])
async def test_no_other_grant_gives_one(site: Site, scope: Admin | None) -> None:
    await site.grant(scope)
    for options in ((), ("-tt",)):
        status, out, error = await site.ssh(options=options, stdin=b"id\n")
        assert (status, out) == (126, b""), error
        assert "An interactive shell needs a grant of its own" in error
        assert "--scope interactive" in error
    assert {fact.payload["effects"][0] for fact in await site.facts("statement.refused")} == {"interactive"}


async def test_openssh_with_and_without_a_terminal(site: Site) -> None:
    await site.grant(Interactive())
    status, out, _ = await site.ssh(stdin=b"echo one; exit 3\n")
    assert (status, out) == (3, b"one\n")
    status, out, error = await site.ssh(options=("-tt",), stdin=b"stty -echo\necho t''wo; exit 4\n")
    assert (status, error) == (4, "Connection to 127.0.0.1 closed.\r\n")
    assert b"two\r\n" in out
    status, out, _ = await site.ssh("tty; exit 5", options=("-tt",))
    assert status == 5
    assert out.startswith(b"/dev/pts/")


async def test_a_command_in_a_terminal_is_a_switch(site: Site) -> None:
    await site.grant(Admin())
    status, _, error = await site.ssh("ls", options=("-tt",))
    assert status == 126
    assert "without -t" in error
    rules(site, terminal=True)
    process = await site.start("tty", options=("-tt",))
    request = await site.pending()
    assert request.evidence is not None
    assert "cannot be judged" in request.evidence.message
    await site.decide()
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    assert b"/dev/pts/" in out


async def test_a_rule_can_have_shells_approved_one_by_one(site: Site) -> None:
    matrix = {level: {**row, Effect.INTERACTIVE: Action.HOLD} for level, row in site.gateway.policy.matrix.items()}
    site.gateway.policy = replace(site.gateway.policy, matrix=matrix)
    await site.grant()
    process = await site.start()
    request = await site.pending()
    assert request.evidence is not None
    assert request.evidence.shown == "an interactive shell"
    await site.decide()
    out, _ = await asyncio.wait_for(process.communicate(b"echo in\n"), 10)
    assert out == b"in\n"
    # the approval was for a shell, not for a command line that reads the same
    process = await site.start("an interactive shell")
    assert (await site.pending()).id != request.id
    process.terminate()
    await process.wait()


async def test_a_deny_rule_keeps_shells_away(site: Site) -> None:
    rule = Rule("no-shells", Action.DENY, "No shells here.", verbs=("SHELL",))
    site.gateway.policy = Policy(rules=(rule,))
    await site.grant(Interactive())
    assert "No shells here." in (await site.ssh(stdin=b"id\n"))[2]


@pytest.mark.parametrize(
    ("limit", "said", "typed"),
    [
        ({"shell_idle": timedelta(seconds=0.3)}, "idle for too long", None),
        ({"shell_total": timedelta(seconds=0.3)}, "time limit", None),
        ({"shell_idle": timedelta(seconds=0.3)}, "idle for too long", b""),  # whose input has ended
    ],
)
async def test_limits_end_it(site: Site, limit: dict[str, timedelta], said: str, typed: bytes | None) -> None:
    rules(site, **limit)
    await site.grant(Interactive())
    process = await site.start(options=("-tt",))
    out, error = await asyncio.wait_for(process.communicate(typed), LONG)
    assert said in error.decode() + out.decode()
    assert process.returncode not in {0, None}


async def test_revocation_cuts_it(site: Site) -> None:
    grant = await site.grant(Interactive())
    connection, typist = await shell(site)
    async with connection:
        typist.types("PS1='ready> '; trap '' TERM HUP; sleep 30\r")
        await asyncio.sleep(0.3)
        began = asyncio.get_running_loop().time()
        await site.desk.revoke(grant.id, DANA.id, "enough")
        said = await asyncio.wait_for(typist.process.stderr.read(), LONG)
        assert "revoked" in said
        assert asyncio.get_running_loop().time() - began < SOON


async def test_four_eyes(site: Site) -> None:
    rules(site, shell_watched=True)
    await site.grant(Interactive())
    process = await site.start()
    assert process.stderr is not None
    async with asyncio.timeout(10):
        said = b""
        while b"in the console: /sessions/ses_" not in said:
            said += await process.stderr.readline()
        [session] = site.gateway.current()
        await site.store.transact(lambda tx: watch(tx, session.id, DANA.id))  # oneself does not count
        await asyncio.sleep(0.7)
        assert not await site.facts("statement.allowed")
        await site.store.transact(lambda tx: watch(tx, session.id, ANN.id))
        out, error = await process.communicate(b"echo in\n")
    assert out == b"in\n"
    assert b"somebody watches now" in error


async def test_variables_pass_by_name(site: Site) -> None:
    rules(site, environment=("LC_*", "LD_*"))
    await site.grant(Interactive())
    async with await site.connect("dana+web-1", (await site.issue()).token) as connection:
        env = {"LC_HOOP": "1", "LD_PRELOAD": "/x", "OTHER": "2", "LC_BAD": "a\nb"}
        result = await connection.run("env", env=env)
        lines = str(result.stdout).splitlines()
        assert "LC_HOOP=1" in lines
        assert not any(line.startswith(("LD_PRELOAD", "OTHER", "LC_BAD")) for line in lines)


async def test_other_subsystems_stay_off(site: Site, tmp_path: Path) -> None:
    await site.grant(Interactive())
    status, out, error = await site.ssh("netconf", options=("-s",))
    assert (status, out) == (126, b"")
    assert "subsystem is off" in error
