from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.masking import Masked
from ledger import segments
from ledger.replay import asciicast, frames, moments, render_terminal, timeline
from ledger.screen import Result, table
from ledger.visible import visible, width

T0 = 1_772_443_800_000  # Unix milliseconds of a Monday morning


def recording(*records: Any) -> bytes:
    return segments.MAGIC + b"".join(segments.framed(msgpack.packb(record)) for record in records)


STORY = recording(
    [
        "open",
        T0,
        0,
        {"person": "dana", "agent": "claude", "resource": "prod-db", "database": "app", "application": "psql"},
    ],
    [
        "statement",
        T0 + 1000,
        1,
        {"text": "SELECT id, email\nFROM customers", "verdict": "allow", "rule": "r1", "effects": ["read"]},
    ],
    ["columns", T0 + 1002, 1, {"names": ["id", "email"]}],
    ["row", T0 + 1002, 1, {"values": ["1", "a***@example.com"]}],
    ["row", T0 + 1002, 1, {"values": ["2", None]}],
    ["done", T0 + 1003, 1, {"tag": "SELECT 70", "rows": 70, "masked": 2}],
    ["statement", T0 + 5000, 2, {"text": "DROP TABLE customers", "verdict": "deny", "rule": "no-drop"}],
    ["statement", T0 + 6000, 5, {"text": "SELECT nope", "verdict": "allow", "rule": "r1"}],
    ["error", T0 + 6001, 5, {"code": "42703", "message": "column does not exist"}],
    ["statement", T0 + 9000, 3, {"text": "DELETE FROM t WHERE id = '***'", "verdict": "hold", "request": "req_1"}],
    ["held", T0 + 9001, 3, {"request": "req_1", "text": "DELETE …"}],
    ["notice", T0 + 9002, 3, {"text": "waiting for approval of req_1"}],
    ["decided", T0 + 20000, 3, {"request": "req_1", "state": "approved", "by": "otto"}],
    ["done", T0 + 20010, 3, {"tag": "DELETE 1", "rows": 1, "masked": 0}],
    ["statement", T0 + 21000, 4, {"text": "COPY t TO STDOUT", "verdict": "allow"}],
    ["copy", T0 + 21001, 4, {"bytes": 12, "sha256": "ab"}],
    ["sparkle", T0 + 21002, 4, {"new": [1, "x"]}],
    ["done", T0 + 21003, 4, {"tag": "COPY 3", "rows": 3}],
    ["close", T0 + 22000, 0, {"why": "client left"}],
)

SCREEN = """\
-- session opened by dana via claude on prod-db/app with psql
app=> SELECT id, email
app-> FROM customers
 id |      email
----+------------------
 1  | a***@example.com
 2  |
(70 rows, the first 2 were kept)
app=> DROP TABLE customers
-- refused, it did not run: rule no-drop
app=> SELECT nope
ERROR:  42703: column does not exist
app=> DELETE FROM t WHERE id = '***'
-- held for approval as req_1
NOTICE:  waiting for approval of req_1
-- req_1 approved by otto
DELETE 1
app=> COPY t TO STDOUT
-- copied 12 bytes, SHA-256 ab
-- sparkle: {'new': [1, 'x']}
COPY 3
-- session closed: client left
"""


def test_the_screen_is_what_psql_shows() -> None:
    assert "".join(text for _, text in frames(STORY)) == SCREEN


def test_the_timeline_has_each_statement_with_what_came_of_it() -> None:
    opened, select, drop, failing, held, copied, closed = timeline(STORY)
    assert (opened.number, opened.remarks) == (0, ["session opened by dana via claude on prod-db/app with psql"])
    assert (select.text, select.verdict, select.rule, select.effects) == (
        "SELECT id, email\nFROM customers",
        "allow",
        "r1",
        ("read",),
    )
    assert (select.at_ms, select.ended_ms, select.outcome, select.failed) == (1000, 1003, "SELECT 70", False)
    assert (select.columns, select.rows) == (("id", "email"), [("1", "a***@example.com"), ("2", None)])
    assert (select.total, select.masked) == (70, 2)
    assert isinstance(select.text, Masked)
    assert (drop.verdict, drop.rule, drop.outcome) == ("deny", "no-drop", "")
    assert (failing.failed, failing.outcome) == (True, "42703: column does not exist")
    assert held.request == "req_1"
    assert held.remarks == [
        "held for approval as req_1",
        "NOTICE:  waiting for approval of req_1",
        "req_1 approved by otto",
    ]
    assert copied.remarks[0] == "copied 12 bytes, SHA-256 ab"
    assert closed.remarks == ["session closed: client left"]


def test_asciicast_is_version_3_with_intervals() -> None:
    header, *events = map(json.loads, asciicast(STORY, title="Dana\x1b on prod").splitlines())
    assert header == {
        "version": 3,
        "term": {"cols": 120, "rows": 32},
        "timestamp": T0 // 1000,
        "idle_time_limit": 2.0,
        "title": "Dana␛ on prod",
    }
    assert all(len(event) == 3 and event[1] == "o" for event in events)
    assert "".join(event[2] for event in events) == SCREEN.replace("\n", "\r\n")
    assert sum(event[0] for event in events) == pytest.approx(22.0)


def test_a_time_that_goes_back_never_makes_a_negative_interval() -> None:
    data = recording(["statement", T0, 1, {"text": "a"}], ["statement", T0 - 50, 2, {"text": "b"}])
    assert [json.loads(line)[0] for line in asciicast(data).splitlines()[1:]] == [0, 0]


def test_the_terminal_waits_as_long_as_it_took_but_not_longer_than_bearable() -> None:
    slept: list[float] = []
    written: list[str] = []
    render_terminal(STORY, written.append, speed=2.0, sleep=slept.append)
    assert "".join(written) == SCREEN
    assert slept[0] == 0.5
    assert max(slept) == 1.0
    slept.clear()
    render_terminal(STORY, written.append, wait=False, sleep=slept.append)
    assert slept == []
    with pytest.raises(ValueError, match="speed"):
        render_terminal(STORY, written.append, speed=0)


def test_an_open_recording_shows_what_there_is() -> None:
    whole = segments.parse(STORY).records[:4]
    cut = segments.MAGIC + b"".join(map(segments.framed, whole)) + b"\0\0"
    assert "".join(text for _, text in frames(cut)).endswith("(1 row)\n-- the result was not finished\n")
    assert timeline(cut)[-1].ended_ms is None
    assert moments(segments.MAGIC) == []
    assert asciicast(b"").count("\n") == 1


HOSTILE = "\x1b]0;pwned\x07\x1b[2J\r\x08\x9b31m\u202egnp.exe\u200b\x00\x7f"


@pytest.mark.parametrize(
    "record",
    [
        ["statement", T0, 1, {"text": HOSTILE, "rule": HOSTILE, "verdict": HOSTILE}],
        ["columns", T0, 1, {"names": [HOSTILE, "a\nb"]}],
        ["row", T0, 1, {"values": [HOSTILE, "a\nb", 5]}],
        ["done", T0, 1, {"tag": HOSTILE}],
        ["error", T0, 1, {"code": HOSTILE, "message": HOSTILE}],
        ["notice", T0, 1, {"text": HOSTILE}],
        ["held", T0, 1, {"request": HOSTILE}],
        ["decided", T0, 1, {"request": HOSTILE, "state": HOSTILE, "by": HOSTILE}],
        ["open", T0, 0, {"person": HOSTILE, "database": HOSTILE, "application": HOSTILE}],
        ["close", T0, 0, {"why": HOSTILE}],
        ["copy", T0, 1, {"sha256": HOSTILE}],
        [HOSTILE, T0, 1, {HOSTILE: HOSTILE}],
    ],
)
def test_nothing_recorded_steers_a_terminal(record: list[Any]) -> None:
    data = recording(record, ["done", T0, 1, {"tag": "", "rows": 0}])
    shown = "".join(text for _, text in frames(data))
    for entry in timeline(data):
        shown += "".join([entry.text, entry.rule, entry.verdict, entry.outcome, *entry.columns, *entry.remarks])
        shown += "".join(value or "" for row in entry.rows for value in row)
    assert not {char for char in shown if char != "\n" and not char.isprintable()}


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text() | st.binary(),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=4,
    )
    | st.tuples(
        st.sampled_from(["statement", "columns", "row", "done", "error", "open", "x"]),
        st.integers(0, 9),
        st.integers(0, 2),
        st.dictionaries(
            st.sampled_from(["text", "names", "values", "tag", "rows", "message", "effects"]),
            st.text() | st.none() | st.lists(st.text() | st.none()) | st.integers(0, 9),
        ),
    ).map(list)
)
def test_any_record_is_shown_somehow(record: list[Any]) -> None:
    data = recording(record, record)
    timeline(data)
    for line in asciicast(data).splitlines():
        json.loads(line)


def test_bytes_that_are_no_record_are_kept_and_said() -> None:
    data = segments.MAGIC + segments.framed(b"\xc1\xc1") + segments.framed(b"\x93\x01")
    assert [moment.kind for moment in moments(data)] == ["unreadable", "unreadable"]
    with pytest.raises(ValueError, match="not a recording"):
        timeline(b"something else")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Grüße ☃ 日本", "Grüße ☃ 日本"),
        ("a\x1b[31mb", "a␛[31mb"),
        ("\x00\x7f", "␀␡"),
        ("\x85", "⟨U+0085⟩"),
        ("a\u202eb\u2066", "a⟨U+202E⟩b⟨U+2066⟩"),
        ("\u200b\ufeff\u2028", "⟨U+200B⟩⟨U+FEFF⟩⟨U+2028⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("a\nb", "a␊b"),
    ],
)
def test_hidden_characters_are_made_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_tables_line_up_with_wide_and_combining_characters() -> None:
    assert [width("日本"), width("e\u0301"), width("abc")] == [4, 1, 3]
    shown = table(Result(["a", "b"], [["日本", "x"], ["e\u0301", "y" * 100]], 2)).splitlines()
    assert [width(line.partition("|")[0]) for line in (shown[0], *shown[2:4])] == [6, 6, 6]
    assert shown[3].endswith("…")
    assert shown[-1] == "(2 rows)"


def test_a_row_with_more_values_than_columns_is_still_shown() -> None:
    assert "b" in table(Result(["one"], [["a", "b"]], 1))
    assert table(Result([], [], 0)).endswith("(0 rows)\n")


def test_a_small_result_in_one_record_reads_like_its_parts():
    values = [["1", "a***@example.com"], ["2", None]]
    done = {"tag": "SELECT 2", "rows": 2, "masked": 2}
    asked = ["statement", T0, 1, {"text": "SELECT 1", "verdict": "allow"}]
    together = recording(asked, ["result", T0 + 3, 1, {"names": ["id", "email"], "values": values, **done}])
    apart = recording(
        asked,
        ["columns", T0 + 3, 1, {"names": ["id", "email"]}],
        *(["row", T0 + 3, 1, {"values": one}] for one in values),
        ["done", T0 + 3, 1, done],
    )
    assert timeline(together) == timeline(apart) and list(frames(together)) == list(frames(apart))
