"""The three ways things go wrong. More kinds never paid off; the message does the work.

Every message says what was attempted on what and why it failed; `hint` says what the reader can do next.
Neither ever contains a secret or data of a protected target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType


def many(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun: `1 problem`, `2 problems`, `no rules`."""
    return f"{count or 'no'} {noun if count == 1 else plural or noun + 's'}"


def listed(problems: Sequence[object], where: str) -> str:
    """All that is wrong somewhere, each in a line of its own."""
    return "\n  ".join((f"{many(len(problems), 'problem')} in {where}:", *map(str, problems)))


class HoopError(Exception):
    """Base of the errors whose text may be shown to a person."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class Denied(HoopError):
    """The person (or agent) may not do this. `rule` names the policy rule or built-in that said so."""

    def __init__(self, message: str, *, rule: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rule = rule


class Invalid(HoopError):
    """The input is wrong. `field` names the part of a form, file or message that must change, `others` what is wrong with
    further parts of the same input."""

    def __init__(
        self, message: str, *, field: str = "", hint: str = "", others: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(message, hint=hint)
        self.field = field
        self.others = others

    @property
    def errors(self) -> dict[str, str]:
        """All that is wrong, by field."""
        return {self.field: super().__str__(), **self.others}

    def __str__(self) -> str:
        return " ".join(self.errors.values())


def together(*found: Invalid | None) -> Invalid | None:
    """All that is wrong with one input as one error; of each field what was found first. None when nothing is. A refusal is no
    mistake of the input, and would be lost among them: it is not taken."""
    wrong = [one for one in found if one is not None]
    if not wrong:
        return None
    first = wrong[0]
    others = {name: said for one in reversed(wrong) for name, said in one.errors.items() if name != first.field}
    ordered = {name: others[name] for one in wrong for name in one.errors if name in others}
    return Invalid(first.message, field=first.field, hint=first.hint, others=ordered)


class Conflict(Invalid):
    """The state moved on: decided, expired, voted or used already. Says by whom or when."""


class Unavailable(HoopError):
    """Something this needs (store, upstream, disk, directory) does not answer. Nothing was done."""
