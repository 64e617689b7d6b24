"""One statement text as the gateway understands it: parsed, judged, shown, and what its results are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from access.actors import Actor
from access.resources import Resource
from access.statements import Binding
from proxy.masking.copyout import CopyFormat
from proxy.masking.literals import Shown, Standing
from proxy.masking.plan import Column, Masker
from proxy.masking.rows import RowPlan
from proxy.postgres.messages import Field, row_description
from proxy.recording import packed
from proxy.sql import judged as j
from proxy.sql.lineage import OutputColumn
from proxy.sql.parse import Parsed

#: Kinds of results of one text that are remembered.
_SHAPES = 16


@dataclass(frozen=True, slots=True)
class Part:
    """One statement of a text. `copy` is the format of a COPY TO STDOUT."""

    judged: j.JudgedOne
    output: tuple[OutputColumn, ...] | None
    touched: bool
    copy: CopyFormat | None = None
    #: Protected columns it tests where that is refused; `?` = nobody can tell.
    tested: tuple[str, ...] = ()
    #: Protected columns it asks one exact value of, where nothing else is allowed.
    looked_up: tuple[str, ...] = ()
    #: The tables that store what it reads, where their columns are judged by samples.
    stored: frozenset[int] = frozenset()

    def like(self, judged: j.JudgedOne) -> Part:
        """The same of another text."""
        return Part(judged, self.output, self.touched, self.copy, self.tested, self.looked_up, self.stored)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is decided once for results that look like this. `told` is the RowDescription as the client gets it."""

    columns: tuple[Field, ...]
    plan: RowPlan | None
    names: bytes
    told: bytes | None
    #: All of its columns come as text.
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as a whole. `touched`: some of it reads protected columns, or cannot be resolved.

    `stable` is False when its meaning depends on names the session gives (prepared statements, cursors);
    `prepared_by_sql`: it is what PREPARE or DECLARE, which `text` is, gave a name to.
    """

    text: str = field(repr=False)
    parsed: Parsed
    judged: j.Judged
    shown: Shown
    parts: tuple[Part, ...]
    touched: bool
    stable: bool
    prepared_by_sql: bool = False
    #: By statement and RowDescription: what was decided for such a result.
    shapes: dict[tuple[int, object], Shape] = field(default_factory=dict, compare=False, repr=False)
    #: What nobody has rendered yet is rendered by.
    standing: Standing | None = field(default=None, compare=False, repr=False)

    def like(self, text: str, parsed: Parsed, judged: j.Judged, shown: Shown, parts: tuple[Part, ...]) -> Reading:
        """The same of another text; results that look alike are decided about once for both."""
        return Reading(
            text, parsed, judged, shown, parts, self.touched, self.stable, self.prepared_by_sql, self.shapes, self.standing,
        )  # fmt: skip

    def anew(self) -> Reading:
        """The same; how results are rewritten is not decided yet."""
        return replace(self, shapes={})


def looked_at(part: Part, columns: tuple[Field, ...]) -> list[Column]:
    """The columns of a result as the masker takes them. What the catalog knows of a table's identity is not what its session
    has made of it since."""
    known = not part.judged.unsure
    return [Column(c.name, c.table_oid * known, c.attnum * known, c.type_oid, c.format) for c in columns]


def shape(masker: Masker, part: Part, columns: tuple[Field, ...]) -> Shape:
    """Decide what happens to a result of this statement with these columns."""
    plan = masker.plan(looked_at(part, columns), part.output, part.touched)
    told = tuple(replace(c, name=masker.column_name(c.name)) for c in columns)
    names = packed([c.name for c in told])
    plain = not any(c.format for c in columns)
    return Shape(columns, plan, names, None if told == columns else row_description(told), plain)


def remembered(reading: Reading, index: int, looks: object, make: Callable[[], Shape]) -> Shape:
    """The shape of a result that looks like this (its description), decided now or before."""
    found = reading.shapes.get((index, looks))
    if found is None:
        if len(reading.shapes) >= _SHAPES:
            reading.shapes.clear()
        found = reading.shapes[index, looks] = make()
    return found


def bound(
    resource: Resource,
    database: str,
    actor: Actor,
    text: bytes,
    values: tuple[bytes | None, ...] = (),
    settings: tuple[tuple[str, str], ...] = (),
) -> Binding:
    """What an approval of this text is bound to, whoever computes it: the wire, or the judge before anybody is asked."""
    return Binding(
        protocol="postgres",
        resource=resource.name,
        database=database,
        role=resource.upstream.user,
        text=text,
        parameters=values,
        person=actor.person,
        agent=actor.via.name if actor.via else "",
        settings=settings,
    )
