"""Statements that differ only in their literals: one skeleton, and proof of what was understood without their values.

Applications send the same few statements with other values. `form` cuts a text into its skeleton and its literals; it
refuses every text it does not wholly understand (comments that nest, dollar quotes, prefixed strings, backslashes).
`Hiding` takes the values of those literals out of a tree. Whatever looks at one notices: what was understood holds for
every statement of the same skeleton with the same values of the literals that were looked at, and of those that the
parser itself used (`float(24)`), which are not constants of the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from proxy.native import native
from proxy.sql.hidden import has_hidden_text
from proxy.sql.parse import ParsedStatement, has_long_run, parse

#: Longer texts and literals have no form (characters).
MAX_TEXT, MAX_LITERAL = 4096, 256

#: The statements that have a form: none of them depends on names that the session gives (prepared statements, cursors).
KINDS = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt"})

#: One class of characters stands in front, so that it is searched for fast; what it may be the beginning of comes behind.
#: The last two are what is not understood: an unfinished or prefixed quote, and anything of a doubtful meaning.
_TOKEN = re.compile(
    r"""['"0-9/$\\\x00\x80-\U0010ffff-](?:"""
    r"""(?<=')(?<![\w$&]')[^']*(?:''[^']*)*'(?!')(?P<string>)"""
    r"""|(?<=")(?<![\w$&]")[^"]*(?:""[^"]*)*"(?P<name>)"""
    r"""|(?<=[0-9])(?<![\w.$][0-9])[0-9]{0,17}(?![\w.$])(?P<integer>)"""
    r"""|(?<=[0-9])(?<![\w.$][0-9])[0-9]{0,17}\.[0-9]{1,18}(?![\w.$])(?P<decimal>)"""
    r"""|(?<=-)-[^\r\n]*(?P<line>)"""
    r"""|(?<=/)\*[^*/]*(?:\*(?!/)[^*/]*)*\*/(?P<block>)"""
    r"""|(?<=['"\\\x00\x80-\U0010ffff])(?P<doubtful>)"""
    r"""|(?<=/)\*(?P<open>)|(?<=\$)(?![0-9])(?P<dollar>)"""
    r")"
)
#: What may stand between: everything that the lexer reads the same whatever stands in a literal.
_SMALL, _LARGE = "0", "10000000000"
#: Numbers of up to as many digits are int4 for the parser; those of one more may be or not, as those with leading zeros.
_INT4_DIGITS = 9


#: A comment, as tracing tools put it at an end of a statement: printable ASCII in which no other begins or ends.
_COMMENT = r"/\*(?:[ -)+-.0-~]|/(?!\*)){0,1024}\*/"
_BEFORE = re.compile(rf"[ \t\n\r]*{_COMMENT}[ \t\n\r]*")
_BEGINS = re.compile(r"\s*(?:select|insert|update|delete|with)\b", re.IGNORECASE)
_AFTER = re.compile(rf"{_COMMENT}[ \t\n\r;]*")


class _Doubtful(Exception):
    """The text is not wholly understood."""


@dataclass(frozen=True, slots=True)
class Form:
    """`skeleton` is the text with a fixed literal of the same kind for every literal, `literals` are those of the text (with
    their quotes) and `starts` where they stand (characters)."""

    skeleton: str
    literals: tuple[str, ...] = field(repr=False)
    starts: tuple[int, ...]


def form(text: str) -> Form | None:
    """The form of a text; None when it has none: then it must be parsed and judged by itself."""
    if len(text) > MAX_TEXT:
        return None
    if native is None or not text.isascii():
        return form_here(text)
    found = native.form(text)
    return None if found is None else Form(*found)


def within(text: str) -> tuple[str, str, str] | None:
    """A text as what stands around it, and itself: comments at its ends, which may be others each time (a trace, a request).
    None when there are none, it is not certain where they begin, or nothing is won: what is left must look like one statement
    that has a form, without a comment of a line, so that nothing in it is open where it ends."""
    if len(text) > MAX_TEXT or "/*" not in text or has_long_run(text):
        return None
    first = _BEFORE.match(text)
    begin = first.end() if first is not None else 0
    end = text.rfind("/*")
    if end < begin or _AFTER.fullmatch(text, end) is None:
        end = len(text)
    core = text[begin:end]
    if len(core) == len(text) or "--" in core or ";" in core or not _BEGINS.match(core) or has_hidden_text(text):
        return None
    return text[:begin], core, text[end:]


def form_here(text: str) -> Form | None:
    """`form` in Python, of any text of at most `MAX_TEXT` characters: the twin of `_native_form.h`."""
    if has_hidden_text(text) or not _encodes(text):
        return None
    literals: list[str] = []
    starts: list[int] = []

    def mark(found: re.Match[str]) -> str:
        kind, token = found.lastgroup, found[0]
        if kind in _KEPT:
            return token
        if kind == "string":
            stands = "''"
        elif kind == "decimal":
            stands = "0.0"
        elif kind == "integer":
            if len(token) <= _INT4_DIGITS:
                stands = _SMALL
            elif len(token) > _INT4_DIGITS + 1 and token[0] != "0":
                stands = _LARGE
            else:
                return token
        else:
            raise _Doubtful
        if len(token) > MAX_LITERAL:
            raise _Doubtful
        literals.append(token)
        starts.append(found.start())
        return stands

    try:
        skeleton = _TOKEN.sub(mark, text)
    except _Doubtful:
        return None
    return Form(skeleton, tuple(literals), tuple(starts))


_KEPT = frozenset({"name", "line", "block"})


def _encodes(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeError:
        return False
    return True


class Given:
    """The value of a literal, in the place of its fields (`{"sval": "x"}`). Whoever looks at it is noticed."""

    __slots__ = ("fields", "seen")

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields
        self.seen = False

    def _look(self) -> Mapping[str, Any]:
        self.seen = True
        return self.fields

    def get(self, key: str, default: Any = None) -> Any:
        """As of the fields."""
        return self._look().get(key, default)

    def items(self) -> Any:
        """As of the fields."""
        return self._look().items()

    def keys(self) -> Any:
        """As of the fields."""
        return self._look().keys()

    def values(self) -> Any:
        """As of the fields."""
        return self._look().values()

    def __getitem__(self, key: str) -> Any:
        return self._look()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._look()

    def __iter__(self) -> Iterator[str]:
        return iter(self._look())

    def __len__(self) -> int:
        return len(self._look())

    def __bool__(self) -> bool:
        return bool(self._look())

    def __eq__(self, other: object) -> bool:
        mine = self._look()
        return bool(mine == (other._look() if isinstance(other, Given) else other))

    def __hash__(self) -> int:
        raise TypeError("the fields of a constant cannot be hashed")

    def __repr__(self) -> str:
        return repr(self._look())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self._look()),)


class Hiding:
    """Takes the values of the literals of `form` out of a tree, and puts them back (`with`). Nobody else may use it meanwhile.

    `places` are the literals that are constants of the tree, by the byte where they stand.
    """

    def __init__(self, form: Form, text: str, tree: Any) -> None:
        self._form = form
        self._hidden: dict[int, tuple[dict[str, Any], str, Given]] = {}
        encoded = text.encode()
        at = _bytes(text, form.starts)
        found: dict[int, tuple[dict[str, Any], str] | None] = {}
        for fields in _constants(tree):
            place = fields.get("location", 0)
            sign = encoded[place : place + 1] == b"-"
            start = _behind_sign(encoded, place) if sign else place
            kind = next((one for one in ("sval", "ival", "fval") if one in fields), "")
            index = at.get(start)
            if index is not None:
                same = kind and _value(fields[kind], kind) == _written(form.literals[index], kind, sign=sign)
                found[index] = (fields, kind) if same and index not in found else None
        for index, one in found.items():
            if one is not None:
                self._hidden[index] = (*one, Given(one[0][one[1]]))
        self.places: Mapping[int, int] = at

    def __enter__(self) -> Self:
        for fields, kind, given in self._hidden.values():
            fields[kind] = given
        return self

    def __exit__(self, *_: object) -> None:
        for fields, kind, given in self._hidden.values():
            fields[kind] = given.fields

    def looked_at(self) -> tuple[int, ...]:
        """The literals that what was understood depends on."""
        return tuple(
            index
            for index in range(len(self._form.literals))
            if index not in self._hidden or self._hidden[index][2].seen
        )


def _constants(tree: Any) -> list[dict[str, Any]]:
    """The constants anywhere in a tree."""
    found: list[dict[str, Any]] = []
    todo: list[Any] = [tree]
    while todo:
        one = todo.pop()
        for value in one if type(one) is list else one.values():
            if type(value) is dict:
                if "A_Const" in value:
                    found.append(value["A_Const"])
                elif "String" not in value:
                    todo.append(value)
            elif type(value) is list:
                todo.append(value)
    return found


def _bytes(text: str, starts: tuple[int, ...]) -> dict[int, int]:
    """The literals by the byte where they stand."""
    if text.isascii():
        return {start: index for index, start in enumerate(starts)}
    return {len(text[:start].encode()): index for index, start in enumerate(starts)}


def _behind_sign(encoded: bytes, at: int) -> int:
    """The parser places a negative number at its sign."""
    rest = encoded[at + 1 :]
    return at + 1 + len(rest) - len(rest.lstrip(b" \t\r\n"))


def _value(fields: Mapping[str, Any], kind: str) -> Any:
    return fields.get(kind, 0 if kind == "ival" else "")


def _written(token: str, kind: str, *, sign: bool) -> Any:
    """What the parser makes of a literal; None when it cannot be of this kind."""
    if token[0] == "'":
        return token[1:-1].replace("''", "'") if kind == "sval" and not sign else None
    if kind == "ival":
        return -int(token) if sign else int(token)
    return ("-" if sign else "") + token if kind == "fval" else None


T = TypeVar("T")


class FormMemory(Generic[T]):
    """What was understood of forms, and on which values it depends. Bounded: `most` things in all, then it starts anew. A form
    is learned when it comes a second time (`patience` times before that): much of what people type never comes again."""

    def __init__(self, forms: int = 256, each: int = 32, patience: int = 1, most: int = 1024) -> None:
        self._most, self._each, self._patience = forms, each, patience
        self._room_for, self._things = most, 0
        self._met: dict[str, int] = {}
        self._known: dict[str, dict[tuple[int, ...], dict[tuple[str, ...], T]]] = {}

    def find(self, form: Form) -> T | None:
        """What was kept for a text of this form in which the literals that mattered are the same."""
        found = self.found(form)
        return None if found is None else found[1]

    def found(self, form: Form) -> tuple[tuple[int, ...], T] | None:
        """`find`, with the places of the literals that mattered."""
        for looked_at, kept in self._known.get(form.skeleton, {}).items():
            found = kept.get(tuple([form.literals[index] for index in looked_at]))
            if found is not None:
                return looked_at, found
        return None

    def worthwhile(self, form: Form) -> bool:
        """Whether it makes sense to learn something about this form now: it came before, and nobody has given up on it."""
        known = self._known.get(form.skeleton)
        if known is None and self._patience:
            met = self._met.pop(form.skeleton, 0)
            if met < self._patience:
                if len(self._met) >= self._most:
                    self._met.pop(next(iter(self._met)))
                self._met[form.skeleton] = met + 1
                return False
        return known is None or sum(len(kept) for kept in known.values()) > 0

    def keep(self, form: Form, looked_at: tuple[int, ...], thing: T) -> None:
        """`thing` holds for all texts of this form with the same literals at these places."""
        if self._things >= self._room_for:
            self.clear()
        self._things += 1  # what was replaced or went away is not counted off
        known = self._room(form)
        kept = known.setdefault(looked_at, {})
        if len(kept) >= self._each:
            kept.pop(next(iter(kept)))
        kept[tuple([form.literals[index] for index in looked_at])] = thing

    def give_up(self, form: Form) -> None:
        """Nothing can be said about this form."""
        self._room(form).clear()

    def __len__(self) -> int:
        return sum(len(kept) for known in self._known.values() for kept in known.values())

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
        self._met.clear()
        self._things = 0

    def _room(self, form: Form) -> dict[tuple[int, ...], dict[tuple[str, ...], T]]:
        known = self._known.get(form.skeleton)
        if known is None:
            if len(self._known) >= self._most:
                self._known.pop(next(iter(self._known)))
            known = self._known[form.skeleton] = {}
        if len(known) >= self._each:
            known.pop(next(iter(known)))
        return known


class Unparsed(ParsedStatement):
    """The one statement of a text of a known form: it is parsed when somebody asks for more than its kind."""

    __slots__ = ("_whole",)
    _whole: str

    def __init__(self, node: str, whole: str) -> None:
        object.__setattr__(self, "node", node)
        object.__setattr__(self, "_whole", whole)

    def _parsed(self) -> ParsedStatement:
        return parse(self._whole).statements[0]

    @property
    def tree(self) -> dict[str, Any]:
        return self._parsed().tree

    @property
    def text(self) -> str:
        return self._parsed().text

    @property
    def location(self) -> int:
        return self._parsed().location

    @property
    def length(self) -> int:
        return self._parsed().length

    def __reduce__(self) -> tuple[Any, ...]:
        return ParsedStatement, (self.node, self.tree, self.text, self.location, self.length)
