"""`decide`: the table of cases, the golden matrix, and what must hold for every policy anybody could write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.actors import Actor, Person, PersonId
from access.ids import GrantId, RequestId
from access.policy import DEFAULT_MATRIX, Action, Policy, Rule, Verdict, decide, standing_level
from access.requests import Grant, GrantState
from access.resources import Protocol, Resource, Upstream
from access.scopes import Admin, Level, OfRunbook, Once, Read, Scope, Write, scope_name
from access.statements import Digest, Effect, Flag, Statement

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DANA = Person(PersonId("okta|dana"), "Dana", "dana", frozenset({"dev"}))
DB = Resource("prod-db", Protocol.POSTGRES, Upstream("h", 5432, "u", "d"), labels={"env": "prod"})
DIGEST = Digest("d" * 64)
ALLOW, HOLD, DENY = Action.ALLOW, Action.HOLD, Action.DENY


def a_grant(scope: Scope, **other: object) -> Grant:
    row = Grant(
        GrantId(f"grt_{scope_name(scope):_<10}"),
        RequestId("req_00000000"),
        Actor(DANA.id),
        DB.name,
        scope,
        NOW - timedelta(minutes=5),
        NOW + timedelta(minutes=5),
        (),
    )
    return replace(row, **other)  # type: ignore[arg-type]


def a_statement(*effects: Effect, **other: object) -> Statement:
    return replace(Statement("postgres", "…", frozenset(effects), verbs=("DELETE",)), **other)  # type: ignore[arg-type]


READ, WRITE, ADMIN, ONCE = a_grant(Read()), a_grant(Write()), a_grant(Admin()), a_grant(Once(DIGEST))
SELECT = a_statement(Effect.READ, verbs=("SELECT",), reads=("public.customers",))
DELETE = a_statement(Effect.WRITE, writes=("public.customers",))
DROP = a_statement(
    Effect.DDL, Effect.DANGER, verbs=("DROP TABLE",), writes=("public.customers",), flags=frozenset({Flag.DROP})
)
RIDDLE = a_statement(understood=False, problem="The gateway could not read this.")


def judge(
    grants: Sequence[Grant],
    statement: Statement,
    *rules: Rule,
    digest: Digest | None = DIGEST,
    person: Person = DANA,
    now: datetime = NOW,
) -> Verdict:
    return decide(Policy(rules=rules), grants, person, DB, statement, digest, now)


# ---------------------------------------------------------------------------------------------- cases

NEVER = Rule("never", DENY, "Never on this table.", tables=("customers",))
ASK = Rule("ask", HOLD, "Ask first.", tables=("customers",), approvers=("dpo",))
FINE = Rule("fine", ALLOW, tables=("customers",))

CASES = [
    ("nothing granted", [], SELECT, [], DENY, "no-grant"),
    ("nothing granted, an allow rule", [], SELECT, [FINE], DENY, "no-grant"),
    ("read reads", [READ], SELECT, [], ALLOW, "read-scope"),
    ("read does not write by itself", [READ], DELETE, [], HOLD, "read-scope-write"),
    ("read does not change the schema", [READ], DROP, [], DENY, "read-scope-danger"),
    ("write writes", [WRITE], DELETE, [], ALLOW, "write-scope"),
    ("write asks for danger", [WRITE], DROP, [], HOLD, "write-scope-danger"),
    ("admin asks for danger too", [ADMIN], DROP, [], HOLD, "admin-scope-danger"),
    ("the highest counts", [READ, WRITE], DELETE, [], ALLOW, "write-scope"),
    ("no effect at all is opaque", [READ], a_statement(), [], HOLD, "read-scope-opaque"),
    ("a hold rule on a read", [READ], SELECT, [ASK], HOLD, "ask"),
    ("a deny rule on a read", [READ], SELECT, [NEVER], DENY, "never"),
    ("deny beats hold and allow", [ADMIN], SELECT, [FINE, ASK, NEVER], DENY, "never"),
    ("hold beats allow", [READ], SELECT, [FINE, ASK], HOLD, "ask"),
    ("an allow rule lifts a hold of the matrix", [READ], DELETE, [FINE], ALLOW, "fine"),
    ("an allow rule lifts no deny of the matrix", [READ], DROP, [FINE], DENY, "read-scope-danger"),
    ("not understood is refused", [WRITE], RIDDLE, [], DENY, "not-understood"),
    ("not understood is held for an admin", [ADMIN], RIDDLE, [], HOLD, "admin-scope-opaque"),
    ("not understood is not lifted by a rule", [READ], RIDDLE, [Rule("all", ALLOW)], DENY, "not-understood"),
    ("approved once", [READ, ONCE], DELETE, [], ALLOW, "approved-once"),
    ("approved once without standing access", [ONCE], DROP, [], ALLOW, "approved-once"),
    ("approved once lifts a hold rule", [READ, ONCE], DELETE, [ASK], ALLOW, "approved-once"),
    ("approved once lifts no deny rule", [READ, ONCE], DELETE, [NEVER], DENY, "never"),
    ("approved once, but unreadable", [ONCE], RIDDLE, [], DENY, "not-understood"),
]


@pytest.mark.parametrize(
    ("grants", "statement", "rules", "action", "rule"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_cases(grants: list[Grant], statement: Statement, rules: list[Rule], action: Action, rule: str) -> None:
    verdict = judge(grants, statement, *rules)
    assert (verdict.action, verdict.rule) == (action, rule)
    assert (verdict.consumes == ONCE) is (rule == "approved-once")
    assert bool(verdict.message) is (action is not ALLOW)


@pytest.mark.parametrize("digest", [None, Digest("e" * 64), Digest(""), Digest("D" * 64), Digest("d" * 63)])
def test_another_digest_is_another_command(digest: Digest | None) -> None:
    verdict = judge([ONCE], DELETE, digest=digest)
    assert (verdict.action, verdict.rule, verdict.consumes) == (DENY, "not-what-was-approved", None)
    assert judge([READ, ONCE], DELETE, digest=digest).action is HOLD


OVER = [{"state": state} for state in GrantState if state is not GrantState.ACTIVE] + [
    {"expires_at": NOW},
    {"starts_at": NOW + timedelta(microseconds=1)},
]


@pytest.mark.parametrize("change", OVER, ids=str)
@pytest.mark.parametrize("grant", [ADMIN, ONCE], ids=["standing", "once"])
def test_a_grant_that_is_not_live_gives_nothing(grant: Grant, change: dict[str, object]) -> None:
    verdict = judge([replace(grant, **change)], SELECT)  # type: ignore[arg-type]
    assert (verdict.action, verdict.rule) == (DENY, "no-grant")


def test_a_runbook_grant_is_no_standing_access() -> None:
    assert judge([a_grant(OfRunbook("c", "n", DIGEST))], SELECT).action is DENY


def test_a_held_statement_names_who_decides() -> None:
    assert judge([READ], SELECT, ASK).approvers == ("dpo",)
    assert judge([READ], DELETE).approvers == ()


def test_a_refusal_says_what_to_do() -> None:
    assert judge([], SELECT).hint == "Ask for one: /hoop request prod-db"
    assert judge([READ], DROP).message == "DROP TABLE on public.customers (danger) is outside a read grant."
    assert judge([READ], SELECT, NEVER).message == "Never on this table."
    assert "The rule quiet forbids this" in judge([READ], SELECT, Rule("quiet", DENY)).message
    assert judge([READ], RIDDLE).message == "The gateway could not read this."


MATCHES = [
    (Rule("r", DENY), True),
    (Rule("r", DENY, effects=frozenset({Effect.DANGER})), True),
    (Rule("r", DENY, effects=frozenset({Effect.ADMIN})), False),
    (Rule("r", DENY, verbs=("DROP",)), True),
    (Rule("r", DENY, verbs=("drop table",)), True),
    (Rule("r", DENY, verbs=("DROP*",)), True),
    (Rule("r", DENY, verbs=("TABLE",)), False),
    (Rule("r", DENY, tables=("customers",)), True),
    (Rule("r", DENY, tables=("public.*",)), True),
    (Rule("r", DENY, tables=("other.*", "cust*")), True),
    (Rule("r", DENY, tables=("custom",)), False),
    (Rule("r", DENY, functions=("pg_*",)), False),
    (Rule("r", DENY, flags=frozenset({Flag.DROP, Flag.LOCK})), True),
    (Rule("r", DENY, flags=frozenset({Flag.LOCK})), False),
    (Rule("r", DENY, resources=("prod-*",)), True),
    (Rule("r", DENY, resources=("staging",)), False),
    (Rule("r", DENY, labels={"env": "prod"}), True),
    (Rule("r", DENY, labels={"env": "prod", "team": "x"}), False),
    (Rule("r", DENY, people=("dana",)), True),
    (Rule("r", DENY, people=("okta|dana",)), True),
    (Rule("r", DENY, people=("Dana",)), False),
    (Rule("r", DENY, groups=("dev", "ops")), True),
    (Rule("r", DENY, groups=("ops",)), False),
    (Rule("r", DENY, tables=("customers",), groups=("ops",)), False),
]


@pytest.mark.parametrize(("rule", "matches"), MATCHES)
def test_all_conditions_of_a_rule_must_match(rule: Rule, matches: bool) -> None:
    assert (judge([ADMIN], DROP, rule).rule == "r") is matches


# ---------------------------------------------------------------------------------------------- golden

GOLDEN = Path(__file__).parent / "matrix.txt"


def matrix() -> str:
    """Every level against every effect, alone and with a rule of each kind that matches everything."""
    lines = []
    rules: list[tuple[str, list[Rule]]] = [
        ("no rule", []),
        *((f"{one.name.lower()} rule", [Rule("r", one)]) for one in Action),
    ]
    levels: list[tuple[str, list[Grant]]] = [
        ("nothing", []),
        ("read", [READ]),
        ("write", [WRITE]),
        ("admin", [ADMIN]),
        ("once", [ONCE]),
        ("read+once", [READ, ONCE]),
    ]
    statements = [(effect.value, a_statement(effect)) for effect in Effect] + [("(unread)", RIDDLE)]
    for (level, grants), (what, rule) in product(levels, rules):
        lines.append(f"{level}, {what}")
        for name, statement in statements:
            verdict = judge(grants, statement, *rule)
            lines.append(f"    {name:10}{verdict.action.name:6}{verdict.rule}")
    return "\n".join(lines) + "\n"


def test_the_whole_matrix_is_reviewed_as_a_diff() -> None:
    """After a wanted change: write `matrix()` to the file and read what changed."""
    assert matrix() == GOLDEN.read_text()


# ---------------------------------------------------------------------------------------------- for every policy

EFFECTS = st.frozensets(st.sampled_from(Effect), max_size=3)
FLAGS = st.frozensets(st.sampled_from(Flag), max_size=2)
NAMES = st.lists(st.sampled_from(["public.customers", "customers", "hr.pay", "*", "p*", "x"]), max_size=2).map(tuple)
VERBS = st.lists(st.sampled_from(["SELECT", "DELETE", "DROP TABLE", "DROP", "*"]), max_size=2).map(tuple)

RULES = st.builds(
    Rule,
    name=st.sampled_from(["a", "b", "c"]),
    action=st.sampled_from(Action),
    message=st.sampled_from(["", "because"]),
    effects=EFFECTS,
    verbs=VERBS,
    tables=NAMES,
    flags=FLAGS,
    people=st.sampled_from([(), ("dana",), ("ann",)]),
    groups=st.sampled_from([(), ("dev",), ("ops",)]),
)
STATEMENTS = st.builds(
    Statement,
    protocol=st.just("postgres"),
    text=st.just("…"),
    effects=EFFECTS,
    verbs=VERBS,
    reads=NAMES,
    writes=NAMES,
    flags=FLAGS,
    understood=st.booleans(),
)
GRANTS = st.lists(
    st.builds(
        a_grant,
        st.sampled_from([Read(), Write(), Admin(), Once(DIGEST), Once(Digest("e")), OfRunbook("c", "n", DIGEST)]),
        state=st.sampled_from([GrantState.ACTIVE, GrantState.ACTIVE, *GrantState]),
        expires_at=st.sampled_from([NOW, NOW + timedelta(minutes=5)]),
    ),
    max_size=3,
)
MATRICES = st.just(DEFAULT_MATRIX) | st.dictionaries(
    st.sampled_from(Level), st.dictionaries(st.sampled_from(Effect), st.sampled_from(Action)), max_size=4
)
POLICIES = st.builds(Policy, rules=st.lists(RULES, max_size=4).map(tuple), matrix=MATRICES)
DIGESTS = st.sampled_from([None, DIGEST, Digest("f")])
PEOPLE = st.builds(replace, st.just(DANA), groups=st.sampled_from([frozenset(), frozenset({"ops"})]))


@given(POLICIES, GRANTS, PEOPLE, STATEMENTS, DIGESTS)
def test_it_always_answers_and_always_the_same(
    policy: Policy, grants: list[Grant], person: Person, statement: Statement, digest: Digest | None
) -> None:
    verdict = decide(policy, grants, person, DB, statement, digest, NOW)
    assert verdict == decide(policy, grants, person, DB, statement, digest, NOW)
    assert verdict.rule
    assert verdict.action is ALLOW or verdict.message
    if verdict.consumes is not None:
        assert verdict.action is ALLOW
        assert verdict.consumes in grants
        assert verdict.consumes.live(NOW)
        assert verdict.consumes.scope == Once(digest) if digest else False


@given(POLICIES, GRANTS, STATEMENTS, DIGESTS, RULES, st.integers(0, 4))
@settings(max_examples=300)
def test_a_rule_that_is_not_an_allow_never_loosens(
    policy: Policy, grants: list[Grant], statement: Statement, digest: Digest | None, rule: Rule, at: int
) -> None:
    stricter = replace(rule, action=max(rule.action, HOLD))
    more = replace(policy, rules=(*policy.rules[:at], stricter, *policy.rules[at:]))
    before = decide(policy, grants, DANA, DB, statement, digest, NOW)
    after = decide(more, grants, DANA, DB, statement, digest, NOW)
    assert after.action >= before.action


@given(POLICIES, GRANTS, STATEMENTS, DIGESTS, RULES)
def test_an_allow_rule_never_lifts_a_deny(
    policy: Policy, grants: list[Grant], statement: Statement, digest: Digest | None, rule: Rule
) -> None:
    more = replace(policy, rules=(*policy.rules, replace(rule, action=ALLOW)))
    if decide(policy, grants, DANA, DB, statement, digest, NOW).action is DENY:
        assert decide(more, grants, DANA, DB, statement, digest, NOW).action is DENY


@given(POLICIES, GRANTS, STATEMENTS, DIGESTS)
def test_somebody_inactive_is_always_refused(
    policy: Policy, grants: list[Grant], statement: Statement, digest: Digest | None
) -> None:
    verdict = decide(policy, grants, replace(DANA, active=False), DB, statement, digest, NOW)
    assert (verdict.action, verdict.rule, verdict.consumes) == (DENY, "person-inactive", None)


@given(POLICIES, GRANTS, STATEMENTS, DIGESTS)
def test_when_everything_is_over_everything_is_refused(
    policy: Policy, grants: list[Grant], statement: Statement, digest: Digest | None
) -> None:
    later = NOW + timedelta(minutes=5)
    assert decide(policy, grants, DANA, DB, statement, digest, later).action is DENY


@given(POLICIES, GRANTS, STATEMENTS, DIGESTS, RULES)
def test_no_approval_lifts_a_deny_rule(
    policy: Policy, grants: list[Grant], statement: Statement, digest: Digest | None, rule: Rule
) -> None:
    forbidding = Rule("forbidden", DENY)
    more = replace(policy, rules=(*policy.rules, forbidding))
    assert decide(more, [*grants, ONCE, ADMIN], DANA, DB, statement, digest, NOW).action is DENY


@given(POLICIES, GRANTS, STATEMENTS, DIGESTS)
def test_what_nobody_could_read_never_runs_unasked(
    policy: Policy, grants: list[Grant], statement: Statement, digest: Digest | None
) -> None:
    default = replace(
        policy, matrix=DEFAULT_MATRIX, rules=tuple(one for one in policy.rules if one.action is not ALLOW)
    )
    unread = replace(statement, understood=False)
    verdict = decide(default, grants, DANA, DB, unread, digest, NOW)
    if standing_level(grants, NOW) < Level.ADMIN:
        assert verdict.action is DENY
    elif verdict.consumes is None:
        assert verdict.action is not ALLOW


@given(GRANTS, STATEMENTS, st.sampled_from(Effect))
def test_one_more_effect_never_loosens(grants: list[Grant], statement: Statement, effect: Effect) -> None:
    """Under the default matrix; an empty set of effects counts as opaque, so it is left out."""
    known = replace(statement, effects=statement.effects | {Effect.READ})
    more = replace(known, effects=known.effects | {effect})
    before, after = (decide(Policy(), grants, DANA, DB, one, None, NOW).action for one in (known, more))
    assert after >= before


def test_a_higher_level_is_never_stricter() -> None:
    for effect in Effect:
        row = [DEFAULT_MATRIX[level][effect] for level in Level]
        assert row == sorted(row, reverse=True), effect
