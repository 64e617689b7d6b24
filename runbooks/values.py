"""Values of parameters: from what a person typed to the one canonical text that is bound, or a reason why not. Pure.

Every check runs on the server, from the pinned file, at every run: what a form allowed is never trusted. Patterns are
RE2 and always match the whole value.
"""

from __future__ import annotations

import ipaddress
import json
import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

import re2

from runbooks.model import NOBODY, Kind, Known, Parameter

LONGEST = 10_000
_INTEGER = re.compile(r"\A-?[0-9]{1,19}\Z")
_DECIMAL = re.compile(r"\A-?[0-9]{1,40}(\.[0-9]{1,40})?\Z")
_EMAIL = re.compile(
    r"\A[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?){1,8}\Z"
)
_TABLE = re.compile(r"\A[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?\Z")
#: What a secret may be called.
SECRET_NAME = r"^[A-Za-z][A-Za-z0-9]{0,31}(?:[/_.:@-][A-Za-z0-9]{1,32}){0,12}$"  # noqa: S105 - how one is called
_SECRET_NAME = re.compile(SECRET_NAME.replace("^", r"\A").replace("$", r"\Z"))
#: The beginnings of well-known tokens; words of hexadecimal or mixed characters that nobody would give as a name.
_SECRET_ITSELF = re.compile(
    r"\A(?:AKIA|ASIA|ghp_|gho_|ghs_|github_pat|glpat-|xox[abprs]-|sk-|sk_live|rk_live|eyJ|AIza|hvs\.|npm_|dop_v1|SG\.)"
    r"|[0-9a-fA-F]{24,}|(?=[A-Za-z0-9]*[0-9])(?=[A-Za-z0-9]*[a-z])(?=[A-Za-z0-9]*[A-Z])[A-Za-z0-9]{20,}"
)
_BIGGEST = 2**63
_QUIET = re2.Options()
_QUIET.log_errors = False  # they are told on their line, not on the error output
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


class Refused(Exception):
    """The value is not acceptable; the message says what would be and never repeats the value."""


def accept(parameter: Parameter, typed: str | None, known: Known = NOBODY) -> str | None:
    """The canonical value, or None for an optional parameter that was left out. Raises Refused.

    Options that a query lists are checked where the query runs: as the first step of the run.
    """
    text = (typed or "").strip() if parameter.kind is not Kind.LINES else (typed or "")
    if not text:
        text = parameter.default or ""
    if not text:
        if parameter.required:
            raise Refused(parameter.missing or "This is needed.")
        return None
    _plain(parameter.kind, text)
    value = _PARSERS[parameter.kind](parameter, text)
    if parameter.kind is Kind.PERSON and value not in known.people:
        raise Refused("Nobody active goes by that name; use the person's wire name.")
    if parameter.kind is Kind.RESOURCE and value not in known.resources:
        raise Refused("There is no such resource.")
    if parameter.kind is Kind.SECRET and value not in known.secrets:
        raise Refused("There is no such secret for you in this runbook.")
    if parameter.options and parameter.kind is not Kind.LIST and value not in parameter.options:
        raise Refused(f"It is one of {', '.join(parameter.options[:20])}.")
    if parameter.kind is not Kind.LIST:
        _length(parameter, value)
        _pattern(parameter, value)
    return value


def _plain(kind: Kind, text: str) -> None:
    """No control, hidden or bidirectional characters: what is shown is what runs."""
    if len(text) > LONGEST:
        raise Refused(f"At most {LONGEST:,} characters.")
    allowed = frozenset("\n\t") if kind is Kind.LINES else frozenset()
    for char in text:
        if char not in allowed and (unicodedata.category(char) in _HIDDEN or char in _ODD):
            name = unicodedata.name(char, f"U+{ord(char):04X}")
            where = "line breaks, tabs" if char in "\n\r\t" else f"the character {name}"
            raise Refused(f"It must not contain {where}.")


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ODD = frozenset("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


def _pattern(parameter: Parameter, value: str) -> None:
    if parameter.pattern and re2.fullmatch(parameter.pattern, value, _QUIET) is None:
        raise Refused(f"The whole value must match {parameter.pattern}.")


def _length(parameter: Parameter, value: str) -> None:
    if len(value) < parameter.min_length:
        raise Refused(f"At least {parameter.min_length} characters.")
    if len(value) > parameter.max_length:
        raise Refused(f"At most {parameter.max_length} characters.")


def _integer(parameter: Parameter, text: str) -> str:
    if not _INTEGER.match(text):
        raise Refused("It is a whole number, in digits.")
    number = int(text)
    if not -_BIGGEST <= number < _BIGGEST:
        raise Refused("That number is too large.")
    _within(parameter, number, int)
    return str(number)


def _decimal(parameter: Parameter, text: str) -> str:
    if not _DECIMAL.match(text):
        raise Refused("It is a number such as 12.50.")
    number = Decimal(text)
    _within(parameter, number, Decimal)
    return format(number, "f")


def _boolean(_: Parameter, text: str) -> str:
    if text.lower() in _TRUE:
        return "true"
    if text.lower() in _FALSE:
        return "false"
    raise Refused("It is yes or no.")


def _date(parameter: Parameter, text: str) -> str:
    try:
        if not re.match(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z", text):
            raise ValueError
        found = date.fromisoformat(text)
    except ValueError:
        raise Refused("It is a date such as 2026-11-20.") from None
    _within(parameter, found, date.fromisoformat)
    return found.isoformat()


def _time(parameter: Parameter, text: str) -> str:
    try:
        if not re.match(r"\A[0-9]{2}:[0-9]{2}(:[0-9]{2})?\Z", text):
            raise ValueError
        found = time.fromisoformat(text)
    except ValueError:
        raise Refused("It is a time such as 17:30.") from None
    _within(parameter, found, time.fromisoformat)
    return found.isoformat()


def _datetime(parameter: Parameter, text: str) -> str:
    try:
        if not re.match(
            r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})\Z", text
        ):
            raise ValueError
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("It is a moment with its zone, such as 2026-11-20T17:30Z or 2026-11-20 17:30+01:00.") from None
    _within(parameter, found, datetime.fromisoformat)
    return found.isoformat()


def _within(parameter: Parameter, value: object, read: Callable[[str], object]) -> None:
    if parameter.minimum and value < read(parameter.minimum):  # type: ignore[operator]
        raise Refused(f"At least {parameter.minimum}.")
    if parameter.maximum and value > read(parameter.maximum):  # type: ignore[operator]
        raise Refused(f"At most {parameter.maximum}.")


def _email(_: Parameter, text: str) -> str:
    if len(text) > 254 or ".." in text or not _EMAIL.match(text):
        raise Refused("It is one e-mail address such as ada@example.com.")
    return text


def _url(_: Parameter, text: str) -> str:
    wrong = "It is an address that starts with https:// or http://, without a password and without blanks."
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused(wrong) from None
    bad = any(char.isspace() or char in "\"'<>\\^`{|}" for char in text)
    if parts.scheme not in {"https", "http"} or parts.username is not None or bad or not _host(host) or port == 0:
        raise Refused(wrong)
    return text


def _host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(re.match(r"\A[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z", host)) and ".." not in host
    return True


def _as_it_is(_: Parameter, text: str) -> str:
    return text


def _table(_: Parameter, text: str) -> str:
    if not _TABLE.match(text):
        raise Refused("It is a table such as orders or public.orders, in lower case.")
    return text


def _name(_: Parameter, text: str) -> str:
    if not _TABLE.match(text) or "." in text:
        raise Refused("It is one name in lower-case letters, digits and _.")
    return text


def _secret(_: Parameter, text: str) -> str:
    """A name such as `billing/api-token`. What looks like a secret itself is refused, and never repeated."""
    if not _SECRET_NAME.match(text) or _SECRET_ITSELF.search(text):
        raise Refused("It is the name of a secret such as billing/api-token, never the secret itself.")
    return text


def _list(parameter: Parameter, text: str) -> str:
    """Comma-separated; canonical is a JSON list of strings, bound as a PostgreSQL array."""
    items = [item.strip() for item in text.split(",")]
    if any(not item for item in items):
        raise Refused("Separate the values with single commas.")
    if len(items) > parameter.max_length:
        raise Refused(f"At most {parameter.max_length} values.")
    for item in items:
        if parameter.options and item not in parameter.options:
            raise Refused(f"Each is one of {', '.join(parameter.options[:20])}.")
        _pattern(parameter, item)
    return json.dumps(items, ensure_ascii=False)


_PARSERS: dict[Kind, Callable[[Parameter, str], str]] = {
    Kind.TEXT: _as_it_is,
    Kind.LINES: _as_it_is,
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.DATETIME: _datetime,
    Kind.EMAIL: _email,
    Kind.URL: _url,
    Kind.ENUM: _as_it_is,
    Kind.TABLE: _table,
    Kind.NAME: _name,
    Kind.PERSON: _as_it_is,
    Kind.RESOURCE: _as_it_is,
    Kind.SECRET: _secret,
    Kind.LIST: _list,
}


def declared_wrong(parameter: Parameter) -> str:
    """What is wrong with a declaration itself: an impossible pattern, bound, option or default; empty if nothing."""
    if parameter.kind is Kind.ENUM and not parameter.options and not parameter.query:
        return "an enum needs its options, or a query that lists them"
    if parameter.query and (parameter.kind is not Kind.ENUM or parameter.options):
        return "a query lists the options of an enum that has no others"
    if parameter.query and not parameter.required:
        return "a query checks its value, so the parameter must be required"
    if parameter.min_length > parameter.max_length:
        return "its shortest is longer than its longest"
    if len(set(parameter.options)) != len(parameter.options):
        return "an option is listed twice"
    try:
        re2.compile(parameter.pattern, _QUIET)
    except re2.error:
        return f"{parameter.pattern} is not a valid RE2 pattern"
    for bound in (parameter.minimum, parameter.maximum):
        if bound and parameter.kind not in _BOUNDED:
            return f"a {parameter.kind.value} has no minimum or maximum; use min_length, max_length or pattern"
        if bound and re.match(r"\A-?0[0-9]", bound) and parameter.kind in {Kind.INTEGER, Kind.DECIMAL}:
            return f"write the bound {bound} without the zeros in front"
        if bound:
            try:
                _PARSERS[parameter.kind](Parameter(parameter.name, parameter.kind), bound)
            except (Refused, InvalidOperation):
                return f"the bound {bound} is not a {parameter.kind.value}"
    if parameter.minimum and parameter.maximum and _above(parameter):
        return "its least is more than its most"
    if parameter.default and parameter.kind not in {Kind.PERSON, Kind.RESOURCE, Kind.SECRET}:
        try:
            accept(parameter, parameter.default)
        except Refused as refused:
            return f"the default is not acceptable: {refused}"
    return ""


def _above(parameter: Parameter) -> bool:
    """Whether no value can be between the bounds."""
    try:
        accept(Parameter(parameter.name, parameter.kind, minimum=parameter.minimum), parameter.maximum)
    except Refused:
        return True
    return False


_BOUNDED = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.DATE, Kind.TIME, Kind.DATETIME})
