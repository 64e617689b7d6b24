"""What is played for the documents of flows: who says what, and when. Data for `flow_pages`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from bot.cases import Notify
from tests.fakes.world import EVERYBODY, GROUPS, World

FRIDAY, NIGHT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC), datetime(2026, 11, 20, 22, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Say:
    """Somebody types a line. `$1` is the id of the first request, `$p1` of the first proposed text."""

    who: str
    line: str


@dataclass(frozen=True)
class Wait:
    """Time goes by, and the leader's timer looks."""

    minutes: int


@dataclass(frozen=True)
class Confirm:
    """Somebody opens the link they were given last and types what stands beside it, or something else."""

    who: str
    wrong: bool = False


def nothing(_: World) -> None:
    """The world as it is."""


@dataclass(frozen=True)
class Play:
    """One flow, from the question to its end. `texts` are flows that stand in the document itself; `private`: whose private
    messages are shown; `absent`: who is not in the channel; `calls`: how the channel calls people."""

    name: str
    title: str
    about: str
    at: datetime
    steps: tuple[Say | Wait | Confirm, ...]
    flows: tuple[str, ...] = ()
    note: str = ""
    texts: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    calls: Notify = field(default_factory=Notify)
    before: Callable[[World], None] = nothing


def may_delegate(world: World) -> None:
    """Database administrators may let helpers decide in their place."""
    limits = replace(world.office.limits, delegate_from=("dba",), delegate_to=("helpers",))
    world.office = replace(world.office, limits=limits)
    world.desk._office = world.office
    world.directory.replace(EVERYBODY, {**GROUPS, "helpers": ("eve",)})


CAREFUL = """name: careful
description: What can destroy takes more than a click.
when:
  scopes: [admin]
step_up: true
stages:
  - name: approvers
    any: {approvers: true}
"""
AGAIN = """name: commands
description: A command may be allowed again for a while.
when:
  asks: [command]
repeat: 1h
stages:
  - name: approvers
    any: {approvers: true}
"""
REPAIR = "exec prod-db --reason INC-42 -- UPDATE orders SET state = 'paid' WHERE id = 7"
WRITE = "request prod-db 1h INC-42 repair order 7 --scope write"
GLASS = "break-glass prod-db 30m INC-42 checkout is down and orders pile up --scope write --confirm prod-db"
PLAYS = (
    Play(
        "default",
        "The flow that ships",
        "One approver of the resource decides, never the person who asks.",
        FRIDAY,
        (
            Say("dana", "request prod-db 1h INC-42 debugging"),
            Say("dana", "approve $1"),
            Say("eve", "approve $1"),
            Wait(4),
            Say("ann", "approve $1"),
            Say("bob", "approve $1"),
            Say("dana", "done prod-db"),
        ),
    ),
    Play(
        "production-writes",
        "An approver, then an owner",
        "Two different people, in order; a reminder, an escalation, a changed request whose votes are void.",
        FRIDAY,
        (
            Say("dana", "request prod-db 1h repair order 7 --scope write"),
            Say("dana", WRITE),
            Say("olga", "approve $1"),
            Say("ann", "approve $1"),
            Wait(16),
            Say("dana", "change $1 30m"),
            Say("olga", "approve $1"),
            Say("bob", "approve $1"),
            Wait(31),
            Say("sam", "approve $1 --for 15m"),
            Wait(16),
        ),
        ("production-writes",),
    ),
    Play(
        "reads-by-day",
        "Short reads in working hours",
        "Granted at once, as one quiet line; by night and through an agent the next flow is asked.",
        FRIDAY,
        (
            Say("dana", "request prod-db 30m look at order 7"),
            Say("dana", "request prod-db 30m look at order 7 --as-agent claude"),
            Say("ann", "deny $2 not by an agent"),
            Say("dana", "done prod-db"),
        ),
        ("reads-by-day",),
    ),
    Play(
        "danger-at-night",
        "One of each group, at night",
        "At 23:30 in Berlin a dangerous command needs a database administrator and somebody of security; a no of anybody ends it.",
        NIGHT,
        (
            Say("dana", "exec prod-db --reason INC-42 -- TRUNCATE carts"),
            Say("ann", "approve $1"),
            Say("bob", "approve $1"),
            Say("sam", "approve $1"),
            Say("dana", "exec prod-db --reason INC-42 -- TRUNCATE sessions"),
            Say("sam", "deny $2 restore the backup first"),
        ),
        ("danger-at-night",),
    ),
    Play(
        "proposals",
        "Edit and propose",
        "An approver writes less than what was asked for; its requester accepts; another person approves.",
        FRIDAY,
        (
            Say("dana", "exec prod-db --reason INC-42 -- UPDATE customers SET vip = true"),
            Say("ann", "propose $1 --note one -- DROP TABLE customers"),
            Say("ann", "propose $1 --note one -- UPDATE customers SET vip = true WHERE id = 7"),
            Say("bob", "accept $p1"),
            Say("dana", "accept $p1"),
            Say("ann", "approve $1"),
            Say("bob", "approve $1"),
        ),
    ),
    Play(
        "emergency",
        "Break-glass, from the alarm to the closed attestation",
        "Bob is on duty. He takes access, nobody acknowledges in time, security does, he accounts for it, Ann closes it.",
        NIGHT,
        (
            Say("dana", GLASS),
            Say("bob", "break-glass prod-db 30m down --scope write --confirm prod-db"),
            Say("bob", GLASS.replace("--confirm prod-db", "--confirm prod")),
            Say("bob", GLASS),
            Wait(16),
            Say("bob", "ack $1"),
            Say("sam", "ack $1 I watch the session"),
            Say("bob", "done prod-db"),
            Say("bob", GLASS),
            Say("sam", "close $1 justified"),
            Say("bob", "attest $1 Checkout had a lock; ended the session that held it, nothing was changed."),
            Say("bob", "close $1 justified"),
            Say("ann", "close $1 follow-up add an alert for that lock"),
            Say("bob", GLASS),
        ),
        ("emergency", "production-writes"),
        "The private message with the token, the alarms outside of chat (`approvals.alarms`) and the page are tested where they are made.",
    ),
    Play(
        "step-up",
        "More than a click",
        "A click opens a page; what stands in chat is typed there. A no takes one click.",
        FRIDAY,
        (
            Say("dana", "request prod-db 1h INC-42 migrate --scope admin"),
            Say("dana", "approve $1"),
            Say("ann", "approve $1"),
            Confirm("ann", wrong=True),
            Confirm("ann"),
            Confirm("ann"),
            Say("dana", "done prod-db"),
            Say("dana", "request prod-db 1h INC-43 migrate more --scope admin"),
            Say("bob", "approve $2"),
            Wait(6),
            Confirm("bob"),
            Say("ann", "deny $2 one migration a day"),
        ),
        note="The page itself, its digest and its number are tested in `tests/bot/console/test_confirm.py`.",
        texts=(CAREFUL,),
    ),
    Play(
        "again",
        "The same again for a while",
        "Ann approves one command and the very same for half an hour. Another text, another person or a later hour is asked about.",
        FRIDAY,
        (
            Say("dana", REPAIR),
            Say("ann", "approve $1 --again 2h"),
            Say("ann", "approve $1 --again 30m"),
            Wait(10),
            Say("dana", REPAIR),
            Say("dana", REPAIR.replace("= 7", "= 8")),
            Say("ann", "deny $3 one at a time"),
            Say("eve", REPAIR),
            Say("ann", "deny $4 ask Dana"),
            Wait(21),
            Say("dana", REPAIR),
            Say("dana", "cancel $5"),
        ),
        texts=(AGAIN,),
    ),
    Play(
        "start-ahead",
        "Access that starts later",
        "Asked for and approved by day, begun at night. Not begun in time, or called off, it is nothing.",
        FRIDAY,
        (
            Say("dana", "request prod-db 1h from 22:00 INC-42 build an index --scope write"),
            Say("dana", "begin $1"),
            Say("bob", "approve $1"),
            Say("dana", "begin $1"),
            Say("dana", "my"),
            Wait(13 * 60),
            Say("bob", "begin $1"),
            Say("dana", "begin $1"),
            Say("dana", "done prod-db"),
            Say("dana", "request prod-db 1h from tomorrow 02:00 INC-43 the second one --scope write"),
            Say("ann", "approve $2"),
            Wait(4 * 60 + 1),
            Wait(60),
            Say("dana", "begin $2"),
            Say("dana", "request prod-db 1h from tomorrow 02:00 INC-44 the third one --scope write"),
            Say("ann", "approve $3"),
            Say("ann", "cancel $3"),
        ),
        private=("dana",),
    ),
    Play(
        "notifications",
        "Who is written to, and when",
        "The channel comes first: Ann is in it, Bob is not and has quiet hours, Olga decides nothing here. One digest a day.",
        FRIDAY,
        (
            Say("bob", "settings quiet 08:00-09:20 UTC"),
            Say("ann", "settings digest 10:00 UTC"),
            Say("dana", "request prod-db 1h INC-42 debugging"),
            Wait(2),
            Wait(1),
            Say("dana", "request prod-db 30m INC-43 repair order 7 --scope write"),
            Wait(2),
            Say("ann", "approve $1"),
            Wait(16),
            Wait(40),
            Say("bob", "approve $2"),
        ),
        note="Ann is written to about the first request three minutes later, Bob when his quiet hours end. The digest counts what waits.",
        private=("ann", "bob", "olga"),
        absent=("bob",),
        calls=Notify(5, timedelta(minutes=3)),
    ),
    Play(
        "delegation",
        "Somebody decides in another's place",
        "Ann goes away; from half past nine on, Eve decides for her. The two are one voice.",
        FRIDAY,
        (
            Say("dana", "request prod-db 1h INC-42 debugging"),
            Say("ann", "delegate @eve from 09:30 until 17:00 for prod-* at the dentist"),
            Say("eve", "approve $1"),
            Wait(31),
            Say("eve", "approve $1"),
            Say("ann", "approve $1"),
            Say("dana", "request prod-db 30m INC-43 repair order 7 --scope write"),
            Say("ann", "undelegate $d1 back early"),
            Say("eve", "approve $2"),
            Say("ann", "approve $2"),
        ),
        private=("eve", "ann"),
        before=may_delegate,
    ),
)
