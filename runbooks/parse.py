"""A file → a runbook, or all of its problems with their lines. Pure.

One grammar for both formats: hoop's own files declare parameters where they use them; ours declare them in a front
matter and then use them by name. Lines `-- step: Title`, `-- dry run: Title` and `-- rollback: Title` start a step
(`# step: Title` … in a script with a front matter); without them every statement is a step, and a script is one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import PurePosixPath

import pgparse

from access.durations import duration_of
from runbooks import declared
from runbooks.declared import Wrong, boolean, text, texts
from runbooks.frontmatter import Node, NotYaml, read, split_front_matter
from runbooks.model import Broken, Kind, Language, Parameter, Part, Problem, Runbook, Slot, Step, Use
from runbooks.pipeline import Action
from runbooks.shelltext import NotShell, cut_script, environment_wrong, reread_line
from runbooks.sqltext import NotSql, Piece, Pieces, cut_statements

MARK = ".runbook."
MOST_BYTES = 256 * 1024
_STEP = re.compile(r"^--[ \t]*(step|dry[ -]run|rollback)[ \t]*:[ \t]*(.*?)[ \t]*$", re.IGNORECASE | re.MULTILINE)
_SHELL_STEP = re.compile(_STEP.pattern.replace("--", "#"), _STEP.flags)
_LANGUAGES = {".sql": Language.SQL, ".sh": Language.SHELL, ".bash": Language.SHELL}
#: How the files of runbooks end.
SUFFIXES = tuple(f".runbook{suffix}" for suffix in _LANGUAGES)
_WORD = re.compile(r"\A(?:[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?|[0-9]{1,18})\Z")
_KEYS = {
    "title", "description", "documentation", "resource", "labels", "approvers", "owners", "timeout", "lock", "schedule", "flow",
    "parameters",
}  # fmt: skip
NAMES = frozenset({Kind.TABLE, Kind.NAME})
_BY_NAME = 'give it by env: NAME (or asenv) and use "$NAME"'
_LONGEST_TIMEOUT = timedelta(hours=4)


def is_runbook(path: str) -> bool:
    """Whether a path names a runbook."""
    return MARK in PurePosixPath(path).name


def name_of(path: str) -> str:
    """What people type: the path without the part after the name, `billing/refund-order`."""
    folder, _, file = path.rpartition("/")
    name = file.partition(MARK)[0]
    return f"{folder}/{name}" if folder else name


def parse(path: str, data: bytes) -> Runbook:
    """Read one file. Raises Broken with everything that is wrong with it."""
    reader = _Reader(path)
    try:
        return reader.read(data)
    except (Wrong, NotSql, NotShell, NotYaml) as wrong:
        raise Broken([*reader.problems, Problem(path, wrong.line, str(wrong))]) from None


@dataclass
class _Reader:
    path: str
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    parameters: dict[str, Parameter] = field(default_factory=dict)
    idle: set[str] = field(default_factory=set)
    front: bool = False
    language: Language = Language.SQL

    def read(self, data: bytes) -> Runbook:
        whole = self._decoded(data)
        head, body, body_line = split_front_matter(whole)
        self.front = body_line > 1
        given = read(head) if self.front else {}
        keys = _known(given)
        if "parameters" in given:
            self._declare(given["parameters"])
        steps = self._steps(body, body_line) if self.language is Language.SQL else self._scripts(body, body_line)
        if not any(step.part is Part.RUN for step in steps):
            raise Wrong("there is no step to run", body_line)
        self._kinds()
        self._unused(steps)
        runbook = self._runbook(keys, steps)
        if self.problems:
            raise Broken(self.problems)
        return replace(runbook, notes=tuple(self.notes))

    def _decoded(self, data: bytes) -> str:
        if len(data) > MOST_BYTES:
            raise Wrong(f"longer than {MOST_BYTES // 1024} KB", 1)
        if data.startswith(b"version https://git-lfs"):
            raise Wrong("a Git LFS pointer, not the file; keep runbooks in Git itself", 1)
        try:
            whole = data.decode("utf-8").removeprefix("\ufeff").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise Wrong("not UTF-8 text", 1 + data.count(b"\n", 0, error.start)) from None
        for index, char in enumerate(whole):
            if unicodedata.category(char) in {"Cf", "Cc", "Cs"} and char not in "\n\t":
                raise Wrong(f"the hidden character U+{ord(char):04X}", 1 + whole.count("\n", 0, index))
        suffix = PurePosixPath(self.path).suffix
        if suffix not in _LANGUAGES:
            raise Wrong(f"{suffix or 'this'} steps do not run here; only {', '.join(_LANGUAGES)} do", 1)
        self.language = _LANGUAGES[suffix]
        return whole

    # ------------------------------------------------------------------------------------------------ parameters

    def _declare(self, node: Node) -> None:
        if not isinstance(node.value, dict):
            raise Wrong("parameters: give each by its name", node.line)
        for order, (name, entry) in enumerate(node.value.items()):
            try:
                self.parameters[name] = declared.from_front_matter(name, entry, order)
            except Wrong as wrong:
                self.problems.append(Problem(self.path, wrong.line, str(wrong)))
                self.parameters[name] = Parameter(name if declared.NAME.match(name) else "_")

    def _place(self, action: Action, where: str, line: int) -> Slot:
        """Where one use of a parameter goes; the first use declares it in files without front matter."""
        parameter = self._of(action, line)
        if action.has("asenv"):
            raise Wrong("asenv is for shell runbooks; SQL has no environment", line)
        quoted = next((call.arguments[0] for call in action.calls if call.function == "quotechar"), "")
        name = where == "name" or action.has("identifier") or action.has("dquote") or quoted == '"'
        if quoted not in {"", "'", '"'}:
            raise Wrong("quotechar takes ' or \" in SQL", line)
        _whole_secret(parameter, action, line)
        transforms = tuple(c.function for c in action.calls if c.function in {"encodeb64", "decodeb64"})
        literal = where == "literal" or action.has("squote") or quoted == "'"
        if name or (parameter.kind in NAMES and not literal):
            return self._named(parameter, where, line)
        if parameter.options and not literal and not self.front:
            return self._word(parameter, line)
        return Slot(parameter.name, Use.BIND, transforms)

    def _place_in_script(self, action: Action, use: Use, leading: bool, line: int) -> Slot:  # noqa: FBT001 - a Placing
        parameter = self._of(action, line)
        if parameter.kind in NAMES or action.has("identifier"):
            raise Wrong(f"{parameter.name}: tables and names are for SQL; use text with a pattern", line)
        _whole_secret(parameter, action, line)
        if parameter.kind is Kind.SECRET and use is not Use.ENVIRONMENT:
            raise Wrong(f"{parameter.name} is a secret, which everybody on the host would see here; {_BY_NAME}", line)
        transforms = tuple(c.function for c in action.calls if c.function in {"encodeb64", "decodeb64"})
        if use is not Use.ENVIRONMENT:
            return Slot(parameter.name, use, transforms, leading=leading)
        variable = next(call.arguments[0] for call in action.calls if call.function == "asenv")
        wrong = environment_wrong(variable)
        if wrong:
            raise Wrong(wrong, line)
        return Slot(parameter.name, use, transforms, variable)

    def _of(self, action: Action, line: int) -> Parameter:
        known = self.parameters.get(action.name)
        says = any(call.function in declared.DECLARING for call in action.calls)
        if self.front:
            if known is None:
                raise Wrong(f"{action.name[:41]} is not among the parameters", line)
            if says:
                raise Wrong(f"{action.name} is declared in the front matter; say it there", line)
            return known
        if known is None:
            known = self.parameters[action.name] = declared.from_template(action, line)
        elif says:
            again = declared.from_template(action, line)
            if replace(again, line=0) != replace(known, line=0):
                raise Wrong(f"{action.name} was declared otherwise on line {known.line}", line)
        return known

    def _named(self, parameter: Parameter, where: str, line: int) -> Slot:
        if where == "literal":
            raise Wrong("a name cannot stand in a literal", line)
        if parameter.kind not in NAMES and not parameter.options:
            raise Wrong(f"{parameter.name} is used as a name, so it needs options (or the type table)", line)
        if not parameter.required and parameter.default is None:
            raise Wrong(f"{parameter.name} is used as a name, so it must be required or have a default", line)
        return Slot(parameter.name, Use.IDENTIFIER)

    def _word(self, parameter: Parameter, line: int) -> Slot:
        """An option that stands bare is a word of the statement; then every option must be one word or number."""
        if all(_WORD.match(option) for option in parameter.options):
            if parameter.required or parameter.default is not None:
                return Slot(parameter.name, Use.WORD)
            raise Wrong(f"{parameter.name} is a word of the statement, so it must be required or have a default", line)
        return Slot(parameter.name, Use.BIND)

    def _kinds(self) -> None:
        """What a parameter says that its file's language cannot do."""
        for parameter in self.parameters.values():
            said = self._kind_wrong(parameter)
            if said:
                self.problems.append(Problem(self.path, parameter.line, f"parameter {parameter.name}: {said}"))

    def _kind_wrong(self, parameter: Parameter) -> str:
        if self.language is Language.SQL:
            if parameter.variable:
                return "env is for scripts; SQL has no environment"
            return _query_wrong(parameter.query) if parameter.query else ""
        if parameter.query:
            return "a query runs on databases, and these steps on hosts; give options"
        return environment_wrong(parameter.variable) if parameter.variable else ""

    def _unused(self, steps: list[Step]) -> None:
        used = {piece.parameter for step in steps for piece in step.pieces if isinstance(piece, Slot)} | self.idle
        for name, parameter in self.parameters.items():
            if name not in used and not parameter.variable:
                self.problems.append(Problem(self.path, parameter.line, f"parameter {name} is not used by any step"))
            elif parameter.pattern and not self.front and not parameter.pattern.startswith("^"):
                said = f"the pattern of {name} must match the whole value here; elsewhere it may have matched a part"
                self.notes.append(Problem(self.path, parameter.line, said, "note"))

    # ------------------------------------------------------------------------------------------------ steps

    def _steps(self, body: str, body_line: int) -> list[Step]:
        marks = list(_STEP.finditer(body))
        before = body[: marks[0].start()] if marks else body
        steps = [
            Step(f"Step {number}" if marks or number > 1 else "", Part.RUN, self._checked(piece), piece.line)
            for number, piece in enumerate(cut_statements(before, body_line, self._place), 1)
        ]
        if marks and steps:
            raise Wrong("a statement stands before the first -- step:", steps[0].line)
        for number, mark in enumerate(marks):
            end = marks[number + 1].start() if number + 1 < len(marks) else len(body)
            line = body_line + body.count("\n", 0, mark.start())
            found = cut_statements(body[mark.end() : end], body_line + body.count("\n", 0, mark.end()), self._place)
            if len(found) != 1:
                raise Wrong(f"a step is one statement; this has {len(found)}", line)
            part = Part(mark[1].lower().replace("-", " ").replace("step", Part.RUN.value))
            steps.append(Step(mark[2] or f"Step {number + 1}", part, self._checked(found[0]), line))
        return steps

    def _scripts(self, body: str, body_line: int) -> list[Step]:
        """The steps of a shell runbook. hoop's own files are one script each, whatever their comments say."""
        marks = list(_SHELL_STEP.finditer(body)) if self.front else []
        if not marks:
            return [self._script("", Part.RUN, body, body_line)]
        if any(line.strip() and not line.lstrip().startswith("#") for line in body[: marks[0].start()].splitlines()):
            raise Wrong("a command stands before the first # step:", body_line)
        steps: list[Step] = []
        for number, mark in enumerate(marks):
            end = marks[number + 1].start() if number + 1 < len(marks) else len(body)
            line = body_line + body.count("\n", 0, mark.start())
            text = body[mark.end() : end]
            part = Part(mark[1].lower().replace("-", " ").replace("step", Part.RUN.value))
            steps.append(self._script(mark[2] or f"Step {number + 1}", part, text, line))
        return steps

    def _script(self, title: str, part: Part, text: str, line: int) -> Step:
        pieces, idle = cut_script(text.rstrip(), line, self._place_in_script)
        for action, at in idle:
            name = self._of(action, at).name
            self.idle.add(name)
            said = f"{name} stands in a comment: it is checked and goes nowhere"
            self.notes.append(Problem(self.path, at, said, "note"))
        reread = reread_line(pieces)
        if reread and any(isinstance(piece, Slot) for piece in pieces):
            reread += line - 1
            said = (
                "computed text is read again as commands here, so values may only have letters, digits and _./:@%+=,-"
            )
            self.notes.append(Problem(self.path, reread, said, "note"))
        first = pieces[0] if pieces else ""
        pieces = (first.lstrip("\n"), *pieces[1:]) if isinstance(first, str) else pieces
        return Step(title, part, pieces, line, reread)

    def _checked(self, piece: Piece) -> Pieces:
        """PostgreSQL's own grammar must take it, whatever the words are."""
        shown = "".join(self._sample(p) if isinstance(p, Slot) else p for p in spaced(piece.pieces))
        try:
            parsed = pgparse.parse(shown)
        except (pgparse.PGQueryError, RecursionError, ValueError) as error:
            words = str(error.args[0] if error.args else error)
            raise NotSql(f"not a statement PostgreSQL understands: {words[:120]}", piece.line) from None
        kinds = {kind for statement in parsed for kind in statement["stmt"]}
        if kinds & {"TransactionStmt", "VariableSetStmt", "PrepareStmt", "ExecuteStmt", "DeclareCursorStmt"}:
            said = "steps run one by one, each in a transaction of its own: no BEGIN, COMMIT, SET, PREPARE or cursors"
            raise NotSql(said, piece.line)
        return piece.pieces

    def _sample(self, slot: Slot) -> str:
        if slot.use is Use.BIND:
            return "$1"
        options = self.parameters[slot.parameter].options
        return options[0] if slot.use is Use.WORD else '"x"'

    # ------------------------------------------------------------------------------------------------ the rest

    def _runbook(self, keys: dict[str, Node], steps: list[Step]) -> Runbook:
        name = name_of(self.path)
        ordered = sorted(self.parameters.values(), key=lambda one: (one.order, one.line))
        runbook = Runbook(
            name=name,
            path=self.path,
            title=text(keys["title"])
            if "title" in keys
            else name.rpartition("/")[2].replace("-", " ").replace("_", " "),
            steps=tuple(replace(step, title=step.title or name.rpartition("/")[2]) for step in steps),
            language=self.language,
            parameters=tuple(ordered),
            description=text(keys["description"]) if "description" in keys else "",
            documentation=text(keys["documentation"]) if "documentation" in keys else "",
            resource=text(keys["resource"]) if "resource" in keys else "",
            labels=_labels(keys["labels"]) if "labels" in keys else {},
            approvers=texts(keys["approvers"]) if "approvers" in keys else (),
            flow=text(keys["flow"]) if "flow" in keys else "",
            owners=texts(keys["owners"]) if "owners" in keys else (),
        )
        if "schedule" in keys:
            runbook = replace(runbook, schedule=boolean(keys["schedule"]))
        if "timeout" in keys:
            runbook = replace(runbook, timeout=_duration(keys["timeout"]))
        if "lock" in keys:
            runbook = replace(runbook, lock=self._lock(keys["lock"]))
        return runbook

    def _lock(self, node: Node) -> Pieces:
        """A text in which `{{ .name }}` stands for a value: runs with the same text do not run beside each other."""
        said = text(node).replace("'", "")
        return cut_statements(f"'{said}'", node.line, self._place)[0].pieces


def _whole_secret(parameter: Parameter, action: Action, line: int) -> None:
    """A secret is put in its place as it is: nothing is made of its name. Raises Wrong."""
    if parameter.kind is Kind.SECRET and (action.has("encodeb64") or action.has("decodeb64")):
        raise Wrong(f"{parameter.name} is a secret: it is given as it is", line)


def _query_wrong(query: str) -> str:
    """A query that lists options is one plain SELECT without parameters, of one column."""
    try:
        found = pgparse.parse(query)
    except (pgparse.PGQueryError, RecursionError, ValueError):
        return "its query is not SQL"
    select = found[0]["stmt"].get("SelectStmt") if len(found) == 1 else None
    if select is None or "{{" in query or "intoClause" in select:
        return "its query must be one SELECT without parameters"
    return "" if len(select.get("targetList", [])) == 1 else "its query must have one column"


def spaced(pieces: Pieces) -> Pieces:
    """A blank where a number or name would run into what stands beside it."""
    out: list[str | Slot] = []
    for piece in pieces:
        after = bool(out) and not (isinstance(out[-1], str) and not _joins(out[-1][-1:]))
        if (
            after
            and (isinstance(piece, Slot) or _joins(piece[:1]))
            and (isinstance(piece, Slot) or isinstance(out[-1], Slot))
        ):
            out.append(" ")
        out.append(piece)
    return tuple(out)


def _joins(char: str) -> bool:
    return char.isalnum() or char in {"_", "$", '"'}


def _known(given: dict[str, Node]) -> dict[str, Node]:
    for key, node in given.items():
        if key not in _KEYS:
            raise Wrong(f"there is no {key[:40]}; there are {', '.join(sorted(_KEYS))}", node.line)
    if "resource" in given and "labels" in given:
        raise Wrong("give resource or labels, not both", given["labels"].line)
    return given


def _labels(node: Node) -> dict[str, str]:
    if not isinstance(node.value, dict) or not node.value:
        raise Wrong("labels: give them as name: value", node.line)
    return {name: text(value) for name, value in node.value.items()}


def _duration(node: Node) -> timedelta:
    found = duration_of(text(node))
    if found is None or found > _LONGEST_TIMEOUT:
        raise Wrong("a timeout is 30s, 5m or 2h, at most 4h", node.line)
    return found
