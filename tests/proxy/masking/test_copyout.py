from __future__ import annotations

import csv
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.masking import ColumnRule, MaskPolicy, Strategy
from proxy.masking.copyout import MAX_ROW, CopyFormat, CopyPlan
from proxy.masking.plan import Masker
from proxy.masking.swift import Cell
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.lineage import trace
from proxy.sql.parse import parse

CATALOG = Catalog.of(
    [
        Relation(
            20001, "public", "people", columns=(Column(1, "id", 23), Column(2, "name", 25), Column(3, "born", 1082))
        ),
        Relation(20002, "public", "orders", columns=(Column(1, "id", 23), Column(2, "note", 25))),
    ]
)
MASKER = Masker(
    MaskPolicy(
        columns=(ColumnRule("people.name", "person"), ColumnRule("people.born", "birth_date")),
        entities={"email": Strategy.SHAPE},
    ),
    CATALOG,
    b"key",
)


def plan_for(sql: str, masker: Masker = MASKER) -> CopyPlan:
    (statement,) = parse(sql).statements
    tree = {statement.node: statement.tree}
    lineage = trace(tree, CATALOG, ("pg_catalog", "public"))
    return masker.copy_plan(CopyFormat.of(tree), lineage.output, masker.touched(lineage))


def fed(plan: CopyPlan, data: bytes, *cuts: int) -> bytes:
    out = b""
    at = 0
    for cut in (*sorted(cuts), len(data)):
        out += plan.feed(data[at:cut])
        at = max(at, cut)
    return out + plan.finish()


def fmt(options: str) -> CopyFormat:
    (statement,) = parse(f"COPY people TO STDOUT {options}").statements
    return CopyFormat.of({statement.node: statement.tree})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", CopyFormat()),
        ("CSV HEADER", CopyFormat("csv", ",", "", header=True)),
        ("(FORMAT csv, DELIMITER ';', NULL 'NIL', QUOTE '''', FORCE_QUOTE *)", CopyFormat("csv", ";", "NIL", "'", "'")),
        ("(FORMAT csv, ESCAPE '\\', HEADER false)", CopyFormat("csv", ",", "", '"', "\\")),
        ("BINARY", CopyFormat("binary")),
        ("(FORMAT text, HEADER, ENCODING 'utf-8')", CopyFormat(header=True)),
        ("WITH DELIMITER AS '|' NULL AS 'x'", CopyFormat(delimiter="|", null="x")),
    ],
)
def test_options(options: str, expected: CopyFormat) -> None:
    assert fmt(options) == expected


@pytest.mark.parametrize(
    "options", ["(FORMAT avro)", "(ENCODING 'LATIN1')", "(ENCODING 'UTF16')", "(DELIMITER '||')", "(NEW_THING true)"]
)
def test_what_cannot_be_masked_is_refused(options: str) -> None:
    assert fmt(options).problem
    plan = MASKER.copy_plan(fmt(options), (), touched=True)
    assert plan.refuse
    assert fed(plan, b"secret\n") == b""


def test_text() -> None:
    data = b"1\tAda\t1815-12-10\n2\t\\N\t\\N\n3\tA\\tb\\\\\\n\t\\N\n"
    assert fed(plan_for("COPY people TO STDOUT"), data) == b"1\tA****\t\\N\n2\t\\N\t\\N\n3\tA**** b****\t\\N\n"


def test_csv_with_header_quotes_and_line_ends_inside() -> None:
    data = b'id,name,born\n1,"Ada ""Lady""\nLovelace",1815-12-10\n2,,\n"3","x, y",\n'
    plan = plan_for("COPY people TO STDOUT (FORMAT csv, HEADER)")
    assert fed(plan, data) == b'id,name,born\n1,A**** L**** L****,\n2,,\n"3",x**** y****,\n'
    assert plan.masked == 3


def test_csv_with_its_own_quote_and_escape() -> None:
    plan = plan_for("COPY people TO STDOUT (FORMAT csv, QUOTE '''', ESCAPE '\\', DELIMITER '|', NULL 'NIL')")
    assert fed(plan, b"1|'O\\'Neil\\\\|x'|NIL\n2|NIL|1990-01-01\n") == b"1|O**** x****|NIL\n2|NIL|NIL\n"


def binary(*rows: tuple[bytes | None, ...]) -> bytes:
    out = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
    for row in rows:
        out += struct.pack("!h", len(row))
        for value in row:
            out += b"\xff\xff\xff\xff" if value is None else struct.pack("!i", len(value)) + value
    return out + b"\xff\xff"


def test_binary() -> None:
    plan = plan_for("COPY people TO STDOUT (FORMAT binary)")
    data = binary((b"\0\0\0\1", b"Ada", b"\0\0\0\2"), (b"\0\0\0\2", None, None))
    assert fed(plan, data) == binary((b"\0\0\0\1", b"A****", None), (b"\0\0\0\2", None, None))


def test_a_harmless_copy_passes_as_it_is() -> None:
    plan = plan_for("COPY (SELECT id FROM people) TO STDOUT")
    data = b"anything at all"
    assert plan.feed(data) is data
    assert plan.finish() == b""


def test_detectors_look_at_other_columns() -> None:
    assert fed(plan_for("COPY orders TO STDOUT"), b"1\tmail ada@example.com\n") == b"1\tmail a****@*****.com\n"


def test_columns_nobody_can_trace_are_refused_where_columns_are_protected() -> None:
    assert "cannot be traced" in plan_for("COPY (SELECT * FROM nowhere) TO STDOUT").refuse
    detecting = Masker(MaskPolicy(entities={"email": Strategy.SHAPE}), CATALOG, b"key")
    plan = plan_for("COPY (SELECT * FROM nowhere) TO STDOUT", detecting)
    assert not plan.refuse
    assert fed(plan, b"a\tada@example.com\tb\n") == b"a\ta****@*****.com\tb\n"


@pytest.mark.parametrize("data", [b"1\tAda\n", b"1\tAda\t1815-12-10\textra\n", b"Ada\n", b"\n", b"1\tAda\\\t1815\n"])
def test_rows_of_another_shape_leave_as_nulls(data: bytes) -> None:
    assert fed(plan_for("COPY people TO STDOUT"), data) == b"\\N\t\\N\t\\N\n"


def test_an_unfinished_last_row_is_masked_too() -> None:
    assert fed(plan_for("COPY people TO STDOUT"), b"1\tAda\t1815-12-10") == b"1\tA****\t\\N"
    assert b"Ada" not in fed(plan_for("COPY people TO STDOUT (FORMAT csv)"), b'1,"Ada')


def test_a_row_without_end_is_not_kept_in_memory_and_never_shown() -> None:
    plan = plan_for("COPY people TO STDOUT")
    out = b""
    chunk = b"Ada " * (1 << 18)
    for _ in range(3 * MAX_ROW // len(chunk)):
        out += plan.feed(chunk)
        assert len(plan._buffer) <= MAX_ROW + len(chunk)
    out += plan.feed(b"\n1\tBob\t\\N\n") + plan.finish()
    assert out == b"\\N\t\\N\t\\N\n1\tB****\t\\N\n"


@pytest.mark.parametrize(
    "data",
    [
        b"not a copy file at all, Ada Lovelace",
        binary((b"a", b"Ada", b"b", b"c")),
        binary((b"a",)),
        b"PGCOPY\n\xff\r\n\0" + struct.pack("!Ii", 1 << 16, 0) + b"Ada",
        b"PGCOPY\n\xff\r\n\0" + struct.pack("!Ii", 0, -1) + b"Ada",
        b"PGCOPY\n\xff\r\n\0" + struct.pack("!Ii", 0, 0) + struct.pack("!hi", 3, -2) + b"Ada",
        b"PGCOPY\n\xff\r\n\0" + struct.pack("!Ii", 0, 0) + struct.pack("!h", -2) + b"Ada",
        binary((b"a", b"x", b"y")) + b"Ada behind the end",
    ],
)
def test_broken_binary_streams_end(data: bytes) -> None:
    assert b"Ada" not in fed(plan_for("COPY people TO STDOUT (FORMAT binary)"), data)


def star(value: bytes) -> bytes | None:
    return None if value.startswith(b"n") else b"<*," + value[:2] + b'\n"\\>'


KEEP: Cell = lambda value: value  # noqa: E731 - a cell that changes nothing
FORMATS = [
    CopyFormat(),
    CopyFormat(delimiter="|", null="NIL"),
    CopyFormat("csv", ",", ""),
    CopyFormat("csv", ";", "NIL", "'", "\\", header=True),
    CopyFormat("binary"),
]
CELLS = st.lists(
    st.lists(st.none() | st.text(alphabet="n<a,;|'\"\\\t\n\r.é", max_size=6), min_size=3, max_size=3), max_size=5
)


def written(fmt: CopyFormat, rows: list[list[str | None]]) -> bytes:
    """Rows as the server would write them."""
    if fmt.kind == "binary":
        return binary(*(tuple(None if one is None else one.encode() for one in row) for row in rows))
    out = io.StringIO()
    if fmt.header:
        out.write("a;b;c\n")
    for row in rows:
        fields = []
        for one in row:
            if one is None:
                fields.append(fmt.null)
            elif fmt.kind == "text":
                text = one.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
                text = text.replace("|", "\\|") if fmt.delimiter == "|" else text
                fields.append(text)
            elif not one or one == fmt.null or set(one) & {fmt.delimiter, fmt.quote, "\n", "\r"} or one == "\\.":
                escaped = one.replace(fmt.escape, fmt.escape * 2) if fmt.escape != fmt.quote else one
                fields.append(fmt.quote + escaped.replace(fmt.quote, fmt.escape + fmt.quote) + fmt.quote)
            else:
                fields.append(one)
        out.write(fmt.delimiter.join(fields) + "\n")
    return out.getvalue().encode()


@given(st.sampled_from(FORMATS), CELLS, st.lists(st.integers(0, 200), max_size=6))
def test_any_chunking_gives_the_same_bytes(fmt: CopyFormat, rows: list[list[str | None]], cuts: list[int]) -> None:
    data = written(fmt, rows)
    whole = fed(CopyPlan(fmt, 3, {1: star}), data)
    assert fed(CopyPlan(fmt, 3, {1: star}), data, *cuts) == whole
    assert fed(CopyPlan(fmt, 3, {1: star}), data, *range(len(data))) == whole


@given(st.sampled_from(FORMATS), CELLS)
def test_rows_that_need_no_change_are_the_same_bytes(fmt: CopyFormat, rows: list[list[str | None]]) -> None:
    data = written(fmt, rows)
    assert fed(CopyPlan(fmt, 3, {1: KEEP}), data) == data


@given(st.sampled_from(FORMATS), CELLS)
def test_what_is_masked_reads_back_as_the_mask(fmt: CopyFormat, rows: list[list[str | None]]) -> None:
    """Writing the masked rows oneself gives what the plan gives: every field stays its own field."""
    masked: list[list[str | None]] = []
    for first, second, third in rows:
        value = None if second is None else star(second.encode())
        masked.append([first, None if value is None else value.decode(errors="replace"), third])
    if any(row[1] is not None and "\ufffd" in row[1] for row in masked):
        return
    assert fed(CopyPlan(fmt, 3, {1: star}), written(fmt, rows)) == written(fmt, masked)


@given(st.sampled_from(FORMATS), st.binary(max_size=120), st.lists(st.integers(0, 120), max_size=4))
def test_garbage_never_raises_and_chunking_does_not_matter(fmt: CopyFormat, data: bytes, cuts: list[int]) -> None:
    assert fed(CopyPlan(fmt, 2, {0: star}), data) == fed(CopyPlan(fmt, 2, {0: star}), data, *cuts)


def test_python_reads_the_masked_csv() -> None:
    rows: list[list[str | None]] = [["1", "Ada\nLovelace", "x"], ["2", "n", ""]]
    fmt = CopyFormat("csv", ",", "")
    masked = fed(CopyPlan(fmt, 3, {1: star}), written(fmt, rows)).decode()
    assert list(csv.reader(io.StringIO(masked))) == [["1", '<*,Ad\n"\\>', "x"], ["2", "", ""]]
