"""The tables of docs/runbook-checks.md, made from what the code does: lint's output for broken files, what every kind of
parameter does with values that have broken others, and what becomes of each in SQL and in a shell.

    python -m tests.runbooks.tables > docs/runbook-checks.md
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from access.errors import Invalid
from runbooks.lint import lint
from runbooks.model import Kind, Known, Part, Runbook
from runbooks.parse import parse
from runbooks.render import check, render
from tests.runbooks.attacks import ATTACKS, SURPRISES

HEAD = "---\nparameters:\n  order: {type: integer}\n---\n"
BROKEN: dict[str, str | bytes] = {
    "01-condition.runbook.sql": "SELECT 1\nWHERE {{ if .x }} true {{ end }}",
    "02-pasted-name.runbook.sql": "SELECT *\nFROM {{ .table }}",
    "03-yaml-anchor.runbook.sql": "---\ntitle: &t Refund\ndescription: *t\n---\nSELECT 1",
    "04-twice.runbook.sql": "---\ntitle: One\ntitle: Two\n---\nSELECT 1",
    "05-yes.runbook.sql": "---\nparameters:\n  x: {type: text, required: yes}\n---\nSELECT {{ .x }}",
    "06-undeclared.runbook.sql": HEAD + "SELECT {{ .order }},\n  {{ .oder }}",
    "07-two-statements.runbook.sql": HEAD + "-- step: Look\nSELECT {{ .order }};\nDELETE FROM orders",
    "08-eval.runbook.sh": '---\nparameters:\n  name: {}\n---\nset -e\nbash -c "ls {{ .name }}"',
    "09-arithmetic.runbook.sh": 'N={{ .n | type "number" }}\necho $(( {{ .n }} + 1 ))',
    "10-preload.runbook.sh": '{{ .lib | asenv "LD_PRELOAD" }}\nls',
    "11-hidden.runbook.sql": "SELECT 1 -- \u202e fine",
    "12-lfs.runbook.sql": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "13-python.runbook.py": "print('{{ .x }}')",
    "14-binary.runbook.sql": b"SELECT '\xff'",
    "15-bomb.runbook.sql": "---\na: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n---\nSELECT 1",
    "16-tag.runbook.sql": "---\ntitle: !!python/object/apply:os.system [id]\n---\nSELECT 1",
    "17-octal.runbook.sql": "---\nparameters:\n  x: {type: text, min_length: 010}\n---\nSELECT {{ .x }}",
    "18-shown.runbook.sh": "---\nparameters:\n  t: {type: secret}\n---\ncurl -H {{ .t }} https://example.com",
    "19-huge.runbook.sql": "SELECT 1 -- " + "x" * 300_000,
    "20-open.runbook.sql": 'SELECT {{ .x | pattern "[0-9]+ }}',
    "21-same.runbook.sh": "ls",
    "21-Same.runbook.sql": "SELECT 1",
    "22-pattern.runbook.sql": "SELECT {{ .x | pattern `(a` }}",
    "23-nothing.runbook.sql": "-- nothing here\n",
}
KNOWN = Known(frozenset({"dana"}), frozenset({"prod-db"}), frozenset({"billing/api-token"}))
SQL = "SELECT {{ .x }} AS bare, '<{{ .x }}>' AS inside"
PARSED = {
    Kind.INTEGER,
    Kind.DECIMAL,
    Kind.BOOLEAN,
    Kind.DATE,
    Kind.TIME,
    Kind.DATETIME,
    Kind.EMAIL,
    Kind.URL,
    Kind.TABLE,
}
SHELL = "printf '<%s>' begin {{ .x }} \"{{ .x }}\" '{{ .x }}'"


def lint_output() -> str:
    """What `hoop runbooks lint .` prints for the broken files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in BROKEN.items():
            (Path(folder) / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        count, problems = lint([Path(folder)])
    lines = [str(problem).replace(f"{folder}/", "") for problem in problems]
    return "\n".join([*lines, f"{count} runbooks, {len(problems)} errors."])


def kinds_of(language: str) -> list[Kind]:
    """The kinds a file in this language may have."""
    return [kind for kind in Kind if language == "sql" or kind not in {Kind.TABLE, Kind.NAME}]


@cache
def runbook(kind: Kind, language: str) -> Runbook:
    """One parameter of a kind, bare and between quotes."""
    options = ", options: [paid, refunded]" if kind is Kind.ENUM else ""
    if language == "sh" and kind is Kind.SECRET:
        return parse("x.runbook.sh", b'---\nparameters:\n  x: {type: secret, env: X}\n---\nprintf %s "$X"')
    body = SHELL if language == "sh" else "SELECT * FROM {{ .x }}" if kind in {Kind.TABLE, Kind.NAME} else SQL
    head = f"---\nparameters:\n  x: {{type: {kind.value}{options}}}\n---\n"
    return parse(f"x.runbook.{language}", f"{head}{body}".encode())


def fate(kind: Kind, language: str, attack: str) -> str:
    """`refused` with the reason's number, or `=`: it is a value, letter by letter, and nothing else."""
    loaded = runbook(kind, language)
    values, wrong = check(loaded, {"x": attack}, KNOWN)
    if wrong:
        return "✗"
    try:
        render(loaded, "c" * 40, Part.RUN, values)
    except Invalid:
        return "✗ option"
    return "="


def injection_table(language: str) -> str:
    """Every attack in every kind."""
    kinds = kinds_of(language)
    rows = ["| value | " + " | ".join(kind.value for kind in kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for attack in ATTACKS:
        said = ascii(attack if len(attack) < 50 else f"{attack[:3]}… {len(attack):,} characters")
        cells = " | ".join(fate(kind, language, attack) for kind in kinds)
        rows.append(f"| `{said.replace('|', chr(92) + '|').replace('`', chr(180))}` | {cells} |")
    return "\n".join(rows)


def surprise_table() -> str:
    """What a few short texts mean in kinds that are no texts."""
    kinds = [kind for kind in kinds_of("sql") if kind in PARSED]
    rows = ["| typed | " + " | ".join(kind.value for kind in kinds) + " |", "|---" * (len(kinds) + 1) + "|"]
    for typed in SURPRISES:
        found = [check(runbook(kind, "sql"), {"x": typed}, KNOWN) for kind in kinds]
        cells = ["✗" if wrong else f"`{values['x']}`" for values, wrong in found]
        rows.append(f"| `{typed!a}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def page() -> str:
    """The whole page."""
    return f"""# What is checked in runbooks

Made by `python -m tests.runbooks.tables`; a test holds it.

## Files that do not load

`hoop runbooks lint .` over {len(BROKEN)} broken files:

```
{lint_output()}
```

## Values in SQL

`✗`: refused at the form, on the command line and at the run, with the field's own reason. `=`: taken, bound as `$n` (or,
for a table or name, quoted as one): the server gets exactly these characters as a value. Nothing else ever happens.

{injection_table("sql")}

## Values in shell scripts

As above; taken values stand between single quotes. `✗ option`: a value that would begin an argument with `-` or `+` is
refused where no `--` stands before it. Real shells (sh, dash, bash and what else is installed) print each taken value
back, letter by letter, in `tests/runbooks/test_shelltext.py`; a real PostgreSQL and a real OpenSSH server in
`tests/wire/test_runbooks.py` and `tests/wire/ssh/test_runbooks.py`.

{injection_table("sh")}

## Short texts that mean something else elsewhere

What each becomes before it is shown and bound; `✗`: refused.

{surprise_table()}
"""


if __name__ == "__main__":
    print(page(), end="")
