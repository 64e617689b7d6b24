"""Flow files: what is read, and what a policy author sees for a broken one."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.requests import Ask
from access.statements import Effect
from approval_flows.model import Flow, Sources, Words
from approval_flows.parse import parse

WHOLE = """
name: production-writes
priority: 200
description: Two people.
when:
  asks: [access, command]
  resources: ["prod-*"]
  labels: {env: production}
  scopes: [write, admin]
  effects: [danger]
  flags: [drop]
  longer_than: 30m
  at_most: 8h
  hours:
    - {from: 22:00, to: "06:00", zone: Europe/Berlin, days: [fri, sat]}
  ticket: "INC-[0-9]+"
  agent: false
  people: [dana]
  groups: [developers]
stages:
  - name: dba
    any: {groups: [dba], people: [olga]}
    need: 2
    quiet: {groups: [security]}
  - name: rest
    all: {owners: true, approvers: true, groups: [oncall]}
reason: {pattern: ".{10,}", hint: Ten characters.}
ticket: {required: false, pattern: "INC-[0-9]+"}
max_duration: 2h
max_total: 4h
waits: 4h
remind: [15m, 1h]
escalate:
  - {after: 30m, to: {groups: [security]}}
"""


def read(text: str) -> Flow:
    flow, problems = parse("f.yml", text)
    assert problems == ()
    assert flow is not None
    return flow


def wrong(text: str) -> list[str]:
    flow, problems = parse("f.yml", text)
    assert flow is None, "a file with problems gives no flow"
    return [str(problem) for problem in problems]


def test_everything_there_is() -> None:
    flow = read(WHOLE)
    assert (flow.name, flow.priority, flow.distinct, flow.automatic) == ("production-writes", 200, True, False)
    when = flow.when
    assert when.asks == {Ask.ACCESS, Ask.COMMAND}
    assert (set(when.scopes), set(when.effects), when.agent) == ({"write", "admin"}, {Effect.DANGER}, False)
    (window,) = when.hours
    assert (window.start, window.end, window.zone.key, set(window.days)) == (time(22), time(6), "Europe/Berlin", {4, 5})
    dba, rest = flow.stages
    assert (dba.need, dba.every, dba.quiet) == (2, False, Sources(groups=("security",)))
    assert dba.sources == Sources(people=("olga",), groups=("dba",))
    assert (rest.every, len(rest.sources.split())) == (True, 3)
    assert flow.reason == Words(True, ".{10,}", "Ten characters.")
    assert flow.ticket.required is False
    assert flow.remind == (timedelta(minutes=15), timedelta(hours=1))
    assert (flow.max_duration, flow.max_total) == (timedelta(hours=2), timedelta(hours=4))
    assert flow.escalate[0].after == timedelta(minutes=30)


def test_automatic_is_for_access_unless_it_says_more() -> None:
    flow = read("name: a\nautomatic: true\nwhen: {scopes: [read]}\n")
    assert flow.when.asks == {Ask.ACCESS}


STAGES = "stages:\n  - {name: s, any: {groups: [dba]}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f.yml:1: is empty"),
        ("[]", "f.yml:1: must be a mapping"),
        ("name: a\n  b: [", "f.yml:2: is not valid YAML"),
        ("name: *x", "f.yml:1: anchors and aliases"),
        ("name: a\nwhen: &x {people: [a]}\nstages: *x", "f.yml:3: anchors and aliases"),
        ("name: " + "a" * 70_000, "f.yml:1: is larger than 64 KiB"),
        (STAGES, "f.yml:1: name: is missing"),
        ("name: a\nname: b\n" + STAGES, "f.yml:2: name: is given twice"),
        ("name: a\nstagse: []\n", "f.yml:2: stagse: is not a setting. Did you mean stages?"),
        ("name: A b\n" + STAGES, "f.yml:1: name: must be lower-case"),
        ("name: 7\n" + STAGES, "f.yml:1: name: must be text"),
        ("name: a\n", "f.yml:1: stages: is missing: nobody could decide"),
        ("name: a\nstages: []\n", "f.yml:2: stages: is an empty list"),
        ("name: a\nstages:\n  - name: s\n", "f.yml:3: stages[0]: needs either any or all"),
        ("name: a\nstages:\n  - {name: s, any: {groups: []}}\n", "f.yml:3: stages[0].any.groups: is an empty list"),
        ("name: a\nstages:\n  - {name: s, any: {}}\n", "f.yml:3: stages[0].any: names nobody"),
        ("name: a\nstages:\n  - {name: s, any: {owners: false}}\n", "stages[0].any: names nobody"),
        ("name: a\nstages:\n  - {name: s, any: {owners: 1}}\n", "stages[0].any.owners: must be true or false"),
        ("name: a\nstages:\n  - {name: s, any: {groups: [dba]}, need: 0}\n", "need: must be a whole number from 1"),
        ("name: a\nstages:\n  - {name: s, any: {groups: [dba]}, need: yes}\n", "need: must be a whole number"),
        ("name: a\nstages:\n  - {name: s, all: {groups: [dba]}, need: 1}\n", "need: is used only with any"),
        ("name: a\nstages:\n  - {name: s, any: {groups: [dba, dba]}}\n", "names dba twice"),
        (
            "name: a\nstages:\n  - {name: s, any: {groups: [x]}}\n  - {name: s, any: {groups: [y]}}\n",
            "f.yml:3: stages.s: is the name of two stages",
        ),
        (
            "name: a\ndistinct: false\nstages:\n  - {name: s, any: {groups: [x]}}\n  - {name: t, any: {groups: [x, y]}}\n",
            "f.yml:5: stages.t: overlaps stage s",
        ),
        ("name: a\nautomatic: true\n" + STAGES, "f.yml:2: automatic: and stages exclude each other"),
        ("name: a\nautomatic: true\n", "automatic: needs conditions"),
        ("name: a\nautomatic: true\nwhen: {asks: [statement]}\n", "a held statement is never approved automatically"),
        ("name: a\nautomatic: true\nwaits: 1h\nwhen: {scopes: [read]}\n", "automatic: waits for nobody"),
        ("name: a\nwhen: {}\n" + STAGES, "f.yml:2: when: is empty"),
        ("name: a\nwhen: {asks: [acces]}\n" + STAGES, "when.asks: acces is not one of access, command, statement"),
        ("name: a\nwhen: {scopes: [root]}\n" + STAGES, "root is not one of read, write"),
        ("name: a\nwhen: {labels: []}\n" + STAGES, "when.labels: must be a mapping"),
        ("name: a\nwhen: {longer_than: 1 hour}\n" + STAGES, "when.longer_than: must be a duration"),
        ("name: a\nwhen: {longer_than: 0h}\n" + STAGES, "must be a duration"),
        ("name: a\nwhen: {ticket: '['}\n" + STAGES, "when.ticket: is not a valid RE2 pattern"),
        ("name: a\nreason: {pattern: '(?=x)'}\n" + STAGES, "reason.pattern: is not a valid RE2 pattern"),
        ("name: a\nwhen:\n  hours:\n    - {from: '22:00', to: '06:00', zone: Berlin}\n" + STAGES, "f.yml:4: when.hours[0].zone: Berlin is not a time zone"),
        ("name: a\nwhen:\n  hours:\n    - {from: '22:00', to: '06:00', zone: ../../x}\n" + STAGES, "is not a time zone"),
        ("name: a\nwhen:\n  hours:\n    - {from: '22:00', to: '06:00'}\n" + STAGES, "when.hours[0].zone: is missing"),
        ("name: a\nwhen:\n  hours:\n    - {from: '24:00', to: '06:00', zone: UTC}\n" + STAGES, "must be a time of day"),
        ("name: a\nwhen:\n  hours:\n    - {from: '06:00', to: '06:00', zone: UTC}\n" + STAGES, "begins when it ends"),
        ("name: a\nwhen:\n  hours:\n    - {from: '6:00', to: '07:00', zone: UTC, days: [monday]}\n" + STAGES, "monday is not one of mon"),
        ("name: a\nmax_duration: 2h\nmax_total: 1h\n" + STAGES, "max_total: is shorter than max_duration"),
        ("name: a\nremind: [1h, 15m]\n" + STAGES, "remind: must be increasing"),
        ("name: a\nwaits: 1h\nremind: [1h]\n" + STAGES, "waits: ends before the last reminder"),
        ("name: a\nescalate: [{after: 1h}]\n" + STAGES, "escalate[0].to: is missing"),
        ("name: a\nescalate: [{to: {owners: true}}]\n" + STAGES, "escalate[0].after: is missing"),
    ],
)  # fmt: skip
def test_what_a_policy_author_sees(text: str, said: str) -> None:
    assert any(said in problem for problem in wrong(text)), wrong(text)


def test_all_problems_at_once() -> None:
    text = "name: A\nmax_durration: 1h\nwhen: {scopes: [root]}\nstages:\n  - {name: s}\n"
    assert sorted(problem.split(":")[1] for problem in wrong(text)) == ["1", "2", "3", "5"]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    flow, problems = parse("f.yml", text)
    assert (flow is None) == bool(problems)


@given(st.lists(st.sampled_from(WHOLE.splitlines()), max_size=40))
def test_any_shuffle_of_lines_is_read_or_refused(lines: list[str]) -> None:
    flow, problems = parse("f.yml", "\n".join(lines))
    assert (flow is None) == bool(problems)
