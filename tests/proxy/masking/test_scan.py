from __future__ import annotations

from collections.abc import Sequence

import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from proxy.masking.scan import Scanner, proposal

MAILS = [f"p{index}@example.org" for index in range(20)]
PEOPLE = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov"]


def found(name: str, values: Sequence[str | None], policy: MaskPolicy | None = None, table: str = "t"):
    return Scanner(policy or MaskPolicy()).column("public", table, name, values)


@pytest.mark.parametrize(
    ("name", "values", "entity"),
    [
        ("c1", MAILS, "email"),
        ("c1", [*MAILS, None, ""], "email"),
        ("c1", [*MAILS, *["n/a"] * 15], "email"),
        ("ssn", ["536-90-4399"] * 4, "ssn"),
        ("dob", ["1980-01-02"] * 4, "birth_date"),
        ("password", ["hunter2", "x", "y"], "secret"),
        ("c1", PEOPLE, "person"),
        ("mrn", ["A-17", "B-18"], "mrn"),
        ("employee", ["E123456"] * 5, "staff"),
        ("c1", ['{"mail": "a@example.org"}'] * 5, "email"),
    ],
)
def test_what_a_column_holds(name: str, values: list[str | None], entity: str) -> None:
    one = found(name, values, MaskPolicy(patterns={"staff": (r"E\d{6}",)}))
    assert one is not None and one.entity == entity
    assert 0 < one.confidence <= 1 and one.column == f"public.t.{name}"
    assert not any(value in " ".join(one.evidence) for value in values if value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("c1", []),
        ("c1", [None, ""]),
        ("status", ["open", "closed", "shipped", "held"]),
        ("id", [str(400_000_000 + index) for index in range(50)]),
        ("order_no", [f"ORD-{index}" for index in range(1000, 1050)]),
        ("created", ["2026-11-20 10:00:00+00"] * 5),
        ("digest", ["9f86d081884c7d659a2feaa0c55ad015"] * 5),
    ],
)
def test_what_holds_nothing(name: str, values: list[str | None]) -> None:
    assert found(name, values) is None


def test_texts_with_something_inside_are_left_to_the_detectors() -> None:
    one = found("note", ["call p1@example.org back tomorrow, it is urgent", "no answer", "no answer at all"])
    assert one is not None and one.inside and not one.proposed


def test_the_diff_holds_what_no_rule_covers_and_quotes_odd_names() -> None:
    policy = MaskPolicy(columns=(ColumnRule("t.known", "email"), ColumnRule("t.kept", "email", Strategy.KEEP)))
    columns = [
        found(name, MAILS if name != "ip" else ["10.1.2.3"] * 5, policy)
        for name in ("known", "kept", "Kontakt: Mail", "ip")
    ]
    lines = proposal([one for one in columns if one], {"email": Strategy.PSEUDONYM})
    assert lines[:2] == [" masking:", "   columns:"]
    assert len(lines) == 3 and '["public.t.Kontakt: Mail"]' in lines[2]
    assert proposal([], {}) == []


def test_a_proposed_line_is_yaml_that_hoop_takes() -> None:
    import yaml

    for name in ("mail", 'a "quoted", one]', "back\\slash", "new\nline", "# no comment", "\x1b[31m"):
        one = found(name, MAILS)
        assert one is not None
        lines = proposal([one], {})
        assert all(line.isprintable() for line in lines)
        rule = yaml.safe_load("\n".join(line[1:] for line in lines))["masking"]["columns"][0]
        assert rule == {"columns": [f"public.t.{name}"], "entity": "email", "strategy": "shape"}
