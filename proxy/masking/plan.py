"""The masker of one session: decides per result column, once per result, what happens to its values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from access.masking import Masked, MaskPolicy, declare_masked
from proxy.masking import literals, messages
from proxy.masking.certain import Certain
from proxy.masking.context import NO_CONTEXT, Context, of_names
from proxy.masking.copyout import CopyFormat, CopyPlan
from proxy.masking.detectors import Detector, Detectors
from proxy.masking.explain import PlanLines
from proxy.masking.literals import SHOWN_LIMIT, Shown, Standing
from proxy.masking.outline import Outline, filled, outline
from proxy.masking.presidio import PresidioDetector
from proxy.masking.quick import quickly
from proxy.masking.rows import RowPlan
from proxy.masking.rules import STATEMENT, Rules
from proxy.masking.strategies import REDACTED, looks_masked
from proxy.masking.swift import Cell, looks_for
from proxy.masking.types import Kind, kind_of
from proxy.masking.values import Watcher, guarded, redacted, replaced
from proxy.masking.why import reasons
from proxy.native import native
from proxy.sql.catalog import Catalog
from proxy.sql.forms import Form
from proxy.sql.lineage import UNSEEN, Lineage, OutputColumn
from proxy.sql.lineage_functions import BOUNDS
from proxy.sql.lineage_notes import SHORT_NUMBER, computes, shows_bounds
from proxy.sql.parse import Parsed

_MAX_CELLS = 2048
#: Relations below this OID belong to the server itself (access/transam.h, FirstNormalObjectId).
_FIRST_USER_OID = 16384
#: Whether a statement reads the bounds of partitions is asked of it, not of the relation (`Lineage.reads_bounds`).
_HOLDS_BOUNDS = tuple(BOUNDS.rsplit(".", 1))


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a RowDescription; `format` 0 text, 1 binary (as Bind asked for, not as Describe guessed)."""

    name: str
    table_oid: int
    attnum: int
    type_oid: int
    format: int


@dataclass(frozen=True, slots=True, eq=False)
class MadeOf:
    """What a masker is made of, as its parameters."""

    policy: MaskPolicy
    seen: MaskPolicy | None
    key: bytes = field(repr=False)
    detectors: tuple[Detector, ...]
    clear: frozenset[str]

    def is_like(self, other: MadeOf) -> bool:
        """Whether a masker made of the other does exactly the same by the same catalog. Detectors are the same only when
        they are the very same ones; which of several names of one entity comes last counts as well."""
        return (
            self.key == other.key
            and self.clear == other.clear
            and [*map(id, self.detectors)] == [*map(id, other.detectors)]
            and all(_alike(*each) for each in ((self.policy, other.policy), (self.seen, other.seen)))
        )


def _alike(one: MaskPolicy | None, other: MaskPolicy | None) -> bool:
    if one is None or other is None:
        return one is other
    ordered = ("entities", "patterns", "words")
    return one == other and all([*getattr(one, name)] == [*getattr(other, name)] for name in ordered)


class Masker:
    """Masks everything one session receives. `key` makes hashes and pseudonyms: stable within it, useless without.
    Raises `access.errors.Invalid` when a pattern of the policy is not RE2 (`detectors.pattern_problems` says why).

    `policy` is what holds for everything a session leaves behind, `seen` for the rows its person gets, where they differ.
    `failures` grows by (detector, why), once for each detector that failed; what it looked at was redacted whole.
    """

    def __init__(
        self,
        policy: MaskPolicy,
        catalog: Catalog,
        key: bytes,
        extra_detectors: Sequence[Detector] = (),
        clear: Collection[str] = (),
        seen: MaskPolicy | None = None,
    ) -> None:
        self.catalog = catalog
        self._key = key
        #: All that decides what it does, beside the catalog.
        self.made_of = MadeOf(policy, seen, key, tuple(extra_detectors), frozenset(clear))
        #: The rules keep some values for this person that others who read along must not see.
        self.personal = seen is not None and seen != policy
        self._rules = Rules(policy.columns, clear, catalog)
        self._strict = policy.strict
        #: Detectors that take their time, and how they are waited for (`presidio.Worker.ahead`).
        self.ahead = next((one.worker.ahead for one in extra_detectors if isinstance(one, PresidioDetector)), None)
        #: Columns are also judged by samples of their tables.
        self.by_sample = policy.by_sample
        #: How often an hour a person may ask for one exact value where the strict mode refuses every other test.
        self.lookups_per_hour = policy.lookups_per_hour
        self._detectors = Detectors(policy, key, extra_detectors)
        self._text = quickly(self._detectors)
        self._certain = Certain(self._detectors)
        self._watcher = Watcher(self._detectors)
        self._cells: dict[tuple[Column, OutputColumn | None, bool], Cell | None] = {}
        self._touching: dict[str, bool] = {}
        self._statements = guarded(self._without_literals, REDACTED.encode())

    def clearing(self, columns: Collection[str]) -> Masker:
        """What the session's person sees in rows: by the rules for them, and with the values of these columns
        (`schema.table.column`) as they are."""
        made = self.made_of
        return Masker(made.seen or made.policy, self.catalog, self._key, made.detectors, columns)

    @property
    def failures(self) -> list[tuple[str, str]]:
        return self._detectors.failures

    def touched(self, lineage: Lineage) -> bool:
        """Whether the statement reads or writes a relation with a protected column, or something unresolvable."""
        if not self._rules.protecting:
            return False
        if not lineage.resolved or (self._rules.bounds and lineage.reads_bounds):
            return True
        return any(self._touching.get(name) or self._is_touching(name) for name in lineage.relations)

    def plan(self, columns: Sequence[Column], output: Sequence[OutputColumn] | None, touched: bool) -> RowPlan | None:  # noqa: FBT001 - a property of the statement, like the others
        """The plan for one result; None = nothing to mask, forward the frames as they are.

        `output` is `Lineage.output` of the statement that gave these rows (None = not known). One that contradicts
        what the server says of the columns is not believed, and then nothing passes.
        """
        contradicted = output is not None and not self._agrees(columns, output)
        cells: dict[int, Cell] = {}
        for index, column in enumerate(columns):
            one = output[index] if output is not None and not contradicted else None
            if contradicted and touched:
                cell: Cell | None = redacted(column.type_oid, column.format == 1)
            elif one is not None and one.mixed and self._rules.told(one.mixed):
                cell = redacted(column.type_oid, column.format == 1)
            elif one is not None and one.explain:
                cell = PlanLines(self._detectors, touched).cell(column.type_oid)
            else:
                cell = self._cell(column, one, touched)
            if cell is not None:
                cells[index] = cell
        return RowPlan(len(columns), cells) if cells else None

    def copy_plan(self, fmt: CopyFormat, output: Sequence[OutputColumn] | None, touched: bool) -> CopyPlan:  # noqa: FBT001 - as in plan
        """The plan for a COPY TO STDOUT; check `refuse` before the statement is forwarded.

        There is no RowDescription: a plain column's type is the catalog's, any other column counts as text.
        """
        if output is None:
            refuse = (
                "COPY of a statement whose columns cannot be traced to tables is not possible while columns of this "
                "database are protected. Name the columns, or run it as a plain SELECT."
            )
            unknown = None if touched else self._cell(Column("", 0, 0, 25, 0), None, False)
            return CopyPlan(fmt, None, {}, every=unknown, refuse=refuse if touched else "")
        binary = fmt.kind == "binary"
        cells: dict[int, Cell] = {}
        for index, one in enumerate(output):
            column = Column(one.name, 0, 0, one.type_oid or (0 if binary else 25), int(binary))
            told = bool(one.mixed) and self._rules.told(one.mixed)
            cell = redacted(column.type_oid, binary) if told else self._cell(column, one, touched)
            if cell is not None:
                cells[index] = cell
        return CopyPlan(fmt, len(output), cells)

    def error(self, fields: Mapping[str, str], touched: bool) -> dict[str, str]:  # noqa: FBT001 - as in plan
        """The fields (by their one-letter code) of an ErrorResponse or NoticeResponse as the client may see them."""
        return messages.error(fields, touched and self._rules.protecting, self._text)

    def parameter_status(self, name: str, value: str, *, touched: bool = False) -> str:
        """The value of a ParameterStatus as the client may see it; `touched` by the statement that changed it."""
        return messages.parameter_status(name, value, touched and self._rules.protecting, self._text)

    def notification(self, payload: str) -> str:
        """The payload of a NotificationResponse as the client may see it."""
        return messages.notification(payload, self._rules.protecting, self._text)

    def column_name(self, name: str) -> str:
        """A RowDescription name as the client may see it (expressions and aliases can carry values)."""
        return self._text(name)

    def statement(self, text: str, parsed: Parsed, search_path: Sequence[str] = ("public",)) -> Shown:
        """The rendering of a statement for cards, facts and recordings."""
        return self.rendered(text, self.standing(text, parsed, search_path))

    def standing(
        self, text: str, parsed: Parsed, search_path: Sequence[str] = ("public",), lineage: Lineage | None = None
    ) -> Standing:
        """What in a statement stands against protected columns. `lineage` as in `literals.standing`."""
        encoded = text.encode("utf-8", "replace")
        return literals.standing(encoded, parsed, self.catalog, search_path, self._rules, lineage)

    def rendered(self, text: str, standing: Standing, form: Form | None = None) -> Shown:
        """`statement`, when that is known; sooner with the form of the text."""
        if form is not None and self._shows_all(text, standing, form):
            return Shown(declare_masked(text), complete=True, protected_parameters=frozenset(standing.parameters))
        return literals.rendered(text, standing, self._text)

    def _shows_all(self, text: str, standing: Standing, form: Form) -> bool:
        """Whether it is certain at once that nothing in a text is hidden from people."""
        flags = self._certain.flags
        if flags is None or standing.every or standing.literals or len(text) > SHOWN_LIMIT or "\r" in text:
            return False
        for at in standing.doubtful:
            literal = form.literals[form.starts.index(at)] if at in form.starts else "'"
            if literal[0] == "'" or len(literal) > SHORT_NUMBER:
                return False
        return bool(native.harmless(text, flags))

    def outline(self, form: Form, text: str, places: Mapping[int, int], standing: Standing) -> Outline | None:
        """The rendering of every text of this form; `places` are its literals by the byte where they stand."""
        return outline(text.encode(), form.literals, places, standing, self._text)

    def filled(self, outline: Outline, form: Form, text: str) -> Shown:
        """`statement` of a text with this outline."""
        return filled(outline, text, form.literals, self._text)

    def between(self, before: str, shown: Shown, after: str) -> Shown | None:
        """A rendering with what stands around it; None when that is too long to be shown whole."""
        return literals.between(before, shown, after, self._text)

    def parameters(
        self, values: Sequence[bytes | None], type_oids: Sequence[int], formats: Sequence[int], shown: Shown
    ) -> tuple[Masked | None, ...]:
        """Bind parameters as text for people, masked like literals; `shown` is the statement's rendering.

        `type_oids` may be shorter than `values` (0 = not known); `formats` follow Bind: none, one for all, or each.
        """
        return literals.parameters(values, type_oids, formats, shown, self._text)

    @property
    def rules_out(self) -> int | None:
        """What the compiled part must rule out of a bind parameter that may be told as it is; None = it cannot."""
        return looks_for(self._detectors, NO_CONTEXT)

    def why(self, output: Sequence[OutputColumn] | None, *, touched: bool) -> tuple[Masked, ...]:
        """Why the columns of a statement's result are masked, a line each."""
        return reasons(self._rules, self._text, output, touched=touched)

    def text(self, value: str) -> Masked:
        """Free text for people: detectors on all of it."""
        return declare_masked(self._text(value))

    def tested(self, lineage: Lineage) -> tuple[str, ...]:
        """The protected columns a statement tests in its conditions, groups and orders: for the strict mode."""
        return tuple(sorted(column for column in lineage.predicates if self._rules.protecting_rules([column])))

    def refused_tests(self, lineage: Lineage) -> tuple[str, ...]:
        """What the strict mode refuses a statement for: the protected columns it tests or computes with, `?` when nobody
        can tell. A computed value is redacted anyway, but whether computing it fails (`1 / (salary - 90000)`) is an answer.
        """
        if not (self._strict and self._rules.protecting):
            return ()
        if not lineage.resolved:
            return ("?",)
        exact = [node for node, _ in lineage.lookups] if self.lookups_per_hour else []
        tested = lineage.tested if self.lookups_per_hour else lineage.predicates
        computed = (
            column
            for node, taint in lineage.notes
            if computes(node) and not any(node is one for one in exact)
            for column in taint.touches
            if self._rules.protecting_rules([column]) and not (column == BOUNDS and shows_bounds(node))
        )
        return tuple(sorted({*(one for one in tested if self._rules.protecting_rules([one])), *computed}))

    def looked_up(self, lineage: Lineage) -> tuple[str, ...]:
        """Where only exact values may be asked for: the protected columns a statement does that with, once a question."""
        if not (self._strict and self.lookups_per_hour):
            return ()
        found = (sorted(self._rules_of(touches)) for _, touches in lineage.lookups)
        return tuple(columns[0] for columns in found if columns)

    def _rules_of(self, columns: Collection[str]) -> list[str]:
        return [one for one in columns if self._rules.protecting_rules([one])]

    def copied(self, lineage: Lineage) -> tuple[tuple[str, str], ...]:
        """Protected columns a statement writes into columns that are not: (from, to). Rows that are written because a
        protected value is like other data show it as well."""
        if not (lineage.copies or lineage.chosen):
            return ()
        moved = {
            (source, into)
            for source, into in lineage.copies
            if (self._rules.protecting if source == UNSEEN else self._rules.protecting_rules([source]))
            and not self._rules.protecting_rules([into])
        }
        if lineage.chosen and self._rules.told(lineage.chosen):
            named = sorted({one for mix in lineage.chosen for item in mix for column in item for one in column})
            source = next((one for one in named if self._rules.protecting_rules([one])), "?")
            moved.add((source, "the choice of rows"))
        return tuple(sorted(moved))

    def carries_mask(self, text: str, parameters: Sequence[bytes | None] = ()) -> bool:
        """Whether a literal of a statement or a bind parameter is one of our masks. A write must not carry one."""
        values = (value.decode("utf-8", "replace") for value in parameters if value is not None)
        return literals.carries_mask(text) or any(looks_masked(value) for value in values)

    def _without_literals(self, value: bytes) -> bytes:
        return literals.without_literals(value.decode(), self._text).encode()

    def _is_touching(self, name: str) -> bool:
        known = self._touching.get(name)
        if known is None:
            relation = self.catalog.relations.get(tuple(name.split(".", 1)))  # type: ignore[arg-type]
            known = relation is None or any(
                self._rules.protecting_rules(self.catalog.origins(relation.oid, column.attnum))
                for column in relation.columns
                if (name, column.name) != _HOLDS_BOUNDS
            )
            self._touching[name] = known
        return known

    # -- one column ----------------------------------------------------------------------------------------------

    def _cell(self, column: Column, output: OutputColumn | None, touched: bool) -> Cell | None:  # noqa: FBT001 - as in plan
        key = (column, output, touched)
        if key in self._cells:
            return self._cells[key]
        if len(self._cells) >= _MAX_CELLS:
            self._cells.clear()
        cell = self._cells[key] = self._decided(column, output, touched)
        return cell

    def _decided(self, column: Column, output: OutputColumn | None, touched: bool) -> Cell | None:  # noqa: FBT001 - as in plan
        binary = column.format == 1
        origins = self._origins(column)
        plain = origins if origins is not None else output.touches if output is not None and output.plain else ()
        if self._rules.protecting:
            if origins is None and self._unknown(column, output, touched):
                return redacted(column.type_oid, binary)
            rules = self._rules.protecting_rules(plain)
            moved = output is not None and not output.plain
            if moved and output is not None and (output.unknown or self._rules.protecting_rules(output.touches)):
                return redacted(column.type_oid, binary)
            if rules and rules[0].entity == STATEMENT and kind_of(column.type_oid) is Kind.TEXT:
                return self._statements
            if rules and all((rule.entity, rule.strategy) == (rules[0].entity, rules[0].strategy) for rule in rules):
                return replaced(column.type_oid, binary, rules[0].entity, rules[0].strategy, self._key)
            if rules:
                return redacted(column.type_oid, binary)
        if plain and self._rules.kept(plain):
            return None
        if output is not None and output.safe and kind_of(column.type_oid) is not Kind.TEXT:
            return None
        return self._watcher.cell(column.type_oid, binary, _context(column, origins, output))

    def _origins(self, column: Column) -> frozenset[str] | None:
        """The base columns the server says this is; None when it says nothing, or names what nobody knows."""
        if not column.table_oid:
            return None
        if column.attnum < 0:
            return frozenset()
        if column.attnum == 0:
            return self._row_origins(column.table_oid)
        found = self.catalog.origins(column.table_oid, column.attnum)
        if not found and column.table_oid < _FIRST_USER_OID and column.table_oid not in self.catalog.by_oid:
            return frozenset()
        return found or None

    def _agrees(self, columns: Sequence[Column], output: Sequence[OutputColumn]) -> bool:
        """Whether lineage and server speak of the same columns: as many, and the same base column where both know."""
        if len(output) != len(columns):
            return False
        for column, one in zip(columns, output, strict=True):
            origins = self._origins(column) if column.attnum > 0 and not one.unknown else None
            if origins and one.touches and origins.isdisjoint(one.touches):
                return False
        return True

    def _row_origins(self, table_oid: int) -> frozenset[str] | None:
        """The base columns behind a whole row."""
        relation = self.catalog.by_oid.get(table_oid)
        if relation is None:
            return None
        each = [self.catalog.origins(table_oid, column.attnum) for column in relation.columns]
        return frozenset().union(*each) if all(each) else None

    def _unknown(self, column: Column, output: OutputColumn | None, touched: bool) -> bool:  # noqa: FBT001 - as in plan
        """Whether a column of no known identity may show anything."""
        if column.table_oid:
            return True
        return touched if output is None else output.unknown


def _context(column: Column, origins: frozenset[str] | None, output: OutputColumn | None) -> Context:
    bases = sorted((origins or frozenset()) | (output.touches if output is not None else frozenset()))[:16]
    names = (column.name, *(base.rpartition(".")[2] for base in bases))
    tables = tuple(base.split(".")[-2] for base in bases if base.count(".") >= 2)
    return of_names(names, tables)
