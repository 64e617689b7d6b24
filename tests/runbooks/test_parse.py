from __future__ import annotations

from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from runbooks.lint import lint
from runbooks.model import Broken, Kind, Part, Runbook, Slot, Use
from runbooks.parse import is_runbook, name_of, parse

HEAD = "---\ntitle: T\nparameters:\n  order: {type: integer}\n---\n"


def load(text: str, path: str = "x.runbook.sql") -> Runbook:
    return parse(path, text.encode())


def problems(text: str | bytes, path: str = "x.runbook.sql") -> list[str]:
    with pytest.raises(Broken) as broken:
        parse(path, text if isinstance(text, bytes) else text.encode())
    return [str(problem) for problem in broken.value.problems]


def test_a_whole_file() -> None:
    found = load(
        """---
title: Refund an order
description: What support asks for.
documentation: |
  One.
  Two.
labels: {env: production}
approvers: [dba]
owners: payments
timeout: 90s
lock: "refund {{ .order }}"
parameters:
  order: {type: integer, min: 1, description: The number.}
  why:
    type: enum
    options: [fraud, "late; very"]
    default: fraud
---
-- dry run: Look
SELECT * FROM orders WHERE id = {{ .order }} -- a comment
-- step: Do it
UPDATE orders SET status = 'refunded', why = {{ .why }} WHERE id = {{ .order }};
-- rollback: Take it back
UPDATE orders SET status = 'paid' WHERE id = {{ .order }}
""",
        "billing/refund.runbook.sql",
    )
    assert (found.name, found.title, found.approvers, found.owners) == (
        "billing/refund", "Refund an order", ("dba",), ("payments",),
    )  # fmt: skip
    assert found.timeout == timedelta(seconds=90)
    assert [(step.title, step.part) for step in found.steps] == [
        ("Look", Part.DRY_RUN), ("Do it", Part.RUN), ("Take it back", Part.ROLLBACK),
    ]  # fmt: skip
    assert [(p.name, p.kind, p.required) for p in found.parameters] == [
        ("order", Kind.INTEGER, True), ("why", Kind.ENUM, False),
    ]  # fmt: skip
    assert all(slot.use is Use.BIND for step in found.steps for slot in step.pieces if isinstance(slot, Slot))


def test_hoops_own_format_loads_unchanged() -> None:
    found = load(
        """SELECT customerid, email FROM customers
WHERE customerid = {{ .customer_id
                    | description "the id | of the customer"
                    | required "customer_id is required"
                    | type "number"
                    | pattern "^[0-9]+$"
                    | minlength "2"
                    | squote }}
AND country = {{ .country | type "text" | default "US" | pattern `[a-zA-Z]+` | maxlength "2" | squote }}
AND state = '{{ .state | options "on hold" "paid" | order 1 }}'
ORDER BY email {{ .direction | options "ASC" "DESC" | default "ASC" }}
;
"""
    )
    by_name = {parameter.name: parameter for parameter in found.parameters}
    assert by_name["customer_id"].description == "the id | of the customer"
    assert (by_name["customer_id"].missing, by_name["customer_id"].min_length) == ("customer_id is required", 2)
    assert by_name["state"].options == ("on hold", "paid")
    assert not by_name["country"].required
    uses = {p.parameter: p.use for p in found.steps[0].pieces if isinstance(p, Slot)}
    assert uses == {"customer_id": Use.BIND, "country": Use.BIND, "state": Use.BIND, "direction": Use.WORD}
    assert [note.severity for note in found.notes] == ["note"]
    assert "the pattern of country" in str(found.notes[0])


def test_every_statement_without_marks_is_a_step() -> None:
    found = load("SELECT 1;\n\n/* a; b */ SELECT ';' , $x$;$x$, \"a;b\";\nSELECT 3")
    assert [step.line for step in found.steps] == [1, 3, 4]
    assert [step.title for step in found.steps] == ["x", "Step 2", "Step 3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT {{ if .x }}1{{ end }}", "x.runbook.sql:1: {{ if … }} is not supported"),
        ("SELECT\n{{ range .x }}", ":2: {{ range … }} is not supported"),
        ('SELECT {{ template "a" }}', "is not supported"),
        ("SELECT {{ $x := .y }}", "is not supported"),
        ("SELECT {{ .x", "a {{ without its }}"),
        ("SELECT {{ .x {{ .y }} }}", "a {{ inside of a {{"),
        ("SELECT {{ }}", "an empty {{ }}"),
        ('SELECT {{ .x | shell "id" }}', "there is no function shell"),
        ("SELECT {{ .x | default }}", "default takes 1 argument, not 0"),
        ("SELECT {{ .x | default .y }}", "must be in double quotes"),
        ('SELECT {{ .x | default "a }}', "a string that does not end"),
        ('SELECT {{ .x | asenv "LD_PRELOAD" }}', "asenv is for shell"),
        ('SELECT {{ .x | type "password" }}', "does not travel through chat"),
        ('SELECT {{ .x | type "integer" }}', "there is no type integer"),
        ('SELECT {{ .x | type "date" }}, {{ .x | type "time" }}', "declared otherwise on line 1"),
        ("SELECT 1 -- {{ .x }}", "a parameter in a comment does nothing"),
        ("SELECT $${{ .x }}$$", "cannot be bound"),
        ("SELECT E'{{ .x }}'", "a parameter in an E''"),
        ("SELECT U&'{{ .x }}'", "a parameter in an E''"),
        ("SELECT * FROM {{ .t }}", "not a statement PostgreSQL understands"),
        ('SELECT * FROM "{{ .t }}"', "needs options"),
        ('SELECT * FROM "a{{ .t | options "b" }}"', "must be all of a quoted name"),
        ("SELECT * FROM {{ .t | dquote }}", "needs options"),
        ("SELECT $1", "write {{ .name }}, not $1"),
        ("\\! id", "psql's own commands"),
        ("SELECT 'a", "a literal that does not end"),
        ('SELECT "a', "a quoted name that does not end"),
        ("SELECT 1 /* a /* b */", "a comment that does not end"),
        ("SELEC 1", "not a statement PostgreSQL understands"),
        ("BEGIN; SELECT 1; COMMIT", "no BEGIN, COMMIT"),
        ("SET search_path = x", "no BEGIN, COMMIT, SET"),
        ("", "there is no step to run"),
        ("-- rollback: x\nSELECT 1", "there is no step to run"),
        ("SELECT 1;\n-- step: x\nSELECT 2", "before the first -- step:"),
        ("-- step: x\nSELECT 1; SELECT 2", ":1: a step is one statement; this has 2"),
        (HEAD + "SELECT 1", ":4: parameter order is not used"),
        (HEAD + "SELECT {{ .order }}, {{ .other }}", ":6: other is not among the parameters"),
        (HEAD + 'SELECT {{ .order | required "x" }}', "declared in the front matter"),
    ],
)
def test_what_does_not_load_says_where_and_why(text: str, said: str) -> None:
    assert any(said in line for line in problems(text)), problems(text)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("title: &a T\n", ":2: anchors and aliases"),
        ("title: T\ndescription: *a\n", ":3: anchors and aliases"),
        ("title: !!python/object/apply:os.system [id]\n", ":2: tags (!) are not allowed"),
        ("title: !secret x\n", ":2: tags"),
        ("title: T\ntitle: U\n", ":3: title is there twice (first on line 2)"),
        ("<<: {title: T}\n", ":2: merge keys"),
        ("? [a, b]\n: c\n", "a key must be a plain word"),
        ("- a\n- b\n", "a list of `name: value` lines"),
        ("title: [a\n", "not YAML"),
        ("title: T\n\tdescription: x\n", "not YAML"),
        ("a: {b: {c: {d: {e: {f: {g: {h: {i: j}}}}}}}}\n", "nested too deep"),
        ("shell: id\n", ":2: there is no shell"),
        ("timeout: 99h\n", "a timeout is"),
        ("timeout: 010\n", "a timeout is"),
        ("title:\n", "a single value is wanted"),
        ("title: {a: b}\n", "a single value is wanted"),
        ("resource: a\nlabels: {b: c}\n", "resource or labels, not both"),
        ("parameters:\n  x: {type: integer, required: yes}\n", "write true or false, not yes"),
        ("parameters:\n  x: {type: text, min_length: 010}\n", "a whole number, not 010"),
        ("parameters:\n  x: {type: integer, min: 007}\n", "without the zeros in front"),
        ("parameters:\n  x: {type: int}\n", "there is no type int"),
        ("parameters:\n  x: {type: text, sql: y}\n", "there is no sql"),
        ('parameters:\n  "x;y": {type: text}\n', "is not a name"),
        ("parameters:\n  x: {type: text, pattern: '(?!a)'}\n", "not a valid RE2"),
    ],
)
def test_tricks_of_yaml_are_refused_with_their_line(head: str, said: str) -> None:
    found = problems(f"---\n{head}---\nSELECT 1\n")
    assert any(said in line for line in found), found


def test_yaml_words_stay_the_words_they_are() -> None:
    found = load('---\nparameters:\n  x: {type: enum, options: [yes, no, 010, 1e3, "null", ~x]}\n---\nSELECT {{ .x }}')
    assert found.parameters[0].options == ("yes", "no", "010", "1e3", "null", "~x")


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    head = "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(30))
    assert "anchors" in problems(f"---\n{head}---\nSELECT 1")[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"SELECT '\xff'", ":1: not UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"SELECT 1 --" + b"x" * 300_000, "longer than 256 KB"),
        ("SELECT 1;\n-- \u202e".encode(), ":2: the hidden character U+202E"),
        ("SELECT\u200b 1".encode(), "the hidden character U+200B"),
        (b"SELECT 1\x00", "the hidden character U+0000"),
        (b"---\ntitle: T\nSELECT 1", "no closing ---"),
    ],
)
def test_bytes_that_are_no_runbook(data: bytes, said: str) -> None:
    assert any(said in line for line in problems(data))


def test_other_targets_do_not_run_here() -> None:
    assert ".py steps do not run here" in problems("print({{ .x }})", "x.runbook.py")[0]


def test_several_problems_are_told_at_once() -> None:
    found = problems(
        "---\nparameters:\n  a: {type: int}\n  b: {min: 1}\n  c: {}\n---\nSELECT {{ .a }}, {{ .b }}, {{ .c }}"
    )
    assert len(found) >= 2


def test_names_come_from_paths() -> None:
    assert name_of("a/b/c.runbook.sql") == "a/b/c"
    assert is_runbook("a/x.runbook.py")
    assert not is_runbook("a.runbook/x.sql")


def test_the_library_loads() -> None:
    paths = [Path(str(entry)) for entry in files("runbooks").joinpath("library").iterdir()]
    count, found = lint(paths)
    assert count >= 9
    assert not found


def test_lint_finds_files_in_folders_and_says_every_problem(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "bad.runbook.sql").write_text("SELECT {{ if .x }}")
    (tmp_path / "good.runbook.sql").write_text("SELECT 1")
    (tmp_path / "readme.md").write_text("{{ if }}")
    (tmp_path / "link.runbook.sql").symlink_to("/etc/passwd")
    count, found = lint([tmp_path, tmp_path / "gone.runbook.sql"])
    assert count == 4
    assert [Path(problem.path).name for problem in found] == ["bad.runbook.sql", "gone.runbook.sql", "link.runbook.sql"]
