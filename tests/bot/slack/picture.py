"""The six main cards in one picture: `python -m tests.bot.slack.picture cards.html [cards.png]` (the PNG needs Chromium).

Also prints the conversation that made them, with the JSON of each card when `--json` is given.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from access.requests import Session
from tests.bot.slack.office import Office, said
from tests.bot.stage import FakeJudge
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack, Message
from tests.fakes.slack.model import View
from tests.fakes.slack.page import cards
from tests.fakes.store import MemoryStore
from tests.fakes.world import held_fact

Shown = list[tuple[str, Message | View]]


async def play(slack: FakeSlack, clock: ManualClock) -> Shown:
    """A request, a decision, a held statement with its private review, a command with its result, Home."""
    shown: Shown = []
    async with Office(slack, MemoryStore(clock), clock) as office:
        waiting = await office.asked("request prod-db 1h INC-42 checkout is slow, looking at locks & queries <now>")
        shown.append(("1 · request, in the channel", _copy(waiting)))
        await office.ann.press(waiting, "Approve")
        await office.settle()
        shown.append(("2 · the same card, decided", waiting))
        await _held(office)
        held = next(m for m in office.channel.messages if m.thread and "Held" in said(m))
        shown.append(("3 · a held statement, values masked: no Approve here", _copy(held)))
        await office.ann.press(held, "Review…")
        await office.idle()
        assert office.ann.modal is not None
        shown.append(("4 · its private review: the exact text, and Approve", office.ann.modal))
        await office.dana.slash(
            "exec prod-db --reason INC-42 -- UPDATE orders SET state = 'new' WHERE id = 7", office.channel
        )
        await office.settle()
        await office.ann.press(office.cards()[-1], "Approve")
        await office.settle()
        result = next(m for m in office.channel.messages if "UPDATE 1" in said(m))
        shown.append(("5 · a command's masked result, in its thread", result))
        await office.dana.open_home()
        await office.idle()
        assert office.dana.home is not None
        shown.append(("6 · App Home of the requester", office.dana.home))
    return shown


async def _held(office: Office) -> None:
    stage = office.stage
    grant = (await office.store.read(lambda tx: tx.grants()))[0]
    session: Session = await stage.session(grant, number=90)
    judge = FakeJudge(complete=False)
    person = stage.world.directory.person(grant.actor.person)
    assert person is not None
    text = "DELETE FROM customers\n WHERE email = 'secret-value'\n   AND note = '\u202eevil <!channel>'"
    evidence = await judge.describe(grant.actor, person, stage.world.resources["prod-db"], text)
    fact = replace(held_fact(session.id, evidence.digest), statement=evidence.shown)
    await stage.world.desk.hold(grant.actor, "prod-db", evidence, session.id, (), 900.0, fact)
    await office.settle()


def _copy(message: Message) -> Message:
    return replace(message, blocks=json.loads(json.dumps(message.blocks)))


async def conversation(*, as_json: bool) -> str:
    """Plays it; the page."""
    clock = ManualClock()
    async with FakeSlack(now=lambda: clock.now().timestamp()) as slack:
        shown = await play(slack, clock)
        for title, one in shown if as_json else []:
            print(f"\n## {title}")
            print(json.dumps(one.content if isinstance(one, View) else one.blocks, indent=1, ensure_ascii=False))
        return cards(slack, shown)


def main(arguments: list[str]) -> None:
    html = asyncio.run(conversation(as_json="--json" in arguments))
    files = [Path(one) for one in arguments if not one.startswith("--")]
    if files:
        files[0].write_text(html, encoding="utf-8")
    if len(files) > 1:
        chromium = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1380,1900"]
        target = [f"--screenshot={files[1]}", files[0].resolve().as_uri()]
        subprocess.run([*chromium, *target], check=True, capture_output=True)


if __name__ == "__main__":
    main(sys.argv[1:])
