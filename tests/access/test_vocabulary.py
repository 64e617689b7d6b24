"""Actors, scopes, masking types, facts and errors."""

from __future__ import annotations

import dataclasses
import json
import pickle
import typing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules

import pytest
from hypothesis import given
from hypothesis import strategies as st

import access
from access.actors import AGENT_NAME, WIRE_NAME, Actor, Agent, Person, PersonId, actor_key, person_id, wire_name
from access.errors import Conflict, Denied, HoopError, Invalid, Unavailable
from access.events import FACTS, Fact
from access.ids import CredentialId, GrantId, RequestId
from access.masking import ForApprover, Masked, declare_masked
from access.requests import Credential, Grant, GrantState
from access.scopes import (
    Admin,
    Level,
    OfRunbook,
    Once,
    Read,
    Scope,
    Write,
    level_of,
    scope_from_json,
    scope_name,
    scope_to_json,
    standing,
    standing_scope,
    unmask_scope,
    unmasked,
)
from access.statements import Digest, short_digest

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DANA = Person(person_id("okta", "00u1"), "Dana", "dana")

# ---------------------------------------------------------------------------------------------- actors


@pytest.mark.parametrize(("issuer", "subject"), [("", "x"), ("x", ""), ("a|b", "c")])
def test_a_person_id_has_two_parts(issuer: str, subject: str) -> None:
    with pytest.raises(ValueError, match="issuer"):
        person_id(issuer, subject)


@given(
    st.text(min_size=1).filter(lambda text: "|" not in text),
    st.text(min_size=1),
    st.text(min_size=1),
    st.text(min_size=1),
)
def test_two_people_never_share_an_id(issuer: str, subject: str, other_issuer: str, other_subject: str) -> None:
    if "|" not in other_issuer:
        same = (issuer, subject) == (other_issuer, other_subject)
        assert (person_id(issuer, subject) == person_id(other_issuer, other_subject)) is same


def test_a_display_name_is_not_identity() -> None:
    assert Actor(DANA.id, display="Dana") == Actor(DANA.id, display="Admin")
    assert Actor(DANA.id) != Actor(DANA.id, Agent("claude"))
    assert len({Actor(DANA.id, display="a"), Actor(DANA.id, display="b")}) == 1


def test_how_actors_are_written() -> None:
    agent = Actor(DANA.id, Agent("claude"), "Dana")
    assert (str(agent), actor_key(agent), wire_name(DANA, agent.via)) == (
        "Dana via claude",
        "okta|00u1~claude",
        "dana~claude",
    )
    assert (str(Actor(DANA.id)), actor_key(Actor(DANA.id)), wire_name(DANA, None)) == ("okta|00u1", "okta|00u1", "dana")


@pytest.mark.parametrize("name", ["dana~claude", "Dana", "dаna", "dana\n", "", "1a", "a" * 32, "a b", "ａ"])
def test_no_wire_name_can_pose_as_an_agent_or_another_script(name: str) -> None:
    assert WIRE_NAME.match(name) is None
    assert AGENT_NAME.match(name) is None


# ---------------------------------------------------------------------------------------------- scopes

SCOPES: list[Scope] = [
    Read(),
    Write(),
    Admin(),
    Once(Digest("d")),
    OfRunbook("c", "n", Digest("p")),
    unmask_scope(["a.b", "s.t.c"]),
]


def test_clear_values_are_of_named_columns_and_give_no_level() -> None:
    scope = unmask_scope([" customers.email", "app.people.Phone", "customers.email"])
    assert scope.columns == ("app.people.Phone", "public.customers.email")
    assert (level_of(scope), standing(scope)) == (Level.NONE, True)
    assert unmasked([Read(), scope]) == {"app.people.Phone", "public.customers.email"}


@pytest.mark.parametrize(
    "column",
    ["", "email", "*.email", "customers.*", "a.b.c.d", "cust omers.email", 'a."b"', "pg_catalog.pg_stats.x",
     "PG_catalog.pg_stat_activity.query", "information_schema.columns.x", "a.b?", "a.[b]", "x" * 64 + ".y"],
)  # fmt: skip
def test_what_is_not_one_column_cannot_be_unmasked(column: str) -> None:
    with pytest.raises(ValueError, match=r"[Cc]olumns|catalogs"):
        unmask_scope([column])
    with pytest.raises(ValueError, match="At most"):
        unmask_scope([f"t.c{n}" for n in range(11)])


@pytest.mark.parametrize("scope", SCOPES, ids=scope_name)
def test_a_scope_survives_storage(scope: Scope) -> None:
    assert scope_from_json(json.loads(json.dumps(scope_to_json(scope)))) == scope


@pytest.mark.parametrize(
    "data", [{}, {"kind": "root"}, {"kind": "once"}, {"kind": "READ"}, {"kind": "runbook", "name": "x"}]
)
def test_an_unknown_scope_allows_nothing(data: dict[str, str]) -> None:
    with pytest.raises(KeyError):
        scope_from_json(data)


def test_levels_are_ordered_and_single_use_scopes_have_none() -> None:
    assert [level_of(scope) for scope in SCOPES] == [Level.READ, Level.WRITE, Level.ADMIN, *[Level.NONE] * 3]
    assert Level.NONE < Level.READ < Level.WRITE < Level.ADMIN
    assert [standing_scope(scope_name(scope)) for scope in SCOPES[:3]] == SCOPES[:3]
    with pytest.raises(KeyError):
        standing_scope("once")


# ---------------------------------------------------------------------------------------------- grants

GRANT = Grant(
    GrantId("grt_0000000000"),
    RequestId("req_00000000"),
    Actor(DANA.id),
    "db",
    Read(),
    NOW,
    NOW + timedelta(hours=1),
    (),
)


@pytest.mark.parametrize(
    ("seconds", "live"), [(-0.000001, False), (0, True), (1800, True), (3599.999999, True), (3600, False), (1e6, False)]
)
def test_a_grant_is_live_from_its_start_until_before_its_end(seconds: float, live: bool) -> None:
    assert GRANT.live(NOW + timedelta(seconds=seconds)) is live


@pytest.mark.parametrize("state", [state for state in GrantState if state is not GrantState.ACTIVE])
def test_only_an_active_grant_is_live(state: GrantState) -> None:
    assert not replace(GRANT, state=state).live(NOW)


# ---------------------------------------------------------------------------------------------- what must not be seen


def test_the_exact_text_shows_only_when_asked_for() -> None:
    secret = ForApprover("SELECT 'alice@example.com'")
    assert secret.reveal() == "SELECT 'alice@example.com'"
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}", f"{secret!r}"):
        assert "alice" not in shown
    assert secret == ForApprover("SELECT 'alice@example.com'")
    assert secret != "SELECT 'alice@example.com'"
    assert len({secret, ForApprover(secret.reveal())}) == 1
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_masked_is_text_but_text_is_not_masked() -> None:
    masked = declare_masked("a***@example.com")
    assert isinstance(masked, Masked)
    assert masked == "a***@example.com"
    assert not isinstance("plain", Masked)
    assert type(masked + "x") is str  # what is added to it was not masked
    assert pickle.loads(pickle.dumps(masked)) == masked


def test_a_verifier_is_not_in_a_repr() -> None:
    row = Credential(CredentialId("crd_1"), DANA.id, "", "db", "dana", "SCRAM-SHA-256$secret", NOW, NOW)
    assert "SCRAM" not in repr(row)


# ---------------------------------------------------------------------------------------------- facts


@pytest.mark.parametrize("fact", list(FACTS.values()), ids=list(FACTS))
def test_a_fact_is_named_documented_and_frozen(fact: type[Fact]) -> None:
    assert fact.__doc__
    assert not fact.__doc__.startswith(f"{fact.__name__}("), "write what it means"
    subject, _, happened = fact.kind.partition(".")
    assert subject.isidentifier()
    assert happened.isidentifier()
    assert fact.__name__ == "".join(part.capitalize() for part in f"{subject}_{happened}".split("_"))
    assert fact.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_every_fact_in_the_module_is_registered_once() -> None:
    modules = [import_module(f"access.{module.name}") for module in iter_modules(access.__path__)]
    found = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    classes = [one for one in found if issubclass(one, Fact) and one.kind]
    assert {one.kind: one for one in classes} == FACTS
    assert len(classes) == len(FACTS)


EXAMPLES = {str: "x", int: 1, float: 1.5, bool: True, list: ["x"], dict: {"kind": "read"}, Masked: declare_masked("x")}


@pytest.mark.parametrize("fact", list(FACTS.values()), ids=list(FACTS))
def test_a_fact_is_plain_json(fact: type[Fact]) -> None:
    values = {}
    for field in dataclasses.fields(fact):
        hint = typing.get_type_hints(fact)[field.name]
        kinds = [
            typing.get_origin(one) or one
            for one in (typing.get_args(hint) if type(None) in typing.get_args(hint) else [hint])
        ]
        values[field.name] = EXAMPLES[kinds[0]]
    made = fact(**values)  # type: ignore[arg-type]
    payload = made.payload()
    assert json.loads(json.dumps(payload)) == payload
    assert set(payload) == {field.name for field in dataclasses.fields(fact)} - {"stream", "actor"}


@pytest.mark.parametrize("fact", list(FACTS.values()), ids=list(FACTS))
def test_statement_text_enters_a_fact_only_masked(fact: type[Fact]) -> None:
    hints = typing.get_type_hints(fact)
    for name in ("statement", "result"):
        if name in hints:
            assert Masked in {hints[name], *typing.get_args(hints[name])}


# ---------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("error", [Denied, Invalid, Conflict, Unavailable])
def test_errors_say_what_and_what_next(error: type[HoopError]) -> None:
    assert str(error("No.")) == "No."
    assert str(error("No.", hint="Ask Ann.")) == "No. Ask Ann."


def test_a_conflict_is_an_invalid_input_of_late() -> None:
    assert issubclass(Conflict, Invalid)
    assert Invalid("x", field="duration").field == "duration"
    assert Denied("x", rule="own-request").rule == "own-request"


def test_the_glossary_names_every_module() -> None:
    assert access.__doc__ is not None
    for module in (
        "actors",
        "resources",
        "statements",
        "scopes",
        "requests",
        "policy",
        "events",
        "masking",
        "errors",
        "ports",
    ):
        assert f"`{module}`" in access.__doc__


def test_short_digests() -> None:
    assert short_digest("0123456789abcdef") == "01234567"
    assert PersonId("x") == "x"
