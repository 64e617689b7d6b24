from __future__ import annotations

import json

from access.masking import MaskPolicy, Strategy
from proxy.masking.detectors import Detectors
from proxy.masking.explain import PlanLines

DETECTORS = Detectors(MaskPolicy(entities={"email": Strategy.SHAPE}), b"key")
JSON = 114


def lines(*texts: str, touched: bool = True) -> list[str]:
    cell = PlanLines(DETECTORS, touched).cell(25)
    return [(cell(text.encode()) or b"").decode() for text in texts]


def test_structure_stays_and_literals_go() -> None:
    plan = ["Seq Scan on people  (cost=0.00..1.05 rows=1 width=36)", "  Filter: ((name = 'Ada''s'::text) AND (id = 3))"]
    assert lines(*plan) == [plan[0], "  Filter: ((name = '«masked»'::text) AND (id = 3))"]
    assert lines(*plan, touched=False) == plan


def test_a_literal_over_several_lines() -> None:
    shown = lines("  Filter: (name = 'Ada", "secret", "it''s Lovelace'::text) AND (x = 'Bob')", "Rows: 3")
    assert shown == ["  Filter: (name = '«masked»", "«masked»", "«masked»'::text) AND (x = '«masked»')", "Rows: 3"]


def test_quotes_in_names_do_not_turn_it_around() -> None:
    assert lines("  Output: \"we'ird\", x = 'Ada'") == ["  Output: \"we'ird\", x = '«masked»'"]


def test_escaped_literals_and_several_in_a_line() -> None:
    assert lines(r"  Filter: (a = E'A\\da'::text) OR (b = ANY ('{Ada,Bob}'::text[]))") == [
        "  Filter: (a = E'«masked»'::text) OR (b = ANY ('«masked»'::text[]))"
    ]


def test_yaml_and_json_strings() -> None:
    (shown,) = lines("- Plan: \n    Filter: \"(name = 'Ada'::text)\"\n    Rows: 1")
    assert "Ada" not in shown
    assert "Rows: 1" in shown
    document = [{"Plan": {"Node Type": "Seq Scan", "Filter": "(name = 'Ada \"x\"'::text)", "Rows": 1}}]
    cell = PlanLines(DETECTORS, True).cell(JSON)
    masked = json.loads(cell(json.dumps(document).encode()) or b"")
    assert masked[0]["Plan"] == {"Node Type": "Seq Scan", "Filter": "(name = '«masked»'::text)", "Rows": 1}


def test_detectors_look_at_untouched_plans_too() -> None:
    assert lines("  Filter: (note = 'ada@example.com')", touched=False) == ["  Filter: (note = 'a****@*****.com')"]


def test_bytes_that_are_no_text_do_not_pass() -> None:
    cell = PlanLines(DETECTORS, True).cell(25)
    assert cell(b"\xff secret") == "«masked»".encode()
