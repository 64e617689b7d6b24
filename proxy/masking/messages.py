"""Errors, notices, notifications and parameters: the texts a server sends beside rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from proxy.masking.strategies import REDACTED

Mask = Callable[[str], str]

#: Fields of ErrorResponse that hold text somebody composed (protocol, "Error and Notice Message Fields").
_TEXTS = frozenset("MDHWq")
#: Codes and names; names (schema, table, column, type, constraint) are no data.
_KEPT = frozenset("SVCPpstcdnFLR")

#: Errors and notices whose own words repeat values, in words that do not. {n} and the like are name fields.
_GENERIC = {
    "21000": "a subquery or command returned more rows than one",
    "22001": "a value is too long for its type",
    "22003": "a number is out of range",
    "22007": "invalid format of a date or time",
    "22008": "a date or time is out of range",
    "22012": "division by zero",
    "22023": "invalid parameter value",
    "22P02": "invalid input syntax for a type",
    "22P03": "invalid binary representation",
    "22021": "invalid byte sequence for the encoding",
    "23502": 'null value in column "{c}" violates its not-null constraint',
    "23503": 'violates foreign key constraint "{n}"',
    "23505": 'duplicate key value violates unique constraint "{n}"',
    "23514": 'violates check constraint "{n}"',
    "23P01": 'conflicting key value violates exclusion constraint "{n}"',
    "25006": "cannot execute this in a read-only transaction",
    "25P02": "current transaction is aborted, commands ignored until end of transaction block",
    "40001": "could not serialize access",
    "40P01": "deadlock detected",
    "42501": "permission denied",
    "42601": "syntax error",
    "42703": "a column does not exist",
    "42883": "a function or operator does not exist",
    "42P01": "a relation does not exist",
    "55P03": "could not obtain a lock",
    "57014": "canceling statement due to user request or time-out",
    "57P01": "terminating connection due to administrator command",
    "P0001": "an error was raised by a function",
}
_WITHHELD = "The server's own words are withheld: the statement touches protected columns."

#: Parameters whose values the server chooses from its own vocabulary.
_FIXED_PARAMETERS = frozenset({
    "server_version", "server_encoding", "client_encoding", "datestyle", "intervalstyle", "integer_datetimes",
    "is_superuser", "standard_conforming_strings", "in_hot_standby", "default_transaction_read_only",
    "scram_iterations", "session_authorization",
})  # fmt: skip

#: What a notification may say while columns are protected: numbers, uuids, nothing.
_HARMLESS_PAYLOAD = re.compile(r"[0-9]{0,20}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[+-]?\d{1,20}\.\d{1,20}")


def error(fields: Mapping[str, str], touched: bool, mask: Mask) -> dict[str, str]:  # noqa: FBT001 - a property of the statement
    """The fields as the client may see them; `touched` by the statement that caused them."""
    shown = {code: value for code, value in fields.items() if code in _KEPT}
    if not touched or _of_the_text(fields):
        return {code: shown[code] if code in shown else mask(value) for code, value in fields.items()}
    shown.pop("P", None)  # a position in a value tells about the value
    shown.pop("p", None)
    generic = _GENERIC.get(fields.get("C", ""), "the server reports a condition of this class")
    shown["M"] = generic.format_map(_Names(fields))
    if fields.keys() & (_TEXTS - {"M"}) or fields.get("M") != shown["M"]:
        shown["D"] = _WITHHELD
    return shown


def _of_the_text(fields: Mapping[str, str]) -> bool:
    """A syntax or name error found in the client's own text, before anything ran: it has a position and no context."""
    return fields.get("C", "")[:2] == "42" and "P" in fields and not fields.keys() & {"W", "q", "p"}


class _Names(dict[str, str]):
    """The name fields of an error, for the words that mention them."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__({code: fields.get(code, "?") for code in "stcdn"})


def parameter_status(name: str, value: str, touched: bool, mask: Mask) -> str:  # noqa: FBT001 - as in error
    """A free-text parameter can be set to any value by the statement that touches it."""
    if name.lower() in _FIXED_PARAMETERS:
        return value
    return REDACTED if touched else mask(value)


def notification(payload: str, protecting: bool, mask: Mask) -> str:  # noqa: FBT001 - the policy's word
    """Payloads come from anybody's trigger, often a whole row. While columns are protected only bare ids pass."""
    if protecting and not _HARMLESS_PAYLOAD.fullmatch(payload):
        return REDACTED
    return mask(payload)
