"""The masker of one session: decides per result column, once per result, what happens to its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from access.masking import Masked, MaskPolicy
from proxy.masking.copyout import CopyFormat, CopyPlan
from proxy.masking.literals import Shown
from proxy.masking.rows import RowPlan
from proxy.sql.catalog import Catalog
from proxy.sql.lineage import Lineage, OutputColumn

if TYPE_CHECKING:
    from proxy.sql.parse import Parsed


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a RowDescription; `format` 0 text, 1 binary (as Bind asked for, not as Describe guessed)."""

    name: str
    table_oid: int
    attnum: int
    type_oid: int
    format: int


class Masker:
    """Masks everything one session receives. `key` makes hashes and pseudonyms: stable within it, useless without.

    `failures` grows by (detector, why) when a detector failed and a value was redacted whole for that reason.
    """

    def __init__(self, policy: MaskPolicy, catalog: Catalog, key: bytes) -> None:
        self.policy = policy
        self.catalog = catalog
        self.failures: list[tuple[str, str]] = []

    def touched(self, lineage: Lineage) -> bool:
        """Whether the statement reads or writes a relation with a protected column, or something unresolvable."""
        raise NotImplementedError

    def plan(self, columns: Sequence[Column], output: Sequence[OutputColumn] | None, touched: bool) -> RowPlan | None:
        """The plan for one result; None = nothing to mask, forward the frames as they are.

        `output` is `Lineage.output` of the statement that gave these rows (None = not known).
        """
        raise NotImplementedError

    def copy_plan(self, fmt: CopyFormat, output: Sequence[OutputColumn] | None, touched: bool) -> CopyPlan:
        """The plan for a COPY TO STDOUT; check `refuse` before the statement is forwarded."""
        raise NotImplementedError

    def error(self, fields: Mapping[str, str], touched: bool) -> dict[str, str]:
        """The fields (by their one-letter code) of an ErrorResponse or NoticeResponse as the client may see them."""
        raise NotImplementedError

    def parameter_status(self, name: str, value: str) -> str:
        """The value of a ParameterStatus as the client may see it."""
        raise NotImplementedError

    def notification(self, payload: str) -> str:
        """The payload of a NotificationResponse as the client may see it."""
        raise NotImplementedError

    def column_name(self, name: str) -> str:
        """A RowDescription name as the client may see it (expressions and aliases can carry values)."""
        raise NotImplementedError

    def statement(self, text: str, parsed: Parsed, search_path: Sequence[str] = ("public",)) -> Shown:
        """The rendering of a statement for cards, facts and recordings."""
        raise NotImplementedError

    def parameters(
        self, values: Sequence[bytes | None], type_oids: Sequence[int], formats: Sequence[int], shown: Shown
    ) -> tuple[Masked | None, ...]:
        """Bind parameters as text for people, masked like literals; `shown` is the statement's rendering.

        `type_oids` may be shorter than `values` (0 = not known); `formats` follow Bind: none, one for all, or each.
        """
        raise NotImplementedError

    def text(self, value: str) -> Masked:
        """Free text for people: detectors on all of it."""
        raise NotImplementedError
