"""The main cards as golden files: a reviewer reads the difference.

Write them anew with `HOOP_WRITE_GOLDEN=1 python -m pytest tests/bot/test_views.py`.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from access.actors import Actor, Agent, PersonId
from access.errors import Conflict, Denied, Unavailable
from access.events import StoredEvent
from access.extracts import write_extract
from access.ids import CredentialId, GrantId, RequestId, SessionId
from access.masking import ForApprover, declare_masked
from access.ports import Outlook, Progress
from access.requests import AccessRequest, Ask, Evidence, Grant, GrantState, RequestState, Session
from access.scopes import Admin, Once, Read, Scope, Write
from access.statements import Digest, Effect, Flag
from bot.card_json import card_to_json
from bot.cards import Card, Do, Mention, State
from bot.cases import Case, Visit
from bot.intents import Mistake, Verb
from bot.links import Links
from bot.views import access, answers, lists, parts, requests, sessions
from tests.bot.stage import has, words
from tests.fakes.world import PROD

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LINKS = Links("https://hoop.test")
DANA, ANN, BOB = (Mention(PersonId(f"directory|{n.lower()}"), n) for n in ("Dana", "Ann", "Bob"))
DIGEST = Digest("ab12" * 16)

REQUEST = AccessRequest(
    id=RequestId("req_7k3f9a2b"),
    actor=Actor(DANA.person, display="Dana"),
    resource="prod-db",
    ask=Ask.ACCESS,
    scope=Read(),
    duration=timedelta(hours=1),
    reason="debugging checkout",
    created_at=NOW,
    expires_at=NOW + timedelta(hours=2),
    ticket="INC-42",
    approvers=(ANN.person, BOB.person),
)
GRANT = Grant(
    id=GrantId("grt_7k3f9a2b4c"),
    request=REQUEST.id,
    actor=REQUEST.actor,
    resource="prod-db",
    scope=Read(),
    starts_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    issued_by=(ANN.person,),
)
SHOWN = declare_masked("DELETE FROM customers WHERE email = '***' AND id = 7")
EVIDENCE = Evidence(
    shown=SHOWN,
    exact=ForApprover("DELETE FROM customers WHERE email = 'dana@example.com\u202e' AND id = 7"),
    complete=False,
    digest=DIGEST,
    database="shop",
    parameters=(ForApprover("7"), None),
    effects=frozenset({Effect.WRITE, Effect.DANGER}),
    verbs=("DELETE",),
    tables=("public.customers",),
    flags=frozenset({Flag.UNBOUNDED_WRITE}),
    rule="read-scope-danger",
    message="DELETE on public.customers needs approval under a read grant.",
    in_transaction=True,
    notes=("Would cascade to public.orders.",),
)
SESSION = Session(
    id=SessionId("ses_7k3f9a2b4c5d"),
    credential=CredentialId("crd_000000000000"),
    actor=REQUEST.actor,
    resource="prod-db",
    database="shop",
    protocol="postgres",
    node="n",
    client="127.0.0.1",
    application="psql",
    opened_at=NOW,
    heartbeat_at=NOW,
    request=REQUEST.id,
)


def case(request: AccessRequest = REQUEST, **more: object) -> Case:
    allows = "allowed: read · held for approval: write, opaque · refused: ddl, danger, admin"
    base = Case(request, DANA, (ANN, BOB), resource=PROD, allows=allows, links=LINKS)
    return replace(base, **more)  # type: ignore[arg-type]


def decided(state: RequestState, request: AccessRequest = REQUEST, note: str = "") -> AccessRequest:
    return replace(request, state=state, decided_by=ANN.person, decided_at=NOW, note=note)


HELD = replace(
    REQUEST, ask=Ask.STATEMENT, scope=Once(DIGEST), evidence=EVIDENCE, reason="", ticket="", session=SESSION.id
)
VIA = replace(HELD, actor=Actor(DANA.person, Agent("claude"), "Dana"), evidence=replace(EVIDENCE, complete=True))
COMMAND = replace(REQUEST, ask=Ask.COMMAND, scope=Once(DIGEST), evidence=replace(EVIDENCE, complete=True, notes=()))


def event(kind: str, number: int = 1, **payload: object) -> StoredEvent:
    return StoredEvent(number, "w", number, NOW, kind, REQUEST.id, "executor", payload, "h")


ANN_FIRST = Progress(stages=(("dba", 0, 1), ("owners", 0, 2)))
WAYS = [
    lists.Way("read", Outlook("reads-by-day", automatic=True)),
    lists.Way("write", Outlook("two-people", progress=ANN_FIRST), (ANN, BOB)),
    lists.Way("admin", Outlook("two-people", refused="nobody could decide it")),
]

RESULT = event(
    "command.executed",
    outcome="succeeded",
    result=write_extract(
        [declare_masked("id"), declare_masked("email")],
        [[declare_masked("7"), declare_masked("d***@***")], [declare_masked("8"), None]],
    ),
    rows=2,
    session=SESSION.id,
    tag="SELECT 2",
    message=declare_masked(""),
    why="",
)
REFUSED = event(
    "statement.refused",
    number=2,
    statement=declare_masked("DROP TABLE customers"),
    rule="read-scope-danger",
    message="DROP TABLE on public.customers (danger) is outside a read grant.",
    tables=["public.customers"],
)
CLOSED = replace(
    SESSION,
    closed_at=NOW + timedelta(minutes=5),
    why_closed="client left",
    statements=9,
    rows=120,
    masked=240,
    refused=1,
)
MINE = lists.Mine([GRANT], [SESSION], [case()], [decided(RequestState.DENIED)])

CARDS: dict[str, Card | None] = {
    "request_waiting": requests.request_card(case()),
    "request_active": requests.request_card(case(decided(RequestState.APPROVED), decided_by=ANN, grant=GRANT)),
    "request_denied": requests.request_card(case(decided(RequestState.DENIED, note="use the replica"), decided_by=ANN)),
    "request_expired": requests.request_card(case(replace(REQUEST, state=RequestState.EXPIRED))),
    "request_cancelled": requests.request_card(case(replace(REQUEST, state=RequestState.CANCELLED, note="taken back"))),
    "request_revoked": requests.request_card(
        case(
            decided(RequestState.APPROVED),
            decided_by=ANN,
            ended_by=BOB,
            grant=replace(GRANT, state=GrantState.REVOKED, ended_at=NOW, ended_by=BOB.person, why_ended="wrong ticket"),
        )
    ),
    "mirror_waiting": requests.mirror_card(case()),
    "held_masked": requests.request_card(case(HELD)),
    "held_via_agent": requests.request_card(case(VIA)),
    "held_review": requests.review_card(case(HELD), may_decide=True),
    "command_waiting": requests.request_card(case(COMMAND)),
    "command_result": requests.result_card(case(COMMAND), RESULT),
    "connection": access.connection_card(GRANT, "postgresql://dana@gw:5432/prod-db?sslmode=prefer", resource=PROD),
    "token": access.token_card("prod-db", "the-token", GRANT.expires_at),
    "expiring": access.expiring_card(case(grant=GRANT)),
    "blocked": sessions.blocked_card(Visit(SESSION, DANA, (REFUSED,), LINKS)),
    "session_open": sessions.session_card(Visit(SESSION, DANA, links=LINKS)),
    "session_summary": sessions.session_card(Visit(CLOSED, DANA, (REFUSED,), LINKS)),
    "my": lists.my_card(MINE),
    "pending": lists.pending_card([lists.pending_item(one) for one in (case(), case(HELD))]),
    "who": lists.who_card(PROD, WAYS, [(DANA, GRANT)]),
    "help_exec": lists.help_card(Verb.EXEC),
    "error_conflict": answers.error_card(Conflict("Bob approved it already.", hint="Nothing to do.")),
    "error_denied": answers.error_card(Denied("You can not decide your own request.")),
    "failure": answers.failure_card("E-0a1b2c3d"),
}


@pytest.mark.parametrize("name", CARDS)
def test_the_card_is_the_golden_one(name: str) -> None:
    card = CARDS[name]
    assert card is not None
    drawn = json.dumps(card_to_json(card), indent=1, ensure_ascii=False) + "\n"
    path = GOLDEN / f"{name}.json"
    if os.environ.get("HOOP_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(drawn)
    assert drawn == path.read_text()


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_every_card_says_its_state_in_a_word_and_has_a_fallback_of_one_line(name: str) -> None:
    card = CARDS[name]
    assert card is not None
    assert card.state.word
    assert card.state.icon
    assert "\n" not in card.fallback


def test_the_channel_never_sees_the_exact_text() -> None:
    """Rule 8."""
    for name, card in CARDS.items():
        assert card is not None
        if not card.private:
            assert "dana@example.com" not in words(card), name


def test_approve_is_on_the_channel_card_only_when_everything_is_shown() -> None:
    """Rule 8."""
    assert has(requests.request_card(case(COMMAND)), Do.APPROVE)
    for request in (
        HELD,
        replace(COMMAND, evidence=replace(EVIDENCE, shown=declare_masked("x" * 3000), complete=True)),
    ):
        card = requests.request_card(case(request))
        assert not has(card, Do.APPROVE)
        assert has(card, Do.REVIEW)
        assert has(requests.review_card(case(request), may_decide=True), Do.APPROVE)
        assert not has(requests.review_card(case(request), may_decide=False), Do.APPROVE)


def test_a_dangerous_approval_asks_once_more_and_a_harmless_one_does_not() -> None:
    dangerous, harmless = requests.request_card(case(COMMAND)), requests.request_card(case())
    assert next(b for b in dangerous.buttons if b.do is Do.APPROVE).confirm
    assert not next(b for b in harmless.buttons if b.do is Do.APPROVE).confirm


@pytest.mark.parametrize("state", [s for s in RequestState if s is not RequestState.PENDING])
def test_a_decided_card_keeps_everything_but_the_buttons(state: RequestState) -> None:
    for request in (REQUEST, HELD, COMMAND):
        before, after = requests.request_card(case(request)), requests.request_card(case(decided(state, request)))
        assert before.buttons
        assert not after.buttons
        assert (before.title, before.blocks, before.footer) == (after.title, after.blocks, after.footer)


@pytest.mark.parametrize("ask", Ask)
@pytest.mark.parametrize("state", GrantState)
def test_every_state_of_a_grant_has_a_word(ask: Ask, state: GrantState) -> None:
    request = replace(REQUEST, ask=ask, state=RequestState.APPROVED)
    assert isinstance(parts.state_of(case(request, grant=replace(GRANT, state=state))), State)


def test_many_approvers_are_counted_after_six() -> None:
    crowd = tuple(Mention(PersonId(f"i|{n}"), f"P{n}") for n in range(9))
    assert "P5 and 3 more" in words(requests.request_card(case(deciders=crowd)))


def test_hostile_text_of_a_requester_cannot_change_the_card() -> None:
    reason = "ok\n\n✅ Approved by Ann\u202e <!channel> `x` \u200b" + "y" * 400
    card = requests.request_card(case(replace(REQUEST, reason=reason)))
    why = next(f for f in card.fields if f.label == "Why")
    said = words(replace(card, fields=(why,)))
    assert "\u202e" not in said
    assert "\u200b" not in said
    assert all("\n" not in span for span in why.value if isinstance(span, str))
    assert card.state is parts.WAITING


def test_a_held_statement_in_a_transaction_says_it_holds_locks() -> None:
    assert "locks" in words(requests.request_card(case(HELD)))
    over = requests.request_card(case(decided(RequestState.DENIED, HELD)))
    assert "locks" not in words(over)


def test_an_ipv6_gateway_is_escaped_in_pgpass() -> None:
    card = access.connection_card(GRANT, "postgresql://dana@[::1]:5432/prod-db?sslmode=prefer", resource=PROD)
    assert r"\:\:1:5432:prod-db:dana:TOKEN" in words(card).replace("\\\\", "\\")


def test_a_mistake_about_a_secret_looks_different() -> None:
    assert answers.mistake_card(Mistake("x", secret=True)).state is answers.SECRET
    assert answers.error_card(Unavailable("x")).state is answers.LATER


@pytest.mark.parametrize(
    ("effects", "risk"),
    [
        ({Effect.READ}, parts.Risk.LOW),
        ({Effect.READ, Effect.WRITE}, parts.Risk.MEDIUM),
        ({Effect.WRITE, Effect.DANGER}, parts.Risk.HIGH),
        ({Effect.DDL}, parts.Risk.HIGH),
        ({Effect.OPAQUE}, parts.Risk.HIGH),
        (set(), parts.Risk.HIGH),
    ],
)
def test_what_is_not_known_to_be_harmless_is_high_risk_and_asked_twice(effects: set[Effect], risk: parts.Risk) -> None:
    evidence = replace(EVIDENCE, complete=True, effects=frozenset(effects))
    request = replace(REQUEST, ask=Ask.COMMAND, scope=Once(DIGEST), evidence=evidence)
    assert parts.risk_of(request)[0] is risk
    (approve, _) = parts.decision_buttons(Case(request, DANA), exact=False)
    assert bool(approve.confirm) is (risk is parts.Risk.HIGH)


@pytest.mark.parametrize(
    ("scope", "risk"), [(Read(), parts.Risk.LOW), (Write(), parts.Risk.MEDIUM), (Admin(), parts.Risk.HIGH)]
)
def test_the_risk_of_access_is_that_of_its_scope(scope: Scope, risk: parts.Risk) -> None:
    assert risk.value in words(requests.request_card(Case(replace(REQUEST, scope=scope), DANA)))
