"""Parameters as files declare them: in the front matter, or function by function in the template. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from runbooks.frontmatter import Node
from runbooks.model import Kind, Parameter
from runbooks.pipeline import Action
from runbooks.values import declared_wrong

NAME = re.compile(r"\A[a-z][a-z0-9_]{0,40}\Z", re.IGNORECASE)

#: `type` in a template → our kind. `password` has none: a secret does not travel through chat.
TYPES = {
    "text": Kind.TEXT,
    "textarea": Kind.LINES,
    "number": Kind.DECIMAL,
    "tel": Kind.TEXT,
    "time": Kind.TIME,
    "date": Kind.DATE,
    "datetime-local": Kind.DATETIME,
    "url": Kind.URL,
    "email": Kind.EMAIL,
    "select": Kind.ENUM,
}
_TEL = r"\+?[0-9 ()./-]{3,30}"
#: Functions that say something about the parameter; the others about its place.
DECLARING = frozenset(
    {
        "required",
        "default",
        "pattern",
        "type",
        "options",
        "minlength",
        "maxlength",
        "order",
        "description",
        "placeholder",
    }
)


class Wrong(Exception):
    """What is wrong with a declaration, on its line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def from_template(action: Action, line: int) -> Parameter:
    """The parameter that a template declares where it uses it. Raises Wrong."""
    if not NAME.match(action.name):
        raise Wrong(f"{action.name[:41]} is not a name: letters, digits and _, starting with a letter", line)
    parameter = Parameter(action.name, required=False, line=line)
    for call in action.calls:
        argument = call.arguments[0] if call.arguments else ""
        match call.function:
            case "required":
                parameter = replace(parameter, required=True, missing=argument)
            case "default":
                parameter = replace(parameter, default=argument)
            case "pattern":
                parameter = replace(parameter, pattern=argument)
            case "options":
                parameter = replace(parameter, kind=Kind.ENUM, options=call.arguments)
            case "minlength" | "maxlength":
                parameter = _bounded(parameter, call.function, whole(argument, line, call.function))
            case "order":
                parameter = replace(parameter, order=whole(argument, line, "order"))
            case "description":
                parameter = replace(parameter, description=argument)
            case "placeholder":
                parameter = replace(parameter, example=argument)
            case "type":
                parameter = _typed(parameter, argument, line)
            case _:
                continue
    checked(parameter)
    return parameter


def _bounded(parameter: Parameter, which: str, length: int) -> Parameter:
    return replace(parameter, min_length=length) if which.startswith("min") else replace(parameter, max_length=length)


def _typed(parameter: Parameter, name: str, line: int) -> Parameter:
    if name in {"password", "file"}:
        raise Wrong(f"a {name} does not travel through chat; take the parameter out", line)
    if name not in TYPES:
        raise Wrong(f"there is no type {name[:40]}; there are {', '.join(TYPES)}", line)
    if parameter.options:
        return parameter
    pattern = parameter.pattern or (_TEL if name == "tel" else "")
    return replace(parameter, kind=TYPES[name], pattern=pattern)


def checked(parameter: Parameter) -> None:
    """Raises Wrong when no value could ever be right."""
    wrong = declared_wrong(parameter)
    if wrong:
        raise Wrong(f"parameter {parameter.name}: {wrong}", parameter.line)


def whole(text: str, line: int, what: str) -> int:
    """A whole number. Raises Wrong."""
    if not re.match(r"\A(?:0|[1-9][0-9]{0,5})\Z", text):  # 010 is 8 to some who read YAML and 10 to others
        raise Wrong(f"{what} is a whole number, not {text[:20]}", line)
    return int(text)


# ------------------------------------------------------------------------------------------------ front matter

_KEYS = {
    "type", "required", "default", "description", "example", "options", "query", "env", "pattern", "min", "max",
    "min_length", "max_length",
}  # fmt: skip


def from_front_matter(name: str, node: Node, order: int) -> Parameter:
    """One entry of `parameters`. Raises Wrong."""
    if not NAME.match(name):
        raise Wrong(f"{name[:41]} is not a name: letters, digits and _, starting with a letter", node.line)
    if not isinstance(node.value, dict):
        raise Wrong(f"parameter {name}: give at least its type", node.line)
    given = node.value
    for key in given:
        if key not in _KEYS:
            raise Wrong(
                f"parameter {name}: there is no {key[:40]}; there are {', '.join(sorted(_KEYS))}",
                node.keys.get(key, node.line) if node.keys else node.line,
            )
    kind = _kind(name, given.get("type"))
    parameter = Parameter(
        name,
        kind,
        required=boolean(given["required"]) if "required" in given else "default" not in given,
        default=text(given["default"]) if "default" in given else None,
        description=text(given["description"]) if "description" in given else "",
        example=text(given["example"]) if "example" in given else "",
        options=texts(given["options"]) if "options" in given else (),
        query=text(given["query"]).strip().rstrip(";") if "query" in given else "",
        variable=text(given["env"]) if "env" in given else "",
        pattern=text(given["pattern"]) if "pattern" in given else "",
        minimum=text(given["min"]) if "min" in given else "",
        maximum=text(given["max"]) if "max" in given else "",
        order=order,
        line=node.line,
    )
    for key in ("min_length", "max_length"):
        if key in given:
            parameter = _bounded(parameter, key, whole(text(given[key]), given[key].line, key))
    checked(parameter)
    return parameter


def _kind(name: str, node: Node | None) -> Kind:
    if node is None:
        return Kind.TEXT
    word = text(node)
    if word in {"password", "file"}:
        raise Wrong(
            f"parameter {name}: a {word} does not travel through chat; a secret is given by its name", node.line
        )
    if word not in set(Kind):
        raise Wrong(f"parameter {name}: there is no type {word[:40]}; there are {', '.join(Kind)}", node.line)
    return Kind(word)


def text(node: Node) -> str:
    """A single value. Raises Wrong."""
    if not isinstance(node.value, str) or node.null:
        raise Wrong("a single value is wanted here", node.line)
    return node.value


def texts(node: Node) -> tuple[str, ...]:
    """A list of single values (or one). Raises Wrong."""
    if isinstance(node.value, list):
        return tuple(text(item) for item in node.value)
    return (text(node),)


def boolean(node: Node) -> bool:
    """`true` or `false`, nothing else: YAML's `yes`, `on` and `y` are words. Raises Wrong."""
    word = text(node)
    if word not in {"true", "false"}:
        raise Wrong(f"write true or false, not {word[:20]}", node.line)
    return word == "true"
