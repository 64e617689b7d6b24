"""The tables of transitions, all of them, and the words of every refusal."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from access.actors import Actor, PersonId
from access.errors import Conflict
from access.ids import GrantId, RequestId, SessionId
from access.requests import AccessRequest, Ask, Grant, GrantState, RequestState
from access.scopes import Admin, OfRunbook, Once, Read, Scope, Write
from access.statements import Digest
from approval_flows import diagrams, lifecycle
from approval_flows.lifecycle import GrantCommand, RequestCommand

NOW = datetime(2026, 3, 2, 10, 2, tzinfo=UTC)
ANN = PersonId("directory|ann")
REQUEST = AccessRequest(
    id=RequestId("req_00000000"),
    actor=Actor(PersonId("directory|dana")),
    resource="prod-db",
    ask=Ask.ACCESS,
    scope=Read(),
    duration=timedelta(hours=1),
    reason="INC-42",
    created_at=NOW,
    expires_at=NOW + timedelta(hours=2),
)
GRANT = Grant(
    id=GrantId("grt_0000000000"),
    request=REQUEST.id,
    actor=REQUEST.actor,
    resource="prod-db",
    scope=Read(),
    starts_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    issued_by=(ANN,),
)
ONCE = replace(GRANT, scope=Once(Digest("d" * 64)))


def names(id: PersonId) -> str:
    return id.partition("|")[2].capitalize()


R, G = RequestState, GrantState

POSSIBLE_REQUEST = {
    (R.PENDING, "approve", R.APPROVED, "request.decided"),
    (R.PENDING, "deny", R.DENIED, "request.decided"),
    (R.PENDING, "cancel", R.CANCELLED, "request.cancelled"),
    (R.PENDING, "expire", R.EXPIRED, "request.expired"),
}

POSSIBLE_STANDING = {
    (G.ACTIVE, "extend", G.ACTIVE, "grant.extended"),
    (G.ACTIVE, "revoke", G.REVOKED, "grant.ended"),
    (G.ACTIVE, "give back", G.DONE, "grant.ended"),
    (G.ACTIVE, "expire", G.EXPIRED, "grant.ended"),
}

RUN = OfRunbook("c", "n", Digest("p"), (Digest("one"),))
POSSIBLE_SINGLE_USE = {
    (G.ACTIVE, "consume", G.EXECUTING, "grant.used"),
    (G.ACTIVE, "revoke", G.REVOKED, "grant.ended"),
    (G.ACTIVE, "give back", G.DONE, "grant.ended"),
    (G.ACTIVE, "expire", G.EXPIRED, "grant.ended"),
    (G.EXECUTING, "succeed", G.SUCCEEDED, "statement.completed"),
    (G.EXECUTING, "fail", G.FAILED, "statement.completed"),
    (G.EXECUTING, "lose", G.UNKNOWN, "statement.completed"),
    (G.UNKNOWN, "succeed", G.SUCCEEDED, "statement.completed"),
    (G.UNKNOWN, "fail", G.FAILED, "statement.completed"),
}


def do(grant: Grant, command: GrantCommand) -> tuple[Grant, str]:
    match command:
        case GrantCommand.EXTEND:
            after, fact = lifecycle.extend_grant(grant, grant.expires_at + timedelta(minutes=5), names, by=ANN)
        case GrantCommand.CONSUME:
            after, fact = lifecycle.use_grant(grant, NOW, names, session=SessionId("ses_1"), actor="dana")
        case GrantCommand.SUCCEED | GrantCommand.FAIL | GrantCommand.LOSE:
            after, fact = lifecycle.settle_grant(grant, command, NOW, names, actor="dana", detail="")
        case _:
            after, fact = lifecycle.end_grant(grant, command, NOW, names, by=ANN, why="why")
    return after, fact.kind


def test_every_transition_of_a_request() -> None:
    found = set()
    for state, command in product(RequestState, RequestCommand):
        row = replace(REQUEST, state=state, decided_by=ANN, decided_at=NOW)
        refusal = lifecycle.request_refusal(row, command, names)
        if refusal is not None:
            assert "2026-03-02 10:02 UTC" in str(refusal)
            with pytest.raises(Conflict, match=re.escape(str(refusal))):
                lifecycle.decide_request(row, command, NOW, names, by=ANN)
            continue
        after, fact = lifecycle.decide_request(row, command, NOW, names, by=ANN)
        assert fact.stream == REQUEST.id
        found.add((state, command.value, after.state, fact.kind))
    assert found == POSSIBLE_REQUEST


@pytest.mark.parametrize(
    ("scope", "possible"),
    [
        *((scope, POSSIBLE_STANDING) for scope in (Read(), Write(), Admin())),
        (ONCE.scope, POSSIBLE_SINGLE_USE),
        (RUN, POSSIBLE_SINGLE_USE | {(G.EXECUTING, "consume", G.EXECUTING, "grant.used")}),
    ],
    ids=["read", "write", "admin", "once", "runbook"],
)
def test_every_transition_of_a_grant(scope: Scope, possible: set[tuple[GrantState, str, GrantState, str]]) -> None:
    found = set()
    for state, command in product(GrantState, GrantCommand):
        row = replace(GRANT, scope=scope, state=state, used_at=NOW, ended_at=NOW, ended_by=ANN)
        refusal = lifecycle.grant_refusal(row, command, names)
        if refusal is not None:
            assert row.id in str(refusal)
            with pytest.raises(Conflict, match=re.escape(str(refusal))):
                do(row, command)
            continue
        after, kind = do(row, command)
        found.add((state, command.value, after.state, kind))
    assert found == possible


WORDS = [
    (R.APPROVED, "req_00000000 was already approved by Ann at 2026-03-02 10:02 UTC."),
    (R.DENIED, "req_00000000 was already denied by Ann at 2026-03-02 10:02 UTC."),
    (R.CANCELLED, "req_00000000 was cancelled by Ann at 2026-03-02 10:02 UTC. because"),
    (R.EXPIRED, "req_00000000 expired at 2026-03-02 10:02 UTC: nobody decided in time. Ask again."),
]


@pytest.mark.parametrize(("state", "words"), WORDS)
def test_words_for_a_request_that_moved_on(state: RequestState, words: str) -> None:
    row = replace(REQUEST, state=state, decided_by=ANN, decided_at=NOW, note="because")
    assert str(lifecycle.request_refusal(row, RequestCommand.APPROVE, names)) == words


GRANT_WORDS = [
    (GRANT, GrantCommand.CONSUME, "is standing access"),
    (GRANT, GrantCommand.SUCCEED, "has not been used"),
    (ONCE, GrantCommand.EXTEND, "is for one command"),
    (ONCE, GrantCommand.LOSE, "has not been used"),
    (
        replace(ONCE, state=G.EXECUTING, used_at=NOW),
        GrantCommand.CONSUME,
        "was used at 2026-03-02 10:02 UTC and is running",
    ),
    (
        replace(ONCE, state=G.SUCCEEDED, used_at=NOW),
        GrantCommand.CONSUME,
        "already used at 2026-03-02 10:02 UTC: it succeeded",
    ),
    (replace(ONCE, state=G.UNKNOWN, used_at=NOW), GrantCommand.CONSUME, "its outcome is unknown"),
    (replace(GRANT, state=G.EXPIRED, ended_at=NOW), GrantCommand.EXTEND, "expired at 2026-03-02 10:02 UTC"),
    (
        replace(GRANT, state=G.REVOKED, ended_at=NOW, ended_by=ANN, why_ended="incident"),
        GrantCommand.EXTEND,
        "was revoked by Ann at 2026-03-02 10:02 UTC (incident)",
    ),
    (replace(GRANT, state=G.DONE, ended_at=NOW), GrantCommand.REVOKE, "was given back at 2026-03-02 10:02 UTC"),
    (replace(ONCE, state=G.FAILED), GrantCommand.CONSUME, "at an unknown time"),
]


@pytest.mark.parametrize(("grant", "command", "words"), GRANT_WORDS)
def test_words_for_a_grant_that_moved_on(grant: Grant, command: GrantCommand, words: str) -> None:
    assert words in str(lifecycle.grant_refusal(grant, command, names))


def test_an_extension_never_shortens() -> None:
    for until in (GRANT.expires_at, NOW):
        with pytest.raises(ValueError, match="later"):
            lifecycle.extend_grant(GRANT, until, names, by=ANN)


def test_no_state_but_active_is_usable() -> None:
    assert [state for state in GrantState if replace(GRANT, state=state).live(NOW)] == [GrantState.ACTIVE]


def test_a_run_is_consumed_in_order_and_succeeds_with_its_last_step() -> None:
    names, session = str, SessionId("ses_000000000001")
    two = replace(ONCE, scope=OfRunbook("c", "n", Digest("p"), (Digest("one"), Digest("two"))))
    grant = two
    digests = []
    for _ in range(2):
        grant, fact = lifecycle.use_grant(grant, NOW, names, session=session, actor="a")
        digests.append(fact.payload()["digest"])
    assert digests == ["one", "two"]
    with pytest.raises(Conflict, match="every step"):
        lifecycle.use_grant(grant, NOW, names, session=session, actor="a")
    settle = lambda g, c: lifecycle.settle_grant(g, c, NOW, names, actor="a", detail="")[0]  # noqa: E731
    first = settle(grant, GrantCommand.SUCCEED)
    assert (first.state, first.ended_at) == (G.EXECUTING, None)
    assert settle(first, GrantCommand.SUCCEED).state is G.SUCCEEDED
    assert settle(first, GrantCommand.FAIL).state is G.FAILED


def test_a_run_is_live_while_steps_are_left_and_its_time_is_not_over() -> None:
    started = replace(ONCE, scope=replace(RUN, used=1), state=G.EXECUTING)
    assert not started.live(NOW)
    more = replace(started, scope=OfRunbook("c", "n", Digest("p"), (Digest("one"), Digest("two")), used=1))
    assert more.live(NOW)
    assert not more.live(more.expires_at)
    assert not replace(more, state=G.FAILED).live(NOW)


def test_a_diagram_has_every_edge_and_its_ends() -> None:
    drawn = diagrams.mermaid(lifecycle.SINGLE_USE).splitlines()
    assert drawn[:2] == ["stateDiagram-v2", "    [*] --> active"]
    assert len([line for line in drawn if ": " in line]) == len(POSSIBLE_SINGLE_USE)
    ends = {line.split()[0] for line in drawn if line.endswith("--> [*]")}
    assert ends == {"succeeded", "failed", "expired", "revoked", "done"}


def test_the_page_in_the_docs_is_drawn_from_the_tables() -> None:
    page = Path(lifecycle.__file__).parent.parent / "docs" / "lifecycle.md"
    assert page.read_text() == diagrams.document(), "python -m approval_flows.diagrams > docs/lifecycle.md"
