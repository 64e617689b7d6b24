"""What must hold whatever dies or repeats: no decision lost, none granted twice, the cards say what the store says."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from access.requests import RequestState
from bot.slack.accounts import link
from identity.directory import StaticDirectory
from tests.bot.slack.chaos import play
from tests.bot.slack.office import labels, said
from tests.bot.slack.victim import open_store
from tests.fakes.slack import FakeSlack, Message
from tests.fakes.slack.interactions import Member
from tests.fakes.world import ANN, BOB, DANA, EVERYBODY, GROUPS

ROOT = Path(__file__).parents[3]
SEEDS = range(int(os.environ.get("HOOP_CHAOS_RUNS", "6")))
KILLS = int(os.environ.get("HOOP_CHAOS_KILLS", "4"))


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_or_granted_twice_when_everything_repeats_and_dies(seed: int) -> None:
    assert (await play(seed))["kills"] > 0


class Victim:
    """The process, started again after each kill."""

    def __init__(self, slack: FakeSlack, database: Path, channel: str) -> None:
        self.arguments = [slack.api_url, str(database), channel]
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bot.slack.victim", *self.arguments,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self.process.stdout is not None
        assert await asyncio.wait_for(self.process.stdout.readline(), 60) == b"up\n"

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def test_kill_9_in_the_middle_of_decisions_loses_none(empty_database: Path, tmp_path: Path) -> None:
    database = tmp_path / "store.db"
    shutil.copyfile(empty_database, database)
    async with FakeSlack() as slack:
        slack.sockets.redeliver_after = 1.0
        channel = slack.channel("access")
        people = {person.wire_name: slack.person(person.wire_name) for person in (DANA, ANN, BOB)}
        store = open_store(str(database))
        await store.start()
        for person in (DANA, ANN, BOB):
            account = f"{slack.workspace.team}/{people[person.wire_name].id}"
            await link(store, StaticDirectory(EVERYBODY, GROUPS), account, person.id, by="operator|root")
        victim, rng, pressed = Victim(slack, database, channel.id), random.Random(5), set[str]()
        await victim.start()
        try:
            for number in range(KILLS):
                asked = await people["dana"].slash(f"request prod-db 1h INC-{number} kill test", channel)
                assert asked.ok
                card = await _card(channel.messages, f"INC-{number}")
                presses = [people[name].press(card, "Approve") for name in ("ann", "bob", "ann")]
                acks = asyncio.gather(*presses)
                await asyncio.sleep(rng.random() * 0.04)
                await victim.kill()
                if any(ack.ok for ack in await acks):
                    pressed.add(f"INC-{number}")
                await victim.start()
                done = {card.ts} if f"INC-{number}" in pressed else set()
                await _press_until_approved(people["ann"], channel.messages, f"INC-{number}", done)
            requests = await store.read(lambda tx: tx.requests())
            given = await store.read(lambda tx: tx.events(kinds=("grant.issued", "grant.extended")))
        finally:
            await victim.kill()
            await store.close()
        assert [r.state for r in requests] == [RequestState.APPROVED] * KILLS
        # the first approval issued a grant, the later ones extended it: each exactly once
        by_request = Counter(str((e.payload or {}).get("request") or e.stream) for e in given)
        assert by_request == Counter(r.id for r in requests)


async def _press_until_approved(person: Member, messages: list[Message], about: str, done: set[str]) -> None:
    """What was acknowledged counts. Where Slack showed an error the person presses again; and a card that was posted and
    not yet noted down when the process was killed is posted once more: a press on its first copy counts, too."""
    async with asyncio.timeout(60):
        while not any(about in said(one) and "Approved by" in said(one) for one in _heads(messages)):
            for card in _heads(messages):
                if card.ts not in done and about in said(card) and "Approve" in labels(card.blocks):
                    done |= {card.ts} if (await person.press(card, "Approve")).ok else set()
            await asyncio.sleep(0.02)


def _heads(messages: list[Message]) -> list[Message]:
    return [one for one in messages if one.bot_id and not one.thread and not one.only_for]


async def _card(messages: list[Message], about: str) -> Message:
    """The newest card of a request that can be approved, as soon as it is in the channel."""
    async with asyncio.timeout(60):
        while True:
            for card in reversed(_heads(messages)):
                if about in said(card) and "Approve" in labels(card.blocks):
                    return card
            await asyncio.sleep(0.02)
