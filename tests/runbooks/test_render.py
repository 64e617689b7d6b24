from __future__ import annotations

import pytest

from access.errors import Invalid
from runbooks.model import Broken, Kind, Known, Part, Runbook
from runbooks.parse import parse
from runbooks.render import (
    canonical,
    check,
    lock_key,
    parameters_digest,
    part_of,
    read_back,
    render,
    scope_name,
    written,
)
from tests.runbooks.attacks import ATTACKS
from tests.tables import every


def load(text: str) -> Runbook:
    return parse("x.runbook.sql", text.encode())


def rendered(runbook: Runbook, part: Part = Part.RUN, **typed: str) -> list[tuple[str, tuple[str | None, ...]]]:
    values, wrong = check(runbook, typed, Known(frozenset({"dana"})))
    assert not wrong
    return [(step.text, step.values) for step in render(runbook, "c" * 40, part, values).steps]


@pytest.mark.parametrize(
    ("template", "text", "values"),
    [
        ("SELECT {{ .x }}", "SELECT $1", ("v",)),
        ("SELECT '{{ .x }}'", "SELECT $1", ("v",)),
        ("SELECT {{ .x | squote }}", "SELECT $1", ("v",)),
        ("SELECT '%{{ .x }}%'", "SELECT ('%' || $1::text || '%')", ("v",)),
        ("SELECT 'it''s {{ .x }}'", "SELECT ('it''s ' || $1::text)", ("v",)),
        ("SELECT interval '{{ .x }} days'", "SELECT CAST(($1::text || ' days') AS interval)", ("v",)),
        ("SELECT date '{{ .x }}'", "SELECT CAST($1 AS date)", ("v",)),
        ("SELECT {{ .x }}AS a5, {{ .x }}", "SELECT $1 AS a5, $2", ("v", "v")),
        ("SELECT {{ .x | encodeb64 }}", "SELECT $1", ("dg==",)),
        ("SELECT '$1', {{ .x }}", "SELECT '$1', $1", ("v",)),
        ("SELECT 'a\\' , {{ .x }}", "SELECT 'a\\' , $1", ("v",)),
        ("SELECT E'a\\'' , {{ .x }}", "SELECT E'a\\'' , $1", ("v",)),
    ],
)
def test_where_a_value_goes(template: str, text: str, values: tuple[str, ...]) -> None:
    assert rendered(load(template), x="v") == [(text, values)]


PLACES = (
    "SELECT {{ .x }}",
    "SELECT '{{ .x }}'",
    "SELECT 'a {{ .x }} b'",
    "UPDATE t SET a = {{ .x | squote }} WHERE b = '{{ .x }}'",
    'SELECT {{ .x | quotechar "\'" }}',
)


@pytest.mark.parametrize("template", PLACES)
def test_no_value_ever_changes_the_statement(template: str) -> None:
    runbook = load(template)
    every(ATTACKS, lambda attack: _does_not_change_the_statement(runbook, attack))


def _does_not_change_the_statement(runbook: Runbook, attack: str) -> None:
    plain = rendered(runbook, x="v")
    values, wrong = check(runbook, {"x": attack})
    if wrong:
        return
    (step,) = render(runbook, "c", Part.RUN, values).steps
    assert step.text == plain[0][0]
    assert set(step.values) == {attack.strip()}


WORDS = (
    'SELECT * FROM "{{ .t | required | options "a" "b" }}" ORDER BY 1 {{ .d | options "ASC" "DESC" | default "ASC" }}'
)


def test_a_word_is_one_of_the_files_own_even_when_the_check_was_skipped() -> None:
    every(ATTACKS, _is_no_word_of_the_files_own)


def _is_no_word_of_the_files_own(attack: str) -> None:
    runbook = load(WORDS)
    assert check(runbook, {"t": attack, "d": attack})[1].keys() == {"t", "d"}
    with pytest.raises(Invalid):
        render(runbook, "c", Part.RUN, {"t": attack, "d": "ASC"})
    with pytest.raises(Invalid):
        render(runbook, "c", Part.RUN, {"t": "a", "d": attack})


def test_names_are_quoted_part_by_part() -> None:
    runbook = load("---\nparameters:\n  t: {type: table}\n---\nSELECT count(*) FROM {{ .t }} WHERE '{{ .t }}' <> ''")
    assert rendered(runbook, t="public.orders") == [
        ('SELECT count(*) FROM "public"."orders" WHERE $1 <> \'\'', ("public.orders",))
    ]


def test_a_list_is_bound_as_an_array_whatever_is_in_it() -> None:
    runbook = load("---\nparameters:\n  ids: {type: list}\n---\nSELECT {{ .ids }}::text[]")
    ((_, values),) = rendered(runbook, ids='a, b"c, d\\e, {f}, NULL')
    assert values == ('{"a","b\\"c","d\\\\e","{f}","NULL"}',)


def test_an_optional_value_that_was_left_out_is_null() -> None:
    assert rendered(load("SELECT {{ .x }}")) == [("SELECT $1", (None,))]


def test_what_was_decoded_is_what_is_bound() -> None:
    runbook = load("SELECT {{ .x | decodeb64 }}")
    assert rendered(runbook, x="J09SIDE9MQ==") == [("SELECT $1", ("'OR 1=1",))]
    for bad in ("%%%", "AA==", "/w=="):
        with pytest.raises(Invalid):
            rendered(runbook, x=bad)


def test_an_input_nobody_declared_is_wrong() -> None:
    assert check(load("SELECT {{ .x }}"), {"x": "1", "sql": "DROP"})[1] == {"sql": "There is no such parameter."}


def test_the_digest_follows_every_value_and_ignores_order() -> None:
    runbook = load("SELECT {{ .a }}, {{ .b }}")
    one = parameters_digest(runbook, {"a": "1", "b": "2"})
    assert one == parameters_digest(runbook, {"b": "2", "a": "1"})
    others: list[dict[str, str | None]] = [{"a": "2", "b": "1"}, {"a": "1", "b": None}, {"a": "12", "b": ""}]
    assert len({one, *(parameters_digest(runbook, v) for v in others)}) == 4


def test_values_survive_being_sealed() -> None:
    runbook = load(
        "---\nparameters:\n  ids: {type: list}\n  n: {type: text, required: false}\n---\nSELECT {{ .ids }}, {{ .n }}"
    )
    values, _ = check(runbook, {"ids": "a, b"})
    assert canonical(written(values)) == values
    assert check(runbook, read_back(written(values)))[0] == values


def test_parts_have_names_of_their_own() -> None:
    for part in Part:
        assert part_of(scope_name("ops/refund", part)) == ("ops/refund", part)
    with pytest.raises(Invalid, match="no rollback"):
        render(load("SELECT 1"), "c", Part.ROLLBACK, {})


def test_a_lock_is_of_one_resource_and_one_value() -> None:
    runbook = load('---\nlock: "refund {{ .o }}"\nparameters:\n  o: {type: integer}\n---\nSELECT {{ .o }}')
    keys = {lock_key(runbook, r, {"o": o}) for r in ("a", "b") for o in ("1", "2")}
    assert len(keys) == 4
    assert lock_key(load("SELECT 1"), "a", {}) == ""
    assert runbook.parameters[0].kind is Kind.INTEGER


QUERY = "---\nparameters:\n  r: {type: enum, query: 'SELECT name FROM regions -- all;'}\n  n: {type: integer}\n---\n"


def test_options_that_a_query_lists_are_looked_up_first() -> None:
    runbook = load(QUERY + "-- step: Look\nSELECT {{ .n }}, {{ .r }}\n-- rollback: Back\nSELECT {{ .n }}")
    values, wrong = check(runbook, {"r": "north' OR 1=1", "n": "1"})
    assert not wrong
    first, second = render(runbook, "c", Part.RUN, values).steps
    assert first.must_find == "r"
    assert first.values == ("north' OR 1=1",)
    assert "(SELECT name FROM regions -- all\n) AS choices" in first.text
    assert not second.must_find
    assert [step.must_find for step in render(runbook, "c", Part.ROLLBACK, values).steps] == [""]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("type: enum, query: SELECT 1; DROP TABLE x", "one SELECT"),
        ("type: enum, query: DELETE FROM x", "one SELECT"),
        ("type: enum, query: 'SELECT {{ .n }}'", "not SQL"),
        ("type: enum, query: SELEC", "not SQL"),
        ("type: enum, query: 'SELECT a, b FROM c'", "one column"),
        ("type: enum, query: SELECT a INTO t FROM c", "one SELECT"),
        ("type: enum, options: [a], query: SELECT 1", "has no others"),
        ("type: text, query: SELECT 1", "has no others"),
        ("type: enum, query: SELECT 1, required: false", "must be required"),
        ("type: integer, min: 5, max: 1", "least is more than its most"),
        ("type: date, min: 2026-02-01, max: 2026-01-01", "least is more"),
        ("type: text, min_length: 9, max_length: 3", "shortest is longer"),
        ("type: text, env: NAME", "env is for scripts"),
        ("type: password", "by its name"),
        ("type: file", "does not travel"),
    ],
)
def test_declarations_that_cannot_be_meant(declared: str, said: str) -> None:
    with pytest.raises(Broken, match=said):
        load(f"---\nparameters:\n  r: {{{declared}}}\n---\nSELECT {{{{ .r }}}}")
