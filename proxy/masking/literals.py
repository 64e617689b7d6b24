"""The rendering of a statement that may leave to people: literals masked, hidden characters visible, cut at a limit."""

from __future__ import annotations

import re
import struct
import unicodedata
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from access.masking import Masked, declare_masked
from proxy.masking import sqltext
from proxy.masking.messages import Mask
from proxy.masking.rules import Rules
from proxy.masking.strategies import REDACTED, looks_masked
from proxy.masking.types import Kind, kind_of
from proxy.sql.catalog import Catalog
from proxy.sql.lineage import Lineage, trace
from proxy.sql.lineage_notes import SHORT_NUMBER, constants
from proxy.sql.parse import Parsed

#: Characters of a statement a card can show.
SHOWN_LIMIT = 2_800

#: Statements whose literals are passwords and connection strings.
_SECRET_STATEMENTS = frozenset({
    "AlterRoleStmt", "AlterRoleSetStmt", "AlterSubscriptionStmt", "AlterUserMappingStmt", "CreateForeignServerStmt",
    "CreateRoleStmt", "CreateSubscriptionStmt", "CreateUserMappingStmt", "AlterForeignServerStmt",
})  # fmt: skip
#: What is not seen in ASCII; line ends and tabs stay.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
#: Characters that look like nothing although their category says otherwise.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


@dataclass(frozen=True, slots=True)
class Shown:
    """`complete` is True only when nothing was masked, cut or made visible: then Approve may stand on the card.

    `protected_parameters` are the numbers ($1 = 1) of bind parameters that stand against protected columns.
    """

    text: Masked
    complete: bool
    protected_parameters: frozenset[int] = frozenset()


@dataclass(slots=True)
class Standing:
    """What stands against protected columns: literals by byte offset, parameters by number.

    `doubtful` are literals that stand alone in a statement that tests protected columns somewhere.
    """

    literals: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)
    parameters: set[int] = field(default_factory=set)
    every: bool = False

    def hides(self, part: sqltext.Part) -> Hides:
        """How much of a token must not be seen."""
        if part.start in self.literals:
            return Hides.ALL
        return Hides.LONG if self.every or part.start in self.doubtful else Hides.NOTHING


class Hides(Enum):
    """LONG: strings, and numbers that are not short; ALL: those, too."""

    NOTHING = 0
    LONG = 1
    ALL = 2


def rendered(text: str, found: Standing, mask: Mask) -> Shown:
    """The channel rendering of a text (DESIGN: what is shown is what runs), by what in it stands against protected columns."""
    masked = _rendered(text.encode("utf-8", "replace"), found, mask)
    return finished(text, masked, frozenset(found.parameters))


def finished(text: str, masked: str, parameters: frozenset[int]) -> Shown:
    """A text with its literals masked as people may see it."""
    visible = make_visible(masked)
    complete = visible == text and len(visible) <= SHOWN_LIMIT
    if len(visible) > SHOWN_LIMIT:
        visible = visible[: SHOWN_LIMIT - 1] + "…"
    return Shown(declare_masked(visible), complete, parameters)


def between(before: str, shown: Shown, after: str, mask: Mask) -> Shown | None:
    """The rendering of a text between comments; None when it would have to be cut."""
    ends = [finished(piece, _rendered(piece.encode(), Standing(), mask), frozenset()) for piece in (before, after)]
    text = f"{ends[0].text}{shown.text}{ends[1].text}"
    if len(text) > SHOWN_LIMIT:
        return None
    complete = shown.complete and all(one.complete for one in ends)
    return Shown(declare_masked(text), complete, shown.protected_parameters)


def without_literals(text: str, mask: Mask) -> str:
    """A statement of somebody else, as the server's activity views quote it: no literal of it is shown."""
    return _rendered(text.encode("utf-8", "replace"), Standing(every=True), mask)


def carries_mask(text: str) -> bool:
    """Whether a literal of a statement is one of our masks: written back, it would destroy the real value."""
    encoded = text.encode("utf-8", "replace")
    strings = (encoded[part.start : part.end] for part in sqltext.parts(encoded) if part.kind == "string")
    return looks_masked(text) and any(looks_masked(one.decode("utf-8", "replace")) for one in strings)


def _rendered(encoded: bytes, found: Standing, mask: Mask) -> str:
    """The text with the contents of its tokens masked."""
    pieces: list[str] = []
    at = 0
    for part in sqltext.parts(encoded):
        inner = encoded[part.inner_start : part.inner_end].decode("utf-8", "replace")
        masked = token(part.kind, inner, found.hides(part), mask)
        if masked != inner:
            pieces += (encoded[at : part.inner_start].decode("utf-8", "replace"), masked)
            at = part.inner_end
    pieces.append(encoded[at:].decode("utf-8", "replace"))
    return "".join(pieces)


def _first_digit(text: bytes, at: int) -> int:
    """The parser places a negative number at its sign; the token starts behind it."""
    return len(text) - len(text[at:].lstrip(b"-+ \t\r\n")) if text[at : at + 1] in {b"-", b"+"} else at


def make_visible(text: str) -> str:
    """Control, format, bidirectional and other invisible characters as `⟨U+202E⟩`. Line ends and tabs stay."""
    if text.isascii():
        if text.isprintable():
            return text
        text = text.replace("\r\n", "\n")
        return _CONTROL.sub(lambda found: _visible(found[0]), text)
    return "".join(_visible(char) for char in text.replace("\r\n", "\n"))


def _visible(char: str) -> str:
    if char in "\n\t" or (char.isascii() and char.isprintable()):
        return char
    category = unicodedata.category(char)
    hidden = category in _INVISIBLE or char in _BLANK or (category == "Zs" and char != " ")
    variation = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return f"⟨U+{ord(char):04X}⟩" if hidden or variation else char


def token(kind: str, inner: str, hides: Hides, mask: Mask) -> str:
    """The content of one token as it may be shown."""
    if hides is not Hides.NOTHING and inner and kind in {"string", "number"}:
        short = kind == "number" and sum(char.isdigit() for char in inner) <= SHORT_NUMBER
        if hides is Hides.ALL or not short:
            return REDACTED
    masked = mask(inner)
    return REDACTED if kind == "number" and masked != inner else masked


# -- which literals stand against protected columns -----------------------------------------------------------------


def standing(
    encoded: bytes,
    parsed: Parsed,
    catalog: Catalog,
    search_path: Sequence[str],
    rules: Rules,
    lineage: Lineage | None = None,
) -> Standing:
    """What of a text (in UTF-8) stands against protected columns. `lineage` is that of its one statement, when somebody has it."""
    found = Standing()
    if parsed.error is not None:
        found.every = True
        return found
    for statement in parsed.statements:
        if statement.node in _SECRET_STATEMENTS:
            found.literals.update(_strings_in(parsed.text, statement.location, statement.length))
        if rules.protecting:
            _collect(lineage or trace({statement.node: statement.tree}, catalog, search_path), rules, found)
    if found.literals:
        found.literals = {_first_digit(encoded, at) for at in found.literals}
    if found.doubtful:
        found.doubtful = {_first_digit(encoded, at) for at in found.doubtful}
    return found


def _strings_in(text: str, location: int, length: int) -> Iterable[int]:
    parts = sqltext.parts(text.encode())
    return [part.start for part in parts if part.kind == "string" and location <= part.start < location + length]


def _collect(lineage: Lineage, rules: Rules, found: Standing) -> None:
    if not lineage.notes and not lineage.resolved:
        found.every = True
        return
    plain: list[Any] = []
    tested = False
    protects = rules.protects
    for node, taint in lineage.notes:
        touches = taint.touches
        if taint.unknown or (touches and protects(touches)):
            tested = True
            constants(node, found.literals, found.parameters)
        elif not touches:
            plain.append(node)
    if tested:
        for node in plain:
            constants(node, found.doubtful, set())


# -- bind parameters -------------------------------------------------------------------------------------------------

_BINARY_NUMBERS = {21: "!h", 23: "!i", 20: "!q", 700: "!f", 701: "!d", 26: "!I", 16: "!?"}
_UUID = 2950


def parameters(
    values: Sequence[bytes | None], type_oids: Sequence[int], formats: Sequence[int], shown: Shown, mask: Mask
) -> tuple[Masked | None, ...]:
    """See `Masker.parameters`."""
    result: list[Masked | None] = []
    for index, value in enumerate(values):
        type_oid = type_oids[index] if index < len(type_oids) else 0
        binary = (formats[index] if index < len(formats) else formats[0] if len(formats) == 1 else 0) == 1
        if value is None:
            result.append(None)
        elif index + 1 in shown.protected_parameters:
            result.append(declare_masked(REDACTED))
        else:
            text = _as_text(value, type_oid, binary)
            result.append(declare_masked(make_visible(mask(text))[:SHOWN_LIMIT]))
    return tuple(result)


def _as_text(value: bytes, type_oid: int, binary: bool) -> str:  # noqa: FBT001 - a wire format
    if not binary:
        return value.decode("utf-8", "replace")
    layout = _BINARY_NUMBERS.get(type_oid)
    if layout is not None and struct.calcsize(layout) == len(value):
        return str(struct.unpack(layout, value)[0]).lower()
    if type_oid == _UUID and len(value) == 16:
        return str(uuid.UUID(bytes=value))
    kind = kind_of(type_oid)
    if kind in {Kind.TEXT, Kind.JSON, Kind.XML}:
        return value.decode("utf-8", "replace")
    if kind is Kind.JSONB:
        return value[1:].decode("utf-8", "replace")
    return f"({len(value)} bytes in binary format)"
