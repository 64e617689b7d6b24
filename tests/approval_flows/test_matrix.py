"""The golden matrix: requests × the flows of `docs/flows` × the clock, the clock's changes × windows, and what people do at
the desk (`plays.golden.txt`). Also: what conditions mean, window by window.

`HOOP_WRITE_GOLDEN=1 python -m pytest tests/approval_flows/test_matrix.py` writes the files anew; read the difference before
keeping it.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from access.requests import Ask
from access.resources import Resource
from access.statements import Effect, Flag
from access.windows import closes
from approval_flows.choose import Facts, choose, consider, why_not
from approval_flows.explain import Wish, explain
from approval_flows.model import When
from approval_flows.shelf import build
from identity.directory import StaticDirectory
from tests.approval_flows.player import played
from tests.fakes.world import ANN, DANA, EVERYBODY, GROUPS, PROD

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("matrix.golden.txt")
PLAYS = Path(__file__).with_name("plays.golden.txt")
DIRECTORY = StaticDirectory(EVERYBODY, GROUPS)
LIVE = replace(PROD, labels=MappingProxyType({"env": "production"}))
TEST = replace(PROD, name="test-db", labels=MappingProxyType({"env": "test"}))
TEXTS = {path.name: path.read_text() for path in sorted((ROOT / "docs/flows").glob("*.yml"))}

# a Friday in winter; Berlin is at UTC+1
CLOCK = {
    "Fri 10:00 Berlin": datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
    "Fri 23:30 Berlin": datetime(2026, 11, 20, 22, 30, tzinfo=UTC),
    "Sat 03:00 Berlin": datetime(2026, 11, 21, 2, 0, tzinfo=UTC),
    "Sat 10:00 Berlin": datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
}
HOUR = timedelta(hours=1)
REQUESTS: dict[str, Wish] = {
    "read 1h": Wish("dana", "prod-db", reason="look at order 7"),
    "read 1h, one word": Wish("dana", "prod-db", reason="look"),
    "read 2h": Wish("dana", "prod-db", duration=2 * HOUR, reason="look at order 7"),
    "read 1h through an agent": Wish("dana", "prod-db", agent=True, reason="look at order 7"),
    "write 1h INC-42": Wish("dana", "prod-db", scope="write", ticket="INC-42", reason="repair order 7"),
    "write 1h, no ticket": Wish("dana", "prod-db", scope="write", reason="repair order 7"),
    "write 1h, a wish for a ticket": Wish("dana", "prod-db", scope="write", ticket="INC-", reason="repair order 7"),
    "write 3h INC-42": Wish("dana", "prod-db", scope="write", duration=3 * HOUR, ticket="INC-42", reason="repair it"),
    "write 1h INC-42 by the owner": Wish("olga", "prod-db", scope="write", ticket="INC-42", reason="repair order 7"),
    "write 1h on test": Wish("dana", "test-db", scope="write", reason="repair order 7"),
    "held DROP": Wish("dana", "prod-db", Ask.STATEMENT, "once", effects=frozenset({Effect.DDL})),
    "held UPDATE": Wish("dana", "prod-db", Ask.STATEMENT, "once", effects=frozenset({Effect.WRITE})),
    "break-glass by the owner": Wish("olga", "prod-db", scope="write", reason="down", emergency=True),
    "break-glass by a firefighter": Wish("bob", "prod-db", scope="write", reason="down", emergency=True),
    "break-glass on test": Wish("bob", "test-db", scope="write", reason="down", emergency=True),
    "command TRUNCATE": Wish("dana", "prod-db", Ask.COMMAND, "once", reason="x", effects=frozenset({Effect.DANGER})),
}


def matrix() -> str:
    """Times of the week with the same outcome stand together."""
    resources = {resource.name: resource for resource in (LIVE, TEST)}
    flows, problems = build(TEXTS, DIRECTORY, resources)
    assert problems == ()
    lines = []
    for name, wish in REQUESTS.items():
        person = DIRECTORY.by_name(wish.person)
        assert person is not None
        lines += [f"## {name}", ""]
        same: dict[str, list[str]] = {}
        for when, at in CLOCK.items():
            said = explain(flows.flows, DIRECTORY, person, resources[wish.resource], wish, at)
            same.setdefault(_AT.sub("", "\n".join(said)), []).append(when)
        for outcome, whens in same.items():
            lines += [f"at {', '.join(whens)}:" if len(same) > 1 else "at any of these times:", outcome, ""]
    return "\n".join([*lines, *clock_changes()])


_AT = re.compile(r" \(\d\d:\d\d UTC\)")
WINDOWS = (
    ("22:00", "06:00", "Europe/Berlin", "2026-03-28T20:30+00:00", 18),
    ("22:00", "06:00", "Europe/Berlin", "2026-10-24T19:30+00:00", 20),
    ("02:00", "03:00", "Europe/Berlin", "2026-03-29T00:00+00:00", 4),
    ("02:00", "03:00", "Europe/Berlin", "2026-10-24T23:30+00:00", 6),
    ("01:30", "02:30", "America/New_York", "2026-11-01T05:00+00:00", 6),
    ("01:45", "02:15", "Australia/Lord_Howe", "2026-10-03T14:45+00:00", 4),
    ("23:30", "00:30", "Asia/Kolkata", "2026-11-20T17:30+00:00", 4),
)


def clock_changes() -> list[str]:
    """Windows over midnight in the nights in which the clock is changed, each half hour (and on the day in between)."""
    lines = []
    for start, end, zone, first, halves in WINDOWS:
        (only,) = window(start, end, zone).hours
        lines += [f"## The window {only}, from {datetime.fromisoformat(first):%Y-%m-%d %H:%M} UTC on", ""]
        for number in range(halves + 1):
            at = datetime.fromisoformat(first) + number * timedelta(minutes=30)
            local = at.astimezone(ZoneInfo(zone))
            until = closes((only,), at) if only.contains(at) else None
            said = f"open, closes {until:%H:%M} UTC" if until else "closed"
            lines.append(f"{at:%H:%M} UTC = {local:%a %H:%M %Z}: {said}")
        lines.append("")
    return lines


def test_the_golden_matrix() -> None:
    now = matrix()
    if os.environ.get("HOOP_WRITE_GOLDEN"):
        GOLDEN.write_text(now, encoding="utf-8")
    assert now == GOLDEN.read_text(encoding="utf-8")


async def test_the_plays() -> None:
    script = PLAYS.read_text(encoding="utf-8")
    now = await played(script)
    if os.environ.get("HOOP_WRITE_GOLDEN"):
        PLAYS.write_text(now, encoding="utf-8")
    assert now == PLAYS.read_text(encoding="utf-8")


def test_the_shipped_default_is_the_behaviour_without_files() -> None:
    flows, problems = build({}, DIRECTORY, {PROD.name: PROD})
    assert problems == ()
    assert [flow.name for flow in flows.flows] == ["default"]
    said = explain(flows.flows, DIRECTORY, DANA, PROD, Wish("dana", "prod-db"), CLOCK["Sat 03:00 Berlin"])
    assert said == [
        "default: taken — One approver of the resource decides.",
        "  stage 1, approvers: 1 of dba (now: Ann, Bob)",
    ]


# ---------------------------------------------------------------------------------------------- windows

BERLIN, KOLKATA = "Europe/Berlin", "Asia/Kolkata"


def window(start: str, end: str, zone: str, days: str = "") -> When:
    given = f", days: [{days}]" if days else ""
    text = f"name: w\nwhen:\n  hours:\n    - {{from: '{start}', to: '{end}', zone: {zone}{given}}}\n"
    flows, problems = build({"w.yml": f"{text}stages: [{{name: s, any: {{groups: [dba]}}}}]\n"}, DIRECTORY, {})
    assert problems == ()
    return flows.flows[0].when


@pytest.mark.parametrize(
    ("start", "end", "zone", "days", "local", "inside"),
    [
        ("09:00", "17:00", BERLIN, "", "2026-11-20T09:00", True),
        ("09:00", "17:00", BERLIN, "", "2026-11-20T08:59:59", False),
        ("09:00", "17:00", BERLIN, "", "2026-11-20T17:00", False),
        ("22:00", "06:00", BERLIN, "", "2026-11-20T23:59", True),
        ("22:00", "06:00", BERLIN, "", "2026-11-21T00:00", True),
        ("22:00", "06:00", BERLIN, "", "2026-11-21T05:59", True),
        ("22:00", "06:00", BERLIN, "", "2026-11-21T06:00", False),
        ("22:00", "06:00", BERLIN, "", "2026-11-20T12:00", False),
        ("22:00", "06:00", BERLIN, "fri", "2026-11-21T03:00", True),  # Saturday, begun on Friday
        ("22:00", "06:00", BERLIN, "fri", "2026-11-20T03:00", False),  # Friday, begun on Thursday
        ("22:00", "06:00", BERLIN, "sun", "2026-11-23T03:00", True),  # Monday, begun on Sunday
        ("09:00", "17:00", KOLKATA, "", "2026-11-20T09:15", True),
        ("02:00", "03:00", BERLIN, "", "2026-10-25T02:30", True),  # the hour that comes twice
        ("01:00", "04:00", BERLIN, "", "2026-03-29T03:30", True),  # after the hour that does not come
    ],
)
def test_windows_follow_the_wall_clock_of_their_zone(
    start: str, end: str, zone: str, days: str, local: str, inside: bool
) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    (only,) = window(start, end, zone, days).hours
    assert only.contains(at) is inside


FACTS = Facts(
    DANA, "prod-db", MappingProxyType({"env": "production"}), Ask.ACCESS, "write", HOUR, CLOCK["Fri 10:00 Berlin"]
)


@pytest.mark.parametrize(
    ("when", "facts", "said"),
    [
        (When(), FACTS, ""),
        (When(asks=frozenset({Ask.COMMAND})), FACTS, "this asks for access, not command"),
        (When(resources=("prod-*",)), FACTS, ""),
        (When(resources=("test-*",)), FACTS, "prod-db is not test-*"),
        (When(labels={"env": "test"}), FACTS, "prod-db is not labelled env: test"),
        (When(labels={"tier": "1"}), FACTS, "prod-db is not labelled tier: 1"),
        (When(scopes=frozenset({"read"})), FACTS, "the scope is write, not read"),
        (When(effects=frozenset({Effect.DANGER})), FACTS, "no effect is danger"),
        (When(effects=frozenset({Effect.DANGER})), replace(FACTS, effects=frozenset({Effect.DANGER})), ""),
        (When(flags=frozenset({Flag.DROP})), FACTS, "no flag is drop"),
        (When(longer_than=HOUR), FACTS, "it is not longer than 1h"),
        (When(longer_than=HOUR), replace(FACTS, duration=HOUR + timedelta(seconds=1)), ""),
        (When(at_most=HOUR), FACTS, ""),
        (When(at_most=HOUR), replace(FACTS, duration=HOUR + timedelta(seconds=1)), "it is longer than 1h"),
        (When(ticket="INC-[0-9]+"), FACTS, "the ticket does not match INC-[0-9]+"),
        (When(ticket="INC-[0-9]+"), replace(FACTS, ticket="INC-42"), ""),
        (When(ticket="INC-[0-9]+"), replace(FACTS, ticket="INC-42; x"), "the ticket does not match INC-[0-9]+"),
        (When(agent=True), FACTS, "no AI agent asks"),
        (When(agent=False), replace(FACTS, agent=True), "an AI agent asks"),
        (When(people=("ann",)), FACTS, "Dana is not ann"),
        (When(people=("ann",)), replace(FACTS, person=ANN), ""),
        (When(groups=("dba",)), FACTS, "Dana is not in dba"),
    ],
)
def test_every_condition(when: When, facts: Facts, said: str) -> None:
    assert why_not(when, facts) == said


def test_what_windows_do_is_told() -> None:
    text = (
        "name: nightly\nactivate_within: 30m\nwindows: [{from: '22:00', to: '02:00', zone: Europe/Berlin}]\n"
        "stages: [{name: one, any: {approvers: true}}]\n"
    )
    flows = build({"n.yml": text}, DIRECTORY, {PROD.name: PROD})[0].flows
    wish = Wish("dana", "prod-db", reason="look")
    assert explain(flows, DIRECTORY, DANA, PROD, wish, CLOCK["Fri 10:00 Berlin"])[1:] == [
        (
            "  refused: The flow nightly gives access only 22:00-02:00 Europe/Berlin. It opens at 2026-11-20 21:00 UTC. "
            "Ask for then: /hoop request prod-db from 2026-11-20T21:00Z"
        )
    ]
    assert explain(flows, DIRECTORY, DANA, PROD, wish, CLOCK["Fri 23:30 Berlin"])[1:] == [
        "  stage 1, one: 1 of dba (now: Ann, Bob)",
        "  begun by its person within 30m of the approval",
        "  ends with the window, at 01:00 UTC at the latest",
    ]
    windowed = replace(PROD, windows=flows[0].windows)
    glass = replace(wish, scope="write", emergency=True)
    loud = build(TEXTS, DIRECTORY, {LIVE.name: LIVE})[0].flows
    bob = DIRECTORY.by_name("bob")
    assert bob is not None
    said = explain(loud, DIRECTORY, bob, replace(windowed, labels=LIVE.labels), glass, CLOCK["Fri 10:00 Berlin"])
    assert said[1].startswith("  access at once"), "broken glass waits for no window"


def test_no_flow_is_no_grant() -> None:
    assert choose((), FACTS) is None
    assert consider((), FACTS) == []
    assert explain((), DIRECTORY, DANA, PROD, Wish("dana", "prod-db"), CLOCK["Fri 10:00 Berlin"])[-1].startswith(
        "No flow"
    )


def test_the_first_flow_whose_conditions_hold_is_taken() -> None:
    resources: dict[str, Resource] = {LIVE.name: LIVE}
    flows = build(TEXTS, DIRECTORY, resources)[0].flows
    assert [flow.name for flow in flows] == [
        "emergency",
        "danger-at-night",
        "production-writes",
        "reads-by-day",
        "default",
    ]
    taken = choose(flows, FACTS)
    assert taken is not None
    assert taken.name == "production-writes"
