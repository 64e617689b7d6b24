"""What settings are made of: names, durations, secret references, windows of the day."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from access.durations import duration_of

_NAME = re.compile(r"\A[a-z0-9][a-z0-9_.-]{0,62}\Z")
_SECRET = re.compile(r"\A(env|file|cmd):.+\Z", re.DOTALL)


def parse_duration(value: object) -> timedelta:
    """`30m`, `2h`, `1d`, `90s` → timedelta. Raises ValueError for anything else, zero included."""
    found = duration_of(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a duration such as 30m, 2h or 1d")
    return found


def _duration_in(value: object) -> object:
    return value if isinstance(value, timedelta) else parse_duration(value)


def _duration_or_zero(value: object) -> object:
    zero = (isinstance(value, str) and value in {"0", "0s", "0m"}) or (value == 0 and isinstance(value, int))
    return timedelta(0) if zero and not isinstance(value, bool) else _duration_in(value)


def no_bool(value: object) -> object:
    """YAML reads `yes` and `on` as true, which would count as 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic collects ValueError
    return value


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError(
            "must be lower-case letters, digits, '-', '_' or '.', at most 63, starting with a letter or digit"
        )
    return value


def _secret(value: str) -> str:
    if not _SECRET.match(value):
        raise ValueError("must be a secret reference (env:NAME, file:PATH or cmd:COMMAND), never the secret itself")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be a time zone such as Europe/Berlin") from None
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration_in),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(s|m|h|d)$", "examples": ["30m", "2h", "1d"]}),
]
DurationOrZero = Annotated[
    timedelta,
    BeforeValidator(_duration_or_zero),
    WithJsonSchema({"type": "string", "pattern": r"^(0|\d+(s|m|h|d))$", "examples": ["3m", "0s"]}),
]
Name = Annotated[str, AfterValidator(_name)]
SecretRef = Annotated[str, AfterValidator(_secret)]
Port = Annotated[int, BeforeValidator(no_bool), Field(ge=0, le=65535)]
Verdict = Literal["allow", "hold", "deny"]
ClockTime = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Zone = Annotated[str, AfterValidator(_zone)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, defaults are checked, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
