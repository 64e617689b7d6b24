"""Values in shell scripts: a value is only ever the words the file has, whatever it says. Judged by real shells."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from access.errors import Invalid
from runbooks.model import Broken, Known, Language, Part, Runbook
from runbooks.parse import parse
from runbooks.render import check, render
from tests.runbooks.attacks import ATTACKS

SHELLS = [shell for shell in ("sh", "bash", "dash", "ksh", "zsh") if shutil.which(shell)]
HEAD = "---\nparameters:\n  x: {type: lines, max_length: 20000}\n---\n"


def load(body: str, head: str = HEAD) -> Runbook:
    return parse("x.runbook.sh", f"{head}{body}".encode())


def text(runbook: Runbook, part: Part = Part.RUN, **typed: str) -> str:
    values, wrong = check(runbook, typed)
    assert not wrong, wrong
    return render(runbook, "c" * 40, part, values).steps[0].text


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("ls -- {{ .x }}", "ls -- 'v w'"),
        ("ls -- '{{ .x }}'", "ls -- 'v w'"),
        ('ls -- "{{ .x }}"', 'ls -- ""\'v w\'""'),
        ('echo "a {{ .x }} b"', 'echo "a "\'v w\'" b"'),
        ("echo --file={{ .x }}.log", "echo --file='v w'.log"),
        ("echo {{ .x | squote }} {{ .x | dquote }}", "echo 'v w' 'v w'"),
        ("X={{ .x }}; ls -- $X", "X='v w'; ls -- $X"),
        ('X="$(cat -- "{{ .x }}")"', 'X="$(cat -- ""\'v w\'"")"'),
        ("echo x > {{ .x }}", "echo x > 'v w'"),
        ("for i in {{ .x }}; do echo $i; done", "for i in 'v w'; do echo $i; done"),
        ("awk -v n={{ .x }} '{print n}' f", "awk -v n='v w' '{print n}' f"),
        ("sudo -n reboot {{ .x }}", "sudo -n reboot 'v w'"),
        ("f() { ls -- {{ .x }}; }; f", "f() { ls -- 'v w'; }; f"),
        ("echo {{ .x | encodeb64 }}", "echo 'diB3'"),
        ('{{ .x | asenv "NAME" }}\necho "$NAME"', "export NAME='v w'\n: \necho \"$NAME\""),
        ('# {{ .x | asenv "NAME" }}\necho "$NAME"', "export NAME='v w'\n# \necho \"$NAME\""),
        ('cat <<E\n$NAME\nE\n# {{ .x | asenv "NAME" }}', "export NAME='v w'\ncat <<E\n$NAME\nE\n# "),
    ],
)
def test_where_a_value_goes(template: str, made: str) -> None:
    assert text(load(template), x="v w") == made


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ .x }} now", "the command itself"),
        ("sudo -u app {{ .x }}", "the command itself"),
        ("env A=1 timeout 5 {{ .x }}", "the command itself"),
        ("xargs -n 1 {{ .x }}", "the command itself"),
        ("sudo -nu app env -u A {{ .x }}", "the command itself"),
        ("chroot /srv {{ .x }}", "the command itself"),
        ('bash -c "ls {{ .x }}"', "reads this again"),
        ("sudo sh -ec '{{ .x }}'", "reads this again"),
        ("docker exec web sh -c 'ls {{ .x }}'", "reads this again"),
        ('eval "ls {{ .x }}"', "again as commands"),
        ("ssh other ls {{ .x }}", "again as commands"),
        ("su app -c {{ .x }}", "again as commands"),
        ("trap {{ .x }} EXIT", "again as commands"),
        ("read {{ .x }}", "again as commands"),
        ("unset {{ .x }}", "name of a variable"),
        ("python3 -c {{ .x }}", "as a program"),
        ("perl -ne {{ .x }} f", "as a program"),
        ("awk {{ .x }} f", "the program of awk"),
        ("sed -n {{ .x }}p f", "the program of sed"),
        ("sed -e s/a/b/ -e {{ .x }} f", "as a program"),
        ("psql -c 'SELECT {{ .x }}'", "as a program"),
        ("test 1 -eq {{ .x }}", "may run what a value says"),
        ("printf -v {{ .x }} 1", "may run what a value says"),
        ("echo $((1 + {{ .x }}))", "arithmetic"),
        ("[[ {{ .x }} -eq 1 ]]", "[[ … ]]"),
        ('[ "{{ .x }}" = a ]', "[ … ]"),
        ("echo ${{ .x }}", "a $ in front"),
        ("echo ${a:-{{ .x }}}", "${…}"),
        ("echo $'{{ .x }}'", "$'…'"),
        ("echo \\{{ .x }}", "a backslash"),
        ('echo "\\{{ .x }}"', "a backslash"),
        ("echo `ls {{ .x }}`", "backquotes"),
        ("echo \"`ls '{{ .x }}'`\"", "backquotes"),
        ("cat <<E\n{{ .x }}\nE", "here-document"),
        ("cat <<'E'\n{{ .x }}\nE", "here-document"),
        ("declare -i n={{ .x }}", "declare"),
        ("a[{{ .x }}]=1", "subscript"),
        ('{{ .x | asenv "PATH" }}\nls', "PATH changes which programs"),
        ('{{ .x | asenv "LD_PRELOAD" }}\nls', "LD_PRELOAD changes"),
        ('{{ .x | asenv "BASH_ENV" }}\nls', "BASH_ENV changes"),
        ('{{ .x | asenv "a b" }}\nls', "is not a name for the environment"),
        ("ls {{ .x | identifier }}", "are for SQL"),
        ("if {{ .x }} then", "not a script"),
        ("ls {{ .x }} )", "not a script"),
        ("", "no command"),
    ],
)
def test_where_quotes_do_not_hold_a_value(template: str, said: str) -> None:
    with pytest.raises(Broken) as broken:
        load(template)
    assert said in str(broken.value)
    assert str(broken.value).startswith("x.runbook.sh:")


PLACES = (
    "printf '<%s>' begin {{ .x }}",
    "printf '<%s>' begin '{{ .x }}'",
    'printf "<%s>" begin "{{ .x }}"',
    "printf '<%s>' begin a{{ .x }}b",
    "printf '<%s>' begin \"a{{ .x }}b\"",
    "printf '<%s>' begin 'a{{ .x }}b'",
    'X={{ .x }}; printf "<%s>" begin "$X"',
    'X="$(printf %s "a{{ .x }}b")"; printf "<%s>" begin "$X"',
    '{{ .x | asenv "VALUE" }}\nprintf "<%s>" begin "$VALUE"',
)
EXTRA = (
    "a'b",
    "'\"'\"'",
    "\\",
    "a\\",
    "'; id; '",
    '"; id; "',
    "\n id",
    "$'x'",
    "~root",
    "*",
    "?",
    "[a-z]",
    "{a,b}",
    "!x",
    "#x",
)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_real_shell_sees_exactly_the_value(shell: str, tmp_path: Path) -> None:
    """Every value in every place, in one script a shell: what is printed is what was typed."""
    scripts, wanted = [], []
    for place in PLACES:
        runbook = load(place)
        for value in (*ATTACKS, *EXTRA):
            if check(runbook, {"x": value})[1] or "\n" in value[-1:]:
                continue
            try:
                made = text(runbook, x=value)
            except Invalid:  # what a command would take as an option; the next test is about those
                continue
            scripts.append(f"(\n{made}\n)\nprintf '\\036'")
            wanted.append(f"<begin><{f'a{value}b' if 'a{{' in place else value}>")
    assert len(wanted) > 250
    ran = subprocess.run([shell, "-c", "\n".join(scripts)], capture_output=True, cwd=tmp_path, timeout=60, check=True)
    assert ran.stderr == b""
    assert ran.stdout.decode().split("\x1e")[:-1] == wanted


@pytest.mark.parametrize("value", ["-rf", "--help", "-", "+x"])
def test_a_value_never_becomes_an_option(value: str) -> None:
    assert text(load("rm -- {{ .x }}"), x=value) == f"rm -- '{value}'"
    for template in ("rm {{ .x }}", "rm '{{ .x }}'", 'rm "{{ .x }}"', "rm -n {{ .x }}"):
        with pytest.raises(Invalid, match="begin with -"):
            text(load(template), x=value)


def test_a_list_is_one_word_for_each_item() -> None:
    runbook = load("ls -- {{ .x }} '{{ .x }}'", "---\nparameters:\n  x: {type: list}\n---\n")
    assert text(runbook, x="a b, c'd") == "ls -- 'a b' 'c'\\''d' 'a b,c'\\''d'"
    with pytest.raises(Invalid, match="begin with -"):
        text(load("ls {{ .x }}", "---\nparameters:\n  x: {type: list}\n---\n"), x="a, -l")


def test_what_a_script_reads_again_takes_calm_values_only() -> None:
    """hoop's own files may build a command and eval it; then quotes do not hold, so the characters must."""
    runbook = load('CMD="ls {{ .x }}"\neval $CMD', "")
    assert "read again as commands" in str(runbook.notes[0])
    assert text(runbook, x="a/b-1.log") == 'CMD="ls "\'a/b-1.log\'""\neval $CMD'
    for value in ("a b", "a;id", "$(id)", "a'b", "a\\b", "*", "a|b", "é"):
        with pytest.raises(Invalid, match="reads it again"):
            text(runbook, x=value)


def test_a_file_without_front_matter_is_one_script() -> None:
    runbook = load(
        '#!/bin/bash\n# step: 1\nA="{{ .a | required "say a" | pattern "[a-z]+" }}"\n# {{ .b }}\necho "$A"\n', ""
    )
    assert runbook.language is Language.SHELL
    assert [parameter.name for parameter in runbook.parameters] == ["a", "b"]
    assert len(runbook.steps) == 1
    assert "goes nowhere" in str(runbook.notes)
    assert check(runbook, {"a": "x1"})[1] == {"a": "The whole value must match [a-z]+."}
    assert text(runbook, a="x", b="\u00e9") == '#!/bin/bash\n# step: 1\nA=""\'x\'""\n# \necho "$A"'


def test_steps_of_a_script_with_a_front_matter() -> None:
    runbook = load(
        "# dry run: Look\nls -- {{ .x }}\n\n# step: Do\nrm -- {{ .x }}\n# rollback: Back\ntouch -- {{ .x }}\n"
    )
    assert [(step.title, step.part, step.line) for step in runbook.steps] == [
        ("Look", Part.DRY_RUN, 5), ("Do", Part.RUN, 8), ("Back", Part.ROLLBACK, 10),
    ]  # fmt: skip
    assert text(runbook, x="a") == "rm -- 'a'"
    with pytest.raises(Broken, match="before the first # step"):
        load("ls {{ .x }}\n# step: Do\nls")


def test_a_variable_is_set_for_every_step() -> None:
    head = "---\nparameters:\n  t: {env: TOKEN_NAME}\n---\n"
    runbook = load('# step: One\nls "$TOKEN_NAME"\n# step: Two\nls\n', head)
    values, _ = check(runbook, {"t": "ops/deploy-token"})
    texts = [step.text for step in render(runbook, "c", Part.RUN, values).steps]
    assert texts == [
        "export TOKEN_NAME='ops/deploy-token'\nls \"$TOKEN_NAME\"",
        "export TOKEN_NAME='ops/deploy-token'\nls",
    ]
    for declared, said in (
        ("env: PATH", "PATH changes"),
        ("env: a-b", "not a name"),
        ("type: enum, query: SELECT 1", "on hosts"),
    ):
        with pytest.raises(Broken, match=said):
            load("ls {{ .t }}", f"---\nparameters:\n  t: {{{declared}}}\n---\n")


SECRETS = (
    "---\nparameters:\n  t: {type: secret, env: TOKEN}\n  u: {type: secret, required: false}\n  w: {env: WHAT}\n---\n"
)


def test_secrets_are_read_from_the_input_in_their_order() -> None:
    runbook = load('# step: One\n{{ .u | asenv "OTHER" }}\nls "$TOKEN"\n# step: Two\nls\n', SECRETS)
    known = Known(secrets=frozenset({"ops/token", "ops/other"}))
    values, wrong = check(runbook, {"t": "ops/token", "u": "ops/other", "w": "it's"}, known)
    assert not wrong
    one, two = render(runbook, "c", Part.RUN, values).steps
    read = "IFS= read -r TOKEN; export TOKEN # the secret ops/token\n"
    assert one.text.startswith(
        f"{read}IFS= read -r OTHER; export OTHER # the secret ops/other\nexport WHAT='it'\\''s'\n"
    )
    assert one.secrets == ((0, "ops/token"), (1, "ops/other"))
    assert two.text == f"{read}export WHAT='it'\\''s'\nls"
    assert two.secrets == ((0, "ops/token"),)
    values, _ = check(runbook, {"t": "ops/token", "w": "x"}, known)
    one, _ = render(runbook, "c", Part.RUN, values).steps
    assert "export OTHER=''\n" in one.text
    assert one.secrets == ((0, "ops/token"),)
    assert check(runbook, {"t": "ops/nothing", "w": "x"}, known)[1] == {
        "t": "There is no such secret for you in this runbook."
    }


@pytest.mark.parametrize(
    "use", ["ls {{ .t }}", 'ls -- "{{ .t }}"', "X='{{ .t }}'", "echo hi > {{ .t }}", '{{ .t | encodeb64 | asenv "B" }}']
)
def test_a_secret_stands_in_no_command_line(use: str) -> None:
    with pytest.raises(Broken, match="is a secret"):
        load(f"{use}\nls", "---\nparameters:\n  t: {type: secret}\n---\n")
