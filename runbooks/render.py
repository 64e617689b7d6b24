"""A runbook and values → the statements that will run, their bind values, and what they are bound to. Pure.

The same function makes the preview, the request and the run: what is shown is what runs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence

from access.errors import Invalid
from access.runs import Run, RunStep
from access.statements import Digest
from runbooks.model import NOBODY, Kind, Known, Language, Parameter, Part, Runbook, Slot, Step, Use
from runbooks.parse import spaced
from runbooks.shelltext import calm, quoted, shape
from runbooks.values import Refused, accept

Values = Mapping[str, str | None]

#: How a script gets a secret: on its input, so that it is in no command line and no list of processes.
_READ = "IFS= read -r {0}; export {0} # the secret {1}\n"


def check(
    runbook: Runbook, typed: Mapping[str, str], known: Known = NOBODY
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Canonical values and, by parameter, what is wrong. An input nobody declared is wrong too."""
    values: dict[str, str | None] = {}
    wrong: dict[str, str] = {}
    for parameter in runbook.parameters:
        try:
            values[parameter.name] = accept(parameter, typed.get(parameter.name), known)
        except Refused as refused:
            wrong[parameter.name] = str(refused)
    for name in typed.keys() - {parameter.name for parameter in runbook.parameters}:
        wrong[name[:40]] = "There is no such parameter."
    return values, wrong


def render(runbook: Runbook, commit: str, part: Part, values: Values) -> Run:
    """What runs. `values` are canonical (of `check`). Raises Invalid when a value cannot stand where it is used."""
    steps = runbook.steps_of(part)
    if not steps:
        raise Invalid(f"{runbook.name} has no {part.value}.", field="runbook")
    return Run(
        name=scope_name(runbook.name, part),
        commit=commit,
        parameters=parameters_digest(runbook, values),
        steps=(*_choices(runbook, steps, values), *(_step(runbook, step, values) for step in steps)),
    )


def scope_name(name: str, part: Part) -> str:
    """How a grant names the part of a runbook it is for."""
    return name if part is Part.RUN else f"{name}#{part.value}"


def part_of(scope_name: str) -> tuple[str, Part]:
    """The inverse of `scope_name`."""
    name, _, part = scope_name.partition("#")
    return name, Part(part) if part else Part.RUN


def parameters_digest(runbook: Runbook, values: Values) -> Digest:
    """SHA-256 over the canonical values by name."""
    named = {parameter.name: values.get(parameter.name) for parameter in runbook.parameters}
    return Digest(hashlib.sha256(written(named).encode()).hexdigest())


def written(values: Values) -> str:
    """Values as one text, for the sealed part of a request."""
    return json.dumps(dict(values), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def canonical(text: str) -> dict[str, str | None]:
    """The values exactly as `written` wrote them."""
    return {str(name): None if value is None else str(value) for name, value in json.loads(text).items()}


def read_back(text: str) -> dict[str, str]:
    """The values that `written` wrote, as if typed again; those left out stay out."""
    found = json.loads(text)
    return {str(name): typed_again(str(value)) for name, value in found.items() if value is not None}


def typed_again(value: str) -> str:
    """A canonical list reads back as comma-separated; everything else as it is."""
    if value.startswith("["):
        try:
            items = json.loads(value)
        except ValueError:
            return value
        if isinstance(items, list):
            return ", ".join(str(item) for item in items)
    return value


def lock_key(runbook: Runbook, resource: str, values: Values) -> str:
    """What two runs must not share at the same time; empty when the file declares no lock."""
    if not runbook.lock:
        return ""
    said = "".join(values.get(p.parameter) or "" if isinstance(p, Slot) else p for p in runbook.lock)
    return hashlib.sha256(f"{resource}\n{said}".encode()).hexdigest()


def _choices(runbook: Runbook, steps: Sequence[Step], values: Values) -> list[RunStep]:
    """Steps that look whether a value is among those its query lists; one without a row ends the run."""
    used = {piece.parameter for step in steps for piece in step.pieces if isinstance(piece, Slot)}
    return [
        RunStep(
            f"Is {parameter.name} among its choices?",
            f"SELECT choice FROM ({parameter.query}\n) AS choices (choice) WHERE choice::text = $1 LIMIT 1",  # noqa: S608 - the file's own query
            (values.get(parameter.name),),
            must_find=parameter.name,
        )
        for parameter in runbook.parameters
        if parameter.query and parameter.name in used
    ]


def _step(runbook: Runbook, step: Step, values: Values) -> RunStep:
    if runbook.language is Language.SHELL:
        return RunStep(step.title, script(runbook, step, values), secrets=_given(runbook, step, values))
    text: list[str] = []
    bound: list[str | None] = []
    secrets: list[tuple[int, str]] = []
    for piece in spaced(step.pieces):
        if isinstance(piece, str):
            text.append(piece)
            continue
        parameter = _of(runbook, piece)
        value = values.get(piece.parameter)
        if piece.use is Use.BIND:
            if value is not None and parameter.kind is Kind.SECRET:
                secrets.append((len(bound), value))
            bound.append(None if value is None else _bound(parameter, piece, value))
            text.append(f"${len(bound)}")
        else:
            text.append(_in_text(parameter, piece, value))
    return RunStep(step.title, "".join(text), tuple(bound), secrets=tuple(secrets))


def script(runbook: Runbook, step: Step, values: Values) -> str:
    """The exact text of a shell step: what goes by the environment is set first, everything else is quoted where it stands.

    Read with the shell's grammar once more: a value that changed which commands there are would not run. Raises Invalid.
    """
    exports = _environment(runbook, values)
    text: list[str] = []
    plain: list[str] = []
    for piece in step.pieces:
        if isinstance(piece, str):
            text.append(piece)
            plain.append(piece)
            continue
        parameter = _of(runbook, piece)
        words = _words(parameter, piece, values.get(piece.parameter))
        if parameter.kind is Kind.SECRET and words != [""]:
            continue  # its lines are in the head
        if step.reread and not all(map(calm, words)):
            said = f"Only letters, digits and _./:@%+=,- here: the script reads it again as a command on line {step.reread}."
            raise Invalid(said, field=parameter.name)
        if piece.use is Use.ENVIRONMENT:
            exports[piece.variable] = ",".join(words)
            continue
        text.append(_written(words, piece))
        plain.append(_written(["x"] * len(words), piece))
    reads = "".join(_READ.format(name, secret) for name, secret in _secrets(runbook, step, values).items())
    head = reads + "".join(f"export {name}={quoted(value, Use.ARGUMENT)}\n" for name, value in exports.items())
    plain_head = reads + "".join(f"export {name}='x'\n" for name in exports)
    made = head + "".join(text)
    if shape(made) is None or shape(made) != shape(plain_head + "".join(plain)):
        raise Invalid(f"“{step.title}”: these values would change what the script does.", field="values")
    return made


def _secrets(runbook: Runbook, step: Step, values: Values) -> dict[str, str]:
    """The names of the secrets that a script is given, by the variable each is read into."""
    placed = [(_of(runbook, p), p.variable) for p in step.pieces if isinstance(p, Slot) and p.use is Use.ENVIRONMENT]
    everywhere = [(parameter, parameter.variable) for parameter in runbook.parameters if parameter.variable]
    return {
        variable: name
        for parameter, variable in (*everywhere, *placed)
        if parameter.kind is Kind.SECRET and (name := values.get(parameter.name))
    }


def _given(runbook: Runbook, step: Step, values: Values) -> tuple[tuple[int, str], ...]:
    """The lines of a script's input that are secrets: as many as it reads first."""
    return tuple(enumerate(_secrets(runbook, step, values).values()))


def _environment(runbook: Runbook, values: Values) -> dict[str, str]:
    """What every step of a script finds in its environment."""
    named = [
        one for one in runbook.parameters if one.variable and not (one.kind is Kind.SECRET and values.get(one.name))
    ]
    slot = Slot("", Use.ENVIRONMENT)
    return {one.variable: ",".join(_words(one, slot, values.get(one.name))) for one in named}


def _of(runbook: Runbook, slot: Slot) -> Parameter:
    parameter = runbook.parameter(slot.parameter)
    assert parameter is not None, "the parser knows every slot's parameter"
    return parameter


def _words(parameter: Parameter, slot: Slot, value: str | None) -> list[str]:
    """The words a value is: one, or one for each item of a list. Raises Invalid for what a command would take as an option."""
    if value is None:
        return [""]
    items = json.loads(value) if parameter.kind is Kind.LIST else [value]
    words = [_transformed(parameter, slot, str(item)) for item in items]
    if slot.leading and any(word.startswith(("-", "+")) for word in words):
        raise Invalid(
            "It must not begin with - or + here, where a command would take it as an option.", field=parameter.name
        )
    return words


def _written(words: Sequence[str], slot: Slot) -> str:
    if slot.use is Use.ARGUMENT:
        return " ".join(quoted(word, slot.use) for word in words)
    return quoted(",".join(words), slot.use)


def _in_text(parameter: Parameter, slot: Slot, value: str | None) -> str:
    """A word of the file's own list, or a quoted name. The list is looked at once more, here, where it counts."""
    if not value or (parameter.options and value not in parameter.options):
        raise Invalid(f"It is one of {', '.join(parameter.options)}.", field=parameter.name)
    if slot.use is Use.WORD:
        return value
    return ".".join('"' + part.replace('"', '""') + '"' for part in value.split("."))


def _bound(parameter: Parameter, slot: Slot, value: str) -> str:
    if parameter.kind is Kind.LIST:
        return array_literal(json.loads(value))
    return _transformed(parameter, slot, value)


def _transformed(parameter: Parameter, slot: Slot, value: str) -> str:
    for transform in slot.transforms:
        if transform == "encodeb64":
            value = base64.b64encode(value.encode()).decode()
            continue
        try:
            value = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise Invalid("It is not base64 of a text.", field=parameter.name) from None
        if "\x00" in value:
            raise Invalid("It must not contain NUL.", field=parameter.name)
    return value


def array_literal(items: Sequence[str]) -> str:
    """A PostgreSQL array in text form (documentation, chapter "Arrays", input syntax)."""
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"
