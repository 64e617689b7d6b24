"""What the columns of a database were seen to hold: names of people, addresses, organisations have no checksum and often no
telling column name, so the model of `names` decides about each column by a sample of its table, before the first row of it is shown.

The verdict counts like a rule of the owner behind all others: it is followed through views, expressions, COPY and errors. A
sample never leaves this room; only verdicts, as counts, are told. A table that could not be sampled is not believed: all of
its texts that nothing else decides about are redacted until it can be.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from access.errors import HoopError
from access.masking import MaskPolicy, Strategy
from access.ports import Clock
from access.resources import Resource
from proxy.masking import names
from proxy.masking.rules import Rules, by_sample
from proxy.masking.types import Kind, kind_of
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.lineage import Lineage

#: Rows that are looked at, and how long a look may take, in seconds.
ROWS, LOOK_SECONDS = 100, 3.0
#: Tables of one statement that are read at the same time, each over a connection of its own.
LOOKS_AT_ONCE = 4
#: Values that are judged before others get their turn.
_AT_A_TIME = 8
#: Of a statement that nobody can trace, at most so many tables are looked at.
MOST = 50
#: How long a verdict on a table is believed, one on a table with hardly any rows, and one that there was none, in seconds.
BELIEVED, FEW_BELIEVED, UNREAD_BELIEVED = 3600.0, 30.0, 30.0
#: With fewer different values than this a column is looked at again soon.
FEW = 10
#: What the model can tell. Organisations only where the policy says so (`config_build.DEFAULT_DETECTION`).
ENTITIES = frozenset(names.CLASSES) - {names.OTHER}
#: The kind of the documents that say which columns hold names, for other processes to know.
NAMES = "names"
#: What a text of a table that could not be sampled is called.
UNREAD = "unread"
#: Tables, partitioned and foreign tables, materialized views: what stores values.
STORED = frozenset("rpmf")
#: Arrays of texts and of names, records and arrays of them, tsvector: what else of the server's own types can hold a name.
_MADE_OF_TEXTS = frozenset({1003, 1009, 1014, 1015, 2249, 2287, 3614})
#: What others may inherit from, or be the partitions of.
_WITH_HEIRS = frozenset("rp")
#: A table is looked at together with its partitions (and what inherits from it) up to so many of them; of more only by a
#: sample of all, which is spread over them.
PARTITIONS = 20
#: Relations below this OID belong to the server itself.
_FIRST_USER_OID = 16384
#: One text within the text form of an array, a record or a range: quoted, or up to the next sign. A quote that is not closed
#: (values are cut) goes to the end, and nothing is tried twice: values are anybody's, and all sessions wait while they are read.
_LEAF = re.compile(r"""\"((?:[^"\\]|\\.|"")*+)(?:"|\\?\Z)|([^,(){}\[\]"]+)""", re.DOTALL)
#: The same of a tsvector, which is known by its beginning: elsewhere `'` is a letter (O'Brien).
_LEXEME = re.compile(r"""'((?:[^']|'')*+)(?:'|\Z)(?::[\dA-D,]+)?""", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)|\"(\")", re.DOTALL)
#: How deep such forms are followed into each other (an array of records of arrays).
_DEEPEST = 4

#: Column name → values as text, of each column asked for. Raises HoopError or OSError when it cannot be read.
Sample = Callable[[Resource, str, Relation, Sequence[Column], int], Awaitable[Mapping[str, Sequence[str | None]]]]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Impression:
    """One column that holds names. `hits` of `looked` different values look like it."""

    column: str
    entity: str
    confidence: float
    hits: int
    looked: int


#: Told of every look that found something: resource, database, table, what was found.
Told = Callable[[Resource, str, str, Sequence[Impression]], Awaitable[None]]
#: Column → entity, of what this or another process was ever told of: resource, database, table.
Recall = Callable[[Resource, str, str], Awaitable[Mapping[str, str]]]


@dataclass(slots=True)
class _Table:
    found: tuple[Impression, ...] = ()
    #: What the table was called and which columns it had when it was looked at.
    seen: tuple[object, ...] = ()
    #: Texts of a table that could not be read.
    unread: tuple[str, ...] = ()
    until: float = 0.0


@dataclass(slots=True)
class _Database:
    tables: dict[int, _Table] = field(default_factory=dict)
    looking: dict[int, asyncio.Lock] = field(default_factory=dict)
    #: Grows with every verdict that changes a rule.
    version: int = 0


class Impressions:
    """The verdicts of one gateway process, by database and table. `sample` reads, `told` records, `recall` says what was told
    before, here or by other processes: rows that somebody adds make a column of names no other column elsewhere, either."""

    def __init__(self, sample: Sample, told: Told, clock: Clock, recall: Recall | None = None) -> None:
        self._sample = sample
        self._told = told
        self._clock = clock
        self._recall = recall
        self._databases: dict[Key, _Database] = {}

    def version(self, key: Key) -> int:
        """Of the rules of a database."""
        return self._of(key).version

    def missing(self, key: Key, relations: Iterable[Relation]) -> list[Relation]:
        """Those of these tables about which nothing is known (any more), or that have other columns or names by now."""
        known, now = self._of(key).tables, self._clock.monotonic()
        return [
            one
            for one in relations
            if (table := known.get(one.oid)) is None or table.until <= now or table.seen != _looks(one)
        ]

    def applied(self, key: Key, policy: MaskPolicy) -> MaskPolicy:
        """The policy with a rule for each column that holds names; every rule of the owner goes before."""
        rules = []
        for table in self._of(key).tables.values():
            for one in table.found:
                strategy = policy.entities.get(one.entity, Strategy.KEEP)
                if strategy is not Strategy.KEEP:
                    rules.append(by_sample(one.column, one.entity, strategy))
            rules += [by_sample(column, UNREAD, Strategy.REDACT) for column in table.unread]
        return replace(policy, columns=(*policy.columns, *rules)) if rules else policy

    async def look(self, resource: Resource, database: str, policy: MaskPolicy, relations: Iterable[Relation]) -> str:
        """Decide about these tables; which could not be read and why, empty when all could. A look that another session
        began is waited for."""
        own = self._of((resource.name, database))
        gate = asyncio.Semaphore(LOOKS_AT_ONCE)

        async def one(relation: Relation) -> str:
            async with gate, own.looking.setdefault(relation.oid, asyncio.Lock()):
                if not self.missing((resource.name, database), [relation]):
                    return ""
                problem = await self._look(own, resource, database, policy, relation)
                return f"{relation.qualified}: {problem}" if problem else ""

        return "; ".join(filter(None, await asyncio.gather(*map(one, relations))))

    async def _look(
        self, own: _Database, resource: Resource, database: str, policy: MaskPolicy, relation: Relation
    ) -> str:
        before = own.tables.get(relation.oid, _Table())
        columns, looks = texts(relation, policy), _looks(relation)
        recalled: list[Impression] = []
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                if self._recall is not None and columns:
                    known = await self._recall(resource, database, relation.qualified)
                    recalled = [Impression(column, entity, 0.0, 0, 0) for column, entity in known.items()]
                read = await self._sample(resource, database, relation, columns, ROWS) if columns else {}
            found, few = await _judged(relation, read)
            if found:
                await self._told(resource, database, relation.qualified, found)
        except (HoopError, OSError) as problem:  # a time-out is an OSError
            unread = tuple(f"{relation.qualified}.{column.name}" for column in columns)
            until = self._clock.monotonic() + UNREAD_BELIEVED
            self._put(own, relation, _Table(before.found, looks, unread, until))
            return problem.message if isinstance(problem, HoopError) else "it took too long"
        # What was seen to hold names once stays so: another sample may have missed them.
        seen = {one.column: one for one in (*recalled, *before.found, *found)}
        until = self._clock.monotonic() + (FEW_BELIEVED if few else BELIEVED)
        self._put(own, relation, _Table(tuple(seen.values()), looks, (), until))
        return ""

    @staticmethod
    def _put(own: _Database, relation: Relation, table: _Table) -> None:
        before = own.tables.get(relation.oid, _Table())
        own.version += (before.found, before.unread) != (table.found, table.unread)
        own.tables[relation.oid] = table

    def _of(self, key: Key) -> _Database:
        return self._databases.setdefault(key, _Database())


def remembered(policy: MaskPolicy, kept: Iterable[Mapping[str, Any]]) -> MaskPolicy:
    """The policy with the rules that documents of the gateways tell of."""
    found = ((column, entity) for one in kept for column, entity in one["columns"].items())
    wanted = ((column, entity, policy.entities.get(entity, Strategy.KEEP)) for column, entity in found)
    rules = (by_sample(*one) for one in wanted if one[2] is not Strategy.KEEP)
    return replace(policy, columns=(*policy.columns, *rules))


async def _judged(relation: Relation, read: Mapping[str, Sequence[str | None]]) -> tuple[list[Impression], bool]:
    """What the columns hold, and whether there were too few values to say it for long."""
    found, few = [], False
    types = {column.name: column.type_oid for column in relation.columns}
    for name, values in read.items():
        few = few or len({value for value in values if value}) < FEW
        plain = kind_of(types.get(name, 0)) is Kind.TEXT
        for group in _repeated(values) if plain else _groups(values):
            opinion = await _opinion(set(group), name, relation.name)
            if opinion is not None:
                hits = round(opinion.share * opinion.judged)
                column = f"{relation.qualified}.{name}"
                found.append(Impression(column, opinion.entity, opinion.confidence, hits, opinion.judged))
                break
    return found, few


def _repeated(values: Iterable[str | None]) -> Iterator[list[str]]:
    """The values, and those alone that several rows have, where most rows have one of them: a few names that come again and
    again, among many codes that are all different, are what the column is about."""
    whole = [value for value in values if value]
    yield whole
    counted = Counter(whole)
    again = [value for value, times in counted.items() if times > 1]
    if sum(counted[value] for value in again) * 2 > len(whole):
        yield again


def _groups(values: Iterable[str | None]) -> Iterator[list[str]]:
    """What in values that are made of others may be names: as they are (a domain is a text), their parts each and together,
    and the parts at the same place of each (the fields of a record)."""
    whole = [value for value in values if value]
    yield whole
    made = [leaves for value in whole if value[0] in "({[\"'" and (leaves := _leaves(value))]
    if made:
        yield [leaf for leaves in made for leaf in leaves]
        yield [" ".join(leaves) for leaves in made]
        if len({len(leaves) for leaves in made}) == 1:
            yield from map(list, zip(*made, strict=True))


def _leaves(value: str, deep: int = _DEEPEST) -> list[str]:
    """The texts within the text form of an array, a record, a range or a tsvector."""
    if value[0] == "'":
        return [one.replace("''", "'") for one in _LEXEME.findall(value) if one]
    found: list[str] = []
    for quoted, bare in _LEAF.findall(value):
        one = _ESCAPED.sub(lambda m: m[1] or m[2], quoted) or bare.strip()
        inner = deep and one[:1] in {"(", "{", "["} and len(one) < len(value)
        found += _leaves(one, deep - 1) if inner else [one] if one else []
    return found


async def _opinion(values: Iterable[str], name: str, table: str) -> names.Opinion | None:
    """`names.column`. A column costs up to ten milliseconds, so others move in between."""
    sample, known, judged = names.telling(values, few=True), names.Words(), list[dict[str, float]]()
    for number, value in enumerate(sample):
        if number % _AT_A_TIME == 0:
            await asyncio.sleep(0)
        judged.append(names.judge(value, known))
    return names.opinion(sample, judged, name, table)


def texts(relation: Relation, policy: MaskPolicy) -> list[Column]:
    """The columns of a table that may hold names and that no rule of the owner decides about."""
    rules = Rules(policy.columns)
    return [
        column
        for column in relation.columns
        if _may_hold_names(column.type_oid) and rules.of(f"{relation.qualified}.{column.name}") is None
    ]


def _may_hold_names(type_oid: int) -> bool:
    """Texts, what is made of texts, and every type that is not the server's own: domains, records, and arrays of them."""
    return kind_of(type_oid) is Kind.TEXT or type_oid in _MADE_OF_TEXTS or type_oid >= _FIRST_USER_OID


def _looks(relation: Relation) -> tuple[object, ...]:
    """What a verdict on a table is about: when it differs, it is another table to the rules."""
    return (relation.qualified, *((one.attnum, one.name, one.type_oid) for one in relation.columns))


def stored(catalog: Catalog, lineage: Lineage) -> frozenset[int]:
    """The tables that store what a statement shows: those it names, and what its views are made of. When nobody can tell what
    it reads, all of them, and their partitions as far as those are not more than `MOST` either: it waits for all."""
    traced = lineage.resolved and lineage.output is not None
    if not traced:
        every = (one for one in catalog.relations.values() if not one.parents)
        pending = [one.oid for one in sorted(every, key=lambda one: one.qualified)][:MOST]
    else:
        known = (catalog.relations.get(tuple(name.split(".", 1))) for name in lineage.relations)  # type: ignore[arg-type]
        pending = [one.oid for one in known if one is not None]
    if catalog.divided and lineage.reads_bounds:  # bounds are values, too
        pending += [one.oid for one in catalog.divided][:MOST]
    seen: set[int] = set()
    while pending:
        oid = pending.pop()
        one = catalog.by_oid.get(oid)
        if one is not None and oid not in seen and oid >= _FIRST_USER_OID:
            pending += one.sources
            heirs = catalog.descendants(oid) if one.kind in _WITH_HEIRS else ()
            if len(heirs) <= PARTITIONS and (traced or len(seen) + len(pending) + len(heirs) < MOST):
                pending += heirs
        seen.add(oid)
    return frozenset(
        oid for oid in seen if oid >= _FIRST_USER_OID and oid in catalog.by_oid and catalog.by_oid[oid].kind in STORED
    )
