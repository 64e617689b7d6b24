"""What samples of tables say: verdicts as rules, how long they last, and what is shown of what could not be read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from access.errors import Unavailable
from access.masking import ColumnRule, MaskPolicy, Strategy
from access.resources import Protocol, Resource, Upstream
from proxy.masking.impressions import (
    BELIEVED,
    FEW_BELIEVED,
    LOOKS_AT_ONCE,
    MOST,
    PARTITIONS,
    UNREAD_BELIEVED,
    Impression,
    Impressions,
    _judged,
    _leaves,
    remembered,
    stored,
    texts,
)
from proxy.masking.rules import Rules, literal
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.lineage import Lineage
from tests.fakes.clock import ManualClock

PEOPLE = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov", "Donald Knuth",
          "Margaret Hamilton", "Frances Allen", "Niklaus Wirth", "Radia Perlman"]  # fmt: skip
WORDS = ["open", "closed", "shipped", "returned", "queued", "running", "blocked", "archived", "paid", "late"]
RESOURCE = Resource("prod-db", Protocol.POSTGRES, Upstream("h", 1, "u", "d", "env:X"))
KEY = ("prod-db", "d")
TABLE = Relation(20000, "public", "t", columns=(Column(1, "a", 25), Column(2, "b", 25), Column(3, "n", 23)))
VIEW = Relation(20001, "public", "v", kind="v", sources=frozenset({20000}))
POLICY = MaskPolicy(entities={"person": Strategy.SHAPE}, by_sample=True)


class Town:
    """Samples that a test decides about."""

    def __init__(self) -> None:
        self.values: dict[str, list[str | None]] = {"a": [*PEOPLE], "b": [*WORDS]}
        self.problem: Exception | None = None
        self.asked: list[tuple[str, ...]] = []
        self.told: list[str] = []
        self.clock = ManualClock()
        self.known: dict[str, str] = {}
        self.impressions = Impressions(self.sample, self.tell, self.clock, self.recall)

    async def recall(self, _resource: Resource, _database: str, table: str) -> Mapping[str, str]:
        return {column: entity for column, entity in self.known.items() if column.startswith(f"{table}.")}

    async def sample(
        self, _resource: Resource, _database: str, _relation: Relation, columns: Sequence[Column], _rows: int
    ) -> Mapping[str, Sequence[str | None]]:
        self.asked.append(tuple(column.name for column in columns))
        await asyncio.sleep(0)
        if self.problem is not None:
            raise self.problem
        return {column.name: self.values[column.name] for column in columns}

    async def tell(self, _resource: Resource, _database: str, table: str, found: Sequence[Impression]) -> None:
        self.told += [f"{table}: {one.entity}" for one in found]

    async def look(self, policy: MaskPolicy = POLICY) -> str:
        return await self.impressions.look(RESOURCE, "d", policy, [TABLE])

    def rules(self, policy: MaskPolicy = POLICY) -> dict[str, str]:
        return {
            rule.pattern.removeprefix("sample:"): rule.entity for rule in self.impressions.applied(KEY, policy).columns
        }


async def test_a_column_of_names_gets_a_rule_behind_those_of_the_owner() -> None:
    town = Town()
    assert town.impressions.missing(KEY, [TABLE]) == [TABLE] and town.rules() == {}
    before = town.impressions.version(KEY)
    assert await town.look() == ""
    assert town.rules() == {"public.t.a": "person"} and town.told == ["public.t: person"]
    assert town.impressions.version(KEY) > before and town.impressions.missing(KEY, [TABLE]) == []
    kept = MaskPolicy(columns=(ColumnRule("t.a", "x", Strategy.KEEP),), entities=POLICY.entities)
    assert Rules(town.impressions.applied(KEY, kept).columns).kept(["public.t.a"])


async def test_who_may_see_names_gets_no_rule() -> None:
    town = Town()
    await town.look()
    assert town.rules(MaskPolicy(entities={"person": Strategy.KEEP})) == {} == town.rules(MaskPolicy())


async def test_only_texts_without_a_rule_are_read() -> None:
    town = Town()
    policy = MaskPolicy(columns=(ColumnRule("t.a", "x", Strategy.KEEP),), entities=POLICY.entities)
    await town.look(policy)
    assert town.asked == [("b",)] and town.rules() == {}
    everything = MaskPolicy(columns=(ColumnRule("t.*", "x", Strategy.REDACT),))
    assert texts(TABLE, everything) == []


@pytest.mark.parametrize("problem", [Unavailable("its sample failed (42501)"), TimeoutError(), OSError(5, "x")])
async def test_what_cannot_be_read_is_redacted_for_a_while(problem: Exception) -> None:
    town = Town()
    town.problem = problem
    assert "public.t: " in await town.look()
    assert town.rules() == {"public.t.a": "unread", "public.t.b": "unread"}
    town.clock.advance(UNREAD_BELIEVED)
    assert town.impressions.missing(KEY, [TABLE]) == [TABLE]
    town.problem = None
    assert await town.look() == "" and town.rules() == {"public.t.a": "person"}


async def test_the_tables_of_a_statement_are_read_at_the_same_time_but_not_all_of_them() -> None:
    town, reading, most = Town(), 0, 0
    tables = [replace(TABLE, oid=20000 + number, name=f"t{number}") for number in range(10)]

    async def sample(*given: Any) -> Mapping[str, Sequence[str | None]]:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        for _ in range(5):
            await asyncio.sleep(0)
        reading -= 1
        if given[2].name == "t3":
            raise Unavailable("its sample failed (42501)")
        return await town.sample(*given)

    impressions = Impressions(sample, town.tell, town.clock)
    assert await impressions.look(RESOURCE, "d", POLICY, tables) == "public.t3: its sample failed (42501)"
    assert most == LOOKS_AT_ONCE and len(town.told) == 9 and impressions.missing(KEY, tables) == []


async def test_others_move_while_values_are_judged() -> None:
    town, turns = Town(), 0
    town.values["a"] = [f"{first} {number}son" for number, first in enumerate(PEOPLE * 8)]

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await town.look()
    task.cancel()
    assert turns > 10


async def test_a_table_with_little_in_it_is_looked_at_again_soon_and_names_stay_names() -> None:
    town = Town()
    town.values = {"a": ["Ada Lovelace", None, ""], "b": []}
    await town.look()
    assert town.rules() == {"public.t.a": "person"}
    town.clock.advance(FEW_BELIEVED)
    town.values = {"a": [*WORDS], "b": [*PEOPLE]}
    await town.look()
    assert town.rules() == {"public.t.a": "person", "public.t.b": "person"}
    town.clock.advance(BELIEVED - 1)
    assert town.impressions.missing(KEY, [TABLE]) == []
    town.clock.advance(1)
    assert town.impressions.missing(KEY, [TABLE]) == [TABLE]


async def test_one_word_says_nothing() -> None:
    town = Town()
    town.values = {"a": ["Paris"], "b": ["Welder", "Solo"]}
    await town.look()
    assert town.rules() == {}


async def test_rows_that_somebody_adds_make_it_no_other_column_for_another_process() -> None:
    town = Town()
    town.known = {"public.t.a": "person", "public.other.b": "person"}
    town.values["a"] = [*PEOPLE, *(f"code {number}" for number in range(90))]
    await town.look()
    assert town.rules() == {"public.t.a": "person"} and town.told == []


@pytest.mark.parametrize(
    "other",
    [
        replace(TABLE, columns=(*TABLE.columns, Column(4, "c", 25))),
        replace(TABLE, columns=(Column(1, "first", 25), *TABLE.columns[1:])),
        replace(TABLE, columns=(*TABLE.columns[:2], Column(3, "n", 25))),
        replace(TABLE, name="u"),
        replace(TABLE, schema="s"),
    ],
)
async def test_a_table_with_other_columns_is_looked_at_again(other: Relation) -> None:
    town = Town()
    town.values |= {"first": [*PEOPLE], "c": [*PEOPLE], "n": [*PEOPLE]}
    await town.look()
    assert town.impressions.missing(KEY, [TABLE]) == [] and town.impressions.missing(KEY, [other]) == [other]
    await town.impressions.look(RESOURCE, "d", POLICY, [other])
    assert town.impressions.missing(KEY, [other]) == []
    names = [f"{other.qualified}.{one.name}" for one in other.columns if one.name != "b" and one.type_oid == 25]
    assert set(names) <= town.rules().keys()


ADA = [(first, last) for first, _, last in (one.partition(" ") for one in PEOPLE)]
MADE = {
    "a domain": (20100, PEOPLE),
    "a name": (19, PEOPLE),
    "an array of names": (1003, PEOPLE),
    "an array of a domain": (20101, [f'{{"{one}"}}' for one in PEOPLE]),
    "a record": (20102, [f"({first},{last})" for first, last in ADA]),
    "a record with more in it": (20102, [f'({n},"{one}",x{n}@example.com,)' for n, one in enumerate(PEOPLE)]),
    "an array of records": (20103, [f'{{"({first},{last})"}}' for first, last in ADA]),
    "a range of texts": (20104, [f'["{one}",)' for one in PEOPLE]),
    "words for searching": (3614, [f"'{first.lower()}':1 '{last.lower()}':2" for first, last in ADA]),
}


@pytest.mark.parametrize("made", MADE)
async def test_types_that_are_made_of_texts(made: str) -> None:
    town = Town()
    oid, town.values["a"] = MADE[made][0], [*MADE[made][1]]
    await town.impressions.look(RESOURCE, "d", POLICY, [replace(TABLE, columns=(Column(1, "a", oid),))])
    assert town.rules() == {"public.t.a": "person"}


def test_texts_with_quotes_in_them() -> None:
    assert _leaves("(1,O'Brien,D'Angelo)") == ["1", "O'Brien", "D'Angelo"]
    assert _leaves(r'{"(1,\"Anna \"\"B\"\"\")",c}') == ["1", 'Anna "B"', "c"]
    assert _leaves("'o''neil':3A 'fat':2") == ["o'neil", "fat"]
    # Values are cut.
    assert _leaves('{"abc') == _leaves('{"abc\\') == ["abc"]
    assert _leaves("'abc':1 'de") == ["abc", "de"]


@pytest.mark.parametrize("again", ['"\\', '"a\\', '\\"', '""', "''x", '"(', "'a", '{"('])
@pytest.mark.parametrize("begins", ["{", '("', "'", '"'])
async def test_no_value_takes_long(begins: str, again: str) -> None:
    """Whoever can write to a table would make all sessions of the process wait: it was 11 seconds."""
    value = (begins + again * 2000)[:2000]
    began = time.process_time()
    await _judged(replace(TABLE, columns=(Column(1, "a", 20100),)), {"a": [f"{value[:-3]}{n:03}" for n in range(100)]})
    assert time.process_time() - began < 2


HARMLESS = {
    "an enumeration": (20100, WORDS),
    "a domain of numbers": (20100, [str(number) for number in range(30)]),
    "codes in a domain": (20100, [f"A-{number}/{number % 7}" for number in range(30)]),
    "an array of words": (1009, WORDS),
    "a record of numbers": (20102, [f"({number},{number * 2})" for number in range(30)]),
    "a point on the globe": (20105, [f"0101000020E6100000{number:032X}" for number in range(30)]),
    "a vector": (20106, [f"[0.{number},0.{number * 3}]" for number in range(30)]),
}


@pytest.mark.parametrize("made", HARMLESS)
async def test_what_else_such_types_hold_stays_as_it_is(made: str) -> None:
    town = Town()
    oid, town.values["a"] = HARMLESS[made][0], [*HARMLESS[made][1]]
    await town.impressions.look(RESOURCE, "d", POLICY, [replace(TABLE, columns=(Column(1, "a", oid),))])
    assert town.rules() == {}


@pytest.mark.parametrize("oid", [16, 17, 20, 23, 114, 1005, 1082, 1184, 2950, 3802])
def test_numbers_times_documents_and_bytes_are_not_read(oid: int) -> None:
    assert texts(replace(TABLE, columns=(Column(1, "a", oid),)), POLICY) == []


async def test_a_few_names_that_most_rows_have_among_many_codes() -> None:
    town = Town()
    town.values["a"] = [*PEOPLE * 8, *(f"code {number}" for number in range(20))]
    town.values["b"] = [*PEOPLE[:2] * 8, *(f"code {number}" for number in range(84))]
    await town.look()
    assert town.rules() == {"public.t.a": "person"}


async def test_many_sessions_cause_one_look() -> None:
    town = Town()
    await asyncio.gather(*(town.look() for _ in range(20)))
    assert len(town.asked) == 1


async def test_other_processes_know_by_documents() -> None:
    town = Town()
    await town.look()
    kept = [{"columns": {"public.t.a": "person", "public.t.b": "organisation"}}]
    assert remembered(POLICY, kept).columns == town.impressions.applied(KEY, POLICY).columns


def test_the_tables_behind_a_statement() -> None:
    catalog = Catalog.of([TABLE, VIEW])
    seen = Lineage(output=(), relations=frozenset({"public.v", "pg_catalog.pg_class", "public.gone"}), resolved=True)
    assert stored(catalog, seen) == {TABLE.oid}
    assert stored(catalog, Lineage(relations=frozenset())) == {TABLE.oid}  # nobody can tell: everything


def test_partitions_are_looked_at_each_where_they_are_few() -> None:
    few = [replace(TABLE, oid=20010 + number, name=f"p{number}", parents=(TABLE.oid,)) for number in range(PARTITIONS)]
    more = replace(TABLE, oid=20900, name="more", parents=(20010,))  # a partition of a partition
    seen = Lineage(output=(), relations=frozenset({"public.v"}), resolved=True)
    assert stored(Catalog.of([TABLE, VIEW, *few]), seen) == {TABLE.oid, *(one.oid for one in few)}
    assert stored(Catalog.of([TABLE, VIEW, *few, more]), seen) == {TABLE.oid}
    of_one = Lineage(output=(), relations=frozenset({"public.p0"}), resolved=True)
    assert stored(Catalog.of([TABLE, VIEW, *few, more]), of_one) == {20010, 20900}


@pytest.mark.parametrize(("tables", "looks"), [(2, 2 * 11), (MOST, MOST), (3 * MOST, MOST)])
def test_a_statement_that_nobody_can_trace_waits_for_so_many_looks_and_no_more(tables: int, looks: int) -> None:
    """With the partitions of all tables they were a thousand, each over a connection of its own."""
    whole = [replace(TABLE, oid=30000 + 100 * number, name=f"w{number}", kind="p") for number in range(tables)]
    parts = [
        replace(TABLE, oid=one.oid + at, name=f"{one.name}_{at}", parents=(one.oid,))
        for one in whole
        for at in range(1, 11)
    ]
    assert len(stored(Catalog.of([*whole, *parts]), Lineage())) == looks


@pytest.mark.parametrize("name", ["public.t.a*", "public.t.[a]", "public.my.t.a", "public.t.?"])
def test_odd_names_are_matched_as_they_are(name: str) -> None:
    assert Rules([ColumnRule(literal(name), "person", Strategy.REDACT)]).protecting_rules([name])
