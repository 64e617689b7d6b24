"""Secrets that a step of a runbook is given: put in their place on the way to the target, and kept out of what comes back.

What is judged, bound, recorded and shown has their names. A value is read for the one step that was consumed, after it was;
nothing but the message to the target holds it, and a detector of the session that masks it wherever it comes back.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from access.errors import Denied, HoopError, Unavailable
from access.ports import Secrets
from access.requests import Grant
from access.scopes import OfRunbook, SecretUse
from proxy.admission import Admitted, Bearer, Refusal
from proxy.masking.detectors_numbers import Span

if TYPE_CHECKING:
    from proxy.masking.context import Context

ENTITY = "runbook_secret"
#: Programs break base64 into lines; what is left of the last one must not hide ordinary words.
BASE64_LINE, SHORTEST = 76, 8
#: By name and runbook, the value. Raises Denied or Unavailable; may take seconds.
Reveal = Callable[[str, str], str]


@dataclass(slots=True)
class Revealed:
    """The values a session was given, as a detector (`proxy.masking.detectors.Detector`)."""

    entity: str = ENTITY
    _values: set[str] = field(default_factory=set, repr=False)
    _pattern: re.Pattern[str] | None = field(default=None, repr=False)

    def add(self, values: Iterable[str]) -> None:
        """Mask these from now on, also as they look in base64, hexadecimal, an address, JSON or a literal."""
        for value in values:
            self._values.update(_looks(value))
        longest_first = sorted(self._values, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def find(self, text: str, context: Context) -> Iterator[Span]:  # noqa: ARG002 - the interface
        """See `Detector`."""
        if self._pattern is not None:
            for match in self._pattern.finditer(text):
                yield Span(match.start(), match.end(), self.entity)


def _looks(value: str) -> Iterator[str]:
    raw = value.encode()
    yield value
    encoded = base64.b64encode(raw).decode().rstrip("=")
    yield encoded
    yield from (
        encoded[at : at + BASE64_LINE] for at in range(0, len(encoded), BASE64_LINE) if len(encoded) - at >= SHORTEST
    )
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield raw.hex()
    yield raw.hex().upper()
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield value.replace("'", "''")
    yield value.replace("'", "'\\''")


def given_any(grant: Grant | None) -> bool:
    """Whether a session that opens under this grant may be given secrets."""
    return grant is not None and isinstance(grant.scope, OfRunbook) and bool(grant.scope.secrets)


def uses(admitted: Admitted) -> tuple[tuple[SecretUse, ...], str]:
    """The secrets of the step that was consumed for this, in order, and the name of its runbook."""
    scope = admitted.consumed.scope if admitted.consumed is not None else None
    if not isinstance(scope, OfRunbook):
        return (), ""
    found = sorted((use for use in scope.secrets if use.step == scope.used - 1), key=lambda use: use.place)
    return tuple(found), scope.name.partition("#")[0]


def revealer(secrets: Secrets | None, bearer: Bearer) -> Reveal:
    """How one session gets at values: for its person as they are now, on its resource."""

    def reveal(name: str, runbook: str) -> str:
        person = bearer.person()
        if secrets is None or person is None:
            raise Denied(f"There is no secret {name} here.", rule="runbook-secret")
        return secrets.reveal(name, runbook, bearer.resource.name, person.groups)

    return reveal


def nothing(name: str, _runbook: str) -> str:
    """Where nothing is revealed."""
    raise Denied(f"There is no secret {name} here.", rule="runbook-secret")


def reveal_all(reveal: Reveal, found: Sequence[SecretUse], runbook: str) -> list[str]:
    """The values, in order; blocks. Raises Denied or Unavailable, and nothing that could repeat a value."""
    try:
        return [reveal(use.name, runbook) for use in found]
    except HoopError:
        raise
    except Exception as error:  # noqa: BLE001 - its text could hold what it read
        raise Unavailable(f"A secret could not be read ({type(error).__name__}).") from None


def withheld(problem: HoopError) -> Refusal:
    """What the executor is told when a value cannot be had: the step did not run."""
    return Refusal(problem.message, "The step was not run: a secret that it needs cannot be given.", problem.hint)
