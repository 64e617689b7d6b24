"""Deliveries doubled, reordered, delivered again; Slack failing; the process killed at any await and started again.

`play(seed)` is one run and raises AssertionError when anything was lost or granted twice. As a program:
`python -m tests.bot.slack.chaos 200` plays that many seeds and prints what happened in sum.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from access.requests import AccessRequest, RequestState
from tests.bot.slack.office import Office, labels, said
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack, Faults, Member, Message
from tests.fakes.slack.deliveries import Ack
from tests.fakes.store import MemoryStore

SCOPES = ("read", "write", "admin")
KILLS = 4
POSTING = ("chat.postMessage", "chat.update", "conversations.open", "chat.postEphemeral")


@dataclass
class Run:
    """One run: the office, what was acknowledged, what was counted."""

    office: Office
    random: random.Random
    asked: list[str] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)
    shown: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    working: asyncio.Task[None] | None = None

    async def ask(self, scope: str) -> None:
        """As a person does: type it, and again only when Slack showed an error."""
        for _ in range(20):
            ack = await self.office.dana.slash(
                f"request prod-db 1h INC-42 {scope} please --scope {scope}", self.office.channel
            )
            self.counted["commands"] += 1
            if _taken(ack):
                self.asked.append(scope)
                return
            await asyncio.sleep(0.02)
        raise AssertionError("Slack never got a command through")

    async def decide(self, card: Message, members: list[Member]) -> None:
        """Everybody presses Approve at once, some several times."""
        token = _token(card)
        presses = [self.press(member, card, token) for member in members for _ in range(self.random.randint(1, 3))]
        self.random.shuffle(presses)
        await asyncio.gather(*presses)

    async def decide_in_private(self, members: list[Member]) -> None:
        """Who was shown a card in private presses there, too."""
        await self.office.idle()
        for member in members:
            for told in member.whispers():
                if "Approve" in labels(told.blocks):
                    self.shown[told.ts] = [b for b in told.blocks if b["type"] == "actions"]
                    self.counted["pressed in private"] += 1
                    await self.press(member, told, _token(told))

    async def press(self, member: Member, card: Message, token: str) -> None:
        for _ in range(20):
            await asyncio.sleep(self.random.random() * 0.02)
            block, element = next((b, e) for b in self.shown[card.ts] for e in b["elements"] if e.get("value") == token)
            payload = member.press_payload(card, block, element)
            ack = await self.office.slack.deliveries.send("interactive", payload)
            self.counted["clicks"] += 1
            if ack.ok:
                self.approved.add(card.ts)
                return
        raise AssertionError("Slack never got a click through")

    async def killer(self) -> None:
        """kill -9 at a random moment, whatever is being awaited, and a new start."""
        for _ in range(KILLS):
            await asyncio.sleep(self.random.random() * 0.08)
            if self.working is not None:
                self.working.cancel()
            await self.office.kill()
            self.counted["kills"] += 1
            await self.office.start()

    async def follow(self) -> None:
        """Announcer and sender, started again whenever they were killed."""
        while True:
            self.working = asyncio.get_running_loop().create_task(self.office.stage.settle())
            await asyncio.gather(self.working, return_exceptions=True)
            await asyncio.sleep(0.005)

    async def quiet(self) -> None:
        """No more faults: until nothing is left to do, however long Slack asked to wait."""
        office = self.office
        office.slack.faults.planned.clear()
        for _ in range(12):
            await office.settle()
            office.clock.advance(61)
            assert office.app is not None
            await office.app._recover()


def _taken(ack: Ack) -> bool:
    return ack.ok and "nothing was done" not in str(ack.body)


def _token(card: Message) -> str:
    return next(str(e["value"]) for b in card.blocks if b["type"] == "actions" for e in b["elements"])


async def play(seed: int) -> Counter[str]:
    """One run. Raises AssertionError naming what went wrong."""
    clock, rng = ManualClock(), random.Random(seed)
    faults = Faults(seed, duplicate_chance=0.4, delivery_delay=0.02, forget_acks=rng.randint(0, 4))
    async with (
        FakeSlack(now=lambda: clock.now().timestamp(), faults=faults) as slack,
        Office(slack, MemoryStore(clock), clock) as office,
    ):
        slack.sockets.redeliver_after = 0.15
        run = Run(office, rng)
        _plan_faults(slack, rng, POSTING)
        following = asyncio.get_running_loop().create_task(run.follow())
        killing = asyncio.get_running_loop().create_task(run.killer())
        await asyncio.gather(*(run.ask(scope) for scope in SCOPES))
        async with asyncio.timeout(30):
            while len(_filed(office)) < len(SCOPES):
                clock.advance(5)
                await asyncio.sleep(0.01)
        cards = _waiting(office)
        run.shown = {c.ts: [b for b in c.blocks if b["type"] == "actions"] for c in cards}
        _plan_faults(slack, rng, (*POSTING, "users.info"))
        await asyncio.gather(*(run.decide(card, [office.ann, office.bob]) for card in cards))
        await killing
        await run.decide_in_private([office.ann, office.bob])
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await run.quiet()
        await _check(run)
        run.counted["deliveries"] = sum(1 for _ in slack.recorder.sent)
        run.counted["failed calls"] = len(slack.recorder.failed())
        return run.counted


def _plan_faults(slack: FakeSlack, rng: random.Random, methods: tuple[str, ...]) -> None:
    """While nobody can be identified commands are refused and told so; that is left to the second act."""
    faults = slack.faults
    for _ in range(rng.randint(2, 6)):
        method = rng.choice(methods)
        kind = rng.choice(["429", "5xx", "error", "slow"])
        if kind == "429":
            faults.rate_limit(method, retry_after=rng.randint(1, 5))
        elif kind == "5xx":
            faults.break_down(method)
        elif kind == "error":
            faults.fail(method)
        else:
            faults.slow(method, rng.random() * 0.05)


def _waiting(office: Office) -> list[Message]:
    """Every copy that can be approved; a kill between posting and remembering leaves one more, which counts."""
    return [m for m in office.cards() if "Approve" in labels(m.blocks)]


def _filed(office: Office) -> set[str]:
    return {m.text.rpartition("(")[2] for m in _waiting(office)}


async def _check(run: Run) -> None:
    office = run.office
    requests = await office.store.read(lambda tx: tx.requests())
    grants = await office.store.read(lambda tx: tx.grants())
    by_request = Counter(grant.request for grant in grants)
    assert len(run.asked) == len(SCOPES), "a command was lost"
    assert len(requests) == len(SCOPES), f"{len(requests)} requests of {len(SCOPES)} commands"
    assert all(count == 1 for count in by_request.values()), f"granted twice: {by_request}"
    assert {r.id for r in requests if r.state is RequestState.APPROVED} == set(by_request), "approved without a grant"
    # a click whose users.info failed is answered with "nothing was done" and decides nothing; all others count
    undecided = [r for r in requests if r.state is not RequestState.APPROVED]
    for request in undecided:
        told = [said(m) for member in (office.ann, office.bob) for m in member.whispers()]
        assert any("does not say who you are" in one for one in told), f"a decision on {request.id} was lost: {told}"
    _cards_are_right(office, requests)
    left = await office.store.read(lambda tx: tx.docs("slack.inbox"))
    assert left == [], f"{len(left)} deliveries never done"
    assert await office.store.read(lambda tx: tx.outbox()) == [], "messages never sent"


def _cards_are_right(office: Office, requests: list[AccessRequest]) -> None:
    """Every request has a card that says what the store says. (After a kill between posting and remembering there may be
    a second copy; a press on it counts, and it says afterwards that it is one.)"""
    for request in requests:
        copies = [said(m) for m in office.cards() if request.id in said(m)]
        word = "Approved by" if request.state is RequestState.APPROVED else "Waiting for approval"
        assert any(word in one for one in copies), f"no card says that {request.id} is {request.state}"


def main(arguments: list[str]) -> None:
    logging.disable(logging.CRITICAL)
    runs = int(arguments[0]) if arguments else 50
    first = int(arguments[1]) if len(arguments) > 1 else 0
    total: Counter[str] = Counter()
    for seed in range(first, first + runs):
        try:
            total += asyncio.run(play(seed))
        except Exception as problem:
            raise SystemExit(f"seed {seed}: {problem}") from problem
    print(f"{runs} runs: 0 granted twice, 0 lost; " + ", ".join(f"{n} {what}" for what, n in sorted(total.items())))


if __name__ == "__main__":
    main(sys.argv[1:])
