"""What a policy author sees for five broken files: `docs/broken-flows.md` is made here, by the commands and by a process that runs
on. `HOOP_WRITE_GOLDEN=1` writes it anew."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from app import flows
from app.__main__ import main
from app.config_file import load
from app.core import open_core
from tests.app.test_flows import CONFIG

PAGE = Path(__file__).parents[2] / "docs/broken-flows.md"
GOOD = "name: good\nstages:\n  - {name: approvers, any: {groups: [dba]}}\n"
FILES = {
    "unknown-group.yml": """name: unknown-group
priority: 10
stages:
  - name: approvers
    any: {groups: [dbas]}
    quiet: {people: [san]}
""",
    "nobody.yml": """name: nobody
priority: 20
stages:
  - name: approvers
    any: {}
  - name: owners
    any: {owners: false}
""",
    "quorum.yml": """name: quorum
priority: 30
stages:
  - {name: approvers, any: {groups: [dba]}, need: 3}
""",
    "overlap.yml": """name: overlap
priority: 40
distinct: false
stages:
  - {name: first, any: {groups: [dba]}}
  - {name: second, any: {groups: [dba, security]}}
""",
    "zone.yml": """name: zone
priority: 50
when:
  hours:
    - {from: "22:00", to: "25:00", zone: Berlin}
stages:
  - {name: first, any: {groups: [dba]}}
""",
}
HEAD = """# What the author of a broken flow sees

Five files, each with a mistake that the five most common ones are like, and what is said about them. A test makes this page by
running the commands; paths are cut short.

"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEY", "A" * 43 + "=")
    (tmp_path / "hoop.yaml").write_text(CONFIG)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/good.yml").write_text(GOOD)
    assert main(["--config", str(tmp_path / "hoop.yaml"), "db", "upgrade"]) == 0
    return tmp_path


def said(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """A command, and what it printed."""
    capsys.readouterr()
    status = main(["--config", str(home / "hoop.yaml"), *words])
    out, err = capsys.readouterr()
    printed = (out + err).replace(f"{home}/", "").strip()
    return f"$ hoop {' '.join(words)}\n{printed}\n$ echo $?\n{status}"


async def reloaded(home: Path, caplog: pytest.LogCaptureFixture) -> str:
    """What a gateway says that runs while the files come, and what it goes by."""
    async with open_core(load(home / "hoop.yaml", {})) as core:
        before = core.flows.current
        broken(home)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            watching = asyncio.create_task(flows.watch(core.flows, core.on_call, core.store, "n1"))
            while not core.flows.problems:  # noqa: ASYNC110 - the very loop of a running gateway
                await asyncio.sleep(0.01)
            watching.cancel()
        assert core.flows.current is before
        assert before.named("good") is not None
        asked = await core.store.read(lambda tx: tx.events(kinds=["flows.loaded"]))
        assert asked == [], "nothing came into force"
        shown = "\n".join(record.getMessage() for record in caplog.records if "approval flows" in record.getMessage())
        return shown.replace(f"{home}/", "") + "\nin force: " + ", ".join(one.name for one in before.flows)


def broken(home: Path) -> None:
    for name, text in FILES.items():
        (home / "flows" / name).write_text(text)


def test_what_the_author_of_five_broken_files_sees(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flows, "LOOK_SECONDS", 0)
    running = asyncio.run(reloaded(home, caplog))
    parts = [HEAD]
    for name, text in FILES.items():
        numbered = "\n".join(f"{number:>2}  {line}" for number, line in enumerate(text.splitlines(), 1))
        parts.append(f"`flows/{name}`:\n\n```\n{numbered}\n```\n\n")
    for title, text in (
        ("All mistakes are named at once, before anything is started:", said(home, capsys, "check")),
        ("A gateway that runs says the same once, and goes on with the last good version:", running),
        ("It does not start with less than its owner wrote, and no command goes by half of the flows:", ""),
    ):
        parts.append(f"{title}\n\n```\n{text}\n```\n\n" if text else f"{title}\n\n")
    listed = said(home, capsys, "flows", "list").splitlines()
    parts.append("```\n" + "\n".join([*listed[:2], "…", *listed[-2:]]) + "\n```\n")
    for name in FILES:
        (home / "flows" / name).unlink()
    mended = said(home, capsys, "flows", "list")
    parts.append(f"\nWith the five files gone (or mended), all is as it was:\n\n```\n{mended}\n```\n")
    page = "".join(parts)
    if os.environ.get("HOOP_WRITE_GOLDEN"):
        PAGE.write_text(page, encoding="utf-8")
    assert page == PAGE.read_text(encoding="utf-8")
