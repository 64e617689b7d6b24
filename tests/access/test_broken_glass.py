"""What break-glass and a freeze change about a verdict, and what they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from access.actors import Actor
from access.ids import GrantId, RequestId
from access.policy import Action, Policy, Rule, Verdict, decide
from access.requests import Grant
from access.scopes import Admin, Once, Read, Scope, Write
from access.statements import Effect, Statement
from tests.fakes.clock import START
from tests.fakes.world import DANA, DANA_SELF, DELETE, PROD

HOLDS = Policy(rules=(Rule("four-eyes", Action.HOLD, tables=("payments",)),))
FORBIDS = Policy(rules=(Rule("never", Action.DENY, tables=("payments",)),))
BUDGET = Policy(max_rows=10)


def grant(scope: Scope, *, emergency: bool = True, actor: Actor = DANA_SELF, barred: str = "") -> Grant:
    end = START.replace(hour=23)
    made = Grant(GrantId("grt_1"), RequestId("req_1"), actor, "prod-db", scope, START, end, (DANA.id,))
    return replace(made, emergency=emergency, barred=barred)


def judged(policy: Policy, *grants: Grant, effects: tuple[Effect, ...] = (Effect.WRITE,), **more: object) -> Verdict:
    table = ("public.payments",)
    statement = Statement("postgres", "", frozenset(effects), ("UPDATE",), (), table, **more)  # type: ignore[arg-type]
    return decide(policy, grants, DANA, PROD, statement, DELETE, START)


def test_a_hold_does_not_wait_and_says_so() -> None:
    verdict = judged(HOLDS, grant(Write()))
    assert (verdict.action, verdict.rule) == (Action.ALLOW, "break-glass, instead of four-eyes")


@pytest.mark.parametrize("effect", [Effect.DDL, Effect.DANGER, Effect.OPAQUE])
def test_what_the_matrix_holds_is_allowed_too(effect: Effect) -> None:
    assert judged(Policy(), grant(Write()), effects=(effect,)).action is Action.ALLOW


def test_a_deny_rule_stays() -> None:
    assert judged(FORBIDS, grant(Admin())).rule == "never"


def test_what_the_scope_denies_stays() -> None:
    assert judged(Policy(), grant(Write()), effects=(Effect.ADMIN,)).action is Action.DENY


def test_what_nobody_understands_stays_held_or_denied() -> None:
    assert judged(Policy(), grant(Write()), understood=False).action is Action.DENY
    assert judged(Policy(), grant(Admin()), understood=False).action is Action.HOLD


def test_taken_for_reading_it_reads() -> None:
    assert judged(Policy(), grant(Read())).action is Action.HOLD


def test_it_lifts_nothing_of_more_access_that_was_approved() -> None:
    """Write by break-glass beside admin that was approved: what admin holds waits, as it always does."""
    both = (grant(Write()), grant(Admin(), emergency=False))
    assert judged(HOLDS, *both).action is Action.HOLD


def test_an_ordinary_grant_is_no_emergency() -> None:
    assert judged(HOLDS, grant(Write(), emergency=False)).action is Action.HOLD


def test_rows_are_not_counted_where_people_would_be_asked() -> None:
    assert judged(BUDGET, grant(Write())).budgets == ()
    assert judged(BUDGET, grant(Write(), emergency=False)).budgets != ()


def test_an_expired_one_is_none() -> None:
    over = replace(grant(Write()), expires_at=START)
    assert judged(HOLDS, over, grant(Write(), emergency=False)).action is Action.HOLD


@pytest.mark.parametrize("scope", [Read(), Admin(), Once(DELETE)])
@pytest.mark.parametrize("emergency", [False, True])
def test_a_freeze_stops_everything(scope: Scope, emergency: bool) -> None:
    frozen = grant(scope, emergency=emergency, barred="prod-db is frozen by Olga: incident")
    verdict = judged(Policy(), frozen, grant(Admin()), effects=(Effect.READ,))
    assert (verdict.action, verdict.rule, verdict.message) == (
        Action.DENY,
        "frozen",
        "prod-db is frozen by Olga: incident",
    )
    assert verdict.consumes is None
