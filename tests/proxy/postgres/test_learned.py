"""What one session learned about a form serves another only where everything that the answer depends on is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest

from access.masking import ColumnRule, MaskPolicy, Strategy
from access.scopes import Level
from proxy.masking.plan import Masker
from proxy.postgres import learned as module
from proxy.postgres import reader
from proxy.postgres.learned import Learned
from proxy.postgres.reader import Reader
from proxy.postgres.reading import Reading, Shape
from proxy.postgres.templates import same_names
from proxy.sql.catalog import Catalog, Column, Relation
from proxy.sql.forms import FormMemory, form
from proxy.sql.judged import Anew, SqlSession
from proxy.sql.parse import parse, parse_anew
from proxy.sql.plain import plain_text
from tests.proxy.sql.test_forms import same

TABLES = (
    Relation(20001, "public", "t", columns=(Column(1, "id", 23), Column(2, "email", 25))),
    Relation(20002, "other", "t", columns=(Column(1, "id", 23), Column(2, "email", 25))),
)
CATALOG = Catalog.of(TABLES)
POLICY = MaskPolicy(columns=(ColumnRule("public.t.email", "email"),), entities={"email": Strategy.SHAPE})
SESSION = SqlSession(search_path=("public",), role="app")
TEXT = "SELECT id, upper(email) FROM t WHERE email = '{}'"


class Mine:
    """A detector of somebody's own."""

    entity = "mine"

    def find(self, text: str, context: object) -> list[Any]:
        return []


MINE = Mine()


def masker(policy: MaskPolicy = POLICY, *, catalog: Catalog = CATALOG, key: bytes = b"k", **other: Any) -> Masker:
    return Masker(policy, catalog, key, **other)


class Sight:
    """Two sessions; counts what is parsed for the second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.learned, self.parsed = Learned(), 0

        def counted(parsing: Callable[..., Any], *what: Any) -> Any:
            self.parsed += 1
            return parsing(*what)

        for parsing in (parse_anew, plain_text):
            monkeypatch.setattr(reader, parsing.__name__, partial(counted, parsing))

    def teach(self, mine: Masker | None = None, session: SqlSession = SESSION) -> Reader:
        one = mine or masker()
        reader = Reader(one.catalog, one, learned=self.learned)
        for value in ("a", "b"):
            reader.read(TEXT.format(value), session, 0)
        return reader

    def ask(self, its: Masker | None = None, session: SqlSession = SESSION, **other: Any) -> tuple[bool, Reading]:
        """Whether another session knows the form at once; its answer is right either way."""
        one = its or masker()
        reader = Reader(one.catalog, one, learned=self.learned, **other)
        self.parsed = 0
        found = reader.read(TEXT.format("c"), session, 0)
        known = not self.parsed and other.get("forms", True)
        same(found, Reader(one.catalog, masker(*_of(one)), forms=False).read(TEXT.format("c"), session, 0, fresh=True))
        return known, found


def _of(one: Masker) -> tuple[MaskPolicy]:
    return (one.made_of.policy,)


@pytest.fixture
def sight(monkeypatch: pytest.MonkeyPatch) -> Sight:
    return Sight(monkeypatch)


def test_a_form_that_one_session_learned_is_known_to_the_next(sight: Sight) -> None:
    first = sight.teach()
    known, found = sight.ask()
    assert known and found.touched and TEXT.format("b") not in repr(found)
    assert found.shapes is not first.read(TEXT.format("b"), SESSION, 0).shapes
    known, _ = sight.ask(session=replace(SESSION, prepared={"p": parse("SELECT 1")}, cursors={"c": parse("SELECT 2")}))
    assert known


def test_a_form_that_came_once_in_each_of_two_sessions_came_twice(sight: Sight) -> None:
    for value in ("a", "b"):
        Reader(CATALOG, masker(), learned=sight.learned).read(TEXT.format(value), SESSION, 0)
    assert sight.ask()[0]


def test_how_results_are_rewritten_is_decided_by_each_session(sight: Sight) -> None:
    first = sight.teach().read(TEXT.format("b"), SESSION, 0)
    first.shapes[0, b"looks"] = Shape((), None, b"", None)
    for _ in range(2):
        assert not sight.ask()[1].shapes


OTHERS: Mapping[str, SqlSession] = {
    "search_path": replace(SESSION, search_path=("other", "public")),
    "role": replace(SESSION, role="other"),
    "temporary": replace(SESSION, temporary=frozenset({"t"})),
    "redefined": replace(SESSION, redefined=Anew(frozenset({"elsewhere"}))),
    "level": replace(SESSION, level=Level.WRITE),
    "timeouts": replace(SESSION, timeouts={"statement_timeout": 5}),
    "free_settings": replace(SESSION, free_settings=frozenset({"app.user"})),
}


def test_every_field_of_a_session_counts_but_its_names() -> None:
    """A new field must be thought of here; it counts until somebody proves that it need not."""
    assert {one.name for one in fields(SqlSession)} == {*OTHERS, "prepared", "cursors"}
    assert all(not same_names(SESSION, other) for other in OTHERS.values())


@pytest.mark.parametrize("session", OTHERS.values(), ids=OTHERS)
def test_another_session_learns_for_itself(sight: Sight, session: SqlSession) -> None:
    sight.teach()
    assert not sight.ask(session=session)[0]
    sight.teach(session=session)
    assert sight.ask(session=session)[0] and sight.ask()[0]


OTHER_MASKS: Mapping[str, Masker] = {
    "another rule": masker(replace(POLICY, columns=(ColumnRule("other.t.email", "email"),))),
    "another strategy": masker(replace(POLICY, columns=(ColumnRule("public.t.email", "email", Strategy.KEEP),))),
    "no rule": masker(replace(POLICY, columns=())),
    "another entity": masker(replace(POLICY, entities={"email": Strategy.HASH})),
    "the same entities in another order": masker(
        replace(POLICY, entities={"phone": Strategy.SHAPE, "email": Strategy.SHAPE})
    ),
    "words": masker(replace(POLICY, words={"project": ("c",)})),
    "patterns": masker(replace(POLICY, patterns={"code": ("c",)})),
    "strict": masker(replace(POLICY, strict=True)),
    "lookups": masker(replace(POLICY, strict=True, lookups_per_hour=5)),
    "by sample": masker(replace(POLICY, by_sample=True)),
    "what its person sees": masker(seen=replace(POLICY, columns=())),
    "cleared columns": masker(clear=("public.t.email",)),
    "another request": masker(key=b"other"),
    "a detector": masker(extra_detectors=(MINE,)),
    "the catalog read anew": masker(catalog=Catalog.of(TABLES)),
}


@pytest.mark.parametrize("other", OTHER_MASKS.values(), ids=OTHER_MASKS)
def test_who_masks_by_anything_else_learns_for_itself(sight: Sight, other: Masker) -> None:
    first = masker(replace(POLICY, entities={"email": Strategy.SHAPE, "phone": Strategy.SHAPE}))
    sight.teach(first)
    sight.teach()
    assert not _asked(sight, other)
    sight.teach(other)
    assert _asked(sight, other) and sight.ask()[0] and sight.ask(first)[0]


def _asked(sight: Sight, other: Masker) -> bool:
    reader = Reader(other.catalog, other, learned=sight.learned)
    sight.parsed = 0
    found = reader.read(TEXT.format("c"), SESSION, 0)
    known = not sight.parsed
    same(found, Reader(other.catalog, other).read(TEXT.format("c"), SESSION, 0, fresh=True))
    return known


def test_detectors_are_the_same_only_when_they_are_the_very_same() -> None:
    def made(*detectors: Mine) -> Any:
        return masker(extra_detectors=detectors).made_of

    assert made(MINE).is_like(made(MINE))
    assert not made(MINE).is_like(made(Mine()))
    assert not made(MINE).is_like(made(MINE, MINE))


def test_policies_of_equal_value_are_the_same_whatever_object_they_are(sight: Sight) -> None:
    sight.teach()
    equal = MaskPolicy(
        columns=(ColumnRule("public.t.email", "email"),), entities=MappingProxyType({"email": Strategy.SHAPE})
    )
    assert sight.ask(masker(equal))[0]


def test_whoever_may_be_given_secrets_neither_learns_nor_teaches(sight: Sight) -> None:
    for value in ("a", "b"):
        Reader(CATALOG, masker(), learned=sight.learned, forms=False).read(TEXT.format(value), SESSION, 0)
    assert not sight.ask()[0]
    sight.teach()
    assert not sight.ask(forms=False)[0]


def test_a_reader_whose_masker_knows_another_catalog_shares_nothing(sight: Sight) -> None:
    stray = Reader(CATALOG, masker(catalog=Catalog.of(TABLES)), learned=sight.learned)
    for value in ("a", "b"):
        stray.read(TEXT.format(value), SESSION, 0)
    assert not sight.ask()[0]


def test_what_a_detector_failed_on_is_not_handed_on(sight: Sight) -> None:
    one = masker()
    one.failures.append(("email", "TimeoutError"))
    sight.teach(one)
    assert not sight.ask()[0]


def test_a_session_that_changes_takes_up_what_holds_for_it_now(sight: Sight) -> None:
    sight.teach()
    sight.teach(session=OTHERS["search_path"])
    reader = Reader(CATALOG, masker(), learned=sight.learned)
    sight.parsed = 0
    for session in (SESSION, OTHERS["search_path"], SESSION, OTHERS["temporary"]):
        found = reader.read(TEXT.format("c"), session, id(session))
        same(found, Reader(CATALOG, masker()).read(TEXT.format("c"), session, 0, fresh=True))
    assert sight.parsed == 1


def test_the_shelves_are_bounded_and_go_with_their_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHELVES", 3)
    learned, made = Learned(), masker().made_of
    shelves = [learned.shelf(CATALOG, made, replace(SESSION, role=f"r{number}")) for number in range(3)]
    assert learned.shelf(CATALOG, made, replace(SESSION, role="r0")) is shelves[0]
    learned.shelf(CATALOG, made, SESSION)
    assert learned.shelf(CATALOG, made, replace(SESSION, role="r0")) is shelves[0]
    assert learned.shelf(CATALOG, made, replace(SESSION, role="r1")) is not shelves[1]
    passing = Catalog.of(TABLES)
    learned.shelf(passing, made, SESSION)
    assert len(learned._shelves) == 2
    del passing
    assert len(learned._shelves) == 1


def test_a_memory_of_too_many_things_starts_anew() -> None:
    memory = FormMemory[int](most=4)
    for number in range(9):
        one = form(f"SELECT a{number}, 1")
        assert one is not None
        memory.keep(one, (), number)
        assert len(memory) <= 4
    assert len(memory) == 1
