"""The main cards in one picture: `python -m tests.bot.slack.picture cards.html [cards.png]` (the PNG needs Chromium)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.bot.slack.conversation import Conversation, Step
from tests.bot.slack.office import Office
from tests.fakes.clock import ManualClock
from tests.fakes.slack import FakeSlack
from tests.fakes.slack.page import cards
from tests.fakes.store import MemoryStore

MAIN = {
    "request": "1 · request, in the channel",
    "decided": "2 · the same card, decided",
    "held": "3 · a held statement, values masked: no Approve here",
    "review": "4 · its private review: the exact text, and Approve",
    "result": "5 · a command's masked result, in its thread",
    "break-glass": "6 · broken glass: everybody is called by name",
    "attested": "7 · what was done there, to be closed by somebody else",
    "home": "8 · App Home of the requester",
}


async def page() -> str:
    """Plays the conversation; the page."""
    clock = ManualClock()
    async with FakeSlack(now=lambda: clock.now().timestamp()) as slack:
        async with Office(slack, MemoryStore(clock), clock) as office:
            steps = await Conversation(office).play()
        return cards(slack, [(title, _named(steps, name).shown) for name, title in MAIN.items()])


def _named(steps: list[Step], name: str) -> Step:
    return next(step for step in steps if step.name.partition("-")[2] == name)


def main(arguments: list[str]) -> None:
    html = Path(arguments[0])
    html.write_text(asyncio.run(page()), encoding="utf-8")
    if len(arguments) > 1:
        chromium = [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1380,2520",
        ]
        target = [f"--screenshot={arguments[1]}", html.resolve().as_uri()]
        subprocess.run([*chromium, *target], check=True, capture_output=True)


if __name__ == "__main__":
    main(sys.argv[1:])
