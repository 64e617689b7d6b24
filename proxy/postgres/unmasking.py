"""Clear values: which columns this session may show as they are, and how a result is shown beside its masked self.

Access never gives this; a live `Unmask` grant does, for rows of results alone. What a statement may show is fixed and
recorded when it is admitted; whether it still may is asked for every piece of its rows. Everything else a session
leaves behind (recording, errors, statement text, COPY) is made by the public masker, as if there were no such grant.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from struct import Struct

from access.ids import GrantId
from access.ports import Clock
from access.scopes import Unmask
from proxy.admission import Bearer, Unmasked
from proxy.masking.plan import Masker
from proxy.masking.rows import RowPlan
from proxy.postgres import messages as m
from proxy.postgres.messages import Field
from proxy.postgres.reading import Part, Reading, looked_at
from proxy.sql import judged as j

#: What has the columns of a query and shows none of its rows yet.
_NO_ROWS = (j.Prepare, j.DeclareCursor)
_LENGTH = Struct(">I").unpack_from
#: How long what was looked up about grants is believed, in seconds.
BELIEVED = 0.25
#: How many maskers are kept: one for each set of columns.
_KEPT = 8


@dataclass(slots=True)
class Lens:
    """How the rows of one result look with clear values in `columns`; `plan` None = as they came."""

    columns: frozenset[str]
    plan: RowPlan | None

    def rewrite(self, frames: bytes) -> bytes:
        return frames if self.plan is None else self.plan.rewrite(frames)


class Unmasking:
    """One session's clear values. `rows` is how many rows with any it may show in all."""

    def __init__(self, bearer: Bearer, clock: Clock, rows: int) -> None:
        self._bearer = bearer
        self._clock = clock
        self._most = self._left = rows
        self._grants: dict[str, GrantId] = {}
        self._version = -1
        self._until = 0.0
        self._maskers: dict[frozenset[str], Masker] = {}
        self._public: Masker | None = None
        self._told = False

    def live(self) -> AbstractSet[str]:
        """The columns that live grants of this session unmask now."""
        version, now = self._bearer.version(), self._clock.monotonic()
        if version != self._version or now >= self._until:
            self._look(version, now)
        return self._grants.keys()

    def _look(self, version: int, monotonic: float) -> None:
        now = self._clock.now()
        grants = [grant for grant in self._bearer.grants() if isinstance(grant.scope, Unmask) and grant.live(now)]
        left = min(((grant.expires_at - now).total_seconds() for grant in grants), default=BELIEVED)
        self._grants = {
            column: grant.id for grant in grants if isinstance(grant.scope, Unmask) for column in grant.scope.columns
        }
        self._version, self._until = version, monotonic + min(left, BELIEVED)

    def of(self, reading: Reading) -> Unmasked | None:
        """What a text would show as it is; None = nothing. COPY, and what cannot be traced, stay masked."""
        live = self.live()
        if not live or self._left <= 0:
            return None
        touched = {
            column
            for part in reading.parts
            if part.copy is None and not any(isinstance(control, _NO_ROWS) for control in part.judged.controls)
            for one in part.output or ()
            for column in one.touches
        }
        columns = touched & live
        if not columns:
            return None
        return Unmasked(frozenset(columns), tuple(sorted({self._grants[column] for column in columns})))

    def lens(self, admitted: Unmasked | None, public: Masker, part: Part, columns: tuple[Field, ...]) -> Lens | None:
        """How a result of an admitted statement looks to the person; None = as it is recorded."""
        if part.copy is not None or (admitted is None and not public.personal):
            return None
        clear = frozenset[str]() if admitted is None else admitted.columns
        return Lens(clear, self._masker(public, clear).plan(looked_at(part, columns), part.output, part.touched))

    def _masker(self, public: Masker, columns: frozenset[str]) -> Masker:
        if public is not self._public or len(self._maskers) >= _KEPT:
            self._maskers.clear()
            self._public = public
        found = self._maskers.get(columns)
        if found is None:
            found = self._maskers[columns] = public.clearing(columns)
        return found

    def show(self, lens: Lens, frames: bytes, masked: bytes) -> bytes:
        """Rows as the client gets them: clear while the grant lives and the session's share lasts, then masked."""
        if not lens.columns:
            return lens.rewrite(frames)
        if not lens.columns <= self.live():
            return masked
        if self._left <= 0:
            return self._last_words() + masked
        at, rows = _offset(frames, self._left)
        self._left -= rows
        if at == len(frames):
            return lens.rewrite(frames)
        behind, _ = _offset(masked, rows)
        return lens.rewrite(frames[:at]) + self._last_words() + masked[behind:]

    def _last_words(self) -> bytes:
        if self._told:
            return b""
        self._told = True
        text = f"this session has shown the {self._most} rows of clear values it may show; the rest is masked"
        return m.fields_message(m.NOTICE, {"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": text})


def _offset(frames: bytes, rows: int) -> tuple[int, int]:
    """Where the first `rows` messages end, and how many those are."""
    at = number = 0
    while at < len(frames) and number < rows:
        at += 1 + _LENGTH(frames, at + 1)[0]
        number += 1
    return at, number
